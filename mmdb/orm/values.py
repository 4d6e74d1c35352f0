"""What one may search for, as SQL: a text, a picture, a vector, a row like which others are wanted, or an expression.

A text or picture becomes a parameter of mmdb.embed_for, or, where the application has loaded the model, a vector.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from pgvector import HalfVector, Vector
from pgvector.sqlalchemy import HALFVEC, VECTOR
from PIL import Image
from sqlalchemy import ColumnElement, LargeBinary, String, Table, bindparam, inspect, select
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import InstanceState

from mmdb.errors import MediaError, QueryError
from mmdb.media.kinds import is_blank, item_of
from mmdb.models.embed.base import Embedder, Item
from mmdb.orm.declared import INFO, MappedEmbedding
from mmdb.orm.types import Embedding, as_vector

Query: TypeAlias = object
"""A text, the bytes of a picture, its path, a PIL picture, a vector, an SQL expression, or an instance of a class."""

HINT = "give a text, the bytes, path or PIL image of a picture, a vector, an instance, or an SQL expression"


def query_expression(
    query: Query, mapped: MappedEmbedding, column: Any, embedder: Embedder | None, where: str
) -> ColumnElement[Any]:
    """`query` as an expression of type text, bytea, or the embedding's own. Raises QueryError and MediaError."""
    # An empty text has no vector; the statement finds no rows by it.
    if embedder is not None and isinstance(query, str | bytes | os.PathLike | Image.Image) and not is_blank(query):
        return _embedded(query, mapped, embedder, where)
    if isinstance(query, str):
        _check_modality(mapped, "text", where)
        return bindparam(None, query, type_=String(), unique=True)
    if isinstance(query, bytes | os.PathLike | Image.Image):
        _check_modality(mapped, "image", where)
        return bindparam(None, picture(query), type_=LargeBinary(), unique=True)
    expression = _expression(query)
    if expression is not None:
        return _checked_expression(expression, mapped, where)
    state = _instance_state(query)
    if state is not None:
        return _like(state, column, mapped, where)
    return _vector(query, mapped, where)


def _check_modality(mapped: MappedEmbedding, modality: str, where: str) -> None:
    if mapped.modalities is not None and modality not in mapped.modalities:
        raise QueryError(
            f'{where}: model "{mapped.model}" does not embed modality "{modality}"',
            hint=f"it embeds: {', '.join(sorted(mapped.modalities))}",
        )


def picture(query: bytes | os.PathLike[str] | Image.Image) -> bytes:
    """The bytes of a picture. Raises MediaError where the file cannot be read."""
    if isinstance(query, bytes):
        return query
    if isinstance(query, Image.Image):
        buffer = io.BytesIO()
        query.save(buffer, "PNG")
        return buffer.getvalue()
    try:
        return Path(query).read_bytes()
    except OSError as error:
        raise MediaError(f'"{query}" cannot be read: {error.strerror}', hint="give the path of a picture") from error


def _embedded(
    query: str | bytes | os.PathLike[str] | Image.Image, mapped: MappedEmbedding, embedder: Embedder, where: str
) -> ColumnElement[Any]:
    """The vector, made here and now by the application's own model."""
    if embedder.dimensions != mapped.dimensions:
        raise QueryError(
            f"{where}: the embedder makes {embedder.dimensions} dimensions, expected {mapped.dimensions}",
            hint=f'give the model of the embedding: mmdb.load_model("{mapped.model}")',
        )
    item: Item = query if isinstance(query, str | Image.Image) else item_of(picture(query))
    return _bound(embedder.embed([item], "query")[0], mapped)


def _vector(query: Any, mapped: MappedEmbedding, where: str) -> ColumnElement[Any]:
    if not isinstance(query, np.ndarray | Sequence | HalfVector | Vector):
        raise QueryError(f'{where}: a value of type "{type(query).__name__}" cannot be searched for', hint=HINT)
    try:
        return _bound(as_vector(query, mapped.dimensions), mapped)
    except QueryError as error:
        raise QueryError(f"{where}: {error.message}", hint=error.hint) from error


def _bound(vector: Any, mapped: MappedEmbedding) -> ColumnElement[Any]:
    return bindparam(None, vector, type_=Embedding(mapped.dimensions), unique=True)


def _expression(query: Any) -> ColumnElement[Any] | None:
    if hasattr(query, "__clause_element__"):
        query = query.__clause_element__()
    if hasattr(query, "scalar_subquery"):
        query = query.scalar_subquery()
    return query if isinstance(query, ColumnElement) else None


def _checked_expression(expression: ColumnElement[Any], mapped: MappedEmbedding, where: str) -> ColumnElement[Any]:
    kind = expression.type
    if isinstance(kind, String):
        _check_modality(mapped, "text", where)
    elif isinstance(kind, LargeBinary):
        _check_modality(mapped, "image", where)
    elif isinstance(kind, HALFVEC | VECTOR):
        if kind.dim not in (None, mapped.dimensions):
            raise QueryError(
                f"{where}: an expression of {kind.dim} dimensions cannot be compared with {mapped.dimensions}",
                hint="vectors are compared with vectors of the same model",
            )
        _check_model(expression, mapped, where)
    else:
        raise QueryError(
            f'{where}: an SQL expression of type "{kind}" cannot be searched for',
            hint="it must be of type text, bytea or halfvec: sqlalchemy.cast(…, Text) says which",
        )
    return expression


def _check_model(expression: ColumnElement[Any], mapped: MappedEmbedding, where: str) -> None:
    """Two embeddings can be compared where one model made both."""
    for base in getattr(expression, "base_columns", ()):
        other = getattr(base, "info", {}).get(INFO)
        if isinstance(other, MappedEmbedding) and other.model != mapped.model:
            raise QueryError(
                f'{where}: vectors of model "{mapped.model}" and "{other.model}" cannot be compared',
                hint="search with the text or picture itself",
            )


def _instance_state(query: Any) -> InstanceState[Any] | None:
    try:
        state = inspect(query)
    except NoInspectionAvailable:
        return None
    return state if isinstance(state, InstanceState) else None


def _like(state: InstanceState[Any], column: Any, mapped: MappedEmbedding, where: str) -> ColumnElement[Any]:
    """The embedding of a row that is in the database, read when the statement runs."""
    own = _own_embedding(state, column, mapped, where)
    if state.identity is None:
        raise QueryError(
            f'{where}: this instance of "{state.class_.__name__}" is not in the database',
            hint="commit it first, and wait until it is embedded: mmdb.orm.wait_until_embedded",
        )
    other = own.table.alias()
    key = dict(zip(state.mapper.primary_key, state.identity, strict=True))
    found = select(other.c[own.key])
    for key_column, value in key.items():
        found = found.where(other.c[same_column(own.table, key_column).key] == value)
    return found.scalar_subquery()


def same_column(table: Table, key_column: Any) -> Any:
    """The key column of `table` that has the value of `key_column`: the same, or in joined inheritance its own."""
    if key_column.table is table:
        return key_column
    for own in table.primary_key.columns:
        if own.references(key_column) or own.name == key_column.name:
            return own
    raise QueryError(f'table "{table.name}" has no column for key "{key_column.name}"')


def _own_embedding(state: InstanceState[Any], column: Any, mapped: MappedEmbedding, where: str) -> Any:
    """Of the instance's class the very column that is searched, else the only one by the same model."""
    columns = [own for own in state.mapper.columns if isinstance(own.info.get(INFO), MappedEmbedding)]
    for own in columns:
        if own in column.base_columns:
            return own
    alike = [own for own in columns if own.info[INFO].model == mapped.model]
    if len(alike) != 1:
        raise QueryError(
            f'{where}: class "{state.class_.__name__}" has {len(alike) or "no"} embeddings by model "{mapped.model}"',
            hint="give the column: select(Class.…_embedding).where(…)",
        )
    return alike[0]
