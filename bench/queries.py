"""What a search waits for: mmdb.embed on a hit and on a miss, a cancel, and the search view against plain SQL."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from pgvector.sqlalchemy import HALFVEC
from psycopg import errors as pg
from sqlalchemy import cast, func, literal_column, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import mmdb
from bench.harness import Result, at_most, connection, in_turns, milliseconds, seconds
from mmdb.models.embed.hash import HashEmbedder
from mmdb.orm import embedding, nearest
from mmdb.worker import WorkerOptions, background

ROWS = 20_000
CALLS = 400
CANCELS = 20


def run(url: str) -> list[Result]:
    with connection(url) as conn:
        with background(url, options=WorkerOptions(models=("hash",))):
            results = [*_embed(conn), _view(conn), *_orm(url)]
        return [*results, _cancel(url)]


def _embed(conn: psycopg.Connection[Any]) -> Iterator[Result]:
    model = HashEmbedder()
    fresh = itertools.count()
    conn.execute("select mmdb.embed('known', 'hash')")
    nothing, hit, miss, alone = in_turns(
        CALLS,
        lambda: conn.execute("select %s::text", ["known"]).fetchone(),
        lambda: conn.execute("select mmdb.embed(%s, 'hash') is null", ["known"]).fetchone(),
        lambda: conn.execute("select mmdb.embed(%s, 'hash') is null", [f"new {next(fresh)}"]).fetchone(),
        lambda: model.embed(["new"], "query"),
    )
    yield milliseconds(
        "mmdb.embed, hit", hit - nothing, 0.3, f"over a statement that does nothing ({nothing * 1000:.2f} ms)"
    )
    yield milliseconds(
        "mmdb.embed, miss over model time", miss - alone - nothing, 3, f"the model takes {alone * 1000:.2f} ms"
    )


def _view(conn: psycopg.Connection[Any]) -> Result:
    conn.execute("create table goods (id int primary key, txt text, price int)")
    conn.execute("select mmdb.add_embedding('goods', 'txt', model => 'hash', index => false)")
    conn.execute(
        "insert into goods select g, 'goods ' || g, g %% 100, (select array_agg(random() - 0.5 + 0 * (g + d)) "
        "from generate_series(1, 64) d)::real[]::halfvec from generate_series(1, %s) g", [ROWS],
    )  # fmt: skip
    conn.execute("create index on goods using hnsw (txt_embedding halfvec_cosine_ops)")
    conn.execute("analyze goods")
    view = "select id, distance from goods_by_txt(%s) where price < 50 order by distance limit 10"
    hand = (
        "select id, txt_embedding <=> (select mmdb.embed_for('goods', 'txt', %s)::halfvec(64)) as distance from goods "
        "where txt_embedding is not null and price < 50 order by distance limit 10"
    )
    by_view, by_hand = in_turns(
        CALLS, lambda: conn.execute(view, ["red"]).fetchall(), lambda: conn.execute(hand, ["red"]).fetchall()
    )
    detail = f"{by_view * 1000:.2f} ms, by hand {by_hand * 1000:.2f} ms"
    return at_most("search view against the statement by hand", by_view / by_hand, 1.05, detail)


class Base(DeclarativeBase):
    """The table of `_view`, mapped."""


class Goods(Base):
    __tablename__ = "goods"
    id: Mapped[int] = mapped_column(primary_key=True)
    txt: Mapped[str]
    price: Mapped[int]
    txt_embedding = embedding("txt", model="hash")


VECTOR = "(select mmdb.embed_for('goods', 'txt', :query)::halfvec(64))"
BY_HAND = (
    f"select id, txt, txt_embedding <=> {VECTOR} as distance from goods "
    "where txt_embedding is not null and price < :price order by distance limit 10"
)


def _orm(url: str) -> Iterator[Result]:
    """`nearest` against a select that differs only in a distance written by hand, and against a statement in text."""
    engine = mmdb.connect(url)
    with Session(engine) as session:

        def found(d: Any) -> Any:
            chosen = select(Goods.id, Goods.txt, d).where(Goods.price < 50).order_by(d).limit(10)
            return session.execute(chosen).all()

        def by_hand() -> Any:
            vector = select(cast(func.mmdb.embed_for(literal_column("'goods'"), "txt", "red"), HALFVEC(64)))
            d = Goods.txt_embedding.cosine_distance(vector.scalar_subquery()).label("distance")
            chosen = select(Goods.id, Goods.txt, d).where(Goods.price < 50, Goods.txt_embedding.is_not(None))
            return session.execute(chosen.order_by(d).limit(10)).all()

        by_nearest, written, as_text = in_turns(
            CALLS,
            lambda: found(nearest(Goods.txt_embedding, "red").label("distance")),
            by_hand,
            lambda: session.execute(text(BY_HAND), {"query": "red", "price": 50}).all(),
        )
    engine.dispose()
    yield at_most(
        "ORM's nearest() against a select with the distance by hand",
        by_nearest / written,
        1.05,
        f"{by_nearest * 1000:.2f} ms, by hand {written * 1000:.2f} ms",
    )
    yield at_most(
        "ORM's nearest() against a statement in text()",
        by_nearest / as_text,
        1.05,
        f"{by_nearest * 1000:.2f} ms, text {as_text * 1000:.2f} ms: what SQLAlchemy takes for a select",
    )


def _cancel(url: str) -> Result:
    """A worker that is registered, but does not answer."""
    taken = []
    with connection(url) as deaf, connection(url) as conn:
        deaf.execute(
            "select mmdb.start_worker('b', 1, '0', array[name], array[identity]) from mmdb.models where name = 'hash'"
        )
        for number in range(CANCELS):
            sent: list[float] = []
            timer = threading.Timer(0.2, _cancel_now, (conn, sent))
            timer.start()
            try:
                seconds(lambda: conn.execute("select mmdb.embed(%s, 'hash')", [f"never {number}"]))  # noqa: B023
            except pg.QueryCanceled:
                taken.append(time.perf_counter() - sent[0])
            timer.join()
    return milliseconds("cancel of a waiting mmdb.embed", statistics.median(taken), 50, f"{len(taken)} cancels")


def _cancel_now(conn: psycopg.Connection[Any], sent: list[float]) -> None:
    sent.append(time.perf_counter())
    conn.cancel_safe()
