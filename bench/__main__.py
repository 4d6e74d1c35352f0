"""Measure the budgets and print them as a table. The exit status is 0 also where one is missed: a table, not a test.

Named parts run, else those of BUDGETS: the others take minutes and write pages and plots to bench/results.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

from rich.console import Console
from rich.table import Table

from bench.harness import Result, database

BUDGETS = ("writes", "queries", "worker")
PARTS = (*BUDGETS, "filters", "hybrid", "storage", "throughput")


def main(wanted: list[str]) -> None:
    unknown = set(wanted) - set(PARTS)
    if unknown:
        sys.exit(f"error: no such part: {', '.join(sorted(unknown))} (there are: {', '.join(PARTS)})")
    table = Table("what", "measured", "budget", "", "detail")
    with database() as url:
        for part in wanted or BUDGETS:
            run: Callable[[str], list[Result]] = import_module(f"bench.{part}").run
            for result in run(url):
                mark = "kept" if result.kept else "[bold red]missed[/]"
                table.add_row(result.name, result.value, result.budget, mark, result.detail)
    Console(width=130 if not sys.stdout.isatty() else None).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
