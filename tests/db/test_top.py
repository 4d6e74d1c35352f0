"""T_top_by_NAME: k rows while there are k, in order, whatever the filter, the policies, and what was deleted before."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from pgvector import HalfVector
from psycopg import errors as pg

from mmdb.database.types import register_types
from tests.conftest import Database, MakeRole
from tests.db.conftest import Connection

ROWS, WIDTH = 20_000, 64
CLUSTERS = 100


def made_vectors() -> np.ndarray[Any, np.dtype[np.float16]]:
    rng = np.random.default_rng(5)
    centers = rng.standard_normal((CLUSTERS, WIDTH)) + rng.standard_normal((5, WIDTH))[np.arange(CLUSTERS) % 5]
    vectors = centers[rng.integers(0, CLUSTERS, ROWS)] + 0.6 * rng.standard_normal((ROWS, WIDTH))
    made: np.ndarray[Any, np.dtype[np.float16]] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(
        np.float16
    )
    return made


@pytest.fixture(scope="module")
def vectors() -> np.ndarray[Any, np.dtype[np.float16]]:
    return made_vectors()


@pytest.fixture(scope="module")
def goods(module_database: Database, vectors: np.ndarray[Any, Any]) -> Iterator[Connection]:
    """20,000 rows; `chance` has no relation to the vectors, `rank` is how near a row lies to the first one."""
    with module_database.connect() as conn:
        register_types(conn)
        conn.execute(
            "create table goods (id int primary key, txt text, chance int, rank int, tenant name, "
            "txt_embedding halfvec(64))"
        )
        rank = np.argsort(np.argsort(-(vectors.astype(np.float32) @ vectors[0].astype(np.float32))))
        chance = np.random.default_rng(6).permutation(ROWS)
        with conn.cursor() as cursor, cursor.copy("copy goods from stdin (format binary)") as copy:
            copy.set_types(["int4", "text", "int4", "int4", "name", "halfvec"])
            for row in range(ROWS):
                tenant = "small" if chance[row] < 10 else "large"
                copy.write_row((row, f"item {row}", int(chance[row]), int(rank[row]), tenant, HalfVector(vectors[row])))
        conn.execute("create index on goods (chance); create index on goods (rank); create index on goods (tenant)")
        conn.execute("select name from mmdb.add_embedding('goods', 'txt', model => 'hash')")
        conn.execute("vacuum analyze goods")
        yield conn


def exact(conn: Connection, query: Any, k: int, condition: str = "true") -> list[tuple[int, float]]:
    with conn.transaction():
        conn.execute("set local enable_indexscan = off")
        return conn.execute(
            f"select id, txt_embedding <=> %s from goods where {condition} order by 2, 1 limit {k}", [HalfVector(query)]
        ).fetchall()


def top(conn: Connection, query: Any, k: int, filter: Any = None, within: Any = None) -> list[tuple[int, float]]:
    return conn.execute(
        "select id, distance from goods_top_by_txt(%s, %s, %s, %s)",
        [HalfVector(query), k, None if filter is None else json.dumps(filter), within],
    ).fetchall()


def recall(found: list[tuple[int, float]], true: list[tuple[int, float]]) -> float:
    return len({row[0] for row in found} & {row[0] for row in true}) / len(true)


SHARES = [1.0, 0.5, 0.1, 0.02, 0.005, 0.0005]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("column", ["chance", "rank"])
@pytest.mark.parametrize("k", [1, 10, 100])
def test_complete_in_order_and_near_enough(
    goods: Connection, vectors: np.ndarray[Any, Any], column: str, share: float, k: int
) -> None:
    limit = int(ROWS * share)
    recalls = []
    # The fewer are asked for, the more queries: a graph is made by chance, and of five nearest rows one may be missed.
    for row in range(0, ROWS, ROWS // (40 if k < 10 else 5)):
        true = exact(goods, vectors[row], k, f"{column} < {limit}")
        found = top(goods, vectors[row], k, {column: {"lt": limit}})
        assert len(found) == min(k, limit)
        assert len({id for id, _ in found}) == len(found)
        distances = [distance for _, distance in found]
        assert distances == sorted(distances)
        for id, distance in found:
            assert distance == pytest.approx(
                1 - float(vectors[id].astype(float) @ vectors[row].astype(float)), abs=1e-2
            )
        recalls.append(recall(found, true))
    assert np.mean(recalls) >= 0.95


def test_queries_of_another_kind_than_the_rows(module_database: Database) -> None:
    """As texts that look for pictures: far from all of them, which lie in heaps. A short walk leads astray."""
    rng = np.random.default_rng(12)
    heaps = rng.standard_normal((WIDTH,)) + rng.standard_normal((400, WIDTH))
    rows = heaps[np.arange(13_200) % 400] + 0.08 * rng.standard_normal((13_200, WIDTH))
    queries = rng.standard_normal((WIDTH,)) + 0.5 * heaps[:40] + 0.5 * rng.standard_normal((40, WIDTH))
    rows, queries = (made / np.linalg.norm(made, axis=1, keepdims=True) for made in (rows, queries))
    with module_database.connect() as conn:
        register_types(conn)
        conn.execute("create table heaps (id int primary key, txt text, txt_embedding halfvec(64))")
        with conn.cursor() as cursor, cursor.copy("copy heaps from stdin (format binary)") as copy:
            copy.set_types(["int4", "text", "halfvec"])
            for row, vector in enumerate(rows):
                copy.write_row((row, f"picture {row}", HalfVector(vector)))
        conn.execute("select mmdb.add_embedding('heaps', 'txt', model => 'hash')")
        conn.execute("vacuum analyze heaps")
        found: dict[str, list[float]] = {"walked": [], "top": []}
        for query in queries:
            true = set(np.argsort(-(rows @ query))[:10].tolist())
            walk = "select id from heaps_by_txt(%s) order by distance limit 10"
            for how, statement in (("walked", walk), ("top", "select id from heaps_top_by_txt(%s, 10)")):
                with conn.transaction():
                    conn.execute("set local enable_seqscan = off; set local hnsw.ef_search = 100")
                    ids = {id for (id,) in conn.execute(statement.encode(), [HalfVector(query)]).fetchall()}
                found[how].append(len(ids & true) / 10)
    assert np.mean(found["walked"]) < 0.9, "or nothing is tested here"
    assert np.mean(found["top"]) > 0.95


def test_a_filter_that_few_pass_far_from_the_query(goods: Connection, vectors: np.ndarray[Any, Any]) -> None:
    """The walk along the index meets none of them."""
    far = {"rank": {"gte": ROWS - 12}}
    assert top(goods, vectors[0], 10, far) == exact(goods, vectors[0], 10, f"rank >= {ROWS - 12}")
    assert len(top(goods, vectors[0], 100, far)) == 12


def test_after_a_third_was_deleted_and_vacuumed(database: Database, vectors: np.ndarray[Any, Any]) -> None:
    with database.connect() as conn:
        register_types(conn)
        conn.execute("create table goods (id int primary key, txt text, txt_embedding halfvec(64))")
        with conn.cursor() as cursor, cursor.copy("copy goods from stdin (format binary)") as copy:
            copy.set_types(["int4", "text", "halfvec"])
            for row in range(6000):
                copy.write_row((row, f"item {row}", HalfVector(vectors[row])))
        conn.execute("select name from mmdb.add_embedding('goods', 'txt', model => 'hash')")
        conn.execute("delete from goods where id % 3 = 0")
        conn.execute("vacuum analyze goods")
        recalls = []
        for row in range(1, 1000, 50):
            found = top(conn, vectors[row], 10)
            assert len(found) == 10
            recalls.append(recall(found, exact(conn, vectors[row], 10)))
        assert np.mean(recalls) >= 0.95


def test_within_takes_any_filter_of_sql(goods: Connection, vectors: np.ndarray[Any, Any]) -> None:
    query = HalfVector(vectors[3])
    statement = (
        "select id from goods_top_by_txt(%s, 5, within => array("
        "select id from goods where chance %% 7 = 0 and rank > 100))"
    )
    found = [id for (id,) in goods.execute(statement, [query])]
    assert found == [id for id, _ in exact(goods, vectors[3], 5, "chance %% 7 = 0 and rank > 100")]
    assert top(goods, vectors[3], 5, within=[]) == []
    assert [id for id, _ in top(goods, vectors[3], 5, {"id": {"gt": 50}}, [3, 60, 70])] == [
        id for id, _ in exact(goods, vectors[3], 5, "id in (60, 70)")
    ]


def test_keys_of_two_columns(conn: Connection, worker: None) -> None:
    conn.execute("create table pairs (a int, b text, txt text, primary key (a, b))")
    conn.execute("select name from mmdb.add_embedding('pairs', 'txt', model => 'hash')")
    conn.execute("insert into pairs select g, 'it''s ' || g, 'item ' || g from generate_series(1, 20) g")
    conn.execute("select mmdb.wait_until_embedded('pairs')")
    call = "select a, b from pairs_top_by_txt('item 7', 1, within => %s)"
    assert conn.execute(call, [None]).fetchone() == (7, "it's 7")
    assert conn.execute(call, [["{7,it's 7}", "{8,it's 8}"]]).fetchone() == (7, "it's 7")
    assert conn.execute(call, [["{9,it's 9}"]]).fetchone() == (9, "it's 9")


@pytest.mark.parametrize("key", ["d", "passed", "p", "found", "place"])
@pytest.mark.parametrize("options", ["{}", '{"quantization": "binary"}'])
def test_a_key_with_a_name_of_ours(conn: Connection, key: str, options: str) -> None:
    conn.execute(f"create table items ({key} int primary key, txt text)".encode())
    conn.execute("insert into items select g, 'item' from generate_series(1, 200) g")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash', index_options => %s)", [options])
    waves = f"(select array_agg(sin({key} * n)) from generate_series(1, 64) n)::halfvec"
    conn.execute(f"update items set txt_embedding = {waves}".encode())
    query = conn.execute(f"select txt_embedding::text from items where {key} = 7".encode()).fetchone()
    found = conn.execute(f"select {key} from items_top_by_txt(%s::halfvec, 3)".encode(), query).fetchall()
    assert found[0] == (7,)
    for road in ("top_probe(s, 'true', %s, null, 3, 40)", "top_deep(s, 'true', %s, null, 3, 40, 2000)"):
        walked = conn.execute(
            f"select r.keys[1] from mmdb.embeddings e, mmdb.search_pieces(e) s, mmdb.{road} r".encode(), query
        ).fetchone()
        assert walked == ("{7}",)


def test_partitions_names_and_a_distance_column(conn: Connection, worker: None) -> None:
    conn.execute('create table "Odd %s" (id int primary key, k text, distance text) partition by range (id)')
    conn.execute('create table odd_1 partition of "Odd %s" for values from (0) to (10)')
    conn.execute('create table odd_2 partition of "Odd %s" for values from (10) to (100)')
    conn.execute("select name from mmdb.add_embedding('\"Odd %s\"', 'k', model => 'hash')")
    conn.execute(b"insert into \"Odd %s\" select g, 'item ' || g from generate_series(1, 30) g")
    conn.execute("select mmdb.wait_until_embedded('\"Odd %s\"')")
    row = conn.execute(b"select id, k, distance, _distance from \"Odd %s_top_by_k\"('item 12', 1)").fetchone()
    assert row is not None
    assert row[:3] == (12, "item 12", None)


def test_every_kind_of_query(goods: Connection, module_database: Database) -> None:
    from mmdb.worker import background
    from tests.db.conftest import QUICK

    with background(module_database.url, options=QUICK):
        assert len(goods.execute("select * from goods_top_by_txt('red shoes')").fetchall()) == 10
        picture = "select * from goods_top_by_txt('\\x89504e47'::bytea, 3)"
        with pytest.raises(psycopg.DataError, match="could not be embedded"):
            goods.execute(picture)
        assert goods.execute("select * from goods_top_by_txt(null::text, 3)").fetchall() == []


@pytest.mark.parametrize("k", [0, -1, 10_001, None])
def test_a_k_that_makes_no_sense(goods: Connection, vectors: np.ndarray[Any, Any], k: int | None) -> None:
    with pytest.raises(pg.InvalidParameterValue, match="expected 1 to 10000"):
        top(goods, vectors[0], k)  # type: ignore[arg-type]


def test_a_tenant_of_few_rows_gets_its_k(
    goods: Connection, module_database: Database, make_role: MakeRole, vectors: np.ndarray[Any, Any]
) -> None:
    """0.05 % of the rows, under row-level security, nothing of the others'."""
    role = make_role("tenant")
    goods.execute(f"grant mmdb_user to {role.name}; grant select on goods to {role.name}")
    goods.execute("alter table goods enable row level security")
    goods.execute(f"create policy own on goods using (tenant = 'small' or current_user <> '{role.name}')")
    try:
        with role.connect(module_database) as tenant:
            register_types(tenant)
            for row in (0, 4242):
                true = exact(goods, vectors[row], 10, "tenant = 'small'")
                assert top(tenant, vectors[row], 10) == true
                assert len(top(tenant, vectors[row], 50)) == 10
                assert top(tenant, vectors[row], 10, {"tenant": "large"}) == []
    finally:
        goods.execute("drop policy own on goods; alter table goods disable row level security")
        goods.execute(f"drop owned by {role.name}")


def test_who_may_not_read_finds_nothing(
    goods: Connection, module_database: Database, make_role: MakeRole, vectors: np.ndarray[Any, Any]
) -> None:
    role = make_role("stranger")
    goods.execute(f"grant mmdb_user to {role.name}")
    with role.connect(module_database) as stranger:
        register_types(stranger)
        with pytest.raises(pg.InsufficientPrivilege, match="permission denied for table goods"):
            top(stranger, vectors[0], 10)


def test_it_leaves_no_setting_behind(goods: Connection, vectors: np.ndarray[Any, Any]) -> None:
    names = ["hnsw.ef_search", "hnsw.iterative_scan", "hnsw.max_scan_tuples", "enable_seqscan", "enable_sort"]
    with goods.transaction():
        before = [goods.execute("select current_setting(%s)", [name]).fetchone() for name in names]
        top(goods, vectors[0], 10, {"chance": {"lt": 3000}})
        assert [goods.execute("select current_setting(%s)", [name]).fetchone() for name in names] == before


def test_k_rows_while_others_write(goods: Connection, module_database: Database, vectors: np.ndarray[Any, Any]) -> None:
    """Keys and rows are read in one snapshot."""
    stop = threading.Event()

    def churn() -> None:
        with module_database.connect() as other:
            register_types(other)
            number = 100_000
            while not stop.is_set():
                values = [number, HalfVector(vectors[number % ROWS])]
                other.execute(
                    "insert into goods (id, txt, chance, rank, txt_embedding) values (%s, '', 1, 1, %s)", values
                )
                other.execute("delete from goods where id = %s", [number])
                number += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for row in range(0, 4000, 20):
            assert len(top(goods, vectors[row], 10, {"chance": {"lt": 4000}})) == 10
    finally:
        stop.set()
        thread.join()
        goods.execute("delete from goods where id >= 100000")
        goods.execute("vacuum goods")


def test_in_a_read_only_transaction_and_prepared(goods: Connection, vectors: np.ndarray[Any, Any]) -> None:
    with goods.transaction():
        goods.execute("set transaction read only")
        assert len(top(goods, vectors[0], 10, {"chance": {"lt": 3000}})) == 10
    for row in range(8):
        statement = "select id from goods_top_by_txt(%s, 1, within => %s)"  # a graph may miss even a row itself
        values = [HalfVector(vectors[row]), [row, row + 1]]
        assert goods.execute(statement, values, prepare=True).fetchone() == (row,)


def test_joined_and_lateral(goods: Connection) -> None:
    rows = goods.execute(
        "select g.id, near.id from goods g, lateral (select id from goods_top_by_txt(g.txt_embedding, 2, "
        "jsonb_build_object('id', jsonb_build_object('ne', g.id)))) near where g.id < 5"
    ).fetchall()
    assert len(rows) == 10
    assert all(left != right for left, right in rows)


def test_the_same_search_again_and_again_over_partitions(conn: Connection) -> None:
    """From the sixth call on PostgreSQL may plan for any value, and prune partitions before it looks at a CASE."""
    conn.execute(
        "create table parted (id int primary key, txt text, txt_embedding halfvec(64)) partition by range (id)"
    )
    conn.execute("create table lower partition of parted for values from (0) to (50)")
    conn.execute("create table upper partition of parted for values from (50) to (100)")
    conn.execute(
        "insert into parted select g, 'item ' || g, array_fill(1 + g, array[64])::halfvec from generate_series(0, 99) g"
    )
    conn.execute("select name from mmdb.add_embedding('parted', 'txt', model => 'hash')")
    conn.execute("set plan_cache_mode = force_generic_plan")
    calls = [
        "select id from parted_top_by_txt((select txt_embedding from parted where id = 7), 5)",
        "select id from parted_like(7, 5)",
        "select id from parted_recommend(liked => array[7], k => 5)",
    ]
    for call in calls:
        first = conn.execute(call).fetchall()
        assert len(first) == 5
        assert [conn.execute(call).fetchall() for _ in range(7)] == [first] * 7
