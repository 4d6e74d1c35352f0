-- The SQL that mmdb writes for one embedding: the worker's functions, the search views, the trigger, the indexes.
--
-- The worker's functions run as the table's owner (security definer), so that the worker needs no right on
-- business tables and a table's own triggers never run as the worker. Everything in them is qualified.
--
-- They ask for a pass, whose hash stands in them: the code of an owner that gets hold of a worker's session can call
-- the functions of its own tables and of no others.

create or replace function mmdb.made_for(id bigint) returns text
language sql immutable security invoker
as $$ select format('[mmdb embedding %s]', id) $$;
comment on function mmdb.made_for(bigint) is 'The mark in the comment of every function that mmdb made for an embedding.';

create or replace function mmdb.is_made_by(function oid, id bigint) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select coalesce(obj_description(function, 'pg_proc') like '%' || mmdb.made_for(id), false) $$;
comment on function mmdb.is_made_by(oid, bigint) is 'Whether a function carries the mark of this embedding.';

create or replace function mmdb.worker_function(made mmdb.embeddings, verb text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('%s.mmdb_%s_%s', made.function_schema, verb, made.id) $$;
comment on function mmdb.worker_function(mmdb.embeddings, text) is 'The qualified name of a function made for the worker: pending, load, store, count, clean.';

-- An empty text says as little as NULL does: form after form leaves it where nothing was written. To a collation that is not
-- deterministic a text of punctuation may be equal to the empty one.
create or replace function mmdb.says_sql(relation regclass, sources text[], alias text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format(case when t.typcategory is distinct from 'S' then '%s%I is not null'
                                when c.collisdeterministic is not false then '%s%I::text <> '''''
                                else '%s%I::text collate "C" <> ''''' end, alias, s.name), ' or ' order by s.place)
  from unnest(sources) with ordinality s(name, place)
  left join pg_attribute a on a.attrelid = relation and a.attname = s.name
  left join pg_type t on t.oid = a.atttypid
  left join pg_collation c on c.oid = a.attcollation
$$;
comment on function mmdb.says_sql(regclass, text[], text) is 'The condition "a source of this row holds something", not NULL and no empty text.';

create or replace function mmdb.pending_sql(made mmdb.embeddings, alias text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format(case when made.stale_column is null then '%1$s%2$I is null and (%4$s)' else '(%1$s%2$I is null or %1$s%3$I) and (%4$s)' end,
                alias, made.column_name, made.stale_column, mmdb.says_sql(made.relation, made.sources, alias))
$$;
comment on function mmdb.pending_sql(mmdb.embeddings, text) is 'The condition "this row waits to be embedded".';

create or replace function mmdb.embedded_sql(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format(case when made.stale_column is null then 'p.%I is not null' else 'p.%I is not null and not p.%I' end,
                made.column_name, made.stale_column)
$$;
comment on function mmdb.embedded_sql(mmdb.embeddings) is 'The condition "this row has the vector of the source that it has now".';

create or replace function mmdb.unmark_sql(made mmdb.embeddings) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select case when made.stale_column is null then '' else format(', %I = false', made.stale_column) end $$;
comment on function mmdb.unmark_sql(mmdb.embeddings) is 'What an update that stores a vector sets besides, where an old vector is kept and marked.';

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

create or replace function mmdb.weighted_sources(made mmdb.embeddings)
returns table (place bigint, content text, data text, raw text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select s.place,
         case when s.modality = 'text' then format('p.%I::text', s.name) else 'null::text' end,
         case when s.modality = 'text' then 'null::bytea' else format('p.%I', s.name) end,
         format(case when s.modality = 'text' then 'convert_to(p.%I::text, ''UTF8'')' else 'p.%I' end, s.name)
  from unnest(made.sources, made.source_modalities) with ordinality s(name, modality, place)
$$;
comment on function mmdb.weighted_sources(mmdb.embeddings) is 'The sources that have weights, as SQL: each as text or as data, and its bytes.';

create or replace function mmdb.hash_sql(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when made.weights is not null then
      format('sha256(%s)', (select string_agg(format('coalesce(''\x01''::bytea || sha256(%s), ''\x00''::bytea)', s.raw), ' || ' order by s.place)
                            from mmdb.weighted_sources(made) s))
    when made.modality = 'image' and not made.by_uri then format('sha256(%s)', mmdb.content_sql(made))
    else format('sha256(convert_to(%s, ''UTF8''))', mmdb.content_sql(made))
  end
$$;
comment on function mmdb.hash_sql(mmdb.embeddings) is 'SHA-256 of the source of a row; the worker computes the same over what it loaded.';

create or replace function mmdb.pass_sql(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
  if sha256(convert_to(pass::text, 'UTF8')) is distinct from %L then
    raise exception 'this is not the pass of embedding %%', %L using errcode = 'insufficient_privilege';
  end if;$body$, made.pass_hash, made.id)
$$;
comment on function mmdb.pass_sql(mmdb.embeddings) is 'The statement by which a generated function asks for its pass.';

create or replace function mmdb.pending_body(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
begin%6$s
  if after is null then
    return query select %1$s, p.xmin::text from %2$s p
      where %3$s order by %5$s limit count;
  else
    return query select %1$s, p.xmin::text from %2$s p
      where %3$s and %4$s order by %5$s limit count;
  end if;
end
$body$, k.expression, mmdb.rows_sql(made.relation), mmdb.pending_sql(made, 'p.'), k.later, k.ordering, mmdb.pass_sql(made))
  from mmdb.key_sql(made.relation) k
$$;
comment on function mmdb.pending_body(mmdb.embeddings) is 'Page through the pending rows in key order, along the partial index.';

-- A row for each source, NULLs too, so that the worker tells them apart by their order; each has a limit of its own.
create or replace function mmdb.weighted_load_body(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
begin%5$s
  return query select k.key, p.xmin::text, coalesce(octet_length(s.data), octet_length(s.content))::bigint,
         case when octet_length(s.content) <= max_bytes[s.place] then s.content end,
         case when octet_length(s.data) <= max_bytes[s.place] then s.data end
  from unnest(keys) with ordinality k(key, number)
  join %1$s p on %2$s
  cross join lateral (values %4$s) s(place, content, data)
  where %3$s
  order by k.number, s.place;
end
$body$, mmdb.rows_sql(made.relation), k.matches, mmdb.pending_sql(made, 'p.'),
        (select string_agg(format('(%s, %s, %s)', s.place, s.content, s.data), ', ' order by s.place) from mmdb.weighted_sources(made) s),
        mmdb.pass_sql(made))
  from mmdb.key_sql(made.relation) k
$$;
comment on function mmdb.weighted_load_body(mmdb.embeddings) is 'The sources of some pending rows, each by itself; those over their limit come without content.';

create or replace function mmdb.load_body(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
begin%7$s
  return query select k.key, p.xmin::text, octet_length(s.content)::bigint,
         case when octet_length(s.content) <= max_bytes then %4$s end,
         case when octet_length(s.content) <= max_bytes then %5$s end
  from unnest(keys) k(key)
  join %1$s p on %2$s
  cross join lateral (select %6$s) s(content)
  where %3$s;
end
$body$, mmdb.rows_sql(made.relation), k.matches, mmdb.pending_sql(made, 'p.'),
        case when made.modality = 'image' and not made.by_uri then 'null::text' else 's.content' end,
        case when made.modality = 'image' and not made.by_uri then 's.content' else 'null::bytea' end,
        mmdb.content_sql(made), mmdb.pass_sql(made))
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
begin%7$s
  select array_agg(l.key) into held
  from (select k.key from unnest(keys) k(key) join %1$s p on %2$s
        order by %3$s for no key update of p skip locked) l;
  if not %8$s then
    raise exception 'the primary key of table %% is another one than it was', %9$L
      using errcode = 'object_not_in_prerequisite_state', hint = %10$L;
  elsif not %11$s then
    raise exception 'the model was switched meanwhile' using errcode = 'serialization_failure';
  end if;
  return query
  with stored as (
    update %1$s p set %4$I = k.embedding%12$s
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
        mmdb.pending_sql(made, 'p.'), mmdb.hash_sql(made), mmdb.pass_sql(made), mmdb.same_key_sql(made.relation),
        mmdb.relation_sql(made.relation), format('select mmdb.refresh(%L)', mmdb.relation_sql(made.relation)),
        mmdb.same_column_sql(made.relation, made.column_number, made.column_name), mmdb.unmark_sql(made))
  from mmdb.key_sql(made.relation) k
$$;
comment on function mmdb.store_body(mmdb.embeddings) is 'Store vectors where the source is still what was embedded; say of every key what became of it.';

-- For those in whose sessions no code of the table's owner should run, which the planner does for a mere count.
create or replace function mmdb.count_body(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
begin%4$s
  pending := (select count(*) from %1$s p where %3$s);
  select sum(c.reltuples)::bigint, sum(c.reltuples) > exact_up_to into total, estimated
  from pg_class c
  where c.relkind = 'r' and (c.oid = %5$L::regclass or c.oid in (select t.relid from pg_partition_tree(%5$L) t));
  if estimated then
    embedded := total - pending;
  else
    select count(*), count(*) filter (where %2$s) into total, embedded from %1$s p;
  end if;
end
$body$, mmdb.rows_sql(made.relation), mmdb.embedded_sql(made), mmdb.pending_sql(made, 'p.'), mmdb.pass_sql(made),
        mmdb.relation_sql(made.relation))
$$;
comment on function mmdb.count_body(mmdb.embeddings) is 'Rows of a table by state, for mmdb.progress.';

-- Called by the worker's sweep: once the table is gone, its functions go too, by the right of their owner.
create or replace function mmdb.clean_body(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
declare
  made oid;
begin%6$s
  if to_regclass(%1$L) is not null then
    return false;
  end if;
  for made in select p.oid from pg_proc p
              where p.pronamespace = %2$L::regnamespace and p.oid <> %3$L::regproc
                and obj_description(p.oid, 'pg_proc') like '%%' || %4$L loop
    execute format('drop function %%s', made::regprocedure);
  end loop;
  execute 'drop function %5$s(uuid)';
  return true;
end
$body$, mmdb.relation_sql(made.relation), made.function_schema, mmdb.worker_function(made, 'clean'),
        mmdb.made_for(made.id), replace(mmdb.worker_function(made, 'clean'), '''', ''''''), mmdb.pass_sql(made))
$$;
comment on function mmdb.clean_body(mmdb.embeddings) is 'Drop the functions of an embedding whose table was dropped.';

-- Nothing is cut out of what is spliced: a table may have a parenthesis in its name, and a superuser makes its functions again.
create or replace function mmdb.create_made(
  made mmdb.embeddings, signature text, attributes text, body text, purpose text, declared text default null
) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  owner constant text := (select c.relowner::regrole::text from pg_class c where c.oid = made.relation);
begin
  execute format('create function %s %s as %L', coalesce(declared, signature), attributes, body);
  execute format('alter function %s owner to %s', signature, owner);
  execute format('comment on function %s is %L', signature, purpose || ' ' || mmdb.made_for(made.id));
end
$$;
comment on function mmdb.create_made(mmdb.embeddings, text, text, text, text, text) is
  'Create one generated function, owned by the table''s owner and marked as ours; declared is its signature with the names and defaults of parameters.';

-- Dropped and not replaced: a replaced function keeps the grants that whoever made it has given.
create or replace function mmdb.drop_made(made mmdb.embeddings, names text[]) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  found_function oid;
begin
  for found_function in
    select p.oid from pg_proc p
    where p.pronamespace = made.function_schema::regnamespace and p.proname = any(names)
  loop
    if not mmdb.is_made_by(found_function, made.id) then
      raise exception 'function % exists already and was not made for this embedding', found_function::regprocedure
        using errcode = 'duplicate_function', hint = 'drop that function';
    end if;
    execute format('drop function %s', found_function::regprocedure);
  end loop;
end
$$;
comment on function mmdb.drop_made(mmdb.embeddings, text[]) is 'Drop an embedding''s generated functions of these names; refuse one that mmdb did not make.';

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

create or replace function mmdb.worker_verbs() returns text[]
language sql immutable security invoker
as $$ select array['pending', 'load', 'store', 'count', 'clean'] $$;
comment on function mmdb.worker_verbs() is 'The functions that are made for the worker.';

create or replace function mmdb.worker_body(made mmdb.embeddings, verb text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case verb when 'pending' then mmdb.pending_body(made) when 'load' then case when made.weights is null then mmdb.load_body(made) else mmdb.weighted_load_body(made) end
                   when 'store' then mmdb.store_body(made) when 'count' then mmdb.count_body(made)
                   when 'clean' then mmdb.clean_body(made) end
$$;
comment on function mmdb.worker_body(mmdb.embeddings, text) is 'The body of one of an embedding''s worker functions, as it should be.';

create or replace function mmdb.make_worker_functions(made mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  verb text;
  signature text;
  result text;
  made_function regprocedure;
  vector_type constant text := regexp_replace(made.column_type, '\(\d+\)$', '');
begin
  perform mmdb.let_worker_in(made);
  perform mmdb.drop_made(made, (select array_agg(format('mmdb_%s_%s', v, made.id)) from unnest(mmdb.worker_verbs()) v));
  foreach verb in array mmdb.worker_verbs() loop
    select mmdb.worker_function(made, verb) || w.parameters, w.result into signature, result
    from (values
      ('pending', '(pass uuid, after text, count integer)', 'returns table (key text, state text)'),
      ('load', format('(pass uuid, keys text[], max_bytes bigint%s)', case when made.weights is null then '' else '[]' end),
       'returns table (key text, state text, size bigint, content text, data bytea)'),
      ('store', format('(pass uuid, keys text[], states text[], hashes bytea[], embeddings %s[])', vector_type), 'returns table (key text, outcome text)'),
      ('count', '(pass uuid, exact_up_to bigint, out total bigint, out embedded bigint, out pending bigint, out estimated boolean)', ''),
      ('clean', '(pass uuid)', 'returns boolean')) w(name, parameters, result)
    where w.name = verb;
    -- The text of a key must not depend on who asks.
    perform mmdb.create_made(made, signature, result || format(' language plpgsql %s security definer set search_path = pg_catalog, pg_temp '
      'set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres'' set extra_float_digits = 1 set bytea_output = ''hex'' '
      'set timezone = ''UTC''', case when verb in ('store', 'clean') then 'volatile' else 'stable' end),
      mmdb.worker_body(made, verb), case verb
        when 'pending' then 'The rows that wait to be embedded, a page at a time.'
        when 'load' then 'The sources of pending rows.'
        when 'store' then 'Store embeddings whose source is unchanged.'
        when 'count' then 'How many rows there are, embedded and pending.'
        when 'clean' then 'Remove what mmdb made for a dropped table.' end);
  end loop;
  for made_function in
    select p.oid from pg_proc p
    where p.pronamespace = made.function_schema::regnamespace and p.prosecdef and mmdb.is_made_by(p.oid, made.id)
  loop
    execute format('revoke all on function %s from public', made_function);
    execute format('grant execute on function %s to %I', made_function, mmdb.setting('worker_role'));
  end loop;
end
$$;
comment on function mmdb.make_worker_functions(mmdb.embeddings) is 'The functions by which a worker reads and writes this table, as its owner.';
