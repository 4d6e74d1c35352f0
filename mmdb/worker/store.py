"""Store: the vectors of a batch into the table, and what became of every row of it into the leases.

Several batches are stored at once, each on a connection of its own, because an insertion into the HNSW graph takes one
of the server's processors. This is the only place that settles a claimed row.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile

from mmdb.models.embed.base import Vectors
from mmdb.worker.report import Reporter
from mmdb.worker.steps import IN_VAIN, TRY_LATER, RefusedError, Steps
from mmdb.worker.values import Batch, Done, Failure, Outcome, Row, Task

LOGGED_FAILURES = 3
"""Of a batch; mmdb.failures has them all."""


class Line:
    """Who may store: batches of one embedding at once, those of two embeddings of a table one after the other.

    They wait for the same rows, which two stores would take from each other. Who came first is first.
    """

    def __init__(self) -> None:
        self._waiting: list[Ticket] = []
        self._moved = threading.Condition()

    @contextmanager
    def turn(self, task: Task) -> Iterator[None]:
        ticket = Ticket(task)
        with self._moved:
            self._waiting.append(ticket)
            self._moved.wait_for(lambda: self._is_next(ticket))
        try:
            yield
        finally:
            with self._moved:
                self._waiting.remove(ticket)
                self._moved.notify_all()

    def _is_next(self, ticket: Ticket) -> bool:
        before = takewhile(lambda one: one is not ticket, self._waiting)
        return not any(one.is_rival_of(ticket) for one in before)


class Ticket:
    """A place in the line; no two are equal."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def is_rival_of(self, other: Ticket) -> bool:
        return self.task.relation == other.task.relation and self.task.id != other.task.id


class Store:
    """Stores batches, one at a time. The stores of a model share a `line`."""

    def __init__(self, steps: Steps, line: Line, reporter: Reporter) -> None:
        self.steps = steps
        self.line = line
        self.reporter = reporter

    def batch(self, batch: Batch) -> Done:
        """Write down what became of every row of the batch."""
        made = len(batch.rows)
        refused: list[Failure] = []
        stored = self._store_rows(batch, refused)
        released = [Outcome(key, "locked") for key in batch.released]
        settled = released + [Outcome(key, "changed") for key in batch.gone]
        if settled:
            self.steps.settle(batch.task, settled)
        failures = batch.failures + refused
        if failures:
            self.steps.fail(batch.task, failures)
        for failure in failures[:LOGGED_FAILURES]:
            self.reporter.log(f"{batch.task.label} {failure.row.key}: {failure.error}")
        return Done(batch.task, stored, len(failures), len(batch.gone), lost=made - stored - len(refused))

    def _store_rows(self, batch: Batch, refused: list[Failure]) -> int:
        if not batch.rows:
            return 0
        assert batch.vectors is not None
        with self.line.turn(batch.task):
            return self._store(batch.task, batch.rows, batch.vectors, refused)

    def _store(self, task: Task, rows: Sequence[Row], vectors: Vectors, refused: list[Failure]) -> int:
        """How many rows were stored. Where the table refuses them, one by one; those that it refuses join `refused`."""
        try:
            outcomes = self.steps.store(task, rows, vectors)
        except TRY_LATER:
            self.steps.settle(task, [Outcome(row.key, "locked") for row in rows])
            return 0
        except RefusedError as error:
            if len(rows) == 1:
                row = replace(rows[0], hash=None)
                refused.append(Failure(row, f"the table refused the embedding: {error}", permanent=False))
                return 0
            return sum(self._store(task, [row], vectors[[place]], refused) for place, row in enumerate(rows))
        refused += [_in_vain(one) for one in outcomes if one.outcome in IN_VAIN]
        return sum(one.outcome == "stored" for one in outcomes)


def _in_vain(one: Outcome) -> Failure:
    return Failure(Row(one.key, one.state or "", hash=None), IN_VAIN[one.outcome], permanent=True)
