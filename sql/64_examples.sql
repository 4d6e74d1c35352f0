-- Rows as queries: T_like, T_recommend. And what every fused search can do with its list: variety, and the next page.
--
-- A key comes as the caller writes it and goes on as mmdb writes it, found in the table by the caller's rights: a row
-- that he may not see and one that is not there are the same to him.

create or replace function mmdb.table_verbs() returns text[]
language sql immutable security invoker
as $$ select array['search', 'like', 'recommend'] $$;
comment on function mmdb.table_verbs() is 'The functions that are made once for a table.';

-- Keys travel as text, and from "SQL" dates and rounded numbers no key is found again.
create or replace function mmdb.call_attributes() returns text
language sql immutable security invoker
as $$ select 'language plpgsql stable security invoker rows 10 set hnsw.ef_search = 100 set datestyle = ''ISO'' set extra_float_digits = 1' $$;
comment on function mmdb.call_attributes() is 'What the functions that are told k are declared as; of dates only the writing is fixed, not the order in which they are read.';

create or replace function mmdb.key_type(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select left(mmdb.within_type(relation), -2) $$;
comment on function mmdb.key_type(regclass) is 'The type by which a row is named: that of the key, or for keys of several columns text as mmdb.failures writes it.';

create or replace function mmdb.given_key_sql(relation regclass, parameter text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format(case count(*) when 1 then 'array[format(''%%s'', %s)]::text' else '(%s)::text[]::text' end, parameter)
  from mmdb.key_columns(relation) k
$$;
comment on function mmdb.given_key_sql(regclass, text) is 'A key as it was given, in the form in which keys travel.';

create or replace function mmdb.known_key(relation regclass, given text, known text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if known is null then
    raise exception 'table % has no row "%"', relation, array_to_string(given::text[], ', ')
      using errcode = 'no_data_found', hint = 'it is not there, or you may not see it';
  end if;
  return known;
end
$$;
comment on function mmdb.known_key(regclass, text, text) is 'The key that is known, or an error that says what was given.';

create or replace function mmdb.known_key_sql(relation regclass, parameter text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($sql$case when %1$s is not null then mmdb.known_key(%2$L, %3$s,
      (select %4$s from %5$s p, (select %3$s) k(key) where %6$s)) end$sql$,
    parameter, mmdb.relation_sql(relation), mmdb.given_key_sql(relation, parameter), k.expression, mmdb.relation_sql(relation), k.matches)
  from mmdb.key_sql(relation) k
$$;
comment on function mmdb.known_key_sql(regclass, text) is 'The key of the row that a parameter names, as a search finds it; an error where there is none.';

create or replace function mmdb.within_keys(parts mmdb.search_source, keys text[]) returns text[]
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select case when parts.within like 'p.%' then array(select (k::text[])[1] from unnest(keys) k) else keys end $$;
comment on function mmdb.within_keys(mmdb.search_source, text[]) is 'Keys in the form that `within` has them in.';

create or replace function mmdb.vector_sql(parts mmdb.search_source) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select regexp_replace(parts.present, ' is not null$', '::@extschema:vector@.vector') $$;
comment on function mmdb.vector_sql(mmdb.search_source) is 'The embedding of a row.';

-- The next page begins behind a row: farther from the query, or as far with a later key. Distances go by text that loses nothing.
create or replace function mmdb.top_after(parts mmdb.search_source, vector @extschema:vector@.vector, after text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp set extra_float_digits = 1
as $$
declare
  reached double precision;
begin
  if after is null or vector is null then
    return '';
  end if;
  execute format('select %s from %s where %s', parts.distance, parts.source, parts.within)
  into reached using vector, mmdb.within_keys(parts, array[after]);
  if reached is null then
    raise exception 'row "%" of table % has no embedding to go on from', array_to_string(after::text[], ', '), parts.relation
      using errcode = 'object_not_in_prerequisite_state', hint = 'after takes the key of the last row of the page before';
  end if;
  return format(' and (%1$s > %2$L::double precision or %1$s = %2$L::double precision and (select %3$s from (select %4$L::text) a(after)))',
                parts.distance, reached, mmdb.later_sql(parts.relation), after);
end
$$;
comment on function mmdb.top_after(mmdb.search_source, @extschema:vector@.vector, text) is
  'The condition "this row comes after the row `after`, in order of distance and key"; nothing where that is NULL.';

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
comment on function mmdb.search_depth(integer, integer, double precision) is 'How many candidates each leg brings, the arguments checked.';

create or replace function mmdb.first_embedding(legs mmdb.search_leg[]) returns mmdb.search_leg
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select legs[i] from generate_subscripts(legs, 1) i where (legs[i]).matches is null order by i limit 1 $$;
comment on function mmdb.first_embedding(mmdb.search_leg[]) is 'The first leg that is an embedding.';

-- Maximal marginal relevance (Carbonell and Goldstein 1998): the next row is the one with the greatest
--   (1 - diversity) * relevance - diversity * likeness to the most alike of those before it.
-- Relevance is the score in shares of the best one. Likeness is 1 for the same vector and 0 from the distance on at which
-- the candidate lies that is least like the best one, or the parameter would mean something else for every model. A row
-- without a vector is half alike to all.
create or replace function mmdb.diverse(
  ordered text[], scores double precision[], parts mmdb.search_source, wanted integer, diversity double precision
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
           array_agg(1 - ($4[1] - $4[o.place]) / case when $4[1] > 0 then $4[1] else nullif($4[1] - $4[$5], 0) end order by o.place),
           (array_agg(f.vector order by o.place) filter (where f.vector is not null))[1]
    from unnest($3) with ordinality o(key, place) left join (select %s as key, %s as vector from %s where %s) f on f.key = o.key
  $query$, parts.key, mmdb.vector_sql(parts), parts.source, parts.within)
  into vectors, relevance, anchor using null::text, mmdb.within_keys(parts, ordered), ordered, scores, count;
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
      || array(select o.key from unnest(ordered) with ordinality o(key, place) where not taken[o.place] order by o.place);
end
$$;
comment on function mmdb.diverse(text[], double precision[], mmdb.search_source, integer, double precision) is
  'The keys in an order in which `wanted` of them are unlike one another, by an embedding; the first stays the first.';

create or replace function mmdb.fused(
  keys text[], scores double precision[], reasons jsonb[], k integer, depth integer, measure mmdb.search_leg,
  diversity double precision, after text
) returns table (key text, score double precision, ranks jsonb)
language plpgsql stable security invoker rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  ordered text[];
  sums double precision[];
  -- Varied are the first of them: a greedy choice takes time by the square.
  varied constant integer := least(depth, 200);
  seen integer := 0;
begin
  select array_agg(f.key order by f.score desc, f.key), array_agg(f.score order by f.score desc, f.key)
  into ordered, sums
  from (select u.key, sum(u.score) as score from unnest(keys, scores) u(key, score) group by u.key having max(u.score) > 0) f;
  if diversity > 0 and ordered is not null then
    ordered := mmdb.diverse(ordered[:varied], sums[:varied], measure.parts, case when after is null then k else varied end, diversity)
            || ordered[varied + 1:];
  end if;
  if after is not null then
    seen := array_position(ordered, after);
    if seen is null then
      raise exception 'row "%" is not among the results of this search', array_to_string(after::text[], ', ')
        using errcode = 'invalid_parameter_value',
              hint = 'after takes the key of the last row of the page before: of the same query, filter, weights, diversity and depth';
    end if;
  end if;
  return query
  select o.key, sum(u.score), jsonb_object_agg(r.key, r.value)
  from unnest(ordered[seen + 1:seen + k]) with ordinality o(key, place)
  join unnest(keys, scores, reasons) u(key, score, reason) on u.key = o.key
  cross join lateral jsonb_each(u.reason) r
  group by o.key, o.place
  order by o.place;
end
$$;
comment on function mmdb.fused(text[], double precision[], jsonb[], integer, integer, mmdb.search_leg, double precision, text) is
  'From what the legs found to a page: fused by key, varied, behind the row `after`. In reasons each stands under the name of its leg.';

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
    raise exception '% examples are given, expected 1000 at most', cardinality(keys) using errcode = 'program_limit_exceeded';
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

-- Rocchio (1971) with no query but the examples: the mean of what is liked minus the weighted mean of what is not. The
-- weight is 0.2 unless given, the 0.15 / 0.75 of Manning, Raghavan and Schuetze (2008, section 9.1.1). Every example and
-- the result are of unit length, except for Euclidean distance, where length counts.
create or replace function mmdb.example_vector(
  leg mmdb.search_leg, vectors @extschema:vector@.vector[], number integer, liked integer, disliked_weight double precision
) returns @extschema:vector@.vector
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  unit constant boolean := (select m.distance <> 'l2' from mmdb.models m where m.name = mmdb.model_of((leg.parts).relation, leg.name));
  wanted @extschema:vector@.vector;
  unwanted @extschema:vector@.vector;
begin
  if array_length(vectors, 1) = 1 then
    return vectors[1][number];
  end if;
  select @extschema:vector@.avg(e.vector) filter (where e.place <= liked), @extschema:vector@.avg(e.vector) filter (where e.place > liked)
  into wanted, unwanted
  from (select i, case when unit then @extschema:vector@.l2_normalize(vectors[i][number]) else vectors[i][number] end
        from generate_subscripts(vectors, 1) i) e(place, vector);
  if unwanted is not null then
    wanted := wanted operator(@extschema:vector@.-) (unwanted operator(@extschema:vector@.*)
      array_fill(disliked_weight::real, array[@extschema:vector@.vector_dims(unwanted)])::@extschema:vector@.vector);
  end if;
  -- What is left of equals is the rounding of half precision.
  if unit and @extschema:vector@.vector_norm(wanted) < 0.001 then
    raise exception 'the examples cancel each other out in embedding "%"', leg.name
      using errcode = 'invalid_parameter_value', hint = 'leave one out, or weigh them otherwise: weights => ''{"disliked": 0.5}''';
  end if;
  return case when unit then @extschema:vector@.l2_normalize(wanted) else wanted end;
end
$$;
comment on function mmdb.example_vector(mmdb.search_leg, @extschema:vector@.vector[], integer, integer, double precision) is
  'What examples look for in an embedding: of a single one its own vector, of several Rocchio''s combination; NULL where no liked row has a vector.';

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
    raise exception 'the weight of "disliked" is %, expected 0 or more', weight using errcode = 'invalid_parameter_value';
  end if;
  return weight;
end
$$;
comment on function mmdb.check_disliked(jsonb, mmdb.search_leg[]) is 'The weight of what is disliked, 0.2 unless given, all weights checked.';

create or replace function mmdb.refuse_pending(legs mmdb.search_leg[], known text[], liked integer, weights jsonb) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  relation constant regclass := (legs[1].parts).relation;
  names constant text := (select string_agg(format('"%s"', l.name), ', ') from unnest(legs) l where mmdb.weight_of(weights, l.name) <> 0);
begin
  raise exception '% of table % is not embedded yet: %',
    case liked when 1 then format('row "%s"', array_to_string(known[1]::text[], ', ')) else 'none of the liked rows' end, relation, names
    using errcode = 'object_not_in_prerequisite_state',
          hint = format('it waits for a worker, or has nothing to embed: select mmdb.wait_until_embedded(%L)', relation);
end
$$;
comment on function mmdb.refuse_pending(mmdb.search_leg[], text[], integer, jsonb) is 'Say that the examples have no vectors yet.';

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
comment on function mmdb.recommend(mmdb.search_leg[], text[], text[], @extschema:vector@.vector[], integer, integer, jsonb, text[], jsonb, double precision, integer, text) is
  'Keys, scores and reasons of the rows most like the first `liked` of the examples and unlike the others: what T_like and T_recommend return whole rows of.';

-- The vectors are read by the statement that searches with them. T_like has its key as $1, T_recommend what is liked and
-- what is disliked as $1 and $2; the others are the same.
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
    from (select case when g.given is not null then %6$s end, g.place from unnest(%7$s) with ordinality g(given, place)) k(key, place)
    left join %8$s p on %9$s
  ) examples_(keys, known, vectors)
  cross join lateral mmdb.recommend(%10$L::mmdb.search_leg[], examples_.keys, examples_.known, examples_.vectors, %11$s, %12$s, %13$s)
    with ordinality found_(key, score, ranks, place)
  join %8$s p on %14$s
  order by found_.place;
end
$body$, case verb when 'like' then E'if $1 is null then\n    return;\n  end if;\n  ' else '' end, c.selected,
        (select n.name from mmdb.key_columns(relation) n where n.place = 1), k.expression,
        (select string_agg(mmdb.vector_sql(l.parts), ', ' order by l.ordinality) from unnest(e.legs) with ordinality l),
        mmdb.given_key_sql(relation, 'g.given'), case verb when 'like' then 'array[$1]' else '$1 || $2' end,
        mmdb.relation_sql(relation), k.matches, e.legs, case verb when 'like' then '1' else 'coalesce(cardinality($1), 0)' end,
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
  others constant text := format('%I integer default 10, %I jsonb default null, %I %s default null, %I jsonb default null, '
    '%I double precision default 0, %I integer default null, %I %s default null',
    mmdb.free_name(relation, 'k'), mmdb.free_name(relation, 'filter'), mmdb.free_name(relation, 'within'), keys_type,
    mmdb.free_name(relation, 'weights'), mmdb.free_name(relation, 'diversity'), mmdb.free_name(relation, 'depth'),
    mmdb.free_name(relation, 'after'), key_type);
  other_types constant text := format('integer, jsonb, %s, jsonb, double precision, integer, %s', keys_type, key_type);
  columns constant text := format('%s, %I double precision, %I jsonb', (select c.definitions from mmdb.search_columns(relation) c),
    mmdb.free_name(relation, 'score'), mmdb.free_name(relation, 'ranks'));
begin
  perform mmdb.make_public_function(made, mmdb.table_call(relation, 'like'),
    format('%I %s, %s', mmdb.free_name(relation, 'key'), key_type, others), format('%s, %s', key_type, other_types),
    mmdb.call_attributes(), mmdb.examples_body(relation, 'like'),
    format('The k rows of %s most like one of them, by all embeddings, best first.', mmdb.relation_sql(relation)), columns);
  perform mmdb.make_public_function(made, mmdb.table_call(relation, 'recommend'),
    format('%I %s, %I %2$s default null, %4$s', mmdb.free_name(relation, 'liked'), keys_type, mmdb.free_name(relation, 'disliked'), others),
    format('%s, %1$s, %s', keys_type, other_types),
    mmdb.call_attributes(), mmdb.examples_body(relation, 'recommend'),
    format('The k rows of %s most like those that are liked and unlike those that are disliked, by all embeddings, best first.',
           mmdb.relation_sql(relation)), columns);
end
$$;
comment on function mmdb.make_example_functions(mmdb.embeddings) is 'Make T_like and T_recommend.';

-- A function of an older mmdb has other parameters or is missing; one of this mmdb may be of other words or another key.
create or replace function mmdb.call_drift(made mmdb.embeddings) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  outdated constant text := 'mmdb was upgraded, or what a search looks among was changed';
begin
  if exists (select from pg_proc p
             where p.pronamespace = to_regnamespace(made.function_schema) and p.proname = mmdb.top_name(made.prefix, made.name)
               and (p.pronargs <> 5 or position(quote_literal(mmdb.search_source(made)::text) in p.prosrc) = 0)
               and mmdb.is_made_by(p.oid, made.id)) then
    return outdated;
  elsif made.id <> (select min(e.id) from mmdb.embeddings e where e.relation = made.relation and e.generation_of is null)
        or made.generation_of is not null then
    return null;  -- the functions of the table are the first one's
  elsif exists (
    select from unnest(mmdb.table_verbs()) v(verb)
    where not exists (
      select from pg_proc p
      where p.pronamespace = to_regnamespace(made.function_schema) and p.proname = made.prefix || '_' || v.verb
        and mmdb.is_made_by(p.oid, made.id)
        and p.prosrc = case v.verb when 'search' then mmdb.search_table_body(made.relation)
                                   else mmdb.examples_body(made.relation, v.verb) end)) then
    return outdated;
  end if;
  return null;
exception when undefined_column then
  return null;  -- of another embedding of the table, which says so itself
end
$$;
comment on function mmdb.call_drift(mmdb.embeddings) is 'How the functions that are told k are not what this mmdb makes.';
