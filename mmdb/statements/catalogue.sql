-- name: models
select m.name, m.backend, m.model, m.revision, m.dimensions, m.modalities, m.distance, m.query_prompt,
       m.document_prompt, m.options, m.identity
from mmdb.models m
where m.name = coalesce(%(name)s::pg_catalog.text, m.name)
order by m.name

-- name: add_model
select mmdb.add_model(%(name)s, %(backend)s, %(model)s, %(dimensions)s, %(modalities)s::text[], %(identity)s,
                      %(distance)s, %(revision)s, %(query_prompt)s, %(document_prompt)s, %(options)s)
