-- Search by words, as one leg of a hybrid search: full text in the languages that PostgreSQL knows, pairs of characters
-- for those that are written without spaces, trigrams where typing errors matter.

-- The scripts that a parser of words cannot cut: Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese.
create or replace function mmdb.unspaced() returns text
language sql immutable parallel safe security invoker
as $$
  select E'\\u0E00-\\u0EFF\\u1000-\\u109F\\u1780-\\u17FF\\u2E80-\\u2FDF\\u3005-\\u3007\\u3021-\\u3029\\u3031-\\u30FF'
         '\\u3100-\\u31FF\\u3400-\\u4DBF\\u4E00-\\u9FFF\\uA960-\\uA97F\\uAC00-\\uD7FF\\uF900-\\uFAFF'
$$;
comment on function mmdb.unspaced() is
  'Characters of languages without spaces between words, as the inside of a character class.';

-- Whoever writes a row computes what is indexed of it, and may be no user of mmdb: the next two are for everybody to
-- call (sql/90_privileges.sql), and definers because their bodies name things of schema mmdb.
--
-- "ab" as "aa bb" with a blank in each pair, "a ab b", is all pairs between its first and its last character. The time
-- that this takes grows with the length of the text, and not with its square, as with substr(run, i, 2) it did.
create or replace function mmdb.pairs(content text, singles boolean default true) returns text
language sql immutable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.pairs(text, boolean) is
  'A text in which runs of characters without spaces are cut into overlapping pairs, and into singles as a document '
  'is; of a very long one its first million characters.';

-- An index must not refuse a text that its table takes. A tsvector has at most a megabyte of words and places; what
-- PostgreSQL makes of a text of 100,000 characters has never half of that, so a longer one goes in by pieces.
--
-- Its cost, twenty times that of other functions, has the planner prefer the index and look at a cheap filter first.
create or replace function mmdb.words_of(configuration regconfig, content text) returns tsvector
language plpgsql immutable strict parallel safe security definer cost 2000
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.words_of(regconfig, text) is
  'The words of a text, as to_tsvector has them; of a text with too many for a tsvector those of its beginning.';

create or replace function mmdb.words_size(words tsvector) returns integer
language sql immutable parallel safe security invoker
as $$ select pg_catalog.pg_column_size(words) - 4 * pg_catalog.length(words) $$;
comment on function mmdb.words_size(tsvector) is
  'How many bytes a tsvector has of words and places, of which it may have 1,048,575.';

create or replace function mmdb.keywords_method(language text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when language in ('chinese', 'japanese', 'korean', 'thai') then 'pairs'
              when language = 'trigram' then 'trigram'
              else 'text search' end
$$;
comment on function mmdb.keywords_method(text) is 'How a language is searched by words: text search, pairs or trigram.';

-- Asked when keywords are declared: a configuration that was dropped since is the trouble of searches by it alone.
create or replace function mmdb.check_language(language text) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.check_language(text) is 'Refuse a language in which no words can be looked for.';

create or replace function mmdb.has_words(relation regclass, columns text[]) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select cardinality(columns) = 1 and exists (
    select from pg_attribute a
    where a.attrelid = relation and a.attname = columns[1] and a.attnum > 0 and a.atttypid = 'tsvector'::regtype)
$$;
comment on function mmdb.has_words(regclass, text[]) is
  'Whether the words of a row stand in a column already: one of type tsvector.';

create or replace function mmdb.keywords_expression(words mmdb.keywords) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when mmdb.has_words(words.relation, words.columns) then quote_ident(words.columns[1])
              when m.method = 'trigram' then format('(%s)', c.content)
              when m.method = 'pairs' then
                format('mmdb.words_of(''simple''::regconfig, mmdb.pairs(%s, true))', c.content)
              else format('mmdb.words_of(%L::regconfig, %s)', words.language, c.content) end
  from (select string_agg(format('coalesce(%I, '''')', n.name), ' || '' '' || ' order by n.place)
        from unnest(words.columns) with ordinality n(name, place)) c(content),
       mmdb.keywords_method(words.language) m(method)
$$;
comment on function mmdb.keywords_expression(mmdb.keywords) is 'What is indexed of a row for a search by words.';

create or replace function mmdb.record_keywords(words mmdb.keywords) returns mmdb.keywords
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform mmdb.guard_owner(words.relation);
  insert into mmdb.keywords (relation, name, columns, language, index_name)
  values (words.relation, words.name, words.columns, words.language, words.index_name)
  returning * into words;
  return words;
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

-- How an enum or a list is written is not immutable, which an index wants.
create or replace function mmdb.check_words(relation regclass, columns text[]) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.check_words(regclass, text[]) is 'Refuse columns that no index of words can be over.';

create or replace function mmdb.keywords_index(words mmdb.keywords) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('create index %I on %s using gin (%s%s)', words.index_name, mmdb.relation_sql(words.relation),
                mmdb.keywords_expression(words),
                case mmdb.keywords_method(words.language)
                     when 'trigram' then ' @extschema:pg_trgm@.gin_trgm_ops' else '' end)
$$;
comment on function mmdb.keywords_index(mmdb.keywords) is 'The statement that builds the index of keywords.';

-- PostgreSQL writes an expression with more casts and parentheses than it was given.
create or replace function mmdb.bare_sql(expression text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select regexp_replace(replace(expression, 'COALESCE', 'coalesce'), '::("[^"]+"|[[:alnum:]_. ])+|[() ]', '', 'g')
$$;
comment on function mmdb.bare_sql(text) is 'An expression without casts, parentheses and blanks, to be compared.';

-- An index comes back with its table out of a dump, while the catalogue, where the dump was of the table alone, knows
-- nothing of it. An earlier mmdb indexed by to_tsvector.
create or replace function mmdb.keywords_index_found(words mmdb.keywords) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.keywords_index_found(mmdb.keywords) is
  'What has the name of the index of keywords: nothing, ours (the very index), former (that of an earlier mmdb), or '
  'other, which is something else.';

create or replace function mmdb.made_index(words mmdb.keywords) returns regclass
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select i.indexrelid::regclass from pg_index i join pg_class c on c.oid = i.indexrelid
  where i.indrelid = words.relation and c.relname = words.index_name
$$;
comment on function mmdb.made_index(mmdb.keywords) is 'The index of keywords by its name; NULL where there is none.';

create or replace function mmdb.make_keywords_index(words mmdb.keywords, build boolean) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.make_keywords_index(mmdb.keywords, boolean) is
  'Build the index of keywords, unless it is there; where it is not to be built, see that its name is free.';

create or replace function mmdb.words_index(words mmdb.keywords) returns regclass
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select i.indexrelid::regclass
  from pg_index i
  join pg_opclass o on o.oid = i.indclass[0]
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  where mmdb.has_words(words.relation, words.columns) and i.indrelid = words.relation and i.indisvalid
    and i.indpred is null and a.attname = words.columns[1] and o.opcname = 'tsvector_ops'
    and i.indnatts = 1 and o.opcmethod = (select m.oid from pg_am m where m.amname = 'gin')
  order by i.indexrelid limit 1
$$;
comment on function mmdb.words_index(mmdb.keywords) is
  'A GIN index, whosoever made it, of the tsvector column that keywords are over; NULL for none.';

create or replace function mmdb.add_keywords(
  relation regclass, columns text[], language text default 'simple', name text default 'keywords',
  index boolean default true
) returns mmdb.keywords
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
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
comment on function mmdb.add_keywords(regclass, text[], text, text, boolean) is
  'Have T_search look for words in these text columns too: builds a GIN index and adds a leg. Or in a column of type '
  'tsvector, which is taken as it is, with the index that it has. Language: a text search configuration (english, '
  'german, simple, public.my_own, …), chinese, japanese, korean or thai, or trigram, which forgives typing errors. '
  'Building the index blocks writers; index => false leaves it to you: the statement is mmdb.keywords_index(k) of the '
  'row that comes back. An index of these keywords that a restored table brought along is taken over.';

create or replace function mmdb.drop_keywords(relation regclass, name text default 'keywords') returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set client_min_messages = warning
set quote_all_identifiers = off set bytea_output = 'hex'
as $$
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
comment on function mmdb.drop_keywords(regclass, text) is 'Take a leg of words away, and its index.';

-- The expression comes out of the index, which PostgreSQL keeps right when columns are renamed.
create or replace function mmdb.keywords_leg(words mmdb.keywords) returns mmdb.leg
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  leg mmdb.leg;
  method constant text := mmdb.keywords_method(words.language);
  expression constant text := coalesce(pg_get_indexdef(mmdb.made_index(words), 1, false),
                                       mmdb.keywords_expression(words));
begin
  leg.name := words.name;
  leg.pieces := mmdb.row_pieces(words.relation);
  if method = 'trigram' then
    leg.matches := format('$1 operator(@extschema:pg_trgm@.<%%) %s', expression);
    leg.closeness := format('@extschema:pg_trgm@.word_similarity($1, %s)', expression);
  else
    leg.matches := format('%s operator(pg_catalog.@@) (select mmdb.words_query(%L, $1))', expression, words.language);
    leg.closeness := format('ts_rank_cd(%s, (select mmdb.words_query(%L, $1)), 32)', expression, words.language);
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
  from (select case when mmdb.keywords_method(language) = 'pairs'
                    then websearch_to_tsquery('simple', mmdb.pairs(query, false))
                    else websearch_to_tsquery(language::regconfig, query) end) q(parsed)
$$;
comment on function mmdb.words_query(text, text) is 'The words of a query, any of which is to be there.';
