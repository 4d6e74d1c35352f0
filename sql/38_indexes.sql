-- What makes a row found: an index of the pending rows for the worker, and one of the vectors for searches.

create or replace function mmdb.index_name(declared mmdb.embeddings, kind text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select mmdb.short_name(format('%s_%s_%s', declared.prefix, declared.name, kind), declared.id) $$;
comment on function mmdb.index_name(mmdb.embeddings, text) is 'The name of an embedding''s index: pending or hnsw.';

create or replace function mmdb.storage_parameters(options jsonb) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(' with (' || string_agg(format('%I = %s', o.key, o.value::integer), ', ' order by o.key) || ')', '')
  from jsonb_each_text(options - array['type', 'quantization']) o
$$;
comment on function mmdb.storage_parameters(jsonb) is
  'The storage parameters of an HNSW index as a clause of create index.';

create or replace function mmdb.index_definition(declared mmdb.embeddings, kind text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.indexed_sql(declared, kind)
         || case kind when 'hnsw' then mmdb.storage_parameters(declared.index_options) else '' end
$$;
comment on function mmdb.index_definition(mmdb.embeddings, text) is 'What stands behind "create index … on T".';

-- An index that serves may have been made by anybody: it is known by its condition, an HNSW index by its column.
create or replace function mmdb.serving_index(declared mmdb.embeddings, kind text) returns regclass
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select i.indexrelid::regclass
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
  join pg_am m on m.oid = c.relam
  join pg_attribute a on a.attrelid = i.indrelid and a.attname = declared.column_name
  where i.indrelid = mmdb.indexed_relation(declared) and i.indisvalid
    and case when kind = 'pending' then m.amname = 'btree'
               and position(format('(%I IS NULL)', a.attname) in pg_get_expr(i.indpred, i.indrelid)) > 0
             else m.amname = 'hnsw' and i.indpred is null
               and i.indkey[0] = case when mmdb.is_quantized(declared) then 0 else a.attnum end end
    and exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                  and d.refobjid = i.indrelid and d.refobjsubid = a.attnum)
  order by i.indexrelid limit 1
$$;
comment on function mmdb.serving_index(mmdb.embeddings, text) is
  'A valid index that serves this embedding, NULL where there is none.';

create or replace function mmdb.index_statements(relation regclass, name text, concurrent boolean default true)
returns setof text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
declare
  declared constant mmdb.embeddings := mmdb.embedding_of(relation, name);
  indexed constant regclass := mmdb.indexed_relation(declared);
  kind text;
begin
  foreach kind in array array['pending', 'hnsw'] loop
    if mmdb.serving_index(declared, kind) is not null
       or (kind = 'hnsw' and declared.index_options ->> 'type' = 'none') then
      continue;
    elsif concurrent and (select c.relkind = 'p' from pg_class c where c.oid = indexed) then
      return query select mmdb.partition_index_statements(declared, kind);
    elsif concurrent then
      return query select * from unnest(array[
        format('drop index concurrently if exists %s.%I', declared.function_schema, mmdb.index_name(declared, kind)),
        format('create index concurrently %I on %s %s', mmdb.index_name(declared, kind),
               mmdb.relation_sql(indexed), mmdb.index_definition(declared, kind))]);
    else
      -- An index that was left by an earlier declaration, with other options, over a column that it had adopted.
      return query select format('drop index %s.%I', declared.function_schema, c.relname)
      from pg_index i join pg_class c on c.oid = i.indexrelid
      where i.indrelid = indexed and c.relname = mmdb.index_name(declared, kind);
      return next format('create index %I on %s %s', mmdb.index_name(declared, kind),
                         mmdb.relation_sql(indexed), mmdb.index_definition(declared, kind));
    end if;
  end loop;
end
$$;
comment on function mmdb.index_statements(regclass, text, boolean) is
  'The statements that build the missing indexes of an embedding; with concurrent (the default) each is to be run by '
  'itself, outside a transaction, and blocks no writer. `mmdb add` runs them.';

-- PostgreSQL builds no index of a partitioned table concurrently. So an invalid index is made on the parent alone, and
-- one concurrently on each leaf, which is attached to it; the parent's turns valid with the last of them.
create or replace function mmdb.partition_index_statements(declared mmdb.embeddings, kind text) returns setof text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with tree as (
    select t.relid, t.parentrelid, t.isleaf, t.level, n.nspname,
           mmdb.short_name(format('%s_%s', mmdb.index_name(declared, kind), case when t.level > 0 then c.relname end),
                           c.oid::bigint) as leaf_name,
           mmdb.index_name(declared, kind) as root_name
    from pg_partition_tree(mmdb.indexed_relation(declared)) t
    join pg_class c on c.oid = t.relid
    join pg_namespace n on n.oid = c.relnamespace
  ), named as (
    select t.*, case when t.level = 0 then t.root_name else t.leaf_name end as index_name from tree t
  ), statements(place, level, statement) as (
    select 1, n.level, format('drop index if exists %I.%I', n.nspname, n.index_name) from named n where n.level = 0
    union all
    select 2, n.level, format('create index %I on only %s %s', n.index_name, mmdb.relation_sql(n.relid),
                              mmdb.index_definition(declared, kind))
    from named n where not n.isleaf
    union all
    select 3, n.level, format('drop index concurrently if exists %I.%I', n.nspname, n.index_name) from named n
    where n.isleaf and n.level > 0
    union all
    select 4, n.level, format('create index concurrently %I on %s %s', n.index_name, mmdb.relation_sql(n.relid),
                              mmdb.index_definition(declared, kind))
    from named n where n.isleaf and n.level > 0
    union all
    select 5, -n.level, format('alter index %I.%I attach partition %I.%I', u.nspname, u.index_name,
                               n.nspname, n.index_name)
    from named n join named u on u.relid = n.parentrelid where n.level > 0
  )
  select s.statement from statements s order by s.place, s.level
$$;
comment on function mmdb.partition_index_statements(mmdb.embeddings, text) is
  'The statements that build an index partition by partition.';
