"""`mmdb change` and `switch`: another model for an embedding, while searches go on."""

from __future__ import annotations

from typing import Annotated

import typer

from mmdb.cli.embeddings import Table, shown
from mmdb.cli.render import note
from mmdb.operations import generations
from mmdb.operations.indexes import build_indexes

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
    with context.obj.connect() as connection:
        made = generations.change(connection, relation, name, model)
        note(f'declared "{made.name}" of {relation} beside "{name}"; a worker fills it (`mmdb status`)')
        build_indexes(connection, relation, made.name, shown)
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

    def waiting() -> None:
        note("the table is in use, trying again")

    with context.obj.connect() as connection:
        made = generations.switch(connection, relation, name, back=back, force=force, waiting=waiting)
    note(f'embedding "{name}" of {relation} is searched by model "{made.model}"')
