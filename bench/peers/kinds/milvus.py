"""Milvus Lite, a file in the process."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from pymilvus import DataType, MilvusClient

from bench.peers.kinds.base import Filter, InProcess, Numbers, Vectors, rows

BATCH = 5_000


class Milvus(InProcess):
    version = f"{version('milvus-lite')}, pymilvus {version('pymilvus')}"
    efforts = (40, 100, 200, 400, 800)

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.client = MilvusClient(str(folder / "goods.db"))

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        schema = self.client.create_schema()
        for name in ("id", "price", "section"):
            schema.add_field(name, DataType.INT64, is_primary=name == "id")
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=vectors.shape[1])
        index = self.client.prepare_index_params()
        hnsw = {"M": 16, "efConstruction": 64}
        index.add_index("vector", index_type="HNSW", metric_type="COSINE", params=hnsw)
        self.client.create_collection("goods", schema=schema, index_params=index)
        records: list[dict[str, Any]] = rows(prices, sections)
        for at in range(0, len(vectors), BATCH):
            part = records[at : at + BATCH]
            made = [{"id": at + place, "vector": vectors[at + place], **row} for place, row in enumerate(part)]
            self.client.insert("goods", made)
        self.client.flush("goods")  # or all rows are in a segment that has no index
        self.client.load_collection("goods")

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        passes = "" if filter is None else filter.sql.replace(" = ", " == ")
        parameters = {"metric_type": "COSINE", "params": {"ef": max(effort, k)}}
        found = self.client.search("goods", [query], filter=passes, limit=k, search_params=parameters)
        return [int(hit["id"]) for hit in found[0]]

    def update(self, id: int, vector: Vectors) -> None:
        (row,) = self.client.get("goods", [id], output_fields=["price", "section"])
        self.client.upsert("goods", [{"id": id, "price": row["price"], "section": row["section"], "vector": vector}])
