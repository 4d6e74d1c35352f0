"""`python -m bench.peers [--rows N …] [--peers NAME …] [--large]`: measure, and write the page and its plot.

100,000 rows take a quarter of an hour. What was measured is kept as JSON beside the page; `--write` only writes the
page.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.harness import connection, database
from bench.peers import data, report
from bench.peers.process import PYTHON
from bench.peers.run import Contest, Findings
from bench.peers.serve import KINDS
from bench.report import RESULTS, circumstances

SIZES = (10_000, 100_000)
LARGE = 1_000_000


def measure(rows: int, names: list[str], parts: list[str]) -> Findings:
    print(f"{rows:,} rows", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="mmdb-peers-") as folder, database() as url:
        contest = Contest(*data.read(rows), Path(folder), url)
        with contest.entered(names):
            contest.choose_efforts()
            for part in parts:
                getattr(contest, f"measure_{part}")()
                print(f"  {part}: done", file=sys.stderr, flush=True)
        with connection(url) as conn:
            contest.found.circumstances = circumstances(conn)
    return contest.found


PARTS = ["cells", "clients", "question", "fresh", "mixed"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} rows too")
    parser.add_argument("--peers", nargs="+", default=list(KINDS), choices=list(KINDS), metavar="NAME")
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, metavar="PART")
    parser.add_argument("--out", type=Path, default=RESULTS, help="a folder for the page, the plot and the values")
    parser.add_argument("--write", action="store_true", help="only write the page anew")
    options = parser.parse_args()
    if not options.write and not PYTHON.exists() and options.peers != ["mmdb"]:
        sys.exit("error: the competitors are not installed: make bench-peers installs and measures")
    options.out.mkdir(exist_ok=True)
    for rows in [] if options.write else options.rows + [LARGE] * options.large:
        measure(rows, options.peers, options.only).write(options.out / f"peers-{rows}.json")
    kept = sorted(options.out.glob("peers-*.json"), key=lambda file: int(file.stem.split("-")[1]))
    report.write([Findings(**json.loads(file.read_text("utf-8"))) for file in kept], options.out)


if __name__ == "__main__":
    main()
