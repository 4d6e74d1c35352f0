"""What a declared embedding costs those who write: INSERT, UPDATE of another column, COPY with vectors supplied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psycopg
from pgvector import HalfVector
from psycopg.sql import SQL, Identifier

from bench.harness import Result, at_least, at_most, connection, in_turns

ROWS = 20_000
UPDATED = 4_000
ROUNDS = 7
COPIED = 10_000
NARROW = "create table {} (id int primary key, body text, price int)"
BUSINESS = """
create table {0} (id int primary key, title text, body text, price numeric(8, 2), stock int, supplier int, added date);
create index on {0} (price) where stock > 0;
create index on {0} (supplier, added);
create index on {0} (title)
"""
FILL = {
    NARROW: "insert into {} select g, repeat('words of the body ', 12), g % 100 from generate_series(1, {}) g",
    BUSINESS: "insert into {} select g, 'title ' || g, repeat('words of the body ', 30), g % 100, g % 7, g % 50, now() "
    "from generate_series(1, {}) g",
}
BY_KEY = 300
"""Updates of one row each, every one its own transaction, as an application sends them."""


def run(url: str) -> list[Result]:
    with connection(url) as conn:
        conn.execute("set client_min_messages = warning")
        return [
            _insert(conn, "business table, 4 indexes", BUSINESS),
            _insert(conn, "narrow table, key only", NARROW),
            *_update(conn),
            _copy(conn),
        ]


def _tables(conn: psycopg.Connection[Any], kind: str) -> None:
    conn.execute("drop table if exists plain, declared")
    for table in ("plain", "declared"):
        conn.execute(kind.format(table))
    conn.execute("select mmdb.add_embedding('declared', 'body', model => 'hash')")


def _insert(conn: psycopg.Connection[Any], name: str, kind: str) -> Result:
    _tables(conn, kind)

    def into(table: str) -> Callable[[], None]:
        def insert() -> None:
            conn.execute(f"truncate {table}")
            conn.execute(FILL[kind].format(table, ROWS))

        return insert

    plain, declared = in_turns(ROUNDS, into("plain"), into("declared"))
    detail = f"{ROWS / declared:,.0f} rows/s, without {ROWS / plain:,.0f} rows/s"
    return at_most(f"bulk INSERT, {name}", declared / plain, 1.05, detail)


def _update(conn: psycopg.Connection[Any]) -> Iterator[Result]:
    """Both tables have the column, the vectors and the indexes; only one has the trigger."""
    _tables(conn, NARROW)
    conn.execute("select mmdb.add_embedding('plain', 'body', model => 'hash')")
    for table in ("plain", "declared"):
        conn.execute(f"alter table {table} set (fillfactor = 50)")
        conn.execute(FILL[NARROW].format(table, UPDATED))
        conn.execute(f"update {table} set body_embedding = array_fill(id, array[64])::halfvec")
        conn.execute(f"vacuum full {table}")
    row = conn.execute(
        "select mmdb.trigger_name(id) from mmdb.embeddings where relation = 'plain'::regclass"
    ).fetchone()
    assert row is not None
    conn.execute(SQL("drop trigger {} on plain").format(Identifier(row[0])))

    def singly(table: str) -> Callable[[], object]:
        def update() -> None:
            for number in range(1, BY_KEY + 1):
                conn.execute(f"update {table} set price = price + 1 where id = %s", [number])

        return update

    def at_once(table: str) -> Callable[[], object]:
        return lambda: conn.execute(f"update {table} set price = price + 1")

    for name, update, rows in (("row by row", singly, BY_KEY), ("all rows at once", at_once, UPDATED)):
        plain, declared = in_turns(3 * ROUNDS, update("plain"), update("declared"))
        detail = f"{rows / declared:,.0f} rows/s, without {rows / plain:,.0f} rows/s"
        yield at_most(f"UPDATE of another column, {name}", declared / plain, 1.02, detail)


def _copy(conn: psycopg.Connection[Any]) -> Result:
    _tables(conn, NARROW)
    conn.execute("drop index declared_body_hnsw")
    conn.execute("alter table plain add column body_embedding halfvec(64)")
    vectors = [HalfVector(row) for row in np.random.default_rng(1).standard_normal((COPIED, 64)).astype(np.float32)]

    def into(table: str) -> Callable[[], None]:
        statement = f"copy {table} (id, body, price, body_embedding) from stdin (format binary)"

        def copy() -> None:
            conn.execute(f"truncate {table}")
            with conn.cursor() as cursor, cursor.copy(statement) as target:
                target.set_types(["int4", "text", "int4", "halfvec"])
                for number, vector in enumerate(vectors):
                    target.write_row((number, "some words of the body " * 8, 1, vector))

        return copy

    plain, declared = in_turns(ROUNDS, into("plain"), into("declared"))
    detail = f"{COPIED / declared:,.0f} rows/s, raw {COPIED / plain:,.0f} rows/s"
    return at_least("COPY with vectors against raw COPY", plain / declared, 0.9, detail)
