-- Rows as queries: T_like, T_recommend.
--
-- A key comes as the caller writes it and goes on as mmdb writes it. It is looked up in the table by the caller's
-- rights: a row that the caller may not see is the same as one that is not there.

create or replace function mmdb.first_embedding(legs mmdb.leg[]) returns mmdb.leg
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select legs[i] from generate_subscripts(legs, 1) i where (legs[i]).matches is null order by i limit 1 $$;
comment on function mmdb.first_embedding(mmdb.leg[]) is 'The first leg that is an embedding.';

create or replace function mmdb.check_examples(relation regclass, keys text[], known text[], liked integer) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  contradicted text;
begin
  if liked = 0 then
    raise exception 'nothing is liked'
      using errcode = 'invalid_parameter_value', hint = 'give the keys of one row or more: liked => array[…]';
  elsif cardinality(keys) > 1000 then
    raise exception '% examples are given, expected 1000 at most', cardinality(keys)
      using errcode = 'program_limit_exceeded';
  elsif array_position(keys, null) is not null then
    raise exception 'a key of an example is null' using errcode = 'null_value_not_allowed';
  end if;
  perform mmdb.known_key(relation, e.key, e.known) from unnest(keys, known) e(key, known);
  contradicted := (select f from unnest(known[:liked]) f where f = any(known[liked + 1:]) limit 1);
  if contradicted is not null then
    raise exception 'row "%" is both liked and disliked', array_to_string(contradicted::text[], ', ')
      using errcode = 'invalid_parameter_value';
  end if;
end
$$;
comment on function mmdb.check_examples(regclass, text[], text[], integer) is
  'Refuse examples that are none: nothing liked, a key that is not there, one in both lists.';

-- Rocchio (1971) with no query but the examples: the mean of the liked rows minus the weighted mean of the disliked.
-- The weight is 0.2 unless given, the 0.15 / 0.75 of Manning, Raghavan and Schuetze (2008, section 9.1.1). Every
-- example and the result are of unit length, except for Euclidean distance, where length counts. A vector of zeros has
-- no unit length, and is none.
create or replace function mmdb.example_vector(
  leg mmdb.leg, vectors @extschema:vector@.vector[], number integer, liked integer,
  disliked_weight double precision
) returns @extschema:vector@.vector
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  unit constant boolean := (select m.distance <> 'l2' from mmdb.models m
                            where m.name = mmdb.model_of((leg.pieces).relation, leg.name));
  wanted @extschema:vector@.vector;
  unwanted @extschema:vector@.vector;
begin
  if array_length(vectors, 1) = 1 then
    return case when not unit or mmdb.has_direction(vectors[1][number]) then vectors[1][number] end;
  end if;
  select @extschema:vector@.avg(e.vector) filter (where e.place <= liked),
         @extschema:vector@.avg(e.vector) filter (where e.place > liked)
  into wanted, unwanted
  from (select i, case when not unit then vectors[i][number]
                       when mmdb.has_direction(vectors[i][number]) then
                         @extschema:vector@.l2_normalize(vectors[i][number]) end
        from generate_subscripts(vectors, 1) i) e(place, vector);
  if unwanted is not null then
    wanted := wanted operator(@extschema:vector@.-) (unwanted operator(@extschema:vector@.*)
      array_fill(disliked_weight::real, array[@extschema:vector@.vector_dims(unwanted)])::@extschema:vector@.vector);
  end if;
  -- Of equal vectors no more is left than the rounding of half precision.
  if unit and @extschema:vector@.vector_norm(wanted) < 0.001 then
    raise exception 'the examples cancel each other out in embedding "%"', leg.name
      using errcode = 'invalid_parameter_value',
            hint = 'leave one out, or weigh them otherwise: weights => ''{"disliked": 0.5}''';
  end if;
  return case when unit then @extschema:vector@.l2_normalize(wanted) else wanted end;
end
$$;
comment on function mmdb.example_vector(
  mmdb.leg, @extschema:vector@.vector[], integer, integer, double precision
) is
  'What examples look for in an embedding: of a single one its own vector, of several Rocchio''s combination; NULL '
  'where no liked row has a vector that is not all zero.';

create or replace function mmdb.check_disliked(weights jsonb, legs mmdb.leg[]) returns double precision
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  weight double precision;
begin
  perform mmdb.check_weights(coalesce(weights, '{}'), legs, '{disliked}');
  weight := coalesce((weights ->> 'disliked')::double precision, 0.2);
  if weight < 0 then
    raise exception 'the weight of "disliked" is %, expected 0 or more', weight
      using errcode = 'invalid_parameter_value';
  end if;
  return weight;
end
$$;
comment on function mmdb.check_disliked(jsonb, mmdb.leg[]) is
  'The weight of what is disliked, 0.2 unless given, all weights checked.';

create or replace function mmdb.refuse_pending(legs mmdb.leg[], known text[], liked integer, weights jsonb)
returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  relation constant regclass := (legs[1].pieces).relation;
  names constant text := (select string_agg(format('"%s"', l.name), ', ') from unnest(legs) l
                          where mmdb.weight_of(weights, l.name) <> 0);
begin
  raise exception '% of table % is not embedded yet: %',
    case liked when 1 then format('row "%s"', array_to_string(known[1]::text[], ', '))
         else 'none of the liked rows' end, relation, names
    using errcode = 'object_not_in_prerequisite_state',
          hint = format('it waits for a worker, has nothing to embed, or a vector of zeros, which is like none: select '
                        'mmdb.wait_until_embedded(%L)', relation);
end
$$;
comment on function mmdb.refuse_pending(mmdb.leg[], text[], integer, jsonb) is
  'Say that the examples have no vectors yet.';

create or replace function mmdb.recommend(
  legs mmdb.leg[], keys text[], known text[], vectors @extschema:vector@.vector[], liked integer,
  k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text,
  out fused_keys text[], out fused_scores double precision[], out ranks jsonb[]
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  deep constant integer := mmdb.search_depth(k, depth, diversity);
  disliked_weight constant double precision := mmdb.check_disliked(weights, legs);
  leg mmdb.leg;
  measure mmdb.leg;  -- the first embedding that takes part
  weight double precision;
  vector @extschema:vector@.vector;
  found_keys text[] := '{}';
  found_scores double precision[] := '{}';
  found_ranks jsonb[] := '{}';
  wanted boolean := false;
begin
  perform mmdb.check_examples((legs[1].pieces).relation, keys, known, liked);
  perform mmdb.filter((legs[1].pieces).relation, filter) where filter is not null;
  for number in 1..cardinality(legs) loop
    leg := legs[number];
    weight := mmdb.weight_of(weights, leg.name);
    wanted := wanted or weight > 0;
    continue when weight = 0;
    vector := mmdb.example_vector(leg, vectors, number, liked, disliked_weight);
    continue when vector is null;
    measure := case when measure is null then leg else measure end;
    -- The examples, which are the nearest to themselves, make room for others.
    select found_keys || array_agg(f.key), found_scores || array_agg(weight / (60 + f.rank)),
           found_ranks || array_agg(jsonb_build_object(leg.name,
             jsonb_build_object('rank', f.rank, 'distance', mmdb.measured(f.distance),
                                'score', weight / (60 + f.rank))))
    into found_keys, found_scores, found_ranks
    from (select u.key, u.distance, row_number() over (order by u.place) as rank
          from mmdb.top(leg.pieces, vector, least(10000, deep + cardinality(known)), filter, within) t,
               unnest(t.keys, t.distances) with ordinality u(key, distance, place)
          where u.key <> all(known)) f
    where f.rank <= deep;
  end loop;
  if not wanted then
    raise exception 'there is nothing to search for'
      using errcode = 'invalid_parameter_value', hint = 'give an embedding a positive weight';
  elsif measure is null then
    perform mmdb.refuse_pending(legs, known, liked, weights);
  end if;
  select f.fused_keys, f.fused_scores, f.ranks into fused_keys, fused_scores, ranks
  from mmdb.fused(found_keys, found_scores, found_ranks, k, deep, measure, diversity, after) f;
end
$$;
comment on function mmdb.recommend(
  mmdb.leg[], text[], text[], @extschema:vector@.vector[], integer, integer, jsonb, text[], jsonb,
  double precision, integer, text
) is
  'Keys, scores and reasons of the rows most like the first `liked` of the examples and unlike the others: what '
  'T_like and T_recommend return whole rows of.';

-- T_like has its key as $1, T_recommend the keys of liked and disliked rows as $1 and $2; the other arguments are the
-- same, and come after.
create or replace function mmdb.examples_body(relation regclass, verb text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  with e(legs) as materialized (
    select array(select l from unnest(mmdb.search_legs(relation)) l where l.matches is null)
  ), p(pieces) as materialized (
    select jsonb_build_object(
      'nothing', case verb when 'like' then '$1 is not distinct from null' else 'false' end,
      'key_column', (select quote_ident(n.name) from mmdb.key_columns(relation) n where n.place = 1),
      'key', k.expression,
      'vectors', (select string_agg((l.pieces).vector, ', ' order by l.ordinality)
                  from unnest(e.legs) with ordinality l),
      'given', mmdb.given_key_sql(relation, 'g.given'),
      'keys', case verb when 'like' then 'array[$1::text]' else '($1 || $2)::text[]' end,
      'source', mmdb.rows_sql(relation), 'matches', mmdb.key_matches(relation, 'k.key'),
      'legs', mmdb.legs_sql(e.legs), 'liked', case verb when 'like' then '1' else 'coalesce(cardinality($1), 0)' end)
    || (select jsonb_object_agg(a.name, format('$%s', f.place + a.place - 1))
        from unnest(array['k', 'filter', 'within', 'weights', 'diversity', 'depth', 'after'])
             with ordinality a(name, place))
    from mmdb.key_sql(relation) k, e,
         (select case verb when 'like' then 2 else 3 end) f(place)
  )
  select mmdb.found_body(relation, mmdb.filled(
    $search$mmdb.recommend(
    legs => {legs}, keys => mmdb_examples.keys, known => mmdb_examples.known, vectors => mmdb_examples.vectors,
    liked => {liked}, k => {k}, filter => {filter}, within => {within}::text[], weights => {weights},
    diversity => {diversity}, depth => {depth}, after => mmdb_after)$search$, p.pieces),
    array['fused_keys', 'fused_scores', 'ranks'], p.pieces ->> 'after', $variables$
  mmdb_examples record;$variables$, mmdb.filled($before$
  if {nothing} then
    return;
  end if;
  select array_agg(k.key order by k.place) as keys,
         array_agg(case when p.{key_column} is distinct from null then {key} end order by k.place) as known,
         array_agg(array[{vectors}] order by k.place) as vectors
  into mmdb_examples
  from (select case when g.given is not null then {given} end, g.place
        from unnest({keys}) with ordinality g(given, place)) k(key, place)
  left join {source} on {matches};$before$, p.pieces))
  from p
$outer$;
comment on function mmdb.examples_body(regclass, text) is 'The body of T_like and of T_recommend.';

create or replace function mmdb.make_example_functions(declared mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  relation constant regclass := declared.relation;
  key_type constant text := mmdb.key_type(relation);
  keys_type constant text := mmdb.within_type(relation);
  others constant text := format(
    '%I integer default 10, %I jsonb default null, %I %s default null, %I jsonb default null, '
    '%I double precision default 0, %I integer default null, %I %s default null',
    mmdb.free_name(relation, 'k'), mmdb.free_name(relation, 'filter'), mmdb.free_name(relation, 'within'), keys_type,
    mmdb.free_name(relation, 'weights'), mmdb.free_name(relation, 'diversity'), mmdb.free_name(relation, 'depth'),
    mmdb.free_name(relation, 'after'), key_type);
  other_types constant text := format('integer, jsonb, %s, jsonb, double precision, integer, %s', keys_type, key_type);
  columns constant text := format('%s, %I double precision, %I jsonb',
                                  (select c.definitions from mmdb.search_columns(relation) c),
    mmdb.free_name(relation, 'score'), mmdb.free_name(relation, 'ranks'));
begin
  perform mmdb.make_public_function(declared, mmdb.table_call(declared, 'like'),
    format('%I %s, %s', mmdb.free_name(relation, 'key'), key_type, others), format('%s, %s', key_type, other_types),
    mmdb.call_attributes(), mmdb.examples_body(relation, 'like'),
    format('The k rows of %s most like one of them, by all embeddings, best first.', mmdb.relation_sql(relation)),
    columns);
  perform mmdb.make_public_function(declared, mmdb.table_call(declared, 'recommend'),
    format('%I %s, %I %2$s default null, %4$s', mmdb.free_name(relation, 'liked'), keys_type,
           mmdb.free_name(relation, 'disliked'), others),
    format('%s, %1$s, %s', keys_type, other_types),
    mmdb.call_attributes(), mmdb.examples_body(relation, 'recommend'),
    format('The k rows of %s most like those that are liked and unlike those that are disliked, by all '
           'embeddings, best first.',
           mmdb.relation_sql(relation)), columns);
end
$$;
comment on function mmdb.make_example_functions(mmdb.embeddings) is 'Make T_like and T_recommend.';
