-- A search is a table: filter it, join it
-- Birds under 15 euros that can be sent today: meaning, price and stock in one statement.
select p.id, p.title, s.size, s.frame, s.price, s.stock, p.distance
from shop.posters_by_photo('a bird on a branch') p
join shop.products s on s.poster_id = p.id
where s.price < 15 and s.stock > 0
order by p.distance, s.price
limit 6
