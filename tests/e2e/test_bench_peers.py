"""The contest against other systems: its driver, its truth and its page, with competitors that are there anyway."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from bench.peers import growth, report
from bench.peers.data import Queries, Rows
from bench.peers.process import PeerError, Process
from bench.peers.run import ASKED, Contest, Findings
from mmdb.install import install
from tests.conftest import Database

ROWS, WIDTH = 600, 48


@pytest.fixture(scope="module")
def drawn() -> tuple[Rows, Queries]:
    rng = np.random.default_rng(2)
    made = rng.standard_normal((ROWS + ASKED, WIDTH)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    sections = rng.integers(0, 4, ROWS + ASKED)
    texts = [f"text {number}" for number in range(ROWS + ASKED)]
    rows = Rows(texts[:ROWS], made[:ROWS], rng.permutation(ROWS), sections[:ROWS])
    return rows, Queries(texts[ROWS:], made[ROWS:], sections[ROWS:])


def test_a_contest(drawn: tuple[Rows, Queries], empty_database: Database, tmp_path: Path) -> None:
    install(empty_database.url)
    contest = Contest(*drawn, tmp_path, empty_database.url)
    with contest.entered(["mmdb", "pgvector", "numpy"]):
        contest.choose_efforts()
        contest.measure_cells()
        contest.measure_question()
        contest.measure_mixed()
    found = contest.found
    assert found.failed == {}
    assert all(found.cells[label]["numpy"]["recall"] == 1 for label in found.cells)
    assert all(figures["asked"] == ASKED for figures in found.cells["10 %"].values())
    assert all(cell["mmdb"]["short"] == 0 and cell["mmdb"]["recall"] >= 0.95 for cell in found.cells.values())
    assert found.shares["10 %"] == pytest.approx(0.1)
    assert found.shares["own section"] == pytest.approx(0.25, abs=0.05)
    assert found.question["mmdb"]["recall"] == found.question["numpy"]["recall"] == 1
    assert found.mixed["mmdb"]["written"] > 0
    found.write(tmp_path / "peers-600.json")
    report.write([Findings(**asdict(found))], tmp_path)
    page = (tmp_path / "peers.md").read_text("utf-8")
    assert "## 600 rows" in page
    for name in ("mmdb", "pgvector", "numpy"):
        assert f"| {name} | 1.00, " in page or f"| {name} | 0.9" in page


def test_a_competitor_that_is_not_there_is_named(drawn: tuple[Rows, Queries], tmp_path: Path) -> None:
    contest = Contest(*drawn, tmp_path, "")
    with contest.entered(["mmdb", "numpy"]):
        contest.choose_efforts()
    assert list(contest.found.effort) == ["numpy"]
    assert "mmdb" in contest.found.failed


def test_a_process_that_takes_too_long_is_ended(drawn: tuple[Rows, Queries], tmp_path: Path) -> None:
    with Process("numpy", tmp_path / "numpy", "") as process:
        process.ask("about")
        with pytest.raises(PeerError, match=r"numpy, search: AttributeError"):
            process.ask("search", query=0, k=1, filter=None, effort=0)
        process.process.kill()
        with pytest.raises(PeerError, match="numpy ended, or took more than"):
            process.ask("about", limit=1)


def test_what_is_planned_follows_the_slope() -> None:
    measured = [
        growth.Figures(rows=rows, recall=1.0, **dict.fromkeys(growth.NAMES, rows / 1000))
        for rows in (1_000, 10_000, 100_000)
    ]
    assert growth.slope(measured, "build") == pytest.approx(1)
    assert growth.planned(measured, "index", 1_000_000) == pytest.approx(1000)
    assert "| HNSW index, MB | 1.00 | 10 | 100 | 1.00 | 1,000 | 10,000 | 100,000 |" in growth.page(measured, "Here.")
