-- How a derivation is stored: the one place that knows where its rows and vectors stand, what is present and what is
-- pending, what a store locks and updates, and what is indexed.
--
-- With storage `column` all of it is the table itself, under the name p: the vector is a column of it, and with
-- on_change => 'keep' another column marks the rows whose vector is of an earlier source. A row is pending while its
-- vector is NULL (or marked) and its source says something. Another storage answers the same questions otherwise.

create or replace function mmdb.stored_rows(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select mmdb.rows_sql(declared.relation) $$;
comment on function mmdb.stored_rows(mmdb.embeddings) is
  'The rows that a derivation covers, with their sources and vectors, as a FROM item; also what a store updates.';

create or replace function mmdb.searched_rows(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select mmdb.rows_sql(declared.relation) $$;
comment on function mmdb.searched_rows(mmdb.embeddings) is
  'The rows that a search reads, with their vectors, as a FROM item.';

create or replace function mmdb.vector_of(declared mmdb.embeddings, alias text default 'p.') returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('%s%I', alias, declared.column_name) $$;
comment on function mmdb.vector_of(mmdb.embeddings, text) is 'The vector of a row.';

create or replace function mmdb.vector_type(declared mmdb.embeddings) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select '@extschema:vector@.' || declared.vector_type $$;
comment on function mmdb.vector_type(mmdb.embeddings) is
  'The type of a vector without its width, which the vectors of another model may not have.';

create or replace function mmdb.column_type(vector_type text, dimensions integer) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('@extschema:vector@.%s(%s)', vector_type, dimensions) $$;
comment on function mmdb.column_type(text, integer) is 'The type of a vector with its width, as a column declares it.';

create or replace function mmdb.present_sql(declared mmdb.embeddings, alias text default 'p.') returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select mmdb.vector_of(declared, alias) || ' is not null' $$;
comment on function mmdb.present_sql(mmdb.embeddings, text) is 'The condition "this row has a vector".';

create or replace function mmdb.marked_sql(declared mmdb.embeddings, alias text default 'p.') returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when declared.stale_column is null then 'false' else format('%s%I', alias, declared.stale_column) end
$$;
comment on function mmdb.marked_sql(mmdb.embeddings, text) is
  'The condition "the vector of this row is of an earlier source".';

create or replace function mmdb.pending_sql(declared mmdb.embeddings, alias text default 'p.') returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format(case when declared.stale_column is null then '%s is null and (%3$s)'
                     else '(%s is null or %s) and (%s)' end,
                mmdb.vector_of(declared, alias), mmdb.marked_sql(declared, alias),
                mmdb.says_sql(declared.relation, declared.sources, alias))
$$;
comment on function mmdb.pending_sql(mmdb.embeddings, text) is 'The condition "this row waits to be embedded".';

create or replace function mmdb.embedded_sql(declared mmdb.embeddings) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.present_sql(declared)
         || case when declared.stale_column is null then '' else ' and not ' || mmdb.marked_sql(declared) end
$$;
comment on function mmdb.embedded_sql(mmdb.embeddings) is
  'The condition "this row has the vector of the source that it has now".';

create or replace function mmdb.stale_sql(declared mmdb.embeddings) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.marked_sql(declared)
         || case when declared.stale_column is null then '' else ' and ' || mmdb.present_sql(declared) end
$$;
comment on function mmdb.stale_sql(mmdb.embeddings) is
  'The condition "this row is found by the vector of an earlier source".';

-- A row's version, which changes with every update of it: what was loaded is still there while it is the same.
create or replace function mmdb.row_state_sql(declared mmdb.embeddings) returns text
language sql immutable security invoker
as $$ select 'p.xmin::text' $$;
comment on function mmdb.row_state_sql(mmdb.embeddings) is 'What fences a row between load and store.';

create or replace function mmdb.lock_sql(declared mmdb.embeddings) returns text
language sql immutable security invoker
as $$ select 'for no key update of p skip locked' $$;
comment on function mmdb.lock_sql(mmdb.embeddings) is 'The clause by which a store locks rows, waiting for nobody.';

create or replace function mmdb.set_vector_sql(declared mmdb.embeddings, vector text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('%I = %s', declared.column_name, vector)
         || case when declared.stale_column is null then '' else format(', %I = false', declared.stale_column) end
$$;
comment on function mmdb.set_vector_sql(mmdb.embeddings, text) is 'What an update that stores a vector sets.';

create or replace function mmdb.unset_sql(declared mmdb.embeddings, rows text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('update %s set %s where %s', rows,
                case when declared.stale_column is null then format('%I = null', declared.column_name)
                     else format('%I = case when %3$s then %2$s end, %4$I = coalesce(%3$s, false)',
                                 declared.column_name, mmdb.vector_of(declared), s.says, declared.stale_column) end,
                mmdb.present_sql(declared))
  from mmdb.says_sql(declared.relation, declared.sources, 'p.') s(says)
$$;
comment on function mmdb.unset_sql(mmdb.embeddings, text) is
  'The statement that makes every row of this FROM item p pending; where old vectors are kept they stay, marked.';

create or replace function mmdb.content_sql(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when mmdb.loads_bytes(declared) then format('p.%I', declared.sources[1])
    when cardinality(declared.sources) = 1 then
      mmdb.text_sql(declared.relation, declared.sources[1], format('p.%I::text', declared.sources[1]))
    else format(E'concat_ws(E''\\n'', %s)', string_agg(mmdb.text_sql(declared.relation, s.name, format('p.%I', s.name)),
                                                     ', ' order by s.place))
  end
  from unnest(declared.sources) with ordinality s(name, place)
$$;
comment on function mmdb.content_sql(mmdb.embeddings) is
  'The source of a row as one value; several text columns are joined by line breaks.';

create or replace function mmdb.loads_bytes(declared mmdb.embeddings) returns boolean
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select declared.modality <> 'text' and not declared.by_uri and declared.weights is null $$;
comment on function mmdb.loads_bytes(mmdb.embeddings) is 'Whether the one source of a row is bytes and not text.';

create or replace function mmdb.weighted_sources(declared mmdb.embeddings)
returns table (place bigint, content text, data text, raw text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select s.place,
         case when s.modality = 'text' then t.content else 'null::text' end,
         case when s.modality = 'text' then 'null::bytea' else format('p.%I', s.name) end,
         case when s.modality = 'text' then format('convert_to(%s, ''UTF8'')', t.content)
              else format('p.%I', s.name) end
  from unnest(declared.sources, declared.source_modalities) with ordinality s(name, modality, place)
  cross join lateral mmdb.text_sql(declared.relation, s.name, format('p.%I::text', s.name)) t(content)
$$;
comment on function mmdb.weighted_sources(mmdb.embeddings) is
  'The sources that have weights, as SQL: each as text or as data, and its bytes.';

create or replace function mmdb.hash_sql(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when declared.weights is not null then
      format('sha256(%s)', (
        select string_agg(format(E'coalesce(E''\\\\x01''::bytea || sha256(%s), E''\\\\x00''::bytea)', s.raw),
                          ' || ' order by s.place)
        from mmdb.weighted_sources(declared) s))
    when mmdb.loads_bytes(declared) then format('sha256(%s)', mmdb.content_sql(declared))
    else format('sha256(convert_to(%s, ''UTF8''))', mmdb.content_sql(declared))
  end
$$;
comment on function mmdb.hash_sql(mmdb.embeddings) is
  'SHA-256 of the source of a row; the worker computes the same over what it loaded.';

create or replace function mmdb.unchanged_sql(declared mmdb.embeddings, alias text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('case when %1$s = %3$s.state then true else %2$s = %3$s.hash end', mmdb.row_state_sql(declared),
                mmdb.hash_sql(declared), alias)
$$;
comment on function mmdb.unchanged_sql(mmdb.embeddings, text) is
  'The condition that a row has the source of which this FROM item has the row''s state and the hash: the latter is '
  'computed where the row was touched since. Without a hash a touched row counts as changed.';

create or replace function mmdb.is_quantized(declared mmdb.embeddings) returns boolean
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select declared.index_options ->> 'quantization' is not null $$;
comment on function mmdb.is_quantized(mmdb.embeddings) is 'Whether its HNSW index has the signs of the numbers alone.';

create or replace function mmdb.signs_sql(declared mmdb.embeddings, vector text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('@extschema:vector@.binary_quantize(%s)::bit(%s)', vector, declared.dimensions) $$;
comment on function mmdb.signs_sql(mmdb.embeddings, text) is 'The signs of a vector, a bit for each number.';

create or replace function mmdb.distance_operator(distance text) returns text
language sql immutable security invoker
as $$ select case distance when 'cosine' then '<=>' when 'l2' then '<->' else '<#>' end $$;
comment on function mmdb.distance_operator(text) is 'pgvector''s operator for a distance.';

create or replace function mmdb.distance_of(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select m.distance from mmdb.models m where m.name = declared.model $$;
comment on function mmdb.distance_of(mmdb.embeddings) is 'By what distance the vectors of its model are compared.';

create or replace function mmdb.distance_sql(declared mmdb.embeddings, other text, vector text default null)
returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('%s operator(@extschema:vector@.%s) %s', coalesce(vector, mmdb.vector_of(declared)),
                mmdb.distance_operator(mmdb.distance_of(declared)), other)
$$;
comment on function mmdb.distance_sql(mmdb.embeddings, text, text) is
  'The distance of a vector, that of row p unless another one is given, from another of the same type.';

-- Of a vector of zeros, which an application may write as a placeholder, the cosine distance is NaN, to itself too; of
-- one whose square is no float4 as well. PostgreSQL sorts NaN behind every number, so such rows come last; whoever
-- calculates with distances leaves them out.
create or replace function mmdb.has_direction(embedding @extschema:vector@.vector) returns boolean
language sql immutable parallel safe security invoker
as $$ select (embedding operator(@extschema:vector@.<=>) embedding) operator(pg_catalog.<>) 'NaN' $$;
comment on function mmdb.has_direction(@extschema:vector@.vector) is
  'Whether a vector can be compared with others by its direction: it is not all zero.';

create or replace function mmdb.has_direction(embedding @extschema:vector@.halfvec) returns boolean
language sql immutable parallel safe security invoker
as $$ select (embedding operator(@extschema:vector@.<=>) embedding) operator(pg_catalog.<>) 'NaN' $$;
comment on function mmdb.has_direction(@extschema:vector@.halfvec) is
  'The same for a halfvec, as embeddings are stored.';

create or replace function mmdb.measured(distance double precision) returns double precision
language sql immutable parallel safe security invoker
as $$ select case when distance > '-infinity' and distance < 'infinity' then distance end $$;
comment on function mmdb.measured(double precision) is 'A distance that says something; NULL for NaN and infinities.';

create or replace function mmdb.walk_sql(declared mmdb.embeddings, other text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('%s operator(@extschema:vector@.<~>) %s', mmdb.signs_sql(declared, mmdb.vector_of(declared)),
                mmdb.signs_sql(declared, other))
  where mmdb.is_quantized(declared)
$$;
comment on function mmdb.walk_sql(mmdb.embeddings, text) is
  'What a walk of an index of signs is ordered by, from a vector; NULL where the walk is ordered by the distance.';

-- The pending rows in the order of their keys; the vectors by the operator class of their type and distance, or their
-- signs.
create or replace function mmdb.indexed_sql(declared mmdb.embeddings, kind text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when kind = 'pending' then format('(%s) where %s', k.columns, mmdb.pending_sql(declared, ''))
    when mmdb.is_quantized(declared) then
      format('using hnsw ((%s) @extschema:vector@.bit_hamming_ops)',
             mmdb.signs_sql(declared, mmdb.vector_of(declared, '')))
    else format('using hnsw (%s @extschema:vector@.%s_%s_ops)', mmdb.vector_of(declared, ''), declared.vector_type,
                case d.distance when 'inner_product' then 'ip' else d.distance end)
  end
  from mmdb.key_sql(declared.relation) k, mmdb.distance_of(declared) d(distance)
$$;
comment on function mmdb.indexed_sql(mmdb.embeddings, text) is
  'What an index, "pending" or "hnsw", is over, as it stands behind "create index … on".';

create or replace function mmdb.indexed_relation(declared mmdb.embeddings) returns regclass
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select declared.relation $$;
comment on function mmdb.indexed_relation(mmdb.embeddings) is 'The relation that has the indexes of an embedding.';

-- As mmdb.resolved has it, but for columns that may be gone: a number that is not valid here is that of another column.
create or replace function mmdb.columns_now(declared mmdb.embeddings, out column_name text, out stale_column text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when v.valid then (mmdb.column_names(declared.relation, array[declared.column_number]))[1]
              else declared.column_name end,
         case when v.valid then (mmdb.column_names(declared.relation, array[declared.stale_number]))[1]
              else declared.stale_column end
  from (select declared.attached_to = mmdb.attachment(declared.relation)) v(valid)
$$;
comment on function mmdb.columns_now(mmdb.embeddings) is
  'The names that the columns of an embedding have now, NULL where one was dropped; from their numbers, or after a '
  'restore the names they had.';

-- The vector's column as the system catalogue has it.
create or replace function mmdb.read_column(declared mmdb.embeddings) returns mmdb.embeddings
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  select a.attnum, format_type(a.atttypid, a.atttypmod), t.typname, a.atttypmod
  into declared.column_number, declared.column_type, declared.vector_type, declared.dimensions
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  where a.attrelid = declared.relation and a.attname = declared.column_name and a.attnum > 0 and not a.attisdropped;
  return declared;
end
$$;
comment on function mmdb.read_column(mmdb.embeddings) is
  'The embedding with the number, type and width that its column has.';

-- Where the numbers are valid they tell the names, through renames; after a restore the names tell the numbers.
create or replace function mmdb.resolved(declared mmdb.embeddings) returns mmdb.embeddings
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if declared.attached_to = mmdb.attachment(declared.relation) then
    declared.sources := mmdb.column_names(declared.relation, declared.source_numbers);
    declared.column_name := (mmdb.column_names(declared.relation, array[declared.column_number]))[1];
    declared.stale_column := (mmdb.column_names(declared.relation, array[declared.stale_number]))[1];
    if declared.column_name is null or (declared.stale_number is not null and declared.stale_column is null)
       or coalesce(cardinality(declared.sources), 0) < cardinality(declared.source_numbers) then
      raise exception 'a column of embedding "%" of table % was dropped', declared.name, declared.relation
        using errcode = 'undefined_column',
              hint = format('mmdb.drop_embedding(%L, %L) removes the rest', declared.relation, declared.name);
    end if;
  else
    declared.source_numbers := mmdb.column_numbers(declared.relation, declared.sources);
    declared.column_number := (mmdb.column_numbers(declared.relation, array[declared.column_name]))[1];
    if declared.stale_column is not null then
      declared.stale_number := (mmdb.column_numbers(declared.relation, array[declared.stale_column]))[1];
    end if;
    declared.source_expressions := mmdb.source_expressions(declared.relation, declared.source_numbers);
    declared.attached_to := mmdb.attachment(declared.relation);
    declared.column_place := null;
    declared.known_triggers := null;  -- all were made by the restore
  end if;
  return mmdb.read_column(declared);
end
$$;
comment on function mmdb.resolved(mmdb.embeddings) is
  'The embedding with the names and numbers that its columns have now.';

create or replace function mmdb.make_storage(declared mmdb.embeddings) returns mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if not declared.adopted then
    execute format('alter table %s add column %I %s', mmdb.relation_sql(declared.relation), declared.column_name,
                   declared.column_type);
  end if;
  if declared.stale_column is not null then
    execute format('alter table %s add column %I boolean not null default false', mmdb.relation_sql(declared.relation),
                   declared.stale_column);
    declared.stale_number := (mmdb.column_numbers(declared.relation, array[declared.stale_column]))[1];
  end if;
  return mmdb.read_column(declared);
end
$$;
comment on function mmdb.make_storage(mmdb.embeddings) is
  'Make the place of the vectors; the embedding with what is known of it from then on.';

-- An adopted column was there before and stays; the index of pending rows that was made over it goes.
create or replace function mmdb.drop_storage(declared mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  relation constant text := mmdb.relation_sql(declared.relation);
  pending constant regclass := mmdb.serving_index(declared, 'pending');
  readers constant text := mmdb.readers_of(mmdb.read_column(declared));
begin
  if not declared.adopted and readers is not null then
    raise exception 'column "%" of table % is to be dropped, and is read by %', declared.column_name,
                    declared.relation, readers
      using errcode = 'dependent_objects_still_exist', hint = 'drop them, or make them again without the column, first';
  end if;
  if declared.adopted and pending is not null then
    execute format('drop index %s', pending);
  elsif not declared.adopted and declared.column_name is not null then
    execute format('alter table %s drop column if exists %I', relation, declared.column_name);
  end if;
  if declared.stale_column is not null then
    execute format('alter table %s drop column if exists %I', relation, declared.stale_column);
  end if;
end
$$;
comment on function mmdb.drop_storage(mmdb.embeddings) is
  'Remove the place of the vectors, unless it was there before.';

create or replace function mmdb.rename_storage(declared mmdb.embeddings, column_name text, stale_column text)
returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  renaming constant text := format('alter table %s rename column %%I to %%I', mmdb.relation_sql(declared.relation));
begin
  execute format(renaming, declared.column_name, column_name);
  if declared.stale_column is not null then
    execute format(renaming, declared.stale_column, stale_column);
  end if;
end
$$;
comment on function mmdb.rename_storage(mmdb.embeddings, text, text) is 'Give the place of the vectors another name.';
