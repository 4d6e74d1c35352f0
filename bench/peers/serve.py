"""One competitor as a process: a line of JSON in, a line of JSON out. `python -m bench.peers.serve NAME FOLDER URL`."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.kinds.base import Filter, Peer, Vectors

KINDS = {
    "mmdb": ("postgres", "Ours"),
    "pgvector": ("postgres", "Plain"),
    "vecs": ("wrapper", "Vecs"),
    "chroma": ("chroma", "Chroma"),
    "lancedb": ("lance", "Lance"),
    "milvus-lite": ("milvus", "Milvus"),
    "qdrant local": ("qdrant", "Qdrant"),
    "hnswlib": ("hnsw", "Hnswlib"),
    "faiss": ("faiss_hnsw", "Faiss"),
    "numpy": ("exact", "Exact"),
}
"""Name in the tables -> module and class."""


class Service:
    """What the driver may ask. Times are milliseconds, taken here."""

    def __init__(self, name: str, folder: Path, url: str) -> None:
        module, kind = KINDS[name]
        self.peer: Peer = getattr(import_module(f"bench.peers.kinds.{module}"), kind)(folder, url)
        self.folder = folder
        self.queries: Vectors

    def about(self) -> dict[str, Any]:
        return {"version": self.peer.version, "efforts": list(self.peer.efforts)}

    def load(self, data: str) -> dict[str, Any]:
        """`data` is a folder with vectors.npy, queries.npy, prices.npy and sections.npy."""
        self.queries = np.load(Path(data) / "queries.npy")
        vectors = np.asarray(np.load(Path(data) / "vectors.npy", mmap_mode="r"))  # shared by all processes
        prices, sections = (np.load(Path(data) / f"{name}.npy") for name in ("prices", "sections"))
        began = time.perf_counter()
        self.peer.load(vectors, prices, sections)
        seconds = time.perf_counter() - began
        del vectors  # what was read is not the competitor's, unless it keeps it
        return {"seconds": seconds, "disk": self.peer.disk(), "memory": self.peer.memory()}

    def search(self, query: int, k: int, filter: dict[str, int] | None, effort: int) -> dict[str, Any]:
        vector, wanted = self.queries[query], Filter(**filter) if filter else None
        began = time.perf_counter()
        found = self.peer.search(vector, k, wanted, effort)
        return {"ms": 1000 * (time.perf_counter() - began), "ids": found}

    def clients(self, count: int, seconds: float, filter: dict[str, int] | None, effort: int) -> dict[str, Any]:
        """Queries a second of `count` threads, each of which asks without a pause."""
        wanted = Filter(**filter) if filter else None
        answered = [0] * count
        end = time.perf_counter() + seconds

        def ask(client: int) -> None:
            place = client
            while time.perf_counter() < end:
                self.peer.search(self.queries[place % len(self.queries)], 10, wanted, effort)
                answered[client] += 1
                place += count

        _at_once(ask, count)
        return {"rate": sum(answered) / seconds}

    def update(self, id: int, query: int) -> dict[str, Any]:
        """Give row `id` the vector of a query, and ask until it is found by it."""
        began = time.perf_counter()
        self.peer.update(id, self.queries[query])
        while id not in self.peer.search(self.queries[query], 10, None, self.peer.efforts[-1]):
            if time.perf_counter() - began > 30:
                return {"ms": None}
        return {"ms": 1000 * (time.perf_counter() - began)}

    def mixed(self, seconds: float, effort: int, rows: int) -> dict[str, Any]:
        """Searches of one thread while another updates rows, a hundred a second at most."""
        end = time.perf_counter() + seconds
        taken: list[float] = []
        written = [0]

        def run(thread: int) -> None:
            while time.perf_counter() < end:
                began = time.perf_counter()
                if thread == 0:
                    self.peer.search(self.queries[len(taken) % len(self.queries)], 10, None, effort)
                    taken.append(1000 * (time.perf_counter() - began))
                else:
                    self.peer.update(written[0] * 7919 % rows, self.queries[written[0] % len(self.queries)])
                    written[0] += 1
                    time.sleep(max(0.0, 0.01 - (time.perf_counter() - began)))

        _at_once(run, 2)
        high = statistics.quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0]
        return {"median": statistics.median(taken), "high": high, "written": written[0] / seconds}


def _at_once(action: Callable[[int], None], count: int) -> None:
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            action(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def main() -> None:
    name, folder, url = sys.argv[1:]
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # libraries print what they like
        service = Service(name, Path(folder), url)
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                answer = getattr(service, asked.pop("do"))(**asked)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"[:300]}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
