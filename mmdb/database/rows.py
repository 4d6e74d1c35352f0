"""Answers of the database as values: each row by the names of its columns, whatever the connection's own rows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row, scalar_row
from psycopg.sql import Composed

Kind = TypeVar("Kind")
Connection = psycopg.Connection[Any]
Statement = bytes | Composed


def read_all(connection: Connection, kind: type[Kind], query: Statement, values: Mapping[str, object]) -> list[Kind]:
    """Every row as a `kind`, a dataclass with the columns as its fields."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, values).fetchall()


def read_one(connection: Connection, kind: type[Kind], query: Statement, values: Mapping[str, object]) -> Kind:
    """The row of a statement that always has one."""
    (row,) = read_all(connection, kind, query, values)
    return row


def read_values(connection: Connection, query: Statement, values: Mapping[str, object]) -> list[Any]:
    """The first column of every row."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query, values).fetchall()
