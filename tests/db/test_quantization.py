"""Indexes of signs, and columns of full precision: what is found, by which index, and after a switch of the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pgvector import HalfVector, Vector
from psycopg import errors as pg

from mmdb.database.types import register_types
from mmdb.worker import Totals, WorkerOptions, work
from tests.conftest import Database
from tests.db.conftest import Connection, one

Vectors = NDArray[np.float32]
ROWS, WIDTH = 12_000, 256
WIDE = """
select mmdb.add_model('wide', 'hash', 'sha256', 256, array['text', 'image'], 'hash/1 dimensions=256',
                      options => '{"dimensions": 256}')
"""
SIGNS = """'{"quantization": "binary"}'"""


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Unit vectors that vary in 24 directions, as those of models vary in fewer than they have numbers."""
    rng = np.random.default_rng(9)
    made = rng.standard_normal((ROWS, 24)) @ rng.standard_normal((24, WIDTH)) + 0.3 * rng.standard_normal((ROWS, WIDTH))
    normal: Vectors = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return normal


@pytest.fixture(scope="module")
def goods(module_database: Database, vectors: Vectors) -> Iterator[Connection]:
    """The same vectors thrice: `signs` with an index of signs, `precise` as vector."""
    with module_database.connect() as conn:
        register_types(conn)
        conn.execute(WIDE)
        for table, made, type_ in (("signs", SIGNS, HalfVector), ("precise", "null", Vector)):
            name = type_.__name__.lower().replace("halfvector", "halfvec")
            conn.execute(f"create table {table} (id int primary key, txt text, chance int, txt_embedding {name}(256))")
            with conn.cursor() as cursor, cursor.copy(f"copy {table} from stdin (format binary)") as copy:
                copy.set_types(["int4", "text", "int4", name])
                for row, vector in enumerate(vectors):
                    copy.write_row((row, f"item {row}", row * 7919 % ROWS, type_(vector)))
            conn.execute(f"create index on {table} (chance)".encode())
            conn.execute(
                f"select mmdb.add_embedding('{table}', 'txt', model => 'wide', index_options => {made})".encode()
            )
            conn.execute(f"vacuum analyze {table}".encode())
        yield conn


def top(conn: Connection, table: str, query: Any, k: int, limit: int = ROWS) -> list[tuple[int, float]]:
    value = HalfVector(query) if table == "signs" else Vector(query)
    statement = f"select id, distance from {table}_top_by_txt(%s, %s, %s)"
    return conn.execute(statement.encode(), [value, k, json.dumps({"chance": {"lt": limit}})]).fetchall()


def nearest(vectors: Vectors, query: Any, k: int, limit: int) -> set[int]:
    passes = np.arange(ROWS) * 7919 % ROWS < limit
    distances = np.where(passes, 1 - vectors @ query, np.inf)
    return set(np.argsort(distances)[:k].tolist())


def walks(conn: Connection, table: str) -> int:
    conn.execute("select pg_stat_force_next_flush()")
    return int(one(conn, f"select idx_scan from pg_stat_user_indexes where indexrelname = '{table}_txt_hnsw'"))


@pytest.mark.parametrize("table", ["signs", "precise"])
@pytest.mark.parametrize(("k", "limit"), [(10, ROWS), (50, ROWS), (10, 6000), (10, 1200), (10, 120), (10, 5)])
def test_k_rows_nearly_all_the_nearest_in_order(
    goods: Connection, vectors: Vectors, table: str, k: int, limit: int
) -> None:
    recalls = []
    for query in vectors[:10] + 0.02:
        normal = query / np.linalg.norm(query)
        found = top(goods, table, normal, k, limit)
        assert len(found) == min(k, limit)
        assert found == sorted(found, key=lambda row: row[1])
        true = nearest(vectors, normal, min(k, limit), limit)
        recalls.append(len(true & {row for row, _ in found}) / len(true))
    assert np.mean(recalls) >= 0.95


@pytest.mark.parametrize("table", ["signs", "precise"])
def test_the_index_is_walked(goods: Connection, vectors: Vectors, table: str) -> None:
    before = walks(goods, table)
    top(goods, table, vectors[3], 10)
    assert walks(goods, table) == before + 1


@pytest.mark.parametrize(("table", "digits"), [("signs", 1e-3), ("precise", 1e-6)])
def test_distances_are_those_of_the_column(goods: Connection, vectors: Vectors, table: str, digits: float) -> None:
    query = vectors[4] + 0.01 * vectors[5]
    query /= np.linalg.norm(query)
    found = top(goods, table, query, 5)
    true = [1 - float(vectors[row] @ query) for row, _ in found]
    np.testing.assert_allclose([distance for _, distance in found], true, atol=digits)


def test_the_index_has_the_signs_alone(goods: Connection) -> None:
    definition = one(goods, "select indexdef from pg_indexes where indexname = 'signs_txt_hnsw'")
    assert "((binary_quantize(txt_embedding))::bit(256)) bit_hamming_ops" in definition
    smaller = "select pg_relation_size('precise_txt_hnsw') > 3 * pg_relation_size('signs_txt_hnsw')"
    assert one(goods, smaller) is True


def test_nothing_is_missing(goods: Connection) -> None:
    assert goods.execute("select drift from mmdb.status").fetchall() == [(None,), (None,)]
    assert goods.execute("select subject from mmdb.doctor() where subject like 'index of%'").fetchall() == []
    assert goods.execute("select * from mmdb.index_statements('signs', 'txt')").fetchall() == []
    assert "signs_top_by_txt walks the index" in one(
        goods, "select obj_description('signs_by_txt(text)'::regprocedure)"
    )


def test_near_duplicates_and_fused_searches_work(goods: Connection, vectors: Vectors) -> None:
    goods.execute("insert into signs values (-1, 'twin', -1, %s)", [HalfVector(vectors[77])])
    pairs = goods.execute("select key_a, key_b from mmdb.near_duplicates('signs', 'txt', 0.001)").fetchall()
    assert pairs == [("-1", "77")]
    assert goods.execute("select id from signs_like(-1, 1)").fetchall() == [(77,)]
    goods.execute("delete from signs where id = -1")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ('{"quantization": "ternary"}', 'unknown quantization "ternary" of an index of type "hnsw"'),
        ('{"quantization": true}', 'unknown quantization true of an index of type "hnsw"'),
        ('{"quantization": "binary", "type": "none"}', 'unknown quantization "binary" of an index of type "none"'),
    ],
)
def test_options_are_checked(items: Connection, options: str, match: str) -> None:
    with pytest.raises(pg.InvalidParameterValue, match=match):
        items.execute("select mmdb.add_embedding('items', 'txt', name => 'b', index_options => %s)", [options])


def test_signs_tell_cosine_distances_alone(items: Connection) -> None:
    items.execute(WIDE.replace("'wide'", "'far'").replace("options", "distance => 'l2', options"))
    with pytest.raises(pg.FeatureNotSupported, match="signs alone tell cosine distances"):
        items.execute(f"select mmdb.add_embedding('items', 'txt', 'far', name => 'b', index_options => {SIGNS})")


def test_a_vector_that_is_too_wide_for_its_index_is_refused_with_a_way_out(items: Connection) -> None:
    items.execute(WIDE.replace("'wide'", "'broad'").replace("256", "2001"))
    items.execute("alter table items add column b_embedding vector(2001)")
    add = "select mmdb.add_embedding('items', 'txt', 'broad', name => 'b', index_options => %s)"
    with pytest.raises(pg.ProgramLimitExceeded, match="vector of 2001 numbers, more than the 2000") as caught:
        items.execute(add, ["{}"])
    assert "quantization" in (caught.value.diag.message_hint or "")
    items.execute(add, ['{"quantization": "binary"}'])
    items.execute("select mmdb.drop_embedding('items', 'b')")
    items.execute(add, ['{"type": "none"}'])
    items.execute("alter table items add column c_embedding vector(64)")
    items.execute("select mmdb.add_embedding('items', 'txt', 'hash', name => 'c')")
    with pytest.raises(pg.ProgramLimitExceeded, match="vector of 2001 numbers, more than the 2000"):
        items.execute("select mmdb.change_model('items', 'c', 'broad')")
    items.execute("select mmdb.drop_embedding('items', 'b')")
    items.execute("alter table items alter b_embedding type halfvec(2001)")
    items.execute(add, ["{}"])


def test_on_partitions(conn: Connection, drain: Callable[[], Totals]) -> None:
    conn.execute("create table parts (id int primary key, txt text) partition by hash (id)")
    for rest in (0, 1):
        conn.execute(f"create table part_{rest} partition of parts for values with (modulus 2, remainder {rest})")
    conn.execute("insert into parts select g, 'part ' || g from generate_series(1, 20) g")
    conn.execute(
        f"select mmdb.add_embedding('parts', 'txt', model => 'hash', index => false, index_options => {SIGNS})"
    )
    for (statement,) in conn.execute("select mmdb.index_statements('parts', 'txt')").fetchall():
        conn.execute(statement)
    assert conn.execute("select * from mmdb.index_statements('parts', 'txt')").fetchall() == []
    drain()
    assert conn.execute("select id from parts_like(3, 20)").rowcount == 19


@pytest.mark.parametrize(("first", "then"), [("{}", SIGNS.strip("'")), (SIGNS.strip("'"), "{}")])
def test_a_switch_to_and_from_signs(items: Connection, database: Database, first: str, then: str) -> None:
    items.execute("select mmdb.drop_embedding('items', 'txt')")
    items.execute("select mmdb.add_embedding('items', 'txt', model => 'hash', index_options => %s)", [first])
    items.execute(WIDE)
    items.execute("select mmdb.change_model('items', 'txt', 'wide', index_options => %s)", [then])
    work(database.url, options=WorkerOptions(once=True, models=("hash", "wide")))
    for switch in ("switch_model", "rollback_model"):
        items.execute(f"select mmdb.{switch}('items', 'txt')".encode())
        found = items.execute(
            "select id from items_top_by_txt((select txt_embedding from items where id = 2), 5)"
        ).fetchall()
        assert found[0] == (2,)
        assert len(found) == 5
        assert items.execute("select id from items_like(2, 10)").rowcount == 4
        assert items.execute("select distinct drift from mmdb.status").fetchall() == [(None,)]
        source = one(
            items,
            "select prosrc from pg_proc where oid = 'items_top_by_txt(halfvec, int, jsonb, int[], int)'::regprocedure",
        )
        signs_now = one(items, "select index_options ? 'quantization' from mmdb.embeddings where name = 'txt'")
        assert ("binary_quantize" in source) == signs_now
