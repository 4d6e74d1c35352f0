"""Another model for an embedding, while searches go on: a second generation beside the first, then the switch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from psycopg import errors as pg

from mmdb.database.problems import brief
from mmdb.database.rows import Connection, read_one
from mmdb.database.statements import statement
from mmdb.errors import DatabaseError

TOPIC = "generations"
LOCK_TIMEOUT = "2s"
"""How long others may have to wait behind a switch that waits for a long statement."""
TRIES = 30
PAUSE_SECONDS = 1.0
"""Between two tries, for those who waited."""


@dataclass(frozen=True, slots=True)
class Generation:
    """An embedding by one of its models."""

    name: str
    model: str


def change(connection: Connection, relation: str, name: str, model: str) -> Generation:
    """Declare a second generation of an embedding, which workers fill; without its indexes."""
    values = {"relation": relation, "name": name, "model": model}
    return read_one(connection, Generation, statement(TOPIC, "change_model"), values)


def switch(
    connection: Connection,
    relation: str,
    name: str,
    *,
    back: bool = False,
    force: bool = False,
    waiting: Callable[[], None] = lambda: None,
) -> Generation:
    """Have the other generation of an embedding serve; with `back` the one before, with `force` also half empty.

    While a statement holds the table we give way, since whoever comes after us would wait as well, tell `waiting`, and
    try again: on a connection in autocommit. Raises DatabaseError after TRIES.
    """
    for left in reversed(range(TRIES)):
        try:
            return _switch(connection, "rollback_model" if back else "switch_model", relation, name, force)
        except pg.LockNotAvailable as error:
            if not left:
                raise DatabaseError(f"the table is in use: {brief(error)}", hint="try again later") from error
        waiting()
        time.sleep(PAUSE_SECONDS)
    raise AssertionError


def _switch(connection: Connection, call: str, relation: str, name: str, force: bool) -> Generation:
    with connection.transaction():
        connection.execute(statement(TOPIC, "set_lock_timeout"), {"timeout": LOCK_TIMEOUT})
        values = {"relation": relation, "name": name, "force": force}
        return read_one(connection, Generation, statement(TOPIC, call), values)
