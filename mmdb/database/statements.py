"""SQL stands in .sql files; here it is found and read.

`sql/` (functions, replaced whole at every install) and `migrations/` lie at the top of a checkout and inside the
package of a wheel. `mmdb/statements/*.sql` holds what Python itself executes, each statement under a line
`-- name: …`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

from psycopg.sql import SQL, Composable, Composed, Identifier

from mmdb.errors import InstallError

PACKAGE = Path(__file__).parents[1]
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def resource(name: str) -> Path:
    """A folder that ships with mmdb: "sql", "migrations" or "examples/shop"."""
    for place in (PACKAGE / f"_{name}", PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise InstallError(f'the folder "{name}" is missing from this installation', hint="install mmdb again")


@cache
def statements(topic: str) -> dict[str, LiteralString]:
    """The named statements of one file in mmdb/statements."""
    text = (PACKAGE / "statements" / f"{topic}.sql").read_text("utf-8")
    parts = _NAME.split(text)[1:]
    # Our own files are as literal as a string in this module.
    return {name: cast("LiteralString", body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def statement(topic: str, name: str, **filled: str | Composable) -> Composed:
    """One named statement; its {placeholders} are filled with identifiers (str) or what psycopg.sql made.

    It is to be executed with parameters, if only `{}`: a "%" is written twice in it, also where it is part of a name.
    """
    return SQL(statements(topic)[name]).format(**{key: _filling(value) for key, value in filled.items()})


def _filling(value: str | Composable) -> Composable:
    part = Identifier(value) if isinstance(value, str) else value
    text: LiteralString = part.as_string(None).replace("%", "%%")
    return SQL(text)


def function_files() -> list[Path]:
    """Everything in schema mmdb, in the order of its files: privileges last."""
    return sorted(resource("sql").glob("*.sql"))
