-- Everything is qualified: in some of these sessions code of tables' owners runs, and pg_temp is searched first.

-- name: share_session
select mmdb.share_session(%(worker)s)

-- name: discard
discard all

-- name: close_cursors
close all

-- name: tasks
select id, pass as pass_, relation, name, modality, by_uri, schema, half, sources, weights, source_modalities
from mmdb.tasks(%(model)s, %(identity)s)

-- name: may_call
select mmdb.may_call(%(embedding)s)

-- name: may_clean
select mmdb.may_clean(%(embedding)s)

-- name: start_worker
select mmdb.start_worker(%(host)s, %(pid)s, %(version)s, %(models)s::pg_catalog.text[],
                         %(identities)s::pg_catalog.text[])

-- name: beat
select mmdb.beat(%(worker)s, %(lease)s::pg_catalog.interval)

-- name: stop_worker
select mmdb.stop_worker(%(worker)s)

-- name: pending
select key, state from {function}(%(pass)s, %(after)s::pg_catalog.text, %(count)s)

-- name: count
select total, embedded, pending, estimated from {function}(%(pass)s, %(exact_up_to)s)

-- name: note_counts
select mmdb.note_counts(%(embedding)s, %(pass)s, %(total)s, %(embedded)s, %(pending)s, %(estimated)s)

-- name: claim
select key, attempts, failed_state, failed_hash, failed_error
from mmdb.claim(%(embedding)s, %(worker)s, %(keys)s::pg_catalog.text[], %(states)s::pg_catalog.text[],
                %(lease)s::pg_catalog.interval)

-- name: note_attempt
select mmdb.note_attempt(%(embedding)s, %(worker)s, %(key)s, %(state)s, %(hash)s)

-- name: load
select key, state, size, content, data from {function}(%(pass)s, %(keys)s::pg_catalog.text[], %(max_bytes)s)

-- name: hold
select mmdb.hold(%(embedding)s, %(worker)s, %(pass)s, %(keys)s::pg_catalog.text[])

-- name: store
-- A function that the last version made says nothing of the state.
select key, outcome, pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(stored), 'state') as state
from {function}(%(pass)s, %(keys)s::pg_catalog.text[], %(states)s::pg_catalog.text[],
                %(hashes)s::pg_catalog.bytea[], %(embeddings)b) stored

-- name: settle
select mmdb.settle(%(embedding)s, %(worker)s, %(pass)s, %(keys)s::pg_catalog.text[], %(outcomes)s::pg_catalog.text[])

-- name: fail
select mmdb.fail(%(embedding)s, %(worker)s, %(keys)s::pg_catalog.text[], %(states)s::pg_catalog.text[],
                 %(hashes)s::pg_catalog.bytea[], %(errors)s::pg_catalog.text[], %(permanent)s::pg_catalog.bool[])

-- name: caught_up
select mmdb.caught_up(%(embedding)s)

-- name: report_drift
select mmdb.report_drift(%(embedding)s, %(drift)s)

-- name: sweep
select embedding, pass as pass_, schema from mmdb.sweep()

-- name: clean
select {function}(%(pass)s)

-- name: idle_leases
select mmdb.idle_leases(%(embedding)s)

-- name: forget_leases
select mmdb.forget_leases(%(embedding)s, %(keys)s::pg_catalog.text[])

-- name: take_requests
select token, task, content, data, parameters
from mmdb.take_requests(%(worker)s, %(models)s::pg_catalog.text[], %(tasks)s::pg_catalog.text[], %(count)s)

-- name: answer_request
select mmdb.answer_request(%(token)s, %(embedding)b, %(answer)s, %(error)s)
