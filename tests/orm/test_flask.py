"""Flask-Migrate, which writes migrations in batches unless told otherwise: its commands, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import Migrate, downgrade, init, migrate, upgrade
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, String, text
from sqlalchemy.orm import DeclarativeBase, mapped_column

from mmdb.database.url import sqlalchemy_url
from mmdb.orm import embedding
from mmdb.worker import Totals
from tests.conftest import Database

Drain = Callable[[], Totals]
pytestmark = pytest.mark.filterwarnings("ignore:'get_engine' is deprecated")  # Flask-Migrate's env.py asks for it


@pytest.fixture
def db(database: Database, tmp_path: Path) -> Iterator[SQLAlchemy]:
    """The extension, within an application whose env.py knows mmdb, and a model `Product` in its first version."""
    made = SQLAlchemy(model_class=type("Base", (DeclarativeBase,), {"metadata": MetaData()}))
    columns = {
        "id": mapped_column(sa.Integer, primary_key=True),
        "title": mapped_column(String(140)),
        "title_embedding": embedding("title", model="hash"),
    }
    type("Product", (made.Model,), {"__tablename__": "products", **columns})
    app = Flask("shop")
    app.config["SQLALCHEMY_DATABASE_URI"] = sqlalchemy_url(database.url)
    made.init_app(app)
    Migrate(app, made, directory=str(tmp_path / "migrations"))
    with app.app_context():
        init()
        env = tmp_path / "migrations" / "env.py"
        env.write_text(f"import mmdb.orm.alembic\n{env.read_text()}")
        yield made
        made.session.remove()
        made.engine.dispose()


def revisions(tmp_path: Path) -> int:
    return len(list((tmp_path / "migrations" / "versions").glob("*.py")))


def test_a_source_and_another_column_change(db: SQLAlchemy, drain: Drain, tmp_path: Path) -> None:
    migrate(message="first")
    upgrade()
    db.session.execute(text("insert into products select g, 'item ' || g from generate_series(1, 3) g"))
    db.session.commit()
    assert drain().stored == 3
    products = db.metadata.tables["products"]
    products.c.title.type = String(280)
    products.append_column(sa.Column("price", sa.Integer))
    migrate(message="second")
    for step in (upgrade, downgrade, upgrade):
        step()
        assert db.session.execute(text("select pending, drift from mmdb.status")).one() == (0, None)
        db.session.commit()
    assert drain() == Totals(stored=0, failed=0)
    migrate(message="third")
    assert revisions(tmp_path) == 2, "there was nothing to write"
