-- name: models
select name, backend, model, revision, dimensions, modalities, distance, query_prompt, document_prompt, options, identity
from mmdb.models order by name

-- name: embeddings
select e.id, e.relation::text as relation, e.name, e.model, e.modality, e.by_uri,
       (parse_ident(e.function_schema))[1] as schema, e.column_type like '%%halfvec(%%' as half
from mmdb.embeddings e
where e.model = %(model)s and exists (select from pg_class c where c.oid = e.relation)
  -- A function that was made to run with its caller's rights would run with ours: such an embedding is left alone.
  and not exists (
    select from pg_proc p join pg_class c on c.oid = e.relation
    where p.pronamespace = to_regnamespace(e.function_schema)
      and p.proname in ('mmdb_pending_' || e.id, 'mmdb_load_' || e.id, 'mmdb_store_' || e.id)
      and not (p.prosecdef and p.proowner = c.relowner))
order by e.id

-- name: start_worker
select mmdb.start_worker(%(host)s, %(pid)s, %(version)s, %(models)s::text[])

-- name: beat
select mmdb.beat(%(worker)s, %(lease)s::interval)

-- name: stop_worker
select mmdb.stop_worker(%(worker)s)

-- name: pending
select key, state from {function}(%(after)s::text, %(count)s)

-- name: count_pending
select count(*) from {function}(null, %(count)s)

-- name: claim
select key, attempts, failed_hash, failed_error
from mmdb.claim(%(embedding)s, %(worker)s, %(keys)s::text[], %(states)s::text[], %(lease)s::interval)

-- name: note_attempt
select mmdb.note_attempt(%(embedding)s, %(worker)s, %(key)s, %(state)s, %(hash)s)

-- name: load
select key, state, size, content, data from {function}(%(keys)s::text[], %(max_bytes)s)

-- name: hold
select mmdb.hold(%(embedding)s, %(worker)s, %(keys)s::text[])

-- name: store
select key, outcome from {function}(%(keys)s::text[], %(states)s::text[], %(hashes)s::bytea[], %(embeddings)b)

-- name: settle
select mmdb.settle(%(embedding)s, %(worker)s, %(keys)s::text[], %(outcomes)s::text[])

-- name: fail
select mmdb.fail(%(embedding)s, %(worker)s, %(keys)s::text[], %(states)s::text[], %(hashes)s::bytea[],
                 %(errors)s::text[], %(permanent)s::boolean[])

-- name: caught_up
select mmdb.caught_up(%(embedding)s)

-- name: report_drift
select mmdb.report_drift(%(embedding)s, %(drift)s)

-- name: sweep
select embedding, clean from mmdb.sweep()

-- name: clean
select {function}()

-- name: idle_leases
select mmdb.idle_leases(%(embedding)s)

-- name: forget_leases
select mmdb.forget_leases(%(embedding)s, %(keys)s::text[])

-- name: take_queries
select token, model, modality, content, data from mmdb.take_queries(%(worker)s, %(models)s::text[], %(count)s)

-- name: answer_query
select mmdb.answer_query(%(token)s, %(embedding)b, %(error)s)
