-- Recall: how many of the truly nearest rows a function finds, measured and kept in a log.

create or replace function mmdb.answers_in_common(found text[], expected text[]) returns bigint
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select count(*) from (
    select f.answer, row_number() over (partition by f.answer) from unnest(found) f(answer)
    intersect
    select e.answer, row_number() over (partition by e.answer) from unnest(expected) e(answer)
  ) c
$$;
comment on function mmdb.answers_in_common(text[], text[]) is
  'How many answers two lists share, each as often as both have it.';

-- Wilson 1927, over as many independent answers as there are in effect: those of one query are alike (Kish 1965).
create or replace function mmdb.recall_interval(
  hits bigint[], sizes bigint[], out recall double precision, out low double precision, out high double precision
)
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with s as (
    select sum(h)::double precision / sum(z) as p, sum(z)::double precision as total,
           count(*)::double precision as queries
    from unnest(hits, sizes) u(h, z) where z > 0
  ), e as (
    select s.p, s.total / greatest(1, case when s.p > 0 and s.p < 1 and s.queries > 1 then
             s.queries / (s.queries - 1) * (select sum((h - s.p * z) ^ 2) from unnest(hits, sizes) u(h, z))
             / (s.total * s.p * (1 - s.p)) else 1 end) as n
    from s
  )
  select e.p, greatest(0, (e.p + z2 / (2 * e.n) - w) / (1 + z2 / e.n)),
         least(1, (e.p + z2 / (2 * e.n) + w) / (1 + z2 / e.n))
  from e cross join lateral (select 1.96 ^ 2, 1.96 * sqrt(e.p * (1 - e.p) / e.n + 1.96 ^ 2 / (4 * e.n ^ 2))) c(z2, w)
$$;
comment on function mmdb.recall_interval(bigint[], bigint[]) is
  'Recall over queries, and its interval of 95 % confidence.';

create or replace function mmdb.measure(
  query mmdb.stored_query, expected text[], out made mmdb.recalls, out ordered boolean, out short bigint,
  out tables regclass[]
)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  hits bigint[];
  sizes bigint[];
  before constant jsonb := (select jsonb_object_agg(v.relation::oid, v.scans) from mmdb.vector_scans() v);
begin
  select array_agg(mmdb.answers_in_common(r.answers, x.answers) order by r.place),
         array_agg(cardinality(x.answers) order by r.place),
         percentile_cont(0.5) within group (order by r.milliseconds), bool_and(coalesce(r.ordered, false)),
         count(*) filter (where cardinality(r.answers) < cardinality(x.answers))
  into hits, sizes, made.milliseconds, ordered, short
  from mmdb.run_samples(query) r cross join lateral (select expected[r.place]::text[]) x(answers);
  select i.recall, i.low, i.high into made.recall, made.low, made.high from mmdb.recall_interval(hits, sizes) i;
  if made.recall is null then
    raise exception 'no sample finds a row'
      using errcode = 'invalid_parameter_value', hint = 'give samples whose filters some rows pass';
  end if;
  made.function := mmdb.signature(query.function);
  made.samples := cardinality(query.calls);
  made.settings := mmdb.settings_of(query.function);
  select coalesce(sum(v.scans - (before ->> v.relation::oid::text)::bigint), 0), coalesce(array_agg(v.relation), '{}')
  into made.index_scans, tables
  from mmdb.vector_scans() v where v.scans > (before ->> v.relation::oid::text)::bigint;
end
$$;
comment on function mmdb.measure(mmdb.stored_query, text[]) is
  'Run the calls and compare their answers with the true ones.';

create or replace function mmdb.table_changes(tables regclass[]) returns jsonb
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_object_agg(t.relation::text, jsonb_build_object('rows', greatest(c.reltuples, 0), 'changes',
    pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid))), '{}')
  from unnest(tables) t(relation) join pg_class c on c.oid = t.relation
$$;
comment on function mmdb.table_changes(regclass[]) is
  'Rows of these tables, and how many were inserted, updated and deleted since statistics began.';

create or replace function mmdb.rounded(made mmdb.recalls) returns mmdb.recalls
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  made.recall := round(made.recall::numeric, 4);
  made.low := round(made.low::numeric, 4);
  made.high := round(made.high::numeric, 4);
  made.milliseconds := round(made.milliseconds::numeric, 2);
  made.exact_milliseconds := round(made.exact_milliseconds::numeric, 2);
  return made;
end
$$;
comment on function mmdb.rounded(mmdb.recalls) is 'A measurement to the digits that mean something.';

create or replace function mmdb.record_recall(made mmdb.recalls, tables regclass[]) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if has_function_privilege(session_user, mmdb.function_called(made.function), 'execute') is not true then
    raise exception 'permission denied for function %', made.function using errcode = 'insufficient_privilege';
  end if;
  insert into mmdb.recalls (function, by_owner, samples, recall, low, high, milliseconds, exact_milliseconds,
                            index_scans, settings, tables)
  values (made.function,
          (select pg_has_role(session_user, p.proowner, 'member') from pg_proc p
           where p.oid = mmdb.function_called(made.function)),
          made.samples, made.recall, made.low, made.high, made.milliseconds, made.exact_milliseconds,
          made.index_scans, made.settings,
          mmdb.table_changes(tables));
end
$$;
comment on function mmdb.record_recall(mmdb.recalls, regclass[]) is
  'Enter a measurement into the log, for who may call the function.';

create or replace function mmdb.contract_samples(function regprocedure) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  made mmdb.recall_contracts;
begin
  select c.* into made from mmdb.recall_contracts c where c.function = mmdb.signature(contract_samples.function);
  if made.function is null then
    raise exception 'function % has no contract whose samples could be used', function
      using errcode = 'undefined_object', hint = 'give samples, or let mmdb.tune make a contract';
  elsif not (select pg_has_role(session_user, p.proowner, 'member') from pg_proc p
             where p.oid = contract_samples.function) then
    raise exception 'the samples of function % are its owner''s', function
      using errcode = 'insufficient_privilege', hint = 'give samples of your own';
  end if;
  return made.samples;
end
$$;
comment on function mmdb.contract_samples(regprocedure) is 'The samples a function was tuned with, for its owner.';

create or replace function mmdb.recall_in(search_path text, function regprocedure, samples jsonb) returns table (
  recall double precision, low double precision, high double precision, queries integer, short bigint,
  milliseconds double precision, exact_milliseconds double precision, index_scans bigint
)
language plpgsql volatile security invoker rows 1
set search_path = pg_catalog, pg_temp
as $$
declare
  query constant mmdb.stored_query := mmdb.stored_query(recall_in.function, recall_in.samples, recall_in.search_path);
  expected record;
  measured record;
  made mmdb.recalls;
begin
  perform from mmdb.run_samples(query);  -- texts are embedded, pages are in memory: as in use
  expected := mmdb.run_exact(query);
  measured := mmdb.measure(query, expected.answers);
  made := measured.made;
  made.exact_milliseconds := expected.milliseconds;
  perform mmdb.record_recall(made, measured.tables);
  return query
  select r.recall, r.low, r.high, made.samples, measured.short, r.milliseconds, r.exact_milliseconds, made.index_scans
  from mmdb.rounded(made) r;
end
$$;
comment on function mmdb.recall_in(text, regprocedure, jsonb) is
  'mmdb.recall for a function whose body is read with this search_path.';

create or replace function mmdb.recall(function regprocedure, samples jsonb default null) returns table (
  recall double precision, low double precision, high double precision, queries integer, short bigint,
  milliseconds double precision, exact_milliseconds double precision, index_scans bigint
)
language sql volatile security invoker rows 1
as $$ select r.* from mmdb.recall_in(pg_catalog.current_setting('search_path'), function, samples) r $$;
comment on function mmdb.recall(regprocedure, jsonb) is
  'How many of the truly nearest rows a function with a LIMIT of its own finds, over sample calls (an array of arrays '
  'or objects of arguments; those of its contract where none are given), with an interval of 95 % confidence. The '
  'truth is the same function without vector indexes. short: samples that got fewer rows than there are. Milliseconds '
  'are medians. Kept in mmdb.recall_log.';
