"""Tables that are renamed, moved, swapped or made again: what is called after a table searches that table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import errors as pg

from mmdb.worker import Totals
from tests.conftest import Database, MakeRole
from tests.db.conftest import Connection, one

ADD = "select name from mmdb.add_embedding(%s, 'txt', model => 'hash')"
SWAP = """
create table items_new (like items including all);
insert into items_new select id, 'new ' || txt, price from items;
begin;
alter table items rename to items_old;
alter table items_new rename to items;
commit;
"""
BACKUP = """
create table items__dbt_tmp as select id, 'new ' || txt as txt from items;
alter table items__dbt_tmp add primary key (id);
begin;
alter table items rename to items__dbt_backup;
alter table items__dbt_tmp rename to items;
"""
APART = """
create schema apart;
alter table items set schema apart;
create table items (id int primary key, txt text);
insert into items values (1, 'new item 1');
"""
SCHEMAS = """
create schema shop; alter table items set schema shop; select mmdb.refresh('shop.items');
create schema shop_new; create table shop_new.items (id int primary key, txt text);
insert into shop_new.items values (1, 'new item 1');
alter schema shop rename to shop_old; alter schema shop_new rename to shop;
set search_path to shop, public;
"""


def functions(conn: Connection, table: str) -> list[str]:
    """The functions that search a table, called after what they are."""
    statement = """
    select distinct p.pronamespace::regnamespace || '.' || p.proname
    from mmdb.embeddings e, lateral mmdb.made_functions(e) p where e.relation = %s::text::regclass and not p.prosecdef
    """
    return sorted(row[0] for row in conn.execute(statement, [table]))


def names(prefix: str) -> list[str]:
    return sorted(f"{prefix}_{tail}" for tail in ("by_txt", "top_by_txt", "search", "like", "recommend"))


@pytest.mark.parametrize(
    ("swap", "old", "prefix", "new"),
    [
        (SWAP, "items_old", "public.items_old", "public.items"),
        (BACKUP, "items__dbt_backup", "public.items__dbt_backup", "public.items"),
        (APART, "apart.items", "apart.items", "public.items"),
        (SCHEMAS, "shop_old.items", "shop_old.items", "shop.items"),
    ],
    ids=["by rename", "by dbt", "by schema", "of schemas"],
)
@pytest.mark.parametrize("refreshed", [True, False])
def test_functions_follow_their_table(
    items: Connection, drain: Callable[[], Totals], swap: str, old: str, prefix: str, new: str, refreshed: bool
) -> None:
    """The table that came into the place can be declared, before the other one was refreshed and after."""
    drain()
    items.execute(swap.encode())
    if refreshed:
        items.execute("select name from mmdb.refresh(%s)", [old])
        assert functions(items, old) == names(prefix)
    items.execute(ADD, [new])
    items.execute("commit")
    assert functions(items, old) == names(prefix)
    assert functions(items, new) == names(new)
    drain()
    found = f"select distinct left(txt, 3) from items_top_by_txt((select txt_embedding from {new} limit 1))"
    assert items.execute(found).fetchall() == [("new",)]
    assert one(items, f"select count(*) from {prefix}_by_txt((select txt_embedding from {old} limit 1))") == 5
    assert items.execute("select drift from mmdb.status where drift is not null").fetchall() == []


def test_two_embedded_tables_change_places(items: Connection, drain: Callable[[], Totals]) -> None:
    items.execute("create table others (id int primary key, txt text)")
    items.execute("insert into others values (1, 'other')")
    items.execute(ADD, ["others"])
    items.execute("create view found as select txt from others_top_by_txt('other', 1)")
    drain()
    items.execute(
        "begin; alter table items rename to middle; alter table others rename to items; "
        "alter table middle rename to others; commit"
    )
    items.execute("select mmdb.refresh('items')")
    for table, rows in (("items", 1), ("others", 5)):
        assert functions(items, table) == names(f"public.{table}")
        assert one(items, f"select count(*) from {table}_by_txt((select txt_embedding from {table} limit 1))") == rows
        indexes = "select indexrelid::regclass::text from pg_index where indrelid = %s::text::regclass order by 1"
        found = [row[0] for row in items.execute(indexes, [table])]
        assert [name for name in found if "txt" in name] == [f"{table}_txt_hnsw", f"{table}_txt_pending"]
    assert "items_top_by_txt" in one(items, "select pg_get_viewdef('found'::regclass)"), "a view follows its function"
    assert items.execute("select drift from mmdb.status").fetchall() == [(None,), (None,)]


def test_a_prefix_that_was_given_stays(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("select name from mmdb.add_embedding('items', 'txt', model => 'hash', prefix => 'shop')")
    conn.execute("alter table items rename to goods")
    conn.execute("select mmdb.refresh('goods')")
    assert functions(conn, "goods") == names("public.shop")
    conn.execute("create table items (id int primary key, txt text)")
    with pytest.raises(pg.DuplicateFunction) as refused:
        conn.execute("select name from mmdb.add_embedding('items', 'txt', model => 'hash', prefix => 'shop')")
    assert "drop_embedding('public.goods', 'txt')" in str(refused.value.diag.message_hint)


def test_the_functions_of_a_strangers_table_are_not_taken(
    items: Connection, database: Database, make_role: MakeRole
) -> None:
    role = make_role()
    items.execute(f"grant mmdb_user to {role.name}; grant create on schema public to {role.name}".encode())
    items.execute("alter table items rename to items_old")
    with role.connect(database) as stranger:
        stranger.execute("create table items (id int primary key, txt text)")
        with pytest.raises(pg.DuplicateFunction) as refused:
            stranger.execute(ADD, ["items"])
    assert "mmdb.refresh('public.items_old')" in str(refused.value.diag.message_hint)


def test_a_table_made_again(items: Connection, drain: Callable[[], Totals]) -> None:
    """A view over a search function lives through it, as dbt drops and makes tables without asking for views."""
    items.execute("create view found as select id from items_by_txt('item 1') where id < 9")
    items.execute("drop table items cascade; create table items (id int primary key, txt text, price int)")
    assert "add_embedding('public.items'" in one(items, "select drift from mmdb.status")
    items.execute(ADD, ["items"])
    items.execute("insert into items values (1, 'item 1')")
    drain()
    assert functions(items, "items") == names("public.items")
    assert items.execute("select relation::regclass::text, drift from mmdb.status").fetchall() == [("items", None)]


def test_a_worker_cleans_up_though_the_name_is_taken(items: Connection, drain: Callable[[], Totals]) -> None:
    items.execute("drop table items cascade; create table items (id int primary key, txt text)")
    drain()
    drain()
    assert one(items, "select count(*) from pg_proc where starts_with(proname, 'items') and pronamespace <> 11") == 0
    assert one(items, "select count(*) from mmdb.embeddings") == 0


def lost(conn: Connection) -> list[Any]:
    return conn.execute("select subject, remedy from mmdb.doctor() where subject like '%without%'").fetchall()


def test_doctor_names_a_table_that_lost_its_embedding(items: Connection) -> None:
    items.execute("create table items_copy (like items including all)")
    assert lost(items) == [], "a copy lies beside its table"
    items.execute("drop table items_copy")
    items.execute(SWAP)
    items.execute("select mmdb.refresh('items_old')")
    expected = ("column txt_embedding of public.items, without an embedding",
                "select mmdb.add_embedding('public.items', 'txt') declares it over these vectors")  # fmt: skip
    assert lost(items) == [expected]
    items.execute("select mmdb.drop_embedding('items_old', 'txt')")
    assert len(lost(items)) == 1
    items.execute(ADD, ["items"])
    assert lost(items) == []


def test_what_reads_the_column_is_named(items: Connection) -> None:
    items.execute("create view found as select id, txt_embedding from items")
    with pytest.raises(pg.DependentObjectsStillExist, match=r"is read by view public\.found") as refused:
        items.execute("select mmdb.drop_embedding('items', 'txt')")
    assert "CASCADE" not in str(refused.value.diag.message_hint)
    items.execute("drop view found; select mmdb.drop_embedding('items', 'txt')")


USERS = [
    "create view found as select id from items_top_by_txt('item 1', 3)",
    "create view found as select id from items_by_txt('item 1'); create view over_it as select * from found",
    "create materialized view found as select id from items_by_txt('item 1') with no data",
    "create function found() returns bigint begin atomic; select count(*) from items_search('item 1'); end",
    "create table found (n int); create policy p on found using (n in (select id from items_like(1)))",
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "change",
    [
        "select name from mmdb.add_embedding('items', 'more', model => 'hash')",
        "alter table items add column other int; select mmdb.refresh('items')",
        "select mmdb.drop_embedding('items', 'txt')",
    ],
)
def test_what_uses_a_function_is_named_with_what_to_run(items: Connection, user: str, change: str) -> None:
    """Where the result changes it cannot stay, and where it does not nothing is in the way of a refresh."""
    items.execute("alter table items add column more text; select mmdb.refresh('items')")
    items.execute(user.encode())
    items.execute("select mmdb.refresh('items')")
    with pytest.raises(pg.DependentObjectsStillExist, match=r"public\.found") as refused:
        items.execute(change.encode())
    diag = refused.value.diag
    assert "CASCADE" not in f"{diag.message_primary}{diag.message_detail}{diag.message_hint}"
    drops = str(diag.message_hint).split(": ", 1)[1].split(" (before")[0]
    items.execute(f"{drops}; {change}".encode())


def test_a_function_of_somebody_else_with_our_mark_is_left_where_it_is(
    items: Connection, database: Database, make_role: MakeRole
) -> None:
    """Anybody may write a comment: neither does his function come into the table's schema, nor is it in the way."""
    owner, other = make_role("owner"), make_role("other")
    items.execute(f"grant create on schema public to {owner.name}; grant mmdb_user to {owner.name}")
    items.execute(f"create schema elsewhere authorization {other.name}")
    items.execute(f"alter table items owner to {owner.name}")
    items.execute("select mmdb.refresh('items')")
    mark = one(items, "select mmdb.made_for(id) from mmdb.embeddings")
    with other.connect(database) as planting:
        for name in ("items_total()", "items_by_txt(text, text)"):
            planting.execute(f"create function elsewhere.{name} returns int language sql as 'select 1'")
            planting.execute(f"comment on function elsewhere.{name} is '{mark}'")
    items.execute("alter table items rename to goods")
    with owner.connect(database) as owns:
        owns.execute("select mmdb.refresh('goods')")
        assert functions(items, "goods") == [f"public.{name}" for name in names("goods")]
        owns.execute("select mmdb.drop_embedding('goods', 'txt')")
    left = items.execute("select proname from pg_proc where pronamespace = 'elsewhere'::regnamespace order by 1")
    assert left.fetchall() == [("items_by_txt",), ("items_total",)]
