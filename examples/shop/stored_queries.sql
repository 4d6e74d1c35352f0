-- The stored queries of the poster shop: what its website and its buyers ask every day, as functions with
-- filters. `make demo` makes them; each has a LIMIT of its own, so that mmdb.recall and mmdb.tune take it.

create or replace function shop.posters_in_stock(query text, below numeric default null, k integer default 10)
returns table (id integer, title text, size text, frame text, price numeric, stock integer, distance double precision)
language sql stable security invoker
as $$
  select p.id, p.title, s.size, s.frame, s.price, s.stock, p.distance
  from shop.posters_by_photo(query) p
  join lateral (
    select s.* from shop.products s
    where s.poster_id = p.id and s.stock > 0 and (below is null or s.price < below)
    order by s.price limit 1
  ) s on true
  order by p.distance
  limit k
$$;
comment on function shop.posters_in_stock(text, numeric, integer) is
  'Posters that show what is asked for and can be sent today, each with its cheapest print, below a price if one is '
  'given. [mmdb query]';

create or replace function shop.posters_for_wishes(wanted integer default 1)
returns table (wish text, id integer, title text, distance double precision)
language sql stable security invoker
as $$
  select w.wish, p.id, p.title, p.distance
  from shop.wishes w
  cross join lateral (
    select id, title, distance from shop.posters_by_photo(w.wish) order by distance limit wanted
  ) p
  order by w.id, p.distance
$$;
comment on function shop.posters_for_wishes(integer) is
  'For every wish of a customer, in whatever language, the posters that come nearest. [mmdb query]';

create or replace function shop.revenue_by_theme(themes text[], since timestamptz default null)
returns table (theme text, posters bigint, sold bigint, revenue numeric)
language sql stable security invoker
as $$
  with shown as (
    select p.id, c.label as theme
    from shop.posters p, lateral (select * from mmdb.classify(p.photo_embedding, themes, 'lite') limit 1) c
  )
  select shown.theme, count(distinct shown.id), sum(line.quantity), sum(line.quantity * line.unit_price)
  from shown
  join shop.products product on product.poster_id = shown.id
  join shop.order_lines line on line.product_id = product.id
  join shop.orders o on o.id = line.order_id
  where o.status not in ('returned', 'cancelled') and (since is null or o.ordered_at >= since)
  group by shown.theme
  order by sum(line.quantity * line.unit_price) desc
$$;
comment on function shop.revenue_by_theme(text[], timestamptz) is
  'What posters of each theme earned, since a day if one is given; themes are any words. [mmdb query]';
