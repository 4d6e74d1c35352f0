-- What is asked of each owner's tables before, during and after the upgrade; the search path names the owner's schema.

-- name: search views
select "Id", _distance from "Goods_by_It's"('red chair 3') order by 2, 1;
select "Id", _distance from "Goods_by_It's"((select p.photo from pictures p where p.no = 3)) order by 2, 1;
select "Id", _distance from "Goods_by_photo"((select p.photo from pictures p where p.no = 3)) order by 2, 1;
select "Id", _distance from "Goods_by_Both"('red chair 3') where price < 3 order by 2, 1 limit 4;
select "Id", _distance
from "Goods_by_photo"((select g.photo_embedding from "Goods" g where g."Id" = 4)) order by 2, 1 limit 5;
select part, no, distance from notes_by_note('note 7') order by 3, 1, 2;
select id, distance from parts_by_txt('part 7') order by 2, 1;
select id, distance from items_by_txt('item 7') order by 2, 1;
select id, distance from items_by_txt_wide('item 7') order by 2, 1;
select id, distance from switched_by_txt('switched 7') order by 2, 1;
select id, distance from switched_by_txt_hash('switched 7') order by 2, 1;

-- name: the k nearest
select "Id", _distance from "Goods_top_by_It's"('red chair 3', k => 4);
select "Id", _distance from "Goods_top_by_It's"('red chair 3', filter => '{"price": {"lt": 3}}');
select "Id", _distance from "Goods_top_by_It's"('red chair 3', k => 3, within => array[1, 2, 3, 5, 8, 11]);
select "Id", _distance from "Goods_top_by_It's"('red chair 3', k => 3, after => 3);
select "Id", _distance from "Goods_top_by_photo"((select p.photo from pictures p where p.no = 3), 3, after => 3);
select "Id", _distance from "Goods_top_by_photo"((select g.photo_embedding from "Goods" g where g."Id" = 4), 3);
select "Id", _distance from "Goods_top_by_Both"('red chair 3', k => 4, within => array(select "Id" from "Goods"));
select part, no, distance from notes_top_by_note('note 7', 5);
select part, no, distance from notes_top_by_note('note 7', 5, within => array['{1,"n\"3"}', '{2,"n\"0"}']);
select part, no, distance
from notes_top_by_note('note 7', 5, filter => '{"part": {"lt": 3}}', after => '{1,"n\"3"}');
select id, distance from parts_top_by_txt('twin', 12);
select id, distance from parts_top_by_txt('part 7', 3, filter => '{"id": {"ne": "p4"}}', after => 'p7');
select id, distance from items_top_by_txt('item 7', 3, filter => '{"price": {"gt": 2}}', within => array[1, 5, 7, 11]);
select id, distance from items_top_by_txt_wide('item 7', 3, after => 7);
select id, distance from switched_top_by_txt('switched 7', 3);
select id, distance from switched_top_by_txt_hash('switched 7', 3);

-- name: hybrid
select "Id", score, ranks from "Goods_search"('red chair 3', k => 4);
select "Id", score, ranks from "Goods_search"('chairs', (select p.photo from pictures p where p.no = 3));
select "Id", score, ranks
from "Goods_search"('red chair 3', k => 3, filter => '{"price": {"lt": 3}}', within => array[1, 2, 3, 5, 8, 11],
  weights => '{"photo": 2, "keywords": 0.5}', depth => 50, diversity => 0.3);
select "Id", score, ranks
from "Goods_search"(images => array(select p.photo from pictures p where p.no < 3 order by p.no), k => 3, after => 2);
select part, no, score, ranks from notes_search('note 7', k => 5, after => '{1,"n\"3"}');
select id, score, ranks from parts_search('part 7', k => 5, filter => '{"id": {"ne": "p4"}}');
select id, score, ranks from items_search('item 7', k => 5);
select id, score, ranks from switched_search('switched 7', k => 5, within => array[1, 7, 9]);

-- name: by example
select "Id", score, ranks from "Goods_like"(3, k => 4);
select "Id", score, ranks
from "Goods_like"(3, 3, '{"price": {"lt": 3}}', within => array[1, 2, 5, 8, 11], diversity => 0.2);
select "Id", score, ranks from "Goods_recommend"(array[1, 3], array[5], k => 4, weights => '{"disliked": 0.5}');
select part, no, score, ranks from notes_like('{1,"n\"3"}', k => 4);
select part, no, score, ranks from notes_recommend(array['{1,"n\"3"}'], k => 4, after => '{2,"n\"0"}');
select id, score, ranks from parts_like('p1', k => 4);
select id, score, ranks from parts_recommend(array['p1', 'p7'], array['p9'], k => 4);
select id, score, ranks from items_like(7, k => 4);
select id, score, ranks from items_recommend(array[7], array[2], k => 4, filter => '{"price": {"gt": 2}}');
select id, score, ranks from switched_like(7, k => 4);
select id, score, ranks from switched_recommend(array[7], k => 4);

-- name: mmdb's own functions
select mmdb.embed_for('"Goods"', 'It''s', 'red chair 3')::text, mmdb.embed_for('switched', 'txt', 'switched 7')::text;
select mmdb.embed_for('"Goods"', 'photo', (select p.photo from pictures p where p.no = 3))::text;
select mmdb.embed('red chair 3', 'hash')::text, mmdb.embed('item 7', 'wide')::text;
select * from mmdb.near_duplicates('parts', 'txt', 0.1);
select * from mmdb.neighbours('items', 'txt', 'switched', 'txt_hash', k => 2, filter => '{"id": {"gt": 4}}')
order by 1, 4;
select * from mmdb.neighbours('notes', 'note', 'notes', 'note', k => 2) order by 1, 4;
select * from mmdb.neighbours('"Goods"', 'photo', '"Goods"', 'Both', k => 2, after => '3', upto => '9') order by 1, 4;
select relation, key, score, ranks, found
from mmdb.find('note 7', k => 6, relations => array['"Goods"', 'notes', 'parts', 'items']::regclass[]);
select mmdb.context('note 7', 3, array['notes', 'items']::regclass[]);
select * from mmdb.compare_models('items', 'txt', array['item 7'], k => 3);
select * from near((select g.photo_embedding from "Goods" g where g."Id" = 4));
select name, model, generation_of, case when not estimated then array[rows, embedded, pending, failed, stale] end
from mmdb.status where relation::text not like '%fresh' order by relation::text, name;
select relation, name, key, error from mmdb.failures order by 1, 2, 3;
select function, target, settings from mmdb.contracts order by 1;
select relation, name, columns from mmdb.keywords order by relation::text;
