"""Any exception as one readable line and an exit code."""

from __future__ import annotations

import psycopg

from mmdb.database.problems import translated
from mmdb.errors import MmdbError, one_line

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


def _usage(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"`{context.command_path} --help` shows how" if context else "`mmdb --help` shows how"
