"""Load: from claimed rows to what a model takes. No transaction is open meanwhile.

Whatever is wrong with one row's source becomes that row's failure, never the batch's. What the items are, and how
large a source may be, the kinds of media say (mmdb/media/kinds.py).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg

from mmdb.config import Settings
from mmdb.database.problems import said
from mmdb.errors import MediaError, MmdbError
from mmdb.media.fetch import fetch
from mmdb.media.kinds import Item, item_of, max_source_bytes
from mmdb.worker.steps import Steps
from mmdb.worker.values import Batch, Claim, Claimed, Failure, Mixture, Part, Row, Source, Task

CHUNK = 4
"""Pictures held as bytes at once: four of the largest are 200 MB."""
FETCHES = 8
"""URIs of a batch that are fetched at once."""
SPARE_PROCESSORS = max(0, (os.cpu_count() or 1) - 2)
"""Beside one for the model and one for what feeds it."""
HOST_REST_SECONDS = 20.0
"""How long a host is left alone that did not answer."""


class Hosts:
    """Hosts that did not answer rest for a while, so that one dead host does not stall the rows of the others."""

    def __init__(self) -> None:
        self._resting: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, uri: str) -> None:
        """Raise MediaError where the host of `uri` rests."""
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


class Fetcher:
    """Fetches what URIs lead to, several at once. The models of a worker share it, and what it knows of hosts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.hosts = Hosts()
        self.threads = ThreadPoolExecutor(FETCHES, "mmdb-fetch")

    def close(self) -> None:
        self.threads.shutdown()

    def fetch(self, uri: str, max_bytes: int) -> bytes:
        """Raises MediaError."""
        self.hosts.check(uri)
        try:
            return fetch(uri, self.settings, max_bytes)
        except MediaError as error:
            self.hosts.note(uri, error)
            raise


class Load:
    """Loads claimed rows of one model's embeddings. `takes` are the kinds of media that the model takes."""

    def __init__(self, steps: Steps, fetcher: Fetcher, model: str, takes: Collection[str]) -> None:
        self.steps = steps
        self.fetcher = fetcher
        self.model = model
        self.takes = takes

    def batch(self, claimed: Claimed) -> Batch:
        """The claimed rows as a batch: ready for the model, failed, gone, or released where the database could not."""
        task, claims = claimed.task, claimed.claims
        try:
            return self._batch(task, claims)
        except (psycopg.DataError, psycopg.InternalError) as error:
            if len(claims) > 1:
                return self._row_by_row(task, claims)
            unreadable = Failure(Row(claims[0].key, "", None), _unreadable(error), permanent=False)
            return Batch(task, failures=[unreadable])
        except psycopg.Error as error:
            if self.steps.broken:
                raise
            return Batch(task, released=[claim.key for claim in claims], problem=error)

    def _row_by_row(self, task: Task, claims: Sequence[Claim]) -> Batch:
        whole = Batch(task)
        for claim in claims:
            whole.add(self.batch(Claimed(task, [claim])))
        return whole

    def _batch(self, task: Task, claims: Sequence[Claim]) -> Batch:
        batch = Batch(task)
        by_key = {claim.key: claim for claim in claims}
        for sources in self._chunks(task, list(by_key)):
            wanted: list[tuple[Row, Source]] = []
            for source in sources:
                row = Row(source.key, source.state, source.hash)
                if failure := _failed_before(row, by_key[row.key]):
                    batch.failures.append(failure)
                else:
                    wanted.append((row, source))
            self._note_attempts(task, [row for row, _ in wanted if by_key[row.key].attempts > 1])
            prepared = self._prepare_all(task, [source for _, source in wanted])
            for (row, _), made in zip(wanted, prepared, strict=True):
                _add(batch, row, made)
        seen = {row.key for row in batch.rows} | {failure.row.key for failure in batch.failures}
        batch.gone = [key for key in by_key if key not in seen]
        return batch

    def _chunks(self, task: Task, keys: list[str]) -> Iterator[list[Source]]:
        size = max(1, CHUNK // task.pictures) if task.pictures else len(keys)
        for start in range(0, len(keys), size):
            yield self.steps.load(task, keys[start : start + size], task.limits)

    def _note_attempts(self, task: Task, rows: Sequence[Row]) -> None:
        for row in rows:
            self.steps.note_attempt(task, row)

    def _prepare_all(self, task: Task, sources: Sequence[Source]) -> Iterator[Mixture | MmdbError]:
        # A decoder lets other threads run: where there are processors to spare, the pictures of a chunk go together.
        apart = task.by_uri or (task.pictures and SPARE_PROCESSORS)
        if apart and len(sources) > 1:
            return self.fetcher.threads.map(lambda source: self._prepare(task, source), sources)
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
            return Mixture((self.item(task, source.parts[0], task.limits[0]),))
        named = zip(source.parts, task.sources, task.weights, task.limits, strict=True)
        there = [each for each in named if not each[0].says_nothing]
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
        content = part.content
        if part.size is None:
            raise MediaError("the source holds nothing")  # a list of lists of nothing
        if content is None:
            raise MediaError(f"the source has {part.size} bytes, more than the limit of {limit} bytes")
        if isinstance(content, str) and not content.strip():
            raise MediaError("the URI is empty" if task.by_uri else "the text is empty")
        if isinstance(content, str) and task.by_uri:
            content = self.fetcher.fetch(content, max_source_bytes(task.modality))
        return item_of(content, model=self.model, takes=self.takes)


def _failed_before(row: Row, claim: Claim) -> Failure | None:
    """The failure for good of the very same source, or of the row as it still is, where there was one."""
    same_source = claim.failed_hash is not None and claim.failed_hash == row.hash
    if claim.failed_error is None or not (same_source or claim.failed_state == row.state):
        return None
    return Failure(replace(row, hash=claim.failed_hash), claim.failed_error, permanent=True)


def _add(batch: Batch, row: Row, made: Mixture | MmdbError) -> None:
    if isinstance(made, MmdbError):
        batch.failures.append(Failure(row, str(made), permanent=getattr(made, "permanent", False)))
    else:
        batch.rows.append(row)
        batch.mixtures.append(made)


def _unreadable(error: psycopg.Error) -> str:
    return f"the database cannot read the row: {said(error)}"
