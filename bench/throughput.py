"""Rows a second from a table to its stored embedding against a bare loop over the same model, for each backend.

`python -m bench throughput` (some four minutes) writes `bench/results/throughput.md`. The worker is a process of its
own, `mmdb worker`, whose peak memory is read. The bare loop decodes and embeds the same sources in this process, in
batches of the model's own size. What is not installed is left out and named.

    lite                    the model that comes with mmdb
    hash                    a model that costs nothing: what the database and the leases cost
    openai                  a server on this machine that answers at once
    sentence_transformers   a BERT of the size of all-MiniLM-L6-v2 with random weights, made here
    open_clip               ViT-B-32 with random weights, made here; in the environment of `make test-models`
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

from bench.harness import Result, at_least, connection, database, seconds
from bench.made_models import make_minilm, make_open_clip
from bench.report import RESULTS, circumstances
from bench.worker import made_pictures, made_texts
from mmdb.config import Settings
from mmdb.media.image import decode_image
from mmdb.models.embed.base import Embedder
from mmdb.models.embed.hash import HashEmbedder
from mmdb.models.registry import describe
from mmdb.models.spec import ModelSpec

ROUNDS = 3
BUDGET = 0.9
DIMENSIONS = 384
CEILINGS = ("hash", "openai")
"""Models that cost next to nothing here: they show how many rows a second the database takes."""
ABOUT = """# Throughput of a worker: `bench/throughput.py`

Rows a second of `mmdb worker`, from an INSERT into a table without and with an HNSW index to the last stored
embedding, beside a bare loop that decodes and embeds the same sources with the same model in batches of the same size.
Medians of {rounds} rounds in which all take turns. Memory is the peak of the worker's process, the model's included.

`hash` and the server of `openai` cost next to nothing here: they show how many rows a second the database takes, with
the server's and the worker's processes on the same cores.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A model over sources of one modality; `rows` of them."""

    spec: ModelSpec
    modality: str
    rows: int
    environment: dict[str, str]

    @property
    def table(self) -> str:
        return f"{self.spec.name}_{self.modality}"

    @property
    def label(self) -> str:
        return f"{self.spec.backend}, {self.modality}"


@dataclass(frozen=True, slots=True)
class Figures:
    """Rows a second; megabytes."""

    case: Case
    batch: int
    bare: float
    plain: float
    indexed: float
    memory: float


def cases(stack: ExitStack) -> Iterator[Case]:
    """What can be measured here."""
    yield Case(ModelSpec("hash", "hash", "sha256", 64, ("text", "image"), ""), "text", 8_000, {})
    yield Case(ModelSpec("lite", "lite", "", 640, ("text", "image"), ""), "text", 4_000, {})
    yield Case(ModelSpec("lite", "lite", "", 640, ("text", "image"), ""), "image", 200, {})
    url = stack.enter_context(prompt_server())
    served = ModelSpec("served", "openai", "any", DIMENSIONS, ("text",), "", options={"base_url": url})
    yield Case(served, "text", 4_000, {"MMDB_PROVIDERS": url.removesuffix("/v1")})
    if importlib.util.find_spec("sentence_transformers"):
        folder = make_minilm(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mmdb-bench-"))) / "minilm")
        yield Case(ModelSpec("minilm", "sentence_transformers", str(folder), 0, (), ""), "text", 600, {})
    if importlib.util.find_spec("open_clip"):
        folder = make_open_clip(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mmdb-bench-"))) / "clip")
        clip = ModelSpec("clip", "open_clip", str(folder), 0, (), "")
        yield Case(clip, "text", 400, {})
        yield Case(clip, "image", 200, {})


def left_out() -> list[str]:
    return [name for name in ("sentence_transformers", "open_clip") if not importlib.util.find_spec(name)]


@contextmanager
def prompt_server() -> Iterator[str]:
    """An OpenAI-compatible server that costs next to nothing."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            vectors = HashEmbedder(DIMENSIONS).embed(asked["input"])
            entries = [
                {"index": place, "embedding": base64.b64encode(vector.tobytes()).decode()}
                for place, vector in enumerate(vectors)
            ]
            body = json.dumps({"data": entries}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()


@contextmanager
def worker(url: str, case: Case) -> Iterator[int]:
    """The process id of a worker that serves the case's model."""
    environment = {**os.environ, **case.environment, "MMDB_DATABASE_URL": url}
    process = subprocess.Popen(
        [sys.executable, "-m", "mmdb", "worker", "--model", case.spec.name],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def peak_memory(pid: int) -> float:
    """Megabytes of which a process ever had hold, as Linux counts; 0 elsewhere."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measure(conn: psycopg.Connection[Any], url: str, case: Case) -> Figures:
    settings = Settings.from_environment({**os.environ, **case.environment})
    made, embedder = describe(case.spec, settings)
    if case.spec.name not in ("hash", "lite"):
        _register(conn, made)
    sources: Sequence[Any] = made_texts(case.rows) if case.modality == "text" else made_pictures(case.rows)
    prepare: Callable[[Any], Any] = str if case.modality == "text" else decode_image
    _declare(conn, case, sources)
    taken: list[list[float]] = [[], [], []]
    with worker(url, case) as pid:
        _wait_for_worker(conn, case.spec.name)
        for _ in range(ROUNDS):
            taken[0].append(seconds(lambda: _bare(embedder, sources, prepare)))
            for place, table in enumerate((f"{case.table}_plain", f"{case.table}_indexed"), 1):
                taken[place].append(seconds(lambda table=table: _fill(conn, case, table)))  # type: ignore[misc]
        memory = peak_memory(pid)
    bare, plain, indexed = (case.rows / statistics.median(times) for times in taken)
    return Figures(case, embedder.batch_size, bare, plain, indexed, memory)


def _register(conn: psycopg.Connection[Any], spec: ModelSpec) -> None:
    values = [spec.name, spec.backend, spec.model, spec.dimensions, list(spec.modalities), spec.identity]
    add = "select mmdb.add_model(%s, %s, %s, %s, %s, %s, revision => %s, options => %s)"
    conn.execute(add, [*values, spec.revision, json.dumps(dict(spec.options))])


def _declare(conn: psycopg.Connection[Any], case: Case, sources: Sequence[Any]) -> None:
    type_ = "text" if case.modality == "text" else "bytea"
    conn.execute(f"create table {case.table}_sources (id int primary key, source {type_})".encode())
    with conn.cursor() as cursor:
        cursor.executemany(f"insert into {case.table}_sources values (%s, %b)".encode(), list(enumerate(sources)))
    for kind, options in (("plain", '{"type": "none"}'), ("indexed", "{}")):
        conn.execute(f"create table {case.table}_{kind} (id int primary key, source {type_})".encode())
        declare = "select mmdb.add_embedding(%s, 'source', %s, index_options => %s)"
        conn.execute(declare, [f"{case.table}_{kind}", case.spec.name, options])


def _wait_for_worker(conn: psycopg.Connection[Any], model: str) -> None:
    alive = "select from mmdb.workers where alive and %s = any(models)"
    deadline = time.monotonic() + 120
    while conn.execute(alive, [model]).fetchone() is None:
        if time.monotonic() > deadline:
            sys.exit(f'error: no worker came up that serves "{model}"')
        time.sleep(0.1)


def _bare(embedder: Embedder, sources: Sequence[Any], prepare: Callable[[Any], Any]) -> None:
    for start in range(0, len(sources), embedder.batch_size):
        embedder.embed([prepare(source) for source in sources[start : start + embedder.batch_size]])


def _fill(conn: psycopg.Connection[Any], case: Case, table: str) -> None:
    conn.execute(f"truncate {table}".encode())
    conn.execute(f"insert into {table} select * from {case.table}_sources".encode())
    conn.execute("notify mmdb, ''")
    while conn.execute(f"select from {table} where source_embedding is null limit 1".encode()).fetchone() is not None:
        time.sleep(0.02)


def page(conn: psycopg.Connection[Any], measured: Sequence[Figures]) -> str:
    heads = ["", "rows", "batch", "bare loop", "worker", "", "worker, HNSW", "", "memory"]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |", *map(line, measured)]
    missing = [f"Not installed, not measured: {', '.join(left_out())}.", ""] if left_out() else []
    return "\n".join([ABOUT.format(rounds=ROUNDS), circumstances(conn), "", *lines, "", *missing])


def line(figures: Figures) -> str:
    cells = [figures.case.label, f"{figures.case.rows:,}", f"{figures.batch}", f"{figures.bare:,.0f}/s"]
    for rate in (figures.plain, figures.indexed):
        cells += [f"{rate:,.0f}/s", f"{rate / figures.bare:.2f}x"]
    return f"| {' | '.join([*cells, f'{figures.memory:.0f} MB'])} |"


def results(measured: Sequence[Figures]) -> Iterator[Result]:
    for figures in measured:
        if figures.case.spec.backend in CEILINGS:
            continue
        detail = f"{figures.plain:,.0f} rows/s, bare loop {figures.bare:,.0f} rows/s"
        yield at_least(f"throughput: {figures.case.label}", figures.plain / figures.bare, BUDGET, detail)


def run(url: str) -> list[Result]:
    with ExitStack() as stack, connection(url) as conn:
        measured = [measure(conn, url, case) for case in cases(stack)]
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "throughput.md").write_text(page(conn, measured), "utf-8")
    return list(results(measured))


def main() -> None:
    with database() as url, ExitStack() as stack, connection(url) as conn:
        for case in cases(stack):
            print(line(measure(conn, url, case)), flush=True)


if __name__ == "__main__":
    main()
