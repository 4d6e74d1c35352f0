"""Counting: how many rows of an embedding are to do, are done, and are told to mmdb.status (for `feed.py`)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg

from mmdb.worker.report import Reporter
from mmdb.worker.steps import Steps
from mmdb.worker.values import Task

BUSY_RECOUNT_SECONDS = 60.0
"""How often the rows of a table are counted for mmdb.status while it is worked on."""
QUIET_RECOUNT_SECONDS = 300.0
"""How often they are counted while nothing is pending."""
COUNT_SECONDS = 1.0
"""The least time between counts: who changes row after row is not to wait for one each time."""
RECOUNT_SHARE = 20
"""A count is made after so many times the time that the last one took: a twentieth of the time goes to it."""


@dataclass(slots=True)
class Count:
    """What is known of one embedding's rows since it was last quiet."""

    done: int = 0
    total: int = 0
    uncounted: bool = False
    """Rows went through the model since the last count."""
    count_after: float = 0.0
    recount_after: float = 0.0

    @property
    def is_due(self) -> bool:
        return self.recount_after < time.monotonic()

    def note(self, seconds: float, pause: float) -> None:
        """The rows were counted, which took `seconds`; unless rows come, the next count waits for `pause`."""
        now = time.monotonic()
        self.uncounted = False
        self.count_after = now + max(COUNT_SECONDS, seconds * RECOUNT_SHARE)
        self.recount_after = now + max(pause, seconds * RECOUNT_SHARE)


class Counter:
    """Counts the rows of tables, not too often, and tells how far each embedding is."""

    def __init__(self, steps: Steps, reporter: Reporter, *, once: bool) -> None:
        self.steps = steps
        self.reporter = reporter
        self.once = once

    def expect(self, task: Task, count: Count, claimed: int, *, is_all: bool) -> None:
        """How many rows there are to do, for the bar. Where all that is pending was claimed, that is known."""
        if (count.total == 0 and not is_all) or count.is_due:
            count.total = count.done + self._count(task, count, BUSY_RECOUNT_SECONDS)
        count.total = max(count.total, count.done + claimed)

    def advance(self, task: Task, count: Count, rows: int) -> None:
        """The bar moves on."""
        count.done += rows
        self.reporter.progress(task.label, count.done, max(count.total, count.done))

    def finish(self, task: Task, count: Count) -> None:
        """Nothing is pending any more: the bar is full, and what was done is counted soon."""
        if count.done:
            self.reporter.progress(task.label, count.done, count.done)
            count.uncounted = True
        if count.is_due or (count.uncounted and (self.once or count.count_after < time.monotonic())):
            self._count(task, count, QUIET_RECOUNT_SECONDS)
        count.done = count.total = 0

    def _count(self, task: Task, count: Count, pause: float) -> int:
        """How many rows are pending; 0 where they cannot be counted just now."""
        began = time.monotonic()
        try:
            return self.steps.count(task)
        except psycopg.Error:
            if self.steps.broken:
                raise
            return 0
        finally:
            count.note(time.monotonic() - began, pause)
