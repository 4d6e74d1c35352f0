"""The docs run: every SQL and Python snippet is executed, every shell line names a command and options that exist."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pgvector.sqlalchemy
import psycopg
import pytest
import sqlalchemy
from alembic.migration import MigrationContext
from alembic.operations import Operations
from rich.cells import cell_len, set_cell_size
from typer.testing import CliRunner

import mmdb
from docs.generate import cli_reference, sql_reference
from mmdb.analytics.kmeans import write_clusters
from mmdb.cli.app import app
from mmdb.cli.demo import shop_module
from mmdb.config import Settings
from mmdb.models.embed.base import Embedder
from mmdb.models.registry import load
from mmdb.models.spec import ModelSpec
from mmdb.worker import WorkerOptions, background
from tests.conftest import Database
from tests.patience import until

ROOT = Path(__file__).parents[2]
GENERATED = ("sql.md", "cli.md")
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in GENERATED)]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
Connection = psycopg.Connection[Any]


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(page.read_text("utf-8")) if kind == language]


def questions(page: Path) -> list[tuple[str, str | None]]:
    """The SQL of a page, each block with the answer that stands below it, if there is one."""
    found = [(kind, body) for kind, body in BLOCK.findall(page.read_text("utf-8")) if kind in ("sql", "text")]
    following = [*found[1:], ("", "")]
    return [
        (body, answer if after == "text" else None)
        for (kind, body), (after, answer) in zip(found, following, strict=False)
        if kind == "sql"
    ]


def printed(cursor: psycopg.Cursor[Any]) -> str:
    """Rows as the pages show them."""
    heads = [column.name for column in cursor.description or ()]
    table = [heads, *([("" if value is None else str(value)) for value in row] for row in cursor.fetchall())]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    lines = [" | ".join(set_cell_size(value, width) for value, width in zip(row, widths, strict=True)) for row in table]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def open_shop(conn: Connection) -> None:
    """What the page on analytics is about: the shop of the demo, embedded."""
    data = shop_module("data")
    data.load(conn)
    for name in ("declare_photo", "declare_text"):
        conn.execute(data.statement(f"statements/{name}"))
    conn.execute("select mmdb.wait_until_embedded('shop.posters', timeout => '200 s')")


def settled(conn: Connection) -> None:
    """Wait until the worker has caught up, as a reader does between two snippets."""
    until(lambda: conn.execute("select from mmdb.status where pending > 0").fetchone() is None, seconds=200)


@pytest.fixture(scope="module")
def models() -> dict[str, Embedder]:
    """The models by their identity, loaded once: `lite` takes a second and a half, and every page a worker."""
    return {}


@pytest.fixture(autouse=True)
def load_once(models: dict[str, Embedder], monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(spec: ModelSpec, settings: Settings) -> Embedder:
        if spec.identity not in models:
            models[spec.identity] = load(spec, settings)
        return models[spec.identity]

    monkeypatch.setattr("mmdb.worker.run.load", loaded)


def pages_with(language: str) -> list[Any]:
    return [pytest.param(page, id=page.name) for page in PAGES if blocks(page, language)]


def test_snippets_are_found() -> None:
    named = {language: {parameter.id for parameter in pages_with(language)} for language in ("sql", "python", "sh")}
    assert named["sql"] >= {"README.md", "how-it-works.md", "operating.md", "security.md", "analytics.md"}
    assert named["python"] >= {"sqlalchemy.md", "alembic.md"}
    assert named["sh"] >= {
        "README.md",
        "alembic.md",
        "models.md",
        "operating.md",
        "changing-the-model.md",
        "analytics.md",
    }


@pytest.mark.parametrize("page", pages_with("sql"))
def test_sql_snippets_run(page: Path, database: Database, conn: Connection) -> None:
    found = questions(page)
    with background(database.url, options=WorkerOptions(poll_seconds=0.1)):
        if page.name == "analytics.md":
            open_shop(conn)
            write_clusters(conn, "shop.posters", "photo", k=5, into="shop.poster_clusters")  # what its shell line does
        for block, answer in found:
            for statement in re.split(r";\s*(?:--.*)?\n", block + "\n"):
                if statement.strip():
                    cursor = conn.execute(statement)
            assert answer is None or printed(cursor) == answer
            settled(conn)


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_snippets_run(page: Path, database: Database, conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as a reader would type them. In the page about Alembic `op` is there, as in a revision."""
    found = blocks(page, "python")
    monkeypatch.setenv("MMDB_DATABASE_URL", database.url)
    engine = mmdb.connect(database.url)
    # In a module, because that is where SQLAlchemy looks up the names in annotations.
    module = ModuleType(f"docs_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with background(database.url, options=WorkerOptions(poll_seconds=0.1)), engine.connect() as connection:
        if page.name == "analytics.md":
            open_shop(conn)
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        module.__dict__.update(op=Operations(context), sa=sqlalchemy, pgvector=pgvector)
        with context.begin_transaction(_per_migration=True):
            for block in found:
                exec(block, module.__dict__)  # noqa: S102 - our own documentation
    engine.dispose()
    module.__dict__.get("engine", engine).dispose()


def test_the_tour_of_the_readme_finds_what_it_promises(database: Database, conn: Connection) -> None:
    declare, tour = blocks(ROOT / "README.md", "sql")
    answers = []
    with background(database.url, options=WorkerOptions(poll_seconds=0.1)):
        conn.execute(declare)
        settled(conn)
        for statement in re.split(r";\s*\n", tour):
            if statement.strip():
                cursor = conn.execute(statement)
                answers.append(cursor.fetchall() if cursor.description else [])
                settled(conn)
    _, shoes, _, wishes, _, boots, status, failures, drink, _, _ = answers
    assert shoes[0][0] == "Trail One"
    assert [row[1] for row in wishes] == ["Trail One", "Office Six"]
    assert boots[0][0] == "City Walk"
    assert set(boots[0][2]) == {"keywords", "description"}
    assert status[0][2:4] == (4, 4) or status[0][4] == 1
    assert failures == []
    assert drink[0][0] == 4


@pytest.mark.parametrize("page", pages_with("sh"))
def test_shell_lines_name_what_exists(page: Path) -> None:
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["mmdb"]:
                _check_command(words[1:])
            elif words[:1] == ["make"]:
                assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line


def _check_command(words: list[str]) -> None:
    name = words[: 2 if words[0] == "models" and len(words) > 1 else 1]
    answer = CliRunner().invoke(app, [*name, "--help"])
    assert answer.exit_code == 0, words
    for option in (word for word in words if word.startswith("--")):
        assert option in answer.stdout, f"mmdb {' '.join(name)} has no {option}"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        for target in re.findall(r"\]\(([^)]+)\)", text):
            if not target.startswith("http"):
                path, _, anchor = target.partition("#")
                assert (page.parent / path).exists(), f"{page.name} links to {target}"
                headings = (
                    re.findall(r"^#+ (.*)$", (page.parent / path).read_text("utf-8"), re.MULTILINE) if anchor else []
                )
                slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
                assert not anchor or anchor in slugs, f"{page.name} links to {target}"


def test_the_sql_reference_is_up_to_date(conn: Connection) -> None:
    assert (ROOT / "docs" / "sql.md").read_text("utf-8") == sql_reference(conn), "run: make docs"


def test_the_cli_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == cli_reference(), "run: make docs"
