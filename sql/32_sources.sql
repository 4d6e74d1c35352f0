-- The sources of an embedding: the columns from which a row's vector is made, their modality and their weights.

-- A source changes with its own column, or if that is a generated column with those that it is made from.
create or replace function mmdb.base_columns(relation regclass, numbers smallint[]) returns smallint[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(distinct b.number order by b.number)
  from pg_attribute a
  cross join lateral (
    select a.attnum where a.attgenerated = ''
    union all
    select d.refobjsubid::smallint
    from pg_attrdef f
    join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
                    and d.refclassid = 'pg_class'::regclass and d.refobjid = relation
                    and d.refobjsubid not in (0, a.attnum)
    where a.attgenerated <> '' and f.adrelid = relation and f.adnum = a.attnum
  ) b(number)
  where a.attrelid = relation and a.attnum = any(numbers)
$$;
comment on function mmdb.base_columns(regclass, smallint[]) is 'The plain columns whose change changes these sources.';

-- ALTER COLUMN … SET EXPRESSION makes another source of the same columns. It gives the expression a new oid, which a
-- rename does not.
create or replace function mmdb.source_expressions(relation regclass, numbers smallint[]) returns oid[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(f.oid order by f.adnum), '{}')
  from pg_attrdef f join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
  where f.adrelid = relation and a.attgenerated <> '' and a.attnum = any(numbers)
$$;
comment on function mmdb.source_expressions(regclass, smallint[]) is
  'The generation expressions of these columns, as numbers of pg_attrdef.';

-- A domain counts as its base type; citext, varchar and char are text to a model.
create or replace function mmdb.source_kind(type oid) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when t.typcategory = 'S' then 'text'
              when t.typtype = 'e' then 'enum'
              when t.typcategory = 'A' and e.typcategory = 'S' then 'text[]'
              when t.typcategory = 'A' and e.typtype = 'e' then 'enum[]'
              else format_type(t.oid, null) end
  from pg_type t left join pg_type e on e.oid = t.typelem
  where t.oid = mmdb.base_type(source_kind.type)
$$;
comment on function mmdb.source_kind(oid) is
  'What a column of this type is to a model: text, enum, a list of either, or, as nothing that a text is made of, the '
  'type itself.';

create or replace function mmdb.source_modality(
  relation regclass, numbers smallint[], wanted text, out modality text, out by_uri boolean
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  types text[];
  label constant text := format('%s.%s', relation, array_to_string(mmdb.column_names(relation, numbers), ', '));
begin
  if exists (select from pg_attribute a where a.attrelid = relation and a.attnum = any(numbers)
                                          and a.attgenerated = 'v') then
    raise exception 'source % is a virtual generated column', label
      using errcode = 'feature_not_supported', hint = 'declare it STORED, or embed the columns that it is made from';
  end if;
  select array_agg(distinct mmdb.source_kind(a.atttypid)) into types
  from pg_attribute a where a.attrelid = relation and a.attnum = any(numbers);
  modality := coalesce(wanted, case types when '{bytea}' then 'image' else 'text' end);
  by_uri := modality = 'image' and types = '{text}';
  if modality not in ('text', 'image') then
    raise exception 'unknown modality "%"', modality
      using errcode = 'invalid_parameter_value', hint = 'modalities: text, image';
  elsif modality = 'text' and not types <@ '{text,text[],enum,enum[]}'
        or modality = 'image' and types not in ('{text}', '{bytea}') then
    raise exception 'source % has type %, which does not hold modality "%"', label,
                    array_to_string(types, ', '), modality
      using errcode = 'datatype_mismatch',
            hint = case when types = '{bytea,text}' then
                          'give each source a weight, as in weights => ''{0.7,0.3}'', or declare an embedding for '
                          'each of them'
                        else 'text is embedded from text columns, enums and arrays of these, an image from a bytea '
                             'column or from a text column that holds its URI' end;
  elsif modality = 'image' and cardinality(numbers) > 1 then
    raise exception 'an image is embedded from one column, not from %', label
      using errcode = 'invalid_parameter_value',
            hint = case when by_uri then 'declare an embedding for each of them'
                        else 'give each source a weight, as in weights => ''{0.7,0.3}'', or declare an embedding for '
                             'each of them' end;
  end if;
end
$$;
comment on function mmdb.source_modality(regclass, smallint[], text) is
  'What the sources hold (text or image) and whether they hold it by URI.';

create or replace function mmdb.check_weights(weights float8[], sources integer) returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  wrong float8 := (select min(w.weight) from unnest(weights) w(weight)
                   where w.weight <= 0 or w.weight in ('infinity', 'nan'));
begin
  if sources < 2 then
    raise exception 'weights weigh several sources against each other, and here is one'
      using errcode = 'invalid_parameter_value',
            hint = 'leave weights out, or name more sources: array[''title'', ''photo'']';
  elsif cardinality(weights) <> sources or array_ndims(weights) <> 1 or array_lower(weights, 1) <> 1
        or array_position(weights, null) is not null then
    raise exception 'weights are "%", expected one for each of % sources', weights, sources
      using errcode = 'invalid_parameter_value', hint = 'in the order of the sources, as in weights => ''{0.7,0.3}''';
  elsif wrong is not null then
    raise exception 'weight "%" is not a positive number', wrong
      using errcode = 'invalid_parameter_value', hint = 'leave a source out that is to have no weight';
  elsif (select max(w.weight) / 1e6 > min(w.weight) from unnest(weights) w(weight)) then
    raise exception 'weights "%" are more than a million times apart', weights
      using errcode = 'invalid_parameter_value', hint = 'leave a source out that is to have no weight';
  end if;
end
$$;
comment on function mmdb.check_weights(float8[], integer) is
  'Refuse weights that are not one positive number for each of several sources.';

-- Pictures of one row are in the worker's memory together, as many as it holds of several rows otherwise.
create or replace function mmdb.most_pictures() returns integer
language sql immutable security invoker
as $$ select 4 $$;
comment on function mmdb.most_pictures() is 'How many sources of one weighted embedding may be pictures.';

create or replace function mmdb.describe_sources(
  relation regclass, numbers smallint[], wanted text, weights float8[], out modality text, out by_uri boolean,
  out modalities text[]
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if weights is null then
    select s.modality, s.by_uri into modality, by_uri from mmdb.source_modality(relation, numbers, wanted) s;
    return;
  end if;
  perform mmdb.check_weights(weights, cardinality(numbers));
  modalities := array(select (mmdb.source_modality(relation, array[n.number], null)).modality
                      from unnest(numbers) with ordinality n(number, place) order by n.place);
  modality := case when 'text' = all(modalities) then 'text' when 'image' = all(modalities) then 'image'
                   else 'mixed' end;
  by_uri := false;
  if wanted <> modality then
    raise exception 'sources with weights are "%" by the types of their columns, not "%"',
                    array_to_string(modalities, ', '), wanted
      using errcode = 'feature_not_supported',
            hint = 'leave modality out; pictures by URI take no weights: have them in a bytea column, or declare an '
                   'embedding of their own';
  elsif cardinality(array_positions(modalities, 'image')) > mmdb.most_pictures() then
    raise exception '% sources are pictures, at most % may be', cardinality(array_positions(modalities, 'image')),
                    mmdb.most_pictures()
      using errcode = 'program_limit_exceeded', hint = 'declare two embeddings, and search both with T_search';
  end if;
end
$$;
comment on function mmdb.describe_sources(regclass, smallint[], text, float8[]) is
  'What the sources hold together (text, image or mixed), whether by URI, and with weights what each of them holds.';

-- An empty text, or no byte, says as little as NULL does: many a form stores it for a field that was left empty. A text
-- is compared by its bytes, because to a collation that is not deterministic one of punctuation may be equal to the
-- empty one. What is here stands in the predicate of an index: immutable, and of arrays that are no lists without an
-- error.
create or replace function mmdb.says_sql(relation regclass, sources text[], alias text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format(case when k.kind = 'text' then '%1$s%2$s <> '''''
                                when k.kind = 'text[]' then
                                  'case when array_ndims(%1$s) = 1 '
                                  'then cardinality(array_remove(array_remove(%1$s%3$s, null), '''')) > 0 '
                                  'else cardinality(%1$s) > 0 end'
                                when k.kind = 'enum[]' then
                                  'case when array_ndims(%1$s) = 1 '
                                  'then cardinality(array_remove(%1$s, null)) > 0 '
                                  'else cardinality(%1$s) > 0 end'
                                when k.kind = 'bytea' then '%1$s::bytea <> '''''
                                else '%1$s is not null' end,
                           format('%s%I', alias, s.name),
                           case when c.collisdeterministic is not false then '::text' else '::text collate "C"' end,
                           case when c.collisdeterministic is not false then '' else ' collate "C"' end),
                    ' or ' order by s.place)
  from unnest(sources) with ordinality s(name, place)
  left join pg_attribute a on a.attrelid = relation and a.attname = s.name
  left join pg_collation c on c.oid = a.attcollation
  cross join lateral (select mmdb.source_kind(a.atttypid)) k(kind)
$$;
comment on function mmdb.says_sql(regclass, text[], text) is
  'The condition "a source of this row holds something", not NULL, not empty and no list of nothing else.';

create or replace function mmdb.text_sql(relation regclass, source text, plain text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((
    select format('nullif(array_to_string(p.%I, '', ''), '''')', source)
    from pg_attribute a
    where a.attrelid = relation and a.attname = source and mmdb.source_kind(a.atttypid) like '%[]'), plain)
$$;
comment on function mmdb.text_sql(regclass, text, text) is
  'A source as text: of a list its elements, with commas between them, of anything else what is plain.';
