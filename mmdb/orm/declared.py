"""What a column says of its embedding: the note in its `info`, which copies of the column carry along. And what a
table says of its words.

The notes are made where they are declared (orm/columns.py, orm/keywords.py) and read by the DDL (orm/ddl.py), by
queries (orm/search.py, orm/hybrid.py) and by Alembic (orm/alembic).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Table

from mmdb.declaration import Declaration

INFO = "mmdb"
SUFFIX = "_embedding"
OPERATORS = {"cosine": "<=>", "l2": "<->", "inner_product": "<#>"}
OPERATOR_CLASSES = {"cosine": "halfvec_cosine_ops", "l2": "halfvec_l2_ops", "inner_product": "halfvec_ip_ops"}
NAME_LIMIT = 63
"""Bytes of a name in PostgreSQL."""


@dataclass(frozen=True)
class MappedEmbedding:
    """A declaration, model and distance included, and what of its model an application has to know without asking."""

    declaration: Declaration
    dimensions: int
    modalities: frozenset[str] | None
    """What a query may be; None where only the database knows."""

    @property
    def model(self) -> str:
        return self.declaration.model or ""

    @property
    def operator(self) -> str:
        """pgvector's operator of the distance."""
        return OPERATORS[self.declaration.distance or ""]

    @property
    def operator_class(self) -> str:
        return "bit_hamming_ops" if self.is_quantized else OPERATOR_CLASSES[self.declaration.distance or ""]

    @property
    def is_indexed(self) -> bool:
        return self._index_options.get("type") != "none"

    @property
    def is_quantized(self) -> bool:
        """Whether the index has the signs of the numbers alone."""
        return self._index_options.get("quantization") is not None

    @property
    def index_parameters(self) -> dict[str, Any]:
        """What pgvector is told of the index."""
        return {name: value for name, value in self._index_options.items() if name not in ("type", "quantization")}

    @property
    def _index_options(self) -> dict[str, Any]:
        return dict(self.declaration.index_options or {})

    def with_options(self, **options: Any) -> MappedEmbedding:
        """Declared with other options."""
        return replace(self, declaration=replace(self.declaration, **options))


def mapped_embedding(column: Column[Any]) -> MappedEmbedding | None:
    """What a column says of its embedding, None for one that is none."""
    found = column.info.get(INFO)
    return found if isinstance(found, MappedEmbedding) else None


def embeddings_of(table: Table) -> list[tuple[Column[Any], MappedEmbedding]]:
    """The embedding columns of a table."""
    pairs = ((column, mapped_embedding(column)) for column in table.columns)
    return [(column, mapped) for column, mapped in pairs if mapped is not None]


@dataclass(frozen=True)
class Words:
    """Columns that are searched by words, as `mmdb.add_keywords` takes them."""

    columns: tuple[str, ...]
    """Names of columns. Of a mapped class's attributes, until it is mapped."""
    language: str = "simple"
    name: str = "keywords"


_WORDS: WeakKeyDictionary[Table, list[Words]] = WeakKeyDictionary()
"""Not in the table's `info`, which Alembic writes into `op.create_table`."""


def keywords_of(table: Table) -> list[Words]:
    """The words that a table says are searched."""
    return list(_WORDS.get(table, []))


def set_keywords(table: Table, words: list[Words]) -> None:
    """Note what of a table is searched by words."""
    _WORDS[table] = words


def embedding_name(column: Column[Any]) -> str:
    """The name by which the database knows the embedding."""
    return column.name.removesuffix(SUFFIX)


def index_name(column: Column[Any]) -> str:
    """The name of the column's HNSW index: the one that mmdb.add_embedding would give it."""
    mapped = mapped_embedding(column)
    prefix = (mapped.declaration.prefix if mapped else None) or column.table.name
    name = f"{prefix}_{embedding_name(column)}_hnsw"
    if len(name.encode()) <= NAME_LIMIT:
        return name
    tail = "_" + hashlib.sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: NAME_LIMIT - len(tail)].decode(errors="ignore") + tail
