"""Rows on a terminal, and errors as one line."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import psycopg
import pytest
from psycopg import errors as pg
from rich.cells import cell_len
from rich.console import Console

from mmdb.cli import render, worker
from mmdb.cli.errors import describe
from mmdb.cli.render import Format, cell, plain, show, table
from mmdb.errors import MediaError

MOMENT = datetime(2026, 9, 30, 12, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (3, "3"),
        (0.123456, "0.1235"),
        (Decimal("9.90"), "9.90"),
        (MOMENT, "2026-09-30 12:05:07"),
        (["a", None, 2.0], "a, , 2.0000"),
        ("two\n  lines\t", "two lines"),
        ("bell\a and \x1b[31mred", "bell� and �[31mred"),
    ],
)
def test_cell(value: object, text: str) -> None:
    assert cell(value) == text


@pytest.mark.parametrize("text", ["x" * 100, "猫" * 50, "a" + "猫" * 50, "x" * 60, "猫" * 30])
def test_cell_is_cut_to_columns(text: str) -> None:
    short = cell(text, 60)
    assert cell_len(short) <= 60
    assert text.startswith(short.rstrip("…"))
    assert short.endswith("…") == (cell_len(text) > 60)


def drawn(rows: list[dict[str, object]], columns: list[str], width: int) -> list[str]:
    out = Console(file=StringIO(), width=width)
    out.print(table(rows, columns))
    assert isinstance(out.file, StringIO)
    return out.file.getvalue().splitlines()


def test_table_aligns_numbers_and_takes_nothing_for_markup() -> None:
    rows: list[dict[str, object]] = [{"[b]": "[red]x[/red]", "n": 5}, {"[b]": "y", "n": 1000}]
    lines = drawn(rows, ["[b]", "n"], 80)
    assert [line.rstrip() for line in lines if line.strip()] == [
        " [b]               n",
        " ───────────────────",
        " [red]x[/red]      5",
        " y              1000",
    ]


@pytest.mark.parametrize("width", [30, 80, 120])
def test_table_fits_and_keeps_numbers_whole(width: int) -> None:
    rows: list[dict[str, object]] = [{"text": "many words " * 20, "distance": 0.25}]
    lines = drawn(rows, ["text", "distance"], width)
    assert max(map(cell_len, lines)) <= width
    assert any("0.2500" in line for line in lines)


def test_formats(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"a": Decimal("1.5"), "b": [1, "ü"], "c": MOMENT, "hidden": b""}]
    show(rows, ["a", "b", "c"], Format.JSON)
    assert json.loads(capsys.readouterr().out) == [{"a": 1.5, "b": [1, "ü"], "c": "2026-09-30T12:05:07+00:00"}]
    show(rows, ["a", "b", "c"], Format.CSV)
    assert capsys.readouterr().out == 'a,b,c\n1.5,"[1, ""ü""]",2026-09-30 12:05:07+00:00\n'
    show([], ["a"], Format.TABLE)
    assert "a" in capsys.readouterr().out


def test_plain_keeps_every_script() -> None:
    assert plain("猫 кот Größe 😀") == "猫 кот Größe 😀"
    assert plain("a\u202eb\x9b") == "a�b�"


def test_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    render.note("[bold]as it stands[/bold]")
    assert capsys.readouterr() == ("", "[bold]as it stands[/bold]\n")


def test_errors_are_one_line() -> None:
    assert describe(MediaError("a\nb", hint="c")) == ("a b (c)", 5)
    assert describe(ValueError("x\ny")) == ("ValueError: x y (`mmdb --debug …` shows where)", 1)
    line, code = describe(psycopg.OperationalError("connection refused\n\tIs the server …"))
    assert code == 3
    assert line.startswith("connection refused (is the server running?")
    assert describe(pg.UndefinedTable('relation "mmdb.status" does not exist'))[0].endswith("`mmdb init` installs it)")
    assert describe(pg.DivisionByZero("division by zero")) == ("division by zero", 3)


def test_log_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("mmdb.cli.worker.time.monotonic", lambda: now)
    lines = worker.Lines()
    lines.log("evil\nline")
    lines.progress("t.photo", 1, 100)
    lines.progress("t.photo", 50, 100)
    lines.progress("t.text", 1, 2)
    now += worker.LINE_SECONDS
    lines.progress("t.photo", 60, 100)
    lines.progress("t.photo", 100, 100)
    told = capsys.readouterr().err.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d ", line) for line in told)
    assert [line.split(" ", 2)[2] for line in told] == [
        "evil�line",
        "t.photo: 1 of 100",
        "t.text: 1 of 2",
        "t.photo: 60 of 100",
        "t.photo: 100 of 100",
    ]


def test_progress_on_a_terminal() -> None:
    from rich.progress import Progress

    out = Console(file=StringIO(), force_terminal=True, width=100)
    progress = Progress(console=out)
    bars = worker.Bars(progress)
    bars.progress("shop.[b]posters", 3, 10)
    bars.progress("shop.[b]posters", 7, 12)
    (task,) = progress.tasks
    assert (task.completed, task.total) == (7, 12)
    bars.log("[b] is no markup")
    assert isinstance(out.file, StringIO)
    assert "[b] is no markup" in out.file.getvalue()
