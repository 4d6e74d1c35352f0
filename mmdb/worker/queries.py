"""Answer the questions of mmdb.embed for one model: woken by NOTIFY, all that wait in one batch.

A search waits for this, so it has a thread and a connection of its own and never waits for a batch of rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pgvector import Vector

from mmdb.errors import MmdbError, ModelError, ModelServiceError
from mmdb.media.image import decode_image
from mmdb.models.embed.base import Embedder, Item, Vectors
from mmdb.worker.connections import Connection, composed

BATCH = 32
LISTEN_SECONDS = 0.5
"""How long a stop may take, and how late a question is noticed whose NOTIFY was lost with a connection."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query that waits; `token` is what its asker polls with."""

    token: UUID
    content: str | bytes


class Queries:
    """Listens on `connection`, which is in autocommit. A notification without a model wakes the backfills."""

    def __init__(self, connection: Connection, worker: int, model: str, embedder: Embedder) -> None:
        self.connection = connection
        self.worker = worker
        self.model = model
        self.embedder = embedder

    def run(self, stop: threading.Event, wake: Callable[[], None]) -> None:
        self.connection.execute("listen mmdb")
        while not stop.is_set():
            questions = self._take()
            if questions:
                self._answer(questions)
                continue
            for notice in self.connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                if not notice.payload:
                    wake()

    def _take(self) -> list[Question]:
        values = {"worker": self.worker, "models": [self.model], "count": BATCH}
        taken = self.connection.execute(composed("take_queries"), values).fetchall()
        return [Question(token, content if data is None else data) for token, _, _, content, data in taken]

    def _answer(self, questions: Sequence[Question]) -> None:
        try:
            vectors = self._vectors(questions)
        except Exception as error:
            if len(questions) > 1 and not isinstance(error, ModelServiceError):
                for question in questions:
                    self._answer([question])
                return
            for question in questions:
                self._send(question.token, None, _reason(error))
            return
        for question, vector in zip(questions, vectors, strict=True):
            self._send(question.token, vector, None)

    def _vectors(self, questions: Sequence[Question]) -> Vectors:
        return self.embedder.embed([_item(question.content) for question in questions], "query")

    def _send(self, token: UUID, vector: Any, error: str | None) -> None:
        values = {"token": token, "embedding": None if vector is None else Vector(vector), "error": error}
        self.connection.execute(composed("answer_query"), values)


def _item(content: str | bytes) -> Item:
    return decode_image(content) if isinstance(content, bytes) else content


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, MmdbError) else str(ModelError(f"{type(error).__name__}: {error}"))
