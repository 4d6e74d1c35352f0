"""`like(Product, product)` and `recommend(Product, liked=[…])`: rows as queries, as the Select that `search` is.

What is joined and filtered holds inside the search, and there are `limit` rows while there are so many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Unpack, overload

from sqlalchemy import ARRAY, ColumnElement, Select, bindparam, null
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.elements import BindParameter

from mmdb.errors import QueryError
from mmdb.orm.hybrid import OPTIONS, Options, Ranks, hits_, key_expression, listed, options, score_, scored, searched

Entity = TypeVar("Entity")


class like_hits_(hits_):
    """`T_like(…)`."""

    name = "like"
    inherit_cache = True
    parameters = ("key", *OPTIONS)


class like_score_(score_):
    inherit_cache = True
    hits = like_hits_
    parameters = like_hits_.parameters


class recommend_hits_(hits_):
    """`T_recommend(…)`."""

    name = "recommend"
    inherit_cache = True
    parameters = ("liked", "disliked", *OPTIONS)


class recommend_score_(score_):
    inherit_cache = True
    hits = recommend_hits_
    parameters = recommend_hits_.parameters


@overload
def like(
    entity: type[Entity],
    key: object,
    *,
    ranks: Literal[False] = False,
    **given: Unpack[Options],
) -> Select[Entity, float]: ...


@overload
def like(
    entity: type[Entity],
    key: object,
    *,
    ranks: Literal[True],
    **given: Unpack[Options],
) -> Select[Entity, float, Ranks]: ...


def like(
    entity: type[Any],
    key: object,
    *,
    weights: Mapping[str, float] | None = None,
    depth: int | None = None,
    diversity: float = 0,
    after: object = None,
    ranks: bool = False,
) -> Select[*tuple[Any, ...]]:
    """A Select of (entity, score) of what is most like one row, best first, without the row itself.

    `key` is an instance of the entity or its key, of several columns a tuple. Every embedding in which that row has a
    vector takes part, by `weights`. The rest is as in `search`. A row that is not there, or not to be seen, and one
    that waits for a worker are errors of the database when the statement runs.

    Raises QueryError for an entity without embeddings, an instance that is not in the database and what is no key.
    """
    mapper = searched(entity)
    if key is None:
        raise QueryError(f'no row of "{mapper.class_.__name__}" is given', hint="give an instance or its key")
    clauses = [key_expression(mapper, key), *options(mapper, weights, depth, diversity, after)]
    return scored(entity, like_score_, clauses, ranks)


@overload
def recommend(
    entity: type[Entity],
    liked: Iterable[object],
    disliked: Iterable[object] = (),
    *,
    ranks: Literal[False] = False,
    **given: Unpack[Options],
) -> Select[Entity, float]: ...


@overload
def recommend(
    entity: type[Entity],
    liked: Iterable[object],
    disliked: Iterable[object] = (),
    *,
    ranks: Literal[True],
    **given: Unpack[Options],
) -> Select[Entity, float, Ranks]: ...


def recommend(
    entity: type[Any],
    liked: Iterable[object],
    disliked: Iterable[object] = (),
    *,
    weights: Mapping[str, float] | None = None,
    depth: int | None = None,
    diversity: float = 0,
    after: object = None,
    ranks: bool = False,
) -> Select[*tuple[Any, ...]]:
    """A Select of (entity, score) of what is like some rows and unlike others, best first, without these.

    Both are instances or keys, as in `like`. `weights` takes "disliked" too: how much these count, 0.2 unless given.

    Raises QueryError for nothing liked, and as `like` does.
    """
    mapper = searched(entity)
    wanted, unwanted = _keys(mapper, liked), _keys(mapper, disliked)
    if wanted is None:
        raise QueryError("nothing is liked", hint="give the instances or keys of one row or more")
    clauses = [
        wanted,
        null() if unwanted is None else unwanted,
        *options(mapper, weights, depth, diversity, after),
    ]
    return scored(entity, recommend_score_, clauses, ranks)


def _keys(mapper: Mapper[Any], given: Iterable[object]) -> ColumnElement[Any] | None:
    """The keys as an array; None where there are none."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise QueryError(f"{given!r} is no list of rows", hint="give a list of instances or keys")
    keys = [listed(key_expression(mapper, one)) for one in given]
    if not keys:
        return None
    plain = [key.value for key in keys if isinstance(key, BindParameter)]
    if len(plain) == len(keys):  # one value, so that one statement serves any number
        return bindparam(None, plain, type_=ARRAY(keys[0].type), unique=True)
    return array(keys)
