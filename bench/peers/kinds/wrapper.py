"""vecs, a typical wrapper around pgvector, with its defaults."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import vecs

from bench.peers.kinds.base import Filter, Numbers, Vectors, rows


class Vecs:
    version = version("vecs")
    efforts = (40, 100, 200, 400, 800)

    def __init__(self, folder: Path, url: str) -> None:
        self.client = vecs.create_client(url.replace("postgresql://", "postgresql+psycopg2://"))

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        self.goods = self.client.get_or_create_collection("goods", dimension=vectors.shape[1])
        records = rows(prices, sections)
        self.goods.upsert([(str(id), vector, records[id]) for id, vector in enumerate(vectors)])
        self.goods.create_index(method=vecs.IndexMethod.hnsw, measure=vecs.IndexMeasure.cosine_distance)

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        where = None
        if filter is not None:
            condition = (
                {"price": {"$lt": filter.below}} if filter.section is None else {"section": {"$eq": filter.section}}
            )
            where = condition
        return [int(id) for id in self.goods.query(query, limit=k, filters=where, ef_search=effort)]

    def update(self, id: int, vector: Vectors) -> None:
        (row,) = self.goods.fetch([str(id)])
        self.goods.upsert([(str(id), vector, row[2])])

    def disk(self) -> int:
        from sqlalchemy import text

        with self.client.Session() as session:
            return int(session.execute(text("select pg_total_relation_size('vecs.goods')")).scalar() or 0)

    def memory(self) -> int:
        return self.disk()
