-- Drift: how a table no longer fits what mmdb made for it, each finding with its remedy.

-- Its owner names a table and its columns, and somebody else pastes the command into a shell.
create or replace function mmdb.shell_word(word text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when word ~ '^[A-Za-z0-9_.,:/-]+$' then word else '''' || replace(word, '''', E'''\\''''') || '''' end
$$;
comment on function mmdb.shell_word(text) is 'A text as one argument in a shell.';

create or replace function mmdb.add_command(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select 'mmdb add ' || mmdb.shell_word(declared.relation::text)
         || (select string_agg(' ' || mmdb.shell_word(s.name), '' order by s.place)
             from unnest(declared.sources) with ordinality s(name, place))
         || case when declared.name <> array_to_string(declared.sources, '_')
                 then ' --name ' || mmdb.shell_word(declared.name)
                 else '' end
         || coalesce((select string_agg(' --weight ' || w.weight, '' order by w.place)
                      from unnest(declared.weights) with ordinality w(weight, place)), '')
$$;
comment on function mmdb.add_command(mmdb.embeddings) is
  'What on the command line declares this embedding, and builds what it lacks.';

-- Only the system catalogues are read: anybody may know that a function is out of date.
create or replace function mmdb.drift(id bigint) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
declare
  declared mmdb.embeddings;
  now_called mmdb.embeddings;
  remedy text;
begin
  select e.* into declared from mmdb.embeddings e where e.id = drift.id;
  if not exists (select from pg_class c where c.oid = declared.relation) then
    return coalesce((select format('the table was dropped, and another one has its name: select '
                                   'mmdb.add_embedding(%L, …) embeds that one', declared.relation_name)
                     from pg_class c where c.oid = to_regclass(declared.relation_name)
                       and not exists (select from mmdb.embeddings e where e.relation = c.oid)),
                    'the table was dropped: a worker will clean up');
  end if;
  remedy := format(': select mmdb.refresh(%L)', declared.relation);
  begin
    now_called := mmdb.resolved(declared);
    perform mmdb.key_sql(declared.relation);
  exception
    when undefined_column then
      return sqlerrm || format(': select mmdb.drop_embedding(%L, %L)', declared.relation, declared.name);
    when object_not_in_prerequisite_state then
      return format('%s: alter table %s add primary key (…), then select mmdb.refresh(%L)', sqlerrm,
                    declared.relation, declared.relation);
  end;
  return case
    when declared.attached_to <> now_called.attached_to then 'the table was restored or copied' || remedy
    when (declared.sources, declared.column_name, declared.column_type, declared.stale_column) is distinct from
         (now_called.sources, now_called.column_name, now_called.column_type, now_called.stale_column) then
      'a column was renamed or changed' || remedy
    else coalesce(
      mmdb.function_drift(declared) || remedy,
      mmdb.trigger_drift(declared) || remedy,
      case when mmdb.guarded_columns(declared) = '{}' then
        'its sources are released: every update of a row has it embedded again' || remedy end,
      case when mmdb.serving_index(declared, 'pending') is null then
        format('the index of pending rows is missing or invalid: `%s` builds it', mmdb.add_command(declared)) end)
  end;
end
$$;
comment on function mmdb.drift(bigint) is
  'How a table no longer fits what mmdb made for it, with the remedy; NULL where all is well.';

-- What `mmdb init` sets right: after a restore the columns have other numbers, after an upgrade functions are made in
-- another way.
create or replace function mmdb.is_out_of_date(declared mmdb.embeddings) returns boolean
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
begin
  return declared.attached_to <> mmdb.attachment(declared.relation) or mmdb.function_drift(declared) is not null;
exception when undefined_column or object_not_in_prerequisite_state then
  return false;  -- not to be mended by making functions again: mmdb.status says so
end
$$;
comment on function mmdb.is_out_of_date(mmdb.embeddings) is
  'Whether the functions made for an embedding are to be made again.';

create or replace function mmdb.function_drift(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with made_functions as (
    select * from mmdb.made_functions(declared)
  ), expected as (
    select array_agg(a.name order by a.place) || mmdb.distance_name(declared.relation) as names,
           array_agg(a.type order by a.place) || 'float8'::regtype::oid as types
    from mmdb.shown_columns(declared.relation) a
  )
  select case
    when exists (select from made_functions f, pg_class c
                 where c.oid = declared.relation and f.proowner <> c.relowner) then
      'the table changed its owner'
    when not mmdb.run_as_owner(declared) then 'a worker function is missing or was altered'
    when not exists (select from made_functions f where not f.prosecdef) then 'the search views are missing'
    when exists (select from made_functions f, expected x
                 where f.proname in (mmdb.search_name(declared.prefix, declared.name),
                                     mmdb.top_name(declared.prefix, declared.name))
                   and (f.proargnames[f.pronargs + 1:] <> x.names or f.proallargtypes[f.pronargs + 1:] <> x.types)) then
      'columns were added, dropped, renamed or changed'
    when declared.relation_name <> mmdb.relation_sql(declared.relation) then 'the table was renamed or moved'
    when exists (select from mmdb.worker_functions(declared) w join made_functions f
                   on f.proname = format('mmdb_%s_%s', w.verb, declared.id) and f.prosrc <> w.body) then
      'the table or its primary key was changed, or mmdb was upgraded'
    else mmdb.call_drift(declared)
  end
$$;
comment on function mmdb.function_drift(mmdb.embeddings) is 'How the generated functions no longer fit the table.';

-- Where tables are swapped by rename, the one that comes into the place has our column and nothing that fills it. A
-- copy that lies beside its table has it too: hence the names, or if there is no other table any more, our index.
create or replace function mmdb.lost_embeddings() returns table (relation regclass, column_name text, remedy text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select c.oid::regclass, a.attname::text,
         coalesce(s.remedy, format('select mmdb.add_embedding(%L, …)', c.oid::regclass))
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    and a.atttypid in ('@extschema:vector@.halfvec'::regtype, '@extschema:vector@.vector'::regtype)
  cross join lateral (
    select min(format('select mmdb.add_embedding(%L, %s)', c.oid::regclass, mmdb.sources_sql(e.sources)))
             filter (where strpos(o.relname, c.relname) > 0 and o.relname <> c.relname),
           count(*) > 0
    from mmdb.embeddings e join pg_class o on o.oid = e.relation
    where e.column_name = a.attname and e.column_type = format_type(a.atttypid, a.atttypmod)
      and e.sources <@ array(select n.attname::text from pg_attribute n where n.attrelid = c.oid and not n.attisdropped)
  ) s(remedy, is_like_another)
  where c.relkind in ('r', 'p') and not c.relispartition
    and exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
    and not exists (select from mmdb.embeddings e where e.relation = c.oid)
    and (s.remedy is not null or not s.is_like_another and exists (
      select from pg_index i where i.indrelid = c.oid
        and pg_get_expr(i.indpred, i.indrelid) like format('((%I IS NULL) AND %%', a.attname)))
$$;
comment on function mmdb.lost_embeddings() is
  'Columns of vectors that look as if an embedding had filled them, of tables that have none.';

create or replace function mmdb.sources_sql(sources text[]) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case cardinality(sources) when 1 then quote_literal(sources[1])
              else 'array[' || (select string_agg(quote_literal(s.name), ', ' order by s.place)
                                from unnest(sources) with ordinality s(name, place)) || ']' end
$$;
comment on function mmdb.sources_sql(text[]) is 'Sources as an argument of mmdb.add_embedding.';

create or replace function mmdb.trigger_drift(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when t.oid is null then 'the trigger is missing'
    when t.tgenabled <> 'A' then 'the trigger is disabled'
    when mmdb.guarded_columns(declared)
         not in ('{}', coalesce(mmdb.base_columns(declared.relation, declared.source_numbers), '{}')) then
      'the columns that a source is made from changed'
    when declared.source_expressions <> mmdb.source_expressions(declared.relation, declared.source_numbers) then
      'the expression of a generated source changed'
    when cardinality(t.tgattr::smallint[]) > 0 and exists (select from mmdb.other_triggers(declared.relation)) then
      'the table has a BEFORE UPDATE trigger that may change a source unseen'
    when exists (select from mmdb.other_triggers(declared.relation) o(name)
                 where o.name collate "C" > t.tgname::text collate "C") then
      'a BEFORE UPDATE trigger of the table runs after the trigger of mmdb'
  end
  from (select) one
  left join pg_trigger t on t.tgrelid = declared.relation and t.tgname = mmdb.trigger_name(declared.id)
$$;
comment on function mmdb.trigger_drift(mmdb.embeddings) is 'How the trigger no longer guards the sources.';

-- A function of an older mmdb has other parameters or is missing; one of this mmdb may be of other words or another
-- key.
create or replace function mmdb.call_drift(declared mmdb.embeddings) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  outdated constant text := 'mmdb was upgraded, or what a search looks among was changed';
begin
  if exists (select from mmdb.made_functions(declared) p
             left join mmdb.query_arguments(declared) q on format_type(p.proargtypes[0], null) = q.argument
             where p.proname = mmdb.search_name(declared.prefix, declared.name)
                   and p.prosrc is distinct from mmdb.search_body(declared, q.vector, q.asked)
                or p.proname = mmdb.top_name(declared.prefix, declared.name)
                   and p.prosrc is distinct from mmdb.top_body(declared, q.vector, q.asked)) then
    return outdated;
  elsif declared.id is distinct from (mmdb.first_declared(declared.relation)).id then
    return null;  -- the functions of the table are the first one's
  elsif exists (
    select from unnest(mmdb.table_verbs()) v(verb)
    where not exists (
      select from mmdb.made_functions(declared) p
      where p.proname = declared.prefix || '_' || v.verb
        and p.prosrc = case v.verb when 'search' then mmdb.search_table_body(declared.relation)
                                   else mmdb.examples_body(declared.relation, v.verb) end)) then
    return outdated;
  end if;
  return null;
exception when undefined_column then
  return null;  -- of another embedding of the table, which says so itself
end
$$;
comment on function mmdb.call_drift(mmdb.embeddings) is
  'How the functions that are told k are not what this mmdb makes.';
