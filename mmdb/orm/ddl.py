"""`metadata.create_all()` and `drop_all()`: a table with embeddings declares them, and takes them back.

The statements are plain calls of mmdb's SQL functions with literals in them, so that Alembic can
write them to a script.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, event, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.compiler import DDLCompiler

from mmdb.errors import InstallError

if TYPE_CHECKING:
    from mmdb.orm.columns import Declaration

IS_INSTALLED = "select to_regproc('mmdb.drop_embedding') is not null"


class AddEmbedding(ExecutableDDLElement):
    """`select mmdb.add_embedding(…)` on `table`. What is None is left to the function's own default."""

    inherit_cache = False

    def __init__(self, table: Table, sources: Sequence[str], options: dict[str, Any]) -> None:
        self.table = table
        self.sources = tuple(sources)
        self.arguments = options


class DropEmbedding(ExecutableDDLElement):
    """`select mmdb.drop_embedding(…)` on `table`."""

    inherit_cache = False

    def __init__(self, table: Table, name: str, *, if_exists: bool = False) -> None:
        self.table = table
        self.name = name
        self.if_exists = if_exists


class RefreshEmbeddings(ExecutableDDLElement):
    """`select mmdb.refresh(…)` on `table`."""

    inherit_cache = False

    def __init__(self, table: Table) -> None:
        self.table = table


def add_options(name: str, declaration: Declaration) -> dict[str, Any]:
    """The named arguments of mmdb.add_embedding for a declared column."""
    return {
        "model": declaration.model,
        "modality": declaration.modality,
        "name": name,
        "prefix": declaration.prefix,
        "index_options": (dict(declaration.index_options) or None) if declaration.index else {"type": "none"},
        "distance": declaration.distance,
        "weights": declaration.weights,
        "on_change": None if declaration.on_change == "unset" else declaration.on_change,
    }


@compiles(AddEmbedding, "postgresql")
def _compile_add(element: AddEmbedding, compiler: DDLCompiler, **_: Any) -> str:
    named = {key: value for key, value in element.arguments.items() if value is not None}
    options = "".join(f", {key} => {literal(value, compiler)}" for key, value in named.items())
    sources = ", ".join(literal(source, compiler) for source in element.sources)
    # Of its columns: a driver may not know how to read a row as one value.
    arguments = f"{relation(element.table, compiler)}, ARRAY[{sources}]{options}"
    return f"SELECT name FROM mmdb.add_embedding({arguments})"  # noqa: S608 - of quoted literals


@compiles(DropEmbedding, "postgresql")
def _compile_drop(element: DropEmbedding, compiler: DDLCompiler, **_: Any) -> str:
    tail = ", if_exists => true" if element.if_exists else ""
    return f"SELECT mmdb.drop_embedding({relation(element.table, compiler)}, {literal(element.name, compiler)}{tail})"


@compiles(RefreshEmbeddings, "postgresql")
def _compile_refresh(element: RefreshEmbeddings, compiler: DDLCompiler, **_: Any) -> str:
    return f"SELECT name FROM mmdb.refresh({relation(element.table, compiler)})"  # noqa: S608 - a quoted literal


def relation(table: Table, compiler: Any) -> str:
    """The table as a regclass literal."""
    return f"{quoted(compiler.preparer.format_table(table))}::regclass"


def literal(value: Any, compiler: Any) -> str:
    """A string, boolean, numbers or JSON object as SQL; "%" is doubled where the driver wants it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        value = "{" + ",".join(map(repr, value)) + "}"
    written = json.dumps(value) if isinstance(value, dict) else str(value)
    doubled = written.replace("%", "%%") if compiler.preparer._double_percents else written
    return quoted(doubled)


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def listen_for_ddl(table: Table) -> None:
    """Have CREATE TABLE declare the embeddings of `table`, and DROP TABLE take them back first."""
    if not event.contains(table, "after_create", _declare):
        event.listen(table, "before_create", _check_installed)
        event.listen(table, "after_create", _declare)
        event.listen(table, "before_drop", _take_back)


def _check_installed(_table: Table, connection: Any, **_: Any) -> None:
    if not _is_postgresql(connection) or not isinstance(connection, Connection):  # a mock engine only writes SQL
        return
    if not connection.scalar(text(IS_INSTALLED)):
        raise InstallError(
            f'mmdb is not installed in database "{connection.engine.url.database}"', hint="run `mmdb init` on it"
        )


def _declare(table: Table, connection: Any, **_: Any) -> None:
    from mmdb.orm.columns import embedding_name, embeddings_of

    if _is_postgresql(connection):
        for column, declaration in embeddings_of(table):
            options = add_options(embedding_name(column), declaration)
            connection.execute(AddEmbedding(table, declaration.sources, options))


def _take_back(table: Table, connection: Any, **_: Any) -> None:
    from mmdb.orm.columns import embedding_name, embeddings_of

    installed = not isinstance(connection, Connection) or (
        _is_postgresql(connection) and connection.scalar(text(IS_INSTALLED))
    )
    if _is_postgresql(connection) and installed:
        for column, _declaration in embeddings_of(table):
            connection.execute(DropEmbedding(table, embedding_name(column), if_exists=True))


def _is_postgresql(connection: Any) -> bool:
    return str(connection.dialect.name) == "postgresql"
