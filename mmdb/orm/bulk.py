"""Bulk loads: rows with vectors that the caller has made already, by COPY in binary.

`session.execute(insert(Product), rows)` takes vectors too; COPY takes them an order of magnitude faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from pgvector import HalfVector
from psycopg import sql
from sqlalchemy import Connection, Table
from sqlalchemy.orm import Session, scoped_session

from mmdb.database.driver import psycopg_connection
from mmdb.database.statements import statements
from mmdb.database.types import register_types
from mmdb.errors import QueryError
from mmdb.orm.declared import mapped_embedding
from mmdb.orm.types import as_vector

HINT = "create_engine('postgresql+psycopg://…'); asynchronously: session.execute(insert(…), rows)"


def copy_rows(
    connection: Connection | Session | scoped_session[Session],
    entity: type[Any] | Table,
    rows: Iterable[Mapping[str, Any]],
) -> int:
    """COPY `rows`, mappings of attribute (or column) to value, all with the keys of the first; returns how many.

    An embedding may be among them, as an array of its width; rows that come without one are pending. Inside the
    transaction of `connection`, which must be psycopg's and not an asynchronous one. Values are sent as they are: they
    pass no type of SQLAlchemy's.

    Raises QueryError for an unknown attribute, a missing one, or a vector of another width.
    """
    raw = psycopg_connection(connection, "copy_rows", hint=HINT)
    register_types(raw)
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return 0
    columns = _columns(entity, first)
    return _copy(raw, columns, first, remaining)


def _columns(entity: type[Any] | Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """The column of each key of a row."""
    by_key = dict(entity.columns) if isinstance(entity, Table) else dict(entity.__mapper__.columns)
    for key in row:
        if key not in by_key:
            name = entity.name if isinstance(entity, Table) else entity.__name__
            raise QueryError(f'"{name}" has no attribute "{key}"', hint=f"it has: {', '.join(by_key)}")
    return {key: by_key[key] for key in row}


def _copy(
    raw: psycopg.Connection[Any],
    columns: Mapping[str, Any],
    first: Mapping[str, Any],
    remaining: Iterable[Mapping[str, Any]],
) -> int:
    table = next(iter(columns.values())).table
    names = [table.schema, table.name] if table.schema else [table.name]
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(*names), sql.SQL(", ").join(sql.Identifier(column.name) for column in columns.values())
    )
    types = _types(raw, sql.Identifier(*names).as_string(raw), columns)
    with raw.cursor() as cursor, cursor.copy(statement) as target:
        target.set_types(types)
        target.write_row(_values(first, columns))
        count = 1
        for row in remaining:
            target.write_row(_values(row, columns))
            count += 1
    return count


def _types(raw: psycopg.Connection[Any], table: str, columns: Mapping[str, Any]) -> list[int]:
    """The numbers of the columns' types, which binary COPY leaves to the client."""
    with raw.cursor() as cursor:
        cursor.execute(sql.SQL(statements("orm")["column_types"]), {"relation": table})
        types = dict(cursor.fetchall())
    return [types[column.name] for column in columns.values()]


def _values(row: Mapping[str, Any], columns: Mapping[str, Any]) -> list[Any]:
    if row.keys() != columns.keys():
        odd = ", ".join(sorted(map(str, row.keys() ^ columns.keys())))
        raise QueryError(f"a row differs from the first one in: {odd}", hint="give every row the same keys")
    return [_value(row[key], column) for key, column in columns.items()]


def _value(value: Any, column: Any) -> Any:
    mapped = mapped_embedding(column)
    if mapped is None or value is None:
        return value
    return HalfVector(as_vector(value, mapped.dimensions))
