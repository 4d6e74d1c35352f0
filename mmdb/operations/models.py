"""Models in a database's catalogue: listed, added, removed; and tried out, on the machine that asks."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmdb.config import Settings
from mmdb.database.rows import Connection, read_all
from mmdb.database.statements import statement
from mmdb.errors import ModelError

if TYPE_CHECKING:  # else imported where they are used: every command comes here, and numpy takes its time
    from PIL.Image import Image

    from mmdb.models.embed.base import Embedder, Item, Modality
    from mmdb.models.spec import ModelSpec

TOPIC = "models"
MEASURE_SECONDS = 2.0
"""How long `measure` embeds in batches, for each modality."""
SENTENCE = "number {} of some texts as they stand in a catalogue: a red shoe with white laces, almost new"
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Model:
    """A model that an embedding can be bound to, and the number of embeddings that are."""

    name: str
    backend: str
    model: str
    dimensions: int
    modalities: list[str]
    distance: str
    embeddings: int


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model embeds one modality."""

    modality: Modality
    milliseconds_alone: float
    """For one query."""
    a_second: float
    """Items, in batches of `batch`."""
    batch: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What a model is and does on this machine."""

    name: str
    identity: str
    dimensions: int
    seconds_to_load: float
    memory_mb: int
    """The most that the process held in between, over what it held before."""
    speeds: list[Speed]


def list_models(connection: Connection) -> list[Model]:
    return read_all(connection, Model, statement(TOPIC, "models"), {})


def requested(
    name: str,
    backend: str,
    model: str,
    *,
    revision: str | None = None,
    query_prompt: str | None = None,
    document_prompt: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> ModelSpec:
    """A model as somebody asks for it, before anything is loaded. Raises ModelError for the name of one of ours."""
    from mmdb.models.registry import builtin_specs
    from mmdb.models.spec import ModelSpec

    if name in {spec.name for spec in builtin_specs()}:
        raise ModelError(f'model "{name}" is one of mmdb\'s own', hint="choose another name")
    return ModelSpec(
        name,
        backend,
        model,
        dimensions=0,
        modalities=(),
        identity="",
        revision=revision,
        query_prompt=query_prompt,
        document_prompt=document_prompt,
        options=options or {},
    )


@dataclass(frozen=True, slots=True)
class Added:
    """A model as it is in the catalogue now; whether there was one of its name."""

    spec: ModelSpec
    replaced: bool


def add(connection: Connection, asked: ModelSpec, settings: Settings) -> Added:
    """Load the model that is asked for, which shows what it is, and put it into the catalogue."""
    from mmdb.catalogue import read_spec, write_spec
    from mmdb.models.registry import describe

    replaced = read_spec(connection, asked.name) is not None
    spec, _ = describe(asked, settings)
    write_spec(connection, spec)
    return Added(spec, replaced)


def remove(connection: Connection, name: str) -> None:
    """Forget a model, which PostgreSQL refuses while an embedding uses it."""
    connection.execute(statement(TOPIC, "remove_model"), {"name": name})


def model_of(connection: Connection, name: str) -> ModelSpec:
    """The model `name` of the catalogue. Raises ModelError where there is none."""
    from mmdb.catalogue import read_spec

    spec = read_spec(connection, name)
    if spec is None:
        raise ModelError(f'model "{name}" does not exist', hint="`mmdb models` lists them")
    return spec


def measure(spec: ModelSpec, settings: Settings) -> Trial:
    """Load a model and embed with it for MEASURE_SECONDS a modality. Needs no database."""
    from mmdb.models.registry import load

    held, began = _memory(), time.monotonic()
    embedder = load(spec, settings)
    loading = time.monotonic() - began
    speeds = [_speed(embedder, modality) for modality in spec.modalities]
    most = max(held, _memory(), _most_memory())  # the system's maximum may lag behind
    return Trial(spec.name, spec.identity, embedder.dimensions, loading, (most - held) // MEGABYTE, speeds)


def _speed(embedder: Embedder, modality: Modality) -> Speed:
    """One item as a query, then batches; the first call, which makes caches, is not counted."""
    item: Item = SENTENCE.format(0) if modality == "text" else _picture()
    embedder.embed([item], "query")
    began = time.monotonic()
    embedder.embed([item], "query")
    alone = time.monotonic() - began
    batch = [SENTENCE.format(place) if modality == "text" else item for place in range(embedder.batch_size)]
    done, seconds = _timed(embedder, batch)
    return Speed(modality, 1000 * alone, done / seconds, len(batch))


def _timed(embedder: Embedder, batch: Sequence[Item]) -> tuple[int, float]:
    done, began = 0, time.monotonic()
    while True:
        embedder.embed(batch)
        done += len(batch)
        seconds = time.monotonic() - began
        if seconds > MEASURE_SECONDS:
            return done, seconds


def _picture() -> Image:
    """A picture of many colours, 640 x 480."""
    from PIL import Image

    return Image.merge("RGB", [Image.linear_gradient("L").rotate(turn).resize((640, 480)) for turn in (0, 90, 180)])


def _memory() -> int:
    """Bytes that this process holds now."""
    import psutil  # takes 20 ms

    return int(psutil.Process().memory_info().rss)


def _most_memory() -> int:
    """Bytes, the most that this process ever held, which psutil does not know; the system counts in kilobytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
