-- Revenue by what the posters show
-- Nobody tagged the posters. Each goes to the theme nearest to its photograph; the rest is reporting as usual.
with themes as materialized (
  select theme, mmdb.embed_for('shop.posters', 'photo', theme)::halfvec as embedding
  from unnest(array['cute animals', 'birds on a branch', 'fish in the sea', 'the universe', 'monuments',
                    'flowers and meadows', 'food and drink', 'a man with a camera']) theme
), shown as (
  select p.id, nearest.theme
  from shop.posters p, lateral (
    select t.theme from themes t order by p.photo_embedding <=> t.embedding limit 1
  ) nearest
), quarter as (
  select date_trunc('quarter', max(ordered_at), 'UTC') as start from shop.orders
)
select shown.theme, array_agg(distinct shown.id) as ids,
       sum(line.quantity) as sold, sum(line.quantity * line.unit_price) as revenue
from shown
join shop.products product on product.poster_id = shown.id
join shop.order_lines line on line.product_id = product.id
join shop.orders o on o.id = line.order_id
join quarter on o.ordered_at >= quarter.start
where o.status not in ('returned', 'cancelled')
group by shown.theme
order by revenue desc
