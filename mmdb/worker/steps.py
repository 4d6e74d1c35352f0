"""Each step of the flow against the database: page, claim, load, store, settle, fail.

The rules are SQL functions (sql/40_worker.sql, and those that sql/36_worker_functions.sql makes for each table); here
they are called, in transactions as short as they can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import psycopg
from pgvector import HalfVector, Vector
from psycopg import errors as pg

from mmdb.database.problems import said
from mmdb.database.rows import Connection, read_all
from mmdb.models.embed.base import Vectors
from mmdb.worker.connections import SharedSession, composed
from mmdb.worker.values import Claim, Dropped, Failure, Outcome, Part, PendingRow, Row, Source, Task

EXACT_UP_TO = 200_000
"""Rows of a table that are counted one by one; of a larger one the total is PostgreSQL's estimate."""
TRY_LATER = (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure, pg.QueryCanceled)
"""What passes by itself."""
IN_VAIN = {
    "undone": "a trigger or a rule of the table suppresses the update that stores the embedding, or undoes it",
    "rewritten": "a trigger of the table changes the source each time that the row is updated",
}
"""Outcomes of a store that would be the same again, while the row is as it is."""


class RefusedError(Exception):
    """The table refused an embedding: a trigger or a constraint of its own raised `__cause__`."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The rows of a table, as its owner sees them."""

    total: int
    embedded: int
    pending: int
    estimated: bool


class LoadedPart(NamedTuple):
    """One row of what `load` answers: a source of a row of the table."""

    key: str
    state: str
    size: int | None
    content: str | None
    data: bytes | None

    @property
    def part(self) -> Part:
        return Part(self.size, self.content if self.data is None else self.data)


class Steps:
    """The steps of one worker, on its `own` connection and on one that is `shared` with the code of tables' owners.

    Not for two threads at once, but for the own connection, which several may have.
    """

    def __init__(self, own: Connection, shared: Connection, worker: int, lease_seconds: float) -> None:
        self.own = own
        self.shared = SharedSession(own, shared)
        self.worker = worker
        self.lease = f"{lease_seconds} seconds"

    @property
    def broken(self) -> bool:
        """Whether a connection has gone; an error that leaves both is one table's affair."""
        return self.own.closed or self.shared.connection.closed

    def tasks(self, model: str, identity: str) -> list[Task]:
        """The embeddings of this very model whose functions run as their tables' owners."""
        return read_all(self.own, Task, composed("tasks"), {"model": model, "identity": identity})

    def page(self, task: Task, after: str | None, count: int) -> list[PendingRow]:
        """The next pending rows in key order."""
        with self.shared.transaction():
            return self.shared.call(task, "pending", PendingRow, {"after": after, "count": count})

    def count(self, task: Task) -> int:
        """Count the rows, for mmdb.status; returns how many are pending."""
        with self.shared.transaction():
            (counts,) = self.shared.call(task, "count", Counts, {"exact_up_to": EXACT_UP_TO})
        self._run("note_counts", {"embedding": task.id, "pass": task.pass_, **asdict(counts)})
        return counts.pending

    def claim(self, task: Task, rows: Sequence[PendingRow]) -> list[Claim]:
        """Lease those of the rows that nobody holds."""
        asked = {"keys": [row.key for row in rows], "states": [row.state for row in rows], "lease": self.lease}
        return read_all(self.own, Claim, composed("claim"), self._lease_of(task) | asked)

    def note_attempt(self, task: Task, row: Row) -> None:
        """Write down what is tried before a row is tried of which a worker died."""
        self._run("note_attempt", self._lease_of(task) | asdict(row))

    def load(self, task: Task, keys: Sequence[str], limits: Sequence[int]) -> list[Source]:
        """The sources of those rows that are still pending, with their content up to the limit, one for each part."""
        weighted = task.weights is not None
        values = {"keys": list(keys), "max_bytes": list(limits) if weighted else limits[0]}
        with self.shared.transaction():
            loaded = self.shared.call(task, "load", LoadedPart, values)
        parts: dict[tuple[str, str], list[Part]] = {}
        for one in loaded:
            parts.setdefault((one.key, one.state), []).append(one.part)
        return [Source(key, state, tuple(made), weighted) for (key, state), made in parts.items()]

    def store(self, task: Task, rows: Sequence[Row], vectors: Vectors) -> list[Outcome]:
        """Store what is still to be stored; returns what became of the rows that were still leased.

        One short transaction, in which nobody can take the leases over. They are given up in it, but for those of rows
        that the table's own code did not let be stored. Raises RefusedError and stores nothing where the table raises
        an error, or its code leaves the transaction useless.
        """
        try:
            with self.shared.transaction():
                return self._hold_and_store(task, rows, vectors)
        except psycopg.Error as error:
            if self.shared.connection.closed or isinstance(error, TRY_LATER):
                raise
            raise RefusedError(said(error)) from error

    def _hold_and_store(self, task: Task, rows: Sequence[Row], vectors: Vectors) -> list[Outcome]:
        shared = self.shared.connection
        held = {key for (key,) in shared.execute(composed("hold"), self._keys_of(task, rows)).fetchall()}
        mine = [place for place, row in enumerate(rows) if row.key in held]
        if not mine:
            return []
        outcomes = self._store(task, [rows[place] for place in mine], vectors[mine])
        settled = [one for one in outcomes if one.outcome not in IN_VAIN]
        shared.execute(composed("settle"), self._outcomes_of(task, settled))
        return outcomes

    def _store(self, task: Task, rows: Sequence[Row], vectors: Vectors) -> list[Outcome]:
        make = HalfVector if task.half else Vector
        values = {
            "keys": [row.key for row in rows],
            "states": [row.state for row in rows],
            "hashes": [row.hash for row in rows],
            # Binary: a batch of 512-d halfvecs takes a twentieth of the time that it takes as text.
            "embeddings": [make(vector) for vector in vectors],
        }
        return self.shared.call(task, "store", Outcome, values)

    def settle(self, task: Task, outcomes: Iterable[Outcome]) -> None:
        """Give leases up: rows "stored" or "changed" are free at once, "locked" ones in a second."""
        self._run("settle", self._outcomes_of(task, outcomes))

    def fail(self, task: Task, failures: Sequence[Failure]) -> None:
        values = self._keys_of(task, [failure.row for failure in failures]) | {
            "states": [failure.row.state for failure in failures],
            "hashes": [failure.row.hash for failure in failures],
            "errors": [failure.error for failure in failures],
            "permanent": [failure.permanent for failure in failures],
        }
        self._run("fail", values)

    def caught_up(self, task: Task) -> float | None:
        """Note that nothing was pending; the seconds until the next row that waits, None where none waits."""
        waiting: float | None = self._run("caught_up", {"embedding": task.id})[0]
        return waiting

    def report_drift(self, task: Task, drift: str | None) -> None:
        self._run("report_drift", {"embedding": task.id, "drift": drift})

    def forget_idle_leases(self, task: Task) -> None:
        """Drop the records of failures of rows that are gone, or pending no more."""
        idle = self._run("idle_leases", {"embedding": task.id})
        pending = {source.key for source in self.load(task, idle, [0] * len(task.sources))} if idle else set()
        gone = [key for key in idle if key not in pending]
        if gone:
            self._run("forget_leases", {"embedding": task.id, "keys": gone})

    def clean(self, dropped: Dropped) -> None:
        """Have the functions dropped that were made for a table which was dropped."""
        if self._run("may_clean", {"embedding": dropped.embedding})[0]:
            try:
                clean = composed("clean", dropped.schema, dropped.embedding)
                self.shared.connection.execute(clean, {"pass": dropped.pass_})
            finally:
                self.shared.wipe()

    def _lease_of(self, task: Task) -> dict[str, Any]:
        return {"embedding": task.id, "worker": self.worker, "pass": task.pass_}

    def _keys_of(self, task: Task, rows: Sequence[Row]) -> dict[str, Any]:
        return self._lease_of(task) | {"keys": [row.key for row in rows]}

    def _outcomes_of(self, task: Task, outcomes: Iterable[Outcome]) -> dict[str, Any]:
        made = list(outcomes)
        return self._lease_of(task) | {"keys": [one.key for one in made], "outcomes": [one.outcome for one in made]}

    def _run(self, name: str, values: dict[str, Any]) -> list[Any]:
        """A statement of our own, and the values of its one column."""
        return [value for (value,) in self.own.execute(composed(name), values).fetchall()]
