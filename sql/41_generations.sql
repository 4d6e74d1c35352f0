-- Changing the model. Beside the embedding that serves searches a second generation is declared: the same sources,
-- another model, a column and an index of its own, filled by the same worker. To switch is to swap the names of the two
-- columns.
--
-- Meanwhile no search is to fail, and no vectors of two models are to be compared. Search functions name a column and
-- an embedding, never a model or a width, so they stay as they are; a search that waits for the switch finds the new
-- column under the name, and mmdb.model_of tells the model by the column (sql/21_embed.sql). A worker's store that
-- waits is refused, and tries again. Both generations are kept in step with their sources, so that switching back is
-- the same.

create or replace function mmdb.generation_name(name text, model text) returns text
language sql immutable security invoker
as $$ select name || '_' || translate(model, '.-', '__') $$;
comment on function mmdb.generation_name(text, text) is 'What a generation that does not serve is called.';

create or replace function mmdb.other_generation(serving mmdb.embeddings) returns mmdb.embeddings
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  declared mmdb.embeddings;
begin
  select e.* into declared from mmdb.embeddings e where e.generation_of = serving.id;
  if declared.id is null then
    raise exception 'embedding "%" of table % has no other generation', serving.name, serving.relation
      using errcode = 'undefined_object',
            hint = case when serving.generation_of is not null then format('it is one itself: name the embedding %L',
                          (select e.name from mmdb.embeddings e where e.id = serving.generation_of))
                        else format('select mmdb.change_model(%L, %L, ''…'') begins one', serving.relation,
                                    serving.name) end;
  end if;
  return declared;
end
$$;
comment on function mmdb.other_generation(mmdb.embeddings) is 'The generation that waits to serve, or served before.';

-- Checked at the beginning, before a generation is filled for hours that could never serve.
create or replace function mmdb.check_set_aside(serving mmdb.embeddings) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  serving.name := mmdb.generation_name(serving.name, serving.model);
  serving.column_name := serving.name || '_embedding';
  perform mmdb.check_names(serving);
end
$$;
comment on function mmdb.check_set_aside(mmdb.embeddings) is
  'Refuse names that the generation that serves would get by a switch and that are too long or taken.';

create or replace function mmdb.change_model(
  relation regclass, name text, model text, index boolean default true, index_options jsonb default null
) returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
declare
  serving mmdb.embeddings;
  declared mmdb.embeddings;
  chosen mmdb.models;
  other text;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  serving := mmdb.resolved(mmdb.embedding_of(relation, name));
  other := (select e.name from mmdb.embeddings e
            where serving.id in (e.generation_of, e.id)
              and coalesce(e.generation_of, serving.generation_of) is not null);
  chosen := mmdb.check_model(model, coalesce(serving.source_modalities, array[serving.modality]));
  if other is not null then
    raise exception 'embedding "%" of table % has two generations already: "%" is the other', name, relation, other
      using errcode = 'object_in_use',
            hint = format('mmdb.switch_model, or mmdb.drop_generation(%L, %L)', relation, name);
  elsif model = serving.model then
    raise exception 'embedding "%" of table % has model "%" already', name, relation, model
      using errcode = 'duplicate_object';
  elsif chosen.distance <> mmdb.distance_of(serving) then
    raise exception 'model "%" has distance "%", and model "%" another', model, chosen.distance, serving.model
      using errcode = 'feature_not_supported', hint = 'declare a second embedding with a name of its own';
  end if;
  declared := mmdb.plan_embedding(relation, mmdb.declaration(serving) || jsonb_build_object(
    'name', mmdb.generation_name(name, model), 'model', model,
    'index_options', coalesce(index_options, serving.index_options)), serving.vector_type);
  perform mmdb.check_set_aside(serving);
  declared.generation_of := serving.id;
  return mmdb.declare_embedding(declared, index);
end
$$;
comment on function mmdb.change_model(regclass, text, text, boolean, jsonb) is
  'Begin to change the model of an embedding: a second generation is filled beside the one that serves, as '
  'mmdb.status shows. Then mmdb.compare_models, mmdb.switch_model, and in the end mmdb.drop_generation. Building its '
  'indexes blocks writers of the table; index => false leaves them to mmdb.index_statements; `mmdb change` builds '
  'them concurrently.';

-- PostgreSQL binds them to the column that they were made over, whatever its name: after a switch they would go on
-- reading the vectors of the former model.
create or replace function mmdb.readers_of(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(distinct coalesce('view ' || r.ev_class::regclass, 'function ' || p.oid::regprocedure,
                                      'policy ' || quote_ident(y.polname)), ', ')
  from pg_depend d
  left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
  left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
  left join pg_policy y on d.classid = 'pg_policy'::regclass and y.oid = d.objid
  where d.refclassid = 'pg_class'::regclass and d.refobjid = declared.relation
    and d.refobjsubid = declared.column_number
    and coalesce(r.oid, p.oid, y.oid) is not null
$$;
comment on function mmdb.readers_of(mmdb.embeddings) is
  'Views, functions with a parsed body and policies that read the column of an embedding; NULL for none.';

create or replace function mmdb.check_switch(serving mmdb.embeddings, other mmdb.embeddings, force boolean) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  now_counted constant record := mmdb.count_rows(serving, 0);
  next_counted constant record := mmdb.count_rows(other, 0);
  readers constant text := mmdb.readers_of(serving);
begin
  if next_counted.pending is null then
    raise exception 'what is embedded by model "%" cannot be counted', other.model
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('select drift from mmdb.status where name = %L', other.name);
  elsif mmdb.serving_index(serving, 'hnsw') is not null
    and mmdb.serving_index(other, 'hnsw') is null then
    raise exception 'column "%" has no index yet: searches would scan the table', other.column_name
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('select mmdb.index_statements(%L, %L) has the statements', other.relation, other.name);
  elsif force then
    return;
  elsif readers is not null then
    raise exception 'column "%" is read by %, which would go on reading the vectors of model "%"',
                    serving.column_name, readers, serving.model
      using errcode = 'dependent_objects_still_exist',
            hint = 'drop them and make them again after the switch, or force => true and make them again then; search '
                   'functions need nothing';
  elsif next_counted.pending > 0 then
    raise exception '% rows of table % are not embedded by model "%" yet', next_counted.pending,
                    other.relation, other.model
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'searches would miss them; mmdb.status shows how far it is, force => true switches nevertheless';
  elsif next_counted.failed > now_counted.failed then
    raise exception '% rows of table % could not be embedded by model "%", % by model "%"',
                    next_counted.failed, other.relation, other.model, now_counted.failed, serving.model
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'mmdb.failures says why; force => true switches nevertheless, and searches miss them';
  end if;
end
$$;
comment on function mmdb.check_switch(mmdb.embeddings, mmdb.embeddings, boolean) is
  'Refuse to switch to a generation that would find less.';

create or replace function mmdb.swap_index_names(serving regclass, other regclass, set_aside text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  name constant text := (select c.relname from pg_class c where c.oid = serving);
begin
  if serving is not null and other is not null then
    execute format('alter index %s rename to %I', serving, mmdb.short_name('~' || name, serving::oid::bigint));
    execute format('alter index %s rename to %I', other, name);
    execute format('alter index %s rename to %I', serving, set_aside);
  end if;
end
$$;
comment on function mmdb.swap_index_names(regclass, regclass, text) is
  'Give the name of one index to another, and set the first aside.';

create or replace function mmdb.record_switch(serving bigint, other bigint) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  former mmdb.embeddings;
  set_aside text;
begin
  perform mmdb.guard_owner(e.relation) from mmdb.embeddings e where e.id in (serving, other);
  select s.* into former from mmdb.embeddings s join mmdb.embeddings n on n.generation_of = s.id
  where s.id = record_switch.serving and n.id = record_switch.other;
  if former.id is null then
    raise exception 'these are not the generations of one embedding' using errcode = 'insufficient_privilege';
  end if;
  set_aside := mmdb.generation_name(former.name, former.model);
  update mmdb.embeddings e
  set name = set_aside, column_name = set_aside || '_embedding', generation_of = record_switch.other,
      switched_at = clock_timestamp(), column_place = null,
      stale_column = case when e.stale_number is not null then set_aside || '_stale' end
  where e.id = former.id;
  update mmdb.embeddings e
  set name = former.name, column_name = former.column_name, generation_of = null, switched_at = null,
      column_place = coalesce(former.column_place, former.column_number),
      stale_column = case when e.stale_number is not null then former.stale_column end
  where e.id = record_switch.other;
  perform pg_notify('mmdb', '');
end
$$;
comment on function mmdb.record_switch(bigint, bigint) is
  'Enter a switch of two generations, by their ids, into the catalogue: for the table''s owner only.';

-- Functions that stay as they are, whichever generation serves, change the embedding that they are marked as made for.
create or replace function mmdb.hand_over_functions(serving mmdb.embeddings, other mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  made_function regprocedure;
begin
  for made_function in
    select p.oid from mmdb.made_functions(serving) p where not p.prosecdef
  loop
    execute format('comment on function %s is %L', made_function,
                   replace(obj_description(made_function, 'pg_proc'), mmdb.made_for(serving.id),
                           mmdb.made_for(other.id)));
  end loop;
end
$$;
comment on function mmdb.hand_over_functions(mmdb.embeddings, mmdb.embeddings) is
  'Mark the public functions of one generation as the other''s.';

create or replace function mmdb.switch_model(relation regclass, name text, force boolean default false)
returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
declare
  serving mmdb.embeddings;
  other mmdb.embeddings;
  set_aside text;
  before text[];  -- what the search functions take as a query
  now text[];
  indexes regclass[];
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  serving := mmdb.resolved(mmdb.embedding_of(relation, name));
  other := mmdb.resolved(mmdb.other_generation(serving));
  perform mmdb.check_switch(serving, other, force);
  set_aside := mmdb.generation_name(name, serving.model);
  before := array(select q.argument from mmdb.query_arguments(serving) q);
  now := array(select q.argument from mmdb.query_arguments(other) q);
  indexes := array[mmdb.serving_index(serving, 'hnsw'), mmdb.serving_index(other, 'hnsw'),
                   mmdb.serving_index(serving, 'pending'), mmdb.serving_index(other, 'pending')];
  perform mmdb.rename_storage(serving, set_aside || '_embedding', set_aside || '_stale');
  perform mmdb.rename_storage(other, serving.column_name, serving.stale_column);
  perform mmdb.record_switch(serving.id, other.id);
  perform mmdb.drop_search_functions(other);
  perform mmdb.hand_over_functions(serving, other);
  serving := mmdb.resolved(mmdb.embedding_of(relation, set_aside));
  other := mmdb.resolved(mmdb.embedding_of(relation, name));
  perform mmdb.swap_index_names(indexes[1], indexes[2], mmdb.index_name(serving, 'hnsw')),
          mmdb.swap_index_names(indexes[3], indexes[4], mmdb.index_name(serving, 'pending'));
  perform mmdb.make_worker_functions(serving), mmdb.make_worker_functions(other);
  if serving.stale_column is not null then
    perform mmdb.make_trigger(serving), mmdb.make_trigger(other);  -- they name the columns that mark
    perform mmdb.record_embedding(serving), mmdb.record_embedding(other);
  end if;
  if mmdb.is_quantized(serving) or mmdb.is_quantized(other) then
    before := '{}';  -- their bodies say what a walk is ordered by
    perform mmdb.make_table_functions(relation);
  end if;
  -- Functions for queries that one of the models does not take.
  perform mmdb.drop_search_functions(other, kept_arguments => now),
    mmdb.make_search_views(other, made_already => before);
  perform mmdb.make_search_views(serving);
  return other;
end
$$;
comment on function mmdb.switch_model(regclass, text, boolean) is
  'Have the other generation serve searches, at once and for all: its column takes the name of the one before. '
  'Refused while rows wait to be embedded, unless forced. Waits for statements that use the table, and others wait '
  'behind it: set lock_timeout, and try again.';

create or replace function mmdb.rollback_model(relation regclass, name text, force boolean default false)
returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  before constant mmdb.embeddings := mmdb.other_generation(mmdb.embedding_of(relation, name));
begin
  if before.switched_at is null then
    raise exception 'model "%" of embedding "%" has not served yet', before.model, name
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('select mmdb.switch_model(%L, %L) has it serve', relation, name);
  end if;
  return mmdb.switch_model(relation, name, force);
end
$$;
comment on function mmdb.rollback_model(regclass, text, boolean) is
  'Have the generation serve again that served before mmdb.switch_model.';

create or replace function mmdb.drop_generation(relation regclass, name text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.drop_embedding(relation, (mmdb.other_generation(mmdb.embedding_of(relation, name))).name);
end
$$;
comment on function mmdb.drop_generation(regclass, text) is
  'Drop the generation that does not serve: one that was begun with mmdb.change_model, or the one before a switch, '
  'which cannot be rolled back then.';

create or replace function mmdb.compare_query(
  serving mmdb.embeddings, other mmdb.embeddings, vectors @extschema:vector@.vector[], k integer, expected text[],
  out overlap double precision, out recall double precision, out recall_next double precision, out only_now text[],
  out only_next text[]
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  now_pieces constant mmdb.search_pieces := mmdb.search_pieces(serving);
  next_pieces constant mmdb.search_pieces := mmdb.search_pieces(other);
  now_found constant text[] := mmdb.within_keys(now_pieces, (mmdb.top(now_pieces, vectors[1], k, null, null)).keys);
  next_found constant text[] := mmdb.within_keys(next_pieces, (mmdb.top(next_pieces, vectors[2], k, null, null)).keys);
begin
  only_now := array(select u.key from unnest(now_found) with ordinality u(key, place) where u.key <> all(next_found)
                    order by u.place);
  only_next := array(select u.key from unnest(next_found) with ordinality u(key, place) where u.key <> all(now_found)
                     order by u.place);
  overlap := 1 - cardinality(only_next) / nullif(greatest(cardinality(now_found), cardinality(next_found)),
                                                 0)::double precision;
  if cardinality(expected) > 0 then
    recall := (select count(*) from unnest(expected) x(key)
               where x.key = any(now_found)) / cardinality(expected)::double precision;
    recall_next := (select count(*) from unnest(expected) x(key)
                    where x.key = any(next_found)) / cardinality(expected)::double precision;
  end if;
end
$$;
comment on function mmdb.compare_query(
  mmdb.embeddings, mmdb.embeddings, @extschema:vector@.vector[], integer, text[]
) is
  'How the answers of two generations to one query differ, and which of the expected rows each has.';

create or replace function mmdb.compare_models(
  relation regclass, name text, queries text[], k integer default 10, expected jsonb default null
)
returns table (
  query text, overlap double precision, recall double precision, recall_next double precision, only_now text[],
  only_next text[]
)
language plpgsql stable security invoker rows 20
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  serving constant mmdb.embeddings := mmdb.resolved(mmdb.embedding_of(compare_models.relation, compare_models.name));
  other constant mmdb.embeddings := mmdb.resolved(mmdb.other_generation(serving));
begin
  if coalesce(cardinality(queries), 0) = 0 then
    raise exception 'there are no queries to compare models by' using errcode = 'invalid_parameter_value';
  elsif expected is not null and jsonb_typeof(expected) <> 'object' then
    raise exception 'expected is an object of arrays of keys by query, not %', left(expected::text, 100)
      using errcode = 'invalid_parameter_value', hint = 'as in {"red shoes": [17, 4]}';
  end if;
  return query
  select q.query, c.*
  from unnest(compare_models.queries) with ordinality q(query, place)
  cross join lateral mmdb.compare_query(
    serving, other, array[mmdb.embed(q.query, serving.model), mmdb.embed(q.query, other.model)], compare_models.k,
    array(select jsonb_array_elements_text(compare_models.expected -> q.query))) c
  order by q.place;
end
$$;
comment on function mmdb.compare_models(regclass, text, text[], integer, jsonb) is
  'Before a switch: for each query the share of the k rows that both generations find, the keys that only one finds, '
  'and, where the rows are given that a query is to find ({"red shoes": [17, 4]}), how many of them each has among '
  'its k. Summarize with avg().';

create or replace function mmdb.compare_models(relation regclass, name text, images bytea[], k integer default 10)
returns table (image bigint, overlap double precision, only_now text[], only_next text[])
language plpgsql stable security invoker rows 20
set search_path = pg_catalog, pg_temp
as $$
declare
  serving constant mmdb.embeddings := mmdb.resolved(mmdb.embedding_of(compare_models.relation, compare_models.name));
  other constant mmdb.embeddings := mmdb.resolved(mmdb.other_generation(serving));
begin
  return query
  select q.place, c.overlap, c.only_now, c.only_next
  from unnest(compare_models.images) with ordinality q(image, place)
  cross join lateral mmdb.compare_query(
    serving, other, array[mmdb.embed(q.image, serving.model), mmdb.embed(q.image, other.model)], compare_models.k,
    null) c
  order by q.place;
end
$$;
comment on function mmdb.compare_models(regclass, text, bytea[], integer) is
  'The same by pictures, numbered in their order.';
