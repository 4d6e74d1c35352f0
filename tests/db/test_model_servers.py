"""A worker whose model is behind a server: what the server does wrong never becomes a row, nor a row's fault."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb

from mmdb.config import Settings
from mmdb.models.embed import openai
from mmdb.models.embed.hash import HashEmbedder
from mmdb.models.http import Server
from mmdb.worker import Totals, WorkerOptions, background, work
from tests.conftest import Database
from tests.db.conftest import until
from tests.embedding_server import WIDTH, EmbeddingServer, changes, embedding_server, fails, refuses_text, with_nan

Connection = psycopg.Connection[Any]

OPTIONS = WorkerOptions(poll_seconds=0.1, models=("remote", "hash"))
ONCE = WorkerOptions(poll_seconds=0.1, once=True, models=("remote", "hash"))


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddingServer]:
    monkeypatch.setattr(Server, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(openai, "PATIENCE", {"document": 0.3, "query": 0.3})
    monkeypatch.setattr("mmdb.worker.make.FIRST_PAUSE_SECONDS", 0.5)
    monkeypatch.setattr("mmdb.worker.make.LONGEST_PAUSE_SECONDS", 1.0)
    with embedding_server() as remote:
        yield remote


@pytest.fixture
def settings(remote: EmbeddingServer) -> Settings:
    return Settings.from_environment({**os.environ, "MMDB_PROVIDERS": remote.origin})


@pytest.fixture
def notes(conn: Connection, remote: EmbeddingServer, settings: Settings) -> Connection:
    """A table whose texts are embedded by the server's model, and another by `hash`, three rows each."""
    from mmdb.models.registry import describe
    from mmdb.models.spec import ModelSpec

    options = {"base_url": remote.base_url}
    spec, _ = describe(ModelSpec("remote", "openai", "e5", 0, (), "", options=options), settings)
    conn.execute(
        "select mmdb.add_model('remote', 'openai', 'e5', %s, %s, %s, options => %s)",
        [spec.dimensions, list(spec.modalities), spec.identity, Jsonb(options)],
    )
    for table, model in (("notes", "remote"), ("others", "hash")):
        conn.execute(f"create table {table} (id int primary key, txt text)")
        conn.execute(f"insert into {table} select g, 'note ' || g from generate_series(1, 3) g")
        conn.execute("select mmdb.add_embedding(%s, 'txt', model => %s)", [table, model])
    return conn


def pending(conn: Connection, table: str = "notes") -> list[int]:
    rows = conn.execute(f"select id from {table} where txt_embedding is null order by id").fetchall()
    return [id for (id,) in rows]


def drift(conn: Connection) -> str:
    row = conn.execute("select drift from mmdb.status where relation = 'notes'::regclass").fetchone()
    assert row is not None
    return row[0] or ""


def check(conn: Connection) -> None:
    for text, vector in conn.execute("select txt, txt_embedding::real[] from notes where txt_embedding is not null"):
        np.testing.assert_allclose(vector, HashEmbedder(WIDTH).embed([text])[0], atol=1e-3)


def test_rows_and_queries_by_a_server(notes: Connection, database: Database, settings: Settings) -> None:
    with background(database.url, options=OPTIONS, settings=settings):
        until(lambda: not pending(notes))
        check(notes)
        found = notes.execute("select id, distance from notes_by_txt('note 2') order by distance limit 1").fetchone()
    assert found is not None
    assert found[0] == 2
    assert found[1] == pytest.approx(0, abs=1e-3)


def test_a_server_that_is_down_costs_no_row_an_attempt(
    notes: Connection, database: Database, remote: EmbeddingServer, settings: Settings
) -> None:
    remote.always = fails(503, "overloaded")
    began = time.monotonic()
    with background(database.url, options=OPTIONS, settings=settings):
        until(lambda: 'answered 503 "overloaded"' in drift(notes))
        until(lambda: not pending(notes, "others"))
        with pytest.raises(psycopg.Error, match='answered 503 "overloaded"'):
            notes.execute("select mmdb.embed('red shoes', 'remote')")
        time.sleep(1.5)  # and a few more tries
        assert pending(notes) == [1, 2, 3]
        assert notes.execute("select count(*) from mmdb.failures").fetchone() == (0,)
        asked, seconds = len(remote.requests), time.monotonic() - began
        remote.always = type(remote.requests[0]).well
        until(lambda: not pending(notes))
        until(lambda: drift(notes) == "")
        assert asked < 20 * (1 + seconds), "it rests in between"
    check(notes)


def test_a_server_that_moves_is_followed(
    notes: Connection, database: Database, remote: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdb.worker.session.LOOK_SECONDS", 0.2)
    with embedding_server() as elsewhere:
        both = Settings.from_environment({**os.environ, "MMDB_PROVIDERS": f"{remote.origin},{elsewhere.origin}"})
        with background(database.url, options=OPTIONS, settings=both):
            until(lambda: not pending(notes))
            move = Jsonb({"base_url": elsewhere.base_url})
            notes.execute("update mmdb.models set options = %s where name = 'remote'", [move])
            remote.stop()
            notes.execute("insert into notes values (4, 'note 4')")
            until(lambda: not pending(notes))
    check(notes)


def test_once_ends_where_the_server_is_down(
    notes: Connection, database: Database, remote: EmbeddingServer, settings: Settings
) -> None:
    remote.always = fails(401, "wrong key")
    assert work(database.url, options=ONCE, settings=settings) == Totals(stored=3, failed=0)
    assert (pending(notes), pending(notes, "others")) == ([1, 2, 3], [])
    assert "wrong key" in drift(notes)


def test_a_poisonous_text_fails_alone(
    notes: Connection, database: Database, remote: EmbeddingServer, settings: Settings
) -> None:
    notes.execute("select mmdb.set_setting('max_attempts', '1')")
    remote.always = refuses_text("note 2", 500)
    assert work(database.url, options=ONCE, settings=settings) == Totals(stored=5, failed=1)
    failures = notes.execute("select key[1], error from mmdb.failures").fetchall()
    assert [key for key, _ in failures] == ["2"]
    assert "this text is too long" in failures[0][1]
    check(notes)


def test_a_poisonous_text_among_many_costs_few_requests(
    notes: Connection, database: Database, remote: EmbeddingServer, settings: Settings
) -> None:
    notes.execute("insert into notes select g, 'note ' || g from generate_series(4, 128) g")
    notes.execute("select mmdb.set_setting('max_attempts', '1')")
    remote.always = refuses_text("note 77")
    assert work(database.url, options=ONCE, settings=settings) == Totals(stored=130, failed=1)
    assert pending(notes) == [77]
    assert len(remote.requests) < 128
    check(notes)


@pytest.mark.parametrize(
    "change",
    [
        with_nan,
        lambda entries: entries[1:],
        lambda entries: [{**entry, "embedding": [1.0] * 5} for entry in entries],
        lambda entries: [{**entry, "index": 0} for entry in [*entries, *entries]],
    ],
    ids=["nan", "too few", "another width", "one index"],
)
def test_nothing_wrong_is_stored(
    notes: Connection, database: Database, remote: EmbeddingServer, settings: Settings, change: Any
) -> None:
    notes.execute("select mmdb.set_setting('max_attempts', '1')")
    remote.always = changes(change)
    assert work(database.url, options=ONCE, settings=settings).stored == 3
    assert pending(notes) == [1, 2, 3]
    assert pending(notes, "others") == []
    assert drift(notes) or notes.execute("select count(*) from mmdb.failures").fetchone() == (3,)


def test_a_worker_that_may_not_call_the_server_leaves_it_to_others(notes: Connection, database: Database) -> None:
    strict = Settings.from_environment({**os.environ, "MMDB_PROVIDERS": "https://other.example"})
    options = WorkerOptions(poll_seconds=0.1, once=True)
    notes.execute("delete from mmdb.models where name = 'lite'")
    assert work(database.url, options=options, settings=strict) == Totals(stored=3, failed=0)
    assert pending(notes) == [1, 2, 3]
