-- A word finds the picture
-- No title and no description says "cat" here: the search compares the word with what the photograph shows.
select id, title, distance
from shop.posters_by_photo('cat')
order by distance
limit 3
