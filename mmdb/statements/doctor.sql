-- name: doctor
select d.subject, d.level, d.finding, d.remedy from mmdb.doctor() d

-- name: schema_revision
select version_num as revision from mmdb.schema_version
