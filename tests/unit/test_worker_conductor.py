"""The conductor and its belt with fake stages: what runs beside what, how it ends, and that no fault makes it wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from mmdb.worker.belt import Belt
from mmdb.worker.conductor import LOOKS, Conductor, Patience
from mmdb.worker.values import Batch, Claim, Claimed, Done, Paused, Row, Served, Task, Totals
from tests import patience
from tests.unit.worker import NOTES

LONG = 20.0
until = partial(patience.until, seconds=LONG)


class FakeFeed:
    """Gives one row after the other, and notes what it is told."""

    def __init__(self, rows: int, waits: float | None = None) -> None:
        self.rows = list(range(rows))
        self.waits = waits
        self.given = 0
        self.done: list[Done] = []
        self.paused: list[Paused] = []
        self.served: list[Served] = []
        self.problems: list[psycopg.Error] = []
        self.quiet = 0

    def next(self) -> Claimed | None:
        if not self.rows or self.resting():
            return None
        self.given += 1
        return Claimed(NOTES, [Claim(str(self.rows.pop(0)), 1, None, None, None)])

    def note_loaded(self, task: Task, problem: psycopg.Error | None) -> None:
        self.problems += [problem] if problem else []

    def note_done(self, done: Done) -> None:
        self.done.append(done)

    def pause(self, paused: Paused) -> None:
        self.paused.append(paused)

    def go_on(self, served: Served) -> None:
        self.served.append(served)

    def resting(self) -> float:
        return self.paused[-1].seconds if self.paused else 0.0

    def catch_up(self) -> float | None:
        self.quiet += 1
        return self.waits


def loaded(claimed: Claimed) -> Batch:
    return Batch(claimed.task, [Row(claim.key, "1", None) for claim in claimed.claims])


def nothing_to_tell(batch: Batch) -> None:
    return None


def stored(batch: Batch) -> Done:
    return Done(batch.task, stored=len(batch.rows))


def conductor(
    feed: FakeFeed,
    *,
    load: Callable[[Claimed], Batch] = loaded,
    make: Callable[[Batch], Paused | Served | None] = nothing_to_tell,
    store: Callable[[Batch], Done] = stored,
    stores: int = 2,
    once: bool = True,
) -> Conductor:
    return Conductor(feed, load, Belt(make, [store] * stores), Totals(), poll_seconds=0.01, once=once)


def run(made: Conductor) -> Totals:
    made.run(threading.Event(), threading.Event())
    return made.totals


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize("stores", [1, 2, 5])
def test_every_batch_goes_all_the_way(stores: int) -> None:
    feed = FakeFeed(50)
    assert run(conductor(feed, stores=stores)) == Totals(stored=50)
    assert len(feed.done) == 50
    assert feed.quiet == 1


def test_nothing_to_do_ends_at_once() -> None:
    assert run(conductor(FakeFeed(0))) == Totals()


def test_while_one_is_in_the_model_the_next_is_loaded_and_no_more() -> None:
    feed, entered, go_on = FakeFeed(9), threading.Event(), threading.Event()

    def slow(batch: Batch) -> None:
        entered.set()
        assert go_on.wait(LONG)

    made = conductor(feed, make=slow)
    thread = threading.Thread(target=run, args=[made])
    thread.start()
    assert entered.wait(LONG)
    until(lambda: feed.given == 2)
    time.sleep(0.05)
    assert feed.given == 2, "one that waits is enough in memory"
    go_on.set()
    thread.join(LONG)
    assert made.totals == Totals(stored=9)


@pytest.mark.parametrize("stores", [1, 3])
def test_no_more_is_claimed_than_is_stored_made_and_loaded(stores: int) -> None:
    """What is leased by a worker that dies is tried row by row."""
    feed, go_on = FakeFeed(50), threading.Event()

    def slow(batch: Batch) -> Done:
        assert go_on.wait(LONG)
        return stored(batch)

    made = conductor(feed, store=slow, stores=stores)
    thread = threading.Thread(target=run, args=[made])
    thread.start()
    until(lambda: feed.given == stores + 2)
    time.sleep(0.05)
    assert feed.given == stores + 2
    go_on.set()
    thread.join(LONG)
    assert made.totals == Totals(stored=50)


def test_a_slow_store_holds_up_no_other_and_the_end_waits_for_it() -> None:
    feed, go_on = FakeFeed(30), threading.Event()

    def store(batch: Batch) -> Done:
        if batch.rows[0].key == "0":
            assert go_on.wait(LONG)
        return stored(batch)

    made = conductor(feed, store=store)
    thread = threading.Thread(target=run, args=[made])
    thread.start()
    until(lambda: len(feed.done) == 29)
    feed.rows.append(99)  # it goes on looking
    until(lambda: len(feed.done) == 30)
    assert feed.quiet == 0, "one is under way"
    go_on.set()
    thread.join(LONG)
    assert made.totals == Totals(stored=31)


def test_a_stop_finishes_what_is_in_the_model_and_leaves_what_is_not() -> None:
    feed, stop, entered, go_on = FakeFeed(9), threading.Event(), threading.Event(), threading.Event()

    def slow(batch: Batch) -> None:
        entered.set()
        assert go_on.wait(LONG)

    made = conductor(feed, make=slow, once=False)
    thread = threading.Thread(target=made.run, args=[stop, threading.Event()])
    thread.start()
    assert entered.wait(LONG)
    until(lambda: feed.given == 2)
    stop.set()
    go_on.set()
    thread.join(LONG)
    assert made.totals == Totals(stored=1)


def broken(*_: Any) -> Any:
    raise ValueError("out of luck")


@pytest.mark.parametrize("stage", ["load", "make", "store"])
@pytest.mark.parametrize("stores", [1, 3])
def test_a_stage_that_breaks_ends_all(stage: str, stores: int) -> None:
    with pytest.raises(ValueError, match="out of luck"):
        run(conductor(FakeFeed(50), stores=stores, **{stage: broken}))  # type: ignore[arg-type]


def test_one_store_that_breaks_while_another_is_slow() -> None:
    """What is under way beside it is stored and counted."""
    slow_one = threading.Event()

    def store(batch: Batch) -> Done:
        if batch.rows[0].key == "0":
            assert slow_one.wait(LONG)
            time.sleep(0.05)
            return stored(batch)
        slow_one.set()
        raise ValueError("out of luck")

    made = conductor(FakeFeed(50), store=store)
    with pytest.raises(ValueError, match="out of luck"):
        run(made)
    assert made.totals == Totals(stored=1)


def test_news_of_the_server_reach_the_feed_and_once_ends_where_it_is_down() -> None:
    feed = FakeFeed(9)
    told: list[Paused | Served | None] = [Served(NOTES), None, Paused(NOTES, 60.0, "down")]

    def make(batch: Batch) -> Paused | Served | None:
        return told.pop(0) if told else None

    assert run(conductor(feed, make=make)).stored >= 3
    assert feed.served == [Served(NOTES)]
    assert feed.paused == [Paused(NOTES, 60.0, "down")]
    assert feed.rows, "the server is left alone"


def test_what_the_database_could_not_load_is_told_and_goes_on_to_the_store() -> None:
    problem = psycopg.errors.UndefinedColumn("gone")
    seen: list[Batch] = []

    def load(claimed: Claimed) -> Batch:
        return Batch(claimed.task, released=[claim.key for claim in claimed.claims], problem=problem)

    def store(batch: Batch) -> Done:
        seen.append(batch)
        return Done(batch.task)

    feed = FakeFeed(2)
    assert run(conductor(feed, load=load, store=store)) == Totals()
    assert [batch.released for batch in seen] == [["0"], ["1"]]
    assert feed.problems == [problem, problem]


def test_once_looks_again_for_rows_that_were_locked_but_not_for_ever() -> None:
    feed = FakeFeed(1)
    run(conductor(feed, store=lambda batch: Done(batch.task, lost=1)))
    assert feed.quiet == LOOKS + 1


def test_once_does_not_wait_for_a_row_that_failed() -> None:
    feed = FakeFeed(1, waits=5.0)
    assert run(conductor(feed, store=lambda batch: Done(batch.task, failed=1))) == Totals(failed=1)
    assert feed.quiet == 1


def test_looks_grow_rarer_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    patience = Patience(0.5)
    assert patience.seconds() == 0.5, "at the start nothing came"
    patience.worked_at = now
    assert patience.seconds() == 0.02, "a moment ago"
    now += 1
    assert patience.seconds() == pytest.approx(0.1)
    patience.look_seconds = 0.04
    assert patience.seconds() == pytest.approx(0.2), "five times what a look takes"
    now += 60
    assert patience.seconds() == 0.5
