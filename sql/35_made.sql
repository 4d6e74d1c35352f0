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

create or replace function mmdb.made_for_id(function oid) returns bigint
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select substring(obj_description(function, 'pg_proc') from '[[]mmdb embedding ([0-9]+)[]]$')::bigint $$;
comment on function mmdb.made_for_id(oid) is 'The embedding that a function was made for; NULL for none of mmdb''s.';

-- Joined, not asked one by one: a schema has many functions, and `mmdb.status` comes by here for each embedding.
create or replace function mmdb.made_functions(declared mmdb.embeddings, schemas oid[] default null)
returns setof pg_proc
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select p.*
  from pg_proc p
  join pg_description d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass and d.objsubid = 0
  where p.pronamespace = any(coalesce(schemas, array[to_regnamespace(declared.function_schema)::oid]))
    and d.description like (select '%' || mmdb.made_for(declared.id))
$$;
comment on function mmdb.made_functions(mmdb.embeddings, oid[]) is
  'The functions that mmdb made for an embedding, in its schema of functions or in these.';

-- Anybody may write our mark into the comment of a function of his own: what is to be moved or dropped is looked for
-- where mmdb made it, or where its table or schema was moved to, and is the caller's to move.
create or replace function mmdb.functions_at_hand(declared mmdb.embeddings) returns setof pg_proc
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select p.*
  from pg_class c,
       mmdb.made_functions(declared, array[to_regnamespace(declared.function_schema)::oid, c.relnamespace]) p
  where c.oid = declared.relation and pg_has_role(p.proowner, 'usage')
$$;
comment on function mmdb.functions_at_hand(mmdb.embeddings) is
  'The functions that mmdb made for an embedding and that the caller may move or drop.';

-- Nothing is cut out of what is spliced: a table may have a parenthesis in its name, and a superuser makes its
-- functions again.
create or replace function mmdb.create_made(
  declared mmdb.embeddings, signature text, attributes text, body text, purpose text, parameters text default null,
  replacing boolean default false
) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  owner constant text := (select c.relowner::regrole::text from pg_class c where c.oid = declared.relation);
begin
  execute format('create %s function %s %s as %L', case when replacing then 'or replace' end,
                 coalesce(parameters, signature), attributes, body);
  execute format('alter function %s owner to %s', signature, owner);
  execute format('comment on function %s is %L', signature, purpose || ' ' || mmdb.made_for(declared.id));
end
$$;
comment on function mmdb.create_made(mmdb.embeddings, text, text, text, text, text, boolean) is
  'Create one generated function, owned by the table''s owner and marked as ours; parameters is its signature with '
  'their names and defaults. Replacing: one that is there already.';

-- They are dropped rather than replaced: a replaced function keeps the grants that its former maker has given.
create or replace function mmdb.drop_made(declared mmdb.embeddings, names text[]) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.drop_made(mmdb.embeddings, text[]) is
  'Drop an embedding''s generated functions of these names; refuse one that mmdb did not make.';

-- A function that was made by a version of mmdb with other parameters, or for a key of another type, would stay behind
-- as an overload.
create or replace function mmdb.earlier_forms(declared mmdb.embeddings, name text, types text) returns regprocedure[]
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select p.oid::regprocedure from pg_proc p
    where p.pronamespace = to_regnamespace(declared.function_schema)
      and format('%s.%I', declared.function_schema, p.proname) = name
      and case when name in (select mmdb.table_call(declared, v) from unnest(mmdb.table_verbs()) v) then true
               else p.proargtypes[0] = split_part(types, ',', 1)::regtype end
      and exists (select from mmdb.embeddings e where e.relation = declared.relation and mmdb.is_made_by(p.oid, e.id)))
$$;
comment on function mmdb.earlier_forms(mmdb.embeddings, text, text) is
  'What a generated function replaces: those that mmdb made under its name, for the same kind of query where there '
  'are several.';

-- A function of the same form is replaced as it stands, so that sessions which call it, and views over it, go on. A
-- changed column list is a changed return type, which PostgreSQL does not replace: drop, create, grant again.
create or replace function mmdb.make_public_function(
  declared mmdb.embeddings, name text, parameters text, types text, attributes text, body text, purpose text,
  columns text default null
) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.make_public_function(mmdb.embeddings, text, text, text, text, text, text, text) is
  'A generated function that returns rows of the table, with their distance unless other columns are given, made or '
  'made again with the grants it had.';

create or replace function mmdb.grant_again(call text, grants aclitem[]) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.grant_again(text, aclitem[]) is
  'Give a function that was made again the grants of the one before; none where that had its default ones.';

-- Keys travel as text, and from "SQL" dates and rounded numbers no key is found again. The rows are read by their keys,
-- whatever these are: to plan that anew for each call would take a tenth of a millisecond.
create or replace function mmdb.call_attributes() returns text
language sql immutable security invoker
as $$
  select 'language plpgsql stable security invoker rows 10 set hnsw.ef_search = 100 set datestyle = ''ISO'' '
         'set extra_float_digits = 1 set plan_cache_mode = force_generic_plan'
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

-- A superuser may make what he likes, and give it to whom he likes.
create or replace function mmdb.check_schema(declared mmdb.embeddings) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.check_schema(mmdb.embeddings) is
  'Refuse a table whose owner may not make functions beside it.';

-- The worker calls by qualified name, for which it needs the schema; of the table itself it needs nothing.
create or replace function mmdb.let_worker_in(declared mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.let_worker_in(mmdb.embeddings) is 'Let the worker call functions in the table''s schema.';

create or replace function mmdb.orphans(schema_name text) returns setof pg_proc
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select p.*
  from pg_proc p cross join lateral mmdb.made_for_id(p.oid) m(id)
  where p.pronamespace = schema_name::regnamespace and m.id is not null
    and pg_has_role(p.proowner, 'usage')
    and not exists (select from mmdb.embeddings e join pg_class c on c.oid = e.relation where e.id = m.id)
$$;
comment on function mmdb.orphans(text) is
  'The functions of the caller''s that mmdb made for tables that are no more.';

-- A table that was dropped leaves its functions to the worker's sweep. If the table is made again, its owner need not
-- wait for that.
create or replace function mmdb.drop_orphans(schema_name text) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select mmdb.drop_function(o.oid) from mmdb.orphans(schema_name) o
  where not exists (select from mmdb.dependents('pg_proc', o.oid))
$$;
comment on function mmdb.drop_orphans(text) is
  'Drop the functions of tables that are no more, but for those that something of the user''s uses.';

create or replace function mmdb.adopt_orphans(planned mmdb.embeddings) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.adopt_orphans(mmdb.embeddings) is
  'Have an embedding that is to be made replace what is left of the functions of a table that had the same name: the '
  'views over them stay.';
