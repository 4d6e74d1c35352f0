"""The committed schema is that of a fresh install, an install over an install changes nothing, and every function is
described and closed to strangers.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from mmdb.install import install
from tests.conftest import Database, Server, needs_embedded
from tests.migration.dump import SCHEMA, dump_schema

Connection = psycopg.Connection[Any]


def functions(conn: Connection, condition: str) -> list[str]:
    """Functions of schema mmdb for which the condition holds."""
    rows = conn.execute(f"""
        select p.oid::regprocedure::text
        from pg_proc p join pg_language l on l.oid = p.prolang
        where p.pronamespace = 'mmdb'::regnamespace and p.prokind = 'f' and ({condition})
        order by 1""")
    return [name for (name,) in rows]


@needs_embedded  # by its version of pg_dump
def test_committed_schema_is_that_of_a_fresh_install(server: Server, empty_database: Database) -> None:
    install(empty_database.url)
    assert dump_schema(server, empty_database.url) == SCHEMA.read_text("utf-8"), "run `make schema` and commit it"


def test_install_over_an_install_changes_nothing(server: Server, empty_database: Database) -> None:
    install(empty_database.url)
    first = dump_schema(server, empty_database.url)
    install(empty_database.url)
    assert dump_schema(server, empty_database.url) == first


def test_there_are_functions(conn: Connection) -> None:
    assert len(functions(conn, "true")) > 50


def test_every_function_is_described(conn: Connection) -> None:
    assert functions(conn, "obj_description(p.oid, 'pg_proc') is null") == []


def test_public_may_call_nothing_but_what_indexes_call(conn: Connection) -> None:
    assert functions(conn, "has_function_privilege('public', p.oid, 'execute')") == [
        "mmdb.pairs(text,boolean)",
        "mmdb.words_of(regconfig,text)",
    ]


def test_search_path_is_pinned(conn: Connection) -> None:
    """But for what is inlined, which PostgreSQL does only without settings: immutable one-liners in SQL, and classify.

    A literal that goes on in the next line still makes one line.

    They call nothing by a bare name. And for those that hand their caller's path on and qualify all else.
    """
    unpinned = "not exists (select from unnest(p.proconfig) c where c = 'search_path=pg_catalog, pg_temp')"
    body = r"regexp_replace(btrim(p.prosrc, E' \n'), '''\s*\n\s*''', '', 'g')"
    one_line = rf"(p.provolatile = 'i' and {body} !~ '\n' or p.proname = 'classify')"
    inlinable = f"l.lanname = 'sql' and {one_line} and not p.prosecdef"
    hands_on = "p.prosrc like '%%pg_catalog.current_setting(''search_path'')%%'"
    handing_on = f"p.proname in ('recall', 'tune', 'explain') and {hands_on}"
    assert functions(conn, f"{unpinned} and not ({inlinable}) and not ({handing_on})") == []


def test_definers_belong_to_the_owner_of_the_schema(conn: Connection) -> None:
    owner = "(select nspowner from pg_namespace where nspname = 'mmdb')"
    assert functions(conn, f"p.proowner <> {owner}") == []


def test_languages_are_trusted(conn: Connection) -> None:
    assert functions(conn, "l.lanname not in ('sql', 'plpgsql')") == []


@pytest.mark.parametrize("table", ["settings", "leases", "requests", "queries", "worker_sessions", "progress"])
def test_public_may_read_no_table(conn: Connection, table: str) -> None:
    row = conn.execute("select has_table_privilege('public', %s, 'select')", [f"mmdb.{table}"]).fetchone()
    assert row == (False,)
