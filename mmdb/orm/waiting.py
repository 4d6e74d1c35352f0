"""Read your writes: wait until what was committed is embedded."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, overload

from sqlalchemy import ARRAY, Executable, Interval, String, Table, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

from mmdb.errors import QueryError
from mmdb.orm.ddl import relation
from mmdb.orm.declared import embedding_name, embeddings_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session


class wait_(FunctionElement[None]):
    """`mmdb.wait_until_embedded` of the table of the first clause."""

    name = "wait_until_embedded"
    type = NullType()
    inherit_cache = True

    @property
    def _from_objects(self) -> list[Any]:
        return []  # the column stands for its table's name only


@compiles(wait_)
def _compile(element: wait_, compiler: Any, **options: Any) -> str:
    key, *arguments = list(element.clauses)
    values = ", ".join(compiler.process(argument, **options) for argument in arguments)
    return f"mmdb.wait_until_embedded({relation(key.table, compiler)}, {values})"


@overload
def wait_until_embedded(
    session: Session | scoped_session[Session],
    entity: type[Any],
    ids: Sequence[Any] | None = None,
    *,
    name: str | None = None,
    timeout: float = 30,
) -> Any: ...


@overload
def wait_until_embedded(
    session: AsyncSession | async_scoped_session[AsyncSession],
    entity: type[Any],
    ids: Sequence[Any] | None = None,
    *,
    name: str | None = None,
    timeout: float = 30,
) -> Coroutine[Any, Any, Any]: ...


def wait_until_embedded(
    session: Session | scoped_session[Session] | AsyncSession | async_scoped_session[AsyncSession],
    entity: type[Any],
    ids: Sequence[Any] | None = None,
    *,
    name: str | None = None,
    timeout: float = 30,
) -> Any:
    """Return when the rows of `entity` with these primary keys (all where None) are embedded.

    The session may be a scoped one, as Flask's is. With an AsyncSession it is awaited: `await
    wait_until_embedded(session, Product, [1, 2])`. A key of several columns is a tuple. The rows must have been
    committed. `name` is one embedding of several; `timeout` is in seconds. The database raises an error for a row that
    cannot be embedded, where no worker runs, and when time is up.
    """
    return session.execute(waiting(entity, ids, name=name, timeout=timeout))


def waiting(
    entity: type[Any], ids: Sequence[Any] | None = None, *, name: str | None = None, timeout: float = 30
) -> Executable:
    """The statement of `wait_until_embedded`."""
    table = entity.__table__
    if not isinstance(table, Table) or not embeddings_of(table):
        raise QueryError(f'"{entity.__name__}" has no embedding', hint="declare one with mmdb.orm.embedding")
    names = [embedding_name(column) for column, _ in embeddings_of(table)]
    if name is not None and name not in names:
        raise QueryError(f'"{entity.__name__}" has no embedding "{name}"', hint=f"it has: {', '.join(names)}")
    keys = None if ids is None else [_key_text(key) for key in ids]
    column, _ = embeddings_of(table)[0]
    call = wait_(
        column,
        bindparam(None, keys, type_=ARRAY(String()), unique=True),
        bindparam(None, name, type_=String(), unique=True),
        bindparam(None, timedelta(seconds=timeout), type_=Interval(), unique=True),
    )
    return select(call)


def _key_text(key: Any) -> str:
    """A key as PostgreSQL's text of it; several columns as the text of an array, as of a key that is one (a list)."""
    if isinstance(key, tuple | list):
        return "{" + ",".join(map(_part_text, key)) + "}"
    return "\\x" + key.hex() if isinstance(key, bytes) else str(key)


def _part_text(part: Any) -> str:
    return "null" if part is None else '"' + _key_text(part).replace("\\", "\\\\").replace('"', '\\"') + '"'
