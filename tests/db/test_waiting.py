"""mmdb.wait_until_embedded: it returns when the rows are embedded, and says why where that will not be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from psycopg import errors as pg

from mmdb.worker import Totals, background
from tests.conftest import Database
from tests.db.conftest import QUICK, Connection, check_rows


@pytest.fixture
def lazy_worker(database: Database) -> object:
    """A worker that would look for pending rows in an hour."""
    with background(database.url, options=replace(QUICK, poll_seconds=3600)):
        yield


def test_it_wakes_the_worker_and_returns_when_all_is_embedded(items: Connection, lazy_worker: None) -> None:
    items.execute("select mmdb.wait_until_embedded('items')")
    items.execute("insert into items values (6, 'six')")
    items.execute("select mmdb.wait_until_embedded('items', array['6'])")
    check_rows(items)


def test_rows_of_others_and_rows_without_a_source_are_not_waited_for(items: Connection) -> None:
    items.execute("update items set txt = null where id = 2")
    items.execute("select mmdb.wait_until_embedded('items', array['2', '77'])")


def test_keys_of_several_columns(conn: Connection, worker: None) -> None:
    conn.execute("create table pairs (a int, b text, txt text, primary key (a, b))")
    conn.execute("select mmdb.add_embedding('pairs', 'txt', model => 'hash')")
    conn.execute("insert into pairs values (1, 'x,y', 'one')")
    conn.execute("select mmdb.wait_until_embedded('pairs', array[array['1', 'x,y']::text])")
    assert conn.execute("select count(txt_embedding) from pairs").fetchone() == (1,)


def test_a_failure_is_an_error_with_its_reason(items: Connection, worker: None) -> None:
    items.execute("update items set txt = ' ' where id = 3")
    with pytest.raises(psycopg.DataError, match=r"row \{3\} of public.items cannot be embedded: the text is empty"):
        items.execute("select mmdb.wait_until_embedded('items')")
    items.execute("select mmdb.wait_until_embedded('items', array['1'])")


def test_a_mended_row_is_waited_for(items: Connection, drain: Callable[[], Totals], database: Database) -> None:
    items.execute("update items set txt = ' ' where id in (3, 4)")
    drain()
    items.execute("update items set txt = 'mended' where id = 3")
    items.execute("delete from items where id = 4")
    assert items.execute("select key from mmdb.failures").fetchall() == []
    assert items.execute("select pending, failed from mmdb.status").fetchone() == (1, 0)
    with background(database.url, options=QUICK):
        items.execute("select mmdb.wait_until_embedded('items')")
    check_rows(items)


def test_whoever_waits_is_told_what_is_tried_again(items: Connection, database: Database) -> None:
    told: list[str] = []
    items.add_notice_handler(lambda notice: told.append(f"{notice.severity}: {notice.message_primary}"))
    items.execute("update items set price = -1 where id = 3")
    items.execute("alter table items add constraint sane check (price > 0) not valid")
    with background(database.url, options=QUICK), pytest.raises(pg.QueryCanceled, match="1 rows of") as raised:
        items.execute("select mmdb.wait_until_embedded('items', timeout => '3 s')")
    why = "row {3} of public.items cannot be embedded: the table refused the embedding: new row for relation"
    assert str(raised.value.diag.message_detail).startswith(why)
    (warning,) = told
    assert warning.startswith(f"WARNING: {why}")


def test_it_says_why_it_will_not_be(items: Connection, database: Database) -> None:
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match="no worker is running"):
        items.execute("select mmdb.wait_until_embedded('items')")
    with pytest.raises(pg.UndefinedObject, match='no embedding "nix"'):
        items.execute("select mmdb.wait_until_embedded('items', name => 'nix')")
    with database.connect(autocommit=False) as own:
        own.execute("insert into items values (6, 'six')")
        with pytest.raises(pg.InvalidTransactionState, match="this very transaction"):
            own.execute("select mmdb.wait_until_embedded('items')")
        own.rollback()
        own.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(pg.InvalidTransactionState, match="repeatable read"):
            own.execute("select mmdb.wait_until_embedded('items')")


def test_time_is_up(items: Connection, database: Database, worker: None) -> None:
    items.execute("select mmdb.wait_until_embedded('items')")
    with database.connect(autocommit=False) as busy:
        items.execute("alter table items disable trigger all")
        items.execute("update items set txt_embedding = null where id = 1")
        busy.execute("select from items where id = 1 for update")
        with pytest.raises(pg.QueryCanceled, match=r"1 rows of public\.items are not embedded after"):
            items.execute("select mmdb.wait_until_embedded('items', timeout => '200 ms')")
