-- What is declared of a table, and its declaration.

-- name: embeddings_of
select e.name, e.function_schema as schema, mmdb.search_name(e.prefix, e.name) as function,
       mmdb.declaration(e) as declaration
from mmdb.embeddings e
where e.relation = %(relation)s::text::regclass and e.generation_of is null
order by e.id

-- name: add_embedding
select a.name, a.function_schema as schema, mmdb.search_name(a.prefix, a.name) as function
from mmdb.add_embedding(%(relation)s::text::regclass, %(declaration)s::jsonb, index => false) a

-- name: drop_embedding
select mmdb.drop_embedding(%(relation)s::text::regclass, %(name)s)
