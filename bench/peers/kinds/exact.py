"""numpy: every row that passes is measured. The truth, and the floor of what a scan costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.peers.kinds.base import Filter, InProcess, Numbers, Vectors


class Exact(InProcess):
    efforts = (0,)

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.version = np.__version__

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        self.vectors, self.prices, self.sections = np.array(vectors), prices, sections

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        if filter is None:
            return _nearest(self.vectors @ query, k)
        places = np.flatnonzero(filter.passes(self.prices, self.sections))
        return [int(places[place]) for place in _nearest(self.vectors[places] @ query, k)]

    def update(self, id: int, vector: Vectors) -> None:
        self.vectors[id] = vector


def _nearest(similar: Vectors, k: int) -> list[int]:
    k = min(k, len(similar))
    best = np.argpartition(-similar, k - 1)[:k] if k else np.empty(0, np.intp)
    return [int(place) for place in best[np.argsort(-similar[best], kind="stable")]]
