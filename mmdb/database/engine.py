"""From "where is the database?" to an engine.

`connect()` is the door of the Python surface: the given URL, else MMDB_DATABASE_URL, else the embedded server, which is
started if need be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdb.config import Settings
from mmdb.database.types import register_types
from mmdb.database.url import libpq_url, sqlalchemy_url

if TYPE_CHECKING:  # else imported where they are used: `import mmdb` comes here and is to be quick
    import psycopg
    import sqlalchemy


def connect(url: str | None = None, **engine_options: Any) -> sqlalchemy.Engine:
    """An engine on `url`, else on MMDB_DATABASE_URL, else on the embedded server, started on demand.

    `engine_options` are `sqlalchemy.create_engine`'s. On each connection pgvector's types are registered with
    psycopg where the database has the extension (after CREATE EXTENSION, `engine.dispose()` makes the pool
    notice). Raises ConfigError for a URL that cannot be read and EmbeddedError where the server cannot be
    started.
    """
    import sqlalchemy

    engine = sqlalchemy.create_engine(sqlalchemy_url(database_url(url)), **engine_options)
    sqlalchemy.event.listen(engine, "connect", _register_on_connect)
    return engine


def database_url(url: str | None = None) -> str:
    """The database of `connect(url)` as a libpq URL, for psycopg and psql; the embedded server is started."""
    given = url or Settings.from_environment().database_url
    if given is not None:
        return libpq_url(given)
    from mmdb.server import embedded

    return embedded.start().url


def _register_on_connect(connection: psycopg.Connection[Any], _record: object) -> None:
    register_types(connection)
