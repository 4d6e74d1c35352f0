"""What is measured under filters: cells, and in each the figures of every competitor."""

from __future__ import annotations

from dataclasses import dataclass

GOAL = 0.95
"""Recall that a competitor must reach to be compared with in speed."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one competitor did in one cell. `rows` is the mean that came, `short` the number of queries that got fewer
    than there are; times are in milliseconds.
    """

    recall: float
    rows: float
    short: int
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One filter on one table, that some `passing` rows of it pass; the figures by competitor."""

    size: int
    share: float
    kind: str
    passing: int
    figures: dict[str, Figures]

    @property
    def best(self) -> float:
        """The median of the quickest of the others that reach the goal; exact search always does."""
        return min(f.median for name, f in self.figures.items() if name != "ours" and f.recall >= GOAL)

    @property
    def ratio(self) -> float:
        return self.figures["ours"].median / self.best
