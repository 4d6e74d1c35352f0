"""`search`: a Select whose joins, conditions and limit hold inside every leg of the hybrid search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, joinedload, mapped_column

from mmdb.database.url import sqlalchemy_url
from mmdb.errors import MediaError, QueryError
from mmdb.orm import embedding, search
from mmdb.worker import Totals
from tests.conftest import Database
from tests.orm.conftest import Maker, Product, sql

Drain = Callable[[], Totals]


@pytest.fixture
def found(shop: Session, drain: Drain, worker: None) -> Session:
    """The shop with words beside its embedding, and a worker for queries."""
    shop.execute(text("select name from mmdb.add_keywords('products', array['title'], 'simple')"))
    shop.commit()
    drain()
    return shop


def test_what_it_compiles_to() -> None:
    statement = search(Product, "red shoes").where(Product.price < 5).limit(3)
    assert sql(statement) == (
        "SELECT products.id, products.title, products.price, products.maker_id, mmdb_hits.score AS score FROM products "
        "JOIN products_search(query => %(param_1)s::VARCHAR, images => %(param_2)s::BYTEA[], "
        "weights => %(param_3)s::VARCHAR::jsonb, depth => %(param_4)s::INTEGER, k => %(param_5)s::INTEGER, "
        "within => ARRAY(SELECT products.id FROM products WHERE products.price < %(price_1)s::INTEGER)) "
        "WITH ORDINALITY AS mmdb_hits ON products.id = mmdb_hits.id WHERE products.price < %(price_1)s::INTEGER "
        "ORDER BY mmdb_hits.ordinality LIMIT %(param_5)s::INTEGER"
    )


def test_the_same_as_in_sql(found: Session) -> None:
    by_sql = found.execute(text("select id, score from products_search('item 4', k => 5)")).all()
    by_orm = [(product.id, score) for product, score in found.execute(search(Product, "item 4").limit(5))]
    assert by_orm == [tuple(row) for row in by_sql]
    assert by_orm[0][0] == 4


def test_conditions_and_joins_hold_inside_the_legs(found: Session) -> None:
    """There are as many rows as the limit says, though few of all rows pass."""
    cheap = search(Product, "item 9").where(Product.price <= 4).limit(4)
    assert sorted(product.price for product in found.scalars(cheap)) == [1, 2, 3, 4]
    of_maker = search(Product, "item 1").join(Product.maker).where(Maker.name == "maker 3").limit(3)
    assert sorted(product.id for product in found.scalars(of_maker)) == [2, 5, 8]
    none = search(Product, "item 1").where(Product.price > 1000)
    assert found.scalars(none).all() == []


def test_limit_offset_and_the_default(found: Session) -> None:
    everything = [product.id for product in found.scalars(search(Product, "item 4").limit(9))]
    assert len(everything) == 9
    assert [product.id for product in found.scalars(search(Product, "item 4"))] == everything
    pages = [search(Product, "item 4").limit(3).offset(start) for start in (0, 3, 6)]
    assert [product.id for page in pages for product in found.scalars(page)] == everything


def test_one_statement_serves_all_queries(found: Session, engine: Engine) -> None:
    cache: dict[Any, Any] = {}
    with engine.connect().execution_options(compiled_cache=cache) as connection:
        for number in (1, 2, 3):
            statement = search(Product, f"item {number}").where(Product.price < 5 + number).limit(1)
            assert connection.execute(statement).first()[0] == number  # type: ignore[index]
    assert len(cache) == 1


def test_aliases_options_and_further_columns(found: Session) -> None:
    other = aliased(Product)
    product, _ = found.execute(search(other, "item 5").where(other.price > 2).limit(1)).one()
    assert product.id == 5
    product = found.scalars(search(Product, "item 5").options(joinedload(Product.maker)).limit(1)).one()
    assert product.maker is not None
    joined = search(Product, "item 5").join(Product.maker).add_columns(Maker.name).limit(1)
    assert found.execute(joined).one()[2] == "maker 3"
    hits = search(Product, "item 5").limit(4).subquery()
    assert found.scalar(select(func.count()).select_from(hits)) == 4


def test_ranks_and_weights(found: Session) -> None:
    first = found.execute(search(Product, "item 5", ranks=True).limit(1)).one()
    assert first[2]["title"]["rank"] == 1
    assert first[2]["keywords"]["rank"] == 1
    words = search(Product, "item", weights={"title": 0}, ranks=True)
    assert {tuple(row[2]) for row in found.execute(words)} == {("keywords",)}


def test_an_empty_text_finds_no_rows(found: Session) -> None:
    for query in ("", "  \n", "\u3000"):
        assert found.execute(search(Product, query)).all() == []
        assert found.execute(search(Product, query, ranks=True).where(Product.price > 1).limit(3)).all() == []


def test_asynchronously(found: Session, database: Database) -> None:
    async def run() -> None:
        for driver in ("psycopg", "asyncpg"):
            engine = create_async_engine(sqlalchemy_url(database.url).set(drivername=f"postgresql+{driver}"))
            async with AsyncSession(engine) as session:
                statement = search(Product, "item 7").where(Product.price > 3).limit(1)
                assert (await session.scalars(statement)).one().id == 7
            await engine.dispose()

    asyncio.run(run())


def test_keys_of_two_columns_and_a_column_called_k(engine: Engine, worker: None) -> None:
    class Base(DeclarativeBase):
        pass

    class Pair(Base):
        __tablename__ = "pairs"
        a: Mapped[int] = mapped_column(primary_key=True)
        b: Mapped[str] = mapped_column(primary_key=True)
        k: Mapped[str]
        score: Mapped[int]
        k_embedding = embedding("k", model="hash")

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Pair(a=n, b=f"it's {n}", k=f"item {n}", score=n) for n in range(9))
        session.commit()
        session.execute(text("select mmdb.wait_until_embedded('pairs')"))
        pair, _ = session.execute(search(Pair, "item 5").where(Pair.score > 3).limit(1)).one()
        assert (pair.a, pair.b) == (5, "it's 5")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: search(Maker, "x"), QueryError, '"Maker" has no embedding'),
        (lambda: search(Product), QueryError, "nothing to search for"),
        (lambda: search(Product, "x", weights={"title": "much"}), QueryError, "expected a number"),  # type: ignore[dict-item]
        (lambda: search(Product, image=__import__("pathlib").Path("/nowhere/x")), MediaError, "cannot be read"),
    ],
)
def test_mistakes(make: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
