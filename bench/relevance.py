"""How good a ranking is, relevance being yes or no: recall and normalized discounted cumulative gain."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A query in a language, asked in a table; `relevant` are keys. `held_out` is the half that figures are of."""

    task: str
    language: str
    table: str
    query: str
    relevant: frozenset[int]
    held_out: bool


Answers = dict[str, list[tuple[Question, list[int]]]]
"""By leg, each question with the keys that came, best first."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over questions; recall@k is of the k, or of all where fewer are relevant."""

    recall_1: float
    recall_5: float
    recall_10: float
    ndcg_10: float


def judge(answers: Sequence[tuple[Question, list[int]]]) -> Quality:
    at = {k: statistics.mean(recall(q.relevant, keys, k) for q, keys in answers) for k in (1, 5, 10)}
    return Quality(at[1], at[5], at[10], statistics.mean(ndcg(q.relevant, keys) for q, keys in answers))


def recall(relevant: frozenset[int], keys: Sequence[int], k: int) -> float:
    return len(relevant.intersection(keys[:k])) / min(k, len(relevant))


def ndcg(relevant: frozenset[int], keys: Sequence[int], k: int = 10) -> float:
    """Järvelin and Kekäläinen 2002: a row that comes later counts less, and 1 is as good as can be."""
    gain = sum(1 / math.log2(place + 2) for place, key in enumerate(keys[:k]) if key in relevant)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(k, len(relevant))))
