select mmdb.add_embedding('shop.posters', array['title', 'description'], name => 'text')
