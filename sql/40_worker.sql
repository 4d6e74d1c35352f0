-- The worker's state machine. Leases are the only thing it writes besides the embeddings themselves.
--
--   (no lease) --claim--> held --settle--> (no lease)          the embedding is stored, or the row changed
--                          |  \--fail----> waiting --claim--> held …        another try after retry_at
--                          |           \-> failed (retry_at infinity)
--                          |               a row that was changed since is free in either
--                          \--the worker dies--> held, dead --claim, alone--> held
--
-- A lease is held while its worker is alive and expires_at is ahead. A worker that takes it over is its worker from
-- then on, and `hold` refuses the former one: that is the fence.
--
-- Some of a worker's sessions run code of tables' owners: the generated functions, whose updates fire the owners'
-- triggers. Such a session is first marked as shared, and may then do no more than `hold` and `settle`, with an
-- embedding's pass.

create or replace function mmdb.share_session(worker integer) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into mmdb.shared_sessions values (pg_backend_pid(), share_session.worker) on conflict do nothing
$$;
comment on function mmdb.share_session(integer) is
  'Worker only: code of tables'' owners will run in this session, which from now on may do no more than their work.';

create or replace function mmdb.guard_session() returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from mmdb.shared_sessions s where s.pid = pg_backend_pid()) then
    raise exception 'code of a table''s owner has run in this session'
      using errcode = 'cannot_connect_now', hint = 'connect again';
  end if;
end
$$;
comment on function mmdb.guard_session() is 'Refuse a session in which code of a table''s owner has run.';

create or replace function mmdb.guard_pass(embedding bigint, pass uuid) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  -- An embedding that was dropped meanwhile has no pass and no leases: there is nothing left to guard.
  if exists (select from mmdb.passes p where p.embedding = guard_pass.embedding
                                         and p.pass is distinct from guard_pass.pass) then
    raise exception 'this is not the pass of embedding %', embedding using errcode = 'insufficient_privilege';
  end if;
end
$$;
comment on function mmdb.guard_pass(bigint, uuid) is 'Refuse who does not know the pass of an embedding.';

-- Only embeddings whose functions run as the table's owner. A function that its owner has altered to run with the
-- caller's rights would run with the worker's: its embedding is left alone.
create or replace function mmdb.tasks(model text, identity text)
returns table (id bigint, pass uuid, relation text, name text, modality text, by_uri boolean, schema text, half boolean,
               sources text[], weights float8[], source_modalities text[])
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  perform mmdb.guard_session();
  return query
  select e.id, p.pass, e.relation::text, e.name, e.modality, e.by_uri,
         (parse_ident(e.function_schema))[1], e.vector_type = 'halfvec',
         e.sources, e.weights, e.source_modalities
  from mmdb.embeddings e join mmdb.passes p on p.embedding = e.id join mmdb.models m on m.name = e.model
  where e.model = tasks.model and m.identity = tasks.identity and mmdb.run_as_owner(e)
  order by e.id;
end
$$;
comment on function mmdb.tasks(text, text) is
  'Worker only: the embeddings of a model, by its identity, whose functions may be called.';

create or replace function mmdb.run_as_owner(declared mmdb.embeddings) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select count(*) = cardinality(mmdb.worker_verbs(declared.kind)) and bool_and(f.prosecdef and f.proowner = c.relowner)
  from pg_class c
  join pg_proc f on f.pronamespace = to_regnamespace(declared.function_schema)
   and f.proname in (select format('mmdb_%s_%s', v, declared.id) from unnest(mmdb.worker_verbs(declared.kind)) v)
  where c.oid = declared.relation
$$;
comment on function mmdb.run_as_owner(mmdb.embeddings) is
  'Whether all worker functions of an embedding are there and run as the table''s owner.';

create or replace function mmdb.may_call(embedding bigint) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select coalesce((select mmdb.run_as_owner(e) from mmdb.embeddings e where e.id = may_call.embedding), false) $$;
comment on function mmdb.may_call(bigint) is 'Worker only: asked right before each call of an embedding''s functions.';

create or replace function mmdb.start_worker(host text, pid integer, version text, models text[], identities text[])
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  made integer;
begin
  perform mmdb.guard_session();
  -- Anybody may take an advisory lock: where somebody holds the lock of a number, the worker takes the next number.
  loop
    insert into mmdb.worker_sessions (host, pid, version, models, identities)
    values (start_worker.host, start_worker.pid, start_worker.version, start_worker.models, start_worker.identities)
    returning id into made;
    exit when pg_try_advisory_lock(mmdb.worker_lock_class(), made);
    delete from mmdb.worker_sessions w where w.id = made;
  end loop;
  return made;
end
$$;
comment on function mmdb.start_worker(text, integer, text, text[], text[]) is
  'Register a worker; it is alive for as long as this session is.';

create or replace function mmdb.beat(worker integer, lease interval) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.guard_session();
  update mmdb.worker_sessions w set heartbeat_at = clock_timestamp() where w.id = beat.worker;
  if not found then
    return false;
  end if;
  -- Leases that a store has locked are skipped: nobody can take them over meanwhile, and the store may last longer than
  -- a heartbeat can wait.
  update mmdb.leases l set expires_at = clock_timestamp() + lease
  where (l.embedding, l.key) in (select m.embedding, m.key from mmdb.leases m
                                 where m.worker = beat.worker for update skip locked);
  return true;
end
$$;
comment on function mmdb.beat(integer, interval) is
  'Heartbeat: the worker''s leases last on. False when the worker was forgotten.';

create or replace function mmdb.stop_worker(worker integer) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  delete from mmdb.shared_sessions s where s.worker = stop_worker.worker;
  delete from mmdb.leases l where l.worker = stop_worker.worker and l.error is null;
  update mmdb.leases l set worker = null, expires_at = null, retry_at = clock_timestamp()
  where l.worker = stop_worker.worker;
  delete from mmdb.worker_sessions w where w.id = stop_worker.worker;
$$;
comment on function mmdb.stop_worker(integer) is 'A worker leaves: what it held is free at once.';

create or replace function mmdb.retry_delay(attempts integer) returns interval
language sql immutable security invoker
as $$ select least(interval '5 seconds' * 4 ^ (attempts - 1), interval '1 hour') $$;
comment on function mmdb.retry_delay(integer) is 'Back-off: 5 s, 20 s, 80 s, … one hour at most.';

create or replace function mmdb.is_free(lease mmdb.leases, state text) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select lease.worker is null and (lease.retry_at <= clock_timestamp() or lease.state is distinct from is_free.state)
$$;
comment on function mmdb.is_free(mmdb.leases, text) is
  'Whether a row with this lease may be claimed: its wait is over, or it was changed since.';

-- The worker takes the pending rows that nobody holds. A row whose worker died is taken alone: if it is the row that
-- kills workers, it drags no other with it, and is given up after max_attempts deaths.
create or replace function mmdb.claim(embedding bigint, worker integer, keys text[], states text[], lease interval)
returns table (key text, attempts integer, failed_state text, failed_hash bytea, failed_error text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  live constant integer[] := array(select mmdb.live_workers());
  expiry constant timestamptz := clock_timestamp() + lease;
begin
  perform mmdb.guard_session();
  return query
  insert into mmdb.leases as l (embedding, key, worker, expires_at, state)
  select claim.embedding, k.key, claim.worker, expiry, k.state
  from unnest(keys, states) k(key, state)
  -- Leases are looked up first, because ON CONFLICT writes a lock on every row that it meets, even one that it then
  -- leaves as it is.
  left join mmdb.leases h on h.embedding = claim.embedding and h.key = k.key
  where h.key is null or mmdb.is_free(h, k.state)
  order by k.key
  on conflict on constraint leases_pkey do update
    set (worker, expires_at, attempts, failed_at, retry_at, state)
      = (excluded.worker, excluded.expires_at,
         case when l.retry_at = 'infinity' then 1 else l.attempts + 1 end,
         case when l.retry_at = 'infinity' then l.failed_at end, null,
         case when l.retry_at = 'infinity' then l.state else excluded.state end)
    where mmdb.is_free(l, excluded.state)
  returning l.key, l.attempts, case when l.failed_at is not null then l.state end,
            case when l.failed_at is not null then l.source_hash end,
            case when l.failed_at is not null then l.error end;
  if not found then
    return query select * from mmdb.claim_orphan(claim.embedding, claim.worker, keys, states, expiry, live);
  end if;
end
$$;
comment on function mmdb.claim(bigint, integer, text[], text[], interval) is
  'Worker only: lease pending rows. A row that had failed comes with the state, hash and error of then: unchanged, it '
  'is failed again unembedded.';

create or replace function mmdb.claim_orphan(
  embedding bigint, worker integer, keys text[], states text[], expiry timestamptz, live integer[]
) returns table (key text, attempts integer, failed_state text, failed_hash bytea, failed_error text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  allowed constant integer := coalesce(mmdb.setting('max_attempts'), '5')::integer;
begin
  update mmdb.leases l
  set worker = null, expires_at = null, retry_at = 'infinity', failed_at = clock_timestamp(),
      error = format('the worker died %s times while it embedded this row', l.attempts)
  where l.embedding = claim_orphan.embedding and l.key = any(keys) and l.attempts >= allowed
    and l.worker is not null and (l.worker <> all(live) or l.expires_at < clock_timestamp());
  return query
  update mmdb.leases l
  set worker = claim_orphan.worker, expires_at = expiry, attempts = l.attempts + 1,
      state = (select k.state from unnest(keys, states) k(key, state) where k.key = l.key)
  where l.embedding = claim_orphan.embedding
    and l.key = (
      select o.key from mmdb.leases o
      where o.embedding = claim_orphan.embedding and o.key = any(keys)
        and o.worker is not null and (o.worker <> all(live) or o.expires_at < clock_timestamp())
      order by o.attempts, o.key limit 1
      for update skip locked)
  returning l.key, l.attempts, null::text, null::bytea, null::text;
end
$$;
comment on function mmdb.claim_orphan(bigint, integer, text[], text[], timestamptz, integer[]) is
  'Take over one row whose worker died.';

create or replace function mmdb.note_attempt(embedding bigint, worker integer, key text, state text, source_hash bytea)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  update mmdb.leases l set state = note_attempt.state, source_hash = note_attempt.source_hash
  where l.embedding = note_attempt.embedding and l.key = note_attempt.key and l.worker = note_attempt.worker
$$;
comment on function mmdb.note_attempt(bigint, integer, text, text, bytea) is
  'Worker only: before a row that a worker died of is tried again, write down what is tried.';

create or replace function mmdb.hold(embedding bigint, worker integer, pass uuid, keys text[]) returns setof text
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_pass(hold.embedding, hold.pass);
  select l.key from mmdb.leases l
  where l.embedding = hold.embedding and l.worker = hold.worker and l.key = any(hold.keys)
  order by l.key
  for update
$$;
comment on function mmdb.hold(bigint, integer, uuid, text[]) is
  'Worker only: which of these leases are still mine; nobody takes them over before this transaction ends.';

-- A "changed" row is free at once: its new source waits. A "locked" row is left for a moment to the session that locks
-- it.
create or replace function mmdb.settle(embedding bigint, worker integer, pass uuid, keys text[], outcomes text[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  now constant timestamptz := clock_timestamp();
  stored_now constant integer := (select count(*) from unnest(outcomes) o where o = 'stored');
begin
  perform mmdb.guard_pass(embedding, pass);
  delete from mmdb.leases l
  using unnest(keys, outcomes) k(key, outcome)
  where l.embedding = settle.embedding and l.worker = settle.worker and l.key = k.key and k.outcome <> 'locked';
  update mmdb.leases l
  set worker = null, expires_at = null, retry_at = now + interval '1 second', attempts = l.attempts - 1
  from unnest(keys, outcomes) k(key, outcome)
  where l.embedding = settle.embedding and l.worker = settle.worker and l.key = k.key and k.outcome = 'locked';
  update mmdb.progress p
  set (window_start, window_stored, last_rate)
    = (select case when fresh then now else p.window_start end,
              case when fresh then stored_now else p.window_stored + stored_now end,
              case when fresh then p.last_rate
                   else (p.window_stored + stored_now) / greatest(extract(epoch from now - p.window_start), 0.001) end
       from (select p.window_start is null or now - p.window_start > interval '1 minute' as fresh) w),
      stored = p.stored + stored_now
  where p.embedding = settle.embedding;
end
$$;
comment on function mmdb.settle(bigint, integer, uuid, text[], text[]) is
  'Worker only: what became of the rows of a batch; in the transaction of store.';

create or replace function mmdb.fail(
  embedding bigint, worker integer, keys text[], states text[], hashes bytea[], errors text[], permanent boolean[]
) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  update mmdb.leases l
  set worker = null, expires_at = null, state = k.state, source_hash = k.hash, error = left(k.error, 1000),
      failed_at = clock_timestamp(),
      retry_at = case when k.permanent or l.attempts >= coalesce(mmdb.setting('max_attempts'), '5')::integer
                      then 'infinity' else clock_timestamp() + mmdb.retry_delay(l.attempts) end
  from unnest(fail.keys, fail.states, fail.hashes, fail.errors, fail.permanent) k(key, state, hash, error, permanent)
  where l.embedding = fail.embedding and l.worker = fail.worker and l.key = k.key
$$;
comment on function mmdb.fail(bigint, integer, text[], text[], bytea[], text[], boolean[]) is
  'Worker only: rows that could not be embedded wait for another try, or have failed when it is hopeless or was the '
  'last.';

create or replace function mmdb.caught_up(embedding bigint) returns double precision
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  -- A worker says so at every poll; it is written down every ten seconds.
  update mmdb.progress p set caught_up_at = clock_timestamp()
  where p.embedding = caught_up.embedding
    and (p.caught_up_at is null or p.caught_up_at < clock_timestamp() - interval '10 seconds');
  select extract(epoch from min(l.retry_at) - clock_timestamp())::double precision
  from mmdb.leases l
  where l.embedding = caught_up.embedding and l.worker is null and l.retry_at < 'infinity'
$$;
comment on function mmdb.caught_up(bigint) is
  'Worker only: nothing was pending just now but what waits or failed. Returns the seconds until the next waiting '
  'row, NULL where none waits.';

create or replace function mmdb.note_counts(
  embedding bigint, pass uuid, total bigint, embedded bigint, pending bigint, estimated boolean
)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session(), mmdb.guard_pass(note_counts.embedding, note_counts.pass);
  update mmdb.progress p
  set (counted_at, total, embedded, pending, estimated)
    = (clock_timestamp(), note_counts.total, note_counts.embedded, note_counts.pending, note_counts.estimated)
  where p.embedding = note_counts.embedding
$$;
comment on function mmdb.note_counts(bigint, uuid, bigint, bigint, bigint, boolean) is
  'Worker only: the rows of a table, as its owner sees them.';

create or replace function mmdb.report_drift(embedding bigint, drift text) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  update mmdb.progress p set drift = report_drift.drift
  where p.embedding = report_drift.embedding and p.drift is distinct from report_drift.drift
$$;
comment on function mmdb.report_drift(bigint, text) is
  'Worker only: what went wrong with the whole embedding, NULL once it works again.';

-- Forget what no longer exists: dead workers, leases of rows that are gone or embedded, dropped tables.
create or replace function mmdb.sweep() returns table (embedding bigint, pass uuid, schema text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.guard_session();
  delete from mmdb.worker_sessions w
  where w.id not in (select mmdb.live_workers()) and w.heartbeat_at < clock_timestamp() - interval '1 hour';
  delete from mmdb.shared_sessions s where s.pid not in (select a.pid from pg_stat_activity a);
  perform mmdb.trim_requests();
  delete from mmdb.keywords w where not exists (select from pg_class c where c.oid = w.relation);
  delete from mmdb.embeddings e
  where not exists (select from pg_class c where c.oid = e.relation)
    and not exists (select from pg_proc p where mmdb.is_made_by(p.oid, e.id));
  return query
  select e.id, p.pass, (parse_ident(e.function_schema))[1]
  from mmdb.embeddings e join mmdb.passes p on p.embedding = e.id
  where not exists (select from pg_class c where c.oid = e.relation) and mmdb.may_clean(e.id);
end
$$;
comment on function mmdb.sweep() is
  'Worker only: remove what belongs to nothing any more; returns the dropped tables whose functions are to be cleaned '
  'up.';

create or replace function mmdb.may_clean(embedding bigint) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((
    select p.prosecdef and mmdb.is_made_by(p.oid, e.id)
    from mmdb.embeddings e join pg_proc p on p.oid = to_regproc(mmdb.worker_function(e, 'clean'))
    where e.id = may_clean.embedding), false)
$$;
comment on function mmdb.may_clean(bigint) is
  'Worker only: asked right before the function is called that cleans up after a dropped table.';

create or replace function mmdb.idle_leases(embedding bigint) returns setof text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  select l.key from mmdb.leases l
  where l.embedding = idle_leases.embedding and (l.worker is null or l.worker not in (select mmdb.live_workers()))
$$;
comment on function mmdb.idle_leases(bigint) is
  'Worker only: rows that nobody works on: they wait, failed, or their worker died; those no longer pending are to be '
  'forgotten.';

create or replace function mmdb.forget_leases(embedding bigint, keys text[]) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.guard_session();
  delete from mmdb.leases l
  where l.embedding = forget_leases.embedding and l.key = any(forget_leases.keys)
    and (l.worker is null or l.worker not in (select mmdb.live_workers()))
$$;
comment on function mmdb.forget_leases(bigint, text[]) is
  'Worker only: forget the leases of these keys that nobody works on.';
