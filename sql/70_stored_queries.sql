-- Functions of users, run over samples: as they are, and exactly.
--
-- The truth is the same function with index scans off. pgvector's indexes know no other scan, so each ORDER BY is a
-- sort over every row that passes, while b-trees still serve filters through bitmaps. That no vector index was read is
-- not trusted but counted, by PostgreSQL's own statistics of this transaction.

create or replace function mmdb.result_columns(function regprocedure) returns table (name text, type oid)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select a.name, a.type from pg_proc p
  cross join lateral unnest(p.proargnames, p.proargmodes, p.proallargtypes) a(name, mode, type)
  where p.oid = function and a.mode in ('o', 'b', 't')
  union all
  select a.attname, a.atttypid from pg_proc p join pg_type t on t.oid = p.prorettype
  join pg_attribute a on a.attrelid = t.typrelid
  where p.oid = function and a.attnum > 0 and not a.attisdropped
$$;
comment on function mmdb.result_columns(regprocedure) is
  'The columns of the rows that a function returns; none where they are single values.';

-- Rows at one distance are equally right answers, and an index may return either.
create or replace function mmdb.recall_row(function regprocedure, out identity text, out distance text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when d.name is not null then format('(r.%I)::real::text', d.name)
              when c.inexact is null then 'to_jsonb(r)::text'
              else format('(to_jsonb(r) - %L::text[])::text', c.inexact) end,
         case when d.name is null then 'null::double precision' else format('r.%I', d.name) end
  from (select array_agg(c.name) filter (where c.type in ('float4'::regtype, 'float8'::regtype)
                                         or c.name in ('ranks', '_ranks')) || '{}'
        from mmdb.result_columns(function) c having count(*) > 1) c(inexact)
  right join (select) one on true
  left join lateral (select c.name from mmdb.result_columns(function) c
                     where c.name in ('distance', '_distance') and c.type in ('float4'::regtype, 'float8'::regtype)
                     order by c.name desc limit 1) d on true
$$;
comment on function mmdb.recall_row(regprocedure) is
  'What makes two rows r of a function the same answer: their distance where they have one, else all but '
  'floating-point columns and ranks.';

create or replace function mmdb.check_stored_query(function regprocedure) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  found_function pg_proc;
begin
  select p.* into found_function from pg_proc p where p.oid = function;
  if found_function.oid is null then
    raise exception 'function % does not exist', function using errcode = 'undefined_function';
  elsif found_function.prokind <> 'f' or found_function.prorettype in ('trigger'::regtype, 'void'::regtype) then
    raise exception '% is not a function that returns rows', function using errcode = 'wrong_object_type';
  elsif found_function.provolatile = 'v' then
    raise exception 'function % is volatile: measuring it would do again what it does', function
      using errcode = 'wrong_object_type', hint = format('if it only reads: alter function %s stable', function);
  elsif exists (select from mmdb.embeddings e where found_function.proname = mmdb.search_name(e.prefix, e.name)
                  and mmdb.is_made_by(function, e.id)) then
    raise exception 'function % is a search view: it has no LIMIT of its own, and attached settings would keep it from '
                    'being inlined', function
      using errcode = 'wrong_object_type', hint = 'write a function around it that ends in: order by distance limit k';
  elsif current_setting('track_counts') = 'off' then
    raise exception 'track_counts is off, and without it no search can be shown to be exact'
      using errcode = 'object_not_in_prerequisite_state', hint = 'set track_counts = on';
  end if;
end
$$;
comment on function mmdb.check_stored_query(regprocedure) is 'Refuse what recall cannot be measured of.';

create or replace function mmdb.sample_argument(argument jsonb, type oid) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  value text;
begin
  execute format('select quote_nullable(x.value::text) from jsonb_to_record($1) x(value %s)', format_type(type, null))
  into value using jsonb_build_object('value', argument);
  return format('%s::%s', value, format_type(type, null));
end
$$;
comment on function mmdb.sample_argument(jsonb, oid) is 'An argument of a sample as SQL of the parameter''s type.';

create or replace function mmdb.sample_call(function regprocedure, sample jsonb, place bigint) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  called constant text := (select format('%I.%I', n.nspname, p.proname) from pg_proc p
                           join pg_namespace n on n.oid = p.pronamespace
                           where p.oid = function);
  types constant oid[] := (select p.proargtypes::oid[] from pg_proc p where p.oid = function);
  names constant text[] := array(
    select a.name
    from pg_proc p
    cross join lateral unnest(
      p.proargnames, coalesce(p.proargmodes, array_fill('i'::"char", array[cardinality(p.proargnames)]))
    ) with ordinality a(name, mode, place)
    where p.oid = function and a.mode in ('i', 'b', 'v') order by a.place);
  stranger text;
begin
  if jsonb_typeof(sample) = 'array' and jsonb_array_length(sample) <= cardinality(types) then
    return format('%s(%s)', called, (
      select string_agg(mmdb.sample_argument(e.value, types[array_lower(types, 1) + e.place::integer - 1]),
                        ', ' order by e.place)
      from jsonb_array_elements(sample) with ordinality e(value, place)));
  elsif jsonb_typeof(sample) = 'object' then
    stranger := (select k from jsonb_object_keys(sample) k where k <> all(names) limit 1);
    if stranger is null then
      return format('%s(%s)', called, (
        select string_agg(
          format('%I => %s', e.key, mmdb.sample_argument(
            e.value, types[array_lower(types, 1) + array_position(names, e.key) - 1])), ', ')
        from jsonb_each(sample) e));
    end if;
  end if;
  raise exception 'sample % is %, which are not arguments of %', place, left(sample::text, 100), function
    using errcode = 'invalid_parameter_value',
          hint = 'a sample is an array of arguments in order, or an object of arguments by name, which leaves those '
                 'with defaults out';
end
$$;
comment on function mmdb.sample_call(regprocedure, jsonb, bigint) is 'One sample as a call of the function.';

create or replace function mmdb.sample_calls(function regprocedure, samples jsonb) returns text[]
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if samples is null or jsonb_typeof(samples) <> 'array' or jsonb_array_length(samples) = 0 then
    raise exception 'there are no samples to measure function % with', function
      using errcode = 'invalid_parameter_value',
            hint = 'samples are an array of calls, as in: [["red shoes", 100], ["boots", 50]]';
  end if;
  return array(select mmdb.sample_call(function, s.sample, s.place)
               from jsonb_array_elements(samples) with ordinality s(sample, place) order by s.place);
end
$$;
comment on function mmdb.sample_calls(regprocedure, jsonb) is 'The samples as calls of the function.';

create or replace function mmdb.stored_query(function regprocedure, samples jsonb, search_path text)
returns mmdb.stored_query
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  stored mmdb.stored_query;
begin
  perform mmdb.check_stored_query(function);
  stored.function := function;
  stored.calls := mmdb.sample_calls(function, coalesce(samples, mmdb.contract_samples(function)));
  select r.identity, r.distance into stored.identity, stored.distance from mmdb.recall_row(function) r;
  stored.search_path := search_path;
  return stored;
end
$$;
comment on function mmdb.stored_query(regprocedure, jsonb, text) is
  'What it takes to run a function over samples; without samples those of its contract.';

create or replace function mmdb.run_samples(query mmdb.stored_query)
returns table (place bigint, answers text[], ordered boolean, milliseconds double precision)
language plpgsql volatile security invoker rows 100
set search_path = pg_catalog, pg_temp
as $$
declare
  started timestamptz;
  distances double precision[];
begin
  for i in 1 .. cardinality(query.calls) loop
    perform set_config('search_path', query.search_path, true);
    started := clock_timestamp();
    execute format('select array_agg(%s), array_agg(%s) from %s r', query.identity, query.distance, query.calls[i])
    into answers, distances;
    milliseconds := 1000 * date_part('epoch', clock_timestamp() - started);
    perform set_config('search_path', 'pg_catalog, pg_temp', true);
    place := i;
    answers := coalesce(answers, '{}');
    -- An index compares rounded vectors: distances that are off by no more than that count as in order.
    ordered := (select bool_and(u.d >= coalesce(mmdb.measured(u.farthest - 0.001 * greatest(abs(u.farthest), 0.1)),
                                                u.farthest))
                from (select d, max(d) over (order by n)
                      from unnest(distances) with ordinality d(d, n)) u(d, farthest));
    if cardinality(answers) > 10000 then
      raise exception '% returned % rows', left(query.calls[i], 200), cardinality(answers)
        using errcode = 'invalid_parameter_value',
              hint = 'recall is measured of functions with a LIMIT of their own, of at most 10000 rows';
    end if;
    return next;
  end loop;
end
$$;
comment on function mmdb.run_samples(mmdb.stored_query) is
  'The answer to each call, whether it came in order of distance, and the time it took.';

create or replace function mmdb.vector_scans() returns table (relation regclass, scans bigint)
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select i.indrelid, sum(pg_stat_get_xact_numscans(c.oid))::bigint
  from pg_class c join pg_am m on m.oid = c.relam join pg_index i on i.indexrelid = c.oid
  where c.relkind = 'i' and m.amname in ('hnsw', 'ivfflat')
  group by i.indrelid
$$;
comment on function mmdb.vector_scans() is 'How often this transaction has read the vector indexes of each table.';

-- Plans that were made while index scans were on go on using them until they are discarded.
create or replace function mmdb.run_exact(
  query mmdb.stored_query, out answers text[], out milliseconds double precision
)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set enable_indexscan = off set enable_indexonlyscan = off set max_parallel_workers_per_gather = 0
set plan_cache_mode = force_custom_plan
as $$
declare
  before constant bigint := (select sum(v.scans) from mmdb.vector_scans() v);
begin
  discard plans;
  select array_agg(r.answers::text order by r.place), percentile_cont(0.5) within group (order by r.milliseconds)
  into answers, milliseconds from mmdb.run_samples(query) r;
  if (select sum(v.scans) from mmdb.vector_scans() v) > before then
    raise exception 'function % reads a vector index even where index scans are off: there is nothing to '
                    'compare it with', query.function
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'it, or a function that it calls, sets enable_indexscan or enable_sort: reset that';
  end if;
  discard plans;
end
$$;
comment on function mmdb.run_exact(mmdb.stored_query) is
  'The true answer to each call, an array as text: no vector index is read, or it is an error.';
