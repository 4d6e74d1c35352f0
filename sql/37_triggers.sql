-- What keeps a row in step with its source: one trigger for each embedding.

-- The trigger reads from its own condition which column it unsets: PostgreSQL keeps that dependency right through
-- renames, dumps and partitions. It leaves the other columns as they are.
--
-- If it has arguments (on_change => 'keep'), they are the names of the column that marks stale rows and of the sources.
-- If one of these was renamed since, which mmdb.status calls drift, the embedding is unset: no vector is better than an
-- old one without its mark.
create or replace function mmdb.unset_embedding() returns trigger
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
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
  elsif (select count(*) from pg_attribute a where a.attrelid = tg_relid and a.attname = any(tg_argv)) < tg_nargs then
    return jsonb_populate_record(new, jsonb_build_object(embedding_column, null));
  end if;
  execute format('select ($1).%1$I operator(@extschema:vector@.=) ($2).%1$I', embedding_column)
  into same using old, new;
  if same is not true then
    return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], false));  -- another vector came, or none
  end if;
  execute format('select coalesce(%s, false)', mmdb.says_sql(tg_relid, tg_argv[1:], '($1).')) into same using new;
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

-- These may change a source although the statement does not name it: PostgreSQL compares a trigger's column list with
-- the statement before any trigger runs.
create or replace function mmdb.other_triggers(relation regclass) returns setof text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select t.tgname::text
  from pg_trigger t
  where t.tgrelid in (select relation union select i.relid from pg_partition_tree(relation) i)
    and not t.tgisinternal and t.tgfoid <> 'mmdb.unset_embedding'::regproc
    and (t.tgtype & 1) <> 0 and (t.tgtype & 2) <> 0 and (t.tgtype & 16) <> 0
$$;
comment on function mmdb.other_triggers(regclass) is 'The table''s own BEFORE UPDATE row triggers.';

create or replace function mmdb.trigger_arguments(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when made.stale_column is null then ''
              else (select string_agg(quote_literal(a.name), ', ' order by a.place)
                    from unnest(made.stale_column || made.sources) with ordinality a(name, place)) end
$$;
comment on function mmdb.trigger_arguments(mmdb.embeddings) is
  'What the trigger is told: the column that marks and the sources, where an old vector is kept.';

-- Texts are compared by their bytes: to a collation "red" and "RED" may be equal, to a model they are not.
--
-- An application that writes back all columns that it has read sets the mark too, and brings an old vector back: hence
-- the condition on both marks.
create or replace function mmdb.trigger_condition(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('(%s) and old.%2$I operator(@extschema:vector@.=) new.%2$I'
                || case when made.stale_column is null then ''
                        else ' or old.%3$I and new.%3$I '
                             'and (old.%2$I operator(@extschema:vector@.=) new.%2$I) is not true' end,
                string_agg(format(case when a.atttypid = 'bytea'::regtype then 'old.%1$I is distinct from new.%1$I'
                                       else 'old.%1$I::text collate "C" is distinct from new.%1$I::text' end,
                                  a.attname),
                           ' or ' order by a.attnum), made.column_name, made.stale_column)
  from pg_attribute a
  where a.attrelid = made.relation and a.attnum = any(mmdb.base_columns(made.relation, made.source_numbers))
$$;
comment on function mmdb.trigger_condition(mmdb.embeddings) is
  'The source changed and the embedding did not: NULL, and so nothing to do, where either embedding is NULL. Where an '
  'old vector is kept also: it was marked, and another one came, or none.';

create or replace function mmdb.unset_all(made mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if not mmdb.trusts_owner(made.relation) then
    raise exception 'all rows of table % are to be embedded again, and an update of them would run code of its '
                    'owner as "%"',
                    made.relation, current_user
      using errcode = 'insufficient_privilege',
            hint = format('as %s: select mmdb.refresh(%L)',
                          (select c.relowner::regrole from pg_class c where c.oid = made.relation), made.relation);
  end if;
  if made.stale_column is null then
    execute format('update %s set %I = null where %2$I is not null', mmdb.rows_sql(made.relation), made.column_name);
  else
    execute format('update %s set %I = case when %4$s then %2$I end, %3$I = coalesce(%4$s, false) where '
                   '%2$I is not null',
                   mmdb.rows_sql(made.relation), made.column_name, made.stale_column,
                   mmdb.says_sql(made.relation, made.sources, ''));
  end if;
end
$$;
comment on function mmdb.unset_all(mmdb.embeddings) is
  'Make every row of a table pending, for those who may trust its owner.';

create or replace function mmdb.make_trigger(made mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  ours constant text := mmdb.trigger_name(made.id);
  relation constant text := mmdb.relation_sql(made.relation);
  columns text;
  later text;
begin
  select min(t.name) into later from mmdb.other_triggers(made.relation) t(name)
  where t.name collate "C" > ours collate "C";
  if later is not null then
    raise exception 'trigger "%" of table % runs after the trigger of mmdb and may change a source unseen',
                    later, made.relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('triggers run in the order of their names: alter trigger %I on %s rename to …',
                          later, relation);
  end if;
  if not exists (select from mmdb.other_triggers(made.relation)) then
    select 'of ' || string_agg(quote_ident(a.attname), ', ' order by a.attnum) into columns
    from pg_attribute a
    where a.attrelid = made.relation and (a.attnum = any(mmdb.base_columns(made.relation, made.source_numbers))
                                          or a.attnum = made.column_number and made.stale_column is not null);
  end if;
  execute format('drop trigger if exists %I on %s', ours, relation);
  execute format('create trigger %I before update %s on %s for each row when (%s) execute function '
                 'mmdb.unset_embedding(%s)',
                 ours, columns, relation, mmdb.trigger_condition(made), mmdb.trigger_arguments(made));
  execute format('alter table %s enable always trigger %I', relation, ours);
end
$$;
comment on function mmdb.make_trigger(mmdb.embeddings) is
  'The trigger that makes a row pending again when its source changes.';
