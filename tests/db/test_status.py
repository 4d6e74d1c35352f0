"""What an operator sees of the work: counts that are exact or say that they are estimates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from mmdb.worker import Totals

Connection = psycopg.Connection[Any]
Drain = Callable[[], Totals]


def test_status_counts(items: Connection, drain: Drain) -> None:
    counts = "select rows, embedded, pending, failed, estimated from mmdb.status"
    assert items.execute(counts).fetchone() == (5, 0, 5, 0, False)
    items.execute("update items set txt = ' ' where id = 1; update items set txt = null where id = 2")
    drain()
    assert items.execute(counts).fetchone() == (5, 3, 0, 1, False)
    items.execute("update items set txt = 'again' where id = 3")
    assert items.execute(counts).fetchone() == (5, 2, 1, 1, False)


def test_status_knows_when_nothing_was_pending(items: Connection, drain: Drain) -> None:
    age = "select pending_since is null, pending_since <= now() from mmdb.status"
    drain()
    assert items.execute(age).fetchone() == (True, None)
    items.execute("insert into items values (6, 'six')")
    assert items.execute(age).fetchone() == (False, True)


def test_status_rate(items: Connection, drain: Drain) -> None:
    drain()
    rate = items.execute("select rows_per_second from mmdb.status").fetchone()
    assert rate is not None
    assert rate[0] > 0


def test_large_tables_are_estimated_and_say_so(items: Connection, drain: Drain) -> None:
    drain()
    items.execute("analyze items")
    made = items.execute("select (c).* from mmdb.embeddings e, lateral (select mmdb.count_rows(e, 3)) t(c)").fetchone()
    assert made == (5, 5, 0, 0, True, 0)
