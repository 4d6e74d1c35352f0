-- name: pin_settings
set transaction isolation level read committed;
set local statement_timeout = 0;
set local standard_conforming_strings = on;
set local quote_all_identifiers = off;
set local password_encryption = 'scram-sha-256'

-- name: lock
select pg_advisory_xact_lock(1835885668, 0)

-- name: facts
select current_setting('server_version_num')::integer as version,
       current_setting('server_version') as version_text,
       current_setting('server_encoding') as encoding,
       current_database() as database,
       pg_has_role((select datdba from pg_database where datname = current_database()), 'usage') as owns_database,
       current_user as role,
       has_database_privilege(current_database(), 'create') as may_create_schema,
       pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as read_only

-- name: extension
select e.extversion, quote_ident(n.nspname) as schema
from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname = %(name)s

-- name: create_extension
create extension if not exists {extension}

-- name: create_schema
create schema if not exists mmdb

-- name: schema_owner
select pg_get_userbyid(n.nspowner) as owner, pg_has_role(n.nspowner, 'usage') as usable
from pg_namespace n where n.nspname = 'mmdb'

-- name: strangers
select c.relname from pg_class c where c.relnamespace = 'mmdb'::regnamespace
union all
select p.proname from pg_proc p where p.pronamespace = 'mmdb'::regnamespace
limit 1

-- name: set_role
set local role {role}

-- name: reset_role
reset role

-- name: schema_revision
select version_num from mmdb.schema_version

-- name: has_revision
select to_regclass('mmdb.schema_version') is not null

-- name: unchecked_bodies
set local check_function_bodies = off

-- name: search_path
select pg_catalog.current_setting('search_path')

-- name: pin_search_path
set local search_path = pg_catalog, pg_temp

-- name: set_search_path
select pg_catalog.set_config('search_path', %(path)s, true)

-- name: functions
select p.oid::regprocedure::text as function, p.xmin::text as version
from pg_proc p
where p.pronamespace = 'mmdb'::regnamespace

-- name: ambiguous
select f.oid::regprocedure::text as function
from pg_proc f
where f.oid::regprocedure::text = any(%(former)s) and exists (
  select from pg_proc p
  cross join lateral (select least(p.pronargs, f.pronargs) - 1) shared(last)
  where p.pronamespace = f.pronamespace and p.proname = f.proname and p.oid::regprocedure::text <> all(%(former)s)
    and (p.proargtypes::oid[])[0:shared.last] = (f.proargtypes::oid[])[0:shared.last])

-- name: running
select l.virtualtransaction as transaction
from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'virtualxid' and l.pid <> pg_catalog.pg_backend_pid()
  and a.datname = pg_catalog.current_database() and a.backend_type is distinct from 'autovacuum worker'

-- name: views
select c.oid::regclass::text as name
from pg_class c
where c.relnamespace = 'mmdb'::regnamespace and c.relkind = 'v'

-- name: dependents
select distinct case when r.oid is null then pg_describe_object(d.classid, d.objid, d.objsubid)
                     else pg_describe_object('pg_class'::regclass, r.ev_class, 0) end as name
from (
  select 'pg_class'::regclass, c.oid from pg_class c where c.relnamespace = 'mmdb'::regnamespace
  union all
  select 'pg_proc'::regclass, p.oid from pg_proc p where p.pronamespace = 'mmdb'::regnamespace
  union all
  select 'pg_type'::regclass, t.oid from pg_type t where t.typnamespace = 'mmdb'::regnamespace
) made(catalogue, oid)
join pg_depend d on d.refclassid = made.catalogue and d.refobjid = made.oid and d.deptype = 'n'
left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
cross join lateral pg_identify_object_as_address(d.classid, d.objid, d.objsubid) a
where a.object_names[1] <> 'mmdb' and a.object_names[1] not like 'mmdb.%%'
order by name

-- name: has_role
select exists (select from pg_roles where rolname = %(name)s)

-- name: create_role
create role {role} nologin

-- name: create_loopback_role
create role {role} login

-- name: grant_role
grant {role} to {member}

-- name: is_member
select pg_has_role(%(member)s, %(name)s, 'member')

-- name: keep_setting
insert into mmdb.settings values (%(name)s, %(value)s) on conflict (name) do update set value = excluded.value

-- name: settings
select name, value from mmdb.settings

-- name: loopback_address
select case
         when listening.addresses && array['*', '0.0.0.0', 'localhost', '127.0.0.1'] then '127.0.0.1'
         when listening.addresses && array['::', '::1'] then '::1'
         else coalesce(listening.addresses[1],
                       (select split_part(s.setting, ',', 1) from pg_settings s
                        where s.name = 'unix_socket_directories'),
                       '/var/run/postgresql')
       end as host,
       current_setting('port') as port
from (select array_remove(string_to_array(replace(current_setting('listen_addresses'), ' ', ''), ','), ''))
  listening(addresses)

-- name: loopback
select address.host, address.port, d.datname as database, role.name as role,
       exists (select from pg_roles r where r.rolname = role.name) as role_exists,
       (select split_part(o, '=', 2) from pg_user_mappings m cross join unnest(m.umoptions) o
        where m.srvname = 'mmdb_loopback' and o like 'user=%%'
          and m.umuser = (select n.nspowner from pg_namespace n where n.nspname = 'mmdb')) as mapped_role,
       (select substr(o, 8) from pg_foreign_server s cross join unnest(s.srvoptions) o
        where s.srvname = 'mmdb_loopback' and o like 'dbname=%%') as mapped_database
from pg_database d
cross join lateral (select format('mmdb_loopback_%%s', d.oid)) role(name)
cross join lateral ({address}) address
where d.datname = current_database()

-- name: may_connect
select has_database_privilege(%(role)s, current_database(), 'connect') as already,
       pg_has_role(d.datdba, 'usage') as grantable, d.datname as database
from pg_database d where d.datname = current_database()

-- name: grant_connect
grant connect on database {database} to {role}

-- name: was_let_in
select exists (select from pg_database d cross join aclexplode(d.datacl) a join pg_roles r on r.oid = a.grantee
               where d.datname = current_database() and r.rolname = %(role)s and a.privilege_type = 'CONNECT')

-- name: revoke_connect
revoke connect on database {database} from {role}

-- name: former_loopback
select s.value from mmdb.settings s join pg_roles r on r.rolname = s.value
where s.name = 'loopback_role' and s.value <> %(role)s

-- name: revoke_loopback
revoke all on schema mmdb from {role};
revoke all on all functions in schema mmdb from {role}

-- name: any_table
select min(c.oid::regclass::text)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f', 'm', 'v') and n.nspname not in ('pg_catalog', 'information_schema', 'mmdb')
  and n.nspname !~ '^pg_(toast|temp)'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')

-- name: drop_server
drop server if exists mmdb_loopback cascade

-- name: grant_privileges
select mmdb.grant_privileges()

-- name: has_database_setting
select exists (
  select from pg_db_role_setting r cross join unnest(r.setconfig) c(setting)
  where r.setdatabase = (select oid from pg_database where datname = current_database()) and r.setrole = 0
    and c.setting like %(prefix)s)

-- name: load_extensions
do $$
begin
  execute (select format('select %%L::%%I.vector', '[1]', n.nspname)
           from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector');
  execute (select format('select %%I.show_trgm(%%L)', n.nspname, 'a')
           from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_trgm');
end
$$

-- name: set_iterative_scan
alter database {database} set hnsw.iterative_scan = 'strict_order'

-- name: reset_iterative_scan
alter database {database} reset hnsw.iterative_scan

-- name: out_of_date
select distinct e.relation::text as relation
from mmdb.embeddings e join pg_class c on c.oid = e.relation
where mmdb.is_out_of_date(e)

-- name: refresh
select mmdb.refresh(%(relation)s::text::regclass)

-- name: try_loopback
select problem, remedy from mmdb.try_loopback()

-- name: installed_state
select encode(sha256(convert_to(string_agg(s.state, E'\n' order by s.state), 'UTF8')), 'hex')
from (
  select p::text from pg_proc p where p.pronamespace = 'mmdb'::regnamespace
  union all
  select concat_ws(' ', c.oid, c.relname, c.relkind, c.relowner, c.relacl, pg_get_viewdef(c.oid))
  from pg_class c where c.relnamespace = 'mmdb'::regnamespace
  union all
  select concat_ws(' ', a.attrelid, a.attname, a.attacl) from pg_attribute a join pg_class c on c.oid = a.attrelid
  where c.relnamespace = 'mmdb'::regnamespace and a.attacl is not null
  union all
  select concat_ws(' ', c.conname, pg_get_constraintdef(c.oid)) from pg_constraint c
  where c.connamespace = 'mmdb'::regnamespace
  union all
  select n::text from pg_namespace n where n.nspname = 'mmdb'
  union all
  select e::text from pg_extension e where e.extname in ('vector', 'dblink', 'pg_trgm')
  union all
  select s::text from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
  where d.datname = current_database() and s.setrole = 0
  union all
  select concat_ws(' ', s::text, m.umid, m.umuser)
  from pg_foreign_server s left join pg_user_mappings m on m.srvid = s.oid where s.srvname = 'mmdb_loopback'
  union all
  select concat_ws(' ', d.oid, d.datname, d.datdba, d.datacl) from pg_database d where d.datname = current_database()
  union all
  select concat_ws(' ', r.oid, r.rolname, m.member) from mmdb.settings k join pg_roles r on r.rolname = k.value
  left join pg_auth_members m on m.roleid = r.oid
    and m.member = (select n.nspowner from pg_namespace n where n.nspname = 'mmdb')
  where k.name like '%%role'
  union all
  select m::text from mmdb.models m
  union all
  select k::text from mmdb.settings k where k.name <> %(setting)s
  union all
  select v::text from mmdb.schema_version v
) s(state)

-- name: embeddings
select e.relation::text as relation, e.name
from mmdb.embeddings e join pg_class c on c.oid = e.relation
where e.generation_of is null
order by e.id

-- name: drop_embedding
select mmdb.drop_embedding(%(relation)s::text::regclass, %(name)s)

-- name: keywords
select w.relation::text as relation, w.name
from mmdb.keywords w join pg_class c on c.oid = w.relation
order by w.id

-- name: drop_keywords
select mmdb.drop_keywords(%(relation)s::text::regclass, %(name)s)

-- name: orphans
select p.oid::regprocedure::text as function
from mmdb.embeddings e join pg_proc p on mmdb.is_made_by(p.oid, e.id)
where not exists (select from pg_class c where c.oid = e.relation)

-- name: worker_schemas
select n.nspname as name
from pg_namespace n cross join lateral aclexplode(n.nspacl) a join pg_roles r on r.oid = a.grantee
where r.rolname = %(role)s and n.nspname <> 'mmdb' and a.privilege_type = 'USAGE'

-- name: revoke_schema
revoke usage on schema {schema} from {role}

-- name: drop_schema
drop schema if exists mmdb cascade

-- name: drop_role
drop role if exists {role}

-- name: set_password
alter role {role} login password {password}

-- name: create_server
create server mmdb_loopback foreign data wrapper dblink_fdw
options (host {host}, port {port}, dbname {database}, connect_timeout '5')

-- name: own_server
alter server mmdb_loopback owner to {owner}

-- name: create_mapping
create user mapping for {owner} server mmdb_loopback options (user {role}, password {password})
