"""LanceDB in a folder, with the index that its users of HNSW choose, and scalar indexes for the filters."""

from __future__ import annotations

from pathlib import Path

import lancedb
import pyarrow as pa

from bench.peers.kinds.base import Filter, InProcess, Numbers, Vectors


class Lance(InProcess):
    version = lancedb.__version__
    efforts = (50, 100, 200, 400, 800)

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.database = lancedb.connect(str(folder))

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        width = vectors.shape[1]
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), width)
        data = {"id": pa.array(range(len(vectors))), "price": prices, "section": sections, "vector": column}
        self.goods = self.database.create_table("goods", pa.table(data))
        self.goods.create_index("cosine", vector_column_name="vector", index_type="IVF_HNSW_SQ")
        self.goods.create_scalar_index("price")
        self.goods.create_scalar_index("section")
        self.goods.wait_for_index(["vector_idx", "price_idx", "section_idx"])

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        asked = (
            self.goods.search(query)
            .distance_type("cosine")
            .limit(k)
            .nprobes(20)
            .ef(max(effort, 2 * k))
            .refine_factor(2)
        )
        if filter is not None:
            asked = asked.where(filter.sql, prefilter=True)
        return [int(id) for id in asked.select(["id"]).to_arrow()["id"].to_pylist()]

    def update(self, id: int, vector: Vectors) -> None:
        self.goods.update(where=f"id = {id}", values={"vector": vector.tolist()})
