-- So does a word in Chinese
-- Sixteen languages share one space with the pictures; nothing was translated.
select id, title_zh, distance
from shop.posters_by_photo('猫')
order by distance
limit 3
