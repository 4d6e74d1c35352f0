-- Search views: T_by_NAME(text | bytea | vector), every column of T plus `distance`.
--
-- The shape is what PostgreSQL inlines: language sql, stable, one SELECT, caller's rights, no SET, no ORDER BY
-- and no LIMIT. The scalar sub-select makes the query vector an InitPlan, computed once; arguments are $1, so
-- that no column can capture them.

create or replace function mmdb.distance_name(relation regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select mmdb.free_name(relation, 'distance') $$;
comment on function mmdb.distance_name(regclass) is
  'The name of the distance in a search view: "distance", or "_distance" where the table has one.';

-- All but the columns of generations that do not serve, and the marks of rows that keep an old vector. A column that
-- took another one's name takes its place as well, so that the functions need not be made anew when a model is
-- switched.
create or replace function mmdb.shown_columns(relation regclass) returns table (place bigint, name text, type oid)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with made as (
    select e.generation_of, c.column_name, c.stale_column,
           case when e.attached_to = mmdb.attachment(e.relation) then e.column_place end as column_place
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
comment on function mmdb.search_columns(regclass) is
  'The columns of a table, as a search view declares and as it selects them.';

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

create or replace function mmdb.make_search_view(made mmdb.embeddings, argument text, vector text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  name constant text := format('%s.%I', made.function_schema, mmdb.search_name(made.prefix, made.name));
  distance constant text := (select m.distance from mmdb.models m where m.name = made.model);
begin
  perform mmdb.make_public_function(made, name, argument, argument,
                                    'language sql stable parallel restricted security invoker',
    mmdb.search_body(made, distance, vector),
    format('Every row of %s with its distance from a query, by "%s"; add: order by %s limit k.%s',
           mmdb.relation_sql(made.relation), made.name, mmdb.distance_name(made.relation),
           case when mmdb.is_quantized(made)
                then ' It measures every row: ' || mmdb.top_name(made.prefix, made.name) || ' walks the index.'
                else '' end));
end
$$;
comment on function mmdb.make_search_view(mmdb.embeddings, text, text) is 'One search view.';

-- Without its width, which another model may not have: the body stays as it is when the model is switched.
create or replace function mmdb.query_arguments(made mmdb.embeddings) returns table (argument text, vector text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case m.modality when 'text' then 'text' else 'bytea' end,
         format('(select mmdb.embed_for(%L::regclass, %L, $1)::%s)', mmdb.relation_sql(made.relation),
                made.name, t.name)
  from unnest((select m.modalities from mmdb.models m where m.name = made.model)) m(modality),
       regexp_replace(made.column_type, '\(\d+\)$', '') t(name)
  union all
  select regexp_replace(made.column_type, '\(\d+\)$', ''), '$1'
$$;
comment on function mmdb.query_arguments(mmdb.embeddings) is
  'What the search functions of an embedding take, and the vector that it becomes.';

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
  'The search functions of an embedding: for each kind of query its model takes and for a vector, T_by_NAME and '
  'T_top_by_NAME; but for kinds of which they are there already.';

create or replace function mmdb.drop_search_functions(made mmdb.embeddings, kept_arguments text[] default '{}')
returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  made_function regprocedure;
begin
  for made_function in
    select p.oid from pg_proc p
    where p.pronamespace = made.function_schema::regnamespace and mmdb.is_made_by(p.oid, made.id)
      and p.proname in (mmdb.search_name(made.prefix, made.name), mmdb.top_name(made.prefix, made.name))
      and format_type(p.proargtypes[0], null) <> all(kept_arguments)
  loop
    execute format('drop function %s', made_function);
  end loop;
end
$$;
comment on function mmdb.drop_search_functions(mmdb.embeddings, text[]) is
  'Drop the search functions of an embedding, but for those that take one of these as their query.';
