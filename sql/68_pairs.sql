-- Pairs of rows: which rows of a table are nearly the same (near_duplicates), which rows of another table come nearest
-- (neighbours). All of it reads with the caller's rights. Keys are texts: of a key of one column its own text, of
-- several the text of an array, as in `within`.

create or replace function mmdb.page_end(relation regclass, after text default null, count integer default 1000)
returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set extra_float_digits = 1 set bytea_output = 'hex'
set timezone = 'UTC'
as $$
declare
  keys constant record := mmdb.key_sql(relation);
  page_end text;
begin
  if count is null or count < 1 then
    raise exception 'a page of % rows', count
      using errcode = 'invalid_parameter_value', hint = 'count => 1000, for instance';
  end if;
  execute format('select s.key from (select %1$s as key, row_number() over (order by %2$s) as place from %3$s '
                 'where %4$s order by %2$s limit %5$s) s order by s.place desc limit 1',
                 mmdb.plain_key_sql(relation), keys.ordering, mmdb.rows_sql(relation),
                 case when after is null then 'true' else mmdb.after_sql(relation, '$1') end, count)
  into page_end using after;
  return page_end;
end
$$;
comment on function mmdb.page_end(regclass, text, integer) is
  'The key of the last of the `count` rows that follow the key `after` (of the first rows, where that is NULL); NULL '
  'where none follows. It cuts a large table into pages for mmdb.near_duplicates and mmdb.neighbours.';

create or replace function mmdb.left_rows_sql(declared mmdb.embeddings, after text, upto text, within text)
returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('(select %s as key, %s as vector from %s where %s and (%s) <> ''NaN''%s%s%s)',
                mmdb.plain_key_sql(declared.relation), mmdb.vector_of(declared), mmdb.searched_rows(declared),
                mmdb.present_sql(declared), mmdb.distance_sql(declared, mmdb.vector_of(declared)),
                case when after is not null then ' and ' || mmdb.after_sql(declared.relation, '$1') end,
                case when upto is not null then ' and not (' || mmdb.after_sql(declared.relation, '$2') || ')' end,
                case when within is not null then ' and ' || mmdb.within_sql(declared.relation, within) end)
$$;
comment on function mmdb.left_rows_sql(mmdb.embeddings, text, text, text) is
  'The embedded rows of a page, keys after $1 up to $2, or of the keys that the SQL `within` gives, with their '
  'vectors; without those whose vector has no distance to itself, and so none to others.';

-- Walked: the rows come along the HNSW index in about the right order; over an index of signs, enough of them that the
-- nearest are among them. Otherwise all rows of the FROM item `measured` are measured.
create or replace function mmdb.nearest_sql(
  declared mmdb.embeddings, lefts regclass, passes text, depth integer, walked boolean
) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.filled('(select {key} as key, p.mmdb_distance as distance, ({later}) as later from ('
    || case when walked then 'select {columns}, {distance} as mmdb_distance from {rows} where {present} and {passes} '
                             'order by {walk} limit {walked}'
            else 'select {columns}, {distance} as mmdb_distance from measured p offset 0' end
    || ') p'
    || case when walked and not mmdb.is_quantized(declared) then ''
            else ' order by p.mmdb_distance, {columns} limit {depth}' end
    || ')', jsonb_build_object(
      'key', mmdb.plain_key_sql(declared.relation),
      'later', case when lefts = declared.relation then mmdb.after_sql(lefts, 'l.key') else 'false' end,
      'columns', k.ordering, 'rows', mmdb.searched_rows(declared), 'present', mmdb.present_sql(declared),
      'passes', passes, 'depth', depth, 'walked', depth * mmdb.oversampling(mmdb.is_quantized(declared)),
      'walk', coalesce(mmdb.walk_sql(declared, 'l.vector'), d.distance), 'distance', d.distance))
  from mmdb.key_sql(declared.relation) k,
       mmdb.distance_sql(declared, 'l.vector::' || declared.column_type,
                         case when walked then mmdb.vector_of(declared) else 'p.mmdb_vector' end) d(distance)
$$;
comment on function mmdb.nearest_sql(mmdb.embeddings, regclass, text, integer, boolean) is
  'The rows nearest to a row l of a table, with their distances, as a lateral FROM item; later: in one table, those '
  'with a later key.';

create or replace function mmdb.measured_pairs(
  lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]
) returns table (left_key text, right_key text, distance double precision, later boolean)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp set jit = off set enable_sort = on
as $$
begin
  -- The rows that pass are read once, and not once for each row of the left.
  return query execute format($query$
    with measured as materialized (select %s, %s as mmdb_vector from %s where %s and %s)
    select l.key, r.key, r.distance, r.later from %s l cross join lateral %s r
  $query$, (select s.ordering from mmdb.key_sql(rights.relation) s), mmdb.vector_of(rights),
           mmdb.searched_rows(rights), mmdb.present_sql(rights), passes,
           mmdb.left_rows_sql(lefts, after, upto, case when within is not null then '$3' end),
           mmdb.nearest_sql(rights, lefts.relation, passes, depth, false))
  using after, upto, within;
end
$$;
comment on function mmdb.measured_pairs(mmdb.embeddings, mmdb.embeddings, text, integer, text, text, text[]) is
  'For each row of the left the nearest `depth` of the right, by measuring all that pass.';

-- A row for which the walk comes back with too few, because others were deleted or may not be seen, is measured against
-- all. PostgreSQL thinks a walk dearer than it is, hence "enable_sort".
create or replace function mmdb.walked_pairs(
  lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]
) returns table (left_key text, right_key text, distance double precision, later boolean)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp set jit = off
set enable_sort = off set hnsw.iterative_scan = relaxed_order set hnsw.ef_search = 100
as $$
begin
  perform set_config('hnsw.ef_search',
                     least(1000, greatest(100, depth * mmdb.oversampling(mmdb.is_quantized(rights))))::text, true);
  return query execute format($query$
    with walked as materialized (
      select l.key as left_key, r.key as right_key, r.distance, r.later, count(r.key) over (partition by l.key) as found
      from %s l left join lateral %s r on true
    )
    select w.left_key, w.right_key, w.distance, w.later from walked w where w.found >= $4
    union all
    select m.*
    from mmdb.measured_pairs($5, $6, $7, $4, null, null,
                             array(select distinct w.left_key from walked w where w.found < $4)) m
  $query$, mmdb.left_rows_sql(lefts, after, upto, case when within is not null then '$3' end),
           mmdb.nearest_sql(rights, lefts.relation, passes, depth, true))
  using after, upto, within, depth, lefts, rights, passes;
end
$$;
comment on function mmdb.walked_pairs(mmdb.embeddings, mmdb.embeddings, text, integer, text, text, text[]) is
  'For each row of the left the nearest `depth` of the right, along its HNSW index.';

create or replace function mmdb.nearest_pairs(
  lefts mmdb.embeddings, rights mmdb.embeddings, k integer, filter jsonb, after text, upto text, within text[]
) returns table (left_key text, right_key text, distance double precision, later boolean)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set extra_float_digits = 1 set bytea_output = 'hex'
set timezone = 'UTC'
as $$
declare
  -- In parentheses, so that PostgreSQL itself estimates, from the size that the table has now, even without a filter.
  passes constant text := '(' || mmdb.filter(rights.relation, filter, 'p') || ')';
  depth constant integer := k + (lefts.relation = rights.relation)::integer;  -- a row is its own nearest
  cost constant record := mmdb.top_costs();
  estimate constant record := mmdb.top_estimate(mmdb.search_pieces(rights), passes, null, null);
begin
  -- A row that passes is read once and measured for each row of the left: about one unit of the costs.
  if cost.walked * greatest(100, depth / estimate.share) < estimate.rows
     and mmdb.serving_index(rights, 'hnsw') is not null then
    return query select p.* from mmdb.walked_pairs(lefts, rights, passes, depth, after, upto, within) p;
  else
    return query select p.* from mmdb.measured_pairs(lefts, rights, passes, depth, after, upto, within) p;
  end if;
end
$$;
comment on function mmdb.nearest_pairs(mmdb.embeddings, mmdb.embeddings, integer, jsonb, text, text, text[]) is
  'For each row of the left the k nearest of the right, and itself, by the cheaper road; later: the right key is the '
  'later of the two.';

create or replace function mmdb.check_pairs(declared mmdb.embeddings, k integer, max_distance double precision)
returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  distance constant text := mmdb.distance_of(declared);
begin
  if k is null or k not between 1 and 999 then
    raise exception '% neighbours, expected 1 to 999', coalesce(k::text, 'null')
      using errcode = 'invalid_parameter_value';
  elsif max_distance = 'NaN' or (max_distance < 0 and distance in ('cosine', 'l2')) then
    raise exception 'max_distance is %, expected a distance (%)', nullif(max_distance, 'NaN'), distance
      using errcode = 'invalid_parameter_value', hint = 'a cosine distance goes from 0, the same, to 2, the opposite';
  end if;
end
$$;
comment on function mmdb.check_pairs(mmdb.embeddings, integer, double precision) is
  'Refuse a number of neighbours or a distance that makes no sense.';

create or replace function mmdb.neighbours(
  left_relation regclass, left_name text, right_relation regclass, right_name text, k integer default 10,
  max_distance double precision default null, filter jsonb default null, after text default null, upto text default null
) returns table (left_key text, right_key text, distance double precision, rank bigint)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  lefts constant mmdb.embeddings := mmdb.resolved(mmdb.embedding_of(left_relation, left_name));
  rights constant mmdb.embeddings := mmdb.resolved(mmdb.embedding_of(right_relation, right_name));
begin
  if lefts.model <> rights.model then
    raise exception 'embedding "%" of table % is of model "%", and "%" of table % of model "%"',
                    left_name, left_relation, lefts.model, right_name, right_relation, rights.model
      using errcode = 'datatype_mismatch',
            hint = 'vectors of two models cannot be compared: declare an embedding of the same model for both';
  end if;
  perform mmdb.check_pairs(rights, k, max_distance);
  return query
  select n.left_key, n.right_key, n.distance, n.rank
  from (select p.*, row_number() over (partition by p.left_key order by p.distance, p.right_key) as rank
        from mmdb.nearest_pairs(lefts, rights, k, filter, after, upto, null) p
        where left_relation <> right_relation or p.left_key <> p.right_key) n
  where n.rank <= k and (max_distance is null or n.distance <= max_distance);
end
$$;
comment on function mmdb.neighbours(regclass, text, regclass, text, integer, double precision, jsonb, text, text) is
  'A join by likeness of two tables whose embeddings are of one model, which may be the same: for each row of the '
  'left the k nearest rows of the right, over the HNSW index of the right; k of them while k pass the filter and may '
  'be seen. Of one table with itself, without the row itself. The keys are texts: left_key::integer joins them. After '
  'and upto, keys of the left (see mmdb.page_end), cut a large join into pages.';

create or replace function mmdb.near_duplicates(
  relation regclass, name text, max_distance double precision, neighbours integer default 10,
  after text default null, upto text default null
) returns table (key_a text, key_b text, distance double precision)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  declared constant mmdb.embeddings := mmdb.resolved(mmdb.embedding_of(relation, name));
begin
  perform mmdb.check_pairs(declared, neighbours, coalesce(max_distance, 'NaN'));
  -- A pair that both of its rows name is told by the earlier one, whatever page that is on.
  return query
  with named as materialized (
    select p.* from mmdb.nearest_pairs(declared, declared, neighbours, null, after, upto, null) p
    where p.left_key <> p.right_key and p.distance <= max_distance
  ), elsewhere as (
    select array(select n.right_key from named n where not n.later except select n.left_key from named n) as keys
  ), telling as (
    select n.left_key, n.right_key from named n
    union all
    select p.left_key, p.right_key
    from elsewhere e, mmdb.nearest_pairs(declared, declared, neighbours, null, null, null, e.keys) p
  )
  select n.left_key, n.right_key, n.distance from named n where n.later
  union all
  select n.right_key, n.left_key, n.distance from named n
  where not n.later and not exists (select from telling t where (t.left_key, t.right_key) = (n.right_key, n.left_key));
end
$$;
comment on function mmdb.near_duplicates(regclass, text, double precision, integer, text, text) is
  'Pairs of rows of a table within a distance of each other, each pair once, key_a the earlier key. Each row is asked '
  'for its nearest `neighbours` over the HNSW index, and a pair is found if one of the two names the other: of a '
  'group of more rows than that not every pair comes, but every row is in a pair. After and upto, keys (see '
  'mmdb.page_end), cut a large table into pages; mmdb.store_near_duplicates does that. The keys are texts: '
  'key_a::integer joins them.';

-- It has no settings and no pinned path, because PostgreSQL lets no procedure commit that has them. All code that it
-- runs is the caller's own.
create or replace procedure mmdb.store_near_duplicates(
  relation regclass, name text, max_distance double precision, target text, neighbours integer default 10,
  batch integer default 1000
)
language plpgsql security invoker
as $$
declare
  made constant text := mmdb.table_name(target);
  progress constant text := mmdb.table_name(target, '_progress');
  wanted constant text := pg_catalog.format('%s "%s" within %s, %s neighbours',
                                            mmdb.relation_sql(relation), name, max_distance, neighbours);
  begun text;
  last text;
  page_end text;
begin
  perform mmdb.check_pairs(mmdb.embedding_of(relation, name), neighbours, coalesce(max_distance, 'NaN'));
  if pg_catalog.to_regclass(progress) is null then
    execute pg_catalog.format('create table %s (key_a text, key_b text, distance double precision not null, '
                              'primary key (key_a, key_b))', made);
    execute pg_catalog.format('create table %s as select %L::text as search, null::text as after', progress, wanted);
  end if;
  execute pg_catalog.format('select search, after from %s', progress) into begun, last;
  perform mmdb.check_resumed(target, begun, wanted);
  loop
    page_end := mmdb.page_end(relation, last, batch);
    exit when page_end is null;
    execute pg_catalog.format('insert into %s select * from mmdb.near_duplicates($1, $2, $3, $4, $5, $6) '
                              'on conflict do nothing', made)
      using relation, name, max_distance, neighbours, last, page_end;
    execute pg_catalog.format('update %s set after = $1', progress) using page_end;
    commit;
    last := page_end;
  end loop;
  execute pg_catalog.format('drop table %s', progress);
end
$$;
comment on procedure mmdb.store_near_duplicates(regclass, text, double precision, text, integer, integer) is
  'Write mmdb.near_duplicates into a new table `target` (key_a, key_b, distance), page by page, each in its own '
  'transaction: for tables of millions of rows. Called again after an interruption it goes on where it was; that is '
  'kept in the table TARGET_progress, which goes in the end. Not inside a transaction.';

-- A longer name is refused rather than cut to 63 bytes: the name that is left may be that of something else.
create or replace function mmdb.table_name(name text, suffix text default '') returns text
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  names text[] := parse_ident(name);
  last constant integer := cardinality(names);
begin
  names[last] := names[last] || suffix;
  if last > 2 or octet_length(names[last]) > 63 then
    raise exception '"%" cannot be the name of a table', array_to_string(names, '.')
      using errcode = 'invalid_name', hint = 'as in poster_duplicates or shop.poster_duplicates, of at most 63 bytes';
  end if;
  return (select string_agg(quote_ident(n.name), '.' order by n.place)
          from unnest(names) with ordinality n(name, place));
end
$$;
comment on function mmdb.table_name(text, text) is
  'A name as given, perhaps with its schema, and with a suffix, quoted.';

create or replace function mmdb.check_resumed(target text, begun text, wanted text) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if begun is distinct from wanted then
    raise exception 'table "%" holds an unfinished search of %, not of %', target, begun, wanted
      using errcode = 'object_in_use',
            hint = format('finish that one, choose another target, or: drop table %s, %s',
                          mmdb.table_name(target), mmdb.table_name(target, '_progress'));
  end if;
end
$$;
comment on function mmdb.check_resumed(text, text, text) is 'Refuse to go on with a search for something else.';
