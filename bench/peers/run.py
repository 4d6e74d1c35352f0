"""The measurements: what is asked of every competitor, in turns, and what comes of it as plain values for the page."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector

from bench.harness import connection
from bench.peers.data import Queries, Rows
from bench.peers.kinds.base import Filter
from bench.peers.process import PeerError, Process
from mmdb.config import Settings
from mmdb.models.registry import builtin_specs, load

K = 10
ASKED = 40
"""Queries of a cell."""
CELL_SECONDS = 8.0
"""What one competitor may take of a cell: a slow one is asked fewer, five at the least."""
GOAL = 0.95
LOADING_SECONDS, LOADING_RATE = 900.0, 300
"""How long a competitor may take to load: so long, or so many rows a second where that is longer."""
SHARES = (1.0, 0.5, 0.1, 0.01, 0.001)
CLIENTS = 4
FRESH_ROWS = 10_000
UPDATES = 10
QUESTION_K = 200
QUESTION = """
select p.section, sum(o.amount) as revenue from {source} p join orders o on o.product = p.id
where o.ordered_on >= date '2026-07-01' group by p.section order by revenue desc
"""
Answer = dict[str, Any]


@dataclass(slots=True)
class Findings:
    """All of one size, by competitor; what failed, and why."""

    rows: int
    data: str = "glosses"
    about: dict[str, Answer] = field(default_factory=dict)
    load: dict[str, Answer] = field(default_factory=dict)
    effort: dict[str, Answer] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    cells: dict[str, dict[str, Answer]] = field(default_factory=dict)
    clients: dict[str, dict[str, float]] = field(default_factory=dict)
    question: dict[str, Answer] = field(default_factory=dict)
    fresh: dict[str, float | None] = field(default_factory=dict)
    mixed: dict[str, Answer] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    circumstances: str = ""

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")


class Contest:
    """The competitors that are still in, over one set of rows."""

    def __init__(self, rows: Rows, queries: Queries, folder: Path, url: str, data: str = "glosses") -> None:
        self.rows, self.queries, self.folder, self.url = rows, queries, folder, url
        self.processes: dict[str, Process] = {}
        self.truths: dict[tuple[int, Filter | None, int], set[int]] = {}
        self.found = Findings(len(rows.vectors), data)
        self.data = folder / "data"
        self.data.mkdir()
        for name, values in (("vectors", rows.vectors), ("prices", rows.prices), ("sections", rows.sections)):
            np.save(self.data / f"{name}.npy", values)
        np.save(self.data / "queries.npy", queries.vectors)

    @contextmanager
    def entered(self, names: Sequence[str]) -> Iterator[None]:
        try:
            for name in names:
                self._enter(name)
            yield
        finally:
            for process in self.processes.values():
                process.__exit__(None, None, None)

    def _enter(self, name: str) -> None:
        """Start and load one, while the others rest."""
        process = Process(name, self.folder / name.replace(" ", "-"), self.url)
        try:
            self.found.about[name] = process.ask("about")
            limit = max(LOADING_SECONDS, len(self.rows.vectors) / LOADING_RATE)
            self.found.load[name] = process.ask("load", limit, data=str(self.data))
        except PeerError as error:
            process.__exit__(None, None, None)
            self.found.failed[name] = str(error)
            print(f"  {error}", file=sys.stderr, flush=True)
            return
        print(f"  {name}: loaded in {self.found.load[name]['seconds']:.0f} s", file=sys.stderr, flush=True)
        self.processes[name] = process

    def _ask(self, name: str, do: str, limit: float = 60, **arguments: Any) -> Answer | None:
        """None where it failed; a process that ended is out of what follows."""
        try:
            return self.processes[name].ask(do, limit, **arguments)
        except PeerError as error:
            self.found.failed.setdefault(name, str(error))
            print(f"  {error}", file=sys.stderr, flush=True)
            if self.processes[name].process.poll() is not None:
                self._leave(name)
            return None

    def _leave(self, name: str) -> None:
        process = self.processes.pop(name, None)
        if process is not None:
            process.__exit__(None, None, None)

    # Recall and latency.

    def nearest(self, query: int, filter: Filter | None, k: int = K) -> set[int]:
        key = query, filter, k
        if key not in self.truths:
            self.truths[key] = self._measure_all(query, filter, k)
        return self.truths[key]

    def _measure_all(self, query: int, filter: Filter | None, k: int) -> set[int]:
        similar = self.rows.vectors @ self.queries.vectors[query]
        if filter is not None:
            similar = np.where(filter.passes(self.rows.prices, self.rows.sections), similar, -2)
            k = min(k, int((similar > -2).sum()))
        return {int(id) for id in np.argpartition(-similar, k - 1)[:k]} if k else set()

    def choose_efforts(self) -> None:
        """The cheapest setting of each that reaches the goal without a filter, or its dearest."""
        for name in list(self.processes):
            for effort in self.found.about[name]["efforts"]:
                figures = self.cell([None] * ASKED, [name], {name: effort}).get(name)
                if figures is None:
                    self._leave(name)
                    break
                self.found.effort[name] = {"effort": effort, "recall": figures["recall"]}
                if figures["recall"] >= GOAL:
                    break

    @property
    def efforts(self) -> dict[str, int]:
        return {name: chosen["effort"] for name, chosen in self.found.effort.items()}

    def measure_cells(self) -> None:
        for label, filters in self.filters():
            passing = [
                1.0 if f is None else float(f.passes(self.rows.prices, self.rows.sections).mean()) for f in filters
            ]
            self.found.shares[label] = statistics.mean(passing)
            self.found.cells[label] = self.cell(filters, list(self.processes), self.efforts)
            print(f"  {label}: measured", file=sys.stderr, flush=True)

    def filters(self) -> Iterator[tuple[str, list[Filter | None]]]:
        """Label -> the filter of each query. Prices have nothing to do with a query, sections have much."""
        count = len(self.rows.vectors)
        for share in SHARES:
            below = None if share == 1 else Filter(below=round(share * count))
            yield ("all rows" if share == 1 else f"{100 * share:g} %"), [below] * ASKED
        sections = self.queries.sections[:ASKED]
        yield "own section", [Filter(section=int(section)) for section in sections]
        yield "another section", [Filter(section=int(other)) for other in _others(sections)]

    def cell(self, filters: Sequence[Filter | None], names: list[str], efforts: dict[str, int]) -> dict[str, Answer]:
        """Each query of each competitor, in turns that rotate; twice, and the faster counts."""
        answers: dict[str, list[tuple[float, list[int]]]] = {name: [] for name in names}
        for query, filter in enumerate(filters):
            shift = query % len(names)
            for name in names[shift:] + names[:shift]:
                slow = len(answers[name]) >= 5 and sum(ms for ms, _ in answers[name]) > 500 * CELL_SECONDS
                if name in self.processes and not slow:
                    self._ask_twice(name, query, filter, efforts[name], answers[name])
        return {name: self._figures(given, filters) for name, given in answers.items() if given}

    def _ask_twice(
        self, name: str, query: int, filter: Filter | None, effort: int, answers: list[tuple[float, list[int]]]
    ) -> None:
        wanted = None if filter is None else asdict(filter)
        given = [
            answer
            for _ in range(2)
            if name in self.processes
            and (answer := self._ask(name, "search", query=query, k=K, filter=wanted, effort=effort))
        ]
        if given:
            answers.append((min(answer["ms"] for answer in given), given[0]["ids"]))

    def _figures(self, given: list[tuple[float, list[int]]], filters: Sequence[Filter | None]) -> Answer:
        times = [ms for ms, _ in given]
        recalls, counts, short = [], [], 0
        for query, (_, ids) in enumerate(given):
            true = self.nearest(query, filters[query])
            if true:
                recalls.append(len(true & set(ids)) / len(true))
            counts.append(len(ids))
            short += len(ids) < len(true)
        high = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
        return {
            "recall": statistics.mean(recalls),
            "rows": statistics.mean(counts),
            "short": short,
            "median": statistics.median(times),
            "high": high,
            "asked": len(given),
        }

    # What applications do beside.

    def measure_clients(self) -> None:
        filters = {"all rows": None, "10 %": asdict(Filter(below=len(self.rows.vectors) // 10))}
        for label, filter in filters.items():
            rates = self.found.clients.setdefault(label, {})
            for name in list(self.processes):
                arguments = {"count": CLIENTS, "seconds": 3.0, "filter": filter, "effort": self.efforts[name]}
                answer = self._ask(name, "clients", 120, **arguments)
                if answer:
                    rates[name] = answer["rate"]

    def measure_question(self) -> None:
        """Revenue by section of the 200 rows nearest to a text, below a price, from the orders of two quarters.

        mmdb: one statement. The others: the ids from them, the rest from the database of the application.
        """
        filter = Filter(below=len(self.rows.vectors) // 10)
        if "mmdb" not in self.processes:  # whose table is that of the application
            return
        with connection(self.url) as conn:
            _make_orders(conn, len(self.rows.vectors))
            for name in list(self.processes):
                times: list[float] = []
                same: list[float] = []
                for query in range(ASKED // 2):
                    made = self._question(conn, name, query, filter)
                    if made is None or sum(times) > 1000 * CELL_SECONDS:
                        break
                    times.append(made[0])
                    same.append(made[1])
                if times:
                    self.found.question[name] = {"median": statistics.median(times), "recall": statistics.mean(same)}

    def _question(
        self, conn: psycopg.Connection[Any], name: str, query: int, filter: Filter
    ) -> tuple[float, float] | None:
        """Milliseconds, and the share of the 200 nearest that the answer is made of."""
        true = self.nearest(query, filter, QUESTION_K)
        began = time.perf_counter()
        if name == "mmdb":
            source = f"goods_top_by_body(%s, {QUESTION_K}, %s)"
            values = [HalfVector(self.queries.vectors[query]), filter.json]
            conn.execute(QUESTION.format(source=source).encode(), values).fetchall()
            taken = 1000 * (time.perf_counter() - began)
            ids = [id for (id,) in conn.execute(f"select id from {source}".encode(), values).fetchall()]
        else:
            asked = {"query": query, "k": QUESTION_K, "filter": asdict(filter), "effort": self.efforts[name]}
            answer = self._ask(name, "search", 60, **asked)
            if answer is None:
                return None
            ids = answer["ids"]
            began = time.perf_counter()
            source = "(select * from goods where id = any(%s))"
            conn.execute(QUESTION.format(source=source).encode(), [ids]).fetchall()
            taken = answer["ms"] + 1000 * (time.perf_counter() - began)
        return taken, len(true & set(ids)) / len(true)

    def measure_fresh(self) -> None:
        """From the change of a text to its being found by its new meaning; not of pictures, which are not texts."""
        if self.found.data != "glosses":
            return
        with connection(self.url) as conn:
            self.found.fresh["mmdb"], embedding = _fresh_row(conn, self.url, self.rows, self.queries)
        for name in [name for name in self.processes if name not in ("mmdb", "faiss", "numpy")]:
            times = [self._ask(name, "update", 60, id=17 * turn, query=turn) for turn in range(UPDATES)]
            taken = [answer["ms"] for answer in times if answer and answer["ms"] is not None]
            self.found.fresh[name] = statistics.median(taken) + embedding if len(taken) == UPDATES else None

    def measure_mixed(self) -> None:
        for name in [name for name in self.processes if name != "faiss"]:
            arguments = {"seconds": 4.0, "effort": self.efforts[name], "rows": len(self.rows.vectors)}
            answer = self._ask(name, "mixed", 120, **arguments)
            if answer:
                self.found.mixed[name] = answer


def _others(sections: NDArray[np.int64]) -> list[int]:
    """For each query the section of the next query that has another."""
    turned = [*sections, *sections]
    return [next(int(other) for other in turned[place + 1 :] if other != own) for place, own in enumerate(sections)]


def _make_orders(conn: psycopg.Connection[Any], products: int) -> None:
    conn.execute("drop table if exists orders")
    conn.execute(
        "create table orders as select g as id, (hashint4(g) & 2147483647) %% %s as product, "
        "((hashint4(-g) & 2147483647) %% 9000 + 1000) / 100.0 as amount, "
        "date '2026-01-01' + (hashint4(g + 7) & 2147483647) %% 360 as ordered_on from generate_series(1, %s) g",
        [products, 3 * products],
    )
    conn.execute("create index on orders (product)")
    conn.execute("vacuum analyze orders")


def _fresh_row(conn: psycopg.Connection[Any], url: str, rows: Rows, queries: Queries) -> tuple[float | None, float]:
    """Median milliseconds from an UPDATE to the row's being first in a search, and what `lite` takes for a text."""
    spec = next(spec for spec in builtin_specs() if spec.name == "lite")
    model = load(spec, Settings.from_environment())
    conn.execute("create table texts (id int primary key, body text); select mmdb.add_embedding('texts', 'body')")
    conn.execute("insert into texts select * from unnest(%s::int[], %s::text[])", _first(rows))
    environment = {**os.environ, "MMDB_DATABASE_URL": url, "OMP_NUM_THREADS": "1"}
    worker = subprocess.Popen([sys.executable, "-m", "mmdb", "worker"], env=environment, stderr=subprocess.DEVNULL)
    try:
        while conn.execute("select from texts where body_embedding is null limit 1").fetchone() is not None:
            time.sleep(0.2)
        taken, alone = [], []
        for turn, text in enumerate(queries.texts[:UPDATES]):
            vector = HalfVector(model.embed([text], "query")[0])
            began = time.perf_counter()
            model.embed([text], "document")
            alone.append(1000 * (time.perf_counter() - began))
            began = time.perf_counter()
            conn.execute("update texts set body = %s where id = %s", [text, 17 * turn])
            while _top(conn, vector) != 17 * turn:
                if time.perf_counter() - began > 30:
                    return None, statistics.median(alone)
            taken.append(1000 * (time.perf_counter() - began))
        return statistics.median(taken), statistics.median(alone)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)


def _first(rows: Rows) -> list[list[Any]]:
    count = min(FRESH_ROWS, len(rows.texts))
    return [list(range(count)), rows.texts[:count]]


def _top(conn: psycopg.Connection[Any], vector: HalfVector) -> int | None:
    row = conn.execute("select id from texts_by_body(%s) order by distance limit 1", [vector]).fetchone()
    return row[0] if row else None
