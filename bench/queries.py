"""What a search waits for: mmdb.embed on a hit and on a miss, a cancel, and the search view against plain SQL."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import errors as pg

from bench.harness import Result, at_most, connection, in_turns, milliseconds, seconds
from mmdb.embedders.hash import HashEmbedder
from mmdb.worker import WorkerOptions, background

ROWS = 20_000
CALLS = 400
CANCELS = 20


def run(url: str) -> list[Result]:
    with connection(url) as conn:
        with background(url, options=WorkerOptions(models=("hash",))):
            results = [*_embed(conn), _view(conn)]
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
