"""hnswlib: a graph in the process, its filter a function that Python calls for each candidate."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import hnswlib

from bench.peers.kinds.base import Filter, InProcess, Numbers, Vectors


class Hnswlib(InProcess):
    version = version("hnswlib")
    efforts = (40, 80, 160, 320, 640)

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        self.prices, self.sections = prices, sections
        self.index = hnswlib.Index("cosine", vectors.shape[1])
        self.index.init_index(len(vectors), M=16, ef_construction=64, allow_replace_deleted=True)
        self.index.set_num_threads(2)
        self.index.add_items(vectors)
        self.index.set_num_threads(1)
        self.index.save_index(str(self.folder / "index"))

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        self.index.set_ef(max(effort, k))
        if filter is None:
            return [int(id) for id in self.index.knn_query(query, k)[0][0]]
        passes = filter.passes(self.prices, self.sections)
        try:
            found = self.index.knn_query(query, k, filter=lambda id: bool(passes[id]))
        except RuntimeError:  # fewer than k were found
            return []
        return [int(id) for id in found[0][0]]

    def update(self, id: int, vector: Vectors) -> None:
        self.index.add_items(vector[None], [id])
