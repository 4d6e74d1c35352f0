"""on_change => 'keep': a changed source keeps its old vector until the next one, and never without a mark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import errors as pg

from mmdb.install import install
from mmdb.install.uninstall import uninstall
from mmdb.worker import Totals, background
from tests.conftest import Database, Server, temporary_database
from tests.db.conftest import PATIENCE, QUICK, Gate, expected, until
from tests.migration.dump import run_program

Connection = psycopg.Connection[Any]
Drain = Callable[[], Totals]
NEW = "array_fill(9, array[64])::halfvec"


@pytest.fixture
def items(conn: Connection) -> Connection:
    """Five rows of which the embedding `txt` keeps old vectors."""
    conn.execute("create table items (id int primary key, txt text, price int not null default 1)")
    conn.execute("insert into items select g, 'item ' || g, g from generate_series(1, 5) g")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash', on_change => 'keep')")
    return conn


@pytest.fixture
def filled(items: Connection, drain: Drain) -> Connection:
    assert drain().stored == 5
    return items


def marks(conn: Connection, table: str = "items", column: str = "txt") -> list[tuple[int, str]]:
    """The rows that do not have the vector of their source, and why."""
    return conn.execute(
        f"select id, case when {column}_embedding is null then 'none' else 'stale' end from {table} "
        f"where {column}_embedding is null or {column}_stale order by id"
    ).fetchall()


def counts(conn: Connection) -> tuple[Any, ...] | None:
    return conn.execute("select rows, embedded, pending, failed, stale from mmdb.status where name = 'txt'").fetchone()


def vector(conn: Connection, number: int, table: str = "items") -> Any:
    row = conn.execute(f"select txt_embedding::real[] from {table} where id = %s", [number]).fetchone()
    assert row is not None
    return row[0]


def test_a_changed_source_is_found_by_its_old_vector_until_it_is_embedded(filled: Connection, drain: Drain) -> None:
    filled.execute("update items set txt = 'other' where id = 2")
    assert marks(filled) == [(2, "stale")]
    assert counts(filled) == (5, 4, 1, 0, 1)
    np.testing.assert_allclose(vector(filled, 2), expected("item 2"), atol=1e-3)
    nearest = "select id from items_top_by_txt(%s::halfvec, 1)"
    assert filled.execute(nearest, [str(expected("item 2").tolist())]).fetchone() == (2,)
    assert drain().stored == 1
    assert marks(filled) == []
    assert counts(filled) == (5, 5, 0, 0, 0)
    np.testing.assert_allclose(vector(filled, 2), expected("other"), atol=1e-3)


def test_new_rows_wait_without_a_vector(filled: Connection, drain: Drain) -> None:
    filled.execute("insert into items values (6, 'six')")
    assert marks(filled) == [(6, "none")]
    assert counts(filled) == (6, 5, 1, 0, 0)
    assert drain().stored == 1
    assert marks(filled) == []


def test_a_source_that_became_null_takes_the_embedding_away_at_once(filled: Connection, drain: Drain) -> None:
    filled.execute("update items set txt = null where id = 2")
    filled.execute("update items set txt = 'stale first' where id = 3; update items set txt = null where id = 3")
    assert marks(filled) == [(2, "none"), (3, "none")]
    assert filled.execute("select count(*) from items where txt_stale").fetchone() == (0,)
    assert counts(filled) == (5, 3, 0, 0, 0)
    assert drain().stored == 0


def test_of_several_sources_the_last_one_takes_it_away(conn: Connection, drain: Drain) -> None:
    conn.execute("create table items (id int primary key, a text, b text); insert into items values (1, 'a', 'b')")
    conn.execute(
        "select mmdb.add_embedding('items', array['a', 'b'], model => 'hash', name => 'txt', on_change => 'keep')"
    )
    drain()
    conn.execute("update items set a = null")
    assert marks(conn) == [(1, "stale")]
    conn.execute("update items set b = null")
    assert marks(conn) == [(1, "none")]
    conn.execute("update items set b = 'again'")
    assert drain().stored == 1
    np.testing.assert_allclose(vector(conn, 1), expected("again"), atol=1e-3)


def test_a_supplied_vector_clears_the_mark(filled: Connection, drain: Drain) -> None:
    filled.execute(f"update items set txt = 'other', txt_embedding = {NEW} where id = 2")
    assert marks(filled) == []
    filled.execute("update items set txt = 'other' where id = 3")
    filled.execute(f"update items set txt_embedding = {NEW} where id = 3")
    assert marks(filled) == [], "in a later statement as well"
    filled.execute("update items set txt = 'other' where id = 4")
    filled.execute("update items set txt_embedding = null where id = 4")
    assert filled.execute("select txt_stale from items where id = 4").fetchone() == (False,)
    assert drain().stored == 1


def test_the_mark_cannot_be_written_away_with_the_source(filled: Connection) -> None:
    """As by an application that writes back every column that it read."""
    filled.execute("update items set txt = 'other', txt_embedding = txt_embedding, txt_stale = false where id = 2")
    assert marks(filled) == [(2, "stale")]


def test_an_old_vector_that_is_written_back_keeps_its_mark(filled: Connection, drain: Drain) -> None:
    """As by an application that writes back every column, read before the worker had stored another vector."""
    filled.execute("update items set txt = 'other' where id = 2")
    read = "select txt, txt_embedding::text, txt_stale from items where id = 2"
    row = filled.execute(read).fetchone()
    assert drain().stored == 1
    filled.execute("update items set txt = %s, txt_embedding = %s::halfvec, txt_stale = %s where id = 2", row)
    assert marks(filled) == [(2, "stale")]
    assert drain().stored == 1
    np.testing.assert_allclose(vector(filled, 2), expected("other"), atol=1e-3)


def test_an_unrelated_update_marks_nothing_and_keeps_a_mark(filled: Connection) -> None:
    filled.execute("update items set txt = 'other' where id = 2")
    filled.execute("update items set price = 7, txt = txt")
    assert marks(filled) == [(2, "stale")]


def test_a_change_and_another_and_back(filled: Connection, drain: Drain) -> None:
    filled.execute("update items set txt = 'one' where id = 2; update items set txt = 'two' where id = 2")
    filled.execute("update items set txt = 'one' where id = 3; update items set txt = 'item 3' where id = 3")
    assert marks(filled) == [(2, "stale"), (3, "stale")]
    assert drain().stored == 2
    np.testing.assert_allclose(vector(filled, 2), expected("two"), atol=1e-3)
    np.testing.assert_allclose(vector(filled, 3), expected("item 3"), atol=1e-3)


def test_a_source_that_changes_again_while_it_is_embedded(filled: Connection, database: Database, gate: Gate) -> None:
    filled.execute("update items set txt = 'first' where id in (2, 3)")
    with background(database.url, options=QUICK):
        assert gate.entered.wait(PATIENCE)
        filled.execute("update items set txt = 'second' where id = 2")
        filled.execute("update items set txt = null where id = 3")
        gate.go_on.set()
        until(lambda: marks(filled) == [(3, "none")])
    np.testing.assert_allclose(vector(filled, 2), expected("second"), atol=1e-3)
    assert filled.execute("select count(*) from mmdb.leases").fetchone() == (0,)


def test_a_row_that_fails_keeps_its_vector_and_says_so(filled: Connection, drain: Drain) -> None:
    filled.execute("update items set txt = ' ' where id = 2")
    drain()
    assert marks(filled) == [(2, "stale")]
    assert counts(filled) == (5, 4, 0, 1, 1)


def test_wait_until_embedded_waits_for_stale_rows(filled: Connection, database: Database) -> None:
    filled.execute("update items set txt = 'other' where id = 2")
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match="no worker is running"):
        filled.execute("select mmdb.wait_until_embedded('items')")
    with background(database.url, options=QUICK):
        filled.execute("select mmdb.wait_until_embedded('items', array['2'])")
    assert marks(filled) == []


def test_a_replica_role_is_seen(filled: Connection) -> None:
    filled.execute("set session_replication_role = replica")
    filled.execute("update items set txt = 'replicated' where id = 2")
    assert marks(filled) == [(2, "stale")]


def test_a_trigger_of_the_table_that_changes_the_source(filled: Connection, drain: Drain) -> None:
    filled.execute("""
        create function tag() returns trigger language plpgsql as $$
        begin new.txt := 'at ' || new.price; return new; end $$;
        create trigger tag before update on items for each row execute function tag()""")
    filled.execute("select mmdb.refresh('items')")
    assert drain().stored == 5
    filled.execute("update items set price = 7 where id = 2")
    assert marks(filled) == [(2, "stale")]


def test_searches_do_not_show_the_mark_and_filters_take_it(filled: Connection) -> None:
    filled.execute("update items set txt = 'other' where id = 2")
    call = f"select * from items_top_by_txt({NEW}, filter => '{{\"txt_stale\": false}}')"
    found = filled.execute(call)
    assert found.description is not None
    assert [column.name for column in found.description] == ["id", "txt", "price", "txt_embedding", "distance"]
    assert sorted(row[0] for row in found.fetchall()) == [1, 3, 4, 5]


def test_pending_rows_are_paged_along_the_index(filled: Connection) -> None:
    filled.execute("insert into items select g, 'item ' || g from generate_series(6, 4000) g")
    filled.execute(
        f"update items set txt_embedding = {NEW}; update items set txt = 'other' where id = 9; analyze items"
    )
    row = filled.execute("select mmdb.pending_sql(e, 'p.') from mmdb.embeddings e").fetchone()
    assert row is not None
    plan = filled.execute(f"explain select p.id from only items p where {row[0]} order by p.id limit 8").fetchall()
    assert "items_txt_pending" in str(plan)


def test_partitions(conn: Connection, drain: Drain) -> None:
    conn.execute("create table items (id int primary key, txt text) partition by range (id)")
    conn.execute("create table items_low partition of items for values from (0) to (10)")
    conn.execute("insert into items values (1, 'one'), (2, 'two')")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash', on_change => 'keep')")
    conn.execute("create table items_high (txt text, txt_stale boolean not null default false, "
                 "txt_embedding halfvec(64), id int not null)")  # fmt: skip
    conn.execute("alter table items attach partition items_high for values from (10) to (20)")
    conn.execute("insert into items values (11, 'eleven'), (12, 'twelve')")
    assert drain().stored == 4
    conn.execute("update items set txt = 'new' where id = 1; update items_high set txt = 'new' where id = 11")
    conn.execute("update items set txt = null where id in (2, 12)")
    assert marks(conn) == [(1, "stale"), (2, "none"), (11, "stale"), (12, "none")]
    assert drain().stored == 2


@pytest.mark.parametrize("renamed", ["txt", "txt_stale"])
def test_after_a_rename_rather_no_vector_than_one_without_its_mark(
    filled: Connection, drain: Drain, renamed: str
) -> None:
    filled.execute(f"alter table items rename column {renamed} to other_name")
    source = "other_name" if renamed == "txt" else "txt"
    filled.execute(f"update items set {source} = 'new' where id = 2")
    assert filled.execute("select id from items where txt_embedding is null").fetchall() == [(2,)]
    drift = filled.execute("select drift from mmdb.status").fetchone()
    assert drift is not None
    assert "a column was renamed" in drift[0]
    filled.execute("select mmdb.refresh('items')")
    assert drain().stored == 1
    filled.execute(f"update items set {source} = 'newer' where id = 2")
    assert filled.execute("select stale, drift from mmdb.status").fetchone() == (1, None)


def test_refresh_after_the_trigger_was_missing_marks_all(filled: Connection, drain: Drain) -> None:
    filled.execute("alter table items disable trigger user")
    filled.execute("update items set txt = 'unseen' where id = 2; update items set txt = null where id = 3")
    filled.execute("select mmdb.refresh('items')")
    assert marks(filled) == [(1, "stale"), (2, "stale"), (3, "none"), (4, "stale"), (5, "stale")]
    assert drain().stored == 4
    np.testing.assert_allclose(vector(filled, 2), expected("unseen"), atol=1e-3)


def test_dropping_it_and_uninstalling_leave_nothing(filled: Connection, database: Database) -> None:
    columns = "select array_agg(attname::text order by attnum) from pg_attribute where attrelid = 'items'::regclass " \
              "and attnum > 0 and not attisdropped"  # fmt: skip
    filled.execute("select mmdb.drop_embedding('items', 'txt')")
    assert filled.execute(columns).fetchone() == (["id", "txt", "price"],)
    filled.execute("select mmdb.add_embedding('items', 'txt', model => 'hash', on_change => 'keep')")
    uninstall(database.url)
    assert filled.execute(columns).fetchone() == (["id", "txt", "price"],)


def test_the_other_generation_keeps_too(filled: Connection, drain: Drain) -> None:
    filled.execute("select mmdb.add_model('hash2', backend, model, dimensions, modalities, identity) "
                   "from mmdb.models where name = 'hash'")  # fmt: skip
    filled.execute("select mmdb.change_model('items', 'txt', 'hash2')")
    filled.execute("update items set txt_hash2_embedding = txt_embedding; update items set txt = 'other' where id = 2")
    both = (marks(filled), marks(filled, column="txt_hash2"))
    assert both == ([(2, "stale")], [(2, "stale")])
    filled.execute("select mmdb.switch_model('items', 'txt', force => true)")
    filled.execute("update items set txt = 'after the switch' where id = 3")
    assert (marks(filled), marks(filled, column="txt_hash")) == ([(2, "stale"), (3, "stale")],) * 2
    assert drain().stored == 2
    assert marks(filled, column="txt_hash") == [], "by the model that the worker of this test has"
    assert marks(filled) == [(2, "stale"), (3, "stale")]
    assert filled.execute("select distinct drift from mmdb.status").fetchall() == [(None,)]
    filled.execute("select mmdb.drop_generation('items', 'txt')")
    assert filled.execute("select o.name from mmdb.own_columns() o").fetchall() == [("txt_stale",)]


def test_dump_and_restore(server: Server, database: Database, filled: Connection) -> None:
    filled.execute("alter table items drop column price; update items set txt = 'other' where id = 2")
    filled.execute("select mmdb.refresh('items')")
    text = run_program(server, "pg_dump", database.url)
    for restored in temporary_database(server, "template0"):
        run_program(server, "psql", "-qX", "-vON_ERROR_STOP=1", restored.url, stdin=text)
        with restored.connect() as conn:
            conn.execute("update items set txt = 'before init' where id = 3")
            assert marks(conn) == [(2, "stale"), (3, "stale")]
            assert install(restored.url).warnings == []
            assert conn.execute("select drift from mmdb.status").fetchone() == (None,)
            conn.execute("update items set txt = 'after init' where id = 4")
            assert counts(conn) == (5, 2, 3, 0, 3)


def test_dropped_after_a_restore_before_init(server: Server, database: Database, filled: Connection) -> None:
    """Numbers of columns are others after a restore: here the former ones are those of `note` and `flag`."""
    filled.execute("alter table items drop column price, add column note text, add column flag text")
    filled.execute("select mmdb.refresh('items')")
    text = run_program(server, "pg_dump", database.url)
    for restored in temporary_database(server, "template0"):
        run_program(server, "psql", "-qX", "-vON_ERROR_STOP=1", restored.url, stdin=text)
        with restored.connect() as conn:
            conn.execute("select mmdb.drop_embedding('items', 'txt')")
            left = conn.execute("select * from items").description
            assert [column.name for column in left or []] == ["id", "txt", "note", "flag"]


def test_dropping_it_leaves_columns_that_only_have_the_names(filled: Connection) -> None:
    filled.execute("alter table items drop column txt_embedding cascade, drop column txt_stale cascade")
    filled.execute("alter table items add column txt_embedding text, add column txt_stale text")
    filled.execute("select mmdb.drop_embedding('items', 'txt')")
    left = filled.execute("select * from items").description
    assert [column.name for column in left or []] == ["id", "txt", "price", "txt_embedding", "txt_stale"]


def test_declared_over_what_cannot_keep(conn: Connection) -> None:
    conn.execute(
        "create table items (id int primary key, a text, b text generated always as (a || '!') stored, a_stale text)"
    )
    for source, name, on_change, error, match in (
        ("a", "a", "never", pg.InvalidParameterValue, 'on_change is "never", expected unset or keep'),
        ("a", "a", "keep", pg.DuplicateColumn, 'table public.items has a column "a_stale"'),
        ("b", "b", "keep", pg.FeatureNotSupported, 'on_change "keep" is not available over a generated column'),
    ):
        with pytest.raises(error, match=match):
            conn.execute("select mmdb.add_embedding('items', %s, model => 'hash', name => %s, on_change => %s)",
                         [source, name, on_change])  # fmt: skip
    assert conn.execute("select count(*) from mmdb.embeddings").fetchone() == (0,)


def test_unset_is_the_default(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    assert conn.execute("select declaration ->> 'on_change' from mmdb.declarations()").fetchone() == ("unset",)
    assert conn.execute("select from pg_attribute where attname = 'txt_stale'").fetchall() == []
    assert conn.execute("select stale from mmdb.status").fetchone() == (0,)
