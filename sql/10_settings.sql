-- Settings of this installation, and who and where we are. Read by every other topic.

create or replace function mmdb.setting(name text) returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select s.value from mmdb.settings s where s.name = setting.name
$$;
comment on function mmdb.setting(text) is 'The value of one setting of this installation, NULL where it has none.';

create or replace function mmdb.set_setting(name text, value text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  -- The roles, of which mmdb.settings also has the names, are chosen with `mmdb init`.
  known constant text[] := array['default_model', 'embed_timeout_ms', 'query_cache_rows', 'query_max_bytes', 'max_attempts'];
begin
  if name <> all(known) or name is null then
    raise exception 'unknown setting "%"', name
      using errcode = 'invalid_parameter_value', hint = format('known settings: %s', array_to_string(known, ', '));
  elsif value is null then
    raise exception 'setting "%" takes a value, not NULL', name using errcode = 'null_value_not_allowed';
  elsif name <> 'default_model' and (case when value ~ '^[1-9][0-9]{0,9}$' then value::bigint > 2147483647 else true end) then
    raise exception 'setting "%" takes a whole number from 1 to 2147483647, not "%"', name, value
      using errcode = 'invalid_parameter_value';
  elsif name = 'default_model' and not exists (select from mmdb.models m where m.name = value) then
    raise exception 'model "%" does not exist', value
      using errcode = 'undefined_object', hint = 'select name from mmdb.models lists them';
  end if;
  insert into mmdb.settings values (name, value)
  on conflict on constraint settings_pkey do update set value = excluded.value;
end
$$;
comment on function mmdb.set_setting(text, text) is
  'Set one of: default_model, embed_timeout_ms (how long mmdb.embed waits), query_cache_rows, query_max_bytes, max_attempts.';

-- Column numbers are valid only in the table in which they were taken: a restore, a clone and a re-created
-- table have others.
create or replace function mmdb.attachment(relation regclass) returns text
language sql stable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('%s/%s/%s', c.system_identifier, d.oid, relation::oid)
  from pg_control_system() c, pg_database d
  where d.datname = current_database()
$$;
comment on function mmdb.attachment(regclass) is 'Cluster, database and table as one text: where column numbers are valid.';

-- A worker holds this advisory lock for as long as its session lives, so that a killed one is known at once.
create or replace function mmdb.worker_lock_class() returns integer
language sql immutable parallel safe security invoker
as $$ select 1835885666 $$;
comment on function mmdb.worker_lock_class() is 'The first key of the advisory lock that a live worker holds ("mmdb" in ASCII); the second is its id.';

create or replace function mmdb.live_workers() returns setof integer
language sql stable parallel restricted security invoker
set search_path = pg_catalog, pg_temp
as $$
  select l.objid::bigint::integer
  from pg_locks l
  where l.locktype = 'advisory' and l.objsubid = 2 and l.granted
    and l.classid = mmdb.worker_lock_class()::oid
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
$$;
comment on function mmdb.live_workers() is 'The ids of the workers whose session is alive now.';

create or replace function mmdb.add_model(
  name text, backend text, model text, dimensions integer, modalities text[], identity text,
  distance text default 'cosine', revision text default null, query_prompt text default null,
  document_prompt text default null, options jsonb default '{}'
) returns mmdb.models
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  old mmdb.models;
  made mmdb.models;
begin
  select * into old from mmdb.models m where m.name = add_model.name for update;
  if old.identity <> add_model.identity
     and exists (select from mmdb.embeddings e where e.model = add_model.name) then
    raise exception 'model "%" is in use with identity "%" and cannot become "%"', name, old.identity, identity
      using errcode = 'object_in_use',
            hint = 'vectors of two models cannot be compared: add the new one under another name';
  end if;
  insert into mmdb.models as m (name, backend, model, revision, dimensions, modalities, distance,
                                query_prompt, document_prompt, options, identity)
  values (add_model.name, add_model.backend, add_model.model, add_model.revision, add_model.dimensions,
          add_model.modalities, add_model.distance, add_model.query_prompt, add_model.document_prompt,
          add_model.options, add_model.identity)
  on conflict on constraint models_pkey do update
    set (backend, model, revision, dimensions, modalities, distance, query_prompt, document_prompt, options, identity)
      = (excluded.backend, excluded.model, excluded.revision, excluded.dimensions, excluded.modalities,
         excluded.distance, excluded.query_prompt, excluded.document_prompt, excluded.options, excluded.identity)
  returning m.* into made;
  if old.identity <> made.identity then
    delete from mmdb.queries q where q.model = made.name;
  end if;
  return made;
end
$$;
comment on function mmdb.add_model(text, text, text, integer, text[], text, text, text, text, text, jsonb) is
  'Register a model. Its identity is fixed once an embedding uses it; an unused one is replaced.';

create or replace function mmdb.remove_model(name text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  users constant text := (select string_agg(format('%s.%I', e.relation, e.name), ', ' order by e.id)
                          from mmdb.embeddings e where e.model = remove_model.name);
begin
  if users is not null then
    raise exception 'model "%" is in use by %', name, users
      using errcode = 'object_in_use', hint = 'drop these embeddings first: mmdb.drop_embedding(relation, name)';
  end if;
  if name = coalesce(mmdb.setting('default_model'), 'lite') then
    raise exception 'model "%" is the default model', name
      using errcode = 'object_in_use', hint = 'choose another one first: mmdb.set_setting(''default_model'', …)';
  end if;
  delete from mmdb.models m where m.name = remove_model.name;
  if not found then
    raise exception 'model "%" does not exist', name
      using errcode = 'undefined_object', hint = 'select name from mmdb.models lists them';
  end if;
  delete from mmdb.queries q where q.model = remove_model.name;
end
$$;
comment on function mmdb.remove_model(text) is 'Forget a model that no embedding uses, and the queries that it has embedded.';
