"""How Alembic compares indexes and writes types on PostgreSQL, taught pgvector's.

Alembic takes the class that was defined last for a dialect, so defining this one is all there is to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from alembic.autogenerate.api import AutogenContext
from alembic.ddl._autogen import ComparisonResult
from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import Column, Connection, Index, text
from sqlalchemy.types import TypeEngine

from mmdb.database.statements import statements
from mmdb.orm.declared import mapped_embedding
from mmdb.orm.indexes import HnswIndex, as_postgresql_says, hnsw_index, is_hnsw, read_index, table_of

TOPIC = "orm"
Place: TypeAlias = tuple[str | None, str]
"""Schema (None for the default one) and name of a table."""


class MmdbPostgresqlImpl(PostgresqlImpl):
    """PostgreSQL with HNSW indexes and mmdb's partial ones."""

    __dialect__ = "postgresql"

    def compare_indexes(self, metadata_index: Index, reflected_index: Index) -> ComparisonResult:
        """HNSW indexes in PostgreSQL's own words, operator class and parameters included."""
        if not (is_hnsw(metadata_index) and is_hnsw(reflected_index)) or self.connection is None:
            return super().compare_indexes(metadata_index, reflected_index)
        wanted, found = self._both(metadata_index, reflected_index)
        if wanted is None or found is None:
            return super().compare_indexes(metadata_index, reflected_index)
        if wanted.meaning == found.meaning:
            return ComparisonResult.Equal()
        return ComparisonResult.Different(f"{found.meaning} to {wanted.meaning}")

    def _both(self, metadata_index: Index, reflected_index: Index) -> tuple[HnswIndex | None, HnswIndex | None]:
        assert self.connection is not None
        table = table_of(reflected_index)
        found = read_index(self.connection, str(reflected_index.name), table.name, table.schema)
        return as_postgresql_says(self.connection, hnsw_index(metadata_index, self.dialect)), found

    def correct_for_autogen_constraints(
        self,
        conn_unique_constraints: Any,
        conn_indexes: set[Index],
        metadata_unique_constraints: Any,
        metadata_indexes: set[Index],
    ) -> None:
        """Leave out what mmdb made for itself, and an embedding's index that only its name tells apart."""
        super().correct_for_autogen_constraints(  # type: ignore[no-untyped-call]
            conn_unique_constraints, conn_indexes, metadata_unique_constraints, metadata_indexes
        )
        if self.connection is not None and conn_indexes:
            own = own_indexes(self.connection)
            for index in [index for index in conn_indexes if _key(index, self.dialect) in own]:
                conn_indexes.remove(index)
            self._match_by_column(conn_indexes, metadata_indexes)

    def _match_by_column(self, conn_indexes: set[Index], metadata_indexes: set[Index]) -> None:
        """After a table was renamed its indexes have their former names; to build them again would take hours."""
        names = {index.name for index in conn_indexes}
        for wanted in [index for index in metadata_indexes if _is_of_embedding(index) and index.name not in names]:
            column = next(iter(wanted.columns)).name
            for found in [index for index in conn_indexes if is_hnsw(index) and _column_names(index) == [column]]:
                if self.compare_indexes(wanted, found).is_equal:
                    metadata_indexes.discard(wanted)
                    conn_indexes.discard(found)

    def render_type(self, type_: TypeEngine[Any], autogen_context: AutogenContext) -> Any:
        """pgvector's types with the import that they need."""
        if type(type_).__module__.startswith("pgvector.sqlalchemy"):
            autogen_context.imports.add("import pgvector.sqlalchemy")
            return f"pgvector.sqlalchemy.{type_!r}"
        if type(type_).__module__ == "mmdb.orm.types":
            autogen_context.imports.add("import pgvector.sqlalchemy")
            return f"pgvector.sqlalchemy.HALFVEC({type_.dim})"  # type: ignore[attr-defined]
        return super().render_type(type_, autogen_context)


def own_indexes(connection: Connection) -> set[tuple[str, str]]:
    """Schema and name of the indexes that mmdb made for itself."""
    return {(row.schema, row.name) for row in _ask(connection, "own_indexes")}


def own_columns(connection: Connection) -> Iterable[Any]:
    """Schema, table and name of the columns that mmdb made for itself."""
    return _ask(connection, "own_columns")


def declarations(connection: Connection) -> Iterable[Any]:
    """What is declared in the database; nothing where mmdb is not installed."""
    return _ask(connection, "declarations")


def out_of_date(connection: Connection) -> Iterable[Any]:
    """Schema and name of the tables whose functions no longer fit them."""
    return _ask(connection, "out_of_date")


def keywords(connection: Connection) -> Iterable[Any]:
    """The words that are searched, by table, with the columns that their index has now."""
    return _ask(connection, "keywords")


def generations(connection: Connection) -> Iterable[Any]:
    """Schema, table and name of the embeddings whose model is being changed, with the model that waits."""
    return _ask(connection, "generations")


def place_of(row: Any, default: str | None) -> Place:
    return None if row.schema == default else row.schema, row.relation_name


def _ask(connection: Connection, name: str) -> Iterable[Any]:
    if not connection.scalar(text(statements(TOPIC)["has_mmdb"])):
        return []
    return connection.execute(text(statements(TOPIC)[name])).all()


def _key(index: Index, dialect: Any) -> tuple[str, str]:
    return table_of(index).schema or dialect.default_schema_name, str(index.name)


def _is_of_embedding(index: Index) -> bool:
    columns = list(index.expressions)
    return (
        is_hnsw(index)
        and len(columns) == 1
        and isinstance(columns[0], Column)
        and mapped_embedding(columns[0]) is not None
    )


def _column_names(index: Index) -> list[str]:
    return [column.name for column in index.expressions if isinstance(column, Column)]
