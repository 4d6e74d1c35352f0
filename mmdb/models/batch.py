"""Embedding without a database: `load_model` and `embed_batch`, for pipelines that embed before they insert.

The vectors are those that a worker would store; `mmdb.orm.copy_rows` loads them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from mmdb.config import Settings
from mmdb.errors import EmptyQueryError, MediaError, ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from mmdb.models.embed.base import Embedder, Item
    from mmdb.models.spec import ModelSpec

Source: TypeAlias = "str | bytes | os.PathLike[str] | Image"
"""A text, the bytes of a picture, the path of one, or a PIL image."""


def load_model(name: str = "lite", *, url: str | None = None) -> Embedder:
    """The model `name`, ready to embed: one that mmdb describes, or with `url` one of that database's mmdb.models.

    Raises ModelError where there is no such model, ModelUnavailableError where this machine lacks what it needs.
    """
    from mmdb.models.registry import builtin_specs, load

    specs = {spec.name: spec for spec in builtin_specs()} if url is None else _specs_of(url)
    if name not in specs:
        raise ModelError(f'model "{name}" does not exist', hint=f"there are: {', '.join(specs)}")
    return load(specs[name], Settings.from_environment())


def _specs_of(url: str) -> dict[str, ModelSpec]:
    import psycopg

    from mmdb.catalogue import read_specs
    from mmdb.database.engine import database_url

    with psycopg.connect(database_url(url)) as connection:
        return read_specs(connection)


def embed_batch(
    sources: Iterable[Source],
    model: str | Embedder = "lite",
    *,
    purpose: Literal["document", "query"] = "document",
    progress: bool | None = None,
) -> NDArray[np.float32]:
    """The vectors of `sources`, texts and pictures mixed: float32, shape (number of sources, dimensions), unit length.

    Sources are read as they are needed, a batch of the model's at a time. `model` is a name or what `load_model` gave.
    `progress` shows a bar on stderr; None shows one where that is a terminal.

    Raises MediaError for a picture that cannot be read, naming its place, ModelError for what the model refuses,
    EmptyQueryError for an empty text with `purpose="query"`.
    """
    import numpy as np

    embedder = load_model(model) if isinstance(model, str) else model
    total = len(sources) if isinstance(sources, Sequence) else None
    made = [np.empty((0, embedder.dimensions), np.float32)]
    with _bar(total, progress) as advance:
        place = 0
        for batch in _batches(sources, embedder.batch_size):
            items = [_item(source, place + offset) for offset, source in enumerate(batch)]
            if purpose == "query":
                _check_queries(items, place)
            made.append(embedder.embed(items, purpose))
            place += len(batch)
            advance(len(batch))
    return np.concatenate(made)


def _batches(sources: Iterable[Source], size: int) -> Iterator[list[Source]]:
    remaining = iter(sources)
    while batch := list(islice(remaining, size)):
        yield batch


def _item(source: Source, place: int) -> Item:
    from PIL import Image

    from mmdb.media.kinds import item_of

    if isinstance(source, str | Image.Image):
        return source
    try:
        return item_of(source if isinstance(source, bytes) else Path(source).read_bytes())
    except OSError as error:
        raise MediaError(f'source {place}: "{source!r}" cannot be read: {error.strerror}') from error
    except MediaError as error:
        raise MediaError(f"source {place}: {error.message}", hint=error.hint) from error


def _check_queries(items: list[Item], place: int) -> None:
    from mmdb.media.kinds import is_blank

    for offset, item in enumerate(items):
        if is_blank(item):
            raise EmptyQueryError(f"query {place + offset} is empty", hint="it has no vector: leave it out")


@contextmanager
def _bar(total: int | None, wanted: bool | None) -> Iterator[Callable[[int], None]]:
    """A function that is told how many more are done."""
    if not (sys.stderr.isatty() if wanted is None else wanted):
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("embedding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("embedding", total=total)
        yield lambda count: bar.advance(task, count)
