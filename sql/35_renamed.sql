-- A table that was renamed or moved takes along what is called after it. Left behind, its functions would answer under
-- the name of a table that has come into its place, as where two tables are swapped.

-- A prefix that was given stays as it is: it is told by not being the name that the table had.
create or replace function mmdb.named_after_table(declared mmdb.embeddings) returns mmdb.embeddings
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  former constant text[] := parse_ident(nullif(declared.relation_name, ''));
begin
  select case when declared.prefix = former[2] then c.relname else declared.prefix end,
         case when declared.function_schema = quote_ident(former[1]) then quote_ident(n.nspname)
              else declared.function_schema end,
         mmdb.relation_sql(declared.relation)
  into declared.prefix, declared.function_schema, declared.relation_name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = declared.relation;
  return declared;
end
$$;
comment on function mmdb.named_after_table(mmdb.embeddings) is
  'The embedding with the prefix and the schema of functions that go with the name which its table has now.';

create or replace function mmdb.is_renamed(declared mmdb.embeddings) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select (n.prefix, n.function_schema) is distinct from (declared.prefix, declared.function_schema)
  from mmdb.named_after_table(declared) n
$$;
comment on function mmdb.is_renamed(mmdb.embeddings) is
  'Whether the functions of an embedding have the name that its table had before.';

create or replace function mmdb.function_names(declared mmdb.embeddings) returns text[]
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array[mmdb.search_name(declared.prefix, declared.name), mmdb.top_name(declared.prefix, declared.name)]
         || array(select declared.prefix || '_' || v from unnest(mmdb.table_verbs()) v)
$$;
comment on function mmdb.function_names(mmdb.embeddings) is
  'What the functions are called by which an embedding and its table are searched.';

-- Two tables that were swapped have each other's names: the other one's functions follow it first.
create or replace function mmdb.give_way(planned mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  other regclass;
begin
  for other in
    select distinct e.relation
    from pg_proc p
    join mmdb.embeddings e on e.id = mmdb.made_for_id(p.oid)
    join pg_class c on c.oid = e.relation
    where p.pronamespace = to_regnamespace(planned.function_schema) and p.proname = any(mmdb.function_names(planned))
      and e.relation <> planned.relation and mmdb.is_renamed(e)
  loop
    if not (select pg_has_role(c.relowner, 'usage') from pg_class c where c.oid = other) then
      raise exception 'the functions of table % have the names of those of table %, as it was renamed', other,
                      planned.relation
        using errcode = 'duplicate_function',
              hint = format('have the owner of %s run: select mmdb.refresh(%L)', other, other);
    end if;
    perform mmdb.refresh(other);
  end loop;
end
$$;
comment on function mmdb.give_way(mmdb.embeddings) is
  'Have the functions of renamed tables follow these where they have the names of functions that are to be made.';

-- Until then the functions of that table, wherever they stand, name this one.
create or replace function mmdb.refresh_namesakes(relation regclass) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.refresh(o.relation)
  from (select distinct e.relation from mmdb.embeddings e join pg_class c on c.oid = e.relation
        where e.relation <> refresh_namesakes.relation and pg_has_role(c.relowner, 'usage')
          and e.relation_name = mmdb.relation_sql(refresh_namesakes.relation)
          -- One whose functions are set aside is being refreshed: it is why this table is.
          and not exists (select from pg_proc p where starts_with(p.proname, '~mmdb_')
                                                  and mmdb.is_made_by(p.oid, e.id))) o
$$;
comment on function mmdb.refresh_namesakes(regclass) is
  'Refresh tables of the caller''s that had the name of this one when their functions were made.';

-- The functions are renamed and not made anew, so that grants and views over them stay.
create or replace function mmdb.follow_table(relation regclass) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  declared mmdb.embeddings;
  now_called mmdb.embeddings;
  made record;
  objects oid[] := '{}';
  names text[] := '{}';
begin
  -- All are set aside first: the names that are wanted may be those of a table that wants theirs.
  for declared in select e.* from mmdb.embeddings e where e.relation = follow_table.relation and mmdb.is_renamed(e) loop
    now_called := mmdb.named_after_table(declared);
    for made in select f.* from mmdb.functions_to_rename(declared, now_called) f loop
      perform mmdb.set_aside(made.function, now_called.function_schema);
      objects := objects || made.function::oid;
      names := names || made.name;
    end loop;
    for made in select i.* from mmdb.indexes_to_rename(declared, now_called) i loop
      execute format('alter index %s rename to %I', made.index, format('~mmdb_%s', made.index::oid));
      objects := objects || made.index::oid;
      names := names || made.name;
    end loop;
  end loop;
  for declared in select e.* from mmdb.embeddings e where e.relation = follow_table.relation and mmdb.is_renamed(e) loop
    now_called := mmdb.named_after_table(declared);
    perform mmdb.give_way(now_called);
    perform mmdb.check_names(now_called);
  end loop;
  perform mmdb.rename_made(o.object, o.name) from unnest(objects, names) o(object, name);
end
$$;
comment on function mmdb.follow_table(regclass) is
  'Call the functions and indexes of a table''s embeddings after the name that it has now.';

create or replace function mmdb.functions_to_rename(
  declared mmdb.embeddings, now_called mmdb.embeddings, out function regprocedure, out name text
) returns setof record
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select p.oid, case when starts_with(p.proname, declared.prefix || '_') and not p.prosecdef
                     then now_called.prefix || substr(p.proname, length(declared.prefix) + 1)
                     else p.proname end
  from mmdb.functions_at_hand(declared) p
  where p.proname = any(mmdb.function_names(declared) || array(select format('mmdb_%s_%s', v, declared.id)
                                                               from unnest(mmdb.worker_verbs(declared.kind)) v))
$$;
comment on function mmdb.functions_to_rename(mmdb.embeddings, mmdb.embeddings) is
  'The functions of an embedding with the names that they are to have.';

create or replace function mmdb.indexes_to_rename(
  declared mmdb.embeddings, now_called mmdb.embeddings, out index regclass, out name text
) returns setof record
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select i.indexrelid, mmdb.index_name(now_called, k.kind)
  from (values ('pending'), ('hnsw')) k(kind)
  join pg_index i on i.indrelid = mmdb.indexed_relation(declared)
  join pg_class c on c.oid = i.indexrelid and c.relname = mmdb.index_name(declared, k.kind)
$$;
comment on function mmdb.indexes_to_rename(mmdb.embeddings, mmdb.embeddings) is
  'The indexes that mmdb named, with the names that they are to have.';

create or replace function mmdb.set_aside(function regprocedure, schema_name text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('alter function %s rename to %I', function, format('~mmdb_%s', function::oid));
  if (select p.pronamespace <> schema_name::regnamespace from pg_proc p where p.oid = function) then
    execute format('alter function %s set schema %s', function, schema_name);
  end if;
end
$$;
comment on function mmdb.set_aside(regprocedure, text) is
  'Move a function to a schema, under a name that nothing else has.';

create or replace function mmdb.rename_made(object oid, name text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  home constant text := (select format('%I', n.nspname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
                         where c.oid = object and c.relname = format('~mmdb_%s', object));
begin
  if home is null then
    execute format('alter function %s rename to %I', object::regprocedure, name);
  else
    -- An index needs no certain name.
    execute format('alter index %s rename to %I', object::regclass,
                   case when to_regclass(format('%s.%I', home, name)) is null then name
                        else format('%s_%s', left(name, 30), object) end);
  end if;
end
$$;
comment on function mmdb.rename_made(oid, text) is 'Give a function or an index that was set aside its name.';
