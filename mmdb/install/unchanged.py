"""Whether an install has anything to do: most have not, and need not import what migrations need to find that out.

A finished install leaves one text in mmdb.settings: what this mmdb is made of, and what of it stands in the database.
As long as both are the same, there are two things left to look at: tables that were changed, and the loopback.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import psycopg

from mmdb import __version__
from mmdb.database.engine import database_url
from mmdb.database.statements import PACKAGE, function_files, resource
from mmdb.errors import MmdbError
from mmdb.install.transaction import Database, transaction
from mmdb.models.registry import builtin_specs

SETTING = "installed"


def newest_revision() -> str:
    """The last migration there is: its file begins with its number, of four digits."""
    return max(file.name[:4] for file in (resource("migrations") / "versions").glob("[0-9]*.py"))


def unchanged(url: str | None) -> str | None:
    """The version of the server at `url`, if an install there would change nothing; else, and in doubt, None."""
    try:
        with psycopg.connect(database_url(url), client_encoding="utf8") as raw:
            return _version_if_unchanged(Database(raw))
    except (psycopg.Error, MmdbError):
        return None  # the install itself says what is wrong


def remember(url: str | None) -> None:
    """Write down what stands in the database, after an install that left nothing to be done."""
    with transaction(url) as database:
        database.run("lock")
        with database.acting_as(database.rows("schema_owner")[0]["owner"]):
            database.run("keep_setting", {"name": SETTING, "value": _state(database)})


def _version_if_unchanged(database: Database) -> str | None:
    database.run("pin_settings")
    database.run("lock")
    facts = database.rows("facts")[0]
    kept = {row["name"]: row["value"] for row in database.rows("settings")}
    if facts["standby"] or facts["read_only"] or kept.get(SETTING) != _state(database) or database.rows("out_of_date"):
        return None
    with database.acting_as(database.rows("schema_owner")[0]["owner"]):
        tried = database.rows("try_loopback")[0]
    return str(facts["version_text"]) if tried["problem"] is None else None


def _state(database: Database) -> str:
    with database.pinned_path():
        return f"{_made_of()} {database.value('installed_state', {'setting': SETTING})}"


def _made_of() -> str:
    """This mmdb, as far as an install writes it into a database."""
    files = [
        *function_files(),
        *sorted((resource("migrations") / "versions").glob("*.py")),
        PACKAGE / "statements" / "install.sql",
        *sorted(Path(__file__).parent.glob("*.py")),
    ]
    told = sha256(repr((__version__, list(builtin_specs()))).encode())
    for file in files:
        told.update(file.read_bytes())
    return told.hexdigest()
