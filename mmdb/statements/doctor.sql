-- name: doctor
select d.subject, d.level, d.finding, d.remedy from mmdb.doctor() d

-- name: not_created
select name from pg_available_extensions where installed_version is null order by name

-- name: load
load {library}

-- name: schema_revision
select version_num as revision from mmdb.schema_version
