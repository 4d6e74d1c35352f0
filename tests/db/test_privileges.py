"""Who sees what: grants and row policies decide, through every function of mmdb."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg
from psycopg.types.json import Jsonb

from mmdb.operations import doctor
from mmdb.worker import Totals
from tests.conftest import Database, MakeRole
from tests.db.conftest import one, until

Connection = psycopg.Connection[Any]

SEARCHES = [
    "select id from items_by_txt('item 1') order by distance",
    "select id from items_by_txt((select mmdb.embed('item 1', 'hash'))::halfvec) order by distance",
    "select id from items_by_txt('\\x00'::bytea) order by distance",
]


@pytest.fixture
def reader(items: Connection, make_role: Any, database: Database, worker: None) -> Iterator[Connection]:
    """A member of mmdb_user without any right on `items`."""
    role = make_role("reader")
    items.execute(f"grant mmdb_user to {role.name}")
    items.execute("alter table items add column owner name")
    items.execute("select mmdb.refresh('items')")
    items.execute("update items set owner = case when id <= 2 then %s else 'another' end", [role.name])
    items.execute("update items set txt_embedding = mmdb.embed(txt, 'hash')::halfvec")
    with role.connect(database) as connection:
        yield connection


@pytest.mark.parametrize("search", SEARCHES)
def test_without_a_grant_nothing_is_found(reader: Connection, search: str) -> None:
    with pytest.raises(pg.InsufficientPrivilege, match="permission denied for table items"):
        reader.execute(search)
    assert reader.execute("select count(*) from mmdb.status").fetchone() == (0,)
    assert reader.execute("select count(*) from mmdb.failures").fetchone() == (0,)


@pytest.mark.parametrize("search", SEARCHES[:2])
def test_row_policies_hold_in_a_search(items: Connection, reader: Connection, search: str) -> None:
    items.execute("grant select on items to public")
    items.execute("alter table items enable row level security")
    items.execute("create policy own on items using (owner = current_user)")
    assert sorted(reader.execute(search).fetchall()) == [(1,), (2,)]


FAILED = """
insert into mmdb.leases (embedding, key, error, retry_at, failed_at)
select id, '{5}', 'a secret error', 'infinity', now() from mmdb.embeddings
on conflict (embedding, key) do update
  set worker = null, expires_at = null, error = excluded.error, retry_at = 'infinity'
"""


def test_row_policies_hold_in_status_and_failures(items: Connection, reader: Connection) -> None:
    items.execute("grant select on items to public")
    items.execute("alter table items enable row level security")
    items.execute("create policy own on items using (owner = current_user)")
    items.execute("update items set txt = 'secret' where id in (1, 5)")
    items.execute(FAILED)
    row = reader.execute("select rows, embedded + pending, failed from mmdb.status").fetchone()
    assert row == (2, 2, 0)
    assert reader.execute("select * from mmdb.failures").fetchall() == []


def test_the_worker_functions_are_for_the_worker(items: Connection, reader: Connection) -> None:
    made = items.execute("select oid::regprocedure::text, pronargs from pg_proc where proname like 'mmdb\\_%' "
                         "and pronamespace = 'public'::regnamespace").fetchall()  # fmt: skip
    assert len(made) == 5
    items.execute("grant select on items to public")
    for function, _ in made:
        name, _, arguments = function.partition("(")
        nulls = ", ".join(f"null::{kind}" for kind in arguments.rstrip(")").split(",") if kind)
        with pytest.raises(pg.InsufficientPrivilege):
            reader.execute(f"select * from {name}({nulls})")


def test_every_function_of_the_worker_and_the_loopback_is_closed_to_users(
    items: Connection, reader: Connection
) -> None:
    open_to_users = items.execute(
        "select proname from pg_proc p where pronamespace = 'mmdb'::regnamespace and prosecdef "
        "and has_function_privilege(%s, p.oid, 'execute') order by 1", [reader.info.user],
    ).fetchall()  # fmt: skip
    assert {name for (name,) in open_to_users} == {
        "contract_samples", "contract_settings", "doctor", "drift", "drop_contract", "embed", "embed_for",
        "forget_embedding", "forget_keywords", "model_of", "pairs", "record_contract", "record_embedding",
        "record_keywords", "record_recall", "record_switch", "retry", "setting", "wake_workers", "words_of",
    }  # fmt: skip
    for table in ("requests", "queries", "leases", "settings", "worker_sessions", "progress"):
        with pytest.raises(pg.InsufficientPrivilege):
            reader.execute(f"select * from mmdb.{table}")


EVERYTHING = """
create table goods (id int primary key, title text, zh text, photo bytea, tags text[]);
select mmdb.add_embedding('goods', 'title', model => 'hash', on_change => 'keep');
select mmdb.add_embedding('goods', 'photo', model => 'hash', index_options => '{"quantization": "binary"}');
select mmdb.add_embedding('goods', array['title', 'photo'], model => 'hash', weights => '{1,1}', on_change => 'keep',
                          name => 'good');
select mmdb.add_embedding('goods', array['title', 'zh'], model => 'hash', name => 'texts');
select mmdb.add_embedding('goods', 'tags', model => 'hash', on_change => 'keep');
select mmdb.add_keywords('goods', array['title'], 'english');
select mmdb.add_keywords('goods', array['zh'], 'chinese', name => 'zh_words');
select mmdb.add_keywords('goods', array['title'], 'trigram', name => 'typos');
"""


def test_who_writes_rows_needs_no_right_on_anything_of_ours(
    conn: Connection, drain: Callable[[], Totals], database: Database, make_role: MakeRole
) -> None:
    """The login of an application that never searches has rights on the table alone."""
    clerk = make_role("clerk")
    conn.execute(EVERYTHING)
    conn.execute(f"grant select, insert, update, delete on goods to {clerk.name}")
    with clerk.connect(database) as writes:
        writes.execute("insert into goods select g, 'title ' || g, '标题', null, array['a', 'b'] "
                       "from generate_series(1, 3) g")  # fmt: skip
        assert not one(writes, "select has_schema_privilege('mmdb', 'usage')")
        drain()
        writes.execute("update goods set title = 'other', zh = '其他', tags = '{c}' where id = 1")
        writes.execute("update goods set title = null, tags = null where id = 2")
        writes.execute("delete from goods where id = 3")
        with writes.cursor().copy("copy goods (id, title) from stdin") as copy:
            copy.write_row((4, "copied"))
    marks = (
        "select title_stale, good_stale, tags_stale, title_embedding is null from goods where id = any(%s) order by id"
    )
    assert conn.execute(marks, [[1, 2]]).fetchall() == [(True, True, True, False), (False, False, False, True)]


def test_only_the_owner_declares_and_drops(items: Connection, reader: Connection) -> None:
    items.execute("grant all on items to public")
    calls = [
        "select mmdb.add_embedding('items', 'txt', name => 'again', model => 'hash')",
        "select mmdb.drop_embedding('items', 'txt')",
        "select mmdb.refresh('items')",
        "select mmdb.forget_embedding(1)",
        "select mmdb.record_embedding(e) from mmdb.embeddings e",
        "select mmdb.retry('items', 'txt')",
    ]
    for call in calls:
        with pytest.raises(pg.InsufficientPrivilege, match="must be owner"):
            reader.execute(call)
    assert items.execute("select count(*) from mmdb.embeddings").fetchone() == (1,)


def test_a_table_whose_owner_may_make_nothing_beside_it(conn: Connection, make_role: Any, database: Database) -> None:
    """PostgreSQL lets nobody but its owner make anything in schema public, since version 15."""
    role = make_role("Odd role")
    conn.execute(
        f"""create table items (id int primary key, txt text); alter table items owner to "{role.name}";
                     grant mmdb_user to "{role.name}" """.encode()
    )
    declare = "select mmdb.add_embedding('items', 'txt', model => 'hash')"
    with role.connect(database) as owner:
        with pytest.raises(pg.InsufficientPrivilege, match=f'role "{role.name}" may not create functions') as caught:
            owner.execute(declare)
        remedy = (caught.value.diag.message_hint or "").rpartition(": ")[2]
        conn.execute(remedy.encode())
        owner.execute(declare)


def test_whoever_may_search_may_ask_the_doctor(reader: Connection) -> None:
    findings = {each.subject: each.level for each in doctor.database(reader)}
    assert (findings["schema mmdb"], findings["loopback"], findings["worker"]) == ("ok", "ok", "ok")


@pytest.mark.parametrize("call", ["mmdb.add_embedding('items', 'txt')", "mmdb.refresh('items')", "mmdb.retry('items')"])
def test_a_hint_quotes_a_role_once(conn: Connection, make_role: Any, database: Database, call: str) -> None:
    owner, another = make_role("Odd role"), make_role("another")
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    conn.execute(f"""alter table items owner to "{owner.name}"; grant mmdb_user to "{another.name}" """.encode())
    with another.connect(database) as connection, pytest.raises(pg.InsufficientPrivilege) as caught:
        connection.execute(f"select {call}".encode())
    assert caught.value.diag.message_hint == f'its owner is "{owner.name}"'


FORGED = """
select mmdb.record_embedding(jsonb_populate_record(e, jsonb_build_object('relation', 'mine'::regclass::oid::text)))
from mmdb.embeddings e
"""


def test_a_forged_entry_cannot_name_another_table(items: Connection, reader: Connection) -> None:
    """A user may own a table, and so record it; but never under the number of somebody else's."""
    items.execute(f"grant create on schema public to {reader.info.user}")
    reader.execute("create table mine (id int primary key, txt text)")
    with pytest.raises(pg.InsufficientPrivilege):
        reader.execute(FORGED)


def test_the_named_loopback_connection_gives_an_attacker_nothing(items: Connection, reader: Connection) -> None:
    """Any session may use the dblink connection that mmdb.embed left open; it can post and poll, nothing else."""
    reader.execute("select mmdb.embed('opens the connection', 'hash')")
    reader.execute("select mmdb.embed('and again', 'hash')")
    tries = [
        "select txt from items",
        "select value from mmdb.settings",
        "select content from mmdb.requests",
        "select relation::text from mmdb.embeddings",
        "select error from mmdb.leases",
        "select mmdb.sweep()::text",
        "select mmdb.take_requests(1, array['hash'], array['embedding'], 10)::text",
        "select mmdb.take_queries(1, array['hash'], 10)::text",
        "select mmdb.set_setting('embed_timeout_ms', '1')::text",
        "create table x (i int)",
        "create temp table x (i int)",
        "alter role current_user superuser",
        "select pg_read_file('PG_VERSION')",
        "copy (select 1) to program 'true'",
    ]
    succeeded = []
    for attempt in tries:
        try:
            reader.execute("select * from dblink('mmdb_loopback', %s) t(x text)", [attempt])
        except psycopg.Error:
            continue
        succeeded.append(attempt)
    assert succeeded in ([], ["create temp table x (i int)"])


def test_nobody_learns_the_loopback_password(reader: Connection) -> None:
    assert reader.execute("select umoptions from pg_user_mappings where srvname = 'mmdb_loopback'").fetchall() in (
        [(None,)],
        [],
    )


def test_a_table_that_forces_row_security_on_its_owner_is_refused(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("alter table items enable row level security; alter table items force row level security")
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match="forces row-level security") as caught:
        conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    assert "no force row level security" in (caught.value.diag.message_hint or "")


def test_an_attackers_search_path_and_operators_change_nothing(items: Connection, reader: Connection) -> None:
    items.execute("grant select on items to public")
    items.execute(f"create schema evil authorization {reader.info.user}")
    reader.execute("create function evil.array_agg(anyelement) returns text language sql as $$ select 'evil' $$")
    reader.execute("create function evil.now() returns timestamptz language sql as $$ select null::timestamptz $$")
    reader.execute("set search_path = evil, pg_catalog, public")
    assert reader.execute("select id from public.items_by_txt('item 1') order by distance limit 1").fetchone() == (1,)
    assert reader.execute("select embedded from mmdb.status").fetchone() == (5,)


FORGERIES = {
    "function_schema": '"public"; alter role current_user superuser; --',
    "column_type": "halfvec(64)); drop table items; --",
    "column_name": "txt",
    "attached_to": "elsewhere",
    "id": "1000000",
    "sources": ["id"],
    "by_uri": "true",
    "storage": "companion",
    "weights": [1, 2],
    "source_modalities": ["image"],
}


@pytest.mark.parametrize("column", FORGERIES)
def test_a_forged_record_of_ones_own_table_is_refused(items: Connection, reader: Connection, column: str) -> None:
    """Its values become part of SQL that the worker, and a superuser in `mmdb init`, execute."""
    items.execute(f"grant create on schema public to {reader.info.user}")
    reader.execute("create table mine (id int primary key, txt text)")
    reader.execute("select mmdb.add_embedding('mine', 'txt', model => 'hash')")
    forged = Jsonb({column: FORGERIES[column]})
    with pytest.raises((pg.InsufficientPrivilege, pg.DatatypeMismatch, pg.InvalidParameterValue)):
        reader.execute("select mmdb.record_embedding(jsonb_populate_record(e, %s)) from mmdb.embeddings e "
                       "where relation = 'mine'::regclass", [forged])  # fmt: skip


def test_a_worker_leaves_alone_what_would_run_with_its_rights(items: Connection, drain: Callable[[], Totals]) -> None:
    items.execute("create table other (id int primary key, txt text); insert into other values (1, 'x')")
    items.execute("select mmdb.add_embedding('other', 'txt', model => 'hash')")
    (function,) = items.execute(
        "select oid::regprocedure::text from pg_proc where proname = 'mmdb_load_1'"
    ).fetchone() or ("",)
    items.execute(f"alter function {function} security invoker")
    assert drain().stored == 1, "the other table's row"
    drift = items.execute("select drift from mmdb.status where relation = 'items'::regclass").fetchone()
    assert drift is not None
    assert "was altered" in drift[0]


def test_a_cast_of_the_tables_owner_is_not_run_by_who_counts(items: Connection, reader: Connection) -> None:
    """An owner may define what casting his enum to text does; a superuser who looks at mmdb.status must not do it."""
    items.execute(f"grant create on schema public to {reader.info.user}")
    reader.execute("create type colour as enum ('red'); create table bait (c colour primary key, txt text)")
    reader.execute("create function spring(colour) returns text language plpgsql as "
                   "$$ begin raise exception 'sprung as %', current_user; end $$")  # fmt: skip
    reader.execute("create cast (colour as text) with function spring(colour)")
    reader.execute("insert into bait values ('red', ' ')")
    reader.execute("select mmdb.add_embedding('bait', 'txt', model => 'hash')")
    counted = "select pending + failed from mmdb.status where relation = 'bait'::regclass"
    until(lambda: items.execute(counted).fetchone() == (1,))
