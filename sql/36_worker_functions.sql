-- The functions that mmdb makes for the worker, a set for each embedding: pending, load, store, count, clean.
--
-- They run as the table's owner (security definer), so that the worker needs no right on business tables and a table's
-- own triggers never run as the worker. Everything in them is qualified.
--
-- They ask for a pass, whose hash stands in them: the code of an owner that gets hold of a worker's session can call
-- the functions of its own tables and of no others.

create or replace function mmdb.worker_function(made mmdb.embeddings, verb text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('%s.mmdb_%s_%s', made.function_schema, verb, made.id) $$;
comment on function mmdb.worker_function(mmdb.embeddings, text) is
  'The qualified name of a function made for the worker: pending, load, store, count, clean.';

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
$body$, k.expression, mmdb.rows_sql(made.relation), mmdb.pending_sql(made, 'p.'), k.later, k.ordering,
        mmdb.pass_sql(made))
  from mmdb.key_sql(made.relation) k
$$;
comment on function mmdb.pending_body(mmdb.embeddings) is
  'Page through the pending rows in key order, along the partial index.';

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
        (select string_agg(format('(%s, %s, %s)', s.place, s.content, s.data), ', ' order by s.place)
         from mmdb.weighted_sources(made) s),
        mmdb.pass_sql(made))
  from mmdb.key_sql(made.relation) k
$$;
comment on function mmdb.weighted_load_body(mmdb.embeddings) is
  'The sources of some pending rows, each by itself; those over their limit come without content.';

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
comment on function mmdb.load_body(mmdb.embeddings) is
  'The sources of some pending rows; those over the limit come without content.';

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
                     when k.key = any(held) or not exists (select from %1$s p where %2$s) then 'changed'
                     else 'locked' end
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
comment on function mmdb.store_body(mmdb.embeddings) is
  'Store vectors where the source is still what was embedded; say of every key what became of it.';

-- For roles whose sessions must not run code of the table's owner: the planner runs it even for a mere count.
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

create or replace function mmdb.worker_verbs() returns text[]
language sql immutable security invoker
as $$ select array['pending', 'load', 'store', 'count', 'clean'] $$;
comment on function mmdb.worker_verbs() is 'The functions that are made for the worker.';

create or replace function mmdb.worker_body(made mmdb.embeddings, verb text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case verb
    when 'pending' then mmdb.pending_body(made)
    when 'load' then case when made.weights is null then mmdb.load_body(made) else mmdb.weighted_load_body(made) end
    when 'store' then mmdb.store_body(made)
    when 'count' then mmdb.count_body(made)
    when 'clean' then mmdb.clean_body(made) end
$$;
comment on function mmdb.worker_body(mmdb.embeddings, text) is
  'The body of one of an embedding''s worker functions, as it should be.';

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
      ('load',
       format('(pass uuid, keys text[], max_bytes bigint%s)', case when made.weights is null then '' else '[]' end),
       'returns table (key text, state text, size bigint, content text, data bytea)'),
      ('store', format('(pass uuid, keys text[], states text[], hashes bytea[], embeddings %s[])', vector_type),
       'returns table (key text, outcome text)'),
      ('count',
       '(pass uuid, exact_up_to bigint, '
       'out total bigint, out embedded bigint, out pending bigint, out estimated boolean)', ''),
      ('clean', '(pass uuid)', 'returns boolean')) w(name, parameters, result)
    where w.name = verb;
    -- The text of a key must not depend on the settings of the session that asks.
    perform mmdb.create_made(
      made, signature,
      result || format(
        ' language plpgsql %s security definer set search_path = pg_catalog, pg_temp set datestyle = ''ISO, YMD'' '
        'set intervalstyle = ''postgres'' set extra_float_digits = 1 set bytea_output = ''hex'' set timezone = ''UTC''',
        case when verb in ('store', 'clean') then 'volatile' else 'stable' end),
      mmdb.worker_body(made, verb),
      case verb
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
comment on function mmdb.make_worker_functions(mmdb.embeddings) is
  'The functions by which a worker reads and writes this table, as its owner.';
