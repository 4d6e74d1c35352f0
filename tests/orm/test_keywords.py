"""Words for the hybrid search: declared in a class, created with its table, and compared by Alembic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from mmdb.errors import DeclarationError
from mmdb.orm import embedding, keywords, search
from mmdb.worker import Totals
from tests.orm.test_alembic import Migrator, products

Drain = Callable[[], Totals]
THERE = "select columns, language, name from mmdb.keywords order by name"


@pytest.fixture(params=[False, True], ids=["op", "batch"])
def migrator(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Migrator]:
    with engine.connect() as connection:
        yield Migrator(connection, batch=request.param)


def shop(*words: keywords, **columns: Any) -> MetaData:
    given = {"body": mapped_column(String), "title_embedding": embedding("title", model="hash")}
    return products(**{**given, **columns}, __table_args__=words)


def there(migrator: Migrator) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in migrator.connection.execute(text(THERE))]


def test_created_searched_and_dropped(engine: Engine, worker: None) -> None:
    class Base(DeclarativeBase):
        pass

    class Note(Base):
        __tablename__ = "notes"
        __table_args__ = (keywords("headline", "body", language="english"),)
        id: Mapped[int] = mapped_column(primary_key=True)
        headline: Mapped[str] = mapped_column("title")
        body: Mapped[str | None]
        headline_embedding = embedding("headline", model="hash")

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        assert session.execute(text(THERE)).one() == (["title", "body"], "english", "keywords")
        session.add_all([Note(id=1, headline="Boots", body="for the winter"), Note(id=2, headline="A mug")])
        session.commit()
        session.execute(text("select mmdb.wait_until_embedded('notes')"))
        note, _score, ranks = session.execute(search(Note, "winters", ranks=True).limit(1)).one()
        assert note.id == 1
        assert "keywords" in ranks
    Base.metadata.drop_all(engine)
    with engine.connect() as connection:
        assert connection.execute(text(THERE)).all() == []


def test_of_a_table_of_core(engine: Engine) -> None:
    metadata = MetaData()
    columns = (Column("id", Integer, primary_key=True), Column("title", String), Column("it's", String))
    Table("100% odd", metadata, *columns, keywords("title", name="plain"), keywords("it's", language="german"))
    metadata.create_all(engine)
    with engine.connect() as connection:
        assert connection.execute(text(THERE)).all() == [
            (["it's"], "german", "keywords"), (["title"], "simple", "plain")
        ]  # fmt: skip
    metadata.drop_all(engine)


def test_mistakes_are_named() -> None:
    with pytest.raises(DeclarationError, match="keywords need columns"):
        keywords()
    with pytest.raises(DeclarationError, match='Product: keywords: "nix" is not a mapped column'):
        shop(keywords("nix"))
    with pytest.raises(DeclarationError, match='has keywords "keywords" twice'):
        shop(keywords("title"), keywords("body"))


def test_autogenerate_there_and_back(migrator: Migrator) -> None:
    before = shop(keywords("title", language="english"))
    up, down = migrator.migrate(before)
    assert up.splitlines()[-1] == "op.add_keywords('products', 'title', language='english')"
    assert down.splitlines()[0] == "op.drop_keywords('products', 'keywords')"
    after = shop(
        keywords("title", "body", language="english"), keywords("color", name="colors"), color=mapped_column(String)
    )
    up, down = migrator.scripts(after)
    migrator.run(up)
    assert migrator.scripts(after)[0].strip() == "pass"
    assert there(migrator) == [(["color"], "simple", "colors"), (["title", "body"], "english", "keywords")]
    migrator.run(down)
    assert migrator.scripts(before)[0].strip() == "pass"
    assert there(migrator) == [(["title"], "english", "keywords")]


def test_a_dropped_table_comes_back_with_its_words(migrator: Migrator) -> None:
    metadata = shop(keywords("title", language="german", name="words"))
    migrator.migrate(metadata)
    up, down = migrator.scripts(MetaData())
    migrator.run(up)
    assert there(migrator) == []
    migrator.run(down)
    assert there(migrator) == [(["title"], "german", "words")]
    assert migrator.scripts(metadata)[0].strip() == "pass"


def test_a_renamed_column_is_no_change(migrator: Migrator) -> None:
    migrator.migrate(shop(keywords("title", "body")))
    migrator.run("op.alter_column('products', 'body', new_column_name='about')\nop.refresh_embeddings('products')")
    columns = {"id": mapped_column(sa.Integer, primary_key=True), "about": mapped_column(String)}
    base = type("Base", (DeclarativeBase,), {"metadata": MetaData()})
    own = {"title": mapped_column(String), "title_embedding": embedding("title", model="hash")}
    named = {"__tablename__": "products", "__table_args__": (keywords("title", "about"),)}
    made: Any = type("Product", (base,), {**named, **columns, **own})
    assert migrator.scripts(made.metadata)[0].strip() == "pass"


def test_by_hand(migrator: Migrator) -> None:
    migrator.migrate(shop())
    migrator.run(
        "op.add_keywords('products', 'title', name='later', build_indexes=False)\n"
        "op.drop_keywords('products', 'nix', if_exists=True)\n"
        "op.drop_keywords('products', 'later', if_exists=True)\n"
        "op.add_keywords('products', 'title', 'body', language='japanese')"
    )
    assert there(migrator) == [(["title", "body"], "japanese", "keywords")]
    assert migrator.scripts(shop())[0].strip() == "pass", "a class that declares none leaves them alone"
    with pytest.raises(DeclarationError, match="needs a column"):
        migrator.run("op.add_keywords('products')")
