"""Answer the requests for one model: woken by NOTIFY, all of a task that wait in one batch.

A search waits for this, so it has a thread and a connection of its own and never waits for a batch of rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from pgvector import Vector
from psycopg import errors as pg
from psycopg.types.json import Jsonb

from mmdb.database.rows import Connection, read_all
from mmdb.errors import MmdbError, ModelError, ModelServiceError
from mmdb.media.kinds import item_of
from mmdb.models.embed.base import Embedder, Item
from mmdb.worker.connections import composed

BATCH = 32
LISTEN_SECONDS = 0.5
"""How long a stop may take, and how late a request is noticed whose NOTIFY was lost with a connection."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a backend waits for: something that a model makes of a text or of bytes. It polls with `token`."""

    token: UUID
    task: str
    content: str | None
    data: bytes | None
    parameters: Mapping[str, Any] | None


Reply: TypeAlias = Vector | Jsonb
Handler: TypeAlias = Callable[[Embedder, Sequence[Request]], Sequence[Reply]]
"""Answers a batch of one task, in its order."""


def embed(model: Embedder, requests: Sequence[Request]) -> list[Reply]:
    return [Vector(vector) for vector in model.embed([_item(request, model) for request in requests], "query")]


def _item(request: Request, model: Embedder) -> Item:
    """The kind of bytes is told by looking at them; raises MediaError for one that the model does not take."""
    return item_of(request.content or "" if request.data is None else request.data, takes=model.modalities)


HANDLERS: dict[str, Handler] = {"embedding": embed}
"""A row for each task."""


class Answers:
    """Listens on `connection`, which is in autocommit. A notification without a model wakes the conductors."""

    def __init__(self, connection: Connection, worker: int, name: str, model: Embedder) -> None:
        self.connection = connection
        self.worker = worker
        self.name = name
        self.model = model

    def run(self, stop: threading.Event, wake: Callable[[], None]) -> None:
        self.connection.execute("listen mmdb")
        while not stop.is_set():
            requests = self._take()
            for batch in _by_task(requests):
                self._answer(batch)
            if requests:
                continue
            for notice in self.connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                if not notice.payload:
                    wake()

    def _take(self) -> list[Request]:
        values = {"worker": self.worker, "models": [self.name], "tasks": list(HANDLERS), "count": BATCH}
        return read_all(self.connection, Request, composed("take_requests"), values)

    def _answer(self, batch: Sequence[Request]) -> None:
        try:
            replies = HANDLERS[batch[0].task](self.model, batch)
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, ModelServiceError):
                for request in batch:
                    self._answer([request])
                return
            for request in batch:
                self._send(request, None, _reason(error))
            return
        for request, reply in zip(batch, replies, strict=True):
            try:
                self._send(request, reply, None)
            except (pg.DataError, TypeError, ValueError) as error:  # no JSON, or none that jsonb takes
                self._send(request, None, _reason(error))

    def _send(self, request: Request, reply: Reply | None, error: str | None) -> None:
        values = {
            "token": request.token,
            "embedding": reply if isinstance(reply, Vector) else None,
            "answer": reply if isinstance(reply, Jsonb) else None,
            "error": error,
        }
        self.connection.execute(composed("answer_request"), values)


def _by_task(requests: Sequence[Request]) -> Iterator[list[Request]]:
    for task in HANDLERS:
        batch = [request for request in requests if request.task == task]
        if batch:
            yield batch


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, MmdbError) else str(ModelError(f"{type(error).__name__}: {error}"))
