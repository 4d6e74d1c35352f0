-- A semantic join
-- Every wish of a customer, in whatever language, with the poster that comes nearest.
select w.wish, p.id, p.title, p.distance
from shop.wishes w, lateral (
  select id, title, distance
  from shop.posters_by_photo(w.wish)
  order by distance
  limit 1
) p
order by w.id
