"""A driver's error in our words. That PostgreSQL's own hint goes first is seen in tests/e2e/test_cli.py."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy.exc import ArgumentError, ProgrammingError

from mmdb.database.problems import brief, driver_error, is_unreachable, said, translated
from mmdb.errors import EmptyQueryError, InstallError, QueryError

DOWN = psycopg.OperationalError("connection refused\n\tIs the server running?\n")


def test_what_libpq_says_whole_and_brief() -> None:
    assert said(DOWN) == "connection refused\n\tIs the server running?"
    assert brief(DOWN) == "connection refused"
    assert brief(psycopg.OperationalError("")) == "OperationalError"


def test_the_drivers_error_is_taken_out_of_sqlalchemys() -> None:
    refused = pg.UndefinedTable('relation "t" does not exist')
    assert driver_error(refused) is refused
    assert driver_error(ProgrammingError("select secret from t", {}, refused)) is refused
    assert driver_error(ArgumentError("no URL")) is None


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (pg.UndefinedFunction("function mmdb.embed(text) does not exist"), "`mmdb init` installs it"),
        (pg.UndefinedTable('relation "t" does not exist'), 'name its schema too, as in "shop.posters"'),
        (pg.InsufficientPrivilege("permission denied"), "see docs/security.md"),
        (pg.DependentObjectsStillExist("other objects depend on it"), "drop those first"),
        (DOWN, "is the server running? `mmdb up` starts the embedded one"),
        (psycopg.OperationalError("invalid port"), "check the URL in MMDB_DATABASE_URL or --database"),
    ],
)
def test_remedies(error: psycopg.Error, hint: str) -> None:
    ours = translated(error)
    assert ours.hint is not None
    assert hint in ours.hint
    assert ours.message == brief(error)


def test_an_empty_query_has_a_class_of_its_own() -> None:
    class Empty(psycopg.DataError):
        sqlstate = "22M01"

    ours = translated(Empty("the query is empty"))
    assert type(ours) is EmptyQueryError
    assert isinstance(ours, QueryError)
    assert ours.message == "the query is empty"


def test_a_door_has_remedies_and_a_class_of_its_own() -> None:
    ours = translated(pg.DivisionByZero("division by  zero"), lambda _error: "divide by one", InstallError)
    assert type(ours) is InstallError
    assert str(ours) == "division by zero (divide by one)"


def test_a_server_that_answers_with_a_code_was_reached() -> None:
    assert is_unreachable(DOWN)
    assert not is_unreachable(pg.AdminShutdown("terminating connection"))
    assert not is_unreachable(pg.UndefinedTable("t"))
