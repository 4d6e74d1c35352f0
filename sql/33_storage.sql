-- How an embedding stands in its table: the column of vectors, the mark of stale rows, what is pending and what is
-- embedded, and the operators that its type and its distance ask for.

create or replace function mmdb.pending_sql(made mmdb.embeddings, alias text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format(case when made.stale_column is null then '%1$s%2$I is null and (%4$s)'
                     else '(%1$s%2$I is null or %1$s%3$I) and (%4$s)' end,
                alias, made.column_name, made.stale_column, mmdb.says_sql(made.relation, made.sources, alias))
$$;
comment on function mmdb.pending_sql(mmdb.embeddings, text) is 'The condition "this row waits to be embedded".';

create or replace function mmdb.embedded_sql(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format(case when made.stale_column is null then 'p.%I is not null' else 'p.%I is not null and not p.%I' end,
                made.column_name, made.stale_column)
$$;
comment on function mmdb.embedded_sql(mmdb.embeddings) is
  'The condition "this row has the vector of the source that it has now".';

create or replace function mmdb.unmark_sql(made mmdb.embeddings) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select case when made.stale_column is null then '' else format(', %I = false', made.stale_column) end $$;
comment on function mmdb.unmark_sql(mmdb.embeddings) is
  'What an update that stores a vector sets besides, where an old vector is kept and marked.';

create or replace function mmdb.content_sql(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when made.modality = 'image' and not made.by_uri then format('p.%I', made.sources[1])
    when cardinality(made.sources) = 1 then format('p.%I::text', made.sources[1])
    else format('concat_ws(E''\n'', %s)', string_agg(format('p.%I', s.name), ', ' order by s.place))
  end
  from unnest(made.sources) with ordinality s(name, place)
$$;
comment on function mmdb.content_sql(mmdb.embeddings) is
  'The source of a row as one value; several text columns are joined by line breaks.';

create or replace function mmdb.weighted_sources(made mmdb.embeddings)
returns table (place bigint, content text, data text, raw text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select s.place,
         case when s.modality = 'text' then format('p.%I::text', s.name) else 'null::text' end,
         case when s.modality = 'text' then 'null::bytea' else format('p.%I', s.name) end,
         format(case when s.modality = 'text' then 'convert_to(p.%I::text, ''UTF8'')' else 'p.%I' end, s.name)
  from unnest(made.sources, made.source_modalities) with ordinality s(name, modality, place)
$$;
comment on function mmdb.weighted_sources(mmdb.embeddings) is
  'The sources that have weights, as SQL: each as text or as data, and its bytes.';

create or replace function mmdb.hash_sql(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when made.weights is not null then
      format('sha256(%s)', (
        select string_agg(format('coalesce(''\x01''::bytea || sha256(%s), ''\x00''::bytea)', s.raw),
                          ' || ' order by s.place)
        from mmdb.weighted_sources(made) s))
    when made.modality = 'image' and not made.by_uri then format('sha256(%s)', mmdb.content_sql(made))
    else format('sha256(convert_to(%s, ''UTF8''))', mmdb.content_sql(made))
  end
$$;
comment on function mmdb.hash_sql(mmdb.embeddings) is
  'SHA-256 of the source of a row; the worker computes the same over what it loaded.';

-- As mmdb.resolved has it, but for columns that may be gone: a number that is not valid here is that of another column.
create or replace function mmdb.columns_now(made mmdb.embeddings, out column_name text, out stale_column text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when v.valid then (mmdb.column_names(made.relation, array[made.column_number]))[1]
              else made.column_name end,
         case when v.valid then (mmdb.column_names(made.relation, array[made.stale_number]))[1]
              else made.stale_column end
  from (select made.attached_to = mmdb.attachment(made.relation)) v(valid)
$$;
comment on function mmdb.columns_now(mmdb.embeddings) is
  'The names that the columns of an embedding have now, NULL where one was dropped; from their numbers, or after a '
  'restore the names they had.';

-- Where the numbers are valid they tell the names, through renames; after a restore the names tell the numbers.
create or replace function mmdb.resolved(made mmdb.embeddings) returns mmdb.embeddings
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if made.attached_to = mmdb.attachment(made.relation) then
    made.sources := mmdb.column_names(made.relation, made.source_numbers);
    made.column_name := (mmdb.column_names(made.relation, array[made.column_number]))[1];
    made.stale_column := (mmdb.column_names(made.relation, array[made.stale_number]))[1];
    if made.column_name is null or (made.stale_number is not null and made.stale_column is null)
       or coalesce(cardinality(made.sources), 0) < cardinality(made.source_numbers) then
      raise exception 'a column of embedding "%" of table % was dropped', made.name, made.relation
        using errcode = 'undefined_column',
              hint = format('mmdb.drop_embedding(%L, %L) removes the rest', made.relation, made.name);
    end if;
  else
    made.source_numbers := mmdb.column_numbers(made.relation, made.sources);
    made.column_number := (mmdb.column_numbers(made.relation, array[made.column_name]))[1];
    if made.stale_column is not null then
      made.stale_number := (mmdb.column_numbers(made.relation, array[made.stale_column]))[1];
    end if;
    made.source_expressions := mmdb.source_expressions(made.relation, made.source_numbers);
    made.attached_to := mmdb.attachment(made.relation);
    made.column_place := null;
  end if;
  select format_type(a.atttypid, a.atttypmod) into made.column_type
  from pg_attribute a where a.attrelid = made.relation and a.attnum = made.column_number;
  return made;
end
$$;
comment on function mmdb.resolved(mmdb.embeddings) is
  'The embedding with the names and numbers that its columns have now.';

create or replace function mmdb.is_quantized(made mmdb.embeddings) returns boolean
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select made.index_options ->> 'quantization' is not null $$;
comment on function mmdb.is_quantized(mmdb.embeddings) is 'Whether its HNSW index has the signs of the numbers alone.';

create or replace function mmdb.signs_sql(made mmdb.embeddings, vector text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('@extschema:vector@.binary_quantize(%s)::bit(%s)', vector,
                substring(made.column_type from '\((\d+)\)$'))
$$;
comment on function mmdb.signs_sql(mmdb.embeddings, text) is 'The signs of a vector, a bit for each number.';

create or replace function mmdb.operator_class(column_type text, distance text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('@extschema:vector@.%s_%s_ops', case when column_type like '%halfvec(%' then 'halfvec'
                                                     else 'vector' end,
                case distance when 'cosine' then 'cosine' when 'l2' then 'l2' else 'ip' end)
$$;
comment on function mmdb.operator_class(text, text) is
  'pgvector''s HNSW operator class for a column type and a distance.';

create or replace function mmdb.distance_operator(distance text) returns text
language sql immutable security invoker
as $$ select case distance when 'cosine' then '<=>' when 'l2' then '<->' else '<#>' end $$;
comment on function mmdb.distance_operator(text) is 'pgvector''s operator for a distance.';
