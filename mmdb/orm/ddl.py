"""`metadata.create_all()` and `drop_all()`: a table with embeddings declares them, its words with them, and
takes them back.

The statements are plain calls of mmdb's SQL functions with literals in them, so that Alembic can
write them to a script.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, event, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.compiler import DDLCompiler

from mmdb.declaration import Declaration
from mmdb.errors import InstallError
from mmdb.orm.declared import Words, embedding_name, embeddings_of, keywords_of

IS_INSTALLED = "select to_regproc('mmdb.drop_embedding') is not null"


class OnTable(ExecutableDDLElement):
    """A call of one of mmdb's functions on `table`."""

    inherit_cache = False

    def __init__(self, table: Table) -> None:
        self.table = table


class DropNamed(OnTable):
    """A call that takes away what `name` is declared as on `table`."""

    def __init__(self, table: Table, name: str, *, if_exists: bool = False) -> None:
        super().__init__(table)
        self.name = name
        self.if_exists = if_exists


class AddEmbedding(OnTable):
    """`select mmdb.add_embedding(…)` on `table`, without its indexes where these are not to be built."""

    def __init__(self, table: Table, declaration: Declaration, *, build_indexes: bool = True) -> None:
        super().__init__(table)
        self.declaration = declaration
        self.build_indexes = build_indexes


class DropEmbedding(DropNamed):
    """`select mmdb.drop_embedding(…)` on `table`."""


class RefreshEmbeddings(OnTable):
    """`select mmdb.refresh(…)` on `table`."""


class ReleaseSources(OnTable):
    """`select mmdb.release_sources(…)` on `table`."""


class AddKeywords(OnTable):
    """`select mmdb.add_keywords(…)` on `table`, without the index where it is not to be built."""

    def __init__(self, table: Table, words: Words, *, build_indexes: bool = True) -> None:
        super().__init__(table)
        self.words = words
        self.build_indexes = build_indexes


class DropKeywords(DropNamed):
    """`select mmdb.drop_keywords(…)` on `table`."""


class OfGenerations(OnTable):
    """`select from mmdb.change_model(…)` and its kin on `table`."""

    def __init__(self, table: Table, function: str, arguments: tuple[str, ...], flags: Mapping[str, bool]) -> None:
        super().__init__(table)
        self.function = function
        self.arguments = arguments
        self.flags = flags


@compiles(AddEmbedding, "postgresql")
def _compile_add(element: AddEmbedding, compiler: DDLCompiler, **_: Any) -> str:
    declaration = f"{literal(element.declaration.to_json(), compiler)}::jsonb"
    tail = "" if element.build_indexes else ", index => false"
    # Of its columns: a driver may not know how to read a row as one value.
    return f"SELECT name FROM mmdb.add_embedding({relation(element.table, compiler)}, {declaration}{tail})"  # noqa: S608 - of quoted literals


@compiles(DropEmbedding, "postgresql")
def _compile_drop(element: DropEmbedding, compiler: DDLCompiler, **_: Any) -> str:
    tail = ", if_exists => true" if element.if_exists else ""
    return f"SELECT mmdb.drop_embedding({relation(element.table, compiler)}, {literal(element.name, compiler)}{tail})"


@compiles(RefreshEmbeddings, "postgresql")
def _compile_refresh(element: RefreshEmbeddings, compiler: DDLCompiler, **_: Any) -> str:
    return f"SELECT name FROM mmdb.refresh({relation(element.table, compiler)})"  # noqa: S608 - a quoted literal


@compiles(ReleaseSources, "postgresql")
def _compile_release(element: ReleaseSources, compiler: DDLCompiler, **_: Any) -> str:
    return f"SELECT mmdb.release_sources({relation(element.table, compiler)})"


@compiles(AddKeywords, "postgresql")
def _compile_add_keywords(element: AddKeywords, compiler: DDLCompiler, **_: Any) -> str:
    words = element.words
    columns = f"ARRAY[{', '.join(literal(column, compiler) for column in words.columns)}]"
    named = f"{columns}, {literal(words.language, compiler)}, {literal(words.name, compiler)}"
    tail = "" if element.build_indexes else ", index => false"
    return f"SELECT name FROM mmdb.add_keywords({relation(element.table, compiler)}, {named}{tail})"  # noqa: S608 - of quoted literals


@compiles(DropKeywords, "postgresql")
def _compile_drop_keywords(element: DropKeywords, compiler: DDLCompiler, **_: Any) -> str:
    table, name = relation(element.table, compiler), literal(element.name, compiler)
    found = f" FROM mmdb.keywords w WHERE w.relation = {table} AND w.name = {name}" if element.if_exists else ""
    return f"SELECT mmdb.drop_keywords({table}, {name}){found}"


@compiles(OfGenerations, "postgresql")
def _compile_generations(element: OfGenerations, compiler: DDLCompiler, **_: Any) -> str:
    given = [relation(element.table, compiler), *(literal(argument, compiler) for argument in element.arguments)]
    given += [f"{name} => {str(value).lower()}" for name, value in element.flags.items()]
    return f"SELECT FROM mmdb.{element.function}({', '.join(given)})"


def relation(table: Table, compiler: Any) -> str:
    """The table as a regclass literal."""
    return f"{quoted(compiler.preparer.format_table(table))}::regclass"


def literal(value: str, compiler: Any) -> str:
    """A string as SQL; "%" is doubled where the driver wants it."""
    return quoted(value.replace("%", "%%") if compiler.preparer._double_percents else value)


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def listen_for_ddl(table: Table) -> None:
    """Have CREATE TABLE declare the embeddings and words of `table`, and DROP TABLE take them back first."""
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
    if _is_postgresql(connection):
        for _column, mapped in embeddings_of(table):
            connection.execute(AddEmbedding(table, mapped.declaration))
        for words in keywords_of(table):
            connection.execute(AddKeywords(table, words))


def _take_back(table: Table, connection: Any, **_: Any) -> None:
    installed = not isinstance(connection, Connection) or (
        _is_postgresql(connection) and connection.scalar(text(IS_INSTALLED))
    )
    if _is_postgresql(connection) and installed:
        for words in keywords_of(table):
            connection.execute(DropKeywords(table, words.name, if_exists=True))
        for column, _mapped in embeddings_of(table):
            connection.execute(DropEmbedding(table, embedding_name(column), if_exists=True))


def _is_postgresql(connection: Any) -> bool:
    return str(connection.dialect.name) == "postgresql"
