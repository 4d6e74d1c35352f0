"""The figures of how the code reads, as STYLE has them: `python -m bench.style [CHECKOUT]`, to compare two checkouts.

Of mmdb/ by Python's own grammar: functions without their signature and docstring, files, classes, comments. Of sql/:
functions from `create` to the end of the body.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

SQL_FUNCTION = re.compile(
    r"^create (?:or replace )?(?:function|procedure) ([\w.]+).*?(?P<quote>\$\w*\$).*?(?P=quote)", re.M | re.S
)
WIDTH = 120
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def main(checkout: Path) -> None:
    python, sql = sorted((checkout / "mmdb").rglob("*.py")), sorted((checkout / "sql").rglob("*.sql"))
    if not python or not sql:
        sys.exit(f'error: "{checkout}" has no mmdb/ and sql/')
    table = Table("what", "how many", "median", "90th percentile", "longest", "which")
    table.add_row("lines of a Python function's body", *_row([f for path in python for f in _functions(path)]))
    table.add_row("lines of a Python class", *_row([c for path in python for c in _classes(path)]))
    table.add_row("lines of a Python file", *_row([(_lines(path), _name(path, checkout)) for path in python]))
    table.add_row("lines of an SQL function", *_row([f for path in sql for f in _sql_functions(path)]))
    table.add_row("lines of an SQL file", *_row([(_lines(path), _name(path, checkout)) for path in sql]))
    console = Console(width=130)
    console.print(table)
    comments, lines = sum(map(_comments, python)), sum(map(_lines, python))
    console.print(f"{100 * comments / lines:.1f} comment lines in 100 lines of Python ({comments} of {lines})")
    wide = [len(line) for path in sql for line in path.read_text("utf-8").splitlines() if len(line) > WIDTH]
    console.print(f"{len(wide)} lines of SQL over {WIDTH} columns, the longest {max(wide, default=0)}")


def _row(found: Sequence[tuple[int, str]]) -> list[str]:
    sizes = [size for size, _ in found]
    longest, name = max(found)
    return [str(len(found)), *(f"{np.percentile(sizes, share):.0f}" for share in (50, 90)), str(longest), name]


def _functions(path: Path) -> Iterator[tuple[int, str]]:
    """Body lines of every function, from its first statement to its last; one that has a docstring alone has one."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, FUNCTIONS):
            body = node.body[1:] if ast.get_docstring(node) is not None and len(node.body) > 1 else node.body
            yield _span(body[0], body[-1]), f"{path.stem}.{node.name}"


def _classes(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield _span(node, node), f"{path.stem}.{node.name}"


def _span(first: ast.stmt, last: ast.stmt) -> int:
    return (last.end_lineno or last.lineno) - first.lineno + 1


def _sql_functions(path: Path) -> Iterator[tuple[int, str]]:
    for match in SQL_FUNCTION.finditer(path.read_text("utf-8")):
        yield match.group().count("\n") + 1, match[1]


def _comments(path: Path) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
    return sum(token.type == tokenize.COMMENT for token in tokens)


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _name(path: Path, checkout: Path) -> str:
    return path.relative_to(checkout).as_posix()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
