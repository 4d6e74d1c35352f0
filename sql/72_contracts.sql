-- The recall contract: the settings with which a function keeps a recall, attached to it, and whether it still does.

create or replace function mmdb.tuned_settings() returns text[]
language sql immutable security invoker
as $$ select array['hnsw.ef_search', 'hnsw.iterative_scan', 'hnsw.max_scan_tuples', 'enable_indexscan'] $$;
comment on function mmdb.tuned_settings() is
  'The settings that mmdb.tune attaches and takes away; a function''s others are left alone.';

create or replace function mmdb.signature(function regprocedure) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select function::text $$;
comment on function mmdb.signature(regprocedure) is
  'A function''s qualified name and argument types: how contracts know it.';

-- PostgreSQL 15 raises an error if a type of the signature is gone; that is the same as a function that is gone.
create or replace function mmdb.function_called(signature text) returns regprocedure
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  return to_regprocedure(signature);
exception when undefined_object or invalid_schema_name or insufficient_privilege then
  return null;
end
$$;
comment on function mmdb.function_called(text) is 'The function of this signature, NULL where there is none.';

create or replace function mmdb.settings_of(function regprocedure) returns text[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(c.setting order by c.setting), '{}')
  from pg_proc p cross join lateral unnest(p.proconfig) c(setting)
  where p.oid = function and split_part(c.setting, '=', 1) = any(mmdb.tuned_settings())
$$;
comment on function mmdb.settings_of(regprocedure) is 'The search settings that are attached to a function.';

create or replace function mmdb.attach_settings(function regprocedure, settings text[]) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  setting text;
begin
  perform '[1]'::@extschema:vector@.vector;  -- only a setting that is known can be attached without being superuser
  foreach setting in array mmdb.tuned_settings() loop
    execute format('alter function %s reset %s', function, setting);
  end loop;
  foreach setting in array settings loop
    if split_part(setting, '=', 1) <> all(mmdb.tuned_settings()) then
      raise exception 'setting "%" is none of those that are tuned', setting using errcode = 'invalid_parameter_value';
    end if;
    execute format('alter function %s set %s = %L', function, split_part(setting, '=', 1), split_part(setting, '=', 2));
  end loop;
end
$$;
comment on function mmdb.attach_settings(regprocedure, text[]) is
  'Attach these search settings to a function and no others.';

create or replace function mmdb.record_contract(made mmdb.recall_contracts) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if (select pg_has_role(session_user, p.proowner, 'member') from pg_proc p
      where p.oid = mmdb.function_called(made.function)) is not true then
    raise exception 'must be owner of function %', made.function using errcode = 'insufficient_privilege';
  end if;
  insert into mmdb.recall_contracts (function, target, samples, settings)
  values (made.function, made.target, made.samples, made.settings)
  on conflict (function) do update
    set (target, samples, settings, tuned_at, tuned_by)
      = (excluded.target, excluded.samples, excluded.settings, excluded.tuned_at, excluded.tuned_by);
end
$$;
comment on function mmdb.record_contract(mmdb.recall_contracts) is 'Enter a contract, for the function''s owner only.';

-- Each way of scanning is tried from cheap to dear, until it is good enough. A relaxed scan is not in order, so it is
-- taken only if every answer came in order nevertheless.
create or replace function mmdb.tuning_ladders(function regprocedure)
returns table (ladder integer, step integer, settings text[])
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with ours as (
    select exists (select from mmdb.embeddings e where mmdb.is_made_by(function, e.id)) as made
  )
  select l.ladder::integer, row_number() over (partition by l.ladder order by t.tuples, f.ef)::integer,
         array['hnsw.ef_search=' || f.ef]
         || case when l.mode is not null
                 then array['hnsw.iterative_scan=' || l.mode, 'hnsw.max_scan_tuples=' || t.tuples] else '{}' end
  from ours
  cross join lateral (select 1, null::text where ours.made union all
                      select v.* from (values (1, 'strict_order'), (2, 'relaxed_order')) v
                      where not ours.made) l(ladder, mode)
  cross join unnest(array[20000, 200000]) t(tuples)
  cross join unnest(array[40, 80, 160, 320, 640, 1000]) f(ef)
  where l.mode is not null or t.tuples = 20000
  union all
  select 3, 1, array['enable_indexscan=off']
  order by 1, 2
$$;
comment on function mmdb.tuning_ladders(regprocedure) is
  'The settings that mmdb.tune tries, from cheap to dear. Functions of mmdb choose the way of scanning themselves.';

create or replace function mmdb.try_settings(
  query mmdb.stored_query, expected text[], exact_milliseconds double precision, target double precision
)
returns table (made mmdb.recalls, short bigint, tables regclass[])
language plpgsql volatile security invoker rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
  step record;
  measured record := mmdb.measure(query, expected);
  reached integer := 0;  -- the last ladder that is done with
  fastest double precision := 'infinity';
begin
  return query select measured.made, measured.short, measured.tables;
  for step in select * from mmdb.tuning_ladders(query.function) loop
    continue when step.ladder = reached
      or (step.settings = '{enable_indexscan=off}' and exact_milliseconds > 1.5 * fastest);
    perform mmdb.attach_settings(query.function, step.settings);
    measured := mmdb.measure(query, expected);
    if not measured.ordered and 'hnsw.iterative_scan=relaxed_order' = any(step.settings) then
      reached := step.ladder;
      continue;
    end if;
    if (measured.made).recall >= target then
      reached := step.ladder;
      fastest := least(fastest, (measured.made).milliseconds);
    end if;
    return query select measured.made, measured.short, measured.tables;
  end loop;
end
$$;
comment on function mmdb.try_settings(mmdb.stored_query, text[], double precision, double precision) is
  'Measure a function as it is, and then with one choice of settings after the other, which stay attached.';

create or replace function mmdb.tune_in(search_path text, function regprocedure, samples jsonb, target double precision)
returns table (
  settings text[], recall double precision, low double precision, high double precision, milliseconds double precision,
  short bigint, attached boolean
)
language plpgsql volatile security invoker rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
  query constant mmdb.stored_query := mmdb.stored_query(tune_in.function, tune_in.samples, tune_in.search_path);
  expected record;
  tried jsonb[];
  best integer;
  made mmdb.recalls;
begin
  if target is null or target <= 0 or target > 1 then
    raise exception 'target is %, expected more than 0 and at most 1', target using errcode = 'invalid_parameter_value';
  elsif not (select pg_has_role(p.proowner, 'usage') from pg_proc p where p.oid = query.function) then
    raise exception 'must be owner of function %', query.function using errcode = 'insufficient_privilege';
  end if;
  perform from mmdb.run_samples(query);  -- texts are embedded, pages are in memory: as in use
  expected := mmdb.run_exact(query);
  tried := array(select to_jsonb(t) from mmdb.try_settings(query, expected.answers, expected.milliseconds, target) t);
  select u.place into best
  from unnest(tried) with ordinality u(entry, place)
  cross join lateral jsonb_populate_record(null::mmdb.recalls, u.entry -> 'made') m
  where m.recall >= target order by m.milliseconds limit 1;
  if best is null then
    raise exception 'no settings reach a recall of % for function %', target, query.function
      using errcode = 'invalid_parameter_value',
            hint = 'it gives another answer each time it is called with the same arguments';
  end if;
  made := jsonb_populate_record(null::mmdb.recalls, tried[best] -> 'made');
  made.exact_milliseconds := expected.milliseconds;
  perform mmdb.attach_settings(query.function, made.settings);
  perform mmdb.record_contract((made.function, target, coalesce(tune_in.samples, mmdb.contract_samples(query.function)),
                                made.settings, null, null)),
          mmdb.record_recall(made, array(select t::regclass from jsonb_array_elements_text(tried[best] -> 'tables') t));
  if made.low < target then
    raise warning 'a recall of % was measured, but over % samples: it may be as low as %',
      round(made.recall::numeric, 3), made.samples, round(made.low::numeric, 3) using hint = 'give more samples';
  end if;
  return query
  select m.settings, m.recall, m.low, m.high, m.milliseconds, (u.entry ->> 'short')::bigint, u.place = best
  from unnest(tried) with ordinality u(entry, place)
  cross join lateral mmdb.rounded(jsonb_populate_record(null::mmdb.recalls, u.entry -> 'made')) m
  order by u.place;
end
$$;
comment on function mmdb.tune_in(text, regprocedure, jsonb, double precision) is
  'mmdb.tune for a function whose body is read with this search_path.';

create or replace function mmdb.tune(
  function regprocedure, samples jsonb default null, target double precision default 0.95
) returns table (
  settings text[], recall double precision, low double precision, high double precision, milliseconds double precision,
  short bigint, attached boolean
)
language sql volatile security invoker rows 10
as $$ select t.* from mmdb.tune_in(pg_catalog.current_setting('search_path'), function, samples, target) t $$;
comment on function mmdb.tune(regprocedure, jsonb, double precision) is
  'Measure a function with a LIMIT of its own as it is (the first row) and with other search settings, attach the '
  'fastest that reach the target to it, and keep that as a contract: mmdb.contracts shows where it no longer holds. '
  'Samples as for mmdb.recall.';

create or replace function mmdb.drop_contract(function text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  made mmdb.recall_contracts;
  found_function regprocedure;
begin
  select c.* into made from mmdb.recall_contracts c
  where c.function = drop_contract.function
    or mmdb.function_called(c.function) = mmdb.function_called(drop_contract.function);
  found_function := mmdb.function_called(made.function);
  if made.function is null then
    raise exception 'function "%" has no contract', function
      using errcode = 'undefined_object', hint = 'select function from mmdb.contracts lists them';
  elsif not (select pg_has_role(session_user, coalesce((select p.proowner::regrole::name from pg_proc p
                                                        where p.oid = found_function), made.tuned_by), 'member')) then
    raise exception 'must be owner of function "%"', function using errcode = 'insufficient_privilege';
  end if;
  delete from mmdb.recall_contracts c where c.function = made.function;
end
$$;
comment on function mmdb.drop_contract(text) is
  'Forget a contract, by the function''s signature as mmdb.contracts has it. The settings stay attached: ALTER '
  'FUNCTION … RESET takes them away.';

-- Only the system catalogues and numbers are read: anybody may know that a contract no longer holds.
create or replace function mmdb.contract_drift(made mmdb.recall_contracts, last mmdb.recalls) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when f.oid is null then format('the function is gone: select mmdb.drop_contract(%L)', made.function)
    when mmdb.settings_of(f.oid) <> made.settings then
      format('other settings are attached than when it was tuned, as after CREATE OR REPLACE: select * from '
             'mmdb.tune(%L)', made.function)
    when last.recall < made.target then
      format('recall was %s when last measured: select * from mmdb.tune(%L); where much was deleted, reindex first',
             round(last.recall::numeric, 3), made.function)
    when exists (
      select from jsonb_each(last.tables) then_(relation, seen)
      join jsonb_each(mmdb.table_changes(array(select to_regclass(k) from jsonb_object_keys(last.tables) k)))
        now_(relation, seen) using (relation)
      where (now_.seen ->> 'changes')::bigint - (then_.seen ->> 'changes')::bigint
            > greatest(0.2 * (then_.seen ->> 'rows')::real, 500)) then
      format('more than a fifth of the rows changed since it was measured: select * from mmdb.recall(%L)',
             made.function)
  end
  from (select mmdb.function_called(made.function)) f(oid)
$$;
comment on function mmdb.contract_drift(mmdb.recall_contracts, mmdb.recalls) is
  'Why a contract may no longer hold, with the remedy; NULL where it does.';

-- A function that mmdb makes again keeps its contract.
create or replace function mmdb.keep_contract(function regprocedure) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  settings constant text[] := mmdb.contract_settings(function);
begin
  if settings is not null then
    perform mmdb.attach_settings(function, settings);
  end if;
end
$$;
comment on function mmdb.keep_contract(regprocedure) is
  'Attach the settings of a function''s contract again, where it has one.';

create or replace function mmdb.contract_settings(function regprocedure) returns text[]
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select c.settings from mmdb.recall_contracts c where c.function = mmdb.signature(contract_settings.function) $$;
comment on function mmdb.contract_settings(regprocedure) is
  'The settings that a function was tuned to; NULL without a contract.';

create or replace view mmdb.every_contract as
select c.function, c.target, r.recall, r.low, r.high, r.milliseconds, r.measured_at, c.settings,
       pg_catalog.jsonb_array_length(c.samples) as samples,
       c.tuned_at, c.tuned_by, mmdb.contract_drift(c, r) as drift
from mmdb.recall_contracts c
left join lateral (select r.* from mmdb.recalls l cross join lateral mmdb.rounded(l) r
                   where l.function = c.function and l.by_owner order by l.id desc limit 1) r on true;
comment on view mmdb.every_contract is 'mmdb.contracts of everybody, for mmdb itself.';

-- A function that is gone, or in a schema that is closed to the caller, is shown to the roles that could act as the one
-- that tuned it.
create or replace view mmdb.contracts with (security_barrier) as
select c.* from mmdb.every_contract c
where coalesce(pg_catalog.has_function_privilege(mmdb.function_called(c.function), 'execute'),
               exists (select from pg_catalog.pg_roles r
                       where r.rolname = c.tuned_by and pg_catalog.pg_has_role(r.oid, 'member')));
comment on view mmdb.contracts is
  'The functions that were tuned and that you may call: the target, the recall when its owner last measured it, the '
  'settings attached, and drift with its remedy.';

create or replace view mmdb.recall_log with (security_barrier) as
select r.id, r.function, r.measured_at, r.measured_by, r.samples, r.recall, r.low, r.high, r.milliseconds,
       r.exact_milliseconds, r.index_scans, r.settings
from mmdb.recalls l cross join lateral mmdb.rounded(l) r
where coalesce(pg_catalog.has_function_privilege(mmdb.function_called(r.function), 'execute'), false);
comment on view mmdb.recall_log is
  'Every measurement by mmdb.recall and mmdb.tune, of the functions that you may call.';
