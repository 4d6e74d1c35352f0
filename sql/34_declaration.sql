-- What an embedding is declared with, as one value: {"sources": ["title"], "model": "lite", "weights": null, …}.
-- Every layer takes it whole; which options there are is said once, here.

create or replace function mmdb.declaration_options()
returns table (name text, type text, default_value jsonb, description text)
language sql immutable security invoker rows 10
set search_path = pg_catalog, pg_temp
as $$
  values
    ('sources', 'array', null::jsonb, 'the columns that are embedded'),
    ('name', 'string', null, 'what the embedding is called; without one by its sources'),
    ('model', 'string', null, 'the model; without one the default model'),
    ('modality', 'string', null, 'what the sources hold: text, or image, also by URI; without one by their types'),
    ('storage', 'string', '"column"', 'where the vectors stand'),
    ('prefix', 'string', null, 'stands for the table in the names of functions'),
    ('index_options', 'object', '{}', 'how the HNSW index is built, or {"type": "none"}'),
    ('distance', 'string', null, 'refuses a model that has another one'),
    ('weights', 'array', null, 'one for each of several sources, which are then embedded each by itself'),
    ('on_change', 'string', '"unset"', 'what becomes of the vector of a row whose source changed: unset or keep'),
    ('columns', 'string', '"all"', 'what search functions return of a row: all, or without vectors')
$$;
comment on function mmdb.declaration_options() is
  'The options of an embedding: the type of each in JSON, and its value where it is not given.';

create or replace function mmdb.check_declaration(declaration jsonb) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  wrong record;
begin
  if jsonb_typeof(declaration) <> 'object' then
    raise exception 'a declaration is an object, not %', left(declaration::text, 100)
      using errcode = 'invalid_parameter_value', hint = 'as in {"sources": ["photo"], "model": "lite"}';
  end if;
  select g.key, g.value, o.type into wrong
  from jsonb_each(declaration) g left join mmdb.declaration_options() o on o.name = g.key
  where o.name is null or jsonb_typeof(g.value) not in ('null', o.type)
  order by g.key limit 1;
  if found then
    raise exception using errcode = 'invalid_parameter_value',
      message = case when wrong.type is null then format('unknown option "%s" of an embedding', wrong.key)
                     else format('option "%s" of an embedding is %s, expected of type %s', wrong.key,
                                 left(wrong.value::text, 100), wrong.type) end,
      hint = (select format('options: %s', string_agg(o.name, ', ')) from mmdb.declaration_options() o);
  end if;
  return (select jsonb_object_agg(o.name, coalesce(nullif(declaration -> o.name, 'null'), o.default_value))
          from mmdb.declaration_options() o);
end
$$;
comment on function mmdb.check_declaration(jsonb) is
  'A declaration with all options, those that are not given by their defaults; an error for what is no option.';

create or replace function mmdb.check_choice(option text, given text, choices text[], meaning text) returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if given <> all(choices) then
    raise exception '% is "%", expected %', option, given, array_to_string(choices, ' or ')
      using errcode = 'invalid_parameter_value', hint = meaning;
  end if;
end
$$;
comment on function mmdb.check_choice(text, text, text[], text) is 'Refuse a value that an option does not have.';

create or replace function mmdb.column_options(declared mmdb.embeddings) returns jsonb
language sql stable security invoker
set search_path = pg_catalog, pg_temp set extra_float_digits = 1
as $$
  select jsonb_build_object(
    'sources', declared.sources, 'name', declared.name, 'model', declared.model, 'modality', declared.modality,
    'storage', declared.storage, 'prefix', declared.prefix, 'index_options', declared.index_options,
    'distance', mmdb.distance_of(declared), 'weights', declared.weights, 'on_change', mmdb.on_change(declared))
$$;
comment on function mmdb.column_options(mmdb.embeddings) is
  'The options for which mmdb.embeddings has columns, as this embedding has them.';

create or replace function mmdb.other_options(declaration jsonb) returns jsonb
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_strip_nulls(declaration - array(select jsonb_object_keys(mmdb.column_options(null))))
$$;
comment on function mmdb.other_options(jsonb) is
  'The options for which mmdb.embeddings has no column of their own: it keeps them as they were given.';

create or replace function mmdb.on_change(declared mmdb.embeddings) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select case when declared.stale_column is null then 'unset' else 'keep' end $$;
comment on function mmdb.on_change(mmdb.embeddings) is
  'What becomes of the vector of a row whose source changed: unset or keep.';

create or replace function mmdb.declaration(declared mmdb.embeddings) returns jsonb
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select declared.options || mmdb.column_options(declared) $$;
comment on function mmdb.declaration(mmdb.embeddings) is 'What would declare this embedding again.';

create or replace function mmdb.declarations()
returns table (
  schema text, relation_name text, name text, column_name text, column_type text, declaration jsonb
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
declare
  declared mmdb.embeddings;
begin
  for declared in
    select e.* from mmdb.embeddings e join pg_class c on c.oid = e.relation
    where e.generation_of is null
    order by e.id
  loop
    begin
      declared := mmdb.resolved(declared);
    exception when undefined_column then
      null;  -- as it was declared: mmdb.status says what is missing
    end;
    return query
    select n.nspname::text, c.relname::text, declared.name, declared.column_name, declared.column_type,
           mmdb.declaration(declared)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = declared.relation;
  end loop;
end
$$;
comment on function mmdb.declarations() is
  'Every declared embedding with the names that its table and columns have now, for tools that compare it with '
  'something else, as Alembic''s autogenerate.';

create or replace function mmdb.own_indexes() returns table (schema text, name text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
  select n.nspname::text, i.relname::text
  from (
    select mmdb.serving_index(e, 'pending') from mmdb.embeddings e join pg_class c on c.oid = e.relation
    union all
    select mmdb.serving_index(e, 'hnsw') from mmdb.embeddings e join pg_class c on c.oid = e.relation
    where e.generation_of is not null
    union all
    select mmdb.made_index(w) from mmdb.keywords w
  ) made(oid)
  join pg_class i on i.oid = made.oid
  join pg_namespace n on n.oid = i.relnamespace
$$;
comment on function mmdb.own_indexes() is
  'The indexes that mmdb made for itself: of pending rows, of keywords, of generations that do not serve.';

create or replace function mmdb.own_columns() returns table (schema text, relation_name text, name text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
  select n.nspname::text, c.relname::text, a.attname::text
  from mmdb.embeddings e
  join pg_class c on c.oid = e.relation
  join pg_namespace n on n.oid = c.relnamespace
  cross join mmdb.columns_now(e) o
  join pg_attribute a on a.attrelid = e.relation and a.attnum > 0 and not a.attisdropped
    and (e.generation_of is not null and a.attname = o.column_name or a.attname = o.stale_column)
$$;
comment on function mmdb.own_columns() is
  'The columns that mmdb made for itself: of generations that do not serve, and marks of stale rows.';
