-- All that mmdb generated, written a little differently: what a later version finds out of date, and what still works.
do $$
declare
  made regprocedure;
begin
  for made in
    select distinct p.oid::regprocedure from pg_proc p join mmdb.embeddings e on mmdb.is_made_by(p.oid, e.id)
  loop
    execute regexp_replace(pg_get_functiondef(made), '\$function\$\s*$', E'\n-- by a former version\n$function$');
  end loop;
end
$$;
