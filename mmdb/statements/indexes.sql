-- name: index_statements
select statement from mmdb.index_statements(%(relation)s::text::regclass, %(name)s) statement
