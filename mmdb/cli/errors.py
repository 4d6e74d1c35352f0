"""Any exception as one readable line and an exit code."""

from __future__ import annotations

import psycopg
from psycopg import errors as pg

from mmdb.errors import DatabaseError, MmdbError, stated

UNEXPECTED = 1


def describe(error: Exception) -> tuple[str, int]:
    """("what is wrong (what to do)", exit code)."""
    if isinstance(error, psycopg.Error):
        error = translated(error)
    if isinstance(error, MmdbError):
        return one_line(str(error)), error.exit_code
    # The parser's errors: their class moved from the package click into typer.
    if hasattr(error, "format_message") and isinstance(code := getattr(error, "exit_code", None), int):
        return f"{one_line(error.format_message()).rstrip('.')} ({_usage(error)})", code
    return f"{one_line(f'{type(error).__name__}: {error}')} (`mmdb --debug …` shows where)", UNEXPECTED


def translated(error: psycopg.Error) -> DatabaseError:
    """A driver's error as ours: PostgreSQL's primary message and hint, or what we know of the remedy."""
    message = error.diag.message_primary or str(error).strip().partition("\n")[0] or type(error).__name__
    hint = error.diag.message_hint
    if isinstance(error, pg.DependentObjectsStillExist):
        hint = "drop those first"
    return DatabaseError(stated(message, error.diag.message_detail), hint=hint or remedy(error, message))


def remedy(error: psycopg.Error, message: str) -> str | None:
    if isinstance(error, pg.InvalidSchemaName | pg.UndefinedTable | pg.UndefinedFunction) and "mmdb" in message:
        return "is mmdb installed in this database? `mmdb init` installs it"
    if isinstance(error, pg.UndefinedTable):
        return 'name its schema too, as in "shop.posters"'
    if isinstance(error, pg.InsufficientPrivilege):
        return "the role needs the right to it: see docs/security.md"
    if isinstance(error, pg.ConnectionTimeout) or "refused" in message or "No such file or directory" in message:
        return "is the server running? `mmdb up` starts the embedded one; for another, check MMDB_DATABASE_URL"
    if error.sqlstate is None and isinstance(error, psycopg.OperationalError):
        return "check the URL in MMDB_DATABASE_URL or --database"
    return None


def one_line(text: str) -> str:
    return " ".join(text.split())


def _usage(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"`{context.command_path} --help` shows how" if context else "`mmdb --help` shows how"
