-- Rows as queries: T_like, T_recommend.
--
-- A key comes as the caller writes it and goes on as mmdb writes it. It is looked up in the table by the caller's
-- rights: a row that the caller may not see is the same as one that is not there.

create or replace function mmdb.first_embedding(legs mmdb.search_leg[]) returns mmdb.search_leg
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select legs[i] from generate_subscripts(legs, 1) i where (legs[i]).matches is null order by i limit 1 $$;
comment on function mmdb.first_embedding(mmdb.search_leg[]) is 'The first leg that is an embedding.';

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
-- example and the result are of unit length, except for Euclidean distance, where length counts.
create or replace function mmdb.example_vector(
  leg mmdb.search_leg, vectors @extschema:vector@.vector[], number integer, liked integer,
  disliked_weight double precision
) returns @extschema:vector@.vector
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  unit constant boolean := (select m.distance <> 'l2' from mmdb.models m
                            where m.name = mmdb.model_of((leg.parts).relation, leg.name));
  wanted @extschema:vector@.vector;
  unwanted @extschema:vector@.vector;
begin
  if array_length(vectors, 1) = 1 then
    return vectors[1][number];
  end if;
  select @extschema:vector@.avg(e.vector) filter (where e.place <= liked),
         @extschema:vector@.avg(e.vector) filter (where e.place > liked)
  into wanted, unwanted
  from (select i, case when unit then @extschema:vector@.l2_normalize(vectors[i][number]) else vectors[i][number] end
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
  mmdb.search_leg, @extschema:vector@.vector[], integer, integer, double precision
) is
  'What examples look for in an embedding: of a single one its own vector, of several Rocchio''s combination; NULL '
  'where no liked row has a vector.';

create or replace function mmdb.check_disliked(weights jsonb, legs mmdb.search_leg[]) returns double precision
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
comment on function mmdb.check_disliked(jsonb, mmdb.search_leg[]) is
  'The weight of what is disliked, 0.2 unless given, all weights checked.';

create or replace function mmdb.refuse_pending(legs mmdb.search_leg[], known text[], liked integer, weights jsonb)
returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  relation constant regclass := (legs[1].parts).relation;
  names constant text := (select string_agg(format('"%s"', l.name), ', ') from unnest(legs) l
                          where mmdb.weight_of(weights, l.name) <> 0);
begin
  raise exception '% of table % is not embedded yet: %',
    case liked when 1 then format('row "%s"', array_to_string(known[1]::text[], ', '))
         else 'none of the liked rows' end, relation, names
    using errcode = 'object_not_in_prerequisite_state',
          hint = format('it waits for a worker, or has nothing to embed: select mmdb.wait_until_embedded(%L)',
                        relation);
end
$$;
comment on function mmdb.refuse_pending(mmdb.search_leg[], text[], integer, jsonb) is
  'Say that the examples have no vectors yet.';

create or replace function mmdb.recommend(
  legs mmdb.search_leg[], keys text[], known text[], vectors @extschema:vector@.vector[], liked integer,
  k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text
) returns table (key text, score double precision, ranks jsonb)
language plpgsql stable security invoker rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  deep constant integer := mmdb.search_depth(k, depth, diversity);
  disliked_weight constant double precision := mmdb.check_disliked(weights, legs);
  leg mmdb.search_leg;
  measure mmdb.search_leg;  -- the first embedding that takes part
  weight double precision;
  vector @extschema:vector@.vector;
  found_keys text[] := '{}';
  found_scores double precision[] := '{}';
  found_ranks jsonb[] := '{}';
  wanted boolean := false;
begin
  perform mmdb.check_examples((legs[1].parts).relation, keys, known, liked);
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
             jsonb_build_object('rank', f.rank, 'distance', f.distance, 'score', weight / (60 + f.rank))))
    into found_keys, found_scores, found_ranks
    from (select t.key, t.distance, row_number() over (order by t.place) as rank
          from mmdb.top(leg.parts, vector, least(10000, deep + cardinality(known)), filter, within)
            with ordinality t(key, distance, place)
          where t.key <> all(known)) f
    where f.rank <= deep;
  end loop;
  if not wanted then
    raise exception 'there is nothing to search for'
      using errcode = 'invalid_parameter_value', hint = 'give an embedding a positive weight';
  elsif measure is null then
    perform mmdb.refuse_pending(legs, known, liked, weights);
  end if;
  return query select f.key, f.score, f.ranks
               from mmdb.fused(found_keys, found_scores, found_ranks, k, deep, measure, diversity, after) f;
end
$$;
comment on function mmdb.recommend(
  mmdb.search_leg[], text[], text[], @extschema:vector@.vector[], integer, integer, jsonb, text[], jsonb,
  double precision, integer, text
) is
  'Keys, scores and reasons of the rows most like the first `liked` of the examples and unlike the others: what '
  'T_like and T_recommend return whole rows of.';

-- The vectors are read by the statement that searches with them. T_like has its key as $1, T_recommend the keys of
-- liked and disliked rows as $1 and $2; the other arguments are the same.
create or replace function mmdb.examples_body(relation regclass, verb text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
#variable_conflict use_column
begin
  %1$sreturn query
  select %2$s, found_.score, found_.ranks
  from (
    select array_agg(k.key order by k.place), array_agg(case when p.%3$I is not null then %4$s end order by k.place),
           array_agg(array[%5$s] order by k.place)
    from (select case when g.given is not null then %6$s end, g.place
          from unnest(%7$s) with ordinality g(given, place)) k(key, place)
    left join %8$s p on %9$s
  ) examples_(keys, known, vectors)
  cross join lateral mmdb.recommend(%10$L::mmdb.search_leg[], examples_.keys, examples_.known, examples_.vectors,
                                    %11$s, %12$s, %13$s)
    with ordinality found_(key, score, ranks, place)
  join %8$s p on %14$s
  order by found_.place;
end
$body$, case verb when 'like' then E'if $1 is null then\n    return;\n  end if;\n  ' else '' end, c.selected,
        (select n.name from mmdb.key_columns(relation) n where n.place = 1), k.expression,
        (select string_agg(mmdb.vector_sql(l.parts), ', ' order by l.ordinality) from unnest(e.legs) with ordinality l),
        mmdb.given_key_sql(relation, 'g.given'), case verb when 'like' then 'array[$1]' else '$1 || $2' end,
        mmdb.relation_sql(relation), k.matches, e.legs,
        case verb when 'like' then '1' else 'coalesce(cardinality($1), 0)' end,
        case verb when 'like' then '$2, $3, $4::text[], $5, $6, $7' else '$3, $4, $5::text[], $6, $7, $8' end,
        mmdb.known_key_sql(relation, case verb when 'like' then '$8' else '$9' end),
        replace(k.matches, 'k.key', 'found_.key'))
  from mmdb.search_columns(relation) c, mmdb.key_sql(relation) k,
       (select array(select l from unnest(mmdb.search_legs(relation)) l where l.matches is null)) e(legs)
$$;
comment on function mmdb.examples_body(regclass, text) is 'The body of T_like and of T_recommend.';

create or replace function mmdb.make_example_functions(made mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  relation constant regclass := made.relation;
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
  perform mmdb.make_public_function(made, mmdb.table_call(relation, 'like'),
    format('%I %s, %s', mmdb.free_name(relation, 'key'), key_type, others), format('%s, %s', key_type, other_types),
    mmdb.call_attributes(), mmdb.examples_body(relation, 'like'),
    format('The k rows of %s most like one of them, by all embeddings, best first.', mmdb.relation_sql(relation)),
    columns);
  perform mmdb.make_public_function(made, mmdb.table_call(relation, 'recommend'),
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
