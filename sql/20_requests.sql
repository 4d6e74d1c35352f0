-- The way of a request from a backend to a worker and back, whatever its task. The worker answers, the backend asks.
--
-- A request is a task, a model, and a text or bytes, with parameters where the task has some. It is posted through a
-- dblink connection back into this database (an autonomous transaction: the caller's may be read only, or roll back)
-- and polled in short steps, so that a cancel or a time-out is noticed at once. The loopback connects as a role that
-- may call post and poll only. The answer to the task embedding is a vector, which is cached; to any other it is jsonb,
-- which is for its asker alone and is deleted as it is read.

create or replace function mmdb.request_hash(content text, data bytea) returns bytea
language sql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
  select sha256(coalesce(E'bytes\\000'::bytea || data, E'text\\000'::bytea || convert_to(content, 'UTF8')))
$$;
comment on function mmdb.request_hash(text, bytea) is
  'The key of a text or of bytes in the cache: SHA-256, of which of the two it is too.';

-- A clone by file has its original's system identifier, so a primary is known by its start. Not so a standby: it asks
-- its primary, and there only the identifier is the same. Written as a number: two sessions compare it, and how a time
-- is written depends on their settings.
create or replace function mmdb.here(standby boolean) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('%s/%s', case when here.standby then c.system_identifier::text
                              else extract(epoch from pg_postmaster_start_time())::text end, d.oid)
  from pg_control_system() c, pg_database d
  where d.datname = current_database()
$$;
comment on function mmdb.here(boolean) is
  'This database as one text: of this very server, or of its whole replication cluster.';

-- By name and identity: a model that nobody used yet may have become another one since the worker loaded it.
create or replace function mmdb.serves(worker mmdb.worker_sessions, model mmdb.models) returns boolean
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select exists (select from unnest(worker.models, worker.identities) s(name, identity)
                 where (s.name, s.identity) = (model.name, model.identity))
$$;
comment on function mmdb.serves(mmdb.worker_sessions, mmdb.models) is 'Whether a worker has loaded this very model.';

-- Runs on the far side of the loopback.
create or replace function mmdb.post_request(
  place text, task text, model text, content text, data bytea, parameters jsonb,
  out token uuid, out embedding real[], out answer jsonb, out problem text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  -- Without one a request is like no other.
  request_hash constant bytea := case when task = 'embedding' then mmdb.request_hash(content, data) end;
begin
  if place <> all(array[mmdb.here(false), mmdb.here(true)]) then
    problem := 'elsewhere';
    return;
  elsif pg_is_in_recovery() then
    problem := 'standby';
    return;
  end if;
  select q.token, q.embedding into token, embedding
  from mmdb.requests q
  where q.model = post_request.model and q.hash = request_hash and q.error is null;
  if embedding is not null then
    return;
  end if;
  if not exists (select from mmdb.worker_sessions w join mmdb.models m on m.name = post_request.model
                 where mmdb.serves(w, m) and w.id in (select mmdb.live_workers())) then
    problem := 'no worker';
    return;
  end if;
  if token is null then
    insert into mmdb.requests as q (task, model, hash, content, data, parameters)
    values (post_request.task, post_request.model, request_hash, post_request.content, post_request.data,
            post_request.parameters)
    on conflict on constraint requests_key do update
      set (token, asked_at, content, data, worker, error, answered_at)
        = (gen_random_uuid(), clock_timestamp(), excluded.content, excluded.data, null, null, null)
      where q.error is not null
    returning q.token into token;
  end if;
  if token is null then
    select q.token into token from mmdb.requests q where q.model = post_request.model and q.hash = request_hash;
  end if;
  -- Said again for a request that is already waiting: its worker may have died since.
  perform pg_notify('mmdb', model);
end
$$;
comment on function mmdb.post_request(text, text, text, text, bytea, jsonb) is
  'Loopback only: ask a worker for something. Returns the vector if it is cached, else a token to poll with, else the '
  'problem.';

create or replace function mmdb.poll_request(token uuid, out embedding real[], out answer jsonb, out problem text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  read_once boolean;
begin
  select q.embedding, q.answer, q.error, q.hash is null and q.answered_at is not null
    into embedding, answer, problem, read_once
  from mmdb.requests q where q.token = poll_request.token;
  if not found then
    problem := 'the question is gone: the server was restarted, or the cache was emptied';
  elsif read_once then
    delete from mmdb.requests q where q.token = poll_request.token;
  end if;
end
$$;
comment on function mmdb.poll_request(uuid) is
  'Loopback only: the answer to one''s own request, NULL while it is not there.';

-- libpq says in words alone why it could not connect, in any language: what is wrong is looked for in the catalogues.
create or replace function mmdb.loopback_remedy() returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when s.oid is null or r.oid is null or m.umuser is null then
      'run `mmdb init`: it makes the role, the password and the foreign server "mmdb_loopback" that it needs'
    when not has_database_privilege(r.oid, current_database(), 'connect') then
      format('run `mmdb init`, or: grant connect on database %I to %I', current_database(), r.rolname)
    when not r.rolcanlogin or r.rolvaliduntil <= clock_timestamp() then
      format('let its role log in: alter role %I login valid until ''infinity''', r.rolname)
    when not r.rolconnlimit = -1 then
      format('let its role have a connection for each session that searches: alter role %I connection limit -1',
             r.rolname)
    when o.port is distinct from current_setting('port') then
      format('it goes to port %s, and this server has %s: if nothing leads from there to here, run `mmdb init '
             '--loopback-port %2$s`', o.port, current_setting('port'))
    else
      format('it goes to %s, port %s, as role "%s" with a password: the server must listen there, and pg_hba.conf have '
             'a line for it (as in: host "%s" "%3$s" %1$s scram-sha-256); `mmdb init --loopback-host … '
             '--loopback-port …` says where else, and gives it a new password', o.host, o.port, r.rolname,
             current_database())
  end
  from (select mmdb.setting('loopback_role')) l(role)
  left join pg_roles r on r.rolname = l.role
  left join pg_foreign_server s on s.srvname = 'mmdb_loopback'
  left join pg_user_mappings m on m.srvid = s.oid
    and m.umuser = (select n.nspowner from pg_namespace n where n.nspname = 'mmdb')
  cross join lateral (select max(substr(w.option, 6)) filter (where w.option like 'host=%'),
                             max(substr(w.option, 6)) filter (where w.option like 'port=%')
                      from unnest(s.srvoptions) w(option)) o(host, port)
$$;
comment on function mmdb.loopback_remedy() is 'What to do where the loopback cannot be opened.';

-- Whatever the database has its sessions begin with: a vector comes back as text, which is to lose no digit; a session
-- that waits is not to be cut off; and a question is written, in a database too that is read only by default.
create or replace function mmdb.connect_loopback(connection text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  settings constant text :=
    'set extra_float_digits = 1; set array_nulls = on; set statement_timeout = 0; set lock_timeout = 0; '
    'set idle_session_timeout = 0; set default_transaction_read_only = off; '
    'set default_transaction_isolation = ''read committed''';
  reason text;
begin
  perform @extschema:dblink@.dblink_connect(connection, 'mmdb_loopback');
  perform @extschema:dblink@.dblink_exec(connection, settings);
exception when others then
  get stacked diagnostics reason = pg_exception_detail;
  reason := coalesce(nullif(reason, ''), sqlerrm);
  if connection = any(@extschema:dblink@.dblink_get_connections()) then
    perform @extschema:dblink@.dblink_disconnect(connection);
  end if;
  raise exception 'the loopback connection of mmdb cannot be opened: %', reason
    using errcode = 'connection_exception', hint = mmdb.loopback_remedy();
end
$$;
comment on function mmdb.connect_loopback(text) is
  'Open a connection back into the database under this name, as the loopback''s role.';

create or replace function mmdb.open_loopback() returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if 'mmdb_loopback' <> all(coalesce(@extschema:dblink@.dblink_get_connections(), '{}')) then
    perform mmdb.connect_loopback('mmdb_loopback');
  end if;
end
$$;
comment on function mmdb.open_loopback() is 'Open this session''s connection back into the database, once.';

-- By a connection of its own: that of the session may have been opened when one still could be.
create or replace function mmdb.try_loopback(out problem text, out remedy text)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  answer text;
begin
  perform mmdb.connect_loopback('mmdb_trial');
  select r.problem into answer
  from @extschema:dblink@.dblink('mmdb_trial', format(
    'select p.problem from mmdb.post_request(%L, ''embedding'', '''', '''', null, null) p',
    mmdb.here(pg_is_in_recovery()))) r(problem text);
  -- No worker has the model "", so that is what is said where all is well.
  perform mmdb.raise_problem(nullif(answer, 'no worker'), 'embedding', '');
  perform @extschema:dblink@.dblink_disconnect('mmdb_trial');
exception when others then
  get stacked diagnostics problem = message_text, remedy = pg_exception_hint;
  if 'mmdb_trial' = any(@extschema:dblink@.dblink_get_connections()) then
    perform @extschema:dblink@.dblink_disconnect('mmdb_trial');
  end if;
end
$$;
comment on function mmdb.try_loopback() is
  'What is wrong with the loopback, tried now, and what to do; NULL where nothing is.';

-- pg_stat_activity shows the first track_activity_query_size bytes of a statement to everybody of the same
-- role, so the call proper begins behind that much white space.
--
-- Sent and then looked for, never waited for: dblink would not let a cancel through before the far side answers. What a
-- cancel leaves behind is noticed by the next one, which begins on a new connection.
create or replace function mmdb.loopback(
  statement text, out token uuid, out embedding real[], out answer jsonb, out problem text
)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
as $$
declare
  hidden constant text := repeat(' ', pg_size_bytes(current_setting('track_activity_query_size'))::integer)
    || statement;
  sent timestamptz;
begin
  for attempt in 1..2 loop
    perform mmdb.open_loopback();
    begin
      if @extschema:dblink@.dblink_send_query('mmdb_loopback', hidden) = 1 then
        -- A sleep takes a millisecond at least, the far side a quarter of one.
        sent := clock_timestamp();
        while @extschema:dblink@.dblink_is_busy('mmdb_loopback') = 1 loop
          if clock_timestamp() > sent + interval '1 ms' then
            perform pg_sleep(0.001);
          end if;
        end loop;
        select r.token, r.embedding, r.answer, r.problem into token, embedding, answer, problem
        from @extschema:dblink@.dblink_get_result('mmdb_loopback')
          r(token uuid, embedding real[], answer jsonb, problem text);
        -- The end of the answers, without which the connection takes no other statement.
        perform
        from @extschema:dblink@.dblink_get_result('mmdb_loopback')
          r(token uuid, embedding real[], answer jsonb, problem text);
        return;
      end if;
    exception when connection_exception or admin_shutdown or crash_shutdown or internal_error then
      if attempt = 2 then  -- the first time it may have been cut since
        perform @extschema:dblink@.dblink_disconnect('mmdb_loopback');
        raise;
      end if;
    end;
    perform @extschema:dblink@.dblink_disconnect('mmdb_loopback');
  end loop;
  raise exception 'the loopback connection of mmdb takes no statement' using errcode = 'connection_exception';
end
$$;
comment on function mmdb.loopback(text) is 'Run one call of post_request or poll_request in a transaction of its own.';

create or replace function mmdb.request(
  task text, model text, content text, data bytea, parameters jsonb, timeout_ms integer,
  out embedding real[], out answer jsonb
)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  reply record;
  posted uuid;
  give_up constant timestamptz := clock_timestamp() + timeout_ms * interval '1 millisecond';
  polls integer := 0;
begin
  reply := mmdb.loopback(format(
    'select * from mmdb.post_request(%L, %L, %L, %L, %L, %L)',
    mmdb.here(pg_is_in_recovery()), task, model, content, data, parameters));
  posted := reply.token;
  while reply.embedding is null and reply.answer is null and reply.problem is null loop
    if clock_timestamp() > give_up then
      perform mmdb.raise_problem('late', task, model);
    end if;
    perform pg_sleep(case when polls < 10 then 0.0003 when polls < 40 then 0.001 else 0.01 end);
    polls := polls + 1;
    reply := mmdb.loopback(format('select null::uuid, p.* from mmdb.poll_request(%L) p', posted));
  end loop;
  perform mmdb.raise_problem(reply.problem, task, model);
  embedding := reply.embedding;
  answer := reply.answer;
end
$$;
comment on function mmdb.request(text, text, text, bytea, jsonb, integer) is
  'Post a request, wait for a worker''s answer, return it: a vector for the task embedding, jsonb for any other.';

create or replace function mmdb.raise_problem(problem text, task text, model text) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  embedding constant boolean := task = 'embedding';
begin
  if problem = 'elsewhere' then
    raise exception 'the loopback connection of mmdb leads to another server or database than "%"', current_database()
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'this database was cloned or moved: run `mmdb init` on it';
  elsif problem = 'standby' then
    raise exception 'the loopback connection of mmdb leads to this standby, which cannot take a question'
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'on the primary: mmdb init --loopback-host HOST, the name by which its standbys reach it';
  elsif problem = 'no worker' then
    raise exception 'no worker is running for model "%"', model
      using errcode = 'object_not_in_prerequisite_state', hint = 'start one: `mmdb worker` (or `mmdb up`)';
  elsif problem = 'late' then
    raise exception 'no worker answered the % for model "%" in time', case when embedding then 'query' else task end,
                    model
      using errcode = 'query_canceled',
            hint = format('see `mmdb status`; the limit is %s',
                          case when embedding then 'mmdb.set_setting(''embed_timeout_ms'', …)' else 'timeout_ms' end);
  elsif problem is not null and embedding then
    raise exception 'the query could not be embedded by model "%": %', model, problem
      using errcode = 'data_exception';
  elsif problem is not null then
    raise exception 'the % by model "%" failed: %', task, model, problem using errcode = 'data_exception';
  end if;
end
$$;
comment on function mmdb.raise_problem(text, text, text) is
  'Turn what the loopback answered into an error with a remedy; NULL is no problem.';
