"""HNSW indexes, of columns and of expressions, with their operator classes.

SQLAlchemy loses the operator class of an expression on the way to CREATE INDEX, and Alembic cannot compare expressions
that PostgreSQL has rewritten. Here an index is one value that can be written, read back and compared, in PostgreSQL's
own words: the wanted one is built on an empty temporary table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Index, Table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.elements import ColumnClause, Label, TextClause

from mmdb.database.statements import statements

DEFAULTS = {"m": 16, "ef_construction": 64}
"""pgvector's own."""
TOPIC = "orm"


@dataclass(frozen=True)
class HnswIndex:
    """`CREATE INDEX name ON table USING hnsw (element operator_class) WITH (parameters) WHERE predicate`."""

    name: str
    table: str
    schema: str | None
    element: str
    """SQL: a column's quoted name, or an expression in parentheses."""
    column: str | None
    """The column's plain name; None for an expression."""
    operator_class: str | None
    parameters: Mapping[str, int] = field(default_factory=dict)
    predicate: str | None = None

    def create(self, dialect: Dialect, *, concurrently: bool = False, if_not_exists: bool = False) -> str:
        """The statement that builds it."""
        quote = dialect.identifier_preparer.quote
        words = ["CREATE INDEX", "CONCURRENTLY" if concurrently else "", "IF NOT EXISTS" if if_not_exists else ""]
        table = f"{quote(self.schema)}.{quote(self.table)}" if self.schema else quote(self.table)
        element = f"{self.element} {self.operator_class}" if self.operator_class else self.element
        options = ", ".join(f"{name} = {value}" for name, value in self.parameters.items())
        parts = [
            f"{' '.join(filter(None, words))} {quote(self.name)} ON {table} USING hnsw ({element})",
            f"WITH ({options})" if options else "",
            f"WHERE {self.predicate}" if self.predicate else "",
        ]
        return " ".join(filter(None, parts))

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What two indexes share that serve the same queries in the same way, whatever they are called."""
        return self.element, self.operator_class, {**DEFAULTS, **self.parameters}, self.predicate


def is_hnsw(index: Index) -> bool:
    return str(index.dialect_options["postgresql"]["using"]).lower() == "hnsw"


def hnsw_index(index: Index, dialect: Dialect) -> HnswIndex:
    """`index`, declared or reflected, as a value."""
    expression = index.expressions[0]
    inner = expression.element if isinstance(expression, Label) else expression
    options = index.dialect_options["postgresql"]
    where = options["where"]
    assert index.table is not None
    return HnswIndex(
        name=str(index.name),
        table=index.table.name,
        schema=index.table.schema,
        element=_element_sql(inner, dialect),
        column=inner.name if isinstance(inner, Column) else None,
        operator_class=_operator_class(expression, options["ops"] or {}),
        parameters={name: int(value) for name, value in (options["with"] or {}).items()},
        predicate=None if where is None else _sql(where, dialect),
    )


def _element_sql(expression: Any, dialect: Dialect) -> str:
    written = _sql(expression, dialect)
    is_name = isinstance(expression, ColumnClause) and not getattr(expression, "is_literal", False)
    return written if is_name or written.startswith("(") else f"({written})"


def _sql(expression: Any, dialect: Dialect) -> str:
    if isinstance(expression, str):
        return expression
    written = expression.compile(dialect=dialect, compile_kwargs={"literal_binds": True, "include_table": False}).string
    return str(written)


def _operator_class(expression: Any, ops: Mapping[str, str]) -> str | None:
    """By the column's or label's key, by the text of the expression, or the only one that there is."""
    for key in (getattr(expression, "key", None), getattr(expression, "name", None)):
        if isinstance(key, str) and key in ops:
            return ops[key]
    if isinstance(expression, TextClause) and expression.text in ops:
        return ops[expression.text]
    return next(iter(ops.values())) if len(ops) == 1 else None


@compiles(CreateIndex, "postgresql")
def _compile_create_index(create: CreateIndex, compiler: Any, **options: Any) -> str:
    """SQLAlchemy's own, but for an HNSW index of an expression, whose operator class it would leave out."""
    index = create.element
    if not is_hnsw(index) or all(isinstance(part, Column) for part in index.expressions):
        return str(compiler.visit_create_index(create, **options))
    concurrently = index.dialect_options["postgresql"]["concurrently"]
    written = hnsw_index(index, compiler.dialect).create(
        compiler.dialect, concurrently=bool(concurrently), if_not_exists=bool(create.if_not_exists)
    )
    return written.replace("%", "%%") if compiler.preparer._double_percents else written


def read_index(connection: Connection, name: str, table: str, schema: str | None) -> HnswIndex | None:
    """The HNSW index `name` as PostgreSQL describes it; None where there is none."""
    quote = connection.dialect.identifier_preparer.quote
    wanted = f"{quote(schema)}.{quote(name)}" if schema else quote(name)
    row = connection.execute(text(statements(TOPIC)["hnsw_index"]), {"index": wanted}).one_or_none()
    if row is None:
        return None
    pairs = (option.split("=", 1) for option in row.parameters)
    return HnswIndex(
        name=name,
        table=table,
        schema=schema,
        element=quote(row.column_name) if row.column_name else _parenthesized(row.expression),
        column=row.column_name,
        operator_class=row.operator_class,
        parameters={key: int(value) for key, value in pairs},
        predicate=row.predicate,
    )


def _parenthesized(expression: str) -> str:
    return expression if expression.startswith("(") else f"({expression})"


def as_postgresql_says(connection: Connection, wanted: HnswIndex) -> HnswIndex | None:
    """`wanted` in PostgreSQL's words, as `read_index` gives it; None where it cannot be built on that table."""
    quote = connection.dialect.identifier_preparer.quote
    source = f"{quote(wanted.schema)}.{quote(wanted.table)}" if wanted.schema else quote(wanted.table)
    trial = replace(wanted, name="mmdb_trial_index", table="mmdb_trial", schema="pg_temp")
    nested = connection.begin_nested()
    try:
        connection.exec_driver_sql(f"create temporary table mmdb_trial (like {source})")
        connection.exec_driver_sql(trial.create(connection.dialect))
        found = read_index(connection, trial.name, trial.table, "pg_temp")
    except DBAPIError:
        return None
    finally:
        nested.rollback()
    return found and replace(found, name=wanted.name, table=wanted.table, schema=wanted.schema)


def table_of(index: Index) -> Table:
    assert index.table is not None
    return index.table
