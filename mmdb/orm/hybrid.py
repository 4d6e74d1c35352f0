"""`search(Product, "red shoes")`: the hybrid search as a Select, with whatever is said of it inside every leg.

    SELECT products.…, mmdb_hits.score
    FROM products
    JOIN products_search(query => :q, k => :limit, within => ARRAY(SELECT products.id … WHERE …))
      WITH ORDINALITY AS mmdb_hits ON mmdb_hits.id = products.id
    WHERE … ORDER BY mmdb_hits.ordinality LIMIT :limit

What is joined and filtered is known only when the statement is compiled, so that is when the function joins it: k is
its limit, and the rows that pass its WHERE are what every leg looks among.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias, TypedDict, TypeVar, Unpack, overload

from PIL import Image
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Float,
    Integer,
    Join,
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
from sqlalchemy.orm import InstanceState, Mapper
from sqlalchemy.sql.elements import Label, Null
from sqlalchemy.sql.functions import FunctionElement

from mmdb.errors import QueryError
from mmdb.orm.declared import embedding_name, embeddings_of
from mmdb.orm.search import REWRITES
from mmdb.orm.values import picture, same_column

Entity = TypeVar("Entity")
HITS = "mmdb_hits"
PLACE = "ordinality"
DEFAULT_K = 10
OPTIONS = ("weights", "depth", "diversity", "after")
"""Parameters that every function with a score has; one that is not given is left out where it is NULL here."""
Picture: TypeAlias = bytes | os.PathLike[str] | Image.Image
Ranks: TypeAlias = dict[str, dict[str, Any]]
"""By the name of a leg that found the row: its rank there, and what decided it."""


class Options(TypedDict, total=False):
    """OPTIONS as type checkers see them."""

    weights: Mapping[str, float] | None
    depth: int | None
    diversity: float
    after: object


class hits_(FunctionElement[Any]):
    """`T_search(…)`. The clauses: a value for each parameter, k, within, and the key, which tells the table."""

    name = "search"
    inherit_cache = True
    parameters: ClassVar[tuple[str, ...]] = ("query", "images", *OPTIONS)

    @property
    def _from_objects(self) -> list[Any]:
        return []  # what it looks among is a subquery of its own


class score_(FunctionElement[float]):
    """The score of a hit. Its clauses are the values of the parameters, and after that the entity's key."""

    name = "score"
    type = Float()
    inherit_cache = True
    hits: ClassVar[Callable[..., hits_]] = hits_
    parameters: ClassVar[tuple[str, ...]] = hits_.parameters


class place_(FunctionElement[int]):
    """The place of a hit in the function's order."""

    name = "place"
    type = Integer()
    inherit_cache = True


class within_(FunctionElement[Any]):
    """`array(SELECT …)`."""

    name = "array"
    inherit_cache = True

    @property
    def _from_objects(self) -> list[Any]:
        return []


@overload
def search(
    entity: type[Entity],
    text: str | None = None,
    *,
    image: Picture | None = None,
    images: Sequence[Picture] = (),
    ranks: Literal[False] = False,
    **given: Unpack[Options],
) -> Select[Entity, float]: ...


@overload
def search(
    entity: type[Entity],
    text: str | None = None,
    *,
    image: Picture | None = None,
    images: Sequence[Picture] = (),
    ranks: Literal[True],
    **given: Unpack[Options],
) -> Select[Entity, float, Ranks]: ...


def search(
    entity: type[Any],
    text: str | None = None,
    *,
    image: Picture | None = None,
    images: Sequence[Picture] = (),
    weights: Mapping[str, float] | None = None,
    depth: int | None = None,
    diversity: float = 0,
    after: object = None,
    ranks: bool = False,
) -> Select[*tuple[Any, ...]]:
    """A Select of (entity, score), best first: words and every embedding of the entity's table, fused.

    It takes `.where()`, `.join()`, `.options()`, `.limit()` (10 unless given), `.offset()` like any other, and what
    they say holds inside every leg: there are `limit` rows while there are so many. `weights` weighs legs by their
    names (an embedding's, "keywords") and "query" against "image" where both are given; a negative one pushes down.
    `depth` is how many candidates each leg brings. `diversity` (0 to 1) has rows unlike one another come first.
    `after`, an instance or a key, is the last row of the page before: give `depth` then, the same for every page. With
    `ranks` a third column says where each row came from.

    Raises QueryError for an entity without embeddings and for nothing to search for, MediaError for a picture that
    cannot be read.
    """
    mapper = searched(entity)
    pictures = [picture(one) for one in ([image] if image is not None else []) + list(images)]
    if text is None and not pictures:
        raise QueryError("there is nothing to search for", hint="give a text, an image, or both")
    clauses: list[ColumnElement[Any]] = [
        bindparam(None, text, type_=String(), unique=True),
        bindparam(None, pictures or None, type_=ARRAY(LargeBinary()), unique=True),
        *options(mapper, weights, depth, diversity, after),
    ]
    return scored(entity, score_, clauses, ranks)


def searched(entity: Any) -> Mapper[Any]:
    """The mapper of what is searched. Raises QueryError where it has no embedding."""
    mapper: Mapper[Any] = inspect(entity).mapper
    if not any(embeddings_of(_table(mapper))):
        raise QueryError(
            f'"{mapper.class_.__name__}" has no embedding', hint="declare one: photo_embedding = embedding(…)"
        )
    return mapper


def options(
    mapper: Mapper[Any], weights: Mapping[str, float] | None, depth: int | None, diversity: float, after: object
) -> list[ColumnElement[Any]]:
    """The values of OPTIONS. Raises QueryError for what is none."""
    _check_weights(weights, [embedding_name(column) for column, _ in embeddings_of(_table(mapper))], mapper)
    if not 0 <= diversity <= 1:
        raise QueryError(f"diversity is {diversity}, expected 0 to 1", hint="0.3 is a good beginning")
    return [
        bindparam(None, None if weights is None else json.dumps(dict(weights)), type_=String(), unique=True),
        bindparam(None, depth, type_=Integer(), unique=True),
        bindparam(None, float(diversity), type_=Float(), unique=True) if diversity else null(),
        null() if after is None else key_expression(mapper, after),
    ]


def scored(
    entity: type[Any], score: type[score_], clauses: list[ColumnElement[Any]], ranks: bool
) -> Select[*tuple[Any, ...]]:
    """The Select of an entity and its score, in the order of the function that finds it."""
    mapper: Mapper[Any] = inspect(entity).mapper
    table = _table(mapper)
    # The attributes, which say that they are the ORM's: so does every statement that is made of them.
    key = [
        getattr(entity, mapper.get_property_by_column(column).key).__clause_element__()
        for column in table.primary_key.columns
    ]
    found = score(*clauses, *key).label("score")
    statement: Any = select(entity, found)
    if ranks:
        statement = statement.add_columns(literal_column(f"{HITS}.{free_name('ranks', table)}", JSONB).label("ranks"))
    # Not the score, which is the same for some rows, and not the order where diversity is wanted.
    place = place_() if _ordered(table) else found.element.desc()
    ordered: Select[*tuple[Any, ...]] = statement.order_by(place)
    return ordered


def key_expression(mapper: Mapper[Any], given: object) -> ColumnElement[Any]:
    """The key of a row, given as it is, as a tuple of several columns, or as an instance."""
    values = _key_values(mapper, given)
    columns = list(_table(mapper).primary_key.columns)
    if len(values) != len(columns):
        raise QueryError(
            f'"{given!r}" is no key of "{mapper.class_.__name__}"',
            hint=f"give an instance, or a value for each of: {', '.join(column.name for column in columns)}",
        )
    parts = [
        bindparam(None, value, type_=column.type, unique=True) for value, column in zip(values, columns, strict=True)
    ]
    return parts[0] if len(parts) == 1 else cast(array([cast(part, Text) for part in parts]), Text)


def listed(key: ColumnElement[Any]) -> ColumnElement[Any]:
    """A key as the functions take it in a list: one that is an array as its text."""
    return cast(key, Text) if isinstance(key.type, ARRAY) else key


def _key_values(mapper: Mapper[Any], given: object) -> tuple[Any, ...]:
    state = inspect(given, raiseerr=False)
    if not isinstance(state, InstanceState):
        return given if isinstance(given, tuple) else (given,)
    if not state.mapper.isa(mapper.base_mapper):
        raise QueryError(
            f'an instance of "{state.class_.__name__}" is no row of "{mapper.class_.__name__}"',
            hint=f"give an instance of {mapper.class_.__name__}, or its key",
        )
    if state.identity is None:
        raise QueryError(
            f'this instance of "{state.class_.__name__}" is not in the database',
            hint="commit it first, and wait until it is embedded: mmdb.orm.wait_until_embedded",
        )
    table = _table(mapper)
    keyed = zip(state.mapper.primary_key, state.identity, strict=True)
    named = {same_column(table, column).key: value for column, value in keyed}
    return tuple(named[column.key] for column in table.primary_key.columns)


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
    if score is None or any(map(_has_hits, (*statement._from_obj, *(join[0] for join in statement._setup_joins)))):
        return statement
    clauses, own = list(score.clauses), len(score.parameters)
    values, key = clauses[:own], clauses[own:]
    function = score.hits(*values, _k(statement), _within(statement, key), *key)
    columns = [column.name for column in key]
    ordinality = {"with_ordinality": PLACE} if _ordered(_base_table(key[0])) else {}
    hits = function.table_valued(*columns, **ordinality).alias(HITS)
    condition = [hits.c[column.name] == column for column in key]
    return statement.join(hits, _all(condition))


def _has_hits(joined: Any) -> bool:
    """A select that the ORM makes of another one, to load collections with it, has the function already."""
    if isinstance(joined, Join):
        return _has_hits(joined.left) or _has_hits(joined.right)
    return getattr(joined, "name", None) == HITS


def _ordered(table: Table) -> bool:
    """Whether the function's rows can be numbered: not where the table has a column of that name."""
    return PLACE not in {column.name for column in table.columns}


def _base_table(key: Any) -> Table:
    table = next(iter(key.base_columns)).table
    assert isinstance(table, Table)
    return table


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
    found = listed(key[0]) if len(key) == 1 else cast(array([cast(column, Text) for column in key]), Text)
    inner = select(found).where(*statement._where_criteria)
    inner._setup_joins = statement._setup_joins
    inner._from_obj = statement._from_obj
    return within_(inner.correlate(None).scalar_subquery())


REWRITES.append(with_hits)


@compiles(score_)
def _compile_score(element: score_, compiler: Any, **_: Any) -> str:
    key = list(element.clauses)[len(element.parameters)]
    return f"{HITS}.{free_name('score', _base_table(key))}"


@compiles(place_)
def _compile_place(element: place_, compiler: Any, **_: Any) -> str:
    return f"{HITS}.{PLACE}"


@compiles(within_)
def _compile_within(element: within_, compiler: Any, **options: Any) -> str:
    return f"ARRAY{compiler.process(next(iter(element.clauses)), **options)}"


@compiles(hits_)
def _compile_hits(element: hits_, compiler: Any, **options: Any) -> str:
    clauses, names = list(element.clauses), (*element.parameters, "k", "within")
    table = _base_table(clauses[len(names)])
    _column, mapped = embeddings_of(table)[0]
    name = compiler.preparer.quote(f"{mapped.declaration.prefix or table.name}_{element.name}")
    schema = compiler.preparer.schema_for_object(table)
    function = f"{compiler.preparer.quote_schema(schema)}.{name}" if schema else name
    arguments = [
        f"{free_name(parameter, table)} => {compiler.process(value, **options)}{'::jsonb' * (parameter == 'weights')}"
        for parameter, value in zip(names, clauses, strict=False)
        if not isinstance(value, Null)
    ]
    return f"{function}({', '.join(arguments)}){' WITH ORDINALITY' * element._with_ordinality}"


def free_name(wanted: str, table: Table) -> str:
    """A parameter or column of T_search by its name, which gives way to a column's of the table (mmdb.free_name)."""
    taken = {column.name for column in table.columns}
    while wanted in taken:
        wanted = f"_{wanted}"
    return wanted
