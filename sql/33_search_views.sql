-- Search views: T_by_NAME(text | bytea | vector), every column of T plus `distance`.
--
-- The shape is what PostgreSQL inlines: language sql, stable, one SELECT, caller's rights, no SET, no ORDER BY
-- and no LIMIT. The scalar sub-select makes the query vector an InitPlan, computed once; arguments are $1, so
-- that no column can capture them.

create or replace function mmdb.distance_operator(distance text) returns text
language sql immutable security invoker
as $$ select case distance when 'cosine' then '<=>' when 'l2' then '<->' else '<#>' end $$;
comment on function mmdb.distance_operator(text) is 'pgvector''s operator for a distance.';

create or replace function mmdb.operator_class(column_type text, distance text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('@extschema:vector@.%s_%s_ops', case when column_type like '%halfvec(%' then 'halfvec' else 'vector' end,
                case distance when 'cosine' then 'cosine' when 'l2' then 'l2' else 'ip' end)
$$;
comment on function mmdb.operator_class(text, text) is 'pgvector''s HNSW operator class for a column type and a distance.';

create or replace function mmdb.distance_name(relation regclass) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  candidate text := 'distance';
begin
  while exists (select from pg_attribute a where a.attrelid = relation and a.attname = candidate
                  and a.attnum > 0 and not a.attisdropped) loop
    candidate := '_' || candidate;
  end loop;
  return candidate;
end
$$;
comment on function mmdb.distance_name(regclass) is 'The name of the distance in a search view: "distance", or "_distance" where the table has one.';

create or replace function mmdb.search_columns(relation regclass, out definitions text, out selected text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('%I %s', a.attname, format_type(a.atttypid, null)), ', ' order by a.attnum),
         string_agg(format('p.%I', a.attname), ', ' order by a.attnum)
  from pg_attribute a
  where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
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

-- A changed column list is a changed return type, which PostgreSQL does not replace: drop, create, grant again.
create or replace function mmdb.make_search_view(made mmdb.embeddings, argument text, vector text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  call constant text := format('%s.%I(%s)', made.function_schema, mmdb.search_name(made.prefix, made.name), argument);
  distance constant text := (select m.distance from mmdb.models m where m.name = made.model);
  grants aclitem[];
  right_given record;
begin
  select p.proacl into grants from pg_proc p where p.oid = to_regprocedure(call);
  execute format('drop function if exists %s', call);
  perform mmdb.create_made(made,
    format('%s returns table (%s, %I double precision)', call,
           (select c.definitions from mmdb.search_columns(made.relation) c), mmdb.distance_name(made.relation)),
    'language sql stable parallel restricted security invoker',
    mmdb.search_body(made, distance, vector),
    format('Every row of %s with its distance from a query, by "%s"; add: order by %s limit k.',
           mmdb.relation_sql(made.relation), made.name, mmdb.distance_name(made.relation)));
  if grants is not null then
    execute format('revoke all on function %s from public', call);
    for right_given in select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
                              case when a.is_grantable then ' with grant option' else '' end as extra
                       from aclexplode(grants) a loop
      execute format('grant execute on function %s to %s%s', call, right_given.grantee,
                     case when right_given.grantee = 'public' then '' else right_given.extra end);
    end loop;
  end if;
end
$$;
comment on function mmdb.make_search_view(mmdb.embeddings, text, text) is 'One search view, made or made again with the grants it had.';

create or replace function mmdb.make_search_views(made mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  modality text;
  vector_type constant text := regexp_replace(made.column_type, '\(\d+\)$', '');
begin
  foreach modality in array (select m.modalities from mmdb.models m where m.name = made.model) loop
    perform mmdb.make_search_view(made, case modality when 'text' then 'text' else 'bytea' end,
      format('(select mmdb.embed_for(%L::regclass, %L, $1)::%s)', mmdb.relation_sql(made.relation), made.name,
             made.column_type));
  end loop;
  perform mmdb.make_search_view(made, vector_type, '$1');
end
$$;
comment on function mmdb.make_search_views(mmdb.embeddings) is 'The search views of an embedding: one for each kind of query its model takes, one for a vector.';
