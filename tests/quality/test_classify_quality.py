"""`lite` sorts pictures and captions into categories it was never taught, and the scale that ships is the right one."""

from __future__ import annotations

import pytest

from bench.classify import SCALES, Sorted, measure
from bench.quality import STAMPS
from mmdb.config import Settings
from mmdb.models.registry import builtin_specs, load
from tests.db.conftest import Connection

pytestmark = pytest.mark.skipif(not STAMPS.is_dir(), reason=f"the stamps data is not at {STAMPS}")

# Measured: pictures 0.447, captions 0.558, of 19 labels.
ACCURACY = {"pictures": 0.43, "captions": 0.54}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sorted]:
    lite = next(spec for spec in builtin_specs() if spec.name == "lite")
    folder = tmp_path_factory.mktemp("cache")
    return measure(load(lite, Settings(database_url=None, home=folder, cache=folder)), STAMPS)


def test_the_first_label_is_right_often_enough(measured: dict[str, Sorted]) -> None:
    for what, floor in ACCURACY.items():
        assert measured[what].accuracy() >= floor, what


def test_the_scale_that_ships_is_the_honest_one(measured: dict[str, Sorted], conn: Connection) -> None:
    """Its log loss is within 2 % of the best; its mean probability of the first label, within 0.05 of the truth."""
    (scale,) = conn.execute("select mmdb.label_scale('lite')").fetchone() or (0,)
    for found in measured.values():
        loss, mean = found.calibration(scale)
        assert loss <= 1.02 * min(found.calibration(other)[0] for other in SCALES)
        assert mean == pytest.approx(found.accuracy(), abs=0.05)
