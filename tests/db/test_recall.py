"""The recall contract: what is measured is true, what is attached keeps it, and what no longer holds is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from pgvector import HalfVector
from psycopg import errors as pg

from mmdb.database.types import register_types
from tests.conftest import Database, MakeRole
from tests.db.conftest import Connection, one

ROWS, WIDTH = 6000, 32
Array = np.ndarray[Any, np.dtype[np.float32]]

NEAR = """
create function near(query halfvec, below int default 100, k int default 10) returns table (id int, distance float8)
language sql stable as $$
  select s.id, s.v <=> query from shoes s where s.price < below order by 2 limit k
$$
"""
NEAR_PLPGSQL = """
create function near_plpgsql(query halfvec) returns table (id int, distance float8)
language plpgsql stable as $$
begin
  return query select s.id, s.v <=> query from shoes s order by 2 limit 10;
end
$$
"""


@pytest.fixture(scope="module")
def vectors() -> Array:
    rng = np.random.default_rng(3)
    made = rng.standard_normal((ROWS, WIDTH))
    unit: Array = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)
    return unit


@pytest.fixture(scope="module")
def shoes(module_database: Database, vectors: Array) -> Iterator[Connection]:
    """A table whose graph is too thin to find everything: m = 4."""
    with module_database.connect() as conn:
        register_types(conn)
        conn.execute("create table shoes (id int primary key, price int not null, v halfvec(32))")
        with conn.cursor() as cursor, cursor.copy("copy shoes from stdin (format binary)") as copy:
            copy.set_types(["int4", "int4", "halfvec"])
            for row in range(ROWS):
                copy.write_row((row, row % 100, HalfVector(vectors[row])))
        conn.execute("create index on shoes using hnsw (v halfvec_cosine_ops) with (m = 4, ef_construction = 10)")
        conn.execute("vacuum analyze shoes")
        yield conn


@pytest.fixture
def near(shoes: Connection) -> Iterator[Connection]:
    """A transaction with the functions `near` and `near_plpgsql`, rolled back afterwards."""
    with shoes.transaction(force_rollback=True):
        shoes.execute(NEAR)
        shoes.execute(NEAR_PLPGSQL)
        yield shoes


def samples(vectors: Array, count: int = 30, *more: Any) -> str:
    return json.dumps([[vectors[row].tolist(), *more] for row in range(0, 10 * count, 10)])


def true_recall(conn: Connection, vectors: Array, function: str = "near", below: int = 100) -> float:
    """The recall of `near` by numpy's exact search: no index, no SQL."""
    allowed = np.flatnonzero(np.arange(ROWS) % 100 < below)
    hits = 0
    for row in range(0, 300, 10):
        similarity = vectors[allowed] @ vectors[row] / np.linalg.norm(vectors[allowed], axis=1)
        truth = set(allowed[np.argsort(-similarity)[:10]].tolist())
        more = f", {below}" if function == "near" else ""
        found = conn.execute(f"select id from {function}(%s{more})", [HalfVector(vectors[row])]).fetchall()
        hits += len(truth & {i for (i,) in found})
    return hits / 300


@pytest.mark.parametrize("function", ["near(halfvec, int, int)", "near_plpgsql(halfvec)"])
def test_recall_is_that_of_an_exact_search(near: Connection, vectors: Array, function: str) -> None:
    truth = true_recall(near, vectors, function.partition("(")[0])
    assert 0.2 < truth < 0.97, "the graph is to be thin, or nothing is tested"
    row = near.execute("select * from mmdb.recall(%s, %s)", [function, samples(vectors)]).fetchone()
    assert row is not None
    recall, low, high, queries, short, _, _, scans = row
    assert recall == pytest.approx(truth, abs=0.004)
    assert low < recall < high
    assert (queries, short) == (30, 0)
    assert scans == 30


def test_scans_are_counted_where_a_table_has_several_indexes(near: Connection, vectors: Array) -> None:
    near.execute("create index on shoes using hnsw (v halfvec_l2_ops) with (m = 4, ef_construction = 10)")
    for row in range(3):
        near.execute("select id from shoes order by v <-> %s limit 1", [HalfVector(vectors[row])])
    for function in ("near(halfvec, int, int)", "near_plpgsql(halfvec)"):
        assert one(near, "select index_scans from mmdb.recall(%s, %s)", function, samples(vectors)) == 30


def test_recall_counts_the_filter(near: Connection, vectors: Array) -> None:
    recall = one(near, "select recall from mmdb.recall('near(halfvec, int, int)', %s)", samples(vectors, 30, 50))
    assert recall == pytest.approx(true_recall(near, vectors, below=50), abs=0.004)


def test_a_warm_plan_does_not_make_the_exact_side_approximate(near: Connection, vectors: Array) -> None:
    for row in range(12):
        near.execute("select * from near_plpgsql(%s)", [HalfVector(vectors[row])])
    assert one(near, "select recall from mmdb.recall('near_plpgsql(halfvec)', %s)", samples(vectors)) < 0.97


def test_an_exact_side_that_is_not_exact_is_an_error(near: Connection, vectors: Array) -> None:
    near.execute("alter function near(halfvec, int, int) set enable_indexscan = on")
    near.execute("alter function near(halfvec, int, int) set enable_sort = off")
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match="reads a vector index even where index scans are off"):
        near.execute("select * from mmdb.recall('near(halfvec, int, int)', %s)", [samples(vectors)])


def test_settings_of_the_session_come_back(near: Connection, vectors: Array) -> None:
    near.execute("set local hnsw.ef_search = 77")
    near.execute("set local search_path = public, pg_temp")
    near.execute("select * from mmdb.tune('near(halfvec, int, int)', %s, 0.9)", [samples(vectors)])
    for name, value in {"hnsw.ef_search": "77", "search_path": "public, pg_temp", "enable_indexscan": "on"}.items():
        assert one(near, "select current_setting(%s)", name) == value


@pytest.mark.parametrize("target", [0.9, 1.0])
def test_tune_attaches_what_reaches_the_target(near: Connection, vectors: Array, target: float) -> None:
    near.execute("alter function near(halfvec, int, int) set search_path = public")
    rows = near.execute(
        "select settings, recall, milliseconds, attached from mmdb.tune('near(halfvec, int, int)', %s, %s)",
        [samples(vectors), target],
    ).fetchall()
    assert rows[0][0] == [], "the first row is the function as it was"
    (chosen,) = [row for row in rows if row[3]]
    assert chosen[1] >= target > rows[0][1]
    assert chosen[2] == min(row[2] for row in rows if row[1] >= target)
    attached = one(near, "select proconfig from pg_proc where proname = 'near'")
    assert sorted(attached) == sorted([*chosen[0], "search_path=public"])
    assert true_recall(near, vectors) >= target - 0.004
    contract = one(near, "select function, target, recall, samples, settings, drift from mmdb.contracts")
    assert contract[0] == "public.near(public.halfvec,integer,integer)"
    assert contract[1:4] == (target, chosen[1], 30)
    assert sorted(contract[4]) == sorted(chosen[0])
    assert contract[5] is None
    assert one(near, "select count(*) from mmdb.recall_log") == 1
    again = one(near, "select recall, queries from mmdb.recall('near(halfvec, int, int)')")
    assert again == (pytest.approx(chosen[1], abs=0.05), 30), "without samples those of the contract are used"
    assert one(near, "select count(*) from mmdb.recall_log") == 2


def test_tune_again_starts_from_what_is_attached(near: Connection, vectors: Array) -> None:
    near.execute("select * from mmdb.tune('near(halfvec, int, int)', %s, 0.99)", [samples(vectors)])
    rows = near.execute("select settings, recall from mmdb.tune('near(halfvec, int, int)', target => 0.5)").fetchall()
    assert rows[0][0] != []
    assert rows[0][1] >= 0.99


def test_an_answer_out_of_order_is_never_attached(near: Connection, vectors: Array) -> None:
    near.execute(
        "create function worst_last(query halfvec) returns table (id int, distance float8) language sql stable as "
        "'select id, distance from near(query) order by distance desc'"
    )
    rows = near.execute("select settings from mmdb.tune('worst_last(halfvec)', %s, 1.0)", [samples(vectors)]).fetchall()
    assert len(rows) > 2
    assert not [row for row in rows if "hnsw.iterative_scan=relaxed_order" in row[0]]


def test_rows_at_one_distance_are_equally_right(near: Connection, vectors: Array) -> None:
    near.execute(
        "create function any_of(query halfvec) returns table (id int, distance float8) language sql stable as "
        "$$ select s.id + 1000000 * (current_setting('enable_indexscan') = 'on')::int, s.v <=> query "
        "from shoes s order by 2 + 0 limit 10 $$"
    )
    assert one(near, "select recall from mmdb.recall('any_of(halfvec)', %s)", samples(vectors, 5)) == 1
    near.execute(
        "create function other_of(query halfvec) returns table (id int) language sql stable as "
        "'select id from any_of(query)'"
    )
    assert one(near, "select recall from mmdb.recall('other_of(halfvec)', %s)", samples(vectors, 5)) == 0


def test_samples_by_name_leave_defaults_out(near: Connection, vectors: Array) -> None:
    by_name = json.dumps([{"k": 5, "query": vectors[0].tolist()}, {"query": vectors[9].tolist()}])
    assert one(near, "select queries from mmdb.recall('near(halfvec, int, int)', %s)", by_name) == 2


def test_the_function_finds_its_tables_as_the_caller_does(near: Connection, vectors: Array) -> None:
    near.execute("create schema shop; create table shop.boots as select * from shoes limit 100")
    near.execute("set local search_path = shop, public")
    near.execute(
        "create function shop.boots_near(query halfvec) returns table (id int, distance float8) language plpgsql "
        "stable as 'begin return query select b.id, b.v <=> query from boots b order by 2 limit 3; end'"
    )
    row = one(near, "select recall, index_scans from mmdb.recall('boots_near(halfvec)', %s)", samples(vectors, 3))
    assert row == (1, 0)


ZERO = [0.1] * WIDTH
BAD = [
    ("near(halfvec, int, int)", "[]", "there are no samples to measure function"),
    ("near(halfvec, int, int)", '{"a": 1}', "there are no samples"),
    ("near(halfvec, int, int)", '["a"]', 'sample 1 is "a", which are not arguments of'),
    ("near(halfvec, int, int)", json.dumps([[ZERO], [ZERO, 1, 2, 3]]), "sample 2 is "),
    ("near(halfvec, int, int)", '[{"stranger": 1}]', "which are not arguments of"),
    ("near(halfvec, int, int)", '[["[1,2"]]', "invalid input syntax for type halfvec"),
    ("near(halfvec, int, int)", json.dumps([[ZERO, 0]]), "no sample finds a row"),
    ("near(halfvec, int, int)", None, "has no contract whose samples could be used"),
    ("nowhere(int)", "[[1]]", 'function "nowhere\\(int\\)" does not exist'),
    ("setseed(float8)", "[[0.5]]", "is not a function that returns rows"),
    ("random()", "[[]]", "is volatile"),
    ("all_of(halfvec)", json.dumps([[ZERO]]), "returned 12000 rows"),
]


@pytest.mark.parametrize(("function", "wanted", "message"), BAD)
@pytest.mark.parametrize("call", ["recall", "tune"])
def test_bad_input(near: Connection, call: str, function: str, wanted: str | None, message: str) -> None:
    near.execute(
        "create function all_of(query halfvec) returns table (id int, distance float8) language sql stable as "
        "'select s.id, s.v <=> query from shoes s, generate_series(1, 2)'"
    )
    before = near.execute("select proconfig from pg_proc where proname = 'near'").fetchone()
    with pytest.raises(psycopg.Error, match=message), near.transaction():
        near.execute(f"select * from mmdb.{call}(%s, %s)", [function, wanted])
    assert near.execute("select proconfig from pg_proc where proname = 'near'").fetchone() == before
    assert one(near, "select count(*) from mmdb.recall_log") == 0


@pytest.mark.parametrize("target", [0, -1, 1.01, None])
def test_a_target_is_a_share(near: Connection, vectors: Array, target: float | None) -> None:
    with pytest.raises(pg.InvalidParameterValue, match="target is "):
        near.execute("select * from mmdb.tune('near(halfvec, int, int)', %s, %s)", [samples(vectors, 3), target])


def test_a_function_that_answers_by_chance_has_no_contract(near: Connection, vectors: Array) -> None:
    near.execute(
        "create function some_of(query halfvec) returns table (id int) language sql stable as "
        "'select s.id from shoes s order by md5(s.id::text || clock_timestamp()::text) limit 10'"
    )
    with pytest.raises(pg.InvalidParameterValue, match="no settings reach a recall of"), near.transaction():
        near.execute("select * from mmdb.tune('some_of(halfvec)', %s, 0.9)", [samples(vectors, 3)])
    assert one(near, "select proconfig from pg_proc where proname = 'some_of'") is None


def test_few_samples_are_warned_of(near: Connection, vectors: Array) -> None:
    heard: list[str | None] = []
    near.add_notice_handler(lambda notice: heard.append(notice.message_primary))
    near.execute("select * from mmdb.tune('near(halfvec, int, int)', %s, 0.99)", [samples(vectors, 2)])
    assert str(heard[0]).startswith("a recall of ")
    assert "over 2 samples: it may be as low as" in str(heard[0])


def test_a_contract_says_when_it_no_longer_holds(near: Connection, vectors: Array) -> None:
    def drift() -> str:
        return str(one(near, "select drift from mmdb.contracts"))

    near.execute("select * from mmdb.tune('near(halfvec, int, int)', %s, 0.9)", [samples(vectors)])
    near.execute(NEAR.replace("create function", "create or replace function"))
    assert "other settings are attached" in drift()
    assert (
        one(near, "select finding || ': ' || remedy from mmdb.doctor() where subject like 'recall of %%near%%'")
        == drift()
    )
    near.execute("select * from mmdb.tune('near(halfvec, int, int)', target => 0.5)")
    assert drift() == "None"
    near.execute("update mmdb.recall_contracts set target = 1")
    assert "when last measured" in drift()
    near.execute("update mmdb.recall_contracts set target = 0.1")
    near.execute("drop function near(halfvec, int, int)")
    assert "the function is gone: select mmdb.drop_contract('public.near(public.halfvec,integer,integer)')" in drift()
    near.execute("select mmdb.drop_contract('public.near(public.halfvec,integer,integer)')")
    assert one(near, "select count(*) from mmdb.contracts") == 0
    with pytest.raises(pg.UndefinedObject, match="has no contract"):
        near.execute("select mmdb.drop_contract('near(halfvec, int, int)')")


def test_many_changes_are_drift(database: Database) -> None:
    with database.connect() as conn:
        conn.execute("create table few (id int primary key, v halfvec(3))")
        conn.execute(
            "insert into few select i, array[i, 1, 1]::real[]::vector::halfvec from generate_series(1, 20000) i"
        )
        conn.execute("create index on few using hnsw (v halfvec_l2_ops)")
        conn.execute("vacuum analyze few")
        conn.execute(
            "create function few_near(q halfvec) returns table (id int, distance float8) language sql stable "
            "as 'select id, v <-> q from few order by 2 limit 3'"
        )
        conn.execute("select * from mmdb.tune('few_near(halfvec)', '[[[1, 2, 3]], [[500, 1, 1]]]', 0.1)")
        assert one(conn, "select drift from mmdb.contracts") is None
        conn.execute("delete from few where id % 4 = 0")
        conn.execute("select pg_stat_force_next_flush()")
        conn.execute("select 1")
        assert "more than a fifth of the rows changed" in one(conn, "select drift from mmdb.contracts")
        conn.execute("select * from mmdb.recall('few_near(halfvec)')")
        assert one(conn, "select drift from mmdb.contracts") is None


def test_a_generated_function_keeps_its_contract(items: Connection, worker: None) -> None:
    items.execute("update items set txt_embedding = mmdb.embed(txt, 'hash')::halfvec")
    rows = items.execute(
        "select settings, attached from mmdb.tune('items_top_by_txt(text, int, jsonb, int[], int)', "
        """'[["item 1", 3], {"query": "item 2", "filter": {"price": {"lt": 4}}}]')"""
    ).fetchall()
    (chosen,) = [settings for settings, attached in rows if attached]
    assert chosen
    assert not [s for settings, _ in rows for s in settings if "iterative" in s]
    items.execute("alter table items add note text")
    items.execute("select mmdb.refresh('items')")
    kept = "select proconfig from pg_proc where oid = 'items_top_by_txt(text, int, jsonb, int[], int)'::regprocedure"
    assert set(chosen) <= set(one(items, kept))
    assert one(items, "select drift from mmdb.contracts") is None
    search = one(items, "select oid::regprocedure::text from pg_proc where proname = 'items_search'")
    assert one(items, "select recall from mmdb.recall(%s, %s)", search, '[["item 1"]]') == 1


def test_a_search_view_is_refused(items: Connection) -> None:
    with pytest.raises(pg.WrongObjectType, match="is a search view: it has no LIMIT of its own"):
        items.execute("select * from mmdb.tune('items_by_txt(text)', '[[\"item\"]]')")


def test_who_may_do_what(module_database: Database, shoes: Connection, vectors: Array, make_role: MakeRole) -> None:
    owner, reader, stranger = make_role("owner"), make_role("reader"), make_role("stranger")
    shoes.execute(NEAR)
    shoes.execute(f"alter function near owner to {owner.name}; revoke execute on function near from public")
    shoes.execute(f"grant mmdb_user to {owner.name}, {reader.name}, {stranger.name}")
    shoes.execute(f"grant select on shoes to {owner.name}, {reader.name}")
    shoes.execute(f"grant execute on function near to {reader.name}")
    signature = "near(halfvec, int, int)"
    try:
        with owner.connect(module_database) as conn:
            conn.execute("select * from mmdb.tune(%s, %s, 0.9)", [signature, samples(vectors)])
        with reader.connect(module_database) as conn:
            with pytest.raises(pg.InsufficientPrivilege, match="must be owner"):
                conn.execute("select * from mmdb.tune(%s, %s)", [signature, samples(vectors)])
            with pytest.raises(pg.InsufficientPrivilege, match=r"the samples of function .* are its owner's"):
                conn.execute("select * from mmdb.recall(%s)", [signature])
            with pytest.raises(pg.InsufficientPrivilege):
                conn.execute("select mmdb.drop_contract(%s)", ["public.near(public.halfvec,integer,integer)"])
            before = one(conn, "select recall from mmdb.contracts")
            conn.execute("select * from mmdb.recall(%s, %s)", [signature, samples(vectors, 3)])
            assert one(conn, "select count(*) from mmdb.recall_log where measured_by = session_user") == 1
            assert one(conn, "select recall from mmdb.contracts") == before, "a reader's figures decide nothing"
        shoes.execute("create schema closed; alter function near set schema closed")
        moved = "update mmdb.{} set function = replace(function, '{}.near', '{}.near')"
        try:
            for table in ("recalls", "recall_contracts"):
                shoes.execute(moved.format(table, "public", "closed"))
            assert one(shoes, "select count(*) from mmdb.contracts where drift is null") == 1
            for role in (reader, stranger):
                with role.connect(module_database) as conn:
                    assert one(conn, "select count(*) from mmdb.contracts") == 0, "the schema is closed to them"
                    assert one(conn, "select count(*) from mmdb.recall_log") == 0
        finally:
            shoes.execute("alter function closed.near set schema public; drop schema closed")
            for table in ("recalls", "recall_contracts"):
                shoes.execute(moved.format(table, "closed", "public"))
        with stranger.connect(module_database) as conn:
            assert one(conn, "select count(*) from mmdb.recall_log") == 0
            assert one(conn, "select count(*) from mmdb.contracts") == 0
            with pytest.raises(pg.InsufficientPrivilege):
                conn.execute("select * from mmdb.recall(%s, %s)", [signature, samples(vectors, 3)])
            for table in ("recalls", "recall_contracts"):
                with pytest.raises(pg.InsufficientPrivilege):
                    conn.execute(f"select * from mmdb.{table}")
    finally:
        shoes.execute("drop function near; truncate mmdb.recalls, mmdb.recall_contracts")
        shoes.execute(f"revoke all on shoes from {owner.name}, {reader.name}")


def test_a_contract_attaches_nothing_but_search_settings(near: Connection) -> None:
    for setting in ("search_path=evil", "hnsw.ef_search = 40 security definer; --"):
        with pytest.raises(pg.InvalidParameterValue, match="is none of those that are tuned"), near.transaction():
            near.execute("select mmdb.attach_settings('near(halfvec, int, int)', array[%s])", [setting])


@pytest.mark.parametrize(
    ("hits", "sizes", "expected"),
    [
        ([10] * 50, [10] * 50, (1.0, 0.99238, 1.0)),  # Wilson 1927 for 500 of 500
        # Wilson for 470 of 500: queries differ less than by chance
        ([9] * 30 + [10] * 20, [10] * 50, (0.94, 0.91563, 0.95765)),
        ([0] * 5 + [10] * 45, [10] * 50, (0.9, 0.785, 0.957)),  # the misses of five queries: as 44 of 49
        ([5, 0], [5, 0], (1.0, 0.5655, 1.0)),  # a query without an answer says nothing
    ],
)
def test_the_interval(conn: Connection, hits: list[int], sizes: list[int], expected: tuple[float, ...]) -> None:
    row = one(conn, "select recall, low, high from mmdb.recall_interval(%s::bigint[], %s::bigint[])", hits, sizes)
    assert row == pytest.approx(expected, abs=0.005)
