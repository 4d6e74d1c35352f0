-- A word finds the picture
-- The poster is called "Chelsea": the word is compared with what the photograph shows, not with any text.
select id, title, distance
from shop.posters_by_photo('cat')
order by distance
limit 3
