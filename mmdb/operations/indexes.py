"""The indexes of an embedding, built while others write to its table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias

from mmdb.database.rows import Connection, read_values
from mmdb.database.statements import statement

TOPIC = "indexes"

Around: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Entered with each statement while that runs, which may take hours."""


def build_indexes(connection: Connection, relation: str, name: str, around: Around = nullcontext) -> list[str]:
    """Build what is missing, or half made; the statements that it took.

    One statement at a time, on a connection in autocommit: CONCURRENTLY runs in no transaction.
    """
    values = {"relation": relation, "name": name}
    needed: list[str] = read_values(connection, statement(TOPIC, "index_statements"), values)
    for text in needed:
        with around(text):
            connection.execute(text.encode())
    return needed
