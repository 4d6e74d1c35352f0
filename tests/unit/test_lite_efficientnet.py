"""EfficientNet-Lite2 as we write it sees in photographs what is in them: weights, padding, scaling, names in order."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from mmdb.errors import ModelError
from mmdb.models.embed.lite.checkpoint import Tensors, read_checkpoint
from mmdb.models.embed.lite.efficientnet import CLASSES, FEATURES, SIZE, _Builder, build
from mmdb.models.embed.lite.embedder import letterboxed, weights_file

PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "shop" / "photos"


@pytest.fixture(scope="module")
def weights() -> Tensors:
    return read_checkpoint(weights_file())


@pytest.fixture(scope="module")
def network(weights: Tensors) -> Any:
    return onnxruntime.InferenceSession(build(weights))


@pytest.fixture(scope="module")
def names() -> list[str]:
    text = resources.files("mmdb.models.embed.lite").joinpath("imagenet_classes.txt").read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_every_class_has_names(names: list[str]) -> None:
    assert len(names) == CLASSES
    assert all(name.strip() for line in names for name in line.split(","))


@pytest.mark.parametrize(
    ("photo", "name", "least"),
    [
        ("cat", "Egyptian cat", 0.5),
        ("koala", "koala", 0.5),
        ("macaw", "macaw", 0.5),
        ("hedgehog", "hedgehog", 0.5),
        ("panda", "giant panda", 0.5),
        ("castle", "castle", 0.5),
        ("photographer", "tripod", 0.5),
        ("coffee", "espresso", 0.4),
        ("machu-picchu", "alp", 0.2),
        ("clownfish", "clownfish", 0.1),
        ("rocket", "missile", 0.03),
    ],
)
def test_a_photograph_is_known(network: Any, names: list[str], photo: str, name: str, least: float) -> None:
    with Image.open(PHOTOS / f"{photo}.jpg") as image:
        pixels = np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    (logits,) = network.run(["logits"], {"pixels": pixels[np.newaxis]})
    chances = np.exp(logits[0] - logits[0].max()) / np.exp(logits[0] - logits[0].max()).sum()
    top = np.argsort(-chances)[:5]
    found = [i for i in top if name in names[i].split(", ")]
    assert found, f"{photo}: {[names[i] for i in top]}"
    assert chances[found[0]] > least


def test_shapes_and_a_batch_of_two(network: Any) -> None:
    white = letterboxed(Image.new("RGB", (3, 3), "white"))
    logits, features = network.run(["logits", "features"], {"pixels": np.stack([white, white // 2])})
    assert logits.shape == (2, CLASSES)
    assert features.shape == (2, FEATURES)
    assert features.min() >= 0, "lite.py takes square roots of them"
    assert not np.allclose(features[0], features[1])


def test_padding_is_tensorflows_same(weights: Tensors) -> None:
    """Photographs do not show a shift by one pixel: top and left get the smaller half, sizes are halved upwards."""
    builder = _Builder(weights)
    assert builder._padding(3, 2) == [0, 0, 1, 1]  # 260 to 130
    assert builder._padding(5, 1) == [2, 2, 2, 2]
    assert builder._padding(5, 2) == [1, 1, 2, 2]  # 130 to 65
    assert builder._padding(3, 2) == [1, 1, 1, 1]  # 65 to 33
    assert builder.size == 33


def test_weights_that_lack_one_are_refused(weights: Tensors) -> None:
    rest = {name: value for name, value in weights.items() if name != "_blocks.4._bn1.running_var"}
    with pytest.raises(ModelError, match=r"lack '_blocks.4._bn1.running_var'"):
        build(rest)
