-- The functions that mmdb makes for the worker, a set for each embedding: pending, load, store, count, clean.
--
-- They run as the table's owner (security definer), so that the worker needs no right on business tables and a table's
-- own triggers never run as the worker. Everything in them is qualified.
--
-- They ask for a pass, whose hash stands in them: the code of an owner that gets hold of a worker's session can call
-- the functions of its own tables and of no others.

create or replace function mmdb.worker_function(declared mmdb.embeddings, verb text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('%s.mmdb_%s_%s', declared.function_schema, verb, declared.id) $$;
comment on function mmdb.worker_function(mmdb.embeddings, text) is
  'The qualified name of a function made for the worker: pending, load, store, count, clean.';

create or replace function mmdb.worker_verbs(kind text) returns text[]
language sql immutable security invoker
as $$ select case kind when 'embedding' then array['pending', 'load', 'store', 'count', 'clean'] end $$;
comment on function mmdb.worker_verbs(text) is 'The functions that are made for the worker, for a kind of derivation.';

create or replace function mmdb.pass_template() returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  select $body$
  if sha256(convert_to(pass::text, 'UTF8')) is distinct from {pass_hash} then
    raise exception 'this is not the pass of embedding %', {id} using errcode = 'insufficient_privilege';
  end if;$body$
$outer$;
comment on function mmdb.pass_template() is 'The statement by which a generated function asks for its pass.';

create or replace function mmdb.pending_template() returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  select $body$
begin{pass}
  if after is null then
    return query select {key}, {state} from {rows}
      where {pending} order by {ordering} limit count;
  else
    return query select {key}, {state} from {rows}
      where {pending} and {later} order by {ordering} limit count;
  end if;
end
$body$
$outer$;
comment on function mmdb.pending_template() is 'Page through the pending rows in key order, along the partial index.';

create or replace function mmdb.load_template() returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  select $body$
begin{pass}
  return query select k.key, {state}, octet_length(s.content)::bigint,
         case when octet_length(s.content) <= max_bytes then {text} end,
         case when octet_length(s.content) <= max_bytes then {bytes} end
  from unnest(keys) k(key)
  join {rows} on {matches}
  cross join lateral (select {content}) s(content)
  where {pending};
end
$body$
$outer$;
comment on function mmdb.load_template() is
  'The sources of some pending rows; those over the limit come without content.';

-- A row for each source, NULLs too, so that the worker tells them apart by their order; each has a limit of its own.
create or replace function mmdb.weighted_load_template() returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  select $body$
begin{pass}
  return query select k.key, {state}, coalesce(octet_length(s.data), octet_length(s.content))::bigint,
         case when octet_length(s.content) <= max_bytes[s.place] then s.content end,
         case when octet_length(s.data) <= max_bytes[s.place] then s.data end
  from unnest(keys) with ordinality k(key, number)
  join {rows} on {matches}
  cross join lateral (values {weighted}) s(place, content, data)
  where {pending}
  order by k.number, s.place;
end
$body$
$outer$;
comment on function mmdb.weighted_load_template() is
  'The sources of some pending rows, each by itself; those over their limit come without content.';

-- The rows are locked by a statement of their own, because the next one must see them as the locks found them; of a row
-- that somebody has just changed it looks at the new version. Nobody waits: a locked row is passed over and stays
-- pending, and our own locks last for this statement alone.
--
-- A table's own triggers and rules may suppress the update, undo it or rewrite the source, and then the row is not what
-- was embedded: with them there is a look at what became of it. A row that was rewritten is pending again; one that is
-- rewritten by the update which says so too would be embedded without end.
create or replace function mmdb.store_template() returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  select $body$
declare
  has_code constant boolean := {has_code};
  held text[];
  wanted text[];
  rewritten text[];
  rewritten_to bytea[];
begin{pass}
  select array_agg(l.key), array_agg(l.key) filter (where l.waits) into held, wanted
  from (select k.key, {pending} and @extschema:vector@.l2_norm(k.embedding) > 0 and {unchanged} as waits
        from unnest(keys, states, hashes, embeddings) k(key, state, hash, embedding) join {rows} on {matches}
        order by {ordering} {lock}) l;
  if not {same_key} then
    raise exception 'the primary key of table % is another one than it was', {relation}
      using errcode = 'object_not_in_prerequisite_state', hint = {refresh};
  elsif not {same_column} then
    raise exception 'the model was switched meanwhile' using errcode = 'serialization_failure';
  end if;
  if has_code then
    perform pg_catalog.set_config('search_path', {usual_path}, true);
  end if;
  update {rows} set {set_vector} from unnest(keys, embeddings) k(key, embedding)
  where {matches} and k.key operator(pg_catalog.=) any(wanted);
  -- A deferred trigger would otherwise run at commit, as the worker.
  set constraints all immediate;
  if has_code then
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    select array_agg(k.key), array_agg({hash}) into rewritten, rewritten_to
    from unnest(keys, hashes) k(key, hash) join {rows} on {matches}
    where k.key = any(wanted) and {hash} is distinct from k.hash;
    perform pg_catalog.set_config('search_path', {usual_path}, true);
    update {rows} set {unset_vector} from pg_catalog.unnest(rewritten) k(key) where {matches};
    set constraints all immediate;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  end if;
  return query
  select k.key,
         case when {state} is null then 'changed'
              when k.key = any(wanted) is not true then
                case when k.key = any(held) then 'changed' else 'locked' end
              when not has_code then 'stored'
              when r.key is not null then case when {hash} is distinct from r.hash then 'rewritten' else 'changed' end
              when {embedded} then 'stored'
              else 'undone' end,
         {state}
  from unnest(keys) k(key) left join {rows} on {matches} left join unnest(rewritten, rewritten_to) r(key, hash)
    on r.key = k.key;
end
$body$
$outer$;
comment on function mmdb.store_template() is
  'Store vectors where the source is still what was embedded; say of every key what became of it, and what state its '
  'row has now.';

-- For roles whose sessions must not run code of the table's owner: the planner runs it even for a mere count. It runs
-- as the owner, who may not be able to call mmdb.table_rows: so the estimate stands here once more.
create or replace function mmdb.count_template() returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  select $body$
begin{pass}
  pending := (select count(*) from {rows} where {pending});
  select sum(c.reltuples)::bigint, sum(c.reltuples) > exact_up_to into total, estimated
  from pg_class c
  where c.relkind = 'r'
    and (c.oid = {relation}::regclass or c.oid in (select t.relid from pg_partition_tree({relation}) t));
  if estimated then
    embedded := total - pending;
  else
    select count(*), count(*) filter (where {embedded}) into total, embedded from {rows};
  end if;
end
$body$
$outer$;
comment on function mmdb.count_template() is 'Rows of a table by state, for mmdb.progress.';

-- Called by the worker's sweep: once the table is gone, its functions go too, by the right of their owner.
create or replace function mmdb.clean_template() returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  select $body$
declare
  made oid;
begin{pass}
  if exists (select from pg_trigger t where t.tgrelid = to_regclass({relation}) and t.tgname = {trigger}) then
    return false;
  end if;
  for made in select p.oid from pg_proc p
              where p.pronamespace = {schema}::regnamespace and p.oid <> {clean}::regproc
                and obj_description(p.oid, 'pg_proc') like '%' || {mark} loop
    execute format('drop function %s', made::regprocedure);
  end loop;
  execute {drop_clean};
  return true;
end
$body$
$outer$;
comment on function mmdb.clean_template() is 'Drop the functions of an embedding whose table was dropped.';

-- By names, since the owner, as whom it is asked, may not be able to see into schema mmdb.
create or replace function mmdb.has_code_sql(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format(
    '(exists (select from pg_rewrite r where r.ev_class = %1$L::regclass and r.ev_type = ''2'') '
    'or exists (select from pg_trigger t join pg_proc f on f.oid = t.tgfoid '
    'join pg_namespace n on n.oid = f.pronamespace '
    'where t.tgrelid in (select %1$L::regclass union all select i.relid from pg_partition_tree(%1$L) i) '
    'and not t.tgisinternal and (t.tgtype & 16) <> 0 and (n.nspname, f.proname) <> (''mmdb'', ''unset_embedding'')))',
    mmdb.relation_sql(relation))
$$;
comment on function mmdb.has_code_sql(regclass) is
  'The condition "an update of this table runs triggers or rules of its own".';

-- As a session of theirs would begin: triggers are written by people who name things as they do every day. The path is
-- set for the updates alone, in which all is qualified that a function or operator of somebody else could stand in for:
-- one with the very types of the arguments would be taken before a more general one of the system's own.
create or replace function mmdb.usual_path_sql() returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  select $sql$'pg_catalog, ' || coalesce((
      select substr(c.setting, length('search_path=') + 1)
      from pg_db_role_setting s cross join unnest(s.setconfig) c(setting)
      where s.setrole in (0, (select r.oid from pg_roles r where r.rolname = current_user))
        and s.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database()))
        and c.setting like 'search_path=_%'
      order by s.setrole = 0, s.setdatabase = 0 limit 1), '"$user", public') || ', pg_temp'$sql$
$outer$;
comment on function mmdb.usual_path_sql() is
  'The search_path with which sessions of the current user begin in this database, behind the system''s own schema.';

create or replace function mmdb.worker_pieces(declared mmdb.embeddings) returns jsonb
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'pass', mmdb.filled(mmdb.pass_template(), jsonb_build_object(
      'pass_hash', quote_literal(declared.pass_hash), 'id', quote_literal(declared.id))),
    'rows', mmdb.stored_rows(declared), 'key', k.expression, 'ordering', k.ordering,
    'matches', mmdb.key_matches(declared.relation, 'k.key'),
    'later', mmdb.later_sql(declared.relation, 'after::text[]'),
    'state', mmdb.row_state_sql(declared), 'lock', mmdb.lock_sql(declared), 'pending', mmdb.pending_sql(declared),
    'embedded', mmdb.embedded_sql(declared), 'set_vector', mmdb.set_vector_sql(declared, 'k.embedding'),
    'unset_vector', mmdb.set_vector_sql(declared, 'null'), 'unchanged', mmdb.unchanged_sql(declared, 'k'),
    'has_code', mmdb.has_code_sql(declared.relation), 'usual_path', mmdb.usual_path_sql(),
    'content', mmdb.content_sql(declared), 'hash', mmdb.hash_sql(declared),
    'text', case when mmdb.loads_bytes(declared) then 'null::text' else 's.content' end,
    'bytes', case when mmdb.loads_bytes(declared) then 's.content' else 'null::bytea' end,
    'weighted', coalesce((select string_agg(format('(%s, %s, %s)', s.place, s.content, s.data), ', ' order by s.place)
                          from mmdb.weighted_sources(declared) s), ''),
    'same_key', mmdb.same_key_sql(declared.relation),
    'same_column', mmdb.same_column_sql(declared.relation, declared.column_number, declared.column_name),
    'relation', quote_literal(r.name), 'refresh', quote_literal(format('select mmdb.refresh(%L)', r.name)),
    'schema', quote_literal(declared.function_schema), 'mark', quote_literal(mmdb.made_for(declared.id)),
    'trigger', quote_literal(mmdb.trigger_name(declared.id)),
    'clean', quote_literal(c.name), 'drop_clean', quote_literal(format('drop function %s(uuid)', c.name)))
  from mmdb.key_sql(declared.relation) k, mmdb.relation_sql(declared.relation) r(name),
       mmdb.worker_function(declared, 'clean') c(name)
$$;
comment on function mmdb.worker_pieces(mmdb.embeddings) is
  'What the templates of the worker''s functions are filled with, for one embedding.';

create or replace function mmdb.worker_functions(declared mmdb.embeddings)
returns table (verb text, parameters text, result text, volatility text, body text, purpose text)
language sql stable security invoker rows 5
set search_path = pg_catalog, pg_temp
as $$
  select w.verb, w.parameters, w.result, w.volatility, mmdb.filled(w.template, p.pieces), w.purpose
  from mmdb.worker_pieces(declared) p(pieces),
  lateral (values
    ('pending', '(pass uuid, after text, count integer)', 'returns table (key text, state text)', 'stable',
     mmdb.pending_template(), 'The rows that wait to be embedded, a page at a time.'),
    ('load',
     format('(pass uuid, keys text[], max_bytes bigint%s)', case when declared.weights is null then '' else '[]' end),
     'returns table (key text, state text, size bigint, content text, data bytea)', 'stable',
     case when declared.weights is null then mmdb.load_template() else mmdb.weighted_load_template() end,
     'The sources of pending rows.'),
    ('store',
     format('(pass uuid, keys text[], states text[], hashes bytea[], embeddings %s[])', mmdb.vector_type(declared)),
     'returns table (key text, outcome text, state text)', 'volatile', mmdb.store_template(),
     'Store embeddings whose source is unchanged.'),
    ('count',
     '(pass uuid, exact_up_to bigint, '
     'out total bigint, out embedded bigint, out pending bigint, out estimated boolean)', '', 'stable',
     mmdb.count_template(), 'How many rows there are, embedded and pending.'),
    ('clean', '(pass uuid)', 'returns boolean', 'volatile', mmdb.clean_template(),
     'Remove what mmdb made for a dropped table.')
  ) w(verb, parameters, result, volatility, template, purpose)
  where w.verb = any(mmdb.worker_verbs(declared.kind))
$$;
comment on function mmdb.worker_functions(mmdb.embeddings) is
  'The functions of an embedding that a worker calls, as they should be.';

create or replace function mmdb.make_worker_functions(declared mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  worker_role constant text := mmdb.setting('worker_role');
  made record;
  name text;
begin
  perform mmdb.check_schema(declared);
  perform mmdb.let_worker_in(declared);
  perform mmdb.drop_made(declared, (
    select array_agg(format('mmdb_%s_%s', v, declared.id)) from unnest(mmdb.worker_verbs(declared.kind)) v));
  for made in select w.* from mmdb.worker_functions(declared) w loop
    name := mmdb.worker_function(declared, made.verb);
    -- The text of a key must not depend on the settings of the session that asks.
    perform mmdb.create_made(
      declared, name || made.parameters,
      format('%s language plpgsql %s security definer set search_path = pg_catalog, pg_temp '
             'set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres'' set extra_float_digits = 1 '
             'set bytea_output = ''hex'' set timezone = ''UTC''', made.result, made.volatility),
      made.body, made.purpose);
    execute format('revoke all on function %s from public', name);
    execute format('grant execute on function %s to %I', name, worker_role);
  end loop;
end
$$;
comment on function mmdb.make_worker_functions(mmdb.embeddings) is
  'The functions by which a worker reads and writes this table, as its owner.';
