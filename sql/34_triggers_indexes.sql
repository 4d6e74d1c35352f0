-- What keeps a row in step with its source, and what makes it found: one trigger, two indexes.

-- Which column it unsets, the trigger reads from its own condition: a dependency that PostgreSQL keeps right
-- through renames, dumps and partitions. The other columns are kept as they are.
--
-- With arguments (on_change => 'keep') these are the name of the column that marks, and of the sources. Where one was renamed
-- since, which mmdb.status calls drift, the embedding is unset: rather no vector than an old one without its mark.
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
  execute format('select ($1).%1$I operator(@extschema:vector@.=) ($2).%1$I', embedding_column) into same using old, new;
  if same is not true then
    return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], false));  -- another vector came, or none
  end if;
  execute format('select coalesce(%s, false)', mmdb.says_sql(tg_relid, tg_argv[1:], '($1).')) into same using new;
  return jsonb_populate_record(new, case when same then jsonb_build_object(tg_argv[0], true)
                                         else jsonb_build_object(embedding_column, null, tg_argv[0], false) end);
end
$$;
comment on function mmdb.unset_embedding() is
  'Trigger: the source changed and no new embedding came with it, so the row is pending again. With arguments: it keeps the old one, and is marked.';

create or replace function mmdb.trigger_name(id bigint) returns text
language sql immutable security invoker
-- "~" sorts behind every ASCII letter: the table's own BEFORE triggers have had their say.
as $$ select format('~mmdb_unset_%s', id) $$;
comment on function mmdb.trigger_name(bigint) is 'The name of an embedding''s trigger.';

-- BEFORE UPDATE triggers that may change a source after PostgreSQL looked at the column list of the statement.
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
comment on function mmdb.trigger_arguments(mmdb.embeddings) is 'What the trigger is told: the column that marks and the sources, where an old vector is kept.';

-- By its bytes: a collation may see no difference between "red" and "RED", where a model does.
--
-- A statement that sets the mark itself brings an old vector back, as an application does that writes all columns that it read.
create or replace function mmdb.trigger_condition(made mmdb.embeddings) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('(%s) and old.%2$I operator(@extschema:vector@.=) new.%2$I'
                || case when made.stale_column is null then ''
                        else ' or old.%3$I and new.%3$I and (old.%2$I operator(@extschema:vector@.=) new.%2$I) is not true' end,
                string_agg(format(case when a.atttypid = 'bytea'::regtype then 'old.%1$I is distinct from new.%1$I'
                                       else 'old.%1$I::text collate "C" is distinct from new.%1$I::text' end, a.attname),
                           ' or ' order by a.attnum), made.column_name, made.stale_column)
  from pg_attribute a
  where a.attrelid = made.relation and a.attnum = any(mmdb.base_columns(made.relation, made.source_numbers))
$$;
comment on function mmdb.trigger_condition(mmdb.embeddings) is
  'The source changed and the embedding did not: NULL, and so nothing to do, where either embedding is NULL. Where an old vector is kept also: it was marked, and another one came, or none.';

create or replace function mmdb.unset_all(made mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if not mmdb.trusts_owner(made.relation) then
    raise exception 'all rows of table % are to be embedded again, and an update of them would run code of its owner as "%"',
                    made.relation, current_user
      using errcode = 'insufficient_privilege',
            hint = format('as %s: select mmdb.refresh(%L)', (select c.relowner::regrole from pg_class c where c.oid = made.relation), made.relation);
  end if;
  if made.stale_column is null then
    execute format('update %s set %I = null where %2$I is not null', mmdb.rows_sql(made.relation), made.column_name);
  else
    execute format('update %s set %I = case when %4$s then %2$I end, %3$I = coalesce(%4$s, false) where %2$I is not null',
                   mmdb.rows_sql(made.relation), made.column_name, made.stale_column, mmdb.says_sql(made.relation, made.sources, ''));
  end if;
end
$$;
comment on function mmdb.unset_all(mmdb.embeddings) is 'Make every row of a table pending, for those who may trust its owner.';

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
  select min(t.name) into later from mmdb.other_triggers(made.relation) t(name) where t.name collate "C" > ours collate "C";
  if later is not null then
    raise exception 'trigger "%" of table % runs after the trigger of mmdb and may change a source unseen', later, made.relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('triggers run in the order of their names: alter trigger %I on %s rename to …', later, relation);
  end if;
  if not exists (select from mmdb.other_triggers(made.relation)) then
    select 'of ' || string_agg(quote_ident(a.attname), ', ' order by a.attnum) into columns
    from pg_attribute a
    where a.attrelid = made.relation and (a.attnum = any(mmdb.base_columns(made.relation, made.source_numbers))
                                          or a.attnum = made.column_number and made.stale_column is not null);
  end if;
  if exists (select from pg_trigger t where t.tgrelid = made.relation and t.tgname = ours) then
    -- Else partitions would be locked before their parent, and a search, which locks it first, could end in a deadlock.
    execute format('lock table %s in access exclusive mode', relation);
  end if;
  execute format('drop trigger if exists %I on %s', ours, relation);
  execute format('create trigger %I before update %s on %s for each row when (%s) execute function mmdb.unset_embedding(%s)',
                 ours, columns, relation, mmdb.trigger_condition(made), mmdb.trigger_arguments(made));
  execute format('alter table %s enable always trigger %I', relation, ours);
end
$$;
comment on function mmdb.make_trigger(mmdb.embeddings) is 'The trigger that makes a row pending again when its source changes.';

create or replace function mmdb.index_name(made mmdb.embeddings, kind text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select mmdb.short_name(format('%s_%s_%s', made.prefix, made.name, kind), made.id) $$;
comment on function mmdb.index_name(mmdb.embeddings, text) is 'The name of an embedding''s index: pending or hnsw.';

create or replace function mmdb.storage_parameters(options jsonb) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(' with (' || string_agg(format('%I = %s', o.key, o.value::integer), ', ' order by o.key) || ')', '')
  from jsonb_each_text(options - array['type', 'quantization']) o
$$;
comment on function mmdb.storage_parameters(jsonb) is 'The storage parameters of an HNSW index as a clause of create index.';

create or replace function mmdb.index_definition(made mmdb.embeddings, kind text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case kind
    when 'hnsw' then format('using hnsw (%s)%s',
      case when mmdb.is_quantized(made) then format('(%s) @extschema:vector@.bit_hamming_ops', mmdb.signs_sql(made, quote_ident(made.column_name)))
           else format('%I %s', made.column_name,
                       mmdb.operator_class(made.column_type, (select m.distance from mmdb.models m where m.name = made.model))) end,
      mmdb.storage_parameters(made.index_options))
    else format('(%s) where %s', k.columns, mmdb.pending_sql(made, ''))
  end
  from mmdb.key_sql(made.relation) k
$$;
comment on function mmdb.index_definition(mmdb.embeddings, text) is 'What stands behind "create index … on T".';

-- An index of this table that serves, whoever made it: by its condition, or for HNSW by its column.
create or replace function mmdb.serving_index(made mmdb.embeddings, relation regclass, kind text) returns regclass
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select i.indexrelid::regclass
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
  join pg_am m on m.oid = c.relam
  join pg_attribute a on a.attrelid = i.indrelid and a.attname = made.column_name
  where i.indrelid = serving_index.relation and i.indisvalid
    and case when kind = 'pending' then m.amname = 'btree' and position(format('(%I IS NULL)', a.attname) in pg_get_expr(i.indpred, i.indrelid)) > 0
             else m.amname = 'hnsw' and i.indpred is null and i.indkey[0] = case when mmdb.is_quantized(made) then 0 else a.attnum end end
    and exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                  and d.refobjid = i.indrelid and d.refobjsubid = a.attnum)
  order by i.indexrelid limit 1
$$;
comment on function mmdb.serving_index(mmdb.embeddings, regclass, text) is 'A valid index that serves this embedding, NULL where there is none.';

create or replace function mmdb.index_statements(relation regclass, name text, concurrent boolean default true)
returns setof text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  made constant mmdb.embeddings := mmdb.embedding_of(relation, name);
  kind text;
begin
  foreach kind in array array['pending', 'hnsw'] loop
    if mmdb.serving_index(made, made.relation, kind) is not null or (kind = 'hnsw' and made.index_options ->> 'type' = 'none') then
      continue;
    elsif concurrent and (select c.relkind = 'p' from pg_class c where c.oid = made.relation) then
      return query select mmdb.partition_index_statements(made, kind);
    elsif concurrent then
      return query select * from unnest(array[
        format('drop index concurrently if exists %s.%I', made.function_schema, mmdb.index_name(made, kind)),
        format('create index concurrently %I on %s %s', mmdb.index_name(made, kind),
               mmdb.relation_sql(made.relation), mmdb.index_definition(made, kind))]);
    else
      -- Left by a declaration with other options over a column that it had adopted.
      return query select format('drop index %s.%I', made.function_schema, c.relname)
      from pg_index i join pg_class c on c.oid = i.indexrelid
      where i.indrelid = made.relation and c.relname = mmdb.index_name(made, kind);
      return next format('create index %I on %s %s', mmdb.index_name(made, kind),
                         mmdb.relation_sql(made.relation), mmdb.index_definition(made, kind));
    end if;
  end loop;
end
$$;
comment on function mmdb.index_statements(regclass, text, boolean) is
  'The statements that build the missing indexes of an embedding; with concurrent (the default) each is to be run by itself, outside a transaction, and blocks no writer. `mmdb add` runs them.';

-- PostgreSQL builds no index of a partitioned table concurrently: an invalid one on the parent alone, one
-- concurrently on each leaf, attached; the parent's turns valid with the last of them.
create or replace function mmdb.partition_index_statements(made mmdb.embeddings, kind text) returns setof text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with tree as (
    select t.relid, t.parentrelid, t.isleaf, t.level, n.nspname,
           mmdb.short_name(format('%s_%s', mmdb.index_name(made, kind), case when t.level > 0 then c.relname end), c.oid::bigint) as leaf_name,
           mmdb.index_name(made, kind) as root_name
    from pg_partition_tree(made.relation) t
    join pg_class c on c.oid = t.relid
    join pg_namespace n on n.oid = c.relnamespace
  ), named as (
    select t.*, case when t.level = 0 then t.root_name else t.leaf_name end as index_name from tree t
  ), statements(place, level, statement) as (
    select 1, n.level, format('drop index if exists %I.%I', n.nspname, n.index_name) from named n where n.level = 0
    union all
    select 2, n.level, format('create index %I on only %s %s', n.index_name, mmdb.relation_sql(n.relid), mmdb.index_definition(made, kind))
    from named n where not n.isleaf
    union all
    select 3, n.level, format('drop index concurrently if exists %I.%I', n.nspname, n.index_name) from named n where n.isleaf and n.level > 0
    union all
    select 4, n.level, format('create index concurrently %I on %s %s', n.index_name, mmdb.relation_sql(n.relid), mmdb.index_definition(made, kind))
    from named n where n.isleaf and n.level > 0
    union all
    select 5, -n.level, format('alter index %I.%I attach partition %I.%I', u.nspname, u.index_name, n.nspname, n.index_name)
    from named n join named u on u.relid = n.parentrelid where n.level > 0
  )
  select s.statement from statements s order by s.place, s.level
$$;
comment on function mmdb.partition_index_statements(mmdb.embeddings, text) is 'The statements that build an index partition by partition.';
