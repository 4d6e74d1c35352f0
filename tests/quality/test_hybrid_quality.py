"""Words, meaning and pictures together are at least as good as the best of them alone, with T_search as it is shipped.

`python -m bench hybrid` writes the whole table; here a fifth of the questions are asked, of both halves.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.hybrid import FUSED, LEGS, ask, fill, questions, read_items
from bench.quality import STAMPS
from bench.relevance import Answers, judge
from mmdb.database.types import register_types
from mmdb.worker import WorkerOptions, background
from tests.conftest import Server, temporary_database

pytestmark = pytest.mark.skipif(not STAMPS.is_dir(), reason=f"the stamps data is not at {STAMPS}")

# Measured on these questions: fused above the best leg, the captions, by 0.015 (stamp) and 0.075 (kind).
MARGIN = 0.01


@pytest.fixture(scope="module")
def answers(server: Server, template_db: str) -> Iterator[Answers]:
    items = read_items()
    asked = [question for place, question in enumerate(questions(items)) if place % 5 == 0]
    for database in temporary_database(server, template_db):
        with database.connect() as conn, background(database.url, options=WorkerOptions(models=("lite",))):
            register_types(conn)
            fill(conn, items)
            yield ask(conn, asked)


@pytest.mark.parametrize("task", ["stamp", "kind"])
def test_fused_is_at_least_as_good_as_the_best_leg(answers: Answers, task: str) -> None:
    quality = {leg: judge([a for a in given if a[0].task == task]).ndcg_10 for leg, given in answers.items()}
    print(f"\nnDCG@10, {task}: {quality}")
    best = max(LEGS, key=lambda leg: quality[leg])
    assert quality[FUSED] >= quality[best] - MARGIN
