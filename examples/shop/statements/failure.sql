select error from mmdb.failures where relation = 'shop.posters'::regclass order by key limit 1
