"""Top 10 under filters: recall, rows and latency over selectivity, correlation with the query, and rows of the table.

`python -m bench filters` measures 10,000 and 100,000 rows (some ten minutes) and writes `bench/results/filters.md` and
its plot; `python -m bench.filters --rows 10000` only prints. Competitors answer each query in turns, on one server:

    off             plain pgvector as it is installed: `order by distance limit 10`, no iterative scan
    relaxed 40      the same with `hnsw.iterative_scan = relaxed_order`
    relaxed 200     and with `hnsw.ef_search = 200`
    exact           every row that passes the filter is measured, through the filter's index where PostgreSQL likes
    ours            T_top_by_NAME
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from pgvector import HalfVector

from bench import filters_report
from bench.filters_cells import GOAL, Cell, Figures
from bench.filters_data import POLICY, TENANT, TENANT_SHARE, Query, fill
from bench.harness import Result, connection, database

SIZES = (10_000, 100_000)
SHARES = (1.0, 0.5, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001, 0.0001)
K = 10
TRIES = 2
"""Of each query, of which the faster counts: the machine has other work too."""


@dataclass(frozen=True, slots=True)
class Competitor:
    """`{passes}` of the statement is the filter in SQL; `settings` are the session's."""

    name: str
    statement: str
    settings: str


PLAIN = f"select id, body_embedding <=> %(q)s from goods where {{passes}} order by body_embedding <=> %(q)s limit {K}"
EXACT = (
    "select id, d from (select id, body_embedding <=> %(q)s as d from goods where {passes} offset 0) p "
    f"order by d limit {K}"
)
OURS = f"select id, distance from goods_top_by_body(%(q)s, {K}, %(filter)s)"
COMPETITORS = (
    Competitor("off", PLAIN, "set hnsw.iterative_scan = off"),
    Competitor("relaxed 40", PLAIN, "set hnsw.iterative_scan = relaxed_order"),
    Competitor("relaxed 200", PLAIN, "set hnsw.iterative_scan = relaxed_order; set hnsw.ef_search = 200"),
    Competitor("exact", EXACT, "reset all"),
    Competitor("ours", OURS, "reset all"),
)
Connections = dict[str, psycopg.Connection[Any]]


@dataclass(frozen=True, slots=True)
class Filter:
    """The same condition for those who write SQL and for ours; None is no filter."""

    sql: str = "true"
    json: str | None = None


def filter_of(kind: str, share: float, size: int, query: Query) -> Filter:
    limit = max(1, round(share * size))
    if kind == "tenant":
        return Filter(f"tenant = '{TENANT}'", json.dumps({"tenant": TENANT}))
    if share == 1 or kind == "row-level security":
        return Filter()
    column = f"near_{query.anchor}" if kind in ("near", "far") else "chance"
    if kind == "far":
        return Filter(f"{column} >= {size - limit}", json.dumps({column: {"gte": size - limit}}))
    return Filter(f"{column} < {limit}", json.dumps({column: {"lt": limit}}))


def measure(connections: Connections, queries: Sequence[Query], size: int, share: float, kind: str) -> Cell:
    """Each query TRIES times by each competitor, in turns that rotate; the best time of a query counts."""
    taken: dict[str, list[float]] = {c.name: [math.inf] * len(queries) for c in COMPETITORS}
    found: dict[str, list[list[int]]] = {c.name: [[]] * len(queries) for c in COMPETITORS}
    for turn in range(TRIES * len(queries)):
        place = turn % len(queries)
        filter = filter_of(kind, share, size, queries[place])
        shift = turn % len(COMPETITORS)
        for competitor in COMPETITORS[shift:] + COMPETITORS[:shift]:
            name = competitor.name
            began = time.perf_counter()
            found[name][place] = _ask(connections[name], competitor, filter, queries[place].vector)
            taken[name][place] = min(taken[name][place], 1000 * (time.perf_counter() - began))
    figures = {name: _figures(taken[name], found[name], found["exact"]) for name in taken}
    return Cell(size, share, kind, round(share * size), figures)


def _ask(conn: psycopg.Connection[Any], competitor: Competitor, filter: Filter, vector: HalfVector) -> list[int]:
    """Not prepared, so that every plan is made for its filter."""
    statement = competitor.statement.format(passes=filter.sql)
    rows = conn.execute(statement, {"q": vector, "filter": filter.json}, prepare=False).fetchall()
    return [id for id, _ in rows]


def _figures(times: list[float], found: list[list[int]], true: list[list[int]]) -> Figures:
    recalls = [len(set(own) & set(best)) / len(best) for own, best in zip(found, true, strict=True)]
    counts = [len(set(own)) for own in found]
    short = sum(count < len(best) for count, best in zip(counts, true, strict=True))
    high = statistics.quantiles(times, n=20)[-1]
    return Figures(statistics.mean(recalls), statistics.mean(counts), short, statistics.median(times), high)


def cells(url: str, size: int) -> Iterator[Cell]:
    with connection(url) as owner, ExitStack() as stack:
        queries = fill(owner, size)
        connections = _connections(stack, url)
        for kind in ("independent", "near", "far"):
            for share in SHARES if kind == "independent" else SHARES[1:]:
                yield measure(connections, queries, size, share, kind)
        yield from _tenants(owner, url, queries, size)
        owner.execute("delete from goods where chance % 3 = 0")
        owner.execute("vacuum analyze goods")
        for share in (1.0, 0.1, 0.01):
            yield measure(connections, queries, size, share, "third deleted")


def _connections(stack: ExitStack, url: str, more: str = "") -> Connections:
    made = {}
    for competitor in COMPETITORS:
        made[competitor.name] = stack.enter_context(connection(url))
        made[competitor.name].execute(competitor.settings + more)
    return made


def _tenants(owner: psycopg.Connection[Any], url: str, queries: Sequence[Query], size: int) -> Iterator[Cell]:
    """The rows of a small tenant: by a filter of the owner, and by a row policy as that tenant."""
    owner.execute(POLICY)
    with ExitStack() as stack:
        yield measure(_connections(stack, url), queries, size, TENANT_SHARE, "tenant")
        as_tenant = _connections(stack, url, f"; set role {TENANT}")
        yield measure(as_tenant, queries, size, TENANT_SHARE, "row-level security")


def fixed_cost(measured: Sequence[Cell]) -> float:
    """Milliseconds that a call of ours takes over the same search by hand, where at most 100 rows are measured."""
    small = [cell.figures for cell in measured if cell.passing <= 100]
    return statistics.median(figures["ours"].median - figures["exact"].median for figures in small)


def results(measured: Sequence[Cell]) -> list[Result]:
    least = min(cell.figures["ours"].recall for cell in measured)
    short = [cell for cell in measured if cell.figures["ours"].short]
    fixed = fixed_cost(measured)

    def slower(cell: Cell) -> float:
        return (cell.figures["ours"].median - fixed) / cell.best

    worst = max(measured, key=slower)
    where, times = f"{worst.size:,} rows, {worst.share:.2%}, {worst.kind}", slower(worst)
    return [
        Result("filters: cells with fewer than k rows", str(len(short)), "0", not short, f"of {len(measured)} cells"),
        Result("filters: least recall@10", f"{least:.3f}", f">= {GOAL}", least >= GOAL, "by default"),
        Result("filters: fixed cost of a call", f"{fixed:.2f} ms", "<= 0.5 ms", fixed <= 0.5, "over a search by hand"),
        Result("filters: the rest to the best with that recall", f"{times:.2f}x", "<= 2x", times <= 2, where),
    ]


def run(url: str) -> list[Result]:
    measured = [cell for size in SIZES for cell in cells(url, size)]
    with connection(url) as conn:
        filters_report.write(conn, measured, fixed_cost(measured))
    return results(measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES[:1], help="rows of the table")
    parser.add_argument("--out", type=Path, help="a folder to write filters.md and the plot to")
    options = parser.parse_args()
    with database() as url:
        measured = []
        for size in options.rows:
            for cell in cells(url, size):
                print(filters_report.line(cell), flush=True)
                measured.append(cell)
        if options.out:
            with connection(url) as conn:
                filters_report.write(conn, measured, fixed_cost(measured), options.out)
    for result in results(measured):
        print(result)


if __name__ == "__main__":
    main()
