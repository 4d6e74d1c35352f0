"""Qdrant's client in local mode, a folder: it measures every row, in Python."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from qdrant_client import QdrantClient, models

from bench.peers.kinds.base import Filter, InProcess, Numbers, Vectors, rows

BATCH = 2_000


class Qdrant(InProcess):
    version = version("qdrant-client")
    efforts = (0,)

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.client = QdrantClient(path=str(folder))

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        size = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
        self.client.create_collection("goods", vectors_config=size)
        self.client.upload_collection(
            "goods", vectors, payload=rows(prices, sections), ids=range(len(vectors)), batch_size=BATCH
        )

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        wanted = None
        if filter is not None:
            condition = (
                models.FieldCondition(key="price", range=models.Range(lt=filter.below))
                if filter.section is None
                else models.FieldCondition(key="section", match=models.MatchValue(value=filter.section))
            )
            wanted = models.Filter(must=[condition])
        found = self.client.query_points("goods", query=query, limit=k, query_filter=wanted, with_payload=False)
        return [int(point.id) for point in found.points]

    def update(self, id: int, vector: Vectors) -> None:
        self.client.update_vectors("goods", [models.PointVectors(id=id, vector=vector.tolist())])
