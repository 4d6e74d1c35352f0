"""Chroma, persistent in a folder, with its defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chromadb

from bench.peers.kinds.base import Filter, InProcess, Numbers, Vectors, rows

BATCH = 5_000


class Chroma(InProcess):
    version = chromadb.__version__
    efforts = (100, 200, 400, 800)

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        settings = chromadb.config.Settings(anonymized_telemetry=False)
        self.client = chromadb.PersistentClient(str(folder), settings=settings)
        self.effort = self.efforts[0]

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        self.goods = self.client.create_collection(
            "goods", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        records = rows(prices, sections)
        for at in range(0, len(vectors), BATCH):
            ids = [str(id) for id in range(at, min(at + BATCH, len(vectors)))]
            self.goods.add(ids, embeddings=vectors[at : at + BATCH], metadatas=records[at : at + BATCH])

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        if effort != self.effort:
            self.goods.modify(configuration={"hnsw": {"ef_search": effort}})
            self.effort = effort
        where: dict[str, Any] | None = None
        if filter is not None:
            where = {"price": {"$lt": filter.below}} if filter.section is None else {"section": filter.section}
        found = self.goods.query(query_embeddings=query[None], n_results=k, where=where, include=[])
        return [int(id) for id in found["ids"][0]]

    def update(self, id: int, vector: Vectors) -> None:
        self.goods.update([str(id)], embeddings=vector[None])
