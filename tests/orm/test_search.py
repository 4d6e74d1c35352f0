"""`nearest` and `distance`: the SQL that they compile to, its plan, and the rows that come."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import (
    Engine,
    Integer,
    Select,
    String,
    Text,
    bindparam,
    cast,
    column,
    create_engine,
    exists,
    func,
    lateral,
    literal,
    select,
    text,
    true,
    values,
)
from sqlalchemy.exc import DataError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    joinedload,
    mapped_column,
    selectinload,
    with_loader_criteria,
)

import mmdb
from mmdb.database.url import sqlalchemy_url
from mmdb.errors import EmptyQueryError, MediaError, QueryError
from mmdb.models.embed.hash import HashEmbedder
from mmdb.orm import distance, embedding, nearest
from mmdb.worker import Totals
from tests.conftest import Database
from tests.db.conftest import expected
from tests.orm.conftest import Base, Maker, Product, sql

Drain = Callable[[], Totals]
COLUMNS = "products.id, products.title, products.price, products.maker_id"
PRESENT = "products.title_embedding IS NOT NULL AND NOT mmdb.is_blank(%(param_1)s::VARCHAR)"
VECTOR = "(SELECT mmdb.embed_for('products'::regclass, 'title', %(param_1)s::VARCHAR)::halfvec)"


@pytest.fixture
def found(shop: Session, drain: Drain, worker: None) -> Session:
    """The shop, embedded, with a worker for queries."""
    drain()
    return shop


@pytest.mark.parametrize("embedder", [None, HashEmbedder()])
def test_an_empty_text_finds_no_rows(found: Session, embedder: HashEmbedder | None) -> None:
    for query in ("", " \t", "\u3000"):
        near = nearest(Product.title_embedding, query, embedder=embedder)
        assert found.scalars(select(Product).order_by(near).limit(3)).all() == []
        away = distance(Product.title_embedding, query, embedder=embedder).label("away")
        assert found.execute(select(Product, away).order_by(away)).all() == []
    wishes = values(column("wish", String), name="wishes").data([("item 1",), (" ",), ("item 2",)])
    best = lateral(select(Product.title).order_by(nearest(Product.title_embedding, wishes.c.wish)).limit(1))
    titles = found.scalars(select(best.c.title).select_from(wishes.join(best, true()))).all()
    assert titles == ["item 1", "item 2"]


def test_an_empty_text_has_no_distance(found: Session) -> None:
    with pytest.raises(DataError) as raised:
        found.execute(select(distance(Product.title_embedding, " ")))
    assert raised.value.orig.sqlstate == EmptyQueryError.sqlstate  # type: ignore[union-attr]


# What it compiles to.


def test_ordered_by_nearest() -> None:
    statement = select(Product).where(Product.price < 5).order_by(nearest(Product.title_embedding, "item 3")).limit(2)
    assert sql(statement) == (
        f"SELECT {COLUMNS} FROM products WHERE products.price < %(price_1)s::INTEGER AND {PRESENT} "
        f"ORDER BY (products.title_embedding <=> {VECTOR}) LIMIT %(param_2)s::INTEGER"
    )


def test_a_labelled_distance_is_written_once() -> None:
    d = distance(Product.title_embedding, "item 3").label("d")
    assert sql(select(Product.id, d).order_by(d)) == (
        f"SELECT products.id, (products.title_embedding <=> {VECTOR}) AS d FROM products WHERE {PRESENT} ORDER BY d"
    )


def test_a_distance_alone_filters_nothing() -> None:
    statement = select(Product.id, distance(Product.title_embedding, "item 3").label("d"))
    assert "WHERE" not in sql(statement)
    assert "IS NOT NULL" not in sql(statement.order_by(text("d")))
    assert "IS NOT NULL" not in sql(select(Product.id).order_by(distance(Product.title_embedding, "x").desc()))
    assert "IS NOT NULL" in sql(select(Product.id).order_by(distance(Product.title_embedding, "x").asc().nulls_last()))


def test_what_is_said_already_is_not_said_again() -> None:
    statement = select(Product.id).where(Product.title_embedding.is_not(None))
    assert sql(statement.order_by(nearest(Product.title_embedding, "x"))).count("IS NOT NULL") == 1


def test_arithmetic_and_comparisons_hold_together() -> None:
    similarity = 1 - distance(Product.title_embedding, [0.5] * 64)
    assert sql(select(similarity)) == (
        "SELECT %(param_1)s::INTEGER - (products.title_embedding <=> %(param_2)s::HALFVEC(64)) AS anon_1 FROM products"
    )
    assert "(products.title_embedding <=> %(param_1)s::HALFVEC(64)) < " in sql(
        select(Product.id).where(distance(Product.title_embedding, [0.5] * 64) < 0.3)
    )


def test_the_other_operators() -> None:
    class Base(DeclarativeBase):
        pass

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        l2_embedding = embedding("title", model="one", dimensions=3, distance="l2")
        ip_embedding = embedding("title", model="two", dimensions=3, distance="inner_product")

    assert "<-> %(param_1)s::HALFVEC(3)" in sql(select(distance(Note.l2_embedding, [1, 2, 3])))
    assert "<#> %(param_1)s::HALFVEC(3)" in sql(select(distance(Note.ip_embedding, [1, 2, 3])))
    assert {str(index.dialect_options["postgresql"]["ops"]) for index in Note.__table__.indexes} == {  # type: ignore[attr-defined]
        "{'l2_embedding': 'halfvec_l2_ops'}",
        "{'ip_embedding': 'halfvec_ip_ops'}",
    }


def test_schemas_are_translated_in_the_names_of_tables(found: Session, engine: Engine) -> None:
    statement = select(Product.id).order_by(nearest(Product.title_embedding, "item 3")).limit(1)
    with engine.connect().execution_options(schema_translate_map={None: "public"}) as connection:
        assert connection.execute(statement).scalars().all() == [3]


# What comes back: the same as by the hand-written statement.

BY_HAND = """
select id from products where title_embedding is not null and price < :price
order by title_embedding <=> (select mmdb.embed_for('products', 'title', :query)::halfvec(64)) limit 4
"""


def test_the_same_rows_in_the_same_order_as_in_sql(found: Session) -> None:
    for query in ("item 3", "item 8", "something else"):
        statement = (
            select(Product.id).where(Product.price < 8).order_by(nearest(Product.title_embedding, query)).limit(4)
        )
        by_hand = found.scalars(text(BY_HAND), {"price": 8, "query": query}).all()
        by_view = found.scalars(
            text("select id from products_by_title(:query) where price < 8 order by distance limit 4"), {"query": query}
        ).all()
        assert found.scalars(statement).all() == by_hand == by_view


def test_one_statement_serves_all_queries(found: Session, engine: Engine) -> None:
    """Compiled once, whatever is searched for."""
    cache: dict[Any, Any] = {}
    with engine.connect().execution_options(compiled_cache=cache) as connection:
        for query in ("item 1", "item 2", "item 3"):
            statement = select(Product.id).order_by(nearest(Product.title_embedding, query)).limit(1)
            assert connection.execute(statement).scalars().all() == [int(query[-1])]
    assert len(cache) == 1


def test_rows_without_an_embedding_do_not_come(found: Session) -> None:
    found.add(Product(id=50, title=None))
    found.commit()
    assert len(found.scalars(select(Product).order_by(nearest(Product.title_embedding, "x"))).all()) == 9


def test_joins_and_aggregates(found: Session) -> None:
    d = distance(Product.title_embedding, "item 4").label("d")
    near = select(Product.maker_id, Product.price, d).order_by(d).limit(4).cte("near")
    statement = (
        select(Maker.name, func.count(), func.sum(near.c.price))
        .join(near, near.c.maker_id == Maker.id)
        .group_by(Maker.name)
        .order_by(Maker.name)
    )
    assert sum(count for _, count, _ in found.execute(statement)) == 4
    joined = select(Product.id, Maker.name).join(Product.maker).order_by(nearest(Product.title_embedding, "item 4"))
    assert found.execute(joined.limit(1)).one() == (4, "maker 2")


def test_aliases_and_relationships(found: Session) -> None:
    other = aliased(Product)
    statement = select(other.id).where(other.price > 1).order_by(nearest(other.title_embedding, "item 5")).limit(1)
    assert found.scalars(statement).one() == 5
    close = distance(Product.title_embedding, "item 5") < 0.1
    assert found.scalars(select(Maker.id).where(Maker.products.any(close))).all() == [3]
    assert found.scalars(select(Product.id).where(Product.maker.has(Maker.products.any(close)))).all() == [2, 5, 8]
    assert found.scalar(select(exists().where(close))) is True


def test_a_semantic_join_by_lateral(found: Session) -> None:
    """The query is a column of the outer table, embedded once a row of it."""
    wishes = select(cast(literal("item ") + cast(func.generate_series(2, 4), Text), Text).label("wish")).cte("wishes")
    best = lateral(select(Product.id, Product.title).order_by(nearest(Product.title_embedding, wishes.c.wish)).limit(1))
    assert found.execute(select(wishes.c.wish, best.c.id).join(best, true())).all() == [
        ("item 2", 2),
        ("item 3", 3),
        ("item 4", 4),
    ]


def test_loading_options_and_criteria(found: Session) -> None:
    statement = select(Product).order_by(nearest(Product.title_embedding, "item 4")).limit(2)
    for option in (joinedload(Product.maker), selectinload(Product.maker)):
        products = found.scalars(statement.options(option)).all()
        assert products[0].id == 4
        assert products[0].maker is not None
    makers = select(Maker).join(Maker.products).options(joinedload(Maker.products))
    nearest_maker = makers.order_by(nearest(Product.title_embedding, "item 4")).limit(1)
    assert found.scalars(nearest_maker).unique().one().id == 2
    cheap = with_loader_criteria(Product, Product.price > 4)
    assert found.scalars(statement.options(cheap)).all()[0].id != 4


def test_two_embeddings_of_rows_compared(found: Session) -> None:
    left, right = aliased(Product), aliased(Product)
    pairs = (
        select(left.id, right.id)
        .where(left.id < right.id, distance(left.title_embedding, right.title_embedding) < 0.01)
    )  # fmt: skip
    assert found.execute(pairs).all() == []
    found.add(Product(id=60, title="item 4"))
    found.commit()
    found.execute(text("select mmdb.wait_until_embedded('products')"))
    assert found.execute(pairs).all() == [(4, 60)]


# What one may search for.


def ids(session: Session, query: Any, **options: Any) -> list[int]:
    return list(
        session.scalars(select(Product.id).order_by(nearest(Product.title_embedding, query, **options)).limit(2))
    )


def test_every_kind_of_query(found: Session, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    picture = Image.new("RGB", (8, 8), "red")
    picture.save(buffer, "PNG")
    path = tmp_path / "red.png"
    path.write_bytes(buffer.getvalue())
    assert ids(found, buffer.getvalue()) == ids(found, path) == ids(found, picture)
    vector = expected("item 6")
    by_text = ids(found, "item 6")
    assert by_text[0] == 6
    assert by_text == ids(found, vector) == ids(found, vector.tolist()) == ids(found, vector.astype(np.float64))
    assert by_text == ids(found, cast("item " + cast(bindparam("n", 6, Integer), Text), Text))
    assert by_text == ids(found, select(Product.title).where(Product.id == 6))
    assert by_text == ids(found, select(Product.title_embedding).where(Product.id == 6))


def test_like_this_one(found: Session) -> None:
    assert ids(found, found.get_one(Product, 6)) == ids(found, "item 6")
    with pytest.raises(QueryError, match='instance of "Product" is not in the database'):
        nearest(Product.title_embedding, Product(title="new"))
    with pytest.raises(QueryError, match='class "Maker" has no embeddings by model "hash"'):
        nearest(Product.title_embedding, found.get_one(Maker, 1))


def test_with_the_model_at_hand_no_worker_is_needed(shop: Session, drain: Drain) -> None:
    drain()
    model = mmdb.load_model("hash")
    assert ids(shop, "item 6", embedder=model)[0] == 6
    assert ids(shop, Image.new("RGB", (8, 8)), embedder=model)
    statement = select(Product.id).order_by(nearest(Product.title_embedding, "item 6", embedder=model))
    assert "mmdb.embed" not in sql(statement)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nearest(Product.title, "x"), '"products.title" is not an embedding'),
        (lambda: nearest("title_embedding", "x"), '"title_embedding" is not an embedding'),
        (lambda: nearest(Product.title_embedding, [1.0, 2.0]), r"products.title_embedding: a vector of shape \(2,\)"),
        (lambda: nearest(Product.title_embedding, [float("nan")] * 64), "not finite"),
        (lambda: nearest(Product.title_embedding, [1e9] * 64), "too large"),
        (lambda: nearest(Product.title_embedding, ["a"] * 64), "is no vector"),
        (lambda: nearest(Product.title_embedding, 7), 'a value of type "int" cannot be searched for'),
        (lambda: nearest(Product.title_embedding, None), 'a value of type "NoneType" cannot be searched for'),
        (lambda: nearest(Product.title_embedding, Product.price), 'SQL expression of type "INTEGER"'),
    ],
)
def test_what_cannot_be_searched_for(make: Callable[[], object], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        make()


def test_a_picture_that_is_not_there() -> None:
    with pytest.raises(MediaError, match='"/nowhere/x" cannot be read'):
        nearest(Product.title_embedding, Path("/nowhere/x"))


def test_a_modality_that_the_model_lacks() -> None:
    from dataclasses import replace

    from mmdb.orm.declared import INFO

    class Base(DeclarativeBase):
        pass

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        title_embedding = embedding("title", model="hash")
        other_embedding = embedding("title", model="other", dimensions=64)

    column = Note.__table__.c.title_embedding
    column.info[INFO] = replace(column.info[INFO], modalities=frozenset({"text"}))
    with pytest.raises(QueryError, match='"hash" does not embed modality "image"'):
        nearest(Note.title_embedding, b"\x89PNG")
    with pytest.raises(QueryError, match='model "hash" and "other" cannot be compared'):
        nearest(Note.title_embedding, Note.other_embedding)


# The plan over 20,000 rows.

ROWS = 20_000


@pytest.fixture(scope="module")
def large(module_database: Database) -> Iterator[Session]:
    engine = create_engine(sqlalchemy_url(module_database.url))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.execute(text("drop index products_title_hnsw"))
        session.execute(text("insert into makers select g, 'maker ' || g from generate_series(1, 20) g"))
        session.execute(
            text(
                "insert into products (id, title, price, maker_id, title_embedding) select g, 'item ' || g, g % 100, "
                "g % 20 + 1, "
                "(select array_agg(random() - 0.5 + 0 * (g + d)) from generate_series(1, 64) d)::real[]::halfvec "
                f"from generate_series(1, {ROWS}) g"
            )
        )
        session.execute(
            text("create index products_title_hnsw on products using hnsw (title_embedding halfvec_cosine_ops)")
        )
        session.commit()
        session.execute(text("analyze"))
        session.commit()
        yield session
    engine.dispose()


def plan(session: Session, statement: Select[Any]) -> str:
    compiled = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    return "\n".join(session.scalars(text(f"explain {str(compiled).replace(':', chr(92) + ':')}")))


VECTOR_64 = np.linspace(-1, 1, 64, dtype=np.float32)


@pytest.mark.parametrize("query", ["red", VECTOR_64], ids=["text", "vector"])
@pytest.mark.parametrize(
    "make",
    [
        lambda near: select(Product).order_by(near).limit(10),
        lambda near: select(Product).where(Product.price < 50).order_by(near).limit(10),
        lambda near: select(Product.id, near.label("d")).order_by(near.label("d")).limit(10),
        lambda near: select(Product.id, Maker.name).join(Product.maker).order_by(near).limit(10),
        lambda near: select(Product).options(joinedload(Product.maker)).order_by(near).limit(10),
        lambda near: select(func.avg(select(Product.price).order_by(near).limit(10).subquery().c.price)),
    ],
    ids=["plain", "filtered", "labelled", "joined", "eager", "aggregated"],
)
def test_the_plan_uses_the_index(large: Session, make: Callable[[Any], Select[Any]], query: Any) -> None:
    shown = plan(large, make(nearest(Product.title_embedding, query)))
    assert "Index Scan using products_title_hnsw" in shown
    assert len(re.findall(r"^\s*InitPlan \d", shown, re.MULTILINE)) <= 1, "the query is embedded once"
