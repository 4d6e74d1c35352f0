"""Workers and tables for the tests of the SQL functions."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
import pytest
from PIL import Image

from mmdb.models.embed.base import Item, Purpose, Vectors
from mmdb.models.embed.hash import HashEmbedder
from mmdb.worker import Totals, WorkerOptions, background, work
from mmdb.worker.connections import open_connection, open_shared
from mmdb.worker.steps import Steps
from mmdb.worker.values import Task
from tests import patience
from tests.conftest import Database, Server, temporary_database

Connection = psycopg.Connection[Any]
HASH = ("hash",)
QUICK = WorkerOptions(poll_seconds=0.1, models=HASH)
ONCE = WorkerOptions(poll_seconds=0.1, once=True, models=HASH)
PATIENCE, until = patience.PATIENCE, patience.until


@pytest.fixture(scope="module")
def module_database(server: Server, template_db: str) -> Iterator[Database]:
    """A database for all tests of a module, for what takes long to fill."""
    yield from temporary_database(server, template_db)


@pytest.fixture
def worker(database: Database) -> Iterator[None]:
    """A worker for the model `hash` in threads of this process."""
    with background(database.url, options=QUICK):
        yield


@pytest.fixture
def drain(database: Database) -> Callable[[], Totals]:
    """`drain()` embeds everything that is pending."""
    return lambda: work(database.url, options=ONCE)


@pytest.fixture
def items(conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A connection to a database with a table `items` of five rows, its column `txt` declared."""
    conn.execute("create table items (id int primary key, txt text, price int not null default 1)")
    conn.execute("insert into items select g, 'item ' || g, g from generate_series(1, 5) g")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    return conn


@contextmanager
def registered(database: Database, lease_seconds: float = 60) -> Iterator[Steps]:
    """The steps of a worker for the model `hash` that does only what a test has it do, and dies in the end."""
    with open_connection(database.url) as own:
        worker = register(own)
        with open_shared(database.url, worker) as shared:
            yield Steps(own, shared, worker, lease_seconds)


def register(connection: Connection) -> int:
    """Register the session as a worker for the model `hash`."""
    row = connection.execute(
        "select mmdb.start_worker('h', 1, 'v', array[name], array[identity]) from mmdb.models where name = 'hash'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def hash_task(steps: Steps) -> Task:
    """The first embedding by the model `hash`."""
    row = steps.own.execute("select identity from mmdb.models where name = 'hash'").fetchone()
    assert row is not None
    return steps.tasks("hash", row[0])[0]


def expected(text: str) -> Vectors:
    return np.asarray(HashEmbedder().embed([text])[0])


def picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def check_rows(conn: Connection, table: str = "items") -> None:
    """Every row with a source has the very vector of that source, and no lease is left."""
    rows = conn.execute(f"select txt, txt_embedding::real[] from {table} where txt is not null").fetchall()
    for text, vector in rows:
        assert vector is not None, f'"{text}" is pending'
        np.testing.assert_allclose(vector, expected(text), atol=1e-3)
    # A worker may have claimed a row once more, off a page that it read before the row was stored.
    until(lambda: conn.execute("select count(*) from mmdb.leases").fetchone() == (0,))


def one(conn: Connection, statement: str, *values: Any) -> Any:
    """The first row of an answer, or its value where it has one column."""
    row = conn.execute(statement, values).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def ask(database: Database, text: str) -> Any:
    """Embed a query in a session of its own."""
    with database.connect() as conn:
        return conn.execute("select mmdb.embed(%s, 'hash')::real[]", [text]).fetchone()


class Gate(HashEmbedder):
    """Stops in the model until it is let go on; counts what it embeds."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.seen: list[Item] = []

    def embed_batch(self, modality: Any, items: Any, purpose: Purpose) -> Vectors:
        self.seen += items
        self.entered.set()
        assert self.go_on.wait(PATIENCE)
        return super().embed_batch(modality, items, purpose)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr("mmdb.worker.run.load", lambda _spec, _cache: gate)
    yield gate
    gate.go_on.set()
