"""The SQL that mmdb writes: templates, and what they are filled with."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.db.conftest import Connection, one


def filled(conn: Connection, template: str, **pieces: str) -> str:
    return str(one(conn, "select mmdb.filled(%s, %s)", template, json.dumps(pieces)))


def test_names_are_filled_where_they_stand(conn: Connection) -> None:
    assert filled(conn, "select {a}, {b} from {a}", a="x", b="y") == "select x, y from x"
    assert filled(conn, "nothing to fill") == "nothing to fill"
    assert filled(conn, "{a}", a="") == ""


def test_what_is_filled_in_is_not_looked_at_again(conn: Connection) -> None:
    assert filled(conn, "{a} {b}", a="{b}", b="100% %s \\1") == "{b} 100% %s \\1"


def test_other_braces_stay(conn: Connection) -> None:
    assert filled(conn, "'{}'::text[] {A} {a1} {a}", a="x") == "'{}'::text[] {A} {a1} x"


def test_a_name_without_a_piece_is_an_error(conn: Connection) -> None:
    with pytest.raises(psycopg.errors.InternalError_, match='a template asks for "b", which is not among: a'):
        filled(conn, "{a} {b}", a="x")


def test_rows_of_a_table_are_those_of_its_partitions(conn: Connection) -> None:
    conn.execute("create table parted (id int primary key) partition by range (id)")
    conn.execute("create table lower partition of parted for values from (0) to (300)")
    conn.execute("create table upper partition of parted for values from (300) to (1000) partition by range (id)")
    conn.execute("create table upper_1 partition of upper for values from (300) to (1000)")
    conn.execute("insert into parted select generate_series(0, 999)")
    conn.execute("analyze")
    rows = [one(conn, "select mmdb.table_rows(%s)", name) for name in ("parted", "upper", "upper_1", "lower")]
    assert rows == [1000, 700, 700, 300]
