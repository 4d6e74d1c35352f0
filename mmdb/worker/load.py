"""From claimed rows to what a model takes: text, or decoded pictures. No transaction is open meanwhile.

Whatever is wrong with one row's source becomes that row's failure, never the batch's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mmdb.config import Settings
from mmdb.embedders.base import Item
from mmdb.errors import MediaError, MmdbError
from mmdb.media.image import decode_image
from mmdb.media.uri import fetch
from mmdb.worker.claim import Claim, Failure, Row, Source, Steps, Task

MAX_TEXT_BYTES = 1_000_000
MAX_MEDIA_BYTES = 50_000_000
MAX_URI_BYTES = 8_192
CHUNK = 4
"""Pictures held as bytes at once: four of the largest are 200 MB."""
FETCHES = 8
"""URIs of a batch that are fetched at once."""
HOST_REST_SECONDS = 20.0


@dataclass(slots=True)
class Batch:
    """Rows of one embedding that are ready for the model, and those that are not fit for it."""

    task: Task
    rows: list[Row] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
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
        size = CHUNK if task.modality == "image" and not task.by_uri else len(keys)
        for start in range(0, len(keys), size):
            yield steps.load(task, keys[start : start + size], max_source_bytes(task))

    def _is_to_do(self, steps: Steps, batch: Batch, source: Source, claim: Claim) -> bool:
        """Whether to try `source`: not where the very same has failed for good before."""
        row = Row(source.key, source.state, source.hash)
        if claim.failed_error is not None and claim.failed_hash == row.hash:
            batch.failures.append(Failure(row, claim.failed_error, permanent=True))
            return False
        if claim.attempts > 1:
            steps.note_attempt(batch.task, row)
        return True

    def _prepare_all(self, task: Task, sources: Sequence[Source]) -> Iterator[Item | MmdbError]:
        if task.by_uri and len(sources) > 1:
            return self._fetchers.map(lambda source: self._prepare(task, source), sources)
        return (self._prepare(task, source) for source in sources)

    def _prepare(self, task: Task, source: Source) -> Item | MmdbError:
        try:
            return self.item(task, source)
        except MmdbError as error:
            return error
        except Exception as error:
            return MediaError(f"the source could not be read: {type(error).__name__}: {error}", permanent=False)

    def item(self, task: Task, source: Source) -> Item:
        """What the model takes. Raises MediaError."""
        if source.content is None:
            raise MediaError(
                f"the source has {source.size} bytes, more than the limit of {max_source_bytes(task)} bytes"
            )
        if isinstance(source.content, bytes):
            return decode_image(source.content)
        if not source.content.strip():
            raise MediaError("the URI is empty" if task.by_uri else "the text is empty")
        return decode_image(self._fetch(source.content)) if task.by_uri else source.content

    def _fetch(self, uri: str) -> bytes:
        self.hosts.check(uri)
        try:
            return fetch(uri, self.settings, MAX_MEDIA_BYTES)
        except MediaError as error:
            self.hosts.note(uri, error)
            raise


def max_source_bytes(task: Task) -> int:
    if task.by_uri:
        return MAX_URI_BYTES
    return MAX_TEXT_BYTES if task.modality == "text" else MAX_MEDIA_BYTES


def _add(batch: Batch, source: Source, made: Item | MmdbError) -> None:
    row = Row(source.key, source.state, source.hash)
    if isinstance(made, MmdbError):
        batch.failures.append(Failure(row, str(made), permanent=getattr(made, "permanent", False)))
    else:
        batch.rows.append(row)
        batch.items.append(made)
