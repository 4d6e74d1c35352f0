"""An embedding never disagrees with its source, whatever changes the source."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from tests.conftest import Database
from tests.db.conftest import one, until

Connection = psycopg.Connection[Any]


def pending(conn: Connection, table: str = "items", column: str = "txt_embedding") -> list[int]:
    rows = conn.execute(f'select id from {table} where "{column}" is null order by id').fetchall()
    return [row[0] for row in rows]


@pytest.fixture
def filled(items: Connection) -> Connection:
    """All five rows carry a vector that somebody supplied."""
    items.execute("update items set txt_embedding = array_fill(id, array[64])::halfvec")
    assert pending(items) == []
    return items


NOTHING = "create or replace function nothing() returns trigger language plpgsql as $$ begin return new; end $$"
FIRED = [
    "before update on items for each row",
    "after update on items for each row",
    "after update on items for each statement",
    "before insert or update on items for each row",
    "after update of price, txt_embedding on items for each row",
    "after update on items for each row when (old.* is distinct from new.*)",
    "after update on items for each row when (old.txt_embedding is null)",
]
NOT_FIRED = [
    "before insert on items for each row",
    "after delete on items for each statement",
    "before update of txt, price on items for each row",
    "after update on items for each row when (old.txt is distinct from new.txt)",
]


def notices(conn: Connection, when: str) -> list[str]:
    """What is said when the embedding is declared on a table with such a trigger."""
    heard: list[str] = []
    conn.execute(NOTHING)
    conn.execute(f'create trigger "my own" {when} execute function nothing()'.encode())
    conn.add_notice_handler(lambda said: heard.append(said.message_primary or ""))
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    return heard


@pytest.fixture
def declared_before(items: Connection) -> Connection:
    """The column is there, as of an embedding that is declared once more: a trigger may name it."""
    items.execute("select mmdb.drop_embedding('items', 'txt')")
    items.execute("alter table items add column txt_embedding halfvec(64)")
    return items


@pytest.mark.parametrize("when", FIRED)
def test_triggers_that_stores_will_fire_are_named(declared_before: Connection, when: str) -> None:
    (notice,) = notices(declared_before, when)
    assert 'fire whenever a worker stores a vector: "my own"' in notice


@pytest.mark.parametrize("when", NOT_FIRED)
def test_triggers_that_stores_leave_alone_are_not(declared_before: Connection, when: str) -> None:
    assert notices(declared_before, when) == []


def test_triggers_of_partitions_are_named_once(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text) partition by range (id)")
    conn.execute("create table items_1 partition of items for values from (0) to (9)")
    conn.execute("create table items_2 partition of items for values from (9) to (99)")
    assert len(notices(conn, "after update on items for each row")) == 1
    conn.execute("create trigger own after update on items_2 for each row execute function nothing()")
    named = conn.execute("select mmdb.triggers_of_stores(e) from mmdb.embeddings e")
    assert named.fetchall() == [(["my own", "own"],)]


def test_new_rows_are_pending(filled: Connection) -> None:
    filled.execute("insert into items values (6, 'six')")
    assert pending(filled) == [6]


def test_a_changed_source_is_pending(filled: Connection) -> None:
    filled.execute("update items set txt = 'other' where id = 2")
    assert pending(filled) == [2]


def test_a_source_that_became_null_loses_its_embedding(filled: Connection) -> None:
    filled.execute("update items set txt = null where id = 2")
    assert pending(filled) == [2]


def test_the_same_source_again_keeps_the_embedding(filled: Connection) -> None:
    filled.execute("update items set txt = txt, price = price + 1")
    assert pending(filled) == []


def test_the_old_embedding_with_a_new_source_is_not_kept(filled: Connection) -> None:
    filled.execute("update items set txt = 'other', txt_embedding = txt_embedding where id = 2")
    assert pending(filled) == [2]


def test_a_new_embedding_in_the_same_statement_is_kept(filled: Connection) -> None:
    filled.execute("update items set txt = 'other', txt_embedding = array_fill(9, array[64])::halfvec where id = 2")
    assert pending(filled) == []


def test_upserts_and_merges_are_seen(filled: Connection) -> None:
    filled.execute("insert into items values (2, 'upserted') on conflict (id) do update set txt = excluded.txt")
    filled.execute("merge into items i using (values (3, 'merged')) n(id, txt) on i.id = n.id "
                   "when matched then update set txt = n.txt")  # fmt: skip
    assert pending(filled) == [2, 3]


def test_a_replica_role_is_seen(filled: Connection) -> None:
    """Logical replication applies with session_replication_role = replica, which ordinary triggers sleep through."""
    filled.execute("set session_replication_role = replica")
    filled.execute("update items set txt = 'replicated' where id = 2")
    assert pending(filled) == [2]


def test_an_unrelated_update_runs_no_trigger(filled: Connection) -> None:
    filled.execute("set track_functions = 'all'")
    filled.execute("update items set price = 7")
    filled.execute("update items set txt = txt")
    filled.execute("select pg_stat_force_next_flush()")
    calls = filled.execute(
        "select sum(calls) from pg_stat_user_functions where funcname = 'unset_embedding'"
    ).fetchone()
    assert calls == (None,)


def test_a_renamed_embedding_column(filled: Connection) -> None:
    filled.execute("alter table items rename column txt_embedding to vec")
    filled.execute("update items set txt = 'other' where id = 2")
    assert pending(filled, column="vec") == [2]


def test_a_renamed_source_column(filled: Connection) -> None:
    filled.execute("alter table items rename column txt to label")
    filled.execute("update items set label = 'other' where id = 2")
    assert pending(filled) == [2]


SHOUT = """
create function shout() returns trigger language plpgsql as $$
begin new.txt := upper(new.txt); return new; end $$;
create trigger {name} before update on items for each row execute function shout()
"""


def test_a_trigger_of_the_table_changes_the_source_unasked(conn: Connection) -> None:
    """The statement names another column, so a trigger with a column list would not be called."""
    conn.execute("create table items (id int primary key, txt text, price int default 1)")
    conn.execute(SHOUT.format(name="shouting"))
    conn.execute("insert into items values (1, 'quiet'), (2, 'LOUD')")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    conn.execute("update items set txt_embedding = array_fill(1, array[64])::halfvec")
    conn.execute("update items set txt_embedding = array_fill(2, array[64])::halfvec")
    assert pending(conn) == []
    conn.execute("alter table items disable trigger shouting")
    conn.execute("update items set txt = 'quiet' where id = 1")
    conn.execute("update items set txt_embedding = array_fill(3, array[64])::halfvec where id = 1")
    conn.execute("alter table items enable trigger shouting")
    conn.execute("update items set price = 2")
    assert pending(conn) == [1]


def test_a_trigger_that_would_run_later_is_refused(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute(SHOUT.format(name="ézzz"))
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match="runs after the trigger of mmdb") as caught:
        conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    assert "alter trigger" in (caught.value.diag.message_hint or "")


def test_a_trigger_that_came_later_is_drift(filled: Connection) -> None:
    filled.execute(SHOUT.format(name="shouting"))
    drift = filled.execute("select drift from mmdb.status").fetchone()
    assert drift is not None
    assert "mmdb.refresh" in drift[0]
    filled.execute("select mmdb.refresh('items')")
    assert filled.execute("select drift from mmdb.status").fetchone() == (None,)
    filled.execute("update items set price = 2")
    assert pending(filled) == [1, 2, 3, 4, 5], "the other trigger has changed every source to upper case"


def test_a_generated_source(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, a text, b text, "
                 "txt text generated always as (a || ' ' || b) stored)")  # fmt: skip
    conn.execute("insert into items values (1, 'x', 'y'), (2, 'x', 'y')")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    conn.execute("update items set txt_embedding = array_fill(1, array[64])::halfvec")
    conn.execute("update items set b = 'z' where id = 2")
    assert pending(conn) == [2]


def test_refresh_does_not_deadlock_with_who_reads_a_partition(conn: Connection, database: Database) -> None:
    """A reader has the parent and then wants the partition; a refresh has to take them in this order too."""
    conn.execute("create table parts (id int primary key, txt text) partition by range (id)")
    conn.execute("create table part partition of parts for values from (0) to (10)")
    conn.execute("select mmdb.add_embedding('parts', 'txt', model => 'hash')")
    with database.connect() as reader, ThreadPoolExecutor(1) as pool:
        with reader.transaction():
            reader.execute("lock table only parts in access share mode")
            refreshed = pool.submit(conn.execute, "select mmdb.refresh('parts')")
            until(lambda: bool(one(reader, "select count(*) from pg_locks where not granted")))
            reader.execute("set local lock_timeout = '5s'; select from part")
        refreshed.result(30)


# A source of another type.

TABLES = {
    "a table": "create table items (id int primary key, txt varchar(10), price int default 1)",
    "partitions": """create table items (id int primary key, txt varchar(10), price int default 1)
                       partition by range (id);
                     create table few partition of items for values from (0) to (3);
                     create table more partition of items default""",
    "a trigger of its own": """create table items (id int primary key, txt varchar(10), price int default 1);
                               create function nothing() returns trigger language plpgsql as 'begin return new; end';
                               create trigger its_own before update on items for each row execute function nothing()""",
}


@pytest.mark.parametrize("on_change", ["unset", "keep"])
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_source_gets_another_type(conn: Connection, table: str, on_change: str) -> None:
    conn.execute(table)
    conn.execute("insert into items select g, 'item ' || g from generate_series(1, 5) g")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash', on_change => %s)", [on_change])
    conn.execute("update items set txt_embedding = array_fill(id, array[64])::halfvec")
    waiting = "select id from items where txt_embedding is null"
    if on_change == "keep":
        waiting += " or txt_stale"
    alter = "alter table items alter column txt type text"
    with pytest.raises(pg.FeatureNotSupported, match="used in a trigger definition"):
        conn.execute(alter)
    conn.execute("select mmdb.release_sources('items')")
    assert "released" in one(conn, "select drift from mmdb.status")
    conn.execute("update items set txt = 'other' where id = 2")
    conn.execute("update items set price = 2 where id = 3")
    conn.execute(alter)
    conn.execute("update items set txt = 'a text of more than ten' where id = 4")
    conn.execute("select mmdb.refresh('items')")
    assert one(conn, "select drift from mmdb.status") is None
    assert conn.execute(waiting + " order by id").fetchall() == [(2,), (3,), (4,)]
    conn.execute("update items set price = 3 where id = 1")
    conn.execute("update items set txt = 'other' where id = 5")
    assert conn.execute(waiting + " order by id").fetchall() == [(2,), (3,), (4,), (5,)]


def test_what_was_not_guarded_before_is_not_trusted_after(filled: Connection) -> None:
    filled.execute("alter table items disable trigger user")
    filled.execute("update items set txt = 'unseen' where id = 2")
    filled.execute("select mmdb.release_sources('items')")
    filled.execute("select mmdb.refresh('items')")
    assert pending(filled) == [1, 2, 3, 4, 5]
