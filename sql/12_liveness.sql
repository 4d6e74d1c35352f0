-- Which workers are alive. Each holds an advisory lock while its session lasts, so that no clock is asked.

-- A worker holds this advisory lock for as long as its session lives, so that a killed one is known at once.
create or replace function mmdb.worker_lock_class() returns integer
language sql immutable parallel safe security invoker
as $$ select 1835885666 $$;
comment on function mmdb.worker_lock_class() is
  'The first key of the advisory lock that a live worker holds ("mmdb" in ASCII); the second is its id.';

create or replace function mmdb.live_workers() returns setof integer
language sql stable parallel restricted security invoker
set search_path = pg_catalog, pg_temp
as $$
  select l.objid::bigint::integer
  from pg_locks l
  where l.locktype = 'advisory' and l.objsubid = 2 and l.granted
    and l.classid = mmdb.worker_lock_class()::oid
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
$$;
comment on function mmdb.live_workers() is 'The ids of the workers whose session is alive now.';
