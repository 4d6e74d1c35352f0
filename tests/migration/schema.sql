-- Schema mmdb of a fresh install, written by `make schema`. Do not edit: change sql/ or migrations/.

CREATE SCHEMA mmdb;
CREATE TYPE mmdb.search_source AS (
	relation regclass,
	source text,
	key text,
	columns text,
	distance text,
	present text,
	within text
);
COMMENT ON TYPE mmdb.search_source IS 'The pieces of SQL that a search of one embedding is made of.';
CREATE TYPE mmdb.search_leg AS (
	name text,
	model text,
	modalities text[],
	column_type text,
	parts mmdb.search_source,
	matches text,
	closeness text
);
COMMENT ON TYPE mmdb.search_leg IS 'One of the searches that T_search fuses.';
CREATE TABLE mmdb.embeddings (
    id bigint NOT NULL,
    relation regclass NOT NULL,
    name text NOT NULL,
    sources text[] NOT NULL,
    source_numbers smallint[] NOT NULL,
    column_name text NOT NULL,
    column_number smallint NOT NULL,
    column_type text NOT NULL,
    modality text NOT NULL,
    by_uri boolean NOT NULL,
    model text NOT NULL,
    storage text DEFAULT 'column'::text NOT NULL,
    prefix text NOT NULL,
    function_schema text NOT NULL,
    adopted boolean NOT NULL,
    attached_to text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    pass_hash bytea NOT NULL,
    source_expressions oid[] DEFAULT '{}'::oid[] NOT NULL,
    index_options jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT embeddings_modality CHECK ((modality = ANY (ARRAY['text'::text, 'image'::text]))),
    CONSTRAINT embeddings_storage CHECK ((storage = ANY (ARRAY['column'::text, 'companion'::text])))
);
COMMENT ON TABLE mmdb.embeddings IS 'One row for each declared embedding: which column of which table follows which sources by which model.';
COMMENT ON COLUMN mmdb.embeddings.source_numbers IS 'The sources'' column numbers: they survive a rename and are valid while attached_to names this very table.';
COMMENT ON COLUMN mmdb.embeddings.adopted IS 'The column was there before: drop_embedding leaves it.';
COMMENT ON COLUMN mmdb.embeddings.attached_to IS 'Cluster, database and table in which the column numbers were taken; after a restore the names count instead.';
COMMENT ON COLUMN mmdb.embeddings.pass_hash IS 'SHA-256 of the pass that the functions of this embedding ask for.';
COMMENT ON COLUMN mmdb.embeddings.source_expressions IS 'The generation expressions of the sources (pg_attrdef): another one makes another source of the same columns.';
COMMENT ON COLUMN mmdb.embeddings.index_options IS 'The HNSW index: m, ef_construction, or type none. Empty: an index with pgvector''s own parameters.';
CREATE FUNCTION mmdb.add_embedding(relation regclass, sources text[], model text DEFAULT NULL::text, modality text DEFAULT NULL::text, name text DEFAULT NULL::text, storage text DEFAULT 'column'::text, index boolean DEFAULT true, prefix text DEFAULT NULL::text, index_options jsonb DEFAULT NULL::jsonb, distance text DEFAULT NULL::text) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    AS $$
#variable_conflict use_variable
declare
  made mmdb.embeddings;
  statement text;
  pass constant uuid := gen_random_uuid();
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  made := mmdb.plan_embedding(relation, sources, model, modality, name, storage, prefix, index_options, distance);
  made.pass_hash := sha256(convert_to(pass::text, 'UTF8'));
  if made.adopted then
    perform mmdb.warn_of_adopted(made);
  else
    execute format('alter table %s add column %I %s', mmdb.relation_sql(relation), made.column_name, made.column_type);
  end if;
  select a.attnum, format_type(a.atttypid, a.atttypmod) into made.column_number, made.column_type
  from pg_attribute a where a.attrelid = relation and a.attname = made.column_name;
  perform mmdb.make_trigger(made);
  perform mmdb.make_worker_functions(made);
  perform mmdb.make_search_views(made);
  perform mmdb.remake_other_views(relation, made.id);
  made := mmdb.record_embedding(made, pass);
  perform mmdb.make_table_functions(relation);
  if index then
    for statement in select mmdb.index_statements(relation, made.name, concurrent => false) loop
      execute statement;
    end loop;
  end if;
  return made;
end
$$;
COMMENT ON FUNCTION mmdb.add_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text) IS 'Declare an embedding over several text columns as one source. See add_embedding(regclass, text, …).';
CREATE FUNCTION mmdb.add_embedding(relation regclass, source text, model text DEFAULT NULL::text, modality text DEFAULT NULL::text, name text DEFAULT NULL::text, storage text DEFAULT 'column'::text, index boolean DEFAULT true, prefix text DEFAULT NULL::text, index_options jsonb DEFAULT NULL::jsonb, distance text DEFAULT NULL::text) RETURNS mmdb.embeddings
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select a.* from mmdb.add_embedding(
    relation, array[source], model, modality, name, storage, index, prefix, index_options, distance) a
$$;
COMMENT ON FUNCTION mmdb.add_embedding(relation regclass, source text, model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text) IS 'Declare an embedding: adds the column NAME_embedding to the table, a trigger that unsets it when the source changes, the search views T_by_NAME, and the indexes; existing rows are pending and a worker fills them. Source: bytea (an image), text, or with modality => ''image'' text that holds a URI. Building the indexes blocks writers of the table; index => false leaves them to `mmdb add`, which builds them concurrently. Name: the source''s unless given. Prefix: stands for the table in function names. Index_options: m and ef_construction of the HNSW index, or {"type": "none"} for no HNSW index. Distance: refuse a model that has another one.';
CREATE TABLE mmdb.keywords (
    id bigint NOT NULL,
    relation regclass NOT NULL,
    name text NOT NULL,
    columns text[] NOT NULL,
    language text NOT NULL,
    index_name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE mmdb.keywords IS 'Columns that are searched by words: one leg of T_search each, and one index.';
CREATE FUNCTION mmdb.add_keywords(relation regclass, columns text[], language text DEFAULT 'simple'::text, name text DEFAULT 'keywords'::text, index boolean DEFAULT true) RETURNS mmdb.keywords
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    AS $$
#variable_conflict use_variable
declare
  made mmdb.keywords;
  modality record;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  if coalesce(cardinality(columns), 0) = 0 then
    raise exception 'keywords of table % need at least one column', relation using errcode = 'invalid_parameter_value';
  elsif exists (select from mmdb.keywords w where w.relation = relation and w.name = name)
        or exists (select from mmdb.embeddings e where e.relation = relation and e.name = name) then
    raise exception 'table % has a leg "%" already', relation, name
      using errcode = 'duplicate_object', hint = 'give another name => ''…'': it names the leg in weights and ranks';
  end if;
  modality := mmdb.source_modality(relation, mmdb.column_numbers(relation, columns), 'text');
  made.relation := relation;
  made.name := name;
  made.columns := columns;
  made.language := language;
  made.index_name := mmdb.short_name(format('%s_%s', (select c.relname from pg_class c where c.oid = relation), name), relation::oid::bigint);
  if index then
    execute mmdb.keywords_index(made);
  end if;
  made := mmdb.record_keywords(made);
  perform mmdb.make_table_functions(relation);
  return made;
end
$$;
COMMENT ON FUNCTION mmdb.add_keywords(relation regclass, columns text[], language text, name text, index boolean) IS 'Have T_search look for words in these text columns too: builds a GIN index and adds a leg. Language: a text search configuration (english, german, simple, …), chinese, japanese, korean or thai, or trigram, which forgives typing errors. Building the index blocks writers; index => false leaves it to you: the statement is mmdb.keywords_index(k) of the row that comes back.';
CREATE TABLE mmdb.models (
    name text NOT NULL,
    backend text NOT NULL,
    model text NOT NULL,
    revision text,
    dimensions integer NOT NULL,
    modalities text[] NOT NULL,
    distance text DEFAULT 'cosine'::text NOT NULL,
    query_prompt text,
    document_prompt text,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    identity text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT models_dimensions CHECK (((dimensions >= 1) AND (dimensions <= 16000))),
    CONSTRAINT models_distance CHECK ((distance = ANY (ARRAY['cosine'::text, 'l2'::text, 'inner_product'::text]))),
    CONSTRAINT models_modalities CHECK (((modalities <@ ARRAY['text'::text, 'image'::text]) AND (cardinality(modalities) > 0))),
    CONSTRAINT models_name_plain CHECK ((name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'::text))
);
COMMENT ON TABLE mmdb.models IS 'Every model an embedding can be bound to. A model''s identity is fixed once an embedding uses it.';
CREATE FUNCTION mmdb.add_model(name text, backend text, model text, dimensions integer, modalities text[], identity text, distance text DEFAULT 'cosine'::text, revision text DEFAULT NULL::text, query_prompt text DEFAULT NULL::text, document_prompt text DEFAULT NULL::text, options jsonb DEFAULT '{}'::jsonb) RETURNS mmdb.models
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.add_model(name text, backend text, model text, dimensions integer, modalities text[], identity text, distance text, revision text, query_prompt text, document_prompt text, options jsonb) IS 'Register a model. Its identity is fixed once an embedding uses it; an unused one is replaced.';
CREATE FUNCTION mmdb.answer_query(token uuid, embedding public.vector, error text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  update mmdb.queries q
  set embedding = answer_query.embedding::real[], error = answer_query.error, answered_at = clock_timestamp(),
      content = null, data = null
  where q.token = answer_query.token
$$;
COMMENT ON FUNCTION mmdb.answer_query(token uuid, embedding public.vector, error text) IS 'Worker only: store the vector (or the error) of a query and forget the query itself.';
CREATE FUNCTION mmdb.ask(model text, modality text, content text, data bytea) RETURNS real[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  answer record;
  question uuid;
  give_up constant timestamptz := clock_timestamp()
    + coalesce(mmdb.setting('embed_timeout_ms'), '30000')::integer * interval '1 millisecond';
  polls integer := 0;
begin
  answer := mmdb.loopback(format(
    'select * from mmdb.post_query(%L, %L, %L, %L, %L)', mmdb.here(pg_is_in_recovery()), model, modality, content, data));
  question := answer.token;
  while answer.embedding is null and answer.problem is null loop
    if clock_timestamp() > give_up then
      raise exception 'no worker answered the query for model "%" in time', model
        using errcode = 'query_canceled',
              hint = 'see `mmdb status`; the limit is mmdb.set_setting(''embed_timeout_ms'', …)';
    end if;
    perform pg_sleep(case when polls < 10 then 0.0003 when polls < 40 then 0.001 else 0.01 end);
    polls := polls + 1;
    answer := mmdb.loopback(format('select null::uuid, p.* from mmdb.poll_query(%L) p', question));
  end loop;
  perform mmdb.refuse_problem(answer.problem, model);
  return answer.embedding;
end
$$;
COMMENT ON FUNCTION mmdb.ask(model text, modality text, content text, data bytea) IS 'Post a query, wait for a worker''s answer, return the vector.';
CREATE FUNCTION mmdb.attachment(relation regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%s/%s/%s', c.system_identifier, d.oid, relation::oid)
  from pg_control_system() c, pg_database d
  where d.datname = current_database()
$$;
COMMENT ON FUNCTION mmdb.attachment(relation regclass) IS 'Cluster, database and table as one text: where column numbers are valid.';
CREATE FUNCTION mmdb.base_columns(relation regclass, numbers smallint[]) RETURNS smallint[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array_agg(distinct b.number order by b.number)
  from pg_attribute a
  cross join lateral (
    select a.attnum where a.attgenerated = ''
    union all
    select d.refobjsubid::smallint
    from pg_attrdef f
    join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
                    and d.refclassid = 'pg_class'::regclass and d.refobjid = relation
                    and d.refobjsubid not in (0, a.attnum)
    where a.attgenerated <> '' and f.adrelid = relation and f.adnum = a.attnum
  ) b(number)
  where a.attrelid = relation and a.attnum = any(numbers)
$$;
COMMENT ON FUNCTION mmdb.base_columns(relation regclass, numbers smallint[]) IS 'The plain columns whose change changes these sources.';
CREATE FUNCTION mmdb.beat(worker integer, lease interval) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.guard_session();
  update mmdb.worker_sessions w set heartbeat_at = clock_timestamp() where w.id = beat.worker;
  if not found then
    return false;
  end if;
  -- Not those that a store holds: nobody takes them over meanwhile, and it may take longer than a heartbeat can wait.
  update mmdb.leases l set expires_at = clock_timestamp() + lease
  where (l.embedding, l.key) in (select m.embedding, m.key from mmdb.leases m where m.worker = beat.worker for update skip locked);
  return true;
end
$$;
COMMENT ON FUNCTION mmdb.beat(worker integer, lease interval) IS 'Heartbeat: the worker''s leases last on. False when the worker was forgotten.';
CREATE FUNCTION mmdb.caught_up(embedding bigint) RETURNS double precision
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  -- Said at every poll; written down every ten seconds.
  update mmdb.progress p set caught_up_at = clock_timestamp()
  where p.embedding = caught_up.embedding
    and (p.caught_up_at is null or p.caught_up_at < clock_timestamp() - interval '10 seconds');
  select extract(epoch from min(l.retry_at) - clock_timestamp())::double precision
  from mmdb.leases l
  where l.embedding = caught_up.embedding and l.worker is null and l.retry_at < 'infinity'
$$;
COMMENT ON FUNCTION mmdb.caught_up(embedding bigint) IS 'Worker only: nothing was pending just now but what waits or failed. Returns the seconds until the next waiting row, NULL where none waits.';
CREATE FUNCTION mmdb.check_column(planned mmdb.embeddings) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_type text;
begin
  select format_type(a.atttypid, a.atttypmod) into found_type
  from pg_attribute a
  where a.attrelid = planned.relation and a.attname = planned.column_name and a.attnum > 0 and not a.attisdropped;
  if found_type is null then
    return false;
  elsif found_type not in (planned.column_type, replace(planned.column_type, 'halfvec(', 'vector(')) then
    raise exception 'table % has a column "%" of type %, expected %', planned.relation, planned.column_name,
                    found_type, planned.column_type
      using errcode = 'duplicate_column', hint = 'give another name => ''…'', or drop that column';
  end if;
  return true;
end
$$;
COMMENT ON FUNCTION mmdb.check_column(planned mmdb.embeddings) IS 'Whether a column of the right name and type is there to be adopted.';
CREATE FUNCTION mmdb.check_index_options(options jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  found_option record;
begin
  if options ->> 'type' not in ('hnsw', 'none') then
    raise exception 'unknown index type "%"', options ->> 'type'
      using errcode = 'invalid_parameter_value', hint = 'types: hnsw, none (searches scan the table)';
  end if;
  for found_option in select o.key, o.value, k.least, k.most
                      from jsonb_each(options - 'type') o
                      left join (values ('m', 2, 100), ('ef_construction', 4, 1000)) k(name, least, most) on k.name = o.key loop
    if found_option.least is null then
      raise exception 'unknown index option "%"', found_option.key
        using errcode = 'invalid_parameter_value', hint = 'options: type (hnsw or none), m, ef_construction';
    elsif jsonb_typeof(found_option.value) <> 'number' or found_option.value::text !~ '^[0-9]{1,4}$'
          or found_option.value::integer not between found_option.least and found_option.most then
      raise exception 'index option "%" is %, expected a whole number from % to %', found_option.key, found_option.value, found_option.least, found_option.most
        using errcode = 'invalid_parameter_value';
    end if;
  end loop;
  if coalesce((options ->> 'ef_construction')::integer, 64) < 2 * coalesce((options ->> 'm')::integer, 16) then
    raise exception 'ef_construction must be at least twice m in %', options using errcode = 'invalid_parameter_value';
  end if;
  return options;
end
$_$;
COMMENT ON FUNCTION mmdb.check_index_options(options jsonb) IS 'Index options that pgvector takes, or an error.';
CREATE FUNCTION mmdb.check_model(model text, modality text) RETURNS mmdb.models
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  chosen mmdb.models;
begin
  select m.* into chosen from mmdb.models m where m.name = check_model.model;
  if not found then
    raise exception 'model "%" does not exist', model
      using errcode = 'undefined_object', hint = 'select name from mmdb.models lists them; `mmdb models` does too';
  elsif modality <> all(chosen.modalities) then
    raise exception 'model "%" does not embed modality "%"', model, modality
      using errcode = 'feature_not_supported', hint = format('it embeds: %s', array_to_string(chosen.modalities, ', '));
  elsif chosen.dimensions > 4000 then
    raise exception 'model "%" has % dimensions, more than the 4000 that a halfvec index takes', model, chosen.dimensions
      using errcode = 'program_limit_exceeded', hint = 'choose a model or a dimensions option with fewer';
  end if;
  return chosen;
end
$$;
COMMENT ON FUNCTION mmdb.check_model(model text, modality text) IS 'The model, if it exists and embeds this modality.';
CREATE FUNCTION mmdb.check_names(planned mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  long text;
  foreign_function regprocedure;
  own constant bigint[] := array(select e.id from mmdb.embeddings e where e.relation = planned.relation);
begin
  select n.name into long
  from unnest(array[planned.column_name, mmdb.top_name(planned.prefix, planned.name)]) n(name)
  where octet_length(n.name) > 63 limit 1;
  if long is not null then
    raise exception 'the name "%" is % bytes long, PostgreSQL takes 63', long, octet_length(long)
      using errcode = 'name_too_long', hint = 'give a shorter name => ''…'', or a prefix => ''…'' to stand for the table in function names';
  end if;
  select p.oid::regprocedure into foreign_function
  from pg_proc p
  where p.pronamespace = planned.function_schema::regnamespace
    and (p.proname = planned.prefix || '_search'
         or (p.proname in (mmdb.search_name(planned.prefix, planned.name), mmdb.top_name(planned.prefix, planned.name))
             and p.pronargs in (1, 4)
             and p.proargtypes[0] in ('text'::regtype, 'bytea'::regtype, 'public.halfvec'::regtype, 'public.vector'::regtype)))
    and not exists (select from unnest(own) o(id) where mmdb.is_made_by(p.oid, o.id)) limit 1;
  if foreign_function is not null then
    raise exception 'function % exists already and was not made for this embedding', foreign_function
      using errcode = 'duplicate_function', hint = 'give another name => ''…'' or prefix => ''…'', or drop that function';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_names(planned mmdb.embeddings) IS 'Refuse names that are too long or taken.';
CREATE FUNCTION mmdb.check_query(model text, modality text, content text, data bytea) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  able text[];
  size constant bigint := coalesce(octet_length(data), octet_length(content));
  allowed constant bigint := coalesce(mmdb.setting('query_max_bytes'), '10485760')::bigint;
begin
  select m.modalities into able from mmdb.models m where m.name = check_query.model;
  if able is null then
    raise exception 'model "%" does not exist', model
      using errcode = 'undefined_object', hint = 'select name from mmdb.models lists them';
  elsif modality <> all(able) then
    raise exception 'model "%" does not embed modality "%"', model, modality
      using errcode = 'feature_not_supported', hint = format('it embeds: %s', array_to_string(able, ', '));
  elsif size > allowed then
    raise exception 'the query is % bytes, more than the limit of % bytes', size, allowed
      using errcode = 'program_limit_exceeded', hint = 'send a smaller picture, or raise mmdb.set_setting(''query_max_bytes'', …)';
  elsif size = 0 or btrim(content, E' \t\r\n') = '' then
    raise exception 'the query is empty' using errcode = 'invalid_parameter_value';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_query(model text, modality text, content text, data bytea) IS 'Refuse a query that no worker could answer.';
CREATE FUNCTION mmdb.check_record(made mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- The table may have moved to another schema since its functions were made.
  true_schema constant text := (select quote_ident(n.nspname) from pg_namespace n where quote_ident(n.nspname) = made.function_schema);
  true_type text;
  true_source record;
begin
  select format_type(a.atttypid, a.atttypmod) into true_type
  from pg_attribute a
  where a.attrelid = made.relation and a.attnum = made.column_number and a.attname = made.column_name and not a.attisdropped
    and a.atttypid in ('public.halfvec'::regtype, 'public.vector'::regtype);
  select s.* into true_source
  from mmdb.source_modality(made.relation, mmdb.column_numbers(made.relation, made.sources), made.modality) s;
  perform mmdb.check_index_options(made.index_options);
  if (made.function_schema, made.column_type, made.source_numbers, made.attached_to, made.by_uri, made.storage)
     is distinct from (true_schema, true_type, mmdb.column_numbers(made.relation, made.sources),
                       mmdb.attachment(made.relation), true_source.by_uri, 'column')
     or not exists (select from pg_class c where c.oid = made.relation and c.relkind in ('r', 'p'))
     or made.id > (select q.last_value from mmdb.embeddings_id_seq q) then
    raise exception 'the record of embedding "%" does not fit table %', made.name, made.relation
      using errcode = 'insufficient_privilege', hint = 'mmdb.add_embedding and mmdb.refresh write it';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_record(made mmdb.embeddings) IS 'Refuse a row for the catalogue that says anything but what the table is.';
CREATE FUNCTION mmdb.check_relation(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  table_class pg_class;
begin
  select c.* into table_class from pg_class c where c.oid = relation;
  if not found then
    raise exception 'relation % does not exist', relation using errcode = 'undefined_table';
  elsif table_class.relkind not in ('r', 'p') or table_class.relpersistence = 't' then
    raise exception '% is not a permanent table', relation
      using errcode = 'wrong_object_type', hint = 'declare the embedding on the table that holds the rows';
  elsif table_class.relnamespace in ('pg_catalog'::regnamespace, 'mmdb'::regnamespace) then
    raise exception '% is a system table', relation using errcode = 'insufficient_privilege';
  elsif not pg_has_role(table_class.relowner, 'usage') then
    raise exception 'must be owner of table %', relation
      using errcode = 'insufficient_privilege', hint = format('its owner is %I', table_class.relowner::regrole);
  elsif table_class.relforcerowsecurity then
    raise exception 'table % forces row-level security on its owner', relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('the worker reads and writes as the owner and would miss rows: alter table %s no force row level security', relation);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_relation(relation regclass) IS 'Refuse a relation that cannot carry an embedding.';
CREATE FUNCTION mmdb.check_waiting(made mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a transaction of isolation level "%" does not see what workers store', current_setting('transaction_isolation')
      using errcode = 'invalid_transaction_state', hint = 'wait in a transaction of level read committed';
  elsif not exists (select from mmdb.workers w where w.alive and made.model = any(w.models)) then
    raise exception 'no worker is running for model "%"', made.model
      using errcode = 'object_not_in_prerequisite_state', hint = 'start one: `mmdb worker` (or `mmdb up`)';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_waiting(made mmdb.embeddings) IS 'Refuse to wait for what will not come.';
CREATE FUNCTION mmdb.check_weights(weights jsonb, legs mmdb.search_leg[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  known constant text[] := array(select l.name from unnest(legs) l) || array['query', 'image'];
  entry record;
begin
  if jsonb_typeof(weights) <> 'object' then
    raise exception 'weights are an object, not %', left(weights::text, 100)
      using errcode = 'invalid_parameter_value', hint = format('as in {"%s": 0.5}', known[1]);
  end if;
  for entry in select e.key, e.value from jsonb_each(weights) e loop
    if entry.key <> all(known) then
      raise exception 'there is no leg "%" to weigh', entry.key
        using errcode = 'invalid_parameter_value', hint = format('weights are of: %s', array_to_string(known, ', '));
    elsif jsonb_typeof(entry.value) <> 'number' then
      raise exception 'the weight of "%" is %, expected a number', entry.key, left(entry.value::text, 100)
        using errcode = 'invalid_parameter_value';
    end if;
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.check_weights(weights jsonb, legs mmdb.search_leg[]) IS 'Refuse weights of legs that are not there.';
CREATE FUNCTION mmdb.claim(embedding bigint, worker integer, keys text[], states text[], lease interval) RETURNS TABLE(key text, attempts integer, failed_hash bytea, failed_error text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  live constant integer[] := array(select mmdb.live_workers());
  expiry constant timestamptz := clock_timestamp() + lease;
begin
  perform mmdb.guard_session();
  return query
  insert into mmdb.leases as l (embedding, key, worker, expires_at, state)
  select claim.embedding, k.key, claim.worker, expiry, k.state
  from unnest(keys, states) k(key, state)
  -- Looked up first, because ON CONFLICT writes a lock on every row that it meets, even where it then does nothing.
  left join mmdb.leases h on h.embedding = claim.embedding and h.key = k.key
  where h.key is null or mmdb.is_free(h, k.state)
  order by k.key
  on conflict on constraint leases_pkey do update
    set (worker, expires_at, attempts, failed_at, retry_at, state)
      = (excluded.worker, excluded.expires_at,
         case when l.retry_at = 'infinity' then 1 else l.attempts + 1 end,
         case when l.retry_at = 'infinity' then l.failed_at end, null, excluded.state)
    where mmdb.is_free(l, excluded.state)
  returning l.key, l.attempts, case when l.failed_at is not null then l.source_hash end,
            case when l.failed_at is not null then l.error end;
  if not found then
    return query select * from mmdb.claim_orphan(claim.embedding, claim.worker, keys, states, expiry, live);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.claim(embedding bigint, worker integer, keys text[], states text[], lease interval) IS 'Worker only: lease pending rows. A row that had failed comes with the hash and error of then: unchanged, it is failed again unembedded.';
CREATE FUNCTION mmdb.claim_orphan(embedding bigint, worker integer, keys text[], states text[], expiry timestamp with time zone, live integer[]) RETURNS TABLE(key text, attempts integer, failed_hash bytea, failed_error text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  allowed constant integer := coalesce(mmdb.setting('max_attempts'), '5')::integer;
begin
  update mmdb.leases l
  set worker = null, expires_at = null, retry_at = 'infinity', failed_at = clock_timestamp(),
      error = format('the worker died %s times while it embedded this row', l.attempts)
  where l.embedding = claim_orphan.embedding and l.key = any(keys) and l.attempts >= allowed
    and l.worker is not null and (l.worker <> all(live) or l.expires_at < clock_timestamp());
  return query
  update mmdb.leases l
  set worker = claim_orphan.worker, expires_at = expiry, attempts = l.attempts + 1,
      state = (select k.state from unnest(keys, states) k(key, state) where k.key = l.key)
  where l.embedding = claim_orphan.embedding
    and l.key = (
      select o.key from mmdb.leases o
      where o.embedding = claim_orphan.embedding and o.key = any(keys)
        and o.worker is not null and (o.worker <> all(live) or o.expires_at < clock_timestamp())
      order by o.attempts, o.key limit 1
      for update skip locked)
  returning l.key, l.attempts, null::bytea, null::text;
end
$$;
COMMENT ON FUNCTION mmdb.claim_orphan(embedding bigint, worker integer, keys text[], states text[], expiry timestamp with time zone, live integer[]) IS 'Take over one row whose worker died.';
CREATE FUNCTION mmdb.clean_body(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format($body$
declare
  made oid;
begin%6$s
  if to_regclass(%1$L) is not null then
    return false;
  end if;
  for made in select p.oid from pg_proc p
              where p.pronamespace = %2$L::regnamespace and p.oid <> %3$L::regproc
                and obj_description(p.oid, 'pg_proc') like '%%' || %4$L loop
    execute format('drop function %%s', made::regprocedure);
  end loop;
  execute 'drop function %5$s(uuid)';
  return true;
end
$body$, mmdb.relation_sql(made.relation), made.function_schema, mmdb.worker_function(made, 'clean'),
        mmdb.made_for(made.id), replace(mmdb.worker_function(made, 'clean'), '''', ''''''), mmdb.pass_sql(made))
$_$;
COMMENT ON FUNCTION mmdb.clean_body(made mmdb.embeddings) IS 'Drop the functions of an embedding whose table was dropped.';
CREATE FUNCTION mmdb.column_names(relation regclass, numbers smallint[]) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array_agg(a.attname::text order by n.place)
  from unnest(numbers) with ordinality n(number, place)
  join pg_attribute a on a.attrelid = relation and a.attnum = n.number and not a.attisdropped
$$;
COMMENT ON FUNCTION mmdb.column_names(relation regclass, numbers smallint[]) IS 'Column numbers to names, in order; dropped columns are missing.';
CREATE FUNCTION mmdb.column_numbers(relation regclass, names text[]) RETURNS smallint[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  numbers smallint[];
  missing text;
begin
  select array_agg(a.attnum order by n.place), min(n.name) filter (where a.attnum is null)
  into numbers, missing
  from unnest(names) with ordinality n(name, place)
  left join pg_attribute a on a.attrelid = relation and a.attname = n.name and a.attnum > 0 and not a.attisdropped;
  if missing is not null then
    raise exception 'table % has no column "%"', relation, missing
      using errcode = 'undefined_column',
            hint = (select format('its columns: %s', string_agg(quote_ident(a.attname), ', ' order by a.attnum))
                    from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped);
  end if;
  return numbers;
end
$$;
COMMENT ON FUNCTION mmdb.column_numbers(relation regclass, names text[]) IS 'Column names to numbers, in order; an unknown name is an error.';
CREATE FUNCTION mmdb.comparison(type oid, strategy integer) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if type = any('{int4,int8,int2,numeric,float4,float8,text,varchar,bpchar,bool,date,timestamp,timestamptz,time,uuid,bytea,interval,jsonb}'::regtype[]) then
    return 'operator(pg_catalog.' || (array['<', '<=', '=', '>=', '>'])[strategy] || ')';
  end if;
  return mmdb.default_comparison(type, strategy);
end
$$;
COMMENT ON FUNCTION mmdb.comparison(type oid, strategy integer) IS 'The operator by which a type is ordered: strategy 1 to 5 for <, <=, =, >=, >; NULL where it has no order.';
CREATE FUNCTION mmdb.content_sql(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when made.modality = 'image' and not made.by_uri then format('p.%I', made.sources[1])
    when cardinality(made.sources) = 1 then format('p.%I::text', made.sources[1])
    else format('concat_ws(E''\n'', %s)', string_agg(format('p.%I', s.name), ', ' order by s.place))
  end
  from unnest(made.sources) with ordinality s(name, place)
$$;
COMMENT ON FUNCTION mmdb.content_sql(made mmdb.embeddings) IS 'The source of a row as one value; several text columns are joined by line breaks.';
CREATE FUNCTION mmdb.count_body(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format($body$
begin%4$s
  pending := (select count(*) from %1$s p where %3$s);
  select sum(c.reltuples)::bigint, sum(c.reltuples) > exact_up_to into total, estimated
  from pg_class c
  where c.relkind = 'r' and (c.oid = %5$L::regclass or c.oid in (select t.relid from pg_partition_tree(%5$L) t));
  if estimated then
    embedded := total - pending;
  else
    select count(*), count(p.%2$I) into total, embedded from %1$s p;
  end if;
end
$body$, mmdb.rows_sql(made.relation), made.column_name, mmdb.pending_sql(made, 'p.'), mmdb.pass_sql(made),
        mmdb.relation_sql(made.relation))
$_$;
COMMENT ON FUNCTION mmdb.count_body(made mmdb.embeddings) IS 'Rows of a table by state, for mmdb.progress.';
CREATE FUNCTION mmdb.count_rows(made mmdb.embeddings, exact_up_to bigint DEFAULT 200000, OUT total bigint, OUT embedded bigint, OUT pending bigint, OUT failed bigint, OUT estimated boolean) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET extra_float_digits TO '1'
    SET bytea_output TO 'hex'
    SET "TimeZone" TO 'UTC'
    AS $$
declare
  key text;
  relation constant text := mmdb.rows_sql(made.relation);
begin
  key := (select k.expression from mmdb.key_sql(made.relation) k);
  execute format('select count(*), count(f.key_text) from %s p left join mmdb.failures f '
                 'on f.embedding = %s and f.final and f.key_text = %s where %s',
                 relation, made.id, key, mmdb.pending_sql(made, 'p.')) into pending, failed;
  pending := pending - failed;
  select sum(c.reltuples)::bigint, sum(c.reltuples) > exact_up_to into total, estimated
  from pg_class c
  where c.relkind = 'r' and (c.oid = made.relation or c.oid in (select t.relid from pg_partition_tree(made.relation) t));
  if estimated then
    embedded := total * (1 - coalesce((
      select s.stanull from pg_class c join pg_namespace n on n.oid = c.relnamespace
      cross join lateral (select p.null_frac from pg_stats p where p.schemaname = n.nspname and p.tablename = c.relname
                          and p.attname = made.column_name order by p.inherited desc limit 1) s(stanull)
      where c.oid = made.relation), (pending + failed) / greatest(total, 1)::real));
  else
    execute format('select count(*), count(p.%I) from %s p', made.column_name, relation) into total, embedded;
  end if;
exception when undefined_column or undefined_table or insufficient_privilege or undefined_object
  or object_not_in_prerequisite_state then
  estimated := null;
end
$$;
COMMENT ON FUNCTION mmdb.count_rows(made mmdb.embeddings, exact_up_to bigint, OUT total bigint, OUT embedded bigint, OUT pending bigint, OUT failed bigint, OUT estimated boolean) IS 'Rows of a table by state. Exact up to exact_up_to rows, above it total and embedded are estimates; NULL where the table cannot be counted.';
CREATE FUNCTION mmdb.count_rows_of(id bigint) RETURNS TABLE(total bigint, embedded bigint, pending bigint, failed bigint, estimated boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made mmdb.embeddings;
begin
  select e.* into made from mmdb.embeddings e where e.id = count_rows_of.id;
  if mmdb.trusts_owner(made.relation) then
    return query select c.* from mmdb.count_rows(made) c;
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.count_rows_of(id bigint) IS 'mmdb.count_rows by an embedding''s id; no row where a count would run code of a stranger, which the planner does for an index or a policy of his.';
CREATE FUNCTION mmdb.create_made(made mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  arguments constant text := regexp_replace(signature, '\) returns .*$', ')');
  owner constant text := (select c.relowner::regrole::text from pg_class c where c.oid = made.relation);
begin
  execute format('create function %s %s as %L', case when parameters is null then signature
                 else format('%s(%s)', split_part(signature, '(', 1), parameters) end, attributes, body);
  execute format('alter function %s owner to %s', arguments, owner);
  execute format('comment on function %s is %L', arguments, purpose || ' ' || mmdb.made_for(made.id));
end
$_$;
COMMENT ON FUNCTION mmdb.create_made(made mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text) IS 'Create one generated function, owned by the table''s owner and marked as ours.';
CREATE FUNCTION mmdb.declarations() RETURNS TABLE(schema text, relation_name text, name text, sources text[], column_name text, column_type text, model text, modality text, prefix text, index_options jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made mmdb.embeddings;
begin
  for made in select e.* from mmdb.embeddings e join pg_class c on c.oid = e.relation order by e.id loop
    begin
      made := mmdb.resolved(made);
    exception when undefined_column then
      null;  -- as it was declared: mmdb.status says what is missing
    end;
    return query
    select n.nspname::text, c.relname::text, made.name, made.sources, made.column_name, made.column_type, made.model, made.modality,
           made.prefix, made.index_options
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = made.relation;
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.declarations() IS 'Every declared embedding with the names that its table and columns have now.';
CREATE FUNCTION mmdb.default_comparison(type oid, strategy integer) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with recursive base(oid) as (
    select default_comparison.type
    union all
    select t.typbasetype from base b join pg_type t on t.oid = b.oid where t.typtype = 'd'
  ), candidate(oid, place) as (
    select b.oid, 1 from base b
    union all
    select c.casttarget, 2 from base b join pg_cast c on c.castsource = b.oid and c.castmethod = 'b' and c.castcontext = 'i'
    union all
    select case when t.typtype = 'e' then 'anyenum'::regtype when t.typtype = 'r' then 'anyrange'::regtype
                when t.typtype = 'm' then 'anymultirange'::regtype when t.typcategory = 'A' then 'anyarray'::regtype
                when t.typtype = 'c' then 'record'::regtype end, 3
    from base b join pg_type t on t.oid = b.oid
  )
  select format('operator(%I.%s)', n.nspname, o.oprname)
  from candidate c
  join pg_opclass k on k.opcintype = c.oid and k.opcdefault and k.opcmethod = (select m.oid from pg_am m where m.amname = 'btree')
  join pg_amop f on f.amopfamily = k.opcfamily and f.amoplefttype = k.opcintype and f.amoprighttype = k.opcintype
   and f.amopstrategy = strategy
  join pg_operator o on o.oid = f.amopopr
  join pg_namespace n on n.oid = o.oprnamespace
  order by c.place limit 1
$$;
COMMENT ON FUNCTION mmdb.default_comparison(type oid, strategy integer) IS 'mmdb.comparison, from the catalogue.';
CREATE FUNCTION mmdb.distance_name(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select mmdb.free_name(relation, 'distance') $$;
COMMENT ON FUNCTION mmdb.distance_name(relation regclass) IS 'The name of the distance in a search view: "distance", or "_distance" where the table has one.';
CREATE FUNCTION mmdb.distance_operator(distance text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select case distance when 'cosine' then '<=>' when 'l2' then '<->' else '<#>' end $$;
COMMENT ON FUNCTION mmdb.distance_operator(distance text) IS 'pgvector''s operator for a distance.';
CREATE FUNCTION mmdb.doctor() RETURNS TABLE(subject text, level text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select 'postgresql', case when v.n < 150000 then 'error' when v.n < v.minimum then 'warning' else 'ok' end,
         current_setting('server_version'),
         case when v.n < v.minimum then 'upgrade: 15.9, 16.5, 17.1 and later close CVE-2024-10976 (row policies in inlined functions)' end
  from (select s.n, case s.n / 10000 when 15 then 150009 when 16 then 160005 when 17 then 170001 else 150009 end
        from (select current_setting('server_version_num')::integer) s(n)) v(n, minimum)
  union all
  select 'extension ' || w.name, case when e.extversion is null then 'error' else 'ok' end, coalesce(e.extversion, 'missing'),
         case when e.extversion is null then format('create extension %I', w.name) end
  from unnest(array['vector', 'dblink', 'pg_trgm']) w(name) left join pg_extension e on e.extname = w.name
  union all
  select 'setting hnsw.iterative_scan', case when s.value is null or s.value = 'off' then 'warning' else 'ok' end, coalesce(s.value, 'not set'),
         case when s.value is null or s.value = 'off' then 'filtered searches may return too few rows: run `mmdb init` again' end
  from (select max(split_part(c.setting, '=', 2)) from pg_db_role_setting r cross join unnest(r.setconfig) c(setting)
        where r.setdatabase = (select d.oid from pg_database d where d.datname = current_database()) and r.setrole = 0
          and c.setting like 'hnsw.iterative_scan=%') s(value)
  union all
  select 'worker', case when count(*) filter (where w.alive) = 0 then 'error' else 'ok' end,
         format('%s alive', count(*) filter (where w.alive)),
         case when count(*) filter (where w.alive) = 0 then 'start one: `mmdb worker` (or `mmdb up`)' end
  from mmdb.workers w
  union all
  select format('embedding %s of %s', e.name, e.relation), 'warning', mmdb.drift(e.id), 'see the finding'
  from mmdb.embeddings e where mmdb.drift(e.id) is not null
  union all
  select format('index of %s of %s', e.name, e.relation), 'warning', 'no HNSW index: searches scan the whole table',
         format('`mmdb add %s %s` builds it', e.relation, e.sources[1])
  from mmdb.embeddings e join pg_class c on c.oid = e.relation
  where mmdb.serving_index(e, e.relation, 'hnsw') is null and e.index_options ->> 'type' is distinct from 'none'
  union all
  select format('memory for the index of %s of %s', e.name, e.relation), 'warning',
         format('the graph needs about %s, maintenance_work_mem is %s', pg_size_pretty(g.need), current_setting('maintenance_work_mem')),
         format('before building it: set maintenance_work_mem = ''%sMB''', g.need / 1048576 + 64)
  from mmdb.embeddings e join pg_class c on c.oid = e.relation join mmdb.models m on m.name = e.model
  -- An element of pgvector's graph: the vector, about 2 * m neighbours of 8 bytes and 200 bytes of bookkeeping.
  cross join lateral (select (c.reltuples * (m.dimensions * 2 + 512))::bigint) g(need)
  where g.need > pg_size_bytes(current_setting('maintenance_work_mem'))
$$;
COMMENT ON FUNCTION mmdb.doctor() IS 'What is wrong with this installation, as seen from the database, with remedies. `mmdb doctor` adds what is seen from the machine.';
CREATE FUNCTION mmdb.drift(id bigint) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
      return format('%s: alter table %s add primary key (…), then select mmdb.refresh(%L)', sqlerrm, made.relation, made.relation);
  end;
  return case
    when made.attached_to <> now_called.attached_to then 'the table was restored or copied' || remedy
    when (made.sources, made.column_name, made.column_type) is distinct from
         (now_called.sources, now_called.column_name, now_called.column_type) then 'a column was renamed or changed' || remedy
    when mmdb.function_drift(made) is not null then mmdb.function_drift(made) || remedy
    when mmdb.trigger_drift(made) is not null then mmdb.trigger_drift(made) || remedy
    when mmdb.serving_index(made, made.relation, 'pending') is null then
      format('the index of pending rows is missing or invalid: `mmdb add %s %s` builds it', made.relation, made.sources[1])
  end;
end
$$;
COMMENT ON FUNCTION mmdb.drift(id bigint) IS 'How a table no longer fits what mmdb made for it, with the remedy; NULL where all is well.';
CREATE FUNCTION mmdb.drop_embedding(relation regclass, name text, if_exists boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made mmdb.embeddings;
  pending regclass;
  made_function regprocedure;
begin
  if if_exists and not exists (select from mmdb.embeddings e where e.relation = drop_embedding.relation and e.name = drop_embedding.name) then
    return;
  end if;
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  made := mmdb.embedding_of(relation, name);
  pending := mmdb.serving_index(made, relation, 'pending');
  execute format('drop trigger if exists %I on %s', mmdb.trigger_name(made.id), mmdb.relation_sql(relation));
  for made_function in select p.oid::regprocedure from pg_proc p where mmdb.is_made_by(p.oid, made.id) loop
    execute format('drop function %s', made_function);
  end loop;
  if not made.adopted then
    execute format('alter table %s drop column if exists %I', mmdb.relation_sql(relation),
                   coalesce((mmdb.column_names(relation, array[made.column_number]))[1], made.column_name));
  elsif pending is not null then
    execute format('drop index %s', pending);
  end if;
  perform mmdb.remake_other_views(relation, made.id);
  perform mmdb.forget_embedding(made.id);
  perform mmdb.make_table_functions(relation);
end
$$;
COMMENT ON FUNCTION mmdb.drop_embedding(relation regclass, name text, if_exists boolean) IS 'Remove an embedding: its column (unless it was there before), trigger, indexes and functions. The rest of the table is as it was. The worker''s role keeps USAGE of the schema, which it may have had before; `mmdb uninstall` revokes it. If_exists: do nothing where there is no such embedding.';
CREATE FUNCTION mmdb.drop_keywords(relation regclass, name text DEFAULT 'keywords'::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    AS $$
declare
  made mmdb.keywords;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  select w.* into made from mmdb.keywords w where w.relation = drop_keywords.relation and w.name = drop_keywords.name;
  if made.id is null then
    raise exception 'table % has no keywords "%"', relation, name
      using errcode = 'undefined_object', hint = 'select relation, name from mmdb.keywords lists them';
  end if;
  execute format('drop index if exists %s.%I', (select quote_ident(n.nspname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
                                                 where c.oid = relation), made.index_name);
  perform mmdb.forget_keywords(relation, name);
  perform mmdb.make_table_functions(relation);
end
$$;
COMMENT ON FUNCTION mmdb.drop_keywords(relation regclass, name text) IS 'Take a leg of words away, and its index.';
CREATE FUNCTION mmdb.drop_made(made mmdb.embeddings, names text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_function oid;
begin
  for found_function in
    select p.oid from pg_proc p
    where p.pronamespace = made.function_schema::regnamespace and p.proname = any(names)
  loop
    if not mmdb.is_made_by(found_function, made.id) then
      raise exception 'function % exists already and was not made for this embedding', found_function::regprocedure
        using errcode = 'duplicate_function', hint = 'drop that function';
    end if;
    execute format('drop function %s', found_function::regprocedure);
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.drop_made(made mmdb.embeddings, names text[]) IS 'Drop an embedding''s generated functions of these names; refuse one that mmdb did not make.';
CREATE FUNCTION mmdb.drop_orphans(schema_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  orphan regprocedure;
begin
  for orphan in
    select p.oid
    from pg_proc p
    cross join lateral (select substring(obj_description(p.oid, 'pg_proc') from '\[mmdb embedding ([0-9]+)\]$')::bigint) m(id)
    where p.pronamespace = schema_name::regnamespace and m.id is not null
      and pg_has_role(p.proowner, 'usage')
      and not exists (select from mmdb.embeddings e join pg_class c on c.oid = e.relation where e.id = m.id)
  loop
    execute format('drop function %s', orphan);
  end loop;
end
$_$;
COMMENT ON FUNCTION mmdb.drop_orphans(schema_name text) IS 'Drop the functions of the caller''s that mmdb made for tables that are no more.';
CREATE FUNCTION mmdb.embed(image bytea, model text DEFAULT NULL::text) RETURNS public.vector
    LANGUAGE sql STABLE SECURITY DEFINER COST 10000 PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when image is not null
              then mmdb.embed_query(coalesce(model, mmdb.setting('default_model'), 'lite'), 'image', null, image) end
$$;
COMMENT ON FUNCTION mmdb.embed(image bytea, model text) IS 'The vector of a picture (the bytes of a JPEG, PNG, …) by a model. Cached; NULL for NULL.';
CREATE FUNCTION mmdb.embed(query text, model text DEFAULT NULL::text) RETURNS public.vector
    LANGUAGE sql STABLE SECURITY DEFINER COST 10000 PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when query is not null
              then mmdb.embed_query(coalesce(model, mmdb.setting('default_model'), 'lite'), 'text', query, null) end
$$;
COMMENT ON FUNCTION mmdb.embed(query text, model text) IS 'The vector of a text by a model (the default model where none is named), for your own statements: order by embedding <=> (select mmdb.embed(''red shoes'')::halfvec(512)). Cached; NULL for NULL.';
CREATE FUNCTION mmdb.embed_for(relation regclass, name text, image bytea) RETURNS public.vector
    LANGUAGE sql STABLE SECURITY DEFINER COST 10000 PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when image is not null then mmdb.embed_query(mmdb.model_of(relation, name), 'image', null, image) end
$$;
COMMENT ON FUNCTION mmdb.embed_for(relation regclass, name text, image bytea) IS 'The vector of a picture by the model that this embedding has now: what the search functions call.';
CREATE FUNCTION mmdb.embed_for(relation regclass, name text, query text) RETURNS public.vector
    LANGUAGE sql STABLE SECURITY DEFINER COST 10000 PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when query is not null then mmdb.embed_query(mmdb.model_of(relation, name), 'text', query, null) end
$$;
COMMENT ON FUNCTION mmdb.embed_for(relation regclass, name text, query text) IS 'The vector of a text by the model that this embedding has now: what the search functions call.';
CREATE FUNCTION mmdb.embed_query(model text, modality text, content text, data bytea) RETURNS public.vector
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  -- Not in the query below, where a generic plan would compute it once a row.
  wanted constant bytea := mmdb.query_hash(modality, content, data);
  cached real[];
begin
  -- An unlogged table cannot be read on a standby; there the question goes to the primary at once.
  if not pg_is_in_recovery() then
    select q.embedding into cached from mmdb.queries q
    where q.model = embed_query.model and q.hash = wanted and q.error is null;
  end if;
  if cached is null then
    perform mmdb.check_query(model, modality, content, data);
    cached := mmdb.ask(model, modality, content, data);
  end if;
  return cached::public.vector;
end
$$;
COMMENT ON FUNCTION mmdb.embed_query(model text, modality text, content text, data bytea) IS 'The vector of one query by one model: from the cache, else from a worker.';
CREATE FUNCTION mmdb.embedding_leg(made mmdb.embeddings) RETURNS mmdb.search_leg
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  leg mmdb.search_leg;
begin
  leg.name := made.name;
  leg.model := made.model;
  leg.modalities := (select m.modalities from mmdb.models m where m.name = made.model);
  leg.column_type := made.column_type;
  leg.parts := mmdb.search_source(made);
  return leg;
end
$$;
COMMENT ON FUNCTION mmdb.embedding_leg(made mmdb.embeddings) IS 'A search by an embedding as a leg of T_search.';
CREATE FUNCTION mmdb.embedding_of(relation regclass, name text) RETURNS mmdb.embeddings
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made mmdb.embeddings;
begin
  select e.* into made from mmdb.embeddings e
  where e.relation = embedding_of.relation and e.name = embedding_of.name;
  if not found then
    raise exception 'table % has no embedding "%"', relation, name
      using errcode = 'undefined_object',
            hint = coalesce((select 'it has: ' || string_agg(quote_literal(e.name), ', ' order by e.name)
                             from mmdb.embeddings e where e.relation = embedding_of.relation),
                            format('declare one: select mmdb.add_embedding(%L, ''…'')', relation));
  end if;
  return made;
end
$$;
COMMENT ON FUNCTION mmdb.embedding_of(relation regclass, name text) IS 'The row of mmdb.embeddings, or an error that lists what the table has.';
CREATE FUNCTION mmdb.fail(embedding bigint, worker integer, keys text[], states text[], hashes bytea[], errors text[], permanent boolean[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  update mmdb.leases l
  set worker = null, expires_at = null, state = k.state, source_hash = k.hash, error = left(k.error, 1000),
      failed_at = clock_timestamp(),
      retry_at = case when k.permanent or l.attempts >= coalesce(mmdb.setting('max_attempts'), '5')::integer
                      then 'infinity' else clock_timestamp() + mmdb.retry_delay(l.attempts) end
  from unnest(fail.keys, fail.states, fail.hashes, fail.errors, fail.permanent) k(key, state, hash, error, permanent)
  where l.embedding = fail.embedding and l.worker = fail.worker and l.key = k.key
$$;
COMMENT ON FUNCTION mmdb.fail(embedding bigint, worker integer, keys text[], states text[], hashes bytea[], errors text[], permanent boolean[]) IS 'Worker only: rows that could not be embedded wait for another try, or have failed when it is hopeless or was the last.';
CREATE FUNCTION mmdb.filter(relation regclass, filter jsonb, alias text DEFAULT 'p'::text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if filter is null then
    return 'true';
  end if;
  return mmdb.filter_object(relation, filter, quote_ident(alias), 0);
end
$$;
COMMENT ON FUNCTION mmdb.filter(relation regclass, filter jsonb, alias text) IS 'The predicate of a filter over a table''s columns, as SQL in which the table is called by the alias. Conditions of an object hold together; "and" and "or" take arrays of objects, "not" an object. A condition is a value (equal), null (is null) or an object of operators: eq, ne, lt, lte, gt, gte, in, between, like, ilike, is_null, contains, contained_by, overlaps. "meta.color" is a path into a json column. An unknown column or operator, or a value of another type, is an error.';
CREATE FUNCTION mmdb.filter_column(relation regclass, name text) RETURNS pg_attribute
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select a from pg_attribute a
  where a.attrelid = relation and a.attname = name and a.attnum > 0 and not a.attisdropped
$$;
COMMENT ON FUNCTION mmdb.filter_column(relation regclass, name text) IS 'The column of that name, NULL where there is none.';
CREATE FUNCTION mmdb.filter_condition(of_column pg_attribute, alias text, operator text, value jsonb) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  label constant text := of_column.attname;
  target constant text := format('%s.%I', alias, of_column.attname);
  type_name constant text := format_type(of_column.atttypid, of_column.atttypmod);
  compared constant text := mmdb.comparison(of_column.atttypid, mmdb.filter_strategy(operator));
  equal constant text := mmdb.comparison(of_column.atttypid, 3);
begin
  if operator in ('eq', 'is_null') and jsonb_typeof(value) in ('null', 'boolean') and (operator = 'is_null' or value = 'null') then
    return format('%s is %s', target, case when value = 'false' then 'not null' else 'null' end);
  elsif operator = 'ne' and value = 'null' then
    return format('%s is not null', target);
  elsif compared is not null then
    return format('%s %s %s', target, compared, mmdb.filter_literal(value, type_name, label));
  elsif operator = 'ne' and equal is not null then
    return format('(%s %s %s) is not true', target, equal, mmdb.filter_literal(value, type_name, label));
  elsif operator = 'in' and equal is not null then
    perform mmdb.filter_list(operator, value, null, label);
    return format('%s %s any (array[%s]::%s[])', target, equal, coalesce((
      select string_agg(mmdb.filter_literal(v, type_name, label), ', ') from jsonb_array_elements(value) v), ''), type_name);
  elsif operator = 'between' and equal is not null then
    perform mmdb.filter_list(operator, value, 2, label);
    return format('%s %s %s and %1$s %4$s %5$s', target, mmdb.comparison(of_column.atttypid, 4), mmdb.filter_literal(value -> 0, type_name, label),
                  mmdb.comparison(of_column.atttypid, 2), mmdb.filter_literal(value -> 1, type_name, label));
  elsif operator in ('like', 'ilike') then
    return mmdb.filter_pattern(format('%s::text', target), of_column.atttypid, operator, value, label);
  elsif operator in ('contains', 'contained_by', 'overlaps') then
    return mmdb.filter_containment(of_column, target, operator, value);
  end if;
  raise exception 'a filter has no operator "%" for column "%" of type %', operator, label, type_name
    using errcode = 'invalid_parameter_value', hint = mmdb.filter_operators();
end
$_$;
COMMENT ON FUNCTION mmdb.filter_condition(of_column pg_attribute, alias text, operator text, value jsonb) IS 'One condition on a column.';
CREATE FUNCTION mmdb.filter_conditions(relation regclass, key text, value jsonb, alias text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_column pg_attribute := mmdb.filter_column(relation, key);
  path text[];
  conditions constant jsonb := case when jsonb_typeof(value) = 'object' then value else jsonb_build_object('eq', value) end;
begin
  if found_column.attname is null then
    -- "meta.color": the longest beginning that is a column, the rest a path into it.
    path := string_to_array(key, '.');
    found_column := mmdb.filter_column(relation, path[1]);
    if found_column.atttypid is distinct from 'jsonb'::regtype and found_column.atttypid is distinct from 'json'::regtype
       or cardinality(path) < 2 then
      raise exception 'table % has no column "%"', relation, key
        using errcode = 'undefined_column',
              hint = (select format('its columns: %s', string_agg(quote_ident(a.attname), ', ' order by a.attnum))
                      from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped);
    end if;
  end if;
  return coalesce((
    select string_agg(case when path is null
                           then mmdb.filter_condition(found_column, alias, c.key, c.value)
                           else mmdb.filter_path_condition(found_column, path[2:], alias, c.key, c.value) end, ' and ')
    from jsonb_each(conditions) c), 'true');
end
$$;
COMMENT ON FUNCTION mmdb.filter_conditions(relation regclass, key text, value jsonb, alias text) IS 'The conditions on one column or path.';
CREATE FUNCTION mmdb.filter_containment(of_column pg_attribute, target text, operator text, value jsonb) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  written constant text := case operator when 'contains' then '@>' when 'contained_by' then '<@' else '&&' end;
  kind record;
  type_name text := format_type(of_column.atttypid, of_column.atttypmod);
begin
  select t.typtype, t.typcategory, r.rngsubtype into kind
  from pg_type t left join pg_range r on r.rngtypid = t.oid where t.oid = of_column.atttypid;
  if type_name = 'json' then
    target := target || '::jsonb';
    type_name := 'jsonb';
  elsif kind.typtype = 'r' and operator = 'contains' and (value #>> '{}') !~ '^[\[(]|^empty$' then
    type_name := format_type(kind.rngsubtype, null);  -- one value, not a range
  elsif kind.typtype not in ('r', 'm') and kind.typcategory <> 'A' and type_name <> 'jsonb' then
    raise exception '"%" of column "%" is for arrays, ranges and jsonb, and it has type %', operator, of_column.attname, type_name
      using errcode = 'invalid_parameter_value', hint = 'for a part of a text: {"title": {"ilike": "%shoe%"}}';
  end if;
  if type_name = 'jsonb' and operator = 'overlaps' then
    raise exception '"overlaps" of column "%" is for arrays and ranges, and it has type jsonb', of_column.attname
      using errcode = 'invalid_parameter_value', hint = 'use "contains"';
  elsif type_name like '%[]' and jsonb_typeof(value) <> 'array' then
    value := jsonb_build_array(value);
  end if;
  return format('%s operator(pg_catalog.%s) %s', target, written, mmdb.filter_literal(value, type_name, of_column.attname));
end
$_$;
COMMENT ON FUNCTION mmdb.filter_containment(of_column pg_attribute, target text, operator text, value jsonb) IS 'A condition on arrays, ranges or jsonb.';
CREATE FUNCTION mmdb.filter_entry(relation regclass, key text, value jsonb, alias text, depth integer) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if key in ('and', 'or') and mmdb.filter_column(relation, key) is null then
    if jsonb_typeof(value) <> 'array' then
      raise exception '"%" of a filter takes an array of objects, not %', key, left(value::text, 100)
        using errcode = 'invalid_parameter_value', hint = format('as in {"%s": [{"price": {"lt": 100}}, {"in_stock": true}]}', key);
    end if;
    return '(' || coalesce((
      select string_agg(format('(%s)', mmdb.filter_object(relation, v.value, alias, depth + 1)), format(' %s ', key))
      from jsonb_array_elements(value) v), case key when 'and' then 'true' else 'false' end) || ')';
  elsif key = 'not' and mmdb.filter_column(relation, key) is null then
    return format('(%s) is not true', mmdb.filter_object(relation, value, alias, depth + 1));
  end if;
  return mmdb.filter_conditions(relation, key, value, alias);
end
$$;
COMMENT ON FUNCTION mmdb.filter_entry(relation regclass, key text, value jsonb, alias text, depth integer) IS 'One entry of a filter: and, or, not, or a column.';
CREATE FUNCTION mmdb.filter_list(operator text, value jsonb, count integer, label text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if jsonb_typeof(value) <> 'array' or (count is not null and jsonb_array_length(value) <> count) then
    raise exception '"%" of column "%" takes an array%, not %', operator, label, coalesce(' of ' || count || ' values', ''), left(value::text, 100)
      using errcode = 'invalid_parameter_value';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.filter_list(operator text, value jsonb, count integer, label text) IS 'Refuse what is not an array, or one of another length.';
CREATE FUNCTION mmdb.filter_literal(value jsonb, type_name text, label text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  written text := value #>> '{}';
begin
  if jsonb_typeof(value) = 'array' and type_name like '%[]' then
    written := (select format('{%s}', string_agg(case when jsonb_typeof(v) = 'null' then 'null'
                  else '"' || replace(replace(v #>> '{}', '\', '\\'), '"', '\"') || '"' end, ',')) from jsonb_array_elements(value) v);
  elsif type_name in ('json', 'jsonb') then
    written := value::text;
  elsif jsonb_typeof(value) in ('array', 'object', 'null') then
    raise exception '% is no value of column "%"', left(value::text, 100), label
      using errcode = 'invalid_parameter_value', hint = format('it has type %s', type_name);
  end if;
  begin
    execute format('select %L::%s', written, type_name);
  exception when data_exception or check_violation or not_null_violation then
    raise exception '% is no value of column "%"', left(value::text, 100), label
      using errcode = 'invalid_parameter_value', hint = format('it has type %s: %s', type_name, sqlerrm);
  end;
  return format('%L::%s', written, type_name);
end
$$;
COMMENT ON FUNCTION mmdb.filter_literal(value jsonb, type_name text, label text) IS 'A value of a filter as a quoted, typed literal.';
CREATE FUNCTION mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if jsonb_typeof(filter) <> 'object' then
    raise exception 'a filter is an object, not %', left(filter::text, 100)
      using errcode = 'invalid_parameter_value', hint = 'as in {"price": {"lt": 100}}';
  elsif depth > 20 then
    raise exception 'the filter is nested more than 20 deep' using errcode = 'program_limit_exceeded';
  end if;
  return coalesce((
    select string_agg(mmdb.filter_entry(relation, e.key, e.value, alias, depth), ' and ')
    from jsonb_each(filter) e), 'true');
end
$$;
COMMENT ON FUNCTION mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) IS 'The conditions of one object of a filter, together.';
CREATE FUNCTION mmdb.filter_operators() RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select 'operators: eq, ne, lt, lte, gt, gte, in, between, like, ilike, is_null, contains, contained_by, overlaps' $$;
COMMENT ON FUNCTION mmdb.filter_operators() IS 'What a filter knows, for hints.';
CREATE FUNCTION mmdb.filter_path_condition(of_column pg_attribute, path text[], alias text, operator text, value jsonb) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  label constant text := format('%s.%s', of_column.attname, array_to_string(path, '.'));
  found_value constant text := format('(%s.%I::jsonb operator(pg_catalog.#>) %L::text[])', alias, of_column.attname, path);
  found_text constant text := format('(%s.%I::jsonb operator(pg_catalog.#>>) %L::text[])', alias, of_column.attname, path);
  compared constant text := (array['<', '<=', '=', '>=', '>'])[mmdb.filter_strategy(operator)];
begin
  if operator = 'is_null' or (operator in ('eq', 'ne') and value = 'null') then
    return format('%s is %s', found_text, case when operator = 'ne' or value = 'false' then 'not null' else 'null' end);
  elsif operator = 'eq' then
    return format('%s operator(pg_catalog.=) %L::jsonb', found_value, value);
  elsif operator = 'ne' then
    return format('(%s operator(pg_catalog.=) %L::jsonb) is not true', found_value, value);
  elsif operator = 'in' then
    perform mmdb.filter_list(operator, value, null, label);
    return format('%s operator(pg_catalog.=) any (array(select jsonb_array_elements(%L::jsonb)))', found_value, value);
  elsif operator = 'between' then
    perform mmdb.filter_list(operator, value, 2, label);
    return format('%s and %s', mmdb.filter_path_condition(of_column, path, alias, 'gte', value -> 0),
                  mmdb.filter_path_condition(of_column, path, alias, 'lte', value -> 1));
  elsif compared is not null and jsonb_typeof(value) = 'number' then
    return format('case when jsonb_typeof(%s) = ''number'' then %s::numeric end operator(pg_catalog.%s) %L::numeric',
                  found_value, found_text, compared, value::text);
  elsif compared is not null and jsonb_typeof(value) = 'string' then
    return format('case when jsonb_typeof(%s) = ''string'' then %s end operator(pg_catalog.%s) %L', found_value, found_text, compared, value #>> '{}');
  elsif operator in ('like', 'ilike') then
    return mmdb.filter_pattern(found_text, 'text'::regtype, operator, value, label);
  elsif operator in ('contains', 'contained_by') then
    return format('%s operator(pg_catalog.%s) %L::jsonb', found_value, case operator when 'contains' then '@>' else '<@' end, value);
  end if;
  raise exception 'a filter has no operator "%" with the value % for path "%"', operator, left(value::text, 100), label
    using errcode = 'invalid_parameter_value', hint = mmdb.filter_operators();
end
$$;
COMMENT ON FUNCTION mmdb.filter_path_condition(of_column pg_attribute, path text[], alias text, operator text, value jsonb) IS 'One condition on what lies at a path in a json column.';
CREATE FUNCTION mmdb.filter_pattern(target text, type oid, operator text, value jsonb, label text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if jsonb_typeof(value) <> 'string' or (select t.typcategory from pg_type t where t.oid = type) <> 'S' then
    raise exception '"%" of column "%" compares a text column with a text', operator, label
      using errcode = 'invalid_parameter_value', hint = 'as in {"title": {"ilike": "%shoe%"}}';
  end if;
  return format('%s operator(pg_catalog.%s) %L', target, case operator when 'like' then '~~' else '~~*' end, value #>> '{}');
end
$$;
COMMENT ON FUNCTION mmdb.filter_pattern(target text, type oid, operator text, value jsonb, label text) IS 'A condition by a pattern of LIKE.';
CREATE FUNCTION mmdb.filter_strategy(operator text) RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $$ select (array_position(array['lt', 'lte', 'eq', 'gte', 'gt'], operator)) $$;
COMMENT ON FUNCTION mmdb.filter_strategy(operator text) IS 'The B-tree strategy of a comparing operator, NULL of another.';
CREATE FUNCTION mmdb.forget_embedding(id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.guard_owner(c.oid) from mmdb.embeddings e join pg_class c on c.oid = e.relation where e.id = forget_embedding.id;
  if not found then
    raise exception 'embedding % belongs to no table', id
      using errcode = 'insufficient_privilege', hint = 'a worker cleans up after dropped tables';
  end if;
  delete from mmdb.embeddings e where e.id = forget_embedding.id;
end
$$;
COMMENT ON FUNCTION mmdb.forget_embedding(id bigint) IS 'Remove an embedding from the catalogue, for the table''s owner only; leases and progress go with it.';
CREATE FUNCTION mmdb.forget_keywords(relation regclass, name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.guard_owner(relation);
  delete from mmdb.keywords w where w.relation = forget_keywords.relation and w.name = forget_keywords.name;
end
$$;
COMMENT ON FUNCTION mmdb.forget_keywords(relation regclass, name text) IS 'Remove keywords from the catalogue, for the table''s owner only.';
CREATE FUNCTION mmdb.forget_leases(embedding bigint, keys text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  delete from mmdb.leases l
  where l.embedding = forget_leases.embedding and l.key = any(forget_leases.keys)
    and (l.worker is null or l.worker not in (select mmdb.live_workers()))
$$;
COMMENT ON FUNCTION mmdb.forget_leases(embedding bigint, keys text[]) IS 'Worker only: forget the leases of these keys that nobody works on.';
CREATE FUNCTION mmdb.free_name(relation regclass, wanted text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  candidate text := wanted;
begin
  while exists (select from pg_attribute a where a.attrelid = relation and a.attname = candidate
                  and a.attnum > 0 and not a.attisdropped) loop
    candidate := '_' || candidate;
  end loop;
  return candidate;
end
$$;
COMMENT ON FUNCTION mmdb.free_name(relation regclass, wanted text) IS 'A name that no column of the table has: the wanted one, or with underscores before it.';
CREATE FUNCTION mmdb.function_drift(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with made_functions as (
    select p.* from pg_proc p
    where p.pronamespace = to_regnamespace(made.function_schema) and mmdb.is_made_by(p.oid, made.id)
  ), expected as (
    select array_agg(a.attname::text order by a.attnum) || mmdb.distance_name(made.relation) as names,
           array_agg(a.atttypid order by a.attnum) || 'float8'::regtype::oid as types
    from pg_attribute a where a.attrelid = made.relation and a.attnum > 0 and not a.attisdropped
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
                   and position(mmdb.relation_sql(made.relation) || ' p' in f.prosrc) = 0) then 'the table was renamed or moved'
    when exists (select from made_functions f where f.prosecdef and f.prosrc <> mmdb.worker_body(made, split_part(f.proname, '_', 2))) then
      'the table or its primary key was changed, or mmdb was upgraded'
  end
$$;
COMMENT ON FUNCTION mmdb.function_drift(made mmdb.embeddings) IS 'How the generated functions no longer fit the table.';
CREATE FUNCTION mmdb.grant_privileges() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  user_role constant text := mmdb.setting('user_role');
  worker_role constant text := mmdb.setting('worker_role');
  loopback_role constant text := mmdb.setting('loopback_role');
  for_worker constant text[] := array['share_session', 'tasks', 'may_call', 'may_clean', 'start_worker', 'beat', 'stop_worker', 'claim',
    'note_attempt', 'hold', 'settle', 'fail', 'caught_up', 'note_counts', 'report_drift', 'sweep', 'idle_leases', 'forget_leases',
    'take_queries', 'answer_query'];
  for_loopback constant text[] := array['post_query', 'poll_query', 'wake'];
  for_owner constant text[] := array['embed_query', 'ask', 'loopback', 'open_loopback', 'refuse_problem', 'check_query', 'trim_queries',
    'claim_orphan', 'grant_privileges', 'guard_session', 'guard_pass', 'serves', 'here', 'set_setting', 'add_model', 'remove_model', 'query_hash'];
  granted record;
begin
  execute 'revoke all on schema mmdb from public';
  execute 'revoke all on all tables in schema mmdb from public';
  execute 'revoke all on all functions in schema mmdb from public';
  execute format('grant usage on schema mmdb to %I, %I, %I', user_role, worker_role, loopback_role);
  execute format('grant select on mmdb.embeddings, mmdb.keywords, mmdb.models, mmdb.status, mmdb.failures, mmdb.workers to %I, %I', user_role, worker_role);
  execute format('grant usage on sequence mmdb.embeddings_id_seq to %I', user_role); -- of 9 quintillion: nobody uses them up
  for granted in
    select p.oid::regprocedure as function,
           case when p.proname = any(for_loopback) then array[loopback_role]
                when p.proname = any(for_worker) then array[worker_role]
                else array[user_role, worker_role] end as roles
    from pg_proc p
    where p.pronamespace = 'mmdb'::regnamespace and p.proname <> all(for_owner)
  loop
    execute format('grant execute on function %s to %s', granted.function,
                   (select string_agg(quote_ident(r), ', ') from unnest(granted.roles) r));
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.grant_privileges() IS 'Set the rights on everything in schema mmdb; run at every install.';
CREATE FUNCTION mmdb.guard_owner(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  owner oid;
begin
  select c.relowner into owner from pg_class c where c.oid = relation;
  if owner is not null and not pg_has_role(session_user, owner, 'member') then
    raise exception 'must be owner of table %', relation
      using errcode = 'insufficient_privilege', hint = format('its owner is %s', owner::regrole);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.guard_owner(relation regclass) IS 'Refuse a session that could not act as the table''s owner.';
CREATE FUNCTION mmdb.guard_pass(embedding bigint, pass uuid) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- One that was dropped meanwhile has no leases either: nothing is left to be kept from anybody.
  if exists (select from mmdb.passes p where p.embedding = guard_pass.embedding and p.pass is distinct from guard_pass.pass) then
    raise exception 'this is not the pass of embedding %', embedding using errcode = 'insufficient_privilege';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.guard_pass(embedding bigint, pass uuid) IS 'Refuse who does not know the pass of an embedding.';
CREATE FUNCTION mmdb.guard_session() RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if exists (select from mmdb.shared_sessions s where s.pid = pg_backend_pid()) then
    raise exception 'code of a table''s owner has run in this session'
      using errcode = 'cannot_connect_now', hint = 'connect again';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.guard_session() IS 'Refuse a session in which code of a table''s owner has run.';
CREATE FUNCTION mmdb.hash_sql(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format(case when made.modality = 'image' and not made.by_uri then 'sha256(%s)' else 'sha256(convert_to(%s, ''UTF8''))' end,
                mmdb.content_sql(made))
$$;
COMMENT ON FUNCTION mmdb.hash_sql(made mmdb.embeddings) IS 'SHA-256 of the source of a row; the worker computes the same over what it loaded.';
CREATE FUNCTION mmdb.here(standby boolean) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%s/%s', case when here.standby then c.system_identifier::text else pg_postmaster_start_time()::text end, d.oid)
  from pg_control_system() c, pg_database d
  where d.datname = current_database()
$$;
COMMENT ON FUNCTION mmdb.here(standby boolean) IS 'This database as one text: of this very server, or of its whole replication cluster.';
CREATE FUNCTION mmdb.hold(embedding bigint, worker integer, pass uuid, keys text[]) RETURNS SETOF text
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_pass(hold.embedding, hold.pass);
  select l.key from mmdb.leases l
  where l.embedding = hold.embedding and l.worker = hold.worker and l.key = any(hold.keys)
  order by l.key
  for update
$$;
COMMENT ON FUNCTION mmdb.hold(embedding bigint, worker integer, pass uuid, keys text[]) IS 'Worker only: which of these leases are still mine; nobody takes them over before this transaction ends.';
CREATE FUNCTION mmdb.idle_leases(embedding bigint) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  select l.key from mmdb.leases l
  where l.embedding = idle_leases.embedding and (l.worker is null or l.worker not in (select mmdb.live_workers()))
$$;
COMMENT ON FUNCTION mmdb.idle_leases(embedding bigint) IS 'Worker only: rows that nobody works on: they wait, failed, or their worker died; those no longer pending are to be forgotten.';
CREATE FUNCTION mmdb.index_definition(made mmdb.embeddings, kind text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case kind
    when 'hnsw' then format('using hnsw (%I %s)%s', made.column_name,
                            mmdb.operator_class(made.column_type, (select m.distance from mmdb.models m where m.name = made.model)),
                            mmdb.storage_parameters(made.index_options))
    else format('(%s) where %s', k.columns, mmdb.pending_sql(made, ''))
  end
  from mmdb.key_sql(made.relation) k
$$;
COMMENT ON FUNCTION mmdb.index_definition(made mmdb.embeddings, kind text) IS 'What stands behind "create index … on T".';
CREATE FUNCTION mmdb.index_name(made mmdb.embeddings, kind text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select mmdb.short_name(format('%s_%s_%s', made.prefix, made.name, kind), made.id) $$;
COMMENT ON FUNCTION mmdb.index_name(made mmdb.embeddings, kind text) IS 'The name of an embedding''s index: pending or hnsw.';
CREATE FUNCTION mmdb.index_statements(relation regclass, name text, concurrent boolean DEFAULT true) RETURNS SETOF text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
      return next format('create index %I on %s %s', mmdb.index_name(made, kind),
                         mmdb.relation_sql(made.relation), mmdb.index_definition(made, kind));
    end if;
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.index_statements(relation regclass, name text, concurrent boolean) IS 'The statements that build the missing indexes of an embedding; with concurrent (the default) each is to be run by itself, outside a transaction, and blocks no writer. `mmdb add` runs them.';
CREATE TABLE mmdb.leases (
    embedding bigint NOT NULL,
    key text NOT NULL,
    worker integer,
    expires_at timestamp with time zone,
    attempts integer DEFAULT 1 NOT NULL,
    state text,
    source_hash bytea,
    error text,
    retry_at timestamp with time zone,
    failed_at timestamp with time zone,
    CONSTRAINT leases_held_or_waiting CHECK (((worker IS NULL) = (expires_at IS NULL)))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');
COMMENT ON TABLE mmdb.leases IS 'Rows being embedded (worker set), waiting for another try (retry_at), or failed (retry_at infinity).';
CREATE FUNCTION mmdb.is_free(lease mmdb.leases, state text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select lease.worker is null
     and (lease.retry_at <= clock_timestamp() or (lease.retry_at = 'infinity' and lease.state is distinct from is_free.state))
$$;
COMMENT ON FUNCTION mmdb.is_free(lease mmdb.leases, state text) IS 'Whether a row with this lease may be claimed: its wait is over, or it failed and was changed since.';
CREATE FUNCTION mmdb.is_made_by(function oid, id bigint) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select coalesce(obj_description(function, 'pg_proc') like '%' || mmdb.made_for(id), false) $$;
COMMENT ON FUNCTION mmdb.is_made_by(function oid, id bigint) IS 'Whether a function carries the mark of this embedding.';
CREATE FUNCTION mmdb.is_out_of_date(made mmdb.embeddings) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return made.attached_to <> mmdb.attachment(made.relation) or mmdb.function_drift(made) is not null;
exception when undefined_column or object_not_in_prerequisite_state then
  return false;  -- not to be mended by making functions again: mmdb.status says so
end
$$;
COMMENT ON FUNCTION mmdb.is_out_of_date(made mmdb.embeddings) IS 'Whether the functions made for an embedding are to be made again.';
CREATE FUNCTION mmdb.key_columns(relation regclass) RETURNS TABLE(place bigint, name text, type_name text, equal text, greater text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select k.place, a.attname, format_type(a.atttypid, a.atttypmod),
         max(o.written) filter (where o.strategy = 3), max(o.written) filter (where o.strategy = 5)
  from pg_index i
  cross join unnest(i.indkey::smallint[], i.indclass::oid[]) with ordinality k(number, class, place)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
  join pg_opclass c on c.oid = k.class
  cross join lateral (
    select f.amopstrategy, format('operator(%I.%s)', n.nspname, p.oprname)
    from pg_amop f join pg_operator p on p.oid = f.amopopr join pg_namespace n on n.oid = p.oprnamespace
    where f.amopfamily = c.opcfamily and f.amoplefttype = c.opcintype and f.amoprighttype = c.opcintype
  ) o(strategy, written)
  where i.indrelid = relation and i.indisprimary and i.indisvalid
  group by k.place, a.attname, a.atttypid, a.atttypmod
$$;
COMMENT ON FUNCTION mmdb.key_columns(relation regclass) IS 'The columns of a table''s primary key, with the operators that its index compares them by.';
CREATE FUNCTION mmdb.key_sql(relation regclass, OUT expression text, OUT matches text, OUT later text, OUT ordering text, OUT columns text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- A key travels as the text of an array of the key columns' texts: one shape for every type and width. Written by the
  -- types' output functions and not by a cast, which may be a function of the table's owner, run by whoever counts.
  select format('array[%s]::text', string_agg(format('format(''%%s'', p.%I)', k.name), ', ' order by k.place)),
         string_agg(format('p.%I %s ((k.key::text[])[%s])::%s', k.name, k.equal, k.place, k.type_name), ' and ' order by k.place),
         string_agg(format('p.%I', k.name), ', ' order by k.place),
         string_agg(quote_ident(k.name), ', ' order by k.place)
  into expression, matches, ordering, columns
  from mmdb.key_columns(relation) k;
  later := mmdb.later_sql(relation);
  if columns is null then
    raise exception 'table % has no primary key', relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('mmdb finds a row again by its key: alter table %s add primary key (…)', relation);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.key_sql(relation regclass, OUT expression text, OUT matches text, OUT later text, OUT ordering text, OUT columns text) IS 'The SQL by which generated functions write, find, page and order a table''s rows by primary key.';
CREATE FUNCTION mmdb.keywords_expression(columns text[], language text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case mmdb.keywords_method(language)
           when 'text search' then format('to_tsvector(%L::regconfig, %s)', language, c.content)
           when 'pairs' then format('to_tsvector(''simple''::regconfig, mmdb.pairs(%s, true))', c.content)
           else format('(%s)', c.content) end
  from (select string_agg(format('coalesce(%I, '''')', n.name), ' || '' '' || ' order by n.place)
        from unnest(columns) with ordinality n(name, place)) c(content)
$$;
COMMENT ON FUNCTION mmdb.keywords_expression(columns text[], language text) IS 'What is indexed of a row for a search by words.';
CREATE FUNCTION mmdb.keywords_index(made mmdb.keywords) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('create index %I on %s using gin (%s%s)', made.index_name, mmdb.relation_sql(made.relation),
                mmdb.keywords_expression(made.columns, made.language),
                case mmdb.keywords_method(made.language) when 'trigram' then ' public.gin_trgm_ops' else '' end)
$$;
COMMENT ON FUNCTION mmdb.keywords_index(made mmdb.keywords) IS 'The statement that builds the index of keywords.';
CREATE FUNCTION mmdb.keywords_leg(made mmdb.keywords) RETURNS mmdb.search_leg
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  leg mmdb.search_leg;
  keys constant record := mmdb.key_sql(made.relation);
  method constant text := mmdb.keywords_method(made.language);
  expression constant text := coalesce((
    select pg_get_indexdef(i.indexrelid, 1, false) from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = made.relation and c.relname = made.index_name), mmdb.keywords_expression(made.columns, made.language));
begin
  leg.name := made.name;
  leg.parts.relation := made.relation;
  leg.parts.source := mmdb.relation_sql(made.relation) || ' p';
  leg.parts.key := keys.expression;
  leg.parts.columns := keys.ordering;
  leg.parts.within := mmdb.within_sql(made.relation);
  if method = 'trigram' then
    leg.matches := format('$1 operator(public.<%%) %s', expression);
    leg.closeness := format('public.word_similarity($1, %s)', expression);
  else
    leg.matches := format('%s operator(pg_catalog.@@) (select mmdb.words_query(%L, $1))', expression, made.language);
    leg.closeness := format('ts_rank_cd(%s, (select mmdb.words_query(%L, $1)), 32)', expression, made.language);
  end if;
  return leg;
end
$_$;
COMMENT ON FUNCTION mmdb.keywords_leg(made mmdb.keywords) IS 'A search by words as a leg of T_search.';
CREATE FUNCTION mmdb.keywords_method(language text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if language in ('chinese', 'japanese', 'korean', 'thai') then
    return 'pairs';
  elsif language = 'trigram' then
    return 'trigram';
  elsif exists (select from pg_ts_config c where c.cfgname = language and pg_ts_config_is_visible(c.oid)) then
    return 'text search';
  end if;
  raise exception 'there is no text search configuration "%"', language
    using errcode = 'undefined_object',
          hint = format('languages: %s; chinese, japanese, korean, thai; trigram for any language with typing errors',
                        (select string_agg(c.cfgname, ', ' order by c.cfgname) from pg_ts_config c where pg_ts_config_is_visible(c.oid)));
end
$$;
COMMENT ON FUNCTION mmdb.keywords_method(language text) IS 'How a language is searched by words: text search, pairs or trigram.';
CREATE FUNCTION mmdb.later_sql(relation regclass) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  k record;
  condition text;
begin
  if (select count(distinct c.greater) from mmdb.key_columns(relation) c) = 1 then
    return (select format('(%s) %s (%s)', string_agg(format('p.%I', c.name), ', ' order by c.place), min(c.greater),
                          string_agg(format('((after::text[])[%s])::%s', c.place, c.type_name), ', ' order by c.place))
            from mmdb.key_columns(relation) c);
  end if;
  for k in select *, format('((after::text[])[%s])::%s', c.place, c.type_name) as bound
           from mmdb.key_columns(relation) c order by c.place desc loop
    condition := case when condition is null then format('p.%I %s %s', k.name, k.greater, k.bound)
                      else format('(p.%I %s %s or p.%I %s %s and %s)', k.name, k.greater, k.bound, k.name, k.equal, k.bound, condition) end;
  end loop;
  return condition;
end
$$;
COMMENT ON FUNCTION mmdb.later_sql(relation regclass) IS 'The condition "this row''s key comes after the key `after`".';
CREATE FUNCTION mmdb.let_worker_in(made mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  worker_role constant text := mmdb.setting('worker_role');
begin
  if not has_schema_privilege(worker_role, to_regnamespace(made.function_schema), 'usage') then
    execute format('grant usage on schema %s to %I', made.function_schema, worker_role);
  end if;
exception when insufficient_privilege then
  raise exception 'role "%" may not use schema %', worker_role, made.function_schema
    using errcode = 'insufficient_privilege',
          hint = format('have the schema''s owner run: grant usage on schema %s to %I', made.function_schema, worker_role);
end
$$;
COMMENT ON FUNCTION mmdb.let_worker_in(made mmdb.embeddings) IS 'Let the worker call functions in the table''s schema.';
CREATE FUNCTION mmdb.live_workers() RETURNS SETOF integer
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select l.objid::bigint::integer
  from pg_locks l
  where l.locktype = 'advisory' and l.objsubid = 2 and l.granted
    and l.classid = mmdb.worker_lock_class()::oid
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
$$;
COMMENT ON FUNCTION mmdb.live_workers() IS 'The ids of the workers whose session is alive now.';
CREATE FUNCTION mmdb.load_body(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format($body$
begin%7$s
  return query select k.key, p.xmin::text, octet_length(s.content)::bigint,
         case when octet_length(s.content) <= max_bytes then %4$s end,
         case when octet_length(s.content) <= max_bytes then %5$s end
  from unnest(keys) k(key)
  join %1$s p on %2$s
  cross join lateral (select %6$s) s(content)
  where %3$s;
end
$body$, mmdb.rows_sql(made.relation), k.matches, mmdb.pending_sql(made, 'p.'),
        case when made.modality = 'image' and not made.by_uri then 'null::text' else 's.content' end,
        case when made.modality = 'image' and not made.by_uri then 's.content' else 'null::bytea' end,
        mmdb.content_sql(made), mmdb.pass_sql(made))
  from mmdb.key_sql(made.relation) k
$_$;
COMMENT ON FUNCTION mmdb.load_body(made mmdb.embeddings) IS 'The sources of some pending rows; those over the limit come without content.';
CREATE FUNCTION mmdb.lock_declarations(relation regclass) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select pg_advisory_xact_lock(mmdb.worker_lock_class() + 1, relation::oid::bigint::bit(32)::integer) $$;
COMMENT ON FUNCTION mmdb.lock_declarations(relation regclass) IS 'One declaration at a time on a table.';
CREATE FUNCTION mmdb.loopback(statement text, OUT token uuid, OUT embedding real[], OUT problem text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    AS $$
declare
  hidden constant text := repeat(' ', pg_size_bytes(current_setting('track_activity_query_size'))::integer) || statement;
  sent timestamptz;
begin
  for attempt in 1..2 loop
    perform mmdb.open_loopback();
    begin
      if public.dblink_send_query('mmdb_loopback', hidden) = 1 then
        -- A sleep takes a millisecond at least, the far side a quarter of one.
        sent := clock_timestamp();
        while public.dblink_is_busy('mmdb_loopback') = 1 loop
          if clock_timestamp() > sent + interval '1 ms' then
            perform pg_sleep(0.001);
          end if;
        end loop;
        select a.token, a.embedding, a.problem into token, embedding, problem
        from public.dblink_get_result('mmdb_loopback') a(token uuid, embedding real[], problem text);
        -- The end of the answers, without which the connection takes no other statement.
        perform from public.dblink_get_result('mmdb_loopback') a(token uuid, embedding real[], problem text);
        return;
      end if;
    exception when connection_exception or admin_shutdown or crash_shutdown or internal_error then
      if attempt = 2 then  -- the first time it may have been cut since
        perform public.dblink_disconnect('mmdb_loopback');
        raise;
      end if;
    end;
    perform public.dblink_disconnect('mmdb_loopback');
  end loop;
  raise exception 'the loopback connection of mmdb takes no statement' using errcode = 'connection_exception';
end
$$;
COMMENT ON FUNCTION mmdb.loopback(statement text, OUT token uuid, OUT embedding real[], OUT problem text) IS 'Run one call of post_query or poll_query in a transaction of its own.';
CREATE FUNCTION mmdb.made_for(id bigint) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select format('[mmdb embedding %s]', id) $$;
COMMENT ON FUNCTION mmdb.made_for(id bigint) IS 'The mark in the comment of every function that mmdb made for an embedding.';
CREATE FUNCTION mmdb.make_public_function(made mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  call constant text := format('%s(%s)', name, types);
  grants constant aclitem[] := (select p.proacl from pg_proc p where p.oid = to_regprocedure(call));
  right_given record;
begin
  execute format('drop function if exists %s', call);
  perform mmdb.create_made(made, format('%s(%s)', name, types), format('returns table (%s) %s', coalesce(columns,
    (select format('%s, %I double precision', c.definitions, mmdb.distance_name(made.relation)) from mmdb.search_columns(made.relation) c)),
    attributes), body, purpose, parameters);
  if grants is not null then
    execute format('revoke all on function %s from public', call);
    for right_given in select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
                              case when a.is_grantable then ' with grant option' else '' end as extra
                       from aclexplode(grants) a loop
      execute format('grant execute on function %s to %s%s', call, right_given.grantee,
                     case when right_given.grantee = 'public' then '' else right_given.extra end);
    end loop;
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.make_public_function(made mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text) IS 'A generated function that returns rows of the table, with their distance unless other columns are given, made or made again with the grants it had.';
CREATE FUNCTION mmdb.make_search_view(made mmdb.embeddings, argument text, vector text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  name constant text := format('%s.%I', made.function_schema, mmdb.search_name(made.prefix, made.name));
  distance constant text := (select m.distance from mmdb.models m where m.name = made.model);
begin
  perform mmdb.make_public_function(made, name, argument, argument, 'language sql stable parallel restricted security invoker',
    mmdb.search_body(made, distance, vector),
    format('Every row of %s with its distance from a query, by "%s"; add: order by %s limit k.',
           mmdb.relation_sql(made.relation), made.name, mmdb.distance_name(made.relation)));
end
$$;
COMMENT ON FUNCTION mmdb.make_search_view(made mmdb.embeddings, argument text, vector text) IS 'One search view.';
CREATE FUNCTION mmdb.make_search_views(made mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  argument text;
  vector text;
  vector_type constant text := regexp_replace(made.column_type, '\(\d+\)$', '');
begin
  for argument, vector in
    select case m.modality when 'text' then 'text' else 'bytea' end,
           format('(select mmdb.embed_for(%L::regclass, %L, $1)::%s)', mmdb.relation_sql(made.relation), made.name, made.column_type)
    from unnest((select m.modalities from mmdb.models m where m.name = made.model)) m(modality)
    union all
    select vector_type, '$1'
  loop
    perform mmdb.make_search_view(made, argument, vector);
    perform mmdb.make_top_function(made, argument, vector || '::public.halfvec');
  end loop;
end
$_$;
COMMENT ON FUNCTION mmdb.make_search_views(made mmdb.embeddings) IS 'The search functions of an embedding: for each kind of query its model takes and for a vector, T_by_NAME and T_top_by_NAME.';
CREATE FUNCTION mmdb.make_table_functions(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    AS $$
#variable_conflict use_variable
declare
  first_made mmdb.embeddings;
  name text;
  parameters text;
begin
  select e.* into first_made from mmdb.embeddings e where e.relation = relation order by e.id limit 1;
  if first_made.id is null then
    return;
  end if;
  perform '[1]'::public.vector;  -- only a setting that is known can be attached without being superuser
  name := mmdb.table_call(relation, 'search');
  parameters := format(
    '%I text default null, %I bytea default null, %I integer default 10, %I jsonb default null, %I %s default null, '
    '%I jsonb default null, %I bytea[] default null, %I integer default null',
    mmdb.free_name(relation, 'query'), mmdb.free_name(relation, 'image'), mmdb.free_name(relation, 'k'), mmdb.free_name(relation, 'filter'),
    mmdb.free_name(relation, 'within'), mmdb.within_type(relation), mmdb.free_name(relation, 'weights'),
    mmdb.free_name(relation, 'images'), mmdb.free_name(relation, 'depth'));
  perform mmdb.make_public_function(first_made, name, parameters,
    format('text, bytea, integer, jsonb, %s, jsonb, bytea[], integer', mmdb.within_type(relation)),
    'language plpgsql stable security invoker rows 10 set hnsw.ef_search = 100', mmdb.search_table_body(relation),
    format('The k rows of %s that words and embeddings find together, best first.', mmdb.relation_sql(relation)),
    format('%s, %I double precision, %I jsonb', (select c.definitions from mmdb.search_columns(relation) c),
           mmdb.free_name(relation, 'score'), mmdb.free_name(relation, 'ranks')));
end
$$;
COMMENT ON FUNCTION mmdb.make_table_functions(relation regclass) IS 'Make the functions of a table again, over the legs that it has now.';
CREATE FUNCTION mmdb.make_top_function(made mmdb.embeddings, argument text, vector text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  name constant text := format('%s.%I', made.function_schema, mmdb.top_name(made.prefix, made.name));
begin
  perform '[1]'::public.vector;  -- only a setting that is known can be attached without being superuser
  perform mmdb.make_public_function(made, name,
    format('%I %s, %I integer default 10, %I jsonb default null, %I %s default null',
           mmdb.free_name(made.relation, 'query'), argument, mmdb.free_name(made.relation, 'k'), mmdb.free_name(made.relation, 'filter'),
           mmdb.free_name(made.relation, 'within'), mmdb.within_type(made.relation)),
    format('%s, %s, %s, %s', argument, 'integer', 'jsonb', mmdb.within_type(made.relation)),
    'language plpgsql stable security invoker rows 10 set hnsw.ef_search = 100', mmdb.top_body(made, vector),
    format('The k rows of %s nearest to a query, by "%s", of those that pass the filter: complete and in order.',
           mmdb.relation_sql(made.relation), made.name));
end
$$;
COMMENT ON FUNCTION mmdb.make_top_function(made mmdb.embeddings, argument text, vector text) IS 'T_top_by_NAME for one kind of query.';
CREATE FUNCTION mmdb.make_trigger(made mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
    where a.attrelid = made.relation and a.attnum = any(mmdb.base_columns(made.relation, made.source_numbers));
  end if;
  execute format('drop trigger if exists %I on %s', ours, relation);
  execute format('create trigger %I before update %s on %s for each row when (%s) execute function mmdb.unset_embedding()',
                 ours, columns, relation, mmdb.trigger_condition(made));
  execute format('alter table %s enable always trigger %I', relation, ours);
end
$$;
COMMENT ON FUNCTION mmdb.make_trigger(made mmdb.embeddings) IS 'The trigger that makes a row pending again when its source changes.';
CREATE FUNCTION mmdb.make_worker_functions(made mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  verb text;
  signature text;
  made_function regprocedure;
  vector_type constant text := regexp_replace(made.column_type, '\(\d+\)$', '');
begin
  perform mmdb.let_worker_in(made);
  perform mmdb.drop_made(made, (select array_agg(format('mmdb_%s_%s', v, made.id)) from unnest(mmdb.worker_verbs()) v));
  foreach verb in array mmdb.worker_verbs() loop
    signature := mmdb.worker_function(made, verb) || case verb
      when 'pending' then '(pass uuid, after text, count integer) returns table (key text, state text)'
      when 'load' then '(pass uuid, keys text[], max_bytes bigint) returns table (key text, state text, size bigint, content text, data bytea)'
      when 'store' then format('(pass uuid, keys text[], states text[], hashes bytea[], embeddings %s[]) returns table (key text, outcome text)', vector_type)
      when 'count' then '(pass uuid, exact_up_to bigint, out total bigint, out embedded bigint, out pending bigint, out estimated boolean)'
      when 'clean' then '(pass uuid) returns boolean' end;
    -- The text of a key must not depend on who asks.
    perform mmdb.create_made(made, signature, format('language plpgsql %s security definer set search_path = pg_catalog, pg_temp '
      'set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres'' set extra_float_digits = 1 set bytea_output = ''hex'' '
      'set timezone = ''UTC''', case when verb in ('store', 'clean') then 'volatile' else 'stable' end),
      mmdb.worker_body(made, verb), case verb
        when 'pending' then 'The rows that wait to be embedded, a page at a time.'
        when 'load' then 'The sources of pending rows.'
        when 'store' then 'Store embeddings whose source is unchanged.'
        when 'count' then 'How many rows there are, embedded and pending.'
        when 'clean' then 'Remove what mmdb made for a dropped table.' end);
  end loop;
  for made_function in
    select p.oid from pg_proc p
    where p.pronamespace = made.function_schema::regnamespace and p.prosecdef and mmdb.is_made_by(p.oid, made.id)
  loop
    execute format('revoke all on function %s from public', made_function);
    execute format('grant execute on function %s to %I', made_function, mmdb.setting('worker_role'));
  end loop;
end
$_$;
COMMENT ON FUNCTION mmdb.make_worker_functions(made mmdb.embeddings) IS 'The functions by which a worker reads and writes this table, as its owner.';
CREATE FUNCTION mmdb.may_call(embedding bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select coalesce((select mmdb.run_as_owner(e) from mmdb.embeddings e where e.id = may_call.embedding), false) $$;
COMMENT ON FUNCTION mmdb.may_call(embedding bigint) IS 'Worker only: asked right before each call of an embedding''s functions.';
CREATE FUNCTION mmdb.may_clean(embedding bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce((
    select p.prosecdef and mmdb.is_made_by(p.oid, e.id)
    from mmdb.embeddings e join pg_proc p on p.oid = to_regproc(mmdb.worker_function(e, 'clean'))
    where e.id = may_clean.embedding), false)
$$;
COMMENT ON FUNCTION mmdb.may_clean(embedding bigint) IS 'Worker only: asked right before the function is called that cleans up after a dropped table.';
CREATE FUNCTION mmdb.model_of(relation regclass, name text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_model text;
begin
  select e.model into found_model from mmdb.embeddings e
  where e.relation = model_of.relation and e.name = model_of.name;
  if found_model is null then
    raise exception 'table % has no embedding "%"', relation, name
      using errcode = 'undefined_object', hint = 'select relation, name from mmdb.embeddings lists them';
  end if;
  return found_model;
end
$$;
COMMENT ON FUNCTION mmdb.model_of(relation regclass, name text) IS 'The model that an embedding is bound to now.';
CREATE FUNCTION mmdb.note_attempt(embedding bigint, worker integer, key text, state text, source_hash bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  update mmdb.leases l set state = note_attempt.state, source_hash = note_attempt.source_hash
  where l.embedding = note_attempt.embedding and l.key = note_attempt.key and l.worker = note_attempt.worker
$$;
COMMENT ON FUNCTION mmdb.note_attempt(embedding bigint, worker integer, key text, state text, source_hash bytea) IS 'Worker only: before a row that a worker died of is tried again, write down what is tried.';
CREATE FUNCTION mmdb.note_counts(embedding bigint, pass uuid, total bigint, embedded bigint, pending bigint, estimated boolean) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session(), mmdb.guard_pass(note_counts.embedding, note_counts.pass);
  update mmdb.progress p
  set (counted_at, total, embedded, pending, estimated)
    = (clock_timestamp(), note_counts.total, note_counts.embedded, note_counts.pending, note_counts.estimated)
  where p.embedding = note_counts.embedding
$$;
COMMENT ON FUNCTION mmdb.note_counts(embedding bigint, pass uuid, total bigint, embedded bigint, pending bigint, estimated boolean) IS 'Worker only: the rows of a table, as its owner sees them.';
CREATE FUNCTION mmdb.open_loopback() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if 'mmdb_loopback' = any(public.dblink_get_connections()) then
    return;
  end if;
  perform public.dblink_connect('mmdb_loopback', 'mmdb_loopback');
exception when others then
  raise exception 'the loopback connection of mmdb cannot be opened: %', sqlerrm
    using errcode = 'connection_exception',
          hint = 'run `mmdb init`: it makes the role, the password and the foreign server "mmdb_loopback" that it needs; `mmdb doctor` says more';
end
$$;
COMMENT ON FUNCTION mmdb.open_loopback() IS 'Open this session''s connection back into the database, once.';
CREATE FUNCTION mmdb.operator_class(column_type text, distance text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('public.%s_%s_ops', case when column_type like '%halfvec(%' then 'halfvec' else 'vector' end,
                case distance when 'cosine' then 'cosine' when 'l2' then 'l2' else 'ip' end)
$$;
COMMENT ON FUNCTION mmdb.operator_class(column_type text, distance text) IS 'pgvector''s HNSW operator class for a column type and a distance.';
CREATE FUNCTION mmdb.other_triggers(relation regclass) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select t.tgname::text
  from pg_trigger t
  where t.tgrelid in (select relation union select i.relid from pg_partition_tree(relation) i)
    and not t.tgisinternal and t.tgfoid <> 'mmdb.unset_embedding'::regproc
    and (t.tgtype & 1) <> 0 and (t.tgtype & 2) <> 0 and (t.tgtype & 16) <> 0
$$;
COMMENT ON FUNCTION mmdb.other_triggers(relation regclass) IS 'The table''s own BEFORE UPDATE row triggers.';
CREATE FUNCTION mmdb.own_indexes() RETURNS TABLE(schema text, name text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select n.nspname::text, i.relname::text
  from (
    select mmdb.serving_index(e, e.relation, 'pending') from mmdb.embeddings e join pg_class c on c.oid = e.relation
    union all
    select x.indexrelid from mmdb.keywords w join pg_index x on x.indrelid = w.relation join pg_class c on c.oid = x.indexrelid
    where c.relname = w.index_name
  ) made(oid)
  join pg_class i on i.oid = made.oid
  join pg_namespace n on n.oid = i.relnamespace
$$;
COMMENT ON FUNCTION mmdb.own_indexes() IS 'The indexes that mmdb made for itself: of pending rows, and of keywords.';
CREATE FUNCTION mmdb.pairs(content text, singles boolean DEFAULT true) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(case when r.run[1] ~ ('^[' || mmdb.unspaced() || ']') then (
      select string_agg(c.piece, ' ') from (
        select substr(r.run[1], i, 2) from generate_series(1, length(r.run[1]) - 1) i
        union all
        select substr(r.run[1], i, 1) from generate_series(1, length(r.run[1])) i where singles or length(r.run[1]) = 1
      ) c(piece)) else r.run[1] end, ' ')
  from regexp_matches(content, '[' || mmdb.unspaced() || ']+|[^' || mmdb.unspaced() || ']+', 'g') r(run)
$$;
COMMENT ON FUNCTION mmdb.pairs(content text, singles boolean) IS 'A text in which runs of characters without spaces are cut into overlapping pairs, and into singles as a document is.';
CREATE FUNCTION mmdb.partition_index_statements(made mmdb.embeddings, kind text) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.partition_index_statements(made mmdb.embeddings, kind text) IS 'The statements that build an index partition by partition.';
CREATE FUNCTION mmdb.pass_sql(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format($body$
  if sha256(convert_to(pass::text, 'UTF8')) is distinct from %L then
    raise exception 'this is not the pass of embedding %%', %L using errcode = 'insufficient_privilege';
  end if;$body$, made.pass_hash, made.id)
$_$;
COMMENT ON FUNCTION mmdb.pass_sql(made mmdb.embeddings) IS 'The statement by which a generated function asks for its pass.';
CREATE FUNCTION mmdb.pending_body(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format($body$
begin%6$s
  if after is null then
    return query select %1$s, p.xmin::text from %2$s p
      where %3$s order by %5$s limit count;
  else
    return query select %1$s, p.xmin::text from %2$s p
      where %3$s and %4$s order by %5$s limit count;
  end if;
end
$body$, k.expression, mmdb.rows_sql(made.relation), mmdb.pending_sql(made, 'p.'), k.later, k.ordering, mmdb.pass_sql(made))
  from mmdb.key_sql(made.relation) k
$_$;
COMMENT ON FUNCTION mmdb.pending_body(made mmdb.embeddings) IS 'Page through the pending rows in key order, along the partial index.';
CREATE FUNCTION mmdb.pending_of(made mmdb.embeddings, ids text[], OUT pending bigint, OUT mine bigint, OUT failure text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET extra_float_digits TO '1'
    SET bytea_output TO 'hex'
    SET "TimeZone" TO 'UTC'
    AS $_$
declare
  key record := mmdb.key_sql(made.relation);
  one_column constant boolean := (select count(*) = 1 from mmdb.key_columns(made.relation));
  keys constant text[] := case when one_column then (select array_agg(array[i]::text) from unnest(ids) i) else ids end;
begin
  execute format($query$
    select count(*) filter (where f.key_text is null), count(*) filter (where p.xmin::text = $2),
           min(format('row %%s of %%s cannot be embedded: %%s', f.key_text, %1$L, f.error)) filter (where f.key_text is not null)
    from %2$s %3$s
    left join mmdb.failures f on f.embedding = %4$s and f.final and f.key_text = %5$s
    where %6$s
  $query$, made.relation,
    case when ids is null then '' else 'unnest($1) k(key) join ' end || mmdb.rows_sql(made.relation) || ' p',
    case when ids is null then '' else 'on ' || key.matches end, made.id, key.expression, mmdb.pending_sql(made, 'p.'))
  into pending, mine, failure
  using keys, pg_current_xact_id_if_assigned()::xid::text;
end
$_$;
COMMENT ON FUNCTION mmdb.pending_of(made mmdb.embeddings, ids text[], OUT pending bigint, OUT mine bigint, OUT failure text) IS 'How many of these rows are pending, how many of them this transaction wrote, and what failed.';
CREATE FUNCTION mmdb.pending_sql(made mmdb.embeddings, alias text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%s%I is null and (%s)', alias, made.column_name,
                string_agg(format('%s%I is not null', alias, s.name), ' or ' order by s.place))
  from unnest(made.sources) with ordinality s(name, place)
$$;
COMMENT ON FUNCTION mmdb.pending_sql(made mmdb.embeddings, alias text) IS 'The condition "this row waits to be embedded".';
CREATE FUNCTION mmdb.plan_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, prefix text, index_options jsonb, distance text) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_variable
declare
  planned mmdb.embeddings;
  chosen mmdb.models;
begin
  perform mmdb.check_relation(relation);
  if coalesce(cardinality(sources), 0) = 0 or array_position(sources, null) is not null then
    raise exception 'an embedding of table % needs at least one source column', relation
      using errcode = 'invalid_parameter_value';
  elsif storage is distinct from 'column' then
    raise exception 'storage "%" is not available', storage
      using errcode = 'feature_not_supported', hint = 'this version stores embeddings in a column: storage => ''column''';
  end if;
  planned.relation := relation;
  planned.sources := sources;
  planned.source_numbers := mmdb.column_numbers(relation, sources);
  select s.modality, s.by_uri into planned.modality, planned.by_uri
  from mmdb.source_modality(relation, planned.source_numbers, modality) s;
  chosen := mmdb.check_model(coalesce(model, mmdb.setting('default_model'), 'lite'), planned.modality);
  planned.model := chosen.name;
  if distance <> chosen.distance then
    raise exception 'model "%" has distance "%", not "%"', chosen.name, chosen.distance, distance
      using errcode = 'invalid_parameter_value', hint = 'the distance is the model''s: leave it out, or choose another model';
  end if;
  planned.index_options := mmdb.check_index_options(coalesce(index_options, '{}'));
  planned.name := coalesce(name, array_to_string(sources, '_'));
  planned.column_name := planned.name || '_embedding';
  planned.column_type := format('public.halfvec(%s)', chosen.dimensions);
  planned.storage := storage;
  select coalesce(prefix, c.relname), n.nspname into planned.prefix, planned.function_schema
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = relation;
  planned.function_schema := quote_ident(planned.function_schema);
  if exists (select from mmdb.embeddings e where e.relation = planned.relation and e.name = planned.name) then
    raise exception 'table % has an embedding "%" already', relation, planned.name
      using errcode = 'duplicate_object',
            hint = format('mmdb.drop_embedding(%L, %L) removes it; another one needs a name => ''…''', relation, planned.name);
  end if;
  planned.id := nextval('mmdb.embeddings_id_seq');
  planned.attached_to := mmdb.attachment(relation);
  planned.source_expressions := mmdb.source_expressions(relation, planned.source_numbers);
  planned.created_at := now();
  perform mmdb.drop_orphans(planned.function_schema);
  perform mmdb.check_names(planned);
  planned.adopted := mmdb.check_column(planned);
  perform mmdb.key_sql(relation);
  return planned;
end
$$;
COMMENT ON FUNCTION mmdb.plan_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, prefix text, index_options jsonb, distance text) IS 'Everything add_embedding needs to know, checked, before it changes anything.';
CREATE FUNCTION mmdb.poll_query(token uuid, OUT embedding real[], OUT problem text) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  select q.embedding, q.error into embedding, problem
  from mmdb.queries q where q.token = poll_query.token;
  if not found then
    problem := 'the question is gone: the server was restarted, or the cache was emptied';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.poll_query(token uuid, OUT embedding real[], OUT problem text) IS 'Loopback only: the answer to one''s own question, NULL while it is not there.';
CREATE FUNCTION mmdb.post_query(asked_at text, model text, modality text, content text, data bytea, OUT token uuid, OUT embedding real[], OUT problem text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  query_hash constant bytea := mmdb.query_hash(modality, content, data);
begin
  if asked_at <> all(array[mmdb.here(false), mmdb.here(true)]) then
    problem := 'elsewhere';
    return;
  elsif pg_is_in_recovery() then
    problem := 'standby';
    return;
  end if;
  select q.token, q.embedding into token, embedding
  from mmdb.queries q
  where q.model = post_query.model and q.hash = query_hash and q.error is null;
  if embedding is not null then
    return;
  end if;
  if not exists (select from mmdb.worker_sessions w join mmdb.models m on m.name = post_query.model
                 where mmdb.serves(w, m) and w.id in (select mmdb.live_workers())) then
    problem := 'no worker';
    return;
  end if;
  if token is null then
    insert into mmdb.queries as q (model, hash, modality, content, data)
    values (post_query.model, query_hash, post_query.modality, post_query.content, post_query.data)
    on conflict on constraint queries_pkey do update
      set (token, asked_at, content, data, worker, error, answered_at)
        = (gen_random_uuid(), clock_timestamp(), excluded.content, excluded.data, null, null, null)
      where q.error is not null
    returning q.token into token;
  end if;
  if token is null then
    select q.token into token from mmdb.queries q where q.model = post_query.model and q.hash = query_hash;
  end if;
  -- Said again for a question that is already waiting: its worker may have died since.
  perform pg_notify('mmdb', model);
end
$$;
COMMENT ON FUNCTION mmdb.post_query(asked_at text, model text, modality text, content text, data bytea, OUT token uuid, OUT embedding real[], OUT problem text) IS 'Loopback only: ask for a query vector. Returns the vector if it is cached, else a token to poll with, else the problem.';
CREATE FUNCTION mmdb.query_hash(modality text, content text, data bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select sha256(convert_to(modality, 'UTF8') || '\x00'::bytea || coalesce(data, convert_to(content, 'UTF8')))
$$;
COMMENT ON FUNCTION mmdb.query_hash(modality text, content text, data bytea) IS 'The key of a query in the cache: SHA-256 of modality and content.';
CREATE FUNCTION mmdb.query_vector(leg mmdb.search_leg, query text, images bytea[], weights jsonb) RETURNS public.vector
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  vectors real[][];
  factors double precision[];
  image bytea;
begin
  if query is not null and 'text' = any(leg.modalities) and mmdb.weight_of(weights, 'query') <> 0 then
    vectors := array[mmdb.embed(query, leg.model)::real[]];
    factors := array[mmdb.weight_of(weights, 'query')];
  end if;
  foreach image in array coalesce(images, '{}') loop
    if 'image' = any(leg.modalities) and mmdb.weight_of(weights, 'image') <> 0 then
      vectors := vectors || array[mmdb.embed(image, leg.model)::real[]];
      factors := factors || mmdb.weight_of(weights, 'image');
    end if;
  end loop;
  if cardinality(factors) = 1 and factors[1] > 0 then
    return (array(select v from unnest(vectors) v))::real[]::public.vector;
  end if;
  return case when factors is not null then mmdb.weighted_vector(vectors, factors) end;
end
$$;
COMMENT ON FUNCTION mmdb.query_vector(leg mmdb.search_leg, query text, images bytea[], weights jsonb) IS 'What a leg looks for: the text and the pictures of a query that its model takes, combined by weight; NULL for none.';
CREATE FUNCTION mmdb.record_embedding(made mmdb.embeddings, pass uuid DEFAULT NULL::uuid) RETURNS mmdb.embeddings
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.guard_owner(made.relation);
  perform mmdb.check_record(made);
  if exists (select from mmdb.embeddings e where e.id = made.id and e.relation <> made.relation) then
    raise exception 'embedding % belongs to another table', made.id using errcode = 'insufficient_privilege';
  elsif not exists (select from mmdb.embeddings e where e.id = made.id)
        and made.pass_hash is distinct from sha256(convert_to(pass::text, 'UTF8')) then
    raise exception 'embedding % comes without its pass', made.id using errcode = 'insufficient_privilege';
  end if;
  insert into mmdb.embeddings select made.*
  on conflict (id) do update
    set (sources, source_numbers, source_expressions, column_name, column_number, column_type, prefix, function_schema, attached_to, index_options)
      = (excluded.sources, excluded.source_numbers, excluded.source_expressions, excluded.column_name, excluded.column_number,
         excluded.column_type, excluded.prefix, excluded.function_schema, excluded.attached_to, excluded.index_options);
  insert into mmdb.progress (embedding) values (made.id) on conflict do nothing;
  insert into mmdb.passes select made.id, pass where pass is not null on conflict do nothing;
  perform pg_notify('mmdb', '');
  return made;
end
$$;
COMMENT ON FUNCTION mmdb.record_embedding(made mmdb.embeddings, pass uuid) IS 'Enter an embedding into the catalogue, for the table''s owner only.';
CREATE FUNCTION mmdb.record_keywords(made mmdb.keywords) RETURNS mmdb.keywords
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.guard_owner(made.relation);
  insert into mmdb.keywords (relation, name, columns, language, index_name)
  values (made.relation, made.name, made.columns, made.language, made.index_name)
  returning * into made;
  return made;
end
$$;
COMMENT ON FUNCTION mmdb.record_keywords(made mmdb.keywords) IS 'Enter keywords into the catalogue, for the table''s owner only.';
CREATE FUNCTION mmdb.refresh(relation regclass) RETURNS SETOF mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    AS $$
declare
  made mmdb.embeddings;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  for made in select e.* from mmdb.embeddings e where e.relation = refresh.relation order by e.id loop
    made := mmdb.resolved(made);
    -- While the trigger did not guard the sources they may have changed unseen: all rows are pending.
    if mmdb.trigger_drift(made) is not null then
      perform mmdb.unset_all(made);
      made.source_expressions := mmdb.source_expressions(relation, made.source_numbers);
    end if;
    perform mmdb.make_trigger(made);
    perform mmdb.make_worker_functions(made);
    perform mmdb.make_search_views(made);
    return next mmdb.record_embedding(made);
  end loop;
  perform mmdb.make_table_functions(relation);
end
$$;
COMMENT ON FUNCTION mmdb.refresh(relation regclass) IS 'Make the functions and triggers of a table''s embeddings again, after columns were added, renamed or dropped, or the table renamed. Grants on the search views are kept. Where the trigger was missing or could be passed by, all rows are embedded again.';
CREATE FUNCTION mmdb.refuse_problem(problem text, model text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if problem = 'elsewhere' then
    raise exception 'the loopback connection of mmdb leads to another server or database than "%"', current_database()
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'this database was cloned or moved: run `mmdb init` on it';
  elsif problem = 'standby' then
    raise exception 'the loopback connection of mmdb leads to this standby, which cannot take a question'
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'on the primary: mmdb init --loopback-host HOST, the name by which its standbys reach it';
  elsif problem = 'no worker' then
    raise exception 'no worker is running for model "%"', model
      using errcode = 'object_not_in_prerequisite_state', hint = 'start one: `mmdb worker` (or `mmdb up`)';
  elsif problem is not null then
    raise exception 'the query could not be embedded by model "%": %', model, problem
      using errcode = 'data_exception';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.refuse_problem(problem text, model text) IS 'Turn what the loopback answered into an error with a remedy.';
CREATE FUNCTION mmdb.relation_sql(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%I.%I', n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
$$;
COMMENT ON FUNCTION mmdb.relation_sql(relation regclass) IS 'The qualified, quoted name of a table, whatever the search path.';
CREATE FUNCTION mmdb.remake_other_views(relation regclass, id bigint) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.make_search_views(mmdb.resolved(e))
  from mmdb.embeddings e
  where e.relation = remake_other_views.relation and e.id <> remake_other_views.id
$$;
COMMENT ON FUNCTION mmdb.remake_other_views(relation regclass, id bigint) IS 'The search views of a table''s other embeddings, made again after its columns changed.';
CREATE FUNCTION mmdb.remove_model(name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.remove_model(name text) IS 'Forget a model that no embedding uses, and the queries that it has embedded.';
CREATE FUNCTION mmdb.report_drift(embedding bigint, drift text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  update mmdb.progress p set drift = report_drift.drift
  where p.embedding = report_drift.embedding and p.drift is distinct from report_drift.drift
$$;
COMMENT ON FUNCTION mmdb.report_drift(embedding bigint, drift text) IS 'Worker only: what went wrong with the whole embedding, NULL once it works again.';
CREATE FUNCTION mmdb.resolved(made mmdb.embeddings) RETURNS mmdb.embeddings
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if made.attached_to = mmdb.attachment(made.relation) then
    made.sources := mmdb.column_names(made.relation, made.source_numbers);
    made.column_name := (mmdb.column_names(made.relation, array[made.column_number]))[1];
    if made.column_name is null or coalesce(cardinality(made.sources), 0) < cardinality(made.source_numbers) then
      raise exception 'a column of embedding "%" of table % was dropped', made.name, made.relation
        using errcode = 'undefined_column', hint = format('mmdb.drop_embedding(%L, %L) removes the rest', made.relation, made.name);
    end if;
  else
    made.source_numbers := mmdb.column_numbers(made.relation, made.sources);
    made.column_number := (mmdb.column_numbers(made.relation, array[made.column_name]))[1];
    made.source_expressions := mmdb.source_expressions(made.relation, made.source_numbers);
    made.attached_to := mmdb.attachment(made.relation);
  end if;
  select format_type(a.atttypid, a.atttypmod) into made.column_type
  from pg_attribute a where a.attrelid = made.relation and a.attnum = made.column_number;
  return made;
end
$$;
COMMENT ON FUNCTION mmdb.resolved(made mmdb.embeddings) IS 'The embedding with the names and numbers that its columns have now.';
CREATE FUNCTION mmdb.retry(relation regclass DEFAULT NULL::regclass, name text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  freed bigint;
begin
  perform mmdb.guard_owner(e.relation) from mmdb.embeddings e
  where (retry.relation is null or e.relation = retry.relation) and (retry.name is null or e.name = retry.name)
    and (retry.relation is not null or retry.name is not null);
  with gone as (
    delete from mmdb.leases l using mmdb.embeddings e, pg_class c
    where e.id = l.embedding and c.oid = e.relation and l.worker is null
      and (retry.relation is null or e.relation = retry.relation) and (retry.name is null or e.name = retry.name)
      and pg_has_role(session_user, c.relowner, 'member')
    returning 1
  ) select count(*) into freed from gone;
  perform pg_notify('mmdb', '');
  return freed;
end
$$;
COMMENT ON FUNCTION mmdb.retry(relation regclass, name text) IS 'Give failed and waiting rows another try at once: of one embedding, of one table, or of every table that you own. Returns how many.';
CREATE FUNCTION mmdb.retry_delay(attempts integer) RETURNS interval
    LANGUAGE sql IMMUTABLE
    AS $$ select least(interval '5 seconds' * 4 ^ (attempts - 1), interval '1 hour') $$;
COMMENT ON FUNCTION mmdb.retry_delay(attempts integer) IS 'Back-off: 5 s, 20 s, 80 s, … one hour at most.';
CREATE FUNCTION mmdb.rows_sql(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when c.relkind = 'r' then 'only ' else '' end || mmdb.relation_sql(relation)
  from pg_class c where c.oid = relation
$$;
COMMENT ON FUNCTION mmdb.rows_sql(relation regclass) IS 'The name of a table as a FROM item: its own rows and its partitions'', not those of inheriting tables.';
CREATE FUNCTION mmdb.rrf_add(score double precision, rank bigint) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select score + coalesce(1.0 / (60 + rank), 0) $$;
COMMENT ON FUNCTION mmdb.rrf_add(score double precision, rank bigint) IS 'A step of mmdb.rrf(rank).';
CREATE FUNCTION mmdb.rrf_add(score double precision, rank bigint, weight double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select score + coalesce(weight / (60 + rank), 0) $$;
COMMENT ON FUNCTION mmdb.rrf_add(score double precision, rank bigint, weight double precision) IS 'A step of mmdb.rrf(rank, weight).';
CREATE FUNCTION mmdb.run_as_owner(made mmdb.embeddings) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select count(*) = cardinality(mmdb.worker_verbs()) and bool_and(f.prosecdef and f.proowner = c.relowner)
  from pg_class c
  join pg_proc f on f.pronamespace = to_regnamespace(made.function_schema)
   and f.proname in (select format('mmdb_%s_%s', v, made.id) from unnest(mmdb.worker_verbs()) v)
  where c.oid = made.relation
$$;
COMMENT ON FUNCTION mmdb.run_as_owner(made mmdb.embeddings) IS 'Whether all worker functions of an embedding are there and run as the table''s owner.';
CREATE FUNCTION mmdb.same_key_sql(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('exists (select from pg_index i where i.indrelid = %s and i.indisprimary and i.indisvalid '
                'and (select array_agg(a.attname::text order by k.place) from unnest(i.indkey::smallint[]) with ordinality k(number, place) '
                'join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number) = %L::text[])',
                format('%L::regclass', mmdb.relation_sql(relation)), array_agg(k.name order by k.place)::text)
  from mmdb.key_columns(relation) k
$$;
COMMENT ON FUNCTION mmdb.same_key_sql(relation regclass) IS 'The condition "the primary key is made of the same columns as now".';
CREATE FUNCTION mmdb.search(legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer) RETURNS TABLE(key text, score double precision, ranks jsonb)
    LANGUAGE plpgsql STABLE ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  leg mmdb.search_leg;
  vector public.vector;
  deep constant integer := least(10000, coalesce(depth, greatest(40, 3 * k)));
  found_keys text[] := '{}';
  found_scores double precision[] := '{}';
  found_ranks jsonb[] := '{}';
  weight double precision;
  nothing boolean := true;
begin
  if k is null or k not between 1 and 10000 then
    raise exception 'k is %, expected 1 to 10000', k using errcode = 'invalid_parameter_value';
  elsif depth < k then
    raise exception 'depth is %, less than k, which is %', depth, k using errcode = 'invalid_parameter_value';
  elsif btrim(query, E' \t\r\n') = '' then
    raise exception 'the query is empty' using errcode = 'invalid_parameter_value';
  end if;
  perform mmdb.check_weights(coalesce(weights, '{}'), legs);
  foreach leg in array legs loop
    weight := mmdb.weight_of(weights, leg.name);
    vector := null;
    if leg.model is not null then
      vector := mmdb.query_vector(leg, query, images, weights);
    end if;
    if weight <> 0 and (vector is not null or (leg.model is null and query is not null and mmdb.weight_of(weights, 'query') > 0)) then
      nothing := nothing and weight < 0;
      select found_keys || array_agg(f.key), found_scores || array_agg(weight / (60 + f.rank)),
             found_ranks || array_agg(jsonb_build_object(leg.name, f.how || jsonb_build_object('score', weight / (60 + f.rank))))
      into found_keys, found_scores, found_ranks
      from mmdb.search_found(leg, query, images, vector, deep, filter, within) f;
    end if;
  end loop;
  if nothing then
    raise exception 'there is nothing to search for'
      using errcode = 'invalid_parameter_value', hint = 'give a query, an image, or both, that a leg with a positive weight takes';
  end if;
  return query
  select f.key, sum(f.score), (select jsonb_object_agg(r.key, r.value) from unnest(array_agg(f.how)) h(how), jsonb_each(h.how) r)
  from unnest(found_keys, found_scores, found_ranks) f(key, score, how)
  group by f.key
  having max(f.score) > 0
  order by 2 desc, 1 limit k;
end
$$;
COMMENT ON FUNCTION mmdb.search(legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer) IS 'Keys, scores and reasons of the rows that the legs find together: what T_search returns whole rows of.';
CREATE FUNCTION mmdb.search_body(made mmdb.embeddings, distance text, vector text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format($body$
  select %1$s, p.%2$I operator(public.%3$s) %4$s as %5$I
  from %6$s p
  where p.%2$I is not null
$body$, c.selected, made.column_name, mmdb.distance_operator(distance), vector,
        mmdb.distance_name(made.relation), mmdb.relation_sql(made.relation))
  from mmdb.search_columns(made.relation) c
$_$;
COMMENT ON FUNCTION mmdb.search_body(made mmdb.embeddings, distance text, vector text) IS 'The one SELECT of a search view.';
CREATE FUNCTION mmdb.search_columns(relation regclass, OUT definitions text, OUT selected text) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(format('%I %s', a.attname, format_type(a.atttypid, null)), ', ' order by a.attnum),
         string_agg(format('p.%I', a.attname), ', ' order by a.attnum)
  from pg_attribute a
  where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
$$;
COMMENT ON FUNCTION mmdb.search_columns(relation regclass, OUT definitions text, OUT selected text) IS 'The columns of a table, as a search view declares and as it selects them.';
CREATE FUNCTION mmdb.search_found(leg mmdb.search_leg, query text, images bytea[], vector public.vector, depth integer, filter jsonb, within text[]) RETURNS TABLE(key text, rank bigint, how jsonb)
    LANGUAGE plpgsql STABLE ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if leg.model is null then
    return query select f.key, f.rank, jsonb_build_object('rank', f.rank, 'closeness', f.closeness)
                 from mmdb.words_found(leg, query, filter, within, depth) f;
  else
    return query select f.key, f.place, jsonb_build_object('rank', f.place, 'distance', f.distance)
                 from mmdb.top(leg.parts, vector::public.halfvec, depth, filter, within) with ordinality f(key, distance, place);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.search_found(leg mmdb.search_leg, query text, images bytea[], vector public.vector, depth integer, filter jsonb, within text[]) IS 'The candidates of one leg, with rank and reason.';
CREATE FUNCTION mmdb.search_legs(relation regclass) RETURNS mmdb.search_leg[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array(select mmdb.embedding_leg(mmdb.resolved(e)) from mmdb.embeddings e where e.relation = search_legs.relation order by e.id)
      || array(select mmdb.keywords_leg(w) from mmdb.keywords w where w.relation = search_legs.relation order by w.id)
$$;
COMMENT ON FUNCTION mmdb.search_legs(relation regclass) IS 'The legs of T_search: every embedding of the table, and its keywords.';
CREATE FUNCTION mmdb.search_name(prefix text, name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select prefix || '_by_' || name $$;
COMMENT ON FUNCTION mmdb.search_name(prefix text, name text) IS 'The name of an embedding''s search view.';
CREATE FUNCTION mmdb.search_source(made mmdb.embeddings) RETURNS mmdb.search_source
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  keys constant record := mmdb.key_sql(made.relation);
  parts mmdb.search_source;
begin
  parts.relation := made.relation;
  parts.source := mmdb.relation_sql(made.relation) || ' p';
  parts.key := keys.expression;
  parts.columns := keys.ordering;
  parts.distance := format('p.%I operator(public.%s) $1', made.column_name,
                           mmdb.distance_operator((select m.distance from mmdb.models m where m.name = made.model)));
  parts.present := format('p.%I is not null', made.column_name);
  parts.within := mmdb.within_sql(made.relation);
  return parts;
end
$_$;
COMMENT ON FUNCTION mmdb.search_source(made mmdb.embeddings) IS 'The pieces of SQL that a search of this embedding is made of.';
CREATE FUNCTION mmdb.search_table_body(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format($body$
#variable_conflict use_column
begin
  return query
  select %1$s, found_.score, found_.ranks
  from mmdb.search(%2$L::mmdb.search_leg[], $1, case when $2 is null then $7 else array[$2] || $7 end, $3, $4, $5::text[], $6, $8)
    with ordinality found_(key, score, ranks, place)
  join %3$s p on %4$s
  order by found_.place;
end
$body$, c.selected, mmdb.search_legs(relation), mmdb.relation_sql(relation), replace(k.matches, 'k.key', 'found_.key'))
  from mmdb.search_columns(relation) c, mmdb.key_sql(relation) k
$_$;
COMMENT ON FUNCTION mmdb.search_table_body(relation regclass) IS 'The body of T_search.';
CREATE TABLE mmdb.worker_sessions (
    id integer NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    login text DEFAULT SESSION_USER NOT NULL,
    models text[] NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    identities text[] DEFAULT '{}'::text[] NOT NULL
);
COMMENT ON TABLE mmdb.worker_sessions IS 'Workers that registered. One is alive while its session holds the advisory lock of its id.';
COMMENT ON COLUMN mmdb.worker_sessions.identities IS 'The identities of the models, in their order, as the worker loaded them.';
CREATE FUNCTION mmdb.serves(worker mmdb.worker_sessions, model mmdb.models) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select exists (select from unnest(worker.models, worker.identities) s(name, identity) where (s.name, s.identity) = (model.name, model.identity)) $$;
COMMENT ON FUNCTION mmdb.serves(worker mmdb.worker_sessions, model mmdb.models) IS 'Whether a worker has loaded this very model.';
CREATE FUNCTION mmdb.serving_index(made mmdb.embeddings, relation regclass, kind text) RETURNS regclass
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select i.indexrelid::regclass
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
  join pg_am m on m.oid = c.relam
  join pg_attribute a on a.attrelid = i.indrelid and a.attname = made.column_name
  where i.indrelid = serving_index.relation and i.indisvalid
    and case kind when 'hnsw' then m.amname = 'hnsw' and i.indpred is null and i.indkey[0] = a.attnum
             else m.amname = 'btree'
                  and exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                                and d.refobjid = i.indrelid and d.refobjsubid = a.attnum)
                  and pg_get_expr(i.indpred, i.indrelid) is not null
        end
  order by i.indexrelid limit 1
$$;
COMMENT ON FUNCTION mmdb.serving_index(made mmdb.embeddings, relation regclass, kind text) IS 'A valid index that serves this embedding, NULL where there is none.';
CREATE FUNCTION mmdb.set_setting(name text, value text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  known constant text[] := array['default_model', 'embed_timeout_ms', 'query_cache_rows', 'query_max_bytes',
                                 'max_attempts', 'user_role', 'worker_role', 'loopback_role'];
begin
  if name <> all(known) then
    raise exception 'unknown setting "%"', name
      using errcode = 'invalid_parameter_value', hint = format('known settings: %s', array_to_string(known, ', '));
  end if;
  if (name like '%\_ms' or name like '%\_rows' or name like '%\_bytes' or name = 'max_attempts')
     and value !~ '^[1-9][0-9]{0,9}$' then
    raise exception 'setting "%" takes a positive whole number, not "%"', name, value
      using errcode = 'invalid_parameter_value';
  end if;
  if name = 'default_model' and not exists (select from mmdb.models m where m.name = value) then
    raise exception 'model "%" does not exist', value
      using errcode = 'undefined_object', hint = 'select name from mmdb.models lists them';
  end if;
  insert into mmdb.settings values (name, value)
  on conflict on constraint settings_pkey do update set value = excluded.value;
end
$_$;
COMMENT ON FUNCTION mmdb.set_setting(name text, value text) IS 'Set one of: default_model, embed_timeout_ms (how long mmdb.embed waits), query_cache_rows, query_max_bytes, max_attempts.';
CREATE FUNCTION mmdb.setting(name text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select s.value from mmdb.settings s where s.name = setting.name
$$;
COMMENT ON FUNCTION mmdb.setting(name text) IS 'The value of one setting of this installation, NULL where it has none.';
CREATE FUNCTION mmdb.settle(embedding bigint, worker integer, pass uuid, keys text[], outcomes text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  now constant timestamptz := clock_timestamp();
  stored_now constant integer := (select count(*) from unnest(outcomes) o where o = 'stored');
begin
  perform mmdb.guard_pass(embedding, pass);
  delete from mmdb.leases l
  using unnest(keys, outcomes) k(key, outcome)
  where l.embedding = settle.embedding and l.worker = settle.worker and l.key = k.key and k.outcome <> 'locked';
  update mmdb.leases l
  set worker = null, expires_at = null, retry_at = now + interval '1 second', attempts = l.attempts - 1
  from unnest(keys, outcomes) k(key, outcome)
  where l.embedding = settle.embedding and l.worker = settle.worker and l.key = k.key and k.outcome = 'locked';
  update mmdb.progress p
  set (window_start, window_stored, last_rate)
    = (select case when fresh then now else p.window_start end,
              case when fresh then stored_now else p.window_stored + stored_now end,
              case when fresh then p.last_rate
                   else (p.window_stored + stored_now) / greatest(extract(epoch from now - p.window_start), 0.001) end
       from (select p.window_start is null or now - p.window_start > interval '1 minute' as fresh) w),
      stored = p.stored + stored_now
  where p.embedding = settle.embedding;
end
$$;
COMMENT ON FUNCTION mmdb.settle(embedding bigint, worker integer, pass uuid, keys text[], outcomes text[]) IS 'Worker only: what became of the rows of a batch; in the transaction of store.';
CREATE FUNCTION mmdb.share_session(worker integer) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into mmdb.shared_sessions values (pg_backend_pid(), share_session.worker) on conflict do nothing
$$;
COMMENT ON FUNCTION mmdb.share_session(worker integer) IS 'Worker only: code of tables'' owners will run in this session, which from now on may do no more than their work.';
CREATE FUNCTION mmdb.short_name(wanted text, id bigint) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  kept text := wanted;
  tail constant text := format('_%s', id);
begin
  if octet_length(wanted) <= 63 then
    return wanted;
  end if;
  while octet_length(kept || tail) > 63 loop
    kept := left(kept, -1);
  end loop;
  return kept || tail;
end
$$;
COMMENT ON FUNCTION mmdb.short_name(wanted text, id bigint) IS 'A name of at most 63 bytes.';
CREATE FUNCTION mmdb.source_expressions(relation regclass, numbers smallint[]) RETURNS oid[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(array_agg(f.oid order by f.adnum), '{}')
  from pg_attrdef f join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
  where f.adrelid = relation and a.attgenerated <> '' and a.attnum = any(numbers)
$$;
COMMENT ON FUNCTION mmdb.source_expressions(relation regclass, numbers smallint[]) IS 'The generation expressions of these columns, as numbers of pg_attrdef.';
CREATE FUNCTION mmdb.source_modality(relation regclass, numbers smallint[], wanted text, OUT modality text, OUT by_uri boolean) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  types text[];
  label constant text := format('%s.%s', relation, array_to_string(mmdb.column_names(relation, numbers), ', '));
begin
  if exists (select from pg_attribute a where a.attrelid = relation and a.attnum = any(numbers) and a.attgenerated = 'v') then
    raise exception 'source % is a virtual generated column', label
      using errcode = 'feature_not_supported', hint = 'declare it STORED, or embed the columns that it is made from';
  end if;
  -- A domain counts as what it is made of; citext, varchar and char are text to a model.
  with recursive base(oid, category) as (
    select t.oid, t.typcategory from pg_attribute a join pg_type t on t.oid = a.atttypid
    where a.attrelid = relation and a.attnum = any(numbers)
    union all
    select t.typbasetype, t.typcategory from base b join pg_type t on t.oid = b.oid where t.typtype = 'd'
  )
  select array_agg(distinct case when b.category = 'S' then 'text' else format_type(b.oid, null) end)
  into types
  from base b join pg_type t on t.oid = b.oid and t.typtype <> 'd';
  modality := coalesce(wanted, case types when '{bytea}' then 'image' else 'text' end);
  by_uri := modality = 'image' and types = '{text}';
  if modality not in ('text', 'image') then
    raise exception 'unknown modality "%"', modality
      using errcode = 'invalid_parameter_value', hint = 'modalities: text, image';
  elsif types <> '{text}' and (modality = 'text' or types <> '{bytea}') then
    raise exception 'source % has type %, which does not hold modality "%"', label, array_to_string(types, ', '), modality
      using errcode = 'datatype_mismatch',
            hint = 'text is embedded from text columns, an image from a bytea column or from a text column that holds its URI';
  elsif modality = 'image' and cardinality(numbers) > 1 then
    raise exception 'an image is embedded from one column, not from %', label
      using errcode = 'invalid_parameter_value', hint = 'declare an embedding for each of them';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.source_modality(relation regclass, numbers smallint[], wanted text, OUT modality text, OUT by_uri boolean) IS 'What the sources hold (text or image) and whether they hold it by URI.';
CREATE FUNCTION mmdb.start_worker(host text, pid integer, version text, models text[], identities text[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made integer;
begin
  perform mmdb.guard_session();
  -- Advisory locks are anybody's: where somebody holds the one of a number, the next number will do.
  loop
    insert into mmdb.worker_sessions (host, pid, version, models, identities)
    values (start_worker.host, start_worker.pid, start_worker.version, start_worker.models, start_worker.identities)
    returning id into made;
    exit when pg_try_advisory_lock(mmdb.worker_lock_class(), made);
    delete from mmdb.worker_sessions w where w.id = made;
  end loop;
  return made;
end
$$;
COMMENT ON FUNCTION mmdb.start_worker(host text, pid integer, version text, models text[], identities text[]) IS 'Register a worker; it is alive for as long as this session is.';
CREATE FUNCTION mmdb.stop_worker(worker integer) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  delete from mmdb.shared_sessions s where s.worker = stop_worker.worker;
  delete from mmdb.leases l where l.worker = stop_worker.worker and l.error is null;
  update mmdb.leases l set worker = null, expires_at = null, retry_at = clock_timestamp() where l.worker = stop_worker.worker;
  delete from mmdb.worker_sessions w where w.id = stop_worker.worker;
$$;
COMMENT ON FUNCTION mmdb.stop_worker(worker integer) IS 'A worker leaves: what it held is free at once.';
CREATE FUNCTION mmdb.storage_parameters(options jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(' with (' || string_agg(format('%I = %s', o.key, o.value::integer), ', ' order by o.key) || ')', '')
  from jsonb_each_text(options - 'type') o
$$;
COMMENT ON FUNCTION mmdb.storage_parameters(options jsonb) IS 'The storage parameters of an HNSW index as a clause of create index.';
CREATE FUNCTION mmdb.store_body(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format($body$
declare
  held text[];
begin%7$s
  select array_agg(l.key) into held
  from (select k.key from unnest(keys) k(key) join %1$s p on %2$s
        order by %3$s for no key update of p skip locked) l;
  if not %8$s then
    raise exception 'the primary key of table %% is another one than it was', %9$L
      using errcode = 'object_not_in_prerequisite_state', hint = %10$L;
  end if;
  return query
  with stored as (
    update %1$s p set %4$I = k.embedding
    from unnest(keys, states, hashes, embeddings) k(key, state, hash, embedding)
    where %2$s and k.key = any(held) and %5$s
      and public.l2_norm(k.embedding) > 0
      and case when p.xmin::text = k.state then true else %6$s = k.hash end
    returning k.key
  )
  select k.key, case when s.key is not null then 'stored' 
                     when k.key = any(held) or not exists (select from %1$s p where %2$s) then 'changed' else 'locked' end
  from unnest(keys) k(key) left join stored s on s.key = k.key;
  -- A deferred trigger would otherwise run at commit, as the worker.
  set constraints all immediate;
end
$body$, mmdb.rows_sql(made.relation), k.matches, k.ordering, made.column_name,
        mmdb.pending_sql(made, 'p.'), mmdb.hash_sql(made), mmdb.pass_sql(made), mmdb.same_key_sql(made.relation),
        mmdb.relation_sql(made.relation), format('select mmdb.refresh(%L)', mmdb.relation_sql(made.relation)))
  from mmdb.key_sql(made.relation) k
$_$;
COMMENT ON FUNCTION mmdb.store_body(made mmdb.embeddings) IS 'Store vectors where the source is still what was embedded; say of every key what became of it.';
CREATE FUNCTION mmdb.sweep() RETURNS TABLE(embedding bigint, pass uuid, schema text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.guard_session();
  delete from mmdb.worker_sessions w
  where w.id not in (select mmdb.live_workers()) and w.heartbeat_at < clock_timestamp() - interval '1 hour';
  delete from mmdb.shared_sessions s where s.pid not in (select a.pid from pg_stat_activity a);
  perform mmdb.trim_queries();
  delete from mmdb.keywords w where not exists (select from pg_class c where c.oid = w.relation);
  delete from mmdb.embeddings e
  where not exists (select from pg_class c where c.oid = e.relation)
    and not exists (select from pg_proc p where mmdb.is_made_by(p.oid, e.id));
  return query
  select e.id, p.pass, (parse_ident(e.function_schema))[1]
  from mmdb.embeddings e join mmdb.passes p on p.embedding = e.id
  where not exists (select from pg_class c where c.oid = e.relation) and mmdb.may_clean(e.id);
end
$$;
COMMENT ON FUNCTION mmdb.sweep() IS 'Worker only: remove what belongs to nothing any more; returns the dropped tables whose functions are to be cleaned up.';
CREATE FUNCTION mmdb.table_call(relation regclass, verb text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%s.%I', e.function_schema, e.prefix || '_' || verb)
  from mmdb.embeddings e where e.relation = table_call.relation order by e.id limit 1
$$;
COMMENT ON FUNCTION mmdb.table_call(relation regclass, verb text) IS 'The name of a function that is made once for a table: T_search, T_like, T_recommend.';
CREATE FUNCTION mmdb.take_queries(worker integer, models text[], count integer) RETURNS TABLE(token uuid, model text, modality text, content text, data bytea)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  with live as materialized (select mmdb.live_workers() as id),
  waiting as (
    select q.token
    from mmdb.queries q
    where q.answered_at is null and q.model = any(take_queries.models)
      and exists (select from mmdb.worker_sessions w, mmdb.models m
                  where w.id = take_queries.worker and m.name = q.model and mmdb.serves(w, m))
      and (q.worker is null or q.worker not in (select id from live))
    order by q.asked_at
    limit take_queries.count
    for update skip locked
  )
  update mmdb.queries q set worker = take_queries.worker
  from waiting w where q.token = w.token
  returning q.token, q.model, q.modality, q.content, q.data
$$;
COMMENT ON FUNCTION mmdb.take_queries(worker integer, models text[], count integer) IS 'Worker only: take waiting queries; of two workers one gets each.';
CREATE FUNCTION mmdb.tasks(model text, identity text) RETURNS TABLE(id bigint, pass uuid, relation text, name text, modality text, by_uri boolean, schema text, half boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  perform mmdb.guard_session();
  return query
  select e.id, p.pass, e.relation::text, e.name, e.modality, e.by_uri,
         (parse_ident(e.function_schema))[1], e.column_type like '%halfvec(%'
  from mmdb.embeddings e join mmdb.passes p on p.embedding = e.id join mmdb.models m on m.name = e.model
  where e.model = tasks.model and m.identity = tasks.identity and mmdb.run_as_owner(e)
  order by e.id;
end
$$;
COMMENT ON FUNCTION mmdb.tasks(model text, identity text) IS 'Worker only: the embeddings of a model, by its identity, whose functions may be called.';
CREATE FUNCTION mmdb.top(parts mmdb.search_source, vector public.halfvec, k integer, filter jsonb, within text[]) RETURNS TABLE(key text, distance double precision)
    LANGUAGE plpgsql STABLE ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_variable
declare
  passes constant text := mmdb.filter(parts.relation, filter, 'p') || case when within is null then '' else ' and ' || parts.within end;
  cost constant record := mmdb.top_costs();
  depth integer := least(1000, greatest(current_setting('hnsw.ef_search')::integer, 2 * k));
  -- So many are asked for on the deep road.
  wanted constant integer := case when k <= 125 then 16 * k else greatest(2000, 2 * k) end;
  estimate record;
  expected real;  -- what the deep road will cost
  keys text[];
  distances double precision[];
  passed bigint := 0;
begin
  if k is null or k not between 1 and 10000 then
    raise exception 'k is %, expected 1 to 10000', k using errcode = 'invalid_parameter_value';
  elsif vector is null then
    return;
  end if;
  estimate := mmdb.top_estimate(parts, passes, vector, within);
  -- As deep as k rows that pass are likely to lie, where that costs less than half of what it may save.
  if cost.walked * 1.6 * k / estimate.share < estimate.exact_cost / 2 then
    depth := least(1000, greatest(depth, 1.6 * k / estimate.share));
  end if;
  -- A probe is worth its cost where it will find k, or where it costs little beside what it may save.
  if estimate.exact_cost > cost.walked * depth * (case when estimate.share * depth < k then 4 else 1 end) then
    select * into passed, keys, distances from mmdb.top_probe(parts, passes, vector, within, k, depth);
    expected := cost.walked * wanted * depth / (passed + 0.5);
    if passed < k and (expected < estimate.exact_cost or estimate.exact_cost > 40000) then
      select d.passed - wanted + k, d.keys, d.distances into passed, keys, distances
      from mmdb.top_deep(parts, passes, vector, within, k, wanted,
        (estimate.exact_cost / cost.scanned / case when expected < estimate.exact_cost then 1 else 4 end)::integer) d;
    end if;
  end if;
  if passed is null or passed < k then
    select * into keys, distances from mmdb.top_exact(parts, passes, vector, within, k);
  end if;
  return query select u.key, u.distance from unnest(keys, distances) u(key, distance);
end
$$;
COMMENT ON FUNCTION mmdb.top(parts mmdb.search_source, vector public.halfvec, k integer, filter jsonb, within text[]) IS 'The keys and distances of the k nearest rows that pass a filter: what T_top_by_NAME returns whole rows of.';
CREATE FUNCTION mmdb.top_body(made mmdb.embeddings, vector text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format($body$
#variable_conflict use_column
begin
  return query
  select %1$s, found_.distance
  from mmdb.top(%2$L::mmdb.search_source, %3$s, $2, $3, $4::text[]) with ordinality found_(key, distance, place)
  join %4$s p on %5$s
  order by found_.place;
end
$body$, c.selected, mmdb.search_source(made), vector, mmdb.relation_sql(made.relation), replace(k.matches, 'k.key', 'found_.key'))
  from mmdb.search_columns(made.relation) c, mmdb.key_sql(made.relation) k
$_$;
COMMENT ON FUNCTION mmdb.top_body(made mmdb.embeddings, vector text) IS 'The body of T_top_by_NAME.';
CREATE FUNCTION mmdb.top_costs(OUT walked real, OUT scanned real, OUT read real, OUT kept real) RETURNS record
    LANGUAGE sql IMMUTABLE
    AS $$ select 8.0, 3.0, 0.18, 0.17 $$;
COMMENT ON FUNCTION mmdb.top_costs(OUT walked real, OUT scanned real, OUT read real, OUT kept real) IS 'Costs in units of a row fetched by an index: a row that a walk returns, one that it looks at (max_scan_tuples), one that a sequential scan reads, and one that it keeps.';
CREATE FUNCTION mmdb.top_deep(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, wanted integer, budget integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_sort TO 'off'
    SET enable_bitmapscan TO 'off'
    SET "hnsw.iterative_scan" TO 'relaxed_order'
    SET "hnsw.ef_search" TO '40'
    SET "hnsw.max_scan_tuples" TO '20000'
    AS $_$
begin
  perform set_config('hnsw.ef_search', least(1000, greatest(100, k))::text, true),
          set_config('hnsw.max_scan_tuples', budget::text, true);
  execute format($query$
    with found as materialized (select %2$s, %3$s as d from %4$s where %5$s and %6$s order by %3$s limit %7$s)
    select max(p.passed), array_agg(%1$s order by p.d + 0, %2$s), array_agg(p.d order by p.d + 0, %2$s)
    from (select *, count(*) over () as passed from found p order by p.d + 0, %2$s limit %8$s) p
  $query$, parts.key, parts.columns, parts.distance, parts.source, parts.present, passes, wanted, k)
  into passed, keys, distances using vector, within;
end
$_$;
COMMENT ON FUNCTION mmdb.top_deep(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, wanted integer, budget integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) IS 'The walk with the filter inside, for `wanted` rows within a budget of rows looked at.';
CREATE FUNCTION mmdb.top_estimate(parts mmdb.search_source, passes text, vector public.halfvec, within text[], OUT rows real, OUT share real, OUT exact_cost real) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  plan json;
  cost constant record := mmdb.top_costs();
  total real := (select c.reltuples from pg_class c where c.oid = parts.relation and c.relkind = 'r');
begin
  if total is null then
    total := (select sum(c.reltuples) from pg_partition_tree(parts.relation) t join pg_class c on c.oid = t.relid and t.isleaf);
  end if;
  total := greatest(total, 1);
  if passes = 'true' and not row_security_active(parts.relation) then
    rows := total;
  else
    execute format('explain (format json) select from %s where %s and %s', parts.source, parts.present, passes)
    into plan using vector, within;
    rows := (plan -> 0 -> 'Plan' ->> 'Plan Rows')::real;
  end if;
  share := greatest(least(rows / total, 1), 1e-6);
  exact_cost := case when plan is null or plan::text like '%"Seq Scan"%' then cost.kept * rows + cost.read * total else rows end;
end
$$;
COMMENT ON FUNCTION mmdb.top_estimate(parts mmdb.search_source, passes text, vector public.halfvec, within text[], OUT rows real, OUT share real, OUT exact_cost real) IS 'How many rows pass, their share of the table, and what measuring all of them costs.';
CREATE FUNCTION mmdb.top_exact(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, OUT keys text[], OUT distances double precision[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  -- "offset 0": the order is one that no HNSW index has, each distance is computed once, and keys are written for k rows only.
  execute format($query$
    select array_agg(%s order by p.d, %2$s), array_agg(p.d order by p.d, %2$s)
    from (select * from (select %2$s, %3$s as d from %4$s where %5$s and %6$s offset 0) p order by p.d, %2$s limit %7$s) p
  $query$, parts.key, parts.columns, parts.distance, parts.source, parts.present, passes, k)
  into keys, distances using vector, within;
end
$_$;
COMMENT ON FUNCTION mmdb.top_exact(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, OUT keys text[], OUT distances double precision[]) IS 'Every row that passes is measured.';
CREATE FUNCTION mmdb.top_name(prefix text, name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select prefix || '_top_by_' || name $$;
COMMENT ON FUNCTION mmdb.top_name(prefix text, name text) IS 'The name of an embedding''s function that is told k.';
CREATE FUNCTION mmdb.top_probe(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, depth integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_sort TO 'off'
    SET enable_bitmapscan TO 'off'
    SET "hnsw.iterative_scan" TO 'off'
    SET "hnsw.ef_search" TO '40'
    AS $_$
begin
  perform set_config('hnsw.ef_search', depth::text, true);
  -- "+ 0": the index orders by normalized vectors, which differ in the last digit.
  execute format($query$
    select count(*), array_agg(%s order by p.d + 0, %2$s), array_agg(p.d order by p.d + 0, %2$s)
    from (select %2$s, %3$s as d from %4$s where %5$s and %6$s order by %3$s limit %7$s) p
  $query$, parts.key, parts.columns, parts.distance, parts.source, parts.present, passes, k)
  into passed, keys, distances using vector, within;
end
$_$;
COMMENT ON FUNCTION mmdb.top_probe(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, depth integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) IS 'Of the `depth` nearest rows those that pass the filter, at most k.';
CREATE FUNCTION mmdb.trigger_condition(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format('(%s) and old.%2$I operator(public.=) new.%2$I',
                string_agg(format(case when a.atttypid = 'bytea'::regtype then 'old.%1$I is distinct from new.%1$I'
                                       else 'old.%1$I::text collate "C" is distinct from new.%1$I::text' end, a.attname),
                           ' or ' order by a.attnum), made.column_name)
  from pg_attribute a
  where a.attrelid = made.relation and a.attnum = any(mmdb.base_columns(made.relation, made.source_numbers))
$_$;
COMMENT ON FUNCTION mmdb.trigger_condition(made mmdb.embeddings) IS 'The source changed and the embedding did not: NULL, and so nothing to do, where either embedding is NULL.';
CREATE FUNCTION mmdb.trigger_drift(made mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when t.oid is null then 'the trigger is missing'
    when t.tgenabled <> 'A' then 'the trigger is disabled'
    when array(select d.refobjsubid::smallint from pg_depend d
               where d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.refclassid = 'pg_class'::regclass
                 and d.refobjid = made.relation and d.refobjsubid not in (0, made.column_number) group by 1 order by 1)
         is distinct from mmdb.base_columns(made.relation, made.source_numbers) then
      'the columns that a source is made from changed'
    when made.source_expressions <> mmdb.source_expressions(made.relation, made.source_numbers) then
      'the expression of a generated source changed'
    when cardinality(t.tgattr::smallint[]) > 0 and exists (select from mmdb.other_triggers(made.relation)) then
      'the table has a BEFORE UPDATE trigger that may change a source unseen'
    when exists (select from mmdb.other_triggers(made.relation) o(name) where o.name collate "C" > t.tgname::text collate "C") then
      'a BEFORE UPDATE trigger of the table runs after the trigger of mmdb'
  end
  from (select) one
  left join pg_trigger t on t.tgrelid = made.relation and t.tgname = mmdb.trigger_name(made.id)
$$;
COMMENT ON FUNCTION mmdb.trigger_drift(made mmdb.embeddings) IS 'How the trigger no longer guards the sources.';
CREATE FUNCTION mmdb.trigger_name(id bigint) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select format('~mmdb_unset_%s', id) $$;
COMMENT ON FUNCTION mmdb.trigger_name(id bigint) IS 'The name of an embedding''s trigger.';
CREATE FUNCTION mmdb.trim_queries() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with gone as (
    delete from mmdb.queries q
    where q.answered_at <= (select x.answered_at from mmdb.queries x where x.answered_at is not null
                           order by x.answered_at desc
                           offset coalesce(mmdb.setting('query_cache_rows'), '10000')::bigint limit 1)
       or (q.error is not null and q.answered_at < clock_timestamp() - interval '1 minute')
       or (q.answered_at is null and q.asked_at < clock_timestamp() - interval '1 hour')
    returning 1
  )
  select count(*) from gone
$$;
COMMENT ON FUNCTION mmdb.trim_queries() IS 'Worker only: keep the query cache within query_cache_rows, oldest first, and drop dead questions.';
CREATE FUNCTION mmdb.trusts_owner(relation regclass) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select pg_has_role(c.relowner, current_user, 'member') and pg_has_role(c.relowner, session_user, 'member')
  from pg_class c where c.oid = relation
$$;
COMMENT ON FUNCTION mmdb.trusts_owner(relation regclass) IS 'Whether the owner of a table may act as the current user anyway: the same role, a member of it, or a superuser.';
CREATE FUNCTION mmdb.unset_all(made mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  if not mmdb.trusts_owner(made.relation) then
    raise exception 'all rows of table % are to be embedded again, and an update of them would run code of its owner as "%"',
                    made.relation, current_user
      using errcode = 'insufficient_privilege',
            hint = format('as %s: select mmdb.refresh(%L)', (select c.relowner::regrole from pg_class c where c.oid = made.relation), made.relation);
  end if;
  execute format('update %s set %I = null where %2$I is not null', mmdb.rows_sql(made.relation), made.column_name);
end
$_$;
COMMENT ON FUNCTION mmdb.unset_all(made mmdb.embeddings) IS 'Make every row of a table pending, for those who may trust its owner.';
CREATE FUNCTION mmdb.unset_embedding() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  embedding_column text;
begin
  with recursive ancestor(oid, parent) as (
    select t.oid, t.tgparentid from pg_trigger t where t.tgrelid = tg_relid and t.tgname = tg_name
    union all
    select t.oid, t.tgparentid from ancestor a join pg_trigger t on t.oid = a.parent
  )
  select c.attname into strict embedding_column
  from ancestor t
  join pg_depend d on d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.refclassid = 'pg_class'::regclass
  join pg_attribute c on c.attrelid = d.refobjid and c.attnum = d.refobjsubid
  where t.parent = 0
    and c.atttypid in ('public.halfvec'::regtype, 'public.vector'::regtype);
  return jsonb_populate_record(new, jsonb_build_object(embedding_column, null));
end
$$;
COMMENT ON FUNCTION mmdb.unset_embedding() IS 'Trigger: the source changed and no new embedding came with it, so the row is pending again.';
CREATE FUNCTION mmdb.unspaced() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select '\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u2E80-\u2FDF\u3005-\u3007\u3021-\u3029\u3031-\u30FF\u3100-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF' $$;
COMMENT ON FUNCTION mmdb.unspaced() IS 'Characters of languages without spaces between words, as the inside of a character class.';
CREATE FUNCTION mmdb.wait_until_embedded(relation regclass, ids text[] DEFAULT NULL::text[], name text DEFAULT NULL::text, timeout interval DEFAULT '00:00:30'::interval) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  give_up constant timestamptz := clock_timestamp() + timeout;
  made mmdb.embeddings;
  state record;
  looks integer := 0;
begin
  perform mmdb.embedding_of(relation, wait_until_embedded.name) where wait_until_embedded.name is not null;
  for made in select e.* from mmdb.embeddings e where e.relation = wait_until_embedded.relation
                and e.name = coalesce(wait_until_embedded.name, e.name) order by e.id loop
    loop
      state := mmdb.pending_of(made, ids);
      if state.failure is not null then
        raise exception '%', state.failure
          using errcode = 'data_exception', hint = format('mmdb.failures has all of them; mmdb.retry(%L) tries again', relation);
      elsif state.mine > 0 then
        raise exception 'a row was written by this very transaction, and no worker sees it yet'
          using errcode = 'invalid_transaction_state', hint = 'commit first, then wait';
      end if;
      exit when state.pending = 0;
      if looks = 0 then
        perform mmdb.check_waiting(made);
        perform mmdb.wake_workers();
      elsif clock_timestamp() > give_up then
        raise exception '% rows of % are not embedded after %', state.pending, relation, timeout
          using errcode = 'query_canceled', hint = 'see `mmdb status`; give a longer timeout => ''…''';
      end if;
      looks := looks + 1;
      perform pg_sleep(0.01);
    end loop;
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.wait_until_embedded(relation regclass, ids text[], name text, timeout interval) IS 'Return when rows that were committed are embedded, by one embedding or by all of the table: the rows with these keys (a key of several columns as the text of an array), or all. An error says what failed, that no worker runs, or that time is up.';
CREATE FUNCTION mmdb.wake() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select pg_notify('mmdb', '') $$;
COMMENT ON FUNCTION mmdb.wake() IS 'Loopback only: workers look for pending rows at once.';
CREATE FUNCTION mmdb.wake_workers() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.loopback('select null::uuid, null::real[], mmdb.wake()::text');
end
$$;
COMMENT ON FUNCTION mmdb.wake_workers() IS 'Have workers look for pending rows now, whatever becomes of this transaction.';
CREATE FUNCTION mmdb.warn_of_adopted(planned mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  filled boolean := (select sum(pg_relation_size(c.oid)) > 0 from pg_class c
    where c.oid = planned.relation or c.oid in (select t.relid from pg_partition_tree(planned.relation) t));
begin
  if filled and mmdb.trusts_owner(planned.relation) then
    execute format('select exists (select from %s p where p.%I is not null)',
                   mmdb.rows_sql(planned.relation), planned.column_name) into filled;
  end if;
  if filled then
    raise warning 'column "%" of table % was there before: the vectors in it are taken as they are', planned.column_name, planned.relation
      using hint = format('to have all rows embedded: update %s set %I = null', planned.relation, planned.column_name);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.warn_of_adopted(planned mmdb.embeddings) IS 'Say that vectors of an adopted column are kept, where it has any.';
CREATE FUNCTION mmdb.weight_of(weights jsonb, name text) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    AS $$ select coalesce((weights ->> name)::double precision, 1) $$;
COMMENT ON FUNCTION mmdb.weight_of(weights jsonb, name text) IS 'A weight, 1 unless given.';
CREATE FUNCTION mmdb.weighted_vector(vectors real[], weights double precision[]) RETURNS public.vector
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select public.l2_normalize(array_agg(s.total order by s.place)::real[]::public.vector)
  from (
    select i as place, sum(weights[v] * vectors[v][i]) as total
    from generate_subscripts(vectors, 1) v, generate_subscripts(vectors, 2) i
    group by i
  ) s
$$;
COMMENT ON FUNCTION mmdb.weighted_vector(vectors real[], weights double precision[]) IS 'The weighted sum of vectors, of unit length.';
CREATE FUNCTION mmdb.within_sql(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select case count(*) when 1 then format('p.%I %s any ($2::%s[])', min(k.name), min(k.equal), min(k.type_name))
              else format('exists (select from unnest($2) k(key) where %s)', (select s.matches from mmdb.key_sql(relation) s)) end
  from mmdb.key_columns(relation) k
$_$;
COMMENT ON FUNCTION mmdb.within_sql(relation regclass) IS 'The condition that a row''s key is one of the texts $2.';
CREATE FUNCTION mmdb.within_type(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select case count(*) when 1 then min(k.type_name) else 'text' end || '[]' from mmdb.key_columns(relation) k $$;
COMMENT ON FUNCTION mmdb.within_type(relation regclass) IS 'The type of `within`: an array of keys, or for keys of several columns of texts as mmdb.failures writes them.';
CREATE FUNCTION mmdb.words_found(leg mmdb.search_leg, query text, filter jsonb, within text[], depth integer) RETURNS TABLE(key text, rank bigint, closeness double precision)
    LANGUAGE plpgsql STABLE ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "pg_trgm.word_similarity_threshold" TO '0.35'
    AS $_$
declare
  passes constant text := mmdb.filter((leg.parts).relation, filter, 'p') || case when within is null then '' else ' and ' || (leg.parts).within end;
begin
  return query execute format($query$
    select x.key, row_number() over (order by x.closeness desc, x.key), x.closeness
    from (select %s as key, (%s)::double precision as closeness from %s where %s and %s limit 2000) x
    order by x.closeness desc, x.key limit %s
  $query$, (leg.parts).key, leg.closeness, (leg.parts).source, leg.matches, passes, depth) using query, within;
end
$_$;
COMMENT ON FUNCTION mmdb.words_found(leg mmdb.search_leg, query text, filter jsonb, within text[], depth integer) IS 'The candidates of a leg of words.';
CREATE FUNCTION mmdb.words_query(language text, query text) RETURNS tsquery
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when q.parsed::text like '%!%' then q.parsed else replace(q.parsed::text, ' & ', ' | ')::tsquery end
  from (select case when language in ('chinese', 'japanese', 'korean', 'thai')
                    then websearch_to_tsquery('simple', mmdb.pairs(query, false))
                    else websearch_to_tsquery(language::regconfig, query) end) q(parsed)
$$;
COMMENT ON FUNCTION mmdb.words_query(language text, query text) IS 'The words of a query, any of which is to be there.';
CREATE FUNCTION mmdb.worker_body(made mmdb.embeddings, verb text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case verb when 'pending' then mmdb.pending_body(made) when 'load' then mmdb.load_body(made)
                   when 'store' then mmdb.store_body(made) when 'count' then mmdb.count_body(made)
                   when 'clean' then mmdb.clean_body(made) end
$$;
COMMENT ON FUNCTION mmdb.worker_body(made mmdb.embeddings, verb text) IS 'The body of one of an embedding''s worker functions, as it should be.';
CREATE FUNCTION mmdb.worker_function(made mmdb.embeddings, verb text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select format('%s.mmdb_%s_%s', made.function_schema, verb, made.id) $$;
COMMENT ON FUNCTION mmdb.worker_function(made mmdb.embeddings, verb text) IS 'The qualified name of a function made for the worker: pending, load, store, count, clean.';
CREATE FUNCTION mmdb.worker_lock_class() RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select 1835885666 $$;
COMMENT ON FUNCTION mmdb.worker_lock_class() IS 'The first key of the advisory lock that a live worker holds ("mmdb" in ASCII); the second is its id.';
CREATE FUNCTION mmdb.worker_verbs() RETURNS text[]
    LANGUAGE sql IMMUTABLE
    AS $$ select array['pending', 'load', 'store', 'count', 'clean'] $$;
COMMENT ON FUNCTION mmdb.worker_verbs() IS 'The functions that are made for the worker.';
CREATE AGGREGATE mmdb.rrf(rank bigint) (
    SFUNC = mmdb.rrf_add,
    STYPE = double precision,
    INITCOND = '0',
    PARALLEL = safe
);
COMMENT ON AGGREGATE mmdb.rrf(rank bigint) IS 'Reciprocal rank fusion: the sum of 1 / (60 + rank) over the lists in which something has a rank; NULL adds nothing.';
CREATE AGGREGATE mmdb.rrf(rank bigint, weight double precision) (
    SFUNC = mmdb.rrf_add,
    STYPE = double precision,
    INITCOND = '0',
    PARALLEL = safe
);
COMMENT ON AGGREGATE mmdb.rrf(rank bigint, weight double precision) IS 'Reciprocal rank fusion with a weight for each list; a negative one pushes down.';
ALTER TABLE mmdb.embeddings ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME mmdb.embeddings_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW mmdb.failures WITH (security_barrier='true') AS
 SELECT e.relation,
    e.name,
    (l.key)::text[] AS key,
    l.attempts,
    l.error,
    l.failed_at,
    (l.retry_at = 'infinity'::timestamp with time zone) AS final,
        CASE
            WHEN (l.retry_at <> 'infinity'::timestamp with time zone) THEN l.retry_at
            ELSE NULL::timestamp with time zone
        END AS retry_at,
    l.embedding,
    l.key AS key_text
   FROM ((mmdb.leases l
     JOIN mmdb.embeddings e ON ((e.id = l.embedding)))
     JOIN pg_class c ON ((c.oid = (e.relation)::oid)))
  WHERE ((l.error IS NOT NULL) AND (l.worker IS NULL) AND has_table_privilege((e.relation)::oid, 'select'::text) AND (NOT row_security_active((e.relation)::oid)));
COMMENT ON VIEW mmdb.failures IS 'Rows that could not be embedded: final ones wait for mmdb.retry or a changed source, the others for retry_at. Empty for who may not read the whole table.';
ALTER TABLE mmdb.keywords ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME mmdb.keywords_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mmdb.passes (
    embedding bigint NOT NULL,
    pass uuid NOT NULL
);
COMMENT ON TABLE mmdb.passes IS 'The secret by which a worker calls the functions that were made for an embedding.';
CREATE TABLE mmdb.progress (
    embedding bigint NOT NULL,
    caught_up_at timestamp with time zone,
    window_start timestamp with time zone,
    window_stored bigint DEFAULT 0 NOT NULL,
    last_rate double precision,
    stored bigint DEFAULT 0 NOT NULL,
    drift text,
    counted_at timestamp with time zone,
    total bigint,
    embedded bigint,
    pending bigint,
    estimated boolean
);
COMMENT ON TABLE mmdb.progress IS 'What the workers last saw of each embedding: throughput, when nothing was pending, drift of the table.';
COMMENT ON COLUMN mmdb.progress.counted_at IS 'When the worker counted the rows, for those whose session should not run the owner''s code.';
CREATE UNLOGGED TABLE mmdb.queries (
    model text NOT NULL,
    hash bytea NOT NULL,
    token uuid DEFAULT gen_random_uuid() NOT NULL,
    modality text NOT NULL,
    content text,
    data bytea,
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    worker integer,
    embedding real[],
    error text,
    answered_at timestamp with time zone
);
COMMENT ON TABLE mmdb.queries IS 'Query vectors by hash of model and query; the query itself is kept only until its vector is there.';
CREATE TABLE mmdb.schema_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE mmdb.settings (
    name text NOT NULL,
    value text NOT NULL
);
COMMENT ON TABLE mmdb.settings IS 'What this installation was told: role names, limits, the default model.';
CREATE UNLOGGED TABLE mmdb.shared_sessions (
    pid integer NOT NULL,
    worker integer
);
COMMENT ON TABLE mmdb.shared_sessions IS 'Server processes of workers in which code of tables'' owners has run: they may do no more than that embedding''s work.';
CREATE VIEW mmdb.status WITH (security_barrier='true') AS
 SELECT e.relation,
    e.name,
    e.model,
    c.total AS rows,
    c.embedded,
    c.pending,
    c.failed,
    c.estimated,
    c.counted_at,
        CASE
            WHEN (c.pending > 0) THEN p.caught_up_at
            ELSE NULL::timestamp with time zone
        END AS pending_since,
        CASE
            WHEN (p.window_start > (clock_timestamp() - '00:02:00'::interval)) THEN COALESCE(((NULLIF(p.window_stored, 0))::double precision / NULLIF(date_part('epoch'::text, (clock_timestamp() - p.window_start)), (0)::double precision)), p.last_rate)
            ELSE NULL::double precision
        END AS rows_per_second,
    COALESCE(mmdb.drift(e.id), p.drift) AS drift
   FROM ((mmdb.embeddings e
     LEFT JOIN mmdb.progress p ON ((p.embedding = e.id)))
     LEFT JOIN LATERAL ( SELECT n.total,
            n.embedded,
            n.pending,
            n.failed,
            n.estimated,
            clock_timestamp() AS clock_timestamp
           FROM mmdb.count_rows_of(e.id) n(total, embedded, pending, failed, estimated)
        UNION ALL
         SELECT p.total,
            p.embedded,
            (p.pending - f.final),
            f.final,
            true,
            p.counted_at
           FROM ( SELECT count(*) AS count
                   FROM mmdb.leases l
                  WHERE ((l.embedding = e.id) AND (l.worker IS NULL) AND (l.retry_at = 'infinity'::timestamp with time zone))) f(final)
 LIMIT 1) c(total, embedded, pending, failed, estimated, counted_at) ON ((mmdb.trusts_owner(e.relation) OR (NOT row_security_active((e.relation)::oid)))))
  WHERE
        CASE
            WHEN (EXISTS ( SELECT
               FROM pg_class x
              WHERE (x.oid = (e.relation)::oid))) THEN has_table_privilege((e.relation)::oid, 'select'::text)
            ELSE true
        END;
COMMENT ON VIEW mmdb.status IS 'Every embedding of the tables you may read: rows, embedded, pending, failed (estimated says that rows and embedded are PostgreSQL''s estimates, or that all were counted by a worker at counted_at, since a count of yours would run code of the table''s owner), pending_since (a time at which nothing was pending: the oldest pending row is younger), rows_per_second of the last minutes, drift with its remedy.';
ALTER TABLE mmdb.worker_sessions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mmdb.worker_sessions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW mmdb.workers WITH (security_barrier='true') AS
 SELECT id,
    host,
    pid,
    login,
    version,
    models,
    started_at,
    heartbeat_at,
    (id IN ( SELECT mmdb.live_workers() AS live_workers)) AS alive
   FROM mmdb.worker_sessions w;
COMMENT ON VIEW mmdb.workers IS 'The workers that registered, and whether each is alive now.';
ALTER TABLE ONLY mmdb.embeddings
    ADD CONSTRAINT embeddings_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mmdb.embeddings
    ADD CONSTRAINT embeddings_relation_name UNIQUE (relation, name);
ALTER TABLE ONLY mmdb.keywords
    ADD CONSTRAINT keywords_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mmdb.keywords
    ADD CONSTRAINT keywords_relation_name UNIQUE (relation, name);
ALTER TABLE ONLY mmdb.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (embedding, key);
ALTER TABLE ONLY mmdb.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (name);
ALTER TABLE ONLY mmdb.passes
    ADD CONSTRAINT passes_pkey PRIMARY KEY (embedding);
ALTER TABLE ONLY mmdb.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (embedding);
ALTER TABLE ONLY mmdb.queries
    ADD CONSTRAINT queries_pkey PRIMARY KEY (model, hash);
ALTER TABLE ONLY mmdb.schema_version
    ADD CONSTRAINT schema_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY mmdb.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (name);
ALTER TABLE ONLY mmdb.shared_sessions
    ADD CONSTRAINT shared_sessions_pkey PRIMARY KEY (pid);
ALTER TABLE ONLY mmdb.worker_sessions
    ADD CONSTRAINT worker_sessions_pkey PRIMARY KEY (id);
CREATE INDEX leases_retry ON mmdb.leases USING btree (embedding, retry_at) WHERE (worker IS NULL);
CREATE INDEX leases_worker ON mmdb.leases USING btree (worker) WHERE (worker IS NOT NULL);
CREATE INDEX queries_answered ON mmdb.queries USING btree (answered_at) WHERE (answered_at IS NOT NULL);
CREATE UNIQUE INDEX queries_token ON mmdb.queries USING btree (token);
CREATE INDEX queries_waiting ON mmdb.queries USING btree (model, asked_at) WHERE (answered_at IS NULL);
ALTER TABLE ONLY mmdb.embeddings
    ADD CONSTRAINT embeddings_model_fkey FOREIGN KEY (model) REFERENCES mmdb.models(name);
ALTER TABLE ONLY mmdb.leases
    ADD CONSTRAINT leases_embedding_fkey FOREIGN KEY (embedding) REFERENCES mmdb.embeddings(id) ON DELETE CASCADE;
ALTER TABLE ONLY mmdb.passes
    ADD CONSTRAINT passes_embedding_fkey FOREIGN KEY (embedding) REFERENCES mmdb.embeddings(id) ON DELETE CASCADE;
ALTER TABLE ONLY mmdb.progress
    ADD CONSTRAINT progress_embedding_fkey FOREIGN KEY (embedding) REFERENCES mmdb.embeddings(id) ON DELETE CASCADE;
GRANT USAGE ON SCHEMA mmdb TO mmdb_user;
GRANT USAGE ON SCHEMA mmdb TO mmdb_worker;
GRANT USAGE ON SCHEMA mmdb TO mmdb_loopback;
GRANT SELECT ON TABLE mmdb.embeddings TO mmdb_user;
GRANT SELECT ON TABLE mmdb.embeddings TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.add_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.add_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.add_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.add_embedding(relation regclass, source text, model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.add_embedding(relation regclass, source text, model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.add_embedding(relation regclass, source text, model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text) TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.keywords TO mmdb_user;
GRANT SELECT ON TABLE mmdb.keywords TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.add_keywords(relation regclass, columns text[], language text, name text, index boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.add_keywords(relation regclass, columns text[], language text, name text, index boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.add_keywords(relation regclass, columns text[], language text, name text, index boolean) TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.models TO mmdb_user;
GRANT SELECT ON TABLE mmdb.models TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.add_model(name text, backend text, model text, dimensions integer, modalities text[], identity text, distance text, revision text, query_prompt text, document_prompt text, options jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.answer_query(token uuid, embedding public.vector, error text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.answer_query(token uuid, embedding public.vector, error text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.ask(model text, modality text, content text, data bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.attachment(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.attachment(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.attachment(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.base_columns(relation regclass, numbers smallint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.base_columns(relation regclass, numbers smallint[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.base_columns(relation regclass, numbers smallint[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.beat(worker integer, lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.beat(worker integer, lease interval) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.caught_up(embedding bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.caught_up(embedding bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_column(planned mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_column(planned mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_column(planned mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_index_options(options jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_index_options(options jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_index_options(options jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_model(model text, modality text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_model(model text, modality text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_model(model text, modality text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_names(planned mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_names(planned mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_names(planned mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_query(model text, modality text, content text, data bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.check_record(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_record(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_record(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_relation(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_relation(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_relation(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_waiting(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_waiting(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_waiting(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_weights(weights jsonb, legs mmdb.search_leg[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_weights(weights jsonb, legs mmdb.search_leg[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_weights(weights jsonb, legs mmdb.search_leg[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.claim(embedding bigint, worker integer, keys text[], states text[], lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.claim(embedding bigint, worker integer, keys text[], states text[], lease interval) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.claim_orphan(embedding bigint, worker integer, keys text[], states text[], expiry timestamp with time zone, live integer[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.clean_body(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.clean_body(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.clean_body(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.column_names(relation regclass, numbers smallint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.column_names(relation regclass, numbers smallint[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.column_names(relation regclass, numbers smallint[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.column_numbers(relation regclass, names text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.column_numbers(relation regclass, names text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.column_numbers(relation regclass, names text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.comparison(type oid, strategy integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.comparison(type oid, strategy integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.comparison(type oid, strategy integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.content_sql(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.content_sql(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.content_sql(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.count_body(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.count_body(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.count_body(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.count_rows(made mmdb.embeddings, exact_up_to bigint, OUT total bigint, OUT embedded bigint, OUT pending bigint, OUT failed bigint, OUT estimated boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.count_rows(made mmdb.embeddings, exact_up_to bigint, OUT total bigint, OUT embedded bigint, OUT pending bigint, OUT failed bigint, OUT estimated boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.count_rows(made mmdb.embeddings, exact_up_to bigint, OUT total bigint, OUT embedded bigint, OUT pending bigint, OUT failed bigint, OUT estimated boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.count_rows_of(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.count_rows_of(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.count_rows_of(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.create_made(made mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.create_made(made mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.create_made(made mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.declarations() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.declarations() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.declarations() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.default_comparison(type oid, strategy integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.default_comparison(type oid, strategy integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.default_comparison(type oid, strategy integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.distance_name(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.distance_name(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.distance_name(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.distance_operator(distance text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.distance_operator(distance text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.distance_operator(distance text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.doctor() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.doctor() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.doctor() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drift(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drift(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drift(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_embedding(relation regclass, name text, if_exists boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_embedding(relation regclass, name text, if_exists boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_embedding(relation regclass, name text, if_exists boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_keywords(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_keywords(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_keywords(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_made(made mmdb.embeddings, names text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_made(made mmdb.embeddings, names text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_made(made mmdb.embeddings, names text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_orphans(schema_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_orphans(schema_name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_orphans(schema_name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed(image bytea, model text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embed(image bytea, model text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embed(image bytea, model text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed(query text, model text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embed(query text, model text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embed(query text, model text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, image bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, image bytea) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, image bytea) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, query text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, query text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, query text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed_query(model text, modality text, content text, data bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.embedding_leg(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embedding_leg(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embedding_leg(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embedding_of(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embedding_of(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embedding_of(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.fail(embedding bigint, worker integer, keys text[], states text[], hashes bytea[], errors text[], permanent boolean[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.fail(embedding bigint, worker integer, keys text[], states text[], hashes bytea[], errors text[], permanent boolean[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter(relation regclass, filter jsonb, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter(relation regclass, filter jsonb, alias text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter(relation regclass, filter jsonb, alias text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_column(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_column(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_column(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_condition(of_column pg_attribute, alias text, operator text, value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_condition(of_column pg_attribute, alias text, operator text, value jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_condition(of_column pg_attribute, alias text, operator text, value jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_conditions(relation regclass, key text, value jsonb, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_conditions(relation regclass, key text, value jsonb, alias text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_conditions(relation regclass, key text, value jsonb, alias text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_containment(of_column pg_attribute, target text, operator text, value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_containment(of_column pg_attribute, target text, operator text, value jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_containment(of_column pg_attribute, target text, operator text, value jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_entry(relation regclass, key text, value jsonb, alias text, depth integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_entry(relation regclass, key text, value jsonb, alias text, depth integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_entry(relation regclass, key text, value jsonb, alias text, depth integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_list(operator text, value jsonb, count integer, label text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_list(operator text, value jsonb, count integer, label text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_list(operator text, value jsonb, count integer, label text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_literal(value jsonb, type_name text, label text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_literal(value jsonb, type_name text, label text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_literal(value jsonb, type_name text, label text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_operators() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_operators() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_operators() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_path_condition(of_column pg_attribute, path text[], alias text, operator text, value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_path_condition(of_column pg_attribute, path text[], alias text, operator text, value jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_path_condition(of_column pg_attribute, path text[], alias text, operator text, value jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_pattern(target text, type oid, operator text, value jsonb, label text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_pattern(target text, type oid, operator text, value jsonb, label text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_pattern(target text, type oid, operator text, value jsonb, label text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_strategy(operator text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_strategy(operator text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_strategy(operator text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.forget_embedding(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.forget_embedding(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.forget_embedding(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.forget_keywords(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.forget_keywords(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.forget_keywords(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.forget_leases(embedding bigint, keys text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.forget_leases(embedding bigint, keys text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.free_name(relation regclass, wanted text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.free_name(relation regclass, wanted text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.free_name(relation regclass, wanted text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.function_drift(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.function_drift(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.function_drift(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.grant_privileges() FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.guard_owner(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.guard_owner(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.guard_owner(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.guard_pass(embedding bigint, pass uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.guard_session() FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.hash_sql(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.hash_sql(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.hash_sql(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.here(standby boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.hold(embedding bigint, worker integer, pass uuid, keys text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.hold(embedding bigint, worker integer, pass uuid, keys text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.idle_leases(embedding bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.idle_leases(embedding bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.index_definition(made mmdb.embeddings, kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.index_definition(made mmdb.embeddings, kind text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.index_definition(made mmdb.embeddings, kind text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.index_name(made mmdb.embeddings, kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.index_name(made mmdb.embeddings, kind text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.index_name(made mmdb.embeddings, kind text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.index_statements(relation regclass, name text, concurrent boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.index_statements(relation regclass, name text, concurrent boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.index_statements(relation regclass, name text, concurrent boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_free(lease mmdb.leases, state text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_free(lease mmdb.leases, state text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_free(lease mmdb.leases, state text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_made_by(function oid, id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_made_by(function oid, id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_made_by(function oid, id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_out_of_date(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_out_of_date(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_out_of_date(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.key_columns(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.key_columns(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.key_columns(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.key_sql(relation regclass, OUT expression text, OUT matches text, OUT later text, OUT ordering text, OUT columns text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.key_sql(relation regclass, OUT expression text, OUT matches text, OUT later text, OUT ordering text, OUT columns text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.key_sql(relation regclass, OUT expression text, OUT matches text, OUT later text, OUT ordering text, OUT columns text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keywords_expression(columns text[], language text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keywords_expression(columns text[], language text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keywords_expression(columns text[], language text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keywords_index(made mmdb.keywords) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keywords_index(made mmdb.keywords) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keywords_index(made mmdb.keywords) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keywords_leg(made mmdb.keywords) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keywords_leg(made mmdb.keywords) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keywords_leg(made mmdb.keywords) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keywords_method(language text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keywords_method(language text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keywords_method(language text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.later_sql(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.later_sql(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.later_sql(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.let_worker_in(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.let_worker_in(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.let_worker_in(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.live_workers() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.live_workers() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.live_workers() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.load_body(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.load_body(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.load_body(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.lock_declarations(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.lock_declarations(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.lock_declarations(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.loopback(statement text, OUT token uuid, OUT embedding real[], OUT problem text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.made_for(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.made_for(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.made_for(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_public_function(made mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_public_function(made mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_public_function(made mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_search_view(made mmdb.embeddings, argument text, vector text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_search_view(made mmdb.embeddings, argument text, vector text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_search_view(made mmdb.embeddings, argument text, vector text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_search_views(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_search_views(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_search_views(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_table_functions(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_table_functions(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_table_functions(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_top_function(made mmdb.embeddings, argument text, vector text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_top_function(made mmdb.embeddings, argument text, vector text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_top_function(made mmdb.embeddings, argument text, vector text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_trigger(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_trigger(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_trigger(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_worker_functions(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_worker_functions(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_worker_functions(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.may_call(embedding bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.may_call(embedding bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.may_clean(embedding bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.may_clean(embedding bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.model_of(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.model_of(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.model_of(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.note_attempt(embedding bigint, worker integer, key text, state text, source_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.note_attempt(embedding bigint, worker integer, key text, state text, source_hash bytea) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.note_counts(embedding bigint, pass uuid, total bigint, embedded bigint, pending bigint, estimated boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.note_counts(embedding bigint, pass uuid, total bigint, embedded bigint, pending bigint, estimated boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.open_loopback() FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.operator_class(column_type text, distance text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.operator_class(column_type text, distance text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.operator_class(column_type text, distance text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.other_triggers(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.other_triggers(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.other_triggers(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.own_indexes() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.own_indexes() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.own_indexes() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pairs(content text, singles boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pairs(content text, singles boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pairs(content text, singles boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.partition_index_statements(made mmdb.embeddings, kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.partition_index_statements(made mmdb.embeddings, kind text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.partition_index_statements(made mmdb.embeddings, kind text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pass_sql(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pass_sql(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pass_sql(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pending_body(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pending_body(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pending_body(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pending_of(made mmdb.embeddings, ids text[], OUT pending bigint, OUT mine bigint, OUT failure text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pending_of(made mmdb.embeddings, ids text[], OUT pending bigint, OUT mine bigint, OUT failure text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pending_of(made mmdb.embeddings, ids text[], OUT pending bigint, OUT mine bigint, OUT failure text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pending_sql(made mmdb.embeddings, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pending_sql(made mmdb.embeddings, alias text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pending_sql(made mmdb.embeddings, alias text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.plan_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, prefix text, index_options jsonb, distance text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.plan_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, prefix text, index_options jsonb, distance text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.plan_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, prefix text, index_options jsonb, distance text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.poll_query(token uuid, OUT embedding real[], OUT problem text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.poll_query(token uuid, OUT embedding real[], OUT problem text) TO mmdb_loopback;
REVOKE ALL ON FUNCTION mmdb.post_query(asked_at text, model text, modality text, content text, data bytea, OUT token uuid, OUT embedding real[], OUT problem text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.post_query(asked_at text, model text, modality text, content text, data bytea, OUT token uuid, OUT embedding real[], OUT problem text) TO mmdb_loopback;
REVOKE ALL ON FUNCTION mmdb.query_hash(modality text, content text, data bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.query_vector(leg mmdb.search_leg, query text, images bytea[], weights jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.query_vector(leg mmdb.search_leg, query text, images bytea[], weights jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.query_vector(leg mmdb.search_leg, query text, images bytea[], weights jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.record_embedding(made mmdb.embeddings, pass uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.record_embedding(made mmdb.embeddings, pass uuid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.record_embedding(made mmdb.embeddings, pass uuid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.record_keywords(made mmdb.keywords) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.record_keywords(made mmdb.keywords) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.record_keywords(made mmdb.keywords) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.refresh(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.refresh(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.refresh(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.refuse_problem(problem text, model text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.relation_sql(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.relation_sql(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.relation_sql(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.remake_other_views(relation regclass, id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.remake_other_views(relation regclass, id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.remake_other_views(relation regclass, id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.remove_model(name text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.report_drift(embedding bigint, drift text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.report_drift(embedding bigint, drift text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.resolved(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.resolved(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.resolved(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.retry(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.retry(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.retry(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.retry_delay(attempts integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.retry_delay(attempts integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.retry_delay(attempts integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rows_sql(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rows_sql(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rows_sql(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint, weight double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint, weight double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint, weight double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.run_as_owner(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.run_as_owner(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.run_as_owner(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.same_key_sql(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.same_key_sql(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.same_key_sql(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search(legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search(legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search(legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_body(made mmdb.embeddings, distance text, vector text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_body(made mmdb.embeddings, distance text, vector text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_body(made mmdb.embeddings, distance text, vector text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_columns(relation regclass, OUT definitions text, OUT selected text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_columns(relation regclass, OUT definitions text, OUT selected text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_columns(relation regclass, OUT definitions text, OUT selected text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_found(leg mmdb.search_leg, query text, images bytea[], vector public.vector, depth integer, filter jsonb, within text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_found(leg mmdb.search_leg, query text, images bytea[], vector public.vector, depth integer, filter jsonb, within text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_found(leg mmdb.search_leg, query text, images bytea[], vector public.vector, depth integer, filter jsonb, within text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_legs(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_legs(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_legs(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_name(prefix text, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_name(prefix text, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_name(prefix text, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_source(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_source(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_source(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_table_body(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_table_body(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_table_body(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.serves(worker mmdb.worker_sessions, model mmdb.models) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.serving_index(made mmdb.embeddings, relation regclass, kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.serving_index(made mmdb.embeddings, relation regclass, kind text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.serving_index(made mmdb.embeddings, relation regclass, kind text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.set_setting(name text, value text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.setting(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.setting(name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.setting(name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.settle(embedding bigint, worker integer, pass uuid, keys text[], outcomes text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.settle(embedding bigint, worker integer, pass uuid, keys text[], outcomes text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.share_session(worker integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.share_session(worker integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.short_name(wanted text, id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.short_name(wanted text, id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.short_name(wanted text, id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.source_expressions(relation regclass, numbers smallint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.source_expressions(relation regclass, numbers smallint[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.source_expressions(relation regclass, numbers smallint[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.source_modality(relation regclass, numbers smallint[], wanted text, OUT modality text, OUT by_uri boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.source_modality(relation regclass, numbers smallint[], wanted text, OUT modality text, OUT by_uri boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.source_modality(relation regclass, numbers smallint[], wanted text, OUT modality text, OUT by_uri boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.start_worker(host text, pid integer, version text, models text[], identities text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.start_worker(host text, pid integer, version text, models text[], identities text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.stop_worker(worker integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.stop_worker(worker integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.storage_parameters(options jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.storage_parameters(options jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.storage_parameters(options jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.store_body(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.store_body(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.store_body(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.sweep() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.sweep() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.table_call(relation regclass, verb text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.table_call(relation regclass, verb text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.table_call(relation regclass, verb text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.take_queries(worker integer, models text[], count integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.take_queries(worker integer, models text[], count integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.tasks(model text, identity text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.tasks(model text, identity text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top(parts mmdb.search_source, vector public.halfvec, k integer, filter jsonb, within text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top(parts mmdb.search_source, vector public.halfvec, k integer, filter jsonb, within text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top(parts mmdb.search_source, vector public.halfvec, k integer, filter jsonb, within text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_body(made mmdb.embeddings, vector text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_body(made mmdb.embeddings, vector text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_body(made mmdb.embeddings, vector text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_costs(OUT walked real, OUT scanned real, OUT read real, OUT kept real) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_costs(OUT walked real, OUT scanned real, OUT read real, OUT kept real) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_costs(OUT walked real, OUT scanned real, OUT read real, OUT kept real) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_deep(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, wanted integer, budget integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_deep(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, wanted integer, budget integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_deep(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, wanted integer, budget integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_estimate(parts mmdb.search_source, passes text, vector public.halfvec, within text[], OUT rows real, OUT share real, OUT exact_cost real) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_estimate(parts mmdb.search_source, passes text, vector public.halfvec, within text[], OUT rows real, OUT share real, OUT exact_cost real) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_estimate(parts mmdb.search_source, passes text, vector public.halfvec, within text[], OUT rows real, OUT share real, OUT exact_cost real) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_exact(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, OUT keys text[], OUT distances double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_exact(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, OUT keys text[], OUT distances double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_exact(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, OUT keys text[], OUT distances double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_name(prefix text, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_name(prefix text, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_name(prefix text, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_probe(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, depth integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_probe(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, depth integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_probe(parts mmdb.search_source, passes text, vector public.halfvec, within text[], k integer, depth integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.trigger_condition(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.trigger_condition(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.trigger_condition(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.trigger_drift(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.trigger_drift(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.trigger_drift(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.trigger_name(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.trigger_name(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.trigger_name(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.trim_queries() FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.trusts_owner(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.trusts_owner(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.trusts_owner(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.unset_all(made mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.unset_all(made mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.unset_all(made mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.unset_embedding() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.unset_embedding() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.unset_embedding() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.unspaced() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.unspaced() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.unspaced() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.wait_until_embedded(relation regclass, ids text[], name text, timeout interval) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.wait_until_embedded(relation regclass, ids text[], name text, timeout interval) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.wait_until_embedded(relation regclass, ids text[], name text, timeout interval) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.wake() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.wake() TO mmdb_loopback;
REVOKE ALL ON FUNCTION mmdb.wake_workers() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.wake_workers() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.wake_workers() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.warn_of_adopted(planned mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.warn_of_adopted(planned mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.warn_of_adopted(planned mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.weight_of(weights jsonb, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.weight_of(weights jsonb, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.weight_of(weights jsonb, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.weighted_vector(vectors real[], weights double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.weighted_vector(vectors real[], weights double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.weighted_vector(vectors real[], weights double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.within_sql(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.within_sql(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.within_sql(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.within_type(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.within_type(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.within_type(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.words_found(leg mmdb.search_leg, query text, filter jsonb, within text[], depth integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.words_found(leg mmdb.search_leg, query text, filter jsonb, within text[], depth integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.words_found(leg mmdb.search_leg, query text, filter jsonb, within text[], depth integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.words_query(language text, query text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.words_query(language text, query text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.words_query(language text, query text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.worker_body(made mmdb.embeddings, verb text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.worker_body(made mmdb.embeddings, verb text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.worker_body(made mmdb.embeddings, verb text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.worker_function(made mmdb.embeddings, verb text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.worker_function(made mmdb.embeddings, verb text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.worker_function(made mmdb.embeddings, verb text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.worker_lock_class() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.worker_lock_class() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.worker_lock_class() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.worker_verbs() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.worker_verbs() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.worker_verbs() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rrf(bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rrf(bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rrf(bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rrf(bigint, double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rrf(bigint, double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rrf(bigint, double precision) TO mmdb_worker;
GRANT USAGE ON SEQUENCE mmdb.embeddings_id_seq TO mmdb_user;
GRANT SELECT ON TABLE mmdb.failures TO mmdb_user;
GRANT SELECT ON TABLE mmdb.failures TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.status TO mmdb_user;
GRANT SELECT ON TABLE mmdb.status TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.workers TO mmdb_user;
GRANT SELECT ON TABLE mmdb.workers TO mmdb_worker;
