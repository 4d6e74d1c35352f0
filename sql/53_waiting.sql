-- Read your writes: wait until rows that were committed are embedded. For tests, and for pages that show a row just
-- saved.

-- It runs on the far side of the loopback: a NOTIFY of the caller's own would be sent when the caller's transaction
-- ends.
create or replace function mmdb.wake() returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$ select pg_notify('mmdb', '') $$;
comment on function mmdb.wake() is 'Loopback only: workers look for pending rows at once.';

create or replace function mmdb.wake_workers() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.loopback('select null::uuid, null::real[], null::jsonb, mmdb.wake()::text');
end
$$;
comment on function mmdb.wake_workers() is
  'Have workers look for pending rows now, whatever becomes of this transaction.';

create or replace function mmdb.pending_of(
  declared mmdb.embeddings, ids text[], out pending bigint, out mine bigint, out failure text, out retried text
)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set extra_float_digits = 1 set bytea_output = 'hex'
set timezone = 'UTC'
as $$
declare
  one_column constant boolean := (select count(*) = 1 from mmdb.key_columns(declared.relation));
  keys constant text[] := case when one_column then (select array_agg(array[i]::text) from unnest(ids) i) else ids end;
begin
  execute mmdb.filled($query$
    select count(*) filter (where f.final is not true), count(*) filter (where {state} = $2),
           min({says}) filter (where f.final), min({says}) filter (where not f.final)
    from {keys} {rows} {matches}
    left join mmdb.failures f on f.embedding = {id} and f.key_text = {key}
    where {pending}
  $query$, jsonb_build_object(
    'state', mmdb.row_state_sql(declared), 'rows', mmdb.stored_rows(declared), 'id', declared.id,
    'says', format('format(''row %%s of %%s cannot be embedded: %%s'', f.key_text, %L, f.error)', declared.relation),
    'keys', case when ids is null then '' else 'unnest($1) k(key) join' end,
    'matches', case when ids is null then '' else 'on ' || mmdb.key_matches(declared.relation, 'k.key') end,
    'key', (select s.expression from mmdb.key_sql(declared.relation) s), 'pending', mmdb.pending_sql(declared)))
  into pending, mine, failure, retried
  using keys, pg_current_xact_id_if_assigned()::xid::text;
end
$$;
comment on function mmdb.pending_of(mmdb.embeddings, text[]) is
  'How many of these rows are pending, how many of them this transaction wrote, what failed, and what failed but is '
  'tried again.';

create or replace function mmdb.check_waiting(declared mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a transaction of isolation level "%" does not see what workers store',
                    current_setting('transaction_isolation')
      using errcode = 'invalid_transaction_state', hint = 'wait in a transaction of level read committed';
  elsif not exists (select from mmdb.workers w where w.alive and declared.model = any(w.models)) then
    raise exception 'no worker is running for model "%"', declared.model
      using errcode = 'object_not_in_prerequisite_state', hint = 'start one: `mmdb worker` (or `mmdb up`)';
  end if;
end
$$;
comment on function mmdb.check_waiting(mmdb.embeddings) is 'Refuse to wait for what will not come.';

create or replace function mmdb.wait_until_embedded(
  relation regclass, ids text[] default null, name text default null, timeout interval default '30 seconds'
) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  give_up constant timestamptz := clock_timestamp() + timeout;
  declared mmdb.embeddings;
  state record;
  warned text;
  looks integer := 0;
begin
  perform mmdb.embedding_of(relation, wait_until_embedded.name) where wait_until_embedded.name is not null;
  for declared in select e.* from mmdb.embeddings e where e.relation = wait_until_embedded.relation
                and e.name = coalesce(wait_until_embedded.name, e.name) order by e.id loop
    loop
      state := mmdb.pending_of(declared, ids);
      if state.failure is not null then
        raise exception '%', state.failure
          using errcode = 'data_exception',
                hint = format('mmdb.failures has all of them; mmdb.retry(%L) tries again', relation);
      elsif state.mine > 0 then
        raise exception 'a row was written by this very transaction, and no worker sees it yet'
          using errcode = 'invalid_transaction_state', hint = 'commit first, then wait';
      end if;
      exit when state.pending = 0;
      if state.retried is distinct from warned and state.retried is not null then
        warned := state.retried;
        raise warning '%', warned using hint = 'it is tried again: mmdb.failures says when';
      end if;
      if looks = 0 then
        perform mmdb.check_waiting(declared);
        perform mmdb.wake_workers();
      elsif clock_timestamp() > give_up then
        raise exception '% rows of % are not embedded after %', state.pending, relation, timeout
          using errcode = 'query_canceled',
                detail = coalesce(state.retried, ''),
                hint = case when state.retried is null then 'see `mmdb status`; give a longer timeout => ''…'''
                            else 'it is tried again: mmdb.failures says when' end;
      end if;
      looks := looks + 1;
      perform pg_sleep(0.01);
    end loop;
  end loop;
end
$$;
comment on function mmdb.wait_until_embedded(regclass, text[], text, interval) is
  'Return when rows that were committed are embedded, by one embedding or by all of the table: the rows with these '
  'keys (a key of several columns as the text of an array), or all. An error says what failed, that no worker runs, '
  'or that time is up.';
