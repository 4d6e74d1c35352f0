"""Sync and async sessions alike, through psycopg and asyncpg; waiting, bulk loads and embedding in advance."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import Engine, MetaData, create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker, undefer

import mmdb
from mmdb.database.url import sqlalchemy_url
from mmdb.errors import MediaError, ModelError, QueryError
from mmdb.models.embed.hash import HashEmbedder
from mmdb.orm import copy_rows, distance, embedding, nearest, search, wait_until_embedded
from mmdb.worker import Totals
from tests.conftest import Database
from tests.db.conftest import expected
from tests.orm.conftest import Maker, Product

Drain = Callable[[], Totals]


def run_async(database: Database, driver: str, body: Callable[[AsyncSession], Coroutine[Any, Any, None]]) -> None:
    """`body` with an AsyncSession on `database`."""

    async def run() -> None:
        engine = create_async_engine(sqlalchemy_url(database.url).set(drivername=f"postgresql+{driver}"))
        try:
            async with AsyncSession(engine) as session:
                await body(session)
        finally:
            await engine.dispose()

    asyncio.run(run())


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_an_asynchronous_session(shop: Session, database: Database, worker: None, driver: str) -> None:
    async def body(session: AsyncSession) -> None:
        session.add(Product(id=30, title="a new one"))
        await session.commit()
        await wait_until_embedded(session, Product, [30])
        by_text = select(Product).order_by(nearest(Product.title_embedding, "a new one")).limit(1)
        product = (await session.scalars(by_text.options(undefer(Product.title_embedding)))).one()
        assert product.id == 30
        assert product.title_embedding is not None
        np.testing.assert_allclose(product.title_embedding, expected("a new one"), atol=1e-3)
        by_vector = select(Product.id).order_by(nearest(Product.title_embedding, product.title_embedding)).limit(1)
        assert (await session.scalars(by_vector)).one() == 30
        picture = select(distance(Product.title_embedding, b"\x89PNG"))
        with pytest.raises(DBAPIError, match="could not be embedded"):
            await session.execute(picture)
        await session.rollback()
        await session.execute(insert(Product), [{"id": 31, "title": "x", "title_embedding": np.ones(64)}])
        await session.commit()
        (vector,) = (await session.execute(select(Product.title_embedding).where(Product.id == 31))).scalars()
        np.testing.assert_array_equal(vector, np.ones(64))

    run_async(database, driver, body)


def test_a_scoped_session(shop: Session, worker: None) -> None:
    """As Flask-SQLAlchemy's `db.session` is one."""
    scoped = scoped_session(sessionmaker(shop.get_bind()))
    assert copy_rows(scoped, Product, [{"id": 30, "title": "a new one", "price": 1}]) == 1
    scoped.commit()
    wait_until_embedded(scoped, Product, [30])
    assert scoped.execute(search(Product, "a new one").limit(1)).one()[0].id == 30
    scoped.remove()


def test_an_asynchronous_scoped_session(shop: Session, database: Database, worker: None) -> None:
    async def body(session: AsyncSession) -> None:
        scoped = async_scoped_session(async_sessionmaker(session.bind), scopefunc=asyncio.current_task)
        await wait_until_embedded(scoped, Product, [1])
        with pytest.raises(QueryError, match="not asynchronous"):
            copy_rows(scoped, Product, [])  # type: ignore[arg-type]
        await scoped.remove()

    run_async(database, "asyncpg", body)


def test_create_all_through_an_asynchronous_engine(database: Database, drain: Drain) -> None:
    async def run() -> None:
        engine = create_async_engine(sqlalchemy_url(database.url).set(drivername="postgresql+asyncpg"))
        async with engine.begin() as connection:
            await connection.run_sync(Product.metadata.create_all)
            await connection.execute(insert(Product), [{"id": 1, "title": "one"}])
        await engine.dispose()

    asyncio.run(run())
    assert drain() == Totals(stored=1, failed=0)


def test_values_come_alike_from_an_engine_of_ours(shop: Session, database: Database, drain: Drain) -> None:
    """There pgvector's types are registered, and psycopg makes its objects of them."""
    drain()
    engine = mmdb.connect(database.url)
    with Session(engine) as session:
        product = session.scalars(
            select(Product).order_by(nearest(Product.title_embedding, expected("item 2")))
        ).first()
        assert product is not None
        assert product.id == 2
        assert product.title_embedding is not None
        np.testing.assert_allclose(product.title_embedding, expected("item 2"), atol=1e-3)
    engine.dispose()


# Waiting.


def test_waiting_for_some_rows_and_for_all(shop: Session, worker: None) -> None:
    wait_until_embedded(shop, Product, [1, 2])
    assert shop.get_one(Product, 2).title_embedding is not None
    wait_until_embedded(shop, Product)
    assert shop.scalar(select(Product.id).where(Product.title_embedding.is_(None))) is None


def test_keys_of_two_columns(engine: Engine, worker: None) -> None:
    class Base(DeclarativeBase):
        pass

    class Pair(Base):
        __tablename__ = "pairs"
        a: Mapped[int] = mapped_column(primary_key=True)
        b: Mapped[str] = mapped_column(primary_key=True)
        title: Mapped[str]
        title_embedding = embedding("title", model="hash")

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Pair(a=1, b='quoted "\\, and', title="one"))
        session.commit()
        wait_until_embedded(session, Pair, [(1, 'quoted "\\, and')])
        assert session.scalars(select(Pair)).one().title_embedding is not None


def test_waiting_says_what_is_wrong(shop: Session) -> None:
    with pytest.raises(DBAPIError, match="no worker is running"):
        wait_until_embedded(shop, Product, [1])
    shop.rollback()
    with pytest.raises(QueryError, match='"Maker" has no embedding'):
        wait_until_embedded(shop, Maker)
    with pytest.raises(QueryError, match='"Product" has no embedding "photo"'):
        wait_until_embedded(shop, Product, name="photo")


# Bulk.


def test_copy_takes_vectors_and_leaves_the_others_pending(shop: Session, drain: Drain) -> None:
    vectors = HashEmbedder().embed([f"copied {number}" for number in range(100, 150)])
    rows = [
        {"id": number, "title": f"copied {number}", "price": 3, "title_embedding": vectors[number - 100]}
        for number in range(100, 150)
    ]
    rows[7]["title_embedding"] = None
    assert copy_rows(shop, Product, iter(rows)) == 50
    shop.commit()
    assert drain().stored == 9 + 1
    found = shop.scalars(select(Product.id).order_by(nearest(Product.title_embedding, vectors[20])).limit(1))
    assert found.one() == 120


def test_copy_is_part_of_the_transaction(shop: Session) -> None:
    copy_rows(shop, Product, [{"id": 77, "title": "gone", "price": 1}])
    assert shop.scalar(select(Product.title).where(Product.id == 77)) == "gone"
    assert shop.scalar(text("select current_setting('search_path')")) == '"$user", public'
    shop.rollback()
    assert shop.get(Product, 77) is None
    assert copy_rows(shop, Product, []) == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": 1, "titel": "x"}], '"Product" has no attribute "titel"'),
        ([{"id": 1, "title": "x"}, {"id": 2}], "a row differs from the first one in: title"),
        ([{"id": 1, "title_embedding": [1.0]}], r"a vector of shape \(1,\)"),
    ],
)
def test_rows_that_cannot_be_copied(shop: Session, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        copy_rows(shop, Product, rows)


def test_copy_wants_psycopg(database: Database, shop: Session) -> None:
    async def body(session: AsyncSession) -> None:
        await session.run_sync(lambda sync: copy_rows(sync, Product, [{"id": 5}]))

    with pytest.raises(QueryError, match="a connection of psycopg that is not asynchronous"):
        run_async(database, "psycopg", body)


# Embedding in advance.


def test_embed_batch_makes_what_a_worker_stores(shop: Session, drain: Drain, tmp_path: Path) -> None:
    drain()
    buffer = io.BytesIO()
    picture = Image.new("RGB", (8, 8), "red")
    picture.save(buffer, "PNG")
    path = tmp_path / "red.png"
    path.write_bytes(buffer.getvalue())
    made = mmdb.embed_batch(["item 1", picture, buffer.getvalue(), path, "item 2"], model="hash")
    assert made.shape == (5, 64)
    np.testing.assert_array_equal(made[1], made[2])
    np.testing.assert_array_equal(made[1], made[3])
    stored = shop.get_one(Product, 1).title_embedding
    assert stored is not None
    np.testing.assert_allclose(made[0], stored, atol=1e-3)


def test_embed_batch_reads_as_it_goes_and_names_what_is_bad(capsys: pytest.CaptureFixture[str]) -> None:
    model = mmdb.load_model("hash")
    assert mmdb.embed_batch((f"text {number}" for number in range(100)), model, progress=True).shape == (100, 64)
    assert "100" in capsys.readouterr().err
    assert mmdb.embed_batch([], model).shape == (0, 64)
    with pytest.raises(MediaError, match="source 1: "):
        mmdb.embed_batch(["fine", b"no picture"], model)
    with pytest.raises(MediaError, match=r"source 0: .* cannot be read"):
        mmdb.embed_batch([Path("/nowhere/x")], model)
    with pytest.raises(ModelError, match='model "nix" does not exist'):
        mmdb.load_model("nix")


def test_a_model_of_the_database(database: Database) -> None:
    assert mmdb.load_model("hash", url=database.url).dimensions == 64
    with pytest.raises(ModelError, match='model "nix" does not exist'):
        mmdb.load_model("nix", url=database.url)


# Reflection.


def test_reflection_sees_columns_and_indexes(shop: Session, engine: Engine) -> None:
    from sqlalchemy.ext.automap import automap_base
    from sqlalchemy.schema import CreateIndex

    shop.execute(
        text(
            "create index odd on products using hnsw ((title_embedding::vector(64)) vector_l2_ops) with (m = 8)"
            " where price > 3"
        )
    )
    shop.commit()
    metadata = MetaData()
    metadata.reflect(engine)
    products = metadata.tables["products"]
    assert str(products.c.title_embedding.type) == "HALFVEC(64)"
    written = {str(index.name): " ".join(str(CreateIndex(index).compile(engine)).split()) for index in products.indexes}
    assert written["products_title_hnsw"] == (
        "CREATE INDEX products_title_hnsw ON products USING hnsw (title_embedding halfvec_cosine_ops)"
    )
    assert written["odd"] == (
        "CREATE INDEX odd ON products USING hnsw ((title_embedding::vector(64)) vector_l2_ops) WITH (m = 8) "
        "WHERE (price > 3)"
    )
    automapped = automap_base(metadata=metadata)
    automapped.prepare()
    with Session(engine) as session:
        assert session.scalars(select(automapped.classes.products.id)).all() == list(range(1, 10))


def test_both_engines_are_as_good(database: Database, shop: Session) -> None:
    """create_engine and mmdb.connect."""
    plain, ours = create_engine(sqlalchemy_url(database.url)), mmdb.connect(database.url)
    statement = select(distance(Product.title_embedding, [1.0] * 64))
    with plain.connect() as first, ours.connect() as second:
        assert first.execute(statement).all() == second.execute(statement).all()
    plain.dispose()
    ours.dispose()
