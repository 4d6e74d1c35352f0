"""The contest against other systems: its driver, its truth and its page, with competitors that are there anyway."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from bench.peers import data, growth, pictures, report
from bench.peers.data import Queries, Rows
from bench.peers.process import PeerError, Process
from bench.peers.run import ASKED, Contest, Findings
from bench.quality import STAMPS
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
    assert "## 600 glosses" in page
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


def test_more_rows_than_glosses_are_near_copies_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    glosses = 1_000
    made = np.random.default_rng(3).standard_normal((glosses, data.WIDTH)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    monkeypatch.setattr(data, "glosses", lambda: ([f"text {n}" for n in range(glosses)], np.arange(glosses) % 45))
    monkeypatch.setattr(data, "embedded", lambda texts: made.copy())
    monkeypatch.setattr(data, "CHUNK", 300)
    rows, queries = data.read(3_000)
    stored = glosses - data.QUERIES
    assert np.linalg.norm(rows.vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert sorted(rows.prices) == list(range(3_000))
    assert not set(queries.texts) & set(rows.texts)
    for place in (stored, 2 * stored, 2_999):
        similar = rows.vectors[:stored] @ rows.vectors[place]
        assert similar.argmax() == place % stored
        assert 0.85 < similar.max() < 0.97
        assert rows.texts[place] == rows.texts[place % stored]
        assert rows.sections[place] == rows.sections[place % stored]


@pytest.mark.skipif(not STAMPS.exists(), reason="without the stamps data")
def test_pictures_and_the_captions_that_look_for_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pictures, "cache", lambda: tmp_path)
    rows, queries = pictures.read(400)
    assert rows.vectors.shape == (400, 640)
    assert len(set(queries.texts)) == data.QUERIES
    best = (queries.vectors @ rows.vectors.T).argmax(axis=1)
    right = rows.sections[best] == queries.sections
    assert right.mean() > 0.15  # by chance 2 %
    again, _ = pictures.read(400)
    assert np.array_equal(again.vectors, rows.vectors)


def test_what_is_planned_follows_the_slope() -> None:
    measured = [
        growth.Figures(rows=rows, recall=1.0, **dict.fromkeys(growth.NAMES, rows / 1000))
        for rows in (1_000, 10_000, 100_000)
    ]
    assert growth.slope(measured, "build") == pytest.approx(1)
    assert growth.planned(measured, "index", 1_000_000) == pytest.approx(1000)
    assert "| HNSW index, MB | 1.00 | 10 | 100 | 1.00 | 1,000 | 10,000 | 100,000 |" in growth.page(measured, "Here.")
