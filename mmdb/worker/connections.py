"""A worker's connections: its own, and those in which code of tables' owners may run; and its statements.

The code of tables' owners, their triggers above all, runs in a session that is marked as shared, may do nothing else,
and is wiped after each call (`SharedSession`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import Identifier

from mmdb.database.rows import Connection, Kind, read_all
from mmdb.database.statements import statement
from mmdb.database.types import register_types
from mmdb.errors import DatabaseError
from mmdb.worker.values import Task

TOPIC = "worker"
SETTINGS = {
    # Milliseconds. We wait for no user's lock; this is for the moments at which two workers meet on a lease.
    "lock_timeout": "2000",
    "synchronous_commit": "off",
    # Whatever the database or the role has: a worker waits and works as long as it takes, reads numbers whole and sends
    # NULLs in arrays.
    "statement_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_isolation": "read\\ committed",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
}
"""What a session of a worker begins with, and goes back to when it is wiped."""


@cache
def composed(name: str, schema: str | None = None, id: int | None = None) -> bytes:
    """A statement as psycopg sends it; putting it together anew each time would show in the rows a second."""
    filled = {} if schema is None else {"function": Identifier(schema, f"mmdb_{name}_{id}")}
    return statement(TOPIC, name, **filled).as_bytes(None)


def open_connection(url: str) -> Connection:
    """A worker's connection, in autocommit. Raises psycopg.OperationalError, or DatabaseError without pgvector."""
    connection = psycopg.connect(
        url,
        autocommit=True,
        application_name="mmdb worker",
        client_encoding="utf8",
        prepare_threshold=None,  # a prepared statement could be swapped for another by code that runs in the session
        options=_options(url),
    )
    if not register_types(connection):
        connection.close()
        raise DatabaseError("the database has no extension vector", hint="run `mmdb init` on it")
    return connection


def _options(url: str) -> str:
    """Those of the URL, or else of PGOPTIONS, and then ours, which win."""
    usual = next(option.val for option in psycopg.pq.Conninfo.get_defaults() if option.keyword == b"options")
    given = conninfo_to_dict(url).get("options") or (usual or b"").decode()
    return " ".join([str(given), *(f"-c {name}={value}" for name, value in SETTINGS.items())]).strip()


def open_shared(url: str, worker: int) -> Connection:
    """A connection in which code of tables' owners may run."""
    connection = open_connection(url)
    connection.execute(composed("share_session"), {"worker": worker})
    return connection


class SharedSession:
    """A session in which an embedding's own functions are called, which run as the table's owner."""

    def __init__(self, own: Connection, connection: Connection) -> None:
        self.own = own
        self.connection = connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction, after which nothing of one table's code reaches the next statement."""
        try:
            with self.connection.transaction():
                yield
        finally:
            self.wipe()

    def call(self, task: Task, verb: str, kind: type[Kind], values: dict[str, Any]) -> list[Kind]:
        """Call one of the embedding's own functions, inside a transaction.

        Raises where an owner has altered his functions, so that they would run with our rights.
        """
        found = self.own.execute(composed("may_call"), {"embedding": task.id}).fetchone()
        if not (found and found[0]):
            raise pg.ObjectNotInPrerequisiteState("a worker function is missing or was altered")
        query = composed(verb, task.schema, task.id)
        rows = read_all(self.connection, kind, query, {"pass": task.pass_, **values})
        # A cursor that was declared with hold would be read to its end at commit, with our rights.
        self.connection.execute(composed("close_cursors"))
        return rows

    def wipe(self) -> None:
        """Settings, temporary tables and types, cursors."""
        if not self.connection.closed:
            self.connection.execute(composed("discard"))
