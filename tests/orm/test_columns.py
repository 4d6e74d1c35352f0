"""An embedding is a column of the class: of every kind of class, and of a table that works at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_mock_engine,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    declared_attr,
    mapped_column,
    registry,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from mmdb.errors import DeclarationError, InstallError
from mmdb.orm import Vec, embedding, embedding_column, nearest
from mmdb.worker import Totals
from tests.conftest import Database
from tests.db.conftest import expected
from tests.orm.conftest import Base as Shop
from tests.orm.conftest import Product, sql

Drain = Callable[[], Totals]


def check(engine: Engine, entity: Any, source: str = "title", target: str = "title_embedding") -> None:
    """Every row has the vector of its source."""
    with Session(engine) as session:
        for title, vector in session.execute(select(getattr(entity, source), getattr(entity, target))):
            if title is not None:
                np.testing.assert_allclose(vector, expected(title), atol=1e-3)


def declared(engine: Engine) -> set[tuple[str, str]]:
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(text("select relation::text, name from mmdb.embeddings"))}


def test_create_all_gives_a_working_table_and_drop_all_leaves_nothing(
    shop: Session, engine: Engine, drain: Drain
) -> None:
    assert drain() == Totals(stored=9, failed=0)
    check(engine, Product)
    shop.close()
    Shop.metadata.drop_all(engine)
    assert declared(engine) == set()
    with engine.connect() as connection:
        left = text("select count(*) from pg_proc where pronamespace = 'public'::regnamespace and proname like 'mmdb%'")
        assert connection.scalar(left) == 0


def test_the_definition_in_sql() -> None:
    table = Product.__table__
    assert isinstance(table, Table)
    assert "title_embedding HALFVEC(64)" in sql(CreateTable(table))
    (index,) = table.indexes
    assert sql(CreateIndex(index)) == (
        "CREATE INDEX products_title_hnsw ON products USING hnsw (title_embedding halfvec_cosine_ops)"
    )


def test_a_mock_engine_writes_the_statements() -> None:
    written: list[str] = []
    engine = create_mock_engine("postgresql+psycopg://", lambda statement, *_, **__: written.append(sql(statement)))
    Shop.metadata.create_all(engine, checkfirst=False)
    assert written[-1] == (
        "SELECT name FROM mmdb.add_embedding('products'::regclass, "
        """'{"sources": ["title"], "name": "title", "model": "hash", "distance": "cosine"}'::jsonb)"""
    )


def test_several_sources_with_weights(engine: Engine, drain: Drain) -> None:
    class Base(DeclarativeBase):
        pass

    class Good(Base):
        __tablename__ = "goods"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str | None] = mapped_column("title")
        body: Mapped[str | None]
        all_embedding = embedding("name", "body", model="hash", weights=(3, 1))

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Good(id=1, name="a", body="b"), Good(id=2, body="b"), Good(id=3)])
        session.commit()
        assert drain() == Totals(stored=2, failed=0)
        total = 3 * expected("a") + expected("b")
        good, only = session.get_one(Good, 1), session.get_one(Good, 2)
        assert good.all_embedding is not None
        assert only.all_embedding is not None
        np.testing.assert_allclose(good.all_embedding, total / np.linalg.norm(total), atol=1e-3)
        np.testing.assert_allclose(only.all_embedding, expected("b"), atol=1e-3)
        assert session.scalars(select(Good).order_by(nearest(Good.all_embedding, good)).limit(1)).one() is good
    Base.metadata.drop_all(engine)
    assert declared(engine) == set()


def test_the_value_is_deferred_and_an_array(shop: Session, drain: Drain) -> None:
    drain()
    product = shop.get_one(Product, 3)
    assert "title_embedding" in inspect(product).unloaded
    assert product.title_embedding is not None
    assert product.title_embedding.dtype == np.float32
    assert product.title_embedding.shape == (64,)
    np.testing.assert_allclose(product.title_embedding, expected("item 3"), atol=1e-3)


def test_a_changed_source_is_pending_and_seen_so(shop: Session, drain: Drain) -> None:
    drain()
    product = shop.get_one(Product, 3)
    assert _is_embedded(product)
    product.title = "changed"
    shop.commit()
    assert not _is_embedded(product)
    shop.execute(update(Product).where(Product.id == 4).values(title="changed too"))
    shop.commit()
    assert shop.scalar(select(Product.title_embedding).where(Product.id == 4)) is None


def test_a_changed_source_keeps_its_vector_where_that_was_declared(engine: Engine, drain: Drain) -> None:
    class Base(DeclarativeBase):
        metadata = MetaData()

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        body: Mapped[str | None]
        body_embedding = embedding("body", model="hash", on_change="keep")

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Note(id=1, body="one"), Note(id=2, body="two")])
        session.commit()
        drain()
        session.get_one(Note, 1).body = "changed"
        session.get_one(Note, 2).body = None
        session.commit()
        first, second = session.get_one(Note, 1).body_embedding, session.get_one(Note, 2).body_embedding
        assert first is not None
        np.testing.assert_allclose(first, expected("one"), atol=1e-3)
        assert second is None
        assert session.scalar(text("select stale from mmdb.status")) == 1
        session.commit()
    drain()
    with Session(engine) as session:
        now = session.get_one(Note, 1).body_embedding
        assert now is not None
        np.testing.assert_allclose(now, expected("changed"), atol=1e-3)
    Base.metadata.drop_all(engine)


def test_on_change_is_checked() -> None:
    with pytest.raises(DeclarationError, match='on_change is "never"'):
        embedding("body", model="hash", on_change="never")  # type: ignore[arg-type]


def _is_embedded(product: Product) -> bool:
    return product.title_embedding is not None


def test_vectors_of_the_callers_own(shop: Session, drain: Drain) -> None:
    rows = [
        {"id": 20, "title": "with", "title_embedding": np.ones(64)},
        {"id": 21, "title": "without", "title_embedding": None},
    ]
    shop.execute(insert(Product), rows)
    shop.add(Product(id=22, title="of a session", title_embedding=[2.0] * 64))
    shop.commit()
    assert drain().stored == 10
    np.testing.assert_array_equal(shop.get_one(Product, 20).title_embedding, np.ones(64))
    np.testing.assert_array_equal(shop.get_one(Product, 22).title_embedding, np.full(64, 2))


# Every kind of class.


def test_a_mixin_and_its_two_tables(engine: Engine, drain: Drain) -> None:
    class Base(DeclarativeBase):
        pass

    class Titled:
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        title_embedding = embedding("title", model="hash")

    class Book(Titled, Base):
        __tablename__ = "books"

    class Film(Titled, Base):
        __tablename__ = "films"

    Base.metadata.create_all(engine)
    assert declared(engine) == {("books", "title"), ("films", "title")}
    with Session(engine) as session:
        session.add_all([Book(id=1, title="a book"), Film(id=1, title="a film")])
        session.commit()
    assert drain().stored == 2
    check(engine, Book)
    check(engine, Film)


def test_a_mixin_that_declares_by_a_function(engine: Engine) -> None:
    class Base(DeclarativeBase):
        pass

    class Described:
        @declared_attr
        def about_embedding(cls) -> Mapped[Vec | None]:
            return embedding("about", model="hash")

    class Book(Described, Base):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        about: Mapped[str]

    Base.metadata.create_all(engine)
    assert declared(engine) == {("books", "about")}


def test_single_and_joined_inheritance(engine: Engine, drain: Drain) -> None:
    class Base(DeclarativeBase):
        pass

    class Item(Base):
        __tablename__ = "items"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        title: Mapped[str]
        title_embedding = embedding("title", model="hash")
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "item"}  # noqa: RUF012

    class Toy(Item):
        fun: Mapped[str | None]
        fun_embedding = embedding("fun", model="hash")
        __mapper_args__ = {"polymorphic_identity": "toy"}  # noqa: RUF012

    class Book(Item):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(ForeignKey("items.id"), primary_key=True)
        abstract: Mapped[str]
        abstract_embedding = embedding("abstract", model="hash")
        __mapper_args__ = {"polymorphic_identity": "book"}  # noqa: RUF012

    Base.metadata.create_all(engine)
    assert declared(engine) == {("items", "title"), ("items", "fun"), ("books", "abstract")}
    with Session(engine) as session:
        session.add_all([Toy(id=1, title="a ball", fun="much"), Book(id=2, title="a book", abstract="about all")])
        session.commit()
    assert drain().stored == 4
    check(engine, Item)
    check(engine, Toy, "fun", "fun_embedding")
    check(engine, Book, "abstract", "abstract_embedding")
    check(engine, Book)


def test_schemas_several_embeddings_and_names_that_differ(engine: Engine, drain: Drain) -> None:
    class Base(DeclarativeBase):
        pass

    class Odd(Base):
        __tablename__ = "Odd Table"
        __table_args__ = {"schema": "a schema"}  # noqa: RUF012
        a: Mapped[int] = mapped_column(primary_key=True)
        b: Mapped[str] = mapped_column(primary_key=True)
        title: Mapped[str] = mapped_column("The Title")
        more: Mapped[str | None] = mapped_column("100%")
        title_embedding = embedding("title", model="hash", prefix="odd")
        both_embedding = embedding("title", "100%", model="hash", prefix="odd", index={"m": 8, "ef_construction": 40})
        look = embedding("title", name="look", model="hash", prefix="odd", index=False)

    with engine.begin() as connection:
        connection.execute(text('create schema "a schema"'))
    Base.metadata.create_all(engine)
    assert {name for _, name in declared(engine)} == {"title", "both", "look"}
    with Session(engine) as session:
        session.add(Odd(a=1, b="it's", title="red", more="blue"))
        session.commit()
    assert drain().stored == 3
    check(engine, Odd)
    with Session(engine) as session:
        both = session.scalar(select(Odd.both_embedding))
        assert both is not None
        np.testing.assert_allclose(both, expected("red\nblue"), atol=1e-3)
        query = text("select indexname, indexdef from pg_indexes where schemaname = 'a schema'")
        indexes = {row.indexname: row.indexdef for row in session.execute(query)}
    assert "odd_title_hnsw" in indexes
    assert "(m='8', ef_construction='40')" in indexes["odd_both_hnsw"]
    assert "odd_look_hnsw" not in indexes
    assert "odd_look_pending" in indexes


def test_a_dataclass(engine: Engine, drain: Drain) -> None:
    class Base(MappedAsDataclass, DeclarativeBase):
        pass

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        title_embedding: Mapped[Vec | None] = embedding("title", model="hash", init=False, repr=False)

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Note(1, "a note"))
        session.commit()
    assert drain().stored == 1
    check(engine, Note)


def test_a_table_of_core_and_imperative_mapping(engine: Engine, drain: Drain) -> None:
    metadata = MetaData()
    notes = Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("title", String),
        embedding_column("title", "title", model="hash"),
    )

    class Note:
        pass

    registry(metadata=metadata).map_imperatively(Note, notes)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(notes.insert(), [{"id": 1, "title": "a note"}])
    assert drain().stored == 1
    check(engine, Note)


def test_copies_of_a_table_declare_too(engine: Engine) -> None:
    metadata = MetaData()
    Product.__table__.to_metadata(metadata, name="copied")  # type: ignore[attr-defined]
    Shop.metadata.tables["makers"].to_metadata(metadata)
    assert {index.name for index in metadata.tables["copied"].indexes} == {"copied_title_hnsw"}
    metadata.create_all(engine)
    assert declared(engine) == {("copied", "title")}


def test_a_database_without_mmdb_is_named(empty_database: Database) -> None:
    from sqlalchemy import create_engine

    from mmdb.database.url import sqlalchemy_url

    engine = create_engine(sqlalchemy_url(empty_database.url))
    with pytest.raises(InstallError, match="mmdb is not installed in database"):
        Shop.metadata.create_all(engine)
    engine.dispose()


# Mistakes are named where they are made.


def define(**attributes: Any) -> None:
    base = type("Base", (DeclarativeBase,), {})
    columns = {"id": mapped_column(Integer, primary_key=True), "title": mapped_column(String)}
    type("Thing", (base,), {"__tablename__": "things", **columns, **attributes})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: define(x_embedding=embedding("titel")), r'Thing.x_embedding: "titel" is not a mapped column'),
        (lambda: define(look=embedding("title")), r'"look" of table "things" .* not end in "_embedding"'),
        (lambda: define(x_embedding=embedding()), "needs a source"),
        (lambda: define(x_embedding=embedding("title", model="siglip")), 'model "siglip" is none'),
        (lambda: define(x_embedding=embedding("title", model="lite", dimensions=3)), '"640", not "3"'),
        (lambda: define(x_embedding=embedding("title", distance="far")), 'unknown distance "far"'),  # type: ignore[arg-type]
        (lambda: define(x_embedding=embedding("title", modality="sound")), 'modality "sound"'),  # type: ignore[arg-type]
        (lambda: define(x_embedding=embedding(mapped_column())), "given by its name"),  # type: ignore[arg-type]
        (lambda: define(x_embedding=embedding("title", "body", weights=(1,))), "1 weights for 2 sources"),
        (lambda: define(x_embedding=embedding("title", weights=(1,))), "1 weights for 1 sources"),
        (lambda: define(x_embedding=embedding("title", "body", weights=(1, 0))), 'weight "0.0" is not a positive'),
        (lambda: define(x_embedding=embedding("title", "body", weights=(1, -1))), 'weight "-1.0" is not a positive'),
        (lambda: define(x_embedding=embedding("title", "body", weights=(1, math.nan))), 'weight "nan"'),
        (lambda: define(x_embedding=embedding("title", "title", weights=(1, 2))), '"title" is named twice'),
        (
            lambda: define(x_embedding=embedding("title", "body", modality="image", weights=(1, 2))),
            'take no modality "image"',
        ),
    ],
)
def test_mistakes_in_a_declaration(make: Callable[[], None], message: str) -> None:
    with pytest.raises(DeclarationError, match=message) as caught:
        make()
    assert caught.value.hint


def test_a_source_of_another_table() -> None:
    class Base(DeclarativeBase):
        pass

    class Item(Base):
        __tablename__ = "items"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]

    with pytest.raises(DeclarationError, match='"title" is a column of table "items", not of "books"'):

        class Book(Item):
            __tablename__ = "books"
            id: Mapped[int] = mapped_column(ForeignKey("items.id"), primary_key=True)
            title_embedding = embedding("title", model="hash")


def test_a_class_whose_table_has_no_key() -> None:
    metadata = MetaData()
    table = Table("notes", metadata, Column("title", String), embedding_column("title", "title", model="hash"))

    class Note:
        pass

    with pytest.raises(DeclarationError, match=r'Note.title_embedding: table "notes" has no primary key'):
        registry(metadata=metadata).map_imperatively(Note, table, primary_key=[table.c.title])


def test_a_model_the_database_does_not_have(engine: Engine) -> None:
    from sqlalchemy.exc import ProgrammingError

    table = Table(
        "notes",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("title", String),
        embedding_column("title", "title", model="siglip", dimensions=8),
    )
    with pytest.raises(ProgrammingError, match='model "siglip" does not exist'):
        table.create(engine)
    with engine.connect() as connection:
        assert not inspect(connection).has_table("notes")
