-- Whether a statement searches by the index: mmdb.explain. It is planned, never run, with the caller's rights and
-- search path.
--
-- PostgreSQL's plan says all of it, in text: where the distance of an embedding is computed, whether its scan is that
-- of an HNSW index, and whether the vector beside the operator is an InitPlan, which is computed once.

-- A cursor takes one statement and no other, which is all that keeps a second one from being run.
create or replace function mmdb.plan_of(statement text, path text) returns jsonb
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
as $$
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
$$;
comment on function mmdb.plan_of(text, text) is
  'The plan of one SELECT under a search path, as PostgreSQL''s EXPLAIN writes it; it is not run.';

create or replace function mmdb.check_explained(statement text) returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Behind white space, comments and parentheses.
  if statement is null or statement !~* E'^(\\s|\\(|[-]-[^\\n]*\\n|/\\*.*?\\*/)*(select|with|table|values)\\M' then
    raise exception 'the statement is no SELECT: "%"', left(statement, 60)
      using errcode = 'invalid_parameter_value', hint = 'mmdb.explain takes one SELECT';
  end if;
end
$$;
comment on function mmdb.check_explained(text) is 'Refuse what is not a SELECT.';

create or replace function mmdb.plan_nodes(plan jsonb) returns table (node jsonb, expressions text[])
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
$$;
comment on function mmdb.plan_nodes(jsonb) is
  'The nodes of a plan, each with what it computes; refuse one that writes.';

-- What stands at the other side of the operator. PostgreSQL writes the result of an InitPlan as (InitPlan 1).col1,
-- until version 16 as $0.
create or replace function mmdb.measured_by(expressions text[], alias text, column_name text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select m.parts[1]
  from unnest(expressions) e(expression)
  cross join lateral regexp_match(e.expression, format(
    E'(?:^|[^\\w."])(?:%s\\.)?%s(?:\\)?::[^<]*)? (?:OPERATOR\\([^)]*?)?<(?:=>|->|#>)\\)? (.*)$',
    mmdb.as_pattern(alias), mmdb.as_pattern(column_name))) m(parts)
  where m.parts is not null
  order by m.parts[1] like '%mmdb.embed%' desc limit 1
$$;
comment on function mmdb.measured_by(text[], text, text) is
  'The vector from which a column is measured in one of these expressions of a plan; NULL where it is not measured.';

create or replace function mmdb.measured_rows(plan jsonb)
returns table (embedding bigint, walks boolean, ordered boolean, vector text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
$$;
comment on function mmdb.measured_rows(jsonb) is
  'The embeddings that a plan measures by itself: whether it walks an HNSW index, whether it is ordered and limited, '
  'and how often the vector of the query is computed.';

create or replace function mmdb.searches_in(plan jsonb)
returns table (relation regclass, name text, searched text, vector text, advice text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
as $$
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
comment on function mmdb.searches_in(jsonb) is 'The searches in a plan, and what could be better about each.';

create or replace function mmdb.explain(statement text)
returns table (relation regclass, name text, searched text, vector text, advice text)
language sql volatile security invoker
as $$ select s.* from mmdb.searches_in(mmdb.plan_of($1, pg_catalog.current_setting('search_path'))) s $$;
comment on function mmdb.explain(text) is
  'How a SELECT searches, without running it: a row for each embedding that it measures. Searched: by the index, row '
  'by row, or by the function (one that is told k, which finds its own way). Vector: how often that of the query is '
  'computed; given is one that needs no model. Advice: what to write instead, NULL where it is as it should be.';
