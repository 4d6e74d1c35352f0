-- An application's filter: JSON in, a predicate out, in which every name is a column of the table and every value is
-- typed and quoted. There is no way to put SQL into it.
--
--   {"price": {"lt": 100}, "in_stock": true, "meta.color": "red",
--    "or": [{"size": {"in": ["A2", "A3"]}}, {"frame": null}]}

-- What is wrong is raised again, without the way that led to it.
create or replace function mmdb.filter(relation regclass, filter jsonb, alias text default 'p') returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
    raise exception 'the filter is nested more than 20 deep'
      using errcode = 'program_limit_exceeded', hint = 'one object takes any number of conditions';
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
comment on function mmdb.filter_conditions(regclass, text, jsonb, text) is 'The conditions on one column or path.';

-- The operators of a type's own default index, as they are found without a search path. The catalogue is asked only
-- about types that are not of every day: the question takes longer than a search. Arrays and composite types are
-- compared as what they are made of is.
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
comment on function mmdb.default_comparison(oid, integer) is 'mmdb.comparison, from the catalogue.';

create or replace function mmdb.filter_strategy(operator text) returns integer
language sql immutable security invoker
as $$ select (array_position(array['lt', 'lte', 'eq', 'gte', 'gt'], operator)) $$;
comment on function mmdb.filter_strategy(text) is 'The B-tree strategy of a comparing operator, NULL of another.';

create or replace function mmdb.filter_text(value jsonb, type oid) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.filter_text(jsonb, oid) is 'A value of JSON as the text that a type reads.';

-- Checked here, so that the message says which value of which column. A number that an integer or a float cannot hold
-- has its place among them all the same.
create or replace function mmdb.filter_literal(value jsonb, type oid, label text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.filter_literal(jsonb, oid, text) is 'A value of a filter as a quoted, typed literal.';

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
      using errcode = 'invalid_parameter_value',
            hint = case operator when 'in' then 'as in {"size": {"in": ["A2", "A3"]}}'
                                 else 'as in {"price": {"between": [10, 20]}}' end;
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
$$;
comment on function mmdb.filter_condition(pg_attribute, text, text, jsonb) is 'One condition on a column.';

-- Of a row "is null" asks for its columns, and "is not null" is not the complement.
create or replace function mmdb.filter_null(target text, type oid, operator text, value jsonb, label text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.filter_null(text, oid, text, jsonb, text) is
  'The condition that there is no value, or that there is one.';

-- Several arrays make one only if they are of one length.
create or replace function mmdb.filter_in(target text, type oid, equal text, listed jsonb, label text) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when count(*) = 0 then 'false'
              when mmdb.is_array(type)
                then format('(%s)', string_agg(format('%s %s %s', target, equal, l.literal), ' or '))
              else format('%s %s any (array[%s])', target, equal, string_agg(l.literal, ', ')) end
  from jsonb_array_elements(listed) v(value), mmdb.filter_literal(v.value, type, label) l(literal)
$$;
comment on function mmdb.filter_in(text, oid, text, jsonb, text) is 'The condition that a value is one of several.';

-- Strings of an extension have patterns of their own: those of citext do not tell case.
create or replace function mmdb.filter_pattern(target text, type oid, operator text, value jsonb, label text)
returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.filter_pattern(text, oid, text, jsonb, text) is 'A condition by a pattern of LIKE.';

create or replace function mmdb.filter_containment(target text, type oid, operator text, value jsonb, label text)
returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.filter_containment(text, oid, text, jsonb, text) is
  'A condition on arrays, ranges or jsonb.';

-- What is in a range or a multirange, or overlaps it, may be either, or one value.
create or replace function mmdb.filter_operand(type oid, operator text, written text) returns oid
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when type in ('json'::regtype, 'jsonb'::regtype) then 'jsonb'::regtype
              when mmdb.is_array(type) and mmdb.comparison(t.typelem, 3) is not null then type
              when written ~ '^{' then r.rngmultitypid
              when written ~ '^[[(]|^empty$' or operator <> 'contains' then r.rngtypid
              else r.rngsubtype end
  from pg_type t left join pg_range r on t.oid in (r.rngtypid, r.rngmultitypid)
  where t.oid = filter_operand.type
$$;
comment on function mmdb.filter_operand(oid, text, text) is
  'The type of what a column of this type is to contain, to be contained by or to overlap; NULL where it has no parts.';

-- A json that jsonb does not take, as with \u0000 in a text, is a row without a value, and no error for all rows.
create or replace function mmdb.readable_json(document json) returns jsonb
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  return document::jsonb;
exception when data_exception or program_limit_exceeded then
  return null;
end
$$;
comment on function mmdb.readable_json(json) is 'A json as jsonb; NULL where that does not take it.';

create or replace function mmdb.filter_document(target text, type oid) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select case type when 'json'::regtype then format('mmdb.readable_json(%s)', target) else target end $$;
comment on function mmdb.filter_document(text, oid) is 'A column in the form in which filters look into it.';

-- What lies at a path may be of any type: it is compared with a value of its own type only.
create or replace function mmdb.filter_path_condition(
  of_column pg_attribute, path text[], alias text, operator text, value jsonb
) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.filter_path_condition(pg_attribute, text[], text, text, jsonb) is
  'One condition on what lies at a path in a json column.';
