"""`mmdb doctor`: what the database says of itself, and what only shows from the machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import psycopg
import typer
from rich.text import Text

from mmdb.cli.embeddings import refuse_csv
from mmdb.cli.render import Format, console, plain, show_json
from mmdb.cli.target import Target
from mmdb.errors import ConfigError, MmdbError
from mmdb.operations import doctor as operations
from mmdb.operations.doctor import Finding

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
    target: Target = context.obj
    machine = operations.machine(embedded=target.embedded, worker=_worker(target))
    findings = [*machine, *_database(target)]
    if form is Format.JSON:
        show_json([asdict(each) for each in findings])
    else:
        _show(findings)
    if any(each.level == "error" for each in findings):
        raise typer.Exit(1)


def _show(findings: list[Finding]) -> None:
    out = console()
    for each in findings:
        line = Text.assemble((f"{each.level:8}", STYLES.get(each.level, "")), plain(f"{each.subject}: {each.finding}"))
        out.print(line, soft_wrap=True)
        if each.remedy and each.level != "ok":
            out.print(Text(f"{'':8}{plain(each.remedy)}"), soft_wrap=True)


def _worker(target: Target) -> int | None:
    try:
        return target.worker().running()
    except ConfigError:  # the URL cannot be read, as the database's own finding says
        return None


def _database(target: Target) -> list[Finding]:
    """The database's own findings, or the one that it cannot be asked."""
    try:
        with target.connect() as connection:
            missing = operations.unloadable(connection) if target.embedded else ()
            return [*operations.database(connection), *missing]
    except (psycopg.Error, MmdbError) as error:
        return [operations.unreachable(error)]
