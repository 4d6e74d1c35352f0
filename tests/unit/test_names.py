"""A topic of sql/ has a test file of its name in tests/db, or a reason to have none."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOPICS = [path.stem.partition("_")[2] for path in sorted((ROOT / "sql").glob("*.sql"))]
ELSEWHERE = {
    "liveness": "which workers live is seen by what becomes of their rows: worker, tests/faults",
    "sources": "seen through what is embedded: fusion, worker",
    "dependents": "what is in the way of functions that change or go: renamed, install",
    "storage": "seen through declarations and searches: embeddings, search_views",
    "plan": "seen through declarations and what is refused: embeddings",
    "made": "seen through declarations: embeddings, privileges",
    "worker_functions": "run by the worker: worker, pipeline, on_change",
    "declaration": "embeddings, tests/orm/test_declaration.py",
    "drift": "found after each change that brings it about: triggers, embeddings, doctor",
    "contracts": "recall, for they stand on the same 6,000 vectors",
    "stored_queries": "recall, find",
    "former_searches": "tests/migration/test_upgrade.py",
    "former_requests": "tests/migration/test_upgrade.py, requests",
}
"""Topics without a test file of their name, and which ones test them."""


def has_test(topic: str) -> bool:
    return (ROOT / "tests" / "db" / f"test_{topic}.py").exists()


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_has_a_test_of_its_name(topic: str) -> None:
    known = has_test(topic) or topic in ELSEWHERE
    assert known, f"write tests/db/test_{topic}.py, or say in ELSEWHERE what tests it"


@pytest.mark.parametrize("topic", ELSEWHERE)
def test_an_exception_is_one(topic: str) -> None:
    assert not has_test(topic), f'"{topic}" has a test now: strike it from ELSEWHERE'
