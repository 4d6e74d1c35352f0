-- name: models
select m.name, m.backend, m.model, m.dimensions, m.modalities, m.distance,
       (select count(*) from mmdb.embeddings e where e.model = m.name) as embeddings
from mmdb.models m
order by m.name

-- name: remove_model
select mmdb.remove_model(%(name)s)
