"""Tables whose own triggers and rules take part in every store.

What stands in a row after them is what was embedded; or the row is a failure whose reason is told, and is not embedded
without end.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import psycopg
import pytest

from mmdb.worker import Totals
from tests.conftest import MakeRole
from tests.db.conftest import Connection, Gate, check_rows, expected, one

Drain = Callable[[], Totals]
TRIGGER = """
    create function {name}() returns trigger language plpgsql as $$ begin {body} end $$;
    create trigger {name} {when} update on items for each row execute function {name}();
"""


def trigger(conn: Connection, body: str, when: str = "before", name: str = "a_code") -> None:
    """A trigger of the table itself, and everything that mmdb generates made again for it."""
    conn.execute(TRIGGER.format(name=name, when=when, body=body))
    conn.execute("select mmdb.refresh('items')")


def failures(conn: Connection) -> list[tuple[str, bool]]:
    return conn.execute("select key[1], final from mmdb.failures order by 1").fetchall()


def pending(conn: Connection) -> int:
    return int(one(conn, "select count(*) from items where txt_embedding is null and txt is not null"))


@pytest.mark.parametrize(
    ("when", "body"),
    [
        ("before", "new.txt := upper(new.txt); return new;"),
        (
            "after",
            "update items set txt = upper(txt) where id = new.id and txt <> upper(txt); return null;",
        ),
    ],
)
def test_a_source_that_the_store_itself_rewrites_gets_the_vector_of_what_stands_there(
    items: Connection, drain: Drain, when: str, body: str
) -> None:
    trigger(items, body, when)
    drain()
    assert items.execute("select txt from items where id = 1").fetchone() == ("ITEM 1",)
    check_rows(items)
    assert one(items, "select (pending, failed)::text from mmdb.status") == "(0,0)"


def test_a_deferred_trigger_that_rewrites_the_source(items: Connection, drain: Drain) -> None:
    items.execute(
        "create function a_code() returns trigger language plpgsql as $$ begin "
        "update items set txt = upper(txt) where id = new.id and txt <> upper(txt); return null; end $$"
    )
    items.execute(
        "create constraint trigger a_code after update on items deferrable initially deferred "
        "for each row execute function a_code()"
    )
    drain()
    check_rows(items)
    assert one(items, "select count(*) from items where txt = upper(txt)") == 5


def test_a_partition_whose_trigger_rewrites_the_source(conn: Connection, drain: Drain) -> None:
    conn.execute("create table items (id int primary key, txt text) partition by range (id)")
    conn.execute("create table items_1 partition of items for values from (1) to (100)")
    conn.execute("insert into items values (1, 'one'), (2, 'TWO')")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    conn.execute(
        TRIGGER.format(name="a_code", when="before", body="new.txt := lower(new.txt); return new;").replace(
            "on items", "on items_1"
        )
    )
    drain()
    check_rows(conn)
    assert conn.execute("select txt from items order by id").fetchall() == [("one",), ("two",)]


UNDOING = {
    "suppressed": "if old.id % 2 = 0 then return null; end if; return new;",
    "cleared": "if old.id % 2 = 0 then new.txt_embedding := null; end if; return new;",
}


@pytest.mark.parametrize("body", UNDOING.values(), ids=UNDOING)
def test_a_store_that_the_table_undoes_is_a_failure_once(
    items: Connection, drain: Drain, body: str, gate: Gate
) -> None:
    gate.go_on.set()
    trigger(items, body)
    assert (drain().stored, drain().stored) == (3, 0)
    assert sorted(map(str, gate.seen)) == [f"item {n}" for n in range(1, 6)], "each row is embedded once"
    assert failures(items) == [("2", True), ("4", True)]
    assert one(items, "select (pending, failed)::text from mmdb.status") == "(0,2)"
    with pytest.raises(psycopg.errors.DataException, match="suppresses the update"):
        items.execute("select mmdb.wait_until_embedded('items')")
    (finding,) = items.execute("select finding from mmdb.doctor() where subject like 'rows of%'").fetchall()
    assert finding[0].startswith("2 could not be embedded")


def test_a_row_that_the_table_lets_go_is_embedded_though_its_source_is_the_same(
    items: Connection, drain: Drain
) -> None:
    items.execute("alter table items add column archived boolean not null default true")
    trigger(items, "if old.archived and new.archived then return null; end if; return new;")
    drain()
    assert len(failures(items)) == 5
    items.execute("update items set archived = false where id = 1")
    assert ("1", True) not in failures(items), "void for who looks before a worker came by"
    drain()
    assert [key for key, _ in failures(items)] == ["2", "3", "4", "5"]
    np.testing.assert_allclose(
        one(items, "select txt_embedding::real[] from items where id = 1"), expected("item 1"), atol=1e-3
    )


def test_a_row_that_the_table_refuses_with_an_error_is_free_once_it_was_changed(
    items: Connection, drain: Drain
) -> None:
    items.execute("update items set price = -1 where id = 3")
    items.execute("alter table items add constraint sane check (price > 0) not valid")
    drain()
    assert failures(items) == [("3", False)]
    items.execute("update items set price = 1 where id = 3")
    drain()
    assert failures(items) == []
    check_rows(items)


def test_a_source_that_no_store_leaves_alone_is_a_failure(items: Connection, drain: Drain) -> None:
    trigger(items, "new.txt := old.txt || '.'; return new;")
    assert drain().stored == 0
    assert failures(items) == [(str(n), True) for n in range(1, 6)]
    assert pending(items) == 5, "no vector of a former text is left"
    error = one(items, "select min(error) from mmdb.failures")
    assert error == "a trigger of the table changes the source each time that the row is updated"


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("do also insert into log values (new.id, new.price)", 0),
        ("where old.price is distinct from new.price do also insert into log values (new.id, new.price)", 0),
        ("where old.id = 2 do instead nothing", 1),
        ("do instead nothing", 5),
    ],
)
def test_rules(items: Connection, drain: Drain, rule: str, left: int) -> None:
    items.execute("create table log (id int, price int)")
    condition, _, action = rule.partition("do ")
    items.execute(f"create rule a_rule as on update to items {condition} do {action}")
    drain()
    assert pending(items) == left
    assert len(failures(items)) == left
    assert all(final for _, final in failures(items))


TRAP = "returns {result} language plpgsql as $$ begin raise exception 'caught'; end $$"
PATHS = {
    "of the role": 'alter role "{owner}" set search_path = shop, public',
    "of the role here": 'alter role "{owner}" in database {database} set search_path = shop, public',
    "of the database": "alter database {database} set search_path = shop, public",
    "usual": "select",
}


@pytest.fixture
def owner(items: Connection, make_role: MakeRole) -> str:
    """The role that owns `items`, and a schema `shop`."""
    name = make_role("The.Keeper of").name
    items.execute(f'create schema shop authorization "{name}"')
    items.execute(f'grant create on schema public to "{name}"')
    items.execute(f'alter table items owner to "{name}"')
    items.execute("select mmdb.refresh('items')")
    return name


@pytest.mark.parametrize("setting", PATHS.values(), ids=PATHS)
def test_triggers_find_what_they_name_without_a_schema(
    items: Connection, owner: str, drain: Drain, setting: str
) -> None:
    schema = "public" if setting == "select" else "shop"
    items.execute(f"create table {schema}.audit (id int, who text)")
    items.execute(f'alter table {schema}.audit owner to "{owner}"')
    items.execute(setting.format(owner=owner, database=one(items, "select quote_ident(current_database())")))
    trigger(items, "insert into audit values (new.id, current_user); return null;", "after")
    drain()
    assert failures(items) == []
    check_rows(items)
    assert items.execute(f"select who, count(*) from {schema}.audit group by 1").fetchall() == [(owner, 5)]


def test_nothing_of_the_owners_is_found_before_the_systems_own(items: Connection, owner: str, drain: Drain) -> None:
    """The store looks its own operators up along the owner's path, while the owner's triggers run."""
    items.execute("create function shop.same(text, text) returns boolean language sql as $$ select true $$")
    items.execute("create operator shop.= (leftarg = text, rightarg = text, function = shop.same)")
    # Of the very types of the arguments, and so before the system's own, which takes a name or anything.
    items.execute(f"create function shop.convert_to(text, text) {TRAP.format(result='bytea')}")
    items.execute(f"create function shop.unnest(text[]) {TRAP.format(result='setof text')}")
    items.execute(f"create function shop.format(text, integer) {TRAP.format(result='text')}")
    items.execute(f'alter role "{owner}" set search_path = shop, pg_catalog, public')
    items.execute(TRIGGER.format(name="a_code", when="before", body="new.txt := upper(new.txt); return new;"))
    drain()
    assert failures(items) == []
    check_rows(items)
