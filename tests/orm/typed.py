"""Not run: mypy and pyright read it, and tests/orm/test_typing.py compares what they reveal."""

# pyright: basic

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import (
    DeclarativeBase,
    InstrumentedAttribute,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)

from mmdb import embed_batch, load_model
from mmdb.models.embed.base import Embedder
from mmdb.orm import Vec, copy_rows, distance, embedding, like, nearest, recommend, search, wait_until_embedded

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "typed_products"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    plain_embedding = embedding("title", model="hash")
    title_embedding: Mapped[Vec | None] = embedding("title", model="hash")


def reveal(session: Session, asynchronous: AsyncSession, product: Product) -> None:
    assert_type(Product.title_embedding, InstrumentedAttribute[NDArray[np.float32] | None])
    assert_type(Product.plain_embedding, InstrumentedAttribute[NDArray[np.float32] | None])
    assert_type(product.title_embedding, NDArray[np.float32] | None)
    assert_type(product.plain_embedding, NDArray[np.float32] | None)
    assert_type(nearest(Product.title_embedding, "red shoes"), ColumnElement[float])
    near = distance(Product.title_embedding, product).label("d")
    for found, d in session.execute(select(Product, near).order_by(near)).tuples():  # for SQLAlchemy 2.0
        assert_type(found, Product)
        assert_type(d, float)
    for statement in (
        search(Product, "red shoes", diversity=0.3, after=product),
        like(Product, product),
        recommend(Product, [product, 2], disliked=(3,), weights={"disliked": 0.5}).limit(5),
    ):
        for found, score in session.execute(statement).tuples():
            assert_type(found, Product)
            assert_type(score, float)
    for ranked in (
        search(Product, "red shoes", image=b"", depth=50, ranks=True),
        like(Product, product, weights={"title": 2}, ranks=True),
        recommend(Product, [product], after=product, ranks=True).where(Product.id > 3),
    ):
        for found, score, ranks in session.execute(ranked).tuples():
            assert_type(found, Product)
            assert_type(score, float)
            assert_type(ranks, dict[str, dict[str, Any]])
    assert_type(wait_until_embedded(session, Product, [1]), Any)
    waiting = wait_until_embedded(asynchronous, Product, [1])
    _ = assert_type(waiting, Coroutine[Any, Any, Any])
    assert_type(wait_until_embedded(scoped_session(sessionmaker()), Product), Any)
    scoped = async_scoped_session(async_sessionmaker(), scopefunc=lambda: 1)
    _ = assert_type(wait_until_embedded(scoped, Product), Coroutine[Any, Any, Any])
    assert_type(copy_rows(scoped_session(sessionmaker()), Product, []), int)
    assert_type(load_model("lite"), Embedder)
    assert_type(embed_batch(["a", b"b"]), NDArray[np.float32])
