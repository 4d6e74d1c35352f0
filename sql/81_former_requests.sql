-- What statements call that began before `mmdb init` brought the files above: a search goes on in the functions that it
-- has entered, and a worker of the last version works until it is started anew.
--
-- Of one version only: this file goes with the table mmdb.queries. Their language and the names of their arguments stay
-- as they were, because a function that runs finds its own text again by them.

create or replace function mmdb.embed_query(model text, modality text, content text, data bytea)
returns @extschema:vector@.vector
language plpgsql stable parallel restricted security definer
set search_path = pg_catalog, pg_temp
as $$ begin return mmdb.embed_by(model, content, data); end $$;
comment on function mmdb.embed_query(text, text, text, bytea) is 'Was mmdb.embed_by.';

create or replace function mmdb.check_query(model text, modality text, content text, data bytea) returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$ begin perform mmdb.check_embeddable(model, content, data); end $$;
comment on function mmdb.check_query(text, text, text, bytea) is 'Was mmdb.check_embeddable.';

create or replace function mmdb.ask(model text, modality text, content text, data bytea) returns real[]
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ begin return mmdb.embed_by(model, content, data)::real[]; end $$;
comment on function mmdb.ask(text, text, text, bytea) is 'Was mmdb.request.';

create or replace function mmdb.refuse_problem(problem text, model text) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ begin perform mmdb.raise_problem(problem, 'embedding', model); end $$;
comment on function mmdb.refuse_problem(text, text) is 'Was mmdb.raise_problem.';

create or replace function mmdb.post_query(
  asked_at text, model text, modality text, content text, data bytea,
  out token uuid, out embedding real[], out answer jsonb, out problem text
)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$ select * from mmdb.post_request(asked_at, 'embedding', model, content, data, null) $$;
comment on function mmdb.post_query(text, text, text, text, bytea) is 'Loopback only: was mmdb.post_request.';

create or replace function mmdb.poll_query(token uuid, out embedding real[], out answer jsonb, out problem text)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$ select * from mmdb.poll_request(token) $$;
comment on function mmdb.poll_query(uuid) is 'Loopback only: was mmdb.poll_request.';

create or replace function mmdb.take_queries(worker integer, models text[], count integer)
returns table (token uuid, model text, modality text, content text, data bytea)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select r.token, null, null, r.content, r.data from mmdb.take_requests(worker, models, array['embedding'], count) r
$$;
comment on function mmdb.take_queries(integer, text[], integer) is 'Worker only: was mmdb.take_requests.';

create or replace function mmdb.answer_query(token uuid, embedding @extschema:vector@.vector, error text) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$ select mmdb.answer_request(token, embedding, null, error) $$;
comment on function mmdb.answer_query(uuid, @extschema:vector@.vector, text) is 'Worker only: was mmdb.answer_request.';
