-- name: script
-- mmdb: what a superuser runs once, connected to the database, so that a role without rights of its own can run
-- `mmdb init` there. Running it again is safe; the loopback gets a new password each time.
begin;

create extension if not exists vector;
create extension if not exists dblink;
create extension if not exists pg_trgm;

do $mmdb$
declare
  -- Who runs `mmdb init`: the owner of the database unless named here.
  owner constant text := coalesce({owner}, (select pg_get_userbyid(d.datdba) from pg_database d
                                            where d.datname = current_database()));
  -- Through this role, which may do nothing but post a request and poll its answer, the server reaches itself.
  loopback constant text := (select format('mmdb_loopback_%s', d.oid) from pg_database d
                             where d.datname = current_database());
  password constant text := replace(format('%s%s', gen_random_uuid(), gen_random_uuid()), '-', '');
  address record;
  name text;
begin
  if not has_database_privilege(owner, current_database(), 'create') then
    execute format('grant create on database %I to %I', current_database(), owner);
  end if;

  -- Who may search, and who may work.
  foreach name in array array[{user_role}, {worker_role}] loop
    if not exists (select from pg_roles r where r.rolname = name) then
      execute format('create role %I nologin', name);
    end if;
    execute format('grant %I to %I', name, owner);
  end loop;

  if not exists (select from pg_roles r where r.rolname = loopback) then
    execute format('create role %I', loopback);
  end if;
  execute format('alter role %I login password %L', loopback, password);
  if not has_database_privilege(loopback, current_database(), 'connect') then
    execute format('grant connect on database %I to %I', current_database(), loopback);
  end if;

  select a.host, a.port into address from (
{address}
  ) a;
  execute format('grant usage on foreign data wrapper dblink_fdw to %I', owner);
  drop server if exists mmdb_loopback cascade;
  execute format('create server mmdb_loopback foreign data wrapper dblink_fdw '
                 'options (host %L, port %L, dbname %L, connect_timeout ''5'')',
                 coalesce({host}, address.host), coalesce({port}, address.port), current_database());
  execute format('alter server mmdb_loopback owner to %I', owner);
  execute format('create user mapping for %I server mmdb_loopback options (user %L, password %L)',
                 owner, loopback, password);
end
$mmdb$;

commit;
