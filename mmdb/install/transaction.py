"""The connection in which an install runs, its named statements, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as pg
from psycopg.rows import dict_row
from psycopg.sql import Composable

from mmdb.database.driver import psycopg_connection
from mmdb.database.engine import connect
from mmdb.database.problems import driver_error, is_unreachable, said, translated
from mmdb.database.statements import statement
from mmdb.errors import DatabaseError, InstallError

if TYPE_CHECKING:  # else imported where they are used: an install with nothing to do is to be quick
    import sqlalchemy

TOPIC = "install"
SCRIPT_HINT = "`mmdb init --print-script` writes what a database administrator must run once"


class Database:
    """One connection inside the install's transaction, which runs the named statements of install.sql."""

    def __init__(self, raw: psycopg.Connection[Any], connection: sqlalchemy.Connection | None = None) -> None:
        self.raw = raw
        self.connection = connection
        """The same as SQLAlchemy's, where migrations may run."""

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
    def pinned_path(self) -> Iterator[None]:
        """What is made inside binds PostgreSQL's own operators, none that a stranger left in a schema of our path."""
        path = self.value("search_path")
        self.run("pin_search_path")
        yield
        self.run("set_search_path", {"path": path})

    @contextmanager
    def acting_as(self, role: str) -> Iterator[None]:
        """What is created inside belongs to `role`. After an error the transaction is over, and so is the role."""
        self.run("set_role", role=role)
        yield
        self.run("reset_role")


@contextmanager
def transaction(url: str | None) -> Iterator[Database]:
    """A transaction on the database at `url`, committed at the end; a driver's error becomes ours."""
    # Else what a database of encoding SQL_ASCII says comes as bytes, before we can refuse it.
    engine = connect(url, connect_args={"client_encoding": "utf8"})
    try:
        with _translated(), engine.begin() as connection:
            database = Database(psycopg_connection(connection, "mmdb init"), connection)
            database.run("pin_settings")
            yield database
    finally:
        engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """A driver's error during an install becomes ours."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (psycopg.Error, DBAPIError) as error:
        refused = driver_error(error)
        if refused is None:
            raise
        kind = DatabaseError if is_unreachable(refused) else InstallError
        raise translated(refused, _remedy, kind, message=said(refused)) from refused


def _remedy(error: psycopg.Error) -> str:
    if isinstance(error, pg.DependentObjectsStillExist):
        return "drop those first, and make them again afterwards"
    if isinstance(error, pg.InsufficientPrivilege):
        return SCRIPT_HINT
    if is_unreachable(error):
        return "is the server running, and MMDB_DATABASE_URL right?"
    return "`mmdb doctor` checks the database"
