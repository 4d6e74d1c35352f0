"""The connection in which an install runs, its named statements, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy
from psycopg import errors as pg
from psycopg.rows import dict_row
from psycopg.sql import Composable
from sqlalchemy.exc import DBAPIError

from mmdb.database.engine import connect
from mmdb.database.statements import statement
from mmdb.errors import DatabaseError, InstallError, stated

TOPIC = "install"
SCRIPT_HINT = "`mmdb init --print-script` writes what a database administrator must run once"


class Database:
    """One connection inside the install's transaction, which runs the named statements of install.sql."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self.connection = connection
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        self.raw: psycopg.Connection[Any] = raw

    def run(self, name: str, values: Mapping[str, object] | None = None, **filled: str | Composable) -> None:
        """A statement without an answer; `filled` are identifiers or what psycopg.sql made."""
        self.raw.execute(statement(TOPIC, name, **filled), values or {})

    def attempt(self, name: str, values: Mapping[str, object] | None = None, **filled: str | Composable) -> None:
        """`run` in a savepoint, so that the caller may catch the error and go on."""
        with self.raw.transaction():
            self.run(name, values, **filled)

    def rows(
        self, name: str, values: Mapping[str, object] | None = None, **filled: str | Composable
    ) -> list[dict[str, Any]]:
        with self.raw.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement(TOPIC, name, **filled), values or {}).fetchall()

    def value(self, name: str, values: Mapping[str, object] | None = None) -> Any:
        row = self.raw.execute(statement(TOPIC, name), values or {}).fetchone()
        return row[0] if row else None

    @contextmanager
    def acting_as(self, role: str) -> Iterator[None]:
        """What is created inside belongs to `role`. After an error the transaction is over, and so is the role."""
        self.run("set_role", role=role)
        yield
        self.run("reset_role")


@contextmanager
def transaction(url: str | None) -> Iterator[Database]:
    """A transaction on the database at `url`, committed at the end; a driver's error becomes ours."""
    engine = connect(url)
    try:
        with _translated(), engine.begin() as connection:
            yield Database(connection)
    finally:
        engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """The one place at which a driver's error during an install becomes ours; none of them quotes the URL."""
    try:
        yield
    except DBAPIError as error:  # psycopg's error inside SQLAlchemy's, which quotes the whole statement
        if not isinstance(error.orig, psycopg.Error):
            raise
        raise translate(error.orig) from error.orig
    except psycopg.Error as error:
        raise translate(error) from error


def translate(error: psycopg.Error) -> DatabaseError:
    """The driver's `error` as ours, on one line and with a remedy."""
    message = stated(error.diag.message_primary or str(error), error.diag.message_detail)
    if isinstance(error, pg.DependentObjectsStillExist):
        return InstallError(message, hint="drop those first, and make them again afterwards")
    if error.diag.message_hint:
        return InstallError(message, hint=error.diag.message_hint)
    if isinstance(error, pg.InsufficientPrivilege):
        return InstallError(message, hint=SCRIPT_HINT)
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return DatabaseError(message, hint="is the server running, and MMDB_DATABASE_URL right?")
    return InstallError(message, hint="`mmdb doctor` checks the database")
