"""From claimed rows to what a model takes: text, or decoded pictures. No transaction is open meanwhile.

Whatever is wrong with one row's source becomes that row's failure, never the batch's.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np

from mmdb.config import Settings
from mmdb.errors import MediaError, MmdbError, ModelError
from mmdb.media.fetch import fetch
from mmdb.media.image import decode_image
from mmdb.models.embed.base import Item, Vectors
from mmdb.worker.claim import Claim, Failure, Part, Row, Source, Steps, Task

MAX_TEXT_BYTES = 1_000_000
MAX_MEDIA_BYTES = 50_000_000
MAX_URI_BYTES = 8_192
CHUNK = 4
"""Pictures held as bytes at once: four of the largest are 200 MB."""
FETCHES = 8
"""URIs of a batch that are fetched at once."""
SPARE_PROCESSORS = max(0, (os.cpu_count() or 1) - 2)
"""Beside one for the model and one for what feeds it."""
HOST_REST_SECONDS = 20.0
SHORTEST_SUM = 1e-3
"""Of the sum of unit vectors, in parts of the sum of their weights: what is left below is the rounding of the model."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """What becomes one vector: an item, or with weights those sources of a row that are there."""

    items: tuple[Item, ...]
    weights: tuple[float, ...] = (1.0,)
    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class Batch:
    """Rows of one embedding that are ready for the model, and those that are not fit for it."""

    task: Task
    rows: list[Row] = field(default_factory=list)
    mixtures: list[Mixture] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """Claimed, but no longer pending when they were loaded."""


class Hosts:
    """Hosts that did not answer rest for a while, so that one dead host does not stall the rows of the others."""

    def __init__(self) -> None:
        self._resting: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, uri: str) -> None:
        host = _host(uri)
        if not host:
            return
        with self._lock:
            resting = self._resting.get(host, 0.0) > time.monotonic()
        if resting:
            raise MediaError(f'host "{host}" did not answer a moment ago', permanent=False)

    def note(self, uri: str, error: MediaError) -> None:
        if not error.permanent:
            with self._lock:
                self._resting[_host(uri)] = time.monotonic() + HOST_REST_SECONDS


def _host(uri: str) -> str:
    try:
        return urlsplit(uri).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


class Loader:
    """Loads claimed rows and makes items of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.hosts = Hosts()
        self._fetchers = ThreadPoolExecutor(FETCHES, "mmdb-fetch")

    def close(self) -> None:
        self._fetchers.shutdown()

    def batch(self, steps: Steps, task: Task, claims: Sequence[Claim]) -> Batch:
        """Load `claims` and prepare them."""
        batch = Batch(task)
        by_key = {claim.key: claim for claim in claims}
        for sources in self._chunks(steps, task, list(by_key)):
            wanted = [source for source in sources if self._is_to_do(steps, batch, source, by_key[source.key])]
            for source, made in zip(wanted, self._prepare_all(task, wanted), strict=True):
                _add(batch, source, made)
        seen = {row.key for row in batch.rows} | {failure.row.key for failure in batch.failures}
        batch.gone = [key for key in by_key if key not in seen]
        return batch

    def _chunks(self, steps: Steps, task: Task, keys: list[str]) -> Iterator[list[Source]]:
        size = max(1, CHUNK // task.pictures) if task.pictures else len(keys)
        for start in range(0, len(keys), size):
            yield steps.load(task, keys[start : start + size], source_limits(task))

    def _is_to_do(self, steps: Steps, batch: Batch, source: Source, claim: Claim) -> bool:
        """Whether to try `source`: not where the very same has failed for good before."""
        row = Row(source.key, source.state, source.hash)
        if claim.failed_error is not None and claim.failed_hash == row.hash:
            batch.failures.append(Failure(row, claim.failed_error, permanent=True))
            return False
        if claim.attempts > 1:
            steps.note_attempt(batch.task, row)
        return True

    def _prepare_all(self, task: Task, sources: Sequence[Source]) -> Iterator[Mixture | MmdbError]:
        # A decoder lets other threads run: where there are processors to spare, the pictures of a chunk go together.
        apart = task.by_uri or (task.pictures and SPARE_PROCESSORS)
        if apart and len(sources) > 1:
            return self._fetchers.map(lambda source: self._prepare(task, source), sources)
        return (self._prepare(task, source) for source in sources)

    def _prepare(self, task: Task, source: Source) -> Mixture | MmdbError:
        try:
            return self.mixture(task, source)
        except MmdbError as error:
            return error
        except Exception as error:
            return MediaError(f"the source could not be read: {type(error).__name__}: {error}", permanent=False)

    def mixture(self, task: Task, source: Source) -> Mixture:
        """What the model takes. Raises MediaError, which names the column where there are several with weights."""
        if task.weights is None:
            return Mixture((self.item(task, source.parts[0], source_limits(task)[0]),))
        named = zip(source.parts, task.sources, task.weights, source_limits(task), strict=True)
        there = [each for each in named if not _says_nothing(each[0])]
        if not there:
            raise MediaError(f"the text is empty: {', '.join(task.sources)}")
        items = tuple(self._named_item(task, part, column, limit) for part, column, _, limit in there)
        return Mixture(items, tuple(weight for _, _, weight, _ in there), tuple(column for _, column, _, _ in there))

    def _named_item(self, task: Task, part: Part, column: str, limit: int) -> Item:
        try:
            return self.item(task, part, limit)
        except MediaError as error:
            raise MediaError(f'source "{column}": {error}', permanent=error.permanent) from error

    def item(self, task: Task, part: Part, limit: int) -> Item:
        """What the model takes. Raises MediaError."""
        if part.content is None:
            raise MediaError(f"the source has {part.size} bytes, more than the limit of {limit} bytes")
        if isinstance(part.content, bytes):
            return decode_image(part.content)
        if not part.content.strip():
            raise MediaError("the URI is empty" if task.by_uri else "the text is empty")
        return decode_image(self._fetch(part.content)) if task.by_uri else part.content

    def _fetch(self, uri: str) -> bytes:
        self.hosts.check(uri)
        try:
            return fetch(uri, self.settings, MAX_MEDIA_BYTES)
        except MediaError as error:
            self.hosts.note(uri, error)
            raise


def max_source_bytes(modality: str, by_uri: bool = False) -> int:
    if by_uri:
        return MAX_URI_BYTES
    return MAX_TEXT_BYTES if modality == "text" else MAX_MEDIA_BYTES


def source_limits(task: Task) -> list[int]:
    """The most bytes of each source that is loaded by itself."""
    if task.source_modalities is None:
        return [max_source_bytes(task.modality, task.by_uri)]
    return [max_source_bytes(modality) for modality in task.source_modalities]


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


def _says_nothing(part: Part) -> bool:
    """NULL, or an empty text, which beside another source is as good as none."""
    return part.size is None or (isinstance(part.content, str) and not part.content.strip())


def _add(batch: Batch, source: Source, made: Mixture | MmdbError) -> None:
    row = Row(source.key, source.state, source.hash)
    if isinstance(made, MmdbError):
        batch.failures.append(Failure(row, str(made), permanent=getattr(made, "permanent", False)))
    else:
        batch.rows.append(row)
        batch.mixtures.append(made)
