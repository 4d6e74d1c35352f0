-- What of the users' own uses a function that is to go or to be made anew. It is named with what to run: PostgreSQL's
-- own hint would be CASCADE, which takes what nobody looked at.

create or replace function mmdb.dependents(class regclass, object oid) returns table (kind text, name text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.dependents(regclass, oid) is
  'What uses an object, and what uses that, in the order in which it can be dropped: as "view", "public.found".';

create or replace function mmdb.drop_function(function regprocedure) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
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
comment on function mmdb.drop_function(regprocedure) is
  'Drop a generated function; an error that names what of the user''s uses it, with what to run.';
