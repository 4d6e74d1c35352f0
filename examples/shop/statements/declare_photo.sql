select mmdb.add_embedding('shop.posters', 'photo')
