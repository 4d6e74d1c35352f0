"""The demo from an empty database to seven searches: install, load, declare, embed, search, print, write the page.

Everything is found as it was left: a second run loads nothing, embeds nothing and shows the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import Progress
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from mmdb.config import Settings
from mmdb.database.statements import resource
from mmdb.install import install
from mmdb.media.image import decode_image
from mmdb.worker import background

from . import data, page

EMBEDDINGS = {"photo": "statements/declare_photo", "text": "statements/declare_text"}
POLL_SECONDS = 0.05
IMAGE = data.FOLDER / "query.jpg"
WIDTH = 110
"""Columns of output at most: SQL and tables are easier to read together when they are not far apart."""

Connection = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True)
class Query:
    """One file of queries/: its leading comment is a title and an explanation."""

    title: str
    explanation: str
    sql: str

    @property
    def takes_image(self) -> bool:
        return "%(image)s" in self.sql


@dataclass(frozen=True)
class Result:
    query: Query
    columns: Sequence[str]
    rows: Sequence[dict[str, Any]]


def run(
    url: str,
    *,
    settings: Settings,
    console: Console,
    html: Path,
    image: Path | None = None,
    program: str = "mmdb",
    running: bool = False,
) -> list[Result]:
    """Show the shop in the database at `url` on `console` and as the page `html`; the results.

    `image` is a picture to search with. `program` is how the reader calls mmdb, `running` whether database and worker
    go on after this. Raises MmdbError.
    """
    began = time.monotonic()
    console = _narrowed(console)
    picture = IMAGE.read_bytes() if image is None else _read(image)
    install(url)
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        _prepare(connection, console)
        with background(url, settings=settings):
            _wait(connection, console)
            _store_queries(connection, console)
            results = [_result(connection, query, picture) for query in queries()]
        posters = connection.execute(data.statement("statements/posters")).fetchall()
    titles = {poster["id"]: poster["title"] for poster in posters}
    for number, result in enumerate(results, 1):
        _show(console, number, result, titles, (image or IMAGE).name)
    html.parent.mkdir(parents=True, exist_ok=True)
    html.write_text(page.page(results, posters, picture), "utf-8")
    _show_end(console, html, program, running, time.monotonic() - began)
    return results


def _narrowed(console: Console) -> Console:
    if console.width <= WIDTH:
        return console
    return Console(file=console.file, width=WIDTH, highlight=False, force_terminal=console.is_terminal)


def _read(path: Path) -> bytes:
    """A picture of the reader's own, refused before anything is done where it is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise data.ShopError(
            f'"{path}" cannot be read: {error.strerror}', hint="--image takes a picture file"
        ) from error
    decode_image(content)
    return content


def queries() -> list[Query]:
    return [_query(file.read_text("utf-8")) for file in sorted((data.FOLDER / "queries").glob("*.sql"))]


def _query(text: str) -> Query:
    lines = text.strip().splitlines()
    comment = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    sql = "\n".join(line for line in lines if not line.startswith("--"))
    return Query(comment[0], " ".join(comment[1:]), sql)


def _prepare(connection: Connection, console: Console) -> None:
    """The shop, and its two embeddings with their indexes."""
    if data.load(connection):
        console.print("Loaded the poster shop into schema shop.")
    else:
        console.print("The poster shop is in schema shop already.")
    declared = {row["name"] for row in connection.execute(data.statement("statements/declared"))}
    for name, statement in EMBEDDINGS.items():
        if name not in declared:
            sql = data.statement(statement)
            connection.execute(sql)
            console.print(_sql(sql.as_string()))


def _wait(connection: Connection, console: Console) -> None:
    """Return when every poster is embedded."""
    with Progress(console=console, transient=True) as progress:
        bars = {name: progress.add_task(f"embedding by {name}", total=None) for name in EMBEDDINGS}
        while True:
            status = connection.execute(data.statement("statements/progress")).fetchall()
            for row in status:
                if row["name"] in bars:
                    done = row["rows"] - row["pending"]
                    progress.update(bars[row["name"]], total=row["rows"], completed=done)
            if any(row["failed"] for row in status):
                raise _failure(connection)
            if not any(row["pending"] for row in status):
                return
            time.sleep(POLL_SECONDS)


def _store_queries(connection: Connection, console: Console) -> None:
    """Make the shop's own functions, and have one of them tuned."""
    connection.execute(data.statement("stored_queries"))
    if connection.execute(data.statement("statements/tuned")).fetchone() is None:
        connection.execute(data.statement("statements/tune"))
        console.print(
            "Stored queries of examples/shop/stored_queries.sql, one of them tuned: `mmdb queries` lists them."
        )


def _failure(connection: Connection) -> data.ShopError:
    found = connection.execute(data.statement("statements/failure")).fetchone()
    reason = found["error"] if found else "see mmdb.failures"
    return data.ShopError(f"a poster could not be embedded: {reason}", hint="then: select mmdb.retry('shop.posters')")


def _result(connection: Connection, query: Query, picture: bytes) -> Result:
    cursor = connection.execute(query.sql.encode(), {"image": picture} if query.takes_image else None)
    columns = [column.name for column in cursor.description or ()]
    return Result(query, columns, cursor.fetchall())


def _show(console: Console, number: int, result: Result, titles: dict[int, str], image: str) -> None:
    query = result.query
    console.print()
    console.rule(Text(f"{number}. {query.title}", style="bold"), align="left", style="dim")
    console.print(Text(query.explanation, style="italic"))
    if query.takes_image:
        console.print(Text(f"%(image)s is {image}", style="dim"))
    console.print(Padding(_sql(query.sql), (1, 0, 0, 2)))
    console.print(Padding(_table(result, titles), (0, 0, 0, 2)))


def _sql(sql: str) -> Syntax:
    return Syntax(sql, "postgresql", theme="ansi_dark", background_color="default", word_wrap=True)


def _table(result: Result, titles: dict[int, str]) -> Table:
    """The rows with posters by their titles; the column `id` only serves to find the picture for the page."""
    shown = [column for column in result.columns if column != "id"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in shown:
        number = any(isinstance(row[column], int | float | Decimal) for row in result.rows)
        table.add_column("posters" if column == "ids" else column, justify="right" if number else "left")
    for row in result.rows:
        table.add_row(*(Text(page.value(row[column], titles)) for column in shown))
    return table


def _show_end(console: Console, html: Path, program: str, running: bool, seconds: float) -> None:
    console.print()
    console.rule(Text("What next", style="bold"), align="left", style="dim")
    console.print(Text(f"The same with pictures:  {html}"), soft_wrap=True)
    console.print("Searches of your own:")
    for line in next_steps(program, running):
        console.print(Text(f"  {line}"), soft_wrap=True)
    console.print(f"This took {seconds:.1f} s.")


def next_steps(program: str, running: bool) -> list[str]:
    search = "select title, distance from shop.posters_by_photo('a fairy tale') order by distance limit 3"
    first = [] if running else [f"{program} up --detach"]
    return [
        *first,
        f'{program} search shop.posters "something for the kitchen" --embedding text -k 3',
        f'{program} search shop.posters "雪" --embedding photo --where "title <> \'Chelsea\'" -k 3',
        f'{program} psql -c "{search}"',
        f'psql "$({program} url)"',
        f"{program} down",
    ]
