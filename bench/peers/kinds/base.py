"""What a competitor is asked to do. Row ids are 0 to n - 1, vectors float32 of unit length, the distance is cosine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Filter:
    """`price < below`, or `section = section`."""

    below: int | None = None
    section: int | None = None

    @property
    def sql(self) -> str:
        return f"price < {self.below}" if self.section is None else f"section = {self.section}"

    @property
    def json(self) -> str:
        """As mmdb takes it."""
        return json.dumps({"price": {"lt": self.below}} if self.section is None else {"section": self.section})

    def passes(self, prices: Numbers, sections: Numbers) -> NDArray[np.bool_]:
        made = sections == self.section if self.below is None else prices < self.below
        return np.asarray(made, np.bool_)


class Peer(Protocol):
    """One competitor, in its own process. `efforts` are values of the one setting that trades time for recall, the
    cheapest first; a competitor without one has one.
    """

    version: str
    efforts: tuple[int, ...]

    def load(self, vectors: Vectors, prices: Numbers, sections: Numbers) -> None:
        """Store and index all rows: when it returns, searches are as fast as they get."""

    def search(self, query: Vectors, k: int, filter: Filter | None, effort: int) -> list[int]:
        """The ids of the k nearest rows that pass. From several threads."""

    def update(self, id: int, vector: Vectors) -> None:
        """Give a row another vector; a search that begins afterwards finds it by that one. From one thread."""

    def disk(self) -> int:
        """Bytes."""

    def memory(self) -> int:
        """Bytes that this process holds, or for a server those that want to be in its cache."""


class InProcess:
    """For libraries that keep their files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def disk(self) -> int:
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def memory(self) -> int:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024


def rows(prices: Numbers, sections: Numbers) -> list[dict[str, Any]]:
    """The business columns as records."""
    return [{"price": int(price), "section": int(section)} for price, section in zip(prices, sections, strict=True)]
