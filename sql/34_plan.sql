-- From a declaration to one complete row of mmdb.embeddings, or an error with a remedy.

create or replace function mmdb.check_relation(relation regclass) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  table_class pg_class;
begin
  select c.* into table_class from pg_class c where c.oid = relation;
  if not found then
    raise exception 'relation % does not exist', relation using errcode = 'undefined_table';
  elsif table_class.relkind not in ('r', 'p') or table_class.relpersistence = 't' then
    raise exception '% is not a permanent table', relation
      using errcode = 'wrong_object_type', hint = 'declare the embedding on the table that holds the rows';
  elsif table_class.relnamespace in ('pg_catalog'::regnamespace, 'mmdb'::regnamespace) then
    raise exception '% is a system table', relation using errcode = 'insufficient_privilege';
  elsif not pg_has_role(table_class.relowner, 'usage') then
    raise exception 'must be owner of table %', relation
      using errcode = 'insufficient_privilege', hint = format('its owner is %s', table_class.relowner::regrole);
  elsif table_class.relforcerowsecurity then
    raise exception 'table % forces row-level security on its owner', relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('the worker reads and writes as the owner and would miss rows: alter table %s no force row '
                          'level security', relation);
  end if;
end
$$;
comment on function mmdb.check_relation(regclass) is 'Refuse a relation that cannot carry an embedding.';

-- The first name that would be too long or is taken by something mmdb did not make.
create or replace function mmdb.check_names(planned mmdb.embeddings) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  long text;
  foreign_function regprocedure;
  own constant bigint[] := planned.id || array(select e.id from mmdb.embeddings e
                                               where e.relation = planned.relation);
begin
  select n.name into long
  from unnest(array[planned.column_name, mmdb.top_name(planned.prefix, planned.name),
                    planned.prefix || '_recommend']) n(name)
  where octet_length(n.name) > 63 limit 1;
  if long is not null then
    raise exception 'the name "%" is % bytes long, PostgreSQL takes 63', long, octet_length(long)
      using errcode = 'name_too_long',
            hint = case when planned.id = any(own[2:])
                          then 'the functions are called after the table: give it a shorter name'
                        else 'give a shorter name => ''…'', or a prefix => ''…'' to stand for the table in function '
                             'names' end;
  end if;
  select p.oid::regprocedure into foreign_function
  from pg_proc p
  where p.pronamespace = planned.function_schema::regnamespace
    and (p.proname in (select planned.prefix || '_' || v from unnest(mmdb.table_verbs()) v)
         or (p.proname in (mmdb.search_name(planned.prefix, planned.name), mmdb.top_name(planned.prefix, planned.name))
             and p.pronargs in (1, 4, 5)
             and p.proargtypes[0] in ('text'::regtype, 'bytea'::regtype, '@extschema:vector@.halfvec'::regtype,
                                      '@extschema:vector@.vector'::regtype)))
    and not exists (select from unnest(own) o(id) where mmdb.is_made_by(p.oid, o.id)) limit 1;
  if foreign_function is not null then
    raise exception 'function % exists already and was not made for this embedding', foreign_function
      using errcode = 'duplicate_function',
            hint = coalesce((
              select format('it is of table %s: give another prefix => ''…'', or: select mmdb.drop_embedding(%L, %L)',
                            e.relation, e.relation, e.name)
              from mmdb.embeddings e where e.id = mmdb.made_for_id(foreign_function)),
              'give another name => ''…'' or prefix => ''…'', or drop that function');
  end if;
end
$$;
comment on function mmdb.check_names(mmdb.embeddings) is 'Refuse names that are too long or taken.';

create or replace function mmdb.check_column(planned mmdb.embeddings) returns boolean
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  found_type constant text := (mmdb.read_column(planned)).column_type;
begin
  if found_type is null then
    return false;
  elsif found_type not in (mmdb.column_type('halfvec', planned.dimensions),
                           mmdb.column_type('vector', planned.dimensions)) then
    raise exception 'table % has a column "%" of type %, expected %', planned.relation, planned.column_name,
                    found_type, planned.column_type
      using errcode = 'duplicate_column', hint = 'give another name => ''…'', or drop that column';
  end if;
  return true;
end
$$;
comment on function mmdb.check_column(mmdb.embeddings) is
  'Whether a column of the right name and type is there to be adopted.';

-- pgvector's own limit of the type, said before anything is made and with a way out.
create or replace function mmdb.check_indexable(planned mmdb.embeddings) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if planned.vector_type = 'vector' and planned.dimensions > 2000 and not mmdb.is_quantized(planned)
     and planned.index_options ->> 'type' is distinct from 'none' then
    raise exception 'column "%" is a vector of % numbers, more than the 2000 that an HNSW index of this type takes',
                    planned.column_name, planned.dimensions
      using errcode = 'program_limit_exceeded',
            hint = 'index_options => ''{"quantization": "binary"}'' indexes the signs, ''{"type": "none"}'' nothing; '
                   'or make it a halfvec, which is indexed up to 4000';
  end if;
end
$$;
comment on function mmdb.check_indexable(mmdb.embeddings) is
  'Refuse a column that is wider than an index of its type takes.';

-- Nobody can tell whether vectors that were there before are those of their sources.
create or replace function mmdb.warn_of_adopted(planned mmdb.embeddings) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  zeros bigint := 0;
  filled boolean := (select sum(pg_relation_size(c.oid)) > 0 from pg_class c
    where c.oid = planned.relation or c.oid in (select t.relid from pg_partition_tree(planned.relation) t));
begin
  if filled and mmdb.trusts_owner(planned.relation) then
    execute format('select exists (select from %s where %s)', mmdb.stored_rows(planned), mmdb.present_sql(planned))
    into filled;
  end if;
  if filled and mmdb.trusts_owner(planned.relation) and mmdb.distance_of(planned) = 'cosine' then
    execute format('select count(*) from %s where not mmdb.has_direction(%s)', mmdb.stored_rows(planned),
                   mmdb.vector_of(planned)) into zeros;
  end if;
  if filled then
    raise warning 'column "%" of table % was there before: the vectors in it are taken as they are',
                    planned.column_name, planned.relation
      using hint = format('to have all rows embedded: update %s set %I = null', planned.relation, planned.column_name);
  end if;
  if zeros > 0 then
    raise warning 'column "%" of table % has % vectors of zeros, which searches return last', planned.column_name,
                    planned.relation, zeros
      using hint = format('to have these rows embedded: update %s set %I = null where not mmdb.has_direction(%2$I)',
                          planned.relation, planned.column_name);
  end if;
end
$$;
comment on function mmdb.warn_of_adopted(mmdb.embeddings) is
  'Say that vectors of an adopted column are kept, where it has any, and how many of them are of no use.';

-- pgvector's own limits, said before anything is built.
create or replace function mmdb.check_index_options(options jsonb) returns jsonb
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  found_option record;
begin
  if options ->> 'type' not in ('hnsw', 'none') then
    raise exception 'unknown index type "%"', options ->> 'type'
      using errcode = 'invalid_parameter_value', hint = 'types: hnsw, none (searches scan the table)';
  elsif options -> 'quantization' not in ('null', '"binary"')
    or options -> 'quantization' <> 'null' and options ->> 'type' = 'none' then
    raise exception 'unknown quantization % of an index of type "%"',
                    options -> 'quantization', coalesce(options ->> 'type', 'hnsw')
      using errcode = 'invalid_parameter_value', hint = 'quantization is "binary" (of an hnsw index), or left out';
  end if;
  for found_option in select o.key, o.value, k.least, k.most
                      from jsonb_each(options - array['type', 'quantization']) o
                      left join (values ('m', 2, 100), ('ef_construction', 4, 1000)) k(name, least, most)
                        on k.name = o.key loop
    if found_option.least is null then
      raise exception 'unknown index option "%"', found_option.key
        using errcode = 'invalid_parameter_value',
              hint = 'options: type (hnsw or none), m, ef_construction, quantization (binary)';
    elsif jsonb_typeof(found_option.value) <> 'number' or found_option.value::text !~ '^[0-9]{1,4}$'
          or found_option.value::integer not between found_option.least and found_option.most then
      raise exception 'index option "%" is %, expected a whole number from % to %', found_option.key,
                      found_option.value, found_option.least, found_option.most
        using errcode = 'invalid_parameter_value';
    end if;
  end loop;
  if coalesce((options ->> 'ef_construction')::integer, 64) < 2 * coalesce((options ->> 'm')::integer, 16) then
    raise exception 'ef_construction must be at least twice m in %', options using errcode = 'invalid_parameter_value';
  end if;
  return options;
end
$$;
comment on function mmdb.check_index_options(jsonb) is 'Index options that pgvector takes, or an error.';

create or replace function mmdb.plan_embedding(relation regclass, declaration jsonb, vector_type text default 'halfvec')
returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  planned mmdb.embeddings;
  chosen mmdb.models;
begin
  planned.relation := relation;
  planned.sources := mmdb.check_sources(relation, declaration -> 'sources');
  planned.source_numbers := mmdb.column_numbers(relation, planned.sources);
  -- Arrays of JSON and of PostgreSQL differ in their brackets, whatever is in them.
  planned.weights := translate(nullif(declaration -> 'weights', 'null')::text, '[]', '{}');
  planned.storage := declaration ->> 'storage';
  if planned.storage <> 'column' then
    raise exception 'storage "%" is not available', planned.storage
      using errcode = 'feature_not_supported',
            hint = 'this version stores embeddings in a column: storage => ''column''';
  end if;
  select s.modality, s.by_uri, s.modalities into planned.modality, planned.by_uri, planned.source_modalities
  from mmdb.describe_sources(relation, planned.source_numbers, declaration ->> 'modality', planned.weights) s;
  chosen := mmdb.check_model(coalesce(declaration ->> 'model', mmdb.setting('default_model'), 'lite'),
                             coalesce(planned.source_modalities, array[planned.modality]));
  planned.model := chosen.name;
  planned.index_options := mmdb.check_index_options(declaration -> 'index_options');
  perform mmdb.check_distance(planned, chosen.distance, declaration ->> 'distance');
  planned.kind := 'embedding';
  perform mmdb.check_choice(
    'columns', declaration ->> 'columns', array['all', 'without vectors'],
    'all: the table as it is; without vectors: what search functions return of a row has not the vector of this '
    'embedding');
  planned.options := mmdb.other_options(declaration);
  planned.attached_to := mmdb.attachment(relation);
  planned.source_expressions := mmdb.source_expressions(relation, planned.source_numbers);
  planned.created_at := now();
  planned.vector_type := vector_type;
  planned.dimensions := chosen.dimensions;
  planned := mmdb.plan_storage(mmdb.plan_names(planned, declaration));
  perform mmdb.key_sql(relation);
  return mmdb.plan_on_change(planned, declaration ->> 'on_change');
end
$$;
comment on function mmdb.plan_embedding(regclass, jsonb, text) is
  'Everything mmdb.add_embedding needs to know of a declaration with all its options, checked, before it changes '
  'anything.';

create or replace function mmdb.check_sources(relation regclass, given jsonb) returns text[]
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  sources constant text[] := array(select jsonb_array_elements_text(coalesce(nullif(given, 'null'), '[]')));
begin
  if cardinality(sources) = 0 or array_position(sources, null) is not null then
    raise exception 'an embedding of table % needs at least one source column', relation
      using errcode = 'invalid_parameter_value';
  elsif cardinality(sources) > (select count(distinct s.name) from unnest(sources) s(name)) then
    raise exception 'sources "%" name a column twice', array_to_string(sources, ', ')
      using errcode = 'invalid_parameter_value',
            hint = 'name each column once; weights => ''{…}'' makes one count for more';
  end if;
  return sources;
end
$$;
comment on function mmdb.check_sources(regclass, jsonb) is 'The sources, if there are any and each is named once.';

create or replace function mmdb.check_distance(planned mmdb.embeddings, true_distance text, wanted text) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if wanted <> true_distance then
    raise exception 'model "%" has distance "%", not "%"', planned.model, true_distance, wanted
      using errcode = 'invalid_parameter_value',
            hint = 'the distance is the model''s: leave it out, or choose another model';
  elsif mmdb.is_quantized(planned) and true_distance <> 'cosine' then
    raise exception 'model "%" has distance "%", and signs alone tell cosine distances', planned.model, true_distance
      using errcode = 'feature_not_supported', hint = 'leave quantization out of index_options';
  end if;
end
$$;
comment on function mmdb.check_distance(mmdb.embeddings, text, text) is
  'Refuse a distance that the model does not have, and signs where they do not tell it.';

create or replace function mmdb.plan_names(planned mmdb.embeddings, declaration jsonb) returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  planned.name := coalesce(declaration ->> 'name', array_to_string(planned.sources, '_'));
  planned.relation_name := mmdb.relation_sql(planned.relation);
  select coalesce(declaration ->> 'prefix', c.relname), quote_ident(n.nspname)
  into planned.prefix, planned.function_schema
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = planned.relation;
  if exists (select from mmdb.embeddings e where e.relation = planned.relation and e.name = planned.name) then
    raise exception 'table % has an embedding "%" already', planned.relation, planned.name
      using errcode = 'duplicate_object',
            hint = format('mmdb.drop_embedding(%L, %L) removes it; another one needs a name => ''…''',
                          planned.relation, planned.name);
  end if;
  planned.id := nextval('mmdb.embeddings_id_seq');
  return planned;
end
$$;
comment on function mmdb.plan_names(mmdb.embeddings, jsonb) is
  'What the embedding is called, in which schema its functions stand and how their names begin.';

create or replace function mmdb.plan_storage(planned mmdb.embeddings) returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  planned.column_name := planned.name || '_embedding';
  planned.column_type := mmdb.column_type(planned.vector_type, planned.dimensions);
  perform mmdb.drop_orphans(planned.function_schema);
  perform mmdb.adopt_orphans(planned);
  perform mmdb.refresh_namesakes(planned.relation);
  perform mmdb.give_way(planned);
  perform mmdb.check_names(planned);
  planned.adopted := mmdb.check_column(planned);
  if planned.adopted then
    planned := mmdb.read_column(planned);
  end if;
  perform mmdb.check_indexable(planned);
  return planned;
end
$$;
comment on function mmdb.plan_storage(mmdb.embeddings) is
  'Where the vectors are to stand: in a column that is to be made, or that is there.';

-- The trigger must see whether a source became NULL, and a generated column has no value yet when it runs.
create or replace function mmdb.plan_on_change(planned mmdb.embeddings, on_change text) returns mmdb.embeddings
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.check_choice(
    'on_change', on_change, array['unset', 'keep'],
    'unset: a row whose source changed is not found until it is embedded; keep: it is found by its old vector');
  if on_change = 'keep' then
    planned.stale_column := planned.name || '_stale';
    if cardinality(planned.source_expressions) > 0 then
      raise exception 'on_change "keep" is not available over a generated column of table %', planned.relation
        using errcode = 'feature_not_supported', hint = 'embed the columns that it is made from, as ARRAY[…]';
    elsif (mmdb.filter_column(planned.relation, planned.stale_column)).attname is not null then
      raise exception 'table % has a column "%", by which stale rows were to be marked', planned.relation,
                      planned.stale_column
        using errcode = 'duplicate_column', hint = 'give another name => ''…''';
    end if;
  end if;
  return planned;
end
$$;
comment on function mmdb.plan_on_change(mmdb.embeddings, text) is
  'Enter into a planned embedding what becomes of a vector whose source changed.';
