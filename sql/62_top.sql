-- The k nearest rows that pass a filter: all of them, in order, and by the cheapest of three roads.
--
--   probe   one short walk of the HNSW graph finds the nearest rows, with no regard to the filter. If k of them pass,
--           and some to spare, they are the answer; if fewer pass, but k are in reach, a longer walk follows.
--   deep    a walk with the filter inside goes on until its budget is spent. It is asked for several times k rows,
--           because it returns them out of order.
--   exact   every row that passes the filter is measured. Always right; cheapest where few rows pass.
--
-- Over an index of signs (index_options: quantization) a walk is in the order of the bits that differ. It is asked for
-- several times k rows (mmdb.oversampling), and these are measured.
--
-- Functions that read rows are STABLE, all but the estimate: each of their statements sees the snapshot of the query
-- that called them, so no row comes or goes after its key was found and before it is read.

-- The unit is one row that passes the filter, fetched by an index and measured: 1.3 microseconds at 512 dimensions on
-- the machine that measured the costs. Only their ratios count; bench/filters.py shows the roads that they lead to. A
-- row that a walk returns costs from 4 (vectors vary in few directions, and the graph is in the processor's cache) to
-- 17.
create or replace function mmdb.top_costs(
  out walked real, out flat real, out scanned real, out read real, out kept real
)
language sql immutable security invoker
as $$ select 12.0, 4.0, 3.0, 0.18, 0.17 $$;
comment on function mmdb.top_costs() is
  'Costs in units of a row fetched by an index: a row that a walk returns, also where all are about as far away, one '
  'that it looks at (max_scan_tuples), one that a sequential scan reads, and one that it keeps.';

-- Of glosses embedded by `lite` 0.985 of the true 10 nearest are among the 100 rows whose signs differ least, of
-- clusters 0.993. With 80 rows these shares are a little lower, and there is room for the rows that the walk itself
-- misses.
create or replace function mmdb.oversampling(by_signs boolean) returns integer
language sql immutable security invoker
as $$ select case when by_signs then 8 else 1 end $$;
comment on function mmdb.oversampling(boolean) is 'How many rows of a walk are to be measured for each that is wanted.';

-- Seen from a text, the nearest pictures are hardly nearer than the next ones, and a graph, which leads from row to
-- row, leads astray: of 10,000 pictures, half of which pass, 0.84 of the ten nearest to a caption were found. There the
-- 16th nearest was 1.02 times as far away as the nearest (1.10 at the 95th percentile); where glosses look for glosses,
-- 1.38 times (1.16 at the 5th).
create or replace function mmdb.is_flat(distances double precision[]) returns boolean
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(cardinality(distances) >= 10 and distances[1] > 0
                  and distances[least(16, cardinality(distances))] < 1.1 * distances[1], false)
$$;
comment on function mmdb.is_flat(double precision[]) is
  'Whether the nearest rows are hardly nearer than those behind them, so that a walk has to look at more.';

create or replace function mmdb.search_pieces(declared mmdb.embeddings) returns mmdb.search_pieces
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  pieces mmdb.search_pieces := mmdb.row_pieces(declared.relation);
begin
  pieces.source := mmdb.searched_rows(declared);
  pieces.vector := mmdb.vector_of(declared) || '::@extschema:vector@.vector';
  pieces.distance := mmdb.distance_sql(declared, '$1::' || mmdb.vector_type(declared));
  pieces.walk := coalesce(mmdb.walk_sql(declared, '$1'), pieces.distance);
  pieces.present := mmdb.present_sql(declared);
  return pieces;
end
$$;
comment on function mmdb.search_pieces(mmdb.embeddings) is
  'The pieces of SQL that a search of this embedding is made of.';

create or replace function mmdb.row_pieces(relation regclass) returns mmdb.search_pieces
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  keys constant record := mmdb.key_sql(relation);
  pieces mmdb.search_pieces;
begin
  pieces.relation := relation;
  pieces.source := mmdb.rows_sql(relation);
  pieces.key := keys.expression;
  pieces.columns := keys.ordering;
  pieces.one_key := (select count(*) = 1 from mmdb.key_columns(relation));
  pieces.within := mmdb.within_sql(relation);
  return pieces;
end
$$;
comment on function mmdb.row_pieces(regclass) is
  'The pieces of SQL by which a search reads rows of a table, whatever it looks for.';

-- As it stands in a generated function, where it is read once, when the function is planned: hence immutable, although
-- it looks up a table by its name. Attributes that it does not have are NULL.
create or replace function mmdb.pieces(described jsonb) returns mmdb.search_pieces
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select p.* from jsonb_populate_record(null::mmdb.search_pieces, described) p $$;
comment on function mmdb.pieces(jsonb) is 'The pieces of a search, as a generated function has them.';

create or replace function mmdb.pieces_sql(pieces mmdb.search_pieces) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('mmdb.pieces(%L::jsonb)', jsonb_strip_nulls(to_jsonb(pieces))) $$;
comment on function mmdb.pieces_sql(mmdb.search_pieces) is
  'The pieces of a search, as they are written into a function.';

create or replace function mmdb.within_keys(pieces mmdb.search_pieces, keys text[]) returns text[]
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select case when pieces.one_key then array(select (k::text[])[1] from unnest(keys) k) else keys end $$;
comment on function mmdb.within_keys(mmdb.search_pieces, text[]) is 'Keys in the form that `within` has them in.';

-- The next page begins behind a row: its rows are farther from the query, or as far and have a later key. The distance
-- of that row is written as text that loses no digit.
create or replace function mmdb.top_after(pieces mmdb.search_pieces, vector @extschema:vector@.vector, after text)
returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp set extra_float_digits = 1
as $$
declare
  reached double precision;
begin
  if after is null or vector is null then
    return '';
  end if;
  execute format('select %s from %s where %s', pieces.distance, pieces.source, pieces.within)
  into reached using vector, mmdb.within_keys(pieces, array[after]);
  if reached is null then
    raise exception 'row "%" of table % has no embedding to go on from', array_to_string(after::text[], ', '),
                    pieces.relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'after takes the key of the last row of the page before';
  end if;
  return format(' and (%1$s > %2$L::double precision or %1$s = %2$L::double precision and (select %3$s from (select '
                '%4$L::text) a(after)))',
                pieces.distance, reached, mmdb.later_sql(pieces.relation, 'after::text[]'), after);
end
$$;
comment on function mmdb.top_after(mmdb.search_pieces, @extschema:vector@.vector, text) is
  'The condition "this row comes after the row `after`, in order of distance and key"; nothing where that is NULL.';

-- PostgreSQL's own estimate of the rows that pass, row policies included, and of what it costs to measure them all.
create or replace function mmdb.top_estimate(
  pieces mmdb.search_pieces, passes text, vector @extschema:vector@.vector, within text[],
  out rows real, out share real, out exact_cost real
)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  plan json;
  cost constant record := mmdb.top_costs();
  -- Looked up here first: mmdb.table_rows would take a hundredth of a search.
  total real := (select c.reltuples from pg_class c where c.oid = pieces.relation and c.relkind = 'r');
begin
  total := greatest(coalesce(total, mmdb.table_rows(pieces.relation)), 1);
  if passes = 'true' and not row_security_active(pieces.relation) then
    rows := total;
  else
    execute format('explain (format json) select from %s where %s and %s', pieces.source, pieces.present, passes)
    into plan using vector, within;
    rows := (plan -> 0 -> 'Plan' ->> 'Plan Rows')::real;
  end if;
  share := greatest(least(rows / total, 1), 1e-6);
  exact_cost := case when plan is null or plan::text like '%"Seq Scan"%' then cost.kept * rows + cost.read * total
                     else rows end;
end
$$;
comment on function mmdb.top_estimate(mmdb.search_pieces, text, @extschema:vector@.vector, text[]) is
  'How many rows pass, their share of the table, and what measuring all of them costs.';

-- The two functions that walk the index have settings of their own, whatever the session has set.
create or replace function mmdb.top_probe(
  pieces mmdb.search_pieces, passes text, vector @extschema:vector@.vector, within text[], most integer, depth integer,
  out passed bigint, out keys text[], out distances double precision[]
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off
set hnsw.iterative_scan = off set hnsw.ef_search = 40
as $$
begin
  perform set_config('hnsw.ef_search', depth::text, true);
  -- "+ 0": the index orders by normalized vectors, which differ in the last digit.
  execute format($query$
    select count(*), array_agg(%s order by p.mmdb_distance + 0, %2$s),
           array_agg(p.mmdb_distance order by p.mmdb_distance + 0, %2$s)
    from (select %2$s, %3$s as mmdb_distance from %4$s where %5$s and %6$s order by %8$s limit %7$s) p
  $query$, pieces.key, pieces.columns, pieces.distance, pieces.source, pieces.present, passes, most, pieces.walk)
  into passed, keys, distances using vector, within;
end
$$;
comment on function mmdb.top_probe(mmdb.search_pieces, text, @extschema:vector@.vector, text[], integer, integer) is
  'Of the `depth` nearest rows those that pass the filter, at most `most`.';

create or replace function mmdb.top_deep(
  pieces mmdb.search_pieces, passes text, vector @extschema:vector@.vector, within text[], k integer, wanted integer,
  budget integer,
  out passed bigint, out keys text[], out distances double precision[]
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off
set hnsw.iterative_scan = relaxed_order set hnsw.ef_search = 40 set hnsw.max_scan_tuples = 20000
as $$
begin
  perform set_config('hnsw.ef_search', least(1000, greatest(100, k))::text, true),
          set_config('hnsw.max_scan_tuples', budget::text, true);
  execute format($query$
    with found as materialized (
      select %2$s, %3$s as mmdb_distance from %4$s where %5$s and %6$s order by %9$s limit %7$s
    )
    select max(p.mmdb_passed), array_agg(%1$s order by p.mmdb_distance + 0, %2$s),
           array_agg(p.mmdb_distance order by p.mmdb_distance + 0, %2$s)
    from (select *, count(*) over () as mmdb_passed from found p order by p.mmdb_distance + 0, %2$s limit %8$s) p
  $query$, pieces.key, pieces.columns, pieces.distance, pieces.source, pieces.present, passes, wanted, k, pieces.walk)
  into passed, keys, distances using vector, within;
end
$$;
comment on function mmdb.top_deep(
  mmdb.search_pieces, text, @extschema:vector@.vector, text[], integer, integer, integer
) is
  'The walk with the filter inside, for `wanted` rows within a budget of rows looked at.';

create or replace function mmdb.top_exact(
  pieces mmdb.search_pieces, passes text, vector @extschema:vector@.vector, within text[], k integer,
  out keys text[], out distances double precision[]
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  -- "offset 0" keeps the HNSW index out of this, has each distance computed once, and keys written for k rows only. By
  -- the comment mmdb.exact_conditions knows the statement again where pg_stat_statements has counted it.
  execute format($query$
    select /* mmdb.top_exact */ array_agg(%s order by p.mmdb_distance, %2$s),
           array_agg(p.mmdb_distance order by p.mmdb_distance, %2$s)
    from (select * from (select %2$s, %3$s as mmdb_distance from %4$s where %5$s and %6$s offset 0) p
          order by p.mmdb_distance, %2$s limit %7$s) p
  $query$, pieces.key, pieces.columns, pieces.distance, pieces.source, pieces.present, passes, k)
  into keys, distances using vector, within;
end
$$;
comment on function mmdb.top_exact(mmdb.search_pieces, text, @extschema:vector@.vector, text[], integer) is
  'Every row that passes is measured.';

-- Fewer than enough rows passed in the probe: a longer probe, or the deep road, as far as each is expected to pay.
create or replace function mmdb.top_longer(
  pieces mmdb.search_pieces, passes text, vector @extschema:vector@.vector, within text[], k integer,
  depth integer, seen bigint, flat boolean, exact_cost real,
  out passed bigint, out keys text[], out distances double precision[]
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  cost constant record := mmdb.top_costs();
  by_signs constant boolean := pieces.walk <> pieces.distance;
  enough constant integer := k * mmdb.oversampling(by_signs);
  -- The rows that the deep road is asked for.
  wanted constant integer := greatest(enough, case when k <= 125 then 16 * k else greatest(2000, 2 * k) end);
  -- How deep a walk must go for enough rows to pass, if the share that passed in the probe holds further on.
  needed constant real := greatest(2 * enough * depth / (seen + 0.5), case when flat then 1000 end);
  expected constant real := cost.walked * wanted * depth / (seen + 0.5);  -- what the deep road will cost
begin
  passed := 0;
  if needed <= 1000 and cost.walked * needed < exact_cost * 0.6 then
    select * into passed, keys, distances
    from mmdb.top_probe(pieces, passes, vector, within, case when by_signs and flat then 1000 else enough end,
                        ceil(needed)::integer);
  end if;
  -- If the deep road is expected to cost more than the exact one, it may still be lucky. That is tried, for a quarter
  -- of the cost, where the exact road would take a quarter of a second.
  if passed < enough and (expected < exact_cost or exact_cost > 200000) then
    select d.passed - wanted + enough, d.keys, d.distances into passed, keys, distances
    from mmdb.top_deep(pieces, passes, vector, within, k, wanted,
                       (exact_cost / cost.scanned / case when expected < exact_cost then 1 else 4 end)::integer) d;
  end if;
  if passed < enough then
    passed := null;
  end if;
end
$$;
comment on function mmdb.top_longer(
  mmdb.search_pieces, text, @extschema:vector@.vector, text[], integer, integer, bigint, boolean, real
) is
  'After a probe of `depth` rows, of which `seen` passed: the rows of a longer walk; passed is NULL where none paid.';

create or replace function mmdb.top(
  pieces mmdb.search_pieces, vector @extschema:vector@.vector, k integer, filter jsonb, within text[],
  after text default null, out keys text[], out distances double precision[]
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
  -- A call that is not needed costs a hundredth of a search.
  passes constant text := case when filter is null then 'true' else mmdb.filter(pieces.relation, filter, 'p') end
    || case when within is null then '' else ' and ' || pieces.within end;
  later constant text := passes || case when after is null then '' else mmdb.top_after(pieces, vector, after) end;
  cost constant record := mmdb.top_costs();
  by_signs constant boolean := pieces.walk <> pieces.distance;
  -- The least number of rows of a walk from which the k are taken. Over signs they are taken from all rows of the walk,
  -- whose order is not that of distances.
  least_rows constant integer := k * mmdb.oversampling(by_signs);
  depth integer := least(1000, greatest(current_setting('hnsw.ef_search')::integer, 2 * least_rows));
  -- The number of the `depth` nearest rows that must pass before they are trusted: a walk misses much near its end.
  enough integer := greatest(least_rows, least(1.6 * least_rows, 0.8 * depth));
  -- The rows that a probe returns: never too few to tell whether distances are flat.
  most constant integer := case when by_signs then depth else greatest(enough, 16) end;
  estimate record;
  passed bigint := 0;
begin
  if k is null or k not between 1 and 10000 then
    raise exception 'k is %, expected 1 to 10000', k using errcode = 'invalid_parameter_value';
  elsif vector is null then
    return;
  end if;
  estimate := mmdb.top_estimate(pieces, passes, vector, within);
  if current_setting('enable_indexscan') = 'off' then
    estimate.exact_cost := 0;  -- as mmdb.recall asks for the truth
  end if;
  -- A probe is worth its cost if it is expected to find enough rows, or if it costs less than half of the exact road:
  -- the rows that pass may all lie near the query. With this 2, both the loss (they do not lie near it) and the gain
  -- that is missed (they do, and no probe was tried) stay within a factor of 2.
  if estimate.exact_cost > cost.walked * depth * (case when estimate.share * depth < enough then 2 else 1 end) then
    select * into passed, keys, distances from mmdb.top_probe(pieces, later, vector, within, most, depth);
    if after is null and passed >= enough and depth < 1000 and mmdb.is_flat(distances) then
      depth := 1000;
      if estimate.exact_cost > cost.flat * depth then
        select * into passed, keys, distances
        from mmdb.top_probe(pieces, later, vector, within, case when by_signs then depth else most end, depth);
      else
        passed := null;  -- to measure all costs no more
      end if;
    end if;
    -- The rows of earlier pages lie nearest, and nobody knows how many they were.
    while after is not null and passed < enough and depth < 1000 and estimate.exact_cost > cost.walked * 4 * depth loop
      depth := least(1000, 4 * depth);
      select * into passed, keys, distances
      from mmdb.top_probe(pieces, later, vector, within, case when by_signs then depth else enough end, depth);
    end loop;
    if passed < enough then
      select * into passed, keys, distances
      from mmdb.top_longer(pieces, later, vector, within, k, depth, passed, mmdb.is_flat(distances),
                           estimate.exact_cost);
      enough := least_rows;
    end if;
  end if;
  if passed is null or passed < enough then
    select * into keys, distances from mmdb.top_exact(pieces, later, vector, within, k);
  end if;
  if distances[1] = 'NaN' and not mmdb.has_direction(vector) then
    raise exception 'the vector to search for has no direction: all of it is zero' using errcode = 'data_exception';
  end if;
  keys := keys[:k];
  distances := distances[:k];
end
$$;
comment on function mmdb.top(mmdb.search_pieces, @extschema:vector@.vector, integer, jsonb, text[], text) is
  'The keys and distances of the k nearest rows that pass a filter, of those that come after the row `after`: what '
  'T_top_by_NAME returns whole rows of.';

-- The keys go through arrays, so that the rows are read by a plain join, which a server with shards plans too. All
-- statements see the snapshot of the query that called: what is promised of the rows holds while others write. The
-- first one locks the table: from then on no switch of models comes between the vector of the query and the search.
create or replace function mmdb.found_body(
  relation regclass, search text, found text[], after text, variables text default '', before text default ''
) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  select mmdb.filled($body$
#variable_conflict use_column
declare
  mmdb_found record;
  mmdb_after text;{variables}
begin
  perform from {source} where false;{before}
  if {after} is distinct from null then
    mmdb_after := {known_after};
  end if;
  mmdb_found := {search};
  return query
  select {selected}, {values}
  from unnest({found}) with ordinality found_(key, {names}, place)
  join {source} on {matches}
  order by found_.place;
end
$body$, jsonb_build_object(
    'source', mmdb.rows_sql(relation), 'variables', variables, 'before', before, 'after', after,
    'known_after', mmdb.known_key_sql(relation, after), 'search', search, 'selected', c.selected,
    'matches', mmdb.key_matches(relation, 'found_.key')) || f.pieces)
  from mmdb.search_columns(relation) c, (
    select jsonb_build_object(
      'found', string_agg('mmdb_found.' || u.name, ', ' order by u.place),
      'names', string_agg('value' || u.place, ', ' order by u.place) filter (where u.place > 1),
      'values', string_agg('found_.value' || u.place, ', ' order by u.place) filter (where u.place > 1))
    from unnest(found) with ordinality u(name, place)) f(pieces)
$outer$;
comment on function mmdb.found_body(regclass, text, text[], text, text, text) is
  'The body of a function that returns rows of a table: those whose keys a search finds, and beside each what the '
  'other arrays of its record hold. `after` is the parameter for the key after which they come.';

create or replace function mmdb.top_body(declared mmdb.embeddings, vector text, asked text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.found_body(declared.relation, format(
    'mmdb.top(pieces => %s, vector => case when %s then %s end::@extschema:vector@.vector, k => $2, filter => $3, '
    'within => $4::text[], after => mmdb_after)', mmdb.pieces_sql(mmdb.search_pieces(declared)), asked, vector),
    array['keys', 'distances'], '$5')
$$;
comment on function mmdb.top_body(mmdb.embeddings, text, text) is 'The body of T_top_by_NAME.';

create or replace function mmdb.make_top_function(
  declared mmdb.embeddings, argument text, vector text, asked text
) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  name constant text := format('%s.%I', declared.function_schema, mmdb.top_name(declared.prefix, declared.name));
begin
  perform '[1]'::@extschema:vector@.vector;  -- only a setting that is known can be attached without being superuser
  perform mmdb.make_public_function(declared, name,
    format('%I %s, %I integer default 10, %I jsonb default null, %I %s default null, %I %s default null',
           mmdb.free_name(declared.relation, 'query'), argument, mmdb.free_name(declared.relation, 'k'),
           mmdb.free_name(declared.relation, 'filter'),
           mmdb.free_name(declared.relation, 'within'), mmdb.within_type(declared.relation),
           mmdb.free_name(declared.relation, 'after'), mmdb.key_type(declared.relation)),
    format('%s, integer, jsonb, %s, %s', argument, mmdb.within_type(declared.relation),
           mmdb.key_type(declared.relation)),
    mmdb.call_attributes(), mmdb.top_body(declared, vector, asked),
    format('The k rows of %s nearest to a query, by "%s", of those that pass the filter: complete and in order.',
           mmdb.relation_sql(declared.relation), declared.name));
end
$$;
comment on function mmdb.make_top_function(mmdb.embeddings, text, text, text) is 'T_top_by_NAME for one kind of query.';
