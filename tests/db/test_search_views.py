"""A search view is ordinary SQL: the planner inlines it, uses the HNSW index and embeds the query once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg
from psycopg.sql import SQL, Identifier

from mmdb.worker import Totals
from tests.conftest import MakeRole

Connection = psycopg.Connection[Any]
ROWS = 20_000


def nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """Every node of a plan in EXPLAIN's JSON."""
    if isinstance(plan, list):
        for part in plan:
            yield from nodes(part)
    elif isinstance(plan, dict):
        if "Node Type" in plan:
            yield plan
        for key in ("Plan", "Plans"):
            yield from nodes(plan.get(key))


class Plan:
    """What EXPLAIN ANALYZE says of a statement."""

    def __init__(self, conn: Connection, query: str, parameters: list[Any] | None = None) -> None:
        row = conn.execute("explain (analyze, format json) " + query, parameters).fetchone()
        assert row is not None
        self.nodes = list(nodes(row[0] if not isinstance(row[0], str) else json.loads(row[0])))
        if query.startswith("select") and not parameters:
            self._compare(conn.execute("select searched from mmdb.explain(%s)", [query]).fetchall())

    def _compare(self, explained: list[tuple[str]]) -> None:
        """What mmdb.explain says without running it is what happened."""
        assert ("by the index",) in explained or not self.hnsw_loops
        assert ("row by row",) in explained or not self.sorts_everything

    @property
    def hnsw_loops(self) -> list[int]:
        return [node["Actual Loops"] for node in self.nodes if node.get("Index Name") == "goods_txt_hnsw"]

    @property
    def embed_loops(self) -> list[int]:
        """How often each query vector was computed."""
        return [node["Actual Loops"] for node in self.nodes if node.get("Parent Relationship") == "InitPlan"]

    @property
    def sorts_everything(self) -> bool:
        return any(node["Node Type"] == "Seq Scan" and node.get("Relation Name") == "goods" for node in self.nodes)


@pytest.fixture(scope="module")
def goods(module_database: Any) -> Iterator[Connection]:
    """20,000 goods with vectors, orders of them, and wishes."""
    with module_database.connect() as conn:
        conn.execute("create table goods (id int primary key, txt text, price int not null)")
        conn.execute("select mmdb.add_embedding('goods', 'txt', model => 'hash', index => false)")
        conn.execute(
            "insert into goods select g, 'goods ' || g, g %% 100, (select array_agg(random() - 0.5 + 0 * (g + d)) "
            "from generate_series(1, 64) d)::real[]::halfvec from generate_series(1, %s) g", [ROWS],
        )  # fmt: skip
        conn.execute("set maintenance_work_mem = '256MB'")
        for (statement,) in conn.execute("select mmdb.index_statements('goods', 'txt')").fetchall():
            conn.execute(statement)
        conn.execute("create table orders (id int primary key, goods_id int not null references goods, quantity int)")
        conn.execute("insert into orders select g, 1 + g %% %s, g %% 5 from generate_series(1, 30000) g", [ROWS])
        conn.execute("create index on orders (goods_id)")
        conn.execute("create table wishes (id int primary key, wish text)")
        conn.execute("insert into wishes values (1, 'red'), (2, 'green'), (3, 'blue')")
        conn.execute("analyze")
        yield conn


@pytest.fixture(scope="module", autouse=True)
def module_worker(module_database: Any) -> Iterator[None]:
    from mmdb.worker import WorkerOptions, background

    with background(module_database.url, options=WorkerOptions(models=("hash",))):
        yield


def test_order_and_limit_use_the_index_and_embed_once(goods: Connection) -> None:
    plan = Plan(goods, "select id, distance from goods_by_txt('red') order by distance limit 10")
    assert plan.hnsw_loops == [1]
    assert plan.embed_loops == [1]


def test_a_filter_is_applied_inside_the_index_scan(goods: Connection) -> None:
    plan = Plan(goods, "select id from goods_by_txt('red') where price < 50 order by distance limit 10")
    assert plan.hnsw_loops == [1]
    assert plan.embed_loops == [1]
    scan = next(node for node in plan.nodes if node.get("Index Name") == "goods_txt_hnsw")
    assert "price < 50" in scan["Filter"]


def test_a_join_with_orders(goods: Connection) -> None:
    plan = Plan(
        goods,
        "select g.id, o.quantity from goods_by_txt('red') g join orders o on o.goods_id = g.id "
        "where o.quantity > 1 order by g.distance limit 10",
    )
    assert plan.hnsw_loops == [1]
    assert plan.embed_loops == [1]


def test_a_lateral_join_searches_once_an_outer_row(goods: Connection) -> None:
    plan = Plan(
        goods,
        "select w.id, g.id from wishes w, lateral (select id from goods_by_txt(w.wish) order by distance limit 3) g",
    )
    assert plan.hnsw_loops == [3]
    assert plan.embed_loops == [3]


def test_a_generic_plan(goods: Connection) -> None:
    with goods.transaction():
        goods.execute("set local plan_cache_mode = force_generic_plan")
        goods.execute(
            "prepare search(text, int) as select id from goods_by_txt($1) where price < $2 order by distance limit 10"
        )
        plan = Plan(goods, "execute search('red', 50)")
        goods.execute("deallocate search")
    assert plan.hnsw_loops == [1]
    assert plan.embed_loops == [1]


def test_inside_a_function(goods: Connection) -> None:
    goods.execute(
        "create or replace function cheap(q text) returns setof int language sql stable as "
        "$$ select id from goods_by_txt(q) where price < 10 order by distance limit 5 $$"
    )
    plan = Plan(goods, "select * from cheap('red')")
    direct = goods.execute("select id from goods_by_txt('red') where price < 10 order by distance limit 5").fetchall()
    assert goods.execute("select * from cheap('red')").fetchall() == direct
    assert plan.hnsw_loops in ([1], [])  # inlined or run as a function


def test_an_aggregate_over_a_search(goods: Connection) -> None:
    plan = Plan(
        goods,
        "select price, count(*) from (select * from goods_by_txt('red') order by distance limit 100) g group by price",
    )
    assert plan.hnsw_loops == [1]


def test_it_equals_the_statement_written_by_hand(goods: Connection) -> None:
    goods.execute("set enable_indexscan = off")
    by_view = goods.execute("select id, distance from goods_by_txt('red') order by distance limit 20").fetchall()
    by_hand = goods.execute(
        "select id, txt_embedding <=> mmdb.embed('red', 'hash')::halfvec from goods order by 2 limit 20"
    ).fetchall()
    goods.execute("reset enable_indexscan")
    assert by_view == by_hand


def test_a_vector_as_the_query(goods: Connection) -> None:
    nearest = goods.execute(
        "select id, distance from goods_by_txt((select txt_embedding from goods where id = 77)) "
        "order by distance limit 1"
    ).fetchone()
    assert nearest is not None
    assert nearest[0] == 77
    assert nearest[1] == pytest.approx(0, abs=1e-3)


HOSTILE = [
    'we"ird',
    "dot.ted",
    "Ünïcode 猫",
    "select",
    "per%cent %s {x}",
    "new\nline",
    "quo'te",
    "back\\slash",
    "t" * 40,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(conn: Connection, drain: Callable[[], Totals], name: str) -> None:
    table, schema = Identifier(name, name), Identifier(name)
    conn.execute(SQL("create schema {}").format(schema))
    columns = SQL(
        "create table {} ({} int, {} text, query text, distance int, relation text, k int, p int, primary key ({}, k))"
    )
    source = name[:20] + "x"
    conn.execute(columns.format(table, schema, Identifier(source), schema))
    conn.execute(
        SQL("insert into {} values (1, 'one', 'q', 5, 'r', 1, 2), (2, 'two', 'q', 6, 'r', 1, 2)").format(table)
    )
    relation = table.as_string(conn)
    conn.execute(
        "select mmdb.add_embedding(%s::text::regclass, %s, model => 'hash', prefix => 's')", [relation, source]
    )
    assert drain().stored == 2
    search = SQL(
        "select {}, distance, _distance from {}((select {} from {} where k = 1 order by 1 limit 1)) order by _distance"
    )
    column = Identifier(f"{source}_embedding")
    found = conn.execute(search.format(schema, Identifier(name, f"s_by_{source}"), column, table)).fetchall()
    assert len(found) == 2
    assert conn.execute("select rows, embedded, pending, failed, drift from mmdb.status").fetchall() == [
        (2, 2, 0, 0, None)
    ]
    conn.execute("select mmdb.refresh(%s::text::regclass)", [relation])
    conn.execute("select mmdb.drop_embedding(%s::text::regclass, %s)", [relation, source])
    left = conn.execute("select count(*) from pg_proc where pronamespace = %s::regnamespace", [schema.as_string(conn)])
    assert left.fetchone() == (0,)


@pytest.mark.parametrize(("source", "what"), [("s" * 60, "s" * 60 + "_embedding"), ("s" * 50, "items_by_" + "s" * 50)])
def test_names_that_are_too_long_are_refused(conn: Connection, source: str, what: str) -> None:
    conn.execute(SQL("create table items (id int primary key, {} text)").format(Identifier(source)))
    with pytest.raises(pg.NameTooLong, match="63") as caught:
        conn.execute(
            "select mmdb.add_embedding('items', %s, model => 'hash', prefix => %s)", [source, "items_of_a_shop"]
        )
    assert "name =>" in (caught.value.diag.message_hint or "")
    conn.execute("select mmdb.add_embedding('items', %s, model => 'hash', name => 'short')", [source])


def test_a_table_with_a_name_of_63_bytes(conn: Connection, drain: Callable[[], Totals]) -> None:
    conn.execute(SQL("create table {} (id int primary key, txt text)").format(Identifier("t" * 63)))
    conn.execute(SQL("insert into {} values (1, 'x')").format(Identifier("t" * 63)))
    with pytest.raises(pg.NameTooLong):
        conn.execute("select mmdb.add_embedding(%s, 'txt', model => 'hash')", ["t" * 63])
    conn.execute("select mmdb.add_embedding(%s, 'txt', model => 'hash', prefix => 'short')", ["t" * 63])
    assert drain().stored == 1
    found = conn.execute(
        "select id from short_by_txt((select {} from {})) order by distance".format("txt_embedding", "t" * 63)
    )
    assert found.fetchall() == [(1,)]


def test_a_function_of_somebody_else_is_never_replaced(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("create function items_by_txt(q text) returns text language sql as $$ select 'mine' $$")
    with pytest.raises(pg.DuplicateFunction, match="was not made for this embedding"):
        conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    assert conn.execute("select items_by_txt('x')").fetchone() == ("mine",)


def test_two_embeddings_of_one_table_list_each_other(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, a text, b text)")
    conn.execute("select mmdb.add_embedding('items', 'a', model => 'hash')")
    conn.execute("select mmdb.add_embedding('items', 'b', model => 'hash')")
    assert conn.execute("select drift from mmdb.status").fetchall() == [(None,), (None,)]
    conn.execute("select mmdb.drop_embedding('items', 'a')")
    assert conn.execute("select drift from mmdb.status").fetchall() == [(None,)]


def test_rows_without_vectors(conn: Connection, drain: Callable[[], Totals]) -> None:
    conn.execute("create table films (id int primary key, title text, story text)")
    conn.execute("insert into films values (1, 'one', 'first'), (2, 'two', 'second')")
    conn.execute("select mmdb.add_embedding('films', 'title', model => 'hash', columns => 'without vectors')")
    conn.execute("select mmdb.add_embedding('films', 'story', model => 'hash')")
    drain()
    vector = "(select title_embedding from films where id = 2)"
    for call in (f"films_by_title({vector})", f"films_top_by_title({vector}, 1)", f"films_by_story({vector})"):
        columns = [column.name for column in conn.execute(f"select * from {call} limit 1").description or ()]
        assert columns == ["id", "title", "story", "story_embedding", "distance"]
    conn.execute("select mmdb.drop_embedding('films', 'story')")
    found = conn.execute("select * from films_like(1, k => 1)")
    assert [column.name for column in found.description or ()] == ["id", "title", "story", "score", "ranks"]
    assert [row[0] for row in found] == [2]
    assert conn.execute("select drift from mmdb.status").fetchall() == [(None,)]
    conn.execute("select mmdb.refresh('films')")
    assert conn.execute("select declaration ->> 'columns' from mmdb.declarations()").fetchall() == [
        ("without vectors",)
    ]
    with pytest.raises(pg.InvalidParameterValue, match='columns is "none", expected all or without vectors'):
        conn.execute("select mmdb.add_embedding('films', 'story', model => 'hash', columns => 'none')")


def test_refresh_after_the_table_changed(items: Connection) -> None:
    items.execute("grant execute on function items_by_txt(text) to mmdb_worker")
    items.execute("revoke execute on function items_by_txt(text) from public")
    items.execute("alter table items add column colour text")
    drift = items.execute("select drift from mmdb.status").fetchone()
    assert drift is not None
    assert "mmdb.refresh" in drift[0]
    items.execute("select mmdb.refresh('items')")
    items.execute("select colour from items_by_txt((select txt_embedding from items where id = 1))")
    assert items.execute("select drift from mmdb.status").fetchone() == (None,)
    grants = items.execute("select proacl::text from pg_proc where oid = 'items_by_txt(text)'::regprocedure").fetchone()
    assert grants is not None
    assert "mmdb_worker=X" in grants[0]
    assert "{=X" not in grants[0]
    assert ",=X" not in grants[0]


@pytest.mark.parametrize(
    "change",
    [
        "alter table items rename to products",
        "alter table items set schema other",
        "alter table items drop column price",
        "alter table items rename column price to cost",
        "alter table items alter column price type bigint",
        "alter table items rename column txt to label",
        "alter table items rename column txt_embedding to vec",
    ],
)
def test_every_change_is_drift_and_refreshed(items: Connection, drain: Callable[[], Totals], change: str) -> None:
    items.execute("create schema other")
    items.execute(change)
    row = items.execute("select relation::text, drift from mmdb.status").fetchone()
    assert row is not None
    assert row[1] is not None, change
    items.execute("select mmdb.refresh(%s::text::regclass)", [row[0]])
    assert items.execute("select drift from mmdb.status").fetchone() == (None,)
    assert drain().stored == 5


def test_a_dropped_embedding_column_is_named(items: Connection) -> None:
    items.execute("alter table items drop column txt_embedding cascade")
    drift = items.execute("select drift from mmdb.status").fetchone()
    assert drift is not None
    assert "mmdb.drop_embedding" in drift[0]
    items.execute("select mmdb.drop_embedding('items', 'txt')")
    assert items.execute("select count(*) from mmdb.embeddings").fetchone() == (0,)


def test_a_view_over_search_functions_survives_a_refresh(items: Connection, make_role: MakeRole) -> None:
    """They are replaced as long as they return what they did, and their grants stay."""
    found = "select oid, proacl::text from pg_proc where oid = 'items_by_txt(text)'::regprocedure"
    items.execute("create view found as select id from items_by_txt('item 3') where id < 9")
    items.execute("create view first as select id from items_top_by_txt('item 3', 1)")
    items.execute(f"grant execute on function items_by_txt(text) to {make_role().name}".encode())
    before = items.execute(found).fetchone()
    items.execute("select mmdb.refresh('items')")
    assert items.execute(found).fetchone() == before
