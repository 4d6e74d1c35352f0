"""Workers and tables for the tests of the SQL functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.conftest import Database, temporary_database

from mmdb.worker import Totals, WorkerOptions, background, work

if TYPE_CHECKING:
    from mmdb.embedded import ServerInfo

HASH = ("hash",)
QUICK = WorkerOptions(poll_seconds=0.1, models=HASH)
ONCE = WorkerOptions(poll_seconds=0.1, once=True, models=HASH)


@pytest.fixture(scope="module")
def module_database(server: ServerInfo, template_db: str) -> Iterator[Database]:
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
