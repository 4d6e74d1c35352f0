"""Tables that inherit from a table with an embedding: their rows are no rows of its own, whatever is asked."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import errors as pg

from mmdb.analytics.kmeans import write_clusters
from mmdb.database.types import register_types
from tests.db.conftest import Connection, one


@pytest.fixture
def parent(items: Connection, worker: None) -> Connection:
    """`items` with keywords and five rows; a table that inherits from it has the same keys, and vectors too."""
    items.execute("select name from mmdb.add_keywords('items', array['txt'])")
    items.execute("select mmdb.wait_until_embedded('items')")
    items.execute("create table kid (extra int) inherits (items)")
    items.execute("insert into kid (id, txt, txt_embedding) select id, txt, txt_embedding from only items")
    items.execute("insert into kid (id, txt, price) values (6, 'item 6', 6), (7, 'item 3', 3)")
    return items


EXACT = "set enable_indexscan = off; "
SEARCHES = {
    "view": "select id from items_by_txt('item 3')",
    "view, by a vector": "select id from items_by_txt((select txt_embedding from only items where id = 3))",
    "top": "select id from items_top_by_txt('item 3', 20)",
    "top, exact": EXACT + "select id from items_top_by_txt('item 3', 20)",
    "top, filtered": "select id from items_top_by_txt('item 3', 20, filter => '{\"price\": {\"lt\": 9}}')",
    "top, within": "select id from items_top_by_txt('item 3', 20, within => array(select id from items))",
    "words and meaning": "select id from items_search('item 3', k => 20)",
    "words": "select id from items_search('item', k => 20, weights => '{\"txt\": 0}')",
    "a varied search": "select id from items_search('item 3', k => 20, diversity => 0.5)",
    "everything": "select key::int from mmdb.find('item 3', k => 20)",
}


@pytest.mark.parametrize("searched", SEARCHES.values(), ids=SEARCHES)
def test_a_search_finds_each_row_once(parent: Connection, searched: str) -> None:
    setting, _, statement = searched.rpartition("; ")
    parent.execute((setting or "select").encode())
    assert sorted(parent.execute(statement.encode()).fetchall()) == [(key,) for key in range(1, 6)]


def test_pages_end_at_rows_of_the_table(parent: Connection) -> None:
    pages = "select id from items_top_by_txt('item 3', 3, after => %s)"
    first = [row[0] for row in parent.execute(pages, [None])]
    assert sorted(first + [row[0] for row in parent.execute(pages, [first[-1]])]) == [1, 2, 3, 4, 5]
    assert one(parent, "select mmdb.page_end('items', null, 20)") == "5"
    with pytest.raises(pg.NoDataFound, match='no row "6"'):
        parent.execute(pages, [6])


def test_rows_as_queries(parent: Connection) -> None:
    assert sorted(parent.execute("select id from items_like(3, 20)").fetchall()) == [(1,), (2,), (4,), (5,)]
    recommended = "select id from items_recommend(array[3], array[4], 20)"
    assert sorted(parent.execute(recommended).fetchall()) == [(1,), (2,), (5,)]
    with pytest.raises(pg.NoDataFound, match='no row "6"'):
        parent.execute("select id from items_like(6)")


def test_pairs_and_groups(parent: Connection) -> None:
    assert parent.execute("select * from mmdb.near_duplicates('items', 'txt', 0.0001)").fetchall() == []
    pairs = parent.execute("select left_key, right_key from mmdb.neighbours('items', 'txt', 'items', 'txt', 20)")
    keys = [str(key) for key in range(1, 6)]
    assert sorted(pairs.fetchall()) == [(left, right) for left in keys for right in keys if left != right]
    register_types(parent)
    assert sum(group.rows for group in write_clusters(parent, "items", "txt", k=2, into="groups")) == 5


def counted(conn: Connection, exact_up_to: int) -> Any:
    return one(
        conn,
        "select c.total, c.embedded, c.pending from mmdb.embeddings e, mmdb.count_rows(mmdb.resolved(e), %s) c",
        exact_up_to,
    )


def test_rows_are_counted_alike_exactly_and_by_statistics(parent: Connection) -> None:
    parent.execute("insert into kid (id, txt) select g, 'x' from generate_series(100, 199) g")
    parent.execute("analyze items, kid")
    assert counted(parent, 200_000) == counted(parent, 1) == (5, 5, 0)
