"""Make: the vectors of a batch, by the model. No database is needed here.

Rows that the model refuses are found by halving and become failures. Where the model's server does not serve, no row is
at fault: all are given back, and the model is left alone for a while.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from mmdb.errors import MmdbError, ModelError, ModelServiceError
from mmdb.models.embed.base import Embedder, Vectors
from mmdb.worker.values import Batch, Failure, Mixture, Paused, Served, Task

FIRST_PAUSE_SECONDS = 5.0
"""How long a model's server that does not serve is left alone at first; doubled each time."""
LONGEST_PAUSE_SECONDS = 300.0
"""How long it is left alone at most."""
SHORTEST_SUM = 1e-3
"""Of the sum of unit vectors, in parts of the sum of their weights: what is left below is the rounding of the model."""


class Make:
    """One model at work, in a thread of its own."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.outages = 0
        self.rest_until = 0.0
        self.serving: set[int] = set()
        """Embeddings of which a batch went through the model since its server last failed."""

    def batch(self, batch: Batch) -> Paused | Served | None:
        """Make the vectors of the batch's rows. Returns what has changed about the model's server, if anything."""
        if self.rest_until > time.monotonic():
            batch.release_from(0)
        try:
            return self._make(batch) if batch.rows else None
        finally:
            batch.mixtures.clear()  # pictures are not to wait for the store

    def _make(self, batch: Batch) -> Paused | Served | None:
        try:
            batch.vectors = self._vectors(batch.mixtures)
        except ModelServiceError as error:
            batch.release_from(0)
            return self._pause(batch.task, error)
        except Exception:
            return self._make_in_parts(batch)
        return self._note_that_it_serves(batch.task)

    def _vectors(self, mixtures: Sequence[Mixture]) -> Vectors:
        items = [item for mixture in mixtures for item in mixture.items]
        return fused(self.embedder.embed(items, "document"), mixtures)

    def _make_in_parts(self, batch: Batch) -> Paused | None:
        """Halve what the model refuses until it is single rows: one bad row among 512 costs some 18 calls, not 512."""
        kept, vectors, paused = [], [np.empty((0, self.embedder.dimensions), np.float32)], None
        parts = _halves(range(len(batch.rows)))
        while parts:
            part = parts.pop()
            try:
                vectors.append(self._vectors([batch.mixtures[place] for place in part]))
                kept += [batch.rows[place] for place in part]
            except ModelServiceError as error:
                batch.release_from(part.start)
                paused = self._pause(batch.task, error)
                break
            except Exception as error:
                if len(part) > 1:
                    parts += _halves(part)
                else:
                    reason = self._reason(batch.mixtures[part.start], error)
                    batch.failures.append(Failure(batch.rows[part.start], reason, permanent=False))
        batch.rows, batch.vectors = kept, np.concatenate(vectors)
        return paused

    def _reason(self, mixture: Mixture, error: Exception) -> str:
        """The reason, with the name of the source that the model refuses where a row has several."""
        for item, column in zip(mixture.items, mixture.columns, strict=False):
            try:
                self.embedder.embed([item], "document")
            except ModelServiceError:
                break
            except Exception as refused:
                return f'source "{column}": {_in_words(refused)}'
        return _in_words(error)

    def _pause(self, task: Task, error: ModelServiceError) -> Paused:
        seconds = max(error.retry_after or 0.0, FIRST_PAUSE_SECONDS * 2**self.outages)
        seconds = min(LONGEST_PAUSE_SECONDS, seconds)
        self.outages = min(self.outages + 1, 10)
        self.rest_until = time.monotonic() + seconds
        self.serving.clear()
        return Paused(task, seconds, str(error))

    def _note_that_it_serves(self, task: Task) -> Served | None:
        if task.id in self.serving:
            return None
        self.outages = 0
        self.serving.add(task.id)
        return Served(task)


def fused(vectors: Vectors, mixtures: Sequence[Mixture]) -> Vectors:
    """The vectors of all items, one after the other, to one vector a mixture: the weighted sum, of unit length.

    Raises ModelError where the sources of a row cancel each other out.
    """
    if all(len(mixture.items) == 1 for mixture in mixtures):
        return vectors
    counts = [len(mixture.items) for mixture in mixtures]
    starts = np.cumsum([0, *counts[:-1]])
    weights = np.array([weight for mixture in mixtures for weight in mixture.weights])
    totals = np.add.reduceat(weights, starts)[:, None]
    sums = np.add.reduceat(vectors.astype(np.float64) * weights[:, None], starts, axis=0) / totals
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    if bool((lengths < SHORTEST_SUM).any()):
        raise ModelError("the vectors of the sources cancel each other out", hint="give one of them more weight")
    unit: Vectors = (sums / lengths).astype(np.float32)
    return unit


def _halves(part: range) -> list[range]:
    """Both, the first one last, to be popped; one row is its own half."""
    middle = len(part) // 2
    return [half for half in (part[middle:], part[:middle]) if half]


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, MmdbError) else f"the model failed: {type(error).__name__}: {error}"
