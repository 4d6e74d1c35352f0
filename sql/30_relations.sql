-- What mmdb must know of a business table before it writes SQL for it: its key, its sources, the text of names.

create or replace function mmdb.key_sql(
  relation regclass, out expression text, out matches text, out later text, out ordering text, out columns text
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A key travels as the text of an array of the key columns' texts: one shape for every type and width. Written by the
  -- types' output functions and not by a cast, which may be a function of the table's owner, run by whoever counts.
  select format('array[%s]::text', string_agg(format('format(''%%s'', p.%I)', a.attname), ', ' order by k.place)),
         string_agg(format('p.%I = ((k.key::text[])[%s])::%s', a.attname, k.place, t.name), ' and ' order by k.place),
         format('(%s) > (%s)', string_agg(format('p.%I', a.attname), ', ' order by k.place),
                string_agg(format('((after::text[])[%s])::%s', k.place, t.name), ', ' order by k.place)),
         string_agg(format('p.%I', a.attname), ', ' order by k.place),
         string_agg(quote_ident(a.attname), ', ' order by k.place)
  into expression, matches, later, ordering, columns
  from pg_index i
  cross join unnest(i.indkey::smallint[]) with ordinality k(number, place)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
  cross join lateral (select format_type(a.atttypid, a.atttypmod)) t(name)
  where i.indrelid = relation and i.indisprimary and i.indisvalid;
  if columns is null then
    raise exception 'table % has no primary key', relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('mmdb finds a row again by its key: alter table %s add primary key (…)', relation);
  end if;
end
$$;
comment on function mmdb.key_sql(regclass) is 'The SQL by which generated functions write, find, page and order a table''s rows by primary key.';

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
            hint = 'text is embedded from text columns, an image from a bytea column or from a text column that holds its URI';
  elsif modality = 'image' and cardinality(numbers) > 1 then
    raise exception 'an image is embedded from one column, not from %', label
      using errcode = 'invalid_parameter_value', hint = 'declare an embedding for each of them';
  end if;
end
$$;
comment on function mmdb.source_modality(regclass, smallint[], text) is 'What the sources hold (text or image) and whether they hold it by URI.';

-- Names that mmdb makes: readable where they fit, unique by id where they do not.
create or replace function mmdb.short_name(wanted text, id integer) returns text
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
comment on function mmdb.short_name(text, integer) is 'A name of at most 63 bytes.';

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
