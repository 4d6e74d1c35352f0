"""What passes through a worker, from a pending row to what became of its batch.

Task, PendingRow -> Claim -> Source -> Mixture -> Batch -> Done
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias
from uuid import UUID

import psycopg

from mmdb.media.kinds import Item, max_source_bytes
from mmdb.models.embed.base import Vectors


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works; seconds throughout."""

    lease_seconds: float = 60.0
    """After its last heartbeat a worker's rows are its own for so long, unless its session is seen to have ended."""
    poll_seconds: float = 0.5
    """How often pending rows are looked for after a quiet time; more often where some came a moment ago."""
    batch_size: int | None = None
    """Rows that are embedded at once; None is the model's own choice."""
    stores: int = 2
    """Batches of a model that are stored at once, each on a connection of its own."""
    once: bool = False
    """Return when nothing is pending but rows that wait longer than poll_seconds for another try."""
    models: tuple[str, ...] | None = None
    """The models to serve; None is every model of mmdb.models that this machine can load."""


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
    def limits(self) -> list[int]:
        """The most bytes of each source that is loaded by itself."""
        if self.source_modalities is None:
            return [max_source_bytes(self.modality, by_uri=self.by_uri)]
        return [max_source_bytes(modality) for modality in self.source_modalities]

    @property
    def label(self) -> str:
        return f"{self.relation}.{self.name}"


class Dropped(NamedTuple):
    """An embedding whose table was dropped; its functions are still there."""

    embedding: int
    pass_: UUID
    schema: str


class PendingRow(NamedTuple):
    """A row to be embedded, and its state (xmin) when it was found."""

    key: str
    state: str


class Claim(NamedTuple):
    """A leased row. One that had failed before comes with the state and hash of what failed, and why."""

    key: str
    attempts: int
    failed_state: str | None
    failed_hash: bytes | None
    failed_error: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """Rows of one embedding, leased together."""

    task: Task
    claims: Sequence[Claim]


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

    @property
    def says_nothing(self) -> bool:
        """NULL, no byte, or a blank text, which beside another source is as good as none."""
        return not self.size or (isinstance(self.content, str) and not self.content.strip())


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
class Mixture:
    """What becomes one vector: an item, or with weights those sources of a row that are there."""

    items: tuple[Item, ...]
    weights: tuple[float, ...] = (1.0,)
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A loaded row on its way to the store. Of a failure without a hash the source is not to blame: any change of the
    row gives it another try."""

    key: str
    state: str
    hash: bytes | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row could not be embedded; a permanent one is not tried again before its source changes."""

    row: Row
    error: str
    permanent: bool


@dataclass(slots=True)
class Batch:
    """Claimed rows of one embedding on their way forward, with what became of each.

    One stage has it at a time. Every row is in one of `rows`, `failures`, `released` and `gone`; the store writes all
    four down.
    """

    task: Task
    rows: list[Row] = field(default_factory=list)
    mixtures: list[Mixture] = field(default_factory=list)
    """One for each of `rows`, until the model has had them."""
    vectors: Vectors | None = None
    """One for each of `rows`, once the model has made them."""
    failures: list[Failure] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    """Given back unharmed: the database or the model's server could not serve just now."""
    gone: list[str] = field(default_factory=list)
    """Claimed, but no longer pending when they were loaded."""
    problem: psycopg.Error | None = None
    """Why the database could not load rows of this embedding."""

    @property
    def is_released(self) -> bool:
        """Whether nothing was done but to give rows back."""
        return not (self.rows or self.failures or self.gone)

    def add(self, other: Batch) -> None:
        """Take in another batch of the same embedding that was loaded just now."""
        self.rows += other.rows
        self.mixtures += other.mixtures
        self.failures += other.failures
        self.released += other.released
        self.gone += other.gone
        self.problem = other.problem or self.problem

    def release_from(self, place: int) -> None:
        """Give back the rows from `place` on."""
        self.released += [row.key for row in self.rows[place:]]
        del self.rows[place:]


class Outcome(NamedTuple):
    """What became of one row, and the state that it has then.

    "stored", "changed", "locked"; or "undone" and "rewritten", by triggers and rules of the table itself.
    """

    key: str
    outcome: str
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The model has taken a batch: the next one may be loaded."""


@dataclass(frozen=True, slots=True)
class Paused:
    """The model's server does not serve, and is left alone for so many seconds."""

    task: Task
    seconds: float
    problem: str


@dataclass(frozen=True, slots=True)
class Served:
    """The first batch of an embedding has gone through the model since its server last failed."""

    task: Task


@dataclass(frozen=True, slots=True)
class Done:
    """A batch at its end, in rows."""

    task: Task
    stored: int = 0
    failed: int = 0
    gone: int = 0
    lost: int = 0
    """Embedded in vain: somebody had locked or changed them. They are pending still."""

    @property
    def rows(self) -> int:
        return self.stored + self.failed + self.gone + self.lost


@dataclass(frozen=True, slots=True)
class Broken:
    """A stage has failed, and everything ends."""

    error: BaseException


News: TypeAlias = Taken | Paused | Served | Done | Broken
"""What the later stages tell the conductor."""


@dataclass(slots=True)
class Totals:
    """Rows of one run. Several models' conductors add to it."""

    stored: int = 0
    failed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def add(self, done: Done) -> None:
        with self._lock:
            self.stored += done.stored
            self.failed += done.failed
