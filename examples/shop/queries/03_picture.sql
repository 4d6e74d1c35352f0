-- A picture finds its like
-- The query is a picture file; its bytes are the parameter.
select id, title, distance
from shop.posters_by_photo(%(image)s::bytea)
order by distance
limit 3
