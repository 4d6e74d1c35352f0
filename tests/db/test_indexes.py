"""The indexes of an embedding: of partitions, and after a build that was interrupted."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.db.test_triggers import pending

Connection = psycopg.Connection[Any]


@pytest.mark.parametrize("concurrent", [False, True])
def test_partitions(conn: Connection, concurrent: bool) -> None:
    conn.execute(
        "create table items (id int, region text, txt text, primary key (region, id)) partition by list (region)"
    )
    conn.execute("create table items_eu partition of items for values in ('eu')")
    conn.execute("create table items_us partition of items for values in ('us') partition by range (id)")
    conn.execute("create table items_us_1 partition of items_us for values from (0) to (1000)")
    conn.execute(
        "insert into items select g, case when g % 2 = 0 then 'eu' else 'us' end, 'item ' || g "
        "from generate_series(1, 6) g"
    )
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash', index => %s)", [not concurrent])
    if concurrent:
        for (statement,) in conn.execute("select mmdb.index_statements('items', 'txt')").fetchall():
            conn.execute(statement)
    invalid = conn.execute("select count(*) from pg_index where not indisvalid").fetchone()
    assert invalid == (0,)
    leaves = conn.execute(
        "select count(*) from pg_indexes where indexdef like '%hnsw%' and tablename in ('items_eu', 'items_us_1')"
    )
    assert leaves.fetchone() == (2,)
    conn.execute("update items set txt_embedding = array_fill(id, array[64])::halfvec")
    conn.execute("update items set txt = 'other' where id = 3")
    conn.execute("update items_eu set txt = 'other' where id = 4")
    assert pending(conn) == [3, 4]
    conn.execute("create table items_asia partition of items for values in ('asia')")
    conn.execute("insert into items values (7, 'asia', 'new', array_fill(1, array[64])::halfvec)")
    conn.execute("update items set txt = 'newer' where id = 7")
    assert pending(conn) == [3, 4, 7], "a partition that is made later has the trigger too"


def test_an_interrupted_concurrent_build_is_done_again(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash', index => false)")
    statements = [row[0] for row in conn.execute("select mmdb.index_statements('items', 'txt')").fetchall()]
    assert all("concurrently" in statement for statement in statements)
    for statement in statements:
        conn.execute(statement)
    assert conn.execute("select mmdb.index_statements('items', 'txt')").fetchall() == []
    conn.execute("update pg_index set indisvalid = false where indexrelid = 'items_txt_hnsw'::regclass")
    again = [row[0] for row in conn.execute("select mmdb.index_statements('items', 'txt')").fetchall()]
    assert again == [statement for statement in statements if "hnsw" in statement]
    for statement in again:
        conn.execute(statement)
    assert conn.execute("select indisvalid from pg_index where indexrelid = 'items_txt_hnsw'::regclass").fetchone() == (
        True,
    )
