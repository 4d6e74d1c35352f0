-- Python composes only the names and, as a condition, the user's own SQL.

-- name: set_read_only
select set_config('transaction_read_only', 'on', true)

-- name: explain
select relation::text, name, searched, vector, advice from mmdb.explain(%(statement)s)

-- name: search_columns
select c.name, t.typname = any(%(hidden)s) as hidden
from pg_catalog.pg_proc p
cross join lateral unnest(p.proargnames, p.proallargtypes, p.proargmodes) with ordinality c(name, type, mode, number)
join pg_catalog.pg_type t on t.oid = c.type
where p.oid = to_regprocedure(format('%%I.%%I(%%s)', %(schema)s::text, %(function)s::text, %(argument)s::text))
  and c.mode = 't'
order by c.number

-- name: search
select {columns}
from {function}(%(query)s::{kind})
where {condition}
order by {distance}
limit %(k)s
