"""Rows on the terminal: tables to read, JSON and CSV for programs. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

CELL_WIDTH = 60
"""Columns of the terminal for one value in a table."""
SENTENCES = frozenset(("advice", "drift", "error"))
"""What these columns of a table say is wrapped, and never cut: half an advice is none."""
PIPE_WIDTH = 200
"""Columns where the output is no terminal and nobody set COLUMNS."""


class Format(StrEnum):
    """How to print rows."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False)


def note(message: str) -> None:
    """Something to know that is no result."""
    console(stderr=True).print(Text(plain(message)), soft_wrap=True)


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], form: Format = Format.TABLE) -> None:
    if form is Format.JSON:
        show_json([{column: row[column] for column in columns} for row in rows])
    elif form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_csv(row[column]) for column in columns] for row in rows)
    else:
        console().print(table(rows, columns))


def show_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_json))


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], title: str | None = None) -> Table:
    """A table as wide as its contents; numbers stand to the right."""
    rows = list(rows)
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        numeric = all(isinstance(row[column], int | float | Decimal | None) for row in rows) and bool(rows)
        made.add_column(Text(plain(column)), justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell(row[column], None if column in SENTENCES else CELL_WIDTH)) for column in columns))
    return made


def cell(value: object, width: int | None = CELL_WIDTH) -> str:
    """One value on one line, cut to `width` columns, of which a Chinese character takes two; None cuts nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list | tuple):
        value = ", ".join(cell(item) for item in value)
    text = plain(" ".join(str(value).split()))
    return text if width is None or cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def plain(text: str) -> str:
    """`text` without what would move a terminal's cursor or change its colours."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _csv(value: object) -> object:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_json)
    return value


def _json(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
