"""What a worker does at once: several stores, decoding beside the model; and that little waits in memory meanwhile."""

from __future__ import annotations

import io
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmdb.media.image import decode_image
from mmdb.media.kinds import KINDS
from mmdb.models.embed.hash import HashEmbedder
from mmdb.worker import Totals, WorkerOptions, background, work
from tests.conftest import Database
from tests.db.conftest import Connection, check_rows, one, until

HASH = ("hash",)
GATE = """
create table gate (name text primary key);
insert into gate values ('closed');
create function wait_at_gate() returns trigger language plpgsql as $$
begin
  while new.id <= 2 and exists (select from public.gate) loop
    perform pg_sleep(0.02);
  end loop;
  return new;
end
$$;
create trigger a_gate before update on items for each row execute function wait_at_gate();
"""
"""Rows 1 and 2 cannot be stored while it is closed."""


def stored(conn: Connection) -> list[int]:
    return [id for (id,) in conn.execute("select id from items where txt_embedding is not null order by id")]


@contextmanager
def opened_at_last(conn: Connection) -> Iterator[None]:
    """Or a test that fails would wait at the gate for ever."""
    try:
        yield
    finally:
        conn.execute("delete from gate")


@pytest.fixture
def gated(items: Connection) -> Connection:
    items.execute("insert into items select g, 'item ' || g, g from generate_series(6, 12) g")
    items.execute(GATE)
    items.execute("select mmdb.refresh('items')")
    return items


def test_a_slow_store_holds_up_no_other(gated: Connection, database: Database) -> None:
    with background(database.url, options=WorkerOptions(models=HASH, batch_size=2, stores=2)), opened_at_last(gated):
        until(lambda: stored(gated) == list(range(3, 13)))
        assert stored(gated) == list(range(3, 13)), "all but what waits"
        gated.execute("delete from gate")
        until(lambda: len(stored(gated)) == 12)
    check_rows(gated)


def test_one_store_at_a_time_where_that_is_asked_for(gated: Connection, database: Database) -> None:
    with background(database.url, options=WorkerOptions(models=HASH, batch_size=2, stores=1)), opened_at_last(gated):
        until(lambda: bool(one(gated, "select count(*) from mmdb.leases where worker is not null")))
        until(lambda: one(gated, "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == 1)
        assert stored(gated) == []
        gated.execute("delete from gate")
        until(lambda: len(stored(gated)) == 12)
    check_rows(gated)


def test_an_end_waits_for_all_stores(gated: Connection, database: Database) -> None:
    """As a SIGTERM sets `stop`: what is being stored is stored, and no lease stays."""
    stop = threading.Event()
    options = WorkerOptions(models=HASH, batch_size=1, stores=2, lease_seconds=600)
    worker = threading.Thread(target=lambda: work(database.url, options=options, stop=stop))
    worker.start()
    with opened_at_last(gated):
        until(lambda: one(gated, "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == 2)
        stop.set()
        worker.join(0.5)
        assert worker.is_alive(), "two stores are under way"
    worker.join(20)
    assert stored(gated)[:2] == [1, 2]
    assert one(gated, "select count(*) from mmdb.leases") == 0


def test_a_refused_row_beside_a_store_that_waits(gated: Connection, database: Database) -> None:
    gated.execute("alter table items add constraint no_seven check (id <> 7 or txt_embedding is null)")
    with background(database.url, options=WorkerOptions(models=HASH, batch_size=2, stores=2)), opened_at_last(gated):
        until(lambda: one(gated, "select count(*) from mmdb.failures") == 1)
        gated.execute("delete from gate")
        until(lambda: len(stored(gated)) == 11)
    assert gated.execute("select key from mmdb.failures").fetchall() == [(["7"],)]


def test_a_row_that_changes_soon_after_others_does_not_wait_for_the_next_poll(
    items: Connection, database: Database
) -> None:
    with background(database.url, options=WorkerOptions(models=HASH, poll_seconds=600)):
        until(lambda: len(stored(items)) == 5)
        items.execute("update items set txt = 'changed' where id = 3")
        until(lambda: len(stored(items)) == 5)
    check_rows(items)


def test_two_embeddings_of_a_table_are_not_stored_at_once(items: Connection, database: Database) -> None:
    """They wait for the same rows: one store would find them locked by the other, and `once` end too early."""
    items.execute("select mmdb.add_embedding('items', 'txt', model => 'hash', name => 'again')")
    items.execute("insert into items select g, 'item ' || g, g from generate_series(6, 60) g")
    for turn in range(5):
        items.execute("update items set txt = txt || %s", [f" {turn}"])
        assert work(database.url, options=WorkerOptions(models=HASH, batch_size=5, once=True)) == Totals(120, 0)


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many decoded pictures there were at once, each time one was made."""
    counts: list[int] = []
    pictures: list[weakref.ref[Image.Image]] = []

    def decoded(*arguments: Any) -> Image.Image:
        made = decode_image(*arguments)
        pictures.append(weakref.ref(made))
        counts.append(sum(picture() is not None for picture in pictures))
        return made

    monkeypatch.setitem(KINDS, "image", replace(KINDS["image"], decode=decoded))
    return counts


@pytest.mark.parametrize("spare", [0, 4])
def test_pictures_do_not_wait_in_memory_for_the_store(
    conn: Connection, database: Database, alive: list[int], spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdb.worker.load.SPARE_PROCESSORS", spare)
    conn.execute("create table items (id int primary key, photo bytea)")
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (40, 40, 3), np.uint8)).save(file, "PNG")
    conn.execute("insert into items select g, %s from generate_series(1, 80) g", [file.getvalue()])
    conn.execute(GATE)
    conn.execute("select mmdb.add_embedding('items', 'photo', model => 'hash')")
    opener = threading.Timer(1.0, conn.execute, ["delete from gate"])
    opener.start()
    options = WorkerOptions(models=HASH, batch_size=4, stores=3, once=True, poll_seconds=0.1)
    assert work(database.url, options=options) == Totals(stored=80, failed=0)
    opener.join()
    assert len(alive) == 80
    assert max(alive) <= 3 * 4, "one batch in the model, one that is loaded, and what the collector has not seen yet"


def test_texts_of_like_length_go_through_the_model_together(
    conn: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []
    embed = HashEmbedder.embed_batch

    def noted(self: HashEmbedder, modality: Any, items: Any, purpose: Any) -> Any:
        seen.append([len(item) for item in items])
        return embed(self, modality, items, purpose)

    monkeypatch.setattr(HashEmbedder, "embed_batch", noted)
    monkeypatch.setattr(HashEmbedder, "batch_size", 32)
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("insert into items select g, repeat('x', g * 37 %% 61 + 1) || g from generate_series(1, 64) g", [])
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    assert work(database.url, options=WorkerOptions(models=HASH, once=True)).stored == 64
    assert [lengths == sorted(lengths) for lengths in seen] == [True, True]
    assert seen[0][-1] <= seen[1][0]
    check_rows(conn)


def test_counts_follow_rows_that_come_one_after_the_other(items: Connection, database: Database) -> None:
    """They are not made for each of them, and made when it is quiet."""
    counted = "select embedded from mmdb.progress"
    with background(database.url, options=WorkerOptions(models=HASH, poll_seconds=0.05)):
        until(lambda: one(items, counted) == 5)
        for row in range(6, 12):
            items.execute("insert into items values (%s, 'another', 1)", [row])
            until(lambda row=row: len(stored(items)) == row)  # type: ignore[misc]
        until(lambda: one(items, counted) == 11)
        items.execute("delete from items where id > 8")
        items.execute("insert into items values (9, 'again', 1)")
        until(lambda: one(items, counted) == 9)


def test_a_store_does_not_wait_for_the_disk(items: Connection, database: Database) -> None:
    """What is lost with a crash is pending again; what others commit is as safe as they have it."""
    name = one(items, "select quote_ident(current_database())")
    items.execute(f"alter database {name} set synchronous_commit = local".encode())
    items.execute("set synchronous_commit = local")
    items.execute("alter table items add column synchronous text")
    items.execute(
        "create function note() returns trigger language plpgsql as "
        "$$ begin new.synchronous := current_setting('synchronous_commit'); return new; end $$"
    )
    items.execute("create trigger noting before update on items for each row execute function note()")
    items.execute("select mmdb.refresh('items')")
    work(database.url, options=WorkerOptions(models=HASH, once=True, poll_seconds=0.1))
    assert items.execute("select distinct synchronous from items").fetchall() == [("off",)]
    items.execute("update items set price = 2 where id = 1")
    assert one(items, "select synchronous from items where id = 1") == "local"
