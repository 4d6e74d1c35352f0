"""`keywords(...)`: words for the hybrid search, where a table's indexes are declared.

__table_args__ = (keywords("title", "description", language="english"),)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Table, event
from sqlalchemy.orm import Mapper
from sqlalchemy.schema import SchemaItem

from mmdb.errors import DeclarationError
from mmdb.orm.columns import source_column
from mmdb.orm.ddl import listen_for_ddl
from mmdb.orm.declared import Words, keywords_of, set_keywords


class keywords(SchemaItem):
    """Have `search` look for words in these columns, too: texts, named as attributes or columns of the same table.

    `language` is one of PostgreSQL's text search configurations (english, german, simple, …), chinese, japanese, korean
    or thai, or trigram, which forgives typing errors. `name` is that of the leg in weights and ranks.

    Raises DeclarationError; what only the mapping shows, when the class is mapped.
    """

    __visit_name__ = "mmdb_keywords"

    def __init__(self, *columns: str, language: str = "simple", name: str = "keywords") -> None:
        if not columns or any(not isinstance(column, str) for column in columns):
            raise DeclarationError(
                "keywords need columns, given by their names", hint='as in: keywords("title", language="english")'
            )
        self.words = Words(columns, language, name)

    def _set_parent(self, parent: Any, **_: Any) -> None:
        if not isinstance(parent, Table):
            raise DeclarationError("keywords belong to a table", hint="put them into __table_args__")
        if any(other.name == self.words.name for other in keywords_of(parent)):
            raise DeclarationError(
                f'table "{parent.name}" has keywords "{self.words.name}" twice', hint="give one another name=…"
            )
        set_keywords(parent, [*keywords_of(parent), self.words])
        listen_for_ddl(parent)


@event.listens_for(Mapper, "after_mapper_constructed")
def _check_mapped(mapper: Mapper[Any], class_: type[Any]) -> None:
    """Now the class is known: attributes become columns, or the mistake is named."""
    table = mapper.local_table
    if not isinstance(table, Table) or (mapper.inherits is not None and mapper.inherits.local_table is table):
        return
    mapped = [
        replace(words, columns=tuple(source_column(mapper, table, column, where) for column in words.columns))
        for words in keywords_of(table)
        for where in [f"{class_.__name__}: {words.name}"]
    ]
    if mapped:
        set_keywords(table, mapped)
