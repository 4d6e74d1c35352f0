"""mmdb.set_setting: a value is checked before it is kept."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

Connection = psycopg.Connection[Any]


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("nix", "1", 'unknown setting "nix"'),
        ("embed_timeout_ms", "soon", 'not "soon"'),
        ("query_cache_rows", "0", 'not "0"'),
        ("embed_timeout_ms", "2147483648", 'not "2147483648"'),
        ("max_attempts", None, "takes a value, not NULL"),
        (None, "1", "unknown setting"),
        ("worker_role", "nix", 'unknown setting "worker_role"'),
        ("default_model", "nix", 'model "nix" does not exist'),
    ],
)
def test_settings_are_checked(conn: Connection, name: str | None, value: str | None, match: str) -> None:
    with pytest.raises((pg.InvalidParameterValue, pg.UndefinedObject, pg.NullValueNotAllowed), match=match):
        conn.execute("select mmdb.set_setting(%s, %s)", [name, value])
