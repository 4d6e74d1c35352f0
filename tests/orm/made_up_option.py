"""A program: what every door of mmdb makes of an option that is not there, `made_up`, as JSON.

tests/orm/test_declaration.py runs it on a copy of mmdb in which that option is one more field of the declaration. With
the address of a database it also compares a class with what that database has.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.operations.ops import UpgradeOps
from sqlalchemy import create_engine, create_mock_engine

from mmdb.database.url import sqlalchemy_url
from mmdb.declaration import Declaration
from mmdb.orm import embedding
from mmdb.orm.alembic import AddEmbeddingOp
from tests.orm.conftest import sql
from tests.orm.test_alembic import Migrator, products


def made_up(value: str | None) -> sa.MetaData:
    """A class whose embedding has this value of the option."""
    given: dict[str, Any] = {} if value is None else {"made_up": value}
    return products(title_embedding=embedding("title", model="hash", **given))


def created() -> str:
    written: list[str] = []
    engine = create_mock_engine("postgresql+psycopg://", lambda statement, *_, **__: written.append(sql(statement)))
    made_up("x").create_all(engine, checkfirst=False)
    return written[-1]


def rendered(value: str) -> str:
    declaration = Declaration.of(["title"], model="hash", made_up=value)
    written = render_python_code(UpgradeOps([AddEmbeddingOp("products", declaration)]))
    return "\n".join(line for line in written.splitlines() if not line.strip().startswith("#")).strip()


def offline() -> str:
    buffer = io.StringIO()
    options = {"as_sql": True, "output_buffer": buffer}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    Operations(context).add_embedding("products", "title", made_up="x")  # type: ignore[attr-defined]
    return buffer.getvalue().strip()


def main() -> None:
    answers: dict[str, Any] = {
        "created": created(),
        "rendered": rendered("x"),
        "rendered_default": rendered("no"),
        "offline": offline(),
        "flag": Declaration.from_flags(["title"], {"made_up": "x"}).to_json(),
    }
    if len(sys.argv) > 1:
        with create_engine(sqlalchemy_url(sys.argv[1])).connect() as connection:
            migrator = Migrator(connection)
            answers["same"], _ = migrator.scripts(made_up("x"))
            answers["up"], answers["down"] = migrator.scripts(made_up(None))
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
