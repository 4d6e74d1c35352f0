-- Search what was written
-- The same over titles and descriptions: this asks for a mood, not for a thing.
select id, title, left(description, 60) || ' …' as description, distance
from shop.posters_by_text('something calm to hang over the bed')
order by distance
limit 3
