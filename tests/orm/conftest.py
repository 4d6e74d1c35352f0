"""Engines on a database of the test's own, and a shop mapped in the ordinary way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, MetaData, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from mmdb.database.url import sqlalchemy_url
from mmdb.orm import embedding
from tests.conftest import Database
from tests.db.conftest import drain, module_database, worker

__all__ = ["Base", "Maker", "Product", "drain", "engine", "module_database", "shop", "sql", "worker"]


class Base(DeclarativeBase):
    """The shop's metadata: names are of the kind that people have."""

    metadata = MetaData()


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    price: Mapped[int] = mapped_column(default=1)
    maker_id: Mapped[int | None] = mapped_column(ForeignKey("makers.id"))
    title_embedding = embedding("title", model="hash")

    maker: Mapped[Maker | None] = relationship(back_populates="products")


class Maker(Base):
    __tablename__ = "makers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    products: Mapped[list[Product]] = relationship(back_populates="maker")


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """A plain engine, as an application makes it: pgvector's types are not registered."""
    made = create_engine(sqlalchemy_url(database.url))
    yield made
    made.dispose()


@pytest.fixture
def shop(engine: Engine) -> Iterator[Session]:
    """A session on the shop: three makers, nine products "item 1" to "item 9" at prices 1 to 9."""
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Maker(id=number, name=f"maker {number}") for number in range(1, 4))
        session.flush()
        session.add_all(
            Product(id=number, title=f"item {number}", price=number, maker_id=number % 3 + 1) for number in range(1, 10)
        )
        session.commit()
        yield session


def sql(statement: Any, **options: Any) -> str:
    """A statement as it goes to PostgreSQL through psycopg, on one line."""
    from sqlalchemy.dialects.postgresql import psycopg

    compiled = statement.compile(dialect=psycopg.dialect(), **options)  # type: ignore[no-untyped-call]
    return " ".join(str(compiled).split())
