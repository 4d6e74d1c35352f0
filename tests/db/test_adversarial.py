"""What a hostile or unlucky session does: forged entries, code of others in one's own session, stale embeddings."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import errors as pg

from mmdb.worker import Totals, background, work
from tests.conftest import Database, MakeRole
from tests.db.conftest import ONCE, QUICK, check_rows, expected, register, until

Connection = psycopg.Connection[Any]
Drain = Callable[[], Totals]


@pytest.fixture
def mallory(conn: Connection, database: Database, make_role: MakeRole) -> Iterator[Connection]:
    """A member of mmdb_user who owns schema `mal`, with a diary in which his code writes as whom it ran."""
    role = make_role("mallory")
    conn.execute(f"grant mmdb_user to {role.name}")
    conn.execute(f"create schema mal authorization {role.name}")
    with role.connect(database) as connection:
        connection.execute("grant usage on schema mal to public")
        connection.execute("create table mal.diary (ran_as name)")
        connection.execute("grant insert on mal.diary to public")
        connection.execute("create table mal.t (id int primary key, txt text)")
        yield connection


def strangers(mallory: Connection) -> set[str]:
    """The roles, other than mallory, as whom mallory's code ran."""
    return {name for (name,) in mallory.execute("select ran_as from mal.diary")} - {mallory.info.user}


def declare(connection: Connection, table: str) -> int:
    row = connection.execute("select (mmdb.add_embedding(%s, 'txt', model => 'hash')).id", [table]).fetchone()
    assert row is not None
    return int(row[0])


def forge(mallory: Connection, **columns: object) -> None:
    """Record mal.t's own entry again, with other `columns`."""
    mallory.execute(
        "select mmdb.record_embedding(jsonb_populate_record(e, %s::jsonb)) from mmdb.embeddings e"
        " where relation = 'mal.t'::regclass",
        [json.dumps(columns)],
    )


def try_to_forge(mallory: Connection, **columns: object) -> None:
    """A refusal is as good as an entry that does no harm."""
    try:
        forge(mallory, **columns)
    except psycopg.Error:
        return


# Forged entries of mmdb.embeddings.


def test_an_entry_for_a_table_that_does_not_exist_is_refused(mallory: Connection) -> None:
    """Numbers of tables are handed out in order: the entry would wait for the next table that anybody makes."""
    declare(mallory, "mal.t")
    with pytest.raises(psycopg.Error):
        forge(mallory, id=777, relation="4000000000")


@pytest.mark.parametrize("options", [{"name": "other"}, {"weights": None}, {"unheard": 1}, [], "text", 1])
def test_options_that_nobody_can_declare_are_refused(mallory: Connection, options: object) -> None:
    """They would say something else to mmdb.declarations() than the columns of the entry."""
    declare(mallory, "mal.t")
    with pytest.raises(psycopg.Error):
        forge(mallory, options=options)


def test_a_number_taken_in_advance_keeps_nobody_from_declaring(mallory: Connection, conn: Connection) -> None:
    made = declare(mallory, "mal.t")
    for ahead in range(1, 6):
        try_to_forge(mallory, id=made + ahead, name=f"ahead {ahead}")
    conn.execute("create table victim (id int primary key, txt text)")
    declare(conn, "victim")


def test_only_its_owner_forgets_the_entry_of_a_dropped_table(mallory: Connection, items: Connection) -> None:
    items.execute("drop table items")
    with pytest.raises(pg.InsufficientPrivilege):
        mallory.execute("select mmdb.forget_embedding(id) from mmdb.embeddings")
    assert items.execute("select count(*) from mmdb.embeddings").fetchone() == (1,)


def test_a_view_is_no_table_that_can_be_recorded(mallory: Connection, items: Connection) -> None:
    """It has no key, so that mmdb.status would fail for everybody who may read it."""
    declare(mallory, "mal.t")
    mallory.execute("create view mal.v as select * from mal.t; grant select on mal.v to public")
    mallory.execute(
        "create function mal.forged() returns jsonb language sql as $$ select jsonb_build_object('relation', "
        "'mal.v'::regclass::oid::text, 'attached_to', mmdb.attachment('mal.v'), 'id', "
        "nextval('mmdb.embeddings_id_seq')) $$"
    )
    try_to_forge(mallory, **forged(mallory))
    assert items.execute("select count(*) from mmdb.status").fetchone() == (2,)


def forged(mallory: Connection) -> dict[str, object]:
    try:
        row = mallory.execute("select mal.forged()").fetchone()
    except psycopg.Error:
        return {}
    assert row is not None
    return dict(row[0])


def test_the_numbers_of_embeddings_cannot_be_used_up(mallory: Connection) -> None:
    """After the last number nobody could declare an embedding any more, and to declare is to take one."""
    last = "select seqmax from pg_sequence where seqrelid = 'mmdb.embeddings_id_seq'::regclass"
    assert mallory.execute(last).fetchone() == (2**63 - 1,)
    with pytest.raises(pg.InsufficientPrivilege):
        mallory.execute("select setval('mmdb.embeddings_id_seq', %s)", [2**63 - 1])
    declare(mallory, "mal.t")
    mallory.execute("select nextval('mmdb.embeddings_id_seq')")


# Code of a table's owner in the session of somebody else.

TELL_TALE_POLICY = """
create function mal.seen() returns boolean language plpgsql as $$
begin insert into mal.diary values (current_user); return true; end $$;
insert into mal.t values (1, 'something');
grant select on mal.t to public;
alter table mal.t enable row level security;
create policy p on mal.t using (mal.seen())
"""


def test_status_runs_no_policy_of_a_tables_owner(
    mallory: Connection, conn: Connection, database: Database, make_role: MakeRole
) -> None:
    """Who looks at the state of all tables has not chosen to read this one."""
    analyst = make_role("analyst")
    conn.execute(f"grant mmdb_user to {analyst.name}")
    declare(mallory, "mal.t")
    mallory.execute(TELL_TALE_POLICY)
    with analyst.connect(database) as reader:
        reader.execute("select * from mmdb.status").fetchall()
    assert strangers(mallory) == set()


TELL_TALE_INDEX = """
create function mal.note() returns boolean language plpgsql as $$
begin insert into mal.diary values (current_user); return true; end $$;
create function mal.constant(int) returns boolean immutable language sql as 'select true';
create index on mal.t (id) where mal.constant(1);
create or replace function mal.constant(int) returns boolean immutable language plpgsql as
  $$ begin return mal.note(); end $$;
grant select on mal.t to public
"""


def test_status_plans_no_query_over_a_strangers_table(mallory: Connection, items: Connection) -> None:
    """The planner computes constant expressions in the predicates of indexes, with the rights of who asks."""
    declare(mallory, "mal.t")
    mallory.execute(TELL_TALE_INDEX)
    items.execute("select * from mmdb.status").fetchall()
    assert strangers(mallory) == set()


ALTER_CLEAN = """
create or replace function mal.mmdb_clean_{id}(pass uuid) returns boolean language plpgsql security invoker as $$
begin insert into mal.diary values (current_user); return true; end $$
"""


def test_the_sweep_runs_nothing_with_the_workers_rights(mallory: Connection, database: Database) -> None:
    """The look at the other three functions comes to nothing for a table that is gone."""
    made = declare(mallory, "mal.t")
    mallory.execute(ALTER_CLEAN.format(id=made))
    mallory.execute("drop table mal.t")
    with background(database.url, options=QUICK):
        time.sleep(0.5)
    assert strangers(mallory) == set()


ALTER_LOAD = """
create or replace function mal.mmdb_pending_{id}(pass uuid, after text, count integer)
returns table (key text, state text)
language plpgsql volatile security definer as $f$
begin
  execute $g$
    create or replace function mal.mmdb_load_{id}(pass uuid, keys text[], max_bytes bigint)
    returns table (key text, state text, size bigint, content text, data bytea)
    language plpgsql volatile security invoker as $h$ begin insert into mal.diary values (current_user); end $h$
  $g$;
  return query select '{{1}}'::text, '1'::text;
end $f$
"""


def test_a_function_does_not_alter_the_next_one_on_its_way(mallory: Connection, database: Database) -> None:
    """Between the worker's look at the functions and its last call lies a call of the owner's code: no luck needed."""
    made = declare(mallory, "mal.t")
    mallory.execute("insert into mal.t values (1, 'something')")
    mallory.execute(ALTER_LOAD.format(id=made))
    with background(database.url, options=QUICK):
        time.sleep(0.5)
    assert strangers(mallory) == set()


TELL_TALE_DOMAIN = """
create function mal.seen(pg_catalog.text) returns boolean language plpgsql as $$
begin insert into mal.diary values (current_user); return true; end $$;
create function mal.plant() returns trigger language plpgsql as $$
begin
  if to_regtype('pg_temp.text') is null then
    execute 'create domain pg_temp.text as pg_catalog.text check (mal.seen(value))';
  end if;
  return new;
end $$;
create trigger plant before update on mal.t for each row execute function mal.plant()
"""


def test_temporary_types_of_a_trigger_are_not_taken_for_text(mallory: Connection, database: Database) -> None:
    """pg_temp is searched first for types and tables, and a trigger runs in the worker's session."""
    mallory.execute(TELL_TALE_DOMAIN)
    declare(mallory, "mal.t")
    with background(database.url, options=QUICK):
        for key in range(3):
            mallory.execute("insert into mal.t values (%s, 'something')", [key])
            until(lambda: mallory.execute("select from mal.t where txt_embedding is null").fetchall() == [])
    assert strangers(mallory) == set()


SWAP_PREPARED = """
create function mal.note() returns boolean language plpgsql as $$
begin insert into mal.diary values (current_user); return true; end $$;
create function mal.swap() returns trigger language plpgsql as $$
declare
  name text;
begin
  for name in select p.name from pg_prepared_statements p where p.statement like '%mmdb.settle%' loop
    execute format('deallocate %I', name);
    execute format('prepare %I (int2, int2, text[], text[]) as select mal.note() where $1 + $2 > 0 and $3 <> $4', name);
  end loop;
  return new;
end $$;
create trigger swap before update on mal.t for each row execute function mal.swap()
"""


def test_a_trigger_swaps_no_prepared_statement(mallory: Connection, database: Database) -> None:
    """A session's prepared statements are open to all code that runs in it, and run with the session's rights."""
    mallory.execute(SWAP_PREPARED)
    declare(mallory, "mal.t")
    with background(database.url, options=replace(QUICK, batch_size=1)):
        mallory.execute("insert into mal.t select g, 'item ' || g from generate_series(1, 20) g")
        time.sleep(3)
    assert strangers(mallory) == set()


SETTINGS = """
create function mal.leave_setting() returns trigger language plpgsql as $$
begin perform set_config('{name}', '{value}', false); return new; end $$;
create trigger leave_setting before update on mal.t for each row execute function mal.leave_setting()
"""


HELD_CURSOR = """
create function mal.note() returns boolean language plpgsql as $$
begin insert into mal.diary values (current_user); return true; end $$;
create function mal.hold() returns trigger language plpgsql as $$
begin execute 'declare held cursor with hold for select mal.note()'; return new; end $$;
"""
OF_A_TRIGGER = "create trigger hold before update on mal.t for each row execute function mal.hold()"
OF_A_FUNCTION = """
create or replace function mal.mmdb_load_{id}(pass uuid, keys text[], max_bytes bigint)
returns table (key text, state text, size bigint, content text, data bytea) language plpgsql security definer as $$
begin
  execute 'declare held cursor with hold for select mal.note()';
  return query select '{{1}}', xmin::text, 9::bigint, 'something', null::bytea from mal.t;
end $$
"""


@pytest.mark.parametrize("where", [OF_A_TRIGGER, OF_A_FUNCTION])
def test_a_cursor_of_an_owner_is_not_read_at_commit(mallory: Connection, database: Database, where: str) -> None:
    """With hold, it would be read to its end when the worker's transaction commits, with the worker's rights."""
    mallory.execute("insert into mal.t values (1, 'something')")
    made = declare(mallory, "mal.t")
    mallory.execute(HELD_CURSOR)
    mallory.execute(where.replace("{id}", str(made)).replace("{{1}}", "{1}"))
    work(database.url, options=ONCE)
    assert mallory.execute("select count(txt_embedding) from mal.t").fetchone() == (1,)
    assert strangers(mallory) == set()


FORBIDDEN = [
    "select mmdb.start_worker('h', 1, 'v', array['hash'], array['hash/1'])",
    "select * from mmdb.tasks('hash', (select identity from mmdb.models where name = 'hash'))",
    "select * from mmdb.take_requests(1, array['hash'], array['embedding'], 10)",
    "select mmdb.answer_request(gen_random_uuid(), null, null, 'x')",
    "select * from mmdb.take_queries(1, array['hash'], 10)",
    "select mmdb.answer_query(gen_random_uuid(), null, 'x')",
    "select mmdb.beat(1, '1 hour')",
    "select mmdb.stop_worker(1)",
    "select * from mmdb.sweep()",
    "select * from mmdb.claim(1, 1, array['{1}'], array['1'], '1 hour')",
    "select mmdb.fail(1, 1, array['{1}'], array['1'], array['x'::bytea], array['x'], array[true])",
    "select mmdb.report_drift(1, 'x')",
    "select mmdb.forget_leases(1, array['{1}'])",
    "select * from mmdb.hold(1, 1, gen_random_uuid(), array['{1}'])",
    "select mmdb.settle(1, 1, gen_random_uuid(), array['{1}'], array['stored'])",
    "select * from public.mmdb_load_1(gen_random_uuid(), array['{1}'], 1000)",
    "select * from public.mmdb_pending_1(null, null, 1000)",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_a_shared_session_opens_no_other_table(
    items: Connection, database: Database, make_role: MakeRole, statement: str
) -> None:
    """Should an owner's code come to run as the worker all the same: it holds the pass of its own tables only."""
    login = make_role("login")
    items.execute(f"grant mmdb_worker to {login.name}")
    with login.connect(database) as own, login.connect(database) as shared:
        shared.execute("select mmdb.share_session(%s)", [register(own)])
        with pytest.raises((pg.CannotConnectNow, pg.InsufficientPrivilege), match=r"has run in this|not the pass"):
            shared.execute(statement)


def test_refresh_runs_no_code_of_a_strangers_table(mallory: Connection, conn: Connection, drain: Drain) -> None:
    declare(mallory, "mal.t")
    mallory.execute("insert into mal.t values (1, 'something')")
    drain()
    mallory.execute(TELL_TALE_DOMAIN.replace("pg_temp.text", "mal.text"))
    with pytest.raises(pg.InsufficientPrivilege, match="to be embedded again") as caught:
        conn.execute("select mmdb.refresh('mal.t')")
    assert f"as {mallory.info.user}: select mmdb.refresh" in (caught.value.diag.message_hint or "")
    mallory.execute("select mmdb.refresh('mal.t')")
    assert drain().stored == 1


def test_a_stranger_sees_what_a_worker_counted(mallory: Connection, conn: Connection, drain: Drain) -> None:
    declare(mallory, "mal.t")
    mallory.execute("insert into mal.t values (1, 'one'), (2, ' '), (3, null)")
    mallory.execute("grant select on mal.t to public")
    counts = "select rows, embedded, pending, failed, estimated, counted_at < now() from mmdb.status"
    assert conn.execute(counts).fetchone() == (None, None, None, 0, True, None)
    drain()
    assert conn.execute(counts).fetchone() == (3, 1, 0, 1, True, True)
    mallory.execute("insert into mal.t values (4, 'four')")
    assert conn.execute(counts).fetchone() == (3, 1, 0, 1, True, True)
    assert mallory.execute(counts).fetchone() == (4, 1, 1, 1, False, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("default_transaction_read_only", "on"), ("search_path", "mal, pg_catalog")],
)
def test_a_trigger_leaves_no_settings_in_the_workers_session(
    mallory: Connection, items: Connection, database: Database, name: str, value: str
) -> None:
    """SET inside a function outlives the function: here it would make failures of other people's rows."""
    mallory.execute(TELL_TALE_DOMAIN.replace("pg_temp.text", "mal.text"))
    mallory.execute(SETTINGS.format(name=name, value=value))
    mallory.execute("insert into mal.t values (1, 'something')")
    items.execute("update items set txt = null")
    declare(mallory, "mal.t")
    with background(database.url, options=QUICK):
        until(lambda: mallory.execute("select from mal.t where txt_embedding is null").fetchall() == [])
        items.execute("update items set txt = 'item ' || id")
        until(lambda: items.execute("select from items where txt_embedding is null").fetchall() == [], seconds=5)
    assert strangers(mallory) == set()
    assert items.execute("select count(*) from mmdb.failures").fetchone() == (0,)


def test_a_function_made_in_advance_opens_no_table(
    mallory: Connection, conn: Connection, database: Database, make_role: MakeRole
) -> None:
    """`create or replace` keeps a function's grants: who may create in the schema might have given some."""
    friend = make_role("friend")
    conn.execute(f"grant create on schema public to {mallory.info.user}")
    conn.execute("create table secrets (id int primary key, txt text)")
    conn.execute("insert into secrets values (1, 'a secret')")
    number = declare(mallory, "mal.t") + 1
    mallory.execute(
        f"create function public.mmdb_load_{number}(pass uuid, keys text[], max_bytes bigint) "
        "returns table (key text, state text, size bigint, content text, data bytea) "
        "language sql as $$ select null::text, null::text, 0::bigint, null::text, null::bytea $$;"
        f"grant execute on function public.mmdb_load_{number} to {friend.name}"
    )
    try:
        assert declare(conn, "secrets") == number
    except psycopg.Error:
        return  # refused: as good
    with friend.connect(database) as reader, pytest.raises(pg.InsufficientPrivilege):
        reader.execute(f"select * from public.mmdb_load_{number}(null, array['{{1}}'], 1000)")


def test_a_lock_of_anybodys_keeps_no_worker_out(
    items: Connection, database: Database, make_role: MakeRole, drain: Drain
) -> None:
    """Advisory locks are everybody's: these are the ones of the next workers."""
    with make_role("passer_by").connect(database) as passer_by:
        passer_by.execute("select pg_advisory_lock(1835885666, g) from generate_series(1, 50) g")
        assert drain().stored == 5


# Embeddings that do not belong to their source.


def stale(conn: Connection, table: str) -> list[str]:
    """The sources whose embedding is of something else."""
    rows = conn.execute(f"select txt, txt_embedding::real[] from {table} where txt_embedding is not null")
    return [text for text, vector in rows if not np.allclose(vector, expected(text), atol=1e-3)]


def test_rows_of_an_inheriting_table_are_never_stale(items: Connection, drain: Drain) -> None:
    """Triggers are not inherited: a child's rows are either guarded too, or not embedded, or the child is refused."""
    items.execute("create table kid () inherits (items)")
    items.execute("insert into kid (id, txt) values (100, 'a child')")
    drain()
    items.execute("update items set txt = 'a changed child' where id = 100")
    drain()
    assert stale(items, "items") == []


def test_a_new_generation_expression_is_a_new_source(conn: Connection, drain: Drain) -> None:
    if conn.info.server_version < 170000:
        pytest.skip("SET EXPRESSION came with PostgreSQL 17")
    conn.execute("create table g (id int primary key, a text, txt text generated always as (lower(a)) stored)")
    conn.execute("insert into g values (1, 'Red'), (2, 'Blue')")
    declare(conn, "g")
    drain()
    try:
        conn.execute("alter table g alter txt set expression as (upper(a))")
    except psycopg.Error:
        return  # refused, as a changed type is
    drain()
    drift = conn.execute("select drift from mmdb.status").fetchone()
    assert stale(conn, "g") == [] or drift != (None,)


def test_a_column_that_is_generated_no_more(conn: Connection, drain: Drain) -> None:
    conn.execute("create table g (id int primary key, a text, txt text generated always as (lower(a)) stored)")
    conn.execute("insert into g values (1, 'Red'), (2, 'Blue')")
    declare(conn, "g")
    drain()
    try:
        conn.execute("alter table g alter txt drop expression")
    except psycopg.Error:
        return
    conn.execute("update g set txt = 'written by itself'")
    drain()
    drift = conn.execute("select drift from mmdb.status").fetchone()
    assert stale(conn, "g") == [] or drift != (None,)


def test_collations_that_see_no_difference(conn: Connection, drain: Drain) -> None:
    if conn.execute("select from pg_collation where collprovider = 'i' and collname = 'und-x-icu'").fetchone() is None:
        pytest.skip("this server was built without ICU")
    conn.execute("create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    conn.execute("create table g (id int primary key, txt text collate any_case)")
    conn.execute("insert into g values (1, 'red')")
    declare(conn, "g")
    drain()
    conn.execute("update g set txt = 'RED'")
    drain()
    assert stale(conn, "g") == []


@pytest.mark.parametrize("new_key", ["", ", add primary key (id, part)"])
def test_keys_that_are_unique_no_more(conn: Connection, database: Database, new_key: str) -> None:
    """The functions of the worker still find rows by the former key: now several by one."""
    conn.execute("create table g (id int primary key, part int not null, txt text)")
    declare(conn, "g")
    conn.execute(f"alter table g drop constraint g_pkey{new_key}")
    conn.execute("insert into g values (1, 1, 'one'), (1, 2, 'two'), (1, 3, 'three')")
    work(database.url, options=replace(ONCE, batch_size=1))
    assert stale(conn, "g") == []
    drift = conn.execute("select mmdb.drift(id) from mmdb.embeddings").fetchone()
    assert drift is not None
    assert "primary key" in (drift[0] or "")


SHOUT = """
create function shout() returns trigger language plpgsql as $$ begin new.txt := upper(new.txt); return new; end $$;
create trigger a before update on items for each row execute function shout()
"""


def test_refresh_does_not_hide_what_happened_before_it(items: Connection, drain: Drain) -> None:
    """While there was drift the sources may have changed unseen."""
    drain()
    items.execute(SHOUT)
    items.execute("update items set price = 7")
    items.execute("select mmdb.refresh('items')")
    drain()
    assert stale(items, "items") == []


def test_a_column_adopted_again_after_its_source_changed(conn: Connection, drain: Drain) -> None:
    notices: list[str] = []
    conn.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    conn.execute("create table a (id int primary key, txt text, txt_embedding public.halfvec(64))")
    conn.execute("insert into a values (1, 'before')")
    declare(conn, "a")
    drain()
    conn.execute("select mmdb.drop_embedding('a', 'txt')")
    conn.execute("update a set txt = 'after'")
    declare(conn, "a")
    drain()
    assert stale(conn, "a") == [] or notices != []


def test_a_model_that_became_another_is_not_served_by_its_former_worker(conn: Connection, database: Database) -> None:
    """Nobody used the model yet, so it may be replaced; a worker that runs still holds the former one."""
    conn.execute("create table m (id int primary key, txt text)")
    with background(database.url, options=QUICK):
        conn.execute("select mmdb.add_model('hash', 'hash', 'sha256', 64, array['text', 'image'], 'a later hash')")
        declare(conn, "m")
        conn.execute("insert into m values (1, 'something')")
        time.sleep(0.7)
        assert conn.execute("select count(txt_embedding) from m").fetchone() == (0,)
        with pytest.raises(psycopg.Error):
            conn.execute("select mmdb.embed('something', 'hash')")


# Workers and operators.


def test_status_of_a_table_that_lost_its_primary_key(items: Connection) -> None:
    items.execute("create table other (id int primary key, txt text)")
    declare(items, "other")
    items.execute("alter table other drop constraint other_pkey")
    rows = items.execute("select name from mmdb.status").fetchall()
    assert len(rows) == 2
    drift = items.execute("select drift from mmdb.status where relation = 'other'::regclass").fetchone()
    assert drift is not None
    assert "primary key" in (drift[0] or "")


def test_status_of_a_table_that_was_just_dropped(items: Connection) -> None:
    """Until a worker has swept, which may take minutes, or for ever without one."""
    items.execute("create table other (id int primary key, txt text)")
    declare(items, "other")
    items.execute("drop table other")
    assert sorted(name for (name,) in items.execute("select name from mmdb.status")) == ["txt", "txt"]


def test_failures_are_counted_in_every_time_zone(conn: Connection, drain: Drain) -> None:
    conn.execute("create table t (id timestamptz primary key, txt text)")
    conn.execute("insert into t values ('2026-01-01 00:00+00', ' ')")
    declare(conn, "t")
    assert drain() == Totals(stored=0, failed=1)
    conn.execute("set timezone = 'Asia/Tokyo'")
    assert conn.execute("select pending, failed from mmdb.status").fetchone() == (0, 1)


SLOW = """
create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.8); return new; end $$;
create trigger slow before update on items for each row execute function slow()
"""


def test_a_slow_store_does_not_cost_the_worker_its_session(items: Connection, database: Database) -> None:
    """A store of five rows holds its leases for four seconds, longer than the heartbeat would wait for them."""
    items.execute(SLOW)
    with background(database.url, options=replace(QUICK, lease_seconds=3)):
        until(lambda: items.execute("select from items where txt_embedding is null").fetchall() == [])
        assert items.execute("select count(*) from mmdb.worker_sessions").fetchone() == (1,)
        worker = items.execute("select max(id) from mmdb.worker_sessions").fetchone()
    assert worker == (1,), "it was cut off and registered again"


def test_a_key_of_an_extensions_type(conn: Connection, drain: Drain) -> None:
    """Its operators are not in pg_catalog, where the generated functions look."""
    conn.execute("create extension ltree")
    conn.execute("create table g (id ltree primary key, txt text)")
    conn.execute("insert into g select ('a.b' || g)::ltree, 'item ' || g from generate_series(1, 5) g")
    declare(conn, "g")
    assert drain() == Totals(stored=5, failed=0)
    check_rows(conn, "g")


@pytest.mark.parametrize("path", ["pg_catalog", "mmdb"])
def test_a_search_path_of_the_database_without_public(items: Connection, database: Database, path: str) -> None:
    items.execute(f"alter database {database.name} set search_path = {path}")
    assert work(database.url, options=ONCE).stored == 5
    check_rows(items, "public.items")


def test_a_question_can_be_cancelled_while_the_other_side_hangs(
    conn: Connection, database: Database, worker: None
) -> None:
    conn.execute("select mmdb.embed('opens the connection', 'hash')")
    conn.execute("set statement_timeout = '200ms'")
    with database.connect(autocommit=False) as blocker:
        blocker.execute("lock table mmdb.requests in exclusive mode")
        blocker.execute("set local idle_in_transaction_session_timeout = '60s'")  # the test must end if it fails
        began = time.monotonic()
        with pytest.raises(pg.QueryCanceled):
            conn.execute("select mmdb.embed('hangs', 'hash')")
        assert time.monotonic() - began < 40
    conn.execute("set statement_timeout = 0")
    conn.execute("select mmdb.embed('works again', 'hash')")


@pytest.mark.soak
@pytest.mark.parametrize("offset", range(10))
def test_a_cancelled_question_leaves_no_answer_to_the_next(
    conn: Connection, database: Database, worker: None, offset: int
) -> None:
    conn.execute(f"set statement_timeout = {offset + 1}")
    for turn in range(3):
        with suppress(pg.QueryCanceled):
            conn.execute("select mmdb.embed(%s, 'hash')", [f"cancelled {offset} {turn}"])
        conn.execute("set statement_timeout = 0")
        row = conn.execute("select mmdb.embed(%s, 'hash')::real[]", [f"next {offset} {turn}"]).fetchone()
        assert row is not None
        np.testing.assert_allclose(row[0], expected(f"next {offset} {turn}"), atol=1e-3)
        conn.execute(f"set statement_timeout = {offset + 1}")
