-- What mmdb must know of a business table before it writes SQL for it: its key, its sources, the text of names.

-- The operators are those of the key's own index: a type of an extension has them outside pg_catalog, where the
-- generated functions look.
create or replace function mmdb.key_columns(relation regclass)
returns table (place bigint, name text, type_name text, equal text, greater text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select k.place, a.attname, format_type(a.atttypid, a.atttypmod),
         max(o.written) filter (where o.strategy = 3), max(o.written) filter (where o.strategy = 5)
  from pg_index i
  cross join unnest(i.indkey::smallint[], i.indclass::oid[]) with ordinality k(number, class, place)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
  join pg_opclass c on c.oid = k.class
  cross join lateral (
    select f.amopstrategy, format('operator(%I.%s)', n.nspname, p.oprname)
    from pg_amop f join pg_operator p on p.oid = f.amopopr join pg_namespace n on n.oid = p.oprnamespace
    where f.amopfamily = c.opcfamily and f.amoplefttype = c.opcintype and f.amoprighttype = c.opcintype
  ) o(strategy, written)
  where i.indrelid = relation and i.indisprimary and i.indisvalid
  group by k.place, a.attname, a.atttypid, a.atttypmod
$$;
comment on function mmdb.key_columns(regclass) is 'The columns of a table''s primary key, with the operators that its index compares them by.';

create or replace function mmdb.key_sql(
  relation regclass, out expression text, out matches text, out later text, out ordering text, out columns text
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A key travels as the text of an array of the key columns' texts: one shape for every type and width. Written by the
  -- types' output functions and not by a cast, which may be a function of the table's owner, run by whoever counts.
  select format('array[%s]::text', string_agg(format('format(''%%s'', p.%I)', k.name), ', ' order by k.place)),
         string_agg(format('p.%I %s ((k.key::text[])[%s])::%s', k.name, k.equal, k.place, k.type_name), ' and ' order by k.place),
         string_agg(format('p.%I', k.name), ', ' order by k.place),
         string_agg(quote_ident(k.name), ', ' order by k.place)
  into expression, matches, ordering, columns
  from mmdb.key_columns(relation) k;
  later := mmdb.later_sql(relation);
  if columns is null then
    raise exception 'table % has no primary key', relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('mmdb finds a row again by its key: alter table %s add primary key (…)', relation);
  end if;
end
$$;
-- One comparison of rows goes along the index; where the columns' operators have different homes it cannot be written.
create or replace function mmdb.later_sql(relation regclass) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  k record;
  condition text;
begin
  if (select count(distinct c.greater) from mmdb.key_columns(relation) c) = 1 then
    return (select format('(%s) %s (%s)', string_agg(format('p.%I', c.name), ', ' order by c.place), min(c.greater),
                          string_agg(format('((after::text[])[%s])::%s', c.place, c.type_name), ', ' order by c.place))
            from mmdb.key_columns(relation) c);
  end if;
  for k in select *, format('((after::text[])[%s])::%s', c.place, c.type_name) as bound
           from mmdb.key_columns(relation) c order by c.place desc loop
    condition := case when condition is null then format('p.%I %s %s', k.name, k.greater, k.bound)
                      else format('(p.%I %s %s or p.%I %s %s and %s)', k.name, k.greater, k.bound, k.name, k.equal, k.bound, condition) end;
  end loop;
  return condition;
end
$$;
comment on function mmdb.later_sql(regclass) is 'The condition "this row''s key comes after the key `after`".';

comment on function mmdb.key_sql(regclass) is 'The SQL by which generated functions write, find, page and order a table''s rows by primary key.';

-- After a dropped or widened key one key would find several rows, or another row.
create or replace function mmdb.same_key_sql(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('exists (select from pg_index i where i.indrelid = %s and i.indisprimary and i.indisvalid '
                'and (select array_agg(a.attname::text order by k.place) from unnest(i.indkey::smallint[]) with ordinality k(number, place) '
                'join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number) = %L::text[])',
                format('%L::regclass', mmdb.relation_sql(relation)), array_agg(k.name order by k.place)::text)
  from mmdb.key_columns(relation) k
$$;
comment on function mmdb.same_key_sql(regclass) is 'The condition "the primary key is made of the same columns as now".';

create or replace function mmdb.same_column_sql(relation regclass, number smallint, name text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('(select a.object_names[3] from pg_identify_object_as_address(''pg_class''::regclass, %L::regclass, %s) a) is not distinct from %L',
                mmdb.relation_sql(relation), number, name)
$$;
comment on function mmdb.same_column_sql(regclass, smallint, text) is
  'The condition "the column of this number has this name now": as mmdb.latest_name, for functions that run as a table''s owner.';

create or replace function mmdb.column_names(relation regclass, numbers smallint[]) returns text[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(a.attname::text order by n.place)
  from unnest(numbers) with ordinality n(number, place)
  join pg_attribute a on a.attrelid = relation and a.attnum = n.number and not a.attisdropped
$$;
comment on function mmdb.column_names(regclass, smallint[]) is 'Column numbers to names, in order; dropped columns are missing.';

create or replace function mmdb.column_numbers(relation regclass, names text[]) returns smallint[]
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  numbers smallint[];
  missing text;
begin
  select array_agg(a.attnum order by n.place), min(n.name) filter (where a.attnum is null)
  into numbers, missing
  from unnest(names) with ordinality n(name, place)
  left join pg_attribute a on a.attrelid = relation and a.attname = n.name and a.attnum > 0 and not a.attisdropped;
  if missing is not null then
    raise exception 'table % has no column "%"', relation, missing
      using errcode = 'undefined_column',
            hint = (select format('its columns: %s', string_agg(quote_ident(a.attname), ', ' order by a.attnum))
                    from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped);
  end if;
  return numbers;
end
$$;
comment on function mmdb.column_numbers(regclass, text[]) is 'Column names to numbers, in order; an unknown name is an error.';

-- The columns by whose change a source changes: itself, or for a generated column those that it is made from.
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

-- SET EXPRESSION makes another source of the same columns; it is known by the new entry, which a rename leaves.
create or replace function mmdb.source_expressions(relation regclass, numbers smallint[]) returns oid[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(f.oid order by f.adnum), '{}')
  from pg_attrdef f join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
  where f.adrelid = relation and a.attgenerated <> '' and a.attnum = any(numbers)
$$;
comment on function mmdb.source_expressions(regclass, smallint[]) is 'The generation expressions of these columns, as numbers of pg_attrdef.';

-- Whoever writes to a table, or so much as plans a query over it, runs code of its owner: triggers, policies, functions
-- in the predicates of indexes. That gives him nothing where he can act as us anyway.
create or replace function mmdb.trusts_owner(relation regclass) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select pg_has_role(c.relowner, current_user, 'member') and pg_has_role(c.relowner, session_user, 'member')
  from pg_class c where c.oid = relation
$$;
comment on function mmdb.trusts_owner(regclass) is 'Whether the owner of a table may act as the current user anyway: the same role, a member of it, or a superuser.';

create or replace function mmdb.source_modality(relation regclass, numbers smallint[], wanted text, out modality text, out by_uri boolean)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  types text[];
  label constant text := format('%s.%s', relation, array_to_string(mmdb.column_names(relation, numbers), ', '));
begin
  if exists (select from pg_attribute a where a.attrelid = relation and a.attnum = any(numbers) and a.attgenerated = 'v') then
    raise exception 'source % is a virtual generated column', label
      using errcode = 'feature_not_supported', hint = 'declare it STORED, or embed the columns that it is made from';
  end if;
  -- A domain counts as what it is made of; citext, varchar and char are text to a model.
  with recursive base(oid, category) as (
    select t.oid, t.typcategory from pg_attribute a join pg_type t on t.oid = a.atttypid
    where a.attrelid = relation and a.attnum = any(numbers)
    union all
    select t.typbasetype, t.typcategory from base b join pg_type t on t.oid = b.oid where t.typtype = 'd'
  )
  select array_agg(distinct case when b.category = 'S' then 'text' else format_type(b.oid, null) end)
  into types
  from base b join pg_type t on t.oid = b.oid and t.typtype <> 'd';
  modality := coalesce(wanted, case types when '{bytea}' then 'image' else 'text' end);
  by_uri := modality = 'image' and types = '{text}';
  if modality not in ('text', 'image') then
    raise exception 'unknown modality "%"', modality
      using errcode = 'invalid_parameter_value', hint = 'modalities: text, image';
  elsif types <> '{text}' and (modality = 'text' or types <> '{bytea}') then
    raise exception 'source % has type %, which does not hold modality "%"', label, array_to_string(types, ', '), modality
      using errcode = 'datatype_mismatch',
            hint = case when types = '{bytea,text}' then 'give each source a weight, as in weights => ''{0.7,0.3}'', or declare an embedding for each of them'
                   else 'text is embedded from text columns, an image from a bytea column or from a text column that holds its URI' end;
  elsif modality = 'image' and cardinality(numbers) > 1 then
    raise exception 'an image is embedded from one column, not from %', label
      using errcode = 'invalid_parameter_value',
            hint = case when by_uri then 'declare an embedding for each of them'
                   else 'give each source a weight, as in weights => ''{0.7,0.3}'', or declare an embedding for each of them' end;
  end if;
end
$$;
comment on function mmdb.source_modality(regclass, smallint[], text) is 'What the sources hold (text or image) and whether they hold it by URI.';

create or replace function mmdb.check_weights(weights float8[], sources integer) returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  wrong float8 := (select min(w.weight) from unnest(weights) w(weight) where w.weight <= 0 or w.weight in ('infinity', 'nan'));
begin
  if sources < 2 then
    raise exception 'weights weigh several sources against each other, and here is one'
      using errcode = 'invalid_parameter_value', hint = 'leave weights out, or name more sources: array[''title'', ''photo'']';
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
comment on function mmdb.check_weights(float8[], integer) is 'Refuse weights that are not one positive number for each of several sources.';

-- Pictures of one row are in the worker's memory together, as many as it holds of several rows otherwise.
create or replace function mmdb.most_pictures() returns integer
language sql immutable security invoker
as $$ select 4 $$;
comment on function mmdb.most_pictures() is 'How many sources of one weighted embedding may be pictures.';

create or replace function mmdb.describe_sources(
  relation regclass, numbers smallint[], wanted text, weights float8[], out modality text, out by_uri boolean, out modalities text[]
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
  modality := case when 'text' = all(modalities) then 'text' when 'image' = all(modalities) then 'image' else 'mixed' end;
  by_uri := false;
  if wanted <> modality then
    raise exception 'sources with weights are "%" by the types of their columns, not "%"', array_to_string(modalities, ', '), wanted
      using errcode = 'feature_not_supported',
            hint = 'leave modality out; pictures by URI take no weights: have them in a bytea column, or declare an embedding of their own';
  elsif cardinality(array_positions(modalities, 'image')) > mmdb.most_pictures() then
    raise exception '% sources are pictures, at most % may be', cardinality(array_positions(modalities, 'image')), mmdb.most_pictures()
      using errcode = 'program_limit_exceeded', hint = 'declare two embeddings, and search both with T_search';
  end if;
end
$$;
comment on function mmdb.describe_sources(regclass, smallint[], text, float8[]) is
  'What the sources hold together (text, image or mixed), whether by URI, and with weights what each of them holds.';

-- Names that mmdb makes: readable where they fit, unique by id where they do not.
create or replace function mmdb.short_name(wanted text, id bigint) returns text
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  kept text := wanted;
  tail constant text := format('_%s', id);
begin
  if octet_length(wanted) <= 63 then
    return wanted;
  end if;
  while octet_length(kept || tail) > 63 loop
    kept := left(kept, -1);
  end loop;
  return kept || tail;
end
$$;
comment on function mmdb.short_name(text, bigint) is 'A name of at most 63 bytes.';

create or replace function mmdb.search_name(prefix text, name text) returns text
language sql immutable security invoker
as $$ select prefix || '_by_' || name $$;
comment on function mmdb.search_name(text, text) is 'The name of an embedding''s search view.';

-- A trigger is not inherited: rows of an inheriting table (not a partition) are nobody's to embed.
create or replace function mmdb.rows_sql(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when c.relkind = 'r' then 'only ' else '' end || mmdb.relation_sql(relation)
  from pg_class c where c.oid = relation
$$;
comment on function mmdb.rows_sql(regclass) is 'The name of a table as a FROM item: its own rows and its partitions'', not those of inheriting tables.';

create or replace function mmdb.relation_sql(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('%I.%I', n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
$$;
comment on function mmdb.relation_sql(regclass) is 'The qualified, quoted name of a table, whatever the search path.';
