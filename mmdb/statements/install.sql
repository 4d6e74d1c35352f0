-- name: lock
select pg_advisory_xact_lock(1835885668, 0)

-- name: facts
select current_setting('server_version_num')::integer as version,
       current_setting('server_version') as version_text,
       current_setting('server_encoding') as encoding,
       current_database() as database,
       (select oid::bigint from pg_database where datname = current_database()) as database_oid,
       pg_has_role((select datdba from pg_database where datname = current_database()), 'usage') as owns_database,
       current_setting('port') as port,
       current_setting('listen_addresses') as listen_addresses,
       current_user as owner

-- name: extension
select e.extversion, quote_ident(n.nspname) as schema
from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname = %(name)s

-- name: create_extension
create extension if not exists {extension}

-- name: create_schema
create schema if not exists mmdb

-- name: schema_owner
select pg_has_role(n.nspowner, 'usage') as usable, n.nspowner::regrole::text as owner
from pg_namespace n where n.nspname = 'mmdb'

-- name: schema_revision
select version_num from mmdb.schema_version

-- name: has_revision
select to_regclass('mmdb.schema_version') is not null

-- name: unchecked_bodies
set local check_function_bodies = off

-- name: stale_functions
select p.oid::regprocedure::text as function
from pg_proc p
where p.pronamespace = 'mmdb'::regnamespace and p.xmin <> pg_current_xact_id()::xid

-- name: has_role
select exists (select from pg_roles where rolname = %(name)s)

-- name: create_role
create role {role} nologin

-- name: create_loopback_role
create role {role} login nocreatedb nocreaterole noreplication connection limit -1

-- name: grant_role
grant {role} to current_user

-- name: member_of
select pg_has_role(%(name)s, 'member')

-- name: keep_setting
insert into mmdb.settings values (%(name)s, %(value)s) on conflict (name) do update set value = excluded.value

-- name: settings
select name, value from mmdb.settings

-- name: has_server
select exists (select from pg_foreign_server where srvname = 'mmdb_loopback')

-- name: server_options
select coalesce(jsonb_object_agg(split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), '{{}}')
from pg_foreign_server s cross join unnest(s.srvoptions) o
where s.srvname = 'mmdb_loopback'

-- name: drop_server
drop server if exists mmdb_loopback cascade

-- name: has_mapping
select exists (select from pg_user_mappings where srvname = 'mmdb_loopback' and usename = current_user)

-- name: model
select mmdb.add_model(%(name)s, %(backend)s, %(model)s, %(dimensions)s, %(modalities)s::text[], %(identity)s,
                      %(distance)s, %(revision)s, %(query_prompt)s, %(document_prompt)s, %(options)s)

-- name: grant_privileges
select mmdb.grant_privileges()

-- name: has_database_setting
select exists (
  select from pg_db_role_setting r cross join unnest(r.setconfig) c(setting)
  where r.setdatabase = (select oid from pg_database where datname = current_database()) and r.setrole = 0
    and c.setting like %(prefix)s)

-- name: set_iterative_scan
alter database {database} set hnsw.iterative_scan = 'strict_order'

-- name: reset_iterative_scan
alter database {database} reset hnsw.iterative_scan

-- name: restored
select distinct e.relation::text as relation
from mmdb.embeddings e join pg_class c on c.oid = e.relation
where e.attached_to <> mmdb.attachment(e.relation)

-- name: refresh
select mmdb.refresh(%(relation)s::text::regclass)

-- name: check_loopback
select problem from mmdb.loopback(format(
  'select * from mmdb.post_query(%%L, %%L, %%L, %%L, %%L, null)', pg_postmaster_start_time(),
  (select oid from pg_database where datname = current_database()), '', 'text', ''))

-- name: close_loopback
select {schema}.dblink_disconnect('mmdb_loopback')

-- name: embeddings
select e.relation::text as relation, e.name, exists (select from pg_class c where c.oid = e.relation) as there
from mmdb.embeddings e order by e.id

-- name: drop_embedding
select mmdb.drop_embedding(%(relation)s::text::regclass, %(name)s)

-- name: drop_schema
drop schema if exists mmdb cascade

-- name: drop_role
drop role if exists {role}

-- name: revoke_role
drop owned by {role}

-- name: set_password
alter role {role} login password {password}

-- name: create_server
create server mmdb_loopback foreign data wrapper dblink_fdw
options (host {host}, port {port}, dbname {database})

-- name: create_mapping
create user mapping for current_user server mmdb_loopback options (user {role}, password {password})
