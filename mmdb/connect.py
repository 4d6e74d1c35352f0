"""From "where is the database?" to an engine.

`connect()` is the door of the Python surface: the given URL, else MMDB_DATABASE_URL, else the embedded server, which is
started if need be. It accepts whatever libpq does, and SQLAlchemy's spelling of it. A URL may hold a password, so no
message of ours quotes one.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import sqlalchemy
from pgvector.psycopg import register_vector
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import event

from mmdb.config import Settings
from mmdb.errors import ConfigError

LIBPQ_SCHEMES = ("postgresql", "postgres")
SQLALCHEMY_SCHEMES = ("postgresql+psycopg", "postgresql+psycopg_async")
DRIVER = "postgresql+psycopg"


def connect(url: str | None = None, **engine_options: Any) -> sqlalchemy.Engine:
    """An engine on `url`, else on MMDB_DATABASE_URL, else on the embedded server, started on demand.

    `engine_options` are `sqlalchemy.create_engine`'s. On each connection pgvector's types are registered with psycopg
    where the database has the extension (after CREATE EXTENSION, `engine.dispose()` makes the pool notice).
    Raises ConfigError for a URL that cannot be read and EmbeddedError where the server cannot be started.
    """
    engine = sqlalchemy.create_engine(sqlalchemy_url(database_url(url)), **engine_options)
    event.listen(engine, "connect", _register_on_connect)
    return engine


def database_url(url: str | None = None) -> str:
    """The database of `connect(url)` as a libpq URL, for psycopg and psql; the embedded server is started."""
    given = url or Settings.from_environment().database_url
    if given is not None:
        return libpq_url(given)
    from mmdb import embedded

    return embedded.start().url


def libpq_url(url: str) -> str:
    """`url` (libpq's URL or "key=value ..." string, or SQLAlchemy's URL for psycopg) as a URL that libpq reads."""
    scheme, separator, rest = url.strip().partition("://")
    if separator and "=" not in scheme:
        if scheme not in LIBPQ_SCHEMES + SQLALCHEMY_SCHEMES:
            raise ConfigError(
                f'a database URL begins with "{scheme}://", expected "postgresql://"',
                hint="mmdb needs PostgreSQL, and reaches it through psycopg 3",
            )
        libpq = f"postgresql://{rest}"
        _parameters(libpq)
        return libpq
    return "postgresql://?" + urlencode(_parameters(url), quote_via=quote, safe="")


def sqlalchemy_url(url: str) -> sqlalchemy.URL:
    """`url`, as libpq reads it, for SQLAlchemy's psycopg dialect."""
    parameters = _parameters(url)
    hosts = parameters.pop("host", "").split(",")
    ports = parameters.pop("port", "").split(",")
    own = {name: parameters.pop(name, None) for name in ("user", "password", "dbname")}
    query: dict[str, str | list[str]] = dict(parameters)
    simple = len(hosts) == 1 and not hosts[0].startswith("/")
    if not simple:  # SQLAlchemy takes socket folders and several hosts as host=HOST:PORT in the query
        several = ports * len(hosts) if len(ports) == 1 else ports
        query["host"] = [
            f"{host}:{port}" if port else host for host, port in zip(hosts, several, strict=True)
        ]
    return sqlalchemy.URL.create(
        DRIVER,
        username=own["user"],
        password=own["password"],
        host=hosts[0] or None if simple else None,
        port=int(ports[0]) if simple and ports[0] else None,
        database=own["dbname"],
        query={name: tuple(value) if isinstance(value, list) else value for name, value in query.items()},
    )


def register_types(connection: psycopg.Connection[Any]) -> bool:
    """Have `connection` read and write pgvector's types; False where the database lacks the extension.

    Leaves the connection outside a transaction, as it has to be when it comes in.
    """
    try:
        register_vector(connection)
    except psycopg.ProgrammingError:  # 'vector type not found in the database'
        return False
    return True


def _register_on_connect(connection: psycopg.Connection[Any], _record: object) -> None:
    register_types(connection)


def _parameters(url: str) -> dict[str, str]:
    """What libpq reads out of `url`."""
    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.Error:
        # Not chained: libpq's message quotes the part that it did not understand, which may be the password.
        raise ConfigError(
            "the database URL cannot be read (it is not shown, since it may hold a password)",
            hint="write it as postgresql://user:password@host:5432/database, special characters percent-encoded",
        ) from None
