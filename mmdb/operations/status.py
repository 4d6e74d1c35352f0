"""What is declared, how far it is, who works on it, and what a database's stored queries promise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mmdb.database.rows import Connection, read_all, read_values
from mmdb.database.statements import statement

TOPIC = "status"
FAILURES = 5
"""Failures that a status shows; the view mmdb.failures has them all."""


@dataclass(frozen=True, slots=True)
class EmbeddingStatus:
    """A row of the view mmdb.status; rows and embedded are PostgreSQL's estimates where `estimated`."""

    relation: str
    name: str
    model: str
    rows: int | None
    embedded: int | None
    pending: int | None
    failed: int | None
    estimated: bool | None
    pending_since: datetime | None
    rows_per_second: float | None
    drift: str | None
    generation_of: str | None
    stale: int | None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker that is alive."""

    id: int
    host: str
    pid: int
    version: str
    models: list[str]
    started_at: datetime
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that could not be embedded; without `retry_at` it is not tried again by itself."""

    relation: str
    name: str
    key: list[str]
    attempts: int
    error: str
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contract:
    """A function that was tuned: the recall that it promises, what was measured last, and what became of it."""

    function: str
    target: float
    recall: float | None
    low: float | None
    high: float | None
    milliseconds: float | None
    measured_at: datetime | None
    settings: Any
    drift: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """The embeddings of the tables that one may read, the workers, the latest failures, the contracts."""

    embeddings: list[EmbeddingStatus]
    workers: list[WorkerStatus]
    failures: list[Failure]
    contracts: list[Contract]


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """A function that searches, what it is for, and where it was tuned the recall that it keeps."""

    function: str
    description: str
    target: float | None
    recall: float | None
    milliseconds: float | None
    drift: str | None


def status(connection: Connection, *, failures: int = FAILURES) -> Status:
    """How everything stands, with as many of the latest `failures`."""
    return Status(
        read_all(connection, EmbeddingStatus, statement(TOPIC, "status"), {}),
        read_all(connection, WorkerStatus, statement(TOPIC, "workers"), {}),
        read_all(connection, Failure, statement(TOPIC, "failures"), {"limit": failures}),
        read_all(connection, Contract, statement(TOPIC, "contracts"), {}),
    )


def stored_queries(connection: Connection) -> list[StoredQuery]:
    """Those that come with mmdb, every function that was tuned, and every one whose comment ends in [mmdb query]."""
    return read_all(connection, StoredQuery, statement(TOPIC, "queries"), {})


def is_worker_alive(connection: Connection, host: str, pid: int) -> bool:
    """Whether that process is registered as a worker, and so answers queries."""
    (alive,) = read_values(connection, statement(TOPIC, "worker_alive"), {"host": host, "pid": pid})
    return bool(alive)
