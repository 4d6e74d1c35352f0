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

-- All but the columns of generations that do not serve, the marks of rows that keep an old vector, and vectors that are
-- to be left out. A column that took another one's name takes its place as well, so that the functions need not be made
-- anew when a model is switched.
create or replace function mmdb.shown_columns(relation regclass) returns table (place bigint, name text, type oid)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with made as (
    select e.generation_of, c.column_name, c.stale_column, e.options ->> 'columns' = 'without vectors' as left_out,
           case when e.attached_to = mmdb.attachment(e.relation) then e.column_place end as column_place
    from mmdb.embeddings e cross join mmdb.columns_now(e) c
    where e.relation = shown_columns.relation
  )
  select row_number() over (order by coalesce(m.column_place, a.attnum)), a.attname, a.atttypid
  from pg_attribute a
  left join made m on m.column_name = a.attname
  where a.attrelid = shown_columns.relation and a.attnum > 0 and not a.attisdropped and m.generation_of is null
    and m.left_out is not true and not exists (select from made s where s.stale_column = a.attname)
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

create or replace function mmdb.search_body(declared mmdb.embeddings, vector text, asked text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $outer$
  select mmdb.filled($body$
  select {selected}, {distance} as {name}
  from {rows}
  where {present} and {asked}
$body$, jsonb_build_object(
    'selected', c.selected, 'distance', mmdb.distance_sql(declared, vector),
    'name', quote_ident(mmdb.distance_name(declared.relation)), 'rows', mmdb.searched_rows(declared),
    'present', mmdb.present_sql(declared), 'asked', asked))
  from mmdb.search_columns(declared.relation) c
$outer$;
comment on function mmdb.search_body(mmdb.embeddings, text, text) is
  'The one SELECT of a search view: no rows unless something is asked, which PostgreSQL looks at before it reads any.';

create or replace function mmdb.make_search_view(
  declared mmdb.embeddings, argument text, vector text, asked text
) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  name constant text := format('%s.%I', declared.function_schema, mmdb.search_name(declared.prefix, declared.name));
begin
  perform mmdb.make_public_function(declared, name, argument, argument,
                                    'language sql stable parallel restricted security invoker',
    mmdb.search_body(declared, vector, asked),
    format('Every row of %s with its distance from a query, by "%s"; add: order by %s limit k.%s',
           mmdb.relation_sql(declared.relation), declared.name, mmdb.distance_name(declared.relation),
           case when mmdb.is_quantized(declared)
                then ' It measures every row: ' || mmdb.top_name(declared.prefix, declared.name) || ' walks the index.'
                else '' end));
end
$$;
comment on function mmdb.make_search_view(mmdb.embeddings, text, text, text) is 'One search view.';

-- Without its width, which another model may not have: the body stays as it is when the model is switched.
create or replace function mmdb.query_arguments(declared mmdb.embeddings)
returns table (argument text, vector text, asked text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case m.modality when 'text' then 'text' else 'bytea' end,
         format('(select mmdb.embed_for(%L::regclass, %L, $1)::%s)', mmdb.relation_sql(declared.relation),
                declared.name, t.name),
         'not mmdb.is_blank($1)'
  from unnest((select m.modalities from mmdb.models m where m.name = declared.model)) m(modality),
       mmdb.vector_type(declared) t(name)
  union all
  select mmdb.vector_type(declared), '$1', '$1 is not null'
$$;
comment on function mmdb.query_arguments(mmdb.embeddings) is
  'What the search functions of an embedding take, the vector that it becomes, and the condition that it is one.';

create or replace function mmdb.make_search_views(declared mmdb.embeddings, made_already text[] default '{}')
returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  argument text;
  vector text;
  asked text;
begin
  for argument, vector, asked in
    select q.* from mmdb.query_arguments(declared) q where q.argument <> all(made_already)
  loop
    perform mmdb.make_search_view(declared, argument, vector, asked);
    perform mmdb.make_top_function(declared, argument, vector, asked);
  end loop;
end
$$;
comment on function mmdb.make_search_views(mmdb.embeddings, text[]) is
  'The search functions of an embedding: for each kind of query its model takes and for a vector, T_by_NAME and '
  'T_top_by_NAME; but for kinds of which they are there already.';

create or replace function mmdb.drop_search_functions(declared mmdb.embeddings, kept_arguments text[] default '{}')
returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  made_function regprocedure;
begin
  for made_function in
    select p.oid from mmdb.made_functions(declared) p
    where p.proname in (mmdb.search_name(declared.prefix, declared.name), mmdb.top_name(declared.prefix, declared.name))
      and format_type(p.proargtypes[0], null) <> all(kept_arguments)
  loop
    perform mmdb.drop_function(made_function);
  end loop;
end
$$;
comment on function mmdb.drop_search_functions(mmdb.embeddings, text[]) is
  'Drop the search functions of an embedding, but for those that take one of these as their query.';
