-- What keeps a row in step with its source: one trigger for each embedding.

-- The trigger reads from its own condition which column it unsets: PostgreSQL keeps that dependency right through
-- renames, dumps and partitions. It leaves the other columns as they are.
--
-- If it has arguments (on_change => 'keep'), they are the names of the column that marks stale rows and of the sources,
-- and the condition that these say something. If one of them was renamed since, which mmdb.status calls drift, the
-- embedding is unset: no vector is better than an old one without its mark. It runs as whoever updates, who need not
-- have a right on schema mmdb: nothing of that is called. (A trigger that an earlier mmdb made has no condition.)
create or replace function mmdb.unset_embedding() returns trigger
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  says text := tg_argv[tg_nargs - 1];
  names constant text[] := tg_argv[:tg_nargs - case when says like '%($1).%' then 2 else 1 end];
  embedding_column text;
  same boolean;
begin
  with recursive ancestor(oid, parent) as (
    select t.oid, t.tgparentid from pg_trigger t where t.tgrelid = tg_relid and t.tgname = tg_name
    union all
    select t.oid, t.tgparentid from ancestor a join pg_trigger t on t.oid = a.parent
  )
  select distinct c.attname into strict embedding_column
  from ancestor t
  join pg_depend d on d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.refclassid = 'pg_class'::regclass
  join pg_attribute c on c.attrelid = d.refobjid and c.attnum = d.refobjsubid
  where t.parent = 0
    and c.atttypid in ('@extschema:vector@.halfvec'::regtype, '@extschema:vector@.vector'::regtype);
  if tg_nargs = 0 then
    return jsonb_populate_record(new, jsonb_build_object(embedding_column, null));
  elsif (select count(*) from pg_attribute a where a.attrelid = tg_relid and a.attname = any(names))
        < cardinality(names) then
    return jsonb_populate_record(new, jsonb_build_object(embedding_column, null));
  end if;
  execute format('select ($1).%1$I operator(@extschema:vector@.=) ($2).%1$I', embedding_column)
  into same using old, new;
  if same is not true then
    return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], false));  -- another vector came, or none
  end if;
  if cardinality(names) = tg_nargs then
    says := mmdb.says_sql(tg_relid, names[2:], '($1).');
  end if;
  execute format('select coalesce(%s, false)', says) into same using new;
  return jsonb_populate_record(new, case when same then jsonb_build_object(tg_argv[0], true)
                                         else jsonb_build_object(embedding_column, null, tg_argv[0], false) end);
end
$$;
comment on function mmdb.unset_embedding() is
  'Trigger: the source changed and no new embedding came with it, so the row is pending again. With arguments: it '
  'keeps the old one, and is marked.';

create or replace function mmdb.trigger_name(id bigint) returns text
language sql immutable security invoker
-- "~" sorts behind every ASCII letter: the table's own BEFORE triggers have had their say.
as $$ select format('~mmdb_unset_%s', id) $$;
comment on function mmdb.trigger_name(bigint) is 'The name of an embedding''s trigger.';

create or replace function mmdb.own_triggers(relation regclass) returns setof pg_trigger
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select t.*
  from pg_trigger t
  where t.tgrelid in (select relation union select i.relid from pg_partition_tree(relation) i)
    and not t.tgisinternal and t.tgfoid <> 'mmdb.unset_embedding'::regproc and (t.tgtype & 16) <> 0
$$;
comment on function mmdb.own_triggers(regclass) is 'The UPDATE triggers of a table and its partitions, but for ours.';

-- These may change a source although the statement does not name it: PostgreSQL compares a trigger's column list with
-- the statement before any trigger runs.
create or replace function mmdb.other_triggers(relation regclass) returns setof text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select t.tgname::text from mmdb.own_triggers(relation) t where (t.tgtype & 1) <> 0 and (t.tgtype & 2) <> 0
$$;
comment on function mmdb.other_triggers(regclass) is 'The table''s own BEFORE UPDATE row triggers.';

-- A condition that compares whole rows compares the vectors too; of any other that does not name the vector it is taken
-- that it leaves stores out.
create or replace function mmdb.triggers_of_stores(declared mmdb.embeddings) returns text[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(distinct t.tgname::text order by t.tgname::text)
  from mmdb.own_triggers(declared.relation) t
  cross join lateral (
    select t.tgqual is null or pg_get_triggerdef(t.oid) ~* E'\\m(old|new)\\.\\*' or exists (
      select from pg_depend d
      where d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.refobjid = t.tgrelid
        and d.refobjsubid in (declared.column_number, declared.stale_number))) may(fire)
  where t.tgenabled in ('O', 'A') and may.fire
    and (t.tgattr = ''::int2vector or declared.column_number = any(t.tgattr::smallint[])
         or declared.stale_number = any(t.tgattr::smallint[]))
$$;
comment on function mmdb.triggers_of_stores(mmdb.embeddings) is
  'The table''s own triggers that fire when a worker stores a vector, NULL where there is none.';

create or replace function mmdb.note_triggers(declared mmdb.embeddings) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  fired constant text[] := mmdb.triggers_of_stores(declared);
begin
  if fired is not null then
    raise notice 'triggers of table % fire whenever a worker stores a vector: "%"', declared.relation,
                 array_to_string(fired, '", "')
      using hint = format('where that is unwanted let their WHEN compare the columns that they are about, as in when '
                          '(old.%1$I is distinct from new.%1$I)', declared.sources[1]);
  end if;
end
$$;
comment on function mmdb.note_triggers(mmdb.embeddings) is
  'Tell who declares an embedding which triggers its stores will fire.';

create or replace function mmdb.trigger_arguments(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when declared.stale_column is null then ''
              else (select string_agg(quote_literal(a.given), ', ' order by a.place)
                    from unnest(declared.stale_column || declared.sources
                                || mmdb.says_sql(declared.relation, declared.sources, '($1).'))
                         with ordinality a(given, place)) end
$$;
comment on function mmdb.trigger_arguments(mmdb.embeddings) is
  'What the trigger is told where an old vector is kept: the column that marks, the sources, and the condition that '
  'they say something, of row $1.';

-- An application that writes back all columns that it has read sets the mark too, and brings an old vector back: hence
-- the condition on both marks.
create or replace function mmdb.fires_when(declared mmdb.embeddings, changed text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('(%1$s) and old.%2$I operator(@extschema:vector@.=) new.%2$I'
                || case when declared.stale_column is null then ''
                        else ' or old.%3$I and new.%3$I '
                             'and (old.%2$I operator(@extschema:vector@.=) new.%2$I) is not true' end,
                changed, declared.column_name, declared.stale_column)
$$;
comment on function mmdb.fires_when(mmdb.embeddings, text) is
  'The source changed, as the condition given tells, and the embedding did not: NULL, and so nothing to do, where '
  'either embedding is NULL. Where an old vector is kept also: it was marked, and another one came, or none.';

-- Texts are compared by their bytes: to a collation "red" and "RED" may be equal, to a model they are not.
create or replace function mmdb.trigger_condition(declared mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.fires_when(declared, string_agg(
    format(case when a.atttypid = 'bytea'::regtype then 'old.%1$I is distinct from new.%1$I'
                else 'old.%1$I::text collate "C" is distinct from new.%1$I::text' end, a.attname),
    ' or ' order by a.attnum))
  from pg_attribute a
  where a.attrelid = declared.relation and a.attnum = any(mmdb.base_columns(declared.relation, declared.source_numbers))
$$;
comment on function mmdb.trigger_condition(mmdb.embeddings) is 'When the trigger of an embedding fires.';

create or replace function mmdb.check_trust(relation regclass) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if not mmdb.trusts_owner(relation) then
    raise exception 'rows of table % are to be embedded again, and an update of them would run code of its owner '
                    'as "%"', relation, current_user
      using errcode = 'insufficient_privilege',
            hint = format('as %s: select mmdb.refresh(%L)',
                          (select c.relowner::regrole from pg_class c where c.oid = relation), relation);
  end if;
end
$$;
comment on function mmdb.check_trust(regclass) is
  'Refuse to update rows of a table as somebody who does not trust its owner.';

create or replace function mmdb.unset_all(declared mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.check_trust(declared.relation);
  execute mmdb.unset_sql(declared, mmdb.stored_rows(declared));
end
$$;
comment on function mmdb.unset_all(mmdb.embeddings) is
  'Make every row of a table pending, for those who may trust its owner.';

create or replace function mmdb.make_trigger(declared mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  columns text;
  later text;
begin
  select min(t.name) into later from mmdb.other_triggers(declared.relation) t(name)
  where t.name collate "C" > mmdb.trigger_name(declared.id) collate "C";
  if later is not null then
    raise exception 'trigger "%" of table % runs after the trigger of mmdb and may change a source unseen',
                    later, declared.relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('triggers run in the order of their names: alter trigger %I on %s rename to …',
                          later, mmdb.relation_sql(declared.relation));
  end if;
  if not exists (select from mmdb.other_triggers(declared.relation)) then
    select 'of ' || string_agg(quote_ident(a.attname), ', ' order by a.attnum) into columns
    from pg_attribute a
    where a.attrelid = declared.relation
      and (a.attnum = any(mmdb.base_columns(declared.relation, declared.source_numbers))
           or a.attnum = declared.column_number and declared.stale_column is not null);
  end if;
  perform mmdb.place_trigger(declared, columns, mmdb.trigger_condition(declared));
end
$$;
comment on function mmdb.make_trigger(mmdb.embeddings) is
  'The trigger that makes a row pending again when its source changes.';

create or replace function mmdb.place_trigger(declared mmdb.embeddings, columns text, condition text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  ours constant text := mmdb.trigger_name(declared.id);
  relation constant text := mmdb.relation_sql(declared.relation);
begin
  if exists (select from pg_trigger t where t.tgrelid = declared.relation and t.tgname = ours) then
    -- Else partitions would be locked before their parent, and a search, which locks it first, could end in a deadlock.
    execute format('lock table %s in access exclusive mode', relation);
  end if;
  perform mmdb.unset_attached(declared);
  execute format('drop trigger if exists %I on %s', ours, relation);
  execute format('create trigger %I before update %s on %s for each row when (%s) execute function '
                 'mmdb.unset_embedding(%s)',
                 ours, columns, relation, condition, mmdb.trigger_arguments(declared));
  execute format('alter table %s enable always trigger %I', relation, ours);
end
$$;
comment on function mmdb.place_trigger(mmdb.embeddings, text, text) is
  'Put the trigger of an embedding in the place of the one before: on updates of these columns, under this condition.';

-- PostgreSQL changes no type of a column that a trigger names. One that names no source holds every updated row for
-- changed, so that nothing is stale in the meantime, whoever writes.
create or replace function mmdb.release_sources(relation regclass) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
declare
  declared mmdb.embeddings;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  for declared in select e.* from mmdb.embeddings e where e.relation = release_sources.relation order by e.id loop
    declared := mmdb.resolved(declared);
    if mmdb.trigger_drift(declared) is not null then
      perform mmdb.unset_all(declared);
    end if;
    perform mmdb.place_trigger(declared, null, mmdb.fires_when(declared, 'true'));
    perform mmdb.record_embedding(declared);  -- the partitions have new triggers
  end loop;
end
$$;
comment on function mmdb.release_sources(regclass) is
  'Before ALTER TABLE … ALTER COLUMN … TYPE of a source, which PostgreSQL refuses otherwise; mmdb.refresh comes after '
  'it, best in the same transaction. Vectors stay, as long as the texts do: where a USING changes what they say, set '
  'the vectors to NULL. In between a row that is updated, in whatever column, is embedded again.';

create or replace function mmdb.guarded_columns(declared mmdb.embeddings) returns smallint[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array(select d.refobjsubid::smallint from pg_depend d
               where d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.refclassid = 'pg_class'::regclass
                 and d.refobjid = declared.relation
                 and d.refobjsubid not in (0, declared.column_number, coalesce(declared.stale_number, 0))
               group by 1 order by 1)
  from pg_trigger t where t.tgrelid = declared.relation and t.tgname = mmdb.trigger_name(declared.id)
$$;
comment on function mmdb.guarded_columns(mmdb.embeddings) is
  'The sources that the trigger of an embedding names: none where they are released, NULL where it is missing.';
