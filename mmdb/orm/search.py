"""`nearest` and `distance`: expressions that compile to the shape which PostgreSQL answers from the HNSW index.

    products.photo_embedding <=> (SELECT mmdb.embed_for('products'::regclass, 'photo', :q)::halfvec)

The scalar sub-select is computed once a statement (once an outer row under LATERAL). A statement that is ordered by a
distance gets `… IS NOT NULL` for that embedding: rows without one have no place in the order, and whether they came out
must not depend on the plan. And it gets `NOT mmdb.is_blank(:q)`: an empty search box finds no rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Boolean, Float, LargeBinary, Select, String, Table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import ColumnElement, Label, UnaryExpression
from sqlalchemy.sql.functions import FunctionElement

from mmdb.errors import QueryError
from mmdb.models.embed.base import Embedder
from mmdb.orm.ddl import literal, relation
from mmdb.orm.declared import MappedEmbedding, embedding_name, mapped_embedding
from mmdb.orm.types import Embedding
from mmdb.orm.values import Query, query_expression

REWRITES: list[Callable[[Select[Any]], Select[Any]]] = []
"""What else makes a statement another one when it is compiled."""


class distance_(FunctionElement[float]):
    """The distance of an embedding column (first clause) from a query (second clause): text, bytea or vector."""

    name = "distance"
    type = Float()
    inherit_cache = True

    @property
    def column(self) -> ColumnElement[Any]:
        return next(iter(self.clauses))

    @property
    def query(self) -> ColumnElement[Any]:
        return list(self.clauses)[1]


class asked_(FunctionElement[bool]):
    """That a query, a text or bytes, says something."""

    type = Boolean()
    inherit_cache = True

    @property
    def _from_objects(self) -> list[Any]:
        return []  # an expression is another statement's, as the distance has it


def distance(embedding: Any, query: Query, *, embedder: Embedder | None = None) -> ColumnElement[float]:
    """The distance of each row's embedding from `query`: for cosine 0 (the same) to 2, NULL where there is none.

    `embedding` is a mapped attribute (`Product.photo_embedding`, also of an alias) or its column. `query` is a text, a
    picture (bytes, a path, a PIL image), a vector, an instance of a mapped class ("like this one") or an SQL expression
    of type text, bytea or halfvec. A text or picture is embedded by a worker when the statement runs (0.1 ms if it was
    asked before, else the model's time and 2 ms), or, with `embedder`, here and now (the model's time). An empty text
    finds no rows where its distance is the order; elsewhere it is an error of the database, SQLSTATE 22M01.

    Raises QueryError for what is no embedding or cannot be compared with it, MediaError for a picture that cannot be
    read.
    """
    column = embedding.__clause_element__() if hasattr(embedding, "__clause_element__") else embedding
    _, mapped, where = _declared(column)
    return distance_(column, query_expression(query, mapped, column, embedder, where))


def nearest(embedding: Any, query: Query, *, embedder: Embedder | None = None) -> ColumnElement[float]:
    """What to order by: `select(Product).order_by(nearest(Product.photo_embedding, "red shoes")).limit(10)`.

    The arguments are those of `distance`. With a LIMIT the HNSW index answers; rows without an embedding are left out.
    """
    return distance(embedding, query, embedder=embedder)


def _declared(column: Any) -> tuple[Any, MappedEmbedding, str]:
    """The table's column behind `column`, what it was declared with, and its name for messages."""
    for base in getattr(column, "base_columns", ()):
        mapped = mapped_embedding(base) if hasattr(base, "info") else None
        if mapped is not None:
            return base, mapped, f"{base.table.name}.{base.name}"
    raise QueryError(
        f'"{column}" is not an embedding', hint="give an attribute that was declared with mmdb.orm.embedding"
    )


@compiles(distance_)
def _compile(element: distance_, compiler: Any, **options: Any) -> str:
    base, mapped, _ = _declared(element.column)
    left = compiler.process(element.column, **options)
    right = _vector_sql(element.query, base, compiler, options)
    # The parentheses, because pgvector's operators bind more loosely than "+" and tighter than "<".
    return f"({left} {mapped.operator} {right})"


def _vector_sql(query: Any, base: Any, compiler: Any, options: dict[str, Any]) -> str:
    written = compiler.process(query, **options)
    if isinstance(query.type, Embedding) or query.type.__class__.__name__ in ("HALFVEC", "VECTOR"):
        return str(written)
    assert isinstance(base.table, Table)
    call = f"mmdb.embed_for({relation(base.table, compiler)}, {literal(embedding_name(base), compiler)}, {written})"
    return f"(SELECT {call}::halfvec)"  # without the width, which another model may not have


@compiles(Select, "postgresql")
def _compile_select(select: Select[Any], compiler: Any, **options: Any) -> str:
    """Where a distance is the order, leave out what has none; then what others have to add."""
    for element in _ordered_by(select):
        for condition in _conditions(element):
            if not any(condition.compare(given) for given in select._where_criteria):
                select = select.where(condition)
    for rewrite in REWRITES:
        select = rewrite(select)
    return str(compiler.visit_select(select, **options))


def _conditions(element: distance_) -> Iterator[ColumnElement[bool]]:
    yield element.column.is_not(None)
    if isinstance(element.query.type, String | LargeBinary):
        yield asked_(element.query)


@compiles(asked_)
def _compile_asked(element: asked_, compiler: Any, **options: Any) -> str:
    return f"NOT mmdb.is_blank({compiler.process(next(iter(element.clauses)), **options)})"


def _ordered_by(select: Select[Any]) -> Iterator[distance_]:
    for clause in select._order_by_clauses:
        inner = _unwrapped(clause)
        if isinstance(inner, distance_):
            yield inner


def _unwrapped(clause: Any) -> Any:
    """Without labels, ASC, NULLS …; with DESC the farthest come first, and rows without an embedding before them."""
    while True:
        ascending = isinstance(clause, UnaryExpression) and clause.modifier not in (operators.desc_op, None)
        if not (ascending or isinstance(clause, Label) or clause.__visit_name__ == "label_reference"):
            return clause
        clause = clause.element
