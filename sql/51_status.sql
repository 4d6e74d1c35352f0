-- Views for an operator: failures, workers, status; and mmdb.retry. They filter by the caller's rights on the tables:
-- inside a view current_user is the caller, while the catalogue behind it is read by the view's owner.

-- A failure is void once its source changed, for whoever looks, and not only when a worker came by. A look at the rows
-- of a table whose owner the caller does not trust would run code of his: there, failures stand until a worker comes.
create or replace function mmdb.standing_failures(
  declared mmdb.embeddings, keys text[], states text[], hashes bytea[]
) returns setof text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set extra_float_digits = 1 set bytea_output = 'hex'
set timezone = 'UTC'
as $$
begin
  if not mmdb.trusts_owner(declared.relation) then
    return query select unnest(keys);
    return;
  end if;
  return query execute mmdb.filled(
    'select k.key from unnest($1, $2, $3) k(key, state, hash) join {rows} on {matches} where {pending} and {unchanged}',
    jsonb_build_object(
      'rows', mmdb.stored_rows(declared), 'matches', mmdb.key_matches(declared.relation, 'k.key'),
      'pending', mmdb.pending_sql(declared), 'unchanged', mmdb.unchanged_sql(declared, 'k')))
  using keys, states, hashes;
exception when undefined_column or undefined_table or insufficient_privilege or undefined_object
  or object_not_in_prerequisite_state or invalid_text_representation then
  return query select unnest(keys);
end
$$;
comment on function mmdb.standing_failures(mmdb.embeddings, text[], text[], bytea[]) is
  'Which of these failures, by the keys of their rows, are of the source that the row still has.';

create or replace view mmdb.failures with (security_barrier) as
select e.relation, e.name, l.key::text[] as key, l.attempts, l.error, l.failed_at,
       l.retry_at = 'infinity' as final,
       case when l.retry_at <> 'infinity' then l.retry_at end as retry_at,
       l.embedding, l.key as key_text
from (select f.embedding, pg_catalog.array_agg(f.key) as keys, pg_catalog.array_agg(f.state) as states,
             pg_catalog.array_agg(f.source_hash) as hashes
      from mmdb.leases f where f.error is not null and f.worker is null group by f.embedding) g
join mmdb.embeddings e on e.id = g.embedding
join pg_catalog.pg_class c on c.oid = e.relation
cross join lateral mmdb.standing_failures(e, g.keys, g.states, g.hashes) s(key)
join mmdb.leases l on l.embedding = g.embedding and l.key = s.key
where pg_catalog.has_table_privilege(e.relation, 'select') and not pg_catalog.row_security_active(e.relation);
comment on view mmdb.failures is
  'Rows that could not be embedded: final ones wait for mmdb.retry or a changed source, the others for retry_at. '
  'Empty for who may not read the whole table.';

create or replace view mmdb.workers with (security_barrier) as
select w.id, w.host, w.pid, w.login, w.version, w.models, w.started_at, w.heartbeat_at,
       w.id in (select mmdb.live_workers()) as alive
from mmdb.worker_sessions w;
comment on view mmdb.workers is 'The workers that registered, and whether each is alive now.';

-- Rows are counted by the caller's rights and row policies. Above the limit the totals are PostgreSQL's own estimates;
-- pending and failed rows are always counted, along the partial index.
create or replace function mmdb.count_rows(
  declared mmdb.embeddings, exact_up_to bigint default 200000,
  out total bigint, out embedded bigint, out pending bigint, out failed bigint, out estimated boolean, out stale bigint
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set extra_float_digits = 1 set bytea_output = 'hex'
set timezone = 'UTC'
as $$
declare
  key text;
  rows text;
begin
  key := (select k.expression from mmdb.key_sql(declared.relation) k);
  rows := mmdb.stored_rows(declared);
  execute format('select count(*), count(f.key_text), count(*) filter (where %s) from %s left join mmdb.failures f '
                 'on f.embedding = %s and f.final and f.key_text = %s where %s',
                 mmdb.stale_sql(declared), rows, declared.id, key, mmdb.pending_sql(declared))
  into pending, failed, stale;
  pending := pending - failed;
  total := mmdb.table_rows(declared.relation);
  estimated := total > exact_up_to;
  if estimated then
    embedded := total * (1 - coalesce((
      select s.stanull from pg_class c join pg_namespace n on n.oid = c.relnamespace
      cross join lateral (select p.null_frac from pg_stats p where p.schemaname = n.nspname and p.tablename = c.relname
                          and p.attname = declared.column_name order by p.inherited limit 1) s(stanull)
      where c.oid = declared.relation), (pending + failed - stale) / greatest(total, 1)::real)) - stale;
  else
    execute format('select count(*), count(*) filter (where %s) from %s', mmdb.embedded_sql(declared), rows)
    into total, embedded;
  end if;
exception when undefined_column or undefined_table or insufficient_privilege or undefined_object
  or object_not_in_prerequisite_state then
  estimated := null;
end
$$;
comment on function mmdb.count_rows(mmdb.embeddings, bigint) is
  'Rows of a table by state. Exact up to exact_up_to rows, above it total and embedded are estimates; NULL where the '
  'table cannot be counted.';

create or replace function mmdb.count_rows_of(id bigint)
returns table (total bigint, embedded bigint, pending bigint, failed bigint, estimated boolean, stale bigint)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  declared mmdb.embeddings;
begin
  select e.* into declared from mmdb.embeddings e where e.id = count_rows_of.id;
  if mmdb.trusts_owner(declared.relation) then
    return query select c.* from mmdb.count_rows(declared) c;
  end if;
end
$$;
comment on function mmdb.count_rows_of(bigint) is
  'mmdb.count_rows by an embedding''s id; no row where a count would run code of a stranger, which the planner does '
  'for an index or a policy of his.';

create or replace view mmdb.status with (security_barrier) as
select e.relation, e.name, e.model, c.total as rows, c.embedded, c.pending, c.failed, c.estimated, c.counted_at,
       case when c.pending > 0 then p.caught_up_at end as pending_since,
       case when p.window_start > pg_catalog.clock_timestamp() - interval '2 minutes'
            then coalesce(nullif(p.window_stored, 0)
                          / nullif(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - p.window_start), 0),
                          p.last_rate) end as rows_per_second,
       coalesce(mmdb.drift(e.id), p.drift, mmdb.partition_drift_of(e.id)) as drift,
       (select s.name from mmdb.embeddings s where s.id = e.generation_of) as generation_of, c.stale
from mmdb.embeddings e
left join mmdb.progress p on p.embedding = e.id
left join lateral (
  select n.total, n.embedded, n.pending, n.failed, n.estimated, pg_catalog.clock_timestamp(), n.stale
  from mmdb.count_rows_of(e.id) n
  union all
  select p.total, p.embedded, p.pending - f.final, f.final, true, p.counted_at,
         case when e.stale_column is null then 0 end
  from (select count(*) from mmdb.leases l
        where l.embedding = e.id and l.worker is null and l.retry_at = 'infinity') f(final)
  limit 1
) c(total, embedded, pending, failed, estimated, counted_at, stale)
  on mmdb.trusts_owner(e.relation) or not pg_catalog.row_security_active(e.relation)
where case when exists (select from pg_catalog.pg_class x where x.oid = e.relation)
           then pg_catalog.has_table_privilege(e.relation, 'select') else true end;
comment on view mmdb.status is
  'Every embedding of the tables you may read: rows, embedded, pending, failed (estimated says that rows and embedded '
  'are PostgreSQL''s estimates, or that all were counted by a worker at counted_at, since a count of yours would run '
  'code of the table''s owner), pending_since (a time at which nothing was pending: the oldest pending row is '
  'younger), rows_per_second of the last minutes, drift with its remedy, generation_of (the embedding beside which '
  'this one waits to serve, or served until its model was switched), stale (of the pending and failed rows those that '
  'are found by the vector of an earlier source, see on_change of mmdb.add_embedding; NULL where a worker counted).';

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
  'Give failed and waiting rows another try at once: of one embedding, of one table, or of every table that you own. '
  'Returns how many.';
