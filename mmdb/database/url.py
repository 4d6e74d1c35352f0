"""The address of a database: whatever libpq reads, and SQLAlchemy's spelling of it, each turned into the other.

A URL may hold a password, so no message of ours quotes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from mmdb.errors import ConfigError

if TYPE_CHECKING:  # else imported where they are used: `import mmdb` comes here and is to be quick
    import sqlalchemy

LIBPQ_SCHEMES = ("postgresql", "postgres")
SQLALCHEMY_SCHEMES = ("postgresql+psycopg", "postgresql+psycopg_async")
DRIVER = "postgresql+psycopg"


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
