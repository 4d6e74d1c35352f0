-- What is declared, for tools that compare it with something else: Alembic's autogenerate, the command line.

create or replace function mmdb.declarations()
returns table (
  schema text, relation_name text, name text, sources text[], column_name text, column_type text, model text,
  modality text,
  prefix text, index_options jsonb, weights float8[], on_change text
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  made mmdb.embeddings;
begin
  for made in
    select e.* from mmdb.embeddings e join pg_class c on c.oid = e.relation
    where e.generation_of is null
    order by e.id
  loop
    begin
      made := mmdb.resolved(made);
    exception when undefined_column then
      null;  -- as it was declared: mmdb.status says what is missing
    end;
    return query
    select n.nspname::text, c.relname::text, made.name, made.sources, made.column_name, made.column_type, made.model,
           made.modality, made.prefix, made.index_options, made.weights, mmdb.on_change(made)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = made.relation;
  end loop;
end
$$;
comment on function mmdb.declarations() is
  'Every declared embedding with the names that its table and columns have now.';

create or replace function mmdb.own_indexes() returns table (schema text, name text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select n.nspname::text, i.relname::text
  from (
    select mmdb.serving_index(e, e.relation, 'pending') from mmdb.embeddings e join pg_class c on c.oid = e.relation
    union all
    select mmdb.serving_index(e, e.relation, 'hnsw') from mmdb.embeddings e join pg_class c on c.oid = e.relation
    where e.generation_of is not null
    union all
    select x.indexrelid from mmdb.keywords w join pg_index x on x.indrelid = w.relation
    join pg_class c on c.oid = x.indexrelid
    where c.relname = w.index_name
  ) made(oid)
  join pg_class i on i.oid = made.oid
  join pg_namespace n on n.oid = i.relnamespace
$$;
comment on function mmdb.own_indexes() is
  'The indexes that mmdb made for itself: of pending rows, of keywords, of generations that do not serve.';

create or replace function mmdb.own_columns() returns table (schema text, relation_name text, name text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
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
