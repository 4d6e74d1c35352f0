"""The worker's side of a request: what waits is answered in batches, once, and little of it is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from mmdb.worker import background
from tests.conftest import Database
from tests.db.conftest import QUICK, Gate, ask, register, until

Connection = psycopg.Connection[Any]


def test_the_same_miss_from_many_sessions_is_embedded_once(database: Database, gate: Gate) -> None:
    with background(database.url, options=QUICK), ThreadPoolExecutor(20) as pool:
        asking = [pool.submit(ask, database, "the same") for _ in range(20)]
        with database.connect() as conn:
            until(lambda: conn.execute("select count(*) from mmdb.requests").fetchone() == (1,))
        gate.go_on.set()
        vectors = [future.result(30) for future in asking]
    assert gate.seen == ["the same"]
    assert all(vector == vectors[0] for vector in vectors)


def test_concurrent_misses_are_one_batch(database: Database, gate: Gate) -> None:
    batches: list[int] = []
    embed = gate.embed

    def counted(items: Any, purpose: Any = "document") -> Any:
        batches.append(len(items))
        return embed(items, purpose)

    gate.embed = counted  # type: ignore[method-assign]
    with background(database.url, options=QUICK), ThreadPoolExecutor(21) as pool, database.connect() as conn:
        first = pool.submit(ask, database, "first")
        assert gate.entered.wait(20)
        others = [pool.submit(ask, database, f"other {n}") for n in range(20)]
        until(lambda: conn.execute("select count(*) from mmdb.requests").fetchone() == (21,))
        gate.go_on.set()
        for future in [first, *others]:
            future.result(30)
    assert batches == [1, 20]


def test_one_bad_query_spoils_no_other(database: Database, gate: Gate) -> None:
    with background(database.url, options=QUICK), ThreadPoolExecutor(3) as pool, database.connect() as conn:
        first = pool.submit(ask, database, "first")
        assert gate.entered.wait(20)
        good = pool.submit(ask, database, "good")
        bad = pool.submit(_picture, database, b"no picture")
        until(lambda: conn.execute("select count(*) from mmdb.requests").fetchone() == (3,))
        gate.go_on.set()
        assert first.result(20)
        assert good.result(20)
        with pytest.raises(pg.DataException):
            bad.result(20)


def _picture(database: Database, data: bytes) -> Any:
    with database.connect() as conn:
        return conn.execute("select mmdb.embed(%b::bytea, 'hash')", [data]).fetchone()


def test_the_cache_is_bounded(conn: Connection, worker: None) -> None:
    conn.execute("select mmdb.set_setting('query_cache_rows', '5')")
    for n in range(12):
        conn.execute("select mmdb.embed(%s, 'hash')", [f"query {n}"])
    conn.execute("select mmdb.trim_requests()")
    assert conn.execute("select count(*) from mmdb.requests").fetchone() == (5,)


TAKE = "select * from mmdb.take_requests((select max(id) from mmdb.workers), array['hash'], array['embedding'], 9)"


def test_a_question_whose_worker_died_is_taken_by_another(conn: Connection, database: Database, gate: Gate) -> None:
    with ThreadPoolExecutor(1) as pool:
        with database.connect() as doomed:
            register(doomed)
            asking = pool.submit(ask, database, "who answers?")
            until(lambda: bool(doomed.execute(TAKE).fetchall()))
        gate.go_on.set()
        with background(database.url, options=QUICK):
            assert asking.result(20) is not None
