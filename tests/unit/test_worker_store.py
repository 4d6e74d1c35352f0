"""The store: every row of a batch is settled once, and the embeddings of one table take turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from psycopg import errors as pg

from mmdb.models.embed.base import Vectors
from mmdb.worker.report import Silence
from mmdb.worker.steps import RefusedError, Steps
from mmdb.worker.store import Line, Store
from mmdb.worker.values import Batch, Done, Failure, Outcome, Row, Task
from tests.unit.worker import NOTES

AGAIN = replace(NOTES, id=2, name="again")
OTHERS = replace(NOTES, id=3, relation="others")


def all_stored(rows: Sequence[Row]) -> list[Outcome]:
    return [Outcome(row.key, "stored", "2") for row in rows]


class FakeSteps:
    """Notes what is written; `store` does as `answer` says."""

    def __init__(self, answer: Callable[[Sequence[Row]], list[Outcome]] = all_stored) -> None:
        self.answer = answer
        self.settled: list[Outcome] = []
        self.failed: list[Failure] = []
        self.stored: list[tuple[list[str], list[float]]] = []

    def store(self, task: Task, rows: Sequence[Row], vectors: Vectors) -> list[Outcome]:
        outcomes = self.answer(rows)
        self.stored.append(([row.key for row in rows], vectors[:, 0].tolist()))
        return outcomes

    def settle(self, task: Task, outcomes: Iterable[Outcome]) -> None:
        self.settled += outcomes

    def fail(self, task: Task, failures: Sequence[Failure]) -> None:
        self.failed += failures


def row(key: str) -> Row:
    return Row(key, "1", None)


def made(*keys: str, **rest: Any) -> Batch:
    vectors = np.arange(len(keys), dtype=np.float32)[:, None]
    return Batch(NOTES, [row(key) for key in keys], vectors=vectors, **rest)


def stored(steps: FakeSteps, batch: Batch) -> Done:
    return Store(cast("Steps", steps), Line(), Silence()).batch(batch)


def test_every_row_is_settled_once() -> None:
    steps = FakeSteps()
    failure = Failure(row("f"), "no", permanent=True)
    done = stored(steps, made("a", "b", failures=[failure], released=["r"], gone=["g"]))
    assert done == Done(NOTES, stored=2, failed=1, gone=1, lost=0)
    assert steps.stored == [(["a", "b"], [0.0, 1.0])]
    assert steps.settled == [Outcome("r", "locked"), Outcome("g", "changed")]
    assert steps.failed == [failure]


def test_nothing_is_written_of_nothing() -> None:
    steps = FakeSteps()
    assert stored(steps, Batch(NOTES)) == Done(NOTES)
    assert (steps.stored, steps.settled, steps.failed) == ([], [], [])


def test_rows_that_were_locked_or_changed_are_lost_not_failed() -> None:
    outcomes = [Outcome("a", "stored"), Outcome("b", "locked"), Outcome("c", "changed")]
    assert stored(FakeSteps(lambda _: outcomes), made("a", "b", "c")) == Done(NOTES, stored=1, lost=2)


def test_rows_that_the_table_undoes_fail_as_they_stand_now_and_any_change_frees_them() -> None:
    steps = FakeSteps(
        lambda _: [Outcome("a", "undone", "7"), Outcome("b", "stored", "8"), Outcome("c", "rewritten", "9")]
    )
    assert stored(steps, made("a", "b", "c")) == Done(NOTES, stored=1, failed=2)
    assert [failure.row for failure in steps.failed] == [Row("a", "7", None), Row("c", "9", None)]
    assert all(failure.permanent for failure in steps.failed)


def test_a_table_that_is_locked_is_tried_later() -> None:
    def locked(rows: Sequence[Row]) -> list[Outcome]:
        raise pg.LockNotAvailable

    steps = FakeSteps(locked)
    assert stored(steps, made("a", "b")) == Done(NOTES, lost=2)
    assert steps.settled == [Outcome("a", "locked"), Outcome("b", "locked")]


def test_a_row_that_the_table_refuses_fails_alone_with_its_own_vector_left_out() -> None:
    def picky(rows: Sequence[Row]) -> list[Outcome]:
        if any(row.key == "b" for row in rows):
            raise RefusedError("no embedding for b")
        return all_stored(rows)

    steps = FakeSteps(picky)
    assert stored(steps, made("a", "b", "c")) == Done(NOTES, stored=2, failed=1)
    assert steps.stored == [(["a"], [0.0]), (["c"], [2.0])]
    assert [(failure.row.key, failure.error) for failure in steps.failed] == [
        ("b", "the table refused the embedding: no embedding for b")
    ]


class Turn(threading.Thread):
    """Takes a turn in the line and keeps it until it is let go."""

    def __init__(self, line: Line, task: Task) -> None:
        super().__init__(daemon=True)
        self.line, self.task = line, task
        self.inside, self.go_on = threading.Event(), threading.Event()

    def run(self) -> None:
        with self.line.turn(self.task):
            self.inside.set()
            assert self.go_on.wait(20)


def started(line: Line, *tasks: Task) -> list[Turn]:
    """In this order."""
    turns = []
    for place, task in enumerate(tasks, start=1):
        turns.append(Turn(line, task))
        turns[-1].start()
        while len(line._waiting) < place:
            time.sleep(0.001)
    return turns


def test_two_embeddings_of_a_table_take_turns_and_others_do_not_wait() -> None:
    first, same, rival, later, other = turns = started(Line(), NOTES, NOTES, AGAIN, NOTES, OTHERS)
    for turn in (first, same, other):
        assert turn.inside.wait(20)
    first.go_on.set()
    first.join(20)
    assert not rival.inside.wait(0.05), "one of its rivals is still stored"
    same.go_on.set()
    assert rival.inside.wait(20)
    assert not later.inside.wait(0.05), "who came first is first"
    rival.go_on.set()
    assert later.inside.wait(20)
    for turn in turns:
        turn.go_on.set()
        turn.join(20)


def test_a_turn_that_fails_is_over() -> None:
    line = Line()
    with pytest.raises(ValueError, match="oh"), line.turn(NOTES):
        raise ValueError("oh")
    with line.turn(AGAIN):
        pass
