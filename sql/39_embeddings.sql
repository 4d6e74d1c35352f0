-- Declare, find, refresh and drop an embedding. The DDL runs with the rights of the caller, who must own the table;
-- only the entry in mmdb's own catalogue is written by mmdb's owner, guarded.
--
-- What these functions write is compared later with what another session would write (sql/50_drift.sql): all that
-- writes or compares it pins the settings by which names and bytes are written.

create or replace function mmdb.embedding_of(relation regclass, name text) returns mmdb.embeddings
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  declared mmdb.embeddings;
begin
  select e.* into declared from mmdb.embeddings e
  where e.relation = embedding_of.relation and e.name = embedding_of.name;
  if not found then
    raise exception 'table % has no embedding "%"', relation, name
      using errcode = 'undefined_object',
            hint = coalesce((select 'it has: ' || string_agg(quote_literal(e.name), ', ' order by e.name)
                             from mmdb.embeddings e where e.relation = embedding_of.relation),
                            format('declare one: select mmdb.add_embedding(%L, ''…'')', relation));
  end if;
  return declared;
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
create or replace function mmdb.check_record(declared mmdb.embeddings) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  -- The table may have moved to another schema since its functions were made.
  true_schema constant text := (select quote_ident(n.nspname) from pg_namespace n
                                where quote_ident(n.nspname) = declared.function_schema);
  true_column record;
  true_source record;
begin
  select format_type(a.atttypid, a.atttypmod) as type, t.typname::text as vector_type, a.atttypmod as dimensions
  into true_column
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  where a.attrelid = declared.relation and a.attnum = declared.column_number and a.attname = declared.column_name
    and not a.attisdropped
    and a.atttypid in ('@extschema:vector@.halfvec'::regtype, '@extschema:vector@.vector'::regtype);
  select s.* into true_source
  from mmdb.describe_sources(declared.relation, mmdb.column_numbers(declared.relation, declared.sources),
                             declared.modality, declared.weights) s;
  perform mmdb.check_index_options(declared.index_options);
  perform mmdb.check_declaration(declared.options);
  if (declared.stale_column is null) <> (declared.stale_number is null)
     or declared.stale_column is not null and not exists (
       select from pg_attribute a
       where a.attrelid = declared.relation and a.attnum = declared.stale_number and a.attname = declared.stale_column
         and a.atttypid = 'bool'::regtype and not a.attisdropped) then
    raise exception 'the record of embedding "%" does not fit table %', declared.name, declared.relation
      using errcode = 'insufficient_privilege', hint = 'mmdb.add_embedding and mmdb.refresh write it';
  elsif (declared.function_schema, declared.relation_name, declared.column_type, declared.vector_type,
         declared.dimensions, declared.source_numbers, declared.attached_to, declared.by_uri,
         declared.source_modalities, declared.storage)
     is distinct from (true_schema, mmdb.relation_sql(declared.relation), true_column.type, true_column.vector_type,
                       true_column.dimensions, mmdb.column_numbers(declared.relation, declared.sources),
                       mmdb.attachment(declared.relation), true_source.by_uri, true_source.modalities, 'column')
     or not exists (select from pg_class c where c.oid = declared.relation and c.relkind in ('r', 'p'))
     or declared.id > (select q.last_value from mmdb.embeddings_id_seq q)
     or declared.options is distinct from mmdb.other_options(declared.options)
     or exists (select from mmdb.embeddings e
                where e.id = declared.id
                  and (e.weights, e.source_modalities) is distinct from (declared.weights, declared.source_modalities))
     or declared.generation_of is not null and not exists (
       select from mmdb.embeddings e where e.id = declared.generation_of and e.relation = declared.relation
                                       and e.generation_of is null) then
    raise exception 'the record of embedding "%" does not fit table %', declared.name, declared.relation
      using errcode = 'insufficient_privilege', hint = 'mmdb.add_embedding and mmdb.refresh write it';
  end if;
end
$$;
comment on function mmdb.check_record(mmdb.embeddings) is
  'Refuse a row for the catalogue that says anything but what the table is.';

create or replace function mmdb.record_embedding(declared mmdb.embeddings, pass uuid default null)
returns mmdb.embeddings
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.guard_owner(declared.relation);
  perform mmdb.check_record(declared);
  if exists (select from mmdb.embeddings e where e.id = declared.id and e.relation <> declared.relation) then
    raise exception 'embedding % belongs to another table', declared.id using errcode = 'insufficient_privilege';
  elsif not exists (select from mmdb.embeddings e where e.id = declared.id)
        and declared.pass_hash is distinct from sha256(convert_to(pass::text, 'UTF8')) then
    raise exception 'embedding % comes without its pass', declared.id using errcode = 'insufficient_privilege';
  end if;
  declared.known_triggers := array(select t.trigger from mmdb.partition_triggers(declared) t);
  insert into mmdb.embeddings select declared.*
  on conflict (id) do update
    set (sources, source_numbers, source_expressions, column_name, column_number, column_type, vector_type, dimensions,
         relation_name, prefix, function_schema,
         attached_to, index_options, column_place, stale_column, stale_number, known_triggers)
      = (excluded.sources, excluded.source_numbers, excluded.source_expressions, excluded.column_name,
         excluded.column_number, excluded.column_type, excluded.vector_type, excluded.dimensions,
         excluded.relation_name, excluded.prefix, excluded.function_schema, excluded.attached_to,
         excluded.index_options, excluded.column_place, excluded.stale_column, excluded.stale_number,
         excluded.known_triggers);
  -- Asked first: in a serializable transaction a conflict with what a worker has noted since is an error.
  insert into mmdb.progress (embedding) select declared.id
  where not exists (select from mmdb.progress p where p.embedding = declared.id) on conflict do nothing;
  insert into mmdb.passes select declared.id, pass where pass is not null on conflict do nothing;
  perform pg_notify('mmdb', '');
  return declared;
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

create or replace function mmdb.declare_embedding(declared mmdb.embeddings, index boolean) returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
as $$
declare
  statement text;
  pass constant uuid := gen_random_uuid();
begin
  declared.pass_hash := sha256(convert_to(pass::text, 'UTF8'));
  if declared.adopted then
    perform mmdb.warn_of_adopted(declared);
  end if;
  declared := mmdb.make_storage(declared);
  perform mmdb.make_trigger(declared);
  perform mmdb.make_worker_functions(declared);
  declared := mmdb.record_embedding(declared, pass);
  perform mmdb.make_search_views(declared);
  if declared.generation_of is null then
    perform mmdb.remake_other_views(declared.relation, declared.id);
    perform mmdb.make_table_functions(declared.relation);
  end if;
  if index then
    for statement in select mmdb.index_statements(declared.relation, declared.name, concurrent => false) loop
      execute statement;
    end loop;
  end if;
  return declared;
end
$$;
comment on function mmdb.declare_embedding(mmdb.embeddings, boolean) is
  'Make everything that a planned embedding consists of.';

create or replace function mmdb.add_embedding(relation regclass, declaration jsonb, index boolean default true)
returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off set bytea_output = 'hex'
as $$
declare
  declared mmdb.embeddings;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  declared := mmdb.declare_embedding(mmdb.plan_embedding(relation, mmdb.check_declaration(declaration)), index);
  perform mmdb.note_triggers(declared);
  return declared;
end
$$;
comment on function mmdb.add_embedding(regclass, jsonb, boolean) is
  'Declare an embedding by one value, as programs do: {"sources": ["title", "photo"], "weights": [0.7, 0.3]}. '
  'mmdb.declaration_options() has the options: they are the parameters of add_embedding(regclass, text, …).';

create or replace function mmdb.add_embedding(
  relation regclass, sources text[], model text default null, modality text default null, name text default null,
  storage text default 'column', index boolean default true, prefix text default null, index_options jsonb default null,
  distance text default null, weights float8[] default null, on_change text default 'unset',
  columns text default 'all'
) returns mmdb.embeddings
language sql volatile security invoker
set search_path = pg_catalog, pg_temp set extra_float_digits = 1
as $$
  select a.* from mmdb.add_embedding(relation, jsonb_build_object(
    'sources', sources, 'model', model, 'modality', modality, 'name', name, 'storage', storage, 'prefix', prefix,
    'index_options', index_options, 'distance', distance, 'weights', weights, 'on_change', on_change,
    'columns', columns), index) a
$$;
comment on function mmdb.add_embedding(
  regclass, text[], text, text, text, text, boolean, text, jsonb, text, float8[], text, text
) is
  'Declare an embedding over several columns. Without weights they are texts, and one source. With weights '
  '(''{0.7,0.3}'') each of them, text or bytea (an image), is embedded by itself, and the vector of a row is the '
  'weighted sum of their unit vectors, of unit length again; sources that are NULL, and empty texts beside another '
  'source, are left out. See add_embedding(regclass, text, …).';

create or replace function mmdb.add_embedding(
  relation regclass, source text, model text default null, modality text default null, name text default null,
  storage text default 'column', index boolean default true, prefix text default null, index_options jsonb default null,
  distance text default null, weights float8[] default null, on_change text default 'unset',
  columns text default 'all'
) returns mmdb.embeddings
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select a.* from mmdb.add_embedding(
    relation, array[source], model, modality, name, storage, index, prefix, index_options, distance,
    weights, on_change, columns) a
$$;
comment on function mmdb.add_embedding(
  regclass, text, text, text, text, text, boolean, text, jsonb, text, float8[], text, text
) is
  'Declare an embedding: adds the column NAME_embedding to the table, a trigger that unsets it when the source '
  'changes, the search views T_by_NAME, and the indexes; existing rows are pending and a worker fills them. Source: '
  'bytea (an image), text, an array of texts, an enum, or with modality => ''image'' text that holds a URI. '
  'Building the indexes blocks writers of the table; index => false leaves them to `mmdb add`, which builds them '
  'concurrently. Name: the source''s unless given. Prefix: stands for the table in function names. Index_options: m '
  'and ef_construction of the HNSW index, {"quantization": "binary"} for one of signs, which serves the functions '
  'that are told k, or {"type": "none"} for no HNSW index. Distance: refuse a model that has another one. '
  'On_change: what becomes of the vector of a row whose source changed: unset (the row is not found until it is '
  'embedded again), or keep (it is found by the old vector until then, and marked in the column NAME_stale). '
  'Columns: what the table''s search functions return of a row: all, or without vectors (this embedding''s is left '
  'out, for tools that have no use for it).';

create or replace function mmdb.drop_embedding(relation regclass, name text, if_exists boolean default false)
returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
declare
  declared mmdb.embeddings;
  made_function regprocedure;
begin
  if if_exists and not exists (select from mmdb.embeddings e
                               where e.relation = drop_embedding.relation and e.name = drop_embedding.name) then
    return;
  end if;
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  declared := mmdb.embedding_of(relation, name);
  select c.* into declared.column_name, declared.stale_column from mmdb.columns_now(declared) c;
  perform mmdb.drop_embedding(e.relation, e.name) from mmdb.embeddings e where e.generation_of = declared.id;
  -- Before the table is locked: a store has its leases first and then the table, and no lease comes after this.
  perform mmdb.forget_embedding(declared.id);
  execute format('drop trigger if exists %I on %s', mmdb.trigger_name(declared.id), mmdb.relation_sql(relation));
  for made_function in select p.oid::regprocedure from mmdb.functions_at_hand(declared) p loop
    perform mmdb.drop_function(made_function);
  end loop;
  perform mmdb.drop_storage(declared);
  if declared.generation_of is null then
    perform mmdb.remake_other_views(relation, declared.id);
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
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
declare
  declared mmdb.embeddings;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  perform mmdb.follow_table(relation);
  for declared in select e.* from mmdb.embeddings e where e.relation = refresh.relation order by e.id loop
    declared := mmdb.named_after_table(mmdb.resolved(declared));
    -- While the trigger did not guard the sources they may have changed unseen: all rows are pending.
    if mmdb.trigger_drift(declared) is not null then
      perform mmdb.unset_all(declared);
      declared.source_expressions := mmdb.source_expressions(relation, declared.source_numbers);
    end if;
    perform mmdb.make_trigger(declared);
    perform mmdb.make_worker_functions(declared);
    return next mmdb.record_embedding(declared);
  end loop;
  -- Only now that all are recorded: the columns that a search shows depend on the numbers of all of them.
  perform mmdb.make_search_views(e) from mmdb.embeddings e where e.relation = refresh.relation order by e.id;
  perform mmdb.make_table_functions(relation);
  perform mmdb.refresh_namesakes(relation);
end
$$;
comment on function mmdb.refresh(regclass) is
  'Make the functions and triggers of a table''s embeddings again, after columns were added, renamed or dropped, or '
  'the table renamed. Grants on the search functions are kept, and so are views over them unless their columns '
  'changed. The functions of a table that was renamed or moved are called after its new name, unless a prefix was '
  'given. Where the trigger was missing or could be passed by, all rows are embedded again; those of a partition '
  'that was attached with vectors too.';
