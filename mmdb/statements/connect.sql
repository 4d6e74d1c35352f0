-- name: search_extension
select set_config('search_path', coalesce((
  select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'
), ''), true)
