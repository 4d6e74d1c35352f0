-- The functions that mmdb makes in a table's schema: the mark by which they are known, how they are replaced and
-- dropped.

create or replace function mmdb.made_for(id bigint) returns text
language sql immutable security invoker
as $$ select format('[mmdb embedding %s]', id) $$;
comment on function mmdb.made_for(bigint) is
  'The mark in the comment of every function that mmdb made for an embedding.';

create or replace function mmdb.is_made_by(function oid, id bigint) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select coalesce(obj_description(function, 'pg_proc') like '%' || mmdb.made_for(id), false) $$;
comment on function mmdb.is_made_by(oid, bigint) is 'Whether a function carries the mark of this embedding.';

-- Nothing is cut out of what is spliced: a table may have a parenthesis in its name, and a superuser makes its
-- functions again.
create or replace function mmdb.create_made(
  made mmdb.embeddings, signature text, attributes text, body text, purpose text, declared text default null
) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  owner constant text := (select c.relowner::regrole::text from pg_class c where c.oid = made.relation);
begin
  execute format('create function %s %s as %L', coalesce(declared, signature), attributes, body);
  execute format('alter function %s owner to %s', signature, owner);
  execute format('comment on function %s is %L', signature, purpose || ' ' || mmdb.made_for(made.id));
end
$$;
comment on function mmdb.create_made(mmdb.embeddings, text, text, text, text, text) is
  'Create one generated function, owned by the table''s owner and marked as ours; declared is its signature with the '
  'names and defaults of parameters.';

-- They are dropped rather than replaced: a replaced function keeps the grants that its former maker has given.
create or replace function mmdb.drop_made(made mmdb.embeddings, names text[]) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.drop_made(mmdb.embeddings, text[]) is
  'Drop an embedding''s generated functions of these names; refuse one that mmdb did not make.';

-- A function that was made by a version of mmdb with other parameters, or for a key of another type, would stay behind
-- as an overload.
create or replace function mmdb.earlier_forms(made mmdb.embeddings, name text, types text) returns regprocedure[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select p.oid::regprocedure from pg_proc p
    where p.pronamespace = to_regnamespace(made.function_schema)
      and format('%s.%I', made.function_schema, p.proname) = name
      and case when name in (select format('%s.%I', made.function_schema, made.prefix || '_' || v)
                             from unnest(mmdb.table_verbs()) v) then true
               else p.proargtypes[0] = split_part(types, ',', 1)::regtype end
      and (mmdb.is_made_by(p.oid, made.id)
           or exists (select from mmdb.embeddings e where e.relation = made.relation and mmdb.is_made_by(p.oid, e.id))))
$$;
comment on function mmdb.earlier_forms(mmdb.embeddings, text, text) is
  'What a generated function replaces: those that mmdb made under its name, for the same kind of query where there '
  'are several.';

-- A changed column list is a changed return type, which PostgreSQL does not replace: drop, create, grant again.
create or replace function mmdb.make_public_function(
  made mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text,
  columns text default null
) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  call constant text := format('%s(%s)', name, types);
  earlier constant regprocedure[] := mmdb.earlier_forms(made, name, types);
  grants constant aclitem[] := (select p.proacl from pg_proc p where p.oid = any(earlier)
                                order by p.proacl is null limit 1);
  one regprocedure;
  right_given record;
begin
  foreach one in array earlier loop
    execute format('drop function %s', one);
  end loop;
  perform mmdb.create_made(made, call, format('returns table (%s) %s', coalesce(columns,
    (select format('%s, %I double precision', c.definitions, mmdb.distance_name(made.relation))
     from mmdb.search_columns(made.relation) c)),
    attributes), body, purpose, format('%s(%s)', name, parameters));
  if grants is not null then
    execute format('revoke all on function %s from public', call);
    for right_given in select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
                              case when a.is_grantable then ' with grant option' else '' end as extra
                       from aclexplode(grants) a loop
      execute format('grant execute on function %s to %s%s', call, right_given.grantee,
                     case when right_given.grantee = 'public' then '' else right_given.extra end);
    end loop;
  end if;
  perform mmdb.keep_contract(to_regprocedure(call));
end
$$;
comment on function mmdb.make_public_function(mmdb.embeddings, text, text, text, text, text, text, text) is
  'A generated function that returns rows of the table, with their distance unless other columns are given, made or '
  'made again with the grants it had.';

-- Keys travel as text, and from "SQL" dates and rounded numbers no key is found again.
create or replace function mmdb.call_attributes() returns text
language sql immutable security invoker
as $$
  select 'language plpgsql stable security invoker rows 10 set hnsw.ef_search = 100 set datestyle = ''ISO'' set '
         'extra_float_digits = 1'
$$;
comment on function mmdb.call_attributes() is
  'What the functions that are told k are declared as; of dates only the writing is fixed, not the order in which '
  'they are read.';

-- A role that writes to a table, or so much as plans a query over it, runs code of the table's owner: triggers,
-- policies, functions in the predicates of indexes. That gives an owner nothing who can act as this role anyway.
create or replace function mmdb.trusts_owner(relation regclass) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select pg_has_role(c.relowner, current_user, 'member') and pg_has_role(c.relowner, session_user, 'member')
  from pg_class c where c.oid = relation
$$;
comment on function mmdb.trusts_owner(regclass) is
  'Whether the owner of a table may act as the current user anyway: the same role, a member of it, or a superuser.';

-- The worker calls by qualified name, for which it needs the schema; of the table itself it needs nothing.
create or replace function mmdb.let_worker_in(made mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  worker_role constant text := mmdb.setting('worker_role');
begin
  if not has_schema_privilege(worker_role, to_regnamespace(made.function_schema), 'usage') then
    execute format('grant usage on schema %s to %I', made.function_schema, worker_role);
  end if;
exception when insufficient_privilege then
  raise exception 'role "%" may not use schema %', worker_role, made.function_schema
    using errcode = 'insufficient_privilege',
          hint = format('have the schema''s owner run: grant usage on schema %s to %I',
                        made.function_schema, worker_role);
end
$$;
comment on function mmdb.let_worker_in(mmdb.embeddings) is 'Let the worker call functions in the table''s schema.';

-- A table that was dropped leaves its functions to the worker's sweep. If the table is made again, its owner need not
-- wait for that.
create or replace function mmdb.drop_orphans(schema_name text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  orphan regprocedure;
begin
  for orphan in
    select p.oid
    from pg_proc p
    cross join lateral (
      select substring(obj_description(p.oid, 'pg_proc') from '\[mmdb embedding ([0-9]+)\]$')::bigint) m(id)
    where p.pronamespace = schema_name::regnamespace and m.id is not null
      and pg_has_role(p.proowner, 'usage')
      and not exists (select from mmdb.embeddings e join pg_class c on c.oid = e.relation where e.id = m.id)
  loop
    execute format('drop function %s', orphan);
  end loop;
end
$$;
comment on function mmdb.drop_orphans(text) is
  'Drop the functions of the caller''s that mmdb made for tables that are no more.';
