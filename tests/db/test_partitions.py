"""Partitions that come and go: no vector of a former source is found without a word of it, and no false alarm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmdb.install import install
from mmdb.worker import Totals
from tests.conftest import Database, MakeRole, Server, temporary_database
from tests.db.conftest import Connection, one
from tests.migration.dump import run_program

DETACH = "alter table parts detach partition parts_us; "
ATTACH = "; alter table parts attach partition parts_us for values in ('us')"
CHANGE = "update parts_us set txt = 'changed'"


@pytest.fixture
def parts(conn: Connection, drain: Callable[[], Totals]) -> Connection:
    """A table of two partitions, one of them partitioned again, embedded."""
    conn.execute("create table parts (id int, region text, txt text, n int, primary key (id, region)) "
                 "partition by list (region)")  # fmt: skip
    conn.execute("create table parts_us partition of parts for values in ('us')")
    conn.execute("create table parts_eu partition of parts for values in ('eu') partition by range (id)")
    conn.execute("create table parts_eu_1 partition of parts_eu for values from (0) to (10)")
    conn.execute("insert into parts values (1, 'us', 'one'), (2, 'us', 'two'), (3, 'eu', 'three')")
    conn.execute("select name from mmdb.add_embedding('parts', 'txt', model => 'hash')")
    drain()
    assert drift(conn) is None
    return conn


def drift(conn: Connection) -> Any:
    return one(conn, "select drift from mmdb.status where relation = 'parts'::regclass")


def pending(conn: Connection) -> Any:
    return one(conn, "select pending from mmdb.status where relation = 'parts'::regclass")


CHANGED = {
    "statement by statement": DETACH + CHANGE + ATTACH,
    "in one transaction": "begin; " + DETACH + CHANGE + ATTACH + "; commit",
    "and its other columns since": DETACH + CHANGE + ATTACH + "; update parts set n = 1 where id = 1",
    "another table in its place": (
        "create table parts_new (like parts_us including all); "
        "insert into parts_new select id, region, 'changed', n, txt_embedding from parts_us; "
        + DETACH + "drop table parts_us; alter table parts_new rename to parts_us" + ATTACH
    ),
    "under a partition": (
        "alter table parts_eu detach partition parts_eu_1; update parts_eu_1 set txt = 'changed'; "
        "alter table parts_eu attach partition parts_eu_1 for values from (0) to (10)"
    ),
    "with its own partitions": (
        "alter table parts detach partition parts_eu; update parts_eu_1 set txt = 'changed'; "
        "alter table parts attach partition parts_eu for values in ('eu')"
    ),
}  # fmt: skip


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_what_changed_while_it_was_apart_is_told_and_mended(
    parts: Connection, drain: Callable[[], Totals], changed: str
) -> None:
    parts.execute(changed.encode())
    said = drift(parts)
    assert said.startswith("partition public.parts_")
    assert "select mmdb.refresh('public.parts')" in said
    doctor = "select finding from mmdb.doctor() where starts_with(subject, 'embedding')"
    assert one(parts, doctor) == said.split(": ", 1)[0]
    parts.execute("select mmdb.refresh('parts')")
    assert drift(parts) is None
    assert pending(parts) == one(parts, "select count(*) from parts where tableoid in "
                                        "(select tableoid from parts where txt = 'changed')")  # fmt: skip
    drain()
    assert pending(parts) == 0


QUIET = {
    "made as a partition": "create table parts_cn partition of parts for values in ('cn')",
    "attached empty": "create table parts_cn (like parts including all); "
                      "alter table parts attach partition parts_cn for values in ('cn')",
    "attached without vectors": "create table parts_cn (like parts including all); "
                                "insert into parts_cn values (7, 'cn', 'seven'); "
                                "alter table parts attach partition parts_cn for values in ('cn')",
    "filled in its transaction": "begin; create table parts_cn partition of parts for values in ('cn'); "
                                 "insert into parts select 7, 'cn', txt, n, txt_embedding from parts limit 1; commit",
}  # fmt: skip


@pytest.mark.parametrize("made", QUIET.values(), ids=QUIET)
def test_nothing_is_said_of_a_partition_that_brought_no_vectors(
    parts: Connection, drain: Callable[[], Totals], made: str
) -> None:
    parts.execute(made.encode())
    parts.execute("insert into parts values (8, 'cn', 'eight')")
    assert drift(parts) is None
    drain()
    assert (drift(parts), pending(parts)) == (None, 0)
    parts.execute("select mmdb.refresh('parts')")
    assert (drift(parts), pending(parts)) == (None, 0)


def test_vectors_that_are_known_to_be_right_are_kept(parts: Connection) -> None:
    parts.execute((DETACH + "update parts_us set n = 2" + ATTACH).encode())
    assert "mmdb.keep_vectors('public.parts')" in drift(parts)
    parts.execute("select mmdb.keep_vectors('parts')")
    assert (drift(parts), pending(parts)) == (None, 0)


def test_an_old_vector_that_is_kept_is_marked(conn: Connection, drain: Callable[[], Totals]) -> None:
    conn.execute("create table parts (region text primary key, txt text) partition by list (region)")
    conn.execute("create table parts_us partition of parts for values in ('us')")
    conn.execute("insert into parts values ('us', 'one')")
    conn.execute("select name from mmdb.add_embedding('parts', 'txt', model => 'hash', on_change => 'keep')")
    drain()
    conn.execute((DETACH + CHANGE + ATTACH).encode())
    conn.execute("select mmdb.refresh('parts')")
    assert one(conn, "select stale from mmdb.status") == 1


def test_a_switch_of_models_forgets_nothing(conn: Connection, drain: Callable[[], Totals]) -> None:
    """It makes the triggers again where old vectors are kept, and with them what is known of the partitions."""
    conn.execute("select mmdb.add_model('other', 'hash', 'sha256', 32, array['text'], 'hash/1 dimensions=32', "
                 "options => '{\"dimensions\": 32}')")  # fmt: skip
    conn.execute("create table parts (region text primary key, txt text) partition by list (region)")
    conn.execute("create table parts_us partition of parts for values in ('us')")
    conn.execute("select name from mmdb.add_embedding('parts', 'txt', model => 'hash', on_change => 'keep')")
    conn.execute("insert into parts values ('us', 'one')")
    drain()
    conn.execute("select name from mmdb.change_model('parts', 'txt', 'other')")
    conn.execute("select name from mmdb.switch_model('parts', 'txt', force => true)")
    assert conn.execute("select drift from mmdb.status").fetchall() == [(None,), (None,)]


def test_who_may_not_read_the_table_is_told_what_may_be(
    parts: Connection, database: Database, make_role: MakeRole
) -> None:
    role = make_role()
    parts.execute(f"grant mmdb_user to {role.name}; grant select on parts to {role.name}".encode())
    parts.execute((DETACH + CHANGE + ATTACH).encode())
    with role.connect(database) as other:
        assert "may have brought vectors" in drift(other)


def test_after_a_restore_nothing_is_unknown(
    parts: Connection, database: Database, server: Server, template_db: str
) -> None:
    """Where triggers are younger than all rows."""
    dumped = run_program(server, "pg_dump", database.url)
    for copy in temporary_database(server, "template0"):
        with copy.connect() as conn:
            run_program(server, "psql", "-q", copy.url, stdin=dumped)
            install(copy.url)
            assert (drift(conn), pending(conn)) == (None, 0)
            assert one(conn, "select count(txt_embedding) from parts") == 3
            conn.execute((DETACH + CHANGE + ATTACH).encode())
            assert "parts_us was attached" in drift(conn)
