"""URLs on their way to libpq and SQLAlchemy: nothing is lost, and no password is shown."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mmdb.database.engine import connect, database_url
from mmdb.database.url import libpq_url, sqlalchemy_url
from mmdb.errors import ConfigError, MmdbError

SECRET = "hunter2"
SAMPLES = {
    "postgresql://": {},
    "postgresql:///shop": {"dbname": "shop"},
    "postgres://me@db.example:6543/shop": {
        "user": "me",
        "host": "db.example",
        "port": "6543",
        "dbname": "shop",
    },
    "postgresql://me:p%40%2F%3A%25@h/d%20b": {
        "user": "me",
        "password": "p@/:%",
        "host": "h",
        "dbname": "d b",
    },
    "postgresql+psycopg://me:p%40%2F%3A%25+@h/d": {
        "user": "me",
        "password": "p@/:%+",
        "host": "h",
        "dbname": "d",
    },
    "postgresql://h/d?sslmode=require&application_name=a%26b": {
        "host": "h",
        "dbname": "d",
        "sslmode": "require",
        "application_name": "a&b",
    },
    "postgresql:///d?host=/var/run/postgresql&port=5433": {
        "dbname": "d",
        "host": "/var/run/postgresql",
        "port": "5433",
    },
    "postgresql+psycopg:///d?host=/tmp&port=5433": {"dbname": "d", "host": "/tmp", "port": "5433"},
    "postgresql+psycopg://me@/d?host=a:1&host=b:2": {
        "user": "me",
        "dbname": "d",
        "host": "a,b",
        "port": "1,2",
    },
    "postgresql://a:1,b:2/d?target_session_attrs=read-write": {
        "host": "a,b",
        "port": "1,2",
        "dbname": "d",
        "target_session_attrs": "read-write",
    },
    "postgresql://[::1]:5432/d": {"host": "::1", "port": "5432", "dbname": "d"},
    "host=/tmp/with\\ blank dbname='a b' password='it\\'s ://'": {
        "host": "/tmp/with blank",
        "dbname": "a b",
        "password": "it's ://",
    },
    "dbname=d": {"dbname": "d"},
}


def seen_by_sqlalchemy(url: str) -> dict[str, str]:
    made = sqlalchemy_url(url)
    _, arguments = made.get_dialect()().create_connect_args(made)
    return conninfo_without_blanks(make_conninfo(**arguments))


def conninfo_without_blanks(conninfo: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value}


@pytest.mark.parametrize("url", SAMPLES)
def test_libpq_and_sqlalchemy_see_the_same(url: str) -> None:
    libpq = libpq_url(url)
    assert libpq.startswith(("postgresql://", "postgres://"))
    assert conninfo_without_blanks(libpq) == SAMPLES[url]
    assert seen_by_sqlalchemy(libpq) == SAMPLES[url]


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=30)


@given(user=TEXT, password=TEXT, dbname=TEXT)
def test_special_characters_survive(user: str, password: str, dbname: str) -> None:
    expected = {"user": user, "password": password, "dbname": dbname, "host": "h"}
    libpq = libpq_url(make_conninfo("", **expected))
    assert conninfo_without_blanks(libpq) == expected
    assert seen_by_sqlalchemy(libpq) == expected


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:a@{SECRET}@host/d",
        f"postgresql://me:{SECRET}/x@host/d",
        f"postgresql://me:%{SECRET}@host/d",
        f"postgresql+psycopg://me:pw@host:{SECRET}/d",
        f"postgresql://host:{SECRET}/d",
        f"host=h {SECRET}",
        f"{SECRET}",
        f"host=a,b,c port=1,2 password={SECRET}",
    ],
)
def test_unreadable_url_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        libpq_url(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("scheme", ["mysql", "sqlite", "postgresql+psycopg2", "postgresql+asyncpg"])
def test_other_databases_and_drivers_are_refused(scheme: str) -> None:
    with pytest.raises(ConfigError, match="expected") as caught:
        connect(f"{scheme}://me:{SECRET}@host/d")
    assert f'"{scheme}://"' in str(caught.value)
    assert SECRET not in str(caught.value)


def test_engine_does_not_show_the_password() -> None:
    engine = connect(f"postgresql://me:{SECRET}@127.0.0.1:1/d")
    assert SECRET not in repr(engine)
    assert engine.url.password == SECRET
    with pytest.raises(Exception, match=r"127\.0\.0\.1") as caught:
        engine.connect()
    assert SECRET not in str(caught.value)


def test_given_url_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMDB_DATABASE_URL", "postgresql://from/environment")
    assert database_url("postgresql://given/d") == "postgresql://given/d"
    assert database_url() == "postgresql://from/environment"
    assert database_url("") == "postgresql://from/environment"


def test_without_a_url_the_embedded_server_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    from mmdb.server import embedded

    class Started(MmdbError):
        pass

    def start() -> None:
        raise Started("started")

    monkeypatch.delenv("MMDB_DATABASE_URL", raising=False)
    monkeypatch.setattr(embedded, "start", start)
    with pytest.raises(Started):
        connect()


def test_engine_options_are_passed_on() -> None:
    assert connect("postgresql://h/d", echo=True).echo is True


def test_no_module_hides_a_function() -> None:
    import mmdb

    called = [name for name in mmdb.__all__ if name != "__version__"]
    assert [name for name in called if find_spec(f"mmdb.{name}") is not None] == []
    assert mmdb.connect is connect


def test_import_is_quick() -> None:
    script = "import sys, mmdb; print([name for name in ('sqlalchemy', 'psycopg', 'numpy') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
