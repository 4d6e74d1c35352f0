"""`python -m bench.peers [--data NAME …] [--rows N …] [--peers NAME …] [--large]`: measure, write the page and plot.

100,000 rows take a quarter of an hour, a million three of them for six competitors. What was measured is kept as JSON
beside the page; `--write` only writes the page.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.harness import connection, database
from bench.peers import data, pictures, report
from bench.peers.process import PYTHON
from bench.peers.run import Contest, Findings
from bench.peers.serve import KINDS
from bench.report import RESULTS, circumstances

READERS = {"glosses": data.read, "pictures": pictures.read}
SIZES = {"glosses": [10_000, 100_000], "pictures": [10_000]}
LARGE = 1_000_000
LEFT_OUT_OF_LARGE = ("vecs", "milvus-lite", "qdrant local", "faiss")
"""All that takes part must fit into memory at once; these would take an hour to load, or seconds to search, or have no
filters.
"""


def measure(of: str, rows: int, names: list[str], parts: list[str]) -> Findings:
    print(f"{rows:,} {of}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="mmdb-peers-") as folder, database() as url:
        contest = Contest(*READERS[of](rows), Path(folder), url, of)
        with contest.entered(names):
            contest.choose_efforts()
            for part in parts:
                getattr(contest, f"measure_{part}")()
                print(f"  {part}: done", file=sys.stderr, flush=True)
        if absent := [name for name in KINDS if name not in names]:
            contest.found.notes.append(f"Did not take part: {', '.join(absent)}.")
        with connection(url) as conn:
            contest.found.circumstances = circumstances(conn)
    return contest.found


PARTS = ["cells", "clients", "question", "fresh", "mixed"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(READERS), choices=list(READERS), metavar="NAME")
    parser.add_argument("--rows", type=int, nargs="+", help="instead of the usual sizes")
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} glosses too")
    parser.add_argument("--peers", nargs="+", default=list(KINDS), choices=list(KINDS), metavar="NAME")
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, metavar="PART")
    parser.add_argument("--out", type=Path, default=RESULTS, help="a folder for the page, the plot and the values")
    parser.add_argument("--write", action="store_true", help="only write the page anew")
    options = parser.parse_args()
    if not options.write and not PYTHON.exists() and options.peers != ["mmdb"]:
        sys.exit("error: the competitors are not installed: make bench-peers installs and measures")
    options.out.mkdir(exist_ok=True)
    if not options.write:
        for of in options.data:
            for rows in options.rows or SIZES[of]:
                measure(of, rows, options.peers, options.only).write(options.out / f"peers-{of}-{rows}.json")
        if options.large:
            names = [name for name in options.peers if name not in LEFT_OUT_OF_LARGE]
            measure("glosses", LARGE, names, options.only).write(options.out / f"peers-glosses-{LARGE}.json")
    kept = [Findings(**json.loads(file.read_text("utf-8"))) for file in options.out.glob("peers-*.json")]
    report.write(sorted(kept, key=lambda found: (found.data, found.rows)), options.out)


if __name__ == "__main__":
    main()
