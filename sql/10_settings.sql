-- Settings of this installation, and the table that a name means. Read by every other topic.

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
  known constant text[] := array['default_model', 'embed_timeout_ms', 'query_cache_rows', 'query_max_bytes',
                                 'max_attempts'];
begin
  if name <> all(known) or name is null then
    raise exception 'unknown setting "%"', name
      using errcode = 'invalid_parameter_value', hint = format('known settings: %s', array_to_string(known, ', '));
  elsif value is null then
    raise exception 'setting "%" takes a value, not NULL', name using errcode = 'null_value_not_allowed';
  elsif name <> 'default_model'
    and (case when value ~ '^[1-9][0-9]{0,9}$' then value::bigint > 2147483647 else true end) then
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
  'Set one of: default_model, embed_timeout_ms (how long mmdb.embed waits), query_cache_rows, query_max_bytes, '
  'max_attempts.';

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
comment on function mmdb.attachment(regclass) is
  'Cluster, database and table as one text: where column numbers are valid.';
