"""Indexes for filters, suggested from what the server counted: only where it is sure, and none where one serves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from mmdb import install
from mmdb.server import embedded
from mmdb.worker import background
from tests.conftest import QUICK, Database, needs_embedded, open_folder
from tests.db.conftest import QUICK as HASH_WORKER

Connection = psycopg.Connection[Any]
ROWS = 12_000
TABLE = f"""
create table goods (
  id int primary key, txt text, price int not null, brand text not null, meta jsonb not null, tags text[] not null,
  sold daterange not null, "Odd.name" int not null
);
insert into goods
select g, 'item ' || g, g, 'brand ' || g % 3000, jsonb_build_object('n', g), array['t' || g],
       daterange('2024-01-01', '2024-01-01'::date + 1 + g % 9), g
from generate_series(1, {ROWS}) g;
select mmdb.add_embedding('goods', 'txt', model => 'hash', index => false);
"""
FILTERS = "select finding, remedy from mmdb.doctor() where subject = 'filters of public.goods' and level = 'warning'"
EXACT = (
    "select /* mmdb.top_exact */ array_agg(array[p.id]::text order by p.mmdb_distance, p.id), "
    "array_agg(p.mmdb_distance order by p.mmdb_distance, p.id) "
    "from (select * from (select p.id, p.txt_embedding operator(public.<=>) $1 as mmdb_distance from public.goods p "
    "where p.txt_embedding is not null and {passes} offset $4) p order by p.mmdb_distance, p.id limit $5) p"
)


@pytest.fixture
def goods(conn: Connection) -> Connection:
    conn.execute(TABLE)
    conn.execute("analyze goods")
    return conn


def conditions(conn: Connection, statement: str) -> list[tuple[str, str]]:
    return conn.execute("select * from mmdb.exact_conditions('goods', %s) order by 1, 2", [statement]).fetchall()


def advice(conn: Connection, passes: str, calls: int = 20, milliseconds: float = 100) -> list[str]:
    rows = conn.execute(
        "select remedy from mmdb.index_advice('goods', array[%s], array[%s::bigint], array[%s::float8])",
        [EXACT.format(passes=passes), calls, milliseconds],
    ).fetchall()
    return [remedy for (remedy,) in rows]


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ('{"price": {"lt": 5}}', [("price", "<")]),
        ('{"price": {"between": [1, 2]}, "brand": "x"}', [("brand", "="), ("price", "<="), ("price", ">=")]),
        ('{"brand": {"in": ["a", "b"]}}', [("brand", "=")]),
        ('{"brand": {"ilike": "%a%"}}', [("brand", "~~*")]),
        ('{"meta": {"contains": {"n": 1}}}', [("meta", "@>")]),
        ('{"Odd.name": 4}', [("Odd.name", "=")]),
        ('{"price": {"ne": 5}}', []),
        ('{"not": {"price": 5}}', []),
        ('{"or": [{"price": 5}, {"brand": "x"}]}', []),
        ('{"meta.n": {"lt": 5}}', []),
        ('{"id": {"lt": 5}}', []),
    ],
)
def test_conditions_are_read_from_what_a_filter_compiles_to(
    goods: Connection, filter_: str, found: list[tuple[str, str]]
) -> None:
    row = goods.execute("select mmdb.filter('goods', %s)", [filter_]).fetchone()
    assert row is not None
    assert conditions(goods, EXACT.format(passes=row[0])) == found


def test_only_exact_searches_of_this_table_are_read(goods: Connection) -> None:
    passes = "p.price operator(pg_catalog.<) $2::integer"
    assert conditions(goods, EXACT.format(passes=passes)) == [("price", "<")]
    assert conditions(goods, "explain " + EXACT.format(passes=passes)) == []
    assert conditions(goods, EXACT.format(passes=passes).replace("public.goods p", "public.other p")) == []
    assert conditions(goods, EXACT.format(passes=passes).replace("/* mmdb.top_exact */", "")) == []
    assert conditions(goods, f"select 1 from public.goods p where {passes}") == []


@pytest.mark.parametrize(
    ("passes", "statement"),
    [
        ("p.price operator(pg_catalog.<) $2::integer", "create index concurrently on public.goods (price)"),
        (
            "p.brand::text operator(pg_catalog.~~*) $2",
            "create index concurrently on public.goods using gin (brand public.gin_trgm_ops)",
        ),
        ("p.meta operator(pg_catalog.@>) $2::jsonb", "create index concurrently on public.goods using gin (meta)"),
        ("p.tags operator(pg_catalog.&&) $2::text[]", "create index concurrently on public.goods using gin (tags)"),
        ("p.sold operator(pg_catalog.@>) $2::date", "create index concurrently on public.goods using gist (sold)"),
        ('p."Odd.name" operator(pg_catalog.=) $2', 'create index concurrently on public.goods ("Odd.name")'),
    ],
)
def test_the_fitting_index_is_suggested_until_it_is_there(goods: Connection, passes: str, statement: str) -> None:
    assert advice(goods, passes) == [statement]
    goods.execute(statement)
    assert advice(goods, passes) == []


def test_one_index_is_enough(goods: Connection) -> None:
    """The column with the most values, and nothing where a condition beside it has an index."""
    passes = "p.brand operator(pg_catalog.=) $2::text and p.price operator(pg_catalog.<) $3::integer"
    assert advice(goods, passes) == ["create index concurrently on public.goods (price)"]
    goods.execute("create index on goods (brand)")
    assert advice(goods, passes) == []


def test_an_index_of_a_part_or_behind_another_column_does_not_serve(goods: Connection) -> None:
    goods.execute("create index on goods (price) where price > 5; create index on goods (brand, price)")
    passes = "p.price operator(pg_catalog.<) $2::integer"
    assert advice(goods, passes) == ["create index concurrently on public.goods (price)"]


def test_an_index_that_only_includes_a_column_does_not_serve(goods: Connection) -> None:
    goods.execute("create index on goods using gist (box(point(price, price), point(price, price))) include (sold)")
    passes = "p.sold operator(pg_catalog.@>) $2::date"
    assert advice(goods, passes) == ["create index concurrently on public.goods using gist (sold)"]


def test_few_or_fast_searches_suggest_nothing(goods: Connection) -> None:
    passes = "p.price operator(pg_catalog.<) $2::integer"
    assert advice(goods, passes, calls=9) == []
    assert advice(goods, passes, calls=1000, milliseconds=100) == []


def test_without_statements_doctor_counts_and_does_not_guess(goods: Connection) -> None:
    """Also where the extension is there, and not preloaded."""
    seen = "select level, finding, remedy from mmdb.doctor() where subject like 'filters of %'"
    for statement in ("select", "create extension pg_stat_statements"):
        goods.execute(statement)
        goods.execute("select count(*) from goods; select pg_stat_force_next_flush()")
        ((level, finding, remedy),) = goods.execute(seen).fetchall()
        assert level == "ok"
        assert finding.startswith("read whole ")
        assert "pg_stat_statements.track = all" in remedy


def test_small_tables_are_left_alone(items: Connection) -> None:
    items.execute("analyze items; select count(*) from items; select pg_stat_force_next_flush()")
    assert items.execute("select from mmdb.doctor() where subject like 'filters of %'").fetchall() == []


def test_a_model_that_no_live_worker_serves(goods: Connection, worker: None) -> None:
    unserved = "select subject, level, finding, remedy from mmdb.doctor() where subject like 'model %'"
    assert goods.execute(unserved).fetchall() == []
    goods.execute("select mmdb.add_embedding('goods', 'brand', model => 'lite', index => false)")
    ((subject, level, finding, remedy),) = goods.execute(unserved).fetchall()
    assert (subject, level) == ("model lite", "warning")
    assert "brand of public.goods" in finding
    assert "mmdb models test lite" in remedy


@pytest.fixture(scope="module")
def counting() -> Iterator[Database]:
    """A database on a server that counts the statements inside functions."""
    preloaded = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
    with open_folder("mmdb-counting-") as home:
        try:
            server = embedded.start(home, settings={**QUICK, **preloaded})
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute("create database counting")
            install.install(server.url_for("counting"))
            yield Database("counting", server.url_for("counting"))
        finally:
            embedded.stop(home)


@needs_embedded
def test_real_searches_lead_to_the_index_that_ends_the_advice(counting: Database) -> None:
    with counting.connect() as conn, background(counting.url, options=HASH_WORKER):
        conn.execute("create extension pg_stat_statements")
        conn.execute(TABLE.replace(str(ROWS), "40000"))
        conn.execute("update goods set txt_embedding = array_fill(1 + id % 7, array[64])::halfvec; analyze goods")
        nearest = "select * from goods_top_by_txt(array_fill(1, array[64])::halfvec, filter => %s)"
        assert conn.execute(FILTERS).fetchall() == []
        for number in range(12):
            conn.execute(nearest, [f'{{"price": {number + 1}}}'])
        conn.execute("select pg_stat_force_next_flush()")
        ((finding, remedy),) = conn.execute(FILTERS).fetchall()
        assert finding.startswith('12 searches by "price"')
        assert remedy == "create index concurrently on public.goods (price)"
        conn.execute(remedy)
        assert conn.execute(FILTERS).fetchall() == []
