-- Partitions that were attached with vectors in them. While a table stood alone no trigger of ours watched it: if its
-- rows were changed, their vectors are of former sources, and nothing in the rows says so.

-- Each ATTACH clones our trigger anew, so those that are known tell which partitions came later. CREATE TABLE …
-- PARTITION OF makes table and trigger in one transaction: the columns that every table has show in which it was made.
create or replace function mmdb.partition_triggers(declared mmdb.embeddings)
returns table (partition regclass, trigger oid, since xid, command bigint, made_at_once boolean)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select t.tgrelid::regclass, t.oid, t.xmin, t.cmin::text::bigint, t.xmin::text = a.xmin::text
  from pg_partition_tree(declared.relation) l
  join pg_trigger t on t.tgrelid = l.relid and t.tgname = mmdb.trigger_name(declared.id)
  join pg_attribute a on a.attrelid = l.relid and a.attname = 'tableoid' and a.attnum < 0
  where l.isleaf and l.level > 0
$$;
comment on function mmdb.partition_triggers(mmdb.embeddings) is
  'The triggers of an embedding on its partitions, with the transaction and the command in it that made each, and '
  'whether that transaction made the table too.';

create or replace function mmdb.new_partitions(declared mmdb.embeddings)
returns table (partition regclass, since xid, command bigint, made_at_once boolean)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select t.partition, t.since, t.command, t.made_at_once
  from mmdb.partition_triggers(declared) t
  where declared.attached_to = mmdb.attachment(declared.relation) and t.trigger <> all(declared.known_triggers)
    and pg_relation_size(t.partition) > 0
$$;
comment on function mmdb.new_partitions(mmdb.embeddings) is
  'The partitions with rows that came since an embedding was declared or refreshed.';

-- The trigger is as old as the attachment. Rows that are older and have a vector came with it; rows that came later,
-- as into a partition that was made ahead, got theirs from a worker. What came with it begins on the first pages.
create or replace function mmdb.brings_vectors_sql(
  declared mmdb.embeddings, partition regclass, since xid, command bigint, pages bigint default 4294967295
) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('exists (select from only %s p where p.ctid < %L::tid and %s and (age(p.xmin) > age(%L::xid) '
                'or p.xmin = %4$L::xid and p.cmin::text::bigint < %s))',
                mmdb.relation_sql(partition), format('(%s,0)', pages), mmdb.present_sql(declared), since, command)
$$;
comment on function mmdb.brings_vectors_sql(mmdb.embeddings, regclass, xid, bigint, bigint) is
  'The condition "this partition has rows with vectors that are older than its trigger", among its first pages.';

-- Whoever may read the table, and trusts its owner, is told what is so; others what may be so.
create or replace function mmdb.partition_drift(declared mmdb.embeddings) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  found_new record;
  trusted constant boolean := mmdb.trusts_owner(declared.relation);
  told boolean;
  brings boolean;
begin
  for found_new in select n.* from mmdb.new_partitions(declared) n loop
    told := trusted and has_table_privilege(found_new.partition, 'select')
            and not row_security_active(found_new.partition);
    brings := not found_new.made_at_once;
    if told then
      execute 'select ' || mmdb.brings_vectors_sql(declared, found_new.partition, found_new.since, found_new.command,
                                                   case when found_new.made_at_once then 16 else 8192 end)
      into brings;
    end if;
    if brings then
      return format('partition %s was attached, and %s vectors of sources that nobody watched: select '
                    'mmdb.refresh(%L) has its rows embedded again, mmdb.keep_vectors(%3$L) takes them as they are',
                    found_new.partition, case when told then 'brought' else 'may have brought' end,
                    declared.relation);
    end if;
  end loop;
  return null;
exception when undefined_column or undefined_table then
  return null;  -- mmdb.drift says so
end
$$;
comment on function mmdb.partition_drift(mmdb.embeddings) is
  'Which partition came with vectors that nobody knows, with the remedy; NULL for none.';

create or replace function mmdb.partition_drift_of(id bigint) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select mmdb.partition_drift(e) from mmdb.embeddings e where e.id = partition_drift_of.id $$;
comment on function mmdb.partition_drift_of(bigint) is 'mmdb.partition_drift by an embedding''s id.';

create or replace function mmdb.unset_attached(declared mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  found_new record;
  brings boolean;
begin
  for found_new in select n.* from mmdb.new_partitions(declared) n loop
    continue when found_new.made_at_once and not mmdb.trusts_owner(declared.relation);
    perform mmdb.check_trust(declared.relation);
    execute 'select ' || mmdb.brings_vectors_sql(declared, found_new.partition, found_new.since, found_new.command)
    into brings;
    if brings then
      -- All of it: a row that was changed since, in another column, is as new as one that a worker stored.
      execute mmdb.unset_sql(declared, 'only ' || mmdb.relation_sql(found_new.partition) || ' p');
    end if;
  end loop;
end
$$;
comment on function mmdb.unset_attached(mmdb.embeddings) is
  'Make the rows of attached partitions pending that came with vectors.';

create or replace function mmdb.keep_vectors(relation regclass) returns setof mmdb.embeddings
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off set bytea_output = 'hex'
as $$
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  return query
  select r.* from mmdb.embeddings e cross join lateral mmdb.record_embedding(mmdb.resolved(e)) r
  where e.relation = keep_vectors.relation order by r.id;
end
$$;
comment on function mmdb.keep_vectors(regclass) is
  'Take the vectors that attached partitions brought along for those of their sources, instead of embedding the rows '
  'again by mmdb.refresh: for who knows that the sources are as they were.';
