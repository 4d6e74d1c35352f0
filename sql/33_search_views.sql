-- Search views: T_by_NAME(text | bytea | vector), every column of T plus `distance`.
--
-- The shape is what PostgreSQL inlines: language sql, stable, one SELECT, caller's rights, no SET, no ORDER BY
-- and no LIMIT. The scalar sub-select makes the query vector an InitPlan, computed once; arguments are $1, so
-- that no column can capture them.

create or replace function mmdb.distance_operator(distance text) returns text
language sql immutable security invoker
as $$ select case distance when 'cosine' then '<=>' when 'l2' then '<->' else '<#>' end $$;
comment on function mmdb.distance_operator(text) is 'pgvector''s operator for a distance.';

create or replace function mmdb.is_quantized(made mmdb.embeddings) returns boolean
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select made.index_options ->> 'quantization' is not null $$;
comment on function mmdb.is_quantized(mmdb.embeddings) is 'Whether its HNSW index has the signs of the numbers alone.';

create or replace function mmdb.signs_sql(made mmdb.embeddings, vector text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select format('@extschema:vector@.binary_quantize(%s)::bit(%s)', vector, substring(made.column_type from '\((\d+)\)$')) $$;
comment on function mmdb.signs_sql(mmdb.embeddings, text) is 'The signs of a vector, a bit for each number.';

create or replace function mmdb.operator_class(column_type text, distance text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('@extschema:vector@.%s_%s_ops', case when column_type like '%halfvec(%' then 'halfvec' else 'vector' end,
                case distance when 'cosine' then 'cosine' when 'l2' then 'l2' else 'ip' end)
$$;
comment on function mmdb.operator_class(text, text) is 'pgvector''s HNSW operator class for a column type and a distance.';

create or replace function mmdb.free_name(relation regclass, wanted text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  candidate text := wanted;
begin
  while exists (select from pg_attribute a where a.attrelid = relation and a.attname = candidate
                  and a.attnum > 0 and not a.attisdropped) loop
    candidate := '_' || candidate;
  end loop;
  return candidate;
end
$$;
comment on function mmdb.free_name(regclass, text) is 'A name that no column of the table has: the wanted one, or with underscores before it.';

create or replace function mmdb.distance_name(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select mmdb.free_name(relation, 'distance') $$;
comment on function mmdb.distance_name(regclass) is 'The name of the distance in a search view: "distance", or "_distance" where the table has one.';

-- As mmdb.resolved has it, but for columns that may be gone: a number that is not valid here is that of another column.
create or replace function mmdb.columns_now(made mmdb.embeddings, out column_name text, out stale_column text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when v.valid then (mmdb.column_names(made.relation, array[made.column_number]))[1] else made.column_name end,
         case when v.valid then (mmdb.column_names(made.relation, array[made.stale_number]))[1] else made.stale_column end
  from (select made.attached_to = mmdb.attachment(made.relation)) v(valid)
$$;
comment on function mmdb.columns_now(mmdb.embeddings) is
  'The names that the columns of an embedding have now, NULL where one was dropped; from their numbers, or after a restore the names they had.';

-- All but the columns of generations that do not serve, and the marks of rows that keep an old vector. A column that took another one's name takes its place as well, so that
-- the functions need not be made anew when a model is switched.
create or replace function mmdb.shown_columns(relation regclass) returns table (place bigint, name text, type oid)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with made as (
    select e.generation_of, c.column_name, c.stale_column, case when e.attached_to = mmdb.attachment(e.relation) then e.column_place end as column_place
    from mmdb.embeddings e cross join mmdb.columns_now(e) c
    where e.relation = shown_columns.relation
  )
  select row_number() over (order by coalesce(m.column_place, a.attnum)), a.attname, a.atttypid
  from pg_attribute a
  left join made m on m.column_name = a.attname
  where a.attrelid = shown_columns.relation and a.attnum > 0 and not a.attisdropped and m.generation_of is null
    and not exists (select from made s where s.stale_column = a.attname)
$$;
comment on function mmdb.shown_columns(regclass) is 'The columns that search functions return, in their order.';

create or replace function mmdb.search_columns(relation regclass, out definitions text, out selected text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('%I %s', a.name, format_type(a.type, null)), ', ' order by a.place),
         string_agg(format('p.%I', a.name), ', ' order by a.place)
  from mmdb.shown_columns(relation) a
$$;
comment on function mmdb.search_columns(regclass) is 'The columns of a table, as a search view declares and as it selects them.';

create or replace function mmdb.search_body(made mmdb.embeddings, distance text, vector text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
  select %1$s, p.%2$I operator(@extschema:vector@.%3$s) %4$s as %5$I
  from %6$s p
  where p.%2$I is not null
$body$, c.selected, made.column_name, mmdb.distance_operator(distance), vector,
        mmdb.distance_name(made.relation), mmdb.relation_sql(made.relation))
  from mmdb.search_columns(made.relation) c
$$;
comment on function mmdb.search_body(mmdb.embeddings, text, text) is 'The one SELECT of a search view.';

-- Made by a version of mmdb with other parameters, or over a key of another type, it would stay behind as an overload.
create or replace function mmdb.earlier_forms(made mmdb.embeddings, name text, types text) returns regprocedure[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select p.oid::regprocedure from pg_proc p
    where p.pronamespace = to_regnamespace(made.function_schema) and format('%s.%I', made.function_schema, p.proname) = name
      and case when name in (select format('%s.%I', made.function_schema, made.prefix || '_' || v) from unnest(mmdb.table_verbs()) v) then true
               else p.proargtypes[0] = split_part(types, ',', 1)::regtype end
      and (mmdb.is_made_by(p.oid, made.id)
           or exists (select from mmdb.embeddings e where e.relation = made.relation and mmdb.is_made_by(p.oid, e.id))))
$$;
comment on function mmdb.earlier_forms(mmdb.embeddings, text, text) is
  'What a generated function replaces: those that mmdb made under its name, for the same kind of query where there are several.';

-- A changed column list is a changed return type, which PostgreSQL does not replace: drop, create, grant again.
create or replace function mmdb.make_public_function(
  made mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text default null
) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  call constant text := format('%s(%s)', name, types);
  earlier constant regprocedure[] := mmdb.earlier_forms(made, name, types);
  grants constant aclitem[] := (select p.proacl from pg_proc p where p.oid = any(earlier) order by p.proacl is null limit 1);
  one regprocedure;
  right_given record;
begin
  foreach one in array earlier loop
    execute format('drop function %s', one);
  end loop;
  perform mmdb.create_made(made, call, format('returns table (%s) %s', coalesce(columns,
    (select format('%s, %I double precision', c.definitions, mmdb.distance_name(made.relation)) from mmdb.search_columns(made.relation) c)),
    attributes), body, purpose, format('%s(%s)', name, parameters));
  if grants is not null then
    execute format('revoke all on function %s from public', call);
    for right_given in select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
                              case when a.is_grantable then ' with grant option' else '' end as extra
                       from aclexplode(grants) a loop
      execute format('grant execute on function %s to %s%s', call, right_given.grantee,
                     case when right_given.grantee = 'public' then '' else right_given.extra end);
    end loop;
  end if;
  perform mmdb.keep_contract(to_regprocedure(call));
end
$$;
comment on function mmdb.make_public_function(mmdb.embeddings, text, text, text, text, text, text, text) is
  'A generated function that returns rows of the table, with their distance unless other columns are given, made or made again with the grants it had.';

create or replace function mmdb.make_search_view(made mmdb.embeddings, argument text, vector text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  name constant text := format('%s.%I', made.function_schema, mmdb.search_name(made.prefix, made.name));
  distance constant text := (select m.distance from mmdb.models m where m.name = made.model);
begin
  perform mmdb.make_public_function(made, name, argument, argument, 'language sql stable parallel restricted security invoker',
    mmdb.search_body(made, distance, vector),
    format('Every row of %s with its distance from a query, by "%s"; add: order by %s limit k.%s',
           mmdb.relation_sql(made.relation), made.name, mmdb.distance_name(made.relation),
           case when mmdb.is_quantized(made) then ' It measures every row: ' || mmdb.top_name(made.prefix, made.name) || ' walks the index.' else '' end));
end
$$;
comment on function mmdb.make_search_view(mmdb.embeddings, text, text) is 'One search view.';

create or replace function mmdb.top_name(prefix text, name text) returns text
language sql immutable security invoker
as $$ select prefix || '_top_by_' || name $$;
comment on function mmdb.top_name(text, text) is 'The name of an embedding''s function that is told k.';

create or replace function mmdb.within_type(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select case count(*) when 1 then min(k.type_name) else 'text' end || '[]' from mmdb.key_columns(relation) k $$;
comment on function mmdb.within_type(regclass) is 'The type of `within`: an array of keys, or for keys of several columns of texts as mmdb.failures writes them.';

-- Its rows are read in the statement that found their keys, so that what it promises holds while others write.
create or replace function mmdb.top_body(made mmdb.embeddings, vector text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format($body$
#variable_conflict use_column
begin
  return query
  select %1$s, found_.distance
  from mmdb.top(%2$L::mmdb.search_source, %3$s, $2, $3, $4::text[], %6$s) with ordinality found_(key, distance, place)
  join %4$s p on %5$s
  order by found_.place;
end
$body$, c.selected, mmdb.search_source(made), vector, mmdb.relation_sql(made.relation), replace(k.matches, 'k.key', 'found_.key'),
        mmdb.known_key_sql(made.relation, '$5'))
  from mmdb.search_columns(made.relation) c, mmdb.key_sql(made.relation) k
$$;
comment on function mmdb.top_body(mmdb.embeddings, text) is 'The body of T_top_by_NAME.';

create or replace function mmdb.make_top_function(made mmdb.embeddings, argument text, vector text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  name constant text := format('%s.%I', made.function_schema, mmdb.top_name(made.prefix, made.name));
begin
  perform '[1]'::@extschema:vector@.vector;  -- only a setting that is known can be attached without being superuser
  perform mmdb.make_public_function(made, name,
    format('%I %s, %I integer default 10, %I jsonb default null, %I %s default null, %I %s default null',
           mmdb.free_name(made.relation, 'query'), argument, mmdb.free_name(made.relation, 'k'), mmdb.free_name(made.relation, 'filter'),
           mmdb.free_name(made.relation, 'within'), mmdb.within_type(made.relation),
           mmdb.free_name(made.relation, 'after'), mmdb.key_type(made.relation)),
    format('%s, integer, jsonb, %s, %s', argument, mmdb.within_type(made.relation), mmdb.key_type(made.relation)),
    mmdb.call_attributes(), mmdb.top_body(made, vector),
    format('The k rows of %s nearest to a query, by "%s", of those that pass the filter: complete and in order.',
           mmdb.relation_sql(made.relation), made.name));
end
$$;
comment on function mmdb.make_top_function(mmdb.embeddings, text, text) is 'T_top_by_NAME for one kind of query.';

-- Without its width, which another model may not have: the body stays as it is when the model is switched.
create or replace function mmdb.query_arguments(made mmdb.embeddings) returns table (argument text, vector text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case m.modality when 'text' then 'text' else 'bytea' end,
         format('(select mmdb.embed_for(%L::regclass, %L, $1)::%s)', mmdb.relation_sql(made.relation), made.name, t.name)
  from unnest((select m.modalities from mmdb.models m where m.name = made.model)) m(modality),
       regexp_replace(made.column_type, '\(\d+\)$', '') t(name)
  union all
  select regexp_replace(made.column_type, '\(\d+\)$', ''), '$1'
$$;
comment on function mmdb.query_arguments(mmdb.embeddings) is 'What the search functions of an embedding take, and the vector that it becomes.';

create or replace function mmdb.make_search_views(made mmdb.embeddings, made_already text[] default '{}') returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  argument text;
  vector text;
begin
  for argument, vector in select q.* from mmdb.query_arguments(made) q where q.argument <> all(made_already) loop
    perform mmdb.make_search_view(made, argument, vector);
    perform mmdb.make_top_function(made, argument, vector || '::@extschema:vector@.vector');
  end loop;
end
$$;
comment on function mmdb.make_search_views(mmdb.embeddings, text[]) is
  'The search functions of an embedding: for each kind of query its model takes and for a vector, T_by_NAME and T_top_by_NAME; but for kinds of which they are there already.';
