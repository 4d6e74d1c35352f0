-- mmdb.doctor: what is wrong with the installation, each finding with its remedy.

create or replace function mmdb.doctor() returns table (subject text, level text, finding text, remedy text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
  select 'postgresql', case when v.n < 150000 then 'error' when v.n < v.minimum then 'warning' else 'ok' end,
         current_setting('server_version'),
         case when v.n < v.minimum
                then 'upgrade: 15.9, 16.5, 17.1 and later close CVE-2024-10976 (row policies in inlined functions)' end
  from (select s.n, case s.n / 10000 when 15 then 150009 when 16 then 160005 when 17 then 170001 else 150009 end
        from (select current_setting('server_version_num')::integer) s(n)) v(n, minimum)
  union all
  select 'extension ' || w.name, case when e.extversion is null then 'error' else 'ok' end,
         coalesce(e.extversion, 'missing'),
         case when e.extversion is null then format('create extension %I', w.name) end
  from unnest(array['vector', 'dblink', 'pg_trgm']) w(name) left join pg_extension e on e.extname = w.name
  union all
  select 'setting hnsw.iterative_scan', case when s.value is null or s.value = 'off' then 'warning' else 'ok' end,
         coalesce(s.value, 'not set'),
         case when s.value is null or s.value = 'off'
                then 'filtered searches may return too few rows: run `mmdb init` again' end
  from (select max(split_part(c.setting, '=', 2)) from pg_db_role_setting r cross join unnest(r.setconfig) c(setting)
        where r.setdatabase = (select d.oid from pg_database d where d.datname = current_database()) and r.setrole = 0
          and c.setting like 'hnsw.iterative_scan=%') s(value)
  union all
  select 'loopback', case when l.problem is null then 'ok' else 'error' end,
         coalesce(l.problem, 'leads back into this database'), l.remedy
  from mmdb.try_loopback() l
  union all
  select 'worker', case when count(*) filter (where w.alive) = 0 then 'error' else 'ok' end,
         format('%s alive', count(*) filter (where w.alive)),
         case when count(*) filter (where w.alive) = 0 then 'start one: `mmdb worker` (or `mmdb up`)' end
  from mmdb.workers w
  union all
  select format('model %s', e.model), 'warning',
         format('no live worker serves it; bound to it are: %s',
                string_agg(format('%s of %s', e.name, e.relation), ', ' order by e.id)),
         format('where a worker runs, `mmdb models test %s` says why it does not; `mmdb worker --model %1$s` serves '
                'this one alone', e.model)
  from mmdb.embeddings e join pg_class c on c.oid = e.relation
  where exists (select from mmdb.workers w where w.alive)
    and not exists (select from mmdb.workers w where w.alive and e.model = any(w.models))
  group by e.model
  union all
  select f.* from mmdb.doctor_filters() f
  union all
  select d.subject, 'warning', d.parts[1], d.parts[2]
  from (select format('embedding %s of %s', e.name, e.relation), coalesce(mmdb.drift(e.id), mmdb.partition_drift(e))
        from mmdb.embeddings e
        union all
        select format('recall of %s', c.function), c.drift from mmdb.every_contract c) f(subject, drift)
  cross join lateral (select f.subject, regexp_match(f.drift, '^(.*?): (.*)$')) d(subject, parts)
  where f.drift is not null
  union all
  select format('rows of %s of %s', e.name, e.relation), 'warning',
         format('%s could not be embedded, of which %s wait for another try', count(*),
                count(*) filter (where l.retry_at < 'infinity')),
         format('why: select key, error from mmdb.failures where relation = %L::regclass; then: '
                'select mmdb.retry(%1$L)', e.relation)
  from mmdb.leases l join mmdb.embeddings e on e.id = l.embedding join pg_class c on c.oid = e.relation
  where l.error is not null and l.worker is null
  group by e.id, e.name, e.relation
  union all
  select format('column %s of %s, without an embedding', l.column_name, l.relation), 'warning',
         'it looks as if an embedding had filled it, and nothing keeps it in step: was the table renamed?',
         l.remedy || ' declares it over these vectors'
  from mmdb.lost_embeddings() l
  union all
  select format('index of %s of %s', e.name, e.relation), 'warning', 'no HNSW index: searches scan the whole table',
         format('`%s` builds it', mmdb.add_command(e))
  from mmdb.embeddings e join pg_class c on c.oid = e.relation
  where mmdb.serving_index(e, 'hnsw') is null and e.index_options ->> 'type' is distinct from 'none'
  union all
  select format('keywords %s of %s', w.name, w.relation), 'warning',
         'its index is of an earlier mmdb and refuses a row whose text has too many words',
         format('select mmdb.drop_keywords(%1$L, %2$L); select mmdb.add_keywords(%1$L, %3$L, %4$L, %2$L)', w.relation,
                w.name, w.columns, w.language)
  from mmdb.keywords w join pg_class c on c.oid = w.relation
  where mmdb.keywords_index_found(w) = 'former'
  union all
  select format('memory for the index of %s of %s', e.name, e.relation), 'warning',
         format('the graph needs about %s, maintenance_work_mem is %s', pg_size_pretty(g.need),
                current_setting('maintenance_work_mem')),
         format('before building it: set maintenance_work_mem = ''%sMB''', g.need / 1048576 + 64)
  from mmdb.embeddings e join pg_class c on c.oid = e.relation
  -- An element of pgvector's graph: the vector, about 2 * m neighbours of 8 bytes and 200 bytes of bookkeeping.
  cross join lateral (select (c.reltuples * (e.dimensions * 2 + 512))::bigint) g(need)
  where g.need > pg_size_bytes(current_setting('maintenance_work_mem'))
$$;
comment on function mmdb.doctor() is
  'What is wrong with this installation, as seen from the database, with remedies. `mmdb doctor` adds what is seen '
  'from the machine.';
