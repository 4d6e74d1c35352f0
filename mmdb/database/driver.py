"""psycopg's own connection under one of SQLAlchemy's, for COPY and cursors of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdb.errors import QueryError

if TYPE_CHECKING:  # else imported where they are used: `import mmdb` comes here and is to be quick
    import psycopg
    import sqlalchemy
    from sqlalchemy.orm import Session, scoped_session


def psycopg_connection(
    connection: sqlalchemy.Connection | Session | scoped_session[Session], caller: str, *, hint: str | None = None
) -> psycopg.Connection[Any]:
    """The driver's connection, in the same transaction where one has begun.

    Raises QueryError, in the name of `caller` and with its `hint`, for another driver and for an asynchronous one.
    """
    import psycopg
    from sqlalchemy.orm import Session, scoped_session

    opened = connection.connection() if isinstance(connection, Session | scoped_session) else connection
    raw = getattr(opened.connection, "driver_connection", None)  # asynchronous sessions have a method of that name
    if not isinstance(raw, psycopg.Connection):
        raise QueryError(f"{caller} needs a connection of psycopg that is not asynchronous", hint=hint)
    return raw
