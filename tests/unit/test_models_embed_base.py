"""The contract: what `Embedder.embed` asks of a backend, and what it refuses to pass on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image

from mmdb.errors import ModelError
from mmdb.models.embed.base import Embedder, Item, Modality, Purpose, Vectors

PICTURE = Image.new("RGB", (2, 2))


class Fake(Embedder):
    """Embeds a text as (its length, 1, 0) and a picture as (0, 0, its width), and notes each call."""

    modalities = frozenset(("text", "image"))
    dimensions = 3
    batch_size = 2
    identity = "fake"

    def __init__(self) -> None:
        self.calls: list[tuple[Modality, int, Purpose]] = []

    def embed_batch(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        self.calls.append((modality, len(items), purpose))
        rows = [(len(item), 1, 0) if isinstance(item, str) else (0, 0, item.width) for item in items]
        return np.array(rows, np.float32)


class Broken(Fake):
    """Passes what Fake made through `damage`."""

    def __init__(self, damage: Callable[[Vectors], Vectors]) -> None:
        super().__init__()
        self.damage = damage

    def embed_batch(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        return self.damage(super().embed_batch(modality, items, purpose))


class TextOnly(Fake):
    modalities = frozenset(("text",))


def test_items_of_one_modality_share_batches_and_come_back_in_their_places() -> None:
    fake = Fake()
    vectors = fake.embed(["a", PICTURE, "bb", "", PICTURE], "query")
    assert fake.calls == [("text", 2, "query"), ("text", 1, "query"), ("image", 2, "query")]
    assert vectors.dtype == np.float32
    expected = [(0.5**0.5, 0.5**0.5, 0), (0, 0, 1), (0.8**0.5, 0.2**0.5, 0), (0, 1, 0), (0, 0, 1)]
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)


def test_nothing_to_embed_calls_nothing() -> None:
    fake = Fake()
    assert fake.embed([]).shape == (0, 3)
    assert fake.calls == []


def test_a_missing_modality_is_named_with_those_there_are() -> None:
    with pytest.raises(ModelError, match='does not embed modality "image"') as caught:
        TextOnly().embed(["a", PICTURE])
    assert "it embeds: text" in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [lambda made: made[:, :2], lambda made: made[:1], lambda made: made.ravel()],
    ids=["narrow", "too few", "flat"],
)
def test_a_wrong_shape_is_refused(damage: Callable[[Vectors], Vectors]) -> None:
    with pytest.raises(ModelError, match=r"array of shape .*, expected \(2, 3\)"):
        Broken(damage).embed(["a", "b"])


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_vector_without_a_direction_is_refused_and_its_item_named(value: float) -> None:
    def damage(made: Vectors) -> Vectors:
        made[made[:, 0] == len("poison")] = value
        return made

    with pytest.raises(ModelError, match="zero or non-finite vector for item 4"):
        Broken(damage).embed(["a", PICTURE, "b", "c", "poison"])


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_a_vector_whose_square_is_no_float32_still_has_a_direction(scale: float) -> None:
    vectors = Broken(lambda made: made * np.float32(scale)).embed(["abc"])
    np.testing.assert_allclose(vectors, [(0.9**0.5, 0.1**0.5, 0)], rtol=1e-6)


class Cramped(Fake):
    """Has memory for `room` items at a time."""

    batch_size = 8

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.freed = 0

    def embed_batch(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        if len(items) > self.room:
            raise MemoryError(f"no memory for {len(items)}")
        return super().embed_batch(modality, items, purpose)

    def free_memory(self) -> None:
        self.freed += 1


def test_a_batch_that_does_not_fit_is_halved_until_it_does(caplog: pytest.LogCaptureFixture) -> None:
    texts = ["x" * length for length in range(1, 12)]
    cramped, fake = Cramped(room=3), Fake()
    np.testing.assert_array_equal(cramped.embed(texts), fake.embed(texts))
    assert [count for _, count, _ in cramped.calls] == [2, 2, 2, 2, 3], "the next batch is tried whole again"
    assert cramped.freed == 3
    assert "a batch of 8 does not fit into memory" in caplog.text


def test_an_item_that_does_not_fit_alone_is_an_error() -> None:
    with pytest.raises(ModelError, match="one text alone does not fit into memory: no memory for 1") as caught:
        Cramped(room=0).embed(["a", "b"])
    assert "more memory" in str(caught.value)


def test_another_error_is_not_taken_for_a_lack_of_memory() -> None:
    def damage(made: Vectors) -> Vectors:
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        Broken(damage).embed(["a", "b"])
