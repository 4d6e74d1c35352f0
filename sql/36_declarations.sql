-- What is declared, for tools that compare it with something else: Alembic's autogenerate, the command line.

create or replace function mmdb.declarations()
returns table (
  schema text, relation_name text, name text, sources text[], column_name text, column_type text, model text, modality text,
  prefix text, index_options jsonb, pending_index text
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  made mmdb.embeddings;
begin
  for made in select e.* from mmdb.embeddings e join pg_class c on c.oid = e.relation order by e.id loop
    begin
      made := mmdb.resolved(made);
    exception when undefined_column then
      null;  -- as it was declared: mmdb.status says what is missing
    end;
    return query
    select n.nspname::text, c.relname::text, made.name, made.sources, made.column_name, made.column_type, made.model, made.modality,
           made.prefix, made.index_options,
           (select i.relname::text from pg_class i where i.oid = mmdb.serving_index(made, made.relation, 'pending'))
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = made.relation;
  end loop;
end
$$;
comment on function mmdb.declarations() is 'Every declared embedding with the names that its table and columns have now.';
