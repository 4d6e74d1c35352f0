"""`mmdb change` and `switch`: another model for an embedding, while searches go on."""

from __future__ import annotations

import time
from typing import Annotated

import psycopg
import typer
from psycopg import errors as pg

from mmdb.cli.embeddings import Table, build_indexes
from mmdb.cli.render import note
from mmdb.cli.target import TOPIC, Connection, Row
from mmdb.database.statements import statement

LOCK_TIMEOUT = "2s"
"""How long others may have to wait behind a switch that waits for a long statement."""
TRIES = 30

Embedding = Annotated[str, typer.Argument(help="The embedding's name, as `mmdb status` shows it.", metavar="NAME")]


def change(
    context: typer.Context,
    relation: Table,
    name: Embedding,
    model: Annotated[str, typer.Argument(help="A name out of `mmdb models`.", metavar="MODEL")],
) -> None:
    """Begin to change the model of an embedding: fill a second generation beside it.

    Searches go on with the model that they have, and no writer of the table is blocked. `mmdb status` shows how far
    the workers are, `select * from mmdb.compare_models(…)` how the answers differ, `mmdb switch` has the new one serve.

    \b
    Example:
      mmdb change products photo siglip2
    """
    values = {"relation": relation, "name": name, "model": model}
    with context.obj.connect() as connection:
        made = connection.execute(statement(TOPIC, "change_model"), values).fetchone()
        assert made is not None
        note(f'declared "{made["name"]}" of {relation} beside "{name}"; a worker fills it (`mmdb status`)')
        build_indexes(connection, relation, made["name"])
    note(f"when it is full: `mmdb switch {relation} {name}`")


def switch(
    context: typer.Context,
    relation: Table,
    name: Embedding,
    back: Annotated[bool, typer.Option("--back", help="Have the model serve again that served before.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also while rows are not embedded, which go missing.")] = False,
) -> None:
    """Have the other generation of an embedding serve searches, at once and for all.

    Takes the table for a moment, and tries again where a long statement keeps it. The generation before stays in step
    with its sources until `mmdb drop`, so that there is a way back.

    \b
    Example:
      mmdb switch products photo
      mmdb switch products photo --back
      mmdb drop products photo_lite
    """
    values = {"relation": relation, "name": name, "force": force}
    with context.obj.connect() as connection:
        made = _switched(connection, "rollback_model" if back else "switch_model", values)
    note(f'embedding "{name}" of {relation} is searched by model "{made["model"]}"')


def _switched(connection: Connection, call: str, values: Row) -> Row:
    """Give way while a statement holds the table: whoever comes after us would wait as well."""
    connection.execute(statement(TOPIC, "set_lock_timeout"), {"timeout": LOCK_TIMEOUT})
    for left in reversed(range(TRIES)):
        try:
            made = connection.execute(statement(TOPIC, call), values).fetchone()
        except pg.LockNotAvailable as error:
            if not left:
                raise psycopg.OperationalError(f"the table is in use: {error}") from error
            note("the table is in use, trying again")
            time.sleep(1)
        else:
            assert made is not None
            return dict(made)
    raise AssertionError
