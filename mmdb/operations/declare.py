"""Embeddings of a table: declared, found and dropped. Their indexes are built by `operations.indexes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmdb.database.rows import Connection, read_all, read_one
from mmdb.database.statements import statement

TOPIC = "declare"
OPTIONS = ("model", "modality", "name", "prefix", "weights", "on_change", "quantization")
"""What may be said of an embedding besides its table and sources; None, or left out, is the default."""
DEFAULTED = ("model", "modality", "prefix", "on_change", "quantization")
"""Options that agree with any declaration where they are left out: their default depends on the table."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """An embedding that serves searches, as it was declared, and the function that searches by it."""

    id: int
    name: str
    sources: list[str]
    weights: list[float] | None
    model: str
    modality: str
    prefix: str
    on_change: str
    quantization: str | None
    schema: str
    function: str


@dataclass(frozen=True, slots=True)
class Declared:
    """The name of an embedding that was asked for, and the function that searches by it."""

    name: str
    schema: str
    function: str
    is_new: bool = True
    """False where an earlier call declared it in the same way."""


def declare(
    connection: Connection, relation: str, sources: Sequence[str], options: Mapping[str, Any] | None = None
) -> Declared:
    """Declare an embedding of `sources` without its indexes, unless an earlier call did so; `options` are OPTIONS.

    Where an embedding of that name differs, the database refuses it and says how.
    """
    wanted = {**dict.fromkeys(OPTIONS), **(options or {}), "relation": relation, "sources": list(sources)}
    earlier = _earlier(connection, wanted)
    if earlier is not None:
        return Declared(earlier.name, earlier.schema, earlier.function, is_new=False)
    return read_one(connection, Declared, statement(TOPIC, "add_embedding"), wanted)


def _earlier(connection: Connection, wanted: Mapping[str, Any]) -> Embedding | None:
    """The embedding that an earlier call declared in the same way."""
    name = wanted["name"] or "_".join(wanted["sources"])
    found = [each for each in embeddings_of(connection, wanted["relation"]) if each.name == name]
    return next((each for each in found if _is_as_wanted(each, wanted)), None)


def _is_as_wanted(there: Embedding, wanted: Mapping[str, Any]) -> bool:
    options_agree = all(wanted[key] in (None, getattr(there, key)) for key in DEFAULTED)
    return options_agree and all(wanted[key] == getattr(there, key) for key in ("sources", "weights"))


def embeddings_of(connection: Connection, relation: str) -> list[Embedding]:
    """The embeddings of a table, without the generations that wait beside them."""
    return read_all(connection, Embedding, statement(TOPIC, "embeddings_of"), {"relation": relation})


def drop(connection: Connection, relation: str, name: str) -> None:
    """Remove an embedding with its column, trigger, indexes and functions."""
    connection.execute(statement(TOPIC, "drop_embedding"), {"relation": relation, "name": name})
