"""What `bench.filters` found, as a page and as a plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg

from bench.filters_cells import Cell, Figures
from bench.report import RESULTS, circumstances

KINDS = {
    "independent": "the filter has nothing to do with the query",
    "near": "the rows that pass lie near the query",
    "far": "the rows that pass lie far from the query",
    "tenant": "the rows of a small tenant, by a filter",
    "row-level security": "the same rows, as that tenant under row-level security, no filter",
    "third deleted": "a third of the rows deleted and vacuumed, filter independent",
}
COLOURS = {"off": "#b0b0b0", "relaxed 40": "#e0a030", "relaxed 200": "#c05030", "exact": "#4070b0", "ours": "#208050"}
ABOUT = """# Filters: `bench/filters.py`

Top 10 of tables of 512-d `halfvec` vectors in clusters, HNSW index with pgvector's own parameters, an index on each
filter's column. Each cell is 40 queries that are no rows of the table, each asked twice, of which the faster counts;
competitors take turns on one server.

- *off*: plain pgvector as it is installed. *relaxed 40*, *relaxed 200*: plain pgvector with
  `hnsw.iterative_scan = relaxed_order` and `hnsw.ef_search` 40 and 200.
- *exact*: every row that passes is measured (`order by` over a subquery with `offset 0`); the truth for recall.
- *ours*: `T_top_by_NAME(query, 10, filter)`. *ratio*: its median over that of the quickest of the others with recall
  of at least 0.95 in the cell.

A cell reads: recall@10, median / 95th percentile over the queries in milliseconds, and the mean number of rows where
some query got fewer than there are. Every call is planned anew. A call of ours has a fixed cost, here {fixed:.1f} ms,
which is most of what it takes where few rows pass.
"""


def line(cell: Cell) -> str:
    parts = [f"{name} {_text(figures)}" for name, figures in cell.figures.items()]
    return f"{cell.size:>7} {cell.kind:<18} {_percent(cell.share):>7}  {' | '.join(parts)} | {cell.ratio:.2f}x"


def write(conn: psycopg.Connection[Any], cells: Sequence[Cell], fixed: float, folder: Path = RESULTS) -> None:
    folder.mkdir(exist_ok=True)
    body = "\n".join([ABOUT.format(fixed=fixed), circumstances(conn), *_tables(cells), "", "![](filters.svg)", ""])
    (folder / "filters.md").write_text(body, "utf-8")
    _plot(cells, folder / "filters.svg")


def _tables(cells: Sequence[Cell]) -> Iterator[str]:
    for (size, kind), group in groupby(cells, key=lambda cell: (cell.size, cell.kind)):
        rows = list(group)
        names = list(rows[0].figures)
        yield f"\n## {size:,} rows: {KINDS[kind]}\n"
        yield f"| rows that pass | {' | '.join(names)} | ratio |"
        yield f"| {' | '.join(['---'] * (len(names) + 2))} |"
        for cell in rows:
            texts = [_text(cell.figures[name]) for name in names]
            yield f"| {_percent(cell.share)} | {' | '.join(texts)} | {cell.ratio:.2f}x |"


def _text(figures: Figures) -> str:
    short = f", {figures.rows:.1f} rows" if figures.short else ""
    return f"{figures.recall:.3f}, {figures.median:.1f} / {figures.high:.1f}{short}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _plot(cells: Sequence[Cell], target: Path) -> None:
    """Latency above, recall below; a column for each size and kind of which there are several shares."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("no plot is drawn without matplotlib: pip install --group bench")
        return
    mpl.rcParams["svg.hashsalt"] = "filters"  # the same figures give the same file
    panels = [
        (key, list(group))
        for key, group in groupby(
            (c for c in cells if c.kind in ("independent", "near", "far")), key=lambda cell: (cell.size, cell.kind)
        )
    ]
    figure = Figure(figsize=(3.3 * len(panels), 6.2), layout="constrained")
    axes = figure.subplots(2, len(panels), sharex=True, sharey="row", squeeze=False)
    for place, ((size, kind), group) in enumerate(panels):
        for name, colour in COLOURS.items():
            shares = [100 * cell.share for cell in group]
            axes[0][place].plot(shares, [c.figures[name].median for c in group], "o-", ms=3, color=colour, label=name)
            axes[1][place].plot(shares, [c.figures[name].recall for c in group], "o-", ms=3, color=colour)
        axes[0][place].set(title=f"{size:,} rows, {kind}", xscale="log", yscale="log")
        axes[1][place].set(xlabel="% of rows that pass", ylim=(0, 1.03))
        axes[1][place].axhline(0.95, color="black", lw=0.6, ls=":")
    axes[0][0].set(ylabel="median ms")
    axes[1][0].set(ylabel="recall@10")
    axes[0][0].legend(fontsize="small")
    figure.savefig(target, metadata={"Date": None})
