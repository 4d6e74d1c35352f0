"""One model's share of a worker: feed -> load -> make -> store, with queues in between.

Three things at once because they wait for three different things: the server's disk, the model's arithmetic, and
the insertion into the HNSW graph, which costs as much as embedding a short text. So while a batch is in the model, the
next one is loaded and the last ones are stored:

    the conductor's thread          the maker's thread         the storers' threads
    feed -> load -- loaded --------> make ---- made ---------> store
        ^                             |                           |
        +------------ news -----------+---------------------------+

A batch goes forward only. What the later stages have to say (a batch was taken, or is at its end; the model's server
does not serve) comes back as news, which the conductor alone hears. So each stage has a state of its own, of which no
other thread knows. The queues and the threads are those of `belt.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeAlias

import psycopg

from mmdb.worker.belt import Belt
from mmdb.worker.values import Batch, Broken, Claimed, Done, News, Paused, Served, Taken, Task, Totals

STORE_SECONDS = 0.2
"""How long to wait for a store before looking whether more is pending."""
IDLE_SHARE = 0.1
"""The pause between two looks, as a share of the time since the last row came."""
LOOK_SHARE = 5
"""The pause is at least so many times what a look takes: a worker with many embeddings does not look all the time."""
SHORTEST_POLL = 0.02
"""Seconds between looks, at least."""
SHORTEST_WAIT = 0.01
"""Seconds until a row is looked for that waits for its next try, at least."""
LONGEST_WAIT = 1.0
"""Seconds until such a row is looked for, at most, with `once`."""
LOOKS = 20
"""With `once`, how often to look again for a row that somebody had locked: another model's store, for instance."""


class Feeding(Protocol):
    """What the conductor asks of feed.py."""

    def next(self) -> Claimed | None: ...

    def note_loaded(self, task: Task, problem: psycopg.Error | None) -> None: ...

    def note_done(self, done: Done) -> None: ...

    def pause(self, paused: Paused) -> None: ...

    def go_on(self, served: Served) -> None: ...

    def resting(self) -> float: ...

    def catch_up(self) -> float | None: ...


Loading: TypeAlias = Callable[[Claimed], Batch]


class Patience:
    """How long to wait before the next look, `poll_seconds` at most.

    Where rows came a moment ago more will: who changes one and looks for it is not to wait for that long.
    """

    def __init__(self, poll_seconds: float) -> None:
        self.poll_seconds = poll_seconds
        self.look_seconds = 0.0
        self.worked_at = time.monotonic() - poll_seconds / IDLE_SHARE

    def seconds(self) -> float:
        idle = time.monotonic() - self.worked_at
        return min(self.poll_seconds, max(SHORTEST_POLL, IDLE_SHARE * idle, LOOK_SHARE * self.look_seconds))


class Conductor:
    """Runs the stages. `run` returns when `stop` is set or, with `once`, when nothing is left."""

    def __init__(
        self,
        feed: Feeding,
        load: Loading,
        belt: Belt,
        totals: Totals,
        *,
        poll_seconds: float,
        once: bool,
    ) -> None:
        self.feed = feed
        self.load = load
        self.belt = belt
        self.totals = totals
        self.once = once
        self.patience = Patience(poll_seconds)
        self.waiting = 0
        """Batches that the model has not taken yet."""
        self.under_way = 0
        """Batches that are not at their end yet."""
        self.looks = 0
        """With `once`, looks since a row was locked or changed while it was embedded; 0 where none was."""

    def run(self, stop: threading.Event, wake: threading.Event) -> None:
        """Raises what a stage raised."""
        try:
            with self.belt.running(stop):
                self._conduct(stop, wake)
        finally:
            self._hear_all()

    def _conduct(self, stop: threading.Event, wake: threading.Event) -> None:
        while not stop.is_set():
            self._hear_all()
            batch = self._load_next()
            if batch is not None:
                self._hand_on(batch)
            elif self.under_way:
                self._hear(STORE_SECONDS)
            else:
                seconds = self._pause()
                if seconds is None:
                    return
                wake.wait(seconds)
                wake.clear()

    def _load_next(self) -> Batch | None:
        """The next batch; None where no row of any embedding is free."""
        began = time.monotonic()
        claimed = self.feed.next()
        if claimed is None:
            self.patience.look_seconds = time.monotonic() - began
            return None
        batch = self.load(claimed)
        self.feed.note_loaded(batch.task, batch.problem)
        if not batch.is_released:
            self.patience.worked_at = time.monotonic()
        return batch

    def _hand_on(self, batch: Batch) -> None:
        """Give the batch to the model, and wait until it takes it: one that waits is enough in memory."""
        self.waiting += 1
        self.under_way += 1
        self.belt.put(batch)
        while self.waiting:
            self._hear()

    def _pause(self) -> float | None:
        """Seconds to wait before the next look; None where this is the end."""
        resting = self.feed.resting()
        if resting > 0:
            return None if self.once else min(resting, self.patience.poll_seconds)
        soonest = self.feed.catch_up()
        if self.once and (soonest is None or soonest > self.patience.poll_seconds):
            return self._pause_before_another_look(soonest)
        patience = self.patience.seconds()
        return patience if soonest is None else min(max(soonest, SHORTEST_WAIT), patience)

    def _pause_before_another_look(self, soonest: float | None) -> float | None:
        if not 0 < self.looks <= LOOKS:
            return None
        self.looks += 1
        return self.patience.poll_seconds if soonest is None else min(max(soonest, SHORTEST_WAIT), LONGEST_WAIT)

    # News

    def _hear(self, seconds: float | None = None) -> None:
        """Wait for one piece of news, `seconds` at most, and heed it."""
        news = self.belt.hear(seconds)
        if news is not None:
            self._heed(news)

    def _hear_all(self) -> None:
        while (news := self.belt.hear(0)) is not None:
            self._heed(news)

    def _heed(self, news: News) -> None:
        match news:
            case Taken():
                self.waiting -= 1
            case Paused():
                self.feed.pause(news)
            case Served():
                self.feed.go_on(news)
            case Done():
                self._note(news)
            case Broken():
                raise news.error

    def _note(self, done: Done) -> None:
        self.under_way -= 1
        self.totals.add(done)
        if done.stored:
            self.looks = 0
        if done.lost:
            self.looks = max(1, self.looks)
        self.feed.note_done(done)
