"""What the contest found, as a page and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.peers.run import Answer, Findings

GOAL = 0.95
COLOURS = {
    "mmdb": "#208050",
    "pgvector": "#4070b0",
    "vecs": "#80b0e0",
    "chroma": "#c05030",
    "lancedb": "#e0a030",
    "milvus-lite": "#9050a0",
    "qdrant local": "#d080b0",
    "hnswlib": "#606060",
    "faiss": "#a0a0a0",
    "numpy": "#303030",
}
ABOUT = """# mmdb beside what people would pick instead: `bench/peers`

`make bench-peers`. Rows are vectors by `lite`, each with a price, which has nothing to do with its meaning, and a
section, which has much. *Glosses* are those of WordNet (512 numbers), their section is one of the 45 files of the
lexicographers, and queries are other glosses. *Pictures* are cropped and mirrored copies of 307 pictures (640
numbers) in 88 categories, and queries are captions in seven languages. Each competitor is a process of its own and
answers in turns with the others; a time is that of the call in its process, the faster of two, and a cell is the
median of 40 queries (fewer of those that would take minutes). Every competitor has the cheapest setting with which it
reaches a recall@10 of 0.95 without a filter, or its dearest; mmdb's `T_top_by_NAME` has none. Memory is what a
process holds once what it loaded from is freed, or a server's table with its indexes.

- *mmdb*: the search view without a filter, `T_top_by_NAME` with one. *pgvector*: `vector`, HNSW, `where … order by …
  limit`, nothing set but `hnsw.ef_search`. *vecs*: a wrapper around pgvector. All three on one server.
- *chroma*, *lancedb* (IVF_HNSW_SQ), *milvus-lite*, *qdrant local*: embedded, as their documentation shows.
- *hnswlib*, *faiss*: graphs in the process, no rows beside them: a floor. *numpy*: every row measured: the truth.
"""
CELL = """A cell reads: recall@10, median / 95th percentile in milliseconds, and how many of the queries got too few
rows. *own section*: the rows that pass are in the query's own section; *another section*: in one that it has little to
do with.
"""
BESIDE = """*4 clients*: queries a second of four threads. *question*: revenue by section of the 200 nearest below a
price, from their orders: one statement of mmdb; for the others their ids, and then the application's database; with the
share of the true 200 that it was made of. *fresh*: from the change of a text to its being found, the model included
(mmdb: a table of 10,000 rows and its worker, changes one after the other; after a quiet time a worker looks twice a
second). *mixed*: searches while another thread updates up to 100 rows a second, and how many it did.
"""


def write(findings: Sequence[Findings], folder: Path) -> None:
    parts = [ABOUT, *(line for found in findings for line in _size(found)), "![](peers.svg)", ""]
    (folder / "peers.md").write_text("\n".join(parts), "utf-8")
    _plot(findings, folder / "peers.svg")


def _size(found: Findings) -> Iterator[str]:
    yield f"## {found.rows:,} {found.data}\n"
    yield f"{found.circumstances}\n"
    yield from (f"{note}\n" for note in found.notes)
    yield from _load(found)
    yield f"### Top 10\n\n{CELL}\n"
    heads = [f"{label} ({100 * share:.1f} %)" if "section" in label else label for label, share in found.shares.items()]
    yield from _table(["", *heads], ([name, *_cells(found, name)] for name in found.effort))
    yield from _beside(found)
    if found.failed:
        yield "Failed:\n"
        yield from (f"- {name}: {reason}" for name, reason in found.failed.items())
        yield ""


def _load(found: Findings) -> Iterator[str]:
    yield "### Loading\n"
    heads = ["", "version", "setting", "rows/s with index", "disk", "memory"]
    yield from _table(heads, (_loaded(found, name) for name in found.load))


def _loaded(found: Findings, name: str) -> list[str]:
    load = found.load[name]
    effort = found.effort.get(name, {})
    setting = (
        f"{effort.get('effort') or '-'}" if effort.get("recall", 0) >= GOAL else f"{effort.get('effort')} (< {GOAL})"
    )
    rate = f"{found.rows / load['seconds']:,.0f}"
    return [
        name,
        str(found.about[name]["version"]),
        setting,
        rate,
        *(f"{load[of] / 1e6:,.0f} MB" for of in ("disk", "memory")),
    ]


def _cells(found: Findings, name: str) -> Iterator[str]:
    for label in found.shares:
        yield _cell(found.cells[label].get(name))


def _cell(figures: Answer | None) -> str:
    if figures is None:
        return "-"
    short = f", {figures['short']} of {figures['asked']} short" if figures["short"] else ""
    return f"{figures['recall']:.2f}, {_ms(figures['median'])} / {_ms(figures['high'])}{short}"


def _ms(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _beside(found: Findings) -> Iterator[str]:
    yield "### What applications do beside\n"
    yield BESIDE
    heads = ["", *(f"4 clients, {label}" for label in found.clients), "question", "fresh", "mixed"]
    yield from _table(heads, (_line(found, name) for name in found.effort))


def _line(found: Findings, name: str) -> list[str]:
    rates = [f"{rates[name]:,.0f}/s" if name in rates else "-" for rates in found.clients.values()]
    asked, mixed = found.question.get(name), found.mixed.get(name)
    question = f"{_ms(asked['median'])} ms, {asked['recall']:.2f}" if asked else "-"
    fresh = f"{_ms(found.fresh[name])} ms" if name in found.fresh else "-"
    both = f"{_ms(mixed['median'])} / {_ms(mixed['high'])} ms, {mixed['written']:.0f}/s" if mixed else "-"
    return [name, *rates, question, fresh, both]


def _table(heads: Sequence[str], lines: Any) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join(['---'] * len(heads))} |"
    for line in lines:
        yield f"| {' | '.join(line)} |"
    yield ""


def _plot(findings: Sequence[Findings], target: Path) -> None:
    """Latency over the filters, a panel for each size; hollow where recall is low or rows are missing."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("no plot is drawn without matplotlib: pip install --group bench")
        return
    mpl.rcParams["svg.hashsalt"] = "peers"
    lines, columns = -(-len(findings) // 2), min(2, len(findings))
    figure = Figure(figsize=(6.4 * columns, 4.6 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, sharey=True, squeeze=False).flatten()
    for panel in axes[len(findings) :]:
        panel.remove()
    for panel, found in zip(axes, findings, strict=False):
        labels = list(found.shares)
        for name in found.effort:
            figures = [found.cells[label].get(name) for label in labels]
            medians = [f["median"] if f else float("nan") for f in figures]
            colour = COLOURS[name]
            panel.plot(labels, medians, "-", color=colour, lw=2.5 if name == "mmdb" else 1, label=name)
            for label, f in zip(labels, figures, strict=True):
                if f:
                    good = f["recall"] >= GOAL and not f["short"]
                    panel.plot([label], [f["median"]], "o", ms=5, color=colour, mfc=colour if good else "white")
        panel.set(title=f"{found.rows:,} {found.data}", yscale="log")
        panel.tick_params(axis="x", rotation=30)
    axes[0].set(ylabel="median ms (hollow: recall < 0.95 or too few rows)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize="small")
    figure.savefig(target, metadata={"Date": None})
