"""Making vectors: what the model refuses is found by halving, and an outage is nobody's fault."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest

from mmdb.errors import ModelError, ModelServiceError
from mmdb.models.embed.base import Embedder, Item, Modality, Purpose, Vectors
from mmdb.worker.make import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Make, fused
from mmdb.worker.values import Batch, Mixture, Paused, Row, Served, Task
from tests.unit.worker import NOTES

OTHERS = Task(2, UUID(int=2), "others", "txt", "text", False, "public", True, ["txt"], None, None)


class Model(Embedder):
    """A text becomes (its length, 1, 0); "poison" it refuses, and from `down` on its server does not serve."""

    modalities = frozenset(("text",))
    dimensions = 3
    batch_size = 512
    identity = "model"

    def __init__(self, down: str | None = None, retry_after: float | None = None) -> None:
        self.down = down
        self.retry_after = retry_after
        self.calls = 0

    def embed_batch(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        self.calls += 1
        if "poison" in items:
            raise ValueError("cannot take this")
        if self.down in items:
            raise ModelServiceError("the server is down", retry_after=self.retry_after)
        return np.array([(len(str(item)), 1, 0) for item in items], np.float32)


def batch(*texts: str, task: Task = NOTES) -> Batch:
    rows = [Row(f"{{{place}}}", "1", None) for place in range(len(texts))]
    return Batch(task, rows, [Mixture((text,)) for text in texts])


def keys(made: Batch) -> list[str]:
    return [row.key.strip("{}") for row in made.rows]


def test_a_vector_a_row_and_no_items_left() -> None:
    made = batch("a", "bb", "ccc")
    assert Make(Model()).batch(made) == Served(NOTES)
    assert made.vectors is not None
    np.testing.assert_allclose(made.vectors, Model().embed(["a", "bb", "ccc"]))
    assert made.mixtures == [], "pictures are not to wait for the store"


def test_it_tells_once_of_each_embedding_that_the_model_serves() -> None:
    make = Make(Model())
    told = [make.batch(batch("a", task=task)) for task in (NOTES, NOTES, OTHERS, OTHERS)]
    assert told == [Served(NOTES), None, Served(OTHERS), None]


def test_nothing_to_make_calls_nothing_and_tells_nothing() -> None:
    model = Model()
    assert Make(model).batch(Batch(NOTES, released=["{1}"])) is None
    assert model.calls == 0


@pytest.mark.parametrize("place", [0, 1, 255, 256, 300, 511])
def test_one_bad_row_of_many_is_found_by_halving(place: int) -> None:
    texts = [f"text {number}" for number in range(512)]
    texts[place] = "poison"
    model, made = Model(), batch(*texts)
    assert Make(model).batch(made) is None
    assert [(failure.row.key, failure.error) for failure in made.failures] == [
        (f"{{{place}}}", "the model failed: ValueError: cannot take this")
    ]
    assert keys(made) == [str(number) for number in range(512) if number != place], "in their order"
    assert made.vectors is not None
    np.testing.assert_allclose(made.vectors, Model().embed([text for text in texts if text != "poison"]))
    assert model.calls < 25


def test_all_rows_bad() -> None:
    made = batch("poison", "poison", "poison")
    Make(Model()).batch(made)
    assert (len(made.failures), made.rows) == (3, [])
    assert made.vectors is not None
    assert made.vectors.shape == (0, 3)
    assert not any(failure.permanent for failure in made.failures)


def test_a_server_that_is_down_releases_all_and_rests() -> None:
    model = Model(down="b")
    make = Make(model)
    made = batch("a", "b", "c")
    assert make.batch(made) == Paused(NOTES, FIRST_PAUSE_SECONDS, "the server is down")
    assert (made.rows, made.failures, made.released) == ([], [], ["{0}", "{1}", "{2}"])
    after = batch("d")
    assert make.batch(after) is None
    assert after.released == ["{0}"], "meanwhile the model is not asked"
    assert model.calls == 1


def test_a_server_that_goes_down_while_a_bad_row_is_looked_for() -> None:
    made = batch("a", "b", "poison", "c", "down", "e")
    assert isinstance(Make(Model(down="down")).batch(made), Paused)
    assert keys(made) == ["0", "1"]
    assert [failure.row.key for failure in made.failures] == ["{2}"]
    assert made.released == ["{3}", "{4}", "{5}"]
    assert made.vectors is not None
    assert len(made.vectors) == 2


def test_pauses_grow_to_the_longest_and_begin_again_once_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    make = Make(Model(down="down"))
    pauses = []
    for _ in range(9):
        told = make.batch(batch("down"))
        assert isinstance(told, Paused)
        pauses.append(told.seconds)
        now += told.seconds
    assert pauses[:3] == [5.0, 10.0, 20.0]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    assert make.batch(batch("a")) == Served(NOTES)
    told = make.batch(batch("down"))
    assert isinstance(told, Paused)
    assert told.seconds == FIRST_PAUSE_SECONDS


@pytest.mark.parametrize(("asked", "seconds"), [(60.0, 60.0), (1e6, LONGEST_PAUSE_SECONDS), (1.0, 5.0)])
def test_what_the_server_asks_for_is_heeded_within_bounds(asked: float, seconds: float) -> None:
    told = Make(Model(down="a", retry_after=asked)).batch(batch("a"))
    assert isinstance(told, Paused)
    assert told.seconds == seconds


def test_weighted_sources_become_one_vector() -> None:
    made = Batch(NOTES, [Row("{1}", "1", None)], [Mixture(("a", "bbb"), (0.7, 0.3), ("title", "body"))])
    Make(Model()).batch(made)
    wanted = np.average(Model().embed(["a", "bbb"]), axis=0, weights=[0.7, 0.3])
    assert made.vectors is not None
    np.testing.assert_allclose(made.vectors, [wanted / np.linalg.norm(wanted)], rtol=1e-6)


def test_of_several_sources_the_bad_one_is_named() -> None:
    made = Batch(NOTES, [Row("{1}", "1", None)], [Mixture(("a", "poison"), (0.7, 0.3), ("title", "body"))])
    Make(Model()).batch(made)
    assert made.failures[0].error == 'source "body": the model failed: ValueError: cannot take this'


def test_sources_that_cancel_each_other_out_are_refused() -> None:
    opposite = np.array([(1, 0, 0), (-1, 0, 0)], np.float32)
    with pytest.raises(ModelError, match="cancel each other out"):
        fused(opposite, [Mixture(("a", "b"), (0.5, 0.5))])
