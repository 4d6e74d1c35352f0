-- The worker's side of a request: it takes questions, answers them, and the cache of answers is kept short.

create or replace function mmdb.take_queries(worker integer, models text[], count integer)
returns table (token uuid, model text, modality text, content text, data bytea)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  with live as materialized (select mmdb.live_workers() as id),
  waiting as (
    select q.token
    from mmdb.queries q
    where q.answered_at is null and q.model = any(take_queries.models)
      and exists (select from mmdb.worker_sessions w, mmdb.models m
                  where w.id = take_queries.worker and m.name = q.model and mmdb.serves(w, m))
      and (q.worker is null or q.worker not in (select id from live))
    order by q.asked_at
    limit take_queries.count
    for update skip locked
  )
  update mmdb.queries q set worker = take_queries.worker
  from waiting w where q.token = w.token
  returning q.token, q.model, q.modality, q.content, q.data
$$;
comment on function mmdb.take_queries(integer, text[], integer) is
  'Worker only: take waiting queries; of two workers one gets each.';

create or replace function mmdb.answer_query(token uuid, embedding @extschema:vector@.vector, error text) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  update mmdb.queries q
  set embedding = answer_query.embedding::real[], error = answer_query.error, answered_at = clock_timestamp(),
      content = null, data = null
  where q.token = answer_query.token
$$;
comment on function mmdb.answer_query(uuid, @extschema:vector@.vector, text) is
  'Worker only: store the vector (or the error) of a query and forget the query itself.';

create or replace function mmdb.trim_queries() returns bigint
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  with gone as (
    delete from mmdb.queries q
    where q.answered_at <= (select x.answered_at from mmdb.queries x where x.answered_at is not null
                           order by x.answered_at desc
                           offset coalesce(mmdb.setting('query_cache_rows'), '10000')::bigint limit 1)
       or (q.error is not null and q.answered_at < clock_timestamp() - interval '1 minute')
       or (q.answered_at is null and q.asked_at < clock_timestamp() - interval '1 hour')
    returning 1
  )
  select count(*) from gone
$$;
comment on function mmdb.trim_queries() is
  'Worker only: keep the query cache within query_cache_rows, oldest first, and drop dead questions.';
