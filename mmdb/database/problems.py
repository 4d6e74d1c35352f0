"""A driver's error in our words: what PostgreSQL says, on one line, and what to do about it.

Advice comes from the database first, where its error carries a hint; else from the door at which the error came out,
since only that knows what its user can do. None of it quotes a URL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import psycopg
from psycopg import errors as pg

from mmdb.errors import DatabaseError, EmptyQueryError, MmdbError, one_line

Remedy: TypeAlias = Callable[[psycopg.Error], "str | None"]
"""What to do about an error for which the database has no hint."""


def driver_error(error: BaseException) -> psycopg.Error | None:
    """psycopg's error, also out of SQLAlchemy's, which quotes the whole statement; None where `error` is another."""
    inner = getattr(error, "orig", error)
    return inner if isinstance(inner, psycopg.Error) else None


def said(error: psycopg.Error) -> str:
    """PostgreSQL's primary message; where the server could not be asked, all that libpq says, on several lines."""
    return error.diag.message_primary or str(error).strip() or type(error).__name__


def brief(error: psycopg.Error) -> str:
    """`said` on one line, without what libpq adds on further ones: for a log, or inside another message."""
    return one_line(error.diag.message_primary or said(error).partition("\n")[0])


def is_unreachable(error: psycopg.Error) -> bool:
    """Whether the server could not be asked at all: it never answered with a code."""
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def usual_remedy(error: psycopg.Error) -> str | None:
    """What we know of the remedy for a statement that failed in an installed database."""
    message = brief(error)
    if isinstance(error, pg.DependentObjectsStillExist):
        return "drop those first"
    if isinstance(error, pg.InvalidSchemaName | pg.UndefinedTable | pg.UndefinedFunction) and "mmdb" in message:
        return "is mmdb installed in this database? `mmdb init` installs it"
    if isinstance(error, pg.UndefinedTable):
        return 'name its schema too, as in "shop.posters"'
    if isinstance(error, pg.ReadOnlySqlTransaction):
        return "on a standby go to the primary; else see why it is read only: show default_transaction_read_only"
    if isinstance(error, pg.InsufficientPrivilege):
        return "the role needs the right to it: see docs/security.md"
    return _way_to_the_server(error, message)


def _way_to_the_server(error: psycopg.Error, message: str) -> str | None:
    if isinstance(error, pg.ConnectionTimeout) or "refused" in message or "No such file or directory" in message:
        return "is the server running? `mmdb up` starts the embedded one; for another, check MMDB_DATABASE_URL"
    if is_unreachable(error):
        return "check the URL in MMDB_DATABASE_URL or --database"
    return None


def translated(
    error: psycopg.Error,
    remedy: Remedy = usual_remedy,
    kind: type[DatabaseError] = DatabaseError,
    *,
    message: str | None = None,
) -> MmdbError:
    """The driver's `error` as ours, of class `kind`; `message` stands for what it says by default."""
    if error.sqlstate == EmptyQueryError.sqlstate:
        return EmptyQueryError(message or brief(error), hint=error.diag.message_hint)
    # On dependent objects PostgreSQL's own hint is CASCADE, which takes what nobody looked at.
    hint = error.diag.message_hint
    if isinstance(error, pg.DependentObjectsStillExist) and "CASCADE" in (hint or ""):
        hint = None
    return kind(_stated(message or brief(error), error.diag.message_detail), hint=hint or remedy(error))


def _stated(message: str, detail: str | None) -> str:
    """On one line, with what depends on an object: the detail alone names that."""
    depends = detail if detail is not None and " depends on " in detail else ""
    return one_line(f"{message}: {depends.replace(chr(10), '; ')}".rstrip(": "))
