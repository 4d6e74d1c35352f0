-- name: status
select s.relation::text as relation, s.name, s.model, s.rows, s.embedded, s.pending, s.failed, s.estimated,
       s.pending_since, s.rows_per_second, s.drift, s.generation_of, s.stale
from mmdb.status s
order by s.relation::text, s.name

-- name: workers
select w.id, w.host, w.pid, w.version, w.models, w.started_at, w.heartbeat_at
from mmdb.workers w
where w.alive
order by w.id

-- name: failures
select f.relation::text as relation, f.name, f.key, f.attempts, f.error, f.retry_at
from mmdb.failures f
order by f.failed_at desc
limit %(limit)s

-- name: contracts
select c.function, c.target, c.recall, c.low, c.high, c.milliseconds, c.measured_at, c.settings, c.drift
from mmdb.contracts c
order by c.function

-- name: queries
select p.oid::regprocedure::text as function,
       btrim(replace(coalesce(obj_description(p.oid, 'pg_proc'), ''), '[mmdb query]', '')) as description,
       c.target, c.recall, c.milliseconds, c.drift
from pg_proc p
left join mmdb.contracts c on mmdb.function_called(c.function) = p.oid
where (obj_description(p.oid, 'pg_proc') like '%%[mmdb query]' or c.function is not null)
  and has_function_privilege(p.oid, 'execute')
order by p.pronamespace::regnamespace::text, 1

-- name: worker_alive
select exists (select from mmdb.workers w where w.alive and w.host = %(host)s and w.pid = %(pid)s) as alive
