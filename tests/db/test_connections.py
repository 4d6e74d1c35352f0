"""`mmdb.connect` on a real server: by address and socket, with odd passwords, with and without pgvector's types."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from sqlalchemy.exc import OperationalError

import mmdb
from mmdb.database.types import register_types
from mmdb.server import embedded
from tests.conftest import Database, MakeRole, needs_embedded

ODD_PASSWORD = "p@ss:w/o?r#d %41+&='\\\" ü猫"


def answer(engine: sqlalchemy.Engine, query: str) -> Any:
    try:
        with engine.connect() as connection:
            return connection.execute(sqlalchemy.text(query)).scalar_one()
    finally:
        engine.dispose()


def test_types_are_registered(database: Database) -> None:
    engine = mmdb.connect(database.url)
    assert answer(engine, "select '[1,2]'::vector").to_list() == [1, 2]
    assert answer(engine, "select '[1,2]'::halfvec").to_list() == [1, 2]


def test_registering_leaves_no_transaction_open(database: Database) -> None:
    engine = mmdb.connect(database.url)
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        assert raw.info.transaction_status is TransactionStatus.IDLE
    engine.dispose()


def test_database_without_vector(empty_database: Database) -> None:
    assert answer(mmdb.connect(empty_database.url), "select 1") == 1
    with empty_database.connect() as connection:
        assert not register_types(connection)
        connection.execute("create extension vector")
        assert register_types(connection)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_schemes(database: Database, scheme: str) -> None:
    url = database.url.replace("postgresql", scheme, 1)
    assert answer(mmdb.connect(url), "select current_database()") == database.name


@needs_embedded
def test_socket(server: embedded.ServerInfo, database: Database) -> None:
    conninfo = make_conninfo(database.url, host=str(server.socket_directory))
    assert answer(mmdb.connect(conninfo), "select inet_server_addr() is null") is True


def test_password_with_special_characters(database: Database, make_role: MakeRole) -> None:
    role = make_role()
    with database.connect() as connection:
        statement = sql.SQL("alter role {} password {}")
        connection.execute(statement.format(sql.Identifier(role.name), sql.Literal(ODD_PASSWORD)))
    conninfo = make_conninfo(database.url, user=role.name, password=ODD_PASSWORD)
    assert answer(mmdb.connect(conninfo), "select current_user") == role.name
    assert answer(mmdb.connect(mmdb_url(conninfo)), "select current_user") == role.name
    with pytest.raises(OperationalError) as caught:
        answer(mmdb.connect(make_conninfo(conninfo, password=ODD_PASSWORD + "x")), "select 1")
    assert ODD_PASSWORD not in str(caught.value)


def mmdb_url(conninfo: str) -> str:
    """As SQLAlchemy writes it."""
    parts = conninfo_to_dict(conninfo)
    url = sqlalchemy.URL.create(
        "postgresql+psycopg",
        username=str(parts["user"]),
        password=str(parts["password"]),
        host=str(parts["host"]),
        port=int(str(parts["port"])),
        database=str(parts["dbname"]),
    )
    return url.render_as_string(hide_password=False)
