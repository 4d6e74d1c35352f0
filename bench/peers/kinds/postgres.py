"""mmdb, and pgvector as people write it, on one server; each thread has a connection of its own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
from pgvector import HalfVector, Vector
from pgvector.psycopg import register_vector

from bench.peers.kinds.base import Filter, Numbers, Vectors

GRAPH_BYTES = 700
"""What pgvector keeps of a row while it builds, beside the vector: neighbours, with m = 16, and pointers."""


class Postgres:
    """A table `goods_…` with a vector column and B-trees for the filters."""

    table: str
    type: str
    efforts: tuple[int, ...]

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.local = threading.local()
        version = self.connection.execute("select extversion from pg_extension where extname = 'vector'").fetchone()
        assert version is not None
        self.version = f"pgvector {version[0]}, PostgreSQL {self.connection.info.server_version // 10000}"

    @property
    def connection(self) -> psycopg.Connection[Any]:
        if not hasattr(self.local, "connection"):
            self.local.connection = psycopg.connect(self.url, autocommit=True)
            register_vector(self.local.connection)
            self.local.effort = None
        made: psycopg.Connection[Any] = self.local.connection
        return made

    def value(self, vector: Vectors) -> HalfVector | Vector:
        return HalfVector(vector) if self.type == "halfvec" else Vector(vector)

    def copy(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        statement = f"copy {self.table} (id, price, section, body_embedding) from stdin (format binary)"
        with self.connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(["int4", "int4", "int4", self.type])
            for id, vector in enumerate(vectors):
                copy.write_row((id, int(prices[id]), int(sections[id]), self.value(vector)))
        for column in ("price", "section"):
            self.connection.execute(f"create index on {self.table} ({column})".encode())

        self._make_room(vectors)

    def _make_room(self, vectors: Vectors) -> None:
        """Enough maintenance_work_mem for the graph, as pgvector's README asks for and `mmdb doctor` says."""
        kilobytes = len(vectors) * (vectors.shape[1] * (2 if self.type == "halfvec" else 4) + GRAPH_BYTES) // 1024
        raise_ = "greatest(pg_size_bytes(current_setting('maintenance_work_mem')) / 1024, %s)::text"
        self.connection.execute(f"select set_config('maintenance_work_mem', {raise_}, false)".encode(), [kilobytes])

    def update(self, id: int, vector: Vectors) -> None:
        statement = f"update {self.table} set body_embedding = %s where id = %s"
        self.connection.execute(statement.encode(), [self.value(vector), id])

    def disk(self) -> int:
        return self._size(f"pg_total_relation_size('{self.table}')")

    def memory(self) -> int:
        return self._size(f"pg_total_relation_size('{self.table}')")

    def _size(self, size: str) -> int:
        row = self.connection.execute(f"select {size}".encode()).fetchone()
        assert row is not None
        return int(row[0])

    def set_effort(self, effort: int) -> None:
        connection = self.connection
        if self.local.effort != effort:
            connection.execute(f"set hnsw.ef_search = {effort}".encode())
            self.local.effort = effort


class Plain(Postgres):
    """`vector`, HNSW, `where … order by … limit`, no setting but ef_search."""

    table, type = "goods_plain", "vector"
    efforts = (40, 100, 200, 400, 800)

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        width = vectors.shape[1]
        self.connection.execute(
            f"create table goods_plain (id int primary key, price int, section int, body_embedding vector({width}));"
            # The database has the setting that mmdb recommends; who installs pgvector alone has not.
            "set hnsw.iterative_scan = off".encode()
        )
        self.copy(vectors, prices, sections)
        self.connection.execute("create index on goods_plain using hnsw (body_embedding vector_cosine_ops)")
        self.connection.execute("vacuum analyze goods_plain")

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        self.set_effort(effort)
        if not getattr(self.local, "plain", False):
            self.connection.execute("set hnsw.iterative_scan = off")
            self.local.plain = True
        where = "true" if filter is None else filter.sql
        statement = f"select id from goods_plain where {where} order by body_embedding <=> %s limit {k}"
        rows = self.connection.execute(statement.encode(), [self.value(query)]).fetchall()
        return [id for (id,) in rows]


class Ours(Postgres):
    """mmdb with its defaults: the search view where there is no filter and T_top_by_NAME where there is one."""

    table, type = "goods", "halfvec"
    efforts = (40, 100, 200, 400, 800)

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        width = vectors.shape[1]
        self.connection.execute(
            "select mmdb.add_model('glosses', 'hash', 'sha256', %s, array['text', 'image'], "
            "'hash/1 dimensions=' || %s, options => jsonb_build_object('dimensions', %s))",
            [width, width, width],
        )
        self.connection.execute(
            "create table goods (id int primary key, price int, section int, body text, "
            f"body_embedding halfvec({width}))".encode()
        )
        self.connection.execute("select mmdb.add_embedding('goods', 'body', 'glosses', index => false)")
        self.copy(vectors, prices, sections)
        self.build()
        self.connection.execute("vacuum analyze goods")

    def build(self) -> None:
        """The HNSW index, and that of the pending rows."""
        for (statement,) in self.connection.execute("select mmdb.index_statements('goods', 'body')").fetchall():
            self.connection.execute(statement)

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        if filter is None:
            self.set_effort(effort)
            statement = f"select id from goods_by_body(%s) order by distance limit {k}"
            rows = self.connection.execute(statement.encode(), [self.value(query)]).fetchall()
        else:
            statement = f"select id from goods_top_by_body(%s, {k}, %s)"
            rows = self.connection.execute(statement.encode(), [self.value(query), filter.json]).fetchall()
        return [id for (id,) in rows]
