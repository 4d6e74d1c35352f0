"""The type of an embedding column: pgvector's halfvec in the database, a float32 array in Python.

A parameter is always sent with a cast, and through psycopg in binary: a vector of 512 numbers as text costs the server
0.65 ms to read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector, Vector
from pgvector.sqlalchemy import HALFVEC
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import Dialect

from mmdb.errors import QueryError

Vec: TypeAlias = NDArray[np.float32]
"""The value of an embedding: shape (dimensions,)."""

LARGEST = 65504.0
"""The largest number of half precision."""


class BinaryHalfVector(HalfVector):
    """A parameter of a statement through psycopg, whether or not pgvector's types are registered on its connection."""


class _BinaryHalfVectorDumper(Dumper):
    """Without the type's number, which differs from database to database: the cast beside the parameter tells it."""

    format = Format.BINARY

    def dump(self, obj: BinaryHalfVector) -> bytes:
        return obj.to_binary()


psycopg.adapters.register_dumper(BinaryHalfVector, _BinaryHalfVectorDumper)


class Embedding(HALFVEC):
    """`halfvec(dimensions)`; values are float32 arrays of shape (dimensions,), or None."""

    cache_ok = True
    render_bind_cast = True
    __visit_name__ = "user_defined"

    def __init__(self, dimensions: int) -> None:
        super().__init__(dimensions)
        self.dimensions = dimensions

    @property
    def python_type(self) -> type[Any]:
        return np.ndarray

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        binary = dialect.driver in ("psycopg", "psycopg_async")

        def process(value: Any) -> BinaryHalfVector | str | None:
            if value is None:
                return None
            vector = as_vector(value, self.dimensions)
            return BinaryHalfVector(vector) if binary else HalfVector(vector).to_text()

        return process

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        return lambda value: f"'{HalfVector(as_vector(value, self.dimensions)).to_text()}'"

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Vec | None]:
        return _from_database


def as_vector(value: Any, dimensions: int) -> Vec:
    """`value`, an array, a sequence of numbers or one of pgvector's vectors, as float32 of shape (dimensions,).

    Raises QueryError for another width, for what is no vector, for numbers that halfvec cannot hold, and for a vector
    that is zero in halfvec: it has no direction, and no distance from any other.
    """
    if isinstance(value, HalfVector | Vector):
        value = value.to_list()
    try:
        vector = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise QueryError(f"a value of type {type(value).__name__} is no vector", hint="give numbers") from error
    if vector.shape != (dimensions,):
        raise QueryError(
            f"a vector of shape {vector.shape} does not fit an embedding of {dimensions} dimensions",
            hint="vectors are compared with vectors of the same model",
        )
    if not (np.abs(vector) <= LARGEST).all():  # nor is NaN
        raise QueryError(f"the vector has numbers that are not finite, or too large for halfvec ({LARGEST:.0f})")
    if not vector.astype(np.float16).any():
        raise QueryError(
            "all of the vector is zero", hint="no model makes one: leave it out, and a worker embeds the row"
        )
    return vector


def _from_database(value: Any) -> Vec | None:
    """What drivers return: text, or pgvector's vectors where its types are registered on the connection."""
    if value is None:
        return None
    if isinstance(value, str):
        return np.fromstring(value[1:-1], dtype=np.float32, sep=",")
    if isinstance(value, HalfVector | Vector):
        return value.to_numpy().astype(np.float32)
    return np.asarray(value, dtype=np.float32)
