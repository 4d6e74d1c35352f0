"""`mmdb add`, `drop`, `status` and `queries`: what is declared, and how far it is."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.text import Text

from mmdb.cli.options import takes_options
from mmdb.cli.render import Format, cell, console, note, plain, show, show_json, table
from mmdb.cli.target import TOPIC, Connection, Row, Target
from mmdb.database.statements import statement
from mmdb.declaration import Declaration
from mmdb.errors import ConfigError

FAILURES = 5
"""Failures that `mmdb status` shows; the view mmdb.failures has them all."""

Table = Annotated[str, typer.Argument(help='The table, as "products" or "shop.posters".', metavar="TABLE")]


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
    wanted = Declaration.from_flags(sources, options)
    target: Target = context.obj
    with target.connect(start=True) as connection:
        made = _existing(connection, relation, wanted)
        if made is None:
            values = {"relation": relation, "declaration": wanted.to_json()}
            made = connection.execute(statement(TOPIC, "add_embedding"), values).fetchone()
            assert made is not None
            note(f'declared embedding "{made["name"]}" of {relation}; a worker embeds its rows (`mmdb worker`)')
        else:
            note(f'embedding "{made["name"]}" of {relation} is declared')
        if index:
            build_indexes(connection, relation, made["name"])
    note(f"search it: `mmdb search {relation} '…'`, or in SQL from {made['schema']}.{made['function']}('…')")


def _existing(connection: Connection, relation: str, wanted: Declaration) -> Row | None:
    """The embedding that an earlier call declared in the same way; where it differs, the database says how."""
    for row in connection.execute(statement(TOPIC, "declarations_of"), {"relation": relation}).fetchall():
        if row["name"] == wanted.called and not wanted.differences(Declaration.from_json(row["declaration"])):
            return row
    return None


def build_indexes(connection: Connection, relation: str, name: str) -> None:
    """Build what is missing, one statement at a time outside any transaction, as CONCURRENTLY wants it."""
    values = {"relation": relation, "name": name}
    statements = connection.execute(statement(TOPIC, "index_statements"), values).fetchall()
    for row in statements:
        with console(stderr=True).status(Text(plain(row["statement"]))):
            began = time.monotonic()
            connection.execute(row["statement"].encode())
        if not row["statement"].startswith("drop "):
            note(f"{row['statement']}  ({time.monotonic() - began:.1f} s)")


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
        connection.execute(statement(TOPIC, "drop_embedding"), {"relation": relation, "name": name})
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
        seen = {
            "embeddings": _rows(connection, "status"),
            "workers": _rows(connection, "workers"),
            "failures": _rows(connection, "failures", limit=FAILURES),
            "contracts": _rows(connection, "contracts"),
        }
    if form is Format.JSON:
        show_json(seen)
    else:
        _show_status(**seen)


def _show_status(embeddings: list[Row], workers: list[Row], failures: list[Row], contracts: list[Row]) -> None:
    out = console()
    if embeddings:
        stale = ["stale"] if any(row["stale"] for row in embeddings) else []
        columns = ["relation", "name", "model", "rows", "embedded", "pending", "failed", *stale, "rows/s"]
        out.print(table(map(_status_row, embeddings), columns))
    else:
        out.print("no embeddings: `mmdb add TABLE SOURCE` declares one")
    for row in embeddings:
        if row["generation_of"]:
            out.print(
                Text(plain(f"{row['name']} is a generation of {row['generation_of']}: `mmdb switch`, `mmdb drop`"))
            )
        if row["drift"]:
            out.print(Text(f"{row['relation']} {row['name']}: {plain(row['drift'])}"), soft_wrap=True)
    for row in contracts:
        out.print(Text(plain(_contract_line(row))), soft_wrap=True)
    for row in workers:
        out.print(Text(plain(f"worker {row['id']} on {row['host']} (pid {row['pid']}): {cell(row['models'])}")))
    if not workers:
        out.print("no worker is alive: `mmdb worker` (or `mmdb up`) starts one")
    if failures:
        out.print(
            table(failures, ["relation", "name", "key", "attempts", "error", "retry_at"], title="latest failures")
        )


def _contract_line(row: Row) -> str:
    """What a tuned function promises, and what became of it."""
    promise = f"contract of {row['function']}: "
    if row["drift"]:
        return f"{promise}{row['drift']}"
    return f"{promise}recall {row['recall']:.3f}, promised {row['target']}, {row['milliseconds']:.1f} ms"


def _status_row(row: Row) -> Row:
    """Estimates carry a tilde."""
    mark = "~" if row["estimated"] else ""
    counts = {key: f"{mark}{row[key]}" if row[key] is not None and mark else row[key] for key in ("rows", "embedded")}
    rate = row["rows_per_second"]
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
        show(_rows(connection, "queries"), columns, form)


def refuse_csv(form: Format) -> None:
    if form is Format.CSV:
        raise ConfigError('the format "csv" is for one table of rows', hint="use --format json")


def _rows(connection: Connection, name: str, **values: Any) -> list[Row]:
    return connection.execute(statement(TOPIC, name), values).fetchall()
