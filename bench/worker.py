"""Worker rows a second against a bare loop over the same model: what the database and the leases cost.

PostgreSQL's insertion into a growing HNSW index takes longer than `lite` takes for a short text (1.4 against 1.3 ms a
row, measured with 4,000 rows of 640 numbers), so with the index there that is what is measured.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
from PIL import Image

from bench.harness import Result, at_least, connection, in_turns
from mmdb.config import Settings
from mmdb.database.statements import resource
from mmdb.media.image import decode_image
from mmdb.models.embed.base import Embedder
from mmdb.models.registry import builtin_specs, load
from mmdb.worker import WorkerOptions, background

TEXTS = 2_000
PICTURES = 200
ROUNDS = 3
BUDGET = 0.9


def run(url: str) -> list[Result]:
    spec = next(spec for spec in builtin_specs() if spec.name == "lite")
    embedder = load(spec, Settings.from_environment())
    with connection(url) as conn, background(url, options=WorkerOptions(models=("lite",))):
        return [
            _compare(conn, embedder, "text", "text", made_texts(TEXTS), str, index=False),
            _compare(conn, embedder, "text, into the HNSW index", "text", made_texts(TEXTS), str),
            _compare(conn, embedder, "image, into the HNSW index", "bytea", made_pictures(PICTURES), decode_image),
        ]


def _compare(
    conn: psycopg.Connection[Any],
    embedder: Embedder,
    name: str,
    column_type: str,
    sources: Sequence[Any],
    prepare: Callable[[Any], Any],
    *,
    index: bool = True,
) -> Result:
    conn.execute("drop table if exists bench, sources")
    conn.execute(f"create table sources (id int primary key, source {column_type})")
    conn.execute(f"create table bench (id int primary key, source {column_type})")
    conn.execute("select mmdb.add_embedding('bench', 'source')")
    if not index:
        conn.execute("drop index bench_source_hnsw")
    with conn.cursor() as cursor:
        cursor.executemany("insert into sources values (%s, %b)", list(enumerate(sources)))

    def bare() -> None:
        for start in range(0, len(sources), embedder.batch_size):
            embedder.embed([prepare(source) for source in sources[start : start + embedder.batch_size]])

    def worker() -> None:
        conn.execute("truncate bench")
        conn.execute("insert into bench select * from sources")
        conn.execute("notify mmdb, ''")
        _wait(conn)

    bare_seconds, worker_seconds = in_turns(ROUNDS, bare, worker)
    detail = f"{len(sources) / worker_seconds:.0f} rows/s, bare loop {len(sources) / bare_seconds:.0f} rows/s"
    return at_least(f"worker, {name}", bare_seconds / worker_seconds, BUDGET, detail)


def _wait(conn: psycopg.Connection[Any]) -> None:
    while conn.execute("select from bench where source_embedding is null limit 1").fetchone() is not None:
        time.sleep(0.02)


def made_texts(count: int) -> list[str]:
    words = [
        "red",
        "shoes",
        "of",
        "a",
        "small",
        "shop",
        "beside",
        "the",
        "old",
        "harbour",
        "where",
        "boats",
        "bring",
        "fish",
        "and",
        "fruit",
        "every",
        "morning",
    ]
    chance = random.Random(1)
    return [" ".join(chance.choices(words, k=chance.randrange(6, 25))) for _ in range(count)]


def made_pictures(count: int) -> list[bytes]:
    """Photographs of the poster shop, each a little different."""
    photos = sorted((Path(resource("examples/shop")) / "photos").glob("*.jpg"))
    made = []
    for number in range(count):
        with Image.open(photos[number % len(photos)]) as photo:
            file = io.BytesIO()
            photo.rotate(number % 7).save(file, "JPEG", quality=85)
            made.append(file.getvalue())
    return made
