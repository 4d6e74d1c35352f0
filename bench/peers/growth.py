"""What grows with the rows of a table, and how: `python -m bench.peers.growth` (some five minutes; `--large` twenty).

mmdb alone, on the data of the contest, at several sizes, with `--large` up to a million. Slopes are fitted in
logarithms over all of them, and what 10 and 100 million rows would need is computed from the last size by the slope:
an extrapolation of two or three decades, which says what to plan for and not what was seen. Writes
`bench/results/scaling.md` and its plot.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.harness import connection, database
from bench.peers import data
from bench.peers.data import Queries, Rows
from bench.peers.kinds.base import Filter
from bench.peers.kinds.postgres import Ours
from bench.report import RESULTS, circumstances

SIZES = (5_000, 10_000, 20_000, 50_000, 100_000)
LARGE = 1_000_000
PLANNED = (1_000_000, 10_000_000, 100_000_000)
ASKED = 60
SHARES = {"all": 1.0, "10 %": 0.1, "1 %": 0.01}
NAMES = {
    "copy": ("COPY with vectors", "s"),
    "build": ("building HNSW", "s"),
    "table": ("table and its B-trees", "MB"),
    "index": ("HNSW index", "MB"),
    "all": ("top 10, no filter", "ms"),
    "ten": ("top 10, 10 % pass", "ms"),
    "one": ("top 10, 1 % pass", "ms"),
}
ABOUT = """# Growth: `bench/peers/growth.py`

Glosses of WordNet by `lite`, 512 numbers in a `halfvec`, HNSW with pgvector's own parameters and enough
`maintenance_work_mem` for its graph; two B-trees. Medians of {asked} queries that are no rows, the faster of two.
Recall of the top 10 over all sizes: {recall:.2f} at the least. Sizes in parentheses are computed from the last one by
the slope, not measured. Rows beyond the 117,459 glosses are copies of them with noise.
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds, megabytes and milliseconds of one size."""

    rows: int
    copy: float
    build: float
    table: float
    index: float
    all: float
    ten: float
    one: float
    recall: float


class Timed(Ours):
    """Notes what the index takes."""

    built = 0.0

    def build(self) -> None:
        began = time.perf_counter()
        super().build()
        self.built = time.perf_counter() - began


def measure(size: int) -> Figures:
    rows, queries = data.read(size)
    with tempfile.TemporaryDirectory() as folder, database() as url:
        ours = Timed(Path(folder), url)
        began = time.perf_counter()
        ours.load(rows.vectors, rows.prices, rows.sections)
        taken = time.perf_counter() - began
        with connection(url) as conn:
            sizes = "select pg_total_relation_size('goods'), pg_relation_size('goods_body_hnsw')"
            ((whole, index),) = conn.execute(sizes).fetchall()
        asked = [_ask(ours, rows, queries, share) for share in SHARES.values()]
        ours.connection.close()
    (every, _), (ten, _), (one, _) = asked
    recall = min(recall for _, recall in asked)
    return Figures(size, taken - ours.built, ours.built, (whole - index) / 1e6, index / 1e6, every, ten, one, recall)


def _ask(ours: Ours, rows: Rows, queries: Queries, share: float) -> tuple[float, float]:
    """(median milliseconds, recall@10)"""
    filter = None if share == 1 else Filter(below=round(share * len(rows.vectors)))
    passes = np.ones(len(rows.vectors), np.bool_) if filter is None else filter.passes(rows.prices, rows.sections)
    times, recalls = [], []
    for vector in queries.vectors[:ASKED]:
        tries = []
        for _ in range(2):
            began = time.perf_counter()
            found = ours.search(vector, 10, filter, 100)
            tries.append(1000 * (time.perf_counter() - began))
        times.append(min(tries))
        true = np.argsort(np.where(passes, -(rows.vectors @ vector), np.inf))[:10]
        recalls.append(len(set(found) & set(true.tolist())) / 10)
    return statistics.median(times), statistics.mean(recalls)


def slope(measured: Sequence[Figures], name: str) -> float:
    """Of the logarithm of a figure over that of the rows."""
    rows = [figures.rows for figures in measured]
    return float(np.polyfit(np.log(rows), np.log([asdict(figures)[name] for figures in measured]), 1)[0])


def planned(measured: Sequence[Figures], name: str, rows: int) -> float:
    last = measured[-1]
    return float(asdict(last)[name] * (rows / last.rows) ** slope(measured, name))


def page(measured: Sequence[Figures], where: str) -> str:
    sizes = [f"{figures.rows:,}" for figures in measured]
    ahead = [rows for rows in PLANNED if rows > measured[-1].rows]
    heads = ["", *sizes, "slope", *(f"({rows:,})" for rows in ahead)]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join(['---'] * len(heads))} |"]
    for name, (label, unit) in NAMES.items():
        seen = [_amount(asdict(figures)[name]) for figures in measured]
        later = [_amount(planned(measured, name, rows)) for rows in ahead]
        lines.append(f"| {' | '.join([f'{label}, {unit}', *seen, f'{slope(measured, name):.2f}', *later])} |")
    about = ABOUT.format(asked=ASKED, recall=min(figures.recall for figures in measured))
    return "\n".join([about, where, "", *lines, "", "![](scaling.svg)", ""])


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def plot(measured: Sequence[Figures], target: Path) -> None:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("no plot is drawn without matplotlib: pip install --group bench")
        return
    mpl.rcParams["svg.hashsalt"] = "scaling"
    figure = Figure(figsize=(12, 4), layout="constrained")
    axes = figure.subplots(1, 3)
    rows = [figures.rows for figures in measured]
    for panel, unit in zip(axes, ("s", "MB", "ms"), strict=True):
        for name, (label, of) in NAMES.items():
            if of == unit:
                panel.plot(rows, [asdict(figures)[name] for figures in measured], "o-", ms=4, label=label)
        panel.set(xscale="log", yscale="log", xlabel="rows", ylabel=unit)
        panel.legend(fontsize="small")
    figure.savefig(target, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} rows too")
    measured = []
    for size in [*SIZES, LARGE] if parser.parse_args().large else SIZES:
        measured.append(measure(size))
        print(measured[-1], flush=True)
    with database() as url, connection(url) as conn:
        where = circumstances(conn)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scaling.md").write_text(page(measured, where), "utf-8")
    plot(measured, RESULTS / "scaling.svg")


if __name__ == "__main__":
    main()
