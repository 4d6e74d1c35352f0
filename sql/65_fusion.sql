-- Fusion: what every search over several legs does with its list. Reciprocal rank fusion for queries of one's own,
-- weights, and variety.

create or replace function mmdb.rrf_add(score double precision, rank bigint) returns double precision
language sql immutable parallel safe security invoker
as $$ select score + coalesce(1.0 / (60 + rank), 0) $$;
comment on function mmdb.rrf_add(double precision, bigint) is 'A step of mmdb.rrf(rank).';

create or replace function mmdb.rrf_add(score double precision, rank bigint, weight double precision)
returns double precision
language sql immutable parallel safe security invoker
as $$ select score + coalesce(weight / (60 + rank), 0) $$;
comment on function mmdb.rrf_add(double precision, bigint, double precision) is 'A step of mmdb.rrf(rank, weight).';

create or replace aggregate mmdb.rrf(rank bigint) (
  sfunc = mmdb.rrf_add, stype = double precision, initcond = '0', parallel = safe
);
comment on aggregate mmdb.rrf(bigint) is
  'Reciprocal rank fusion: the sum of 1 / (60 + rank) over the lists in which something has a rank; NULL adds nothing.';

create or replace aggregate mmdb.rrf(rank bigint, weight double precision) (
  sfunc = mmdb.rrf_add, stype = double precision, initcond = '0', parallel = safe
);
comment on aggregate mmdb.rrf(bigint, double precision) is
  'Reciprocal rank fusion with a weight for each list; a negative one pushes down.';

-- The sum of unit vectors by weight, of unit length again: where text and pictures share a space, "this picture, but in
-- red".
create or replace function mmdb.weighted_vector(vectors real[][], weights double precision[])
returns @extschema:vector@.vector
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select @extschema:vector@.l2_normalize(array_agg(s.total order by s.place)::real[]::@extschema:vector@.vector)
  from (
    select i as place, sum(weights[v] * vectors[v][i]) as total
    from generate_subscripts(vectors, 1) v, generate_subscripts(vectors, 2) i
    group by i
  ) s
$$;
comment on function mmdb.weighted_vector(real[][], double precision[]) is
  'The weighted sum of vectors, of unit length.';

create or replace function mmdb.weight_of(weights jsonb, name text) returns double precision
language sql immutable security invoker
as $$ select coalesce((weights ->> name)::double precision, 1) $$;
comment on function mmdb.weight_of(jsonb, text) is 'A weight, 1 unless given.';

create or replace function mmdb.search_depth(k integer, depth integer, diversity double precision) returns integer
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if k is null or k not between 1 and 10000 then
    raise exception 'k is %, expected 1 to 10000', k using errcode = 'invalid_parameter_value';
  elsif depth < k then
    raise exception 'depth is %, less than k, which is %', depth, k using errcode = 'invalid_parameter_value';
  elsif diversity not between 0 and 1 then
    raise exception 'diversity is %, expected 0 to 1', diversity
      using errcode = 'invalid_parameter_value', hint = '0 orders by score alone; 0.3 is a good beginning';
  end if;
  return least(10000, coalesce(depth, greatest(40, 3 * k)));
end
$$;
comment on function mmdb.search_depth(integer, integer, double precision) is
  'How many candidates each leg brings, the arguments checked.';

-- Maximal marginal relevance (Carbonell and Goldstein 1998): the next row is the one with the greatest
--   (1 - diversity) * relevance - diversity * likeness to the most alike of those before it.
-- Relevance is the score in shares of the best one. Likeness is 1 for the same vector and 0 from the distance on that
-- parts the best candidate from the one least like it, or the parameter would mean something else for every model.
-- A row without a vector, or with one of zeros, is half alike to all.
create or replace function mmdb.diverse(
  ordered text[], scores double precision[], pieces mmdb.search_pieces, wanted integer, diversity double precision
) returns text[]
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  count constant integer := cardinality(ordered);
  vectors @extschema:vector@.vector[];
  likeness double precision[] := array_fill(0::double precision, array[count]);
  relevance double precision[];
  taken boolean[] := array_fill(false, array[count]);
  anchor @extschema:vector@.vector;
  farthest double precision;
  place integer := 1;
  chosen integer[] := '{}';
  value double precision;
  greatest_value double precision;
begin
  execute format($query$
    select array_agg(f.vector order by o.place),
           array_agg(1 - ($4[1] - $4[o.place])
                         / case when $4[1] > 0 then $4[1] else nullif($4[1] - $4[$5], 0) end order by o.place),
           (array_agg(f.vector order by o.place) filter (where f.vector is not null))[1]
    from unnest($3) with ordinality o(key, place)
    left join (select %1$s as key, case when mmdb.has_direction(%2$s) then %2$s end as vector
               from %3$s where %4$s) f on f.key = o.key
  $query$, pieces.key, pieces.vector, pieces.source, pieces.within)
  into vectors, relevance, anchor using null::text, mmdb.within_keys(pieces, ordered), ordered, scores, count;
  farthest := (select max(v operator(@extschema:vector@.<=>) anchor) from unnest(vectors) v);
  for step in 1..least(wanted, count) loop
    chosen := chosen || place;
    taken[place] := true;
    anchor := vectors[place];
    greatest_value := null;
    for i in 1..count loop
      if not taken[i] then
        value := coalesce(1 - (vectors[i] operator(@extschema:vector@.<=>) anchor) / nullif(farthest, 0),
                          case farthest when 0 then 1 else 0.5 end);
        likeness[i] := greatest(likeness[i], value);
        value := (1 - diversity) * coalesce(relevance[i], 1) - diversity * likeness[i];
        if greatest_value is null or value > greatest_value then
          greatest_value := value;
          place := i;
        end if;
      end if;
    end loop;
  end loop;
  return array(select ordered[c.place] from unnest(chosen) with ordinality c(place, turn) order by c.turn)
      || array(select o.key from unnest(ordered) with ordinality o(key, place)
               where not taken[o.place] order by o.place);
end
$$;
comment on function mmdb.diverse(text[], double precision[], mmdb.search_pieces, integer, double precision) is
  'The keys in an order in which `wanted` of them are unlike one another, by an embedding; the first stays the first.';

create or replace function mmdb.fused(
  keys text[], scores double precision[], reasons jsonb[], k integer, depth integer, measure mmdb.leg,
  diversity double precision, after text,
  out fused_keys text[], out fused_scores double precision[], out ranks jsonb[]
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  ordered text[];
  sums double precision[];
  -- Only the first candidates are varied: the time of a greedy choice grows with the square of their number.
  varied constant integer := least(depth, 200);
  seen integer := 0;
begin
  select array_agg(f.key order by f.score desc, f.key), array_agg(f.score order by f.score desc, f.key)
  into ordered, sums
  from (select u.key, sum(u.score) as score from unnest(keys, scores) u(key, score) group by u.key
        having max(u.score) > 0) f;
  if diversity > 0 and ordered is not null then
    ordered := mmdb.diverse(ordered[:varied], sums[:varied], measure.pieces,
                            case when after is null then k else varied end, diversity)
            || ordered[varied + 1:];
  end if;
  if after is not null then
    seen := array_position(ordered, after);
    if seen is null then
      raise exception 'row "%" is not among the results of this search', array_to_string(after::text[], ', ')
        using errcode = 'invalid_parameter_value',
              hint = 'after takes the key of the last row of the page before: of the same query, filter, weights, '
                     'diversity and depth';
    end if;
  end if;
  select array_agg(f.key order by f.place), array_agg(f.score order by f.place), array_agg(f.ranks order by f.place)
  into fused_keys, fused_scores, ranks
  from (
    select o.key, o.place, sum(u.score), jsonb_object_agg(r.key, r.value)
    from unnest(ordered[seen + 1:seen + k]) with ordinality o(key, place)
    join unnest(keys, scores, reasons) u(key, score, reason) on u.key = o.key
    cross join lateral jsonb_each(u.reason) r
    group by o.key, o.place
  ) f(key, place, score, ranks);
end
$$;
comment on function mmdb.fused(
  text[], double precision[], jsonb[], integer, integer, mmdb.leg, double precision, text
) is
  'From what the legs found to a page: fused by key, varied, behind the row `after`. In reasons each stands under the '
  'name of its leg.';
