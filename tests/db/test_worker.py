"""The state machine of a row: claimed, loaded, embedded, stored, settled, or failed and tried again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import errors as pg

from mmdb.config import Settings
from mmdb.errors import DatabaseError, ModelError, ModelUnavailableError
from mmdb.models.embed.base import Embedder, Purpose, Vectors
from mmdb.models.embed.hash import HashEmbedder
from mmdb.models.registry import load
from mmdb.models.spec import ModelSpec
from mmdb.worker import Totals, background, work
from mmdb.worker.values import Row
from tests.conftest import Database, Role
from tests.db.conftest import ONCE, PATIENCE, QUICK, Gate, check_rows, expected, hash_task, picture, registered, until

Connection = psycopg.Connection[Any]
Drain = Callable[[], Totals]


def test_pending_rows_are_filled(items: Connection, drain: Drain) -> None:
    assert drain() == Totals(stored=5, failed=0)
    check_rows(items)
    assert drain() == Totals(stored=0, failed=0), "nothing is done twice"


def test_a_running_worker_picks_up_changes(items: Connection, worker: None) -> None:
    until(lambda: items.execute("select count(*) from items where txt_embedding is null").fetchone() == (0,))
    items.execute("update items set txt = 'changed' where id = 3")
    items.execute("insert into items values (6, 'six'), (7, null)")
    until(lambda: items.execute("select array_agg(id) from items where txt_embedding is null").fetchone() == ([7],))
    check_rows(items)


@pytest.mark.parametrize(
    ("definition", "keys"),
    [
        ("k uuid primary key", "gen_random_uuid()"),
        ("k text primary key", "'a''\"\\{},null ' || g"),
        ("k timestamptz primary key", "now() + g * interval '1.000001 s'"),
        ("k bytea primary key", "decode(lpad(to_hex(g), 4, '0'), 'hex')"),
        ("k float8 primary key", "g / 3.0"),
        ("k interval primary key", "g * interval '1 month 2 days'"),
        ("k numeric(10, 3) primary key", "g / 7.0"),
        ("k char(5) primary key", "g::text"),
        ("k date, l int default 1, primary key (l, k)", "date '2026-01-01' + g"),
        ("k int4range primary key", "int4range(g, g + 1)"),
        ("k inet primary key", "inet '10.0.0.0' + g"),
    ],
)
def test_keys_of_any_type(conn: Connection, drain: Drain, definition: str, keys: str) -> None:
    conn.execute("set datestyle = 'German'; set intervalstyle = 'iso_8601'")
    conn.execute(f"create table items ({definition}, txt text)")
    conn.execute(f"insert into items (k, txt) select {keys}, 'item ' || g from generate_series(1, 90) g")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    assert drain().stored == 90
    check_rows(conn)


def test_several_columns_are_one_source(conn: Connection, drain: Drain) -> None:
    conn.execute("create table items (id int primary key, a text, b varchar(20))")
    conn.execute("insert into items values (1, 'x', 'y'), (2, null, 'y'), (3, null, null)")
    conn.execute("select mmdb.add_embedding('items', array['a', 'b'], model => 'hash', name => 'ab')")
    assert drain().stored == 2
    rows = conn.execute("select ab_embedding::real[] from items order by id").fetchall()
    np.testing.assert_allclose(rows[0][0], expected("x\ny"), atol=1e-3)
    np.testing.assert_allclose(rows[1][0], expected("y"), atol=1e-3)
    assert rows[2][0] is None


def test_a_source_that_changes_while_it_is_embedded(items: Connection, database: Database, gate: Gate) -> None:
    with background(database.url, options=QUICK):
        assert gate.entered.wait(PATIENCE)
        items.execute("update items set txt = 'changed meanwhile' where id = 2")
        items.execute("update items set price = 77 where id = 3")  # moves xmin, but not the source
        items.execute("delete from items where id = 4")
        gate.go_on.set()
        until(lambda: items.execute("select count(*) from items where txt_embedding is null").fetchone() == (0,))
    check_rows(items)
    assert gate.seen.count("item 3") == 1, "an unrelated change costs no second embedding"


def test_a_row_that_a_user_holds_is_waited_for_by_nobody(items: Connection, database: Database, gate: Gate) -> None:
    with database.connect(autocommit=False) as user, background(database.url, options=QUICK):
        user.execute("select * from items where id = 2 for update")
        gate.go_on.set()
        until(lambda: items.execute("select array_agg(id) from items where txt_embedding is null").fetchone() == ([2],))
        user.execute("set local lock_timeout = '500ms'")
        user.execute("update items set price = 5 where id = 2")
        user.commit()
        until(lambda: items.execute("select count(*) from items where txt_embedding is null").fetchone() == (0,))
    check_rows(items)


def test_a_table_that_a_user_locks_is_waited_for_by_nobody(items: Connection, database: Database, gate: Gate) -> None:
    """ALTER TABLE and the like: the worker gives up after its lock_timeout and tries again later."""
    with background(database.url, options=QUICK):
        assert gate.entered.wait(PATIENCE)
        with items.transaction():
            items.execute("lock table items in access exclusive mode")
            gate.go_on.set()
            time.sleep(3)
        until(lambda: items.execute("select count(*) from items where txt_embedding is null").fetchone() == (0,))
    check_rows(items)


def test_a_stop_finishes_the_batch(items: Connection, database: Database, gate: Gate) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(database.url,), kwargs={"options": QUICK, "stop": stop})
    thread.start()
    assert gate.entered.wait(PATIENCE)
    stop.set()
    gate.go_on.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    check_rows(items)
    assert items.execute("select count(*) from mmdb.workers").fetchone() == (0,)


def test_two_workers_share_a_table(conn: Connection, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("insert into items select g, 'item ' || g from generate_series(1, 2000) g")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    embedders: list[Counting] = []

    class Counting(HashEmbedder):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[str] = []
            embedders.append(self)

        def embed_batch(self, modality: Any, items: Any, purpose: Purpose) -> Vectors:
            self.seen += items
            return super().embed_batch(modality, items, purpose)

    monkeypatch.setattr("mmdb.worker.run.load", lambda _spec, _cache: Counting())
    few = replace(ONCE, batch_size=32)
    workers = [threading.Thread(target=work, args=(database.url,), kwargs={"options": few}) for _ in range(2)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join(60)
    check_rows(conn)
    seen = [text for embedder in embedders for text in embedder.seen]
    assert len(seen) == len(set(seen)) == 2000, "each row once while leases hold"
    assert min(len(embedder.seen) for embedder in embedders) > 200, "both had a share"


class Poison(HashEmbedder):
    """A model that cannot take some texts."""

    def embed_batch(self, modality: Any, items: Any, purpose: Purpose) -> Vectors:
        if any("poison" in item for item in items):
            raise ValueError("cannot take this")
        return super().embed_batch(modality, items, purpose)


def test_one_bad_row_never_fails_its_batch(items: Connection, drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmdb.worker.run.load", lambda _spec, _cache: Poison())
    items.execute("update items set txt = 'poison' where id = 2")
    assert drain() == Totals(stored=4, failed=1)
    failure = items.execute("select key, attempts, error, final, retry_at > now() from mmdb.failures").fetchone()
    assert failure == (["2"], 1, "the model failed: ValueError: cannot take this", False, True)
    assert drain() == Totals(stored=0, failed=0), "it waits for its next try"
    items.execute("update mmdb.leases set retry_at = now(), attempts = 4")
    assert drain() == Totals(stored=0, failed=1)
    assert items.execute("select attempts, final from mmdb.failures").fetchone() == (5, True)
    assert items.execute("select pending, failed from mmdb.status").fetchone() == (0, 1)
    items.execute("update items set price = 9 where id = 2")
    assert drain() == Totals(stored=0, failed=1), "looked at again, because the row changed, but not embedded"
    assert items.execute("select attempts, final from mmdb.failures").fetchone() == (1, True)
    items.execute("update items set txt = 'cured' where id = 2")
    assert drain() == Totals(stored=1, failed=0), "a failure is void as soon as its source changes"
    check_rows(items)


def test_retry_frees_a_failure(items: Connection, drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    items.execute("update items set txt = ' ' where id in (1, 2)")
    assert drain() == Totals(stored=3, failed=2)
    assert items.execute("select distinct error from mmdb.failures").fetchall() == [("the text is empty",)]
    assert drain() == Totals(stored=0, failed=0)
    assert items.execute("select mmdb.retry('items', 'txt')").fetchone() == (2,)
    assert drain() == Totals(stored=0, failed=2)


def test_a_row_that_waits_for_another_try_and_is_mended_does_not_wait(
    items: Connection, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdb.worker.run.load", lambda _spec, _cache: Poison())
    items.execute("update items set txt = 'poison' where id = 2")
    drain()
    items.execute("update mmdb.leases set retry_at = now() + interval '1 hour'")
    items.execute("update items set txt = 'cured' where id = 2")
    assert drain() == Totals(stored=1, failed=0)
    check_rows(items)


@pytest.mark.parametrize("column", ["bytea", "holds_bytes"])
def test_no_byte_is_as_good_as_none(conn: Connection, drain: Drain, column: str) -> None:
    photo = picture("red")
    conn.execute("create domain holds_bytes as bytea")
    conn.execute(f"create table pictures (id int primary key, a {column}, b {column}, t text)".encode())
    conn.execute("insert into pictures values (1, %b, '', ''), (2, '', '', ''), (3, '', %b, 'x'), (4, null, '', null)",
                 [photo, photo])  # fmt: skip
    conn.execute("select mmdb.add_embedding('pictures', 'a', model => 'hash', on_change => 'keep')")
    conn.execute("select mmdb.add_embedding('pictures', array['a', 'b', 't'], model => 'hash', name => 'all_of_it', "
                 "weights => '{1,1,1}')")  # fmt: skip
    pending = "select name, pending from mmdb.status order by name"
    assert conn.execute(pending).fetchall() == [("a", 1), ("all_of_it", 2)]
    assert drain() == Totals(stored=3, failed=0)
    conn.execute("update pictures set a = '', b = '', t = ''")
    seen = "select count(a_embedding), count(all_of_it_embedding), count(*) filter (where a_stale) from pictures"
    assert conn.execute(seen).fetchone() == (0, 0, 0), "there is nothing left to be found by, kept or not"
    conn.execute("update pictures set a = %b where id = 2", [photo])
    assert drain() == Totals(stored=2, failed=0)
    assert conn.execute("select sum(pending + failed) from mmdb.status").fetchone() == (0,)


@pytest.mark.parametrize("column", ["text", "varchar(20)", "char(5)", "holds_text"])
def test_an_empty_text_is_as_good_as_none(conn: Connection, database: Database, drain: Drain, column: str) -> None:
    conn.execute("create domain holds_text as text")
    conn.execute(f"create table notes (id int primary key, a {column}, b {column})".encode())
    conn.execute("insert into notes values (1, 'one', ''), (2, '', ''), (3, '', 'three'), (4, null, '')")
    conn.execute("select mmdb.add_embedding('notes', 'a', model => 'hash', on_change => 'keep')")
    conn.execute("select mmdb.add_embedding('notes', array['a', 'b'], model => 'hash', name => 'both')")
    assert conn.execute("select name, pending from mmdb.status order by name").fetchall() == [("a", 1), ("both", 2)]
    assert drain() == Totals(stored=3, failed=0)
    conn.execute("update notes set a = '', b = ''")
    seen = "select count(a_embedding), count(both_embedding), count(*) filter (where a_stale) from notes"
    assert conn.execute(seen).fetchone() == (0, 0, 0), "there is nothing left to be found by, kept or not"
    assert conn.execute("select sum(pending + failed) from mmdb.status").fetchone() == (0,)
    conn.execute("update notes set a = 'again' where id = 2")
    assert drain() == Totals(stored=2, failed=0)


def test_a_text_that_its_collation_takes_for_empty_is_embedded(conn: Connection, drain: Drain) -> None:
    try:
        conn.execute("create collation lenient (provider = icu, locale = 'und-u-ka-shifted', deterministic = false)")
    except pg.FeatureNotSupported as error:
        pytest.skip(str(error))  # the embedded server's build has no ICU
    conn.execute("create table notes (id int primary key, a text collate lenient)")
    conn.execute("insert into notes values (1, '!!!'), (2, ''), (3, 'three')")
    assert conn.execute("select count(*) from notes where a = ''").fetchone() == (2,), "or nothing is tested here"
    conn.execute("select mmdb.add_embedding('notes', 'a', model => 'hash')")
    assert conn.execute("select pending from mmdb.status").fetchone() == (2,)
    assert drain() == Totals(stored=2, failed=0)


def test_an_empty_uri_is_no_picture(conn: Connection, database: Database, drain: Drain) -> None:
    conn.execute("create table pictures (id int primary key, uri text)")
    conn.execute("insert into pictures values (1, '')")
    conn.execute("select mmdb.add_embedding('pictures', 'uri', model => 'hash', modality => 'image')")
    assert conn.execute("select pending, failed from mmdb.status").fetchone() == (0, 0)
    assert drain() == Totals(stored=0, failed=0)


def test_a_row_that_the_table_refuses(items: Connection, drain: Drain) -> None:
    items.execute(
        "create function picky() returns trigger language plpgsql as $$ begin "
        "if new.id = 2 then raise exception 'no embedding for two'; end if; return new; end $$"
    )
    items.execute("create trigger a_picky before update on items for each row execute function picky()")
    items.execute("select mmdb.refresh('items')")
    assert drain() == Totals(stored=4, failed=1)
    assert items.execute("select key, error from mmdb.failures").fetchone() == (
        ["2"], "the table refused the embedding: no embedding for two",
    )  # fmt: skip


OWN_TRIGGERS = """
create table items (id int primary key, txt text, seen_by text, login text);
insert into items values (1, 'one');
create function note() returns trigger language plpgsql as $$ begin
  new.seen_by := current_user; new.login := session_user; return new;
end $$;
create trigger a_note before update on items for each row execute function note();
create function late() returns trigger language plpgsql as $$ begin
  if current_user = session_user then raise exception 'run as the worker'; end if; return null;
end $$;
create constraint trigger z_late after update on items deferrable initially deferred
  for each row execute function late();
select mmdb.add_embedding('items', 'txt', model => 'hash')
"""


def test_triggers_of_the_table_run_as_its_owner(
    conn: Connection, database: Database, make_role: Callable[[str], Role]
) -> None:
    owner, login = make_role("owner"), make_role("login")
    conn.execute(f"grant create on schema public to {owner.name}")
    conn.execute(f"grant mmdb_user to {owner.name}; grant mmdb_worker to {login.name}")
    with owner.connect(database) as as_owner:
        as_owner.execute(OWN_TRIGGERS)
    assert work(login.url(database), options=ONCE) == Totals(stored=1, failed=0)
    assert conn.execute("select seen_by, login from items").fetchone() == (owner.name, login.name)
    with login.connect(database) as as_login, pytest.raises(pg.InsufficientPrivilege):
        as_login.execute("select * from items")


def test_zero_and_non_finite_vectors_are_refused(items: Connection, database: Database) -> None:
    with registered(database) as steps:
        task = hash_task(steps)
        claims = steps.claim(task, steps.page(task, None, 10))
        loaded = steps.load(task, [claim.key for claim in claims], [1000])
        vectors = np.zeros((5, 64), np.float32)
        rows = [Row(source.key, source.state, source.hash) for source in loaded]
        assert {one.outcome for one in steps.store(task, rows, vectors)} == {"changed"}
    assert items.execute("select count(*) from items where txt_embedding is null").fetchone() == (5,)


def test_a_lease_that_ended_is_a_fence(items: Connection, database: Database) -> None:
    """The first worker is slow, its lease runs out, a second takes the rows over: what the first made is dropped."""
    with registered(database) as slow, registered(database) as quick:
        task = hash_task(slow)
        page = slow.page(task, None, 10)
        assert len(slow.claim(task, page)) == 5
        assert quick.claim(task, page) == []
        items.execute("update mmdb.leases set expires_at = clock_timestamp()")
        taken = quick.claim(task, page)
        assert [claim.key for claim in taken] == ["{1}"], "of a worker that may have died of a row, one row at a time"
        sources = slow.load(task, [key for key, _ in page], [1000])
        rows = [Row(source.key, source.state, source.hash) for source in sources]
        outcomes = slow.store(task, rows, np.ones((5, 64), np.float32))
        assert [one.outcome for one in outcomes] == ["stored"] * 4, "the row that was taken over is not ours"
        assert items.execute("select array_agg(id) from items where txt_embedding is null").fetchone() == ([1],)


def test_a_row_that_kills_its_worker_is_given_up(items: Connection, database: Database) -> None:
    for death in range(1, 6):
        with registered(database) as steps:
            task = hash_task(steps)
            claims = steps.claim(task, steps.page(task, None, 1))
            assert [claim.attempts for claim in claims] == [death]
            sources = steps.load(task, ["{1}"], [1000])
            steps.note_attempt(task, Row("{1}", sources[0].state, sources[0].hash))
        until(lambda: items.execute("select count(*) from mmdb.live_workers()").fetchone() == (0,))
    assert work(database.url, options=ONCE).stored == 4
    error = items.execute("select key, error, final from mmdb.failures").fetchone()
    assert error == (["1"], "the worker died 5 times while it embedded this row", True)
    items.execute("update items set txt = 'harmless' where id = 1")
    assert work(database.url, options=ONCE).stored == 1
    check_rows(items)


def test_a_dropped_table_leaves_nothing(items: Connection, database: Database) -> None:
    items.execute("create schema apart; create table apart.other (id int primary key, txt text)")
    items.execute("insert into apart.other values (1, 'x')")
    items.execute("select mmdb.add_embedding('apart.other', 'txt', model => 'hash')")
    with background(database.url, options=QUICK):
        until(lambda: items.execute("select count(*) from apart.other where txt_embedding is null").fetchone() == (0,))
        items.execute("drop table apart.other")
        items.execute("truncate items")
    work(database.url, options=ONCE)
    work(database.url, options=ONCE)
    left = items.execute("select count(*) from pg_proc where pronamespace = 'apart'::regnamespace").fetchone()
    assert left == (0,)
    assert items.execute("select relation::text from mmdb.embeddings").fetchall() == [("items",)]
    assert items.execute("select count(*) from mmdb.leases").fetchone() == (0,)


def test_failures_of_vanished_rows_are_swept(items: Connection, drain: Drain) -> None:
    items.execute("update items set txt = ' '")
    assert drain() == Totals(stored=0, failed=5)
    items.execute("delete from items where id = 1; update items set txt = null where id = 2")
    items.execute("update items set txt_embedding = array_fill(1, array[64])::halfvec where id = 3")
    drain()
    assert items.execute("select key from mmdb.failures order by key").fetchall() == [(["4"],), (["5"],)]


def test_leases_of_a_dead_worker_on_rows_that_are_done_are_swept(items: Connection, database: Database) -> None:
    with registered(database) as steps:
        task = hash_task(steps)
        steps.claim(task, steps.page(task, None, 10))
        items.execute("update items set txt_embedding = array_fill(1, array[64])::halfvec")
    until(lambda: items.execute("select count(*) from mmdb.live_workers()").fetchone() == (0,))
    work(database.url, options=ONCE)
    assert items.execute("select count(*) from mmdb.leases").fetchone() == (0,)


def test_an_embedding_dropped_while_its_rows_are_embedded(items: Connection, database: Database, gate: Gate) -> None:
    """The worker goes on with the others."""
    items.execute("create table other (id int primary key, txt text)")
    items.execute("select mmdb.add_embedding('other', 'txt', model => 'hash')")
    with background(database.url, options=QUICK):
        assert gate.entered.wait(PATIENCE)
        items.execute("select mmdb.drop_embedding('items', 'txt')")
        items.execute("insert into other values (1, 'x')")
        gate.go_on.set()
        until(lambda: items.execute("select count(txt_embedding) from other").fetchone() == (1,))


def test_a_broken_table_stalls_no_other(items: Connection, database: Database, drain: Drain) -> None:
    items.execute("create table other (id int primary key, txt text); insert into other values (1, 'x')")
    items.execute("select mmdb.add_embedding('other', 'txt', model => 'hash')")
    items.execute("alter table items drop column txt cascade")
    assert drain() == Totals(stored=1, failed=0)
    drift = items.execute("select drift from mmdb.status where relation = 'items'::regclass").fetchone()
    assert drift is not None
    assert "was dropped" in drift[0]


def test_a_worker_of_another_model_refuses(conn: Connection, database: Database) -> None:
    conn.execute("update mmdb.models set identity = 'somebody else''s' where name = 'hash'")
    with pytest.raises(ModelError, match="somebody else's"):
        work(database.url, options=ONCE)


def test_an_unknown_model_and_an_unreachable_database_are_named(database: Database) -> None:
    with pytest.raises(ModelError, match='model "nix" does not exist'):
        work(database.url, options=replace(ONCE, models=("nix",)))
    with pytest.raises(DatabaseError, match="cannot work on the database"):
        work("postgresql://nobody:x@127.0.0.1:1/nix", options=ONCE)


def test_it_connects_again_when_its_sessions_are_cut(items: Connection, database: Database) -> None:
    with background(database.url, options=QUICK):
        until(lambda: items.execute("select count(*) from items where txt_embedding is null").fetchone() == (0,))
        items.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mmdb worker'"
                      " and datname = current_database()")  # fmt: skip
        items.execute("insert into items values (6, 'after the cut')")
        until(lambda: items.execute("select count(*) from items where txt_embedding is null").fetchone() == (0,))
        until(lambda: items.execute("select count(*) from mmdb.leases").fetchone() == (0,))
    check_rows(items)


def test_settings_reach_the_loader(database: Database, conn: Connection, tmp_path: Any) -> None:
    conn.execute("create table pictures (id int primary key, uri text)")
    conn.execute("insert into pictures values (1, 'file:///etc/passwd'), (2, ' '), (3, 'http://127.0.0.1:1/x.jpg')")
    conn.execute("select mmdb.add_embedding('pictures', 'uri', model => 'hash', modality => 'image')")
    settings = replace(Settings.from_environment({}), media_roots=(tmp_path,))
    assert work(database.url, settings=settings, options=ONCE) == Totals(stored=0, failed=3)
    errors = dict(conn.execute("select key[1], error from mmdb.failures").fetchall())
    assert "/etc/passwd" in errors["1"] or "outside" in errors["1"]
    assert errors["2"] == "the URI is empty"
    assert "127.0.0.1" in errors["3"]


def test_a_model_that_this_machine_lacks_is_left_to_others(items: Connection, database: Database) -> None:
    items.execute("select mmdb.add_model('elsewhere', 'nix', 'nix', 8, array['text'], 'nix/1')")
    items.execute("delete from mmdb.models where name = 'lite'")
    assert work(database.url, options=replace(ONCE, models=None)) == Totals(stored=5, failed=0)
    with pytest.raises(ModelUnavailableError, match="unknown backend"):
        work(database.url, options=replace(ONCE, models=("elsewhere",)))


def test_models_that_come_while_it_runs_are_served(conn: Connection, database: Database, monkeypatch: Any) -> None:
    monkeypatch.setattr("mmdb.worker.session.LOOK_SECONDS", 0.2)
    conn.execute("delete from mmdb.models where name = 'lite'")
    with background(database.url, options=replace(QUICK, models=None)):
        conn.execute(
            "select mmdb.add_model('late', backend, model, dimensions, modalities, identity)"
            " from mmdb.models where name = 'hash'"
        )
        until(lambda: conn.execute("select models from mmdb.workers where alive").fetchall() == [(["hash", "late"],)])
        assert conn.execute("select mmdb.embed('x', 'late') = mmdb.embed('x', 'hash')").fetchone() == (True,)


def test_a_model_that_takes_long_to_load_keeps_no_other_waiting(
    conn: Connection, database: Database, monkeypatch: Any
) -> None:
    """It may have to be downloaded; meanwhile the others answer queries and fill rows."""
    loading, go_on = threading.Event(), threading.Event()

    def slow(spec: ModelSpec, settings: Settings) -> Embedder:
        if spec.name == "late":
            loading.set()
            assert go_on.wait(PATIENCE)
        if spec.name == "gone":
            raise ModelUnavailableError("it is nowhere")
        return load(spec, settings)

    monkeypatch.setattr("mmdb.worker.session.LOOK_SECONDS", 0.2)
    monkeypatch.setattr("mmdb.worker.run.load", slow)
    conn.execute("delete from mmdb.models where name = 'lite'")
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    told = Told()
    with background(database.url, options=replace(QUICK, models=None), reporter=told):
        conn.execute(
            "select mmdb.add_model(new, backend, model, dimensions, modalities, identity)"
            " from mmdb.models, unnest(array['late', 'gone']) new where name = 'hash'"
        )
        assert loading.wait(PATIENCE)
        conn.execute("insert into items values (1, 'item 1')")
        until(lambda: conn.execute("select from items where txt_embedding is null").rowcount == 0)
        assert conn.execute("select mmdb.embed('x', 'hash') is not null").fetchone() == (True,)
        go_on.set()
        until(lambda: conn.execute("select models from mmdb.workers where alive").fetchall() == [(["hash", "late"],)])
    assert told.lines.count("not served here: it is nowhere") == 1


class Told:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)

    def progress(self, embedding: str, done: int, total: int) -> None:
        """Not asked for."""
