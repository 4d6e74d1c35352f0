select name from mmdb.embeddings where relation = 'shop.posters'::regclass
