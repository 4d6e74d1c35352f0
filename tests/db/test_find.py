"""mmdb.find and mmdb.context: one question to every table, with the rights of who asks."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from tests.conftest import Database, MakeRole
from tests.db.conftest import Connection


@pytest.fixture
def shop(items: Connection, worker: None) -> Connection:
    """`items`, and a table of another schema with pictures, a key of two columns and a column called score."""
    items.execute("create schema other")
    items.execute(
        "create table other.notes (part int, no int, note text, photo bytea, score int, primary key (part, no))"
    )
    items.execute("insert into other.notes values (1, 1, 'item 1', '\\x00', 7), (1, 2, 'something', null, 8)")
    items.execute("select mmdb.add_embedding('other.notes', 'note', model => 'hash')")
    items.execute("select mmdb.wait_until_embedded('items'), mmdb.wait_until_embedded('other.notes')")
    return items


def test_every_table_is_searched(shop: Connection) -> None:
    rows = shop.execute("select relation::text, key, found from mmdb.find('item 1', k => 3)").fetchall()
    assert len(rows) == 3
    best = {relation: (key, found) for relation, key, found in reversed(rows)}
    assert best["items"] == ("1", {"id": 1, "txt": "item 1", "price": 1})
    assert best["other.notes"] == ("{1,1}", {"part": 1, "no": 1, "note": "item 1", "score": 7})


def test_the_number_of_legs_puts_no_table_first(shop: Connection) -> None:
    shop.execute("create table pairs (id int primary key, a text, b text)")
    shop.execute("insert into pairs values (1, 'a telescope', 'a crab'), (2, 'a galaxy', 'a cup')")
    shop.execute(
        "select mmdb.add_embedding('pairs', 'a', model => 'hash'), mmdb.add_embedding('pairs', 'b', model => 'hash')"
    )
    shop.execute("select mmdb.wait_until_embedded('pairs')")
    first = shop.execute("select relation::text, key from mmdb.find('item 2', k => 4)").fetchone()
    assert first == ("items", "2")


def test_the_rows_of_a_table_stay_in_its_order(shop: Connection) -> None:
    shop.execute("select mmdb.add_keywords('items', array['txt'], 'simple')")
    own = [str(i) for (i,) in shop.execute("select id from items_search('item 2', k => 5)").fetchall()]
    found = shop.execute(
        "select key from mmdb.find('item 2', k => 5, relations => array['items'::regclass])"
    ).fetchall()
    assert [key for (key,) in found] == own


def test_only_the_tables_that_are_named(shop: Connection) -> None:
    found = shop.execute(
        "select distinct relation::text from mmdb.find('item 1', relations => array['items'::regclass])"
    )
    assert found.fetchall() == [("items",)]


def test_the_rights_of_who_asks(shop: Connection, database: Database, make_role: MakeRole) -> None:
    reader = make_role()
    shop.execute(f"grant mmdb_user to {reader.name}; grant select on items to {reader.name}")
    shop.execute("alter table items enable row level security; create policy p on items using (id > 3)")
    with reader.connect(database) as conn:
        both = "array['items'::regclass, 'other.notes'::regclass]"
        with pytest.raises(pg.InsufficientPrivilege, match="permission denied for schema other"):
            conn.execute(f"select relation::text, key from mmdb.find('item 1', relations => {both})")
        named = "relations => array['items'::regclass]"
        rows = conn.execute(f"select relation::text, key from mmdb.find('item 1', {named})").fetchall()
        assert sorted(rows) == [("items", "4"), ("items", "5")]
        context = conn.execute(f"select mmdb.context('item 1', {named})").fetchone()
        assert context is not None
        assert "item 1" not in context[0]


def test_code_of_strangers_is_not_run_unasked(shop: Connection, database: Database, make_role: MakeRole) -> None:
    """Whoever owns a table may put what he likes into the body of its search function."""
    stranger = make_role()
    shop.execute(f"grant mmdb_user to {stranger.name}; grant create, usage on schema other to {stranger.name}")
    with stranger.connect(database) as conn:
        conn.execute("create table other.trap (id int primary key, txt text)")
        conn.execute("select mmdb.add_embedding('other.trap', 'txt', model => 'hash')")
        definition = conn.execute("select pg_get_functiondef('other.trap_search'::regproc)").fetchone()
        assert definition is not None
        head, _, _ = definition[0].partition("AS $")
        conn.execute(f"{head} as $$ begin raise exception 'trapped'; end $$")
        conn.execute("grant select on other.trap to public")
    assert shop.execute("select count(*) > 0 from mmdb.find('item 1')").fetchone() == (True,)
    with pytest.raises(psycopg.Error, match="trapped"):
        shop.execute("select * from mmdb.find('item 1', relations => array['other.trap'::regclass])")


def test_context(shop: Connection) -> None:
    def context(characters: int) -> str:
        row = shop.execute("select mmdb.context('item 1', 3, characters => %s)", [characters]).fetchone()
        assert row is not None
        return str(row[0])

    whole = context(8000)
    assert whole.count("[") == 3
    assert "[1] " in whole
    assert "txt: item 1" in whole
    assert "embedding" not in whole
    first = whole[: whole.index("[2]")]
    assert context(len(first) + 5) == first, "a source is whole or not there"
    assert context(10) == whole[:10]


BAD = [
    ("select * from mmdb.find()", "there is no table to search in"),
    ("select * from mmdb.find('x', k => 0)", "k is 0, expected 1 to 10000"),
    ("select * from mmdb.find('x', relations => '{}')", "there is no table to search in"),
    ("select * from mmdb.find('x', relations => array['mmdb.models'::regclass])", "there is no table to search in"),
    ("select mmdb.context('x', characters => 0)", "characters is 0"),
]


@pytest.mark.parametrize(("statement", "message"), BAD)
def test_bad_input(shop: Connection, statement: str, message: str) -> None:
    with pytest.raises(psycopg.Error, match=message):
        shop.execute(statement)


def test_without_an_embedding(conn: Connection) -> None:
    with pytest.raises(pg.UndefinedObject, match="there is no table to search in"):
        conn.execute("select * from mmdb.find('x')")


def test_the_other_generation_is_not_searched(shop: Connection, database: Database) -> None:
    add: Any = "select mmdb.add_model('wide', 'hash', 'sha256', 96, array['text', 'image'], %s, options => %s)"
    shop.execute(add, ["hash/1 dimensions=96", '{"dimensions": 96}'])
    shop.execute("select mmdb.change_model('items', 'txt', 'wide')")
    row = shop.execute(
        "select ranks from mmdb.find('item 1', relations => array['items'::regclass]) limit 1"
    ).fetchone()
    assert row is not None
    assert set(row[0]) == {"txt"}
