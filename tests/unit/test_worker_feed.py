"""Feeding with a fake database: whose turn it is, and how long an embedding is left alone that does not work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

import psycopg
import pytest
from psycopg import errors as pg

from mmdb.models.spec import ModelSpec
from mmdb.worker.count import QUIET_RECOUNT_SECONDS
from mmdb.worker.feed import REST_SECONDS, TEXT_BATCHES, Feed
from mmdb.worker.report import Silence
from mmdb.worker.steps import Steps
from mmdb.worker.values import Claim, Done, Paused, PendingRow, Served, Task
from tests.unit.worker import NOTES

OTHERS = replace(NOTES, id=2, relation="others")
MODEL = ModelSpec("hash", "hash", "hash", 64, ("text",), "hash/1")


class FakeSteps:
    """Tables of pending rows, which are claimed once, and counted as if none was stored. One in `errors` raises."""

    broken = False

    def __init__(self, **rows: int) -> None:
        self.pending = {name: [f"{place:03}" for place in range(count)] for name, count in rows.items()}
        self.served = [task for task in (NOTES, OTHERS) if task.relation in rows]
        self.errors: dict[str, psycopg.Error] = {}
        self.drift: list[tuple[str, str | None]] = []
        self.counted: list[str] = []
        self.claimed = 0
        self.looks = 0

    def tasks(self, model: str, identity: str) -> list[Task]:
        self.looks += 1
        return self.served

    def page(self, task: Task, after: str | None, count: int) -> list[PendingRow]:
        if task.relation in self.errors:
            raise self.errors[task.relation]
        found = [key for key in self.pending[task.relation] if after is None or key > after]
        return [PendingRow(key, "1") for key in found[:count]]

    def claim(self, task: Task, rows: Sequence[PendingRow]) -> list[Claim]:
        free = [row.key for row in rows if row.key in self.pending[task.relation]]
        for key in free:
            self.pending[task.relation].remove(key)
        self.claimed += len(free)
        return [Claim(key, 1, None, None, None) for key in free]

    def count(self, task: Task) -> int:
        self.counted.append(task.relation)
        return len(self.pending[task.relation]) + self.claimed

    def caught_up(self, task: Task) -> float | None:
        return {"notes": 3.0, "others": None}[task.relation]

    def report_drift(self, task: Task, drift: str | None) -> None:
        self.drift.append((task.relation, drift))


class Told(Silence):
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.bars: list[tuple[int, int]] = []

    def log(self, message: str) -> None:
        self.lines.append(message)

    def progress(self, embedding: str, done: int, total: int) -> None:
        self.bars.append((done, total))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def feed_of(steps: FakeSteps, told: Told | None = None, batch_size: int | None = 2, once: bool = False) -> Feed:
    reporter = told or Told()
    return Feed(cast("Steps", steps), MODEL, reporter, items_at_once=8, batch_size=batch_size, once=once)


def given(feed: Feed) -> list[tuple[str, list[str]]]:
    """All that is free, in the order in which it is given."""
    found = []
    while (claimed := feed.next()) is not None:
        feed.note_loaded(claimed.task, None)
        found.append((claimed.task.relation, [claim.key for claim in claimed.claims]))
    return found


def test_embeddings_take_turns() -> None:
    assert given(feed_of(FakeSteps(notes=5, others=3))) == [
        ("notes", ["000", "001"]), ("others", ["000", "001"]), ("notes", ["002", "003"]), ("others", ["002"]),
        ("notes", ["004"]),
    ]  # fmt: skip


def test_it_goes_on_where_it_was_and_once_round_from_the_top() -> None:
    steps = FakeSteps(notes=4)
    feed = feed_of(steps)
    given(feed)
    steps.pending["notes"] = ["001", "003"]  # free again: somebody changed them
    assert given(feed) == [("notes", ["001", "003"])]


def test_texts_are_claimed_several_batches_at_a_time_and_weighted_rows_by_their_items() -> None:
    assert len(given(feed_of(FakeSteps(notes=64), batch_size=None))) == 64 // (8 * TEXT_BATCHES)
    steps = FakeSteps(notes=8)
    steps.served = [replace(NOTES, modality="mixed", weights=[0.5, 0.5], source_modalities=["text", "image"])]
    assert [len(keys) for _, keys in given(feed_of(steps, batch_size=None))] == [4, 4]


def test_an_embedding_that_stumbles_once_is_tried_again_in_silence(clock: Clock) -> None:
    steps, told = FakeSteps(notes=2, others=1), Told()
    steps.errors["notes"] = pg.UndefinedColumn("no such column")
    feed = feed_of(steps, told)
    assert given(feed) == [("others", ["000"])], "it stalls no other"
    assert (told.lines, steps.drift) == ([], [])
    clock.now += 1.1
    del steps.errors["notes"]
    assert given(feed) == [("notes", ["000", "001"])]
    assert steps.drift == [("notes", None)]


def test_one_that_goes_on_stumbling_is_told_of_and_rests_ever_longer(clock: Clock) -> None:
    steps, told = FakeSteps(notes=2), Told()
    steps.errors["notes"] = pg.UndefinedColumn("no such column")
    feed = feed_of(steps, told)
    began, tries = clock.now, []
    while clock.now < began + 200:
        stumbles = feed.cursors[1].stumbles if feed.cursors else 0
        feed.next()
        if feed.cursors[1].stumbles > stumbles or feed.cursors[1].rest_until == clock.now + REST_SECONDS:
            tries.append(clock.now - began)
        clock.now += 0.5
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses == sorted(pauses)
    assert (pauses[0], max(pauses)) == (1.0, REST_SECONDS)
    assert told.lines[0] == "notes.txt: no such column"
    assert steps.drift[0] == ("notes", "no such column")


def test_with_once_the_first_stumble_is_told(clock: Clock) -> None:
    steps, told = FakeSteps(notes=2), Told()
    steps.errors["notes"] = pg.UndefinedColumn("no such column")
    feed = feed_of(steps, told, once=True)
    assert feed.next() is None
    assert steps.drift == [("notes", "no such column")]
    assert feed.cursors[1].rest_until == clock.now + REST_SECONDS
    assert feed.catch_up() is None, "nobody waits for it"


def test_what_passes_by_itself_is_no_stumble() -> None:
    steps = FakeSteps(notes=2)
    steps.errors["notes"] = pg.LockNotAvailable("locked")
    feed = feed_of(steps)
    assert feed.next() is None
    assert (feed.cursors[1].stumbles, feed.cursors[1].is_resting) == (0, False)


def test_a_problem_of_the_load_counts_as_one_of_the_embedding() -> None:
    steps = FakeSteps(notes=4)
    feed = feed_of(steps)
    claimed = feed.next()
    assert claimed is not None
    feed.note_loaded(claimed.task, pg.UndefinedFunction("no such function"))
    assert feed.cursors[1].is_resting
    assert feed.next() is None


def test_a_broken_connection_is_raised() -> None:
    steps = FakeSteps(notes=2)
    steps.broken = True
    steps.errors["notes"] = pg.AdminShutdown("cut")
    with pytest.raises(pg.AdminShutdown):
        feed_of(steps).next()


def test_an_embedding_that_was_dropped_is_forgotten() -> None:
    steps = FakeSteps(notes=2, others=2)
    feed = feed_of(steps)
    feed.next()
    steps.served = [OTHERS]
    assert given(feed) == [("others", ["000", "001"])]
    feed.note_done(Done(NOTES, stored=2))
    assert list(feed.cursors) == [2]


def test_nothing_is_fed_while_the_server_is_left_alone(clock: Clock) -> None:
    steps, told = FakeSteps(notes=2), Told()
    feed = feed_of(steps, told)
    feed.pause(Paused(NOTES, 7.0, "overloaded"))
    assert feed.next() is None
    assert (steps.looks, feed.resting()) == (0, 7.0)
    assert told.lines == ['model "hash" waits 7 s: overloaded']
    assert steps.drift == [("notes", "overloaded")]
    clock.now += 7
    assert feed.next() is not None
    feed.go_on(Served(NOTES))
    assert steps.drift[-1] == ("notes", None)


def test_the_bar_knows_how_many_there_are_and_is_full_in_the_end(clock: Clock) -> None:
    steps, told = FakeSteps(notes=10), Told()
    feed = feed_of(steps, told)
    while (claimed := feed.next()) is not None:
        feed.note_loaded(NOTES, None)
        feed.note_done(Done(NOTES, stored=1, failed=len(claimed.claims) - 1))
    assert feed.catch_up() == 3.0
    assert told.bars[-1] == (10, 10)
    assert [done for done, _ in told.bars] == [2, 4, 6, 8, 10, 10]
    assert {total for _, total in told.bars} == {10}


def test_rows_are_counted_soon_after_some_were_done_and_seldom_while_it_is_quiet(clock: Clock) -> None:
    steps = FakeSteps(notes=1)
    feed = feed_of(steps)
    for _ in range(10):
        given(feed)
        feed.note_done(Done(NOTES, stored=1))
        feed.catch_up()
        steps.pending["notes"] = ["000"]
        clock.now += 0.25
    assert 2 <= len(steps.counted) <= 5, "once a second at most, but for the first"
    steps.pending["notes"] = []
    clock.now += 2
    feed.catch_up()
    quiet = len(steps.counted)
    for _ in range(100):
        clock.now += QUIET_RECOUNT_SECONDS / 50
        feed.next()
        feed.catch_up()
    assert len(steps.counted) - quiet in (1, 2, 3)
