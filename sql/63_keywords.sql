-- Search by words, as one leg of a hybrid search: full text in the languages that PostgreSQL knows, pairs of characters
-- for those that are written without spaces, trigrams where typing errors matter.

-- The scripts that a parser of words cannot cut: Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese.
create or replace function mmdb.unspaced() returns text
language sql immutable parallel safe security invoker
as $$
  select '\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u2E80-\u2FDF\u3005-\u3007\u3021-\u3029\u3031-\u30FF\u3100-\u31FF'
         '\u3400-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF'
$$;
comment on function mmdb.unspaced() is
  'Characters of languages without spaces between words, as the inside of a character class.';

create or replace function mmdb.pairs(content text, singles boolean default true) returns text
language sql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(case when r.run[1] ~ ('^[' || mmdb.unspaced() || ']') then (
      select string_agg(c.piece, ' ') from (
        select substr(r.run[1], i, 2) from generate_series(1, length(r.run[1]) - 1) i
        union all
        select substr(r.run[1], i, 1) from generate_series(1, length(r.run[1])) i where singles or length(r.run[1]) = 1
      ) c(piece)) else r.run[1] end, ' ')
  from regexp_matches(content, '[' || mmdb.unspaced() || ']+|[^' || mmdb.unspaced() || ']+', 'g') r(run)
$$;
comment on function mmdb.pairs(text, boolean) is
  'A text in which runs of characters without spaces are cut into overlapping pairs, and into singles as a document '
  'is.';

create or replace function mmdb.keywords_method(language text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
                        (select string_agg(c.cfgname, ', ' order by c.cfgname) from pg_ts_config c
                         where pg_ts_config_is_visible(c.oid)));
end
$$;
comment on function mmdb.keywords_method(text) is 'How a language is searched by words: text search, pairs or trigram.';

create or replace function mmdb.keywords_expression(columns text[], language text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case mmdb.keywords_method(language)
           when 'text search' then format('to_tsvector(%L::regconfig, %s)', language, c.content)
           when 'pairs' then format('to_tsvector(''simple''::regconfig, mmdb.pairs(%s, true))', c.content)
           else format('(%s)', c.content) end
  from (select string_agg(format('coalesce(%I, '''')', n.name), ' || '' '' || ' order by n.place)
        from unnest(columns) with ordinality n(name, place)) c(content)
$$;
comment on function mmdb.keywords_expression(text[], text) is 'What is indexed of a row for a search by words.';

create or replace function mmdb.record_keywords(made mmdb.keywords) returns mmdb.keywords
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.guard_owner(made.relation);
  insert into mmdb.keywords (relation, name, columns, language, index_name)
  values (made.relation, made.name, made.columns, made.language, made.index_name)
  returning * into made;
  return made;
end
$$;
comment on function mmdb.record_keywords(mmdb.keywords) is
  'Enter keywords into the catalogue, for the table''s owner only.';

create or replace function mmdb.forget_keywords(relation regclass, name text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.guard_owner(relation);
  delete from mmdb.keywords w where w.relation = forget_keywords.relation and w.name = forget_keywords.name;
end
$$;
comment on function mmdb.forget_keywords(regclass, text) is
  'Remove keywords from the catalogue, for the table''s owner only.';

create or replace function mmdb.add_keywords(
  relation regclass, columns text[], language text default 'simple', name text default 'keywords',
  index boolean default true
) returns mmdb.keywords
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
as $$
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
  made.index_name := mmdb.short_name(format('%s_%s', (select c.relname from pg_class c where c.oid = relation), name),
                                     relation::oid::bigint);
  if index then
    execute mmdb.keywords_index(made);
  end if;
  made := mmdb.record_keywords(made);
  perform mmdb.make_table_functions(relation);
  return made;
end
$$;
comment on function mmdb.add_keywords(regclass, text[], text, text, boolean) is
  'Have T_search look for words in these text columns too: builds a GIN index and adds a leg. Language: a text search '
  'configuration (english, german, simple, …), chinese, japanese, korean or thai, or trigram, which forgives typing '
  'errors. Building the index blocks writers; index => false leaves it to you: the statement is '
  'mmdb.keywords_index(k) of the row that comes back.';

create or replace function mmdb.keywords_index(made mmdb.keywords) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('create index %I on %s using gin (%s%s)', made.index_name, mmdb.relation_sql(made.relation),
                mmdb.keywords_expression(made.columns, made.language),
                case mmdb.keywords_method(made.language)
                     when 'trigram' then ' @extschema:pg_trgm@.gin_trgm_ops' else '' end)
$$;
comment on function mmdb.keywords_index(mmdb.keywords) is 'The statement that builds the index of keywords.';

create or replace function mmdb.drop_keywords(relation regclass, name text default 'keywords') returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
as $$
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
  execute format('drop index if exists %s.%I', (select quote_ident(n.nspname) from pg_class c
                                                join pg_namespace n on n.oid = c.relnamespace
                                                 where c.oid = relation), made.index_name);
  perform mmdb.forget_keywords(relation, name);
  perform mmdb.make_table_functions(relation);
end
$$;
comment on function mmdb.drop_keywords(regclass, text) is 'Take a leg of words away, and its index.';

-- The expression comes out of the index, which PostgreSQL keeps right when columns are renamed.
create or replace function mmdb.keywords_leg(made mmdb.keywords) returns mmdb.search_leg
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  leg mmdb.search_leg;
  keys constant record := mmdb.key_sql(made.relation);
  method constant text := mmdb.keywords_method(made.language);
  expression constant text := coalesce(
    (select pg_get_indexdef(i.indexrelid, 1, false) from pg_index i join pg_class c on c.oid = i.indexrelid
     where i.indrelid = made.relation and c.relname = made.index_name),
    mmdb.keywords_expression(made.columns, made.language));
begin
  leg.name := made.name;
  leg.parts.relation := made.relation;
  leg.parts.source := mmdb.relation_sql(made.relation) || ' p';
  leg.parts.key := keys.expression;
  leg.parts.columns := keys.ordering;
  leg.parts.within := mmdb.within_sql(made.relation);
  if method = 'trigram' then
    leg.matches := format('$1 operator(@extschema:pg_trgm@.<%%) %s', expression);
    leg.closeness := format('@extschema:pg_trgm@.word_similarity($1, %s)', expression);
  else
    leg.matches := format('%s operator(pg_catalog.@@) (select mmdb.words_query(%L, $1))', expression, made.language);
    leg.closeness := format('ts_rank_cd(%s, (select mmdb.words_query(%L, $1)), 32)', expression, made.language);
  end if;
  return leg;
end
$$;
comment on function mmdb.keywords_leg(mmdb.keywords) is 'A search by words as a leg of T_search.';

-- Any of the words is enough: their meaning together is the business of the other legs. "quoted phrases" and -excluded
-- words keep their sense.
create or replace function mmdb.words_query(language text, query text) returns tsquery
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when q.parsed::text like '%!%' then q.parsed else replace(q.parsed::text, ' & ', ' | ')::tsquery end
  from (select case when language in ('chinese', 'japanese', 'korean', 'thai')
                    then websearch_to_tsquery('simple', mmdb.pairs(query, false))
                    else websearch_to_tsquery(language::regconfig, query) end) q(parsed)
$$;
comment on function mmdb.words_query(text, text) is 'The words of a query, any of which is to be there.';
