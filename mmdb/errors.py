"""Every error mmdb raises has one root, says what is wrong and what to do about it.

A message is lower case and names the offending value in quotes; the `hint` is the remedy. The command
line prints both on one line and exits with the error's `exit_code`.
"""

from __future__ import annotations


class MmdbError(Exception):
    """The root: `except mmdb.errors.MmdbError` catches whatever mmdb raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


def one_line(text: str) -> str:
    return " ".join(text.split())


class ConfigError(MmdbError):
    """A setting is missing or has a value that cannot be used."""

    exit_code = 2


class DatabaseError(MmdbError):
    """PostgreSQL could not be reached, or refused a statement."""

    exit_code = 3


class EmbeddedError(DatabaseError):
    """The embedded PostgreSQL could not be unpacked, started or stopped."""


class InstallError(DatabaseError):
    """The database cannot hold mmdb as it is: version, extension, privilege or schema."""


class ModelError(MmdbError):
    """A model is unknown, cannot be loaded, or returned something that is not an embedding."""

    exit_code = 4


class ModelUnavailableError(ModelError):
    """A model cannot be loaded here, because its backend or a package is missing; another worker may have it."""


class ModelServiceError(ModelError):
    """A model's server does not serve, whatever it is asked: down, overloaded, or the key is refused.

    What was to be embedded is not at fault, so it is not counted as a failure: it waits until the server is back.
    `retry_after` is what the server asked for, in seconds.
    """

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class MediaError(MmdbError):
    """One item cannot be fetched or decoded. `permanent` says whether trying again could help."""

    exit_code = 5

    def __init__(self, message: str, *, hint: str | None = None, permanent: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.permanent = permanent


class DeclarationError(MmdbError):
    """An embedding is declared of something that cannot carry it: source, name, model or key."""

    exit_code = 2


class QueryError(MmdbError):
    """What is searched for, or where, is not something that can be compared."""

    exit_code = 2


class EmptyQueryError(QueryError):
    """An empty query was to become a vector. A search by it is no error: it finds no rows."""

    sqlstate = "22M01"
    """By which the database says so: of psycopg's error `.sqlstate`, of SQLAlchemy's `.orig.sqlstate`."""
