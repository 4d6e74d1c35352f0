-- Who may call what. Everything is revoked first; what no list here names, users and workers may call. So a function
-- that is for the worker, the loopback, mmdb's owner alone or everybody must be named. The roles' names are settings,
-- so the grants are written by a loop.

create or replace function mmdb.grant_privileges() returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  user_role constant text := mmdb.setting('user_role');
  worker_role constant text := mmdb.setting('worker_role');
  loopback_role constant text := mmdb.setting('loopback_role');
  for_worker constant text[] := array[
    'share_session', 'tasks', 'may_call', 'may_clean', 'start_worker', 'beat', 'stop_worker', 'claim', 'note_attempt',
    'hold', 'settle', 'fail', 'caught_up', 'note_counts', 'report_drift', 'sweep', 'idle_leases', 'forget_leases',
    'take_requests', 'answer_request', 'take_queries', 'answer_query'];
  for_loopback constant text[] := array['post_request', 'poll_request', 'post_query', 'poll_query', 'wake'];
  for_owner constant text[] := array[
    'embed_by', 'latest_vector', 'request', 'loopback', 'open_loopback', 'connect_loopback', 'try_loopback',
    'loopback_remedy', 'raise_problem', 'check_embeddable', 'trim_requests', 'claim_orphan',
    'grant_privileges', 'guard_session', 'guard_pass', 'serves', 'here', 'set_setting', 'add_model', 'remove_model',
    'request_hash', 'embed_query', 'ask', 'refuse_problem', 'check_query',
    -- Of the version before, while they stand.
    'trim_queries', 'query_hash'];
  -- Indexes call them, of tables that anybody may write to.
  for_everybody constant text[] := array['pairs', 'words_of'];
  granted record;
begin
  execute 'revoke all on schema mmdb from public';
  execute 'revoke all on all tables in schema mmdb from public';
  execute 'revoke all on all routines in schema mmdb from public';
  execute format('grant usage on schema mmdb to %I, %I, %I', user_role, worker_role, loopback_role);
  execute format('grant select on mmdb.embeddings, mmdb.keywords, mmdb.models, mmdb.status, mmdb.failures, '
                 'mmdb.workers, mmdb.contracts, mmdb.recall_log, mmdb.schema_version to %I, %I',
                 user_role, worker_role);
  execute format('grant usage on sequence mmdb.embeddings_id_seq to %I',
                 user_role); -- of 9 quintillion: nobody uses them up
  for granted in
    select p.oid::regprocedure as function,
           case when p.proname = any(for_loopback) then array[quote_ident(loopback_role)]
                when p.proname = any(for_worker) then array[quote_ident(worker_role)]
                else array[quote_ident(user_role), quote_ident(worker_role)]
                     || case when p.proname = any(for_everybody) then array['public'] else '{}' end end as roles
    from pg_proc p
    -- What an install set aside keeps the rights that it had, for who is in the middle of it.
    where p.pronamespace = 'mmdb'::regnamespace and p.proname <> all(for_owner)
      and not starts_with(p.proname, 'set_aside_')
  loop
    execute format('grant execute on routine %s to %s', granted.function, array_to_string(granted.roles, ', '));
  end loop;
end
$$;
comment on function mmdb.grant_privileges() is 'Set the rights on everything in schema mmdb; run at every install.';
