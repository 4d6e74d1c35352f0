-- T_search: the words of a query and its meaning, by every embedding of the table, fused by reciprocal rank.
--
-- Each leg finds candidates with the filter inside; a row's score is the sum over the legs of weight * (0.1 + 0.9 *
-- nearness) / (60 + rank): reciprocal rank fusion (Cormack, Clarke and Buettcher 2009), weighed by how far a row stands
-- out of its leg's candidates. By ranks alone a leg that knows nothing of the query votes as loudly as one that is
-- sure: on one half of the questions of bench/hybrid.py nDCG@10 fell from 0.81 by captions alone to 0.52 with pictures
-- beside them, and is 0.82 with nearness. A leg with a negative weight brings no candidates: it only pushes rows down.

-- Its model is looked up when it searches: it may have been switched since the function was made.
create or replace function mmdb.embedding_leg(declared mmdb.embeddings) returns mmdb.leg
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  leg mmdb.leg;
begin
  leg.name := declared.name;
  leg.pieces := mmdb.search_pieces(declared);
  return leg;
end
$$;
comment on function mmdb.embedding_leg(mmdb.embeddings) is 'A search by an embedding as a leg of T_search.';

create or replace function mmdb.search_legs(relation regclass) returns mmdb.leg[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array(select mmdb.embedding_leg(mmdb.resolved(e)) from mmdb.embeddings e
               where e.relation = search_legs.relation and e.generation_of is null order by e.name)
      || array(select mmdb.keywords_leg(w) from mmdb.keywords w where w.relation = search_legs.relation order by w.id)
$$;
comment on function mmdb.search_legs(regclass) is
  'The legs of T_search: every embedding of the table, and its keywords.';

-- As they stand in a generated function (see mmdb.pieces).
create or replace function mmdb.legs(described jsonb) returns mmdb.leg[]
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array(select jsonb_populate_record(null::mmdb.leg, l.leg)
               from jsonb_array_elements(described) with ordinality l(leg, place) order by l.place)
$$;
comment on function mmdb.legs(jsonb) is 'The legs of a search, as a generated function has them.';

create or replace function mmdb.legs_sql(legs mmdb.leg[]) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('mmdb.legs(%L::jsonb)', jsonb_strip_nulls(to_jsonb(legs))) $$;
comment on function mmdb.legs_sql(mmdb.leg[]) is 'The legs of a search, as they are written into a function.';

create or replace function mmdb.query_vector(leg mmdb.leg, query text, images bytea[], weights jsonb)
returns @extschema:vector@.vector
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  vectors real[][];
  factors double precision[];
  image bytea;
  combined @extschema:vector@.vector;
  asked constant text := mmdb.model_of((leg.pieces).relation, leg.name);
  modalities constant text[] := (select m.modalities from mmdb.models m where m.name = asked);
begin
  if query is not null and 'text' = any(modalities) and mmdb.weight_of(weights, 'query') <> 0 then
    vectors := array[mmdb.embed(query, asked)::real[]];
    factors := array[mmdb.weight_of(weights, 'query')];
  end if;
  foreach image in array coalesce(images, '{}') loop
    if 'image' = any(modalities) and mmdb.weight_of(weights, 'image') <> 0 then
      vectors := vectors || array[mmdb.embed(image, asked)::real[]];
      factors := factors || mmdb.weight_of(weights, 'image');
    end if;
  end loop;
  if cardinality(factors) = 1 and factors[1] > 0 then
    return (array(select v from unnest(vectors) v))::real[]::@extschema:vector@.vector;
  end if;
  combined := case when factors is not null then mmdb.weighted_vector(vectors, factors) end;
  if not mmdb.has_direction(combined) then
    raise exception 'the text and the pictures of the query cancel each other out in embedding "%"', leg.name
      using errcode = 'invalid_parameter_value', hint = 'weigh them otherwise: weights => ''{"image": 0.5}''';
  end if;
  return combined;
end
$$;
comment on function mmdb.query_vector(mmdb.leg, text, bytea[], jsonb) is
  'What a leg looks for: the text and the pictures of a query that its model takes, combined by weight; NULL for none.';

create or replace function mmdb.check_weights(
  weights jsonb, legs mmdb.leg[], others text[] default '{query,image}'
) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  known constant text[] := array(select l.name from unnest(legs) l) || others;
  entry record;
begin
  if jsonb_typeof(weights) <> 'object' then
    raise exception 'weights are an object, not %', left(weights::text, 100)
      using errcode = 'invalid_parameter_value', hint = format('as in {"%s": 0.5}', known[1]);
  end if;
  for entry in select e.key, e.value from jsonb_each(weights) e loop
    if entry.key <> all(known) then
      raise exception 'there is no leg "%" to weigh', entry.key
        using errcode = 'invalid_parameter_value', hint = format('weights are of: %s', array_to_string(known, ', '));
    elsif jsonb_typeof(entry.value) <> 'number' then
      raise exception 'the weight of "%" is %, expected a number', entry.key, left(entry.value::text, 100)
        using errcode = 'invalid_parameter_value';
    end if;
  end loop;
end
$$;
comment on function mmdb.check_weights(jsonb, mmdb.leg[], text[]) is
  'Refuse weights of legs that are not there.';

-- The closeness of a row is read from its text, so it is computed for no more than this number of rows that match.
create or replace function mmdb.words_found(leg mmdb.leg, query text, filter jsonb, within text[], depth integer)
returns table (key text, rank bigint, closeness double precision)
language plpgsql stable security invoker rows 100
set search_path = pg_catalog, pg_temp set pg_trgm.word_similarity_threshold = 0.35
as $$
declare
  passes constant text := mmdb.filter((leg.pieces).relation, filter, 'p')
    || case when within is null then '' else ' and ' || (leg.pieces).within end;
begin
  return query execute format($query$
    select x.key, row_number() over (order by x.closeness desc, x.key), x.closeness
    from (select %s as key, (%s)::double precision as closeness from %s where %s and %s limit 2000) x
    order by x.closeness desc, x.key limit %s
  $query$, (leg.pieces).key, leg.closeness, (leg.pieces).source, leg.matches, passes, depth) using query, within;
end
$$;
comment on function mmdb.words_found(mmdb.leg, text, jsonb, text[], integer) is
  'The candidates of a leg of words.';

-- By an embedding, a row's nearness is the share of the last candidate's distance by which it is nearer; mmdb.search
-- scales it so that the row that stands out most, among the candidates of all embeddings, has 1; it is 0 where there is
-- no distance. By words, it is nearly 1 if few rows have any of them; if so many have that the leg is full, it falls to
-- 0 for the last row: rare words say more.
create or replace function mmdb.search_found(
  leg mmdb.leg, query text, vector @extschema:vector@.vector, depth integer, filter jsonb, within text[]
) returns table (key text, rank bigint, nearness double precision, how jsonb)
language plpgsql stable security invoker rows 100
set search_path = pg_catalog, pg_temp
as $$
begin
  if leg.matches is not null then
    return query
    select f.key, f.rank,
           1 - count(*) over () / depth::double precision
               * coalesce(min(f.closeness) over () / nullif(f.closeness, 0), 1),
           jsonb_build_object('rank', f.rank, 'closeness', f.closeness)
    from mmdb.words_found(leg, query, filter, within, depth) f;
  else
    return query
    select f.key, f.place,
           coalesce((max(m.distance) over () - m.distance) / nullif(abs(max(m.distance) over ()), 0), 0),
           jsonb_build_object('rank', f.place, 'distance', m.distance)
    from mmdb.top(leg.pieces, vector, depth, filter, within) t,
         unnest(t.keys, t.distances) with ordinality f(key, distance, place), mmdb.measured(f.distance) m(distance);
  end if;
end
$$;
comment on function mmdb.search_found(mmdb.leg, text, @extschema:vector@.vector, integer, jsonb, text[]) is
  'The candidates of one leg, with rank, nearness and reason.';

create or replace function mmdb.search(
  legs mmdb.leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb,
  depth integer, diversity double precision default 0, after text default null,
  out keys text[], out scores double precision[], out ranks jsonb[]
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  leg mmdb.leg;
  vector @extschema:vector@.vector;
  deep constant integer := mmdb.search_depth(k, depth, diversity);
  measure mmdb.leg;  -- the first embedding that takes part
  found_keys text[] := '{}';
  found_ranks bigint[] := '{}';
  found_nearness double precision[] := '{}';
  found_scores double precision[];
  found_how jsonb[] := '{}';
  found_legs text[] := '{}';
  names text[] := '{}';  -- of the embeddings
  weight double precision;
  nothing boolean := true;
begin
  perform mmdb.check_weights(coalesce(weights, '{}'), legs);
  -- Before anything is embedded.
  perform mmdb.filter((legs[1].pieces).relation, filter) where filter is not null;
  if mmdb.is_blank(query) or exists (select from unnest(images) i where mmdb.is_blank(i)) then
    query := case when not mmdb.is_blank(query) then query end;
    images := array(select i from unnest(images) i where not mmdb.is_blank(i));
    if query is null and images = '{}' then
      return;
    end if;
  end if;
  foreach leg in array legs loop
    weight := mmdb.weight_of(weights, leg.name);
    vector := null;
    if leg.matches is null then
      names := names || leg.name;
      vector := mmdb.query_vector(leg, query, images, weights);
    end if;
    if weight <> 0 and (vector is not null or (leg.matches is not null and query is not null
                                               and mmdb.weight_of(weights, 'query') > 0)) then
      nothing := nothing and weight < 0;
      measure := case when measure is null and vector is not null then leg else measure end;
      select found_keys || array_agg(f.key), found_ranks || array_agg(f.rank), found_nearness || array_agg(f.nearness),
             found_how || array_agg(f.how), found_legs || array_agg(leg.name)
      into found_keys, found_ranks, found_nearness, found_how, found_legs
      from mmdb.search_found(leg, query, vector, deep, filter, within) f;
    end if;
  end loop;
  if nothing then
    raise exception 'there is nothing to search for'
      using errcode = 'invalid_parameter_value',
            hint = 'give a query, an image, or both, that a leg with a positive weight takes';
  end if;
  select array_agg(f.key), array_agg(f.score),
         array_agg(jsonb_build_object(f.leg, f.how || jsonb_build_object('score', f.score)))
  into found_keys, found_scores, found_how
  from (
    select u.key, u.leg, u.how,
           mmdb.weight_of(weights, u.leg) / (60 + u.rank) * (0.1 + 0.9 * case
             when u.leg = any(names)
             then coalesce(u.nearness / nullif(max(u.nearness) over (partition by u.leg = any(names)), 0), 1) ^ 1.5
             else u.nearness end) as score
    from unnest(found_keys, found_ranks, found_nearness, found_how, found_legs) u(key, rank, nearness, how, leg)
  ) f;
  select f.fused_keys, f.fused_scores, f.ranks into keys, scores, ranks
  from mmdb.fused(found_keys, found_scores, found_how, k, deep, coalesce(measure, mmdb.first_embedding(legs)),
                  diversity, after) f;
end
$$;
comment on function mmdb.search(
  mmdb.leg[], text, bytea[], integer, jsonb, text[], jsonb, integer, double precision, text
) is
  'Keys, scores and reasons of the rows that the legs find together: what T_search returns whole rows of.';

-- Functions of a table belong to the first of its embeddings; with the last one they go.
create or replace function mmdb.first_declared(relation regclass) returns mmdb.embeddings
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select e from mmdb.embeddings e
  where e.relation = first_declared.relation and e.generation_of is null order by e.id limit 1
$$;
comment on function mmdb.first_declared(regclass) is 'The embedding for which the functions of a table are made.';

create or replace function mmdb.table_call(declared mmdb.embeddings, verb text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('%s.%I', declared.function_schema, declared.prefix || '_' || verb) $$;
comment on function mmdb.table_call(mmdb.embeddings, text) is
  'The name of a function that is made once for a table: T_search, T_like, T_recommend.';

create or replace function mmdb.search_table_body(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.found_body(relation, format(
    'mmdb.search(legs => %s, query => $1, images => case when $2 is null then $7 else array[$2] || $7 end, k => $3, '
    'filter => $4, within => $5::text[], weights => $6, depth => $8, diversity => $9, after => mmdb_after)',
    mmdb.legs_sql(mmdb.search_legs(relation))), array['keys', 'scores', 'ranks'], '$10')
$$;
comment on function mmdb.search_table_body(regclass) is 'The body of T_search.';

create or replace function mmdb.table_verbs() returns text[]
language sql immutable security invoker
as $$ select array['search', 'like', 'recommend'] $$;
comment on function mmdb.table_verbs() is 'The functions that are made once for a table.';

create or replace function mmdb.make_table_functions(relation regclass) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
as $$
#variable_conflict use_variable
declare
  first_made constant mmdb.embeddings := mmdb.first_declared(relation);
  parameters text;
begin
  if first_made.id is null then
    return;
  end if;
  perform '[1]'::@extschema:vector@.vector;  -- only a setting that is known can be attached without being superuser
  parameters := format(
    '%I text default null, %I bytea default null, %I integer default 10, %I jsonb default null, %I %s default null, '
    '%I jsonb default null, %I bytea[] default null, %I integer default null, %I double precision default 0, %I %s '
    'default null',
    mmdb.free_name(relation, 'query'), mmdb.free_name(relation, 'image'), mmdb.free_name(relation, 'k'),
    mmdb.free_name(relation, 'filter'),
    mmdb.free_name(relation, 'within'), mmdb.within_type(relation), mmdb.free_name(relation, 'weights'),
    mmdb.free_name(relation, 'images'), mmdb.free_name(relation, 'depth'), mmdb.free_name(relation, 'diversity'),
    mmdb.free_name(relation, 'after'), mmdb.key_type(relation));
  perform mmdb.make_public_function(first_made, mmdb.table_call(first_made, 'search'), parameters,
    format('text, bytea, integer, jsonb, %s, jsonb, bytea[], integer, double precision, %s', mmdb.within_type(relation),
           mmdb.key_type(relation)),
    mmdb.call_attributes(), mmdb.search_table_body(relation),
    format('The k rows of %s that words and embeddings find together, best first.', mmdb.relation_sql(relation)),
    format('%s, %I double precision, %I jsonb', (select c.definitions from mmdb.search_columns(relation) c),
           mmdb.free_name(relation, 'score'), mmdb.free_name(relation, 'ranks')));
  perform mmdb.make_example_functions(first_made);
end
$$;
comment on function mmdb.make_table_functions(regclass) is
  'Make the functions of a table again, over the legs that it has now.';
