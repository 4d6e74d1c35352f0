-- What the command line asks of a database. Python composes only the names and, for --where, the operator's own SQL.

-- name: embeddings_of
select e.id, e.name, e.sources, e.weights, e.model, e.modality, e.prefix, e.function_schema as schema,
       mmdb.on_change(e) as on_change, e.index_options ->> 'quantization' as quantization,
       mmdb.search_name(e.prefix, e.name) as function
from mmdb.embeddings e
where e.relation = %(relation)s::text::regclass and e.generation_of is null
order by e.id

-- name: add_embedding
select a.name, a.function_schema as schema, mmdb.search_name(a.prefix, a.name) as function
from mmdb.add_embedding(%(relation)s::text::regclass, %(sources)s::text[], model => %(model)s, modality => %(modality)s,
                        name => %(name)s, index => false, prefix => %(prefix)s, weights => %(weights)s::float8[],
                        on_change => %(on_change)s,
                        index_options => jsonb_strip_nulls(
                          jsonb_build_object('quantization', %(quantization)s::text))) a

-- name: index_statements
select statement from mmdb.index_statements(%(relation)s::text::regclass, %(name)s) statement

-- name: change_model
select c.name, c.model
from mmdb.change_model(%(relation)s::text::regclass, %(name)s, %(model)s, index => false) c

-- name: set_lock_timeout
select set_config('lock_timeout', %(timeout)s, false)

-- name: switch_model
select s.model from mmdb.switch_model(%(relation)s::text::regclass, %(name)s, %(force)s) s

-- name: rollback_model
select s.model from mmdb.rollback_model(%(relation)s::text::regclass, %(name)s, %(force)s) s

-- name: drop_embedding
select mmdb.drop_embedding(%(relation)s::text::regclass, %(name)s)

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

-- name: models
select m.name, m.backend, m.model, m.dimensions, m.modalities, m.distance,
       (select count(*) from mmdb.embeddings e where e.model = m.name) as embeddings
from mmdb.models m
order by m.name

-- name: model
select m.name, m.backend, m.model, m.revision, m.dimensions, m.modalities, m.distance, m.query_prompt,
       m.document_prompt, m.options, m.identity
from mmdb.models m
where m.name = %(name)s

-- name: add_model
select mmdb.add_model(%(name)s, %(backend)s, %(model)s, %(dimensions)s, %(modalities)s::text[], %(identity)s,
                      %(distance)s, %(revision)s, %(query_prompt)s, %(document_prompt)s, %(options)s)

-- name: remove_model
select mmdb.remove_model(%(name)s)

-- name: doctor
select d.subject, d.level, d.finding, d.remedy from mmdb.doctor() d

-- name: schema_revision
select version_num as revision from mmdb.schema_version

-- name: search_columns
select c.name, t.typname = any(%(hidden)s) as hidden
from pg_catalog.pg_proc p
cross join lateral unnest(p.proargnames, p.proallargtypes, p.proargmodes) with ordinality c(name, type, mode, number)
join pg_catalog.pg_type t on t.oid = c.type
where p.oid = to_regprocedure(format('%%I.%%I(%%s)', %(schema)s::text, %(function)s::text, %(argument)s::text))
  and c.mode = 't'
order by c.number

-- name: search
select {columns}
from {function}(%(query)s::{kind})
where {condition}
order by {distance}
limit %(k)s
