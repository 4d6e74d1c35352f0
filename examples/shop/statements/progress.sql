select name, rows, pending, failed from mmdb.status where relation = 'shop.posters'::regclass order by name
