-- An application's filter: JSON in, a predicate out, in which every name is a column of the table and every value is
-- typed and quoted. There is no way to put SQL into it.
--
--   {"price": {"lt": 100}, "in_stock": true, "meta.color": "red",
--    "or": [{"size": {"in": ["A2", "A3"]}}, {"frame": null}]}

create or replace function mmdb.filter(relation regclass, filter jsonb, alias text default 'p') returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if filter is null then
    return 'true';
  end if;
  return mmdb.filter_object(relation, filter, quote_ident(alias), 0);
end
$$;
comment on function mmdb.filter(regclass, jsonb, text) is
  'The predicate of a filter over a table''s columns, as SQL in which the table is called by the alias. Conditions of '
  'an object hold together; "and" and "or" take arrays of objects, "not" an object. A condition is a value (equal), '
  'null (is null) or an object of operators: eq, ne, lt, lte, gt, gte, in, between, like, ilike, is_null, contains, '
  'contained_by, overlaps. "meta.color" is a path into a json column. An unknown column or operator, or a value of '
  'another type, is an error.';

create or replace function mmdb.filter_object(relation regclass, filter jsonb, alias text, depth integer) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.filter_object(regclass, jsonb, text, integer) is
  'The conditions of one object of a filter, together.';

create or replace function mmdb.filter_entry(relation regclass, key text, value jsonb, alias text, depth integer)
returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.filter_entry(regclass, text, jsonb, text, integer) is
  'One entry of a filter: and, or, not, or a column.';

create or replace function mmdb.filter_column(relation regclass, name text) returns pg_attribute
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select a from pg_attribute a
  where a.attrelid = relation and a.attname = name and a.attnum > 0 and not a.attisdropped
$$;
comment on function mmdb.filter_column(regclass, text) is 'The column of that name, NULL where there is none.';

create or replace function mmdb.filter_conditions(relation regclass, key text, value jsonb, alias text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
    if found_column.atttypid is distinct from 'jsonb'::regtype
       and found_column.atttypid is distinct from 'json'::regtype
       or cardinality(path) < 2 then
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
comment on function mmdb.filter_conditions(regclass, text, jsonb, text) is 'The conditions on one column or path.';

-- The operators of a type's own default index, as they are found without a search path. The catalogue is asked only
-- about types that are not of every day: the question takes longer than a search.
create or replace function mmdb.comparison(type oid, strategy integer) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if type = any('{int4,int8,int2,numeric,float4,float8,text,varchar,bpchar,name,bool,date,timestamp,timestamptz,time,
                  uuid,bytea,interval,jsonb}'::regtype[]) then
    return 'operator(pg_catalog.' || (array['<', '<=', '=', '>=', '>'])[strategy] || ')';
  end if;
  return mmdb.default_comparison(type, strategy);
end
$$;
comment on function mmdb.comparison(oid, integer) is
  'The operator by which a type is ordered: strategy 1 to 5 for <, <=, =, >=, >; NULL where it has no order.';

create or replace function mmdb.default_comparison(type oid, strategy integer) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  candidate oid;
  written text;
begin
  for candidate in
    with recursive base(oid) as (
      select default_comparison.type
      union all
      select t.typbasetype from base b join pg_type t on t.oid = b.oid where t.typtype = 'd'
    )
    select c.oid from (
      select b.oid, 1 as place from base b
      union all
      select c.casttarget, 2
      from base b join pg_cast c on c.castsource = b.oid and c.castmethod = 'b' and c.castcontext = 'i'
      union all
      select case when t.typtype = 'e' then 'anyenum'::regtype when t.typtype = 'r' then 'anyrange'::regtype
                  when t.typtype = 'm' then 'anymultirange'::regtype when t.typcategory = 'A' then 'anyarray'::regtype
                  when t.typtype = 'c' then 'record'::regtype end, 3
      from base b join pg_type t on t.oid = b.oid
    ) c order by c.place
  loop
    select format('operator(%I.%s)', n.nspname, o.oprname) into written
    from pg_opclass k
    join pg_amop f on f.amopfamily = k.opcfamily and f.amoplefttype = k.opcintype and f.amoprighttype = k.opcintype
     and f.amopstrategy = strategy
    join pg_operator o on o.oid = f.amopopr
    join pg_namespace n on n.oid = o.oprnamespace
    where k.opcintype = candidate and k.opcdefault
      and k.opcmethod = (select m.oid from pg_am m where m.amname = 'btree');
    exit when written is not null;
  end loop;
  return written;
end
$$;
comment on function mmdb.default_comparison(oid, integer) is 'mmdb.comparison, from the catalogue.';

create or replace function mmdb.filter_strategy(operator text) returns integer
language sql immutable security invoker
as $$ select (array_position(array['lt', 'lte', 'eq', 'gte', 'gt'], operator)) $$;
comment on function mmdb.filter_strategy(text) is 'The B-tree strategy of a comparing operator, NULL of another.';

-- A value of JSON as a literal of a type; checked here, so that the message says which value of which column.
create or replace function mmdb.filter_literal(value jsonb, type_name text, label text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  written text := value #>> '{}';
begin
  if jsonb_typeof(value) = 'array' and type_name like '%[]' then
    written := (select format('{%s}', string_agg(
                  case when jsonb_typeof(v) = 'null' then 'null'
                       else '"' || replace(replace(v #>> '{}', '\', '\\'), '"', '\"') || '"' end, ','))
                from jsonb_array_elements(value) v);
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
comment on function mmdb.filter_literal(jsonb, text, text) is 'A value of a filter as a quoted, typed literal.';

create or replace function mmdb.filter_operators() returns text
language sql immutable security invoker
as $$
  select 'operators: eq, ne, lt, lte, gt, gte, in, between, like, ilike, is_null, contains, contained_by, overlaps'
$$;
comment on function mmdb.filter_operators() is 'What a filter knows, for hints.';

create or replace function mmdb.filter_list(operator text, value jsonb, count integer, label text) returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(value) <> 'array' or (count is not null and jsonb_array_length(value) <> count) then
    raise exception '"%" of column "%" takes an array%, not %', operator, label,
                    coalesce(' of ' || count || ' values', ''), left(value::text, 100)
      using errcode = 'invalid_parameter_value';
  end if;
end
$$;
comment on function mmdb.filter_list(text, jsonb, integer, text) is
  'Refuse what is not an array, or one of another length.';

create or replace function mmdb.filter_condition(of_column pg_attribute, alias text, operator text, value jsonb)
returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  label constant text := of_column.attname;
  target constant text := format('%s.%I', alias, of_column.attname);
  type_name constant text := format_type(of_column.atttypid, -1);
  compared constant text := mmdb.comparison(of_column.atttypid, mmdb.filter_strategy(operator));
  equal constant text := case when compared is null then mmdb.comparison(of_column.atttypid, 3) end;
begin
  if operator in ('eq', 'is_null') and jsonb_typeof(value) in ('null', 'boolean')
     and (operator = 'is_null' or value = 'null') then
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
      select string_agg(mmdb.filter_literal(v, type_name, label), ', ') from jsonb_array_elements(value) v), ''),
                  type_name);
  elsif operator = 'between' and equal is not null then
    perform mmdb.filter_list(operator, value, 2, label);
    return format('%s %s %s and %1$s %4$s %5$s', target, mmdb.comparison(of_column.atttypid, 4),
                  mmdb.filter_literal(value -> 0, type_name, label),
                  mmdb.comparison(of_column.atttypid, 2), mmdb.filter_literal(value -> 1, type_name, label));
  elsif operator in ('like', 'ilike') then
    return mmdb.filter_pattern(format('%s::text', target), of_column.atttypid, operator, value, label);
  elsif operator in ('contains', 'contained_by', 'overlaps') then
    return mmdb.filter_containment(of_column, target, operator, value);
  end if;
  raise exception 'a filter has no operator "%" for column "%" of type %', operator, label, type_name
    using errcode = 'invalid_parameter_value', hint = mmdb.filter_operators();
end
$$;
comment on function mmdb.filter_condition(pg_attribute, text, text, jsonb) is 'One condition on a column.';

create or replace function mmdb.filter_pattern(target text, type oid, operator text, value jsonb, label text)
returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(value) <> 'string' or (select t.typcategory from pg_type t where t.oid = type) <> 'S' then
    raise exception '"%" of column "%" compares a text column with a text', operator, label
      using errcode = 'invalid_parameter_value', hint = 'as in {"title": {"ilike": "%shoe%"}}';
  end if;
  return format('%s operator(pg_catalog.%s) %L', target, case operator when 'like' then '~~' else '~~*' end,
                value #>> '{}');
end
$$;
comment on function mmdb.filter_pattern(text, oid, text, jsonb, text) is 'A condition by a pattern of LIKE.';

create or replace function mmdb.filter_containment(of_column pg_attribute, target text, operator text, value jsonb)
returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  written constant text := case operator when 'contains' then '@>' when 'contained_by' then '<@' else '&&' end;
  kind record;
  type_name text := format_type(of_column.atttypid, -1);
begin
  select t.typtype, t.typcategory, r.rngsubtype into kind
  from pg_type t left join pg_range r on r.rngtypid = t.oid where t.oid = of_column.atttypid;
  if type_name = 'json' then
    target := target || '::jsonb';
    type_name := 'jsonb';
  elsif kind.typtype = 'r' and operator = 'contains' and (value #>> '{}') !~ '^[\[(]|^empty$' then
    type_name := format_type(kind.rngsubtype, null);  -- one value, not a range
  elsif kind.typtype not in ('r', 'm') and kind.typcategory <> 'A' and type_name <> 'jsonb' then
    raise exception '"%" of column "%" is for arrays, ranges and jsonb, and it has type %', operator,
                    of_column.attname, type_name
      using errcode = 'invalid_parameter_value', hint = 'for a part of a text: {"title": {"ilike": "%shoe%"}}';
  end if;
  if type_name = 'jsonb' and operator = 'overlaps' then
    raise exception '"overlaps" of column "%" is for arrays and ranges, and it has type jsonb', of_column.attname
      using errcode = 'invalid_parameter_value', hint = 'use "contains"';
  elsif type_name like '%[]' and jsonb_typeof(value) <> 'array' then
    value := jsonb_build_array(value);
  end if;
  return format('%s operator(pg_catalog.%s) %s', target, written,
                mmdb.filter_literal(value, type_name, of_column.attname));
end
$$;
comment on function mmdb.filter_containment(pg_attribute, text, text, jsonb) is
  'A condition on arrays, ranges or jsonb.';

-- What lies at a path may be of any type: it is compared with a value of its own type only.
create or replace function mmdb.filter_path_condition(
  of_column pg_attribute, path text[], alias text, operator text, value jsonb
) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  label constant text := format('%s.%s', of_column.attname, array_to_string(path, '.'));
  found_value constant text := format('(%s.%I::jsonb operator(pg_catalog.#>) %L::text[])', alias,
                                      of_column.attname, path);
  found_text constant text := format('(%s.%I::jsonb operator(pg_catalog.#>>) %L::text[])', alias,
                                     of_column.attname, path);
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
comment on function mmdb.filter_path_condition(pg_attribute, text[], text, text, jsonb) is
  'One condition on what lies at a path in a json column.';
