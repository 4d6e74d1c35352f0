"""`mmdb search`, `mmdb explain`: a search view from the command line, and how a statement uses one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mmdb.cli.embeddings import Table
from mmdb.cli.render import Format, show
from mmdb.errors import ConfigError, MediaError
from mmdb.operations import search as operations


def search(
    context: typer.Context,
    relation: Table,
    text: Annotated[str | None, typer.Argument(help="What to look for, in words.", metavar="TEXT")] = None,
    image: Annotated[
        Path | None, typer.Option(help="A picture to look for the like of, instead of TEXT.", metavar="FILE")
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="A condition on the table's columns, in SQL.", metavar="SQL")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many rows.", metavar="N")] = 10,
    embedding: Annotated[
        str | None, typer.Option(help="Which embedding, where the table has several.", metavar="NAME")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
) -> None:
    """Show the rows nearest to a text or a picture, nearest first.

    A worker must be running. The condition of --where is SQL of yours: it runs as it stands, with the rights of the
    database user you connect as, in a read-only transaction; never put there what a stranger wrote.

    \b
    Example:
      mmdb search products "red shoes" --where "price < 100 and in_stock" -k 5
      mmdb search products --image shoe.jpg --format json
    """
    if (text is None) == (image is None):
        raise ConfigError("expected either TEXT or --image FILE", hint='as in: mmdb search products "red shoes"')
    query: str | bytes = _read(image) if image is not None else text or ""
    with context.obj.connect() as connection:
        found = operations.search(connection, relation, query, where=where, k=k, embedding=embedding)
    show(found.rows, found.columns, form)


def explain(
    context: typer.Context,
    select: Annotated[str, typer.Argument(help="The statement, with its values in it.", metavar="SELECT")],
    form: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
) -> None:
    """Say how a SELECT searches: by the index or row by row, and what to write instead.

    The statement is planned, with the rights of the database user you connect as, and not run.

    \b
    Example:
      mmdb explain "select id from products_by_photo('red shoes') order by distance limit 5"
    """
    with context.obj.connect() as connection:
        found = operations.explain(connection, select)
    show([asdict(search) for search in found], ["relation", "name", "searched", "vector", "advice"], form)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MediaError(
            f'"{path}" cannot be read: {error.strerror}', hint="give the path of a picture file"
        ) from error
