-- Stored queries over everything that has an embedding: for a search box that asks no table, and for a language model
-- that is to answer from what the database knows.

create or replace function mmdb.search_call(relation regclass, has_text boolean, has_image boolean) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.table_call(mmdb.first_declared(search_call.relation), 'search')
  where has_table_privilege(search_call.relation, 'select') and exists (
    select from mmdb.embeddings e join mmdb.models m on m.name = e.model
    where e.relation = search_call.relation and e.generation_of is null
      and (has_text and 'text' = any(m.modalities) or has_image and 'image' = any(m.modalities)))
$$;
comment on function mmdb.search_call(regclass, boolean, boolean) is
  'T_search of a table that the caller may read and that takes such a query; NULL for others.';

-- Columns that are large, or say nothing to a reader, are left out of the answer.
create or replace function mmdb.hidden_columns(relation regclass) returns text[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array(select a.attname from pg_attribute a
               where a.attrelid = hidden_columns.relation and a.attnum > 0
                 and a.atttypid in ('bytea'::regtype, 'tsvector'::regtype, '@extschema:vector@.vector'::regtype,
                                    '@extschema:vector@.halfvec'::regtype))
      || array[mmdb.free_name(relation, 'score'), mmdb.free_name(relation, 'ranks')]
$$;
comment on function mmdb.hidden_columns(regclass) is
  'The columns of T_search that are left out where a row is shown as JSON.';

create or replace function mmdb.find(
  query text default null, image bytea default null, k integer default 10, relations regclass[] default null
)
returns table (relation regclass, key text, score double precision, ranks jsonb, found jsonb)
language plpgsql stable security invoker rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  searched regclass;
  call text;
  parts text[] := '{}';
begin
  if k is null or k not between 1 and 10000 then
    raise exception 'k is %, expected 1 to 10000', k using errcode = 'invalid_parameter_value';
  end if;
  for searched in
    select distinct e.relation from mmdb.embeddings e join pg_class c on c.oid = e.relation
    -- A search runs code of the table's owner, and anybody could have left a table for the caller to find.
    where case when find.relations is null then mmdb.trusts_owner(e.relation) else e.relation = any(find.relations) end
  loop
    call := mmdb.search_call(searched, find.query is not null, find.image is not null);
    if call is not null then
      parts := parts || format('(select %L::regclass, %s, p.%I, p.%I, to_jsonb(p) - %L::text[] from %s($1, $2, $3) p)',
        mmdb.relation_sql(searched), mmdb.plain_key_sql(searched), mmdb.free_name(searched, 'score'),
        mmdb.free_name(searched, 'ranks'), mmdb.hidden_columns(searched), call);
    end if;
  end loop;
  if cardinality(parts) = 0 then
    raise exception 'there is no table to search in'
      using errcode = 'undefined_object',
            hint = 'name the tables of others: relations => array[''…''::regclass]; mmdb.status lists what you may '
                   'read, and the models of a table must take the query';
  end if;
  -- Scores depend on the number of a table's legs, distances do not. A table's own order stays: each row has the place
  -- of the nearest among itself and the rows behind it. They are gone through from the last one on, or it would take
  -- time by their square.
  return query execute format($query$
    select m.relation, m.key, m.score, m.ranks, m.found from (
      select f.*, min((select min((r.value ->> 'distance')::double precision) from jsonb_each(f.ranks) r)) over (
        partition by f.relation order by f.score, f.key desc rows unbounded preceding) as nearest
      from (%s) f(relation, key, score, ranks, found)
    ) m
    order by m.nearest, m.score desc, m.relation::text, m.key limit $3
  $query$, array_to_string(parts, ' union all ')) using find.query, find.image, find.k;
end
$$;
comment on function mmdb.find(text, bytea, integer, regclass[]) is
  'Search every table of yours that has an embedding, or these, whosoever they are: T_search of each, the best rows '
  'of all, as JSON without pictures and vectors. Rows of a table come in its order; those of several tables are '
  'merged by distance, which compares tables of one model, or of models alike. [mmdb query]';

create or replace function mmdb.context(
  question text, k integer default 5, relations regclass[] default null, characters integer default 8000
) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  source record;
  text_of_source text;
  context text := '';
begin
  if characters is null or characters < 1 then
    raise exception 'characters is %, expected 1 or more', characters using errcode = 'invalid_parameter_value';
  end if;
  for source in
    select row_number() over () as number, f.* from mmdb.find(question, null, k, relations) f
  loop
    text_of_source := format(E'[%s] %s %s\n%s\n\n', source.number, source.relation, source.key, (
      select string_agg(format('%s: %s', e.key, e.value), E'\n')
      from jsonb_each_text(source.found) e where e.value is not null));
    -- A source is whole or not there: half of one says something else.
    exit when length(context) + length(text_of_source) > characters and context <> '';
    context := context || left(text_of_source, characters);
  end loop;
  return context;
end
$$;
comment on function mmdb.context(text, integer, regclass[], integer) is
  'What the database knows about a question, as text for the prompt of a language model: the best rows of mmdb.find, '
  'numbered so that an answer can cite them, at most so many characters. With the rights of who asks. [mmdb query]';
