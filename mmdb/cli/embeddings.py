"""`mmdb add`, `drop`, `status` and `queries`: what is declared, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from psycopg.errors import Diagnostic
from rich.console import Console
from rich.text import Text

from mmdb.cli.options import takes_options
from mmdb.cli.render import Format, cell, console, note, plain, show, show_json, table
from mmdb.cli.target import Target
from mmdb.declaration import Declaration
from mmdb.errors import ConfigError
from mmdb.operations import declare
from mmdb.operations import status as operations
from mmdb.operations.indexes import build_indexes
from mmdb.operations.status import Contract, EmbeddingStatus, Status

Table = Annotated[str, typer.Argument(help='The table, as "products" or "shop.posters".', metavar="TABLE")]


def _told(said: Diagnostic) -> None:
    note(f"{said.message_primary} ({said.message_hint})" if said.message_hint else f"{said.message_primary}")


@takes_options
def add(
    context: typer.Context,
    relation: Table,
    sources: Annotated[
        list[str],
        typer.Argument(help="The column, or several: texts, or with weights pictures too.", metavar="SOURCE…"),
    ],
    index: Annotated[bool, typer.Option(help="Build the indexes, which blocks no writer.")] = True,
    **options: Any,
) -> None:
    """Declare an embedding of a column, and build its indexes.

    No writer of the table is blocked. Rows that are there become pending and a worker embeds them. Run it again after
    an interruption: only what is missing is built.

    \b
    Example:
      mmdb add products photo
      mmdb add shop.posters title description --name text
      mmdb add shop.posters title photo --weight 0.7 --weight 0.3 --name poster
    """
    target: Target = context.obj
    with target.connect(start=True) as connection:
        connection.add_notice_handler(_told)
        made = declare.declare(connection, relation, Declaration.from_flags(sources, options))
        connection.remove_notice_handler(_told)
        if made.is_new:
            note(f'declared embedding "{made.name}" of {relation}; a worker embeds its rows (`mmdb worker`)')
        else:
            note(f'embedding "{made.name}" of {relation} is declared')
        if index:
            build_indexes(connection, relation, made.name, shown)
    note(f"search it: `mmdb search {relation} '…'`, or in SQL from {made.schema}.{made.function}('…')")


@contextmanager
def shown(statement: str) -> Iterator[None]:
    """What runs, while it runs; and what was built, with the time that it took."""
    with console(stderr=True).status(Text(plain(statement))):
        began = time.monotonic()
        yield
    if not statement.startswith("drop "):
        note(f"{statement}  ({time.monotonic() - began:.1f} s)")


def drop(
    context: typer.Context,
    relation: Table,
    name: Annotated[str, typer.Argument(help="The embedding's name, as `mmdb status` shows it.", metavar="NAME")],
) -> None:
    """Remove an embedding.

    Its column, trigger, indexes and functions go; the rest of the table stays as it is.

    \b
    Example:
      mmdb drop products photo
    """
    with context.obj.connect() as connection:
        declare.drop(connection, relation, name)
    note(f'dropped embedding "{name}" of {relation}')


def status(
    context: typer.Context,
    form: Annotated[Format, typer.Option("--format", help="table or json.")] = Format.TABLE,
) -> None:
    """Show embeddings, workers and the latest failures.

    For each embedding of a table that you may read: its rows, how many are embedded, pending and failed, and whether
    the table has changed since (drift). For each function that was tuned: the recall that it keeps.

    \b
    Example:
      mmdb status
      mmdb status --format json
    """
    refuse_csv(form)
    with context.obj.connect() as connection:
        seen = operations.status(connection)
    if form is Format.JSON:
        show_json(asdict(seen))
    else:
        _show_status(seen)


def _show_status(seen: Status) -> None:
    out = console()
    if seen.embeddings:
        stale = ["stale"] if any(each.stale for each in seen.embeddings) else []
        columns = ["relation", "name", "model", "rows", "embedded", "pending", "failed", *stale, "rows/s"]
        out.print(table(map(_status_row, seen.embeddings), columns))
    else:
        out.print("no embeddings: `mmdb add TABLE SOURCE` declares one")
    for each in seen.embeddings:
        _show_remarks(out, each)
    for contract in seen.contracts:
        out.print(Text(plain(_contract_line(contract))), soft_wrap=True)
    for worker in seen.workers:
        out.print(Text(plain(f"worker {worker.id} on {worker.host} (pid {worker.pid}): {cell(worker.models)}")))
    if not seen.workers:
        out.print("no worker is alive: `mmdb worker` (or `mmdb up`) starts one")
    if seen.failures:
        columns = ["relation", "name", "key", "attempts", "error", "retry_at"]
        out.print(table(map(asdict, seen.failures), columns, title="latest failures"))


def _show_remarks(out: Console, embedding: EmbeddingStatus) -> None:
    if embedding.generation_of:
        remark = f"{embedding.name} is a generation of {embedding.generation_of}: `mmdb switch`, `mmdb drop`"
        out.print(Text(plain(remark)))
    if embedding.drift:
        out.print(Text(f"{embedding.relation} {embedding.name}: {plain(embedding.drift)}"), soft_wrap=True)


def _contract_line(contract: Contract) -> str:
    """What a tuned function promises, and what became of it."""
    promise = f"contract of {contract.function}: "
    if contract.drift:
        return f"{promise}{contract.drift}"
    return f"{promise}recall {contract.recall:.3f}, promised {contract.target}, {contract.milliseconds:.1f} ms"


def _status_row(embedding: EmbeddingStatus) -> dict[str, Any]:
    """Estimates carry a tilde."""
    row = asdict(embedding)
    mark = "~" if embedding.estimated else ""
    counts = {key: f"{mark}{row[key]}" if row[key] is not None and mark else row[key] for key in ("rows", "embedded")}
    rate = embedding.rows_per_second
    return {**row, **counts, "rows/s": None if rate is None else round(rate)}


def queries(
    context: typer.Context,
    form: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
) -> None:
    """List the stored queries: functions that search, what they are for, and the recall that they keep.

    Those that come with mmdb, every function that was tuned, and every function whose comment ends in [mmdb query].

    \b
    Example:
      mmdb queries
    """
    columns = ["function", "description", "target", "recall", "milliseconds", "drift"]
    with context.obj.connect() as connection:
        show([asdict(query) for query in operations.stored_queries(connection)], columns, form)


def refuse_csv(form: Format) -> None:
    if form is Format.CSV:
        raise ConfigError('the format "csv" is for one table of rows', hint="use --format json")
