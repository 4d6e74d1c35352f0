"""`search(Product, "red shoes")`: the hybrid search as a Select, with whatever is said of it inside every leg.

    SELECT products.…, mmdb_hits.score
    FROM products
    JOIN products_search(query => :q, k => :limit, within => ARRAY(SELECT products.id … WHERE …)) AS mmdb_hits
      ON mmdb_hits.id = products.id
    WHERE … ORDER BY mmdb_hits.score DESC LIMIT :limit

What is joined and filtered is known only when the statement is compiled, so that is when the function joins it: k is
its limit, and the rows that pass its WHERE are what every leg looks among.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from PIL import Image
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Float,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Text,
    bindparam,
    cast,
    inspect,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, array
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.elements import Label
from sqlalchemy.sql.functions import FunctionElement

from mmdb.errors import QueryError
from mmdb.orm.columns import Declaration, embedding_name, embeddings_of
from mmdb.orm.search import REWRITES
from mmdb.orm.values import picture

Entity = TypeVar("Entity")
HITS = "mmdb_hits"
DEFAULT_K = 10


class score_(FunctionElement[float]):
    """The score of a hit. Its clauses are what is searched for, and after that the columns of the entity's key."""

    name = "score"
    type = Float()
    inherit_cache = True


class hits_(FunctionElement[Any]):
    """`T_search(…)`. The clauses: query, images, weights, depth, k, within, and the key, which tells the table."""

    name = "search"
    inherit_cache = True

    @property
    def _from_objects(self) -> list[Any]:
        return []  # what it looks among is a subquery of its own


class within_(FunctionElement[Any]):
    """`array(SELECT …)`."""

    name = "array"
    inherit_cache = True

    @property
    def _from_objects(self) -> list[Any]:
        return []


QUERY_CLAUSES = 4


def search(
    entity: type[Entity],
    text: str | None = None,
    *,
    image: bytes | os.PathLike[str] | Image.Image | None = None,
    images: Sequence[bytes | os.PathLike[str] | Image.Image] = (),
    weights: Mapping[str, float] | None = None,
    depth: int | None = None,
    ranks: bool = False,
) -> Select[Entity, float]:
    """A Select of (entity, score), best first: words and every embedding of the entity's table, fused.

    It takes `.where()`, `.join()`, `.options()`, `.limit()` (10 unless given), `.offset()` like any other, and what
    they say holds inside every leg: there are `limit` rows while there are so many. `weights` weighs legs by their
    names (an embedding's, "keywords") and "query" against "image" where both are given; a negative one pushes down.
    `depth` is how many candidates each leg brings. With `ranks` a third column says where each row came from.

    Raises QueryError for an entity without embeddings and for nothing to search for, MediaError for a picture that
    cannot be read.
    """
    mapped = inspect(entity)
    mapper: Mapper[Any] = mapped.mapper
    embeddings = [pair for pair in embeddings_of(_table(mapper)) if pair]
    if not embeddings:
        raise QueryError(
            f'"{mapper.class_.__name__}" has no embedding', hint="declare one: photo_embedding = embedding(…)"
        )
    pictures = [picture(one) for one in ([image] if image is not None else []) + list(images)]
    if text is None and not pictures:
        raise QueryError("there is nothing to search for", hint="give a text, an image, or both")
    _check_weights(weights, [embedding_name(column) for column, _ in embeddings], mapper)
    clauses: list[ColumnElement[Any]] = [
        bindparam(None, text, type_=String(), unique=True),
        bindparam(None, pictures or None, type_=ARRAY(LargeBinary()), unique=True),
        bindparam(None, None if weights is None else json.dumps(dict(weights)), type_=String(), unique=True),
        bindparam(None, depth, type_=Integer(), unique=True),
    ]
    # The attributes, which say that they are the ORM's: so does every statement that is made of them.
    key = [
        getattr(entity, mapper.get_property_by_column(column).key).__clause_element__()
        for column in _table(mapper).primary_key.columns
    ]
    score = score_(*clauses, *key).label("score")
    statement: Any = select(entity, score)
    if ranks:
        name = free_name("ranks", _table(mapper))
        statement = statement.add_columns(literal_column(f"{HITS}.{name}", JSONB).label("ranks"))
    ordered: Select[Entity, float] = statement.order_by(score.element.desc())
    return ordered


def _table(mapper: Mapper[Any]) -> Table:
    """The table of the entity that has embeddings; of joined inheritance the entity's own."""
    table = mapper.local_table
    assert isinstance(table, Table)
    return table


def _check_weights(weights: Mapping[str, float] | None, embeddings: list[str], mapper: Mapper[Any]) -> None:
    """Legs of words are the database's to know; what is no number is known here."""
    for name, weight in (weights or {}).items():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise QueryError(
                f'the weight of "{name}" is {weight!r}, expected a number',
                hint=f"legs of {mapper.class_.__name__}: {', '.join(embeddings)}, and its keywords",
            )


def with_hits(statement: Select[Any]) -> Select[Any]:
    """`statement` with the search function joined, where it selects a score."""
    score = next((found for found in map(_unlabelled, statement._raw_columns) if isinstance(found, score_)), None)
    if score is None:
        return statement
    clauses = list(score.clauses)
    query, key = clauses[:QUERY_CLAUSES], clauses[QUERY_CLAUSES:]
    function = hits_(*query, _k(statement), _within(statement, key), *key)
    hits = function.table_valued(*(column.name for column in key)).alias(HITS)
    condition = [hits.c[column.name] == column for column in key]
    return statement.join(hits, _all(condition))


def _unlabelled(column: Any) -> Any:
    return column.element if isinstance(column, Label) else column


def _all(conditions: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    first, *others = conditions
    for condition in others:
        first = first & condition
    return first


def _k(statement: Select[Any]) -> ColumnElement[Any]:
    """As many as the statement will show, and skip before."""
    if statement._limit_clause is None:
        return literal_column(str(DEFAULT_K), Integer)
    if statement._offset_clause is None:
        return statement._limit_clause
    return statement._limit_clause + statement._offset_clause


def _within(statement: Select[Any], key: list[ColumnElement[Any]]) -> ColumnElement[Any]:
    """The keys of the rows that the statement's joins and conditions let through; NULL where it has none."""
    if not statement._where_criteria and not statement._setup_joins:
        return null()
    found = key[0] if len(key) == 1 else cast(array([cast(column, Text) for column in key]), Text)
    inner = select(found).where(*statement._where_criteria)
    inner._setup_joins = statement._setup_joins
    inner._from_obj = statement._from_obj
    return within_(inner.correlate(None).scalar_subquery())


REWRITES.append(with_hits)


@compiles(score_)
def _compile_score(element: score_, compiler: Any, **_: Any) -> str:
    key = list(element.clauses)[QUERY_CLAUSES]
    return f"{HITS}.{free_name('score', next(iter(key.base_columns)).table)}"


@compiles(within_)
def _compile_within(element: within_, compiler: Any, **options: Any) -> str:
    return f"ARRAY{compiler.process(next(iter(element.clauses)), **options)}"


@compiles(hits_)
def _compile_hits(element: hits_, compiler: Any, **options: Any) -> str:
    query, images, weights, depth, k, within, key = list(element.clauses)[:7]
    base = next(iter(key.base_columns))
    table = base.table
    declarations: list[Declaration] = [declaration for _, declaration in embeddings_of(table)]
    name = compiler.preparer.quote(f"{declarations[0].prefix or table.name}_search")
    schema = compiler.preparer.schema_for_object(table)
    function = f"{compiler.preparer.quote_schema(schema)}.{name}" if schema else name
    named = {"query": query, "images": images, "depth": depth, "k": k, "within": within}
    arguments = [
        f"{free_name(parameter, table)} => {compiler.process(value, **options)}" for parameter, value in named.items()
    ]
    arguments.append(f"{free_name('weights', table)} => {compiler.process(weights, **options)}::jsonb")
    return f"{function}({', '.join(arguments)})"


def free_name(wanted: str, table: Table) -> str:
    """A parameter or column of T_search by its name, which gives way to a column's of the table (mmdb.free_name)."""
    taken = {column.name for column in table.columns}
    while wanted in taken:
        wanted = f"_{wanted}"
    return wanted
