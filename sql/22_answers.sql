-- The worker's side of a request: it takes requests, answers them, and what is kept of them is kept short.

create or replace function mmdb.take_requests(worker integer, models text[], tasks text[], count integer)
returns table (token uuid, task text, content text, data bytea, parameters jsonb)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  with live as materialized (select mmdb.live_workers() as id),
  waiting as (
    select q.token
    from mmdb.requests q
    where q.answered_at is null and q.model = any(take_requests.models) and q.task = any(take_requests.tasks)
      and exists (select from mmdb.worker_sessions w, mmdb.models m
                  where w.id = take_requests.worker and m.name = q.model and mmdb.serves(w, m))
      and (q.worker is null or q.worker not in (select id from live))
    order by q.asked_at
    limit take_requests.count
    for update skip locked
  )
  update mmdb.requests q set worker = take_requests.worker
  from waiting w where q.token = w.token
  returning q.token, q.task, q.content, q.data, q.parameters
$$;
comment on function mmdb.take_requests(integer, text[], text[], integer) is
  'Worker only: take waiting requests of these tasks; of two workers one gets each.';

create or replace function mmdb.answer_request(
  token uuid, embedding @extschema:vector@.vector, answer jsonb, error text
) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  update mmdb.requests q
  set embedding = answer_request.embedding::real[], answer = answer_request.answer, error = answer_request.error,
      answered_at = clock_timestamp(), content = null, data = null, parameters = null
  where q.token = answer_request.token
$$;
comment on function mmdb.answer_request(uuid, @extschema:vector@.vector, jsonb, text) is
  'Worker only: store the answer to a request (a vector, jsonb or an error) and forget the request itself.';

create or replace function mmdb.trim_requests() returns bigint
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  -- What functions of the last version may have posted while `mmdb init` ran; nobody takes it.
  delete from mmdb.queries;
  with gone as (
    delete from mmdb.requests q
    where (q.hash is not null
           and q.answered_at <= (select x.answered_at from mmdb.requests x
                                 where x.answered_at is not null and x.hash is not null
                                 order by x.answered_at desc
                                 offset coalesce(mmdb.setting('query_cache_rows'), '10000')::bigint limit 1))
       or ((q.error is not null or q.hash is null) and q.answered_at < clock_timestamp() - interval '1 minute')
       or (q.answered_at is null and q.asked_at < clock_timestamp() - interval '1 hour')
    returning 1
  )
  select count(*) from gone
$$;
comment on function mmdb.trim_requests() is
  'Worker only: keep the cache within query_cache_rows, oldest first, and drop what nobody reads any more.';
