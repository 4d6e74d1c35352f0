-- Declare, find, refresh and drop an embedding. The DDL runs with the rights of the caller, who must own the table;
-- only the entry in mmdb's own catalogue is written by mmdb's owner, guarded.

create or replace function mmdb.embedding_of(relation regclass, name text) returns mmdb.embeddings
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  made mmdb.embeddings;
begin
  select e.* into made from mmdb.embeddings e
  where e.relation = embedding_of.relation and e.name = embedding_of.name;
  if not found then
    raise exception 'table % has no embedding "%"', relation, name
      using errcode = 'undefined_object',
            hint = coalesce((select 'it has: ' || string_agg(quote_literal(e.name), ', ' order by e.name)
                             from mmdb.embeddings e where e.relation = embedding_of.relation),
                            format('declare one: select mmdb.add_embedding(%L, ''…'')', relation));
  end if;
  return made;
end
$$;
comment on function mmdb.embedding_of(regclass, text) is
  'The row of mmdb.embeddings, or an error that lists what the table has.';

-- session_user and not current_user: in a security definer function the latter is always mmdb's owner.
create or replace function mmdb.guard_owner(relation regclass) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  owner oid;
begin
  select c.relowner into owner from pg_class c where c.oid = relation;
  if owner is not null and not pg_has_role(session_user, owner, 'member') then
    raise exception 'must be owner of table %', relation
      using errcode = 'insufficient_privilege', hint = format('its owner is %s', owner::regrole);
  end if;
end
$$;
comment on function mmdb.guard_owner(regclass) is 'Refuse a session that could not act as the table''s owner.';

-- The row comes from the caller. Of its columns those that are spliced into SQL that others run, a superuser in `mmdb
-- init` among them, are believed only if the system catalogues say the same.
create or replace function mmdb.check_record(made mmdb.embeddings) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  -- The table may have moved to another schema since its functions were made.
  true_schema constant text := (select quote_ident(n.nspname) from pg_namespace n
                                where quote_ident(n.nspname) = made.function_schema);
  true_type text;
  true_source record;
begin
  select format_type(a.atttypid, a.atttypmod) into true_type
  from pg_attribute a
  where a.attrelid = made.relation and a.attnum = made.column_number and a.attname = made.column_name
    and not a.attisdropped
    and a.atttypid in ('@extschema:vector@.halfvec'::regtype, '@extschema:vector@.vector'::regtype);
  select s.* into true_source
  from mmdb.describe_sources(made.relation, mmdb.column_numbers(made.relation, made.sources), made.modality,
                             made.weights) s;
  perform mmdb.check_index_options(made.index_options);
  if (made.stale_column is null) <> (made.stale_number is null) or made.stale_column is not null and not exists (
       select from pg_attribute a where a.attrelid = made.relation and a.attnum = made.stale_number
                                    and a.attname = made.stale_column
         and a.atttypid = 'bool'::regtype and not a.attisdropped) then
    raise exception 'the record of embedding "%" does not fit table %', made.name, made.relation
      using errcode = 'insufficient_privilege', hint = 'mmdb.add_embedding and mmdb.refresh write it';
  elsif (made.function_schema, made.column_type, made.source_numbers, made.attached_to, made.by_uri,
         made.source_modalities, made.storage)
     is distinct from (true_schema, true_type, mmdb.column_numbers(made.relation, made.sources),
                       mmdb.attachment(made.relation), true_source.by_uri, true_source.modalities, 'column')
     or not exists (select from pg_class c where c.oid = made.relation and c.relkind in ('r', 'p'))
     or made.id > (select q.last_value from mmdb.embeddings_id_seq q)
     or exists (select from mmdb.embeddings e
                where e.id = made.id
                  and (e.weights, e.source_modalities) is distinct from (made.weights, made.source_modalities))
     or made.generation_of is not null and not exists (
       select from mmdb.embeddings e where e.id = made.generation_of and e.relation = made.relation
                                       and e.generation_of is null) then
    raise exception 'the record of embedding "%" does not fit table %', made.name, made.relation
      using errcode = 'insufficient_privilege', hint = 'mmdb.add_embedding and mmdb.refresh write it';
  end if;
end
$$;
comment on function mmdb.check_record(mmdb.embeddings) is
  'Refuse a row for the catalogue that says anything but what the table is.';

create or replace function mmdb.record_embedding(made mmdb.embeddings, pass uuid default null) returns mmdb.embeddings
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.guard_owner(made.relation);
  perform mmdb.check_record(made);
  if exists (select from mmdb.embeddings e where e.id = made.id and e.relation <> made.relation) then
    raise exception 'embedding % belongs to another table', made.id using errcode = 'insufficient_privilege';
  elsif not exists (select from mmdb.embeddings e where e.id = made.id)
        and made.pass_hash is distinct from sha256(convert_to(pass::text, 'UTF8')) then
    raise exception 'embedding % comes without its pass', made.id using errcode = 'insufficient_privilege';
  end if;
  insert into mmdb.embeddings select made.*
  on conflict (id) do update
    set (sources, source_numbers, source_expressions, column_name, column_number, column_type, prefix, function_schema,
         attached_to, index_options, column_place, stale_column, stale_number)
      = (excluded.sources, excluded.source_numbers, excluded.source_expressions, excluded.column_name,
         excluded.column_number, excluded.column_type, excluded.prefix, excluded.function_schema, excluded.attached_to,
         excluded.index_options, excluded.column_place, excluded.stale_column, excluded.stale_number);
  insert into mmdb.progress (embedding) values (made.id) on conflict do nothing;
  insert into mmdb.passes select made.id, pass where pass is not null on conflict do nothing;
  perform pg_notify('mmdb', '');
  return made;
end
$$;
comment on function mmdb.record_embedding(mmdb.embeddings, uuid) is
  'Enter an embedding into the catalogue, for the table''s owner only.';

create or replace function mmdb.forget_embedding(id bigint) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.guard_owner(c.oid) from mmdb.embeddings e join pg_class c on c.oid = e.relation
  where e.id = forget_embedding.id;
  if not found then
    raise exception 'embedding % belongs to no table', id
      using errcode = 'insufficient_privilege', hint = 'a worker cleans up after dropped tables';
  end if;
  delete from mmdb.embeddings e where e.id = forget_embedding.id;
end
$$;
comment on function mmdb.forget_embedding(bigint) is
  'Remove an embedding from the catalogue, for the table''s owner only; leases and progress go with it.';

-- Two sessions that declare or drop on one table take turns; readers and writers of the table are not held up.
create or replace function mmdb.lock_declarations(relation regclass) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pg_advisory_xact_lock(mmdb.worker_lock_class() + 1, relation::oid::bigint::bit(32)::integer) $$;
comment on function mmdb.lock_declarations(regclass) is 'One declaration at a time on a table.';

-- A search view lists every column of its table, so each new or dropped column concerns all of them.
create or replace function mmdb.remake_other_views(relation regclass, id bigint) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.make_search_views(mmdb.resolved(e))
  from mmdb.embeddings e
  where e.relation = remake_other_views.relation and e.id <> remake_other_views.id
$$;
comment on function mmdb.remake_other_views(regclass, bigint) is
  'The search views of a table''s other embeddings, made again after its columns changed.';

create or replace function mmdb.declare_embedding(made mmdb.embeddings, index boolean) returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  statement text;
  pass constant uuid := gen_random_uuid();
begin
  made.pass_hash := sha256(convert_to(pass::text, 'UTF8'));
  if made.adopted then
    perform mmdb.warn_of_adopted(made);
  else
    execute format('alter table %s add column %I %s', mmdb.relation_sql(made.relation), made.column_name,
                   made.column_type);
  end if;
  if made.stale_column is not null then
    execute format('alter table %s add column %I boolean not null default false', mmdb.relation_sql(made.relation),
                   made.stale_column);
    made.stale_number := (mmdb.column_numbers(made.relation, array[made.stale_column]))[1];
  end if;
  select a.attnum, format_type(a.atttypid, a.atttypmod) into made.column_number, made.column_type
  from pg_attribute a where a.attrelid = made.relation and a.attname = made.column_name;
  perform mmdb.make_trigger(made);
  perform mmdb.make_worker_functions(made);
  made := mmdb.record_embedding(made, pass);
  perform mmdb.make_search_views(made);
  if made.generation_of is null then
    perform mmdb.remake_other_views(made.relation, made.id);
    perform mmdb.make_table_functions(made.relation);
  end if;
  if index then
    for statement in select mmdb.index_statements(made.relation, made.name, concurrent => false) loop
      execute statement;
    end loop;
  end if;
  return made;
end
$$;
comment on function mmdb.declare_embedding(mmdb.embeddings, boolean) is
  'Make everything that a planned embedding consists of.';

create or replace function mmdb.add_embedding(
  relation regclass, sources text[], model text default null, modality text default null, name text default null,
  storage text default 'column', index boolean default true, prefix text default null, index_options jsonb default null,
  distance text default null, weights float8[] default null, on_change text default 'unset'
) returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
as $$
#variable_conflict use_variable
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  return mmdb.declare_embedding(
    mmdb.plan_on_change(
      mmdb.plan_embedding(relation, sources, model, modality, name, storage, prefix, index_options, distance, weights),
      on_change),
    index);
end
$$;
comment on function mmdb.add_embedding(
  regclass, text[], text, text, text, text, boolean, text, jsonb, text, float8[], text
) is
  'Declare an embedding over several columns. Without weights they are texts, and one source. With weights '
  '(''{0.7,0.3}'') each of them, text or bytea (an image), is embedded by itself, and the vector of a row is the '
  'weighted sum of their unit vectors, of unit length again; sources that are NULL, and empty texts beside another '
  'source, are left out. See add_embedding(regclass, text, …).';

create or replace function mmdb.add_embedding(
  relation regclass, source text, model text default null, modality text default null, name text default null,
  storage text default 'column', index boolean default true, prefix text default null, index_options jsonb default null,
  distance text default null, weights float8[] default null, on_change text default 'unset'
) returns mmdb.embeddings
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select a.* from mmdb.add_embedding(
    relation, array[source], model, modality, name, storage, index, prefix, index_options, distance,
    weights, on_change) a
$$;
comment on function mmdb.add_embedding(
  regclass, text, text, text, text, text, boolean, text, jsonb, text, float8[], text
) is
  'Declare an embedding: adds the column NAME_embedding to the table, a trigger that unsets it when the source '
  'changes, the search views T_by_NAME, and the indexes; existing rows are pending and a worker fills them. Source: '
  'bytea (an image), text, or with modality => ''image'' text that holds a URI. Building the indexes blocks writers '
  'of the table; index => false leaves them to `mmdb add`, which builds them concurrently. Name: the source''s unless '
  'given. Prefix: stands for the table in function names. Index_options: m and ef_construction of the HNSW index, '
  '{"quantization": "binary"} for one of signs, which serves the functions that are told k, or {"type": "none"} for '
  'no HNSW index. Distance: refuse a model that has another one. On_change: what becomes of the vector of a row whose '
  'source changed: unset (the row is not found until it is embedded again), or keep (it is found by the old vector '
  'until then, and marked in the column NAME_stale).';

create or replace function mmdb.drop_embedding(relation regclass, name text, if_exists boolean default false)
returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  made mmdb.embeddings;
  pending regclass;
  made_function regprocedure;
begin
  if if_exists and not exists (select from mmdb.embeddings e
                               where e.relation = drop_embedding.relation and e.name = drop_embedding.name) then
    return;
  end if;
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  made := mmdb.embedding_of(relation, name);
  select c.* into made.column_name, made.stale_column from mmdb.columns_now(made) c;
  perform mmdb.drop_embedding(e.relation, e.name) from mmdb.embeddings e where e.generation_of = made.id;
  pending := mmdb.serving_index(made, relation, 'pending');
  execute format('drop trigger if exists %I on %s', mmdb.trigger_name(made.id), mmdb.relation_sql(relation));
  for made_function in select p.oid::regprocedure from pg_proc p where mmdb.is_made_by(p.oid, made.id) loop
    execute format('drop function %s', made_function);
  end loop;
  if made.adopted and pending is not null then
    execute format('drop index %s', pending);
  elsif not made.adopted and made.column_name is not null then
    execute format('alter table %s drop column if exists %I', mmdb.relation_sql(relation), made.column_name);
  end if;
  if made.stale_column is not null then
    execute format('alter table %s drop column if exists %I', mmdb.relation_sql(relation), made.stale_column);
  end if;
  perform mmdb.forget_embedding(made.id);
  if made.generation_of is null then
    perform mmdb.remake_other_views(relation, made.id);
    perform mmdb.make_table_functions(relation);
  end if;
end
$$;
comment on function mmdb.drop_embedding(regclass, text, boolean) is
  'Remove an embedding: its column (unless it was there before), trigger, indexes and functions. The rest of the '
  'table is as it was. The worker''s role keeps USAGE of the schema, which it may have had before; `mmdb uninstall` '
  'revokes it. If_exists: do nothing where there is no such embedding.';

create or replace function mmdb.refresh(relation regclass) returns setof mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
as $$
declare
  made mmdb.embeddings;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  for made in select e.* from mmdb.embeddings e where e.relation = refresh.relation order by e.id loop
    made := mmdb.resolved(made);
    -- While the trigger did not guard the sources they may have changed unseen: all rows are pending.
    if mmdb.trigger_drift(made) is not null then
      perform mmdb.unset_all(made);
      made.source_expressions := mmdb.source_expressions(relation, made.source_numbers);
    end if;
    perform mmdb.make_trigger(made);
    perform mmdb.make_worker_functions(made);
    return next mmdb.record_embedding(made);
  end loop;
  -- Only now that all are recorded: the columns that a search shows depend on the numbers of all of them.
  perform mmdb.make_search_views(e) from mmdb.embeddings e where e.relation = refresh.relation order by e.id;
  perform mmdb.make_table_functions(relation);
end
$$;
comment on function mmdb.refresh(regclass) is
  'Make the functions and triggers of a table''s embeddings again, after columns were added, renamed or dropped, or '
  'the table renamed. Grants on the search views are kept. Where the trigger was missing or could be passed by, all '
  'rows are embedded again.';
