"""From "where is the database?" to an engine.

`connect()` is the door of the Python surface: the given URL, else MMDB_DATABASE_URL, else the embedded
server, which is started if need be. It accepts whatever libpq does, and SQLAlchemy's spelling of it. A URL
may hold a password, so no message of ours quotes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from mmdb.config import Settings
from mmdb.errors import ConfigError

if TYPE_CHECKING:  # else imported where they are used: `import mmdb` comes here and is to be quick
    import psycopg
    import sqlalchemy

LIBPQ_SCHEMES = ("postgresql", "postgres")
SQLALCHEMY_SCHEMES = ("postgresql+psycopg", "postgresql+psycopg_async")
DRIVER = "postgresql+psycopg"


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
    from mmdb import embedded

    return embedded.start().url


def libpq_url(url: str) -> str:
    """`url` (libpq's URL or "key=value ..." string, or SQLAlchemy's URL for psycopg) as a URL that libpq
    reads.
    """
    scheme, separator, _ = url.strip().partition("://")
    if not separator or "=" in scheme:
        return _as_url(_parameters(url))
    if scheme in SQLALCHEMY_SCHEMES:
        return _as_url(_sqlalchemy_parameters(url.strip()))
    if scheme not in LIBPQ_SCHEMES:
        raise ConfigError(
            f'a database URL begins with "{scheme}://", expected "postgresql://"',
            hint="mmdb needs PostgreSQL, and reaches it through psycopg 3",
        )
    _parameters(url.strip())
    return url.strip()


def sqlalchemy_url(url: str) -> sqlalchemy.URL:
    """`url`, as libpq reads it, for SQLAlchemy's psycopg dialect."""
    import sqlalchemy

    parameters = _parameters(url)
    hosts = parameters.pop("host", "").split(",")
    ports = parameters.pop("port", "").split(",")
    own = {name: parameters.pop(name, None) for name in ("user", "password", "dbname")}
    query: dict[str, str | list[str]] = dict(parameters)
    simple = len(hosts) == 1 and not hosts[0].startswith("/")
    if not simple:  # SQLAlchemy takes socket folders and several hosts as host=HOST:PORT in the query
        several = ports * len(hosts) if len(ports) == 1 else ports
        query["host"] = [f"{host}:{port}" if port else host for host, port in zip(hosts, several, strict=True)]
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
    """Have `connection` read and write pgvector's vector and halfvec; False where the database lacks the extension.

    The extension need not be on the search path. Leaves the connection in or outside a transaction, as it came.
    """
    from pgvector.psycopg.halfvec import register_halfvec_info
    from pgvector.psycopg.vector import register_vector_info
    from psycopg.rows import tuple_row
    from psycopg.sql import Identifier
    from psycopg.types import TypeInfo

    from mmdb.sql import statement

    with connection.transaction():
        cursor = connection.cursor(row_factory=tuple_row)
        found = cursor.execute(statement("connect", "extension_schema"), {}).fetchone()
        if found is None:
            return False
        for name, register in (("vector", register_vector_info), ("halfvec", register_halfvec_info)):
            info = TypeInfo.fetch(connection, Identifier(found[0], name))
            assert info is not None
            register(connection, info)
    return True


def _register_on_connect(connection: psycopg.Connection[Any], _record: object) -> None:
    register_types(connection)


def _as_url(parameters: Mapping[str, str]) -> str:
    return "postgresql://?" + urlencode(parameters, quote_via=quote, safe="")


def _parameters(url: str) -> dict[str, str]:
    """What libpq reads out of `url`."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.Error:
        # Not chained: libpq's message quotes the part that it did not understand, which may be the password.
        raise _unreadable() from None
    hosts, ports = (found.get(name, "").split(",") for name in ("host", "port"))
    # A password with "@" or "/" in it ends up here, and would be shown as a host that does not exist.
    if "@" in found.get("host", "") or any(port and not port.isdigit() for port in ports):
        raise _unreadable()
    if len(ports) not in (1, len(hosts)):
        raise _unreadable()
    return found


def _sqlalchemy_parameters(url: str) -> dict[str, str]:
    """What SQLAlchemy's psycopg dialect would give to libpq for `url`."""
    import sqlalchemy
    from psycopg.conninfo import make_conninfo

    try:
        made = sqlalchemy.make_url(url)
        _, found = made.get_dialect()().create_connect_args(made)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise _unreadable() from None
    return _parameters(make_conninfo(**{name: value for name, value in found.items() if name != "context"}))


def _unreadable() -> ConfigError:
    return ConfigError(
        "the database URL cannot be read (it is not shown, since it may hold a password)",
        hint="write it as postgresql://user:password@host:5432/database, special characters percent-encoded",
    )
