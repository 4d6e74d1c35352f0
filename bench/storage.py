"""What a column and its index take, and what they give: halfvec, vector, and halfvec with an index of signs.

`python -m bench storage` measures 100,000 rows (some five minutes) and writes `bench/results/storage.md`; `python -m
bench.storage --rows 10000` only prints. The same vectors stand in three tables, which answer each query in turns.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector, Vector

from bench.filters_data import DECLARE, MODEL, WIDTH, Space, Vectors
from bench.harness import Result, connection, database, seconds
from bench.report import RESULTS, circumstances

ROWS = 100_000
K = 10
TRIES = 2
SHARES = (1.0, 0.1, 0.01)
GOAL = 0.95
"""Recall by default."""
ABOUT = """# Storage and indexes: `bench/storage.py`

The same {rows:,} vectors of {width} dimensions (those of [filters](filters.md)) in three tables; HNSW with pgvector's
own m and ef_construction. Median milliseconds and recall of `T_top_by_NAME` for k = {k}, without a filter and where
10 % or 1 % of the rows pass one that is unrelated to the query.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a table stores its vectors. `options` are the index's."""

    table: str
    label: str
    type: str
    options: dict[str, str]

    def value(self, vector: NDArray[Any]) -> HalfVector | Vector:
        return HalfVector(vector) if self.type == "halfvec" else Vector(vector)


@dataclass(slots=True)
class Figures:
    """Megabytes, seconds of the build, and for each share the median milliseconds and the recall."""

    kind: Kind
    table: float
    index: float
    build: float
    asked: list[tuple[float, float]]


KINDS = (
    Kind("by_half", "halfvec (default)", "halfvec", {}),
    Kind("by_full", "vector", "vector", {}),
    Kind("by_signs", "halfvec, quantization binary", "halfvec", {"quantization": "binary"}),
)


def fill(conn: psycopg.Connection[Any], kind: Kind, vectors: Vectors) -> Figures:
    """The table with its indexes, analyzed."""
    conn.execute(
        f"create table {kind.table} (id int primary key, body text, chance int, body_embedding {kind.type}({WIDTH}))"
    )
    declare = "select mmdb.add_embedding(%s, 'body', %s, index => false, index_options => %s)"
    conn.execute(declare, [kind.table, MODEL, json.dumps(kind.options)])
    chance = np.random.default_rng(1).permutation(len(vectors))
    with conn.cursor() as cursor, cursor.copy(f"copy {kind.table} from stdin (format binary)") as copy:
        copy.set_types(["int4", "text", "int4", kind.type])
        for row, vector in enumerate(vectors):
            copy.write_row((row, f"item {row}", int(chance[row]), kind.value(vector)))
    conn.execute(f"create index on {kind.table} (chance)".encode())
    build = sum(_build(conn, kind.table))
    conn.execute(f"vacuum analyze {kind.table}".encode())
    sizes = f"select pg_table_size('{kind.table}') / 1e6, pg_relation_size('{kind.table}_body_hnsw') / 1e6"
    ((table, index),) = conn.execute(sizes.encode()).fetchall()
    return Figures(kind, float(table), float(index), build, [])


def _build(conn: psycopg.Connection[Any], table: str) -> Iterator[float]:
    for (statement,) in conn.execute("select mmdb.index_statements(%s, 'body')", [table]).fetchall():
        yield seconds(lambda statement=statement: conn.execute(statement))  # type: ignore[misc]


def ask(conn: psycopg.Connection[Any], measured: Sequence[Figures], vectors: Vectors, queries: Vectors) -> None:
    """Each query TRIES times of each table, in turns; the best time of a query counts."""
    chance = np.random.default_rng(1).permutation(len(vectors))
    for share in SHARES:
        limit = round(share * len(vectors))
        filter = None if share == 1 else json.dumps({"chance": {"lt": limit}})
        taken = [[math.inf] * len(queries) for _ in measured]
        recalls: list[list[float]] = [[] for _ in measured]
        for number, query in enumerate(queries):
            true = set(np.argsort(np.where(chance < limit, -(vectors @ query), np.inf))[:K].tolist())
            for turn in range(TRIES):
                for place, figures in enumerate(measured):
                    began = time.perf_counter()
                    found = _top(conn, figures.kind, query, filter)
                    taken[place][number] = min(taken[place][number], 1000 * (time.perf_counter() - began))
                    if turn == 0:
                        recalls[place].append(len(true & found) / K)
        for place, figures in enumerate(measured):
            figures.asked.append((statistics.median(taken[place]), statistics.mean(recalls[place])))


def _top(conn: psycopg.Connection[Any], kind: Kind, query: Vectors, filter: str | None) -> set[int]:
    statement = f"select id from {kind.table}_top_by_body(%s, {K}, %s)"
    return {id for (id,) in conn.execute(statement.encode(), [kind.value(query), filter], prepare=False).fetchall()}


def measure(url: str, rows: int) -> list[Figures]:
    space = Space()
    _, asked = space.queries()
    vectors = space.rows(rows)
    with connection(url) as conn:
        conn.execute(DECLARE.partition(";")[0].encode())
        measured = [fill(conn, kind, vectors) for kind in KINDS]
        ask(conn, measured, vectors, np.array([query.vector.to_list() for query in asked], np.float32))
    return measured


def page(conn: psycopg.Connection[Any], measured: Sequence[Figures], rows: int) -> str:
    about = ABOUT.format(rows=rows, width=WIDTH, k=K)
    heads = ["", "table", "index", "build", *("all rows" if share == 1 else f"{share:.0%} pass" for share in SHARES)]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |", *map(line, measured)]
    return "\n".join([about, circumstances(conn), "", *lines, ""])


def line(figures: Figures) -> str:
    asked = [f"{median:.2f} ms, {recall:.3f}" for median, recall in figures.asked]
    sizes = [f"{figures.table:.0f} MB", f"{figures.index:.0f} MB", f"{figures.build:.0f} s"]
    return f"| {' | '.join([figures.kind.label, *sizes, *asked])} |"


def results(measured: Sequence[Figures]) -> Iterator[Result]:
    for figures in measured:
        least = min(recall for _, recall in figures.asked)
        sizes = f"index {figures.index:.0f} MB, table {figures.table:.0f} MB, {figures.build:.0f} s to build"
        yield Result(f"storage: {figures.kind.label}", f"{least:.3f}", f">= {GOAL}", least >= GOAL, sizes)


def run(url: str) -> list[Result]:
    measured = measure(url, ROWS)
    with connection(url) as conn:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "storage.md").write_text(page(conn, measured, ROWS), "utf-8")
    return list(results(measured))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000, help="rows of the tables")
    parser.add_argument("--out", type=Path, help="a file to write the page to")
    options = parser.parse_args()
    with database() as url:
        measured = measure(url, options.rows)
        with connection(url) as conn:
            written = page(conn, measured, options.rows)
    print(written)
    if options.out:
        options.out.write_text(written, "utf-8")


if __name__ == "__main__":
    main()
