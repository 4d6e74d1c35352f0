"""faiss: IndexHNSWFlat in the process, with a bitmap of the rows that pass. It has no update."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from bench.peers.kinds.base import Filter, InProcess, Numbers, Vectors


class Faiss(InProcess):
    version = faiss.__version__
    efforts = (40, 80, 160, 320, 640)

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        faiss.omp_set_num_threads(2)

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        self.prices, self.sections = prices, sections
        self.index = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = 64
        self.index.add(vectors)
        faiss.write_index(self.index, str(self.folder / "index"))
        faiss.omp_set_num_threads(1)

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        settings = faiss.SearchParametersHNSW(efSearch=max(effort, k))
        if filter is not None:
            bits = np.packbits(filter.passes(self.prices, self.sections), bitorder="little")
            settings.sel = faiss.IDSelectorBitmap(bits)
        _, found = self.index.search(query[None], k, params=settings)
        return [int(id) for id in found[0] if id >= 0]

    def update(self, id: int, vector: Vectors) -> None:
        raise NotImplementedError
