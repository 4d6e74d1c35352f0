-- What each owner of the former database has, in a schema of his own that the search path names: a table for each way
-- in which a declaration can differ. Pictures come from public.pictures.

-- Names to quote, texts and pictures, several sources with weights, words, and a vector that is kept while it is stale.
create table "Goods" ("Id" integer primary key, "It's" text, photo bytea, price integer not null, distance real);
insert into "Goods"
select g, 'red chair ' || g, (select p.photo from public.pictures p where p.no = g), g % 5, g
from generate_series(1, 12) g;
update "Goods" set "It's" = null where "Id" = 11;
update "Goods" set photo = 'no picture' where "Id" = 12;
select mmdb.add_embedding('"Goods"', 'It''s', model => 'hash', on_change => 'keep');
select mmdb.add_embedding('"Goods"', 'photo', model => 'hash');
select mmdb.add_embedding('"Goods"', array['It''s', 'photo'], model => 'hash', name => 'Both', weights => '{0.7,0.3}');
select mmdb.add_keywords('"Goods"', array['It''s'], 'english');

-- A key of two columns, and an index of signs.
create table notes (part integer, no text, note text, primary key (part, no));
insert into notes select g / 4, 'n"' || g % 4, 'note ' || g from generate_series(1, 12) g;
select mmdb.add_embedding('notes', 'note', model => 'hash', index_options => '{"quantization": "binary"}');

-- Partitions.
create table parts (id text primary key, txt text) partition by hash (id);
create table parts_even partition of parts for values with (modulus 2, remainder 0);
create table parts_odd partition of parts for values with (modulus 2, remainder 1);
insert into parts select 'p' || g, case when g < 3 then 'twin' else 'part ' || g end from generate_series(1, 12) g;
select mmdb.add_embedding('parts', 'txt', model => 'hash', index_options => '{"m": 8}');

-- A row policy, and a model that is being changed.
create table items (id integer primary key, txt text, price integer not null);
insert into items select g, 'item ' || g, g from generate_series(1, 12) g;
alter table items enable row level security;
create policy cheap on items using (price < 9);
select mmdb.add_embedding('items', 'txt', model => 'hash');
select mmdb.change_model('items', 'txt', 'wide');

-- A model that was changed, and its former generation.
create table switched (id integer primary key, txt text);
insert into switched select g, 'switched ' || g from generate_series(1, 12) g;
select mmdb.add_embedding('switched', 'txt', model => 'hash');

-- What the worker of the new code finds to do.
create table fresh (id integer primary key, txt text);
insert into fresh select g, 'fresh ' || g from generate_series(1, 4) g;
select mmdb.add_embedding('fresh', 'txt', model => 'hash', on_change => 'keep');

-- The owner's own query, which is to keep its recall.
create function near(vector halfvec) returns table (id integer, distance float8)
language sql stable
as $$ select p."Id", p._distance from "Goods_by_photo"($1) p where p.price < 4 order by p._distance limit 3 $$;
