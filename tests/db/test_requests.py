"""The way of a request to a worker and back: the backend waits without being deaf, and nobody listens in."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import errors as pg
from psycopg.types.json import Jsonb

from mmdb.errors import ModelError
from mmdb.models.embed.hash import HashEmbedder
from mmdb.worker import background
from mmdb.worker.answer import HANDLERS
from tests.conftest import Database
from tests.db.conftest import QUICK, Gate, ask, one, until
from tests.patience import PATIENCE

Connection = psycopg.Connection[Any]


def test_no_other_session_sees_a_query_on_its_way(
    conn: Connection, database: Database, gate: Gate, make_role: Any
) -> None:
    spy = make_role("spy")
    loopback = conn.execute("select value from mmdb.settings where name = 'loopback_role'").fetchone()
    assert loopback is not None
    conn.execute(f"grant {loopback[0]} to {spy.name}")
    with background(database.url, options=QUICK), ThreadPoolExecutor(1) as pool, spy.connect(database) as as_spy:
        asking = pool.submit(lambda: ask(database, "very secret words"))
        assert gate.entered.wait(20)
        seen = as_spy.execute(
            "select string_agg(query, ' ') from pg_stat_activity where usename = %s", [loopback[0]]
        ).fetchone()
        gate.go_on.set()
        asking.result(20)
    assert seen is not None
    assert "secret" not in (seen[0] or "")


@pytest.mark.parametrize("how", ["cancel", "statement_timeout"])
def test_a_wait_can_be_ended(database: Database, gate: Gate, how: str) -> None:
    """It takes effect, and leaves a usable session; bench/ measures that it does within 50 ms."""
    with background(database.url, options=QUICK), database.connect() as conn:
        if how == "statement_timeout":
            conn.execute("set statement_timeout = '300ms'")
        else:
            threading.Timer(0.3, conn.cancel).start()
        began = time.monotonic()
        with pytest.raises(pg.QueryCanceled):
            conn.execute("select mmdb.embed('x', 'hash')")
        assert time.monotonic() - began < 10, f"the model is held for {PATIENCE} s"
        conn.execute("set statement_timeout = 0")
        gate.go_on.set()
        assert conn.execute("select mmdb.embed('x', 'hash') is not null").fetchone() == (True,)


def test_a_worker_that_is_too_slow(database: Database, gate: Gate) -> None:
    with background(database.url, options=QUICK), database.connect() as conn:
        conn.execute("select mmdb.set_setting('embed_timeout_ms', '200')")
        with pytest.raises(pg.QueryCanceled, match="no worker answered") as caught:
            conn.execute("select mmdb.embed('x', 'hash')")
        assert "embed_timeout_ms" in (caught.value.diag.message_hint or "")
        gate.go_on.set()


def test_a_loopback_that_was_cut_is_opened_again(conn: Connection, worker: None) -> None:
    conn.execute("select mmdb.embed('one', 'hash')")
    role = conn.execute("select value from mmdb.settings where name = 'loopback_role'").fetchone()
    cut = conn.execute(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = %s", role
    ).fetchone()
    assert cut is not None
    assert cut[0] >= 1
    assert conn.execute("select mmdb.embed('two', 'hash') is not null").fetchone() == (True,)


def test_a_cancel_never_mixes_up_answers(database: Database, conn: Connection, worker: None) -> None:
    """Cancelled anywhere in its exchange with the loopback, a session's next query gets its own answer."""
    chance, cancelled = Random(1), 0
    for number in range(80):
        timer = threading.Timer(chance.random() * 0.006, conn.cancel)
        timer.start()
        for text in (f"first {number}", f"second {number}"):
            try:
                vector = conn.execute("select mmdb.embed(%s, 'hash')::real[]", [text]).fetchone()
            except pg.QueryCanceled:
                cancelled += 1
                continue
            assert vector is not None
            np.testing.assert_allclose(vector[0], HashEmbedder().embed([text])[0], atol=1e-6)
        timer.join()
    assert cancelled > 5, "the cancels came too late to test anything"


# A task that does not exist: what the path needs to know of one is a word in the table's list and a worker's handler.


class Echo:
    """Answers with what it was asked, once it is let go on; notes its batches."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.entered = threading.Event()
        self.batches: list[list[Any]] = []

    def __call__(self, _model: Any, requests: Any) -> list[Jsonb]:
        self.batches.append([request.content for request in requests])
        self.entered.set()
        assert self.go_on.wait(30)
        if any(request.content == "bad" for request in requests):
            raise ModelError("there is a bad one")
        return [Jsonb(self._answer(request)) for request in requests]

    def _answer(self, request: Any) -> Any:
        if request.content == "no JSON":
            return math.nan
        said = request.content or (None if request.data is None else request.data.decode())
        return said if request.parameters is None else {"said": said, **request.parameters}


@pytest.fixture
def echo(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Echo]:
    conn.execute("alter table mmdb.requests drop constraint requests_task")
    conn.execute("alter table mmdb.requests add constraint requests_task check (task in ('embedding', 'echo'))")
    echo = Echo()
    monkeypatch.setitem(HANDLERS, "echo", echo)
    yield echo
    echo.go_on.set()


def echoed(conn: Connection, content: str | None, data: bytes | None = None, **parameters: Any) -> Any:
    """What the worker says within 20 s, or with `timeout_ms` within that."""
    timeout = parameters.pop("timeout_ms", 20_000)
    row = conn.execute(
        "select * from mmdb.request('echo', 'hash', %s, %b::bytea, %s, %s)",
        [content, data, Jsonb(parameters) if parameters else None, timeout],
    ).fetchone()
    assert row is not None
    assert row[0] is None
    return row[1]


def _echoed_elsewhere(database: Database, content: str) -> Any:
    with database.connect() as conn:
        return echoed(conn, content)


def kept(conn: Connection) -> Any:
    return one(conn, "select count(*) from mmdb.requests")


def test_jsonb_goes_to_a_worker_and_back(conn: Connection, echo: Echo, worker: None) -> None:
    assert echoed(conn, "a text") == "a text"
    assert echoed(conn, None, b"some bytes") == "some bytes"
    assert echoed(conn, "a text", best_of=3, stop=["\n"]) == {"said": "a text", "best_of": 3, "stop": ["\n"]}
    assert echoed(conn, None) is None, "a null of JSON is an answer too"


def test_what_is_no_vector_is_not_cached(conn: Connection, echo: Echo, worker: None) -> None:
    assert [echoed(conn, "the same") for _ in range(2)] == ["the same"] * 2
    assert echo.batches == [["the same"]] * 2
    assert kept(conn) == 0
    conn.execute("select mmdb.embed('the same', 'hash')")
    assert kept(conn) == 1


def test_two_equal_requests_have_an_answer_each(conn: Connection, database: Database, echo: Echo, worker: None) -> None:
    echo.go_on.clear()
    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(_echoed_elsewhere, database, "the same") for _ in range(3)]
        until(lambda: kept(conn) == 3)
        echo.go_on.set()
        assert [future.result(20) for future in asking] == ["the same"] * 3
    assert kept(conn) == 0


def test_tasks_that_wait_together_are_batches_apart(
    conn: Connection, database: Database, echo: Echo, worker: None
) -> None:
    echo.go_on.clear()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(_echoed_elsewhere, database, "first")
        assert echo.entered.wait(20)
        vector = pool.submit(ask, database, "a query")
        others = [pool.submit(_echoed_elsewhere, database, "other") for _ in range(2)]
        until(lambda: kept(conn) == 4)
        echo.go_on.set()
        assert [future.result(20) for future in (first, *others)] == ["first", "other", "other"]
        np.testing.assert_allclose(vector.result(20)[0], HashEmbedder().embed(["a query"])[0], atol=1e-6)
    assert echo.batches == [["first"], ["other", "other"]]


def test_an_error_of_any_task(conn: Connection, echo: Echo, worker: None) -> None:
    with pytest.raises(pg.DataException, match='the echo by model "hash" failed: there is a bad one'):
        echoed(conn, "bad")
    assert kept(conn) == 0
    with pytest.raises(pg.DataException, match="failed"):
        echoed(conn, "no JSON")
    assert echoed(conn, "and then") == "and then"


@pytest.mark.parametrize("how", ["cancel", "statement_timeout"])
def test_a_wait_for_any_task_can_be_ended(conn: Connection, echo: Echo, worker: None, how: str) -> None:
    echo.go_on.clear()
    if how == "statement_timeout":
        conn.execute("set statement_timeout = '300ms'")
    else:
        threading.Timer(0.3, conn.cancel).start()
    with pytest.raises(pg.QueryCanceled, match="canceling statement"):
        echoed(conn, "x")
    conn.execute("set statement_timeout = 0")
    echo.go_on.set()
    assert echoed(conn, "y") == "y"


def test_a_time_out_of_its_own(conn: Connection, echo: Echo, worker: None) -> None:
    conn.execute("select mmdb.set_setting('embed_timeout_ms', '60000')")
    echo.go_on.clear()
    with pytest.raises(pg.QueryCanceled, match='no worker answered the echo for model "hash" in time') as caught:
        echoed(conn, "x", timeout_ms=200)
    assert "timeout_ms" in (caught.value.diag.message_hint or "")
    echo.go_on.set()


def test_an_answer_that_nobody_reads_is_dropped(conn: Connection, echo: Echo, worker: None) -> None:
    echo.go_on.clear()
    with pytest.raises(pg.QueryCanceled):
        echoed(conn, "x", timeout_ms=200)
    echo.go_on.set()
    until(lambda: bool(one(conn, "select count(*) = 1 from mmdb.requests where answer is not null")))
    conn.execute("select mmdb.trim_requests()")
    assert kept(conn) == 1
    conn.execute("update mmdb.requests set answered_at = answered_at - interval '2 minutes'")
    conn.execute("select mmdb.trim_requests()")
    assert kept(conn) == 0


def test_no_worker_for_any_task(conn: Connection, echo: Echo) -> None:
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match='no worker is running for model "hash"'):
        echoed(conn, "x")


def test_a_task_that_nobody_knows_is_refused(conn: Connection, worker: None) -> None:
    with pytest.raises(pg.CheckViolation, match="requests_task"):
        echoed(conn, "x")


def test_what_statements_of_the_last_version_still_call(conn: Connection, worker: None) -> None:
    """A search that began before `mmdb init` goes on in functions that are replaced under it."""
    vector = one(conn, "select mmdb.embed('x', 'hash')")
    assert one(conn, "select mmdb.embed_query('hash', 'text', 'x', null)") == vector
    assert one(conn, "select mmdb.ask('hash', 'text', 'y', null) is not null") is True
    conn.execute("select mmdb.check_query('hash', 'text', 'x', null), mmdb.refuse_problem(null, 'hash')")
    post = "format('select * from mmdb.post_query(%%L, %%L, %%L, %%L, null)', mmdb.here(false), 'hash', 'text', 'z')"
    token = one(conn, f"select token from mmdb.loopback({post})")
    poll = f"select * from mmdb.loopback(format('select null::uuid, p.* from mmdb.poll_query(%L) p', '{token}'))"
    until(lambda: conn.execute(poll.encode()).fetchone()[1] is not None)  # type: ignore[index]
    gone = poll.replace(str(token), "00000000-0000-0000-0000-000000000000")
    row = conn.execute(gone.encode()).fetchone()
    assert row is not None
    assert row[3].startswith("the question is gone")
