select mmdb.add_embedding('shop.posters', array['title', 'title_zh', 'description', 'description_zh'], name => 'text')
