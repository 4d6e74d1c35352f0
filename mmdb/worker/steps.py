"""Each step of the flow against the database: page, claim, load, store, settle, fail.

The rules are SQL functions (sql/40_worker.sql, and those that sql/32_generate.sql makes for each table); here
they are called, in transactions as short as they can be. On two connections: code of tables' owners, their triggers
above all, runs in one that is marked as shared, may do nothing else, and is wiped after each call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
from pgvector import HalfVector, Vector
from psycopg import errors as pg
from psycopg.sql import Identifier

from mmdb.database.statements import statement
from mmdb.database.types import register_types
from mmdb.errors import DatabaseError
from mmdb.models.embed.base import Vectors

TOPIC = "worker"
LOCK_TIMEOUT_MS = 2000
"""We wait for no user's lock; this is for the moments at which two workers meet on a lease."""
EXACT_UP_TO = 200_000
"""Rows of a table that are counted one by one; of a larger one the total is PostgreSQL's estimate."""

TRY_LATER = (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure, pg.QueryCanceled)
"""What passes by itself."""

Connection: TypeAlias = "psycopg.Connection[Any]"
PendingRow: TypeAlias = tuple[str, str]
"""The key of a row and its state (xmin)."""


@dataclass(frozen=True, slots=True)
class Task:
    """One embedding, as a worker sees it."""

    id: int
    pass_: UUID
    """What this embedding's own functions ask for."""
    relation: str
    name: str
    modality: str
    by_uri: bool
    schema: str
    half: bool
    sources: list[str]
    weights: list[float] | None
    """One for each source, where each is embedded by itself."""
    source_modalities: list[str] | None

    @property
    def pictures(self) -> int:
        """How many pictures a row brings as bytes."""
        if self.source_modalities is not None:
            return self.source_modalities.count("image")
        return int(self.modality == "image" and not self.by_uri)

    @property
    def label(self) -> str:
        return f"{self.relation}.{self.name}"

    def query(self, verb: str) -> bytes:
        """The named statement `verb` over this embedding's own function of that name."""
        return composed(verb, self.schema, self.id)


@dataclass(frozen=True, slots=True)
class Claim:
    """A leased row. One that had failed before comes with the hash of the source that failed, and why."""

    key: str
    attempts: int
    failed_hash: bytes | None
    failed_error: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """One source of a row. `size` is None where it is NULL, `content` where it is, or is larger than the limit."""

    size: int | None
    content: str | bytes | None

    @property
    def hash(self) -> bytes | None:
        if self.content is None:
            return None
        raw = self.content.encode() if isinstance(self.content, str) else self.content
        return hashlib.sha256(raw).digest()


@dataclass(frozen=True, slots=True)
class Source:
    """What a row held when it was loaded: one part, or with weights as many as there are sources."""

    key: str
    state: str
    parts: tuple[Part, ...]
    weighted: bool = False

    @property
    def hash(self) -> bytes | None:
        """SHA-256, as the generated store function computes it over the row; None where a part was not loaded."""
        if any(part.content is None and part.size is not None for part in self.parts):
            return None
        hashes = [part.hash for part in self.parts]
        if not self.weighted:
            return hashes[0]
        # Each by its hash, so that no two divisions of the same bytes are the same source.
        return hashlib.sha256(b"".join(b"\0" if one is None else b"\1" + one for one in hashes)).digest()


@dataclass(frozen=True, slots=True)
class Row:
    """A loaded row on its way to the store."""

    key: str
    state: str
    hash: bytes | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row could not be embedded; a permanent one is not tried again before its source changes."""

    row: Row
    error: str
    permanent: bool


@cache
def composed(name: str, schema: str | None = None, id: int | None = None) -> bytes:
    """A statement as psycopg sends it; putting it together anew each time would show in the rows a second."""
    filled = {} if schema is None else {"function": Identifier(schema, f"mmdb_{name}_{id}")}
    return statement(TOPIC, name, **filled).as_bytes(None)


def open_connection(url: str) -> Connection:
    """A worker's connection, in autocommit. Raises psycopg.OperationalError, or DatabaseError without pgvector."""
    connection = psycopg.connect(
        url,
        autocommit=True,
        application_name="mmdb worker",
        client_encoding="utf8",
        prepare_threshold=None,  # a prepared statement could be swapped for another by code that runs in the session
        options=f"-c lock_timeout={LOCK_TIMEOUT_MS} -c synchronous_commit=off",
    )
    if not register_types(connection):
        connection.close()
        raise DatabaseError("the database has no extension vector", hint="run `mmdb init` on it")
    return connection


def open_shared(url: str, worker: int) -> Connection:
    """A connection in which code of tables' owners may run."""
    connection = open_connection(url)
    connection.execute(composed("share_session"), {"worker": worker})
    return connection


class RefusedError(Exception):
    """The table refused an embedding: a trigger or a constraint of its own raised `__cause__`."""


class Steps:
    """The steps of one worker, on its `own` connection and on one that is `shared` with the code of tables' owners.

    Not for two threads at once, but for the own connection, which several may have.
    """

    def __init__(self, own: Connection, shared: Connection, worker: int, lease_seconds: float) -> None:
        self.own = own
        self.shared = shared
        self.worker = worker
        self.lease = f"{lease_seconds} seconds"

    @property
    def broken(self) -> bool:
        """Whether a connection has gone; an error that leaves both is one table's affair."""
        return self.own.closed or self.shared.closed

    def tasks(self, model: str, identity: str) -> list[Task]:
        """The embeddings of this very model whose functions run as their tables' owners."""
        rows = self._rows(composed("tasks"), {"model": model, "identity": identity})
        return [Task(*row) for row in rows]

    def page(self, task: Task, after: str | None, count: int) -> list[PendingRow]:
        """The next pending rows in key order."""
        return self._call(task, "pending", {"after": after, "count": count})

    def count(self, task: Task) -> int:
        """Count the rows, for mmdb.status; returns how many are pending."""
        total, embedded, pending, estimated = self._call(task, "count", {"exact_up_to": EXACT_UP_TO})[0]
        values = {"total": total, "embedded": embedded, "pending": pending, "estimated": estimated}
        self._rows(composed("note_counts"), {"embedding": task.id, "pass": task.pass_, **values})
        return int(pending)

    def claim(self, task: Task, rows: Sequence[PendingRow]) -> list[Claim]:
        """Lease those of the rows that nobody holds."""
        keys, states = [row[0] for row in rows], [row[1] for row in rows]
        values = self._lease_of(task) | {"keys": keys, "states": states, "lease": self.lease}
        return [Claim(*row) for row in self._rows(composed("claim"), values)]

    def note_attempt(self, task: Task, row: Row) -> None:
        """Write down what is tried before a row is tried of which a worker died."""
        values = self._lease_of(task) | {"key": row.key, "state": row.state, "hash": row.hash}
        self._rows(composed("note_attempt"), values)

    def load(self, task: Task, keys: Sequence[str], limits: Sequence[int]) -> list[Source]:
        """The sources of those rows that are still pending, with their content up to the limit, one for each part."""
        values = {"keys": list(keys), "max_bytes": limits[0] if task.weights is None else list(limits)}
        loaded = self._call(task, "load", values)
        if task.weights is None:
            return [
                Source(key, state, (Part(size, content if data is None else data),))
                for key, state, size, content, data in loaded
            ]
        parts: dict[tuple[str, str], list[Part]] = {}
        for key, state, size, content, data in loaded:
            parts.setdefault((key, state), []).append(Part(size, content if data is None else data))
        return [Source(key, state, tuple(made), weighted=True) for (key, state), made in parts.items()]

    def store(self, task: Task, rows: Sequence[Row], vectors: Vectors) -> int:
        """Store what is still to be stored and give the leases up; returns how many rows were stored.

        One short transaction, in which nobody can take the leases over. Raises RefusedError and stores nothing where
        the table raises an error, or its code leaves the transaction useless.
        """
        try:
            with self.shared.transaction():
                outcomes = self._hold_and_store(task, rows, vectors)
        except psycopg.Error as error:
            if self.shared.closed or isinstance(error, TRY_LATER):
                raise
            raise RefusedError(error.diag.message_primary or str(error)) from error
        finally:
            self._wipe()
        return sum(outcome == "stored" for _, outcome in outcomes)

    def _hold_and_store(self, task: Task, rows: Sequence[Row], vectors: Vectors) -> list[tuple[str, str]]:
        held = {key for (key,) in self.shared.execute(composed("hold"), self._keys_of(task, rows)).fetchall()}
        mine = [place for place, row in enumerate(rows) if row.key in held]
        if not mine:
            return []
        outcomes = self._store(task, [rows[place] for place in mine], vectors[mine])
        # One that was declared with hold would be read to its end at commit, with our rights.
        self.shared.execute(composed("close_cursors"))
        self.shared.execute(composed("settle"), self._outcomes_of(task, outcomes))
        return outcomes

    def _store(self, task: Task, rows: Sequence[Row], vectors: Vectors) -> list[tuple[str, str]]:
        make = HalfVector if task.half else Vector
        values = {
            "keys": [row.key for row in rows],
            "states": [row.state for row in rows],
            "hashes": [row.hash for row in rows],
            # Binary: a batch of 512-d halfvecs takes a twentieth of the time that it takes as text.
            "embeddings": [make(vector) for vector in vectors],
        }
        self._guard(task)
        return self.shared.execute(task.query("store"), {"pass": task.pass_, **values}).fetchall()

    def settle(self, task: Task, outcomes: Iterable[tuple[str, str]]) -> None:
        """Give leases up: rows "stored" or "changed" are free at once, "locked" ones in a second."""
        self._rows(composed("settle"), self._outcomes_of(task, outcomes))

    def _outcomes_of(self, task: Task, outcomes: Iterable[tuple[str, str]]) -> dict[str, Any]:
        keys, results = zip(*outcomes, strict=True)
        return self._lease_of(task) | {"keys": list(keys), "outcomes": list(results)}

    def fail(self, task: Task, failures: Sequence[Failure]) -> None:
        values = self._keys_of(task, [failure.row for failure in failures]) | {
            "states": [failure.row.state for failure in failures],
            "hashes": [failure.row.hash for failure in failures],
            "errors": [failure.error for failure in failures],
            "permanent": [failure.permanent for failure in failures],
        }
        self._rows(composed("fail"), values)

    def caught_up(self, task: Task) -> float | None:
        """Note that nothing was pending; the seconds until the next row that waits, None where none waits."""
        waiting: float | None = self._rows(composed("caught_up"), {"embedding": task.id})[0][0]
        return waiting

    def report_drift(self, task: Task, drift: str | None) -> None:
        self._rows(composed("report_drift"), {"embedding": task.id, "drift": drift})

    def forget_idle_leases(self, task: Task) -> None:
        """Drop the records of failures of rows that are gone, or pending no more."""
        idle = [key for (key,) in self._rows(composed("idle_leases"), {"embedding": task.id})]
        pending = {source.key for source in self.load(task, idle, [0] * len(task.sources))} if idle else set()
        gone = [key for key in idle if key not in pending]
        if gone:
            self._rows(composed("forget_leases"), {"embedding": task.id, "keys": gone})

    def clean(self, embedding: int, pass_: UUID, schema: str) -> None:
        """Have the functions dropped that were made for a table which was dropped."""
        if self._rows(composed("may_clean"), {"embedding": embedding})[0][0]:
            try:
                self.shared.execute(composed("clean", schema, embedding), {"pass": pass_})
            finally:
                self._wipe()

    def _call(self, task: Task, verb: str, values: dict[str, Any]) -> list[Any]:
        """Call one of the embedding's own functions, which runs as the table's owner."""
        self._guard(task)
        try:
            with self.shared.transaction():
                rows = self.shared.execute(task.query(verb), {"pass": task.pass_, **values}).fetchall()
                self.shared.execute(composed("close_cursors"))
            return rows
        finally:
            self._wipe()

    def _guard(self, task: Task) -> None:
        """Raise where an owner has altered his functions, so that they would run with our rights."""
        if not self._rows(composed("may_call"), {"embedding": task.id})[0][0]:
            raise pg.ObjectNotInPrerequisiteState("a worker function is missing or was altered")

    def _wipe(self) -> None:
        """Settings, temporary tables and types, cursors: nothing of one table's code reaches the next statement."""
        if not self.shared.closed:
            self.shared.execute(composed("discard"))

    def _lease_of(self, task: Task) -> dict[str, Any]:
        return {"embedding": task.id, "worker": self.worker, "pass": task.pass_}

    def _keys_of(self, task: Task, rows: Sequence[Row]) -> dict[str, Any]:
        return self._lease_of(task) | {"keys": [row.key for row in rows]}

    def _rows(self, query: bytes, values: dict[str, Any]) -> list[Any]:
        return self.own.execute(query, values).fetchall()
