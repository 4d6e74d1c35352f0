-- Names: how a table and its columns are written in SQL, and how what mmdb makes is called.

create or replace function mmdb.relation_sql(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('%I.%I', n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
$$;
comment on function mmdb.relation_sql(regclass) is 'The qualified, quoted name of a table, whatever the search path.';

-- Triggers and keys are not inherited: rows of an inheriting table (not a partition) are none of the table's own, and
-- may have the keys of its rows.
create or replace function mmdb.rows_sql(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when c.relkind = 'r' then 'only ' else '' end || mmdb.relation_sql(relation) || ' p'
  from pg_class c where c.oid = relation
$$;
comment on function mmdb.rows_sql(regclass) is
  'The rows of a table with its partitions, and without tables that inherit from it, as the FROM item p.';

create or replace function mmdb.as_pattern(name text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select regexp_replace(quote_ident(name), E'(\\W)', E'\\\\\\1', 'g') $$;
comment on function mmdb.as_pattern(text) is 'A regular expression of an identifier as SQL writes it.';

create or replace function mmdb.column_names(relation regclass, numbers smallint[]) returns text[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(a.attname::text order by n.place)
  from unnest(numbers) with ordinality n(number, place)
  join pg_attribute a on a.attrelid = relation and a.attnum = n.number and not a.attisdropped
$$;
comment on function mmdb.column_names(regclass, smallint[]) is
  'Column numbers to names, in order; dropped columns are missing.';

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
comment on function mmdb.column_numbers(regclass, text[]) is
  'Column names to numbers, in order; an unknown name is an error.';

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

create or replace function mmdb.top_name(prefix text, name text) returns text
language sql immutable security invoker
as $$ select prefix || '_top_by_' || name $$;
comment on function mmdb.top_name(text, text) is 'The name of an embedding''s function that is told k.';

create or replace function mmdb.free_name(relation regclass, wanted text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  candidate text := wanted;
begin
  while exists (select from pg_attribute a where a.attrelid = relation and a.attname = candidate
                  and a.attnum > 0 and not a.attisdropped) loop
    candidate := '_' || candidate;
  end loop;
  return candidate;
end
$$;
comment on function mmdb.free_name(regclass, text) is
  'A name that no column of the table has: the wanted one, or with underscores before it.';

-- The SQL that mmdb writes is a template with {names} in it. What is filled in is not looked at again, so a table may
-- be called anything.
create or replace function mmdb.filled(template text, pieces jsonb) returns text
language plpgsql immutable strict security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  missing constant text := (
    select min(m.name[1]) from regexp_matches(template, '[{]([a-z_]+)[}]', 'g') m(name)
    where pieces ->> m.name[1] is null);
begin
  if missing is not null then
    raise exception 'a template asks for "%", which is not among: %', missing,
                    (select string_agg(k, ', ' order by k) from jsonb_object_keys(pieces) k)
      using errcode = 'internal_error';
  end if;
  return (
    select string_agg(t.between || coalesce(pieces ->> n.name[1], ''), '' order by t.place)
    from regexp_split_to_table(template, '[{][a-z_]+[}]') with ordinality t(between, place)
    left join regexp_matches(template, '[{]([a-z_]+)[}]', 'g') with ordinality n(name, place) on n.place = t.place);
end
$$;
comment on function mmdb.filled(text, jsonb) is
  'A template with its {names} replaced by the pieces of these names; an error for a name that has no piece.';

-- The statistics of a partitioned table stand with its partitions.
create or replace function mmdb.table_rows(relation regclass) returns real
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(
    (select c.reltuples from pg_class c where c.oid = relation and c.relkind = 'r'),
    (select sum(c.reltuples)::real
     from pg_partition_tree(relation) t join pg_class c on c.oid = t.relid where t.isleaf));
end
$$;
comment on function mmdb.table_rows(regclass) is
  'How many rows a table has with its partitions, as PostgreSQL estimates; below zero where it never looked.';
