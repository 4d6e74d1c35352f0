"""`mmdb search`: a search view from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from psycopg.sql import SQL, Composable, Identifier

from mmdb.cli.embeddings import Table
from mmdb.cli.render import Format, show
from mmdb.cli.target import TOPIC, Connection, Row
from mmdb.database.statements import statement
from mmdb.errors import ConfigError, MediaError, MmdbError

HIDDEN = ["bytea", "vector", "halfvec", "sparsevec"]
"""Types of columns that nobody reads on a terminal."""


class SearchError(MmdbError):
    """The table cannot be searched in this way."""

    exit_code = 2


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
        connection.read_only = True  # of the transaction that begins here
        with connection.transaction(force_rollback=True):  # before 16 large objects are written all the same
            view = _view(connection, relation, embedding)
            columns = _columns(connection, relation, view, "text" if text is not None else "bytea")
            found = connection.execute(_statement(view, columns, query, where), {"query": query, "k": k})
            rows = found.fetchall()
    show(rows, columns, form)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MediaError(
            f'"{path}" cannot be read: {error.strerror}', hint="give the path of a picture file"
        ) from error


def _view(connection: Connection, relation: str, name: str | None) -> Row:
    """The embedding to search by: the one that is named, else the only one."""
    found = connection.execute(statement(TOPIC, "embeddings_of"), {"relation": relation}).fetchall()
    chosen = [row for row in found if name in (None, row["name"])]
    names = ", ".join(row["name"] for row in found)
    if not found:
        raise SearchError(f'table "{relation}" has no embedding', hint=f"declare one: `mmdb add {relation} COLUMN`")
    if not chosen:
        raise SearchError(f'table "{relation}" has no embedding "{name}"', hint=f"it has: {names}")
    if len(chosen) > 1:
        raise SearchError(f'table "{relation}" has several embeddings', hint=f"choose with --embedding: {names}")
    return chosen[0]


def _columns(connection: Connection, relation: str, view: Row, argument: str) -> list[str]:
    """What the search view returns, the distance last, without what cannot be read."""
    values = {**view, "argument": argument, "hidden": HIDDEN}
    found = connection.execute(statement(TOPIC, "search_columns"), values).fetchall()
    if not found:
        kind = "text" if argument == "text" else "picture"
        raise SearchError(
            f'embedding "{view["name"]}" of table "{relation}" takes no {kind} as a query',
            hint=f"`mmdb models` shows what its model takes; `mmdb status` whether {relation} has drifted",
        )
    return [row["name"] for row in found if not row["hidden"]]


def _statement(view: Row, columns: list[str], query: str | bytes, where: str | None) -> Composable:
    # The operator's own SQL, on a line of its own, since it may end in a comment.
    condition = SQL(f"(\n{where}\n)" if where else "true")
    return statement(
        TOPIC,
        "search",
        columns=SQL(", ").join(map(Identifier, columns)),
        function=Identifier(view["schema"], view["function"]),
        kind="text" if isinstance(query, str) else "bytea",
        condition=condition,
        distance=columns[-1],
    )
