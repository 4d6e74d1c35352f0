-- What an operator looks at. Views filter by the caller's rights on the tables: inside a view current_user is
-- the caller, while the catalogue behind it is read by the view's owner.

create or replace view mmdb.failures with (security_barrier) as
select e.relation, e.name, l.key::text[] as key, l.attempts, l.error, l.failed_at,
       l.retry_at = 'infinity' as final,
       case when l.retry_at <> 'infinity' then l.retry_at end as retry_at,
       l.embedding, l.key as key_text
from mmdb.leases l
join mmdb.embeddings e on e.id = l.embedding
join pg_catalog.pg_class c on c.oid = e.relation
where l.error is not null and l.worker is null
  and pg_catalog.has_table_privilege(e.relation, 'select') and not pg_catalog.row_security_active(e.relation);
comment on view mmdb.failures is
  'Rows that could not be embedded: final ones wait for mmdb.retry or a changed source, the others for retry_at. Empty for who may not read the whole table.';

create or replace view mmdb.workers with (security_barrier) as
select w.id, w.host, w.pid, w.login, w.version, w.models, w.started_at, w.heartbeat_at,
       w.id in (select mmdb.live_workers()) as alive
from mmdb.worker_sessions w;
comment on view mmdb.workers is 'The workers that registered, and whether each is alive now.';

-- Counted by the caller's rights and row policies. Above the limit the totals are PostgreSQL's own estimates;
-- what is pending and failed is counted always, along the partial index.
create or replace function mmdb.count_rows(
  made mmdb.embeddings, exact_up_to bigint default 200000,
  out total bigint, out embedded bigint, out pending bigint, out failed bigint, out estimated boolean, out stale bigint
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set extra_float_digits = 1 set bytea_output = 'hex' set timezone = 'UTC'
as $$
declare
  key text;
  relation constant text := mmdb.rows_sql(made.relation);
begin
  key := (select k.expression from mmdb.key_sql(made.relation) k);
  execute format('select count(*), count(f.key_text), count(*) filter (where %s) from %s p left join mmdb.failures f '
                 'on f.embedding = %s and f.final and f.key_text = %s where %s',
                 case when made.stale_column is null then 'false' else format('p.%I and p.%I is not null', made.stale_column, made.column_name) end,
                 relation, made.id, key, mmdb.pending_sql(made, 'p.')) into pending, failed, stale;
  pending := pending - failed;
  select sum(c.reltuples)::bigint, sum(c.reltuples) > exact_up_to into total, estimated
  from pg_class c
  where c.relkind = 'r' and (c.oid = made.relation or c.oid in (select t.relid from pg_partition_tree(made.relation) t));
  if estimated then
    embedded := total * (1 - coalesce((
      select s.stanull from pg_class c join pg_namespace n on n.oid = c.relnamespace
      cross join lateral (select p.null_frac from pg_stats p where p.schemaname = n.nspname and p.tablename = c.relname
                          and p.attname = made.column_name order by p.inherited desc limit 1) s(stanull)
      where c.oid = made.relation), (pending + failed - stale) / greatest(total, 1)::real)) - stale;
  else
    execute format('select count(*), count(*) filter (where %s) from %s p', mmdb.embedded_sql(made), relation) into total, embedded;
  end if;
exception when undefined_column or undefined_table or insufficient_privilege or undefined_object
  or object_not_in_prerequisite_state then
  estimated := null;
end
$$;
comment on function mmdb.count_rows(mmdb.embeddings, bigint) is
  'Rows of a table by state. Exact up to exact_up_to rows, above it total and embedded are estimates; NULL where the table cannot be counted.';

create or replace function mmdb.count_rows_of(id bigint) returns table (total bigint, embedded bigint, pending bigint, failed bigint, estimated boolean, stale bigint)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  made mmdb.embeddings;
begin
  select e.* into made from mmdb.embeddings e where e.id = count_rows_of.id;
  if mmdb.trusts_owner(made.relation) then
    return query select c.* from mmdb.count_rows(made) c;
  end if;
end
$$;
comment on function mmdb.count_rows_of(bigint) is
  'mmdb.count_rows by an embedding''s id; no row where a count would run code of a stranger, which the planner does for an index or a policy of his.';

-- Its owner names a table and its columns, and somebody else pastes the command into a shell.
create or replace function mmdb.shell_word(word text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select case when word ~ '^[A-Za-z0-9_.,:/-]+$' then word else '''' || replace(word, '''', '''\''''') || '''' end $$;
comment on function mmdb.shell_word(text) is 'A text as one argument in a shell.';

create or replace function mmdb.add_command(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select 'mmdb add ' || mmdb.shell_word(made.relation::text)
         || (select string_agg(' ' || mmdb.shell_word(s.name), '' order by s.place) from unnest(made.sources) with ordinality s(name, place))
         || case when made.name <> array_to_string(made.sources, '_') then ' --name ' || mmdb.shell_word(made.name) else '' end
         || coalesce((select string_agg(' --weight ' || w.weight, '' order by w.place)
                      from unnest(made.weights) with ordinality w(weight, place)), '')
$$;
comment on function mmdb.add_command(mmdb.embeddings) is 'What on the command line declares this embedding, and builds what it lacks.';

-- Only the system catalogues are read: anybody may know that a function is out of date.
create or replace function mmdb.drift(id bigint) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  made mmdb.embeddings;
  now_called mmdb.embeddings;
  remedy text;
begin
  select e.* into made from mmdb.embeddings e where e.id = drift.id;
  if not exists (select from pg_class c where c.oid = made.relation) then
    return 'the table was dropped: a worker will clean up';
  end if;
  remedy := format(': select mmdb.refresh(%L)', made.relation);
  begin
    now_called := mmdb.resolved(made);
    perform mmdb.key_sql(made.relation);
  exception
    when undefined_column then
      return sqlerrm || format(': select mmdb.drop_embedding(%L, %L)', made.relation, made.name);
    when object_not_in_prerequisite_state then
      return format('%s: alter table %s add primary key (…), then select mmdb.refresh(%L)', sqlerrm, made.relation, made.relation);
  end;
  return case
    when made.attached_to <> now_called.attached_to then 'the table was restored or copied' || remedy
    when (made.sources, made.column_name, made.column_type, made.stale_column) is distinct from
         (now_called.sources, now_called.column_name, now_called.column_type, now_called.stale_column) then 'a column was renamed or changed' || remedy
    when mmdb.function_drift(made) is not null then mmdb.function_drift(made) || remedy
    when mmdb.trigger_drift(made) is not null then mmdb.trigger_drift(made) || remedy
    when mmdb.serving_index(made, made.relation, 'pending') is null then
      format('the index of pending rows is missing or invalid: `%s` builds it', mmdb.add_command(made))
  end;
end
$$;
comment on function mmdb.drift(bigint) is 'How a table no longer fits what mmdb made for it, with the remedy; NULL where all is well.';

-- What `mmdb init` sets right: after a restore the columns have other numbers, after an upgrade functions are made in
-- another way.
create or replace function mmdb.is_out_of_date(made mmdb.embeddings) returns boolean
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  return made.attached_to <> mmdb.attachment(made.relation) or mmdb.function_drift(made) is not null;
exception when undefined_column or object_not_in_prerequisite_state then
  return false;  -- not to be mended by making functions again: mmdb.status says so
end
$$;
comment on function mmdb.is_out_of_date(mmdb.embeddings) is 'Whether the functions made for an embedding are to be made again.';

create or replace function mmdb.function_drift(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with made_functions as (
    select p.* from pg_proc p
    where p.pronamespace = to_regnamespace(made.function_schema) and mmdb.is_made_by(p.oid, made.id)
  ), expected as (
    select array_agg(a.name order by a.place) || mmdb.distance_name(made.relation) as names,
           array_agg(a.type order by a.place) || 'float8'::regtype::oid as types
    from mmdb.shown_columns(made.relation) a
  )
  select case
    when exists (select from made_functions f, pg_class c where c.oid = made.relation and f.proowner <> c.relowner) then
      'the table changed its owner'
    when not mmdb.run_as_owner(made) then 'a worker function is missing or was altered'
    when not exists (select from made_functions f where not f.prosecdef) then 'the search views are missing'
    when exists (select from made_functions f, expected x
                 where f.proname in (mmdb.search_name(made.prefix, made.name), mmdb.top_name(made.prefix, made.name))
                   and (f.proargnames[f.pronargs + 1:] <> x.names or f.proallargtypes[f.pronargs + 1:] <> x.types)) then
      'columns were added, dropped, renamed or changed'
    when exists (select from made_functions f where not f.prosecdef
                   and position(mmdb.relation_sql(made.relation) || ' p' in f.prosrc) = 0) then 'the table was renamed or moved'
    when exists (select from made_functions f where f.prosecdef and f.prosrc <> mmdb.worker_body(made, split_part(f.proname, '_', 2))) then
      'the table or its primary key was changed, or mmdb was upgraded'
    else mmdb.call_drift(made)
  end
$$;
comment on function mmdb.function_drift(mmdb.embeddings) is 'How the generated functions no longer fit the table.';

create or replace function mmdb.trigger_drift(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when t.oid is null then 'the trigger is missing'
    when t.tgenabled <> 'A' then 'the trigger is disabled'
    when array(select d.refobjsubid::smallint from pg_depend d
               where d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.refclassid = 'pg_class'::regclass
                 and d.refobjid = made.relation and d.refobjsubid not in (0, made.column_number, coalesce(made.stale_number, 0)) group by 1 order by 1)
         is distinct from mmdb.base_columns(made.relation, made.source_numbers) then
      'the columns that a source is made from changed'
    when made.source_expressions <> mmdb.source_expressions(made.relation, made.source_numbers) then
      'the expression of a generated source changed'
    when cardinality(t.tgattr::smallint[]) > 0 and exists (select from mmdb.other_triggers(made.relation)) then
      'the table has a BEFORE UPDATE trigger that may change a source unseen'
    when exists (select from mmdb.other_triggers(made.relation) o(name) where o.name collate "C" > t.tgname::text collate "C") then
      'a BEFORE UPDATE trigger of the table runs after the trigger of mmdb'
  end
  from (select) one
  left join pg_trigger t on t.tgrelid = made.relation and t.tgname = mmdb.trigger_name(made.id)
$$;
comment on function mmdb.trigger_drift(mmdb.embeddings) is 'How the trigger no longer guards the sources.';

create or replace view mmdb.status with (security_barrier) as
select e.relation, e.name, e.model, c.total as rows, c.embedded, c.pending, c.failed, c.estimated, c.counted_at,
       case when c.pending > 0 then p.caught_up_at end as pending_since,
       case when p.window_start > pg_catalog.clock_timestamp() - interval '2 minutes'
            then coalesce(nullif(p.window_stored, 0) / nullif(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - p.window_start), 0),
                          p.last_rate) end as rows_per_second,
       coalesce(mmdb.drift(e.id), p.drift) as drift,
       (select s.name from mmdb.embeddings s where s.id = e.generation_of) as generation_of, c.stale
from mmdb.embeddings e
left join mmdb.progress p on p.embedding = e.id
left join lateral (
  select n.total, n.embedded, n.pending, n.failed, n.estimated, pg_catalog.clock_timestamp(), n.stale from mmdb.count_rows_of(e.id) n
  union all
  select p.total, p.embedded, p.pending - f.final, f.final, true, p.counted_at,
         case when e.stale_column is null then 0 end
  from (select count(*) from mmdb.leases l where l.embedding = e.id and l.worker is null and l.retry_at = 'infinity') f(final)
  limit 1
) c(total, embedded, pending, failed, estimated, counted_at, stale) on mmdb.trusts_owner(e.relation) or not pg_catalog.row_security_active(e.relation)
where case when exists (select from pg_catalog.pg_class x where x.oid = e.relation)
           then pg_catalog.has_table_privilege(e.relation, 'select') else true end;
comment on view mmdb.status is
  'Every embedding of the tables you may read: rows, embedded, pending, failed (estimated says that rows and embedded are PostgreSQL''s estimates, or that all were counted by a worker at counted_at, since a count of yours would run code of the table''s owner), pending_since (a time at which nothing was pending: the oldest pending row is younger), rows_per_second of the last minutes, drift with its remedy, generation_of (the embedding beside which this one waits to serve, or served until its model was switched), stale (of the pending and failed rows those that are found by the vector of an earlier source, see on_change of mmdb.add_embedding; NULL where a worker counted).';

create or replace function mmdb.retry(relation regclass default null, name text default null) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  freed bigint;
begin
  perform mmdb.guard_owner(e.relation) from mmdb.embeddings e
  where (retry.relation is null or e.relation = retry.relation) and (retry.name is null or e.name = retry.name)
    and (retry.relation is not null or retry.name is not null);
  with gone as (
    delete from mmdb.leases l using mmdb.embeddings e, pg_class c
    where e.id = l.embedding and c.oid = e.relation and l.worker is null
      and (retry.relation is null or e.relation = retry.relation) and (retry.name is null or e.name = retry.name)
      and pg_has_role(session_user, c.relowner, 'member')
    returning 1
  ) select count(*) into freed from gone;
  perform pg_notify('mmdb', '');
  return freed;
end
$$;
comment on function mmdb.retry(regclass, text) is
  'Give failed and waiting rows another try at once: of one embedding, of one table, or of every table that you own. Returns how many.';

create or replace function mmdb.doctor() returns table (subject text, level text, finding text, remedy text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select 'postgresql', case when v.n < 150000 then 'error' when v.n < v.minimum then 'warning' else 'ok' end,
         current_setting('server_version'),
         case when v.n < v.minimum then 'upgrade: 15.9, 16.5, 17.1 and later close CVE-2024-10976 (row policies in inlined functions)' end
  from (select s.n, case s.n / 10000 when 15 then 150009 when 16 then 160005 when 17 then 170001 else 150009 end
        from (select current_setting('server_version_num')::integer) s(n)) v(n, minimum)
  union all
  select 'extension ' || w.name, case when e.extversion is null then 'error' else 'ok' end, coalesce(e.extversion, 'missing'),
         case when e.extversion is null then format('create extension %I', w.name) end
  from unnest(array['vector', 'dblink', 'pg_trgm']) w(name) left join pg_extension e on e.extname = w.name
  union all
  select 'setting hnsw.iterative_scan', case when s.value is null or s.value = 'off' then 'warning' else 'ok' end, coalesce(s.value, 'not set'),
         case when s.value is null or s.value = 'off' then 'filtered searches may return too few rows: run `mmdb init` again' end
  from (select max(split_part(c.setting, '=', 2)) from pg_db_role_setting r cross join unnest(r.setconfig) c(setting)
        where r.setdatabase = (select d.oid from pg_database d where d.datname = current_database()) and r.setrole = 0
          and c.setting like 'hnsw.iterative_scan=%') s(value)
  union all
  select 'worker', case when count(*) filter (where w.alive) = 0 then 'error' else 'ok' end,
         format('%s alive', count(*) filter (where w.alive)),
         case when count(*) filter (where w.alive) = 0 then 'start one: `mmdb worker` (or `mmdb up`)' end
  from mmdb.workers w
  union all
  select format('model %s', e.model), 'warning', format('no live worker serves it; bound to it are: %s', string_agg(format('%s of %s', e.name, e.relation), ', ' order by e.id)),
         format('where a worker runs, `mmdb models test %s` says why it does not; `mmdb worker --model %1$s` serves this one alone', e.model)
  from mmdb.embeddings e join pg_class c on c.oid = e.relation
  where exists (select from mmdb.workers w where w.alive)
    and not exists (select from mmdb.workers w where w.alive and e.model = any(w.models))
  group by e.model
  union all
  select f.* from mmdb.doctor_filters() f
  union all
  select d.subject, 'warning', d.parts[1], d.parts[2]
  from (select format('embedding %s of %s', e.name, e.relation), mmdb.drift(e.id) from mmdb.embeddings e
        union all
        select format('recall of %s', c.function), c.drift from mmdb.every_contract c) f(subject, drift)
  cross join lateral (select f.subject, regexp_match(f.drift, '^(.*?): (.*)$')) d(subject, parts)
  where f.drift is not null
  union all
  select format('index of %s of %s', e.name, e.relation), 'warning', 'no HNSW index: searches scan the whole table',
         format('`%s` builds it', mmdb.add_command(e))
  from mmdb.embeddings e join pg_class c on c.oid = e.relation
  where mmdb.serving_index(e, e.relation, 'hnsw') is null and e.index_options ->> 'type' is distinct from 'none'
  union all
  select format('memory for the index of %s of %s', e.name, e.relation), 'warning',
         format('the graph needs about %s, maintenance_work_mem is %s', pg_size_pretty(g.need), current_setting('maintenance_work_mem')),
         format('before building it: set maintenance_work_mem = ''%sMB''', g.need / 1048576 + 64)
  from mmdb.embeddings e join pg_class c on c.oid = e.relation join mmdb.models m on m.name = e.model
  -- An element of pgvector's graph: the vector, about 2 * m neighbours of 8 bytes and 200 bytes of bookkeeping.
  cross join lateral (select (c.reltuples * (m.dimensions * 2 + 512))::bigint) g(need)
  where g.need > pg_size_bytes(current_setting('maintenance_work_mem'))
$$;
comment on function mmdb.doctor() is 'What is wrong with this installation, as seen from the database, with remedies. `mmdb doctor` adds what is seen from the machine.';
