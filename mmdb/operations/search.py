"""Searching a table by one of its search views, as something to show: rows with the columns that can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed, Identifier

from mmdb.database.rows import Connection, read_all
from mmdb.database.statements import statement
from mmdb.errors import MmdbError
from mmdb.operations.declare import Embedding, embeddings_of

TOPIC = "search"
HIDDEN = ["bytea", "vector", "halfvec", "sparsevec"]
"""Types of columns that nobody reads."""


class SearchError(MmdbError):
    """The table cannot be searched in this way."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Found:
    """The rows nearest to a query, nearest first, and the names of their columns, the distance last."""

    columns: list[str]
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Explained:
    """How a statement searches by one embedding, and what to write instead where that could be better."""

    relation: str
    name: str
    searched: str
    vector: str
    advice: str | None


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    hidden: bool


def search(
    connection: Connection,
    relation: str,
    query: str | bytes,
    *,
    where: str | None = None,
    k: int = 10,
    embedding: str | None = None,
) -> Found:
    """The `k` rows nearest to a text, or to a picture as bytes; `embedding` may be left out where there is one.

    `where` is SQL of the connection's own user, never of a stranger: it runs as it stands. Nothing is written, whatever
    it calls: the transaction, or the savepoint in the caller's, is read-only, and is rolled back.

    Raises SearchError for an embedding that is not there, or that takes no such query.
    """
    # Before PostgreSQL 16 a read-only transaction writes large objects all the same.
    with connection.transaction(force_rollback=True):
        connection.execute(statement(TOPIC, "set_read_only"), {})
        view = _embedding(connection, relation, embedding)
        columns = _columns(connection, relation, view, "text" if isinstance(query, str) else "bytea")
        with connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(_statement(view, columns, query, where), {"query": query, "k": k})
            return Found(columns, cursor.fetchall())


def explain(connection: Connection, select: str) -> list[Explained]:
    """How a SELECT searches, which is planned with the rights of the connection's user and not run."""
    return read_all(connection, Explained, statement(TOPIC, "explain"), {"statement": select})


def _embedding(connection: Connection, relation: str, name: str | None) -> Embedding:
    """The embedding to search by: the one that is named, else the only one."""
    found = embeddings_of(connection, relation)
    chosen = [each for each in found if name in (None, each.name)]
    names = ", ".join(each.name for each in found)
    if not found:
        raise SearchError(f'table "{relation}" has no embedding', hint=f"declare one: `mmdb add {relation} COLUMN`")
    if not chosen:
        raise SearchError(f'table "{relation}" has no embedding "{name}"', hint=f"it has: {names}")
    if len(chosen) > 1:
        raise SearchError(f'table "{relation}" has several embeddings', hint=f"choose with --embedding: {names}")
    return chosen[0]


def _columns(connection: Connection, relation: str, view: Embedding, argument: str) -> list[str]:
    """What the search view returns, the distance last, without what cannot be read."""
    values = {"schema": view.schema, "function": view.function, "argument": argument, "hidden": HIDDEN}
    found = read_all(connection, _Column, statement(TOPIC, "search_columns"), values)
    if not found:
        kind = "text" if argument == "text" else "picture"
        raise SearchError(
            f'embedding "{view.name}" of table "{relation}" takes no {kind} as a query',
            hint=f"`mmdb models` shows what its model takes; `mmdb status` whether {relation} has drifted",
        )
    return [column.name for column in found if not column.hidden]


def _statement(view: Embedding, columns: list[str], query: str | bytes, where: str | None) -> Composed:
    # The user's own SQL, on a line of its own, since it may end in a comment.
    condition = SQL(f"(\n{where}\n)" if where else "true")
    return statement(
        TOPIC,
        "search",
        columns=SQL(", ").join(map(Identifier, columns)),
        function=Identifier(view.schema, view.function),
        kind="text" if isinstance(query, str) else "bytea",
        condition=condition,
        distance=columns[-1],
    )
