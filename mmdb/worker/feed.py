"""Feed: which rows are next. The embeddings of a model take turns, each goes through its pending rows page by page.

An embedding whose functions do not work is left alone for a while, and so are all where the model's server does not
serve. All of it belongs to one thread, the conductor's, which tells it what became of the rows.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

import psycopg

from mmdb.database.problems import said
from mmdb.models.spec import ModelSpec
from mmdb.worker.count import Count, Counter
from mmdb.worker.report import Reporter
from mmdb.worker.steps import TRY_LATER, Steps
from mmdb.worker.values import Claim, Claimed, Done, Paused, PendingRow, Served, Task

TEXT_BATCHES = 2
"""Texts are claimed so many of the model's batches at a time, because a claim and a store cost little more then."""
PAGES = 16
"""Batches of pending keys that are read at once."""
STUMBLE_SECONDS = 1.0
"""How long an embedding is left alone whose functions did not work the first time; doubled each time."""
REST_SECONDS = 30.0
"""How long it is left alone at most."""


@dataclass(slots=True)
class Cursor:
    """How far an embedding's pending rows have been gone through, in key order and round again."""

    task: Task
    after: str | None = None
    rows: deque[PendingRow] = field(default_factory=deque)
    rest_until: float = 0.0
    stumbles: int = 0
    """How often its functions did not work, one time after the other."""
    count: Count = field(default_factory=Count)

    @property
    def is_resting(self) -> bool:
        return self.rest_until > time.monotonic()

    def rest(self, seconds: float) -> None:
        """Leave it alone, and begin at the top again."""
        self.rows.clear()
        self.after = None
        self.rest_until = time.monotonic() + seconds
        self.stumbles = min(self.stumbles + 1, 10)


class Feed:
    """Finds and claims the rows of one model's embeddings. `items_at_once` is the batch of the model."""

    def __init__(
        self,
        steps: Steps,
        model: ModelSpec,
        reporter: Reporter,
        *,
        items_at_once: int,
        batch_size: int | None,
        once: bool,
    ) -> None:
        self.steps = steps
        self.model = model
        self.reporter = reporter
        self.items_at_once = items_at_once
        self.batch_size = batch_size
        self.once = once
        self.counter = Counter(steps, reporter, once=once)
        self.cursors: dict[int, Cursor] = {}
        self.turns: deque[int] = deque()
        self.rest_until = 0.0

    # What is next

    def next(self) -> Claimed | None:
        """Claim rows of the embedding whose turn it is; None where no row of any is free."""
        if self.resting() > 0:
            return None
        self._refresh_cursors()
        for _ in range(len(self.turns)):
            cursor = self.cursors[self.turns[0]]
            self.turns.rotate(-1)
            if cursor.is_resting:
                continue
            claims = self._try_to_claim(cursor)
            if claims:
                return Claimed(cursor.task, claims)
        return None

    def _refresh_cursors(self) -> None:
        tasks = {task.id: task for task in self.steps.tasks(self.model.name, self.model.identity)}
        for gone in self.cursors.keys() - tasks.keys():
            del self.cursors[gone]
        for id, task in tasks.items():
            self.cursors.setdefault(id, Cursor(task)).task = task
        if set(self.turns) != tasks.keys():
            self.turns = deque(tasks)

    def _try_to_claim(self, cursor: Cursor) -> list[Claim]:
        """None claimed where the table does not work just now."""
        try:
            claims = self._claim(cursor)
            if not claims:
                self._note_that_it_works(cursor)
            return claims
        except psycopg.Error as error:
            self._note_problem(cursor, error)
            return []

    def _claim(self, cursor: Cursor) -> list[Claim]:
        """Claim the next rows, going on where the last were found, and round once from the top."""
        from_the_top = cursor.after is None
        while True:
            if not cursor.rows and not self._turn_page(cursor):
                if from_the_top:
                    return []
                from_the_top = True
                continue
            count = min(self._rows_at_once(cursor.task), len(cursor.rows))
            claims = self.steps.claim(cursor.task, [cursor.rows.popleft() for _ in range(count)])
            if claims:
                self.counter.expect(cursor.task, cursor.count, len(claims), is_all=not cursor.rows)
                return claims

    def _rows_at_once(self, task: Task) -> int:
        if self.batch_size is not None:
            return self.batch_size
        items = self.items_at_once * (TEXT_BATCHES if task.modality == "text" else 1)
        return max(1, items // len(task.weights or [1.0]))

    def _turn_page(self, cursor: Cursor) -> bool:
        cursor.rows.extend(self.steps.page(cursor.task, cursor.after, self._rows_at_once(cursor.task) * PAGES))
        cursor.after = cursor.rows[-1].key if cursor.rows else None
        return bool(cursor.rows)

    # What became of it

    def note_loaded(self, task: Task, problem: psycopg.Error | None) -> None:
        """The rows that were claimed last were loaded; `problem` is why the database could not load some."""
        cursor = self.cursors[task.id]
        if problem is None:
            self._note_that_it_works(cursor)
        else:
            self._note_problem(cursor, problem)

    def _note_that_it_works(self, cursor: Cursor) -> None:
        cursor.stumbles = 0
        if cursor.rest_until:
            cursor.rest_until = 0.0
            self.steps.report_drift(cursor.task, None)

    def _note_problem(self, cursor: Cursor, error: psycopg.Error) -> None:
        """Leave an embedding alone for a while where its table no longer fits its functions."""
        if isinstance(error, TRY_LATER):
            return
        if self.steps.broken:
            raise error
        problem = said(error)
        cursor.rest(REST_SECONDS if self.once else min(REST_SECONDS, STUMBLE_SECONDS * 2**cursor.stumbles))
        if cursor.stumbles == 1 and not self.once:
            return  # a function that was called while the model was switched names columns as they were
        self.reporter.log(f"{cursor.task.label}: {problem}")
        self.steps.report_drift(cursor.task, problem)

    def note_done(self, done: Done) -> None:
        """A batch is at its end: the bar moves on."""
        cursor = self.cursors.get(done.task.id)
        if cursor is not None:
            self.counter.advance(done.task, cursor.count, done.rows)

    # The model's server

    def resting(self) -> float:
        """Seconds for which the model's server is left alone yet."""
        return max(0.0, self.rest_until - time.monotonic())

    def pause(self, paused: Paused) -> None:
        """The model's server does not serve: no row is at fault, and all of this model wait."""
        self.rest_until = time.monotonic() + paused.seconds
        self.reporter.log(f'model "{self.model.name}" waits {paused.seconds:.0f} s: {paused.problem}')
        self.steps.report_drift(paused.task, paused.problem)

    def go_on(self, served: Served) -> None:
        """It serves again, or for the first time."""
        self.steps.report_drift(served.task, None)

    def catch_up(self) -> float | None:
        """Nothing is free, nothing under way. The seconds until the next row that waits, None where none does."""
        waiting = [self._catch_up(cursor) for cursor in self.cursors.values()]
        return min((seconds for seconds in waiting if seconds is not None), default=None)

    def _catch_up(self, cursor: Cursor) -> float | None:
        self.counter.finish(cursor.task, cursor.count)
        return None if cursor.is_resting else self.steps.caught_up(cursor.task)
