"""The functions and views of schema mmdb: replaced whole at every install, from the files in sql/.

What no file makes any more, or makes with another result or other names of parameters, goes last, once nobody is left
in the middle of it: a search that waited for the install goes on in the functions of the version before.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from secrets import token_hex

import psycopg
from psycopg import errors as pg

from mmdb.database.problems import said
from mmdb.database.statements import function_files
from mmdb.install.transaction import Database, transaction

CHANGED_RESULT = re.compile(r"DROP (?:FUNCTION|PROCEDURE) (mmdb\..+\))")
"""In PostgreSQL's hint, of any language, about a function that cannot be replaced because it returns something else."""
ASIDE = "set_aside_"
"""How the names of functions begin that made room for others of their signature: a plan knows them by number."""
PATIENCE_SECONDS = 10.0
"""How long to wait for the transactions that ran when the new functions came."""
LOOK_SECONDS = 0.05
"""How often to look whether they have ended."""


def replace_functions(database: Database, schemas: Mapping[str, str]) -> list[str]:
    """Make everything in sql/ again; `schemas` is where each extension lives. Returns what no file makes any more."""
    # SQL functions may name functions of a later file.
    database.run("unchecked_bodies")
    database.run("load_extensions")  # only a setting that is known can be attached without being superuser
    before = database.rows("functions")
    texts = [_in_schemas(file.read_text("utf-8"), schemas) for file in function_files()]
    try:
        with database.raw.transaction():
            for text in texts:
                database.raw.execute(text.encode())
    except (pg.InvalidFunctionDefinition, pg.InvalidTableDefinition):
        # An older version returns something else somewhere. Views stand in the way of functions, and are made again.
        views = ", ".join(view["name"] for view in database.rows("views"))
        if views:
            database.raw.execute(f"drop view {views}".encode())
        for text in texts:
            _replace(database, text)
    former = [function["function"] for function in database.rows("functions") if function in before]
    # Beside one whose parameters begin like its own no call with fewer arguments would be clear.
    ambiguous = [function["function"] for function in database.rows("ambiguous", {"former": former})]
    for function in ambiguous:
        _set_aside(database, function)
    aside = [function["function"] for function in database.rows("functions") if f".{ASIDE}" in function["function"]]
    return [*(function for function in former if function not in ambiguous), *aside]


def drop_former(url: str | None, functions: Sequence[str]) -> list[str]:
    """Drop functions of an older version. Returns warnings about those that stay: the next install tries again."""
    if not functions:
        return []
    with transaction(url) as database:
        if not _wait_for_others(database):
            return [f"{len(functions)} functions of the former version stay, transactions ran on: run mmdb init again"]
        database.run("lock")
        with database.acting_as(database.rows("schema_owner")[0]["owner"]):
            return [warning for function in functions for warning in _drop(database, function)]


def _wait_for_others(database: Database) -> bool:
    """Whether the transactions that run now have ended in time."""
    running = _running(database)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while running & _running(database):
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _drop(database: Database, function: str) -> list[str]:
    try:
        with database.raw.transaction():
            database.raw.execute(f"drop routine if exists {function}".encode())
    except psycopg.Error as error:
        return [f"function {function} of the former version stays: {said(error)}"]
    return []


def _running(database: Database) -> set[str]:
    """The transactions that run now; anybody may see that."""
    return {row["transaction"] for row in database.rows("running")}


def _in_schemas(text: str, schemas: Mapping[str, str]) -> str:
    for extension, schema in schemas.items():
        text = text.replace(f"@extschema:{extension}@", schema)
    return text


def _replace(database: Database, text: str) -> None:
    """Run a file of functions. One whose result is another than that of an older version is set aside first."""
    while True:
        try:
            with database.raw.transaction():
                database.raw.execute(text.encode())
            return
        except pg.InvalidFunctionDefinition as error:
            changed = CHANGED_RESULT.search(error.diag.message_hint or "")
            if changed is None:
                raise
            _set_aside(database, changed[1])


def _set_aside(database: Database, function: str) -> None:
    database.raw.execute(f"alter routine {function} rename to {ASIDE}{token_hex(8)}".encode())
