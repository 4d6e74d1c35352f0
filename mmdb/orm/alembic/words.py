"""`op.add_keywords` and `op.drop_keywords`: words for the hybrid search, and how autogenerate compares them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations
from sqlalchemy import Connection, Table

from mmdb.errors import DeclarationError
from mmdb.orm.alembic.implementation import Place, keywords, place_of
from mmdb.orm.alembic.operations import DropNamedOp, TableOp, bare_table, call
from mmdb.orm.ddl import AddKeywords, DropKeywords
from mmdb.orm.declared import Words, keywords_of


@Operations.register_operation("add_keywords")
class AddKeywordsOp(TableOp):
    """Have columns searched by words."""

    def __init__(self, table_name: str, words: Words, *, schema: str | None = None, build_indexes: bool = True) -> None:
        super().__init__(table_name, schema=schema)
        self.words = words
        self.build_indexes = build_indexes

    @classmethod
    def add_keywords(
        cls,
        operations: Operations,
        table_name: str,
        *columns: str,
        language: str = "simple",
        name: str = "keywords",
        schema: str | None = None,
        build_indexes: bool = True,
    ) -> None:
        """Have T_search look for words in these text columns too, as `mmdb.orm.keywords` does. Building the GIN index
        blocks writers of the table; `build_indexes=False` leaves it to you: `mmdb.keywords_index` has the statement."""
        if not columns:
            raise DeclarationError(
                "op.add_keywords needs a column", hint='op.add_keywords("products", "title", language="english")'
            )
        words = Words(columns, language, name)
        operations.invoke(cls(table_name, words, schema=schema, build_indexes=build_indexes))

    def reverse(self) -> DropKeywordsOp:
        return DropKeywordsOp(self.table_name, self.words.name, schema=self.schema, reverse=self)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("add_keywords", self.schema, self.table_name, self.words)


@Operations.register_operation("drop_keywords")
class DropKeywordsOp(DropNamedOp):
    """Take words away, and their index."""

    kind = "keywords"

    @classmethod
    def drop_keywords(
        cls,
        operations: Operations,
        table_name: str,
        name: str = "keywords",
        *,
        schema: str | None = None,
        if_exists: bool = False,
    ) -> None:
        """Take the words `name` away, and their index."""
        operations.invoke(cls(table_name, name, schema=schema, if_exists=if_exists))

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("drop_keywords", self.schema, self.table_name, self.name)


@Operations.implementation_for(AddKeywordsOp)
def _add(operations: Operations, op: AddKeywordsOp) -> None:
    table = bare_table(op.table_name, op.schema)
    operations.execute(AddKeywords(table, op.words, build_indexes=op.build_indexes))


@Operations.implementation_for(DropKeywordsOp)
def _drop(operations: Operations, op: DropKeywordsOp) -> None:
    operations.execute(DropKeywords(bare_table(op.table_name, op.schema), op.name, if_exists=op.if_exists))


@renderers.dispatch_for(AddKeywordsOp)
def _render_add(context: AutogenContext, op: AddKeywordsOp) -> str:
    usual = Words(op.words.columns)
    given = {key: getattr(op.words, key) for key in ("language", "name")}
    said = {key: value for key, value in given.items() if value != getattr(usual, key)}
    return call(context, "add_keywords", op.table_name, *op.words.columns, **said, schema=op.schema)


@renderers.dispatch_for(DropKeywordsOp)
def _render_drop(context: AutogenContext, op: DropKeywordsOp) -> str:
    return call(context, "drop_keywords", op.table_name, op.name, schema=op.schema)


# Autogenerate.


def compare_keywords(
    connection: Connection, tables: Mapping[Place, Table], dropped: Iterable[Place], default: str | None
) -> tuple[list[DropKeywordsOp], list[AddKeywordsOp]]:
    """What is to be dropped and added. Words of a class that declares none are somebody else's."""
    declared = {place: {words.name: words for words in keywords_of(table)} for place, table in tables.items()}
    found: dict[Place, dict[str, Words]] = {}
    for row in keywords(connection):
        place = place_of(row, default)
        found.setdefault(place, {})[row.name] = _words(row, declared.get(place, {}).get(row.name))
    gone = [_dropped(place, words) for place in dropped for words in found.get(place, {}).values()]
    new = []
    for place, wanted in declared.items():
        there = found.get(place, {}) if wanted else {}
        gone += [_dropped(place, words) for name, words in there.items() if wanted.get(name) != words]
        new += [_added(place, words) for name, words in wanted.items() if there.get(name) != words]
    return gone, new


def _words(row: Any, wanted: Words | None) -> Words:
    """With the names that its columns have now; after a rename the index knows them, in no order."""
    columns = tuple(row.columns)
    if row.indexed is not None and set(row.indexed) != set(columns):
        in_order = wanted is not None and set(wanted.columns) == set(row.indexed)
        columns = wanted.columns if wanted is not None and in_order else tuple(row.indexed)
    return Words(columns, row.language, row.name)


def _added(place: Place, words: Words) -> AddKeywordsOp:
    schema, table = place
    return AddKeywordsOp(table, words, schema=schema)


def _dropped(place: Place, words: Words) -> DropKeywordsOp:
    return _added(place, words).reverse()
