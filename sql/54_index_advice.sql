-- Which index a filter lacks, from what the server has counted. A false alarm costs an index that every writer pays
-- for, so this is silent where it does not know: only statements count in which a search gave up its walk and measured
-- every row that passes (mmdb.top_exact), which on a large table it does for few rows, and of which no condition has an
-- index.

create or replace function mmdb.seen_statements()
returns table (query text, calls bigint, milliseconds double precision)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  place constant text := (select quote_ident(n.nspname) from pg_extension e
                          join pg_namespace n on n.oid = e.extnamespace
                          where e.extname = 'pg_stat_statements');
begin
  if place is not null then
    return query execute format(
      'select s.query, sum(s.calls)::bigint, sum(s.total_exec_time) from %s.pg_stat_statements s '
      'where s.dbid = (select d.oid from pg_database d where d.datname = current_database()) and s.query is not null '
      'group by s.query', place);
  end if;
exception when object_not_in_prerequisite_state or insufficient_privilege or undefined_column or undefined_table then
  return;  -- not preloaded, or not for us to read: nothing is known then
end
$$;
comment on function mmdb.seen_statements() is
  'What pg_stat_statements has counted in this database; no row where it is not there to be read.';

-- Conditions of "or" and "not" are left out whole: one index does not serve them.
create or replace function mmdb.exact_conditions(relation regclass, statement text)
returns table (name text, operator text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select a.attname::text, m.parts[1]
  from pg_attribute a
  cross join lateral regexp_matches(statement,
    E'\\mp[.]' || mmdb.as_pattern(a.attname)
    || '(?:::text)? operator[(][^)]*[.](<=|>=|<|>|=|~~[*]|~~|@>|<@|&&)[)]', 'g') m(parts)
  where a.attrelid = exact_conditions.relation and a.attnum > 0 and not a.attisdropped
    and position(format(' from %s p where ', mmdb.relation_sql(relation))
                 in replace(statement, ' from only ', ' from ')) > 0
    and position('/* mmdb.top_exact */' in statement) > 0
    and statement !~ '^[[:space:]]*explain' and statement !~ ' or | is not true'
    and not exists (select from mmdb.key_columns(relation) k where k.name = a.attname)
$$;
comment on function mmdb.exact_conditions(regclass, text) is
  'The filtered columns and their operators in a statement by which mmdb.top_exact measured rows of this table; none '
  'in any other statement.';

create or replace function mmdb.has_index_for(relation regclass, name text, operator text) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_am m on m.oid = c.relam
    join pg_attribute a on a.attrelid = i.indrelid and a.attname = has_index_for.name
    where i.indrelid = has_index_for.relation and i.indisvalid and i.indpred is null
      and case when operator in ('~~', '~~*') then
                 m.amname in ('gin', 'gist') and exists (
                   select from unnest(i.indkey::smallint[], i.indclass::oid[]) k(number, class)
                   join pg_opclass o on o.oid = k.class
                   where k.number = a.attnum and o.opcname like '%trgm%')
               when operator in ('@>', '<@', '&&') then
                 m.amname in ('gin', 'gist') and a.attnum = any((i.indkey::smallint[])[:i.indnkeyatts - 1])
               else m.amname = 'btree' and i.indkey[0] = a.attnum
                 or m.amname = 'hash' and operator = '=' and i.indkey[0] = a.attnum end)
$$;
comment on function mmdb.has_index_for(regclass, text, text) is
  'Whether a whole, valid index serves this operator on the column.';

create or replace function mmdb.index_for(relation regclass, name text, operator text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('create index%s on %s %s', case when c.relkind = 'p' then '' else ' concurrently' end,
                mmdb.relation_sql(relation),
    case when operator in ('~~', '~~*') then
           case when a.atttypid in ('text'::regtype, 'varchar'::regtype)
                  then format('using gin (%I @extschema:pg_trgm@.gin_trgm_ops)', a.attname) end
         when operator = '@>' and a.atttypid = 'jsonb'::regtype then format('using gin (%I)', a.attname)
         when operator in ('@>', '<@', '&&') then
           case when t.typcategory = 'A' then format('using gin (%I)', a.attname)
                when t.typtype in ('r', 'm') then format('using gist (%I)', a.attname) end
         when a.atttypid <> 'jsonb'::regtype then format('(%I)', a.attname) end)
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join pg_type t on t.oid = a.atttypid
  where a.attrelid = index_for.relation and a.attname = index_for.name and not a.attisdropped
    and case when operator in ('~~', '~~*') then a.atttypid in ('text'::regtype, 'varchar'::regtype)
             when operator in ('@>', '<@', '&&') then
               t.typcategory = 'A' or t.typtype in ('r', 'm') or (a.atttypid = 'jsonb'::regtype and operator = '@>')
             else a.atttypid <> 'jsonb'::regtype end
$$;
comment on function mmdb.index_for(regclass, text, text) is
  'The statement that builds an index for this operator on the column; NULL where none is known.';

create or replace function mmdb.scans(
  relation regclass, out rows real, out whole bigint, out read bigint, out by_index bigint
)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select sum(greatest(c.reltuples, 0))::real, sum(s.seq_scan)::bigint, sum(s.seq_tup_read)::bigint,
         sum(s.idx_scan)::bigint
  from pg_class c left join pg_stat_user_tables s on s.relid = c.oid
  where c.relkind = 'r'
    and (c.oid = scans.relation or c.oid in (select t.relid from pg_partition_tree(scans.relation) t))
$$;
comment on function mmdb.scans(regclass) is
  'The rows of a table, and how often it was read whole (and how many rows in all) and by an index since statistics '
  'began.';

-- Of the conditions of one statement the column of most distinct values: one index is enough.
create or replace function mmdb.index_advice(
  relation regclass, statements text[], calls bigint[], milliseconds double precision[]
)
returns table (name text, remedy text, calls bigint, milliseconds double precision)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select chosen.name, chosen.remedy, sum(s.calls)::bigint, sum(s.milliseconds) / sum(s.calls)
  from unnest(index_advice.statements, index_advice.calls, index_advice.milliseconds) s(query, calls, milliseconds)
  cross join lateral (
    select x.name, mmdb.index_for(index_advice.relation, x.name, x.operator) as remedy
    from mmdb.exact_conditions(index_advice.relation, s.query) x
    join pg_class c on c.oid = index_advice.relation
    left join pg_stats p on format('%I.%I', p.schemaname, p.tablename) = mmdb.relation_sql(index_advice.relation)
      and p.attname = x.name
    where mmdb.index_for(index_advice.relation, x.name, x.operator) is not null
      and not exists (select from mmdb.exact_conditions(index_advice.relation, s.query) y
                      where mmdb.has_index_for(index_advice.relation, y.name, y.operator))
    order by case when p.n_distinct < 0 then -p.n_distinct * greatest(c.reltuples, 1)
                  else p.n_distinct end desc nulls last, x.name
    limit 1) chosen
  group by chosen.name, chosen.remedy
  having sum(s.calls) >= 10 and sum(s.milliseconds) >= sum(s.calls)
$$;
comment on function mmdb.index_advice(regclass, text[], bigint[], double precision[]) is
  'The indexes that exact searches of this table lack, from statements, how often they ran and how long in all: those '
  'of 10 calls or more and a millisecond each.';

create or replace function mmdb.doctor_filters() returns table (subject text, level text, finding text, remedy text)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  relation regclass;
  counted record;
  tracked constant boolean := coalesce(current_setting('pg_stat_statements.track', true) = 'all', false)
    and exists (select from mmdb.seen_statements());
  seen record;
begin
  select array_agg(s.query) as queries, array_agg(s.calls) as calls, array_agg(s.milliseconds) as milliseconds into seen
  from mmdb.seen_statements() s where s.query like '% operator(%';
  for relation in select e.relation from mmdb.embeddings e join pg_class c on c.oid = e.relation
                  group by 1 order by 1 loop
    counted := mmdb.scans(relation);
    continue when counted.rows is null or counted.rows <= 10000;
    return query
    select format('filters of %s', relation), 'warning',
           format('%s searches by "%s" measured the rows that pass one by one, %s ms each, and no index finds them; '
                  'the table of %s rows was read whole %s times (%s rows)',
                  a.calls, a.name, round(a.milliseconds::numeric, 1), counted.rows::bigint, counted.whole,
                  counted.read),
           a.remedy
    from mmdb.index_advice(relation, seen.queries, seen.calls, seen.milliseconds) a;
    if not found then
      return query
      select format('filters of %s', relation), 'ok',
             format('read whole %s times (%s rows), by an index %s times',
                    counted.whole, counted.read, counted.by_index),
             case when not tracked then 'which columns filters name is seen with pg_stat_statements and '
                                        'pg_stat_statements.track = all' end
      where counted.whole > 0;
    end if;
  end loop;
end
$$;
comment on function mmdb.doctor_filters() is
  'What the server has counted of filtered searches in large tables, with the indexes that they lack.';
