-- Schema mmdb of a fresh install, written by `make schema`. Do not edit: change sql/ or migrations/.

CREATE SCHEMA mmdb;
CREATE TYPE mmdb.search_pieces AS (
	relation regclass,
	source text,
	key text,
	columns text,
	one_key boolean,
	vector text,
	distance text,
	walk text,
	present text,
	within text
);
COMMENT ON TYPE mmdb.search_pieces IS 'The pieces of SQL that a search of one embedding is made of.';
CREATE TYPE mmdb.leg AS (
	name text,
	pieces mmdb.search_pieces,
	matches text,
	closeness text
);
COMMENT ON TYPE mmdb.leg IS 'One of the searches that T_search fuses.';
CREATE TYPE mmdb.search_source AS (
	relation regclass,
	source text,
	key text,
	columns text,
	distance text,
	present text,
	within text,
	walk text
);
COMMENT ON TYPE mmdb.search_source IS 'The pieces of SQL that a search of one embedding is made of.';
CREATE TYPE mmdb.search_leg AS (
	name text,
	parts mmdb.search_source,
	matches text,
	closeness text
);
COMMENT ON TYPE mmdb.search_leg IS 'One of the searches that T_search fuses.';
CREATE TYPE mmdb.stored_query AS (
	function regprocedure,
	calls text[],
	identity text,
	distance text,
	search_path text
);
COMMENT ON TYPE mmdb.stored_query IS 'A function of a user with what it takes to run it and to compare its answers.';
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
    generation_of bigint,
    column_place smallint,
    switched_at timestamp with time zone,
    weights double precision[],
    source_modalities text[],
    stale_column text,
    stale_number smallint,
    kind text DEFAULT 'embedding'::text NOT NULL,
    vector_type text NOT NULL,
    dimensions integer NOT NULL,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    relation_name text NOT NULL,
    known_triggers oid[],
    CONSTRAINT embeddings_kind CHECK ((kind = 'embedding'::text)),
    CONSTRAINT embeddings_mixed CHECK (((modality <> 'mixed'::text) OR (weights IS NOT NULL))),
    CONSTRAINT embeddings_modality CHECK ((modality = ANY (ARRAY['text'::text, 'image'::text, 'mixed'::text]))),
    CONSTRAINT embeddings_options CHECK ((jsonb_typeof(options) = 'object'::text)),
    CONSTRAINT embeddings_storage CHECK ((storage = ANY (ARRAY['column'::text, 'companion'::text]))),
    CONSTRAINT embeddings_vector_type CHECK ((vector_type = ANY (ARRAY['halfvec'::text, 'vector'::text]))),
    CONSTRAINT embeddings_weights CHECK ((((weights IS NULL) = (source_modalities IS NULL)) AND ((weights IS NULL) OR ((cardinality(weights) = cardinality(sources)) AND (cardinality(source_modalities) = cardinality(sources))))))
);
COMMENT ON TABLE mmdb.embeddings IS 'One row for each declared embedding: which column of which table follows which sources by which model.';
COMMENT ON COLUMN mmdb.embeddings.source_numbers IS 'The sources'' column numbers: they survive a rename and are valid while attached_to names this very table.';
COMMENT ON COLUMN mmdb.embeddings.column_type IS 'The type and width of a vector, as its column declares them.';
COMMENT ON COLUMN mmdb.embeddings.adopted IS 'The column was there before: drop_embedding leaves it.';
COMMENT ON COLUMN mmdb.embeddings.attached_to IS 'Cluster, database and table in which the column numbers were taken; after a restore the names count instead.';
COMMENT ON COLUMN mmdb.embeddings.pass_hash IS 'SHA-256 of the pass that the functions of this embedding ask for.';
COMMENT ON COLUMN mmdb.embeddings.source_expressions IS 'The generation expressions of the sources (pg_attrdef): another one makes another source of the same columns.';
COMMENT ON COLUMN mmdb.embeddings.index_options IS 'The HNSW index: m, ef_construction, or type none. Empty: an index with pgvector''s own parameters.';
COMMENT ON COLUMN mmdb.embeddings.generation_of IS 'The embedding that serves searches; this one has the same sources and another model, and takes no part in searches.';
COMMENT ON COLUMN mmdb.embeddings.column_place IS 'Where the search functions list the column, after another one took its name; else its number.';
COMMENT ON COLUMN mmdb.embeddings.switched_at IS 'When this generation stopped serving; NULL where it never did, or serves.';
COMMENT ON COLUMN mmdb.embeddings.weights IS 'One for each source: the vector is the weighted sum of theirs, of unit length. NULL: the sources are one, texts joined by line breaks.';
COMMENT ON COLUMN mmdb.embeddings.source_modalities IS 'What each source holds, text or image, where they have weights.';
COMMENT ON COLUMN mmdb.embeddings.stale_column IS 'The column that marks rows which keep the vector of an earlier source (on_change => ''keep''); NULL where a changed source unsets it.';
COMMENT ON COLUMN mmdb.embeddings.stale_number IS 'Its number, by which it is found after a rename.';
COMMENT ON COLUMN mmdb.embeddings.kind IS 'What is derived: an embedding, one vector a row.';
COMMENT ON COLUMN mmdb.embeddings.vector_type IS 'pgvector''s type of the column: halfvec or vector.';
COMMENT ON COLUMN mmdb.embeddings.dimensions IS 'How many numbers a vector has.';
COMMENT ON COLUMN mmdb.embeddings.options IS 'What it was declared with besides: options that have no column here.';
COMMENT ON COLUMN mmdb.embeddings.relation_name IS 'What the table was called when its functions were made.';
COMMENT ON COLUMN mmdb.embeddings.known_triggers IS 'The triggers of its partitions when it was declared or refreshed: each ATTACH PARTITION makes a new one. NULL where an earlier mmdb did that.';
CREATE FUNCTION mmdb.add_command(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select 'mmdb add ' || mmdb.shell_word(declared.relation::text)
         || (select string_agg(' ' || mmdb.shell_word(s.name), '' order by s.place)
             from unnest(declared.sources) with ordinality s(name, place))
         || case when declared.name <> array_to_string(declared.sources, '_')
                 then ' --name ' || mmdb.shell_word(declared.name)
                 else '' end
         || coalesce((select string_agg(' --weight ' || w.weight, '' order by w.place)
                      from unnest(declared.weights) with ordinality w(weight, place)), '')
$$;
COMMENT ON FUNCTION mmdb.add_command(declared mmdb.embeddings) IS 'What on the command line declares this embedding, and builds what it lacks.';
CREATE FUNCTION mmdb.add_embedding(relation regclass, declaration jsonb, index boolean DEFAULT true) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
declare
  declared mmdb.embeddings;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  declared := mmdb.declare_embedding(mmdb.plan_embedding(relation, mmdb.check_declaration(declaration)), index);
  perform mmdb.note_triggers(declared);
  return declared;
end
$$;
COMMENT ON FUNCTION mmdb.add_embedding(relation regclass, declaration jsonb, index boolean) IS 'Declare an embedding by one value, as programs do: {"sources": ["title", "photo"], "weights": [0.7, 0.3]}. mmdb.declaration_options() has the options: they are the parameters of add_embedding(regclass, text, …).';
CREATE FUNCTION mmdb.add_embedding(relation regclass, sources text[], model text DEFAULT NULL::text, modality text DEFAULT NULL::text, name text DEFAULT NULL::text, storage text DEFAULT 'column'::text, index boolean DEFAULT true, prefix text DEFAULT NULL::text, index_options jsonb DEFAULT NULL::jsonb, distance text DEFAULT NULL::text, weights double precision[] DEFAULT NULL::double precision[], on_change text DEFAULT 'unset'::text, columns text DEFAULT 'all'::text) RETURNS mmdb.embeddings
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET extra_float_digits TO '1'
    AS $$
  select a.* from mmdb.add_embedding(relation, jsonb_build_object(
    'sources', sources, 'model', model, 'modality', modality, 'name', name, 'storage', storage, 'prefix', prefix,
    'index_options', index_options, 'distance', distance, 'weights', weights, 'on_change', on_change,
    'columns', columns), index) a
$$;
COMMENT ON FUNCTION mmdb.add_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text, weights double precision[], on_change text, columns text) IS 'Declare an embedding over several columns. Without weights they are texts, and one source. With weights (''{0.7,0.3}'') each of them, text or bytea (an image), is embedded by itself, and the vector of a row is the weighted sum of their unit vectors, of unit length again; sources that are NULL, and empty texts beside another source, are left out. See add_embedding(regclass, text, …).';
CREATE FUNCTION mmdb.add_embedding(relation regclass, source text, model text DEFAULT NULL::text, modality text DEFAULT NULL::text, name text DEFAULT NULL::text, storage text DEFAULT 'column'::text, index boolean DEFAULT true, prefix text DEFAULT NULL::text, index_options jsonb DEFAULT NULL::jsonb, distance text DEFAULT NULL::text, weights double precision[] DEFAULT NULL::double precision[], on_change text DEFAULT 'unset'::text, columns text DEFAULT 'all'::text) RETURNS mmdb.embeddings
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select a.* from mmdb.add_embedding(
    relation, array[source], model, modality, name, storage, index, prefix, index_options, distance,
    weights, on_change, columns) a
$$;
COMMENT ON FUNCTION mmdb.add_embedding(relation regclass, source text, model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text, weights double precision[], on_change text, columns text) IS 'Declare an embedding: adds the column NAME_embedding to the table, a trigger that unsets it when the source changes, the search views T_by_NAME, and the indexes; existing rows are pending and a worker fills them. Source: bytea (an image), text, an array of texts, an enum, or with modality => ''image'' text that holds a URI. Building the indexes blocks writers of the table; index => false leaves them to `mmdb add`, which builds them concurrently. Name: the source''s unless given. Prefix: stands for the table in function names. Index_options: m and ef_construction of the HNSW index, {"quantization": "binary"} for one of signs, which serves the functions that are told k, or {"type": "none"} for no HNSW index. Distance: refuse a model that has another one. On_change: what becomes of the vector of a row whose source changed: unset (the row is not found until it is embedded again), or keep (it is found by the old vector until then, and marked in the column NAME_stale). Columns: what the table''s search functions return of a row: all, or without vectors (this embedding''s is left out, for tools that have no use for it).';
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
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
#variable_conflict use_variable
declare
  words mmdb.keywords;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.check_language(language);
  perform mmdb.lock_declarations(relation);
  if coalesce(cardinality(columns), 0) = 0 then
    raise exception 'keywords of table % need at least one column', relation using errcode = 'invalid_parameter_value';
  elsif exists (select from mmdb.keywords w where w.relation = relation and w.name = name)
        or exists (select from mmdb.embeddings e where e.relation = relation and e.name = name) then
    raise exception 'table % has a leg "%" already', relation, name
      using errcode = 'duplicate_object', hint = 'give another name => ''…'': it names the leg in weights and ranks';
  elsif not mmdb.has_words(relation, columns) then
    perform mmdb.source_modality(relation, mmdb.column_numbers(relation, columns), 'text');
    perform mmdb.check_words(relation, columns);
  elsif mmdb.keywords_method(language) = 'trigram' then
    raise exception 'column "%" of table % holds words, not the text that trigrams are made of', columns[1], relation
      using errcode = 'datatype_mismatch', hint = 'give the language that its words are of, or a column of text';
  end if;
  words.relation := relation;
  words.name := name;
  words.columns := columns;
  words.language := language;
  words.index_name := mmdb.short_name(format('%s_%s', (select c.relname from pg_class c where c.oid = relation), name),
                                     relation::oid::bigint);
  perform mmdb.make_keywords_index(words, index);
  words := mmdb.record_keywords(words);
  perform mmdb.make_table_functions(relation);
  return words;
end
$$;
COMMENT ON FUNCTION mmdb.add_keywords(relation regclass, columns text[], language text, name text, index boolean) IS 'Have T_search look for words in these text columns too: builds a GIN index and adds a leg. Or in a column of type tsvector, which is taken as it is, with the index that it has. Language: a text search configuration (english, german, simple, public.my_own, …), chinese, japanese, korean or thai, or trigram, which forgives typing errors. Building the index blocks writers; index => false leaves it to you: the statement is mmdb.keywords_index(k) of the row that comes back. An index of these keywords that a restored table brought along is taken over.';
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
    delete from mmdb.requests q where q.model = made.name;
  end if;
  return made;
end
$$;
COMMENT ON FUNCTION mmdb.add_model(name text, backend text, model text, dimensions integer, modalities text[], identity text, distance text, revision text, query_prompt text, document_prompt text, options jsonb) IS 'Register a model. Its identity is fixed once an embedding uses it; an unused one is replaced.';
CREATE FUNCTION mmdb.adopt_orphans(planned mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  orphan pg_proc;
begin
  for orphan in
    select o.* from mmdb.orphans(planned.function_schema) o where o.proname = any(mmdb.function_names(planned))
  loop
    execute format('comment on function %s is %L', orphan.oid::regprocedure, mmdb.made_for(planned.id));
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.adopt_orphans(planned mmdb.embeddings) IS 'Have an embedding that is to be made replace what is left of the functions of a table that had the same name: the views over them stay.';
CREATE FUNCTION mmdb.after_sql(relation regclass, key text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.later_sql(relation, format(case count(*) when 1 then 'array[%s]' else '%s::text[]' end, after_sql.key))
  from mmdb.key_columns(relation)
$$;
COMMENT ON FUNCTION mmdb.after_sql(relation regclass, key text) IS 'The condition that row p comes after the key that this SQL gives as people write it, in the order of keys.';
CREATE FUNCTION mmdb.answer_query(token uuid, embedding public.vector, error text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select mmdb.answer_request(token, embedding, null, error) $$;
COMMENT ON FUNCTION mmdb.answer_query(token uuid, embedding public.vector, error text) IS 'Worker only: was mmdb.answer_request.';
CREATE FUNCTION mmdb.answer_request(token uuid, embedding public.vector, answer jsonb, error text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  update mmdb.requests q
  set embedding = answer_request.embedding::real[], answer = answer_request.answer, error = answer_request.error,
      answered_at = clock_timestamp(), content = null, data = null, parameters = null
  where q.token = answer_request.token
$$;
COMMENT ON FUNCTION mmdb.answer_request(token uuid, embedding public.vector, answer jsonb, error text) IS 'Worker only: store the answer to a request (a vector, jsonb or an error) and forget the request itself.';
CREATE FUNCTION mmdb.answers_in_common(found text[], expected text[]) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select count(*) from (
    select f.answer, row_number() over (partition by f.answer) from unnest(found) f(answer)
    intersect
    select e.answer, row_number() over (partition by e.answer) from unnest(expected) e(answer)
  ) c
$$;
COMMENT ON FUNCTION mmdb.answers_in_common(found text[], expected text[]) IS 'How many answers two lists share, each as often as both have it.';
CREATE FUNCTION mmdb.as_pattern(name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select regexp_replace(quote_ident(name), E'(\\W)', E'\\\\\\1', 'g') $$;
COMMENT ON FUNCTION mmdb.as_pattern(name text) IS 'A regular expression of an identifier as SQL writes it.';
CREATE FUNCTION mmdb.ask(model text, modality text, content text, data bytea) RETURNS real[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ begin return mmdb.embed_by(model, content, data)::real[]; end $$;
COMMENT ON FUNCTION mmdb.ask(model text, modality text, content text, data bytea) IS 'Was mmdb.request.';
CREATE FUNCTION mmdb.attach_settings(function regprocedure, settings text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  setting text;
begin
  perform '[1]'::public.vector;  -- only a setting that is known can be attached without being superuser
  foreach setting in array mmdb.tuned_settings() loop
    execute format('alter function %s reset %s', function, setting);
  end loop;
  foreach setting in array settings loop
    if split_part(setting, '=', 1) <> all(mmdb.tuned_settings()) then
      raise exception 'setting "%" is none of those that are tuned', setting using errcode = 'invalid_parameter_value';
    end if;
    execute format('alter function %s set %s = %L', function, split_part(setting, '=', 1), split_part(setting, '=', 2));
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.attach_settings(function regprocedure, settings text[]) IS 'Attach these search settings to a function and no others.';
CREATE FUNCTION mmdb.attachment(relation regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%s/%s/%s', c.system_identifier, d.oid, relation::oid)
  from pg_control_system() c, pg_database d
  where d.datname = current_database()
$$;
COMMENT ON FUNCTION mmdb.attachment(relation regclass) IS 'Cluster, database and table as one text: where column numbers are valid.';
CREATE FUNCTION mmdb.bare_sql(expression text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select regexp_replace(replace(expression, 'COALESCE', 'coalesce'), '::("[^"]+"|[[:alnum:]_. ])+|[() ]', '', 'g')
$$;
COMMENT ON FUNCTION mmdb.bare_sql(expression text) IS 'An expression without casts, parentheses and blanks, to be compared.';
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
CREATE FUNCTION mmdb.base_type(type oid) RETURNS oid
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  base oid := type;
begin
  while type >= 10000 and base <> 0 loop
    type := base;
    base := (select t.typbasetype from pg_type t where t.oid = type);
  end loop;
  return type;
end
$$;
COMMENT ON FUNCTION mmdb.base_type(type oid) IS 'The type that a domain is of, also through other domains; else the type.';
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
  -- Leases that a store has locked are skipped: nobody can take them over meanwhile, and the store may last longer than
  -- a heartbeat can wait.
  update mmdb.leases l set expires_at = clock_timestamp() + lease
  where (l.embedding, l.key) in (select m.embedding, m.key from mmdb.leases m
                                 where m.worker = beat.worker for update skip locked);
  return true;
end
$$;
COMMENT ON FUNCTION mmdb.beat(worker integer, lease interval) IS 'Heartbeat: the worker''s leases last on. False when the worker was forgotten.';
CREATE FUNCTION mmdb.brings_vectors_sql(declared mmdb.embeddings, partition regclass, since xid, command bigint, pages bigint DEFAULT '4294967295'::bigint) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format('exists (select from only %s p where p.ctid < %L::tid and %s and (age(p.xmin) > age(%L::xid) '
                'or p.xmin = %4$L::xid and p.cmin::text::bigint < %s))',
                mmdb.relation_sql(partition), format('(%s,0)', pages), mmdb.present_sql(declared), since, command)
$_$;
COMMENT ON FUNCTION mmdb.brings_vectors_sql(declared mmdb.embeddings, partition regclass, since xid, command bigint, pages bigint) IS 'The condition "this partition has rows with vectors that are older than its trigger", among its first pages.';
CREATE FUNCTION mmdb.call_attributes() RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
  select 'language plpgsql stable security invoker rows 10 set hnsw.ef_search = 100 set datestyle = ''ISO'' '
         'set extra_float_digits = 1 set plan_cache_mode = force_generic_plan'
$$;
COMMENT ON FUNCTION mmdb.call_attributes() IS 'What the functions that are told k are declared as; of dates only the writing is fixed, not the order in which they are read.';
CREATE FUNCTION mmdb.call_drift(declared mmdb.embeddings) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.call_drift(declared mmdb.embeddings) IS 'How the functions that are told k are not what this mmdb makes.';
CREATE FUNCTION mmdb.caught_up(embedding bigint) RETURNS double precision
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  -- A worker says so at every poll; it is written down every ten seconds.
  update mmdb.progress p set caught_up_at = clock_timestamp()
  where p.embedding = caught_up.embedding
    and (p.caught_up_at is null or p.caught_up_at < clock_timestamp() - interval '10 seconds');
  select extract(epoch from min(l.retry_at) - clock_timestamp())::double precision
  from mmdb.leases l
  where l.embedding = caught_up.embedding and l.worker is null and l.retry_at < 'infinity'
$$;
COMMENT ON FUNCTION mmdb.caught_up(embedding bigint) IS 'Worker only: nothing was pending just now but what waits or failed. Returns the seconds until the next waiting row, NULL where none waits.';
CREATE FUNCTION mmdb.change_model(relation regclass, name text, model text, index boolean DEFAULT true, index_options jsonb DEFAULT NULL::jsonb) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
declare
  serving mmdb.embeddings;
  declared mmdb.embeddings;
  chosen mmdb.models;
  other text;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  serving := mmdb.resolved(mmdb.embedding_of(relation, name));
  other := (select e.name from mmdb.embeddings e
            where serving.id in (e.generation_of, e.id)
              and coalesce(e.generation_of, serving.generation_of) is not null);
  chosen := mmdb.check_model(model, coalesce(serving.source_modalities, array[serving.modality]));
  if other is not null then
    raise exception 'embedding "%" of table % has two generations already: "%" is the other', name, relation, other
      using errcode = 'object_in_use',
            hint = format('mmdb.switch_model, or mmdb.drop_generation(%L, %L)', relation, name);
  elsif model = serving.model then
    raise exception 'embedding "%" of table % has model "%" already', name, relation, model
      using errcode = 'duplicate_object';
  elsif chosen.distance <> mmdb.distance_of(serving) then
    raise exception 'model "%" has distance "%", and model "%" another', model, chosen.distance, serving.model
      using errcode = 'feature_not_supported', hint = 'declare a second embedding with a name of its own';
  end if;
  declared := mmdb.plan_embedding(relation, mmdb.declaration(serving) || jsonb_build_object(
    'name', mmdb.generation_name(name, model), 'model', model,
    'index_options', coalesce(index_options, serving.index_options)), serving.vector_type);
  perform mmdb.check_set_aside(serving);
  declared.generation_of := serving.id;
  return mmdb.declare_embedding(declared, index);
end
$$;
COMMENT ON FUNCTION mmdb.change_model(relation regclass, name text, model text, index boolean, index_options jsonb) IS 'Begin to change the model of an embedding: a second generation is filled beside the one that serves, as mmdb.status shows. Then mmdb.compare_models, mmdb.switch_model, and in the end mmdb.drop_generation. Building its indexes blocks writers of the table; index => false leaves them to mmdb.index_statements; `mmdb change` builds them concurrently.';
CREATE FUNCTION mmdb.check_choice(option text, given text, choices text[], meaning text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if given <> all(choices) then
    raise exception '% is "%", expected %', option, given, array_to_string(choices, ' or ')
      using errcode = 'invalid_parameter_value', hint = meaning;
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_choice(option text, given text, choices text[], meaning text) IS 'Refuse a value that an option does not have.';
CREATE FUNCTION mmdb.check_column(planned mmdb.embeddings) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_type constant text := (mmdb.read_column(planned)).column_type;
begin
  if found_type is null then
    return false;
  elsif found_type not in (mmdb.column_type('halfvec', planned.dimensions),
                           mmdb.column_type('vector', planned.dimensions)) then
    raise exception 'table % has a column "%" of type %, expected %', planned.relation, planned.column_name,
                    found_type, planned.column_type
      using errcode = 'duplicate_column', hint = 'give another name => ''…'', or drop that column';
  end if;
  return true;
end
$$;
COMMENT ON FUNCTION mmdb.check_column(planned mmdb.embeddings) IS 'Whether a column of the right name and type is there to be adopted.';
CREATE FUNCTION mmdb.check_declaration(declaration jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  wrong record;
begin
  if jsonb_typeof(declaration) <> 'object' then
    raise exception 'a declaration is an object, not %', left(declaration::text, 100)
      using errcode = 'invalid_parameter_value', hint = 'as in {"sources": ["photo"], "model": "lite"}';
  end if;
  select g.key, g.value, o.type into wrong
  from jsonb_each(declaration) g left join mmdb.declaration_options() o on o.name = g.key
  where o.name is null or jsonb_typeof(g.value) not in ('null', o.type)
  order by g.key limit 1;
  if found then
    raise exception using errcode = 'invalid_parameter_value',
      message = case when wrong.type is null then format('unknown option "%s" of an embedding', wrong.key)
                     else format('option "%s" of an embedding is %s, expected of type %s', wrong.key,
                                 left(wrong.value::text, 100), wrong.type) end,
      hint = (select format('options: %s', string_agg(o.name, ', ')) from mmdb.declaration_options() o);
  end if;
  return (select jsonb_object_agg(o.name, coalesce(nullif(declaration -> o.name, 'null'), o.default_value))
          from mmdb.declaration_options() o);
end
$$;
COMMENT ON FUNCTION mmdb.check_declaration(declaration jsonb) IS 'A declaration with all options, those that are not given by their defaults; an error for what is no option.';
CREATE FUNCTION mmdb.check_disliked(weights jsonb, legs mmdb.leg[]) RETURNS double precision
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  weight double precision;
begin
  perform mmdb.check_weights(coalesce(weights, '{}'), legs, '{disliked}');
  weight := coalesce((weights ->> 'disliked')::double precision, 0.2);
  if weight < 0 then
    raise exception 'the weight of "disliked" is %, expected 0 or more', weight
      using errcode = 'invalid_parameter_value';
  end if;
  return weight;
end
$$;
COMMENT ON FUNCTION mmdb.check_disliked(weights jsonb, legs mmdb.leg[]) IS 'The weight of what is disliked, 0.2 unless given, all weights checked.';
CREATE FUNCTION mmdb.check_distance(planned mmdb.embeddings, true_distance text, wanted text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if wanted <> true_distance then
    raise exception 'model "%" has distance "%", not "%"', planned.model, true_distance, wanted
      using errcode = 'invalid_parameter_value',
            hint = 'the distance is the model''s: leave it out, or choose another model';
  elsif mmdb.is_quantized(planned) and true_distance <> 'cosine' then
    raise exception 'model "%" has distance "%", and signs alone tell cosine distances', planned.model, true_distance
      using errcode = 'feature_not_supported', hint = 'leave quantization out of index_options';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_distance(planned mmdb.embeddings, true_distance text, wanted text) IS 'Refuse a distance that the model does not have, and signs where they do not tell it.';
CREATE FUNCTION mmdb.check_embeddable(model text, content text, data bytea) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  able text[];
  size constant bigint := coalesce(octet_length(data), octet_length(content));
  allowed constant bigint := coalesce(mmdb.setting('query_max_bytes'), '10485760')::bigint;
begin
  select m.modalities into able from mmdb.models m where m.name = check_embeddable.model;
  if able is null then
    raise exception 'model "%" does not exist', model
      using errcode = 'undefined_object', hint = 'select name from mmdb.models lists them';
  elsif data is null and 'text' <> all(able) then
    raise exception 'model "%" does not embed modality "text"', model
      using errcode = 'feature_not_supported', hint = format('it embeds: %s', array_to_string(able, ', '));
  elsif data is not null and able <@ array['text'] then
    raise exception 'model "%" embeds nothing but text, and the query is bytes', model
      using errcode = 'feature_not_supported', hint = 'choose a model that takes what these bytes are';
  elsif size > allowed then
    raise exception 'the query is % bytes, more than the limit of % bytes', size, allowed
      using errcode = 'program_limit_exceeded',
            hint = 'send a smaller picture, or raise mmdb.set_setting(''query_max_bytes'', …)';
  elsif mmdb.is_blank(content) or mmdb.is_blank(data) then
    raise exception 'the query is empty'
      using errcode = '22M01',
            hint = 'it has no vector; of NULL the vector is NULL: mmdb.embed(nullif(btrim(…), ''''))';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_embeddable(model text, content text, data bytea) IS 'Refuse a query that no worker could answer.';
CREATE FUNCTION mmdb.check_examples(relation regclass, keys text[], known text[], liked integer) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  contradicted text;
begin
  if liked = 0 then
    raise exception 'nothing is liked'
      using errcode = 'invalid_parameter_value', hint = 'give the keys of one row or more: liked => array[…]';
  elsif cardinality(keys) > 1000 then
    raise exception '% examples are given, expected 1000 at most', cardinality(keys)
      using errcode = 'program_limit_exceeded';
  elsif array_position(keys, null) is not null then
    raise exception 'a key of an example is null' using errcode = 'null_value_not_allowed';
  end if;
  perform mmdb.known_key(relation, e.key, e.known) from unnest(keys, known) e(key, known);
  contradicted := (select f from unnest(known[:liked]) f where f = any(known[liked + 1:]) limit 1);
  if contradicted is not null then
    raise exception 'row "%" is both liked and disliked', array_to_string(contradicted::text[], ', ')
      using errcode = 'invalid_parameter_value';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_examples(relation regclass, keys text[], known text[], liked integer) IS 'Refuse examples that are none: nothing liked, a key that is not there, one in both lists.';
CREATE FUNCTION mmdb.check_explained(statement text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- Behind white space, comments and parentheses.
  if statement is null or statement !~* E'^(\\s|\\(|[-]-[^\\n]*\\n|/\\*.*?\\*/)*(select|with|table|values)\\M' then
    raise exception 'the statement is no SELECT: "%"', left(statement, 60)
      using errcode = 'invalid_parameter_value', hint = 'mmdb.explain takes one SELECT';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_explained(statement text) IS 'Refuse what is not a SELECT.';
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
  elsif options -> 'quantization' not in ('null', '"binary"')
    or options -> 'quantization' <> 'null' and options ->> 'type' = 'none' then
    raise exception 'unknown quantization % of an index of type "%"',
                    options -> 'quantization', coalesce(options ->> 'type', 'hnsw')
      using errcode = 'invalid_parameter_value', hint = 'quantization is "binary" (of an hnsw index), or left out';
  end if;
  for found_option in select o.key, o.value, k.least, k.most
                      from jsonb_each(options - array['type', 'quantization']) o
                      left join (values ('m', 2, 100), ('ef_construction', 4, 1000)) k(name, least, most)
                        on k.name = o.key loop
    if found_option.least is null then
      raise exception 'unknown index option "%"', found_option.key
        using errcode = 'invalid_parameter_value',
              hint = 'options: type (hnsw or none), m, ef_construction, quantization (binary)';
    elsif jsonb_typeof(found_option.value) <> 'number' or found_option.value::text !~ '^[0-9]{1,4}$'
          or found_option.value::integer not between found_option.least and found_option.most then
      raise exception 'index option "%" is %, expected a whole number from % to %', found_option.key,
                      found_option.value, found_option.least, found_option.most
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
CREATE FUNCTION mmdb.check_indexable(planned mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if planned.vector_type = 'vector' and planned.dimensions > 2000 and not mmdb.is_quantized(planned)
     and planned.index_options ->> 'type' is distinct from 'none' then
    raise exception 'column "%" is a vector of % numbers, more than the 2000 that an HNSW index of this type takes',
                    planned.column_name, planned.dimensions
      using errcode = 'program_limit_exceeded',
            hint = 'index_options => ''{"quantization": "binary"}'' indexes the signs, ''{"type": "none"}'' nothing; '
                   'or make it a halfvec, which is indexed up to 4000';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_indexable(planned mmdb.embeddings) IS 'Refuse a column that is wider than an index of its type takes.';
CREATE FUNCTION mmdb.check_labels(labels text[], vectors integer) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  twice text;
begin
  if coalesce(cardinality(labels), 0) = 0 then
    raise exception 'there are no labels'
      using errcode = 'invalid_parameter_value', hint = 'as in array[''a cat'', ''a dog'']';
  elsif array_position(labels, null) is not null then
    raise exception 'label % is null', array_position(labels, null) using errcode = 'null_value_not_allowed';
  elsif cardinality(labels) is distinct from vectors then
    raise exception 'there are % labels and % vectors of labels', cardinality(labels), coalesce(vectors, 0)
      using errcode = 'invalid_parameter_value', hint = 'each label needs its vector, in the same order';
  end if;
  select min(l.label) into twice from (select label from unnest(labels) label group by label having count(*) > 1) l;
  if twice is not null then
    raise exception 'label "%" is there twice', twice
      using errcode = 'invalid_parameter_value',
            hint = 'two of the same would share its probability: give each label once';
  end if;
  return labels;
end
$$;
COMMENT ON FUNCTION mmdb.check_labels(labels text[], vectors integer) IS 'The labels, if they are such and each has its vector.';
CREATE FUNCTION mmdb.check_language(language text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if mmdb.keywords_method(language) = 'text search'
     and not exists (select from pg_ts_config c where c.oid::regconfig::text = language) then
    raise exception 'there is no text search configuration "%"', language
      using errcode = 'undefined_object',
            hint = format('languages: %s; chinese, japanese, korean, thai; trigram for any language with typing errors',
                          (select string_agg(c.oid::regconfig::text, ', ' order by c.oid::regconfig::text)
                           from pg_ts_config c));
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_language(language text) IS 'Refuse a language in which no words can be looked for.';
CREATE FUNCTION mmdb.check_model(model text, modalities text[]) RETURNS mmdb.models
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  chosen mmdb.models;
  missing text;
begin
  select m.* into chosen from mmdb.models m where m.name = check_model.model;
  select u.modality into missing from unnest(check_model.modalities) with ordinality u(modality, place)
  where u.modality <> all(chosen.modalities) order by u.place limit 1;
  if chosen.name is null then
    raise exception 'model "%" does not exist', model
      using errcode = 'undefined_object', hint = 'select name from mmdb.models lists them; `mmdb models` does too';
  elsif missing is not null then
    raise exception 'model "%" does not embed modality "%"', model, missing
      using errcode = 'feature_not_supported', hint = format('it embeds: %s', array_to_string(chosen.modalities, ', '));
  elsif chosen.dimensions > 4000 then
    raise exception 'model "%" has % dimensions, more than the 4000 that a halfvec index takes',
                    model, chosen.dimensions
      using errcode = 'program_limit_exceeded', hint = 'choose a model or a dimensions option with fewer';
  end if;
  return chosen;
end
$$;
COMMENT ON FUNCTION mmdb.check_model(model text, modalities text[]) IS 'The model, if it exists and embeds all of these modalities.';
CREATE FUNCTION mmdb.check_names(planned mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  long text;
  foreign_function regprocedure;
  own constant bigint[] := planned.id || array(select e.id from mmdb.embeddings e
                                               where e.relation = planned.relation);
begin
  select n.name into long
  from unnest(array[planned.column_name, mmdb.top_name(planned.prefix, planned.name),
                    planned.prefix || '_recommend']) n(name)
  where octet_length(n.name) > 63 limit 1;
  if long is not null then
    raise exception 'the name "%" is % bytes long, PostgreSQL takes 63', long, octet_length(long)
      using errcode = 'name_too_long',
            hint = case when planned.id = any(own[2:])
                          then 'the functions are called after the table: give it a shorter name'
                        else 'give a shorter name => ''…'', or a prefix => ''…'' to stand for the table in function '
                             'names' end;
  end if;
  select p.oid::regprocedure into foreign_function
  from pg_proc p
  where p.pronamespace = planned.function_schema::regnamespace
    and (p.proname in (select planned.prefix || '_' || v from unnest(mmdb.table_verbs()) v)
         or (p.proname in (mmdb.search_name(planned.prefix, planned.name), mmdb.top_name(planned.prefix, planned.name))
             and p.pronargs in (1, 4, 5)
             and p.proargtypes[0] in ('text'::regtype, 'bytea'::regtype, 'public.halfvec'::regtype,
                                      'public.vector'::regtype)))
    and not exists (select from unnest(own) o(id) where mmdb.is_made_by(p.oid, o.id)) limit 1;
  if foreign_function is not null then
    raise exception 'function % exists already and was not made for this embedding', foreign_function
      using errcode = 'duplicate_function',
            hint = coalesce((
              select format('it is of table %s: give another prefix => ''…'', or: select mmdb.drop_embedding(%L, %L)',
                            e.relation, e.relation, e.name)
              from mmdb.embeddings e where e.id = mmdb.made_for_id(foreign_function)),
              'give another name => ''…'' or prefix => ''…'', or drop that function');
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_names(planned mmdb.embeddings) IS 'Refuse names that are too long or taken.';
CREATE FUNCTION mmdb.check_pairs(declared mmdb.embeddings, k integer, max_distance double precision) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  distance constant text := mmdb.distance_of(declared);
begin
  if k is null or k not between 1 and 999 then
    raise exception '% neighbours, expected 1 to 999', coalesce(k::text, 'null')
      using errcode = 'invalid_parameter_value';
  elsif max_distance = 'NaN' or (max_distance < 0 and distance in ('cosine', 'l2')) then
    raise exception 'max_distance is %, expected a distance (%)', nullif(max_distance, 'NaN'), distance
      using errcode = 'invalid_parameter_value', hint = 'a cosine distance goes from 0, the same, to 2, the opposite';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_pairs(declared mmdb.embeddings, k integer, max_distance double precision) IS 'Refuse a number of neighbours or a distance that makes no sense.';
CREATE FUNCTION mmdb.check_query(model text, modality text, content text, data bytea) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ begin perform mmdb.check_embeddable(model, content, data); end $$;
COMMENT ON FUNCTION mmdb.check_query(model text, modality text, content text, data bytea) IS 'Was mmdb.check_embeddable.';
CREATE FUNCTION mmdb.check_record(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- The table may have moved to another schema since its functions were made.
  true_schema constant text := (select quote_ident(n.nspname) from pg_namespace n
                                where quote_ident(n.nspname) = declared.function_schema);
  true_column record;
  true_source record;
begin
  select format_type(a.atttypid, a.atttypmod) as type, t.typname::text as vector_type, a.atttypmod as dimensions
  into true_column
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  where a.attrelid = declared.relation and a.attnum = declared.column_number and a.attname = declared.column_name
    and not a.attisdropped
    and a.atttypid in ('public.halfvec'::regtype, 'public.vector'::regtype);
  select s.* into true_source
  from mmdb.describe_sources(declared.relation, mmdb.column_numbers(declared.relation, declared.sources),
                             declared.modality, declared.weights) s;
  perform mmdb.check_index_options(declared.index_options);
  perform mmdb.check_declaration(declared.options);
  if (declared.stale_column is null) <> (declared.stale_number is null)
     or declared.stale_column is not null and not exists (
       select from pg_attribute a
       where a.attrelid = declared.relation and a.attnum = declared.stale_number and a.attname = declared.stale_column
         and a.atttypid = 'bool'::regtype and not a.attisdropped) then
    raise exception 'the record of embedding "%" does not fit table %', declared.name, declared.relation
      using errcode = 'insufficient_privilege', hint = 'mmdb.add_embedding and mmdb.refresh write it';
  elsif (declared.function_schema, declared.relation_name, declared.column_type, declared.vector_type,
         declared.dimensions, declared.source_numbers, declared.attached_to, declared.by_uri,
         declared.source_modalities, declared.storage)
     is distinct from (true_schema, mmdb.relation_sql(declared.relation), true_column.type, true_column.vector_type,
                       true_column.dimensions, mmdb.column_numbers(declared.relation, declared.sources),
                       mmdb.attachment(declared.relation), true_source.by_uri, true_source.modalities, 'column')
     or not exists (select from pg_class c where c.oid = declared.relation and c.relkind in ('r', 'p'))
     or declared.id > (select q.last_value from mmdb.embeddings_id_seq q)
     or declared.options is distinct from mmdb.other_options(declared.options)
     or exists (select from mmdb.embeddings e
                where e.id = declared.id
                  and (e.weights, e.source_modalities) is distinct from (declared.weights, declared.source_modalities))
     or declared.generation_of is not null and not exists (
       select from mmdb.embeddings e where e.id = declared.generation_of and e.relation = declared.relation
                                       and e.generation_of is null) then
    raise exception 'the record of embedding "%" does not fit table %', declared.name, declared.relation
      using errcode = 'insufficient_privilege', hint = 'mmdb.add_embedding and mmdb.refresh write it';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_record(declared mmdb.embeddings) IS 'Refuse a row for the catalogue that says anything but what the table is.';
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
      using errcode = 'insufficient_privilege', hint = format('its owner is %s', table_class.relowner::regrole);
  elsif table_class.relforcerowsecurity then
    raise exception 'table % forces row-level security on its owner', relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('the worker reads and writes as the owner and would miss rows: alter table %s no force row '
                          'level security', relation);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_relation(relation regclass) IS 'Refuse a relation that cannot carry an embedding.';
CREATE FUNCTION mmdb.check_resumed(target text, begun text, wanted text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if begun is distinct from wanted then
    raise exception 'table "%" holds an unfinished search of %, not of %', target, begun, wanted
      using errcode = 'object_in_use',
            hint = format('finish that one, choose another target, or: drop table %s, %s',
                          mmdb.table_name(target), mmdb.table_name(target, '_progress'));
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_resumed(target text, begun text, wanted text) IS 'Refuse to go on with a search for something else.';
CREATE FUNCTION mmdb.check_schema(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  owner constant name := (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = declared.relation);
begin
  if not has_schema_privilege(owner, to_regnamespace(declared.function_schema), 'create')
     and not (select r.rolsuper from pg_roles r where r.rolname = current_user) then
    raise exception 'role "%" may not create functions in schema %', owner, declared.function_schema
      using errcode = 'insufficient_privilege',
            hint = format('the search functions of a table stand in its schema: have the schema''s owner run: '
                          'grant create on schema %s to %I', declared.function_schema, owner);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_schema(declared mmdb.embeddings) IS 'Refuse a table whose owner may not make functions beside it.';
CREATE FUNCTION mmdb.check_set_aside(serving mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  serving.name := mmdb.generation_name(serving.name, serving.model);
  serving.column_name := serving.name || '_embedding';
  perform mmdb.check_names(serving);
end
$$;
COMMENT ON FUNCTION mmdb.check_set_aside(serving mmdb.embeddings) IS 'Refuse names that the generation that serves would get by a switch and that are too long or taken.';
CREATE FUNCTION mmdb.check_sources(relation regclass, given jsonb) RETURNS text[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  sources constant text[] := array(select jsonb_array_elements_text(coalesce(nullif(given, 'null'), '[]')));
begin
  if cardinality(sources) = 0 or array_position(sources, null) is not null then
    raise exception 'an embedding of table % needs at least one source column', relation
      using errcode = 'invalid_parameter_value';
  elsif cardinality(sources) > (select count(distinct s.name) from unnest(sources) s(name)) then
    raise exception 'sources "%" name a column twice', array_to_string(sources, ', ')
      using errcode = 'invalid_parameter_value',
            hint = 'name each column once; weights => ''{…}'' makes one count for more';
  end if;
  return sources;
end
$$;
COMMENT ON FUNCTION mmdb.check_sources(relation regclass, given jsonb) IS 'The sources, if there are any and each is named once.';
CREATE FUNCTION mmdb.check_stored_query(function regprocedure) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_function pg_proc;
begin
  select p.* into found_function from pg_proc p where p.oid = function;
  if found_function.oid is null then
    raise exception 'function % does not exist', function using errcode = 'undefined_function';
  elsif found_function.prokind <> 'f' or found_function.prorettype in ('trigger'::regtype, 'void'::regtype) then
    raise exception '% is not a function that returns rows', function using errcode = 'wrong_object_type';
  elsif found_function.provolatile = 'v' then
    raise exception 'function % is volatile: measuring it would do again what it does', function
      using errcode = 'wrong_object_type', hint = format('if it only reads: alter function %s stable', function);
  elsif exists (select from mmdb.embeddings e where found_function.proname = mmdb.search_name(e.prefix, e.name)
                  and mmdb.is_made_by(function, e.id)) then
    raise exception 'function % is a search view: it has no LIMIT of its own, and attached settings would keep it from '
                    'being inlined', function
      using errcode = 'wrong_object_type', hint = 'write a function around it that ends in: order by distance limit k';
  elsif current_setting('track_counts') = 'off' then
    raise exception 'track_counts is off, and without it no search can be shown to be exact'
      using errcode = 'object_not_in_prerequisite_state', hint = 'set track_counts = on';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_stored_query(function regprocedure) IS 'Refuse what recall cannot be measured of.';
CREATE FUNCTION mmdb.check_switch(serving mmdb.embeddings, other mmdb.embeddings, force boolean) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  now_counted constant record := mmdb.count_rows(serving, 0);
  next_counted constant record := mmdb.count_rows(other, 0);
  readers constant text := mmdb.readers_of(serving);
begin
  if next_counted.pending is null then
    raise exception 'what is embedded by model "%" cannot be counted', other.model
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('select drift from mmdb.status where name = %L', other.name);
  elsif mmdb.serving_index(serving, 'hnsw') is not null
    and mmdb.serving_index(other, 'hnsw') is null then
    raise exception 'column "%" has no index yet: searches would scan the table', other.column_name
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('select mmdb.index_statements(%L, %L) has the statements', other.relation, other.name);
  elsif force then
    return;
  elsif readers is not null then
    raise exception 'column "%" is read by %, which would go on reading the vectors of model "%"',
                    serving.column_name, readers, serving.model
      using errcode = 'dependent_objects_still_exist',
            hint = 'drop them and make them again after the switch, or force => true and make them again then; search '
                   'functions need nothing';
  elsif next_counted.pending > 0 then
    raise exception '% rows of table % are not embedded by model "%" yet', next_counted.pending,
                    other.relation, other.model
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'searches would miss them; mmdb.status shows how far it is, force => true switches nevertheless';
  elsif next_counted.failed > now_counted.failed then
    raise exception '% rows of table % could not be embedded by model "%", % by model "%"',
                    next_counted.failed, other.relation, other.model, now_counted.failed, serving.model
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'mmdb.failures says why; force => true switches nevertheless, and searches miss them';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_switch(serving mmdb.embeddings, other mmdb.embeddings, force boolean) IS 'Refuse to switch to a generation that would find less.';
CREATE FUNCTION mmdb.check_trust(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.check_trust(relation regclass) IS 'Refuse to update rows of a table as somebody who does not trust its owner.';
CREATE FUNCTION mmdb.check_waiting(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a transaction of isolation level "%" does not see what workers store',
                    current_setting('transaction_isolation')
      using errcode = 'invalid_transaction_state', hint = 'wait in a transaction of level read committed';
  elsif not exists (select from mmdb.workers w where w.alive and declared.model = any(w.models)) then
    raise exception 'no worker is running for model "%"', declared.model
      using errcode = 'object_not_in_prerequisite_state', hint = 'start one: `mmdb worker` (or `mmdb up`)';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_waiting(declared mmdb.embeddings) IS 'Refuse to wait for what will not come.';
CREATE FUNCTION mmdb.check_weights(weights double precision[], sources integer) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  wrong float8 := (select min(w.weight) from unnest(weights) w(weight)
                   where w.weight <= 0 or w.weight in ('infinity', 'nan'));
begin
  if sources < 2 then
    raise exception 'weights weigh several sources against each other, and here is one'
      using errcode = 'invalid_parameter_value',
            hint = 'leave weights out, or name more sources: array[''title'', ''photo'']';
  elsif cardinality(weights) <> sources or array_ndims(weights) <> 1 or array_lower(weights, 1) <> 1
        or array_position(weights, null) is not null then
    raise exception 'weights are "%", expected one for each of % sources', weights, sources
      using errcode = 'invalid_parameter_value', hint = 'in the order of the sources, as in weights => ''{0.7,0.3}''';
  elsif wrong is not null then
    raise exception 'weight "%" is not a positive number', wrong
      using errcode = 'invalid_parameter_value', hint = 'leave a source out that is to have no weight';
  elsif (select max(w.weight) / 1e6 > min(w.weight) from unnest(weights) w(weight)) then
    raise exception 'weights "%" are more than a million times apart', weights
      using errcode = 'invalid_parameter_value', hint = 'leave a source out that is to have no weight';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_weights(weights double precision[], sources integer) IS 'Refuse weights that are not one positive number for each of several sources.';
CREATE FUNCTION mmdb.check_weights(weights jsonb, legs mmdb.leg[], others text[] DEFAULT '{query,image}'::text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  known constant text[] := array(select l.name from unnest(legs) l) || others;
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
COMMENT ON FUNCTION mmdb.check_weights(weights jsonb, legs mmdb.leg[], others text[]) IS 'Refuse weights of legs that are not there.';
CREATE FUNCTION mmdb.check_words(relation regclass, columns text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  wrong record;
begin
  select a.attname as name, format_type(a.atttypid, null) as type into wrong
  from pg_attribute a
  where a.attrelid = relation and a.attname = any(columns) and mmdb.source_kind(a.atttypid) <> 'text'
  order by a.attnum limit 1;
  if found then
    raise exception 'column "%" of table % has type %, and words are indexed of text columns', wrong.name, relation,
                    wrong.type
      using errcode = 'datatype_mismatch', hint = 'have a trigger of yours write it into a column of type text';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.check_words(relation regclass, columns text[]) IS 'Refuse columns that no index of words can be over.';
CREATE FUNCTION mmdb.claim(embedding bigint, worker integer, keys text[], states text[], lease interval) RETURNS TABLE(key text, attempts integer, failed_state text, failed_hash bytea, failed_error text)
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
  -- Leases are looked up first, because ON CONFLICT writes a lock on every row that it meets, even one that it then
  -- leaves as it is.
  left join mmdb.leases h on h.embedding = claim.embedding and h.key = k.key
  where h.key is null or mmdb.is_free(h, k.state)
  order by k.key
  on conflict on constraint leases_pkey do update
    set (worker, expires_at, attempts, failed_at, retry_at, state)
      = (excluded.worker, excluded.expires_at,
         case when l.retry_at = 'infinity' then 1 else l.attempts + 1 end,
         case when l.retry_at = 'infinity' then l.failed_at end, null,
         case when l.retry_at = 'infinity' then l.state else excluded.state end)
    where mmdb.is_free(l, excluded.state)
  returning l.key, l.attempts, case when l.failed_at is not null then l.state end,
            case when l.failed_at is not null then l.source_hash end,
            case when l.failed_at is not null then l.error end;
  if not found then
    return query select * from mmdb.claim_orphan(claim.embedding, claim.worker, keys, states, expiry, live);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.claim(embedding bigint, worker integer, keys text[], states text[], lease interval) IS 'Worker only: lease pending rows. A row that had failed comes with the state, hash and error of then: unchanged, it is failed again unembedded.';
CREATE FUNCTION mmdb.claim_orphan(embedding bigint, worker integer, keys text[], states text[], expiry timestamp with time zone, live integer[]) RETURNS TABLE(key text, attempts integer, failed_state text, failed_hash bytea, failed_error text)
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
  returning l.key, l.attempts, null::text, null::bytea, null::text;
end
$$;
COMMENT ON FUNCTION mmdb.claim_orphan(embedding bigint, worker integer, keys text[], states text[], expiry timestamp with time zone, live integer[]) IS 'Take over one row whose worker died.';
CREATE FUNCTION mmdb.classify(embedding public.halfvec, labels text[], model text DEFAULT NULL::text, scale double precision DEFAULT NULL::double precision) RETURNS TABLE(label text, probability double precision)
    LANGUAGE sql STABLE ROWS 5 PARALLEL RESTRICTED
    AS $_$
  select c.label, c.probability
  from rows from (
    pg_catalog.unnest($2),
    pg_catalog.unnest(mmdb.label_probabilities(
      $1::public.vector, (select mmdb.embed_labels($2, $3)), coalesce($4, (select mmdb.label_scale($3)))))
  ) c(label, probability)
  where $1 is not null
  order by c.probability desc, c.label
$_$;
COMMENT ON FUNCTION mmdb.classify(embedding public.halfvec, labels text[], model text, scale double precision) IS 'The same for a halfvec, as embeddings are stored.';
CREATE FUNCTION mmdb.classify(embedding public.halfvec, labels text[], label_vectors public.vector[], scale double precision DEFAULT NULL::double precision) RETURNS TABLE(label text, probability double precision)
    LANGUAGE sql STABLE ROWS 5 PARALLEL RESTRICTED
    AS $_$
  select c.label, c.probability
  from rows from (
    pg_catalog.unnest((select mmdb.check_labels($2, pg_catalog.cardinality($3)))),
    pg_catalog.unnest(mmdb.label_probabilities(
      $1::public.vector, $3, coalesce($4, (select mmdb.label_scale()))))
  ) c(label, probability)
  where $1 is not null
  order by c.probability desc, c.label
$_$;
COMMENT ON FUNCTION mmdb.classify(embedding public.halfvec, labels text[], label_vectors public.vector[], scale double precision) IS 'The same for a halfvec, with vectors of the labels that are there already.';
CREATE FUNCTION mmdb.classify(embedding public.vector, labels text[], model text DEFAULT NULL::text, scale double precision DEFAULT NULL::double precision) RETURNS TABLE(label text, probability double precision)
    LANGUAGE sql STABLE ROWS 5 PARALLEL RESTRICTED
    AS $_$
  select c.label, c.probability
  from rows from (
    pg_catalog.unnest($2),
    pg_catalog.unnest(mmdb.label_probabilities(
      $1, (select mmdb.embed_labels($2, $3)), coalesce($4, (select mmdb.label_scale($3)))))
  ) c(label, probability)
  where $1 is not null
  order by c.probability desc, c.label
$_$;
COMMENT ON FUNCTION mmdb.classify(embedding public.vector, labels text[], model text, scale double precision) IS 'Which of these labels a vector comes nearest to, the most probable first: zero-shot, nothing is trained. The model is the one that made the vector (the default model where none is named). No rows for NULL. Over a table: from posters p, mmdb.classify(p.photo_embedding, array[''a cat'', ''a castle'']) c; the labels are then embedded once, if they are the same for every row. Scale: see mmdb.label_scale; a larger one makes the probabilities more decided, and leaves their order.';
CREATE FUNCTION mmdb.classify(embedding public.vector, labels text[], label_vectors public.vector[], scale double precision DEFAULT NULL::double precision) RETURNS TABLE(label text, probability double precision)
    LANGUAGE sql STABLE ROWS 5 PARALLEL RESTRICTED
    AS $_$
  select c.label, c.probability
  from rows from (
    pg_catalog.unnest((select mmdb.check_labels($2, pg_catalog.cardinality($3)))),
    pg_catalog.unnest(mmdb.label_probabilities($1, $3, coalesce($4, (select mmdb.label_scale()))))
  ) c(label, probability)
  where $1 is not null
  order by c.probability desc, c.label
$_$;
COMMENT ON FUNCTION mmdb.classify(embedding public.vector, labels text[], label_vectors public.vector[], scale double precision) IS 'The same with vectors of the labels that are there already: of mmdb.embed_labels, or centroids of rows that somebody has labelled. The scale is that of the default model unless given.';
CREATE FUNCTION mmdb.clean_template() RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select $body$
declare
  made oid;
begin{pass}
  if exists (select from pg_trigger t where t.tgrelid = to_regclass({relation}) and t.tgname = {trigger}) then
    return false;
  end if;
  for made in select p.oid from pg_proc p
              where p.pronamespace = {schema}::regnamespace and p.oid <> {clean}::regproc
                and obj_description(p.oid, 'pg_proc') like '%' || {mark} loop
    execute format('drop function %s', made::regprocedure);
  end loop;
  execute {drop_clean};
  return true;
end
$body$
$_$;
COMMENT ON FUNCTION mmdb.clean_template() IS 'Drop the functions of an embedding whose table was dropped.';
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
CREATE FUNCTION mmdb.column_options(declared mmdb.embeddings) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET extra_float_digits TO '1'
    AS $$
  select jsonb_build_object(
    'sources', declared.sources, 'name', declared.name, 'model', declared.model, 'modality', declared.modality,
    'storage', declared.storage, 'prefix', declared.prefix, 'index_options', declared.index_options,
    'distance', mmdb.distance_of(declared), 'weights', declared.weights, 'on_change', mmdb.on_change(declared))
$$;
COMMENT ON FUNCTION mmdb.column_options(declared mmdb.embeddings) IS 'The options for which mmdb.embeddings has columns, as this embedding has them.';
CREATE FUNCTION mmdb.column_type(vector_type text, dimensions integer) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select format('public.%s(%s)', vector_type, dimensions) $$;
COMMENT ON FUNCTION mmdb.column_type(vector_type text, dimensions integer) IS 'The type of a vector with its width, as a column declares it.';
CREATE FUNCTION mmdb.columns_now(declared mmdb.embeddings, OUT column_name text, OUT stale_column text) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when v.valid then (mmdb.column_names(declared.relation, array[declared.column_number]))[1]
              else declared.column_name end,
         case when v.valid then (mmdb.column_names(declared.relation, array[declared.stale_number]))[1]
              else declared.stale_column end
  from (select declared.attached_to = mmdb.attachment(declared.relation)) v(valid)
$$;
COMMENT ON FUNCTION mmdb.columns_now(declared mmdb.embeddings, OUT column_name text, OUT stale_column text) IS 'The names that the columns of an embedding have now, NULL where one was dropped; from their numbers, or after a restore the names they had.';
CREATE FUNCTION mmdb.compare_models(relation regclass, name text, images bytea[], k integer DEFAULT 10) RETURNS TABLE(image bigint, overlap double precision, only_now text[], only_next text[])
    LANGUAGE plpgsql STABLE ROWS 20
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  serving constant mmdb.embeddings := mmdb.resolved(mmdb.embedding_of(compare_models.relation, compare_models.name));
  other constant mmdb.embeddings := mmdb.resolved(mmdb.other_generation(serving));
begin
  return query
  select q.place, c.overlap, c.only_now, c.only_next
  from unnest(compare_models.images) with ordinality q(image, place)
  cross join lateral mmdb.compare_query(
    serving, other, array[mmdb.embed(q.image, serving.model), mmdb.embed(q.image, other.model)], compare_models.k,
    null) c
  order by q.place;
end
$$;
COMMENT ON FUNCTION mmdb.compare_models(relation regclass, name text, images bytea[], k integer) IS 'The same by pictures, numbered in their order.';
CREATE FUNCTION mmdb.compare_models(relation regclass, name text, queries text[], k integer DEFAULT 10, expected jsonb DEFAULT NULL::jsonb) RETURNS TABLE(query text, overlap double precision, recall double precision, recall_next double precision, only_now text[], only_next text[])
    LANGUAGE plpgsql STABLE ROWS 20
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  serving constant mmdb.embeddings := mmdb.resolved(mmdb.embedding_of(compare_models.relation, compare_models.name));
  other constant mmdb.embeddings := mmdb.resolved(mmdb.other_generation(serving));
begin
  if coalesce(cardinality(queries), 0) = 0 then
    raise exception 'there are no queries to compare models by' using errcode = 'invalid_parameter_value';
  elsif expected is not null and jsonb_typeof(expected) <> 'object' then
    raise exception 'expected is an object of arrays of keys by query, not %', left(expected::text, 100)
      using errcode = 'invalid_parameter_value', hint = 'as in {"red shoes": [17, 4]}';
  end if;
  return query
  select q.query, c.*
  from unnest(compare_models.queries) with ordinality q(query, place)
  cross join lateral mmdb.compare_query(
    serving, other, array[mmdb.embed(q.query, serving.model), mmdb.embed(q.query, other.model)], compare_models.k,
    array(select jsonb_array_elements_text(compare_models.expected -> q.query))) c
  order by q.place;
end
$$;
COMMENT ON FUNCTION mmdb.compare_models(relation regclass, name text, queries text[], k integer, expected jsonb) IS 'Before a switch: for each query the share of the k rows that both generations find, the keys that only one finds, and, where the rows are given that a query is to find ({"red shoes": [17, 4]}), how many of them each has among its k. Summarize with avg().';
CREATE FUNCTION mmdb.compare_query(serving mmdb.embeddings, other mmdb.embeddings, vectors public.vector[], k integer, expected text[], OUT overlap double precision, OUT recall double precision, OUT recall_next double precision, OUT only_now text[], OUT only_next text[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  now_pieces constant mmdb.search_pieces := mmdb.search_pieces(serving);
  next_pieces constant mmdb.search_pieces := mmdb.search_pieces(other);
  now_found constant text[] := mmdb.within_keys(now_pieces, (mmdb.top(now_pieces, vectors[1], k, null, null)).keys);
  next_found constant text[] := mmdb.within_keys(next_pieces, (mmdb.top(next_pieces, vectors[2], k, null, null)).keys);
begin
  only_now := array(select u.key from unnest(now_found) with ordinality u(key, place) where u.key <> all(next_found)
                    order by u.place);
  only_next := array(select u.key from unnest(next_found) with ordinality u(key, place) where u.key <> all(now_found)
                     order by u.place);
  overlap := 1 - cardinality(only_next) / nullif(greatest(cardinality(now_found), cardinality(next_found)),
                                                 0)::double precision;
  if cardinality(expected) > 0 then
    recall := (select count(*) from unnest(expected) x(key)
               where x.key = any(now_found)) / cardinality(expected)::double precision;
    recall_next := (select count(*) from unnest(expected) x(key)
                    where x.key = any(next_found)) / cardinality(expected)::double precision;
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.compare_query(serving mmdb.embeddings, other mmdb.embeddings, vectors public.vector[], k integer, expected text[], OUT overlap double precision, OUT recall double precision, OUT recall_next double precision, OUT only_now text[], OUT only_next text[]) IS 'How the answers of two generations to one query differ, and which of the expected rows each has.';
CREATE FUNCTION mmdb.comparison(type oid, strategy integer) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if type = any('{int4,int8,int2,numeric,float4,float8,text,varchar,bpchar,name,bool,date,timestamp,timestamptz,time,
                  uuid,bytea,interval,jsonb}'::regtype[]) then
    return 'operator(pg_catalog.' || (array['<', '<=', '=', '>=', '>'])[strategy] || ')';
  end if;
  return mmdb.default_comparison(type, strategy);
end
$$;
COMMENT ON FUNCTION mmdb.comparison(type oid, strategy integer) IS 'The operator by which a type is ordered: strategy 1 to 5 for <, <=, =, >=, >; NULL where it has no order.';
CREATE FUNCTION mmdb.connect_loopback(connection text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  settings constant text :=
    'set extra_float_digits = 1; set array_nulls = on; set statement_timeout = 0; set lock_timeout = 0; '
    'set idle_session_timeout = 0; set default_transaction_read_only = off; '
    'set default_transaction_isolation = ''read committed''';
  reason text;
begin
  perform public.dblink_connect(connection, 'mmdb_loopback');
  perform public.dblink_exec(connection, settings);
exception when others then
  get stacked diagnostics reason = pg_exception_detail;
  reason := coalesce(nullif(reason, ''), sqlerrm);
  if connection = any(public.dblink_get_connections()) then
    perform public.dblink_disconnect(connection);
  end if;
  raise exception 'the loopback connection of mmdb cannot be opened: %', reason
    using errcode = 'connection_exception', hint = mmdb.loopback_remedy();
end
$$;
COMMENT ON FUNCTION mmdb.connect_loopback(connection text) IS 'Open a connection back into the database under this name, as the loopback''s role.';
CREATE FUNCTION mmdb.content_sql(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when mmdb.loads_bytes(declared) then format('p.%I', declared.sources[1])
    when cardinality(declared.sources) = 1 then
      mmdb.text_sql(declared.relation, declared.sources[1], format('p.%I::text', declared.sources[1]))
    else format(E'concat_ws(E''\\n'', %s)', string_agg(mmdb.text_sql(declared.relation, s.name, format('p.%I', s.name)),
                                                     ', ' order by s.place))
  end
  from unnest(declared.sources) with ordinality s(name, place)
$$;
COMMENT ON FUNCTION mmdb.content_sql(declared mmdb.embeddings) IS 'The source of a row as one value; several text columns are joined by line breaks.';
CREATE FUNCTION mmdb.context(question text, k integer DEFAULT 5, relations regclass[] DEFAULT NULL::regclass[], characters integer DEFAULT 8000) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  source record;
  text_of_source text;
  context text := '';
begin
  if characters is null or characters < 1 then
    raise exception 'characters is %, expected 1 or more', characters using errcode = 'invalid_parameter_value';
  end if;
  for source in
    select row_number() over () as number, f.* from mmdb.find(question, null, k, relations) f
  loop
    text_of_source := format(E'[%s] %s %s\n%s\n\n', source.number, source.relation, source.key, (
      select string_agg(format('%s: %s', e.key, e.value), E'\n')
      from jsonb_each_text(source.found) e where e.value is not null));
    -- A source is whole or not there: half of one says something else.
    exit when length(context) + length(text_of_source) > characters and context <> '';
    context := context || left(text_of_source, characters);
  end loop;
  return context;
end
$$;
COMMENT ON FUNCTION mmdb.context(question text, k integer, relations regclass[], characters integer) IS 'What the database knows about a question, as text for the prompt of a language model: the best rows of mmdb.find, numbered so that an answer can cite them, at most so many characters. With the rights of who asks. [mmdb query]';
CREATE TABLE mmdb.recall_contracts (
    function text NOT NULL,
    target double precision NOT NULL,
    samples jsonb NOT NULL,
    settings text[] NOT NULL,
    tuned_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    tuned_by name DEFAULT SESSION_USER NOT NULL
);
COMMENT ON TABLE mmdb.recall_contracts IS 'The recall that a function is to keep, the samples it is measured with, and the settings attached to it.';
CREATE TABLE mmdb.recalls (
    id bigint NOT NULL,
    function text NOT NULL,
    measured_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    measured_by name DEFAULT SESSION_USER NOT NULL,
    by_owner boolean NOT NULL,
    samples integer NOT NULL,
    recall double precision NOT NULL,
    low double precision NOT NULL,
    high double precision NOT NULL,
    milliseconds double precision NOT NULL,
    exact_milliseconds double precision NOT NULL,
    index_scans bigint NOT NULL,
    settings text[] NOT NULL,
    tables jsonb NOT NULL
);
COMMENT ON TABLE mmdb.recalls IS 'Every measurement of recall. tables: rows and changes so far of each table whose vector index was used.';
CREATE FUNCTION mmdb.contract_drift(made mmdb.recall_contracts, last mmdb.recalls) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when f.oid is null then format('the function is gone: select mmdb.drop_contract(%L)', made.function)
    when mmdb.settings_of(f.oid) <> made.settings then
      format('other settings are attached than when it was tuned, as after CREATE OR REPLACE: select * from '
             'mmdb.tune(%L)', made.function)
    when last.recall < made.target then
      format('recall was %s when last measured: select * from mmdb.tune(%L); where much was deleted, reindex first',
             round(last.recall::numeric, 3), made.function)
    when exists (
      select from jsonb_each(last.tables) then_(relation, seen)
      join jsonb_each(mmdb.table_changes(array(select to_regclass(k) from jsonb_object_keys(last.tables) k)))
        now_(relation, seen) using (relation)
      where (now_.seen ->> 'changes')::bigint - (then_.seen ->> 'changes')::bigint
            > greatest(0.2 * (then_.seen ->> 'rows')::real, 500)) then
      format('more than a fifth of the rows changed since it was measured: select * from mmdb.recall(%L)',
             made.function)
  end
  from (select mmdb.function_called(made.function)) f(oid)
$$;
COMMENT ON FUNCTION mmdb.contract_drift(made mmdb.recall_contracts, last mmdb.recalls) IS 'Why a contract may no longer hold, with the remedy; NULL where it does.';
CREATE FUNCTION mmdb.contract_samples(function regprocedure) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made mmdb.recall_contracts;
begin
  select c.* into made from mmdb.recall_contracts c where c.function = mmdb.signature(contract_samples.function);
  if made.function is null then
    raise exception 'function % has no contract whose samples could be used', function
      using errcode = 'undefined_object', hint = 'give samples, or let mmdb.tune make a contract';
  elsif not (select pg_has_role(session_user, p.proowner, 'member') from pg_proc p
             where p.oid = contract_samples.function) then
    raise exception 'the samples of function % are its owner''s', function
      using errcode = 'insufficient_privilege', hint = 'give samples of your own';
  end if;
  return made.samples;
end
$$;
COMMENT ON FUNCTION mmdb.contract_samples(function regprocedure) IS 'The samples a function was tuned with, for its owner.';
CREATE FUNCTION mmdb.contract_settings(function regprocedure) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select c.settings from mmdb.recall_contracts c where c.function = mmdb.signature(contract_settings.function) $$;
COMMENT ON FUNCTION mmdb.contract_settings(function regprocedure) IS 'The settings that a function was tuned to; NULL without a contract.';
CREATE FUNCTION mmdb.count_rows(declared mmdb.embeddings, exact_up_to bigint DEFAULT 200000, OUT total bigint, OUT embedded bigint, OUT pending bigint, OUT failed bigint, OUT estimated boolean, OUT stale bigint) RETURNS record
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
  rows text;
begin
  key := (select k.expression from mmdb.key_sql(declared.relation) k);
  rows := mmdb.stored_rows(declared);
  execute format('select count(*), count(f.key_text), count(*) filter (where %s) from %s left join mmdb.failures f '
                 'on f.embedding = %s and f.final and f.key_text = %s where %s',
                 mmdb.stale_sql(declared), rows, declared.id, key, mmdb.pending_sql(declared))
  into pending, failed, stale;
  pending := pending - failed;
  total := mmdb.table_rows(declared.relation);
  estimated := total > exact_up_to;
  if estimated then
    embedded := total * (1 - coalesce((
      select s.stanull from pg_class c join pg_namespace n on n.oid = c.relnamespace
      cross join lateral (select p.null_frac from pg_stats p where p.schemaname = n.nspname and p.tablename = c.relname
                          and p.attname = declared.column_name order by p.inherited limit 1) s(stanull)
      where c.oid = declared.relation), (pending + failed - stale) / greatest(total, 1)::real)) - stale;
  else
    execute format('select count(*), count(*) filter (where %s) from %s', mmdb.embedded_sql(declared), rows)
    into total, embedded;
  end if;
exception when undefined_column or undefined_table or insufficient_privilege or undefined_object
  or object_not_in_prerequisite_state then
  estimated := null;
end
$$;
COMMENT ON FUNCTION mmdb.count_rows(declared mmdb.embeddings, exact_up_to bigint, OUT total bigint, OUT embedded bigint, OUT pending bigint, OUT failed bigint, OUT estimated boolean, OUT stale bigint) IS 'Rows of a table by state. Exact up to exact_up_to rows, above it total and embedded are estimates; NULL where the table cannot be counted.';
CREATE FUNCTION mmdb.count_rows_of(id bigint) RETURNS TABLE(total bigint, embedded bigint, pending bigint, failed bigint, estimated boolean, stale bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  declared mmdb.embeddings;
begin
  select e.* into declared from mmdb.embeddings e where e.id = count_rows_of.id;
  if mmdb.trusts_owner(declared.relation) then
    return query select c.* from mmdb.count_rows(declared) c;
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.count_rows_of(id bigint) IS 'mmdb.count_rows by an embedding''s id; no row where a count would run code of a stranger, which the planner does for an index or a policy of his.';
CREATE FUNCTION mmdb.count_template() RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select $body$
begin{pass}
  pending := (select count(*) from {rows} where {pending});
  select sum(c.reltuples)::bigint, sum(c.reltuples) > exact_up_to into total, estimated
  from pg_class c
  where c.relkind = 'r'
    and (c.oid = {relation}::regclass or c.oid in (select t.relid from pg_partition_tree({relation}) t));
  if estimated then
    embedded := total - pending;
  else
    select count(*), count(*) filter (where {embedded}) into total, embedded from {rows};
  end if;
end
$body$
$_$;
COMMENT ON FUNCTION mmdb.count_template() IS 'Rows of a table by state, for mmdb.progress.';
CREATE FUNCTION mmdb.create_made(declared mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text DEFAULT NULL::text, replacing boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  owner constant text := (select c.relowner::regrole::text from pg_class c where c.oid = declared.relation);
begin
  execute format('create %s function %s %s as %L', case when replacing then 'or replace' end,
                 coalesce(parameters, signature), attributes, body);
  execute format('alter function %s owner to %s', signature, owner);
  execute format('comment on function %s is %L', signature, purpose || ' ' || mmdb.made_for(declared.id));
end
$$;
COMMENT ON FUNCTION mmdb.create_made(declared mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text, replacing boolean) IS 'Create one generated function, owned by the table''s owner and marked as ours; parameters is its signature with their names and defaults. Replacing: one that is there already.';
CREATE FUNCTION mmdb.declaration(declared mmdb.embeddings) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select declared.options || mmdb.column_options(declared) $$;
COMMENT ON FUNCTION mmdb.declaration(declared mmdb.embeddings) IS 'What would declare this embedding again.';
CREATE FUNCTION mmdb.declaration_options() RETURNS TABLE(name text, type text, default_value jsonb, description text)
    LANGUAGE sql IMMUTABLE ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  values
    ('sources', 'array', null::jsonb, 'the columns that are embedded'),
    ('name', 'string', null, 'what the embedding is called; without one by its sources'),
    ('model', 'string', null, 'the model; without one the default model'),
    ('modality', 'string', null, 'what the sources hold: text, or image, also by URI; without one by their types'),
    ('storage', 'string', '"column"', 'where the vectors stand'),
    ('prefix', 'string', null, 'stands for the table in the names of functions'),
    ('index_options', 'object', '{}', 'how the HNSW index is built, or {"type": "none"}'),
    ('distance', 'string', null, 'refuses a model that has another one'),
    ('weights', 'array', null, 'one for each of several sources, which are then embedded each by itself'),
    ('on_change', 'string', '"unset"', 'what becomes of the vector of a row whose source changed: unset or keep'),
    ('columns', 'string', '"all"', 'what search functions return of a row: all, or without vectors')
$$;
COMMENT ON FUNCTION mmdb.declaration_options() IS 'The options of an embedding: the type of each in JSON, and its value where it is not given.';
CREATE FUNCTION mmdb.declarations() RETURNS TABLE(schema text, relation_name text, name text, column_name text, column_type text, declaration jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
declare
  declared mmdb.embeddings;
begin
  for declared in
    select e.* from mmdb.embeddings e join pg_class c on c.oid = e.relation
    where e.generation_of is null
    order by e.id
  loop
    begin
      declared := mmdb.resolved(declared);
    exception when undefined_column then
      null;  -- as it was declared: mmdb.status says what is missing
    end;
    return query
    select n.nspname::text, c.relname::text, declared.name, declared.column_name, declared.column_type,
           mmdb.declaration(declared)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = declared.relation;
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.declarations() IS 'Every declared embedding with the names that its table and columns have now, for tools that compare it with something else, as Alembic''s autogenerate.';
CREATE FUNCTION mmdb.declare_embedding(declared mmdb.embeddings, index boolean) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    AS $$
declare
  statement text;
  pass constant uuid := gen_random_uuid();
begin
  declared.pass_hash := sha256(convert_to(pass::text, 'UTF8'));
  if declared.adopted then
    perform mmdb.warn_of_adopted(declared);
  end if;
  declared := mmdb.make_storage(declared);
  perform mmdb.make_trigger(declared);
  perform mmdb.make_worker_functions(declared);
  declared := mmdb.record_embedding(declared, pass);
  perform mmdb.make_search_views(declared);
  if declared.generation_of is null then
    perform mmdb.remake_other_views(declared.relation, declared.id);
    perform mmdb.make_table_functions(declared.relation);
  end if;
  if index then
    for statement in select mmdb.index_statements(declared.relation, declared.name, concurrent => false) loop
      execute statement;
    end loop;
  end if;
  return declared;
end
$$;
COMMENT ON FUNCTION mmdb.declare_embedding(declared mmdb.embeddings, index boolean) IS 'Make everything that a planned embedding consists of.';
CREATE FUNCTION mmdb.default_comparison(type oid, strategy integer) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  base constant oid := mmdb.base_type(type);
  candidate oid;
  written text;
begin
  for candidate in
    select c.oid from (
      select base, 1
      union all
      select c.casttarget, 2 from pg_cast c
      where c.castsource = base and c.castmethod = 'b' and c.castcontext = 'i'
      union all
      select case when t.typtype = 'e' then 'anyenum'::regtype when t.typtype = 'r' then 'anyrange'::regtype
                  when t.typtype = 'm' then 'anymultirange'::regtype when t.typtype = 'c' then 'record'::regtype
                  when mmdb.is_array(base) then 'anyarray'::regtype end, 3
      from pg_type t
      where t.oid = base and (t.typelem = 0 or mmdb.comparison(t.typelem, strategy) is not null)
        and not exists (select from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0
                        and not a.attisdropped and mmdb.comparison(a.atttypid, strategy) is null)
    ) c(oid, place)
    order by c.place
  loop
    select format('operator(%I.%s)', n.nspname, o.oprname) into written
    from pg_opclass k
    join pg_am m on m.oid = k.opcmethod
    join pg_amop f on f.amopfamily = k.opcfamily and f.amoplefttype = k.opcintype and f.amoprighttype = k.opcintype
    join pg_operator o on o.oid = f.amopopr
    join pg_namespace n on n.oid = o.oprnamespace
    where k.opcintype = candidate and k.opcdefault
      and (m.amname = 'btree' and f.amopstrategy = strategy or m.amname = 'hash' and strategy = 3)
    order by m.amname limit 1;
    exit when written is not null;
  end loop;
  return written;
end
$$;
COMMENT ON FUNCTION mmdb.default_comparison(type oid, strategy integer) IS 'mmdb.comparison, from the catalogue.';
CREATE FUNCTION mmdb.dependents(class regclass, object oid) RETURNS TABLE(kind text, name text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with recursive users(class, object, level) as (
    select dependents.class::oid, dependents.object, 0
    union all
    select case when v.oid is null then d.classid else d.refclass end, coalesce(v.oid, d.objid), u.level + 1
    from users u
    join lateral (select p.*, 'pg_class'::regclass::oid as refclass from pg_depend p
                  where p.refclassid = u.class and p.refobjid = u.object and p.deptype = 'n') d on true
    left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    left join pg_class v on v.oid = r.ev_class and v.relkind in ('v', 'm')
    where (v.oid is distinct from u.object or u.class <> d.refclass) and u.level < 100
  )
  select i.type, i.identity
  from (select u.class, u.object, max(u.level) from users u where u.level > 0 group by 1, 2) u(class, object, level)
  cross join lateral pg_identify_object(u.class, u.object, 0) i
  order by u.level desc, i.identity
$$;
COMMENT ON FUNCTION mmdb.dependents(class regclass, object oid) IS 'What uses an object, and what uses that, in the order in which it can be dropped: as "view", "public.found".';
CREATE FUNCTION mmdb.describe_sources(relation regclass, numbers smallint[], wanted text, weights double precision[], OUT modality text, OUT by_uri boolean, OUT modalities text[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if weights is null then
    select s.modality, s.by_uri into modality, by_uri from mmdb.source_modality(relation, numbers, wanted) s;
    return;
  end if;
  perform mmdb.check_weights(weights, cardinality(numbers));
  modalities := array(select (mmdb.source_modality(relation, array[n.number], null)).modality
                      from unnest(numbers) with ordinality n(number, place) order by n.place);
  modality := case when 'text' = all(modalities) then 'text' when 'image' = all(modalities) then 'image'
                   else 'mixed' end;
  by_uri := false;
  if wanted <> modality then
    raise exception 'sources with weights are "%" by the types of their columns, not "%"',
                    array_to_string(modalities, ', '), wanted
      using errcode = 'feature_not_supported',
            hint = 'leave modality out; pictures by URI take no weights: have them in a bytea column, or declare an '
                   'embedding of their own';
  elsif cardinality(array_positions(modalities, 'image')) > mmdb.most_pictures() then
    raise exception '% sources are pictures, at most % may be', cardinality(array_positions(modalities, 'image')),
                    mmdb.most_pictures()
      using errcode = 'program_limit_exceeded', hint = 'declare two embeddings, and search both with T_search';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.describe_sources(relation regclass, numbers smallint[], wanted text, weights double precision[], OUT modality text, OUT by_uri boolean, OUT modalities text[]) IS 'What the sources hold together (text, image or mixed), whether by URI, and with weights what each of them holds.';
CREATE FUNCTION mmdb.distance_name(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select mmdb.free_name(relation, 'distance') $$;
COMMENT ON FUNCTION mmdb.distance_name(relation regclass) IS 'The name of the distance in a search view: "distance", or "_distance" where the table has one.';
CREATE FUNCTION mmdb.distance_of(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select m.distance from mmdb.models m where m.name = declared.model $$;
COMMENT ON FUNCTION mmdb.distance_of(declared mmdb.embeddings) IS 'By what distance the vectors of its model are compared.';
CREATE FUNCTION mmdb.distance_operator(distance text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select case distance when 'cosine' then '<=>' when 'l2' then '<->' else '<#>' end $$;
COMMENT ON FUNCTION mmdb.distance_operator(distance text) IS 'pgvector''s operator for a distance.';
CREATE FUNCTION mmdb.distance_sql(declared mmdb.embeddings, other text, vector text DEFAULT NULL::text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%s operator(public.%s) %s', coalesce(vector, mmdb.vector_of(declared)),
                mmdb.distance_operator(mmdb.distance_of(declared)), other)
$$;
COMMENT ON FUNCTION mmdb.distance_sql(declared mmdb.embeddings, other text, vector text) IS 'The distance of a vector, that of row p unless another one is given, from another of the same type.';
CREATE FUNCTION mmdb.diverse(ordered text[], scores double precision[], pieces mmdb.search_pieces, wanted integer, diversity double precision) RETURNS text[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  count constant integer := cardinality(ordered);
  vectors public.vector[];
  likeness double precision[] := array_fill(0::double precision, array[count]);
  relevance double precision[];
  taken boolean[] := array_fill(false, array[count]);
  anchor public.vector;
  farthest double precision;
  place integer := 1;
  chosen integer[] := '{}';
  value double precision;
  greatest_value double precision;
begin
  execute format($query$
    select array_agg(f.vector order by o.place),
           array_agg(1 - ($4[1] - $4[o.place])
                         / case when $4[1] > 0 then $4[1] else nullif($4[1] - $4[$5], 0) end order by o.place),
           (array_agg(f.vector order by o.place) filter (where f.vector is not null))[1]
    from unnest($3) with ordinality o(key, place)
    left join (select %1$s as key, case when mmdb.has_direction(%2$s) then %2$s end as vector
               from %3$s where %4$s) f on f.key = o.key
  $query$, pieces.key, pieces.vector, pieces.source, pieces.within)
  into vectors, relevance, anchor using null::text, mmdb.within_keys(pieces, ordered), ordered, scores, count;
  farthest := (select max(v operator(public.<=>) anchor) from unnest(vectors) v);
  for step in 1..least(wanted, count) loop
    chosen := chosen || place;
    taken[place] := true;
    anchor := vectors[place];
    greatest_value := null;
    for i in 1..count loop
      if not taken[i] then
        value := coalesce(1 - (vectors[i] operator(public.<=>) anchor) / nullif(farthest, 0),
                          case farthest when 0 then 1 else 0.5 end);
        likeness[i] := greatest(likeness[i], value);
        value := (1 - diversity) * coalesce(relevance[i], 1) - diversity * likeness[i];
        if greatest_value is null or value > greatest_value then
          greatest_value := value;
          place := i;
        end if;
      end if;
    end loop;
  end loop;
  return array(select ordered[c.place] from unnest(chosen) with ordinality c(place, turn) order by c.turn)
      || array(select o.key from unnest(ordered) with ordinality o(key, place)
               where not taken[o.place] order by o.place);
end
$_$;
COMMENT ON FUNCTION mmdb.diverse(ordered text[], scores double precision[], pieces mmdb.search_pieces, wanted integer, diversity double precision) IS 'The keys in an order in which `wanted` of them are unlike one another, by an embedding; the first stays the first.';
CREATE FUNCTION mmdb.doctor() RETURNS TABLE(subject text, level text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $_$
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
$_$;
COMMENT ON FUNCTION mmdb.doctor() IS 'What is wrong with this installation, as seen from the database, with remedies. `mmdb doctor` adds what is seen from the machine.';
CREATE FUNCTION mmdb.doctor_filters() RETURNS TABLE(subject text, level text, finding text, remedy text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  relation regclass;
  counted record;
  tracked constant boolean := coalesce(current_setting('pg_stat_statements.track', true) = 'all', false)
    and exists (select from mmdb.seen_statements());
  seen record;
begin
  select array_agg(s.query) as queries, array_agg(s.calls) as calls, array_agg(s.milliseconds) as milliseconds into seen
  from mmdb.seen_statements() s where s.query like '% operator(%';
  for relation in select e.relation from mmdb.embeddings e join pg_class c on c.oid = e.relation
                  group by 1 order by 1 loop
    counted := mmdb.scans(relation);
    continue when counted.rows is null or counted.rows <= 10000;
    return query
    select format('filters of %s', relation), 'warning',
           format('%s searches by "%s" measured the rows that pass one by one, %s ms each, and no index finds them; '
                  'the table of %s rows was read whole %s times (%s rows)',
                  a.calls, a.name, round(a.milliseconds::numeric, 1), counted.rows::bigint, counted.whole,
                  counted.read),
           a.remedy
    from mmdb.index_advice(relation, seen.queries, seen.calls, seen.milliseconds) a;
    if not found then
      return query
      select format('filters of %s', relation), 'ok',
             format('read whole %s times (%s rows), by an index %s times',
                    counted.whole, counted.read, counted.by_index),
             case when not tracked then 'which columns filters name is seen with pg_stat_statements and '
                                        'pg_stat_statements.track = all' end
      where counted.whole > 0;
    end if;
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.doctor_filters() IS 'What the server has counted of filtered searches in large tables, with the indexes that they lack.';
CREATE FUNCTION mmdb.drift(id bigint) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
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
COMMENT ON FUNCTION mmdb.drift(id bigint) IS 'How a table no longer fits what mmdb made for it, with the remedy; NULL where all is well.';
CREATE FUNCTION mmdb.drop_contract(function text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made mmdb.recall_contracts;
  found_function regprocedure;
begin
  select c.* into made from mmdb.recall_contracts c
  where c.function = drop_contract.function
    or mmdb.function_called(c.function) = mmdb.function_called(drop_contract.function);
  found_function := mmdb.function_called(made.function);
  if made.function is null then
    raise exception 'function "%" has no contract', function
      using errcode = 'undefined_object', hint = 'select function from mmdb.contracts lists them';
  elsif not (select pg_has_role(session_user, coalesce((select p.proowner::regrole::name from pg_proc p
                                                        where p.oid = found_function), made.tuned_by), 'member')) then
    raise exception 'must be owner of function "%"', function using errcode = 'insufficient_privilege';
  end if;
  delete from mmdb.recall_contracts c where c.function = made.function;
end
$$;
COMMENT ON FUNCTION mmdb.drop_contract(function text) IS 'Forget a contract, by the function''s signature as mmdb.contracts has it. The settings stay attached: ALTER FUNCTION … RESET takes them away.';
CREATE FUNCTION mmdb.drop_embedding(relation regclass, name text, if_exists boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
declare
  declared mmdb.embeddings;
  made_function regprocedure;
begin
  if if_exists and not exists (select from mmdb.embeddings e
                               where e.relation = drop_embedding.relation and e.name = drop_embedding.name) then
    return;
  end if;
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  declared := mmdb.embedding_of(relation, name);
  select c.* into declared.column_name, declared.stale_column from mmdb.columns_now(declared) c;
  perform mmdb.drop_embedding(e.relation, e.name) from mmdb.embeddings e where e.generation_of = declared.id;
  -- Before the table is locked: a store has its leases first and then the table, and no lease comes after this.
  perform mmdb.forget_embedding(declared.id);
  execute format('drop trigger if exists %I on %s', mmdb.trigger_name(declared.id), mmdb.relation_sql(relation));
  for made_function in select p.oid::regprocedure from mmdb.functions_at_hand(declared) p loop
    perform mmdb.drop_function(made_function);
  end loop;
  perform mmdb.drop_storage(declared);
  if declared.generation_of is null then
    perform mmdb.remake_other_views(relation, declared.id);
    perform mmdb.make_table_functions(relation);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.drop_embedding(relation regclass, name text, if_exists boolean) IS 'Remove an embedding: its column (unless it was there before), trigger, indexes and functions. The rest of the table is as it was. The worker''s role keeps USAGE of the schema, which it may have had before; `mmdb uninstall` revokes it. If_exists: do nothing where there is no such embedding.';
CREATE FUNCTION mmdb.drop_function(function regprocedure) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  used_by text;
  drops text;
  first_view text;
begin
  select string_agg(d.kind || ' ' || d.name, ', '), string_agg(format('drop %s %s', d.kind, d.name), '; '),
         min(d.name) filter (where d.kind like '%view')
  into used_by, drops, first_view
  from mmdb.dependents('pg_proc', function) d;
  if used_by is not null then
    raise exception 'function % is to be dropped or made with another result, and is used by: %', function, used_by
      using errcode = 'dependent_objects_still_exist',
            hint = format('drop them first, and make them again afterwards: %s', drops)
                   || coalesce(format(' (before, select pg_get_viewdef(%L) has the text of a view)', first_view), '');
  end if;
  execute format('drop function %s', function);
end
$$;
COMMENT ON FUNCTION mmdb.drop_function(function regprocedure) IS 'Drop a generated function; an error that names what of the user''s uses it, with what to run.';
CREATE FUNCTION mmdb.drop_generation(relation regclass, name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.drop_embedding(relation, (mmdb.other_generation(mmdb.embedding_of(relation, name))).name);
end
$$;
COMMENT ON FUNCTION mmdb.drop_generation(relation regclass, name text) IS 'Drop the generation that does not serve: one that was begun with mmdb.change_model, or the one before a switch, which cannot be rolled back then.';
CREATE FUNCTION mmdb.drop_keywords(relation regclass, name text DEFAULT 'keywords'::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
declare
  words mmdb.keywords;
  made_index regclass;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  select w.* into words from mmdb.keywords w where w.relation = drop_keywords.relation and w.name = drop_keywords.name;
  if words.id is null then
    raise exception 'table % has no keywords "%"', relation, name
      using errcode = 'undefined_object', hint = 'select relation, name from mmdb.keywords lists them';
  end if;
  made_index := mmdb.made_index(words);
  if made_index is not null then
    execute format('drop index %s', mmdb.relation_sql(made_index));
  end if;
  perform mmdb.forget_keywords(relation, name);
  perform mmdb.make_table_functions(relation);
end
$$;
COMMENT ON FUNCTION mmdb.drop_keywords(relation regclass, name text) IS 'Take a leg of words away, and its index.';
CREATE FUNCTION mmdb.drop_made(declared mmdb.embeddings, names text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_function oid;
begin
  for found_function in
    select p.oid from pg_proc p
    where p.pronamespace = declared.function_schema::regnamespace and p.proname = any(names)
  loop
    if not mmdb.is_made_by(found_function, declared.id) then
      raise exception 'function % exists already and was not made for this embedding', found_function::regprocedure
        using errcode = 'duplicate_function', hint = 'drop that function';
    end if;
    perform mmdb.drop_function(found_function);
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.drop_made(declared mmdb.embeddings, names text[]) IS 'Drop an embedding''s generated functions of these names; refuse one that mmdb did not make.';
CREATE FUNCTION mmdb.drop_orphans(schema_name text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.drop_function(o.oid) from mmdb.orphans(schema_name) o
  where not exists (select from mmdb.dependents('pg_proc', o.oid))
$$;
COMMENT ON FUNCTION mmdb.drop_orphans(schema_name text) IS 'Drop the functions of tables that are no more, but for those that something of the user''s uses.';
CREATE FUNCTION mmdb.drop_search_functions(declared mmdb.embeddings, kept_arguments text[] DEFAULT '{}'::text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made_function regprocedure;
begin
  for made_function in
    select p.oid from mmdb.made_functions(declared) p
    where p.proname in (mmdb.search_name(declared.prefix, declared.name), mmdb.top_name(declared.prefix, declared.name))
      and format_type(p.proargtypes[0], null) <> all(kept_arguments)
  loop
    perform mmdb.drop_function(made_function);
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.drop_search_functions(declared mmdb.embeddings, kept_arguments text[]) IS 'Drop the search functions of an embedding, but for those that take one of these as their query.';
CREATE FUNCTION mmdb.drop_storage(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  relation constant text := mmdb.relation_sql(declared.relation);
  pending constant regclass := mmdb.serving_index(declared, 'pending');
  readers constant text := mmdb.readers_of(mmdb.read_column(declared));
begin
  if not declared.adopted and readers is not null then
    raise exception 'column "%" of table % is to be dropped, and is read by %', declared.column_name,
                    declared.relation, readers
      using errcode = 'dependent_objects_still_exist', hint = 'drop them, or make them again without the column, first';
  end if;
  if declared.adopted and pending is not null then
    execute format('drop index %s', pending);
  elsif not declared.adopted and declared.column_name is not null then
    execute format('alter table %s drop column if exists %I', relation, declared.column_name);
  end if;
  if declared.stale_column is not null then
    execute format('alter table %s drop column if exists %I', relation, declared.stale_column);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.drop_storage(declared mmdb.embeddings) IS 'Remove the place of the vectors, unless it was there before.';
CREATE FUNCTION mmdb.earlier_forms(declared mmdb.embeddings, name text, types text) RETURNS regprocedure[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array(
    select p.oid::regprocedure from pg_proc p
    where p.pronamespace = to_regnamespace(declared.function_schema)
      and format('%s.%I', declared.function_schema, p.proname) = name
      and case when name in (select mmdb.table_call(declared, v) from unnest(mmdb.table_verbs()) v) then true
               else p.proargtypes[0] = split_part(types, ',', 1)::regtype end
      and exists (select from mmdb.embeddings e where e.relation = declared.relation and mmdb.is_made_by(p.oid, e.id)))
$$;
COMMENT ON FUNCTION mmdb.earlier_forms(declared mmdb.embeddings, name text, types text) IS 'What a generated function replaces: those that mmdb made under its name, for the same kind of query where there are several.';
CREATE FUNCTION mmdb.embed(image bytea, model text DEFAULT NULL::text) RETURNS public.vector
    LANGUAGE sql STABLE SECURITY DEFINER COST 10000 PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when image is not null
              then mmdb.embed_by(coalesce(model, mmdb.setting('default_model'), 'lite'), null, image) end
$$;
COMMENT ON FUNCTION mmdb.embed(image bytea, model text) IS 'The vector of a picture (the bytes of a JPEG, PNG, …) by a model. Cached; NULL for NULL.';
CREATE FUNCTION mmdb.embed(query text, model text DEFAULT NULL::text) RETURNS public.vector
    LANGUAGE sql STABLE SECURITY DEFINER COST 10000 PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when query is not null
              then mmdb.embed_by(coalesce(model, mmdb.setting('default_model'), 'lite'), query, null) end
$$;
COMMENT ON FUNCTION mmdb.embed(query text, model text) IS 'The vector of a text by a model (the default model where none is named), for your own statements: order by embedding <=> (select mmdb.embed(''red shoes'')::halfvec(512)). Cached; NULL for NULL.';
CREATE FUNCTION mmdb.embed_by(model text, content text, data bytea) RETURNS public.vector
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  -- Computed here, because in the query below a generic plan would compute it once a row.
  wanted constant bytea := mmdb.request_hash(content, data);
  found_vector real[];
begin
  -- An unlogged table cannot be read on a standby; there the question goes to the primary at once.
  if not pg_is_in_recovery() then
    select q.embedding into found_vector from mmdb.requests q
    where q.model = embed_by.model and q.hash = wanted and q.error is null;
    found_vector := coalesce(found_vector, mmdb.latest_vector(model, wanted));
  end if;
  if found_vector is null then
    perform mmdb.check_embeddable(model, content, data);
    found_vector := (mmdb.request('embedding', model, content, data, null,
                                  coalesce(mmdb.setting('embed_timeout_ms'), '30000')::integer)).embedding;
  end if;
  return found_vector::public.vector;
end
$$;
COMMENT ON FUNCTION mmdb.embed_by(model text, content text, data bytea) IS 'The vector of one text, or of bytes, by one model: from the cache, else from a worker.';
CREATE FUNCTION mmdb.embed_for(relation regclass, name text, image bytea) RETURNS public.vector
    LANGUAGE sql STABLE SECURITY DEFINER COST 10000 PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when image is not null then mmdb.embed_by(mmdb.model_of(relation, name), null, image) end
$$;
COMMENT ON FUNCTION mmdb.embed_for(relation regclass, name text, image bytea) IS 'The vector of a picture by the model that this embedding has now: what the search functions call.';
CREATE FUNCTION mmdb.embed_for(relation regclass, name text, query text) RETURNS public.vector
    LANGUAGE sql STABLE SECURITY DEFINER COST 10000 PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when query is not null then mmdb.embed_by(mmdb.model_of(relation, name), query, null) end
$$;
COMMENT ON FUNCTION mmdb.embed_for(relation regclass, name text, query text) IS 'The vector of a text by the model that this embedding has now: what the search functions call.';
CREATE FUNCTION mmdb.embed_labels(labels text[], model text DEFAULT NULL::text) RETURNS public.vector[]
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array_agg(mmdb.embed(l.label, model) order by l.place)
  from unnest(mmdb.check_labels(labels, cardinality(labels))) with ordinality l(label, place)
$$;
COMMENT ON FUNCTION mmdb.embed_labels(labels text[], model text) IS 'The vectors of labels by a model, in their order: what mmdb.classify compares with. Give it longer texts than the labels that you want to read: mmdb.classify(v, array[''cat'', ''dog''], (select mmdb.embed_labels(array[''a photo of a cat'', ''a photo of a dog'']))).';
CREATE FUNCTION mmdb.embed_query(model text, modality text, content text, data bytea) RETURNS public.vector
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ begin return mmdb.embed_by(model, content, data); end $$;
COMMENT ON FUNCTION mmdb.embed_query(model text, modality text, content text, data bytea) IS 'Was mmdb.embed_by.';
CREATE FUNCTION mmdb.embedded_sql(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.present_sql(declared)
         || case when declared.stale_column is null then '' else ' and not ' || mmdb.marked_sql(declared) end
$$;
COMMENT ON FUNCTION mmdb.embedded_sql(declared mmdb.embeddings) IS 'The condition "this row has the vector of the source that it has now".';
CREATE FUNCTION mmdb.embedding_leg(declared mmdb.embeddings) RETURNS mmdb.leg
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  leg mmdb.leg;
begin
  leg.name := declared.name;
  leg.pieces := mmdb.search_pieces(declared);
  return leg;
end
$$;
COMMENT ON FUNCTION mmdb.embedding_leg(declared mmdb.embeddings) IS 'A search by an embedding as a leg of T_search.';
CREATE FUNCTION mmdb.embedding_of(relation regclass, name text) RETURNS mmdb.embeddings
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  declared mmdb.embeddings;
begin
  select e.* into declared from mmdb.embeddings e
  where e.relation = embedding_of.relation and e.name = embedding_of.name;
  if not found then
    raise exception 'table % has no embedding "%"', relation, name
      using errcode = 'undefined_object',
            hint = coalesce((select 'it has: ' || string_agg(quote_literal(e.name), ', ' order by e.name)
                             from mmdb.embeddings e where e.relation = embedding_of.relation),
                            format('declare one: select mmdb.add_embedding(%L, ''…'')', relation));
  end if;
  return declared;
end
$$;
COMMENT ON FUNCTION mmdb.embedding_of(relation regclass, name text) IS 'The row of mmdb.embeddings, or an error that lists what the table has.';
CREATE FUNCTION mmdb.exact_conditions(relation regclass, statement text) RETURNS TABLE(name text, operator text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select a.attname::text, m.parts[1]
  from pg_attribute a
  cross join lateral regexp_matches(statement,
    E'\\mp[.]' || mmdb.as_pattern(a.attname)
    || '(?:::text)? operator[(][^)]*[.](<=|>=|<|>|=|~~[*]|~~|@>|<@|&&)[)]', 'g') m(parts)
  where a.attrelid = exact_conditions.relation and a.attnum > 0 and not a.attisdropped
    and position(format(' from %s p where ', mmdb.relation_sql(relation))
                 in replace(statement, ' from only ', ' from ')) > 0
    and position('/* mmdb.top_exact */' in statement) > 0
    and statement !~ '^[[:space:]]*explain' and statement !~ ' or | is not true'
    and not exists (select from mmdb.key_columns(relation) k where k.name = a.attname)
$$;
COMMENT ON FUNCTION mmdb.exact_conditions(relation regclass, statement text) IS 'The filtered columns and their operators in a statement by which mmdb.top_exact measured rows of this table; none in any other statement.';
CREATE FUNCTION mmdb.example_vector(leg mmdb.leg, vectors public.vector[], number integer, liked integer, disliked_weight double precision) RETURNS public.vector
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  unit constant boolean := (select m.distance <> 'l2' from mmdb.models m
                            where m.name = mmdb.model_of((leg.pieces).relation, leg.name));
  wanted public.vector;
  unwanted public.vector;
begin
  if array_length(vectors, 1) = 1 then
    return case when not unit or mmdb.has_direction(vectors[1][number]) then vectors[1][number] end;
  end if;
  select public.avg(e.vector) filter (where e.place <= liked),
         public.avg(e.vector) filter (where e.place > liked)
  into wanted, unwanted
  from (select i, case when not unit then vectors[i][number]
                       when mmdb.has_direction(vectors[i][number]) then
                         public.l2_normalize(vectors[i][number]) end
        from generate_subscripts(vectors, 1) i) e(place, vector);
  if unwanted is not null then
    wanted := wanted operator(public.-) (unwanted operator(public.*)
      array_fill(disliked_weight::real, array[public.vector_dims(unwanted)])::public.vector);
  end if;
  -- Of equal vectors no more is left than the rounding of half precision.
  if unit and public.vector_norm(wanted) < 0.001 then
    raise exception 'the examples cancel each other out in embedding "%"', leg.name
      using errcode = 'invalid_parameter_value',
            hint = 'leave one out, or weigh them otherwise: weights => ''{"disliked": 0.5}''';
  end if;
  return case when unit then public.l2_normalize(wanted) else wanted end;
end
$$;
COMMENT ON FUNCTION mmdb.example_vector(leg mmdb.leg, vectors public.vector[], number integer, liked integer, disliked_weight double precision) IS 'What examples look for in an embedding: of a single one its own vector, of several Rocchio''s combination; NULL where no liked row has a vector that is not all zero.';
CREATE FUNCTION mmdb.examples_body(relation regclass, verb text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  with e(legs) as materialized (
    select array(select l from unnest(mmdb.search_legs(relation)) l where l.matches is null)
  ), p(pieces) as materialized (
    select jsonb_build_object(
      'nothing', case verb when 'like' then '$1 is not distinct from null' else 'false' end,
      'key_column', (select quote_ident(n.name) from mmdb.key_columns(relation) n where n.place = 1),
      'key', k.expression,
      'vectors', (select string_agg((l.pieces).vector, ', ' order by l.ordinality)
                  from unnest(e.legs) with ordinality l),
      'given', mmdb.given_key_sql(relation, 'g.given'),
      'keys', case verb when 'like' then 'array[$1::text]' else '($1 || $2)::text[]' end,
      'source', mmdb.rows_sql(relation), 'matches', mmdb.key_matches(relation, 'k.key'),
      'legs', mmdb.legs_sql(e.legs), 'liked', case verb when 'like' then '1' else 'coalesce(cardinality($1), 0)' end)
    || (select jsonb_object_agg(a.name, format('$%s', f.place + a.place - 1))
        from unnest(array['k', 'filter', 'within', 'weights', 'diversity', 'depth', 'after'])
             with ordinality a(name, place))
    from mmdb.key_sql(relation) k, e,
         (select case verb when 'like' then 2 else 3 end) f(place)
  )
  select mmdb.found_body(relation, mmdb.filled(
    $search$mmdb.recommend(
    legs => {legs}, keys => mmdb_examples.keys, known => mmdb_examples.known, vectors => mmdb_examples.vectors,
    liked => {liked}, k => {k}, filter => {filter}, within => {within}::text[], weights => {weights},
    diversity => {diversity}, depth => {depth}, after => mmdb_after)$search$, p.pieces),
    array['fused_keys', 'fused_scores', 'ranks'], p.pieces ->> 'after', $variables$
  mmdb_examples record;$variables$, mmdb.filled($before$
  if {nothing} then
    return;
  end if;
  select array_agg(k.key order by k.place) as keys,
         array_agg(case when p.{key_column} is distinct from null then {key} end order by k.place) as known,
         array_agg(array[{vectors}] order by k.place) as vectors
  into mmdb_examples
  from (select case when g.given is not null then {given} end, g.place
        from unnest({keys}) with ordinality g(given, place)) k(key, place)
  left join {source} on {matches};$before$, p.pieces))
  from p
$_$;
COMMENT ON FUNCTION mmdb.examples_body(relation regclass, verb text) IS 'The body of T_like and of T_recommend.';
CREATE FUNCTION mmdb.explain(statement text) RETURNS TABLE(relation regclass, name text, searched text, vector text, advice text)
    LANGUAGE sql
    AS $_$ select s.* from mmdb.searches_in(mmdb.plan_of($1, pg_catalog.current_setting('search_path'))) s $_$;
COMMENT ON FUNCTION mmdb.explain(statement text) IS 'How a SELECT searches, without running it: a row for each embedding that it measures. Searched: by the index, row by row, or by the function (one that is told k, which finds its own way). Vector: how often that of the query is computed; given is one that needs no model. Advice: what to write instead, NULL where it is as it should be.';
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
CREATE FUNCTION mmdb.filled(template text, pieces jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  missing constant text := (
    select min(m.name[1]) from regexp_matches(template, '[{]([a-z_]+)[}]', 'g') m(name)
    where pieces ->> m.name[1] is null);
begin
  if missing is not null then
    raise exception 'a template asks for "%", which is not among: %', missing,
                    (select string_agg(k, ', ' order by k) from jsonb_object_keys(pieces) k)
      using errcode = 'internal_error';
  end if;
  return (
    select string_agg(t.between || coalesce(pieces ->> n.name[1], ''), '' order by t.place)
    from regexp_split_to_table(template, '[{][a-z_]+[}]') with ordinality t(between, place)
    left join regexp_matches(template, '[{]([a-z_]+)[}]', 'g') with ordinality n(name, place) on n.place = t.place);
end
$$;
COMMENT ON FUNCTION mmdb.filled(template text, pieces jsonb) IS 'A template with its {names} replaced by the pieces of these names; an error for a name that has no piece.';
CREATE FUNCTION mmdb.filter(relation regclass, filter jsonb, alias text DEFAULT 'p'::text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  wrong text;
  remedy text;
begin
  if filter is null then
    return 'true';
  end if;
  return mmdb.filter_object(relation, filter, quote_ident(alias), 0);
exception when invalid_parameter_value or undefined_column or program_limit_exceeded then
  get stacked diagnostics wrong = message_text, remedy = pg_exception_hint;
  raise exception '%', wrong using errcode = sqlstate, hint = remedy;
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
  type constant oid := mmdb.base_type(of_column.atttypid);
  compared constant text := mmdb.comparison(type, mmdb.filter_strategy(operator));
  equal constant text := case when compared is null then mmdb.comparison(type, 3) end;
begin
  if operator = 'is_null' or operator in ('eq', 'ne') and value = 'null' then
    return mmdb.filter_null(target, type, operator, value, label);
  elsif compared is not null then
    return format('%s %s %s', target, compared, mmdb.filter_literal(value, type, label));
  elsif operator = 'ne' and equal is not null then
    return format('(%s %s %s) is not true', target, equal, mmdb.filter_literal(value, type, label));
  elsif operator = 'in' and equal is not null then
    perform mmdb.filter_list(operator, value, null, label);
    return mmdb.filter_in(target, type, equal, value, label);
  elsif operator = 'between' and equal is not null then
    perform mmdb.filter_list(operator, value, 2, label);
    return format('%s %s %s and %1$s %4$s %5$s', target, mmdb.comparison(type, 4),
                  mmdb.filter_literal(value -> 0, type, label),
                  mmdb.comparison(type, 2), mmdb.filter_literal(value -> 1, type, label));
  elsif operator in ('like', 'ilike') then
    return mmdb.filter_pattern(target, type, operator, value, label);
  elsif operator in ('contains', 'contained_by', 'overlaps') then
    return mmdb.filter_containment(target, type, operator, value, label);
  end if;
  raise exception 'a filter has no operator "%" for column "%" of type %', operator, label, format_type(type, -1)
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
  conditions constant jsonb := case when jsonb_typeof(value) = 'object' then value
                                    else jsonb_build_object('eq', value) end;
begin
  if found_column.attname is null then
    -- "meta.color": the longest beginning that is a column, the rest a path into it.
    path := string_to_array(key, '.');
    found_column := mmdb.filter_column(relation, path[1]);
    if found_column.attname is null or cardinality(path) < 2
       or mmdb.base_type(found_column.atttypid) not in ('jsonb'::regtype, 'json'::regtype) then
      perform mmdb.column_numbers(relation, array[key]);  -- has the error
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
CREATE FUNCTION mmdb.filter_containment(target text, type oid, operator text, value jsonb, label text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  written constant text := case operator when 'contains' then '@>' when 'contained_by' then '<@' else '&&' end;
  operand oid := mmdb.filter_operand(type, operator, value #>> '{}');
begin
  if operand is null then
    raise exception '"%" of column "%" is for arrays, ranges and jsonb, and it has type %', operator, label,
                    format_type(type, -1)
      using errcode = 'invalid_parameter_value', hint = 'for a part of a text: {"title": {"ilike": "%shoe%"}}';
  elsif operand = 'jsonb'::regtype and operator = 'overlaps' then
    raise exception '"overlaps" of column "%" is for arrays and ranges, and it has type %', label, format_type(type, -1)
      using errcode = 'invalid_parameter_value', hint = 'use "contains"';
  elsif mmdb.is_array(operand) and jsonb_typeof(value) <> 'array' then
    value := jsonb_build_array(value);
  end if;
  return format('%s operator(pg_catalog.%s) %s', mmdb.filter_document(target, type), written,
                mmdb.filter_literal(value, operand, label));
end
$$;
COMMENT ON FUNCTION mmdb.filter_containment(target text, type oid, operator text, value jsonb, label text) IS 'A condition on arrays, ranges or jsonb.';
CREATE FUNCTION mmdb.filter_document(target text, type oid) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select case type when 'json'::regtype then format('mmdb.readable_json(%s)', target) else target end $$;
COMMENT ON FUNCTION mmdb.filter_document(target text, type oid) IS 'A column in the form in which filters look into it.';
CREATE FUNCTION mmdb.filter_entry(relation regclass, key text, value jsonb, alias text, depth integer) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if key in ('and', 'or') and mmdb.filter_column(relation, key) is null then
    if jsonb_typeof(value) <> 'array' then
      raise exception '"%" of a filter takes an array of objects, not %', key, left(value::text, 100)
        using errcode = 'invalid_parameter_value',
              hint = format('as in {"%s": [{"price": {"lt": 100}}, {"in_stock": true}]}', key);
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
CREATE FUNCTION mmdb.filter_in(target text, type oid, equal text, listed jsonb, label text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when count(*) = 0 then 'false'
              when mmdb.is_array(type)
                then format('(%s)', string_agg(format('%s %s %s', target, equal, l.literal), ' or '))
              else format('%s %s any (array[%s])', target, equal, string_agg(l.literal, ', ')) end
  from jsonb_array_elements(listed) v(value), mmdb.filter_literal(v.value, type, label) l(literal)
$$;
COMMENT ON FUNCTION mmdb.filter_in(target text, type oid, equal text, listed jsonb, label text) IS 'The condition that a value is one of several.';
CREATE FUNCTION mmdb.filter_list(operator text, value jsonb, count integer, label text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if jsonb_typeof(value) <> 'array' or (count is not null and jsonb_array_length(value) <> count) then
    raise exception '"%" of column "%" takes an array%, not %', operator, label,
                    coalesce(' of ' || count || ' values', ''), left(value::text, 100)
      using errcode = 'invalid_parameter_value',
            hint = case operator when 'in' then 'as in {"size": {"in": ["A2", "A3"]}}'
                                 else 'as in {"price": {"between": [10, 20]}}' end;
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.filter_list(operator text, value jsonb, count integer, label text) IS 'Refuse what is not an array, or one of another length.';
CREATE FUNCTION mmdb.filter_literal(value jsonb, type oid, label text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  type_name text := format_type(type, -1);
  written constant text := mmdb.filter_text(value, type);
  wider constant text := case when jsonb_typeof(value) <> 'number' then null
                              when type in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) then 'numeric'
                              when type = 'float4'::regtype then 'double precision' end;
begin
  if type not in ('json'::regtype, 'jsonb'::regtype)
     and (value = 'null' or jsonb_typeof(value) = 'object' or jsonb_typeof(value) = 'array' and not mmdb.is_array(type))
  then
    raise exception '% is no value of column "%"', left(value::text, 100), label
      using errcode = 'invalid_parameter_value', hint = format('it has type %s', type_name);
  end if;
  loop
    begin
      execute format('select %L::%s', written, type_name);
      return format('%L::%s', written, type_name);
    exception when others then
      if wider is null or type_name = wider then
        raise exception '% is no value of column "%"', left(value::text, 100), label
          using errcode = 'invalid_parameter_value', hint = format('it has type %s: %s', type_name, sqlerrm);
      end if;
      type_name := wider;
    end;
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.filter_literal(value jsonb, type oid, label text) IS 'A value of a filter as a quoted, typed literal.';
CREATE FUNCTION mmdb.filter_null(target text, type oid, operator text, value jsonb, label text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  wanted constant boolean := operator <> 'ne' and value <> 'false';
begin
  if jsonb_typeof(value) not in ('boolean', 'null') then
    raise exception '"is_null" of column "%" takes true or false, not %', label, left(value::text, 100)
      using errcode = 'invalid_parameter_value', hint = 'as in {"price": {"is_null": false}}';
  end if;
  return format('%s is %s', target, case when type < 10000 then case when wanted then 'null' else 'not null' end
                                         when wanted then 'not distinct from null' else 'distinct from null' end);
end
$$;
COMMENT ON FUNCTION mmdb.filter_null(target text, type oid, operator text, value jsonb, label text) IS 'The condition that there is no value, or that there is one.';
CREATE FUNCTION mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if jsonb_typeof(filter) <> 'object' then
    raise exception 'a filter is an object, not %', left(filter::text, 100)
      using errcode = 'invalid_parameter_value', hint = 'as in {"price": {"lt": 100}}';
  elsif depth > 20 then
    raise exception 'the filter is nested more than 20 deep'
      using errcode = 'program_limit_exceeded', hint = 'one object takes any number of conditions';
  end if;
  return coalesce((
    select string_agg(mmdb.filter_entry(relation, e.key, e.value, alias, depth), ' and ')
    from jsonb_each(filter) e), 'true');
end
$$;
COMMENT ON FUNCTION mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) IS 'The conditions of one object of a filter, together.';
CREATE FUNCTION mmdb.filter_operand(type oid, operator text, written text) RETURNS oid
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select case when type in ('json'::regtype, 'jsonb'::regtype) then 'jsonb'::regtype
              when mmdb.is_array(type) and mmdb.comparison(t.typelem, 3) is not null then type
              when written ~ '^{' then r.rngmultitypid
              when written ~ '^[[(]|^empty$' or operator <> 'contains' then r.rngtypid
              else r.rngsubtype end
  from pg_type t left join pg_range r on t.oid in (r.rngtypid, r.rngmultitypid)
  where t.oid = filter_operand.type
$_$;
COMMENT ON FUNCTION mmdb.filter_operand(type oid, operator text, written text) IS 'The type of what a column of this type is to contain, to be contained by or to overlap; NULL where it has no parts.';
CREATE FUNCTION mmdb.filter_operators() RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
  select 'operators: eq, ne, lt, lte, gt, gte, in, between, like, ilike, is_null, contains, contained_by, overlaps'
$$;
COMMENT ON FUNCTION mmdb.filter_operators() IS 'What a filter knows, for hints.';
CREATE FUNCTION mmdb.filter_path_condition(of_column pg_attribute, path text[], alias text, operator text, value jsonb) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  label constant text := format('%s.%s', of_column.attname, array_to_string(path, '.'));
  document constant text := mmdb.filter_document(format('%s.%I', alias, of_column.attname),
                                                 mmdb.base_type(of_column.atttypid));
  found_value constant text := format('(%s operator(pg_catalog.#>) %L::text[])', document, path);
  found_text constant text := format('(%s operator(pg_catalog.#>>) %L::text[])', document, path);
  compared constant text := (array['<', '<=', '=', '>=', '>'])[mmdb.filter_strategy(operator)];
begin
  if operator = 'is_null' or (operator in ('eq', 'ne') and value = 'null') then
    return mmdb.filter_null(found_text, 'text'::regtype, operator, value, label);
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
    return format('case when jsonb_typeof(%s) = ''string'' then %s end operator(pg_catalog.%s) %L', found_value,
                  found_text, compared, value #>> '{}');
  elsif operator in ('like', 'ilike') then
    return mmdb.filter_pattern(found_text, 'text'::regtype, operator, value, label);
  elsif operator in ('contains', 'contained_by') then
    return format('%s operator(pg_catalog.%s) %L::jsonb', found_value,
                  case operator when 'contains' then '@>' else '<@' end, value);
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
declare
  written constant text := case operator when 'like' then '~~' else '~~*' end;
  own text;
begin
  if jsonb_typeof(value) <> 'string' or (select t.typcategory from pg_type t where t.oid = type) <> 'S' then
    raise exception '"%" of column "%" compares a text column with a text', operator, label
      using errcode = 'invalid_parameter_value', hint = 'as in {"title": {"ilike": "%shoe%"}}';
  elsif type >= 10000 then
    own := (select format('%s operator(%I.%s) %L::%s', target, n.nspname, o.oprname, value #>> '{}',
                          format_type(type, -1))
            from pg_operator o join pg_namespace n on n.oid = o.oprnamespace
            where o.oprname = written and o.oprleft = type and o.oprright = type);
  end if;
  return coalesce(own, format('%s::text operator(pg_catalog.%s) %L', target, written, value #>> '{}'));
end
$$;
COMMENT ON FUNCTION mmdb.filter_pattern(target text, type oid, operator text, value jsonb, label text) IS 'A condition by a pattern of LIKE.';
CREATE FUNCTION mmdb.filter_strategy(operator text) RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $$ select (array_position(array['lt', 'lte', 'eq', 'gte', 'gt'], operator)) $$;
COMMENT ON FUNCTION mmdb.filter_strategy(operator text) IS 'The B-tree strategy of a comparing operator, NULL of another.';
CREATE FUNCTION mmdb.filter_text(value jsonb, type oid) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  is_number constant boolean := jsonb_typeof(value) = 'number';
  element record;
begin
  if type in ('json'::regtype, 'jsonb'::regtype) then
    return value::text;
  elsif is_number and type in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) then
    return trim_scale(value::numeric)::text;  -- 1.0 is the integer 1
  elsif jsonb_typeof(value) <> 'array' or not mmdb.is_array(type) then
    return value #>> '{}';
  end if;
  select mmdb.base_type(e.oid) as type, e.typdelim as delimiter into element
  from pg_type t join pg_type e on e.oid = t.typelem where t.oid = filter_text.type;
  return format('{%s}', (
    select string_agg(case when v = 'null' then 'null'
                           when jsonb_typeof(v) = 'array' and element.type <> all('{json,jsonb}'::regtype[])
                             then mmdb.filter_text(v, filter_text.type)
                           else '"' || replace(replace(mmdb.filter_text(v, element.type), E'\\', E'\\\\'), '"', E'\\"')
                                || '"'
                      end, element.delimiter)
    from jsonb_array_elements(value) v));
end
$$;
COMMENT ON FUNCTION mmdb.filter_text(value jsonb, type oid) IS 'A value of JSON as the text that a type reads.';
CREATE FUNCTION mmdb.find(query text DEFAULT NULL::text, image bytea DEFAULT NULL::bytea, k integer DEFAULT 10, relations regclass[] DEFAULT NULL::regclass[]) RETURNS TABLE(relation regclass, key text, score double precision, ranks jsonb, found jsonb)
    LANGUAGE plpgsql STABLE ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_column
declare
  searched regclass;
  call text;
  parts text[] := '{}';
begin
  if k is null or k not between 1 and 10000 then
    raise exception 'k is %, expected 1 to 10000', k using errcode = 'invalid_parameter_value';
  end if;
  for searched in
    select distinct e.relation from mmdb.embeddings e join pg_class c on c.oid = e.relation
    -- A search runs code of the table's owner, and anybody could have left a table for the caller to find.
    where case when find.relations is null then mmdb.trusts_owner(e.relation) else e.relation = any(find.relations) end
  loop
    call := mmdb.search_call(searched, find.query is not null, find.image is not null);
    if call is not null then
      parts := parts || format('(select %L::regclass, %s, p.%I, p.%I, to_jsonb(p) - %L::text[] from %s($1, $2, $3) p)',
        mmdb.relation_sql(searched), mmdb.plain_key_sql(searched), mmdb.free_name(searched, 'score'),
        mmdb.free_name(searched, 'ranks'), mmdb.hidden_columns(searched), call);
    end if;
  end loop;
  if cardinality(parts) = 0 then
    raise exception 'there is no table to search in'
      using errcode = 'undefined_object',
            hint = 'name the tables of others: relations => array[''…''::regclass]; mmdb.status lists what you may '
                   'read, and the models of a table must take the query';
  end if;
  -- Scores depend on the number of a table's legs, distances do not. A table's own order stays: each row has the place
  -- of the nearest among itself and the rows behind it. They are gone through from the last one on, or it would take
  -- time by their square.
  return query execute format($query$
    select m.relation, m.key, m.score, m.ranks, m.found from (
      select f.*, min((select min((r.value ->> 'distance')::double precision) from jsonb_each(f.ranks) r)) over (
        partition by f.relation order by f.score, f.key desc rows unbounded preceding) as nearest
      from (%s) f(relation, key, score, ranks, found)
    ) m
    order by m.nearest, m.score desc, m.relation::text, m.key limit $3
  $query$, array_to_string(parts, ' union all ')) using find.query, find.image, find.k;
end
$_$;
COMMENT ON FUNCTION mmdb.find(query text, image bytea, k integer, relations regclass[]) IS 'Search every table of yours that has an embedding, or these, whosoever they are: T_search of each, the best rows of all, as JSON without pictures and vectors. Rows of a table come in its order; those of several tables are merged by distance, which compares tables of one model, or of models alike. [mmdb query]';
CREATE FUNCTION mmdb.fires_when(declared mmdb.embeddings, changed text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format('(%1$s) and old.%2$I operator(public.=) new.%2$I'
                || case when declared.stale_column is null then ''
                        else ' or old.%3$I and new.%3$I '
                             'and (old.%2$I operator(public.=) new.%2$I) is not true' end,
                changed, declared.column_name, declared.stale_column)
$_$;
COMMENT ON FUNCTION mmdb.fires_when(declared mmdb.embeddings, changed text) IS 'The source changed, as the condition given tells, and the embedding did not: NULL, and so nothing to do, where either embedding is NULL. Where an old vector is kept also: it was marked, and another one came, or none.';
CREATE FUNCTION mmdb.first_declared(relation regclass) RETURNS mmdb.embeddings
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select e from mmdb.embeddings e
  where e.relation = first_declared.relation and e.generation_of is null order by e.id limit 1
$$;
COMMENT ON FUNCTION mmdb.first_declared(relation regclass) IS 'The embedding for which the functions of a table are made.';
CREATE FUNCTION mmdb.first_embedding(legs mmdb.leg[]) RETURNS mmdb.leg
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select legs[i] from generate_subscripts(legs, 1) i where (legs[i]).matches is null order by i limit 1 $$;
COMMENT ON FUNCTION mmdb.first_embedding(legs mmdb.leg[]) IS 'The first leg that is an embedding.';
CREATE FUNCTION mmdb.follow_table(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  declared mmdb.embeddings;
  now_called mmdb.embeddings;
  made record;
  objects oid[] := '{}';
  names text[] := '{}';
begin
  -- All are set aside first: the names that are wanted may be those of a table that wants theirs.
  for declared in select e.* from mmdb.embeddings e where e.relation = follow_table.relation and mmdb.is_renamed(e) loop
    now_called := mmdb.named_after_table(declared);
    for made in select f.* from mmdb.functions_to_rename(declared, now_called) f loop
      perform mmdb.set_aside(made.function, now_called.function_schema);
      objects := objects || made.function::oid;
      names := names || made.name;
    end loop;
    for made in select i.* from mmdb.indexes_to_rename(declared, now_called) i loop
      execute format('alter index %s rename to %I', made.index, format('~mmdb_%s', made.index::oid));
      objects := objects || made.index::oid;
      names := names || made.name;
    end loop;
  end loop;
  for declared in select e.* from mmdb.embeddings e where e.relation = follow_table.relation and mmdb.is_renamed(e) loop
    now_called := mmdb.named_after_table(declared);
    perform mmdb.give_way(now_called);
    perform mmdb.check_names(now_called);
  end loop;
  perform mmdb.rename_made(o.object, o.name) from unnest(objects, names) o(object, name);
end
$$;
COMMENT ON FUNCTION mmdb.follow_table(relation regclass) IS 'Call the functions and indexes of a table''s embeddings after the name that it has now.';
CREATE FUNCTION mmdb.forget_embedding(id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.guard_owner(c.oid) from mmdb.embeddings e join pg_class c on c.oid = e.relation
  where e.id = forget_embedding.id;
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
CREATE FUNCTION mmdb.former_legs(former mmdb.search_leg[]) RETURNS mmdb.leg[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array(select (l.name, mmdb.former_pieces(l.parts), l.matches, l.closeness)::mmdb.leg
               from unnest(former) with ordinality l order by l.ordinality)
$$;
COMMENT ON FUNCTION mmdb.former_legs(former mmdb.search_leg[]) IS 'The legs of a search of a function that an earlier mmdb made.';
CREATE FUNCTION mmdb.former_pieces(former mmdb.search_source) RETURNS mmdb.search_pieces
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  pieces mmdb.search_pieces := mmdb.row_pieces(former.relation);
begin
  pieces.vector := left(former.present, -length(' is not null')) || '::public.vector';
  pieces.distance := former.distance;
  pieces.walk := coalesce(former.walk, former.distance);
  pieces.present := former.present;
  return pieces;
end
$$;
COMMENT ON FUNCTION mmdb.former_pieces(former mmdb.search_source) IS 'The pieces of a search of a function that an earlier mmdb made.';
CREATE FUNCTION mmdb.found_body(relation regclass, search text, found text[], after text, variables text DEFAULT ''::text, before text DEFAULT ''::text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select mmdb.filled($body$
#variable_conflict use_column
declare
  mmdb_found record;
  mmdb_after text;{variables}
begin
  perform from {source} where false;{before}
  if {after} is distinct from null then
    mmdb_after := {known_after};
  end if;
  mmdb_found := {search};
  return query
  select {selected}, {values}
  from unnest({found}) with ordinality found_(key, {names}, place)
  join {source} on {matches}
  order by found_.place;
end
$body$, jsonb_build_object(
    'source', mmdb.rows_sql(relation), 'variables', variables, 'before', before, 'after', after,
    'known_after', mmdb.known_key_sql(relation, after), 'search', search, 'selected', c.selected,
    'matches', mmdb.key_matches(relation, 'found_.key')) || f.pieces)
  from mmdb.search_columns(relation) c, (
    select jsonb_build_object(
      'found', string_agg('mmdb_found.' || u.name, ', ' order by u.place),
      'names', string_agg('value' || u.place, ', ' order by u.place) filter (where u.place > 1),
      'values', string_agg('found_.value' || u.place, ', ' order by u.place) filter (where u.place > 1))
    from unnest(found) with ordinality u(name, place)) f(pieces)
$_$;
COMMENT ON FUNCTION mmdb.found_body(relation regclass, search text, found text[], after text, variables text, before text) IS 'The body of a function that returns rows of a table: those whose keys a search finds, and beside each what the other arrays of its record hold. `after` is the parameter for the key after which they come.';
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
CREATE FUNCTION mmdb.function_called(signature text) RETURNS regprocedure
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return to_regprocedure(signature);
exception when undefined_object or invalid_schema_name or insufficient_privilege then
  return null;
end
$$;
COMMENT ON FUNCTION mmdb.function_called(signature text) IS 'The function of this signature, NULL where there is none.';
CREATE FUNCTION mmdb.function_drift(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.function_drift(declared mmdb.embeddings) IS 'How the generated functions no longer fit the table.';
CREATE FUNCTION mmdb.function_names(declared mmdb.embeddings) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array[mmdb.search_name(declared.prefix, declared.name), mmdb.top_name(declared.prefix, declared.name)]
         || array(select declared.prefix || '_' || v from unnest(mmdb.table_verbs()) v)
$$;
COMMENT ON FUNCTION mmdb.function_names(declared mmdb.embeddings) IS 'What the functions are called by which an embedding and its table are searched.';
CREATE FUNCTION mmdb.functions_at_hand(declared mmdb.embeddings) RETURNS SETOF pg_proc
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select p.*
  from pg_class c,
       mmdb.made_functions(declared, array[to_regnamespace(declared.function_schema)::oid, c.relnamespace]) p
  where c.oid = declared.relation and pg_has_role(p.proowner, 'usage')
$$;
COMMENT ON FUNCTION mmdb.functions_at_hand(declared mmdb.embeddings) IS 'The functions that mmdb made for an embedding and that the caller may move or drop.';
CREATE FUNCTION mmdb.functions_to_rename(declared mmdb.embeddings, now_called mmdb.embeddings, OUT function regprocedure, OUT name text) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select p.oid, case when starts_with(p.proname, declared.prefix || '_') and not p.prosecdef
                     then now_called.prefix || substr(p.proname, length(declared.prefix) + 1)
                     else p.proname end
  from mmdb.functions_at_hand(declared) p
  where p.proname = any(mmdb.function_names(declared) || array(select format('mmdb_%s_%s', v, declared.id)
                                                               from unnest(mmdb.worker_verbs(declared.kind)) v))
$$;
COMMENT ON FUNCTION mmdb.functions_to_rename(declared mmdb.embeddings, now_called mmdb.embeddings, OUT function regprocedure, OUT name text) IS 'The functions of an embedding with the names that they are to have.';
CREATE FUNCTION mmdb.fused(keys text[], scores double precision[], reasons jsonb[], k integer, depth integer, measure mmdb.leg, diversity double precision, after text, OUT fused_keys text[], OUT fused_scores double precision[], OUT ranks jsonb[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  ordered text[];
  sums double precision[];
  -- Only the first candidates are varied: the time of a greedy choice grows with the square of their number.
  varied constant integer := least(depth, 200);
  seen integer := 0;
begin
  select array_agg(f.key order by f.score desc, f.key), array_agg(f.score order by f.score desc, f.key)
  into ordered, sums
  from (select u.key, sum(u.score) as score from unnest(keys, scores) u(key, score) group by u.key
        having max(u.score) > 0) f;
  if diversity > 0 and ordered is not null then
    ordered := mmdb.diverse(ordered[:varied], sums[:varied], measure.pieces,
                            case when after is null then k else varied end, diversity)
            || ordered[varied + 1:];
  end if;
  if after is not null then
    seen := array_position(ordered, after);
    if seen is null then
      raise exception 'row "%" is not among the results of this search', array_to_string(after::text[], ', ')
        using errcode = 'invalid_parameter_value',
              hint = 'after takes the key of the last row of the page before: of the same query, filter, weights, '
                     'diversity and depth';
    end if;
  end if;
  select array_agg(f.key order by f.place), array_agg(f.score order by f.place), array_agg(f.ranks order by f.place)
  into fused_keys, fused_scores, ranks
  from (
    select o.key, o.place, sum(u.score), jsonb_object_agg(r.key, r.value)
    from unnest(ordered[seen + 1:seen + k]) with ordinality o(key, place)
    join unnest(keys, scores, reasons) u(key, score, reason) on u.key = o.key
    cross join lateral jsonb_each(u.reason) r
    group by o.key, o.place
  ) f(key, place, score, ranks);
end
$$;
COMMENT ON FUNCTION mmdb.fused(keys text[], scores double precision[], reasons jsonb[], k integer, depth integer, measure mmdb.leg, diversity double precision, after text, OUT fused_keys text[], OUT fused_scores double precision[], OUT ranks jsonb[]) IS 'From what the legs found to a page: fused by key, varied, behind the row `after`. In reasons each stands under the name of its leg.';
CREATE FUNCTION mmdb.generation_name(name text, model text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select name || '_' || translate(model, '.-', '__') $$;
COMMENT ON FUNCTION mmdb.generation_name(name text, model text) IS 'What a generation that does not serve is called.';
CREATE FUNCTION mmdb.give_way(planned mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  other regclass;
begin
  for other in
    select distinct e.relation
    from pg_proc p
    join mmdb.embeddings e on e.id = mmdb.made_for_id(p.oid)
    join pg_class c on c.oid = e.relation
    where p.pronamespace = to_regnamespace(planned.function_schema) and p.proname = any(mmdb.function_names(planned))
      and e.relation <> planned.relation and mmdb.is_renamed(e)
  loop
    if not (select pg_has_role(c.relowner, 'usage') from pg_class c where c.oid = other) then
      raise exception 'the functions of table % have the names of those of table %, as it was renamed', other,
                      planned.relation
        using errcode = 'duplicate_function',
              hint = format('have the owner of %s run: select mmdb.refresh(%L)', other, other);
    end if;
    perform mmdb.refresh(other);
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.give_way(planned mmdb.embeddings) IS 'Have the functions of renamed tables follow these where they have the names of functions that are to be made.';
CREATE FUNCTION mmdb.given_key_sql(relation regclass, parameter text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format(case count(*) when 1
                     then 'case when %1$s is distinct from null then array[format(''%%s'', %1$s)]::text end'
                     else '(%s)::text[]::text' end, parameter)
  from mmdb.key_columns(relation) k
$_$;
COMMENT ON FUNCTION mmdb.given_key_sql(relation regclass, parameter text) IS 'A key as it was given, in the form in which keys travel.';
CREATE FUNCTION mmdb.grant_again(call text, grants aclitem[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  right_given record;
begin
  if grants is null or grants = (select p.proacl from pg_proc p where p.oid = to_regprocedure(call)) then
    return;
  end if;
  execute format('revoke all on function %s from public', call);
  for right_given in select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
                            case when a.is_grantable then ' with grant option' else '' end as extra
                     from aclexplode(grants) a loop
    execute format('grant execute on function %s to %s%s', call, right_given.grantee,
                   case when right_given.grantee = 'public' then '' else right_given.extra end);
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.grant_again(call text, grants aclitem[]) IS 'Give a function that was made again the grants of the one before; none where that had its default ones.';
CREATE FUNCTION mmdb.grant_privileges() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  user_role constant text := mmdb.setting('user_role');
  worker_role constant text := mmdb.setting('worker_role');
  loopback_role constant text := mmdb.setting('loopback_role');
  for_worker constant text[] := array[
    'share_session', 'tasks', 'may_call', 'may_clean', 'start_worker', 'beat', 'stop_worker', 'claim', 'note_attempt',
    'hold', 'settle', 'fail', 'caught_up', 'note_counts', 'report_drift', 'sweep', 'idle_leases', 'forget_leases',
    'take_requests', 'answer_request', 'take_queries', 'answer_query'];
  for_loopback constant text[] := array['post_request', 'poll_request', 'post_query', 'poll_query', 'wake'];
  for_owner constant text[] := array[
    'embed_by', 'latest_vector', 'request', 'loopback', 'open_loopback', 'connect_loopback', 'try_loopback',
    'loopback_remedy', 'raise_problem', 'check_embeddable', 'trim_requests', 'claim_orphan',
    'grant_privileges', 'guard_session', 'guard_pass', 'serves', 'here', 'set_setting', 'add_model', 'remove_model',
    'request_hash', 'embed_query', 'ask', 'refuse_problem', 'check_query',
    -- Of the version before, while they stand.
    'trim_queries', 'query_hash'];
  -- Indexes call them, of tables that anybody may write to.
  for_everybody constant text[] := array['pairs', 'words_of'];
  granted record;
begin
  execute 'revoke all on schema mmdb from public';
  execute 'revoke all on all tables in schema mmdb from public';
  execute 'revoke all on all routines in schema mmdb from public';
  execute format('grant usage on schema mmdb to %I, %I, %I', user_role, worker_role, loopback_role);
  execute format('grant select on mmdb.embeddings, mmdb.keywords, mmdb.models, mmdb.status, mmdb.failures, '
                 'mmdb.workers, mmdb.contracts, mmdb.recall_log, mmdb.schema_version to %I, %I',
                 user_role, worker_role);
  execute format('grant usage on sequence mmdb.embeddings_id_seq to %I',
                 user_role); -- of 9 quintillion: nobody uses them up
  for granted in
    select p.oid::regprocedure as function,
           case when p.proname = any(for_loopback) then array[quote_ident(loopback_role)]
                when p.proname = any(for_worker) then array[quote_ident(worker_role)]
                else array[quote_ident(user_role), quote_ident(worker_role)]
                     || case when p.proname = any(for_everybody) then array['public'] else '{}' end end as roles
    from pg_proc p
    -- What an install set aside keeps the rights that it had, for who is in the middle of it.
    where p.pronamespace = 'mmdb'::regnamespace and p.proname <> all(for_owner)
      and not starts_with(p.proname, 'set_aside_')
  loop
    execute format('grant execute on routine %s to %s', granted.function, array_to_string(granted.roles, ', '));
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
  -- An embedding that was dropped meanwhile has no pass and no leases: there is nothing left to guard.
  if exists (select from mmdb.passes p where p.embedding = guard_pass.embedding
                                         and p.pass is distinct from guard_pass.pass) then
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
CREATE FUNCTION mmdb.guarded_columns(declared mmdb.embeddings) RETURNS smallint[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array(select d.refobjsubid::smallint from pg_depend d
               where d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.refclassid = 'pg_class'::regclass
                 and d.refobjid = declared.relation
                 and d.refobjsubid not in (0, declared.column_number, coalesce(declared.stale_number, 0))
               group by 1 order by 1)
  from pg_trigger t where t.tgrelid = declared.relation and t.tgname = mmdb.trigger_name(declared.id)
$$;
COMMENT ON FUNCTION mmdb.guarded_columns(declared mmdb.embeddings) IS 'The sources that the trigger of an embedding names: none where they are released, NULL where it is missing.';
CREATE FUNCTION mmdb.hand_over_functions(serving mmdb.embeddings, other mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made_function regprocedure;
begin
  for made_function in
    select p.oid from mmdb.made_functions(serving) p where not p.prosecdef
  loop
    execute format('comment on function %s is %L', made_function,
                   replace(obj_description(made_function, 'pg_proc'), mmdb.made_for(serving.id),
                           mmdb.made_for(other.id)));
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.hand_over_functions(serving mmdb.embeddings, other mmdb.embeddings) IS 'Mark the public functions of one generation as the other''s.';
CREATE FUNCTION mmdb.has_code_sql(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format(
    '(exists (select from pg_rewrite r where r.ev_class = %1$L::regclass and r.ev_type = ''2'') '
    'or exists (select from pg_trigger t join pg_proc f on f.oid = t.tgfoid '
    'join pg_namespace n on n.oid = f.pronamespace '
    'where t.tgrelid in (select %1$L::regclass union all select i.relid from pg_partition_tree(%1$L) i) '
    'and not t.tgisinternal and (t.tgtype & 16) <> 0 and (n.nspname, f.proname) <> (''mmdb'', ''unset_embedding'')))',
    mmdb.relation_sql(relation))
$_$;
COMMENT ON FUNCTION mmdb.has_code_sql(relation regclass) IS 'The condition "an update of this table runs triggers or rules of its own".';
CREATE FUNCTION mmdb.has_direction(embedding public.halfvec) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select (embedding operator(public.<=>) embedding) operator(pg_catalog.<>) 'NaN' $$;
COMMENT ON FUNCTION mmdb.has_direction(embedding public.halfvec) IS 'The same for a halfvec, as embeddings are stored.';
CREATE FUNCTION mmdb.has_direction(embedding public.vector) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select (embedding operator(public.<=>) embedding) operator(pg_catalog.<>) 'NaN' $$;
COMMENT ON FUNCTION mmdb.has_direction(embedding public.vector) IS 'Whether a vector can be compared with others by its direction: it is not all zero.';
CREATE FUNCTION mmdb.has_index_for(relation regclass, name text, operator text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select exists (
    select from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_am m on m.oid = c.relam
    join pg_attribute a on a.attrelid = i.indrelid and a.attname = has_index_for.name
    where i.indrelid = has_index_for.relation and i.indisvalid and i.indpred is null
      and case when operator in ('~~', '~~*') then
                 m.amname in ('gin', 'gist') and exists (
                   select from unnest(i.indkey::smallint[], i.indclass::oid[]) k(number, class)
                   join pg_opclass o on o.oid = k.class
                   where k.number = a.attnum and o.opcname like '%trgm%')
               when operator in ('@>', '<@', '&&') then
                 m.amname in ('gin', 'gist') and a.attnum = any((i.indkey::smallint[])[:i.indnkeyatts - 1])
               else m.amname = 'btree' and i.indkey[0] = a.attnum
                 or m.amname = 'hash' and operator = '=' and i.indkey[0] = a.attnum end)
$$;
COMMENT ON FUNCTION mmdb.has_index_for(relation regclass, name text, operator text) IS 'Whether a whole, valid index serves this operator on the column.';
CREATE FUNCTION mmdb.has_words(relation regclass, columns text[]) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select cardinality(columns) = 1 and exists (
    select from pg_attribute a
    where a.attrelid = relation and a.attname = columns[1] and a.attnum > 0 and a.atttypid = 'tsvector'::regtype)
$$;
COMMENT ON FUNCTION mmdb.has_words(relation regclass, columns text[]) IS 'Whether the words of a row stand in a column already: one of type tsvector.';
CREATE FUNCTION mmdb.hash_sql(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when declared.weights is not null then
      format('sha256(%s)', (
        select string_agg(format(E'coalesce(E''\\\\x01''::bytea || sha256(%s), E''\\\\x00''::bytea)', s.raw),
                          ' || ' order by s.place)
        from mmdb.weighted_sources(declared) s))
    when mmdb.loads_bytes(declared) then format('sha256(%s)', mmdb.content_sql(declared))
    else format('sha256(convert_to(%s, ''UTF8''))', mmdb.content_sql(declared))
  end
$$;
COMMENT ON FUNCTION mmdb.hash_sql(declared mmdb.embeddings) IS 'SHA-256 of the source of a row; the worker computes the same over what it loaded.';
CREATE FUNCTION mmdb.here(standby boolean) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%s/%s', case when here.standby then c.system_identifier::text
                              else extract(epoch from pg_postmaster_start_time())::text end, d.oid)
  from pg_control_system() c, pg_database d
  where d.datname = current_database()
$$;
COMMENT ON FUNCTION mmdb.here(standby boolean) IS 'This database as one text: of this very server, or of its whole replication cluster.';
CREATE FUNCTION mmdb.hidden_columns(relation regclass) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array(select a.attname from pg_attribute a
               where a.attrelid = hidden_columns.relation and a.attnum > 0
                 and a.atttypid in ('bytea'::regtype, 'tsvector'::regtype, 'public.vector'::regtype,
                                    'public.halfvec'::regtype))
      || array[mmdb.free_name(relation, 'score'), mmdb.free_name(relation, 'ranks')]
$$;
COMMENT ON FUNCTION mmdb.hidden_columns(relation regclass) IS 'The columns of T_search that are left out where a row is shown as JSON.';
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
CREATE FUNCTION mmdb.index_advice(relation regclass, statements text[], calls bigint[], milliseconds double precision[]) RETURNS TABLE(name text, remedy text, calls bigint, milliseconds double precision)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select chosen.name, chosen.remedy, sum(s.calls)::bigint, sum(s.milliseconds) / sum(s.calls)
  from unnest(index_advice.statements, index_advice.calls, index_advice.milliseconds) s(query, calls, milliseconds)
  cross join lateral (
    select x.name, mmdb.index_for(index_advice.relation, x.name, x.operator) as remedy
    from mmdb.exact_conditions(index_advice.relation, s.query) x
    join pg_class c on c.oid = index_advice.relation
    left join pg_stats p on format('%I.%I', p.schemaname, p.tablename) = mmdb.relation_sql(index_advice.relation)
      and p.attname = x.name
    where mmdb.index_for(index_advice.relation, x.name, x.operator) is not null
      and not exists (select from mmdb.exact_conditions(index_advice.relation, s.query) y
                      where mmdb.has_index_for(index_advice.relation, y.name, y.operator))
    order by case when p.n_distinct < 0 then -p.n_distinct * greatest(c.reltuples, 1)
                  else p.n_distinct end desc nulls last, x.name
    limit 1) chosen
  group by chosen.name, chosen.remedy
  having sum(s.calls) >= 10 and sum(s.milliseconds) >= sum(s.calls)
$$;
COMMENT ON FUNCTION mmdb.index_advice(relation regclass, statements text[], calls bigint[], milliseconds double precision[]) IS 'The indexes that exact searches of this table lack, from statements, how often they ran and how long in all: those of 10 calls or more and a millisecond each.';
CREATE FUNCTION mmdb.index_definition(declared mmdb.embeddings, kind text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.indexed_sql(declared, kind)
         || case kind when 'hnsw' then mmdb.storage_parameters(declared.index_options) else '' end
$$;
COMMENT ON FUNCTION mmdb.index_definition(declared mmdb.embeddings, kind text) IS 'What stands behind "create index … on T".';
CREATE FUNCTION mmdb.index_for(relation regclass, name text, operator text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('create index%s on %s %s', case when c.relkind = 'p' then '' else ' concurrently' end,
                mmdb.relation_sql(relation),
    case when operator in ('~~', '~~*') then
           case when a.atttypid in ('text'::regtype, 'varchar'::regtype)
                  then format('using gin (%I public.gin_trgm_ops)', a.attname) end
         when operator = '@>' and a.atttypid = 'jsonb'::regtype then format('using gin (%I)', a.attname)
         when operator in ('@>', '<@', '&&') then
           case when t.typcategory = 'A' then format('using gin (%I)', a.attname)
                when t.typtype in ('r', 'm') then format('using gist (%I)', a.attname) end
         when a.atttypid <> 'jsonb'::regtype then format('(%I)', a.attname) end)
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join pg_type t on t.oid = a.atttypid
  where a.attrelid = index_for.relation and a.attname = index_for.name and not a.attisdropped
    and case when operator in ('~~', '~~*') then a.atttypid in ('text'::regtype, 'varchar'::regtype)
             when operator in ('@>', '<@', '&&') then
               t.typcategory = 'A' or t.typtype in ('r', 'm') or (a.atttypid = 'jsonb'::regtype and operator = '@>')
             else a.atttypid <> 'jsonb'::regtype end
$$;
COMMENT ON FUNCTION mmdb.index_for(relation regclass, name text, operator text) IS 'The statement that builds an index for this operator on the column; NULL where none is known.';
CREATE FUNCTION mmdb.index_name(declared mmdb.embeddings, kind text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select mmdb.short_name(format('%s_%s_%s', declared.prefix, declared.name, kind), declared.id) $$;
COMMENT ON FUNCTION mmdb.index_name(declared mmdb.embeddings, kind text) IS 'The name of an embedding''s index: pending or hnsw.';
CREATE FUNCTION mmdb.index_statements(relation regclass, name text, concurrent boolean DEFAULT true) RETURNS SETOF text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
declare
  declared constant mmdb.embeddings := mmdb.embedding_of(relation, name);
  indexed constant regclass := mmdb.indexed_relation(declared);
  kind text;
begin
  foreach kind in array array['pending', 'hnsw'] loop
    if mmdb.serving_index(declared, kind) is not null
       or (kind = 'hnsw' and declared.index_options ->> 'type' = 'none') then
      continue;
    elsif concurrent and (select c.relkind = 'p' from pg_class c where c.oid = indexed) then
      return query select mmdb.partition_index_statements(declared, kind);
    elsif concurrent then
      return query select * from unnest(array[
        format('drop index concurrently if exists %s.%I', declared.function_schema, mmdb.index_name(declared, kind)),
        format('create index concurrently %I on %s %s', mmdb.index_name(declared, kind),
               mmdb.relation_sql(indexed), mmdb.index_definition(declared, kind))]);
    else
      -- An index that was left by an earlier declaration, with other options, over a column that it had adopted.
      return query select format('drop index %s.%I', declared.function_schema, c.relname)
      from pg_index i join pg_class c on c.oid = i.indexrelid
      where i.indrelid = indexed and c.relname = mmdb.index_name(declared, kind);
      return next format('create index %I on %s %s', mmdb.index_name(declared, kind),
                         mmdb.relation_sql(indexed), mmdb.index_definition(declared, kind));
    end if;
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.index_statements(relation regclass, name text, concurrent boolean) IS 'The statements that build the missing indexes of an embedding; with concurrent (the default) each is to be run by itself, outside a transaction, and blocks no writer. `mmdb add` runs them.';
CREATE FUNCTION mmdb.indexed_relation(declared mmdb.embeddings) RETURNS regclass
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select declared.relation $$;
COMMENT ON FUNCTION mmdb.indexed_relation(declared mmdb.embeddings) IS 'The relation that has the indexes of an embedding.';
CREATE FUNCTION mmdb.indexed_sql(declared mmdb.embeddings, kind text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when kind = 'pending' then format('(%s) where %s', k.columns, mmdb.pending_sql(declared, ''))
    when mmdb.is_quantized(declared) then
      format('using hnsw ((%s) public.bit_hamming_ops)',
             mmdb.signs_sql(declared, mmdb.vector_of(declared, '')))
    else format('using hnsw (%s public.%s_%s_ops)', mmdb.vector_of(declared, ''), declared.vector_type,
                case d.distance when 'inner_product' then 'ip' else d.distance end)
  end
  from mmdb.key_sql(declared.relation) k, mmdb.distance_of(declared) d(distance)
$$;
COMMENT ON FUNCTION mmdb.indexed_sql(declared mmdb.embeddings, kind text) IS 'What an index, "pending" or "hnsw", is over, as it stands behind "create index … on".';
CREATE FUNCTION mmdb.indexes_to_rename(declared mmdb.embeddings, now_called mmdb.embeddings, OUT index regclass, OUT name text) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select i.indexrelid, mmdb.index_name(now_called, k.kind)
  from (values ('pending'), ('hnsw')) k(kind)
  join pg_index i on i.indrelid = mmdb.indexed_relation(declared)
  join pg_class c on c.oid = i.indexrelid and c.relname = mmdb.index_name(declared, k.kind)
$$;
COMMENT ON FUNCTION mmdb.indexes_to_rename(declared mmdb.embeddings, now_called mmdb.embeddings, OUT index regclass, OUT name text) IS 'The indexes that mmdb named, with the names that they are to have.';
CREATE FUNCTION mmdb.is_array(type oid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select t.typsubscript = 'array_subscript_handler'::regproc from pg_type t where t.oid = is_array.type $$;
COMMENT ON FUNCTION mmdb.is_array(type oid) IS 'Whether a type is an array of any length.';
CREATE FUNCTION mmdb.is_blank(query bytea) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select octet_length(query) = 0 $$;
COMMENT ON FUNCTION mmdb.is_blank(query bytea) IS 'Whether a query is no bytes at all.';
CREATE FUNCTION mmdb.is_blank(query text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select query collate "C"
         !~ E'[^\\s\\u001C-\\u001F\\u0085\\u00A0\\u1680\\u2000-\\u200B\\u2028\\u2029\\u202F\\u205F'
             '\\u2060\\u3000\\uFEFF]'
$$;
COMMENT ON FUNCTION mmdb.is_blank(query text) IS 'Whether a query says nothing, as an empty search box: searches find no rows by it, and it has no vector.';
CREATE FUNCTION mmdb.is_flat(distances double precision[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(cardinality(distances) >= 10 and distances[1] > 0
                  and distances[least(16, cardinality(distances))] < 1.1 * distances[1], false)
$$;
COMMENT ON FUNCTION mmdb.is_flat(distances double precision[]) IS 'Whether the nearest rows are hardly nearer than those behind them, so that a walk has to look at more.';
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
  select lease.worker is null and (lease.retry_at <= clock_timestamp() or lease.state is distinct from is_free.state)
$$;
COMMENT ON FUNCTION mmdb.is_free(lease mmdb.leases, state text) IS 'Whether a row with this lease may be claimed: its wait is over, or it was changed since.';
CREATE FUNCTION mmdb.is_made_by(function oid, id bigint) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select coalesce(obj_description(function, 'pg_proc') like '%' || mmdb.made_for(id), false) $$;
COMMENT ON FUNCTION mmdb.is_made_by(function oid, id bigint) IS 'Whether a function carries the mark of this embedding.';
CREATE FUNCTION mmdb.is_out_of_date(declared mmdb.embeddings) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
begin
  return declared.attached_to <> mmdb.attachment(declared.relation) or mmdb.function_drift(declared) is not null;
exception when undefined_column or object_not_in_prerequisite_state then
  return false;  -- not to be mended by making functions again: mmdb.status says so
end
$$;
COMMENT ON FUNCTION mmdb.is_out_of_date(declared mmdb.embeddings) IS 'Whether the functions made for an embedding are to be made again.';
CREATE FUNCTION mmdb.is_quantized(declared mmdb.embeddings) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select declared.index_options ->> 'quantization' is not null $$;
COMMENT ON FUNCTION mmdb.is_quantized(declared mmdb.embeddings) IS 'Whether its HNSW index has the signs of the numbers alone.';
CREATE FUNCTION mmdb.is_renamed(declared mmdb.embeddings) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select (n.prefix, n.function_schema) is distinct from (declared.prefix, declared.function_schema)
  from mmdb.named_after_table(declared) n
$$;
COMMENT ON FUNCTION mmdb.is_renamed(declared mmdb.embeddings) IS 'Whether the functions of an embedding have the name that its table had before.';
CREATE FUNCTION mmdb.keep_contract(function regprocedure) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  settings constant text[] := mmdb.contract_settings(function);
begin
  if settings is not null then
    perform mmdb.attach_settings(function, settings);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.keep_contract(function regprocedure) IS 'Attach the settings of a function''s contract again, where it has one.';
CREATE FUNCTION mmdb.keep_vectors(relation regclass) RETURNS SETOF mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  return query
  select r.* from mmdb.embeddings e cross join lateral mmdb.record_embedding(mmdb.resolved(e)) r
  where e.relation = keep_vectors.relation order by r.id;
end
$$;
COMMENT ON FUNCTION mmdb.keep_vectors(relation regclass) IS 'Take the vectors that attached partitions brought along for those of their sources, instead of embedding the rows again by mmdb.refresh: for who knows that the sources are as they were.';
CREATE FUNCTION mmdb.key_column_type(type oid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format_type(case b.type when 'smallint'::regtype then 'integer'::regtype else b.type end, -1)
  from mmdb.base_type(key_column_type.type) b(type)
$$;
COMMENT ON FUNCTION mmdb.key_column_type(type oid) IS 'The type by which a key column of this type is compared with a key that is given.';
CREATE FUNCTION mmdb.key_columns(relation regclass) RETURNS TABLE(place bigint, name text, type_name text, equal text, greater text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select k.place, a.attname, mmdb.key_column_type(a.atttypid),
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
COMMENT ON FUNCTION mmdb.key_columns(relation regclass) IS 'The columns of a table''s primary key, with the types and operators by which they are compared with a key that is given.';
CREATE FUNCTION mmdb.key_matches(relation regclass, key text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(format('p.%I %s ((%s::text[])[%s])::%s', k.name, k.equal, key, k.place, k.type_name),
                    ' and ' order by k.place)
  from mmdb.key_columns(relation) k
$$;
COMMENT ON FUNCTION mmdb.key_matches(relation regclass, key text) IS 'The condition that row p has the key that this SQL gives, in the form in which keys travel.';
CREATE FUNCTION mmdb.key_sql(relation regclass, OUT expression text, OUT ordering text, OUT columns text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- A key travels as the text of an array of the key columns' texts: one shape for every type and width. Written by the
  -- types' output functions and not by a cast, which may be a function of the table's owner, run by whoever counts.
  select format('array[%s]::text', string_agg(format('format(''%%s'', p.%I)', k.name), ', ' order by k.place)),
         string_agg(format('p.%I', k.name), ', ' order by k.place),
         string_agg(quote_ident(k.name), ', ' order by k.place)
  into expression, ordering, columns
  from mmdb.key_columns(relation) k;
  if columns is null then
    raise exception 'table % has no primary key', relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('mmdb finds a row again by its key: alter table %s add primary key (…)', relation);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.key_sql(relation regclass, OUT expression text, OUT ordering text, OUT columns text) IS 'The SQL by which generated functions write a row''s primary key as text and order rows by it.';
CREATE FUNCTION mmdb.key_type(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when count(*) <> 1 then 'text'
              when bool_and('text'::regtype = any(array(
                select c.casttarget from pg_cast c where c.castsource = k.type_name::regtype and c.castcontext = 'i'
                except
                select c.castsource from pg_cast c where c.casttarget = k.type_name::regtype and c.castcontext = 'i'
              ))) then 'text'
              else min(k.type_name) end
  from mmdb.key_columns(relation) k
$$;
COMMENT ON FUNCTION mmdb.key_type(relation regclass) IS 'The type by which a row is named: one that literals and values of the key''s own type become by themselves, or for keys of several columns text as mmdb.failures writes it.';
CREATE FUNCTION mmdb.keywords_expression(words mmdb.keywords) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when mmdb.has_words(words.relation, words.columns) then quote_ident(words.columns[1])
              when m.method = 'trigram' then format('(%s)', c.content)
              when m.method = 'pairs' then
                format('mmdb.words_of(''simple''::regconfig, mmdb.pairs(%s, true))', c.content)
              else format('mmdb.words_of(%L::regconfig, %s)', words.language, c.content) end
  from (select string_agg(format('coalesce(%I, '''')', n.name), ' || '' '' || ' order by n.place)
        from unnest(words.columns) with ordinality n(name, place)) c(content),
       mmdb.keywords_method(words.language) m(method)
$$;
COMMENT ON FUNCTION mmdb.keywords_expression(words mmdb.keywords) IS 'What is indexed of a row for a search by words.';
CREATE FUNCTION mmdb.keywords_index(words mmdb.keywords) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('create index %I on %s using gin (%s%s)', words.index_name, mmdb.relation_sql(words.relation),
                mmdb.keywords_expression(words),
                case mmdb.keywords_method(words.language)
                     when 'trigram' then ' public.gin_trgm_ops' else '' end)
$$;
COMMENT ON FUNCTION mmdb.keywords_index(words mmdb.keywords) IS 'The statement that builds the index of keywords.';
CREATE FUNCTION mmdb.keywords_index_found(words mmdb.keywords) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  taken constant regclass := (
    select c.oid from pg_class c
    where c.relname = words.index_name
      and c.relnamespace = (select t.relnamespace from pg_class t where t.oid = words.relation));
  expression text;
  indexed text;
begin
  if taken is null then
    return 'nothing';
  end if;
  expression := mmdb.bare_sql(mmdb.keywords_expression(words));
  indexed := (
    select mmdb.bare_sql(pg_get_indexdef(i.indexrelid, 1, false))
    from pg_index i join pg_opclass o on o.oid = i.indclass[0] join pg_am m on m.oid = o.opcmethod
    where i.indexrelid = taken and i.indrelid = words.relation and i.indisvalid and i.indpred is null
      and i.indnatts = 1 and m.amname = 'gin'
      and o.opcname = case mmdb.keywords_method(words.language) when 'trigram' then 'gin_trgm_ops'
                                                                else 'tsvector_ops' end);
  return case indexed when expression then 'ours'
                      when replace(expression, 'mmdb.words_of', 'to_tsvector') then 'former'
                      else 'other' end;
end
$$;
COMMENT ON FUNCTION mmdb.keywords_index_found(words mmdb.keywords) IS 'What has the name of the index of keywords: nothing, ours (the very index), former (that of an earlier mmdb), or other, which is something else.';
CREATE FUNCTION mmdb.keywords_leg(words mmdb.keywords) RETURNS mmdb.leg
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  leg mmdb.leg;
  method constant text := mmdb.keywords_method(words.language);
  expression constant text := coalesce(pg_get_indexdef(mmdb.made_index(words), 1, false),
                                       mmdb.keywords_expression(words));
begin
  leg.name := words.name;
  leg.pieces := mmdb.row_pieces(words.relation);
  if method = 'trigram' then
    leg.matches := format('$1 operator(public.<%%) %s', expression);
    leg.closeness := format('public.word_similarity($1, %s)', expression);
  else
    leg.matches := format('%s operator(pg_catalog.@@) (select mmdb.words_query(%L, $1))', expression, words.language);
    leg.closeness := format('ts_rank_cd(%s, (select mmdb.words_query(%L, $1)), 32)', expression, words.language);
  end if;
  return leg;
end
$_$;
COMMENT ON FUNCTION mmdb.keywords_leg(words mmdb.keywords) IS 'A search by words as a leg of T_search.';
CREATE FUNCTION mmdb.keywords_method(language text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when language in ('chinese', 'japanese', 'korean', 'thai') then 'pairs'
              when language = 'trigram' then 'trigram'
              else 'text search' end
$$;
COMMENT ON FUNCTION mmdb.keywords_method(language text) IS 'How a language is searched by words: text search, pairs or trigram.';
CREATE FUNCTION mmdb.known_key(relation regclass, given text, known text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if known is null then
    raise exception 'table % has no row "%"', relation, array_to_string(given::text[], ', ')
      using errcode = 'no_data_found', hint = 'it is not there, or you may not see it';
  end if;
  return known;
end
$$;
COMMENT ON FUNCTION mmdb.known_key(relation regclass, given text, known text) IS 'The key that is known, or an error that says what was given.';
CREATE FUNCTION mmdb.known_key_sql(relation regclass, parameter text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select mmdb.filled($sql$mmdb.known_key({relation}, {given},
      (select {key} from {source}, (select {given}) k(key) where {matches}))$sql$, jsonb_build_object(
    'relation', quote_literal(mmdb.relation_sql(relation)),
    'given', mmdb.given_key_sql(relation, parameter), 'key', k.expression, 'source', mmdb.rows_sql(relation),
    'matches', mmdb.key_matches(relation, 'k.key')))
  from mmdb.key_sql(relation) k
$_$;
COMMENT ON FUNCTION mmdb.known_key_sql(relation regclass, parameter text) IS 'The key of the row that a parameter names, as a search finds it; an error where there is none. Not for NULL.';
CREATE FUNCTION mmdb.label_probabilities(embedding public.vector, label_vectors public.vector[], scale double precision) RETURNS double precision[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  similarities double precision[];
begin
  if scale is null or not (scale > 0 and scale < 'infinity') then
    raise exception 'the scale is %, expected a positive number', scale using errcode = 'invalid_parameter_value';
  elsif public.vector_dims(embedding) <> public.vector_dims(label_vectors[1]) then
    raise exception 'the vector has % dimensions, and those of the labels have %',
                    public.vector_dims(embedding), public.vector_dims(label_vectors[1])
      using errcode = 'data_exception',
            hint = 'classify by the model that made the vector: model => mmdb.model_of(''TABLE'', ''NAME'')';
  end if;
  select array_agg(1 - (l.vector operator(public.<=>) embedding) order by l.place) into similarities
  from unnest(label_vectors) with ordinality l(vector, place);
  if array_position(similarities, null) is not null then
    raise exception 'the vector of label % is null', array_position(similarities, null)
      using errcode = 'null_value_not_allowed';
  elsif 'NaN' = any(similarities) then
    raise exception 'the vector, or that of a label, has no direction: all of it is zero'
      using errcode = 'data_exception', hint = 'leave such rows out: where mmdb.has_direction(…)';
  end if;
  -- PostgreSQL refuses to compute what is smaller than a double.
  return (select array_agg(w.weight / w.total order by w.place)
          from (select e.place, e.weight, sum(e.weight) over () as total
                from (select s.place, exp(greatest(-600, scale * (s.similarity - max(s.similarity) over ()))) as weight
                      from unnest(similarities) with ordinality s(similarity, place)) e) w);
end
$$;
COMMENT ON FUNCTION mmdb.label_probabilities(embedding public.vector, label_vectors public.vector[], scale double precision) IS 'The softmax of a vector''s cosine similarities with labels, times the scale.';
CREATE FUNCTION mmdb.label_scale(model text DEFAULT NULL::text) RETURNS double precision
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce((m.options ->> 'logit_scale')::double precision, case m.backend when 'lite' then 20 else 100 end)
  from mmdb.models m
  where m.name = coalesce(label_scale.model, mmdb.setting('default_model'), 'lite')
$$;
COMMENT ON FUNCTION mmdb.label_scale(model text) IS 'By what mmdb.classify multiplies a model''s similarities: the option logit_scale of the model, else 20 for lite and 100 for others.';
CREATE FUNCTION mmdb.later_sql(relation regclass, key text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  k record;
  condition text;
begin
  if (select count(distinct c.greater) from mmdb.key_columns(relation) c) = 1 then
    return (select format('(%s) %s (%s)', string_agg(format('p.%I', c.name), ', ' order by c.place), min(c.greater),
                          string_agg(format('((%s)[%s])::%s', key, c.place, c.type_name), ', ' order by c.place))
            from mmdb.key_columns(relation) c);
  end if;
  for k in select *, format('((%s)[%s])::%s', key, c.place, c.type_name) as bound
           from mmdb.key_columns(relation) c order by c.place desc loop
    condition := case when condition is null then format('p.%I %s %s', k.name, k.greater, k.bound)
                      else format('(p.%I %s %s or p.%I %s %s and %s)', k.name, k.greater, k.bound, k.name, k.equal,
                                  k.bound, condition) end;
  end loop;
  return condition;
end
$$;
COMMENT ON FUNCTION mmdb.later_sql(relation regclass, key text) IS 'The condition that the key of row p comes after a key, which this SQL gives as an array of the texts of its columns.';
CREATE FUNCTION mmdb.latest_name(relation regclass, number smallint) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select a.object_names[3] from pg_identify_object_as_address('pg_class'::regclass, relation, number) a $$;
COMMENT ON FUNCTION mmdb.latest_name(relation regclass, number smallint) IS 'The name of a column now, whatever the snapshot of the statement.';
CREATE FUNCTION mmdb.latest_vector(model text, hash bytea) RETURNS real[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  return (select q.embedding from mmdb.requests q
          where q.model = latest_vector.model and q.hash = latest_vector.hash and q.error is null);
end
$$;
COMMENT ON FUNCTION mmdb.latest_vector(model text, hash bytea) IS 'The vector in the cache now, whatever the snapshot of the statement; NULL where it is not there.';
CREATE FUNCTION mmdb.left_rows_sql(declared mmdb.embeddings, after text, upto text, within text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format('(select %s as key, %s as vector from %s where %s and (%s) <> ''NaN''%s%s%s)',
                mmdb.plain_key_sql(declared.relation), mmdb.vector_of(declared), mmdb.searched_rows(declared),
                mmdb.present_sql(declared), mmdb.distance_sql(declared, mmdb.vector_of(declared)),
                case when after is not null then ' and ' || mmdb.after_sql(declared.relation, '$1') end,
                case when upto is not null then ' and not (' || mmdb.after_sql(declared.relation, '$2') || ')' end,
                case when within is not null then ' and ' || mmdb.within_sql(declared.relation, within) end)
$_$;
COMMENT ON FUNCTION mmdb.left_rows_sql(declared mmdb.embeddings, after text, upto text, within text) IS 'The embedded rows of a page, keys after $1 up to $2, or of the keys that the SQL `within` gives, with their vectors; without those whose vector has no distance to itself, and so none to others.';
CREATE FUNCTION mmdb.legs(described jsonb) RETURNS mmdb.leg[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array(select jsonb_populate_record(null::mmdb.leg, l.leg)
               from jsonb_array_elements(described) with ordinality l(leg, place) order by l.place)
$$;
COMMENT ON FUNCTION mmdb.legs(described jsonb) IS 'The legs of a search, as a generated function has them.';
CREATE FUNCTION mmdb.legs_sql(legs mmdb.leg[]) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select format('mmdb.legs(%L::jsonb)', jsonb_strip_nulls(to_jsonb(legs))) $$;
COMMENT ON FUNCTION mmdb.legs_sql(legs mmdb.leg[]) IS 'The legs of a search, as they are written into a function.';
CREATE FUNCTION mmdb.let_worker_in(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  worker_role constant text := mmdb.setting('worker_role');
begin
  if not has_schema_privilege(worker_role, to_regnamespace(declared.function_schema), 'usage') then
    execute format('grant usage on schema %s to %I', declared.function_schema, worker_role);
  end if;
exception when insufficient_privilege then
  raise exception 'role "%" may not use schema %', worker_role, declared.function_schema
    using errcode = 'insufficient_privilege',
          hint = format('have the schema''s owner run: grant usage on schema %s to %I',
                        declared.function_schema, worker_role);
end
$$;
COMMENT ON FUNCTION mmdb.let_worker_in(declared mmdb.embeddings) IS 'Let the worker call functions in the table''s schema.';
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
CREATE FUNCTION mmdb.load_template() RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select $body$
begin{pass}
  return query select k.key, {state}, octet_length(s.content)::bigint,
         case when octet_length(s.content) <= max_bytes then {text} end,
         case when octet_length(s.content) <= max_bytes then {bytes} end
  from unnest(keys) k(key)
  join {rows} on {matches}
  cross join lateral (select {content}) s(content)
  where {pending};
end
$body$
$_$;
COMMENT ON FUNCTION mmdb.load_template() IS 'The sources of some pending rows; those over the limit come without content.';
CREATE FUNCTION mmdb.loads_bytes(declared mmdb.embeddings) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select declared.modality <> 'text' and not declared.by_uri and declared.weights is null $$;
COMMENT ON FUNCTION mmdb.loads_bytes(declared mmdb.embeddings) IS 'Whether the one source of a row is bytes and not text.';
CREATE FUNCTION mmdb.lock_declarations(relation regclass) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select pg_advisory_xact_lock(mmdb.worker_lock_class() + 1, relation::oid::bigint::bit(32)::integer) $$;
COMMENT ON FUNCTION mmdb.lock_declarations(relation regclass) IS 'One declaration at a time on a table.';
CREATE FUNCTION mmdb.lock_sql(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select 'for no key update of p skip locked' $$;
COMMENT ON FUNCTION mmdb.lock_sql(declared mmdb.embeddings) IS 'The clause by which a store locks rows, waiting for nobody.';
CREATE FUNCTION mmdb.loopback(statement text, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    AS $$
declare
  hidden constant text := repeat(' ', pg_size_bytes(current_setting('track_activity_query_size'))::integer)
    || statement;
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
        select r.token, r.embedding, r.answer, r.problem into token, embedding, answer, problem
        from public.dblink_get_result('mmdb_loopback')
          r(token uuid, embedding real[], answer jsonb, problem text);
        -- The end of the answers, without which the connection takes no other statement.
        perform
        from public.dblink_get_result('mmdb_loopback')
          r(token uuid, embedding real[], answer jsonb, problem text);
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
COMMENT ON FUNCTION mmdb.loopback(statement text, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) IS 'Run one call of post_request or poll_request in a transaction of its own.';
CREATE FUNCTION mmdb.loopback_remedy() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select case
    when s.oid is null or r.oid is null or m.umuser is null then
      'run `mmdb init`: it makes the role, the password and the foreign server "mmdb_loopback" that it needs'
    when not has_database_privilege(r.oid, current_database(), 'connect') then
      format('run `mmdb init`, or: grant connect on database %I to %I', current_database(), r.rolname)
    when not r.rolcanlogin or r.rolvaliduntil <= clock_timestamp() then
      format('let its role log in: alter role %I login valid until ''infinity''', r.rolname)
    when not r.rolconnlimit = -1 then
      format('let its role have a connection for each session that searches: alter role %I connection limit -1',
             r.rolname)
    when o.port is distinct from current_setting('port') then
      format('it goes to port %s, and this server has %s: if nothing leads from there to here, run `mmdb init '
             '--loopback-port %2$s`', o.port, current_setting('port'))
    else
      format('it goes to %s, port %s, as role "%s" with a password: the server must listen there, and pg_hba.conf have '
             'a line for it (as in: host "%s" "%3$s" %1$s scram-sha-256); `mmdb init --loopback-host … '
             '--loopback-port …` says where else, and gives it a new password', o.host, o.port, r.rolname,
             current_database())
  end
  from (select mmdb.setting('loopback_role')) l(role)
  left join pg_roles r on r.rolname = l.role
  left join pg_foreign_server s on s.srvname = 'mmdb_loopback'
  left join pg_user_mappings m on m.srvid = s.oid
    and m.umuser = (select n.nspowner from pg_namespace n where n.nspname = 'mmdb')
  cross join lateral (select max(substr(w.option, 6)) filter (where w.option like 'host=%'),
                             max(substr(w.option, 6)) filter (where w.option like 'port=%')
                      from unnest(s.srvoptions) w(option)) o(host, port)
$_$;
COMMENT ON FUNCTION mmdb.loopback_remedy() IS 'What to do where the loopback cannot be opened.';
CREATE FUNCTION mmdb.lost_embeddings() RETURNS TABLE(relation regclass, column_name text, remedy text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select c.oid::regclass, a.attname::text,
         coalesce(s.remedy, format('select mmdb.add_embedding(%L, …)', c.oid::regclass))
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    and a.atttypid in ('public.halfvec'::regtype, 'public.vector'::regtype)
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
COMMENT ON FUNCTION mmdb.lost_embeddings() IS 'Columns of vectors that look as if an embedding had filled them, of tables that have none.';
CREATE FUNCTION mmdb.made_for(id bigint) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select format('[mmdb embedding %s]', id) $$;
COMMENT ON FUNCTION mmdb.made_for(id bigint) IS 'The mark in the comment of every function that mmdb made for an embedding.';
CREATE FUNCTION mmdb.made_for_id(function oid) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$ select substring(obj_description(function, 'pg_proc') from '[[]mmdb embedding ([0-9]+)[]]$')::bigint $_$;
COMMENT ON FUNCTION mmdb.made_for_id(function oid) IS 'The embedding that a function was made for; NULL for none of mmdb''s.';
CREATE FUNCTION mmdb.made_functions(declared mmdb.embeddings, schemas oid[] DEFAULT NULL::oid[]) RETURNS SETOF pg_proc
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select p.*
  from pg_proc p
  join pg_description d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass and d.objsubid = 0
  where p.pronamespace = any(coalesce(schemas, array[to_regnamespace(declared.function_schema)::oid]))
    and d.description like (select '%' || mmdb.made_for(declared.id))
$$;
COMMENT ON FUNCTION mmdb.made_functions(declared mmdb.embeddings, schemas oid[]) IS 'The functions that mmdb made for an embedding, in its schema of functions or in these.';
CREATE FUNCTION mmdb.made_index(words mmdb.keywords) RETURNS regclass
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select i.indexrelid::regclass from pg_index i join pg_class c on c.oid = i.indexrelid
  where i.indrelid = words.relation and c.relname = words.index_name
$$;
COMMENT ON FUNCTION mmdb.made_index(words mmdb.keywords) IS 'The index of keywords by its name; NULL where there is none.';
CREATE FUNCTION mmdb.make_example_functions(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  relation constant regclass := declared.relation;
  key_type constant text := mmdb.key_type(relation);
  keys_type constant text := mmdb.within_type(relation);
  others constant text := format(
    '%I integer default 10, %I jsonb default null, %I %s default null, %I jsonb default null, '
    '%I double precision default 0, %I integer default null, %I %s default null',
    mmdb.free_name(relation, 'k'), mmdb.free_name(relation, 'filter'), mmdb.free_name(relation, 'within'), keys_type,
    mmdb.free_name(relation, 'weights'), mmdb.free_name(relation, 'diversity'), mmdb.free_name(relation, 'depth'),
    mmdb.free_name(relation, 'after'), key_type);
  other_types constant text := format('integer, jsonb, %s, jsonb, double precision, integer, %s', keys_type, key_type);
  columns constant text := format('%s, %I double precision, %I jsonb',
                                  (select c.definitions from mmdb.search_columns(relation) c),
    mmdb.free_name(relation, 'score'), mmdb.free_name(relation, 'ranks'));
begin
  perform mmdb.make_public_function(declared, mmdb.table_call(declared, 'like'),
    format('%I %s, %s', mmdb.free_name(relation, 'key'), key_type, others), format('%s, %s', key_type, other_types),
    mmdb.call_attributes(), mmdb.examples_body(relation, 'like'),
    format('The k rows of %s most like one of them, by all embeddings, best first.', mmdb.relation_sql(relation)),
    columns);
  perform mmdb.make_public_function(declared, mmdb.table_call(declared, 'recommend'),
    format('%I %s, %I %2$s default null, %4$s', mmdb.free_name(relation, 'liked'), keys_type,
           mmdb.free_name(relation, 'disliked'), others),
    format('%s, %1$s, %s', keys_type, other_types),
    mmdb.call_attributes(), mmdb.examples_body(relation, 'recommend'),
    format('The k rows of %s most like those that are liked and unlike those that are disliked, by all '
           'embeddings, best first.',
           mmdb.relation_sql(relation)), columns);
end
$_$;
COMMENT ON FUNCTION mmdb.make_example_functions(declared mmdb.embeddings) IS 'Make T_like and T_recommend.';
CREATE FUNCTION mmdb.make_keywords_index(words mmdb.keywords, build boolean) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_index constant text := mmdb.keywords_index_found(words);
  qualified constant text := (select format('%I.%I', n.nspname, words.index_name)
                              from pg_class c join pg_namespace n on n.oid = c.relnamespace
                              where c.oid = words.relation);
begin
  if found_index = 'other' then
    raise exception 'relation % is there already, and is no index of these keywords', qualified
      using errcode = 'duplicate_table',
            hint = 'give the keywords another name => ''…''' || coalesce(
              (select format(', or if nobody needs that index: drop index %s', qualified)
               from pg_index i where i.indexrelid = to_regclass(qualified)), '');
  elsif not build or found_index = 'ours' or mmdb.words_index(words) is not null then
    return;
  elsif found_index = 'former' then
    execute format('drop index %s', qualified);
  end if;
  execute mmdb.keywords_index(words);
end
$$;
COMMENT ON FUNCTION mmdb.make_keywords_index(words mmdb.keywords, build boolean) IS 'Build the index of keywords, unless it is there; where it is not to be built, see that its name is free.';
CREATE FUNCTION mmdb.make_public_function(declared mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  call constant text := format('%s(%s)', name, types);
  named constant text := format('%s(%s)', name, parameters);
  result constant text := format('returns table (%s) %s', coalesce(columns, (
    select format('%s, %I double precision', c.definitions, mmdb.distance_name(declared.relation))
    from mmdb.search_columns(declared.relation) c)), attributes);
  earlier constant regprocedure[] := mmdb.earlier_forms(declared, name, types);
  grants constant aclitem[] := (select p.proacl from pg_proc p where p.oid = any(earlier)
                                order by p.proacl is null limit 1);
  one regprocedure;
begin
  foreach one in array earlier loop
    if one is distinct from to_regprocedure(call) then
      perform mmdb.drop_function(one);
    end if;
  end loop;
  begin
    perform mmdb.create_made(declared, call, result, body, purpose, named, to_regprocedure(call) = any(earlier));
  exception when invalid_function_definition then
    perform mmdb.drop_function(call::regprocedure);
    perform mmdb.create_made(declared, call, result, body, purpose, named);
  end;
  perform mmdb.grant_again(call, grants);
  perform mmdb.keep_contract(to_regprocedure(call));
end
$$;
COMMENT ON FUNCTION mmdb.make_public_function(declared mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text) IS 'A generated function that returns rows of the table, with their distance unless other columns are given, made or made again with the grants it had.';
CREATE FUNCTION mmdb.make_search_view(declared mmdb.embeddings, argument text, vector text, asked text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  name constant text := format('%s.%I', declared.function_schema, mmdb.search_name(declared.prefix, declared.name));
begin
  perform mmdb.make_public_function(declared, name, argument, argument,
                                    'language sql stable parallel restricted security invoker',
    mmdb.search_body(declared, vector, asked),
    format('Every row of %s with its distance from a query, by "%s"; add: order by %s limit k.%s',
           mmdb.relation_sql(declared.relation), declared.name, mmdb.distance_name(declared.relation),
           case when mmdb.is_quantized(declared)
                then ' It measures every row: ' || mmdb.top_name(declared.prefix, declared.name) || ' walks the index.'
                else '' end));
end
$$;
COMMENT ON FUNCTION mmdb.make_search_view(declared mmdb.embeddings, argument text, vector text, asked text) IS 'One search view.';
CREATE FUNCTION mmdb.make_search_views(declared mmdb.embeddings, made_already text[] DEFAULT '{}'::text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  argument text;
  vector text;
  asked text;
begin
  for argument, vector, asked in
    select q.* from mmdb.query_arguments(declared) q where q.argument <> all(made_already)
  loop
    perform mmdb.make_search_view(declared, argument, vector, asked);
    perform mmdb.make_top_function(declared, argument, vector, asked);
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.make_search_views(declared mmdb.embeddings, made_already text[]) IS 'The search functions of an embedding: for each kind of query its model takes and for a vector, T_by_NAME and T_top_by_NAME; but for kinds of which they are there already.';
CREATE FUNCTION mmdb.make_storage(declared mmdb.embeddings) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if not declared.adopted then
    execute format('alter table %s add column %I %s', mmdb.relation_sql(declared.relation), declared.column_name,
                   declared.column_type);
  end if;
  if declared.stale_column is not null then
    execute format('alter table %s add column %I boolean not null default false', mmdb.relation_sql(declared.relation),
                   declared.stale_column);
    declared.stale_number := (mmdb.column_numbers(declared.relation, array[declared.stale_column]))[1];
  end if;
  return mmdb.read_column(declared);
end
$$;
COMMENT ON FUNCTION mmdb.make_storage(declared mmdb.embeddings) IS 'Make the place of the vectors; the embedding with what is known of it from then on.';
CREATE FUNCTION mmdb.make_table_functions(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    AS $$
#variable_conflict use_variable
declare
  first_made constant mmdb.embeddings := mmdb.first_declared(relation);
  parameters text;
begin
  if first_made.id is null then
    return;
  end if;
  perform '[1]'::public.vector;  -- only a setting that is known can be attached without being superuser
  parameters := format(
    '%I text default null, %I bytea default null, %I integer default 10, %I jsonb default null, %I %s default null, '
    '%I jsonb default null, %I bytea[] default null, %I integer default null, %I double precision default 0, %I %s '
    'default null',
    mmdb.free_name(relation, 'query'), mmdb.free_name(relation, 'image'), mmdb.free_name(relation, 'k'),
    mmdb.free_name(relation, 'filter'),
    mmdb.free_name(relation, 'within'), mmdb.within_type(relation), mmdb.free_name(relation, 'weights'),
    mmdb.free_name(relation, 'images'), mmdb.free_name(relation, 'depth'), mmdb.free_name(relation, 'diversity'),
    mmdb.free_name(relation, 'after'), mmdb.key_type(relation));
  perform mmdb.make_public_function(first_made, mmdb.table_call(first_made, 'search'), parameters,
    format('text, bytea, integer, jsonb, %s, jsonb, bytea[], integer, double precision, %s', mmdb.within_type(relation),
           mmdb.key_type(relation)),
    mmdb.call_attributes(), mmdb.search_table_body(relation),
    format('The k rows of %s that words and embeddings find together, best first.', mmdb.relation_sql(relation)),
    format('%s, %I double precision, %I jsonb', (select c.definitions from mmdb.search_columns(relation) c),
           mmdb.free_name(relation, 'score'), mmdb.free_name(relation, 'ranks')));
  perform mmdb.make_example_functions(first_made);
end
$$;
COMMENT ON FUNCTION mmdb.make_table_functions(relation regclass) IS 'Make the functions of a table again, over the legs that it has now.';
CREATE FUNCTION mmdb.make_top_function(declared mmdb.embeddings, argument text, vector text, asked text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  name constant text := format('%s.%I', declared.function_schema, mmdb.top_name(declared.prefix, declared.name));
begin
  perform '[1]'::public.vector;  -- only a setting that is known can be attached without being superuser
  perform mmdb.make_public_function(declared, name,
    format('%I %s, %I integer default 10, %I jsonb default null, %I %s default null, %I %s default null',
           mmdb.free_name(declared.relation, 'query'), argument, mmdb.free_name(declared.relation, 'k'),
           mmdb.free_name(declared.relation, 'filter'),
           mmdb.free_name(declared.relation, 'within'), mmdb.within_type(declared.relation),
           mmdb.free_name(declared.relation, 'after'), mmdb.key_type(declared.relation)),
    format('%s, integer, jsonb, %s, %s', argument, mmdb.within_type(declared.relation),
           mmdb.key_type(declared.relation)),
    mmdb.call_attributes(), mmdb.top_body(declared, vector, asked),
    format('The k rows of %s nearest to a query, by "%s", of those that pass the filter: complete and in order.',
           mmdb.relation_sql(declared.relation), declared.name));
end
$$;
COMMENT ON FUNCTION mmdb.make_top_function(declared mmdb.embeddings, argument text, vector text, asked text) IS 'T_top_by_NAME for one kind of query.';
CREATE FUNCTION mmdb.make_trigger(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.make_trigger(declared mmdb.embeddings) IS 'The trigger that makes a row pending again when its source changes.';
CREATE FUNCTION mmdb.make_worker_functions(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  worker_role constant text := mmdb.setting('worker_role');
  made record;
  name text;
begin
  perform mmdb.check_schema(declared);
  perform mmdb.let_worker_in(declared);
  perform mmdb.drop_made(declared, (
    select array_agg(format('mmdb_%s_%s', v, declared.id)) from unnest(mmdb.worker_verbs(declared.kind)) v));
  for made in select w.* from mmdb.worker_functions(declared) w loop
    name := mmdb.worker_function(declared, made.verb);
    -- The text of a key must not depend on the settings of the session that asks.
    perform mmdb.create_made(
      declared, name || made.parameters,
      format('%s language plpgsql %s security definer set search_path = pg_catalog, pg_temp '
             'set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres'' set extra_float_digits = 1 '
             'set bytea_output = ''hex'' set timezone = ''UTC''', made.result, made.volatility),
      made.body, made.purpose);
    execute format('revoke all on function %s from public', name);
    execute format('grant execute on function %s to %I', name, worker_role);
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.make_worker_functions(declared mmdb.embeddings) IS 'The functions by which a worker reads and writes this table, as its owner.';
CREATE FUNCTION mmdb.marked_sql(declared mmdb.embeddings, alias text DEFAULT 'p.'::text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when declared.stale_column is null then 'false' else format('%s%I', alias, declared.stale_column) end
$$;
COMMENT ON FUNCTION mmdb.marked_sql(declared mmdb.embeddings, alias text) IS 'The condition "the vector of this row is of an earlier source".';
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
CREATE FUNCTION mmdb.measure(query mmdb.stored_query, expected text[], OUT made mmdb.recalls, OUT ordered boolean, OUT short bigint, OUT tables regclass[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  hits bigint[];
  sizes bigint[];
  before constant jsonb := (select jsonb_object_agg(v.relation::oid, v.scans) from mmdb.vector_scans() v);
begin
  select array_agg(mmdb.answers_in_common(r.answers, x.answers) order by r.place),
         array_agg(cardinality(x.answers) order by r.place),
         percentile_cont(0.5) within group (order by r.milliseconds), bool_and(coalesce(r.ordered, false)),
         count(*) filter (where cardinality(r.answers) < cardinality(x.answers))
  into hits, sizes, made.milliseconds, ordered, short
  from mmdb.run_samples(query) r cross join lateral (select expected[r.place]::text[]) x(answers);
  select i.recall, i.low, i.high into made.recall, made.low, made.high from mmdb.recall_interval(hits, sizes) i;
  if made.recall is null then
    raise exception 'no sample finds a row'
      using errcode = 'invalid_parameter_value', hint = 'give samples whose filters some rows pass';
  end if;
  made.function := mmdb.signature(query.function);
  made.samples := cardinality(query.calls);
  made.settings := mmdb.settings_of(query.function);
  select coalesce(sum(v.scans - (before ->> v.relation::oid::text)::bigint), 0), coalesce(array_agg(v.relation), '{}')
  into made.index_scans, tables
  from mmdb.vector_scans() v where v.scans > (before ->> v.relation::oid::text)::bigint;
end
$$;
COMMENT ON FUNCTION mmdb.measure(query mmdb.stored_query, expected text[], OUT made mmdb.recalls, OUT ordered boolean, OUT short bigint, OUT tables regclass[]) IS 'Run the calls and compare their answers with the true ones.';
CREATE FUNCTION mmdb.measured(distance double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select case when distance > '-infinity' and distance < 'infinity' then distance end $$;
COMMENT ON FUNCTION mmdb.measured(distance double precision) IS 'A distance that says something; NULL for NaN and infinities.';
CREATE FUNCTION mmdb.measured_by(expressions text[], alias text, column_name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select m.parts[1]
  from unnest(expressions) e(expression)
  cross join lateral regexp_match(e.expression, format(
    E'(?:^|[^\\w."])(?:%s\\.)?%s(?:\\)?::[^<]*)? (?:OPERATOR\\([^)]*?)?<(?:=>|->|#>)\\)? (.*)$',
    mmdb.as_pattern(alias), mmdb.as_pattern(column_name))) m(parts)
  where m.parts is not null
  order by m.parts[1] like '%mmdb.embed%' desc limit 1
$_$;
COMMENT ON FUNCTION mmdb.measured_by(expressions text[], alias text, column_name text) IS 'The vector from which a column is measured in one of these expressions of a plan; NULL where it is not measured.';
CREATE FUNCTION mmdb.measured_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]) RETURNS TABLE(left_key text, right_key text, distance double precision, later boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    SET enable_sort TO 'on'
    AS $_$
begin
  -- The rows that pass are read once, and not once for each row of the left.
  return query execute format($query$
    with measured as materialized (select %s, %s as mmdb_vector from %s where %s and %s)
    select l.key, r.key, r.distance, r.later from %s l cross join lateral %s r
  $query$, (select s.ordering from mmdb.key_sql(rights.relation) s), mmdb.vector_of(rights),
           mmdb.searched_rows(rights), mmdb.present_sql(rights), passes,
           mmdb.left_rows_sql(lefts, after, upto, case when within is not null then '$3' end),
           mmdb.nearest_sql(rights, lefts.relation, passes, depth, false))
  using after, upto, within;
end
$_$;
COMMENT ON FUNCTION mmdb.measured_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]) IS 'For each row of the left the nearest `depth` of the right, by measuring all that pass.';
CREATE FUNCTION mmdb.measured_rows(plan jsonb) RETURNS TABLE(embedding bigint, walks boolean, ordered boolean, vector text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  with node as materialized (select n.node, n.expressions from mmdb.plan_nodes(plan) n)
  select distinct e.id, coalesce(i.relam = (select m.oid from pg_am m where m.amname = 'hnsw'), false),
         exists (select from node n where n.node ->> 'Node Type' in ('Limit', 'Sort', 'Incremental Sort')
                 having count(distinct n.node ->> 'Node Type') > 1),
         case when o.other ~ E'^\\(*(InitPlan \\d|\\$\\d)' then 'once'
              when o.other ~ E'SubPlan \\d|mmdb\\.embed' then 'for each row' else 'given' end
  from node s
  join pg_namespace n on n.nspname = s.node ->> 'Schema'
  join pg_class c on c.relnamespace = n.oid and c.relname = s.node ->> 'Relation Name'
  left join pg_class i on i.relnamespace = n.oid and i.relname = s.node ->> 'Index Name'
  join mmdb.embeddings e on e.relation = c.oid
    or e.relation in (select a.relid from pg_partition_ancestors(c.oid) a)
  cross join lateral (
    select mmdb.measured_by(array(select x from node m, unnest(m.expressions) x), s.node ->> 'Alias', e.column_name)
  ) o(other)
  where o.other is not null
$_$;
COMMENT ON FUNCTION mmdb.measured_rows(plan jsonb) IS 'The embeddings that a plan measures by itself: whether it walks an HNSW index, whether it is ordered and limited, and how often the vector of the query is computed.';
CREATE FUNCTION mmdb.model_of(relation regclass, name text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_embedding mmdb.embeddings;
  seen_name text;
  found_model text;
begin
  select e.* into found_embedding from mmdb.embeddings e
  where e.relation = model_of.relation and e.name = model_of.name;
  if found_embedding.id is null then
    raise exception 'table % has no embedding "%"', relation, name
      using errcode = 'undefined_object', hint = 'select relation, name from mmdb.embeddings lists them';
  end if;
  select a.attname into seen_name from pg_attribute a
  where a.attrelid = found_embedding.relation and a.attnum = found_embedding.column_number;
  if mmdb.latest_name(found_embedding.relation, found_embedding.column_number) is not distinct from seen_name then
    return found_embedding.model;
  end if;
  select e.model into found_model from mmdb.embeddings e
  where e.relation = model_of.relation and mmdb.latest_name(e.relation, e.column_number) = seen_name;
  if found_model is null then
    raise exception 'the columns of table % were renamed since this transaction began', relation
      using errcode = 'serialization_failure', hint = 'begin the transaction again';
  end if;
  return found_model;
end
$$;
COMMENT ON FUNCTION mmdb.model_of(relation regclass, name text) IS 'The model of the column that an embedding has now.';
CREATE FUNCTION mmdb.most_pictures() RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $$ select 4 $$;
COMMENT ON FUNCTION mmdb.most_pictures() IS 'How many sources of one weighted embedding may be pictures.';
CREATE FUNCTION mmdb.named_after_table(declared mmdb.embeddings) RETURNS mmdb.embeddings
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  former constant text[] := parse_ident(nullif(declared.relation_name, ''));
begin
  select case when declared.prefix = former[2] then c.relname else declared.prefix end,
         case when declared.function_schema = quote_ident(former[1]) then quote_ident(n.nspname)
              else declared.function_schema end,
         mmdb.relation_sql(declared.relation)
  into declared.prefix, declared.function_schema, declared.relation_name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = declared.relation;
  return declared;
end
$$;
COMMENT ON FUNCTION mmdb.named_after_table(declared mmdb.embeddings) IS 'The embedding with the prefix and the schema of functions that go with the name which its table has now.';
CREATE FUNCTION mmdb.near_duplicates(relation regclass, name text, max_distance double precision, neighbours integer DEFAULT 10, after text DEFAULT NULL::text, upto text DEFAULT NULL::text) RETURNS TABLE(key_a text, key_b text, distance double precision)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  declared constant mmdb.embeddings := mmdb.resolved(mmdb.embedding_of(relation, name));
begin
  perform mmdb.check_pairs(declared, neighbours, coalesce(max_distance, 'NaN'));
  -- A pair that both of its rows name is told by the earlier one, whatever page that is on.
  return query
  with named as materialized (
    select p.* from mmdb.nearest_pairs(declared, declared, neighbours, null, after, upto, null) p
    where p.left_key <> p.right_key and p.distance <= max_distance
  ), elsewhere as (
    select array(select n.right_key from named n where not n.later except select n.left_key from named n) as keys
  ), telling as (
    select n.left_key, n.right_key from named n
    union all
    select p.left_key, p.right_key
    from elsewhere e, mmdb.nearest_pairs(declared, declared, neighbours, null, null, null, e.keys) p
  )
  select n.left_key, n.right_key, n.distance from named n where n.later
  union all
  select n.right_key, n.left_key, n.distance from named n
  where not n.later and not exists (select from telling t where (t.left_key, t.right_key) = (n.right_key, n.left_key));
end
$$;
COMMENT ON FUNCTION mmdb.near_duplicates(relation regclass, name text, max_distance double precision, neighbours integer, after text, upto text) IS 'Pairs of rows of a table within a distance of each other, each pair once, key_a the earlier key. Each row is asked for its nearest `neighbours` over the HNSW index, and a pair is found if one of the two names the other: of a group of more rows than that not every pair comes, but every row is in a pair. After and upto, keys (see mmdb.page_end), cut a large table into pages; mmdb.store_near_duplicates does that. The keys are texts: key_a::integer joins them.';
CREATE FUNCTION mmdb.nearest_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, k integer, filter jsonb, after text, upto text, within text[]) RETURNS TABLE(left_key text, right_key text, distance double precision, later boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET extra_float_digits TO '1'
    SET bytea_output TO 'hex'
    SET "TimeZone" TO 'UTC'
    AS $$
declare
  -- In parentheses, so that PostgreSQL itself estimates, from the size that the table has now, even without a filter.
  passes constant text := '(' || mmdb.filter(rights.relation, filter, 'p') || ')';
  depth constant integer := k + (lefts.relation = rights.relation)::integer;  -- a row is its own nearest
  cost constant record := mmdb.top_costs();
  estimate constant record := mmdb.top_estimate(mmdb.search_pieces(rights), passes, null, null);
begin
  -- A row that passes is read once and measured for each row of the left: about one unit of the costs.
  if cost.walked * greatest(100, depth / estimate.share) < estimate.rows
     and mmdb.serving_index(rights, 'hnsw') is not null then
    return query select p.* from mmdb.walked_pairs(lefts, rights, passes, depth, after, upto, within) p;
  else
    return query select p.* from mmdb.measured_pairs(lefts, rights, passes, depth, after, upto, within) p;
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.nearest_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, k integer, filter jsonb, after text, upto text, within text[]) IS 'For each row of the left the k nearest of the right, and itself, by the cheaper road; later: the right key is the later of the two.';
CREATE FUNCTION mmdb.nearest_sql(declared mmdb.embeddings, lefts regclass, passes text, depth integer, walked boolean) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.filled('(select {key} as key, p.mmdb_distance as distance, ({later}) as later from ('
    || case when walked then 'select {columns}, {distance} as mmdb_distance from {rows} where {present} and {passes} '
                             'order by {walk} limit {walked}'
            else 'select {columns}, {distance} as mmdb_distance from measured p offset 0' end
    || ') p'
    || case when walked and not mmdb.is_quantized(declared) then ''
            else ' order by p.mmdb_distance, {columns} limit {depth}' end
    || ')', jsonb_build_object(
      'key', mmdb.plain_key_sql(declared.relation),
      'later', case when lefts = declared.relation then mmdb.after_sql(lefts, 'l.key') else 'false' end,
      'columns', k.ordering, 'rows', mmdb.searched_rows(declared), 'present', mmdb.present_sql(declared),
      'passes', passes, 'depth', depth, 'walked', depth * mmdb.oversampling(mmdb.is_quantized(declared)),
      'walk', coalesce(mmdb.walk_sql(declared, 'l.vector'), d.distance), 'distance', d.distance))
  from mmdb.key_sql(declared.relation) k,
       mmdb.distance_sql(declared, 'l.vector::' || declared.column_type,
                         case when walked then mmdb.vector_of(declared) else 'p.mmdb_vector' end) d(distance)
$$;
COMMENT ON FUNCTION mmdb.nearest_sql(declared mmdb.embeddings, lefts regclass, passes text, depth integer, walked boolean) IS 'The rows nearest to a row l of a table, with their distances, as a lateral FROM item; later: in one table, those with a later key.';
CREATE FUNCTION mmdb.neighbours(left_relation regclass, left_name text, right_relation regclass, right_name text, k integer DEFAULT 10, max_distance double precision DEFAULT NULL::double precision, filter jsonb DEFAULT NULL::jsonb, after text DEFAULT NULL::text, upto text DEFAULT NULL::text) RETURNS TABLE(left_key text, right_key text, distance double precision, rank bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  lefts constant mmdb.embeddings := mmdb.resolved(mmdb.embedding_of(left_relation, left_name));
  rights constant mmdb.embeddings := mmdb.resolved(mmdb.embedding_of(right_relation, right_name));
begin
  if lefts.model <> rights.model then
    raise exception 'embedding "%" of table % is of model "%", and "%" of table % of model "%"',
                    left_name, left_relation, lefts.model, right_name, right_relation, rights.model
      using errcode = 'datatype_mismatch',
            hint = 'vectors of two models cannot be compared: declare an embedding of the same model for both';
  end if;
  perform mmdb.check_pairs(rights, k, max_distance);
  return query
  select n.left_key, n.right_key, n.distance, n.rank
  from (select p.*, row_number() over (partition by p.left_key order by p.distance, p.right_key) as rank
        from mmdb.nearest_pairs(lefts, rights, k, filter, after, upto, null) p
        where left_relation <> right_relation or p.left_key <> p.right_key) n
  where n.rank <= k and (max_distance is null or n.distance <= max_distance);
end
$$;
COMMENT ON FUNCTION mmdb.neighbours(left_relation regclass, left_name text, right_relation regclass, right_name text, k integer, max_distance double precision, filter jsonb, after text, upto text) IS 'A join by likeness of two tables whose embeddings are of one model, which may be the same: for each row of the left the k nearest rows of the right, over the HNSW index of the right; k of them while k pass the filter and may be seen. Of one table with itself, without the row itself. The keys are texts: left_key::integer joins them. After and upto, keys of the left (see mmdb.page_end), cut a large join into pages.';
CREATE FUNCTION mmdb.new_partitions(declared mmdb.embeddings) RETURNS TABLE(partition regclass, since xid, command bigint, made_at_once boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select t.partition, t.since, t.command, t.made_at_once
  from mmdb.partition_triggers(declared) t
  where declared.attached_to = mmdb.attachment(declared.relation) and t.trigger <> all(declared.known_triggers)
    and pg_relation_size(t.partition) > 0
$$;
COMMENT ON FUNCTION mmdb.new_partitions(declared mmdb.embeddings) IS 'The partitions with rows that came since an embedding was declared or refreshed.';
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
CREATE FUNCTION mmdb.note_triggers(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;
COMMENT ON FUNCTION mmdb.note_triggers(declared mmdb.embeddings) IS 'Tell who declares an embedding which triggers its stores will fire.';
CREATE FUNCTION mmdb.on_change(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select case when declared.stale_column is null then 'unset' else 'keep' end $$;
COMMENT ON FUNCTION mmdb.on_change(declared mmdb.embeddings) IS 'What becomes of the vector of a row whose source changed: unset or keep.';
CREATE FUNCTION mmdb.open_loopback() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if 'mmdb_loopback' <> all(coalesce(public.dblink_get_connections(), '{}')) then
    perform mmdb.connect_loopback('mmdb_loopback');
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.open_loopback() IS 'Open this session''s connection back into the database, once.';
CREATE FUNCTION mmdb.orphans(schema_name text) RETURNS SETOF pg_proc
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select p.*
  from pg_proc p cross join lateral mmdb.made_for_id(p.oid) m(id)
  where p.pronamespace = schema_name::regnamespace and m.id is not null
    and pg_has_role(p.proowner, 'usage')
    and not exists (select from mmdb.embeddings e join pg_class c on c.oid = e.relation where e.id = m.id)
$$;
COMMENT ON FUNCTION mmdb.orphans(schema_name text) IS 'The functions of the caller''s that mmdb made for tables that are no more.';
CREATE FUNCTION mmdb.other_generation(serving mmdb.embeddings) RETURNS mmdb.embeddings
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  declared mmdb.embeddings;
begin
  select e.* into declared from mmdb.embeddings e where e.generation_of = serving.id;
  if declared.id is null then
    raise exception 'embedding "%" of table % has no other generation', serving.name, serving.relation
      using errcode = 'undefined_object',
            hint = case when serving.generation_of is not null then format('it is one itself: name the embedding %L',
                          (select e.name from mmdb.embeddings e where e.id = serving.generation_of))
                        else format('select mmdb.change_model(%L, %L, ''…'') begins one', serving.relation,
                                    serving.name) end;
  end if;
  return declared;
end
$$;
COMMENT ON FUNCTION mmdb.other_generation(serving mmdb.embeddings) IS 'The generation that waits to serve, or served before.';
CREATE FUNCTION mmdb.other_options(declaration jsonb) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_strip_nulls(declaration - array(select jsonb_object_keys(mmdb.column_options(null))))
$$;
COMMENT ON FUNCTION mmdb.other_options(declaration jsonb) IS 'The options for which mmdb.embeddings has no column of their own: it keeps them as they were given.';
CREATE FUNCTION mmdb.other_triggers(relation regclass) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select t.tgname::text from mmdb.own_triggers(relation) t where (t.tgtype & 1) <> 0 and (t.tgtype & 2) <> 0
$$;
COMMENT ON FUNCTION mmdb.other_triggers(relation regclass) IS 'The table''s own BEFORE UPDATE row triggers.';
CREATE FUNCTION mmdb.oversampling(by_signs boolean) RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $$ select case when by_signs then 8 else 1 end $$;
COMMENT ON FUNCTION mmdb.oversampling(by_signs boolean) IS 'How many rows of a walk are to be measured for each that is wanted.';
CREATE FUNCTION mmdb.own_columns() RETURNS TABLE(schema text, relation_name text, name text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
  select n.nspname::text, c.relname::text, a.attname::text
  from mmdb.embeddings e
  join pg_class c on c.oid = e.relation
  join pg_namespace n on n.oid = c.relnamespace
  cross join mmdb.columns_now(e) o
  join pg_attribute a on a.attrelid = e.relation and a.attnum > 0 and not a.attisdropped
    and (e.generation_of is not null and a.attname = o.column_name or a.attname = o.stale_column)
$$;
COMMENT ON FUNCTION mmdb.own_columns() IS 'The columns that mmdb made for itself: of generations that do not serve, and marks of stale rows.';
CREATE FUNCTION mmdb.own_indexes() RETURNS TABLE(schema text, name text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
  select n.nspname::text, i.relname::text
  from (
    select mmdb.serving_index(e, 'pending') from mmdb.embeddings e join pg_class c on c.oid = e.relation
    union all
    select mmdb.serving_index(e, 'hnsw') from mmdb.embeddings e join pg_class c on c.oid = e.relation
    where e.generation_of is not null
    union all
    select mmdb.made_index(w) from mmdb.keywords w
  ) made(oid)
  join pg_class i on i.oid = made.oid
  join pg_namespace n on n.oid = i.relnamespace
$$;
COMMENT ON FUNCTION mmdb.own_indexes() IS 'The indexes that mmdb made for itself: of pending rows, of keywords, of generations that do not serve.';
CREATE FUNCTION mmdb.own_triggers(relation regclass) RETURNS SETOF pg_trigger
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select t.*
  from pg_trigger t
  where t.tgrelid in (select relation union select i.relid from pg_partition_tree(relation) i)
    and not t.tgisinternal and t.tgfoid <> 'mmdb.unset_embedding'::regproc and (t.tgtype & 16) <> 0
$$;
COMMENT ON FUNCTION mmdb.own_triggers(relation regclass) IS 'The UPDATE triggers of a table and its partitions, but for ours.';
CREATE FUNCTION mmdb.page_end(relation regclass, after text DEFAULT NULL::text, count integer DEFAULT 1000) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET extra_float_digits TO '1'
    SET bytea_output TO 'hex'
    SET "TimeZone" TO 'UTC'
    AS $_$
declare
  keys constant record := mmdb.key_sql(relation);
  page_end text;
begin
  if count is null or count < 1 then
    raise exception 'a page of % rows', count
      using errcode = 'invalid_parameter_value', hint = 'count => 1000, for instance';
  end if;
  execute format('select s.key from (select %1$s as key, row_number() over (order by %2$s) as place from %3$s '
                 'where %4$s order by %2$s limit %5$s) s order by s.place desc limit 1',
                 mmdb.plain_key_sql(relation), keys.ordering, mmdb.rows_sql(relation),
                 case when after is null then 'true' else mmdb.after_sql(relation, '$1') end, count)
  into page_end using after;
  return page_end;
end
$_$;
COMMENT ON FUNCTION mmdb.page_end(relation regclass, after text, count integer) IS 'The key of the last of the `count` rows that follow the key `after` (of the first rows, where that is NULL); NULL where none follows. It cuts a large table into pages for mmdb.near_duplicates and mmdb.neighbours.';
CREATE FUNCTION mmdb.pairs(content text, singles boolean DEFAULT true) RETURNS text
    LANGUAGE sql IMMUTABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(case
           when left(r.run[1], 1) !~ ('[' || mmdb.unspaced() || ']') then r.run[1]
           when length(r.run[1]) = 1 then r.run[1]
           else left(substr(regexp_replace(r.run[1], '.', E'\\& \\&', 'g'), 3), -2)
                || case when singles then ' ' || array_to_string(string_to_array(r.run[1], null), ' ') else '' end
         end, ' ')
  -- No tsvector has room for the pairs of more.
  from regexp_matches(left(content, 1000000),
                      '[' || mmdb.unspaced() || ']+|[^' || mmdb.unspaced() || ']+', 'g') r(run)
$$;
COMMENT ON FUNCTION mmdb.pairs(content text, singles boolean) IS 'A text in which runs of characters without spaces are cut into overlapping pairs, and into singles as a document is; of a very long one its first million characters.';
CREATE FUNCTION mmdb.partition_drift(declared mmdb.embeddings) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;
COMMENT ON FUNCTION mmdb.partition_drift(declared mmdb.embeddings) IS 'Which partition came with vectors that nobody knows, with the remedy; NULL for none.';
CREATE FUNCTION mmdb.partition_drift_of(id bigint) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select mmdb.partition_drift(e) from mmdb.embeddings e where e.id = partition_drift_of.id $$;
COMMENT ON FUNCTION mmdb.partition_drift_of(id bigint) IS 'mmdb.partition_drift by an embedding''s id.';
CREATE FUNCTION mmdb.partition_index_statements(declared mmdb.embeddings, kind text) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with tree as (
    select t.relid, t.parentrelid, t.isleaf, t.level, n.nspname,
           mmdb.short_name(format('%s_%s', mmdb.index_name(declared, kind), case when t.level > 0 then c.relname end),
                           c.oid::bigint) as leaf_name,
           mmdb.index_name(declared, kind) as root_name
    from pg_partition_tree(mmdb.indexed_relation(declared)) t
    join pg_class c on c.oid = t.relid
    join pg_namespace n on n.oid = c.relnamespace
  ), named as (
    select t.*, case when t.level = 0 then t.root_name else t.leaf_name end as index_name from tree t
  ), statements(place, level, statement) as (
    select 1, n.level, format('drop index if exists %I.%I', n.nspname, n.index_name) from named n where n.level = 0
    union all
    select 2, n.level, format('create index %I on only %s %s', n.index_name, mmdb.relation_sql(n.relid),
                              mmdb.index_definition(declared, kind))
    from named n where not n.isleaf
    union all
    select 3, n.level, format('drop index concurrently if exists %I.%I', n.nspname, n.index_name) from named n
    where n.isleaf and n.level > 0
    union all
    select 4, n.level, format('create index concurrently %I on %s %s', n.index_name, mmdb.relation_sql(n.relid),
                              mmdb.index_definition(declared, kind))
    from named n where n.isleaf and n.level > 0
    union all
    select 5, -n.level, format('alter index %I.%I attach partition %I.%I', u.nspname, u.index_name,
                               n.nspname, n.index_name)
    from named n join named u on u.relid = n.parentrelid where n.level > 0
  )
  select s.statement from statements s order by s.place, s.level
$$;
COMMENT ON FUNCTION mmdb.partition_index_statements(declared mmdb.embeddings, kind text) IS 'The statements that build an index partition by partition.';
CREATE FUNCTION mmdb.partition_triggers(declared mmdb.embeddings) RETURNS TABLE(partition regclass, trigger oid, since xid, command bigint, made_at_once boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select t.tgrelid::regclass, t.oid, t.xmin, t.cmin::text::bigint, t.xmin::text = a.xmin::text
  from pg_partition_tree(declared.relation) l
  join pg_trigger t on t.tgrelid = l.relid and t.tgname = mmdb.trigger_name(declared.id)
  join pg_attribute a on a.attrelid = l.relid and a.attname = 'tableoid' and a.attnum < 0
  where l.isleaf and l.level > 0
$$;
COMMENT ON FUNCTION mmdb.partition_triggers(declared mmdb.embeddings) IS 'The triggers of an embedding on its partitions, with the transaction and the command in it that made each, and whether that transaction made the table too.';
CREATE FUNCTION mmdb.pass_template() RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select $body$
  if sha256(convert_to(pass::text, 'UTF8')) is distinct from {pass_hash} then
    raise exception 'this is not the pass of embedding %', {id} using errcode = 'insufficient_privilege';
  end if;$body$
$_$;
COMMENT ON FUNCTION mmdb.pass_template() IS 'The statement by which a generated function asks for its pass.';
CREATE FUNCTION mmdb.pending_of(declared mmdb.embeddings, ids text[], OUT pending bigint, OUT mine bigint, OUT failure text, OUT retried text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET extra_float_digits TO '1'
    SET bytea_output TO 'hex'
    SET "TimeZone" TO 'UTC'
    AS $_$
declare
  one_column constant boolean := (select count(*) = 1 from mmdb.key_columns(declared.relation));
  keys constant text[] := case when one_column then (select array_agg(array[i]::text) from unnest(ids) i) else ids end;
begin
  execute mmdb.filled($query$
    select count(*) filter (where f.final is not true), count(*) filter (where {state} = $2),
           min({says}) filter (where f.final), min({says}) filter (where not f.final)
    from {keys} {rows} {matches}
    left join mmdb.failures f on f.embedding = {id} and f.key_text = {key}
    where {pending}
  $query$, jsonb_build_object(
    'state', mmdb.row_state_sql(declared), 'rows', mmdb.stored_rows(declared), 'id', declared.id,
    'says', format('format(''row %%s of %%s cannot be embedded: %%s'', f.key_text, %L, f.error)', declared.relation),
    'keys', case when ids is null then '' else 'unnest($1) k(key) join' end,
    'matches', case when ids is null then '' else 'on ' || mmdb.key_matches(declared.relation, 'k.key') end,
    'key', (select s.expression from mmdb.key_sql(declared.relation) s), 'pending', mmdb.pending_sql(declared)))
  into pending, mine, failure, retried
  using keys, pg_current_xact_id_if_assigned()::xid::text;
end
$_$;
COMMENT ON FUNCTION mmdb.pending_of(declared mmdb.embeddings, ids text[], OUT pending bigint, OUT mine bigint, OUT failure text, OUT retried text) IS 'How many of these rows are pending, how many of them this transaction wrote, what failed, and what failed but is tried again.';
CREATE FUNCTION mmdb.pending_sql(declared mmdb.embeddings, alias text DEFAULT 'p.'::text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format(case when declared.stale_column is null then '%s is null and (%3$s)'
                     else '(%s is null or %s) and (%s)' end,
                mmdb.vector_of(declared, alias), mmdb.marked_sql(declared, alias),
                mmdb.says_sql(declared.relation, declared.sources, alias))
$_$;
COMMENT ON FUNCTION mmdb.pending_sql(declared mmdb.embeddings, alias text) IS 'The condition "this row waits to be embedded".';
CREATE FUNCTION mmdb.pending_template() RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select $body$
begin{pass}
  if after is null then
    return query select {key}, {state} from {rows}
      where {pending} order by {ordering} limit count;
  else
    return query select {key}, {state} from {rows}
      where {pending} and {later} order by {ordering} limit count;
  end if;
end
$body$
$_$;
COMMENT ON FUNCTION mmdb.pending_template() IS 'Page through the pending rows in key order, along the partial index.';
CREATE FUNCTION mmdb.pieces(described jsonb) RETURNS mmdb.search_pieces
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select p.* from jsonb_populate_record(null::mmdb.search_pieces, described) p $$;
COMMENT ON FUNCTION mmdb.pieces(described jsonb) IS 'The pieces of a search, as a generated function has them.';
CREATE FUNCTION mmdb.pieces_sql(pieces mmdb.search_pieces) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select format('mmdb.pieces(%L::jsonb)', jsonb_strip_nulls(to_jsonb(pieces))) $$;
COMMENT ON FUNCTION mmdb.pieces_sql(pieces mmdb.search_pieces) IS 'The pieces of a search, as they are written into a function.';
CREATE FUNCTION mmdb.place_trigger(declared mmdb.embeddings, columns text, condition text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.place_trigger(declared mmdb.embeddings, columns text, condition text) IS 'Put the trigger of an embedding in the place of the one before: on updates of these columns, under this condition.';
CREATE FUNCTION mmdb.plain_key_sql(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case count(*) when 1 then format('format(''%%s'', p.%I)', min(k.name))
              else (select s.expression from mmdb.key_sql(relation) s) end
  from mmdb.key_columns(relation) k
$$;
COMMENT ON FUNCTION mmdb.plain_key_sql(relation regclass) IS 'The SQL by which the key of row p is written for people.';
CREATE FUNCTION mmdb.plan_embedding(relation regclass, declaration jsonb, vector_type text DEFAULT 'halfvec'::text) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  planned mmdb.embeddings;
  chosen mmdb.models;
begin
  planned.relation := relation;
  planned.sources := mmdb.check_sources(relation, declaration -> 'sources');
  planned.source_numbers := mmdb.column_numbers(relation, planned.sources);
  -- Arrays of JSON and of PostgreSQL differ in their brackets, whatever is in them.
  planned.weights := translate(nullif(declaration -> 'weights', 'null')::text, '[]', '{}');
  planned.storage := declaration ->> 'storage';
  if planned.storage <> 'column' then
    raise exception 'storage "%" is not available', planned.storage
      using errcode = 'feature_not_supported',
            hint = 'this version stores embeddings in a column: storage => ''column''';
  end if;
  select s.modality, s.by_uri, s.modalities into planned.modality, planned.by_uri, planned.source_modalities
  from mmdb.describe_sources(relation, planned.source_numbers, declaration ->> 'modality', planned.weights) s;
  chosen := mmdb.check_model(coalesce(declaration ->> 'model', mmdb.setting('default_model'), 'lite'),
                             coalesce(planned.source_modalities, array[planned.modality]));
  planned.model := chosen.name;
  planned.index_options := mmdb.check_index_options(declaration -> 'index_options');
  perform mmdb.check_distance(planned, chosen.distance, declaration ->> 'distance');
  planned.kind := 'embedding';
  perform mmdb.check_choice(
    'columns', declaration ->> 'columns', array['all', 'without vectors'],
    'all: the table as it is; without vectors: what search functions return of a row has not the vector of this '
    'embedding');
  planned.options := mmdb.other_options(declaration);
  planned.attached_to := mmdb.attachment(relation);
  planned.source_expressions := mmdb.source_expressions(relation, planned.source_numbers);
  planned.created_at := now();
  planned.vector_type := vector_type;
  planned.dimensions := chosen.dimensions;
  planned := mmdb.plan_storage(mmdb.plan_names(planned, declaration));
  perform mmdb.key_sql(relation);
  return mmdb.plan_on_change(planned, declaration ->> 'on_change');
end
$$;
COMMENT ON FUNCTION mmdb.plan_embedding(relation regclass, declaration jsonb, vector_type text) IS 'Everything mmdb.add_embedding needs to know of a declaration with all its options, checked, before it changes anything.';
CREATE FUNCTION mmdb.plan_names(planned mmdb.embeddings, declaration jsonb) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  planned.name := coalesce(declaration ->> 'name', array_to_string(planned.sources, '_'));
  planned.relation_name := mmdb.relation_sql(planned.relation);
  select coalesce(declaration ->> 'prefix', c.relname), quote_ident(n.nspname)
  into planned.prefix, planned.function_schema
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = planned.relation;
  if exists (select from mmdb.embeddings e where e.relation = planned.relation and e.name = planned.name) then
    raise exception 'table % has an embedding "%" already', planned.relation, planned.name
      using errcode = 'duplicate_object',
            hint = format('mmdb.drop_embedding(%L, %L) removes it; another one needs a name => ''…''',
                          planned.relation, planned.name);
  end if;
  planned.id := nextval('mmdb.embeddings_id_seq');
  return planned;
end
$$;
COMMENT ON FUNCTION mmdb.plan_names(planned mmdb.embeddings, declaration jsonb) IS 'What the embedding is called, in which schema its functions stand and how their names begin.';
CREATE FUNCTION mmdb.plan_nodes(plan jsonb) RETURNS TABLE(node jsonb, expressions text[])
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  return query
    with recursive found(node) as (
      select plan -> 0 -> 'Plan'
      union all
      select c.child from found f cross join lateral jsonb_array_elements(f.node -> 'Plans') c(child)
    )
    select f.node, array(
      select jsonb_array_elements_text(f.node -> 'Output')
      union all
      select f.node ->> 'Order By' where f.node ? 'Order By')
    from found f;
  if exists (select from jsonb_path_query(plan, '$.** ? (@."Node Type" == "ModifyTable")')) then
    raise exception 'the statement writes' using errcode = 'invalid_parameter_value',
                                                 hint = 'mmdb.explain takes one SELECT';
  end if;
end
$_$;
COMMENT ON FUNCTION mmdb.plan_nodes(plan jsonb) IS 'The nodes of a plan, each with what it computes; refuse one that writes.';
CREATE FUNCTION mmdb.plan_of(statement text, path text) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    AS $_$
declare
  explained refcursor;
  plan json;
begin
  perform mmdb.check_explained(statement);
  perform set_config('search_path', path, true);
  open explained for execute pg_catalog.format('explain (verbose, costs off, format json) %s', statement);
  fetch explained into plan;
  close explained;
  return plan;
exception
  when invalid_cursor_definition then
    raise exception 'more than one statement is given'
      using errcode = 'invalid_parameter_value', hint = 'mmdb.explain takes one SELECT';
  when undefined_parameter then
    raise exception 'the statement has parameters'
      using errcode = 'undefined_parameter', hint = 'write their values into it: ''red shoes'' for $1';
end
$_$;
COMMENT ON FUNCTION mmdb.plan_of(statement text, path text) IS 'The plan of one SELECT under a search path, as PostgreSQL''s EXPLAIN writes it; it is not run.';
CREATE FUNCTION mmdb.plan_on_change(planned mmdb.embeddings, on_change text) RETURNS mmdb.embeddings
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.check_choice(
    'on_change', on_change, array['unset', 'keep'],
    'unset: a row whose source changed is not found until it is embedded; keep: it is found by its old vector');
  if on_change = 'keep' then
    planned.stale_column := planned.name || '_stale';
    if cardinality(planned.source_expressions) > 0 then
      raise exception 'on_change "keep" is not available over a generated column of table %', planned.relation
        using errcode = 'feature_not_supported', hint = 'embed the columns that it is made from, as ARRAY[…]';
    elsif (mmdb.filter_column(planned.relation, planned.stale_column)).attname is not null then
      raise exception 'table % has a column "%", by which stale rows were to be marked', planned.relation,
                      planned.stale_column
        using errcode = 'duplicate_column', hint = 'give another name => ''…''';
    end if;
  end if;
  return planned;
end
$$;
COMMENT ON FUNCTION mmdb.plan_on_change(planned mmdb.embeddings, on_change text) IS 'Enter into a planned embedding what becomes of a vector whose source changed.';
CREATE FUNCTION mmdb.plan_storage(planned mmdb.embeddings) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  planned.column_name := planned.name || '_embedding';
  planned.column_type := mmdb.column_type(planned.vector_type, planned.dimensions);
  perform mmdb.drop_orphans(planned.function_schema);
  perform mmdb.adopt_orphans(planned);
  perform mmdb.refresh_namesakes(planned.relation);
  perform mmdb.give_way(planned);
  perform mmdb.check_names(planned);
  planned.adopted := mmdb.check_column(planned);
  if planned.adopted then
    planned := mmdb.read_column(planned);
  end if;
  perform mmdb.check_indexable(planned);
  return planned;
end
$$;
COMMENT ON FUNCTION mmdb.plan_storage(planned mmdb.embeddings) IS 'Where the vectors are to stand: in a column that is to be made, or that is there.';
CREATE FUNCTION mmdb.poll_query(token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) RETURNS record
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select * from mmdb.poll_request(token) $$;
COMMENT ON FUNCTION mmdb.poll_query(token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) IS 'Loopback only: was mmdb.poll_request.';
CREATE FUNCTION mmdb.poll_request(token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  read_once boolean;
begin
  select q.embedding, q.answer, q.error, q.hash is null and q.answered_at is not null
    into embedding, answer, problem, read_once
  from mmdb.requests q where q.token = poll_request.token;
  if not found then
    problem := 'the question is gone: the server was restarted, or the cache was emptied';
  elsif read_once then
    delete from mmdb.requests q where q.token = poll_request.token;
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.poll_request(token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) IS 'Loopback only: the answer to one''s own request, NULL while it is not there.';
CREATE FUNCTION mmdb.post_query(asked_at text, model text, modality text, content text, data bytea, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) RETURNS record
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select * from mmdb.post_request(asked_at, 'embedding', model, content, data, null) $$;
COMMENT ON FUNCTION mmdb.post_query(asked_at text, model text, modality text, content text, data bytea, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) IS 'Loopback only: was mmdb.post_request.';
CREATE FUNCTION mmdb.post_request(place text, task text, model text, content text, data bytea, parameters jsonb, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  -- Without one a request is like no other.
  request_hash constant bytea := case when task = 'embedding' then mmdb.request_hash(content, data) end;
begin
  if place <> all(array[mmdb.here(false), mmdb.here(true)]) then
    problem := 'elsewhere';
    return;
  elsif pg_is_in_recovery() then
    problem := 'standby';
    return;
  end if;
  select q.token, q.embedding into token, embedding
  from mmdb.requests q
  where q.model = post_request.model and q.hash = request_hash and q.error is null;
  if embedding is not null then
    return;
  end if;
  if not exists (select from mmdb.worker_sessions w join mmdb.models m on m.name = post_request.model
                 where mmdb.serves(w, m) and w.id in (select mmdb.live_workers())) then
    problem := 'no worker';
    return;
  end if;
  if token is null then
    insert into mmdb.requests as q (task, model, hash, content, data, parameters)
    values (post_request.task, post_request.model, request_hash, post_request.content, post_request.data,
            post_request.parameters)
    on conflict on constraint requests_key do update
      set (token, asked_at, content, data, worker, error, answered_at)
        = (gen_random_uuid(), clock_timestamp(), excluded.content, excluded.data, null, null, null)
      where q.error is not null
    returning q.token into token;
  end if;
  if token is null then
    select q.token into token from mmdb.requests q where q.model = post_request.model and q.hash = request_hash;
  end if;
  -- Said again for a request that is already waiting: its worker may have died since.
  perform pg_notify('mmdb', model);
end
$$;
COMMENT ON FUNCTION mmdb.post_request(place text, task text, model text, content text, data bytea, parameters jsonb, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) IS 'Loopback only: ask a worker for something. Returns the vector if it is cached, else a token to poll with, else the problem.';
CREATE FUNCTION mmdb.present_sql(declared mmdb.embeddings, alias text DEFAULT 'p.'::text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select mmdb.vector_of(declared, alias) || ' is not null' $$;
COMMENT ON FUNCTION mmdb.present_sql(declared mmdb.embeddings, alias text) IS 'The condition "this row has a vector".';
CREATE FUNCTION mmdb.query_arguments(declared mmdb.embeddings) RETURNS TABLE(argument text, vector text, asked text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select case m.modality when 'text' then 'text' else 'bytea' end,
         format('(select mmdb.embed_for(%L::regclass, %L, $1)::%s)', mmdb.relation_sql(declared.relation),
                declared.name, t.name),
         'not mmdb.is_blank($1)'
  from unnest((select m.modalities from mmdb.models m where m.name = declared.model)) m(modality),
       mmdb.vector_type(declared) t(name)
  union all
  select mmdb.vector_type(declared), '$1', '$1 is not null'
$_$;
COMMENT ON FUNCTION mmdb.query_arguments(declared mmdb.embeddings) IS 'What the search functions of an embedding take, the vector that it becomes, and the condition that it is one.';
CREATE FUNCTION mmdb.query_vector(leg mmdb.leg, query text, images bytea[], weights jsonb) RETURNS public.vector
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  vectors real[][];
  factors double precision[];
  image bytea;
  combined public.vector;
  asked constant text := mmdb.model_of((leg.pieces).relation, leg.name);
  modalities constant text[] := (select m.modalities from mmdb.models m where m.name = asked);
begin
  if query is not null and 'text' = any(modalities) and mmdb.weight_of(weights, 'query') <> 0 then
    vectors := array[mmdb.embed(query, asked)::real[]];
    factors := array[mmdb.weight_of(weights, 'query')];
  end if;
  foreach image in array coalesce(images, '{}') loop
    if 'image' = any(modalities) and mmdb.weight_of(weights, 'image') <> 0 then
      vectors := vectors || array[mmdb.embed(image, asked)::real[]];
      factors := factors || mmdb.weight_of(weights, 'image');
    end if;
  end loop;
  if cardinality(factors) = 1 and factors[1] > 0 then
    return (array(select v from unnest(vectors) v))::real[]::public.vector;
  end if;
  combined := case when factors is not null then mmdb.weighted_vector(vectors, factors) end;
  if not mmdb.has_direction(combined) then
    raise exception 'the text and the pictures of the query cancel each other out in embedding "%"', leg.name
      using errcode = 'invalid_parameter_value', hint = 'weigh them otherwise: weights => ''{"image": 0.5}''';
  end if;
  return combined;
end
$$;
COMMENT ON FUNCTION mmdb.query_vector(leg mmdb.leg, query text, images bytea[], weights jsonb) IS 'What a leg looks for: the text and the pictures of a query that its model takes, combined by weight; NULL for none.';
CREATE FUNCTION mmdb.raise_problem(problem text, task text, model text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  embedding constant boolean := task = 'embedding';
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
  elsif problem = 'late' then
    raise exception 'no worker answered the % for model "%" in time', case when embedding then 'query' else task end,
                    model
      using errcode = 'query_canceled',
            hint = format('see `mmdb status`; the limit is %s',
                          case when embedding then 'mmdb.set_setting(''embed_timeout_ms'', …)' else 'timeout_ms' end);
  elsif problem is not null and embedding then
    raise exception 'the query could not be embedded by model "%": %', model, problem
      using errcode = 'data_exception';
  elsif problem is not null then
    raise exception 'the % by model "%" failed: %', task, model, problem using errcode = 'data_exception';
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.raise_problem(problem text, task text, model text) IS 'Turn what the loopback answered into an error with a remedy; NULL is no problem.';
CREATE FUNCTION mmdb.read_column(declared mmdb.embeddings) RETURNS mmdb.embeddings
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  select a.attnum, format_type(a.atttypid, a.atttypmod), t.typname, a.atttypmod
  into declared.column_number, declared.column_type, declared.vector_type, declared.dimensions
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  where a.attrelid = declared.relation and a.attname = declared.column_name and a.attnum > 0 and not a.attisdropped;
  return declared;
end
$$;
COMMENT ON FUNCTION mmdb.read_column(declared mmdb.embeddings) IS 'The embedding with the number, type and width that its column has.';
CREATE FUNCTION mmdb.readable_json(document json) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return document::jsonb;
exception when data_exception or program_limit_exceeded then
  return null;
end
$$;
COMMENT ON FUNCTION mmdb.readable_json(document json) IS 'A json as jsonb; NULL where that does not take it.';
CREATE FUNCTION mmdb.readers_of(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(distinct coalesce('view ' || r.ev_class::regclass, 'function ' || p.oid::regprocedure,
                                      'policy ' || quote_ident(y.polname)), ', ')
  from pg_depend d
  left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
  left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
  left join pg_policy y on d.classid = 'pg_policy'::regclass and y.oid = d.objid
  where d.refclassid = 'pg_class'::regclass and d.refobjid = declared.relation
    and d.refobjsubid = declared.column_number
    and coalesce(r.oid, p.oid, y.oid) is not null
$$;
COMMENT ON FUNCTION mmdb.readers_of(declared mmdb.embeddings) IS 'Views, functions with a parsed body and policies that read the column of an embedding; NULL for none.';
CREATE FUNCTION mmdb.recall(function regprocedure, samples jsonb DEFAULT NULL::jsonb) RETURNS TABLE(recall double precision, low double precision, high double precision, queries integer, short bigint, milliseconds double precision, exact_milliseconds double precision, index_scans bigint)
    LANGUAGE sql ROWS 1
    AS $$ select r.* from mmdb.recall_in(pg_catalog.current_setting('search_path'), function, samples) r $$;
COMMENT ON FUNCTION mmdb.recall(function regprocedure, samples jsonb) IS 'How many of the truly nearest rows a function with a LIMIT of its own finds, over sample calls (an array of arrays or objects of arguments; those of its contract where none are given), with an interval of 95 % confidence. The truth is the same function without vector indexes. short: samples that got fewer rows than there are. Milliseconds are medians. Kept in mmdb.recall_log.';
CREATE FUNCTION mmdb.recall_in(search_path text, function regprocedure, samples jsonb) RETURNS TABLE(recall double precision, low double precision, high double precision, queries integer, short bigint, milliseconds double precision, exact_milliseconds double precision, index_scans bigint)
    LANGUAGE plpgsql ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  query constant mmdb.stored_query := mmdb.stored_query(recall_in.function, recall_in.samples, recall_in.search_path);
  expected record;
  measured record;
  made mmdb.recalls;
begin
  perform from mmdb.run_samples(query);  -- texts are embedded, pages are in memory: as in use
  expected := mmdb.run_exact(query);
  measured := mmdb.measure(query, expected.answers);
  made := measured.made;
  made.exact_milliseconds := expected.milliseconds;
  perform mmdb.record_recall(made, measured.tables);
  return query
  select r.recall, r.low, r.high, made.samples, measured.short, r.milliseconds, r.exact_milliseconds, made.index_scans
  from mmdb.rounded(made) r;
end
$$;
COMMENT ON FUNCTION mmdb.recall_in(search_path text, function regprocedure, samples jsonb) IS 'mmdb.recall for a function whose body is read with this search_path.';
CREATE FUNCTION mmdb.recall_interval(hits bigint[], sizes bigint[], OUT recall double precision, OUT low double precision, OUT high double precision) RETURNS record
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with s as (
    select sum(h)::double precision / sum(z) as p, sum(z)::double precision as total,
           count(*)::double precision as queries
    from unnest(hits, sizes) u(h, z) where z > 0
  ), e as (
    select s.p, s.total / greatest(1, case when s.p > 0 and s.p < 1 and s.queries > 1 then
             s.queries / (s.queries - 1) * (select sum((h - s.p * z) ^ 2) from unnest(hits, sizes) u(h, z))
             / (s.total * s.p * (1 - s.p)) else 1 end) as n
    from s
  )
  select e.p, greatest(0, (e.p + z2 / (2 * e.n) - w) / (1 + z2 / e.n)),
         least(1, (e.p + z2 / (2 * e.n) + w) / (1 + z2 / e.n))
  from e cross join lateral (select 1.96 ^ 2, 1.96 * sqrt(e.p * (1 - e.p) / e.n + 1.96 ^ 2 / (4 * e.n ^ 2))) c(z2, w)
$$;
COMMENT ON FUNCTION mmdb.recall_interval(hits bigint[], sizes bigint[], OUT recall double precision, OUT low double precision, OUT high double precision) IS 'Recall over queries, and its interval of 95 % confidence.';
CREATE FUNCTION mmdb.recall_row(function regprocedure, OUT identity text, OUT distance text) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when d.name is not null then format('(r.%I)::real::text', d.name)
              when c.inexact is null then 'to_jsonb(r)::text'
              else format('(to_jsonb(r) - %L::text[])::text', c.inexact) end,
         case when d.name is null then 'null::double precision' else format('r.%I', d.name) end
  from (select array_agg(c.name) filter (where c.type in ('float4'::regtype, 'float8'::regtype)
                                         or c.name in ('ranks', '_ranks')) || '{}'
        from mmdb.result_columns(function) c having count(*) > 1) c(inexact)
  right join (select) one on true
  left join lateral (select c.name from mmdb.result_columns(function) c
                     where c.name in ('distance', '_distance') and c.type in ('float4'::regtype, 'float8'::regtype)
                     order by c.name desc limit 1) d on true
$$;
COMMENT ON FUNCTION mmdb.recall_row(function regprocedure, OUT identity text, OUT distance text) IS 'What makes two rows r of a function the same answer: their distance where they have one, else all but floating-point columns and ranks.';
CREATE FUNCTION mmdb.recommend(legs mmdb.leg[], keys text[], known text[], vectors public.vector[], liked integer, k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text, OUT fused_keys text[], OUT fused_scores double precision[], OUT ranks jsonb[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  deep constant integer := mmdb.search_depth(k, depth, diversity);
  disliked_weight constant double precision := mmdb.check_disliked(weights, legs);
  leg mmdb.leg;
  measure mmdb.leg;  -- the first embedding that takes part
  weight double precision;
  vector public.vector;
  found_keys text[] := '{}';
  found_scores double precision[] := '{}';
  found_ranks jsonb[] := '{}';
  wanted boolean := false;
begin
  perform mmdb.check_examples((legs[1].pieces).relation, keys, known, liked);
  perform mmdb.filter((legs[1].pieces).relation, filter) where filter is not null;
  for number in 1..cardinality(legs) loop
    leg := legs[number];
    weight := mmdb.weight_of(weights, leg.name);
    wanted := wanted or weight > 0;
    continue when weight = 0;
    vector := mmdb.example_vector(leg, vectors, number, liked, disliked_weight);
    continue when vector is null;
    measure := case when measure is null then leg else measure end;
    -- The examples, which are the nearest to themselves, make room for others.
    select found_keys || array_agg(f.key), found_scores || array_agg(weight / (60 + f.rank)),
           found_ranks || array_agg(jsonb_build_object(leg.name,
             jsonb_build_object('rank', f.rank, 'distance', mmdb.measured(f.distance),
                                'score', weight / (60 + f.rank))))
    into found_keys, found_scores, found_ranks
    from (select u.key, u.distance, row_number() over (order by u.place) as rank
          from mmdb.top(leg.pieces, vector, least(10000, deep + cardinality(known)), filter, within) t,
               unnest(t.keys, t.distances) with ordinality u(key, distance, place)
          where u.key <> all(known)) f
    where f.rank <= deep;
  end loop;
  if not wanted then
    raise exception 'there is nothing to search for'
      using errcode = 'invalid_parameter_value', hint = 'give an embedding a positive weight';
  elsif measure is null then
    perform mmdb.refuse_pending(legs, known, liked, weights);
  end if;
  select f.fused_keys, f.fused_scores, f.ranks into fused_keys, fused_scores, ranks
  from mmdb.fused(found_keys, found_scores, found_ranks, k, deep, measure, diversity, after) f;
end
$$;
COMMENT ON FUNCTION mmdb.recommend(legs mmdb.leg[], keys text[], known text[], vectors public.vector[], liked integer, k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text, OUT fused_keys text[], OUT fused_scores double precision[], OUT ranks jsonb[]) IS 'Keys, scores and reasons of the rows most like the first `liked` of the examples and unlike the others: what T_like and T_recommend return whole rows of.';
CREATE FUNCTION mmdb.recommend(legs mmdb.search_leg[], keys text[], known text[], vectors public.vector[], liked integer, k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text) RETURNS TABLE(key text, score double precision, ranks jsonb)
    LANGUAGE plpgsql STABLE ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_rows constant record := mmdb.recommend(mmdb.former_legs(legs), keys, known, vectors, liked, k, filter, within,
                                               weights, diversity, depth, after);
begin
  return query select u.key, u.score, u.ranks
               from unnest(found_rows.fused_keys, found_rows.fused_scores, found_rows.ranks) u(key, score, ranks);
end
$$;
COMMENT ON FUNCTION mmdb.recommend(legs mmdb.search_leg[], keys text[], known text[], vectors public.vector[], liked integer, k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text) IS 'mmdb.recommend for functions that an earlier mmdb made.';
CREATE FUNCTION mmdb.record_contract(made mmdb.recall_contracts) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if (select pg_has_role(session_user, p.proowner, 'member') from pg_proc p
      where p.oid = mmdb.function_called(made.function)) is not true then
    raise exception 'must be owner of function %', made.function using errcode = 'insufficient_privilege';
  end if;
  insert into mmdb.recall_contracts (function, target, samples, settings)
  values (made.function, made.target, made.samples, made.settings)
  on conflict (function) do update
    set (target, samples, settings, tuned_at, tuned_by)
      = (excluded.target, excluded.samples, excluded.settings, excluded.tuned_at, excluded.tuned_by);
end
$$;
COMMENT ON FUNCTION mmdb.record_contract(made mmdb.recall_contracts) IS 'Enter a contract, for the function''s owner only.';
CREATE FUNCTION mmdb.record_embedding(declared mmdb.embeddings, pass uuid DEFAULT NULL::uuid) RETURNS mmdb.embeddings
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.guard_owner(declared.relation);
  perform mmdb.check_record(declared);
  if exists (select from mmdb.embeddings e where e.id = declared.id and e.relation <> declared.relation) then
    raise exception 'embedding % belongs to another table', declared.id using errcode = 'insufficient_privilege';
  elsif not exists (select from mmdb.embeddings e where e.id = declared.id)
        and declared.pass_hash is distinct from sha256(convert_to(pass::text, 'UTF8')) then
    raise exception 'embedding % comes without its pass', declared.id using errcode = 'insufficient_privilege';
  end if;
  declared.known_triggers := array(select t.trigger from mmdb.partition_triggers(declared) t);
  insert into mmdb.embeddings select declared.*
  on conflict (id) do update
    set (sources, source_numbers, source_expressions, column_name, column_number, column_type, vector_type, dimensions,
         relation_name, prefix, function_schema,
         attached_to, index_options, column_place, stale_column, stale_number, known_triggers)
      = (excluded.sources, excluded.source_numbers, excluded.source_expressions, excluded.column_name,
         excluded.column_number, excluded.column_type, excluded.vector_type, excluded.dimensions,
         excluded.relation_name, excluded.prefix, excluded.function_schema, excluded.attached_to,
         excluded.index_options, excluded.column_place, excluded.stale_column, excluded.stale_number,
         excluded.known_triggers);
  -- Asked first: in a serializable transaction a conflict with what a worker has noted since is an error.
  insert into mmdb.progress (embedding) select declared.id
  where not exists (select from mmdb.progress p where p.embedding = declared.id) on conflict do nothing;
  insert into mmdb.passes select declared.id, pass where pass is not null on conflict do nothing;
  perform pg_notify('mmdb', '');
  return declared;
end
$$;
COMMENT ON FUNCTION mmdb.record_embedding(declared mmdb.embeddings, pass uuid) IS 'Enter an embedding into the catalogue, for the table''s owner only.';
CREATE FUNCTION mmdb.record_keywords(words mmdb.keywords) RETURNS mmdb.keywords
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.guard_owner(words.relation);
  insert into mmdb.keywords (relation, name, columns, language, index_name)
  values (words.relation, words.name, words.columns, words.language, words.index_name)
  returning * into words;
  return words;
end
$$;
COMMENT ON FUNCTION mmdb.record_keywords(words mmdb.keywords) IS 'Enter keywords into the catalogue, for the table''s owner only.';
CREATE FUNCTION mmdb.record_recall(made mmdb.recalls, tables regclass[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if has_function_privilege(session_user, mmdb.function_called(made.function), 'execute') is not true then
    raise exception 'permission denied for function %', made.function using errcode = 'insufficient_privilege';
  end if;
  insert into mmdb.recalls (function, by_owner, samples, recall, low, high, milliseconds, exact_milliseconds,
                            index_scans, settings, tables)
  values (made.function,
          (select pg_has_role(session_user, p.proowner, 'member') from pg_proc p
           where p.oid = mmdb.function_called(made.function)),
          made.samples, made.recall, made.low, made.high, made.milliseconds, made.exact_milliseconds,
          made.index_scans, made.settings,
          mmdb.table_changes(tables));
end
$$;
COMMENT ON FUNCTION mmdb.record_recall(made mmdb.recalls, tables regclass[]) IS 'Enter a measurement into the log, for who may call the function.';
CREATE FUNCTION mmdb.record_switch(serving bigint, other bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  former mmdb.embeddings;
  set_aside text;
begin
  perform mmdb.guard_owner(e.relation) from mmdb.embeddings e where e.id in (serving, other);
  select s.* into former from mmdb.embeddings s join mmdb.embeddings n on n.generation_of = s.id
  where s.id = record_switch.serving and n.id = record_switch.other;
  if former.id is null then
    raise exception 'these are not the generations of one embedding' using errcode = 'insufficient_privilege';
  end if;
  set_aside := mmdb.generation_name(former.name, former.model);
  update mmdb.embeddings e
  set name = set_aside, column_name = set_aside || '_embedding', generation_of = record_switch.other,
      switched_at = clock_timestamp(), column_place = null,
      stale_column = case when e.stale_number is not null then set_aside || '_stale' end
  where e.id = former.id;
  update mmdb.embeddings e
  set name = former.name, column_name = former.column_name, generation_of = null, switched_at = null,
      column_place = coalesce(former.column_place, former.column_number),
      stale_column = case when e.stale_number is not null then former.stale_column end
  where e.id = record_switch.other;
  perform pg_notify('mmdb', '');
end
$$;
COMMENT ON FUNCTION mmdb.record_switch(serving bigint, other bigint) IS 'Enter a switch of two generations, by their ids, into the catalogue: for the table''s owner only.';
CREATE FUNCTION mmdb.refresh(relation regclass) RETURNS SETOF mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
declare
  declared mmdb.embeddings;
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  perform mmdb.follow_table(relation);
  for declared in select e.* from mmdb.embeddings e where e.relation = refresh.relation order by e.id loop
    declared := mmdb.named_after_table(mmdb.resolved(declared));
    -- While the trigger did not guard the sources they may have changed unseen: all rows are pending.
    if mmdb.trigger_drift(declared) is not null then
      perform mmdb.unset_all(declared);
      declared.source_expressions := mmdb.source_expressions(relation, declared.source_numbers);
    end if;
    perform mmdb.make_trigger(declared);
    perform mmdb.make_worker_functions(declared);
    return next mmdb.record_embedding(declared);
  end loop;
  -- Only now that all are recorded: the columns that a search shows depend on the numbers of all of them.
  perform mmdb.make_search_views(e) from mmdb.embeddings e where e.relation = refresh.relation order by e.id;
  perform mmdb.make_table_functions(relation);
  perform mmdb.refresh_namesakes(relation);
end
$$;
COMMENT ON FUNCTION mmdb.refresh(relation regclass) IS 'Make the functions and triggers of a table''s embeddings again, after columns were added, renamed or dropped, or the table renamed. Grants on the search functions are kept, and so are views over them unless their columns changed. The functions of a table that was renamed or moved are called after its new name, unless a prefix was given. Where the trigger was missing or could be passed by, all rows are embedded again; those of a partition that was attached with vectors too.';
CREATE FUNCTION mmdb.refresh_namesakes(relation regclass) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.refresh(o.relation)
  from (select distinct e.relation from mmdb.embeddings e join pg_class c on c.oid = e.relation
        where e.relation <> refresh_namesakes.relation and pg_has_role(c.relowner, 'usage')
          and e.relation_name = mmdb.relation_sql(refresh_namesakes.relation)
          -- One whose functions are set aside is being refreshed: it is why this table is.
          and not exists (select from pg_proc p where starts_with(p.proname, '~mmdb_')
                                                  and mmdb.is_made_by(p.oid, e.id))) o
$$;
COMMENT ON FUNCTION mmdb.refresh_namesakes(relation regclass) IS 'Refresh tables of the caller''s that had the name of this one when their functions were made.';
CREATE FUNCTION mmdb.refuse_pending(legs mmdb.leg[], known text[], liked integer, weights jsonb) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  relation constant regclass := (legs[1].pieces).relation;
  names constant text := (select string_agg(format('"%s"', l.name), ', ') from unnest(legs) l
                          where mmdb.weight_of(weights, l.name) <> 0);
begin
  raise exception '% of table % is not embedded yet: %',
    case liked when 1 then format('row "%s"', array_to_string(known[1]::text[], ', '))
         else 'none of the liked rows' end, relation, names
    using errcode = 'object_not_in_prerequisite_state',
          hint = format('it waits for a worker, has nothing to embed, or a vector of zeros, which is like none: select '
                        'mmdb.wait_until_embedded(%L)', relation);
end
$$;
COMMENT ON FUNCTION mmdb.refuse_pending(legs mmdb.leg[], known text[], liked integer, weights jsonb) IS 'Say that the examples have no vectors yet.';
CREATE FUNCTION mmdb.refuse_problem(problem text, model text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ begin perform mmdb.raise_problem(problem, 'embedding', model); end $$;
COMMENT ON FUNCTION mmdb.refuse_problem(problem text, model text) IS 'Was mmdb.raise_problem.';
CREATE FUNCTION mmdb.relation_sql(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%I.%I', n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
$$;
COMMENT ON FUNCTION mmdb.relation_sql(relation regclass) IS 'The qualified, quoted name of a table, whatever the search path.';
CREATE FUNCTION mmdb.release_sources(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
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
COMMENT ON FUNCTION mmdb.release_sources(relation regclass) IS 'Before ALTER TABLE … ALTER COLUMN … TYPE of a source, which PostgreSQL refuses otherwise; mmdb.refresh comes after it, best in the same transaction. Vectors stay, as long as the texts do: where a USING changes what they say, set the vectors to NULL. In between a row that is updated, in whatever column, is embedded again.';
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
  delete from mmdb.requests q where q.model = remove_model.name;
end
$$;
COMMENT ON FUNCTION mmdb.remove_model(name text) IS 'Forget a model that no embedding uses, and the queries that it has embedded.';
CREATE FUNCTION mmdb.rename_made(object oid, name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  home constant text := (select format('%I', n.nspname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
                         where c.oid = object and c.relname = format('~mmdb_%s', object));
begin
  if home is null then
    execute format('alter function %s rename to %I', object::regprocedure, name);
  else
    -- An index needs no certain name.
    execute format('alter index %s rename to %I', object::regclass,
                   case when to_regclass(format('%s.%I', home, name)) is null then name
                        else format('%s_%s', left(name, 30), object) end);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.rename_made(object oid, name text) IS 'Give a function or an index that was set aside its name.';
CREATE FUNCTION mmdb.rename_storage(declared mmdb.embeddings, column_name text, stale_column text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  renaming constant text := format('alter table %s rename column %%I to %%I', mmdb.relation_sql(declared.relation));
begin
  execute format(renaming, declared.column_name, column_name);
  if declared.stale_column is not null then
    execute format(renaming, declared.stale_column, stale_column);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.rename_storage(declared mmdb.embeddings, column_name text, stale_column text) IS 'Give the place of the vectors another name.';
CREATE FUNCTION mmdb.report_drift(embedding bigint, drift text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  update mmdb.progress p set drift = report_drift.drift
  where p.embedding = report_drift.embedding and p.drift is distinct from report_drift.drift
$$;
COMMENT ON FUNCTION mmdb.report_drift(embedding bigint, drift text) IS 'Worker only: what went wrong with the whole embedding, NULL once it works again.';
CREATE FUNCTION mmdb.request(task text, model text, content text, data bytea, parameters jsonb, timeout_ms integer, OUT embedding real[], OUT answer jsonb) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  reply record;
  posted uuid;
  give_up constant timestamptz := clock_timestamp() + timeout_ms * interval '1 millisecond';
  polls integer := 0;
begin
  reply := mmdb.loopback(format(
    'select * from mmdb.post_request(%L, %L, %L, %L, %L, %L)',
    mmdb.here(pg_is_in_recovery()), task, model, content, data, parameters));
  posted := reply.token;
  while reply.embedding is null and reply.answer is null and reply.problem is null loop
    if clock_timestamp() > give_up then
      perform mmdb.raise_problem('late', task, model);
    end if;
    perform pg_sleep(case when polls < 10 then 0.0003 when polls < 40 then 0.001 else 0.01 end);
    polls := polls + 1;
    reply := mmdb.loopback(format('select null::uuid, p.* from mmdb.poll_request(%L) p', posted));
  end loop;
  perform mmdb.raise_problem(reply.problem, task, model);
  embedding := reply.embedding;
  answer := reply.answer;
end
$$;
COMMENT ON FUNCTION mmdb.request(task text, model text, content text, data bytea, parameters jsonb, timeout_ms integer, OUT embedding real[], OUT answer jsonb) IS 'Post a request, wait for a worker''s answer, return it: a vector for the task embedding, jsonb for any other.';
CREATE FUNCTION mmdb.request_hash(content text, data bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select sha256(coalesce(E'bytes\\000'::bytea || data, E'text\\000'::bytea || convert_to(content, 'UTF8')))
$$;
COMMENT ON FUNCTION mmdb.request_hash(content text, data bytea) IS 'The key of a text or of bytes in the cache: SHA-256, of which of the two it is too.';
CREATE FUNCTION mmdb.resolved(declared mmdb.embeddings) RETURNS mmdb.embeddings
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if declared.attached_to = mmdb.attachment(declared.relation) then
    declared.sources := mmdb.column_names(declared.relation, declared.source_numbers);
    declared.column_name := (mmdb.column_names(declared.relation, array[declared.column_number]))[1];
    declared.stale_column := (mmdb.column_names(declared.relation, array[declared.stale_number]))[1];
    if declared.column_name is null or (declared.stale_number is not null and declared.stale_column is null)
       or coalesce(cardinality(declared.sources), 0) < cardinality(declared.source_numbers) then
      raise exception 'a column of embedding "%" of table % was dropped', declared.name, declared.relation
        using errcode = 'undefined_column',
              hint = format('mmdb.drop_embedding(%L, %L) removes the rest', declared.relation, declared.name);
    end if;
  else
    declared.source_numbers := mmdb.column_numbers(declared.relation, declared.sources);
    declared.column_number := (mmdb.column_numbers(declared.relation, array[declared.column_name]))[1];
    if declared.stale_column is not null then
      declared.stale_number := (mmdb.column_numbers(declared.relation, array[declared.stale_column]))[1];
    end if;
    declared.source_expressions := mmdb.source_expressions(declared.relation, declared.source_numbers);
    declared.attached_to := mmdb.attachment(declared.relation);
    declared.column_place := null;
    declared.known_triggers := null;  -- all were made by the restore
  end if;
  return mmdb.read_column(declared);
end
$$;
COMMENT ON FUNCTION mmdb.resolved(declared mmdb.embeddings) IS 'The embedding with the names and numbers that its columns have now.';
CREATE FUNCTION mmdb.result_columns(function regprocedure) RETURNS TABLE(name text, type oid)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select a.name, a.type from pg_proc p
  cross join lateral unnest(p.proargnames, p.proargmodes, p.proallargtypes) a(name, mode, type)
  where p.oid = function and a.mode in ('o', 'b', 't')
  union all
  select a.attname, a.atttypid from pg_proc p join pg_type t on t.oid = p.prorettype
  join pg_attribute a on a.attrelid = t.typrelid
  where p.oid = function and a.attnum > 0 and not a.attisdropped
$$;
COMMENT ON FUNCTION mmdb.result_columns(function regprocedure) IS 'The columns of the rows that a function returns; none where they are single values.';
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
CREATE FUNCTION mmdb.rollback_model(relation regclass, name text, force boolean DEFAULT false) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  before constant mmdb.embeddings := mmdb.other_generation(mmdb.embedding_of(relation, name));
begin
  if before.switched_at is null then
    raise exception 'model "%" of embedding "%" has not served yet', before.model, name
      using errcode = 'object_not_in_prerequisite_state',
            hint = format('select mmdb.switch_model(%L, %L) has it serve', relation, name);
  end if;
  return mmdb.switch_model(relation, name, force);
end
$$;
COMMENT ON FUNCTION mmdb.rollback_model(relation regclass, name text, force boolean) IS 'Have the generation serve again that served before mmdb.switch_model.';
CREATE FUNCTION mmdb.rounded(made mmdb.recalls) RETURNS mmdb.recalls
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  made.recall := round(made.recall::numeric, 4);
  made.low := round(made.low::numeric, 4);
  made.high := round(made.high::numeric, 4);
  made.milliseconds := round(made.milliseconds::numeric, 2);
  made.exact_milliseconds := round(made.exact_milliseconds::numeric, 2);
  return made;
end
$$;
COMMENT ON FUNCTION mmdb.rounded(made mmdb.recalls) IS 'A measurement to the digits that mean something.';
CREATE FUNCTION mmdb.row_pieces(relation regclass) RETURNS mmdb.search_pieces
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  keys constant record := mmdb.key_sql(relation);
  pieces mmdb.search_pieces;
begin
  pieces.relation := relation;
  pieces.source := mmdb.rows_sql(relation);
  pieces.key := keys.expression;
  pieces.columns := keys.ordering;
  pieces.one_key := (select count(*) = 1 from mmdb.key_columns(relation));
  pieces.within := mmdb.within_sql(relation);
  return pieces;
end
$$;
COMMENT ON FUNCTION mmdb.row_pieces(relation regclass) IS 'The pieces of SQL by which a search reads rows of a table, whatever it looks for.';
CREATE FUNCTION mmdb.row_state_sql(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select 'p.xmin::text' $$;
COMMENT ON FUNCTION mmdb.row_state_sql(declared mmdb.embeddings) IS 'What fences a row between load and store.';
CREATE FUNCTION mmdb.rows_sql(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when c.relkind = 'r' then 'only ' else '' end || mmdb.relation_sql(relation) || ' p'
  from pg_class c where c.oid = relation
$$;
COMMENT ON FUNCTION mmdb.rows_sql(relation regclass) IS 'The rows of a table with its partitions, and without tables that inherit from it, as the FROM item p.';
CREATE FUNCTION mmdb.rrf_add(score double precision, rank bigint) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select score + coalesce(1.0 / (60 + rank), 0) $$;
COMMENT ON FUNCTION mmdb.rrf_add(score double precision, rank bigint) IS 'A step of mmdb.rrf(rank).';
CREATE FUNCTION mmdb.rrf_add(score double precision, rank bigint, weight double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select score + coalesce(weight / (60 + rank), 0) $$;
COMMENT ON FUNCTION mmdb.rrf_add(score double precision, rank bigint, weight double precision) IS 'A step of mmdb.rrf(rank, weight).';
CREATE FUNCTION mmdb.run_as_owner(declared mmdb.embeddings) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select count(*) = cardinality(mmdb.worker_verbs(declared.kind)) and bool_and(f.prosecdef and f.proowner = c.relowner)
  from pg_class c
  join pg_proc f on f.pronamespace = to_regnamespace(declared.function_schema)
   and f.proname in (select format('mmdb_%s_%s', v, declared.id) from unnest(mmdb.worker_verbs(declared.kind)) v)
  where c.oid = declared.relation
$$;
COMMENT ON FUNCTION mmdb.run_as_owner(declared mmdb.embeddings) IS 'Whether all worker functions of an embedding are there and run as the table''s owner.';
CREATE FUNCTION mmdb.run_exact(query mmdb.stored_query, OUT answers text[], OUT milliseconds double precision) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_indexscan TO 'off'
    SET enable_indexonlyscan TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
declare
  before constant bigint := (select sum(v.scans) from mmdb.vector_scans() v);
begin
  discard plans;
  select array_agg(r.answers::text order by r.place), percentile_cont(0.5) within group (order by r.milliseconds)
  into answers, milliseconds from mmdb.run_samples(query) r;
  if (select sum(v.scans) from mmdb.vector_scans() v) > before then
    raise exception 'function % reads a vector index even where index scans are off: there is nothing to '
                    'compare it with', query.function
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'it, or a function that it calls, sets enable_indexscan or enable_sort: reset that';
  end if;
  discard plans;
end
$$;
COMMENT ON FUNCTION mmdb.run_exact(query mmdb.stored_query, OUT answers text[], OUT milliseconds double precision) IS 'The true answer to each call, an array as text: no vector index is read, or it is an error.';
CREATE FUNCTION mmdb.run_samples(query mmdb.stored_query) RETURNS TABLE(place bigint, answers text[], ordered boolean, milliseconds double precision)
    LANGUAGE plpgsql ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  started timestamptz;
  distances double precision[];
begin
  for i in 1 .. cardinality(query.calls) loop
    perform set_config('search_path', query.search_path, true);
    started := clock_timestamp();
    execute format('select array_agg(%s), array_agg(%s) from %s r', query.identity, query.distance, query.calls[i])
    into answers, distances;
    milliseconds := 1000 * date_part('epoch', clock_timestamp() - started);
    perform set_config('search_path', 'pg_catalog, pg_temp', true);
    place := i;
    answers := coalesce(answers, '{}');
    -- An index compares rounded vectors: distances that are off by no more than that count as in order.
    ordered := (select bool_and(u.d >= coalesce(mmdb.measured(u.farthest - 0.001 * greatest(abs(u.farthest), 0.1)),
                                                u.farthest))
                from (select d, max(d) over (order by n)
                      from unnest(distances) with ordinality d(d, n)) u(d, farthest));
    if cardinality(answers) > 10000 then
      raise exception '% returned % rows', left(query.calls[i], 200), cardinality(answers)
        using errcode = 'invalid_parameter_value',
              hint = 'recall is measured of functions with a LIMIT of their own, of at most 10000 rows';
    end if;
    return next;
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.run_samples(query mmdb.stored_query) IS 'The answer to each call, whether it came in order of distance, and the time it took.';
CREATE FUNCTION mmdb.same_column_sql(relation regclass, number smallint, name text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('(select a.object_names[3] from pg_identify_object_as_address(''pg_class''::regclass, %L::regclass, '
                '%s) a) is not distinct from %L',
                mmdb.relation_sql(relation), number, name)
$$;
COMMENT ON FUNCTION mmdb.same_column_sql(relation regclass, number smallint, name text) IS 'The condition "the column of this number has this name now": as mmdb.latest_name, for functions that run as a table''s owner.';
CREATE FUNCTION mmdb.same_key_sql(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('exists (select from pg_index i where i.indrelid = %s and i.indisprimary and i.indisvalid '
                'and (select array_agg(a.attname::text order by k.place) from unnest(i.indkey::smallint[]) with '
                'ordinality k(number, place) '
                'join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number '
                'where k.place <= i.indnkeyatts) = %L::text[])',
                format('%L::regclass', mmdb.relation_sql(relation)), array_agg(k.name order by k.place)::text)
  from mmdb.key_columns(relation) k
$$;
COMMENT ON FUNCTION mmdb.same_key_sql(relation regclass) IS 'The condition "the primary key is made of the same columns as now".';
CREATE FUNCTION mmdb.sample_argument(argument jsonb, type oid) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  value text;
begin
  execute format('select quote_nullable(x.value::text) from jsonb_to_record($1) x(value %s)', format_type(type, null))
  into value using jsonb_build_object('value', argument);
  return format('%s::%s', value, format_type(type, null));
end
$_$;
COMMENT ON FUNCTION mmdb.sample_argument(argument jsonb, type oid) IS 'An argument of a sample as SQL of the parameter''s type.';
CREATE FUNCTION mmdb.sample_call(function regprocedure, sample jsonb, place bigint) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  called constant text := (select format('%I.%I', n.nspname, p.proname) from pg_proc p
                           join pg_namespace n on n.oid = p.pronamespace
                           where p.oid = function);
  types constant oid[] := (select p.proargtypes::oid[] from pg_proc p where p.oid = function);
  names constant text[] := array(
    select a.name
    from pg_proc p
    cross join lateral unnest(
      p.proargnames, coalesce(p.proargmodes, array_fill('i'::"char", array[cardinality(p.proargnames)]))
    ) with ordinality a(name, mode, place)
    where p.oid = function and a.mode in ('i', 'b', 'v') order by a.place);
  stranger text;
begin
  if jsonb_typeof(sample) = 'array' and jsonb_array_length(sample) <= cardinality(types) then
    return format('%s(%s)', called, (
      select string_agg(mmdb.sample_argument(e.value, types[array_lower(types, 1) + e.place::integer - 1]),
                        ', ' order by e.place)
      from jsonb_array_elements(sample) with ordinality e(value, place)));
  elsif jsonb_typeof(sample) = 'object' then
    stranger := (select k from jsonb_object_keys(sample) k where k <> all(names) limit 1);
    if stranger is null then
      return format('%s(%s)', called, (
        select string_agg(
          format('%I => %s', e.key, mmdb.sample_argument(
            e.value, types[array_lower(types, 1) + array_position(names, e.key) - 1])), ', ')
        from jsonb_each(sample) e));
    end if;
  end if;
  raise exception 'sample % is %, which are not arguments of %', place, left(sample::text, 100), function
    using errcode = 'invalid_parameter_value',
          hint = 'a sample is an array of arguments in order, or an object of arguments by name, which leaves those '
                 'with defaults out';
end
$$;
COMMENT ON FUNCTION mmdb.sample_call(function regprocedure, sample jsonb, place bigint) IS 'One sample as a call of the function.';
CREATE FUNCTION mmdb.sample_calls(function regprocedure, samples jsonb) RETURNS text[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if samples is null or jsonb_typeof(samples) <> 'array' or jsonb_array_length(samples) = 0 then
    raise exception 'there are no samples to measure function % with', function
      using errcode = 'invalid_parameter_value',
            hint = 'samples are an array of calls, as in: [["red shoes", 100], ["boots", 50]]';
  end if;
  return array(select mmdb.sample_call(function, s.sample, s.place)
               from jsonb_array_elements(samples) with ordinality s(sample, place) order by s.place);
end
$$;
COMMENT ON FUNCTION mmdb.sample_calls(function regprocedure, samples jsonb) IS 'The samples as calls of the function.';
CREATE FUNCTION mmdb.says_sql(relation regclass, sources text[], alias text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select string_agg(format(case when k.kind = 'text' then '%1$s%2$s <> '''''
                                when k.kind = 'text[]' then
                                  'case when array_ndims(%1$s) = 1 '
                                  'then cardinality(array_remove(array_remove(%1$s%3$s, null), '''')) > 0 '
                                  'else cardinality(%1$s) > 0 end'
                                when k.kind = 'enum[]' then
                                  'case when array_ndims(%1$s) = 1 '
                                  'then cardinality(array_remove(%1$s, null)) > 0 '
                                  'else cardinality(%1$s) > 0 end'
                                when k.kind = 'bytea' then '%1$s::bytea <> '''''
                                else '%1$s is not null' end,
                           format('%s%I', alias, s.name),
                           case when c.collisdeterministic is not false then '::text' else '::text collate "C"' end,
                           case when c.collisdeterministic is not false then '' else ' collate "C"' end),
                    ' or ' order by s.place)
  from unnest(sources) with ordinality s(name, place)
  left join pg_attribute a on a.attrelid = relation and a.attname = s.name
  left join pg_collation c on c.oid = a.attcollation
  cross join lateral (select mmdb.source_kind(a.atttypid)) k(kind)
$_$;
COMMENT ON FUNCTION mmdb.says_sql(relation regclass, sources text[], alias text) IS 'The condition "a source of this row holds something", not NULL, not empty and no list of nothing else.';
CREATE FUNCTION mmdb.scans(relation regclass, OUT rows real, OUT whole bigint, OUT read bigint, OUT by_index bigint) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select sum(greatest(c.reltuples, 0))::real, sum(s.seq_scan)::bigint, sum(s.seq_tup_read)::bigint,
         sum(s.idx_scan)::bigint
  from pg_class c left join pg_stat_user_tables s on s.relid = c.oid
  where c.relkind = 'r'
    and (c.oid = scans.relation or c.oid in (select t.relid from pg_partition_tree(scans.relation) t))
$$;
COMMENT ON FUNCTION mmdb.scans(relation regclass, OUT rows real, OUT whole bigint, OUT read bigint, OUT by_index bigint) IS 'The rows of a table, and how often it was read whole (and how many rows in all) and by an index since statistics began.';
CREATE FUNCTION mmdb.search(legs mmdb.leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer, diversity double precision DEFAULT 0, after text DEFAULT NULL::text, OUT keys text[], OUT scores double precision[], OUT ranks jsonb[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  leg mmdb.leg;
  vector public.vector;
  deep constant integer := mmdb.search_depth(k, depth, diversity);
  measure mmdb.leg;  -- the first embedding that takes part
  found_keys text[] := '{}';
  found_ranks bigint[] := '{}';
  found_nearness double precision[] := '{}';
  found_scores double precision[];
  found_how jsonb[] := '{}';
  found_legs text[] := '{}';
  names text[] := '{}';  -- of the embeddings
  weight double precision;
  nothing boolean := true;
begin
  perform mmdb.check_weights(coalesce(weights, '{}'), legs);
  -- Before anything is embedded.
  perform mmdb.filter((legs[1].pieces).relation, filter) where filter is not null;
  if mmdb.is_blank(query) or exists (select from unnest(images) i where mmdb.is_blank(i)) then
    query := case when not mmdb.is_blank(query) then query end;
    images := array(select i from unnest(images) i where not mmdb.is_blank(i));
    if query is null and images = '{}' then
      return;
    end if;
  end if;
  foreach leg in array legs loop
    weight := mmdb.weight_of(weights, leg.name);
    vector := null;
    if leg.matches is null then
      names := names || leg.name;
      vector := mmdb.query_vector(leg, query, images, weights);
    end if;
    if weight <> 0 and (vector is not null or (leg.matches is not null and query is not null
                                               and mmdb.weight_of(weights, 'query') > 0)) then
      nothing := nothing and weight < 0;
      measure := case when measure is null and vector is not null then leg else measure end;
      select found_keys || array_agg(f.key), found_ranks || array_agg(f.rank), found_nearness || array_agg(f.nearness),
             found_how || array_agg(f.how), found_legs || array_agg(leg.name)
      into found_keys, found_ranks, found_nearness, found_how, found_legs
      from mmdb.search_found(leg, query, vector, deep, filter, within) f;
    end if;
  end loop;
  if nothing then
    raise exception 'there is nothing to search for'
      using errcode = 'invalid_parameter_value',
            hint = 'give a query, an image, or both, that a leg with a positive weight takes';
  end if;
  select array_agg(f.key), array_agg(f.score),
         array_agg(jsonb_build_object(f.leg, f.how || jsonb_build_object('score', f.score)))
  into found_keys, found_scores, found_how
  from (
    select u.key, u.leg, u.how,
           mmdb.weight_of(weights, u.leg) / (60 + u.rank) * (0.1 + 0.9 * case
             when u.leg = any(names)
             then coalesce(u.nearness / nullif(max(u.nearness) over (partition by u.leg = any(names)), 0), 1) ^ 1.5
             else u.nearness end) as score
    from unnest(found_keys, found_ranks, found_nearness, found_how, found_legs) u(key, rank, nearness, how, leg)
  ) f;
  select f.fused_keys, f.fused_scores, f.ranks into keys, scores, ranks
  from mmdb.fused(found_keys, found_scores, found_how, k, deep, coalesce(measure, mmdb.first_embedding(legs)),
                  diversity, after) f;
end
$$;
COMMENT ON FUNCTION mmdb.search(legs mmdb.leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer, diversity double precision, after text, OUT keys text[], OUT scores double precision[], OUT ranks jsonb[]) IS 'Keys, scores and reasons of the rows that the legs find together: what T_search returns whole rows of.';
CREATE FUNCTION mmdb.search(legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer, diversity double precision DEFAULT 0, after text DEFAULT NULL::text) RETURNS TABLE(key text, score double precision, ranks jsonb)
    LANGUAGE plpgsql STABLE ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_rows constant record := mmdb.search(mmdb.former_legs(legs), query, images, k, filter, within, weights, depth,
                                            diversity, after);
begin
  return query select u.key, u.score, u.ranks
               from unnest(found_rows.keys, found_rows.scores, found_rows.ranks) u(key, score, ranks);
end
$$;
COMMENT ON FUNCTION mmdb.search(legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer, diversity double precision, after text) IS 'mmdb.search for functions that an earlier mmdb made.';
CREATE FUNCTION mmdb.search_body(declared mmdb.embeddings, vector text, asked text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select mmdb.filled($body$
  select {selected}, {distance} as {name}
  from {rows}
  where {present} and {asked}
$body$, jsonb_build_object(
    'selected', c.selected, 'distance', mmdb.distance_sql(declared, vector),
    'name', quote_ident(mmdb.distance_name(declared.relation)), 'rows', mmdb.searched_rows(declared),
    'present', mmdb.present_sql(declared), 'asked', asked))
  from mmdb.search_columns(declared.relation) c
$_$;
COMMENT ON FUNCTION mmdb.search_body(declared mmdb.embeddings, vector text, asked text) IS 'The one SELECT of a search view: no rows unless something is asked, which PostgreSQL looks at before it reads any.';
CREATE FUNCTION mmdb.search_call(relation regclass, has_text boolean, has_image boolean) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.table_call(mmdb.first_declared(search_call.relation), 'search')
  where has_table_privilege(search_call.relation, 'select') and exists (
    select from mmdb.embeddings e join mmdb.models m on m.name = e.model
    where e.relation = search_call.relation and e.generation_of is null
      and (has_text and 'text' = any(m.modalities) or has_image and 'image' = any(m.modalities)))
$$;
COMMENT ON FUNCTION mmdb.search_call(relation regclass, has_text boolean, has_image boolean) IS 'T_search of a table that the caller may read and that takes such a query; NULL for others.';
CREATE FUNCTION mmdb.search_columns(relation regclass, OUT definitions text, OUT selected text) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(format('%I %s', a.name, format_type(a.type, null)), ', ' order by a.place),
         string_agg(format('p.%I', a.name), ', ' order by a.place)
  from mmdb.shown_columns(relation) a
$$;
COMMENT ON FUNCTION mmdb.search_columns(relation regclass, OUT definitions text, OUT selected text) IS 'The columns of a table, as a search view declares and as it selects them.';
CREATE FUNCTION mmdb.search_depth(k integer, depth integer, diversity double precision) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if k is null or k not between 1 and 10000 then
    raise exception 'k is %, expected 1 to 10000', k using errcode = 'invalid_parameter_value';
  elsif depth < k then
    raise exception 'depth is %, less than k, which is %', depth, k using errcode = 'invalid_parameter_value';
  elsif diversity not between 0 and 1 then
    raise exception 'diversity is %, expected 0 to 1', diversity
      using errcode = 'invalid_parameter_value', hint = '0 orders by score alone; 0.3 is a good beginning';
  end if;
  return least(10000, coalesce(depth, greatest(40, 3 * k)));
end
$$;
COMMENT ON FUNCTION mmdb.search_depth(k integer, depth integer, diversity double precision) IS 'How many candidates each leg brings, the arguments checked.';
CREATE FUNCTION mmdb.search_found(leg mmdb.leg, query text, vector public.vector, depth integer, filter jsonb, within text[]) RETURNS TABLE(key text, rank bigint, nearness double precision, how jsonb)
    LANGUAGE plpgsql STABLE ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if leg.matches is not null then
    return query
    select f.key, f.rank,
           1 - count(*) over () / depth::double precision
               * coalesce(min(f.closeness) over () / nullif(f.closeness, 0), 1),
           jsonb_build_object('rank', f.rank, 'closeness', f.closeness)
    from mmdb.words_found(leg, query, filter, within, depth) f;
  else
    return query
    select f.key, f.place,
           coalesce((max(m.distance) over () - m.distance) / nullif(abs(max(m.distance) over ()), 0), 0),
           jsonb_build_object('rank', f.place, 'distance', m.distance)
    from mmdb.top(leg.pieces, vector, depth, filter, within) t,
         unnest(t.keys, t.distances) with ordinality f(key, distance, place), mmdb.measured(f.distance) m(distance);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.search_found(leg mmdb.leg, query text, vector public.vector, depth integer, filter jsonb, within text[]) IS 'The candidates of one leg, with rank, nearness and reason.';
CREATE FUNCTION mmdb.search_legs(relation regclass) RETURNS mmdb.leg[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array(select mmdb.embedding_leg(mmdb.resolved(e)) from mmdb.embeddings e
               where e.relation = search_legs.relation and e.generation_of is null order by e.name)
      || array(select mmdb.keywords_leg(w) from mmdb.keywords w where w.relation = search_legs.relation order by w.id)
$$;
COMMENT ON FUNCTION mmdb.search_legs(relation regclass) IS 'The legs of T_search: every embedding of the table, and its keywords.';
CREATE FUNCTION mmdb.search_name(prefix text, name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select prefix || '_by_' || name $$;
COMMENT ON FUNCTION mmdb.search_name(prefix text, name text) IS 'The name of an embedding''s search view.';
CREATE FUNCTION mmdb.search_pieces(declared mmdb.embeddings) RETURNS mmdb.search_pieces
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  pieces mmdb.search_pieces := mmdb.row_pieces(declared.relation);
begin
  pieces.source := mmdb.searched_rows(declared);
  pieces.vector := mmdb.vector_of(declared) || '::public.vector';
  pieces.distance := mmdb.distance_sql(declared, '$1::' || mmdb.vector_type(declared));
  pieces.walk := coalesce(mmdb.walk_sql(declared, '$1'), pieces.distance);
  pieces.present := mmdb.present_sql(declared);
  return pieces;
end
$_$;
COMMENT ON FUNCTION mmdb.search_pieces(declared mmdb.embeddings) IS 'The pieces of SQL that a search of this embedding is made of.';
CREATE FUNCTION mmdb.search_table_body(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select mmdb.found_body(relation, format(
    'mmdb.search(legs => %s, query => $1, images => case when $2 is null then $7 else array[$2] || $7 end, k => $3, '
    'filter => $4, within => $5::text[], weights => $6, depth => $8, diversity => $9, after => mmdb_after)',
    mmdb.legs_sql(mmdb.search_legs(relation))), array['keys', 'scores', 'ranks'], '$10')
$_$;
COMMENT ON FUNCTION mmdb.search_table_body(relation regclass) IS 'The body of T_search.';
CREATE FUNCTION mmdb.searched_rows(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select mmdb.rows_sql(declared.relation) $$;
COMMENT ON FUNCTION mmdb.searched_rows(declared mmdb.embeddings) IS 'The rows that a search reads, with their vectors, as a FROM item.';
CREATE FUNCTION mmdb.searches_in(plan jsonb) RETURNS TABLE(relation regclass, name text, searched text, vector text, advice text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    AS $$
  select e.relation, e.name, case when m.walks then 'by the index' else 'row by row' end, m.vector,
         case when m.vector = 'for each row' then
                'compute the vector once: (select mmdb.embed(…)); and where each row of another table is a query: '
                'lateral (select … order by distance limit k)'
              when m.walks then null
              when mmdb.is_quantized(e) then
                format('%s.%I walks the index of signs', e.function_schema, mmdb.top_name(e.prefix, e.name))
              when mmdb.serving_index(e, 'hnsw') is null then
                format('there is no HNSW index: mmdb add %s %s', e.relation, array_to_string(e.sources, ' '))
              when not m.ordered then 'end it in: order by distance limit k'
              else 'PostgreSQL takes it for cheaper, which it is where few rows pass; it orders by the index where '
                   'the distance comes first and ascends' end
  from mmdb.measured_rows(plan) m join mmdb.embeddings e on e.id = m.embedding
  union
  select e.relation, e.name,
         case p.proname when mmdb.search_name(e.prefix, e.name) then 'row by row' else 'by the function' end, 'once',
         case when p.proname = mmdb.search_name(e.prefix, e.name) then
           format('PostgreSQL does not inline a search view of which an argument is a sub-query or volatile, and so '
                  'measures every row: %s.%I(…, k); for the like of a row %s(key, k); or from (select …) q(query), '
                  'lateral (select … from %s.%I(q.query) order by distance limit k) s',
                  e.function_schema, mmdb.top_name(e.prefix, e.name), mmdb.table_call(e, 'like'), e.function_schema,
                  p.proname) end
  from mmdb.plan_nodes(plan) n
  join pg_namespace s on s.nspname = n.node ->> 'Schema'
  join pg_proc p on p.pronamespace = s.oid and p.proname = n.node ->> 'Function Name'
  join mmdb.embeddings e on mmdb.is_made_by(p.oid, e.id)
  where n.node ->> 'Node Type' = 'Function Scan'
$$;
COMMENT ON FUNCTION mmdb.searches_in(plan jsonb) IS 'The searches in a plan, and what could be better about each.';
CREATE FUNCTION mmdb.seen_statements() RETURNS TABLE(query text, calls bigint, milliseconds double precision)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  place constant text := (select quote_ident(n.nspname) from pg_extension e
                          join pg_namespace n on n.oid = e.extnamespace
                          where e.extname = 'pg_stat_statements');
begin
  if place is not null then
    return query execute format(
      'select s.query, sum(s.calls)::bigint, sum(s.total_exec_time) from %s.pg_stat_statements s '
      'where s.dbid = (select d.oid from pg_database d where d.datname = current_database()) and s.query is not null '
      'group by s.query', place);
  end if;
exception when object_not_in_prerequisite_state or insufficient_privilege or undefined_column or undefined_table then
  return;  -- not preloaded, or not for us to read: nothing is known then
end
$$;
COMMENT ON FUNCTION mmdb.seen_statements() IS 'What pg_stat_statements has counted in this database; no row where it is not there to be read.';
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
    AS $$
  select exists (select from unnest(worker.models, worker.identities) s(name, identity)
                 where (s.name, s.identity) = (model.name, model.identity))
$$;
COMMENT ON FUNCTION mmdb.serves(worker mmdb.worker_sessions, model mmdb.models) IS 'Whether a worker has loaded this very model.';
CREATE FUNCTION mmdb.serving_index(declared mmdb.embeddings, kind text) RETURNS regclass
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select i.indexrelid::regclass
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
  join pg_am m on m.oid = c.relam
  join pg_attribute a on a.attrelid = i.indrelid and a.attname = declared.column_name
  where i.indrelid = mmdb.indexed_relation(declared) and i.indisvalid
    and case when kind = 'pending' then m.amname = 'btree'
               and position(format('(%I IS NULL)', a.attname) in pg_get_expr(i.indpred, i.indrelid)) > 0
             else m.amname = 'hnsw' and i.indpred is null
               and i.indkey[0] = case when mmdb.is_quantized(declared) then 0 else a.attnum end end
    and exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                  and d.refobjid = i.indrelid and d.refobjsubid = a.attnum)
  order by i.indexrelid limit 1
$$;
COMMENT ON FUNCTION mmdb.serving_index(declared mmdb.embeddings, kind text) IS 'A valid index that serves this embedding, NULL where there is none.';
CREATE FUNCTION mmdb.set_aside(function regprocedure, schema_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  execute format('alter function %s rename to %I', function, format('~mmdb_%s', function::oid));
  if (select p.pronamespace <> schema_name::regnamespace from pg_proc p where p.oid = function) then
    execute format('alter function %s set schema %s', function, schema_name);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.set_aside(function regprocedure, schema_name text) IS 'Move a function to a schema, under a name that nothing else has.';
CREATE FUNCTION mmdb.set_setting(name text, value text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;
COMMENT ON FUNCTION mmdb.set_setting(name text, value text) IS 'Set one of: default_model, embed_timeout_ms (how long mmdb.embed waits), query_cache_rows, query_max_bytes, max_attempts.';
CREATE FUNCTION mmdb.set_vector_sql(declared mmdb.embeddings, vector text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%I = %s', declared.column_name, vector)
         || case when declared.stale_column is null then '' else format(', %I = false', declared.stale_column) end
$$;
COMMENT ON FUNCTION mmdb.set_vector_sql(declared mmdb.embeddings, vector text) IS 'What an update that stores a vector sets.';
CREATE FUNCTION mmdb.setting(name text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select s.value from mmdb.settings s where s.name = setting.name
$$;
COMMENT ON FUNCTION mmdb.setting(name text) IS 'The value of one setting of this installation, NULL where it has none.';
CREATE FUNCTION mmdb.settings_of(function regprocedure) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(array_agg(c.setting order by c.setting), '{}')
  from pg_proc p cross join lateral unnest(p.proconfig) c(setting)
  where p.oid = function and split_part(c.setting, '=', 1) = any(mmdb.tuned_settings())
$$;
COMMENT ON FUNCTION mmdb.settings_of(function regprocedure) IS 'The search settings that are attached to a function.';
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
CREATE FUNCTION mmdb.shell_word(word text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select case when word ~ '^[A-Za-z0-9_.,:/-]+$' then word else '''' || replace(word, '''', E'''\\''''') || '''' end
$_$;
COMMENT ON FUNCTION mmdb.shell_word(word text) IS 'A text as one argument in a shell.';
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
CREATE FUNCTION mmdb.shown_columns(relation regclass) RETURNS TABLE(place bigint, name text, type oid)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with made as (
    select e.generation_of, c.column_name, c.stale_column, e.options ->> 'columns' = 'without vectors' as left_out,
           case when e.attached_to = mmdb.attachment(e.relation) then e.column_place end as column_place
    from mmdb.embeddings e cross join mmdb.columns_now(e) c
    where e.relation = shown_columns.relation
  )
  select row_number() over (order by coalesce(m.column_place, a.attnum)), a.attname, a.atttypid
  from pg_attribute a
  left join made m on m.column_name = a.attname
  where a.attrelid = shown_columns.relation and a.attnum > 0 and not a.attisdropped and m.generation_of is null
    and m.left_out is not true and not exists (select from made s where s.stale_column = a.attname)
$$;
COMMENT ON FUNCTION mmdb.shown_columns(relation regclass) IS 'The columns that search functions return, in their order.';
CREATE FUNCTION mmdb.signature(function regprocedure) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select function::text $$;
COMMENT ON FUNCTION mmdb.signature(function regprocedure) IS 'A function''s qualified name and argument types: how contracts know it.';
CREATE FUNCTION mmdb.signs_sql(declared mmdb.embeddings, vector text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select format('public.binary_quantize(%s)::bit(%s)', vector, declared.dimensions) $$;
COMMENT ON FUNCTION mmdb.signs_sql(declared mmdb.embeddings, vector text) IS 'The signs of a vector, a bit for each number.';
CREATE FUNCTION mmdb.source_expressions(relation regclass, numbers smallint[]) RETURNS oid[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(array_agg(f.oid order by f.adnum), '{}')
  from pg_attrdef f join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
  where f.adrelid = relation and a.attgenerated <> '' and a.attnum = any(numbers)
$$;
COMMENT ON FUNCTION mmdb.source_expressions(relation regclass, numbers smallint[]) IS 'The generation expressions of these columns, as numbers of pg_attrdef.';
CREATE FUNCTION mmdb.source_kind(type oid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when t.typcategory = 'S' then 'text'
              when t.typtype = 'e' then 'enum'
              when t.typcategory = 'A' and e.typcategory = 'S' then 'text[]'
              when t.typcategory = 'A' and e.typtype = 'e' then 'enum[]'
              else format_type(t.oid, null) end
  from pg_type t left join pg_type e on e.oid = t.typelem
  where t.oid = mmdb.base_type(source_kind.type)
$$;
COMMENT ON FUNCTION mmdb.source_kind(type oid) IS 'What a column of this type is to a model: text, enum, a list of either, or, as nothing that a text is made of, the type itself.';
CREATE FUNCTION mmdb.source_modality(relation regclass, numbers smallint[], wanted text, OUT modality text, OUT by_uri boolean) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  types text[];
  label constant text := format('%s.%s', relation, array_to_string(mmdb.column_names(relation, numbers), ', '));
begin
  if exists (select from pg_attribute a where a.attrelid = relation and a.attnum = any(numbers)
                                          and a.attgenerated = 'v') then
    raise exception 'source % is a virtual generated column', label
      using errcode = 'feature_not_supported', hint = 'declare it STORED, or embed the columns that it is made from';
  end if;
  select array_agg(distinct mmdb.source_kind(a.atttypid)) into types
  from pg_attribute a where a.attrelid = relation and a.attnum = any(numbers);
  modality := coalesce(wanted, case types when '{bytea}' then 'image' else 'text' end);
  by_uri := modality = 'image' and types = '{text}';
  if modality not in ('text', 'image') then
    raise exception 'unknown modality "%"', modality
      using errcode = 'invalid_parameter_value', hint = 'modalities: text, image';
  elsif modality = 'text' and not types <@ '{text,text[],enum,enum[]}'
        or modality = 'image' and types not in ('{text}', '{bytea}') then
    raise exception 'source % has type %, which does not hold modality "%"', label,
                    array_to_string(types, ', '), modality
      using errcode = 'datatype_mismatch',
            hint = case when types = '{bytea,text}' then
                          'give each source a weight, as in weights => ''{0.7,0.3}'', or declare an embedding for '
                          'each of them'
                        else 'text is embedded from text columns, enums and arrays of these, an image from a bytea '
                             'column or from a text column that holds its URI' end;
  elsif modality = 'image' and cardinality(numbers) > 1 then
    raise exception 'an image is embedded from one column, not from %', label
      using errcode = 'invalid_parameter_value',
            hint = case when by_uri then 'declare an embedding for each of them'
                        else 'give each source a weight, as in weights => ''{0.7,0.3}'', or declare an embedding for '
                             'each of them' end;
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.source_modality(relation regclass, numbers smallint[], wanted text, OUT modality text, OUT by_uri boolean) IS 'What the sources hold (text or image) and whether they hold it by URI.';
CREATE FUNCTION mmdb.sources_sql(sources text[]) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case cardinality(sources) when 1 then quote_literal(sources[1])
              else 'array[' || (select string_agg(quote_literal(s.name), ', ' order by s.place)
                                from unnest(sources) with ordinality s(name, place)) || ']' end
$$;
COMMENT ON FUNCTION mmdb.sources_sql(sources text[]) IS 'Sources as an argument of mmdb.add_embedding.';
CREATE FUNCTION mmdb.stale_sql(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.marked_sql(declared)
         || case when declared.stale_column is null then '' else ' and ' || mmdb.present_sql(declared) end
$$;
COMMENT ON FUNCTION mmdb.stale_sql(declared mmdb.embeddings) IS 'The condition "this row is found by the vector of an earlier source".';
CREATE FUNCTION mmdb.standing_failures(declared mmdb.embeddings, keys text[], states text[], hashes bytea[]) RETURNS SETOF text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET extra_float_digits TO '1'
    SET bytea_output TO 'hex'
    SET "TimeZone" TO 'UTC'
    AS $_$
begin
  if not mmdb.trusts_owner(declared.relation) then
    return query select unnest(keys);
    return;
  end if;
  return query execute mmdb.filled(
    'select k.key from unnest($1, $2, $3) k(key, state, hash) join {rows} on {matches} where {pending} and {unchanged}',
    jsonb_build_object(
      'rows', mmdb.stored_rows(declared), 'matches', mmdb.key_matches(declared.relation, 'k.key'),
      'pending', mmdb.pending_sql(declared), 'unchanged', mmdb.unchanged_sql(declared, 'k')))
  using keys, states, hashes;
exception when undefined_column or undefined_table or insufficient_privilege or undefined_object
  or object_not_in_prerequisite_state or invalid_text_representation then
  return query select unnest(keys);
end
$_$;
COMMENT ON FUNCTION mmdb.standing_failures(declared mmdb.embeddings, keys text[], states text[], hashes bytea[]) IS 'Which of these failures, by the keys of their rows, are of the source that the row still has.';
CREATE FUNCTION mmdb.start_worker(host text, pid integer, version text, models text[], identities text[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made integer;
begin
  perform mmdb.guard_session();
  -- Anybody may take an advisory lock: where somebody holds the lock of a number, the worker takes the next number.
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
  update mmdb.leases l set worker = null, expires_at = null, retry_at = clock_timestamp()
  where l.worker = stop_worker.worker;
  delete from mmdb.worker_sessions w where w.id = stop_worker.worker;
$$;
COMMENT ON FUNCTION mmdb.stop_worker(worker integer) IS 'A worker leaves: what it held is free at once.';
CREATE FUNCTION mmdb.storage_parameters(options jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(' with (' || string_agg(format('%I = %s', o.key, o.value::integer), ', ' order by o.key) || ')', '')
  from jsonb_each_text(options - array['type', 'quantization']) o
$$;
COMMENT ON FUNCTION mmdb.storage_parameters(options jsonb) IS 'The storage parameters of an HNSW index as a clause of create index.';
CREATE PROCEDURE mmdb.store_near_duplicates(IN relation regclass, IN name text, IN max_distance double precision, IN target text, IN neighbours integer DEFAULT 10, IN batch integer DEFAULT 1000)
    LANGUAGE plpgsql
    AS $_$
declare
  made constant text := mmdb.table_name(target);
  progress constant text := mmdb.table_name(target, '_progress');
  wanted constant text := pg_catalog.format('%s "%s" within %s, %s neighbours',
                                            mmdb.relation_sql(relation), name, max_distance, neighbours);
  begun text;
  last text;
  page_end text;
begin
  perform mmdb.check_pairs(mmdb.embedding_of(relation, name), neighbours, coalesce(max_distance, 'NaN'));
  if pg_catalog.to_regclass(progress) is null then
    execute pg_catalog.format('create table %s (key_a text, key_b text, distance double precision not null, '
                              'primary key (key_a, key_b))', made);
    execute pg_catalog.format('create table %s as select %L::text as search, null::text as after', progress, wanted);
  end if;
  execute pg_catalog.format('select search, after from %s', progress) into begun, last;
  perform mmdb.check_resumed(target, begun, wanted);
  loop
    page_end := mmdb.page_end(relation, last, batch);
    exit when page_end is null;
    execute pg_catalog.format('insert into %s select * from mmdb.near_duplicates($1, $2, $3, $4, $5, $6) '
                              'on conflict do nothing', made)
      using relation, name, max_distance, neighbours, last, page_end;
    execute pg_catalog.format('update %s set after = $1', progress) using page_end;
    commit;
    last := page_end;
  end loop;
  execute pg_catalog.format('drop table %s', progress);
end
$_$;
COMMENT ON PROCEDURE mmdb.store_near_duplicates(IN relation regclass, IN name text, IN max_distance double precision, IN target text, IN neighbours integer, IN batch integer) IS 'Write mmdb.near_duplicates into a new table `target` (key_a, key_b, distance), page by page, each in its own transaction: for tables of millions of rows. Called again after an interruption it goes on where it was; that is kept in the table TARGET_progress, which goes in the end. Not inside a transaction.';
CREATE FUNCTION mmdb.store_template() RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select $body$
declare
  has_code constant boolean := {has_code};
  held text[];
  wanted text[];
  rewritten text[];
  rewritten_to bytea[];
begin{pass}
  select array_agg(l.key), array_agg(l.key) filter (where l.waits) into held, wanted
  from (select k.key, {pending} and public.l2_norm(k.embedding) > 0 and {unchanged} as waits
        from unnest(keys, states, hashes, embeddings) k(key, state, hash, embedding) join {rows} on {matches}
        order by {ordering} {lock}) l;
  if not {same_key} then
    raise exception 'the primary key of table % is another one than it was', {relation}
      using errcode = 'object_not_in_prerequisite_state', hint = {refresh};
  elsif not {same_column} then
    raise exception 'the model was switched meanwhile' using errcode = 'serialization_failure';
  end if;
  if has_code then
    perform pg_catalog.set_config('search_path', {usual_path}, true);
  end if;
  update {rows} set {set_vector} from unnest(keys, embeddings) k(key, embedding)
  where {matches} and k.key operator(pg_catalog.=) any(wanted);
  -- A deferred trigger would otherwise run at commit, as the worker.
  set constraints all immediate;
  if has_code then
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    select array_agg(k.key), array_agg({hash}) into rewritten, rewritten_to
    from unnest(keys, hashes) k(key, hash) join {rows} on {matches}
    where k.key = any(wanted) and {hash} is distinct from k.hash;
    perform pg_catalog.set_config('search_path', {usual_path}, true);
    update {rows} set {unset_vector} from pg_catalog.unnest(rewritten) k(key) where {matches};
    set constraints all immediate;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  end if;
  return query
  select k.key,
         case when {state} is null then 'changed'
              when k.key = any(wanted) is not true then
                case when k.key = any(held) then 'changed' else 'locked' end
              when not has_code then 'stored'
              when r.key is not null then case when {hash} is distinct from r.hash then 'rewritten' else 'changed' end
              when {embedded} then 'stored'
              else 'undone' end,
         {state}
  from unnest(keys) k(key) left join {rows} on {matches} left join unnest(rewritten, rewritten_to) r(key, hash)
    on r.key = k.key;
end
$body$
$_$;
COMMENT ON FUNCTION mmdb.store_template() IS 'Store vectors where the source is still what was embedded; say of every key what became of it, and what state its row has now.';
CREATE FUNCTION mmdb.stored_query(function regprocedure, samples jsonb, search_path text) RETURNS mmdb.stored_query
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  stored mmdb.stored_query;
begin
  perform mmdb.check_stored_query(function);
  stored.function := function;
  stored.calls := mmdb.sample_calls(function, coalesce(samples, mmdb.contract_samples(function)));
  select r.identity, r.distance into stored.identity, stored.distance from mmdb.recall_row(function) r;
  stored.search_path := search_path;
  return stored;
end
$$;
COMMENT ON FUNCTION mmdb.stored_query(function regprocedure, samples jsonb, search_path text) IS 'What it takes to run a function over samples; without samples those of its contract.';
CREATE FUNCTION mmdb.stored_rows(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select mmdb.rows_sql(declared.relation) $$;
COMMENT ON FUNCTION mmdb.stored_rows(declared mmdb.embeddings) IS 'The rows that a derivation covers, with their sources and vectors, as a FROM item; also what a store updates.';
CREATE FUNCTION mmdb.swap_index_names(serving regclass, other regclass, set_aside text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  name constant text := (select c.relname from pg_class c where c.oid = serving);
begin
  if serving is not null and other is not null then
    execute format('alter index %s rename to %I', serving, mmdb.short_name('~' || name, serving::oid::bigint));
    execute format('alter index %s rename to %I', other, name);
    execute format('alter index %s rename to %I', serving, set_aside);
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.swap_index_names(serving regclass, other regclass, set_aside text) IS 'Give the name of one index to another, and set the first aside.';
CREATE FUNCTION mmdb.sweep() RETURNS TABLE(embedding bigint, pass uuid, schema text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.guard_session();
  delete from mmdb.worker_sessions w
  where w.id not in (select mmdb.live_workers()) and w.heartbeat_at < clock_timestamp() - interval '1 hour';
  delete from mmdb.shared_sessions s where s.pid not in (select a.pid from pg_stat_activity a);
  perform mmdb.trim_requests();
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
CREATE FUNCTION mmdb.switch_model(relation regclass, name text, force boolean DEFAULT false) RETURNS mmdb.embeddings
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET client_min_messages TO 'warning'
    SET quote_all_identifiers TO 'off'
    SET bytea_output TO 'hex'
    AS $$
declare
  serving mmdb.embeddings;
  other mmdb.embeddings;
  set_aside text;
  before text[];  -- what the search functions take as a query
  now text[];
  indexes regclass[];
begin
  perform mmdb.check_relation(relation);
  perform mmdb.lock_declarations(relation);
  serving := mmdb.resolved(mmdb.embedding_of(relation, name));
  other := mmdb.resolved(mmdb.other_generation(serving));
  perform mmdb.check_switch(serving, other, force);
  set_aside := mmdb.generation_name(name, serving.model);
  before := array(select q.argument from mmdb.query_arguments(serving) q);
  now := array(select q.argument from mmdb.query_arguments(other) q);
  indexes := array[mmdb.serving_index(serving, 'hnsw'), mmdb.serving_index(other, 'hnsw'),
                   mmdb.serving_index(serving, 'pending'), mmdb.serving_index(other, 'pending')];
  perform mmdb.rename_storage(serving, set_aside || '_embedding', set_aside || '_stale');
  perform mmdb.rename_storage(other, serving.column_name, serving.stale_column);
  perform mmdb.record_switch(serving.id, other.id);
  perform mmdb.drop_search_functions(other);
  perform mmdb.hand_over_functions(serving, other);
  serving := mmdb.resolved(mmdb.embedding_of(relation, set_aside));
  other := mmdb.resolved(mmdb.embedding_of(relation, name));
  perform mmdb.swap_index_names(indexes[1], indexes[2], mmdb.index_name(serving, 'hnsw')),
          mmdb.swap_index_names(indexes[3], indexes[4], mmdb.index_name(serving, 'pending'));
  perform mmdb.make_worker_functions(serving), mmdb.make_worker_functions(other);
  if serving.stale_column is not null then
    perform mmdb.make_trigger(serving), mmdb.make_trigger(other);  -- they name the columns that mark
    perform mmdb.record_embedding(serving), mmdb.record_embedding(other);
  end if;
  if mmdb.is_quantized(serving) or mmdb.is_quantized(other) then
    before := '{}';  -- their bodies say what a walk is ordered by
    perform mmdb.make_table_functions(relation);
  end if;
  -- Functions for queries that one of the models does not take.
  perform mmdb.drop_search_functions(other, kept_arguments => now),
    mmdb.make_search_views(other, made_already => before);
  perform mmdb.make_search_views(serving);
  return other;
end
$$;
COMMENT ON FUNCTION mmdb.switch_model(relation regclass, name text, force boolean) IS 'Have the other generation serve searches, at once and for all: its column takes the name of the one before. Refused while rows wait to be embedded, unless forced. Waits for statements that use the table, and others wait behind it: set lock_timeout, and try again.';
CREATE FUNCTION mmdb.table_call(declared mmdb.embeddings, verb text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select format('%s.%I', declared.function_schema, declared.prefix || '_' || verb) $$;
COMMENT ON FUNCTION mmdb.table_call(declared mmdb.embeddings, verb text) IS 'The name of a function that is made once for a table: T_search, T_like, T_recommend.';
CREATE FUNCTION mmdb.table_changes(tables regclass[]) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(jsonb_object_agg(t.relation::text, jsonb_build_object('rows', greatest(c.reltuples, 0), 'changes',
    pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid))), '{}')
  from unnest(tables) t(relation) join pg_class c on c.oid = t.relation
$$;
COMMENT ON FUNCTION mmdb.table_changes(tables regclass[]) IS 'Rows of these tables, and how many were inserted, updated and deleted since statistics began.';
CREATE FUNCTION mmdb.table_name(name text, suffix text DEFAULT ''::text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  names text[] := parse_ident(name);
  last constant integer := cardinality(names);
begin
  names[last] := names[last] || suffix;
  if last > 2 or octet_length(names[last]) > 63 then
    raise exception '"%" cannot be the name of a table', array_to_string(names, '.')
      using errcode = 'invalid_name', hint = 'as in poster_duplicates or shop.poster_duplicates, of at most 63 bytes';
  end if;
  return (select string_agg(quote_ident(n.name), '.' order by n.place)
          from unnest(names) with ordinality n(name, place));
end
$$;
COMMENT ON FUNCTION mmdb.table_name(name text, suffix text) IS 'A name as given, perhaps with its schema, and with a suffix, quoted.';
CREATE FUNCTION mmdb.table_rows(relation regclass) RETURNS real
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return coalesce(
    (select c.reltuples from pg_class c where c.oid = relation and c.relkind = 'r'),
    (select sum(c.reltuples)::real
     from pg_partition_tree(relation) t join pg_class c on c.oid = t.relid where t.isleaf));
end
$$;
COMMENT ON FUNCTION mmdb.table_rows(relation regclass) IS 'How many rows a table has with its partitions, as PostgreSQL estimates; below zero where it never looked.';
CREATE FUNCTION mmdb.table_verbs() RETURNS text[]
    LANGUAGE sql IMMUTABLE
    AS $$ select array['search', 'like', 'recommend'] $$;
COMMENT ON FUNCTION mmdb.table_verbs() IS 'The functions that are made once for a table.';
CREATE FUNCTION mmdb.take_queries(worker integer, models text[], count integer) RETURNS TABLE(token uuid, model text, modality text, content text, data bytea)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select r.token, null, null, r.content, r.data from mmdb.take_requests(worker, models, array['embedding'], count) r
$$;
COMMENT ON FUNCTION mmdb.take_queries(worker integer, models text[], count integer) IS 'Worker only: was mmdb.take_requests.';
CREATE FUNCTION mmdb.take_requests(worker integer, models text[], tasks text[], count integer) RETURNS TABLE(token uuid, task text, content text, data bytea, parameters jsonb)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select mmdb.guard_session();
  with live as materialized (select mmdb.live_workers() as id),
  waiting as (
    select q.token
    from mmdb.requests q
    where q.answered_at is null and q.model = any(take_requests.models) and q.task = any(take_requests.tasks)
      and exists (select from mmdb.worker_sessions w, mmdb.models m
                  where w.id = take_requests.worker and m.name = q.model and mmdb.serves(w, m))
      and (q.worker is null or q.worker not in (select id from live))
    order by q.asked_at
    limit take_requests.count
    for update skip locked
  )
  update mmdb.requests q set worker = take_requests.worker
  from waiting w where q.token = w.token
  returning q.token, q.task, q.content, q.data, q.parameters
$$;
COMMENT ON FUNCTION mmdb.take_requests(worker integer, models text[], tasks text[], count integer) IS 'Worker only: take waiting requests of these tasks; of two workers one gets each.';
CREATE FUNCTION mmdb.tasks(model text, identity text) RETURNS TABLE(id bigint, pass uuid, relation text, name text, modality text, by_uri boolean, schema text, half boolean, sources text[], weights double precision[], source_modalities text[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  perform mmdb.guard_session();
  return query
  select e.id, p.pass, e.relation::text, e.name, e.modality, e.by_uri,
         (parse_ident(e.function_schema))[1], e.vector_type = 'halfvec',
         e.sources, e.weights, e.source_modalities
  from mmdb.embeddings e join mmdb.passes p on p.embedding = e.id join mmdb.models m on m.name = e.model
  where e.model = tasks.model and m.identity = tasks.identity and mmdb.run_as_owner(e)
  order by e.id;
end
$$;
COMMENT ON FUNCTION mmdb.tasks(model text, identity text) IS 'Worker only: the embeddings of a model, by its identity, whose functions may be called.';
CREATE FUNCTION mmdb.text_sql(relation regclass, source text, plain text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce((
    select format('nullif(array_to_string(p.%I, '', ''), '''')', source)
    from pg_attribute a
    where a.attrelid = relation and a.attname = source and mmdb.source_kind(a.atttypid) like '%[]'), plain)
$$;
COMMENT ON FUNCTION mmdb.text_sql(relation regclass, source text, plain text) IS 'A source as text: of a list its elements, with commas between them, of anything else what is plain.';
CREATE FUNCTION mmdb.top(pieces mmdb.search_pieces, vector public.vector, k integer, filter jsonb, within text[], after text DEFAULT NULL::text, OUT keys text[], OUT distances double precision[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_variable
declare
  -- A call that is not needed costs a hundredth of a search.
  passes constant text := case when filter is null then 'true' else mmdb.filter(pieces.relation, filter, 'p') end
    || case when within is null then '' else ' and ' || pieces.within end;
  later constant text := passes || case when after is null then '' else mmdb.top_after(pieces, vector, after) end;
  cost constant record := mmdb.top_costs();
  by_signs constant boolean := pieces.walk <> pieces.distance;
  -- The least number of rows of a walk from which the k are taken. Over signs they are taken from all rows of the walk,
  -- whose order is not that of distances.
  least_rows constant integer := k * mmdb.oversampling(by_signs);
  depth integer := least(1000, greatest(current_setting('hnsw.ef_search')::integer, 2 * least_rows));
  -- The number of the `depth` nearest rows that must pass before they are trusted: a walk misses much near its end.
  enough integer := greatest(least_rows, least(1.6 * least_rows, 0.8 * depth));
  -- The rows that a probe returns: never too few to tell whether distances are flat.
  most constant integer := case when by_signs then depth else greatest(enough, 16) end;
  estimate record;
  passed bigint := 0;
begin
  if k is null or k not between 1 and 10000 then
    raise exception 'k is %, expected 1 to 10000', k using errcode = 'invalid_parameter_value';
  elsif vector is null then
    return;
  end if;
  estimate := mmdb.top_estimate(pieces, passes, vector, within);
  if current_setting('enable_indexscan') = 'off' then
    estimate.exact_cost := 0;  -- as mmdb.recall asks for the truth
  end if;
  -- A probe is worth its cost if it is expected to find enough rows, or if it costs less than half of the exact road:
  -- the rows that pass may all lie near the query. With this 2, both the loss (they do not lie near it) and the gain
  -- that is missed (they do, and no probe was tried) stay within a factor of 2.
  if estimate.exact_cost > cost.walked * depth * (case when estimate.share * depth < enough then 2 else 1 end) then
    select * into passed, keys, distances from mmdb.top_probe(pieces, later, vector, within, most, depth);
    if after is null and passed >= enough and depth < 1000 and mmdb.is_flat(distances) then
      depth := 1000;
      if estimate.exact_cost > cost.flat * depth then
        select * into passed, keys, distances
        from mmdb.top_probe(pieces, later, vector, within, case when by_signs then depth else most end, depth);
      else
        passed := null;  -- to measure all costs no more
      end if;
    end if;
    -- The rows of earlier pages lie nearest, and nobody knows how many they were.
    while after is not null and passed < enough and depth < 1000 and estimate.exact_cost > cost.walked * 4 * depth loop
      depth := least(1000, 4 * depth);
      select * into passed, keys, distances
      from mmdb.top_probe(pieces, later, vector, within, case when by_signs then depth else enough end, depth);
    end loop;
    if passed < enough then
      select * into passed, keys, distances
      from mmdb.top_longer(pieces, later, vector, within, k, depth, passed, mmdb.is_flat(distances),
                           estimate.exact_cost);
      enough := least_rows;
    end if;
  end if;
  if passed is null or passed < enough then
    select * into keys, distances from mmdb.top_exact(pieces, later, vector, within, k);
  end if;
  if distances[1] = 'NaN' and not mmdb.has_direction(vector) then
    raise exception 'the vector to search for has no direction: all of it is zero' using errcode = 'data_exception';
  end if;
  keys := keys[:k];
  distances := distances[:k];
end
$$;
COMMENT ON FUNCTION mmdb.top(pieces mmdb.search_pieces, vector public.vector, k integer, filter jsonb, within text[], after text, OUT keys text[], OUT distances double precision[]) IS 'The keys and distances of the k nearest rows that pass a filter, of those that come after the row `after`: what T_top_by_NAME returns whole rows of.';
CREATE FUNCTION mmdb.top(parts mmdb.search_source, vector public.vector, k integer, filter jsonb, within text[], after text DEFAULT NULL::text) RETURNS TABLE(key text, distance double precision)
    LANGUAGE plpgsql STABLE ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_rows constant record := mmdb.top(mmdb.former_pieces(parts), vector, k, filter, within, after);
begin
  return query select u.key, u.distance from unnest(found_rows.keys, found_rows.distances) u(key, distance);
end
$$;
COMMENT ON FUNCTION mmdb.top(parts mmdb.search_source, vector public.vector, k integer, filter jsonb, within text[], after text) IS 'mmdb.top for functions that an earlier mmdb made.';
CREATE FUNCTION mmdb.top_after(pieces mmdb.search_pieces, vector public.vector, after text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET extra_float_digits TO '1'
    AS $_$
declare
  reached double precision;
begin
  if after is null or vector is null then
    return '';
  end if;
  execute format('select %s from %s where %s', pieces.distance, pieces.source, pieces.within)
  into reached using vector, mmdb.within_keys(pieces, array[after]);
  if reached is null then
    raise exception 'row "%" of table % has no embedding to go on from', array_to_string(after::text[], ', '),
                    pieces.relation
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'after takes the key of the last row of the page before';
  end if;
  return format(' and (%1$s > %2$L::double precision or %1$s = %2$L::double precision and (select %3$s from (select '
                '%4$L::text) a(after)))',
                pieces.distance, reached, mmdb.later_sql(pieces.relation, 'after::text[]'), after);
end
$_$;
COMMENT ON FUNCTION mmdb.top_after(pieces mmdb.search_pieces, vector public.vector, after text) IS 'The condition "this row comes after the row `after`, in order of distance and key"; nothing where that is NULL.';
CREATE FUNCTION mmdb.top_body(declared mmdb.embeddings, vector text, asked text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select mmdb.found_body(declared.relation, format(
    'mmdb.top(pieces => %s, vector => case when %s then %s end::public.vector, k => $2, filter => $3, '
    'within => $4::text[], after => mmdb_after)', mmdb.pieces_sql(mmdb.search_pieces(declared)), asked, vector),
    array['keys', 'distances'], '$5')
$_$;
COMMENT ON FUNCTION mmdb.top_body(declared mmdb.embeddings, vector text, asked text) IS 'The body of T_top_by_NAME.';
CREATE FUNCTION mmdb.top_costs(OUT walked real, OUT flat real, OUT scanned real, OUT read real, OUT kept real) RETURNS record
    LANGUAGE sql IMMUTABLE
    AS $$ select 12.0, 4.0, 3.0, 0.18, 0.17 $$;
COMMENT ON FUNCTION mmdb.top_costs(OUT walked real, OUT flat real, OUT scanned real, OUT read real, OUT kept real) IS 'Costs in units of a row fetched by an index: a row that a walk returns, also where all are about as far away, one that it looks at (max_scan_tuples), one that a sequential scan reads, and one that it keeps.';
CREATE FUNCTION mmdb.top_deep(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, wanted integer, budget integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) RETURNS record
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
    with found as materialized (
      select %2$s, %3$s as mmdb_distance from %4$s where %5$s and %6$s order by %9$s limit %7$s
    )
    select max(p.mmdb_passed), array_agg(%1$s order by p.mmdb_distance + 0, %2$s),
           array_agg(p.mmdb_distance order by p.mmdb_distance + 0, %2$s)
    from (select *, count(*) over () as mmdb_passed from found p order by p.mmdb_distance + 0, %2$s limit %8$s) p
  $query$, pieces.key, pieces.columns, pieces.distance, pieces.source, pieces.present, passes, wanted, k, pieces.walk)
  into passed, keys, distances using vector, within;
end
$_$;
COMMENT ON FUNCTION mmdb.top_deep(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, wanted integer, budget integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) IS 'The walk with the filter inside, for `wanted` rows within a budget of rows looked at.';
CREATE FUNCTION mmdb.top_estimate(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], OUT rows real, OUT share real, OUT exact_cost real) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  plan json;
  cost constant record := mmdb.top_costs();
  -- Looked up here first: mmdb.table_rows would take a hundredth of a search.
  total real := (select c.reltuples from pg_class c where c.oid = pieces.relation and c.relkind = 'r');
begin
  total := greatest(coalesce(total, mmdb.table_rows(pieces.relation)), 1);
  if passes = 'true' and not row_security_active(pieces.relation) then
    rows := total;
  else
    execute format('explain (format json) select from %s where %s and %s', pieces.source, pieces.present, passes)
    into plan using vector, within;
    rows := (plan -> 0 -> 'Plan' ->> 'Plan Rows')::real;
  end if;
  share := greatest(least(rows / total, 1), 1e-6);
  exact_cost := case when plan is null or plan::text like '%"Seq Scan"%' then cost.kept * rows + cost.read * total
                     else rows end;
end
$$;
COMMENT ON FUNCTION mmdb.top_estimate(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], OUT rows real, OUT share real, OUT exact_cost real) IS 'How many rows pass, their share of the table, and what measuring all of them costs.';
CREATE FUNCTION mmdb.top_exact(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, OUT keys text[], OUT distances double precision[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  -- "offset 0" keeps the HNSW index out of this, has each distance computed once, and keys written for k rows only. By
  -- the comment mmdb.exact_conditions knows the statement again where pg_stat_statements has counted it.
  execute format($query$
    select /* mmdb.top_exact */ array_agg(%s order by p.mmdb_distance, %2$s),
           array_agg(p.mmdb_distance order by p.mmdb_distance, %2$s)
    from (select * from (select %2$s, %3$s as mmdb_distance from %4$s where %5$s and %6$s offset 0) p
          order by p.mmdb_distance, %2$s limit %7$s) p
  $query$, pieces.key, pieces.columns, pieces.distance, pieces.source, pieces.present, passes, k)
  into keys, distances using vector, within;
end
$_$;
COMMENT ON FUNCTION mmdb.top_exact(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, OUT keys text[], OUT distances double precision[]) IS 'Every row that passes is measured.';
CREATE FUNCTION mmdb.top_longer(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, depth integer, seen bigint, flat boolean, exact_cost real, OUT passed bigint, OUT keys text[], OUT distances double precision[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  cost constant record := mmdb.top_costs();
  by_signs constant boolean := pieces.walk <> pieces.distance;
  enough constant integer := k * mmdb.oversampling(by_signs);
  -- The rows that the deep road is asked for.
  wanted constant integer := greatest(enough, case when k <= 125 then 16 * k else greatest(2000, 2 * k) end);
  -- How deep a walk must go for enough rows to pass, if the share that passed in the probe holds further on.
  needed constant real := greatest(2 * enough * depth / (seen + 0.5), case when flat then 1000 end);
  expected constant real := cost.walked * wanted * depth / (seen + 0.5);  -- what the deep road will cost
begin
  passed := 0;
  if needed <= 1000 and cost.walked * needed < exact_cost * 0.6 then
    select * into passed, keys, distances
    from mmdb.top_probe(pieces, passes, vector, within, case when by_signs and flat then 1000 else enough end,
                        ceil(needed)::integer);
  end if;
  -- If the deep road is expected to cost more than the exact one, it may still be lucky. That is tried, for a quarter
  -- of the cost, where the exact road would take a quarter of a second.
  if passed < enough and (expected < exact_cost or exact_cost > 200000) then
    select d.passed - wanted + enough, d.keys, d.distances into passed, keys, distances
    from mmdb.top_deep(pieces, passes, vector, within, k, wanted,
                       (exact_cost / cost.scanned / case when expected < exact_cost then 1 else 4 end)::integer) d;
  end if;
  if passed < enough then
    passed := null;
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.top_longer(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, depth integer, seen bigint, flat boolean, exact_cost real, OUT passed bigint, OUT keys text[], OUT distances double precision[]) IS 'After a probe of `depth` rows, of which `seen` passed: the rows of a longer walk; passed is NULL where none paid.';
CREATE FUNCTION mmdb.top_name(prefix text, name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select prefix || '_top_by_' || name $$;
COMMENT ON FUNCTION mmdb.top_name(prefix text, name text) IS 'The name of an embedding''s function that is told k.';
CREATE FUNCTION mmdb.top_probe(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], most integer, depth integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) RETURNS record
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
    select count(*), array_agg(%s order by p.mmdb_distance + 0, %2$s),
           array_agg(p.mmdb_distance order by p.mmdb_distance + 0, %2$s)
    from (select %2$s, %3$s as mmdb_distance from %4$s where %5$s and %6$s order by %8$s limit %7$s) p
  $query$, pieces.key, pieces.columns, pieces.distance, pieces.source, pieces.present, passes, most, pieces.walk)
  into passed, keys, distances using vector, within;
end
$_$;
COMMENT ON FUNCTION mmdb.top_probe(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], most integer, depth integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) IS 'Of the `depth` nearest rows those that pass the filter, at most `most`.';
CREATE FUNCTION mmdb.trigger_arguments(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select case when declared.stale_column is null then ''
              else (select string_agg(quote_literal(a.given), ', ' order by a.place)
                    from unnest(declared.stale_column || declared.sources
                                || mmdb.says_sql(declared.relation, declared.sources, '($1).'))
                         with ordinality a(given, place)) end
$_$;
COMMENT ON FUNCTION mmdb.trigger_arguments(declared mmdb.embeddings) IS 'What the trigger is told where an old vector is kept: the column that marks, the sources, and the condition that they say something, of row $1.';
CREATE FUNCTION mmdb.trigger_condition(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select mmdb.fires_when(declared, string_agg(
    format(case when a.atttypid = 'bytea'::regtype then 'old.%1$I is distinct from new.%1$I'
                else 'old.%1$I::text collate "C" is distinct from new.%1$I::text' end, a.attname),
    ' or ' order by a.attnum))
  from pg_attribute a
  where a.attrelid = declared.relation and a.attnum = any(mmdb.base_columns(declared.relation, declared.source_numbers))
$_$;
COMMENT ON FUNCTION mmdb.trigger_condition(declared mmdb.embeddings) IS 'When the trigger of an embedding fires.';
CREATE FUNCTION mmdb.trigger_drift(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.trigger_drift(declared mmdb.embeddings) IS 'How the trigger no longer guards the sources.';
CREATE FUNCTION mmdb.trigger_name(id bigint) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select format('~mmdb_unset_%s', id) $$;
COMMENT ON FUNCTION mmdb.trigger_name(id bigint) IS 'The name of an embedding''s trigger.';
CREATE FUNCTION mmdb.triggers_of_stores(declared mmdb.embeddings) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.triggers_of_stores(declared mmdb.embeddings) IS 'The table''s own triggers that fire when a worker stores a vector, NULL where there is none.';
CREATE FUNCTION mmdb.trim_requests() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  -- What functions of the last version may have posted while `mmdb init` ran; nobody takes it.
  delete from mmdb.queries;
  with gone as (
    delete from mmdb.requests q
    where (q.hash is not null
           and q.answered_at <= (select x.answered_at from mmdb.requests x
                                 where x.answered_at is not null and x.hash is not null
                                 order by x.answered_at desc
                                 offset coalesce(mmdb.setting('query_cache_rows'), '10000')::bigint limit 1))
       or ((q.error is not null or q.hash is null) and q.answered_at < clock_timestamp() - interval '1 minute')
       or (q.answered_at is null and q.asked_at < clock_timestamp() - interval '1 hour')
    returning 1
  )
  select count(*) from gone
$$;
COMMENT ON FUNCTION mmdb.trim_requests() IS 'Worker only: keep the cache within query_cache_rows, oldest first, and drop what nobody reads any more.';
CREATE FUNCTION mmdb.trusts_owner(relation regclass) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select pg_has_role(c.relowner, current_user, 'member') and pg_has_role(c.relowner, session_user, 'member')
  from pg_class c where c.oid = relation
$$;
COMMENT ON FUNCTION mmdb.trusts_owner(relation regclass) IS 'Whether the owner of a table may act as the current user anyway: the same role, a member of it, or a superuser.';
CREATE FUNCTION mmdb.try_loopback(OUT problem text, OUT remedy text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  answer text;
begin
  perform mmdb.connect_loopback('mmdb_trial');
  select r.problem into answer
  from public.dblink('mmdb_trial', format(
    'select p.problem from mmdb.post_request(%L, ''embedding'', '''', '''', null, null) p',
    mmdb.here(pg_is_in_recovery()))) r(problem text);
  -- No worker has the model "", so that is what is said where all is well.
  perform mmdb.raise_problem(nullif(answer, 'no worker'), 'embedding', '');
  perform public.dblink_disconnect('mmdb_trial');
exception when others then
  get stacked diagnostics problem = message_text, remedy = pg_exception_hint;
  if 'mmdb_trial' = any(public.dblink_get_connections()) then
    perform public.dblink_disconnect('mmdb_trial');
  end if;
end
$$;
COMMENT ON FUNCTION mmdb.try_loopback(OUT problem text, OUT remedy text) IS 'What is wrong with the loopback, tried now, and what to do; NULL where nothing is.';
CREATE FUNCTION mmdb.try_settings(query mmdb.stored_query, expected text[], exact_milliseconds double precision, target double precision) RETURNS TABLE(made mmdb.recalls, short bigint, tables regclass[])
    LANGUAGE plpgsql ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  step record;
  measured record := mmdb.measure(query, expected);
  reached integer := 0;  -- the last ladder that is done with
  fastest double precision := 'infinity';
begin
  return query select measured.made, measured.short, measured.tables;
  for step in select * from mmdb.tuning_ladders(query.function) loop
    continue when step.ladder = reached
      or (step.settings = '{enable_indexscan=off}' and exact_milliseconds > 1.5 * fastest);
    perform mmdb.attach_settings(query.function, step.settings);
    measured := mmdb.measure(query, expected);
    if not measured.ordered and 'hnsw.iterative_scan=relaxed_order' = any(step.settings) then
      reached := step.ladder;
      continue;
    end if;
    if (measured.made).recall >= target then
      reached := step.ladder;
      fastest := least(fastest, (measured.made).milliseconds);
    end if;
    return query select measured.made, measured.short, measured.tables;
  end loop;
end
$$;
COMMENT ON FUNCTION mmdb.try_settings(query mmdb.stored_query, expected text[], exact_milliseconds double precision, target double precision) IS 'Measure a function as it is, and then with one choice of settings after the other, which stay attached.';
CREATE FUNCTION mmdb.tune(function regprocedure, samples jsonb DEFAULT NULL::jsonb, target double precision DEFAULT 0.95) RETURNS TABLE(settings text[], recall double precision, low double precision, high double precision, milliseconds double precision, short bigint, attached boolean)
    LANGUAGE sql ROWS 10
    AS $$ select t.* from mmdb.tune_in(pg_catalog.current_setting('search_path'), function, samples, target) t $$;
COMMENT ON FUNCTION mmdb.tune(function regprocedure, samples jsonb, target double precision) IS 'Measure a function with a LIMIT of its own as it is (the first row) and with other search settings, attach the fastest that reach the target to it, and keep that as a contract: mmdb.contracts shows where it no longer holds. Samples as for mmdb.recall.';
CREATE FUNCTION mmdb.tune_in(search_path text, function regprocedure, samples jsonb, target double precision) RETURNS TABLE(settings text[], recall double precision, low double precision, high double precision, milliseconds double precision, short bigint, attached boolean)
    LANGUAGE plpgsql ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  query constant mmdb.stored_query := mmdb.stored_query(tune_in.function, tune_in.samples, tune_in.search_path);
  expected record;
  tried jsonb[];
  best integer;
  made mmdb.recalls;
begin
  if target is null or target <= 0 or target > 1 then
    raise exception 'target is %, expected more than 0 and at most 1', target using errcode = 'invalid_parameter_value';
  elsif not (select pg_has_role(p.proowner, 'usage') from pg_proc p where p.oid = query.function) then
    raise exception 'must be owner of function %', query.function using errcode = 'insufficient_privilege';
  end if;
  perform from mmdb.run_samples(query);  -- texts are embedded, pages are in memory: as in use
  expected := mmdb.run_exact(query);
  tried := array(select to_jsonb(t) from mmdb.try_settings(query, expected.answers, expected.milliseconds, target) t);
  select u.place into best
  from unnest(tried) with ordinality u(entry, place)
  cross join lateral jsonb_populate_record(null::mmdb.recalls, u.entry -> 'made') m
  where m.recall >= target order by m.milliseconds limit 1;
  if best is null then
    raise exception 'no settings reach a recall of % for function %', target, query.function
      using errcode = 'invalid_parameter_value',
            hint = 'it gives another answer each time it is called with the same arguments';
  end if;
  made := jsonb_populate_record(null::mmdb.recalls, tried[best] -> 'made');
  made.exact_milliseconds := expected.milliseconds;
  perform mmdb.attach_settings(query.function, made.settings);
  perform mmdb.record_contract((made.function, target, coalesce(tune_in.samples, mmdb.contract_samples(query.function)),
                                made.settings, null, null)),
          mmdb.record_recall(made, array(select t::regclass from jsonb_array_elements_text(tried[best] -> 'tables') t));
  if made.low < target then
    raise warning 'a recall of % was measured, but over % samples: it may be as low as %',
      round(made.recall::numeric, 3), made.samples, round(made.low::numeric, 3) using hint = 'give more samples';
  end if;
  return query
  select m.settings, m.recall, m.low, m.high, m.milliseconds, (u.entry ->> 'short')::bigint, u.place = best
  from unnest(tried) with ordinality u(entry, place)
  cross join lateral mmdb.rounded(jsonb_populate_record(null::mmdb.recalls, u.entry -> 'made')) m
  order by u.place;
end
$$;
COMMENT ON FUNCTION mmdb.tune_in(search_path text, function regprocedure, samples jsonb, target double precision) IS 'mmdb.tune for a function whose body is read with this search_path.';
CREATE FUNCTION mmdb.tuned_settings() RETURNS text[]
    LANGUAGE sql IMMUTABLE
    AS $$ select array['hnsw.ef_search', 'hnsw.iterative_scan', 'hnsw.max_scan_tuples', 'enable_indexscan'] $$;
COMMENT ON FUNCTION mmdb.tuned_settings() IS 'The settings that mmdb.tune attaches and takes away; a function''s others are left alone.';
CREATE FUNCTION mmdb.tuning_ladders(function regprocedure) RETURNS TABLE(ladder integer, step integer, settings text[])
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with ours as (
    select exists (select from mmdb.embeddings e where mmdb.is_made_by(function, e.id)) as made
  )
  select l.ladder::integer, row_number() over (partition by l.ladder order by t.tuples, f.ef)::integer,
         array['hnsw.ef_search=' || f.ef]
         || case when l.mode is not null
                 then array['hnsw.iterative_scan=' || l.mode, 'hnsw.max_scan_tuples=' || t.tuples] else '{}' end
  from ours
  cross join lateral (select 1, null::text where ours.made union all
                      select v.* from (values (1, 'strict_order'), (2, 'relaxed_order')) v
                      where not ours.made) l(ladder, mode)
  cross join unnest(array[20000, 200000]) t(tuples)
  cross join unnest(array[40, 80, 160, 320, 640, 1000]) f(ef)
  where l.mode is not null or t.tuples = 20000
  union all
  select 3, 1, array['enable_indexscan=off']
  order by 1, 2
$$;
COMMENT ON FUNCTION mmdb.tuning_ladders(function regprocedure) IS 'The settings that mmdb.tune tries, from cheap to dear. Functions of mmdb choose the way of scanning themselves.';
CREATE FUNCTION mmdb.unchanged_sql(declared mmdb.embeddings, alias text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format('case when %1$s = %3$s.state then true else %2$s = %3$s.hash end', mmdb.row_state_sql(declared),
                mmdb.hash_sql(declared), alias)
$_$;
COMMENT ON FUNCTION mmdb.unchanged_sql(declared mmdb.embeddings, alias text) IS 'The condition that a row has the source of which this FROM item has the row''s state and the hash: the latter is computed where the row was touched since. Without a hash a touched row counts as changed.';
CREATE FUNCTION mmdb.unset_all(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform mmdb.check_trust(declared.relation);
  execute mmdb.unset_sql(declared, mmdb.stored_rows(declared));
end
$$;
COMMENT ON FUNCTION mmdb.unset_all(declared mmdb.embeddings) IS 'Make every row of a table pending, for those who may trust its owner.';
CREATE FUNCTION mmdb.unset_attached(declared mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION mmdb.unset_attached(declared mmdb.embeddings) IS 'Make the rows of attached partitions pending that came with vectors.';
CREATE FUNCTION mmdb.unset_embedding() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
    and c.atttypid in ('public.halfvec'::regtype, 'public.vector'::regtype);
  if tg_nargs = 0 then
    return jsonb_populate_record(new, jsonb_build_object(embedding_column, null));
  elsif (select count(*) from pg_attribute a where a.attrelid = tg_relid and a.attname = any(names))
        < cardinality(names) then
    return jsonb_populate_record(new, jsonb_build_object(embedding_column, null));
  end if;
  execute format('select ($1).%1$I operator(public.=) ($2).%1$I', embedding_column)
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
$_$;
COMMENT ON FUNCTION mmdb.unset_embedding() IS 'Trigger: the source changed and no new embedding came with it, so the row is pending again. With arguments: it keeps the old one, and is marked.';
CREATE FUNCTION mmdb.unset_sql(declared mmdb.embeddings, rows text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select format('update %s set %s where %s', rows,
                case when declared.stale_column is null then format('%I = null', declared.column_name)
                     else format('%I = case when %3$s then %2$s end, %4$I = coalesce(%3$s, false)',
                                 declared.column_name, mmdb.vector_of(declared), s.says, declared.stale_column) end,
                mmdb.present_sql(declared))
  from mmdb.says_sql(declared.relation, declared.sources, 'p.') s(says)
$_$;
COMMENT ON FUNCTION mmdb.unset_sql(declared mmdb.embeddings, rows text) IS 'The statement that makes every row of this FROM item p pending; where old vectors are kept they stay, marked.';
CREATE FUNCTION mmdb.unspaced() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
  select E'\\u0E00-\\u0EFF\\u1000-\\u109F\\u1780-\\u17FF\\u2E80-\\u2FDF\\u3005-\\u3007\\u3021-\\u3029\\u3031-\\u30FF'
         '\\u3100-\\u31FF\\u3400-\\u4DBF\\u4E00-\\u9FFF\\uA960-\\uA97F\\uAC00-\\uD7FF\\uF900-\\uFAFF'
$$;
COMMENT ON FUNCTION mmdb.unspaced() IS 'Characters of languages without spaces between words, as the inside of a character class.';
CREATE FUNCTION mmdb.usual_path_sql() RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select $sql$'pg_catalog, ' || coalesce((
      select substr(c.setting, length('search_path=') + 1)
      from pg_db_role_setting s cross join unnest(s.setconfig) c(setting)
      where s.setrole in (0, (select r.oid from pg_roles r where r.rolname = current_user))
        and s.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database()))
        and c.setting like 'search_path=_%'
      order by s.setrole = 0, s.setdatabase = 0 limit 1), '"$user", public') || ', pg_temp'$sql$
$_$;
COMMENT ON FUNCTION mmdb.usual_path_sql() IS 'The search_path with which sessions of the current user begin in this database, behind the system''s own schema.';
CREATE FUNCTION mmdb.vector_of(declared mmdb.embeddings, alias text DEFAULT 'p.'::text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select format('%s%I', alias, declared.column_name) $$;
COMMENT ON FUNCTION mmdb.vector_of(declared mmdb.embeddings, alias text) IS 'The vector of a row.';
CREATE FUNCTION mmdb.vector_scans() RETURNS TABLE(relation regclass, scans bigint)
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select i.indrelid, sum(pg_stat_get_xact_numscans(c.oid))::bigint
  from pg_class c join pg_am m on m.oid = c.relam join pg_index i on i.indexrelid = c.oid
  where c.relkind = 'i' and m.amname in ('hnsw', 'ivfflat')
  group by i.indrelid
$$;
COMMENT ON FUNCTION mmdb.vector_scans() IS 'How often this transaction has read the vector indexes of each table.';
CREATE FUNCTION mmdb.vector_type(declared mmdb.embeddings) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select 'public.' || declared.vector_type $$;
COMMENT ON FUNCTION mmdb.vector_type(declared mmdb.embeddings) IS 'The type of a vector without its width, which the vectors of another model may not have.';
CREATE FUNCTION mmdb.wait_until_embedded(relation regclass, ids text[] DEFAULT NULL::text[], name text DEFAULT NULL::text, timeout interval DEFAULT '00:00:30'::interval) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  give_up constant timestamptz := clock_timestamp() + timeout;
  declared mmdb.embeddings;
  state record;
  warned text;
  looks integer := 0;
begin
  perform mmdb.embedding_of(relation, wait_until_embedded.name) where wait_until_embedded.name is not null;
  for declared in select e.* from mmdb.embeddings e where e.relation = wait_until_embedded.relation
                and e.name = coalesce(wait_until_embedded.name, e.name) order by e.id loop
    loop
      state := mmdb.pending_of(declared, ids);
      if state.failure is not null then
        raise exception '%', state.failure
          using errcode = 'data_exception',
                hint = format('mmdb.failures has all of them; mmdb.retry(%L) tries again', relation);
      elsif state.mine > 0 then
        raise exception 'a row was written by this very transaction, and no worker sees it yet'
          using errcode = 'invalid_transaction_state', hint = 'commit first, then wait';
      end if;
      exit when state.pending = 0;
      if state.retried is distinct from warned and state.retried is not null then
        warned := state.retried;
        raise warning '%', warned using hint = 'it is tried again: mmdb.failures says when';
      end if;
      if looks = 0 then
        perform mmdb.check_waiting(declared);
        perform mmdb.wake_workers();
      elsif clock_timestamp() > give_up then
        raise exception '% rows of % are not embedded after %', state.pending, relation, timeout
          using errcode = 'query_canceled',
                detail = coalesce(state.retried, ''),
                hint = case when state.retried is null then 'see `mmdb status`; give a longer timeout => ''…'''
                            else 'it is tried again: mmdb.failures says when' end;
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
  perform mmdb.loopback('select null::uuid, null::real[], null::jsonb, mmdb.wake()::text');
end
$$;
COMMENT ON FUNCTION mmdb.wake_workers() IS 'Have workers look for pending rows now, whatever becomes of this transaction.';
CREATE FUNCTION mmdb.walk_sql(declared mmdb.embeddings, other text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select format('%s operator(public.<~>) %s', mmdb.signs_sql(declared, mmdb.vector_of(declared)),
                mmdb.signs_sql(declared, other))
  where mmdb.is_quantized(declared)
$$;
COMMENT ON FUNCTION mmdb.walk_sql(declared mmdb.embeddings, other text) IS 'What a walk of an index of signs is ordered by, from a vector; NULL where the walk is ordered by the distance.';
CREATE FUNCTION mmdb.walked_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]) RETURNS TABLE(left_key text, right_key text, distance double precision, later boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    SET enable_sort TO 'off'
    SET "hnsw.iterative_scan" TO 'relaxed_order'
    SET "hnsw.ef_search" TO '100'
    AS $_$
begin
  perform set_config('hnsw.ef_search',
                     least(1000, greatest(100, depth * mmdb.oversampling(mmdb.is_quantized(rights))))::text, true);
  return query execute format($query$
    with walked as materialized (
      select l.key as left_key, r.key as right_key, r.distance, r.later, count(r.key) over (partition by l.key) as found
      from %s l left join lateral %s r on true
    )
    select w.left_key, w.right_key, w.distance, w.later from walked w where w.found >= $4
    union all
    select m.*
    from mmdb.measured_pairs($5, $6, $7, $4, null, null,
                             array(select distinct w.left_key from walked w where w.found < $4)) m
  $query$, mmdb.left_rows_sql(lefts, after, upto, case when within is not null then '$3' end),
           mmdb.nearest_sql(rights, lefts.relation, passes, depth, true))
  using after, upto, within, depth, lefts, rights, passes;
end
$_$;
COMMENT ON FUNCTION mmdb.walked_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]) IS 'For each row of the left the nearest `depth` of the right, along its HNSW index.';
CREATE FUNCTION mmdb.warn_of_adopted(planned mmdb.embeddings) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  zeros bigint := 0;
  filled boolean := (select sum(pg_relation_size(c.oid)) > 0 from pg_class c
    where c.oid = planned.relation or c.oid in (select t.relid from pg_partition_tree(planned.relation) t));
begin
  if filled and mmdb.trusts_owner(planned.relation) then
    execute format('select exists (select from %s where %s)', mmdb.stored_rows(planned), mmdb.present_sql(planned))
    into filled;
  end if;
  if filled and mmdb.trusts_owner(planned.relation) and mmdb.distance_of(planned) = 'cosine' then
    execute format('select count(*) from %s where not mmdb.has_direction(%s)', mmdb.stored_rows(planned),
                   mmdb.vector_of(planned)) into zeros;
  end if;
  if filled then
    raise warning 'column "%" of table % was there before: the vectors in it are taken as they are',
                    planned.column_name, planned.relation
      using hint = format('to have all rows embedded: update %s set %I = null', planned.relation, planned.column_name);
  end if;
  if zeros > 0 then
    raise warning 'column "%" of table % has % vectors of zeros, which searches return last', planned.column_name,
                    planned.relation, zeros
      using hint = format('to have these rows embedded: update %s set %I = null where not mmdb.has_direction(%2$I)',
                          planned.relation, planned.column_name);
  end if;
end
$_$;
COMMENT ON FUNCTION mmdb.warn_of_adopted(planned mmdb.embeddings) IS 'Say that vectors of an adopted column are kept, where it has any, and how many of them are of no use.';
CREATE FUNCTION mmdb.weight_of(weights jsonb, name text) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    AS $$ select coalesce((weights ->> name)::double precision, 1) $$;
COMMENT ON FUNCTION mmdb.weight_of(weights jsonb, name text) IS 'A weight, 1 unless given.';
CREATE FUNCTION mmdb.weighted_load_template() RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select $body$
begin{pass}
  return query select k.key, {state}, coalesce(octet_length(s.data), octet_length(s.content))::bigint,
         case when octet_length(s.content) <= max_bytes[s.place] then s.content end,
         case when octet_length(s.data) <= max_bytes[s.place] then s.data end
  from unnest(keys) with ordinality k(key, number)
  join {rows} on {matches}
  cross join lateral (values {weighted}) s(place, content, data)
  where {pending}
  order by k.number, s.place;
end
$body$
$_$;
COMMENT ON FUNCTION mmdb.weighted_load_template() IS 'The sources of some pending rows, each by itself; those over their limit come without content.';
CREATE FUNCTION mmdb.weighted_sources(declared mmdb.embeddings) RETURNS TABLE(place bigint, content text, data text, raw text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select s.place,
         case when s.modality = 'text' then t.content else 'null::text' end,
         case when s.modality = 'text' then 'null::bytea' else format('p.%I', s.name) end,
         case when s.modality = 'text' then format('convert_to(%s, ''UTF8'')', t.content)
              else format('p.%I', s.name) end
  from unnest(declared.sources, declared.source_modalities) with ordinality s(name, modality, place)
  cross join lateral mmdb.text_sql(declared.relation, s.name, format('p.%I::text', s.name)) t(content)
$$;
COMMENT ON FUNCTION mmdb.weighted_sources(declared mmdb.embeddings) IS 'The sources that have weights, as SQL: each as text or as data, and its bytes.';
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
CREATE FUNCTION mmdb.within_keys(pieces mmdb.search_pieces, keys text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select case when pieces.one_key then array(select (k::text[])[1] from unnest(keys) k) else keys end $$;
COMMENT ON FUNCTION mmdb.within_keys(pieces mmdb.search_pieces, keys text[]) IS 'Keys in the form that `within` has them in.';
CREATE FUNCTION mmdb.within_sql(relation regclass, keys text DEFAULT '$2'::text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when count(*) <> 1 then format('exists (select from unnest(%s) k(key) where %s)', keys,
                                             mmdb.key_matches(relation, 'k.key'))
              when bool_or(mmdb.is_array(k.type_name::regtype)) then
                format('p.%I %s any (select k.key::%s from unnest(%s) k(key))', min(k.name), min(k.equal),
                       min(k.type_name), keys)
              else format('p.%I %s any (%s::%s[])', min(k.name), min(k.equal), keys, min(k.type_name)) end
  from mmdb.key_columns(relation) k
$$;
COMMENT ON FUNCTION mmdb.within_sql(relation regclass, keys text) IS 'The condition that a row''s key is one of the texts that this SQL gives as an array.';
CREATE FUNCTION mmdb.within_type(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when mmdb.is_array(k.type::regtype) then 'text' else k.type end || '[]'
  from mmdb.key_type(relation) k(type)
$$;
COMMENT ON FUNCTION mmdb.within_type(relation regclass) IS 'The type of `within`: an array of keys, or for keys that are arrays of their texts, and for keys of several columns of texts as mmdb.failures writes them.';
CREATE FUNCTION mmdb.words_found(leg mmdb.leg, query text, filter jsonb, within text[], depth integer) RETURNS TABLE(key text, rank bigint, closeness double precision)
    LANGUAGE plpgsql STABLE ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "pg_trgm.word_similarity_threshold" TO '0.35'
    AS $_$
declare
  passes constant text := mmdb.filter((leg.pieces).relation, filter, 'p')
    || case when within is null then '' else ' and ' || (leg.pieces).within end;
begin
  return query execute format($query$
    select x.key, row_number() over (order by x.closeness desc, x.key), x.closeness
    from (select %s as key, (%s)::double precision as closeness from %s where %s and %s limit 2000) x
    order by x.closeness desc, x.key limit %s
  $query$, (leg.pieces).key, leg.closeness, (leg.pieces).source, leg.matches, passes, depth) using query, within;
end
$_$;
COMMENT ON FUNCTION mmdb.words_found(leg mmdb.leg, query text, filter jsonb, within text[], depth integer) IS 'The candidates of a leg of words.';
CREATE FUNCTION mmdb.words_index(words mmdb.keywords) RETURNS regclass
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select i.indexrelid::regclass
  from pg_index i
  join pg_opclass o on o.oid = i.indclass[0]
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  where mmdb.has_words(words.relation, words.columns) and i.indrelid = words.relation and i.indisvalid
    and i.indpred is null and a.attname = words.columns[1] and o.opcname = 'tsvector_ops'
    and i.indnatts = 1 and o.opcmethod = (select m.oid from pg_am m where m.amname = 'gin')
  order by i.indexrelid limit 1
$$;
COMMENT ON FUNCTION mmdb.words_index(words mmdb.keywords) IS 'A GIN index, whosoever made it, of the tsvector column that keywords are over; NULL for none.';
CREATE FUNCTION mmdb.words_of(configuration regconfig, content text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE STRICT SECURITY DEFINER COST 2000 PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  most constant integer := 100000;
  words tsvector := '';
  more tsvector;
  piece text;
  place integer := 1;
begin
  if octet_length(content) <= most then
    return to_tsvector(configuration, content);
  end if;
  loop
    piece := substr(content, place, most);
    exit when piece = '';
    if length(piece) = most then
      piece := coalesce(substring(piece from E'^.*\\s'), piece);  -- no word is cut where there is a gap
    end if;
    more := to_tsvector(configuration, piece);
    exit when mmdb.words_size(words) + mmdb.words_size(more) > 1048000;
    words := words || more;
    place := place + length(piece);
  end loop;
  return words;
end
$$;
COMMENT ON FUNCTION mmdb.words_of(configuration regconfig, content text) IS 'The words of a text, as to_tsvector has them; of a text with too many for a tsvector those of its beginning.';
CREATE FUNCTION mmdb.words_query(language text, query text) RETURNS tsquery
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when q.parsed::text like '%!%' then q.parsed else replace(q.parsed::text, ' & ', ' | ')::tsquery end
  from (select case when mmdb.keywords_method(language) = 'pairs'
                    then websearch_to_tsquery('simple', mmdb.pairs(query, false))
                    else websearch_to_tsquery(language::regconfig, query) end) q(parsed)
$$;
COMMENT ON FUNCTION mmdb.words_query(language text, query text) IS 'The words of a query, any of which is to be there.';
CREATE FUNCTION mmdb.words_size(words tsvector) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select pg_catalog.pg_column_size(words) - 4 * pg_catalog.length(words) $$;
COMMENT ON FUNCTION mmdb.words_size(words tsvector) IS 'How many bytes a tsvector has of words and places, of which it may have 1,048,575.';
CREATE FUNCTION mmdb.worker_function(declared mmdb.embeddings, verb text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select format('%s.mmdb_%s_%s', declared.function_schema, verb, declared.id) $$;
COMMENT ON FUNCTION mmdb.worker_function(declared mmdb.embeddings, verb text) IS 'The qualified name of a function made for the worker: pending, load, store, count, clean.';
CREATE FUNCTION mmdb.worker_functions(declared mmdb.embeddings) RETURNS TABLE(verb text, parameters text, result text, volatility text, body text, purpose text)
    LANGUAGE sql STABLE ROWS 5
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select w.verb, w.parameters, w.result, w.volatility, mmdb.filled(w.template, p.pieces), w.purpose
  from mmdb.worker_pieces(declared) p(pieces),
  lateral (values
    ('pending', '(pass uuid, after text, count integer)', 'returns table (key text, state text)', 'stable',
     mmdb.pending_template(), 'The rows that wait to be embedded, a page at a time.'),
    ('load',
     format('(pass uuid, keys text[], max_bytes bigint%s)', case when declared.weights is null then '' else '[]' end),
     'returns table (key text, state text, size bigint, content text, data bytea)', 'stable',
     case when declared.weights is null then mmdb.load_template() else mmdb.weighted_load_template() end,
     'The sources of pending rows.'),
    ('store',
     format('(pass uuid, keys text[], states text[], hashes bytea[], embeddings %s[])', mmdb.vector_type(declared)),
     'returns table (key text, outcome text, state text)', 'volatile', mmdb.store_template(),
     'Store embeddings whose source is unchanged.'),
    ('count',
     '(pass uuid, exact_up_to bigint, '
     'out total bigint, out embedded bigint, out pending bigint, out estimated boolean)', '', 'stable',
     mmdb.count_template(), 'How many rows there are, embedded and pending.'),
    ('clean', '(pass uuid)', 'returns boolean', 'volatile', mmdb.clean_template(),
     'Remove what mmdb made for a dropped table.')
  ) w(verb, parameters, result, volatility, template, purpose)
  where w.verb = any(mmdb.worker_verbs(declared.kind))
$$;
COMMENT ON FUNCTION mmdb.worker_functions(declared mmdb.embeddings) IS 'The functions of an embedding that a worker calls, as they should be.';
CREATE FUNCTION mmdb.worker_lock_class() RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select 1835885666 $$;
COMMENT ON FUNCTION mmdb.worker_lock_class() IS 'The first key of the advisory lock that a live worker holds ("mmdb" in ASCII); the second is its id.';
CREATE FUNCTION mmdb.worker_pieces(declared mmdb.embeddings) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_build_object(
    'pass', mmdb.filled(mmdb.pass_template(), jsonb_build_object(
      'pass_hash', quote_literal(declared.pass_hash), 'id', quote_literal(declared.id))),
    'rows', mmdb.stored_rows(declared), 'key', k.expression, 'ordering', k.ordering,
    'matches', mmdb.key_matches(declared.relation, 'k.key'),
    'later', mmdb.later_sql(declared.relation, 'after::text[]'),
    'state', mmdb.row_state_sql(declared), 'lock', mmdb.lock_sql(declared), 'pending', mmdb.pending_sql(declared),
    'embedded', mmdb.embedded_sql(declared), 'set_vector', mmdb.set_vector_sql(declared, 'k.embedding'),
    'unset_vector', mmdb.set_vector_sql(declared, 'null'), 'unchanged', mmdb.unchanged_sql(declared, 'k'),
    'has_code', mmdb.has_code_sql(declared.relation), 'usual_path', mmdb.usual_path_sql(),
    'content', mmdb.content_sql(declared), 'hash', mmdb.hash_sql(declared),
    'text', case when mmdb.loads_bytes(declared) then 'null::text' else 's.content' end,
    'bytes', case when mmdb.loads_bytes(declared) then 's.content' else 'null::bytea' end,
    'weighted', coalesce((select string_agg(format('(%s, %s, %s)', s.place, s.content, s.data), ', ' order by s.place)
                          from mmdb.weighted_sources(declared) s), ''),
    'same_key', mmdb.same_key_sql(declared.relation),
    'same_column', mmdb.same_column_sql(declared.relation, declared.column_number, declared.column_name),
    'relation', quote_literal(r.name), 'refresh', quote_literal(format('select mmdb.refresh(%L)', r.name)),
    'schema', quote_literal(declared.function_schema), 'mark', quote_literal(mmdb.made_for(declared.id)),
    'trigger', quote_literal(mmdb.trigger_name(declared.id)),
    'clean', quote_literal(c.name), 'drop_clean', quote_literal(format('drop function %s(uuid)', c.name)))
  from mmdb.key_sql(declared.relation) k, mmdb.relation_sql(declared.relation) r(name),
       mmdb.worker_function(declared, 'clean') c(name)
$$;
COMMENT ON FUNCTION mmdb.worker_pieces(declared mmdb.embeddings) IS 'What the templates of the worker''s functions are filled with, for one embedding.';
CREATE FUNCTION mmdb.worker_verbs(kind text) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    AS $$ select case kind when 'embedding' then array['pending', 'load', 'store', 'count', 'clean'] end $$;
COMMENT ON FUNCTION mmdb.worker_verbs(kind text) IS 'The functions that are made for the worker, for a kind of derivation.';
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
CREATE VIEW mmdb.every_contract AS
 SELECT c.function,
    c.target,
    r.recall,
    r.low,
    r.high,
    r.milliseconds,
    r.measured_at,
    c.settings,
    jsonb_array_length(c.samples) AS samples,
    c.tuned_at,
    c.tuned_by,
    mmdb.contract_drift(c.*, ROW(r.id, r.function, r.measured_at, r.measured_by, r.by_owner, r.samples, r.recall, r.low, r.high, r.milliseconds, r.exact_milliseconds, r.index_scans, r.settings, r.tables)) AS drift
   FROM (mmdb.recall_contracts c
     LEFT JOIN LATERAL ( SELECT r_1.id,
            r_1.function,
            r_1.measured_at,
            r_1.measured_by,
            r_1.by_owner,
            r_1.samples,
            r_1.recall,
            r_1.low,
            r_1.high,
            r_1.milliseconds,
            r_1.exact_milliseconds,
            r_1.index_scans,
            r_1.settings,
            r_1.tables
           FROM (mmdb.recalls l
             CROSS JOIN LATERAL mmdb.rounded(l.*) r_1(id, function, measured_at, measured_by, by_owner, samples, recall, low, high, milliseconds, exact_milliseconds, index_scans, settings, tables))
          WHERE ((l.function = c.function) AND l.by_owner)
          ORDER BY l.id DESC
         LIMIT 1) r ON (true));
COMMENT ON VIEW mmdb.every_contract IS 'mmdb.contracts of everybody, for mmdb itself.';
CREATE VIEW mmdb.contracts WITH (security_barrier='true') AS
 SELECT function,
    target,
    recall,
    low,
    high,
    milliseconds,
    measured_at,
    settings,
    samples,
    tuned_at,
    tuned_by,
    drift
   FROM mmdb.every_contract c
  WHERE COALESCE(has_function_privilege((mmdb.function_called(function))::oid, 'execute'::text), (EXISTS ( SELECT
           FROM pg_roles r
          WHERE ((r.rolname = c.tuned_by) AND pg_has_role(r.oid, 'member'::text)))));
COMMENT ON VIEW mmdb.contracts IS 'The functions that were tuned and that you may call: the target, the recall when its owner last measured it, the settings attached, and drift with its remedy.';
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
   FROM ((((( SELECT f.embedding,
            array_agg(f.key) AS keys,
            array_agg(f.state) AS states,
            array_agg(f.source_hash) AS hashes
           FROM mmdb.leases f
          WHERE ((f.error IS NOT NULL) AND (f.worker IS NULL))
          GROUP BY f.embedding) g
     JOIN mmdb.embeddings e ON ((e.id = g.embedding)))
     JOIN pg_class c ON ((c.oid = (e.relation)::oid)))
     CROSS JOIN LATERAL mmdb.standing_failures(e.*, g.keys, g.states, g.hashes) s(key))
     JOIN mmdb.leases l ON (((l.embedding = g.embedding) AND (l.key = s.key))))
  WHERE (has_table_privilege((e.relation)::oid, 'select'::text) AND (NOT row_security_active((e.relation)::oid)));
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
COMMENT ON TABLE mmdb.queries IS 'For statements that were running when mmdb.requests took its place. A later migration drops it.';
CREATE VIEW mmdb.recall_log WITH (security_barrier='true') AS
 SELECT r.id,
    r.function,
    r.measured_at,
    r.measured_by,
    r.samples,
    r.recall,
    r.low,
    r.high,
    r.milliseconds,
    r.exact_milliseconds,
    r.index_scans,
    r.settings
   FROM (mmdb.recalls l
     CROSS JOIN LATERAL mmdb.rounded(l.*) r(id, function, measured_at, measured_by, by_owner, samples, recall, low, high, milliseconds, exact_milliseconds, index_scans, settings, tables))
  WHERE COALESCE(has_function_privilege((mmdb.function_called(r.function))::oid, 'execute'::text), false);
COMMENT ON VIEW mmdb.recall_log IS 'Every measurement by mmdb.recall and mmdb.tune, of the functions that you may call.';
ALTER TABLE mmdb.recalls ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME mmdb.recalls_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE UNLOGGED TABLE mmdb.requests (
    token uuid DEFAULT gen_random_uuid() NOT NULL,
    task text NOT NULL,
    model text NOT NULL,
    hash bytea,
    content text,
    data bytea,
    parameters jsonb,
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    worker integer,
    embedding real[],
    answer jsonb,
    error text,
    answered_at timestamp with time zone,
    CONSTRAINT requests_task CHECK ((task = 'embedding'::text))
);
COMMENT ON TABLE mmdb.requests IS 'What backends ask of workers, and the answers: a vector for the task embedding, jsonb for others. The text or the bytes are kept only until the answer is there. An answer with a hash is cached; one without is deleted once read.';
COMMENT ON COLUMN mmdb.requests.hash IS 'Of the text or the bytes: an equal request of the same model has the same answer. NULL where that is not so.';
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
    COALESCE(mmdb.drift(e.id), p.drift, mmdb.partition_drift_of(e.id)) AS drift,
    ( SELECT s.name
           FROM mmdb.embeddings s
          WHERE (s.id = e.generation_of)) AS generation_of,
    c.stale
   FROM ((mmdb.embeddings e
     LEFT JOIN mmdb.progress p ON ((p.embedding = e.id)))
     LEFT JOIN LATERAL ( SELECT n.total,
            n.embedded,
            n.pending,
            n.failed,
            n.estimated,
            clock_timestamp() AS clock_timestamp,
            n.stale
           FROM mmdb.count_rows_of(e.id) n(total, embedded, pending, failed, estimated, stale)
        UNION ALL
         SELECT p.total,
            p.embedded,
            (p.pending - f.final),
            f.final,
            true,
            p.counted_at,
                CASE
                    WHEN (e.stale_column IS NULL) THEN 0
                    ELSE NULL::integer
                END AS "case"
           FROM ( SELECT count(*) AS count
                   FROM mmdb.leases l
                  WHERE ((l.embedding = e.id) AND (l.worker IS NULL) AND (l.retry_at = 'infinity'::timestamp with time zone))) f(final)
 LIMIT 1) c(total, embedded, pending, failed, estimated, counted_at, stale) ON ((mmdb.trusts_owner(e.relation) OR (NOT row_security_active((e.relation)::oid)))))
  WHERE
        CASE
            WHEN (EXISTS ( SELECT
               FROM pg_class x
              WHERE (x.oid = (e.relation)::oid))) THEN has_table_privilege((e.relation)::oid, 'select'::text)
            ELSE true
        END;
COMMENT ON VIEW mmdb.status IS 'Every embedding of the tables you may read: rows, embedded, pending, failed (estimated says that rows and embedded are PostgreSQL''s estimates, or that all were counted by a worker at counted_at, since a count of yours would run code of the table''s owner), pending_since (a time at which nothing was pending: the oldest pending row is younger), rows_per_second of the last minutes, drift with its remedy, generation_of (the embedding beside which this one waits to serve, or served until its model was switched), stale (of the pending and failed rows those that are found by the vector of an earlier source, see on_change of mmdb.add_embedding; NULL where a worker counted).';
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
ALTER TABLE ONLY mmdb.recall_contracts
    ADD CONSTRAINT recall_contracts_pkey PRIMARY KEY (function);
ALTER TABLE ONLY mmdb.recalls
    ADD CONSTRAINT recalls_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mmdb.requests
    ADD CONSTRAINT requests_key UNIQUE (model, hash);
ALTER TABLE ONLY mmdb.requests
    ADD CONSTRAINT requests_pkey PRIMARY KEY (token);
ALTER TABLE ONLY mmdb.schema_version
    ADD CONSTRAINT schema_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY mmdb.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (name);
ALTER TABLE ONLY mmdb.shared_sessions
    ADD CONSTRAINT shared_sessions_pkey PRIMARY KEY (pid);
ALTER TABLE ONLY mmdb.worker_sessions
    ADD CONSTRAINT worker_sessions_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX embeddings_generation_of ON mmdb.embeddings USING btree (generation_of);
CREATE INDEX leases_retry ON mmdb.leases USING btree (embedding, retry_at) WHERE (worker IS NULL);
CREATE INDEX leases_worker ON mmdb.leases USING btree (worker) WHERE (worker IS NOT NULL);
CREATE INDEX queries_answered ON mmdb.queries USING btree (answered_at) WHERE (answered_at IS NOT NULL);
CREATE UNIQUE INDEX queries_token ON mmdb.queries USING btree (token);
CREATE INDEX queries_waiting ON mmdb.queries USING btree (model, asked_at) WHERE (answered_at IS NULL);
CREATE INDEX recalls_function ON mmdb.recalls USING btree (function, id);
CREATE INDEX requests_answered ON mmdb.requests USING btree (answered_at) WHERE (answered_at IS NOT NULL);
CREATE INDEX requests_waiting ON mmdb.requests USING btree (model, asked_at) WHERE (answered_at IS NULL);
ALTER TABLE ONLY mmdb.embeddings
    ADD CONSTRAINT embeddings_generation_of_fkey FOREIGN KEY (generation_of) REFERENCES mmdb.embeddings(id) ON DELETE SET NULL;
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
REVOKE ALL ON FUNCTION mmdb.add_command(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.add_command(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.add_command(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.add_embedding(relation regclass, declaration jsonb, index boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.add_embedding(relation regclass, declaration jsonb, index boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.add_embedding(relation regclass, declaration jsonb, index boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.add_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text, weights double precision[], on_change text, columns text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.add_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text, weights double precision[], on_change text, columns text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.add_embedding(relation regclass, sources text[], model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text, weights double precision[], on_change text, columns text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.add_embedding(relation regclass, source text, model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text, weights double precision[], on_change text, columns text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.add_embedding(relation regclass, source text, model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text, weights double precision[], on_change text, columns text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.add_embedding(relation regclass, source text, model text, modality text, name text, storage text, index boolean, prefix text, index_options jsonb, distance text, weights double precision[], on_change text, columns text) TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.keywords TO mmdb_user;
GRANT SELECT ON TABLE mmdb.keywords TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.add_keywords(relation regclass, columns text[], language text, name text, index boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.add_keywords(relation regclass, columns text[], language text, name text, index boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.add_keywords(relation regclass, columns text[], language text, name text, index boolean) TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.models TO mmdb_user;
GRANT SELECT ON TABLE mmdb.models TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.add_model(name text, backend text, model text, dimensions integer, modalities text[], identity text, distance text, revision text, query_prompt text, document_prompt text, options jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.adopt_orphans(planned mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.adopt_orphans(planned mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.adopt_orphans(planned mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.after_sql(relation regclass, key text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.after_sql(relation regclass, key text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.after_sql(relation regclass, key text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.answer_query(token uuid, embedding public.vector, error text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.answer_query(token uuid, embedding public.vector, error text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.answer_request(token uuid, embedding public.vector, answer jsonb, error text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.answer_request(token uuid, embedding public.vector, answer jsonb, error text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.answers_in_common(found text[], expected text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.answers_in_common(found text[], expected text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.answers_in_common(found text[], expected text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.as_pattern(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.as_pattern(name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.as_pattern(name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.ask(model text, modality text, content text, data bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.attach_settings(function regprocedure, settings text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.attach_settings(function regprocedure, settings text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.attach_settings(function regprocedure, settings text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.attachment(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.attachment(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.attachment(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.bare_sql(expression text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.bare_sql(expression text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.bare_sql(expression text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.base_columns(relation regclass, numbers smallint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.base_columns(relation regclass, numbers smallint[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.base_columns(relation regclass, numbers smallint[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.base_type(type oid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.base_type(type oid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.base_type(type oid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.beat(worker integer, lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.beat(worker integer, lease interval) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.brings_vectors_sql(declared mmdb.embeddings, partition regclass, since xid, command bigint, pages bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.brings_vectors_sql(declared mmdb.embeddings, partition regclass, since xid, command bigint, pages bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.brings_vectors_sql(declared mmdb.embeddings, partition regclass, since xid, command bigint, pages bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.call_attributes() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.call_attributes() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.call_attributes() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.call_drift(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.call_drift(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.call_drift(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.caught_up(embedding bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.caught_up(embedding bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.change_model(relation regclass, name text, model text, index boolean, index_options jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.change_model(relation regclass, name text, model text, index boolean, index_options jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.change_model(relation regclass, name text, model text, index boolean, index_options jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_choice(option text, given text, choices text[], meaning text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_choice(option text, given text, choices text[], meaning text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_choice(option text, given text, choices text[], meaning text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_column(planned mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_column(planned mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_column(planned mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_declaration(declaration jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_declaration(declaration jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_declaration(declaration jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_disliked(weights jsonb, legs mmdb.leg[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_disliked(weights jsonb, legs mmdb.leg[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_disliked(weights jsonb, legs mmdb.leg[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_distance(planned mmdb.embeddings, true_distance text, wanted text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_distance(planned mmdb.embeddings, true_distance text, wanted text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_distance(planned mmdb.embeddings, true_distance text, wanted text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_embeddable(model text, content text, data bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.check_examples(relation regclass, keys text[], known text[], liked integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_examples(relation regclass, keys text[], known text[], liked integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_examples(relation regclass, keys text[], known text[], liked integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_explained(statement text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_explained(statement text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_explained(statement text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_index_options(options jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_index_options(options jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_index_options(options jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_indexable(planned mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_indexable(planned mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_indexable(planned mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_labels(labels text[], vectors integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_labels(labels text[], vectors integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_labels(labels text[], vectors integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_language(language text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_language(language text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_language(language text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_model(model text, modalities text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_model(model text, modalities text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_model(model text, modalities text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_names(planned mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_names(planned mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_names(planned mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_pairs(declared mmdb.embeddings, k integer, max_distance double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_pairs(declared mmdb.embeddings, k integer, max_distance double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_pairs(declared mmdb.embeddings, k integer, max_distance double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_query(model text, modality text, content text, data bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.check_record(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_record(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_record(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_relation(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_relation(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_relation(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_resumed(target text, begun text, wanted text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_resumed(target text, begun text, wanted text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_resumed(target text, begun text, wanted text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_schema(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_schema(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_schema(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_set_aside(serving mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_set_aside(serving mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_set_aside(serving mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_sources(relation regclass, given jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_sources(relation regclass, given jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_sources(relation regclass, given jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_stored_query(function regprocedure) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_stored_query(function regprocedure) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_stored_query(function regprocedure) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_switch(serving mmdb.embeddings, other mmdb.embeddings, force boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_switch(serving mmdb.embeddings, other mmdb.embeddings, force boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_switch(serving mmdb.embeddings, other mmdb.embeddings, force boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_trust(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_trust(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_trust(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_waiting(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_waiting(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_waiting(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_weights(weights double precision[], sources integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_weights(weights double precision[], sources integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_weights(weights double precision[], sources integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_weights(weights jsonb, legs mmdb.leg[], others text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_weights(weights jsonb, legs mmdb.leg[], others text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_weights(weights jsonb, legs mmdb.leg[], others text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.check_words(relation regclass, columns text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.check_words(relation regclass, columns text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.check_words(relation regclass, columns text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.claim(embedding bigint, worker integer, keys text[], states text[], lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.claim(embedding bigint, worker integer, keys text[], states text[], lease interval) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.claim_orphan(embedding bigint, worker integer, keys text[], states text[], expiry timestamp with time zone, live integer[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.classify(embedding public.halfvec, labels text[], model text, scale double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.classify(embedding public.halfvec, labels text[], model text, scale double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.classify(embedding public.halfvec, labels text[], model text, scale double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.classify(embedding public.halfvec, labels text[], label_vectors public.vector[], scale double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.classify(embedding public.halfvec, labels text[], label_vectors public.vector[], scale double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.classify(embedding public.halfvec, labels text[], label_vectors public.vector[], scale double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.classify(embedding public.vector, labels text[], model text, scale double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.classify(embedding public.vector, labels text[], model text, scale double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.classify(embedding public.vector, labels text[], model text, scale double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.classify(embedding public.vector, labels text[], label_vectors public.vector[], scale double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.classify(embedding public.vector, labels text[], label_vectors public.vector[], scale double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.classify(embedding public.vector, labels text[], label_vectors public.vector[], scale double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.clean_template() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.clean_template() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.clean_template() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.column_names(relation regclass, numbers smallint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.column_names(relation regclass, numbers smallint[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.column_names(relation regclass, numbers smallint[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.column_numbers(relation regclass, names text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.column_numbers(relation regclass, names text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.column_numbers(relation regclass, names text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.column_options(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.column_options(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.column_options(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.column_type(vector_type text, dimensions integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.column_type(vector_type text, dimensions integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.column_type(vector_type text, dimensions integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.columns_now(declared mmdb.embeddings, OUT column_name text, OUT stale_column text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.columns_now(declared mmdb.embeddings, OUT column_name text, OUT stale_column text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.columns_now(declared mmdb.embeddings, OUT column_name text, OUT stale_column text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.compare_models(relation regclass, name text, images bytea[], k integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.compare_models(relation regclass, name text, images bytea[], k integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.compare_models(relation regclass, name text, images bytea[], k integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.compare_models(relation regclass, name text, queries text[], k integer, expected jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.compare_models(relation regclass, name text, queries text[], k integer, expected jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.compare_models(relation regclass, name text, queries text[], k integer, expected jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.compare_query(serving mmdb.embeddings, other mmdb.embeddings, vectors public.vector[], k integer, expected text[], OUT overlap double precision, OUT recall double precision, OUT recall_next double precision, OUT only_now text[], OUT only_next text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.compare_query(serving mmdb.embeddings, other mmdb.embeddings, vectors public.vector[], k integer, expected text[], OUT overlap double precision, OUT recall double precision, OUT recall_next double precision, OUT only_now text[], OUT only_next text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.compare_query(serving mmdb.embeddings, other mmdb.embeddings, vectors public.vector[], k integer, expected text[], OUT overlap double precision, OUT recall double precision, OUT recall_next double precision, OUT only_now text[], OUT only_next text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.comparison(type oid, strategy integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.comparison(type oid, strategy integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.comparison(type oid, strategy integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.connect_loopback(connection text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.content_sql(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.content_sql(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.content_sql(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.context(question text, k integer, relations regclass[], characters integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.context(question text, k integer, relations regclass[], characters integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.context(question text, k integer, relations regclass[], characters integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.contract_drift(made mmdb.recall_contracts, last mmdb.recalls) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.contract_drift(made mmdb.recall_contracts, last mmdb.recalls) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.contract_drift(made mmdb.recall_contracts, last mmdb.recalls) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.contract_samples(function regprocedure) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.contract_samples(function regprocedure) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.contract_samples(function regprocedure) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.contract_settings(function regprocedure) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.contract_settings(function regprocedure) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.contract_settings(function regprocedure) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.count_rows(declared mmdb.embeddings, exact_up_to bigint, OUT total bigint, OUT embedded bigint, OUT pending bigint, OUT failed bigint, OUT estimated boolean, OUT stale bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.count_rows(declared mmdb.embeddings, exact_up_to bigint, OUT total bigint, OUT embedded bigint, OUT pending bigint, OUT failed bigint, OUT estimated boolean, OUT stale bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.count_rows(declared mmdb.embeddings, exact_up_to bigint, OUT total bigint, OUT embedded bigint, OUT pending bigint, OUT failed bigint, OUT estimated boolean, OUT stale bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.count_rows_of(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.count_rows_of(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.count_rows_of(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.count_template() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.count_template() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.count_template() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.create_made(declared mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text, replacing boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.create_made(declared mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text, replacing boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.create_made(declared mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text, replacing boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.declaration(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.declaration(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.declaration(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.declaration_options() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.declaration_options() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.declaration_options() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.declarations() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.declarations() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.declarations() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.declare_embedding(declared mmdb.embeddings, index boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.declare_embedding(declared mmdb.embeddings, index boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.declare_embedding(declared mmdb.embeddings, index boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.default_comparison(type oid, strategy integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.default_comparison(type oid, strategy integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.default_comparison(type oid, strategy integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.dependents(class regclass, object oid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.dependents(class regclass, object oid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.dependents(class regclass, object oid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.describe_sources(relation regclass, numbers smallint[], wanted text, weights double precision[], OUT modality text, OUT by_uri boolean, OUT modalities text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.describe_sources(relation regclass, numbers smallint[], wanted text, weights double precision[], OUT modality text, OUT by_uri boolean, OUT modalities text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.describe_sources(relation regclass, numbers smallint[], wanted text, weights double precision[], OUT modality text, OUT by_uri boolean, OUT modalities text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.distance_name(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.distance_name(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.distance_name(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.distance_of(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.distance_of(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.distance_of(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.distance_operator(distance text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.distance_operator(distance text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.distance_operator(distance text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.distance_sql(declared mmdb.embeddings, other text, vector text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.distance_sql(declared mmdb.embeddings, other text, vector text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.distance_sql(declared mmdb.embeddings, other text, vector text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.diverse(ordered text[], scores double precision[], pieces mmdb.search_pieces, wanted integer, diversity double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.diverse(ordered text[], scores double precision[], pieces mmdb.search_pieces, wanted integer, diversity double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.diverse(ordered text[], scores double precision[], pieces mmdb.search_pieces, wanted integer, diversity double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.doctor() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.doctor() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.doctor() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.doctor_filters() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.doctor_filters() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.doctor_filters() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drift(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drift(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drift(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_contract(function text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_contract(function text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_contract(function text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_embedding(relation regclass, name text, if_exists boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_embedding(relation regclass, name text, if_exists boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_embedding(relation regclass, name text, if_exists boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_function(function regprocedure) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_function(function regprocedure) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_function(function regprocedure) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_generation(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_generation(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_generation(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_keywords(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_keywords(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_keywords(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_made(declared mmdb.embeddings, names text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_made(declared mmdb.embeddings, names text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_made(declared mmdb.embeddings, names text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_orphans(schema_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_orphans(schema_name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_orphans(schema_name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_search_functions(declared mmdb.embeddings, kept_arguments text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_search_functions(declared mmdb.embeddings, kept_arguments text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_search_functions(declared mmdb.embeddings, kept_arguments text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.drop_storage(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.drop_storage(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.drop_storage(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.earlier_forms(declared mmdb.embeddings, name text, types text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.earlier_forms(declared mmdb.embeddings, name text, types text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.earlier_forms(declared mmdb.embeddings, name text, types text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed(image bytea, model text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embed(image bytea, model text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embed(image bytea, model text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed(query text, model text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embed(query text, model text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embed(query text, model text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed_by(model text, content text, data bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, image bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, image bytea) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, image bytea) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, query text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, query text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embed_for(relation regclass, name text, query text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed_labels(labels text[], model text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embed_labels(labels text[], model text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embed_labels(labels text[], model text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embed_query(model text, modality text, content text, data bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.embedded_sql(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embedded_sql(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embedded_sql(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embedding_leg(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embedding_leg(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embedding_leg(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.embedding_of(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.embedding_of(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.embedding_of(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.exact_conditions(relation regclass, statement text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.exact_conditions(relation regclass, statement text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.exact_conditions(relation regclass, statement text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.example_vector(leg mmdb.leg, vectors public.vector[], number integer, liked integer, disliked_weight double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.example_vector(leg mmdb.leg, vectors public.vector[], number integer, liked integer, disliked_weight double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.example_vector(leg mmdb.leg, vectors public.vector[], number integer, liked integer, disliked_weight double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.examples_body(relation regclass, verb text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.examples_body(relation regclass, verb text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.examples_body(relation regclass, verb text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.explain(statement text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.explain(statement text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.explain(statement text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.fail(embedding bigint, worker integer, keys text[], states text[], hashes bytea[], errors text[], permanent boolean[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.fail(embedding bigint, worker integer, keys text[], states text[], hashes bytea[], errors text[], permanent boolean[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filled(template text, pieces jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filled(template text, pieces jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filled(template text, pieces jsonb) TO mmdb_worker;
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
REVOKE ALL ON FUNCTION mmdb.filter_containment(target text, type oid, operator text, value jsonb, label text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_containment(target text, type oid, operator text, value jsonb, label text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_containment(target text, type oid, operator text, value jsonb, label text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_document(target text, type oid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_document(target text, type oid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_document(target text, type oid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_entry(relation regclass, key text, value jsonb, alias text, depth integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_entry(relation regclass, key text, value jsonb, alias text, depth integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_entry(relation regclass, key text, value jsonb, alias text, depth integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_in(target text, type oid, equal text, listed jsonb, label text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_in(target text, type oid, equal text, listed jsonb, label text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_in(target text, type oid, equal text, listed jsonb, label text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_list(operator text, value jsonb, count integer, label text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_list(operator text, value jsonb, count integer, label text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_list(operator text, value jsonb, count integer, label text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_literal(value jsonb, type oid, label text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_literal(value jsonb, type oid, label text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_literal(value jsonb, type oid, label text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_null(target text, type oid, operator text, value jsonb, label text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_null(target text, type oid, operator text, value jsonb, label text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_null(target text, type oid, operator text, value jsonb, label text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.filter_operand(type oid, operator text, written text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_operand(type oid, operator text, written text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_operand(type oid, operator text, written text) TO mmdb_worker;
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
REVOKE ALL ON FUNCTION mmdb.filter_text(value jsonb, type oid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.filter_text(value jsonb, type oid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.filter_text(value jsonb, type oid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.find(query text, image bytea, k integer, relations regclass[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.find(query text, image bytea, k integer, relations regclass[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.find(query text, image bytea, k integer, relations regclass[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.fires_when(declared mmdb.embeddings, changed text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.fires_when(declared mmdb.embeddings, changed text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.fires_when(declared mmdb.embeddings, changed text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.first_declared(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.first_declared(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.first_declared(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.first_embedding(legs mmdb.leg[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.first_embedding(legs mmdb.leg[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.first_embedding(legs mmdb.leg[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.follow_table(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.follow_table(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.follow_table(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.forget_embedding(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.forget_embedding(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.forget_embedding(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.forget_keywords(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.forget_keywords(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.forget_keywords(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.forget_leases(embedding bigint, keys text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.forget_leases(embedding bigint, keys text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.former_legs(former mmdb.search_leg[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.former_legs(former mmdb.search_leg[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.former_legs(former mmdb.search_leg[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.former_pieces(former mmdb.search_source) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.former_pieces(former mmdb.search_source) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.former_pieces(former mmdb.search_source) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.found_body(relation regclass, search text, found text[], after text, variables text, before text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.found_body(relation regclass, search text, found text[], after text, variables text, before text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.found_body(relation regclass, search text, found text[], after text, variables text, before text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.free_name(relation regclass, wanted text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.free_name(relation regclass, wanted text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.free_name(relation regclass, wanted text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.function_called(signature text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.function_called(signature text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.function_called(signature text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.function_drift(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.function_drift(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.function_drift(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.function_names(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.function_names(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.function_names(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.functions_at_hand(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.functions_at_hand(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.functions_at_hand(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.functions_to_rename(declared mmdb.embeddings, now_called mmdb.embeddings, OUT function regprocedure, OUT name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.functions_to_rename(declared mmdb.embeddings, now_called mmdb.embeddings, OUT function regprocedure, OUT name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.functions_to_rename(declared mmdb.embeddings, now_called mmdb.embeddings, OUT function regprocedure, OUT name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.fused(keys text[], scores double precision[], reasons jsonb[], k integer, depth integer, measure mmdb.leg, diversity double precision, after text, OUT fused_keys text[], OUT fused_scores double precision[], OUT ranks jsonb[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.fused(keys text[], scores double precision[], reasons jsonb[], k integer, depth integer, measure mmdb.leg, diversity double precision, after text, OUT fused_keys text[], OUT fused_scores double precision[], OUT ranks jsonb[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.fused(keys text[], scores double precision[], reasons jsonb[], k integer, depth integer, measure mmdb.leg, diversity double precision, after text, OUT fused_keys text[], OUT fused_scores double precision[], OUT ranks jsonb[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.generation_name(name text, model text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.generation_name(name text, model text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.generation_name(name text, model text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.give_way(planned mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.give_way(planned mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.give_way(planned mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.given_key_sql(relation regclass, parameter text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.given_key_sql(relation regclass, parameter text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.given_key_sql(relation regclass, parameter text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.grant_again(call text, grants aclitem[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.grant_again(call text, grants aclitem[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.grant_again(call text, grants aclitem[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.grant_privileges() FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.guard_owner(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.guard_owner(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.guard_owner(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.guard_pass(embedding bigint, pass uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.guard_session() FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.guarded_columns(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.guarded_columns(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.guarded_columns(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.hand_over_functions(serving mmdb.embeddings, other mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.hand_over_functions(serving mmdb.embeddings, other mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.hand_over_functions(serving mmdb.embeddings, other mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.has_code_sql(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.has_code_sql(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.has_code_sql(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.has_direction(embedding public.halfvec) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.has_direction(embedding public.halfvec) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.has_direction(embedding public.halfvec) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.has_direction(embedding public.vector) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.has_direction(embedding public.vector) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.has_direction(embedding public.vector) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.has_index_for(relation regclass, name text, operator text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.has_index_for(relation regclass, name text, operator text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.has_index_for(relation regclass, name text, operator text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.has_words(relation regclass, columns text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.has_words(relation regclass, columns text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.has_words(relation regclass, columns text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.hash_sql(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.hash_sql(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.hash_sql(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.here(standby boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.hidden_columns(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.hidden_columns(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.hidden_columns(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.hold(embedding bigint, worker integer, pass uuid, keys text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.hold(embedding bigint, worker integer, pass uuid, keys text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.idle_leases(embedding bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.idle_leases(embedding bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.index_advice(relation regclass, statements text[], calls bigint[], milliseconds double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.index_advice(relation regclass, statements text[], calls bigint[], milliseconds double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.index_advice(relation regclass, statements text[], calls bigint[], milliseconds double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.index_definition(declared mmdb.embeddings, kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.index_definition(declared mmdb.embeddings, kind text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.index_definition(declared mmdb.embeddings, kind text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.index_for(relation regclass, name text, operator text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.index_for(relation regclass, name text, operator text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.index_for(relation regclass, name text, operator text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.index_name(declared mmdb.embeddings, kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.index_name(declared mmdb.embeddings, kind text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.index_name(declared mmdb.embeddings, kind text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.index_statements(relation regclass, name text, concurrent boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.index_statements(relation regclass, name text, concurrent boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.index_statements(relation regclass, name text, concurrent boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.indexed_relation(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.indexed_relation(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.indexed_relation(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.indexed_sql(declared mmdb.embeddings, kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.indexed_sql(declared mmdb.embeddings, kind text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.indexed_sql(declared mmdb.embeddings, kind text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.indexes_to_rename(declared mmdb.embeddings, now_called mmdb.embeddings, OUT index regclass, OUT name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.indexes_to_rename(declared mmdb.embeddings, now_called mmdb.embeddings, OUT index regclass, OUT name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.indexes_to_rename(declared mmdb.embeddings, now_called mmdb.embeddings, OUT index regclass, OUT name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_array(type oid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_array(type oid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_array(type oid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_blank(query bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_blank(query bytea) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_blank(query bytea) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_blank(query text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_blank(query text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_blank(query text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_flat(distances double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_flat(distances double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_flat(distances double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_free(lease mmdb.leases, state text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_free(lease mmdb.leases, state text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_free(lease mmdb.leases, state text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_made_by(function oid, id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_made_by(function oid, id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_made_by(function oid, id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_out_of_date(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_out_of_date(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_out_of_date(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_quantized(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_quantized(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_quantized(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.is_renamed(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.is_renamed(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.is_renamed(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keep_contract(function regprocedure) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keep_contract(function regprocedure) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keep_contract(function regprocedure) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keep_vectors(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keep_vectors(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keep_vectors(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.key_column_type(type oid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.key_column_type(type oid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.key_column_type(type oid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.key_columns(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.key_columns(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.key_columns(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.key_matches(relation regclass, key text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.key_matches(relation regclass, key text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.key_matches(relation regclass, key text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.key_sql(relation regclass, OUT expression text, OUT ordering text, OUT columns text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.key_sql(relation regclass, OUT expression text, OUT ordering text, OUT columns text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.key_sql(relation regclass, OUT expression text, OUT ordering text, OUT columns text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.key_type(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.key_type(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.key_type(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keywords_expression(words mmdb.keywords) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keywords_expression(words mmdb.keywords) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keywords_expression(words mmdb.keywords) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keywords_index(words mmdb.keywords) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keywords_index(words mmdb.keywords) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keywords_index(words mmdb.keywords) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keywords_index_found(words mmdb.keywords) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keywords_index_found(words mmdb.keywords) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keywords_index_found(words mmdb.keywords) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keywords_leg(words mmdb.keywords) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keywords_leg(words mmdb.keywords) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keywords_leg(words mmdb.keywords) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.keywords_method(language text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.keywords_method(language text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.keywords_method(language text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.known_key(relation regclass, given text, known text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.known_key(relation regclass, given text, known text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.known_key(relation regclass, given text, known text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.known_key_sql(relation regclass, parameter text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.known_key_sql(relation regclass, parameter text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.known_key_sql(relation regclass, parameter text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.label_probabilities(embedding public.vector, label_vectors public.vector[], scale double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.label_probabilities(embedding public.vector, label_vectors public.vector[], scale double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.label_probabilities(embedding public.vector, label_vectors public.vector[], scale double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.label_scale(model text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.label_scale(model text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.label_scale(model text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.later_sql(relation regclass, key text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.later_sql(relation regclass, key text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.later_sql(relation regclass, key text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.latest_name(relation regclass, number smallint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.latest_name(relation regclass, number smallint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.latest_name(relation regclass, number smallint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.latest_vector(model text, hash bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.left_rows_sql(declared mmdb.embeddings, after text, upto text, within text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.left_rows_sql(declared mmdb.embeddings, after text, upto text, within text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.left_rows_sql(declared mmdb.embeddings, after text, upto text, within text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.legs(described jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.legs(described jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.legs(described jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.legs_sql(legs mmdb.leg[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.legs_sql(legs mmdb.leg[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.legs_sql(legs mmdb.leg[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.let_worker_in(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.let_worker_in(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.let_worker_in(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.live_workers() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.live_workers() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.live_workers() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.load_template() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.load_template() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.load_template() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.loads_bytes(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.loads_bytes(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.loads_bytes(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.lock_declarations(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.lock_declarations(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.lock_declarations(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.lock_sql(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.lock_sql(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.lock_sql(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.loopback(statement text, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.loopback_remedy() FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.lost_embeddings() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.lost_embeddings() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.lost_embeddings() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.made_for(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.made_for(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.made_for(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.made_for_id(function oid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.made_for_id(function oid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.made_for_id(function oid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.made_functions(declared mmdb.embeddings, schemas oid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.made_functions(declared mmdb.embeddings, schemas oid[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.made_functions(declared mmdb.embeddings, schemas oid[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.made_index(words mmdb.keywords) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.made_index(words mmdb.keywords) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.made_index(words mmdb.keywords) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_example_functions(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_example_functions(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_example_functions(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_keywords_index(words mmdb.keywords, build boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_keywords_index(words mmdb.keywords, build boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_keywords_index(words mmdb.keywords, build boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_public_function(declared mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_public_function(declared mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_public_function(declared mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text, columns text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_search_view(declared mmdb.embeddings, argument text, vector text, asked text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_search_view(declared mmdb.embeddings, argument text, vector text, asked text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_search_view(declared mmdb.embeddings, argument text, vector text, asked text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_search_views(declared mmdb.embeddings, made_already text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_search_views(declared mmdb.embeddings, made_already text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_search_views(declared mmdb.embeddings, made_already text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_storage(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_storage(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_storage(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_table_functions(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_table_functions(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_table_functions(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_top_function(declared mmdb.embeddings, argument text, vector text, asked text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_top_function(declared mmdb.embeddings, argument text, vector text, asked text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_top_function(declared mmdb.embeddings, argument text, vector text, asked text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_trigger(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_trigger(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_trigger(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.make_worker_functions(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.make_worker_functions(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.make_worker_functions(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.marked_sql(declared mmdb.embeddings, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.marked_sql(declared mmdb.embeddings, alias text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.marked_sql(declared mmdb.embeddings, alias text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.may_call(embedding bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.may_call(embedding bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.may_clean(embedding bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.may_clean(embedding bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.measure(query mmdb.stored_query, expected text[], OUT made mmdb.recalls, OUT ordered boolean, OUT short bigint, OUT tables regclass[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.measure(query mmdb.stored_query, expected text[], OUT made mmdb.recalls, OUT ordered boolean, OUT short bigint, OUT tables regclass[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.measure(query mmdb.stored_query, expected text[], OUT made mmdb.recalls, OUT ordered boolean, OUT short bigint, OUT tables regclass[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.measured(distance double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.measured(distance double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.measured(distance double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.measured_by(expressions text[], alias text, column_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.measured_by(expressions text[], alias text, column_name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.measured_by(expressions text[], alias text, column_name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.measured_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.measured_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.measured_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.measured_rows(plan jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.measured_rows(plan jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.measured_rows(plan jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.model_of(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.model_of(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.model_of(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.most_pictures() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.most_pictures() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.most_pictures() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.named_after_table(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.named_after_table(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.named_after_table(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.near_duplicates(relation regclass, name text, max_distance double precision, neighbours integer, after text, upto text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.near_duplicates(relation regclass, name text, max_distance double precision, neighbours integer, after text, upto text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.near_duplicates(relation regclass, name text, max_distance double precision, neighbours integer, after text, upto text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.nearest_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, k integer, filter jsonb, after text, upto text, within text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.nearest_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, k integer, filter jsonb, after text, upto text, within text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.nearest_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, k integer, filter jsonb, after text, upto text, within text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.nearest_sql(declared mmdb.embeddings, lefts regclass, passes text, depth integer, walked boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.nearest_sql(declared mmdb.embeddings, lefts regclass, passes text, depth integer, walked boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.nearest_sql(declared mmdb.embeddings, lefts regclass, passes text, depth integer, walked boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.neighbours(left_relation regclass, left_name text, right_relation regclass, right_name text, k integer, max_distance double precision, filter jsonb, after text, upto text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.neighbours(left_relation regclass, left_name text, right_relation regclass, right_name text, k integer, max_distance double precision, filter jsonb, after text, upto text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.neighbours(left_relation regclass, left_name text, right_relation regclass, right_name text, k integer, max_distance double precision, filter jsonb, after text, upto text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.new_partitions(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.new_partitions(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.new_partitions(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.note_attempt(embedding bigint, worker integer, key text, state text, source_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.note_attempt(embedding bigint, worker integer, key text, state text, source_hash bytea) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.note_counts(embedding bigint, pass uuid, total bigint, embedded bigint, pending bigint, estimated boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.note_counts(embedding bigint, pass uuid, total bigint, embedded bigint, pending bigint, estimated boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.note_triggers(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.note_triggers(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.note_triggers(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.on_change(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.on_change(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.on_change(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.open_loopback() FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.orphans(schema_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.orphans(schema_name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.orphans(schema_name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.other_generation(serving mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.other_generation(serving mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.other_generation(serving mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.other_options(declaration jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.other_options(declaration jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.other_options(declaration jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.other_triggers(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.other_triggers(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.other_triggers(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.oversampling(by_signs boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.oversampling(by_signs boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.oversampling(by_signs boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.own_columns() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.own_columns() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.own_columns() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.own_indexes() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.own_indexes() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.own_indexes() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.own_triggers(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.own_triggers(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.own_triggers(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.page_end(relation regclass, after text, count integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.page_end(relation regclass, after text, count integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.page_end(relation regclass, after text, count integer) TO mmdb_worker;
GRANT ALL ON FUNCTION mmdb.pairs(content text, singles boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pairs(content text, singles boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.partition_drift(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.partition_drift(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.partition_drift(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.partition_drift_of(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.partition_drift_of(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.partition_drift_of(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.partition_index_statements(declared mmdb.embeddings, kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.partition_index_statements(declared mmdb.embeddings, kind text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.partition_index_statements(declared mmdb.embeddings, kind text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.partition_triggers(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.partition_triggers(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.partition_triggers(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pass_template() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pass_template() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pass_template() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pending_of(declared mmdb.embeddings, ids text[], OUT pending bigint, OUT mine bigint, OUT failure text, OUT retried text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pending_of(declared mmdb.embeddings, ids text[], OUT pending bigint, OUT mine bigint, OUT failure text, OUT retried text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pending_of(declared mmdb.embeddings, ids text[], OUT pending bigint, OUT mine bigint, OUT failure text, OUT retried text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pending_sql(declared mmdb.embeddings, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pending_sql(declared mmdb.embeddings, alias text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pending_sql(declared mmdb.embeddings, alias text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pending_template() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pending_template() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pending_template() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pieces(described jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pieces(described jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pieces(described jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.pieces_sql(pieces mmdb.search_pieces) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.pieces_sql(pieces mmdb.search_pieces) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.pieces_sql(pieces mmdb.search_pieces) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.place_trigger(declared mmdb.embeddings, columns text, condition text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.place_trigger(declared mmdb.embeddings, columns text, condition text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.place_trigger(declared mmdb.embeddings, columns text, condition text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.plain_key_sql(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.plain_key_sql(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.plain_key_sql(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.plan_embedding(relation regclass, declaration jsonb, vector_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.plan_embedding(relation regclass, declaration jsonb, vector_type text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.plan_embedding(relation regclass, declaration jsonb, vector_type text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.plan_names(planned mmdb.embeddings, declaration jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.plan_names(planned mmdb.embeddings, declaration jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.plan_names(planned mmdb.embeddings, declaration jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.plan_nodes(plan jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.plan_nodes(plan jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.plan_nodes(plan jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.plan_of(statement text, path text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.plan_of(statement text, path text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.plan_of(statement text, path text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.plan_on_change(planned mmdb.embeddings, on_change text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.plan_on_change(planned mmdb.embeddings, on_change text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.plan_on_change(planned mmdb.embeddings, on_change text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.plan_storage(planned mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.plan_storage(planned mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.plan_storage(planned mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.poll_query(token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.poll_query(token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) TO mmdb_loopback;
REVOKE ALL ON FUNCTION mmdb.poll_request(token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.poll_request(token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) TO mmdb_loopback;
REVOKE ALL ON FUNCTION mmdb.post_query(asked_at text, model text, modality text, content text, data bytea, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.post_query(asked_at text, model text, modality text, content text, data bytea, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) TO mmdb_loopback;
REVOKE ALL ON FUNCTION mmdb.post_request(place text, task text, model text, content text, data bytea, parameters jsonb, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.post_request(place text, task text, model text, content text, data bytea, parameters jsonb, OUT token uuid, OUT embedding real[], OUT answer jsonb, OUT problem text) TO mmdb_loopback;
REVOKE ALL ON FUNCTION mmdb.present_sql(declared mmdb.embeddings, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.present_sql(declared mmdb.embeddings, alias text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.present_sql(declared mmdb.embeddings, alias text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.query_arguments(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.query_arguments(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.query_arguments(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.query_vector(leg mmdb.leg, query text, images bytea[], weights jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.query_vector(leg mmdb.leg, query text, images bytea[], weights jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.query_vector(leg mmdb.leg, query text, images bytea[], weights jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.raise_problem(problem text, task text, model text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.read_column(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.read_column(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.read_column(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.readable_json(document json) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.readable_json(document json) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.readable_json(document json) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.readers_of(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.readers_of(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.readers_of(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.recall(function regprocedure, samples jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.recall(function regprocedure, samples jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.recall(function regprocedure, samples jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.recall_in(search_path text, function regprocedure, samples jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.recall_in(search_path text, function regprocedure, samples jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.recall_in(search_path text, function regprocedure, samples jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.recall_interval(hits bigint[], sizes bigint[], OUT recall double precision, OUT low double precision, OUT high double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.recall_interval(hits bigint[], sizes bigint[], OUT recall double precision, OUT low double precision, OUT high double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.recall_interval(hits bigint[], sizes bigint[], OUT recall double precision, OUT low double precision, OUT high double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.recall_row(function regprocedure, OUT identity text, OUT distance text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.recall_row(function regprocedure, OUT identity text, OUT distance text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.recall_row(function regprocedure, OUT identity text, OUT distance text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.recommend(legs mmdb.leg[], keys text[], known text[], vectors public.vector[], liked integer, k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text, OUT fused_keys text[], OUT fused_scores double precision[], OUT ranks jsonb[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.recommend(legs mmdb.leg[], keys text[], known text[], vectors public.vector[], liked integer, k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text, OUT fused_keys text[], OUT fused_scores double precision[], OUT ranks jsonb[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.recommend(legs mmdb.leg[], keys text[], known text[], vectors public.vector[], liked integer, k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text, OUT fused_keys text[], OUT fused_scores double precision[], OUT ranks jsonb[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.recommend(legs mmdb.search_leg[], keys text[], known text[], vectors public.vector[], liked integer, k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.recommend(legs mmdb.search_leg[], keys text[], known text[], vectors public.vector[], liked integer, k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.recommend(legs mmdb.search_leg[], keys text[], known text[], vectors public.vector[], liked integer, k integer, filter jsonb, within text[], weights jsonb, diversity double precision, depth integer, after text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.record_contract(made mmdb.recall_contracts) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.record_contract(made mmdb.recall_contracts) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.record_contract(made mmdb.recall_contracts) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.record_embedding(declared mmdb.embeddings, pass uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.record_embedding(declared mmdb.embeddings, pass uuid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.record_embedding(declared mmdb.embeddings, pass uuid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.record_keywords(words mmdb.keywords) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.record_keywords(words mmdb.keywords) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.record_keywords(words mmdb.keywords) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.record_recall(made mmdb.recalls, tables regclass[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.record_recall(made mmdb.recalls, tables regclass[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.record_recall(made mmdb.recalls, tables regclass[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.record_switch(serving bigint, other bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.record_switch(serving bigint, other bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.record_switch(serving bigint, other bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.refresh(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.refresh(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.refresh(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.refresh_namesakes(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.refresh_namesakes(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.refresh_namesakes(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.refuse_pending(legs mmdb.leg[], known text[], liked integer, weights jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.refuse_pending(legs mmdb.leg[], known text[], liked integer, weights jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.refuse_pending(legs mmdb.leg[], known text[], liked integer, weights jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.refuse_problem(problem text, model text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.relation_sql(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.relation_sql(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.relation_sql(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.release_sources(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.release_sources(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.release_sources(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.remake_other_views(relation regclass, id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.remake_other_views(relation regclass, id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.remake_other_views(relation regclass, id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.remove_model(name text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.rename_made(object oid, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rename_made(object oid, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rename_made(object oid, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rename_storage(declared mmdb.embeddings, column_name text, stale_column text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rename_storage(declared mmdb.embeddings, column_name text, stale_column text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rename_storage(declared mmdb.embeddings, column_name text, stale_column text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.report_drift(embedding bigint, drift text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.report_drift(embedding bigint, drift text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.request(task text, model text, content text, data bytea, parameters jsonb, timeout_ms integer, OUT embedding real[], OUT answer jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.request_hash(content text, data bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.resolved(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.resolved(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.resolved(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.result_columns(function regprocedure) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.result_columns(function regprocedure) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.result_columns(function regprocedure) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.retry(relation regclass, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.retry(relation regclass, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.retry(relation regclass, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.retry_delay(attempts integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.retry_delay(attempts integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.retry_delay(attempts integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rollback_model(relation regclass, name text, force boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rollback_model(relation regclass, name text, force boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rollback_model(relation regclass, name text, force boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rounded(made mmdb.recalls) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rounded(made mmdb.recalls) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rounded(made mmdb.recalls) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.row_pieces(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.row_pieces(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.row_pieces(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.row_state_sql(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.row_state_sql(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.row_state_sql(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rows_sql(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rows_sql(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rows_sql(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint, weight double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint, weight double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rrf_add(score double precision, rank bigint, weight double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.run_as_owner(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.run_as_owner(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.run_as_owner(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.run_exact(query mmdb.stored_query, OUT answers text[], OUT milliseconds double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.run_exact(query mmdb.stored_query, OUT answers text[], OUT milliseconds double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.run_exact(query mmdb.stored_query, OUT answers text[], OUT milliseconds double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.run_samples(query mmdb.stored_query) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.run_samples(query mmdb.stored_query) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.run_samples(query mmdb.stored_query) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.same_column_sql(relation regclass, number smallint, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.same_column_sql(relation regclass, number smallint, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.same_column_sql(relation regclass, number smallint, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.same_key_sql(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.same_key_sql(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.same_key_sql(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.sample_argument(argument jsonb, type oid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.sample_argument(argument jsonb, type oid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.sample_argument(argument jsonb, type oid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.sample_call(function regprocedure, sample jsonb, place bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.sample_call(function regprocedure, sample jsonb, place bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.sample_call(function regprocedure, sample jsonb, place bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.sample_calls(function regprocedure, samples jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.sample_calls(function regprocedure, samples jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.sample_calls(function regprocedure, samples jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.says_sql(relation regclass, sources text[], alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.says_sql(relation regclass, sources text[], alias text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.says_sql(relation regclass, sources text[], alias text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.scans(relation regclass, OUT rows real, OUT whole bigint, OUT read bigint, OUT by_index bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.scans(relation regclass, OUT rows real, OUT whole bigint, OUT read bigint, OUT by_index bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.scans(relation regclass, OUT rows real, OUT whole bigint, OUT read bigint, OUT by_index bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search(legs mmdb.leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer, diversity double precision, after text, OUT keys text[], OUT scores double precision[], OUT ranks jsonb[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search(legs mmdb.leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer, diversity double precision, after text, OUT keys text[], OUT scores double precision[], OUT ranks jsonb[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search(legs mmdb.leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer, diversity double precision, after text, OUT keys text[], OUT scores double precision[], OUT ranks jsonb[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search(legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer, diversity double precision, after text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search(legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer, diversity double precision, after text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search(legs mmdb.search_leg[], query text, images bytea[], k integer, filter jsonb, within text[], weights jsonb, depth integer, diversity double precision, after text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_body(declared mmdb.embeddings, vector text, asked text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_body(declared mmdb.embeddings, vector text, asked text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_body(declared mmdb.embeddings, vector text, asked text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_call(relation regclass, has_text boolean, has_image boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_call(relation regclass, has_text boolean, has_image boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_call(relation regclass, has_text boolean, has_image boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_columns(relation regclass, OUT definitions text, OUT selected text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_columns(relation regclass, OUT definitions text, OUT selected text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_columns(relation regclass, OUT definitions text, OUT selected text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_depth(k integer, depth integer, diversity double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_depth(k integer, depth integer, diversity double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_depth(k integer, depth integer, diversity double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_found(leg mmdb.leg, query text, vector public.vector, depth integer, filter jsonb, within text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_found(leg mmdb.leg, query text, vector public.vector, depth integer, filter jsonb, within text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_found(leg mmdb.leg, query text, vector public.vector, depth integer, filter jsonb, within text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_legs(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_legs(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_legs(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_name(prefix text, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_name(prefix text, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_name(prefix text, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_pieces(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_pieces(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_pieces(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.search_table_body(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.search_table_body(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.search_table_body(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.searched_rows(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.searched_rows(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.searched_rows(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.searches_in(plan jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.searches_in(plan jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.searches_in(plan jsonb) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.seen_statements() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.seen_statements() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.seen_statements() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.serves(worker mmdb.worker_sessions, model mmdb.models) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.serving_index(declared mmdb.embeddings, kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.serving_index(declared mmdb.embeddings, kind text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.serving_index(declared mmdb.embeddings, kind text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.set_aside(function regprocedure, schema_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.set_aside(function regprocedure, schema_name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.set_aside(function regprocedure, schema_name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.set_setting(name text, value text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.set_vector_sql(declared mmdb.embeddings, vector text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.set_vector_sql(declared mmdb.embeddings, vector text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.set_vector_sql(declared mmdb.embeddings, vector text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.setting(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.setting(name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.setting(name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.settings_of(function regprocedure) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.settings_of(function regprocedure) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.settings_of(function regprocedure) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.settle(embedding bigint, worker integer, pass uuid, keys text[], outcomes text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.settle(embedding bigint, worker integer, pass uuid, keys text[], outcomes text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.share_session(worker integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.share_session(worker integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.shell_word(word text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.shell_word(word text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.shell_word(word text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.short_name(wanted text, id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.short_name(wanted text, id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.short_name(wanted text, id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.shown_columns(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.shown_columns(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.shown_columns(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.signature(function regprocedure) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.signature(function regprocedure) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.signature(function regprocedure) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.signs_sql(declared mmdb.embeddings, vector text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.signs_sql(declared mmdb.embeddings, vector text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.signs_sql(declared mmdb.embeddings, vector text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.source_expressions(relation regclass, numbers smallint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.source_expressions(relation regclass, numbers smallint[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.source_expressions(relation regclass, numbers smallint[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.source_kind(type oid) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.source_kind(type oid) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.source_kind(type oid) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.source_modality(relation regclass, numbers smallint[], wanted text, OUT modality text, OUT by_uri boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.source_modality(relation regclass, numbers smallint[], wanted text, OUT modality text, OUT by_uri boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.source_modality(relation regclass, numbers smallint[], wanted text, OUT modality text, OUT by_uri boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.sources_sql(sources text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.sources_sql(sources text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.sources_sql(sources text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.stale_sql(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.stale_sql(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.stale_sql(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.standing_failures(declared mmdb.embeddings, keys text[], states text[], hashes bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.standing_failures(declared mmdb.embeddings, keys text[], states text[], hashes bytea[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.standing_failures(declared mmdb.embeddings, keys text[], states text[], hashes bytea[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.start_worker(host text, pid integer, version text, models text[], identities text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.start_worker(host text, pid integer, version text, models text[], identities text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.stop_worker(worker integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.stop_worker(worker integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.storage_parameters(options jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.storage_parameters(options jsonb) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.storage_parameters(options jsonb) TO mmdb_worker;
REVOKE ALL ON PROCEDURE mmdb.store_near_duplicates(IN relation regclass, IN name text, IN max_distance double precision, IN target text, IN neighbours integer, IN batch integer) FROM PUBLIC;
GRANT ALL ON PROCEDURE mmdb.store_near_duplicates(IN relation regclass, IN name text, IN max_distance double precision, IN target text, IN neighbours integer, IN batch integer) TO mmdb_user;
GRANT ALL ON PROCEDURE mmdb.store_near_duplicates(IN relation regclass, IN name text, IN max_distance double precision, IN target text, IN neighbours integer, IN batch integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.store_template() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.store_template() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.store_template() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.stored_query(function regprocedure, samples jsonb, search_path text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.stored_query(function regprocedure, samples jsonb, search_path text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.stored_query(function regprocedure, samples jsonb, search_path text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.stored_rows(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.stored_rows(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.stored_rows(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.swap_index_names(serving regclass, other regclass, set_aside text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.swap_index_names(serving regclass, other regclass, set_aside text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.swap_index_names(serving regclass, other regclass, set_aside text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.sweep() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.sweep() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.switch_model(relation regclass, name text, force boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.switch_model(relation regclass, name text, force boolean) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.switch_model(relation regclass, name text, force boolean) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.table_call(declared mmdb.embeddings, verb text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.table_call(declared mmdb.embeddings, verb text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.table_call(declared mmdb.embeddings, verb text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.table_changes(tables regclass[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.table_changes(tables regclass[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.table_changes(tables regclass[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.table_name(name text, suffix text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.table_name(name text, suffix text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.table_name(name text, suffix text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.table_rows(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.table_rows(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.table_rows(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.table_verbs() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.table_verbs() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.table_verbs() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.take_queries(worker integer, models text[], count integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.take_queries(worker integer, models text[], count integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.take_requests(worker integer, models text[], tasks text[], count integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.take_requests(worker integer, models text[], tasks text[], count integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.tasks(model text, identity text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.tasks(model text, identity text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.text_sql(relation regclass, source text, plain text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.text_sql(relation regclass, source text, plain text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.text_sql(relation regclass, source text, plain text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top(pieces mmdb.search_pieces, vector public.vector, k integer, filter jsonb, within text[], after text, OUT keys text[], OUT distances double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top(pieces mmdb.search_pieces, vector public.vector, k integer, filter jsonb, within text[], after text, OUT keys text[], OUT distances double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top(pieces mmdb.search_pieces, vector public.vector, k integer, filter jsonb, within text[], after text, OUT keys text[], OUT distances double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top(parts mmdb.search_source, vector public.vector, k integer, filter jsonb, within text[], after text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top(parts mmdb.search_source, vector public.vector, k integer, filter jsonb, within text[], after text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top(parts mmdb.search_source, vector public.vector, k integer, filter jsonb, within text[], after text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_after(pieces mmdb.search_pieces, vector public.vector, after text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_after(pieces mmdb.search_pieces, vector public.vector, after text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_after(pieces mmdb.search_pieces, vector public.vector, after text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_body(declared mmdb.embeddings, vector text, asked text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_body(declared mmdb.embeddings, vector text, asked text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_body(declared mmdb.embeddings, vector text, asked text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_costs(OUT walked real, OUT flat real, OUT scanned real, OUT read real, OUT kept real) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_costs(OUT walked real, OUT flat real, OUT scanned real, OUT read real, OUT kept real) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_costs(OUT walked real, OUT flat real, OUT scanned real, OUT read real, OUT kept real) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_deep(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, wanted integer, budget integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_deep(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, wanted integer, budget integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_deep(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, wanted integer, budget integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_estimate(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], OUT rows real, OUT share real, OUT exact_cost real) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_estimate(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], OUT rows real, OUT share real, OUT exact_cost real) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_estimate(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], OUT rows real, OUT share real, OUT exact_cost real) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_exact(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, OUT keys text[], OUT distances double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_exact(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, OUT keys text[], OUT distances double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_exact(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, OUT keys text[], OUT distances double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_longer(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, depth integer, seen bigint, flat boolean, exact_cost real, OUT passed bigint, OUT keys text[], OUT distances double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_longer(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, depth integer, seen bigint, flat boolean, exact_cost real, OUT passed bigint, OUT keys text[], OUT distances double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_longer(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], k integer, depth integer, seen bigint, flat boolean, exact_cost real, OUT passed bigint, OUT keys text[], OUT distances double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_name(prefix text, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_name(prefix text, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_name(prefix text, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.top_probe(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], most integer, depth integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.top_probe(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], most integer, depth integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.top_probe(pieces mmdb.search_pieces, passes text, vector public.vector, within text[], most integer, depth integer, OUT passed bigint, OUT keys text[], OUT distances double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.trigger_arguments(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.trigger_arguments(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.trigger_arguments(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.trigger_condition(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.trigger_condition(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.trigger_condition(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.trigger_drift(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.trigger_drift(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.trigger_drift(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.trigger_name(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.trigger_name(id bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.trigger_name(id bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.triggers_of_stores(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.triggers_of_stores(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.triggers_of_stores(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.trim_requests() FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.trusts_owner(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.trusts_owner(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.trusts_owner(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.try_loopback(OUT problem text, OUT remedy text) FROM PUBLIC;
REVOKE ALL ON FUNCTION mmdb.try_settings(query mmdb.stored_query, expected text[], exact_milliseconds double precision, target double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.try_settings(query mmdb.stored_query, expected text[], exact_milliseconds double precision, target double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.try_settings(query mmdb.stored_query, expected text[], exact_milliseconds double precision, target double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.tune(function regprocedure, samples jsonb, target double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.tune(function regprocedure, samples jsonb, target double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.tune(function regprocedure, samples jsonb, target double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.tune_in(search_path text, function regprocedure, samples jsonb, target double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.tune_in(search_path text, function regprocedure, samples jsonb, target double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.tune_in(search_path text, function regprocedure, samples jsonb, target double precision) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.tuned_settings() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.tuned_settings() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.tuned_settings() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.tuning_ladders(function regprocedure) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.tuning_ladders(function regprocedure) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.tuning_ladders(function regprocedure) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.unchanged_sql(declared mmdb.embeddings, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.unchanged_sql(declared mmdb.embeddings, alias text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.unchanged_sql(declared mmdb.embeddings, alias text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.unset_all(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.unset_all(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.unset_all(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.unset_attached(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.unset_attached(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.unset_attached(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.unset_embedding() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.unset_embedding() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.unset_embedding() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.unset_sql(declared mmdb.embeddings, rows text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.unset_sql(declared mmdb.embeddings, rows text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.unset_sql(declared mmdb.embeddings, rows text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.unspaced() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.unspaced() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.unspaced() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.usual_path_sql() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.usual_path_sql() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.usual_path_sql() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.vector_of(declared mmdb.embeddings, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.vector_of(declared mmdb.embeddings, alias text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.vector_of(declared mmdb.embeddings, alias text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.vector_scans() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.vector_scans() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.vector_scans() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.vector_type(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.vector_type(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.vector_type(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.wait_until_embedded(relation regclass, ids text[], name text, timeout interval) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.wait_until_embedded(relation regclass, ids text[], name text, timeout interval) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.wait_until_embedded(relation regclass, ids text[], name text, timeout interval) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.wake() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.wake() TO mmdb_loopback;
REVOKE ALL ON FUNCTION mmdb.wake_workers() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.wake_workers() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.wake_workers() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.walk_sql(declared mmdb.embeddings, other text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.walk_sql(declared mmdb.embeddings, other text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.walk_sql(declared mmdb.embeddings, other text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.walked_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.walked_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.walked_pairs(lefts mmdb.embeddings, rights mmdb.embeddings, passes text, depth integer, after text, upto text, within text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.warn_of_adopted(planned mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.warn_of_adopted(planned mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.warn_of_adopted(planned mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.weight_of(weights jsonb, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.weight_of(weights jsonb, name text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.weight_of(weights jsonb, name text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.weighted_load_template() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.weighted_load_template() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.weighted_load_template() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.weighted_sources(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.weighted_sources(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.weighted_sources(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.weighted_vector(vectors real[], weights double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.weighted_vector(vectors real[], weights double precision[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.weighted_vector(vectors real[], weights double precision[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.within_keys(pieces mmdb.search_pieces, keys text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.within_keys(pieces mmdb.search_pieces, keys text[]) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.within_keys(pieces mmdb.search_pieces, keys text[]) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.within_sql(relation regclass, keys text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.within_sql(relation regclass, keys text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.within_sql(relation regclass, keys text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.within_type(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.within_type(relation regclass) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.within_type(relation regclass) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.words_found(leg mmdb.leg, query text, filter jsonb, within text[], depth integer) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.words_found(leg mmdb.leg, query text, filter jsonb, within text[], depth integer) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.words_found(leg mmdb.leg, query text, filter jsonb, within text[], depth integer) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.words_index(words mmdb.keywords) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.words_index(words mmdb.keywords) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.words_index(words mmdb.keywords) TO mmdb_worker;
GRANT ALL ON FUNCTION mmdb.words_of(configuration regconfig, content text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.words_of(configuration regconfig, content text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.words_query(language text, query text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.words_query(language text, query text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.words_query(language text, query text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.words_size(words tsvector) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.words_size(words tsvector) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.words_size(words tsvector) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.worker_function(declared mmdb.embeddings, verb text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.worker_function(declared mmdb.embeddings, verb text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.worker_function(declared mmdb.embeddings, verb text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.worker_functions(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.worker_functions(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.worker_functions(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.worker_lock_class() FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.worker_lock_class() TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.worker_lock_class() TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.worker_pieces(declared mmdb.embeddings) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.worker_pieces(declared mmdb.embeddings) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.worker_pieces(declared mmdb.embeddings) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.worker_verbs(kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.worker_verbs(kind text) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.worker_verbs(kind text) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rrf(bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rrf(bigint) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rrf(bigint) TO mmdb_worker;
REVOKE ALL ON FUNCTION mmdb.rrf(bigint, double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION mmdb.rrf(bigint, double precision) TO mmdb_user;
GRANT ALL ON FUNCTION mmdb.rrf(bigint, double precision) TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.contracts TO mmdb_user;
GRANT SELECT ON TABLE mmdb.contracts TO mmdb_worker;
GRANT USAGE ON SEQUENCE mmdb.embeddings_id_seq TO mmdb_user;
GRANT SELECT ON TABLE mmdb.failures TO mmdb_user;
GRANT SELECT ON TABLE mmdb.failures TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.recall_log TO mmdb_user;
GRANT SELECT ON TABLE mmdb.recall_log TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.schema_version TO mmdb_user;
GRANT SELECT ON TABLE mmdb.schema_version TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.status TO mmdb_user;
GRANT SELECT ON TABLE mmdb.status TO mmdb_worker;
GRANT SELECT ON TABLE mmdb.workers TO mmdb_user;
GRANT SELECT ON TABLE mmdb.workers TO mmdb_worker;
