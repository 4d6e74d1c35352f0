"""An option that is added in one place arrives everywhere: ORM, DDL, Alembic, command line, database.

In a copy of mmdb `made_up` is one more field of the declaration. Nothing else of the copy is changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mmdb.declaration import options
from tests.conftest import Database
from tests.orm.test_alembic import lines

ROOT = Path(__file__).parents[2]
BEHIND = '    storage: str | None = option("Where the vectors are.", "column", flag=None)\n'
ALSO_THERE = """
alter function mmdb.declaration_options() rename to declaration_options_before;
create function mmdb.declaration_options()
returns table (name text, type text, default_value jsonb, description text)
language sql stable as $$
  select * from mmdb.declaration_options_before()
  union all select 'made_up', 'string', '"no"', 'made up by a test'
$$;
create table products (id int primary key, title varchar);
"""
ADDED = '    made_up: str | None = option("Made up by a test. Default: no.", "no")\n'


@dataclass(frozen=True)
class Copy:
    """A copy of mmdb, to be run."""

    folder: Path

    def run(self, *arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MMDB_", "PG"))}
        where = {"PYTHONPATH": str(self.folder), "MMDB_HOME": str(self.folder / "home"), "COLUMNS": "200"}
        given = {"MMDB_DATABASE_URL": url} if url else {}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**own, **where, **given},
            capture_output=True,
            text=True,
            check=False,
        )

    def doors(self, *arguments: str) -> dict[str, Any]:
        """What tests/orm/made_up_option.py says."""
        answer = self.run("-m", "tests.orm.made_up_option", *arguments)
        assert answer.returncode == 0, answer.stderr
        answers: dict[str, Any] = json.loads(answer.stdout)
        return answers


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "mmdb", folder / "mmdb", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("sql", "migrations", "examples", "tests"):
        (folder / name).symlink_to(ROOT / name)
    file = folder / "mmdb" / "declaration.py"
    written = file.read_text("utf-8")
    assert written.count(BEHIND) == 1
    file.write_text(written.replace(BEHIND, BEHIND + ADDED), "utf-8")
    return Copy(folder)


@pytest.fixture(scope="module")
def doors(copy: Copy) -> dict[str, Any]:
    return copy.doors()


def test_in_a_mapped_class_and_its_ddl(doors: dict[str, Any]) -> None:
    assert '"distance": "cosine", "made_up": "x"}\'::jsonb)' in doors["created"]


def test_in_alembic(doors: dict[str, Any]) -> None:
    assert doors["rendered"] == "op.add_embedding('products', 'title', model='hash', made_up='x')"
    assert doors["rendered_default"] == "op.add_embedding('products', 'title', model='hash')"
    assert '\'{"sources": ["title"], "made_up": "x"}\'::jsonb' in doors["offline"]


def test_on_the_command_line(copy: Copy, doors: dict[str, Any]) -> None:
    answer = copy.run("-m", "mmdb", "add", "--help")
    assert "--made-up <str>" in answer.stdout, answer.stderr
    assert "Made up by a test. Default: no." in answer.stdout
    assert doors["flag"] == '{"sources": ["title"], "made_up": "x"}'


@pytest.fixture
def wider(database: Database) -> Database:
    """A database that knows the option too, and has a table."""
    with database.connect() as connection:
        connection.execute(ALSO_THERE)
    return database


def test_in_the_database(copy: Copy, wider: Database) -> None:
    """Taken, recorded, given back, and compared by the command line and by Alembic."""
    add = ("-m", "mmdb", "add", "products", "title", "--model", "hash", "--made-up")
    answer = copy.run(*add, "x", url=wider.url)
    assert 'declared embedding "title" of products' in answer.stderr
    with wider.connect() as connection:
        recorded = connection.execute("select declaration ->> 'made_up' from mmdb.declarations()").fetchall()
    assert recorded == [("x",)]
    assert 'embedding "title" of products is declared' in copy.run(*add, "x", url=wider.url).stderr
    assert 'has an embedding "title" already' in copy.run(*add, "y", url=wider.url).stderr
    doors = copy.doors(wider.url)
    assert doors["same"].strip() == "pass"
    again = "op.drop_embedding('products', 'title')\nop.add_embedding('products', 'title', model='hash'{})"
    assert lines(doors["up"]) == again.format("")
    assert lines(doors["down"]) == again.format(", made_up='x'")


def test_a_database_that_does_not_know_it_says_so(copy: Copy, database: Database) -> None:
    with database.connect() as connection:
        connection.execute("create table products (id int primary key, title text)")
    answer = copy.run("-m", "mmdb", "add", "products", "title", "--made-up", "x", url=database.url)
    assert answer.returncode == 3
    assert 'unknown option "made_up" of an embedding' in answer.stderr


def test_database_and_python_know_the_same_options(database: Database) -> None:
    with database.connect() as connection:
        there = connection.execute("select name, default_value from mmdb.declaration_options()").fetchall()
    assert {name for name, _ in there} == options().keys()
    for name, default in there:
        assert default is None or default == options()[name].default, name
