-- What functions call that an earlier mmdb made for tables. `mmdb init` makes those anew whose tables it may act for;
-- the others go on answering, until their owner runs mmdb.refresh, as mmdb.status tells. They hold records of
-- mmdb.search_source and mmdb.search_leg as text (revision 0010), so these types stay as they are.

create or replace function mmdb.former_pieces(former mmdb.search_source) returns mmdb.search_pieces
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  pieces mmdb.search_pieces := mmdb.row_pieces(former.relation);
begin
  pieces.vector := left(former.present, -length(' is not null')) || '::@extschema:vector@.vector';
  pieces.distance := former.distance;
  pieces.walk := coalesce(former.walk, former.distance);
  pieces.present := former.present;
  return pieces;
end
$$;
comment on function mmdb.former_pieces(mmdb.search_source) is
  'The pieces of a search of a function that an earlier mmdb made.';

create or replace function mmdb.former_legs(former mmdb.search_leg[]) returns mmdb.leg[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array(select (l.name, mmdb.former_pieces(l.parts), l.matches, l.closeness)::mmdb.leg
               from unnest(former) with ordinality l order by l.ordinality)
$$;
comment on function mmdb.former_legs(mmdb.search_leg[]) is
  'The legs of a search of a function that an earlier mmdb made.';

create or replace function mmdb.top(
  parts mmdb.search_source, vector @extschema:vector@.vector, k integer, filter jsonb, within text[],
  after text default null
) returns table (key text, distance double precision)
language plpgsql stable security invoker rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
  found_rows constant record := mmdb.top(mmdb.former_pieces(parts), vector, k, filter, within, after);
begin
  return query select u.key, u.distance from unnest(found_rows.keys, found_rows.distances) u(key, distance);
end
$$;
comment on function mmdb.top(mmdb.search_source, @extschema:vector@.vector, integer, jsonb, text[], text) is
  'mmdb.top for functions that an earlier mmdb made.';

create or replace function mmdb.search(
  legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb,
  depth integer, diversity double precision default 0, after text default null
) returns table (key text, score double precision, ranks jsonb)
language plpgsql stable security invoker rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
  found_rows constant record := mmdb.search(mmdb.former_legs(legs), query, images, k, filter, within, weights, depth,
                                            diversity, after);
begin
  return query select u.key, u.score, u.ranks
               from unnest(found_rows.keys, found_rows.scores, found_rows.ranks) u(key, score, ranks);
end
$$;
comment on function mmdb.search(
  mmdb.search_leg[], text, bytea[], integer, jsonb, text[], jsonb, integer, double precision, text
) is
  'mmdb.search for functions that an earlier mmdb made.';

create or replace function mmdb.recommend(
  legs mmdb.search_leg[], keys text[], known text[], vectors @extschema:vector@.vector[], liked integer,
  k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text
) returns table (key text, score double precision, ranks jsonb)
language plpgsql stable security invoker rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
  found_rows constant record := mmdb.recommend(mmdb.former_legs(legs), keys, known, vectors, liked, k, filter, within,
                                               weights, diversity, depth, after);
begin
  return query select u.key, u.score, u.ranks
               from unnest(found_rows.fused_keys, found_rows.fused_scores, found_rows.ranks) u(key, score, ranks);
end
$$;
comment on function mmdb.recommend(
  mmdb.search_leg[], text[], text[], @extschema:vector@.vector[], integer, integer, jsonb, text[], jsonb,
  double precision, integer, text
) is
  'mmdb.recommend for functions that an earlier mmdb made.';
