"""Fill the embeddings of one model: while a batch is in the model, the next is loaded and the last ones are stored.

Three things at once because they wait for three different things: the server's disk, the model's arithmetic, and
the insertion into the HNSW graph, which costs as much as embedding a short text. Several batches are stored at once,
each on a connection of its own, because an insertion takes one of the server's processors.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent import futures
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import psycopg

from mmdb.errors import MmdbError, ModelServiceError
from mmdb.models.embed.base import Embedder, Vectors
from mmdb.models.spec import ModelSpec
from mmdb.worker.claim import TRY_LATER, Claim, Failure, PendingRow, RefusedError, Row, Steps, Task
from mmdb.worker.load import Batch, Loader, Mixture, fused
from mmdb.worker.report import Reporter

TEXT_BATCHES = 2
"""Texts are claimed so many of the model's batches at a time, because a claim and a store cost little more then."""
STORE_SECONDS = 0.2
"""How long to wait for a store before looking whether more is pending."""
IDLE_SHARE, SHORTEST_POLL, LOOKING_SHARE = 0.1, 0.02, 5
"""Seconds between looks: this share of the time since the last row came, the shortest; ten times what a look takes, so
that a worker with many embeddings does not look all the time; and poll_seconds at most.
"""
PAGES = 16
"""Batches of pending keys that are read at once."""
LOOKS = 20
"""With `once`, how often to look again for a row that somebody had locked: another model's store, for instance."""
STUMBLE_SECONDS, REST_SECONDS = 1.0, 30.0
"""How long an embedding is left alone whose functions do not work: the first time, doubled each time, and at most."""
SERVICE_REST_SECONDS = (5.0, 300.0)
"""How long a model's server that does not serve is left alone: at first, doubled each time, and at most."""
RECOUNT_SECONDS = (60.0, 300.0)
"""How often the rows of a table are counted for mmdb.status while it is worked on, and while nothing is pending."""
COUNT_SECONDS = 1.0
"""The least time between counts: who changes row after row is not to wait for one each time."""
RECOUNT_SHARE = 20
"""A count that takes long is made less often: a twentieth of the time goes to it."""


@dataclass(slots=True)
class Cursor:
    """How far an embedding's pending rows have been gone through, in key order and round again."""

    task: Task
    after: str | None = None
    rows: deque[PendingRow] = field(default_factory=deque)
    rest_until: float = 0.0
    stumbles: int = 0
    """How often its functions did not work, one time after the other."""
    done: int = 0
    total: int = 0
    uncounted: bool = False
    """Rows went through the model since the last count."""
    count_after: float = 0.0
    recount_after: float = 0.0


@dataclass(slots=True)
class Totals:
    """Rows of one run."""

    stored: int = 0
    failed: int = 0


class Backfill:
    """One model's share of a worker. `run` returns when `stop` is set or, with `once`, when nothing is left."""

    def __init__(
        self,
        embedder: Embedder,
        model: ModelSpec,
        feeding: Steps,
        storing: Sequence[Steps],
        loader: Loader,
        reporter: Reporter,
        totals: Totals,
        *,
        batch_size: int | None,
        poll_seconds: float,
        once: bool,
    ) -> None:
        self.embedder = embedder
        self.model = model
        self.feeding = feeding
        self.stores = len(storing)
        self.storing: queue.SimpleQueue[Steps] = queue.SimpleQueue()
        for steps in storing:
            self.storing.put(steps)
        self.counting = threading.Lock()
        self.loader = loader
        self.reporter = reporter
        self.batch_size = batch_size
        self.poll_seconds = poll_seconds
        self.once = once
        self.totals = totals
        self.cursors: dict[int, Cursor] = {}
        self.turns: deque[int] = deque()
        self.unsettled = 0  # looks since a row was locked or changed while it was embedded
        self.rest_until = 0.0
        self.worked_at = time.monotonic() - self.poll_seconds / IDLE_SHARE
        self.look_seconds = 0.0
        self.outages = 0
        self.working: set[int] = set()
        """Embeddings of which a batch went through the model since its server last failed."""

    def run(self, stop: threading.Event, wake: threading.Event) -> None:
        with ExitStack() as stack:
            feeder = stack.enter_context(ThreadPoolExecutor(1, "mmdb-feed"))
            storer = stack.enter_context(ThreadPoolExecutor(self.stores, "mmdb-store"))
            upcoming = feeder.submit(self._next_batch)
            storing: dict[Future[None], Task] = {}
            while True:
                batch = upcoming.result()
                if batch is not None:
                    self.worked_at = time.monotonic()
                elif not storing:
                    wait = self._idle()
                    if wait is None or stop.is_set():
                        return
                    wake.wait(wait)
                    wake.clear()
                if not stop.is_set():
                    upcoming = feeder.submit(self._next_batch)
                vectors = self._embed(batch) if batch else None
                if batch is None or len(storing) == self.stores:
                    # Whichever is first: one that a trigger of the table holds up holds up no other.
                    futures.wait(storing, None if batch else STORE_SECONDS, FIRST_COMPLETED)
                if batch and vectors is not None:
                    # Two embeddings of a table wait for the same rows, which two stores would take from each other.
                    futures.wait([store for store, task in storing.items() if _are_rivals(task, batch.task)])
                for stored in [store for store in storing if store.done()]:
                    del storing[stored]
                    stored.result()
                if batch and vectors is not None:
                    storing[storer.submit(self._store, batch, vectors)] = batch.task
                if stop.is_set():
                    for stored in storing:
                        stored.result()
                    return

    def _idle(self) -> float | None:
        """Seconds to wait for more to do; None where this is the end."""
        resting = self.rest_until - time.monotonic()
        if resting > 0:
            return None if self.once else min(resting, self.poll_seconds)
        waiting = [self._caught_up(cursor) for cursor in self.cursors.values()]
        soonest = min((seconds for seconds in waiting if seconds is not None), default=None)
        if self.once and (soonest is None or soonest > self.poll_seconds):
            if not 0 < self.unsettled <= LOOKS:
                return None
            self.unsettled += 1
            return self.poll_seconds if soonest is None else min(max(soonest, 0.01), 1.0)
        # Where rows came a moment ago more will: who changes one and looks for it is not to wait for poll_seconds.
        idle = time.monotonic() - self.worked_at
        patience = min(self.poll_seconds, max(SHORTEST_POLL, IDLE_SHARE * idle, LOOKING_SHARE * self.look_seconds))
        return patience if soonest is None else min(max(soonest, 0.01), patience)

    def _caught_up(self, cursor: Cursor) -> float | None:
        if cursor.done:
            self.reporter.progress(cursor.task.label, cursor.done, cursor.done)
            cursor.uncounted = True
        now = time.monotonic()
        if cursor.recount_after < now or (cursor.uncounted and (self.once or cursor.count_after < now)):
            self._count(cursor, RECOUNT_SECONDS[1])
        cursor.done = cursor.total = 0
        return self.feeding.caught_up(cursor.task) if cursor.rest_until < time.monotonic() else None

    # What runs in the feeder's thread.

    def _next_batch(self) -> Batch | None:
        """Claim and load a batch of the embedding whose turn it is; None where no row of any is free."""
        if self.rest_until > time.monotonic():
            return None
        began = time.monotonic()
        self._refresh_cursors()
        for _ in range(len(self.turns)):
            cursor = self.cursors[self.turns[0]]
            self.turns.rotate(-1)
            if cursor.rest_until > time.monotonic():
                continue
            try:
                batch = self._batch_of(cursor)
            except TRY_LATER:
                continue
            except psycopg.Error as error:
                if self.feeding.broken:
                    raise
                self._rest(cursor, error)
                continue
            if batch is not None:
                return batch
        self.look_seconds = time.monotonic() - began
        return None

    def _refresh_cursors(self) -> None:
        tasks = {task.id: task for task in self.feeding.tasks(self.model.name, self.model.identity)}
        for gone in self.cursors.keys() - tasks.keys():
            del self.cursors[gone]
        for id, task in tasks.items():
            self.cursors.setdefault(id, Cursor(task)).task = task
        if set(self.turns) != tasks.keys():
            self.turns = deque(tasks)

    def _batch_of(self, cursor: Cursor) -> Batch | None:
        """The next batch, going on where the last one was found, and round once from the top."""
        from_the_top = cursor.after is None
        while True:
            if not cursor.rows and not self._turn_page(cursor):
                if from_the_top:
                    self._works(cursor)
                    return None
                from_the_top = True
                continue
            count = min(self._rows_at_once(cursor.task), len(cursor.rows))
            claims = self.feeding.claim(cursor.task, [cursor.rows.popleft() for _ in range(count)])
            if claims:
                self._expect(cursor, len(claims))
                batch = self._load(cursor.task, claims)
                self._works(cursor)
                return batch

    def _rows_at_once(self, task: Task) -> int:
        if self.batch_size is not None:
            return self.batch_size
        items = self.embedder.batch_size * (TEXT_BATCHES if task.modality == "text" else 1)
        return max(1, items // len(task.weights or [1.0]))

    def _turn_page(self, cursor: Cursor) -> bool:
        cursor.rows.extend(self.feeding.page(cursor.task, cursor.after, self._rows_at_once(cursor.task) * PAGES))
        cursor.after = cursor.rows[-1][0] if cursor.rows else None
        return bool(cursor.rows)

    def _load(self, task: Task, claims: Sequence[Claim]) -> Batch:
        """Load claimed rows; where the database cannot, the rows are free again."""
        try:
            return self.loader.batch(self.feeding, task, claims)
        except (psycopg.DataError, psycopg.InternalError) as error:
            if len(claims) > 1:
                return self._load_singly(task, claims)
            unreadable = Row(claims[0].key, "", None)
            return Batch(task, failures=[Failure(unreadable, _reason(error), permanent=False)])
        except psycopg.Error:
            if not self.feeding.broken:
                self.feeding.settle(task, [(claim.key, "locked") for claim in claims])
            raise

    def _load_singly(self, task: Task, claims: Sequence[Claim]) -> Batch:
        whole = Batch(task)
        for claim in claims:
            batch = self._load(task, [claim])
            whole.rows += batch.rows
            whole.mixtures += batch.mixtures
            whole.failures += batch.failures
            whole.gone += batch.gone
        return whole

    def _expect(self, cursor: Cursor, claimed: int) -> None:
        """How many rows there are to do, for the bar. Where all that is pending was claimed, that is known."""
        if (cursor.rows and cursor.total == 0) or cursor.recount_after < time.monotonic():
            cursor.total = cursor.done + self._count(cursor, RECOUNT_SECONDS[0])
        cursor.total = max(cursor.total, cursor.done + claimed)

    def _count(self, cursor: Cursor, pause: float) -> int:
        began = time.monotonic()
        try:
            return self.feeding.count(cursor.task)
        except psycopg.Error:
            if self.feeding.broken:
                raise
            return 0
        finally:
            now = time.monotonic()
            cursor.uncounted = False
            cursor.count_after = now + max(COUNT_SECONDS, (now - began) * RECOUNT_SHARE)
            cursor.recount_after = now + max(pause, (now - began) * RECOUNT_SHARE)

    def _rest(self, cursor: Cursor, error: psycopg.Error) -> None:
        """Leave an embedding alone for a while, because its table no longer fits its functions."""
        problem = str(error.diag.message_primary or error)
        cursor.rows.clear()
        cursor.after = None
        pause = REST_SECONDS if self.once else min(REST_SECONDS, STUMBLE_SECONDS * 2**cursor.stumbles)
        cursor.rest_until = time.monotonic() + pause
        cursor.stumbles = min(cursor.stumbles + 1, 10)
        if cursor.stumbles == 1 and not self.once:
            return  # a function that was called while the model was switched names columns as they were
        self.reporter.log(f"{cursor.task.label}: {problem}")
        self.feeding.report_drift(cursor.task, problem)

    def _works(self, cursor: Cursor) -> None:
        cursor.stumbles = 0
        if cursor.rest_until:
            cursor.rest_until = 0.0
            self.feeding.report_drift(cursor.task, None)

    # What runs in the model's thread.

    def _embed(self, batch: Batch) -> Vectors:
        """The vectors of the batch's rows; rows that the model refuses become failures."""
        if self.rest_until > time.monotonic():
            return self._release(batch, 0)
        try:
            vectors = self._vectors(batch.mixtures)
        except ModelServiceError as error:
            return self._out_of_service(batch, 0, error)
        except Exception:
            return self._embed_apart(batch)
        finally:
            batch.mixtures.clear()  # pictures are not to wait for the store
        self._serves(batch.task)
        return vectors

    def _vectors(self, mixtures: Sequence[Mixture]) -> Vectors:
        items = [item for mixture in mixtures for item in mixture.items]
        return fused(self.embedder.embed(items, "document"), mixtures)

    def _blame(self, mixture: Mixture, error: Exception) -> str:
        """The reason, with the name of the source that the model refuses where a row has several."""
        for item, column in zip(mixture.items, mixture.columns, strict=False):
            try:
                self.embedder.embed([item], "document")
            except ModelServiceError:
                break
            except Exception as refused:
                return f'source "{column}": {_reason(refused)}'
        return _reason(error)

    def _embed_apart(self, batch: Batch) -> Vectors:
        """Halve what the model refuses until it is single rows: one bad row among 512 costs some 18 calls, not 512."""
        kept, vectors = [], [np.empty((0, self.embedder.dimensions), np.float32)]
        parts = _halves(range(len(batch.rows)))
        while parts:
            part = parts.pop()
            try:
                vectors.append(self._vectors([batch.mixtures[place] for place in part]))
                kept += [batch.rows[place] for place in part]
            except ModelServiceError as error:
                self._out_of_service(batch, part.start, error)
                break
            except Exception as error:
                if len(part) > 1:
                    parts += _halves(part)
                else:
                    reason = self._blame(batch.mixtures[part.start], error)
                    batch.failures.append(Failure(batch.rows[part.start], reason, permanent=False))
        batch.rows = kept
        return np.concatenate(vectors)

    def _out_of_service(self, batch: Batch, start: int, error: ModelServiceError) -> Vectors:
        """The model's server does not serve: no row is at fault, and all of this model wait."""
        shortest, longest = SERVICE_REST_SECONDS
        pause = min(longest, max(error.retry_after or 0.0, shortest * 2**self.outages))
        self.outages = min(self.outages + 1, 10)
        self.rest_until = time.monotonic() + pause
        self.working.clear()
        self.reporter.log(f'model "{self.model.name}" waits {pause:.0f} s: {error}')
        self.feeding.report_drift(batch.task, str(error))
        return self._release(batch, start)

    def _release(self, batch: Batch, start: int) -> Vectors:
        """Give the rows from `start` on back, unharmed."""
        released = batch.rows[start:]
        if released:
            self.feeding.settle(batch.task, [(row.key, "locked") for row in released])
        batch.rows = batch.rows[:start]
        return np.empty((0, self.embedder.dimensions), np.float32)

    def _serves(self, task: Task) -> None:
        if task.id not in self.working:
            self.outages = 0
            self.working.add(task.id)
            self.feeding.report_drift(task, None)

    # What runs in the storers' threads.

    def _store(self, batch: Batch, vectors: Vectors) -> None:
        steps = self.storing.get()
        try:
            stored = self._store_rows(steps, batch, batch.rows, vectors) if batch.rows else 0
            if batch.gone:
                steps.settle(batch.task, [(key, "changed") for key in batch.gone])
            if batch.failures:
                steps.fail(batch.task, batch.failures)
        finally:
            self.storing.put(steps)
        for failure in batch.failures[:3]:
            self.reporter.log(f"{batch.task.label} {failure.row.key}: {failure.error}")
        with self.counting:
            self._note(batch, stored)

    def _note(self, batch: Batch, stored: int) -> None:
        self.totals.stored += stored
        self.totals.failed += len(batch.failures)
        if stored:
            self.unsettled = 0
        if stored + len(batch.failures) < len(batch.rows):
            self.unsettled = max(1, self.unsettled)
        self._report(batch)

    def _store_rows(self, steps: Steps, batch: Batch, rows: Sequence[Row], vectors: Vectors) -> int:
        try:
            return steps.store(batch.task, rows, vectors)
        except TRY_LATER:
            steps.settle(batch.task, [(row.key, "locked") for row in rows])
            return 0
        except RefusedError as error:
            if len(rows) > 1:
                return sum(self._store_rows(steps, batch, [row], vectors[[place]]) for place, row in enumerate(rows))
            batch.failures.append(Failure(rows[0], _reason(error), permanent=False))
            return 0

    def _report(self, batch: Batch) -> None:
        cursor = self.cursors.get(batch.task.id)
        if cursor is not None:
            cursor.done += len(batch.rows) + len(batch.failures) + len(batch.gone)
            self.reporter.progress(batch.task.label, cursor.done, max(cursor.total, cursor.done))


def _are_rivals(one: Task, other: Task) -> bool:
    return one.relation == other.relation and one.id != other.id


def _halves(part: range) -> list[range]:
    """Both, the first one last, to be popped; one row is its own half."""
    middle = len(part) // 2
    return [half for half in (part[middle:], part[:middle]) if half]


def _reason(error: Exception) -> str:
    if isinstance(error, MmdbError):
        return str(error)
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return f"the database cannot read the row: {error.diag.message_primary}"
    if isinstance(error, RefusedError):
        return f"the table refused the embedding: {error}"
    return f"the model failed: {type(error).__name__}: {error}"
