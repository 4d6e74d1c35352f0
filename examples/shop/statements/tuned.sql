select from mmdb.contracts where function like 'shop.posters_in_stock(%' and drift is null
