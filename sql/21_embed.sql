-- mmdb.embed and mmdb.embed_for: a text or picture as a vector, from the cache or from a worker.

-- Volatile, so that it has a snapshot of its own: that of a statement is older than what the statement had embedded,
-- and each further row of it would go through the loopback for the same text. A transaction that is repeatable read has
-- one snapshot, and does go.
create or replace function mmdb.latest_vector(model text, hash bytea) returns real[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return (select q.embedding from mmdb.requests q
          where q.model = latest_vector.model and q.hash = latest_vector.hash and q.error is null);
end
$$;
comment on function mmdb.latest_vector(text, bytea) is
  'The vector in the cache now, whatever the snapshot of the statement; NULL where it is not there.';

create or replace function mmdb.embed_by(model text, content text, data bytea) returns @extschema:vector@.vector
language plpgsql stable parallel restricted security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  -- Computed here, because in the query below a generic plan would compute it once a row.
  wanted constant bytea := mmdb.request_hash(content, data);
  found_vector real[];
begin
  -- An unlogged table cannot be read on a standby; there the question goes to the primary at once.
  if not pg_is_in_recovery() then
    select q.embedding into found_vector from mmdb.requests q
    where q.model = embed_by.model and q.hash = wanted and q.error is null;
    found_vector := coalesce(found_vector, mmdb.latest_vector(model, wanted));
  end if;
  if found_vector is null then
    perform mmdb.check_embeddable(model, content, data);
    found_vector := (mmdb.request('embedding', model, content, data, null,
                                  coalesce(mmdb.setting('embed_timeout_ms'), '30000')::integer)).embedding;
  end if;
  return found_vector::@extschema:vector@.vector;
end
$$;
comment on function mmdb.embed_by(text, text, bytea) is
  'The vector of one text, or of bytes, by one model: from the cache, else from a worker.';

-- White space of every script, whatever the collation of the text.
create or replace function mmdb.is_blank(query text) returns boolean
language sql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
  select query collate "C"
         !~ E'[^\\s\\u001C-\\u001F\\u0085\\u00A0\\u1680\\u2000-\\u200B\\u2028\\u2029\\u202F\\u205F'
             '\\u2060\\u3000\\uFEFF]'
$$;
comment on function mmdb.is_blank(text) is
  'Whether a query says nothing, as an empty search box: searches find no rows by it, and it has no vector.';

create or replace function mmdb.is_blank(query bytea) returns boolean
language sql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$ select octet_length(query) = 0 $$;
comment on function mmdb.is_blank(bytea) is 'Whether a query is no bytes at all.';

-- Of which kind bytes are, a worker says, who looks at them. An empty query has an SQLSTATE of its own, which
-- applications tell from what is wrong with the search.
create or replace function mmdb.check_embeddable(model text, content text, data bytea) returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  able text[];
  size constant bigint := coalesce(octet_length(data), octet_length(content));
  allowed constant bigint := coalesce(mmdb.setting('query_max_bytes'), '10485760')::bigint;
begin
  select m.modalities into able from mmdb.models m where m.name = check_embeddable.model;
  if able is null then
    raise exception 'model "%" does not exist', model
      using errcode = 'undefined_object', hint = 'select name from mmdb.models lists them';
  elsif data is null and 'text' <> all(able) then
    raise exception 'model "%" does not embed modality "text"', model
      using errcode = 'feature_not_supported', hint = format('it embeds: %s', array_to_string(able, ', '));
  elsif data is not null and able <@ array['text'] then
    raise exception 'model "%" embeds nothing but text, and the query is bytes', model
      using errcode = 'feature_not_supported', hint = 'choose a model that takes what these bytes are';
  elsif size > allowed then
    raise exception 'the query is % bytes, more than the limit of % bytes', size, allowed
      using errcode = 'program_limit_exceeded',
            hint = 'send a smaller picture, or raise mmdb.set_setting(''query_max_bytes'', …)';
  elsif mmdb.is_blank(content) or mmdb.is_blank(data) then
    raise exception 'the query is empty'
      using errcode = '22M01',
            hint = 'it has no vector; of NULL the vector is NULL: mmdb.embed(nullif(btrim(…), ''''))';
  end if;
end
$$;
comment on function mmdb.check_embeddable(text, text, bytea) is 'Refuse a query that no worker could answer.';

create or replace function mmdb.embed(query text, model text default null) returns @extschema:vector@.vector
language sql stable parallel restricted security definer cost 10000
set search_path = pg_catalog, pg_temp
as $$
  select case when query is not null
              then mmdb.embed_by(coalesce(model, mmdb.setting('default_model'), 'lite'), query, null) end
$$;
comment on function mmdb.embed(text, text) is
  'The vector of a text by a model (the default model where none is named), for your own statements: order by '
  'embedding <=> (select mmdb.embed(''red shoes'')::halfvec(512)). Cached; NULL for NULL.';

create or replace function mmdb.embed(image bytea, model text default null) returns @extschema:vector@.vector
language sql stable parallel restricted security definer cost 10000
set search_path = pg_catalog, pg_temp
as $$
  select case when image is not null
              then mmdb.embed_by(coalesce(model, mmdb.setting('default_model'), 'lite'), null, image) end
$$;
comment on function mmdb.embed(bytea, text) is
  'The vector of a picture (the bytes of a JPEG, PNG, …) by a model. Cached; NULL for NULL.';

-- The name comes from PostgreSQL's cache of the catalogues, which is as new as the statement's lock on the table. A
-- statement that had to wait for that lock has an older snapshot.
create or replace function mmdb.latest_name(relation regclass, number smallint) returns text
language sql stable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$ select a.object_names[3] from pg_identify_object_as_address('pg_class'::regclass, relation, number) a $$;
comment on function mmdb.latest_name(regclass, smallint) is
  'The name of a column now, whatever the snapshot of the statement.';

-- A search names a column, and the query must be embedded by the model whose vectors that column holds. When a model is
-- switched, columns change names; a search that waited for the switch finds the new column under the name, but its
-- snapshot is older than the switch.
create or replace function mmdb.model_of(relation regclass, name text) returns text
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  found_embedding mmdb.embeddings;
  seen_name text;
  found_model text;
begin
  select e.* into found_embedding from mmdb.embeddings e
  where e.relation = model_of.relation and e.name = model_of.name;
  if found_embedding.id is null then
    raise exception 'table % has no embedding "%"', relation, name
      using errcode = 'undefined_object', hint = 'select relation, name from mmdb.embeddings lists them';
  end if;
  select a.attname into seen_name from pg_attribute a
  where a.attrelid = found_embedding.relation and a.attnum = found_embedding.column_number;
  if mmdb.latest_name(found_embedding.relation, found_embedding.column_number) is not distinct from seen_name then
    return found_embedding.model;
  end if;
  select e.model into found_model from mmdb.embeddings e
  where e.relation = model_of.relation and mmdb.latest_name(e.relation, e.column_number) = seen_name;
  if found_model is null then
    raise exception 'the columns of table % were renamed since this transaction began', relation
      using errcode = 'serialization_failure', hint = 'begin the transaction again';
  end if;
  return found_model;
end
$$;
comment on function mmdb.model_of(regclass, text) is 'The model of the column that an embedding has now.';

create or replace function mmdb.embed_for(relation regclass, name text, query text) returns @extschema:vector@.vector
language sql stable parallel restricted security definer cost 10000
set search_path = pg_catalog, pg_temp
as $$
  select case when query is not null then mmdb.embed_by(mmdb.model_of(relation, name), query, null) end
$$;
comment on function mmdb.embed_for(regclass, text, text) is
  'The vector of a text by the model that this embedding has now: what the search functions call.';

create or replace function mmdb.embed_for(relation regclass, name text, image bytea) returns @extschema:vector@.vector
language sql stable parallel restricted security definer cost 10000
set search_path = pg_catalog, pg_temp
as $$
  select case when image is not null then mmdb.embed_by(mmdb.model_of(relation, name), null, image) end
$$;
comment on function mmdb.embed_for(regclass, text, bytea) is
  'The vector of a picture by the model that this embedding has now: what the search functions call.';
