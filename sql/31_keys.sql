-- The key of a business table: how it is written, compared and put in order in the SQL that mmdb makes for it.

-- Types that come with PostgreSQL have numbers below 10000, and none of them is a domain: searches ask often.
create or replace function mmdb.base_type(type oid) returns oid
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  base oid := type;
begin
  while type >= 10000 and base <> 0 loop
    type := base;
    base := (select t.typbasetype from pg_type t where t.oid = type);
  end loop;
  return type;
end
$$;
comment on function mmdb.base_type(oid) is 'The type that a domain is of, also through other domains; else the type.';

create or replace function mmdb.is_array(type oid) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select t.typsubscript = 'array_subscript_handler'::regproc from pg_type t where t.oid = is_array.type $$;
comment on function mmdb.is_array(oid) is 'Whether a type is an array of any length.';

-- A key that is searched for need not be one that the column could hold: not cut to its width, not held against the
-- constraints of its domain, and of integers, as one writes them.
create or replace function mmdb.key_column_type(type oid) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format_type(case b.type when 'smallint'::regtype then 'integer'::regtype else b.type end, -1)
  from mmdb.base_type(key_column_type.type) b(type)
$$;
comment on function mmdb.key_column_type(oid) is
  'The type by which a key column of this type is compared with a key that is given.';

-- The operators are those of the key's own index: those of an extension's type are not in pg_catalog, the only place in
-- which the generated functions look.
create or replace function mmdb.key_columns(relation regclass)
returns table (place bigint, name text, type_name text, equal text, greater text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select k.place, a.attname, mmdb.key_column_type(a.atttypid),
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
comment on function mmdb.key_columns(regclass) is
  'The columns of a table''s primary key, with the types and operators by which they are compared with a key that is '
  'given.';

create or replace function mmdb.key_sql(relation regclass, out expression text, out ordering text, out columns text)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A key travels as the text of an array of the key columns' texts: one shape for every type and width. Written by the
  -- types' output functions and not by a cast, which may be a function of the table's owner, run by whoever counts.
  select format('array[%s]::text', string_agg(format('format(''%%s'', p.%I)', k.name), ', ' order by k.place)),
         string_agg(format('p.%I', k.name), ', ' order by k.place),
         string_agg(quote_ident(k.name), ', ' order by k.place)
  into expression, ordering, columns
  from mmdb.key_columns(relation) k;
  if columns is null then
    raise exception 'table % has no primary key', relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('mmdb finds a row again by its key: alter table %s add primary key (…)', relation);
  end if;
end
$$;
comment on function mmdb.key_sql(regclass) is
  'The SQL by which generated functions write a row''s primary key as text and order rows by it.';

create or replace function mmdb.key_matches(relation regclass, key text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('p.%I %s ((%s::text[])[%s])::%s', k.name, k.equal, key, k.place, k.type_name),
                    ' and ' order by k.place)
  from mmdb.key_columns(relation) k
$$;
comment on function mmdb.key_matches(regclass, text) is
  'The condition that row p has the key that this SQL gives, in the form in which keys travel.';

create or replace function mmdb.plain_key_sql(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case count(*) when 1 then format('format(''%%s'', p.%I)', min(k.name))
              else (select s.expression from mmdb.key_sql(relation) s) end
  from mmdb.key_columns(relation) k
$$;
comment on function mmdb.plain_key_sql(regclass) is 'The SQL by which the key of row p is written for people.';

-- After its primary key was dropped or widened, a table may have several rows of one former key, or another row.
create or replace function mmdb.same_key_sql(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('exists (select from pg_index i where i.indrelid = %s and i.indisprimary and i.indisvalid '
                'and (select array_agg(a.attname::text order by k.place) from unnest(i.indkey::smallint[]) with '
                'ordinality k(number, place) '
                'join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number '
                'where k.place <= i.indnkeyatts) = %L::text[])',
                format('%L::regclass', mmdb.relation_sql(relation)), array_agg(k.name order by k.place)::text)
  from mmdb.key_columns(relation) k
$$;
comment on function mmdb.same_key_sql(regclass) is
  'The condition "the primary key is made of the same columns as now".';

create or replace function mmdb.same_column_sql(relation regclass, number smallint, name text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('(select a.object_names[3] from pg_identify_object_as_address(''pg_class''::regclass, %L::regclass, '
                '%s) a) is not distinct from %L',
                mmdb.relation_sql(relation), number, name)
$$;
comment on function mmdb.same_column_sql(regclass, smallint, text) is
  'The condition "the column of this number has this name now": as mmdb.latest_name, for functions that run as a '
  'table''s owner.';

-- One comparison of rows goes along the index; where the columns' operators have different homes it cannot be written.
create or replace function mmdb.later_sql(relation regclass, key text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  k record;
  condition text;
begin
  if (select count(distinct c.greater) from mmdb.key_columns(relation) c) = 1 then
    return (select format('(%s) %s (%s)', string_agg(format('p.%I', c.name), ', ' order by c.place), min(c.greater),
                          string_agg(format('((%s)[%s])::%s', key, c.place, c.type_name), ', ' order by c.place))
            from mmdb.key_columns(relation) c);
  end if;
  for k in select *, format('((%s)[%s])::%s', key, c.place, c.type_name) as bound
           from mmdb.key_columns(relation) c order by c.place desc loop
    condition := case when condition is null then format('p.%I %s %s', k.name, k.greater, k.bound)
                      else format('(p.%I %s %s or p.%I %s %s and %s)', k.name, k.greater, k.bound, k.name, k.equal,
                                  k.bound, condition) end;
  end loop;
  return condition;
end
$$;
comment on function mmdb.later_sql(regclass, text) is
  'The condition that the key of row p comes after a key, which this SQL gives as an array of the texts of its '
  'columns.';

create or replace function mmdb.after_sql(relation regclass, key text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.later_sql(relation, format(case count(*) when 1 then 'array[%s]' else '%s::text[]' end, after_sql.key))
  from mmdb.key_columns(relation)
$$;
comment on function mmdb.after_sql(regclass, text) is
  'The condition that row p comes after the key that this SQL gives as people write it, in the order of keys.';

-- Strings of an extension (citext) are given as text, which does not become one of them by itself; they do become text.
create or replace function mmdb.key_type(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when count(*) <> 1 then 'text'
              when bool_and('text'::regtype = any(array(
                select c.casttarget from pg_cast c where c.castsource = k.type_name::regtype and c.castcontext = 'i'
                except
                select c.castsource from pg_cast c where c.casttarget = k.type_name::regtype and c.castcontext = 'i'
              ))) then 'text'
              else min(k.type_name) end
  from mmdb.key_columns(relation) k
$$;
comment on function mmdb.key_type(regclass) is
  'The type by which a row is named: one that literals and values of the key''s own type become by themselves, or for '
  'keys of several columns text as mmdb.failures writes it.';

-- Several arrays make one array only if they are of one length.
create or replace function mmdb.within_type(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when mmdb.is_array(k.type::regtype) then 'text' else k.type end || '[]'
  from mmdb.key_type(relation) k(type)
$$;
comment on function mmdb.within_type(regclass) is
  'The type of `within`: an array of keys, or for keys that are arrays of their texts, and for keys of several columns '
  'of texts as mmdb.failures writes them.';

create or replace function mmdb.within_sql(relation regclass, keys text default '$2') returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when count(*) <> 1 then format('exists (select from unnest(%s) k(key) where %s)', keys,
                                             mmdb.key_matches(relation, 'k.key'))
              when bool_or(mmdb.is_array(k.type_name::regtype)) then
                format('p.%I %s any (select k.key::%s from unnest(%s) k(key))', min(k.name), min(k.equal),
                       min(k.type_name), keys)
              else format('p.%I %s any (%s::%s[])', min(k.name), min(k.equal), keys, min(k.type_name)) end
  from mmdb.key_columns(relation) k
$$;
comment on function mmdb.within_sql(regclass, text) is
  'The condition that a row''s key is one of the texts that this SQL gives as an array.';

-- NULL for NULL, and not an empty text: where a plan is made for any value, the partitions that may have the key are
-- sought before the condition is looked at that asks whether there is one. (Of a composite value "is not null" would
-- ask about its columns.)
create or replace function mmdb.given_key_sql(relation regclass, parameter text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format(case count(*) when 1
                     then 'case when %1$s is distinct from null then array[format(''%%s'', %1$s)]::text end'
                     else '(%s)::text[]::text' end, parameter)
  from mmdb.key_columns(relation) k
$$;
comment on function mmdb.given_key_sql(regclass, text) is 'A key as it was given, in the form in which keys travel.';

create or replace function mmdb.known_key(relation regclass, given text, known text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if known is null then
    raise exception 'table % has no row "%"', relation, array_to_string(given::text[], ', ')
      using errcode = 'no_data_found', hint = 'it is not there, or you may not see it';
  end if;
  return known;
end
$$;
comment on function mmdb.known_key(regclass, text, text) is
  'The key that is known, or an error that says what was given.';

create or replace function mmdb.known_key_sql(relation regclass, parameter text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.filled($sql$mmdb.known_key({relation}, {given},
      (select {key} from {source}, (select {given}) k(key) where {matches}))$sql$, jsonb_build_object(
    'relation', quote_literal(mmdb.relation_sql(relation)),
    'given', mmdb.given_key_sql(relation, parameter), 'key', k.expression, 'source', mmdb.rows_sql(relation),
    'matches', mmdb.key_matches(relation, 'k.key')))
  from mmdb.key_sql(relation) k
$$;
comment on function mmdb.known_key_sql(regclass, text) is
  'The key of the row that a parameter names, as a search finds it; an error where there is none. Not for NULL.';
