"""mmdb.explain says how a statement searches, and runs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from tests.conftest import Database, MakeRole
from tests.db.conftest import Connection, one

ROWS = 5_000


@pytest.fixture(scope="module")
def goods(module_database: Database) -> Iterator[Connection]:
    """Goods in a schema of the search path, with vectors and an index, no worker and nothing in the cache."""
    with module_database.connect() as conn:
        conn.execute("create schema shop; set search_path = shop, public")
        conn.execute('create table goods (id int primary key, "the text" text, price int not null)')
        conn.execute("select mmdb.add_embedding('goods', 'the text', model => 'hash', name => 'txt', index => false)")
        conn.execute(
            "insert into goods select g, 'goods ' || g, g %% 100, (select array_agg(random() - 0.5 + 0 * (g + d)) "
            "from generate_series(1, 64) d)::real[]::halfvec from generate_series(1, %s) g", [ROWS],
        )  # fmt: skip
        for (statement,) in conn.execute("select mmdb.index_statements('goods', 'txt')").fetchall():
            conn.execute(statement)
        options = "select mmdb.add_embedding(%s, 'txt', model => 'hash', index_options => %s)"
        conn.execute("create table bare (id int primary key, txt text)")
        conn.execute(options, ["bare", '{"type": "none"}'])
        conn.execute("create table signs (id int primary key, txt text)")
        conn.execute(options, ["signs", '{"quantization": "binary"}'])
        conn.execute("create table parts (id int primary key, txt text) partition by range (id)")
        conn.execute("create table parts_1 partition of parts for values from (0) to (9)")
        conn.execute("create table parts_2 partition of parts for values from (9) to (99)")
        conn.execute("select mmdb.add_embedding('parts', 'txt', model => 'hash')")
        conn.execute("create table wishes (id int primary key, wish text)")
        conn.execute("insert into wishes values (1, 'red'), (2, 'green'), (3, 'blue')")
        conn.execute("analyze")
        yield conn


INDEX, ROWWISE, FUNCTION = "by the index", "row by row", "by the function"
FINE = {
    "select id from goods_by_txt('red') order by distance limit 5": (INDEX, "once"),
    "-- as told\n(select * from goods_by_txt('red') where price < 9 order by distance limit 5);": (INDEX, "once"),
    "with q as (select 1) select g.* from goods_by_txt('red') g, q order by distance limit 5": (INDEX, "once"),
    "select w.id, g.id from wishes w, lateral (select id from goods_by_txt(w.wish) order by distance limit 3) g":
        (INDEX, "once"),
    "select id from goods order by txt_embedding <=> (select mmdb.embed('red', 'hash')::halfvec) limit 5":
        (INDEX, "once"),
    "select id from goods order by txt_embedding <=> array_fill(1, array[64])::halfvec limit 5": (INDEX, "given"),
    "select id from goods_top_by_txt((select wish from wishes where id = 1), 5)": (FUNCTION, "once"),
    "select id from goods_like(7, 5)": (FUNCTION, "once"),
    "select id from parts_by_txt('red') order by distance limit 5": (INDEX, "once"),
}  # fmt: skip
SLOW = {
    "select id from goods_by_txt((select wish from wishes where id = 1)) order by distance limit 5":
        (ROWWISE, "once", "goods_top_by_txt(…, k)"),
    "select id from goods_by_txt((select txt_embedding from goods where id = 7)) order by distance limit 5":
        (ROWWISE, "once", "goods_like(key, k)"),
    "select g.id from wishes w, lateral goods_by_txt(w.wish) g order by g.distance limit 5":
        (ROWWISE, "for each row", "lateral (select …"),
    "select id from goods order by txt_embedding <=> mmdb.embed('red', 'hash')::halfvec limit 5":
        (INDEX, "for each row", "(select mmdb.embed(…))"),
    "select id, distance from goods_by_txt('red')": (ROWWISE, "once", "end it in: order by distance limit k"),
    "select id from goods_by_txt('red') order by distance desc limit 5": (ROWWISE, "once", "ascends"),
    "select id from goods_by_txt('red') where id < 9 order by distance limit 5": (ROWWISE, "once", "few rows"),
    "select id from bare_by_txt('red') order by distance limit 5": (ROWWISE, "once", "mmdb add shop.bare txt"),
    "select id from signs_by_txt('red') order by distance limit 5": (ROWWISE, "once", "signs_top_by_txt walks"),
}  # fmt: skip


def explained(conn: Connection, statement: str) -> list[tuple[Any, ...]]:
    return conn.execute("select searched, vector, advice from mmdb.explain(%s)", [statement]).fetchall()


@pytest.mark.parametrize("statement", FINE)
def test_a_search_as_it_should_be(goods: Connection, statement: str) -> None:
    with goods.transaction():
        goods.execute("set local enable_seqscan = off")  # tables without a row are read through
        assert explained(goods, statement) == [(*FINE[statement], None)]


@pytest.mark.parametrize("statement", SLOW)
def test_a_search_that_could_be_better(goods: Connection, statement: str) -> None:
    searched, vector, advice = SLOW[statement]
    ((found_searched, found_vector, found_advice),) = explained(goods, statement)
    assert (found_searched, found_vector) == (searched, vector)
    assert advice in found_advice


def test_plans_as_earlier_versions_write_them(goods: Connection) -> None:
    """Until PostgreSQL 16 the result of an InitPlan is written as $0."""
    statement = "select id from goods_by_txt('red') order by distance limit 5"
    seen = "regexp_replace(mmdb.plan_of(%s, 'shop, public')::text, '\\(InitPlan \\d+\\)(\\.col1)?', '$0', 'g')"
    found = goods.execute(f"select searched, vector, advice from mmdb.searches_in(({seen})::jsonb)", [statement])
    assert found.fetchall() == [(INDEX, "once", None)]


def test_what_does_not_search(goods: Connection) -> None:
    assert explained(goods, "select count(txt_embedding) from goods where id < 9") == []
    assert explained(goods, "values (1)") == []


def test_each_search_has_a_row(goods: Connection) -> None:
    joined = (
        "select * from (select id from goods_by_txt('red') order by distance limit 5) g "
        "join lateral (select id from bare_by_txt('red') order by distance limit 5) b on b.id = g.id"
    )
    found = goods.execute("select relation::text, name, searched from mmdb.explain(%s) order by 1", [joined])
    assert found.fetchall() == [("bare", "txt", ROWWISE), ("goods", "txt", INDEX)]


@pytest.mark.parametrize(
    "statement",
    [
        "select 1; drop table wishes",
        "select 1; select 2",
        "drop table wishes",
        "delete from wishes",
        "with gone as (delete from wishes returning 1) select * from gone",
        "analyze select 1",
        "/* select */ truncate wishes",
        "explain analyze delete from wishes",
        "",
    ],
)
def test_nothing_but_one_select_is_taken(goods: Connection, statement: str) -> None:
    with pytest.raises(pg.InvalidParameterValue) as caught:
        explained(goods, statement)
    assert caught.value.diag.message_hint == "mmdb.explain takes one SELECT"
    assert one(goods, "select count(*) from wishes") == 3


def test_nothing_is_run(goods: Connection) -> None:
    """Not the statement, and no model either: there is no worker here that would embed a query."""
    goods.execute("create or replace function boom() returns int language plpgsql volatile as "
                  "$$ begin delete from wishes; raise 'run'; end $$")  # fmt: skip
    assert explained(goods, "select boom(), id from goods_by_txt('never') order by distance limit 1") == [
        (INDEX, "once", None)
    ]
    assert one(goods, "select count(*) from wishes") == 3
    assert one(goods, "select count(*) from mmdb.requests") == 0


def test_it_has_the_rights_of_its_caller(goods: Connection, module_database: Database, make_role: MakeRole) -> None:
    user = make_role("reader")
    goods.execute(f"grant mmdb_user to {user.name}; grant usage on schema shop to {user.name}".encode())
    with user.connect(module_database) as reader:
        with pytest.raises(pg.InsufficientPrivilege):
            explained(reader, "select id from shop.goods_by_txt('red') order by distance limit 5")
        goods.execute(f"grant select on shop.goods to {user.name}".encode())
        fine = explained(reader, "select id from shop.goods_by_txt('red') order by distance limit 5")
        assert fine == [(INDEX, "once", None)]
    goods.execute(f"drop owned by {user.name}".encode())


def test_the_search_path_is_the_callers(goods: Connection, module_database: Database) -> None:
    with module_database.connect() as other:
        with pytest.raises(psycopg.errors.UndefinedFunction):
            explained(other, "select id from goods_by_txt('red')")
        other.execute("set search_path = shop, pg_catalog")
        (found,) = explained(other, "select id from goods_by_txt('red') order by distance limit 5")
        assert found == (INDEX, "once", None)
        assert one(other, "show search_path") == "shop, pg_catalog"
