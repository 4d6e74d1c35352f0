select id, title, title_zh, photo from shop.posters order by id
