-- The SQL that mmdb writes for one embedding: the worker's functions, the search views, the trigger, the indexes.
--
-- The worker's functions run as the table's owner (security definer), so that the worker needs no right on
-- business tables and a table's own triggers never run as the worker. Everything in them is qualified.

create or replace function mmdb.made_for(id integer) returns text
language sql immutable security invoker
as $$ select format('[mmdb embedding %s]', id) $$;
comment on function mmdb.made_for(integer) is 'The mark in the comment of every function that mmdb made for an embedding.';

create or replace function mmdb.is_made_by(function oid, id integer) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select coalesce(obj_description(function, 'pg_proc') like '%' || mmdb.made_for(id), false) $$;
comment on function mmdb.is_made_by(oid, integer) is 'Whether a function carries the mark of this embedding.';

create or replace function mmdb.worker_function(made mmdb.embeddings, verb text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('%s.mmdb_%s_%s', made.function_schema, verb, made.id) $$;
comment on function mmdb.worker_function(mmdb.embeddings, text) is 'The qualified name of a function made for the worker: pending, load, store, clean.';

create or replace function mmdb.pending_sql(made mmdb.embeddings, alias text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('%s%I is null and (%s)', alias, made.column_name,
                string_agg(format('%s%I is not null', alias, s.name), ' or ' order by s.place))
  from unnest(made.sources) with ordinality s(name, place)
$$;
comment on function mmdb.pending_sql(mmdb.embeddings, text) is 'The condition "this row waits to be embedded".';

create or replace function mmdb.content_sql(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when made.modality = 'image' and not made.by_uri then format('p.%I', made.sources[1])
    when cardinality(made.sources) = 1 then format('p.%I::text', made.sources[1])
    else format('concat_ws(E''\n'', %s)', string_agg(format('p.%I', s.name), ', ' order by s.place))
  end
  from unnest(made.sources) with ordinality s(name, place)
$$;
comment on function mmdb.content_sql(mmdb.embeddings) is 'The source of a row as one value; several text columns are joined by line breaks.';

create or replace function mmdb.hash_sql(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format(case when made.modality = 'image' and not made.by_uri then 'sha256(%s)' else 'sha256(convert_to(%s, ''UTF8''))' end,
                mmdb.content_sql(made))
$$;
comment on function mmdb.hash_sql(mmdb.embeddings) is 'SHA-256 of the source of a row; the worker computes the same over what it loaded.';

create or replace function mmdb.pending_body(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
begin
  if after is null then
    return query select %1$s, p.xmin::text from %2$s p
      where %3$s order by %5$s limit count;
  else
    return query select %1$s, p.xmin::text from %2$s p
      where %3$s and %4$s order by %5$s limit count;
  end if;
end
$body$, k.expression, mmdb.rows_sql(made.relation), mmdb.pending_sql(made, 'p.'), k.later, k.ordering)
  from mmdb.key_sql(made.relation) k
$$;
comment on function mmdb.pending_body(mmdb.embeddings) is 'Page through the pending rows in key order, along the partial index.';

create or replace function mmdb.load_body(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
  select k.key, p.xmin::text, octet_length(s.content)::bigint,
         case when octet_length(s.content) <= $2 then %4$s end,
         case when octet_length(s.content) <= $2 then %5$s end
  from unnest($1) k(key)
  join %1$s p on %2$s
  cross join lateral (select %6$s) s(content)
  where %3$s
$body$, mmdb.rows_sql(made.relation), k.matches, mmdb.pending_sql(made, 'p.'),
        case when made.modality = 'image' and not made.by_uri then 'null::text' else 's.content' end,
        case when made.modality = 'image' and not made.by_uri then 's.content' else 'null::bytea' end,
        mmdb.content_sql(made))
  from mmdb.key_sql(made.relation) k
$$;
comment on function mmdb.load_body(mmdb.embeddings) is 'The sources of some pending rows; those over the limit come without content.';

-- Two statements, because the second must see the rows as the locks of the first found them. Nobody waits:
-- a locked row is passed over and stays pending, and our own locks last for this statement alone.
create or replace function mmdb.store_body(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
declare
  held text[];
begin
  select array_agg(l.key) into held
  from (select k.key from unnest(keys) k(key) join %1$s p on %2$s
        order by %3$s for no key update of p skip locked) l;
  return query
  with stored as (
    update %1$s p set %4$I = k.embedding
    from unnest(keys, states, hashes, embeddings) k(key, state, hash, embedding)
    where %2$s and k.key = any(held) and %5$s
      and @extschema:vector@.l2_norm(k.embedding) > 0
      and case when p.xmin::text = k.state then true else %6$s = k.hash end
    returning k.key
  )
  select k.key, case when s.key is not null then 'stored' 
                     when k.key = any(held) or not exists (select from %1$s p where %2$s) then 'changed' else 'locked' end
  from unnest(keys) k(key) left join stored s on s.key = k.key;
  -- A deferred trigger would otherwise run at commit, as the worker.
  set constraints all immediate;
end
$body$, mmdb.rows_sql(made.relation), k.matches, k.ordering, made.column_name,
        mmdb.pending_sql(made, 'p.'), mmdb.hash_sql(made))
  from mmdb.key_sql(made.relation) k
$$;
comment on function mmdb.store_body(mmdb.embeddings) is 'Store vectors where the source is still what was embedded; say of every key what became of it.';

-- Called by the worker's sweep: once the table is gone, its functions go too, by the right of their owner.
create or replace function mmdb.clean_body(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
declare
  made oid;
begin
  if to_regclass(%1$L) is not null then
    return false;
  end if;
  for made in select p.oid from pg_proc p
              where p.pronamespace = %2$L::regnamespace and p.oid <> %3$L::regproc
                and obj_description(p.oid, 'pg_proc') like '%%' || %4$L loop
    execute format('drop function %%s', made::regprocedure);
  end loop;
  execute 'drop function %5$s()';
  return true;
end
$body$, mmdb.relation_sql(made.relation), made.function_schema, mmdb.worker_function(made, 'clean'),
        mmdb.made_for(made.id), replace(mmdb.worker_function(made, 'clean'), '''', ''''''))
$$;
comment on function mmdb.clean_body(mmdb.embeddings) is 'Drop the functions of an embedding whose table was dropped.';

create or replace function mmdb.create_made(made mmdb.embeddings, signature text, attributes text, body text, purpose text)
returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  arguments constant text := regexp_replace(signature, '\) returns .*$', ')');
  owner constant text := (select c.relowner::regrole::text from pg_class c where c.oid = made.relation);
begin
  execute format('create or replace function %s %s as %L', signature, attributes, body);
  execute format('alter function %s owner to %s', arguments, owner);
  execute format('comment on function %s is %L', arguments, purpose || ' ' || mmdb.made_for(made.id));
end
$$;
comment on function mmdb.create_made(mmdb.embeddings, text, text, text, text) is 'Create one generated function, owned by the table''s owner and marked as ours.';

-- The worker calls by qualified name, for which it needs the schema; of the table itself it needs nothing.
create or replace function mmdb.let_worker_in(made mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  worker_role constant text := mmdb.setting('worker_role');
begin
  if not has_schema_privilege(worker_role, to_regnamespace(made.function_schema), 'usage') then
    execute format('grant usage on schema %s to %I', made.function_schema, worker_role);
  end if;
exception when insufficient_privilege then
  raise exception 'role "%" may not use schema %', worker_role, made.function_schema
    using errcode = 'insufficient_privilege',
          hint = format('have the schema''s owner run: grant usage on schema %s to %I', made.function_schema, worker_role);
end
$$;
comment on function mmdb.let_worker_in(mmdb.embeddings) is 'Let the worker call functions in the table''s schema.';

create or replace function mmdb.make_worker_functions(made mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  -- The text of a key must not depend on who asks.
  definer constant text := 'security definer set search_path = pg_catalog, pg_temp set datestyle = ''ISO, YMD'' '
    'set intervalstyle = ''postgres'' set extra_float_digits = 1 set bytea_output = ''hex'' set timezone = ''UTC''';
  pending constant text := mmdb.worker_function(made, 'pending');
  load constant text := mmdb.worker_function(made, 'load');
  store constant text := mmdb.worker_function(made, 'store');
  clean constant text := mmdb.worker_function(made, 'clean');
  made_function text;
begin
  perform mmdb.let_worker_in(made);
  perform mmdb.create_made(made, pending || '(after text, count integer) returns table (key text, state text)',
    'language plpgsql stable ' || definer, mmdb.pending_body(made), 'The rows that wait to be embedded, a page at a time.');
  perform mmdb.create_made(made,
    load || '(keys text[], max_bytes bigint) returns table (key text, state text, size bigint, content text, data bytea)',
    'language sql stable ' || definer, mmdb.load_body(made), 'The sources of pending rows.');
  perform mmdb.create_made(made,
    format('%s(keys text[], states text[], hashes bytea[], embeddings %s[]) returns table (key text, outcome text)',
           store, regexp_replace(made.column_type, '\(\d+\)$', '')),
    'language plpgsql volatile ' || definer, mmdb.store_body(made), 'Store embeddings whose source is unchanged.');
  perform mmdb.create_made(made, clean || '() returns boolean',
    'language plpgsql volatile ' || definer, mmdb.clean_body(made), 'Remove what mmdb made for a dropped table.');
  for made_function in
    select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace = made.function_schema::regnamespace and p.prosecdef and mmdb.is_made_by(p.oid, made.id)
  loop
    execute format('revoke all on function %s from public', made_function);
    execute format('grant execute on function %s to %I', made_function, mmdb.setting('worker_role'));
  end loop;
end
$$;
comment on function mmdb.make_worker_functions(mmdb.embeddings) is 'The functions by which a worker reads and writes this table, as its owner.';
