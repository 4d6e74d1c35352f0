-- What is declared of a table, and its declaration.

-- name: embeddings_of
select e.id, e.name, e.sources, e.weights, e.model, e.modality, e.prefix, e.function_schema as schema,
       mmdb.on_change(e) as on_change, e.index_options ->> 'quantization' as quantization,
       mmdb.search_name(e.prefix, e.name) as function
from mmdb.embeddings e
where e.relation = %(relation)s::text::regclass and e.generation_of is null
order by e.id

-- name: add_embedding
select a.name, a.function_schema as schema, mmdb.search_name(a.prefix, a.name) as function
from mmdb.add_embedding(%(relation)s::text::regclass, %(sources)s::text[], model => %(model)s, modality => %(modality)s,
                        name => %(name)s, index => false, prefix => %(prefix)s, weights => %(weights)s::float8[],
                        on_change => %(on_change)s,
                        index_options => jsonb_strip_nulls(jsonb_build_object('quantization', %(quantization)s::text))) a

-- name: drop_embedding
select mmdb.drop_embedding(%(relation)s::text::regclass, %(name)s)
