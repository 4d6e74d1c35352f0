"""`like`, `recommend`, `diversity=` and `after=`: what the functions in SQL give, as a Select of the ORM."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import ARRAY, Engine, ForeignKey, Integer, SmallInteger, String, select, text
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship

from mmdb.database.url import sqlalchemy_url
from mmdb.errors import QueryError
from mmdb.orm import embedding, like, recommend, search, wait_until_embedded
from mmdb.worker import Totals
from tests.conftest import Database
from tests.orm.conftest import Maker, Product, sql

Drain = Callable[[], Totals]


@pytest.fixture
def found(shop: Session, drain: Drain) -> Session:
    """The shop with its nine products embedded."""
    drain()
    return shop


def by_sql(session: Session, call: str, columns: str = "id, score") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.execute(text(f"select {columns} from products_{call}"))]


def by_orm(session: Session, statement: Any) -> list[tuple[Any, ...]]:
    return [(product.id, score) for product, score in session.execute(statement)]


def test_what_it_compiles_to() -> None:
    assert sql(like(Product, 7, diversity=0.3).limit(3)) == (
        "SELECT products.id, products.title, products.price, products.maker_id, mmdb_hits.score AS score FROM products "
        "JOIN products_like(key => %(param_1)s::INTEGER, weights => %(param_2)s::VARCHAR::jsonb, "
        "depth => %(param_3)s::INTEGER, diversity => %(param_4)s, k => %(param_5)s::INTEGER) "
        "WITH ORDINALITY AS mmdb_hits ON products.id = mmdb_hits.id ORDER BY mmdb_hits.ordinality "
        "LIMIT %(param_5)s::INTEGER"
    )
    assert "liked => %(param_1)s::INTEGER[], disliked => %(param_2)s::INTEGER[]," in sql(recommend(Product, [1], [2]))


def test_like_the_same_as_in_sql(found: Session) -> None:
    expected = by_sql(found, "like(4)")
    assert len(expected) == 8
    assert by_orm(found, like(Product, 4)) == expected
    assert by_orm(found, like(Product, found.get_one(Product, 4))) == expected
    ranks = found.execute(like(Product, 4, ranks=True).limit(1)).one()
    assert ranks[2]["title"]["rank"] == 1


def test_recommend_the_same_as_in_sql(found: Session) -> None:
    expected = by_sql(found, "recommend(array[1, 2], array[9], 4, weights => '{\"disliked\": 0.5}')")
    assert by_orm(found, recommend(Product, [1, 2], [9], weights={"disliked": 0.5}).limit(4)) == expected
    instances = [found.get_one(Product, 1), 2]
    statement = recommend(Product, instances, iter([found.get_one(Product, 9)]), weights={"disliked": 0.5})
    assert by_orm(found, statement.limit(4)) == expected
    assert by_orm(found, recommend(Product, (4,))) == by_sql(found, "like(4)")


def test_conditions_and_joins_hold_inside(found: Session) -> None:
    statement = like(Product, 1).join(Product.maker).where(Maker.name == "maker 3").limit(3)
    assert sorted(product.id for product in found.scalars(statement)) == [2, 5, 8]
    statement = recommend(Product, [1, 9]).where(Product.price <= 4).limit(3)
    assert sorted(product.id for product in found.scalars(statement)) == [2, 3, 4]


@pytest.mark.parametrize("diversity", [0, 0.5])
def test_pages(found: Session, worker: None, diversity: float) -> None:
    """In the function's order, which with diversity is not that of the score."""
    whole = by_sql(found, f"search('item 4', k => 9, depth => 20, diversity => {diversity})")
    paged: list[tuple[Any, ...]] = []
    last = None
    while True:
        statement = search(Product, "item 4", depth=20, diversity=diversity, after=last).limit(2)
        page = list(found.execute(statement))
        paged += [(product.id, score) for product, score in page]
        if len(page) < 2:
            break
        last = page[-1][0]
    assert paged == whole
    after = by_orm(found, like(Product, 4, depth=20, diversity=diversity, after=whole[3][0]))
    assert after == by_sql(found, f"like(4, depth => 20, diversity => {diversity}, after => {whole[3][0]})")


def test_diversity_changes_the_order_and_keeps_it(found: Session) -> None:
    plain = by_sql(found, "like(4)")
    varied = by_orm(found, like(Product, 4, diversity=0.9))
    assert varied == by_sql(found, "like(4, diversity => 0.9)")
    assert varied != plain
    assert varied[0] == plain[0]


def test_one_statement_serves_all_rows(found: Session, engine: Engine) -> None:
    cache: dict[Any, Any] = {}
    with engine.connect().execution_options(compiled_cache=cache) as connection:
        for liked in ([1], [2, 3], [4, 5, 6]):
            assert len(connection.execute(recommend(Product, liked, [9], diversity=0.2)).all()) == 8 - len(liked)
        assert len(cache) == 1
        for row in (1, 2):
            connection.execute(like(Product, row))
        assert len(cache) == 2, "like is another statement than recommend"


def test_asynchronously(found: Session, database: Database) -> None:
    async def run() -> None:
        for driver in ("psycopg", "asyncpg"):
            engine = create_async_engine(sqlalchemy_url(database.url).set(drivername=f"postgresql+{driver}"))
            async with AsyncSession(engine) as session:
                row = await session.get_one(Product, 4)
                others = (await session.scalars(like(Product, row, diversity=0.4, after=9))).all()
                assert row not in others
                assert len((await session.scalars(recommend(Product, [row, 5], [6]))).all()) == 6
            await engine.dispose()

    asyncio.run(run())


def test_keys_of_two_columns(engine: Engine, worker: None) -> None:
    class Base(DeclarativeBase):
        pass

    class Pair(Base):
        __tablename__ = "pairs"
        a: Mapped[int] = mapped_column(primary_key=True)
        b: Mapped[str] = mapped_column(primary_key=True)
        key: Mapped[str]
        key_embedding = embedding("key", model="hash")

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Pair(a=n, b=f"it's {n}", key=f"item {n}") for n in range(9))
        session.commit()
        session.execute(text("select mmdb.wait_until_embedded('pairs')"))
        row = session.get_one(Pair, (5, "it's 5"))
        found = session.scalars(like(Pair, row)).all()
        assert len(found) == 8
        assert row not in found
        assert session.scalars(like(Pair, (5, "it's 5"), after=found[2])).all() == found[3:]
        liked = session.scalars(recommend(Pair, [row, (6, "it's 6")], [(7, "it's 7")]).where(Pair.a > 3)).all()
        assert {pair.a for pair in liked} == {4, 8}


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (SmallInteger, [1, 2, 3, 4]),
        (String(4), ["a", "b", 'c"', "{}"]),
        (CITEXT, ["A", "b", "C", "d"]),
        (ARRAY(Integer, as_tuple=True), [[1], [1, 2], [2, 3, 4], [3]]),
        (ARRAY(String, as_tuple=True), [["a"], ['a"b', "c,"], ["{}"], ["d", "\\"]]),
    ],
)
def test_keys_of_other_types(engine: Engine, worker: None, kind: Any, keys: list[Any]) -> None:
    class Base(DeclarativeBase):
        pass

    class Thing(Base):
        __tablename__ = "things"
        id: Mapped[Any] = mapped_column(kind, primary_key=True)
        title: Mapped[str]
        title_embedding = embedding("title", model="hash")

    with Session(engine) as session:
        session.execute(text("create extension if not exists citext"))
        session.commit()
        Base.metadata.create_all(engine)
        # An identity is to be hashed: in an instance an array is a tuple.
        given = [tuple(key) if isinstance(key, list) else key for key in keys]
        session.add_all(Thing(id=key, title=f"thing {number}") for number, key in enumerate(given))
        session.commit()
        wait_until_embedded(session, Thing, keys)
        things = session.scalars(select(Thing).order_by(Thing.title)).all()
        found = session.scalars(like(Thing, keys[1])).all()
        assert set(found) == {things[0], things[2], things[3]}
        assert session.scalars(like(Thing, things[1], after=found[0])).all() == found[1:]
        liked = recommend(Thing, [keys[0], things[1]], [keys[2]]).where(Thing.title.like("thing%"))
        assert session.scalars(liked).all() == [things[3]]
        assert session.scalars(search(Thing, "thing 2").where(Thing.title >= "thing 2").limit(1)).all() == [things[2]]


@pytest.mark.parametrize("name", ["number", "ordinality"])
def test_a_base_class_and_a_collection(engine: Engine, worker: None, name: str) -> None:
    class Base(DeclarativeBase):
        pass

    class Thing(Base):
        __tablename__ = "things"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
        kind: Mapped[str]
        parts = relationship("Part", order_by="Part.id")
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "thing"}  # noqa: RUF012

    class Part(Base):
        __tablename__ = "parts"
        id: Mapped[int] = mapped_column(primary_key=True)
        thing_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("things.id"))

    class Book(Thing):
        __tablename__ = "books"
        book_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("things.id"), primary_key=True)
        title: Mapped[str]
        number: Mapped[int] = mapped_column(name)
        title_embedding = embedding("title", model="hash")
        __mapper_args__ = {"polymorphic_identity": "book"}  # noqa: RUF012

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        books = [Book(title=f"book {n}", number=n, parts=[Part(id=2 * n), Part(id=2 * n + 1)]) for n in range(4)]
        session.add_all(books)
        session.commit()
        session.execute(text("select mmdb.wait_until_embedded('books')"))
        found = session.scalars(like(Book, books[1])).all()
        assert set(found) == {books[0], books[2], books[3]}
        loaded = session.scalars(like(Book, books[1]).options(joinedload(Book.parts)).limit(2)).unique().all()
        assert loaded == found[:2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: like(Maker, 1), '"Maker" has no embedding'),
        (lambda: like(Product, None), 'no row of "Product" is given'),
        (lambda: like(Product, Product(id=4)), "is not in the database"),
        (lambda: like(Product, Maker(id=4)), 'an instance of "Maker" is no row of "Product"'),
        (lambda: like(Product, (1, 2)), 'is no key of "Product"'),
        (lambda: like(Product, 1, diversity=1.1), "diversity is 1.1, expected 0 to 1"),
        (lambda: search(Product, "x", diversity=-1), "diversity is -1"),
        (lambda: like(Product, 1, weights={"title": "much"}), "expected a number"),  # type: ignore[dict-item]
        (lambda: recommend(Product, []), "nothing is liked"),
        (lambda: recommend(Product, "abc"), "is no list of rows"),
        (lambda: recommend(Product, 7), "is no list of rows"),  # type: ignore[call-overload]
    ],
)
def test_mistakes(make: Callable[[], object], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        make()


def test_a_row_that_is_not_there(found: Session) -> None:
    for statement in (like(Product, 99), recommend(Product, [1], [99]), search(Product, "x", after=99)):
        with pytest.raises(DBAPIError, match='has no row "99"'), found.begin_nested():
            found.execute(statement)
