"""Embeddings of a table: declared, found and dropped. Their indexes are built by `operations.indexes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmdb.database.rows import Connection, read_all, read_one
from mmdb.database.statements import statement
from mmdb.declaration import Declaration

TOPIC = "declare"


@dataclass(frozen=True, slots=True)
class Embedding:
    """An embedding that serves searches, and the function that searches by it."""

    name: str
    schema: str
    function: str
    declaration: dict[str, Any]
    """What it was declared with, every option."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The name of an embedding that was asked for, and the function that searches by it."""

    name: str
    schema: str
    function: str
    is_new: bool = True
    """False where an earlier call declared it in the same way."""


def declare(connection: Connection, relation: str, wanted: Declaration) -> Declared:
    """Declare an embedding without its indexes, unless an earlier call did so.

    Where an embedding of that name differs, the database refuses it and says how.
    """
    for there in embeddings_of(connection, relation):
        if there.name == wanted.called and not wanted.differences(Declaration.from_json(there.declaration)):
            return Declared(there.name, there.schema, there.function, is_new=False)
    values = {"relation": relation, "declaration": wanted.to_json()}
    return read_one(connection, Declared, statement(TOPIC, "add_embedding"), values)


def embeddings_of(connection: Connection, relation: str) -> list[Embedding]:
    """The embeddings of a table, without the generations that wait beside them."""
    return read_all(connection, Embedding, statement(TOPIC, "embeddings_of"), {"relation": relation})


def drop(connection: Connection, relation: str, name: str) -> None:
    """Remove an embedding with its column, trigger, indexes and functions."""
    connection.execute(statement(TOPIC, "drop_embedding"), {"relation": relation, "name": name})
