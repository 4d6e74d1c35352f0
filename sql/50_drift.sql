-- Drift: how a table no longer fits what mmdb made for it, each finding with its remedy.

-- Its owner names a table and its columns, and somebody else pastes the command into a shell.
create or replace function mmdb.shell_word(word text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when word ~ '^[A-Za-z0-9_.,:/-]+$' then word else '''' || replace(word, '''', '''\''''') || '''' end
$$;
comment on function mmdb.shell_word(text) is 'A text as one argument in a shell.';

create or replace function mmdb.add_command(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select 'mmdb add ' || mmdb.shell_word(made.relation::text)
         || (select string_agg(' ' || mmdb.shell_word(s.name), '' order by s.place)
             from unnest(made.sources) with ordinality s(name, place))
         || case when made.name <> array_to_string(made.sources, '_') then ' --name ' || mmdb.shell_word(made.name)
                 else '' end
         || coalesce((select string_agg(' --weight ' || w.weight, '' order by w.place)
                      from unnest(made.weights) with ordinality w(weight, place)), '')
$$;
comment on function mmdb.add_command(mmdb.embeddings) is
  'What on the command line declares this embedding, and builds what it lacks.';

-- Only the system catalogues are read: anybody may know that a function is out of date.
create or replace function mmdb.drift(id bigint) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  made mmdb.embeddings;
  now_called mmdb.embeddings;
  remedy text;
begin
  select e.* into made from mmdb.embeddings e where e.id = drift.id;
  if not exists (select from pg_class c where c.oid = made.relation) then
    return 'the table was dropped: a worker will clean up';
  end if;
  remedy := format(': select mmdb.refresh(%L)', made.relation);
  begin
    now_called := mmdb.resolved(made);
    perform mmdb.key_sql(made.relation);
  exception
    when undefined_column then
      return sqlerrm || format(': select mmdb.drop_embedding(%L, %L)', made.relation, made.name);
    when object_not_in_prerequisite_state then
      return format('%s: alter table %s add primary key (…), then select mmdb.refresh(%L)', sqlerrm,
                    made.relation, made.relation);
  end;
  return case
    when made.attached_to <> now_called.attached_to then 'the table was restored or copied' || remedy
    when (made.sources, made.column_name, made.column_type, made.stale_column) is distinct from
         (now_called.sources, now_called.column_name, now_called.column_type, now_called.stale_column) then
      'a column was renamed or changed' || remedy
    when mmdb.function_drift(made) is not null then mmdb.function_drift(made) || remedy
    when mmdb.trigger_drift(made) is not null then mmdb.trigger_drift(made) || remedy
    when mmdb.serving_index(made, made.relation, 'pending') is null then
      format('the index of pending rows is missing or invalid: `%s` builds it', mmdb.add_command(made))
  end;
end
$$;
comment on function mmdb.drift(bigint) is
  'How a table no longer fits what mmdb made for it, with the remedy; NULL where all is well.';

-- What `mmdb init` sets right: after a restore the columns have other numbers, after an upgrade functions are made in
-- another way.
create or replace function mmdb.is_out_of_date(made mmdb.embeddings) returns boolean
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  return made.attached_to <> mmdb.attachment(made.relation) or mmdb.function_drift(made) is not null;
exception when undefined_column or object_not_in_prerequisite_state then
  return false;  -- not to be mended by making functions again: mmdb.status says so
end
$$;
comment on function mmdb.is_out_of_date(mmdb.embeddings) is
  'Whether the functions made for an embedding are to be made again.';

create or replace function mmdb.function_drift(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with made_functions as (
    select p.* from pg_proc p
    where p.pronamespace = to_regnamespace(made.function_schema) and mmdb.is_made_by(p.oid, made.id)
  ), expected as (
    select array_agg(a.name order by a.place) || mmdb.distance_name(made.relation) as names,
           array_agg(a.type order by a.place) || 'float8'::regtype::oid as types
    from mmdb.shown_columns(made.relation) a
  )
  select case
    when exists (select from made_functions f, pg_class c where c.oid = made.relation and f.proowner <> c.relowner) then
      'the table changed its owner'
    when not mmdb.run_as_owner(made) then 'a worker function is missing or was altered'
    when not exists (select from made_functions f where not f.prosecdef) then 'the search views are missing'
    when exists (select from made_functions f, expected x
                 where f.proname in (mmdb.search_name(made.prefix, made.name), mmdb.top_name(made.prefix, made.name))
                   and (f.proargnames[f.pronargs + 1:] <> x.names or f.proallargtypes[f.pronargs + 1:] <> x.types)) then
      'columns were added, dropped, renamed or changed'
    when exists (select from made_functions f where not f.prosecdef
                   and position(mmdb.relation_sql(made.relation) || ' p' in f.prosrc) = 0) then
      'the table was renamed or moved'
    when exists (select from made_functions f
                 where f.prosecdef and f.prosrc <> mmdb.worker_body(made, split_part(f.proname, '_', 2))) then
      'the table or its primary key was changed, or mmdb was upgraded'
    else mmdb.call_drift(made)
  end
$$;
comment on function mmdb.function_drift(mmdb.embeddings) is 'How the generated functions no longer fit the table.';

create or replace function mmdb.trigger_drift(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when t.oid is null then 'the trigger is missing'
    when t.tgenabled <> 'A' then 'the trigger is disabled'
    when array(select d.refobjsubid::smallint from pg_depend d
               where d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.refclassid = 'pg_class'::regclass
                 and d.refobjid = made.relation
                 and d.refobjsubid not in (0, made.column_number, coalesce(made.stale_number, 0)) group by 1 order by 1)
         is distinct from mmdb.base_columns(made.relation, made.source_numbers) then
      'the columns that a source is made from changed'
    when made.source_expressions <> mmdb.source_expressions(made.relation, made.source_numbers) then
      'the expression of a generated source changed'
    when cardinality(t.tgattr::smallint[]) > 0 and exists (select from mmdb.other_triggers(made.relation)) then
      'the table has a BEFORE UPDATE trigger that may change a source unseen'
    when exists (select from mmdb.other_triggers(made.relation) o(name)
                 where o.name collate "C" > t.tgname::text collate "C") then
      'a BEFORE UPDATE trigger of the table runs after the trigger of mmdb'
  end
  from (select) one
  left join pg_trigger t on t.tgrelid = made.relation and t.tgname = mmdb.trigger_name(made.id)
$$;
comment on function mmdb.trigger_drift(mmdb.embeddings) is 'How the trigger no longer guards the sources.';

-- A function of an older mmdb has other parameters or is missing; one of this mmdb may be of other words or another
-- key.
create or replace function mmdb.call_drift(made mmdb.embeddings) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  outdated constant text := 'mmdb was upgraded, or what a search looks among was changed';
begin
  if exists (select from pg_proc p
             where p.pronamespace = to_regnamespace(made.function_schema)
               and p.proname = mmdb.top_name(made.prefix, made.name)
               and (p.pronargs <> 5 or position(quote_literal(mmdb.search_source(made)::text) in p.prosrc) = 0)
               and mmdb.is_made_by(p.oid, made.id)) then
    return outdated;
  elsif made.id <> (select min(e.id) from mmdb.embeddings e
                    where e.relation = made.relation and e.generation_of is null)
        or made.generation_of is not null then
    return null;  -- the functions of the table are the first one's
  elsif exists (
    select from unnest(mmdb.table_verbs()) v(verb)
    where not exists (
      select from pg_proc p
      where p.pronamespace = to_regnamespace(made.function_schema) and p.proname = made.prefix || '_' || v.verb
        and mmdb.is_made_by(p.oid, made.id)
        and p.prosrc = case v.verb when 'search' then mmdb.search_table_body(made.relation)
                                   else mmdb.examples_body(made.relation, v.verb) end)) then
    return outdated;
  end if;
  return null;
exception when undefined_column then
  return null;  -- of another embedding of the table, which says so itself
end
$$;
comment on function mmdb.call_drift(mmdb.embeddings) is
  'How the functions that are told k are not what this mmdb makes.';
