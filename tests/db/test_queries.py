"""mmdb.embed: a query becomes a vector inside SQL, once, and the backend waits without being deaf."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import numpy as np
import psycopg
import pytest
from PIL import Image
from psycopg import errors as pg

from mmdb.models.embed.hash import HashEmbedder
from mmdb.worker import background
from tests.conftest import Database
from tests.db.conftest import QUICK, Gate, register, until

Connection = psycopg.Connection[Any]


def picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def test_text(conn: Connection, worker: None) -> None:
    vector = conn.execute("select mmdb.embed('red shoes', 'hash')::real[]").fetchone()
    assert vector is not None
    np.testing.assert_allclose(vector[0], HashEmbedder().embed(["red shoes"])[0], atol=1e-6)


def test_a_picture(conn: Connection, worker: None) -> None:
    vector = conn.execute("select mmdb.embed(%b::bytea, 'hash')::real[]", [picture("red")]).fetchone()
    assert vector is not None
    np.testing.assert_allclose(vector[0], HashEmbedder().embed([Image.new("RGB", (8, 8), "red")])[0], atol=1e-6)


def test_null_is_null(conn: Connection) -> None:
    assert conn.execute("select mmdb.embed(null::text), mmdb.embed(null::bytea)").fetchone() == (None, None)


def test_embed_for_uses_the_model_of_the_embedding(items: Connection, worker: None) -> None:
    same = items.execute(
        "select mmdb.embed_for('items', 'txt', 'x')::real[] = mmdb.embed('x', 'hash')::real[]"
    ).fetchone()
    assert same == (True,)
    with pytest.raises(pg.UndefinedObject, match='no embedding "nix"'):
        items.execute("select mmdb.embed_for('items', 'nix', 'x')")


def test_a_hit_needs_no_worker(conn: Connection, database: Database) -> None:
    with background(database.url, options=QUICK):
        conn.execute("select mmdb.embed('once', 'hash')")
    conn.execute("select mmdb.embed('once', 'hash')")
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match="no worker is running") as caught:
        conn.execute("select mmdb.embed('never', 'hash')")
    assert "mmdb worker" in (caught.value.diag.message_hint or "")


def test_no_query_text_is_kept(conn: Connection, worker: None) -> None:
    conn.execute("select mmdb.embed('a secret', 'hash'), mmdb.embed(%b::bytea, 'hash')", [picture("blue")])
    kept = conn.execute("select count(*), count(content), count(data) from mmdb.queries where answered_at is not null")
    assert kept.fetchone() == (2, 0, 0)


def test_no_other_session_sees_a_query_on_its_way(
    conn: Connection, database: Database, gate: Gate, make_role: Any
) -> None:
    spy = make_role("spy")
    loopback = conn.execute("select value from mmdb.settings where name = 'loopback_role'").fetchone()
    assert loopback is not None
    conn.execute(f"grant {loopback[0]} to {spy.name}")
    with background(database.url, options=QUICK), ThreadPoolExecutor(1) as pool, spy.connect(database) as as_spy:
        asking = pool.submit(lambda: _ask(database, "very secret words"))
        assert gate.entered.wait(20)
        seen = as_spy.execute(
            "select string_agg(query, ' ') from pg_stat_activity where usename = %s", [loopback[0]]
        ).fetchone()
        gate.go_on.set()
        asking.result(20)
    assert seen is not None
    assert "secret" not in (seen[0] or "")


def _ask(database: Database, text: str) -> Any:
    with database.connect() as conn:
        return conn.execute("select mmdb.embed(%s, 'hash')::real[]", [text]).fetchone()


def test_the_same_miss_from_many_sessions_is_embedded_once(database: Database, gate: Gate) -> None:
    with background(database.url, options=QUICK), ThreadPoolExecutor(20) as pool:
        asking = [pool.submit(_ask, database, "the same") for _ in range(20)]
        with database.connect() as conn:
            until(lambda: conn.execute("select count(*) from mmdb.queries").fetchone() == (1,))
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
        first = pool.submit(_ask, database, "first")
        assert gate.entered.wait(20)
        others = [pool.submit(_ask, database, f"other {n}") for n in range(20)]
        until(lambda: conn.execute("select count(*) from mmdb.queries").fetchone() == (21,))
        gate.go_on.set()
        for future in [first, *others]:
            future.result(30)
    assert batches == [1, 20]


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
        assert time.monotonic() - began < 10, "the model is held for 30 s"
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


def test_read_only_and_rolled_back_transactions(conn: Connection, worker: None) -> None:
    with conn.transaction():
        conn.execute("set transaction isolation level serializable, read only")
        assert conn.execute("select mmdb.embed('read only', 'hash') is not null").fetchone() == (True,)
    with conn.transaction(force_rollback=True):
        conn.execute("select mmdb.embed('rolled back', 'hash')")
    assert conn.execute("select count(*) from mmdb.queries").fetchone() == (2,)


def test_prepared_statements_and_functions(conn: Connection, worker: None) -> None:
    conn.execute("prepare e(text) as select mmdb.embed($1, 'hash') is not null")
    for n in range(8):
        assert conn.execute(f"execute e('text {n}')").fetchone() == (True,)
    conn.execute("create function f(q text) returns boolean language plpgsql stable as "
                 "$$ begin return mmdb.embed(q, 'hash') is not null; end $$")  # fmt: skip
    assert conn.execute("select f('in a function'), f('in a function')").fetchone() == (True, True)


def test_a_pooler_in_transaction_mode(database: Database, conn: Connection, worker: None) -> None:
    """DISCARD ALL between two clients' transactions: what a pooler does at most to a session."""
    for n in range(3):
        with conn.transaction():
            conn.execute("select mmdb.embed(%s, 'hash')", [f"client {n}"])
        conn.execute("discard all")


def test_a_loopback_that_was_cut_is_opened_again(conn: Connection, worker: None) -> None:
    conn.execute("select mmdb.embed('one', 'hash')")
    role = conn.execute("select value from mmdb.settings where name = 'loopback_role'").fetchone()
    cut = conn.execute(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = %s", role
    ).fetchone()
    assert cut is not None
    assert cut[0] >= 1
    assert conn.execute("select mmdb.embed('two', 'hash') is not null").fetchone() == (True,)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        ("mmdb.embed('x', 'nix')", pg.UndefinedObject, 'model "nix" does not exist'),
        ("mmdb.embed('  ', 'hash')", pg.InvalidParameterValue, "the query is empty"),
        ("mmdb.embed(''::bytea, 'hash')", pg.InvalidParameterValue, "the query is empty"),
        ("mmdb.embed('no picture'::bytea, 'hash')", pg.DataException, "could not be embedded"),
        ("mmdb.embed(repeat('x', 11000000), 'hash')", pg.ProgramLimitExceeded, "more than the limit of 10485760"),
    ],
)
def test_queries_that_cannot_be_embedded(conn: Connection, worker: None, call: str, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        conn.execute(f"select {call}")
    assert conn.execute("select mmdb.embed('and then', 'hash') is not null").fetchone() == (True,)


def test_one_bad_query_spoils_no_other(database: Database, gate: Gate) -> None:
    with background(database.url, options=QUICK), ThreadPoolExecutor(3) as pool, database.connect() as conn:
        first = pool.submit(_ask, database, "first")
        assert gate.entered.wait(20)
        good = pool.submit(_ask, database, "good")
        bad = pool.submit(_picture, database, b"no picture")
        until(lambda: conn.execute("select count(*) from mmdb.queries").fetchone() == (3,))
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
    conn.execute("select mmdb.trim_queries()")
    assert conn.execute("select count(*) from mmdb.queries").fetchone() == (5,)


def test_a_question_whose_worker_died_is_taken_by_another(conn: Connection, database: Database, gate: Gate) -> None:
    with ThreadPoolExecutor(1) as pool:
        with database.connect() as doomed:
            register(doomed)
            asking = pool.submit(_ask, database, "who answers?")
            taken: Callable[[], bool] = lambda: bool(  # noqa: E731
                doomed.execute(
                    "select * from mmdb.take_queries((select max(id) from mmdb.workers), array['hash'], 9)"
                ).fetchall()
            )
            until(taken)
        gate.go_on.set()
        with background(database.url, options=QUICK):
            assert asking.result(20) is not None


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
