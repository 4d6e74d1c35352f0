"""The backend `open_clip` on a small ViT CLIP with random weights, saved as the library saves its models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from PIL import Image

from mmdb.config import Settings
from mmdb.errors import ModelError, ModelUnavailableError
from mmdb.media.image import decode_image
from mmdb.models.embed.base import Embedder, Item, Vectors
from mmdb.models.registry import describe, load
from mmdb.models.spec import ModelSpec
from mmdb.worker import WorkerOptions, background
from tests.conftest import Database
from tests.e2e.programs import Program
from tests.made_models import CLIP_WIDTH, make_open_clip, open_clip_config

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
PHOTOS = Path(__file__).parents[2] / "examples" / "shop" / "photos"
TEXTS = ["red shoes", "a boat on a house", "ein rotes Haus", "x", "word " * 200]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_open_clip(tmp_path_factory.mktemp("models") / "clip")


@pytest.fixture(scope="module")
def architecture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A name that the library knows, as it knows ViT-B-32."""
    import open_clip

    path = tmp_path_factory.mktemp("architectures") / "ViT-tiny-test.json"
    path.write_text(json.dumps(open_clip_config()))
    open_clip.add_model_config(path)
    return path.stem


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    generator = np.random.default_rng(7)
    shapes = [(50, 40), (32, 32), (20, 90)]
    return [Image.fromarray(generator.integers(0, 255, (*shape, 3), np.uint8)) for shape in shapes]


def spec(model: Path | str, **values: Any) -> ModelSpec:
    return ModelSpec("mine", "open_clip", str(model), 0, (), "", **values)


def settings(**values: str) -> Settings:
    return Settings.from_environment({"MMDB_HOME": "/nowhere", **values})


def loaded(model: Path | str, **values: Any) -> Embedder:
    return describe(spec(model, **values), settings())[1]


def library(name: str, pretrained: str | None, texts: Sequence[str], pictures: Sequence[Image.Image]) -> Any:
    """The vectors of the library called directly."""
    import open_clip
    import torch

    model, _, prepare = open_clip.create_model_and_transforms(name, pretrained)
    model.eval()
    with torch.no_grad():
        text = model.encode_text(open_clip.get_tokenizer(name)(list(texts)))
        picture = model.encode_image(torch.stack([prepare(picture) for picture in pictures]))
    return np.concatenate([text.numpy(), picture.numpy()])


def check_equal(made: Vectors, wanted: Any, least: float = 0.9999) -> None:
    wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    assert made.shape == wanted.shape
    assert (np.sum(made * wanted, axis=1) > least).all()


def test_a_folder_gives_the_librarys_vectors(clip: Path, pictures: list[Image.Image]) -> None:
    described, embedder = describe(spec(clip), settings())
    assert (described.dimensions, described.modalities) == (CLIP_WIDTH, ("text", "image"))
    wanted = library(f"local-dir:{clip}", None, TEXTS, pictures)
    check_equal(embedder.embed([*TEXTS, *pictures]), wanted)
    check_equal(load(described, settings()).embed([*TEXTS, *pictures], "query"), wanted)


def test_an_architecture_and_a_checkpoint(clip: Path, architecture: str, pictures: list[Image.Image]) -> None:
    for name in ("open_clip_pytorch_model.bin", "open_clip_model.safetensors"):
        embedder = loaded(architecture, options={"pretrained": str(clip / name)})
        check_equal(embedder.embed([*TEXTS, *pictures]), library(architecture, str(clip / name), TEXTS, pictures))


def test_a_copy_of_a_tag_is_prepared_as_the_tag_says(
    clip: Path, pictures: list[Image.Image], tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ViT-B-32's laion2b_s34b_b79k would be; its pictures are prepared in another way than the architecture's."""
    import open_clip.pretrained as registry

    copy = tmp_path / architecture / "some_tag.safetensors"
    copy.parent.mkdir()
    shutil.copy(clip / "open_clip_model.safetensors", copy)
    tag = {"mean": (0.5, 0.4, 0.3), "std": (0.3, 0.3, 0.2), "interpolation": "bilinear", "resize_mode": "squash"}
    monkeypatch.setitem(registry._PRETRAINED, architecture, {"some_tag": {"hf_hub": "org/none/", **tag}})
    row = spec(architecture, options={"pretrained": "some_tag"})
    _, embedder = describe(row, settings(MMDB_MODELS=str(tmp_path)))
    check_equal(embedder.embed(pictures), library(f"local-dir:{clip}", None, ["x"], pictures)[1:])


def test_prompts_go_before_texts(clip: Path) -> None:
    embedder, bare = loaded(clip, query_prompt="a photo of "), loaded(clip)
    np.testing.assert_allclose(embedder.embed(["shoes"], "query"), bare.embed(["a photo of shoes"]), atol=1e-6)
    np.testing.assert_allclose(embedder.embed(["shoes"]), bare.embed(["shoes"]), atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_nearly_the_same_and_the_same_model(
    clip: Path, pictures: list[Image.Image], dtype: str
) -> None:
    half, whole = loaded(clip, options={"dtype": dtype}), loaded(clip)
    assert half.identity == whole.identity
    check_equal(half.embed([*TEXTS, *pictures]), whole.embed([*TEXTS, *pictures]), 0.999)


def test_threads_share_a_model(clip: Path, pictures: list[Image.Image]) -> None:
    embedder = loaded(clip)
    batches: list[list[Item]] = [[*TEXTS[: number % 4 + 1], *pictures] for number in range(24)]
    wanted = [embedder.embed(batch) for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        for made, expected in zip(threads.map(embedder.embed, batches), wanted, strict=True):
            np.testing.assert_allclose(made, expected, atol=1e-5)


# The identity.


def test_a_copy_elsewhere_is_the_same_model_and_changed_weights_another(clip: Path, tmp_path: Path) -> None:
    described, _ = describe(spec(clip), settings())
    shutil.copytree(clip, tmp_path / "org" / "clip")
    (tmp_path / "org" / "clip" / "README.md").write_text("about it")
    load(replace(described, model="org/clip"), settings(MMDB_MODELS=str(tmp_path)))
    other = make_open_clip(tmp_path / "other", seed=1)
    with pytest.raises(ModelError, match="is registered with identity"):
        load(replace(described, model=str(other)), settings())
    with pytest.raises(ModelError, match="is registered with identity"):
        load(replace(described, query_prompt="a photo of "), settings())


def test_how_pictures_are_prepared_is_part_of_the_identity(clip: Path, tmp_path: Path) -> None:
    copy = tmp_path / "clip"
    shutil.copytree(clip, copy)
    config = json.loads((copy / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["resize_mode"] = "shortest"
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    assert loaded(copy).identity != loaded(clip).identity


# What cannot be loaded.


def test_weights_that_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    row = spec("ViT-B-32", options={"pretrained": "laion2b_s34b_b79k"})
    with pytest.raises(ModelUnavailableError) as caught:
        describe(row, settings(MMDB_MODELS=str(tmp_path)))
    assert 'weights "laion2b_s34b_b79k" of "ViT-B-32" were not found' in str(caught.value)
    assert f'there is no "{tmp_path}/ViT-B-32/laion2b_s34b_b79k" with one of .safetensors' in str(caught.value)
    assert "the download said: " in str(caught.value)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("ViT-B-32", {}, "laion2b_s34b_b79k"),
        ("ViT-B-32", {"pretrained": "nix"}, 'is neither a file nor a tag of "ViT-B-32"'),
        ("ViT-B-32", {"pretrained": "../../secret"}, "is neither a file nor a tag"),
        ("/nowhere/clip", {"pretrained": "openai"}, "is no architecture of OpenCLIP"),
        ("/nowhere/clip", {}, 'there is no folder "/nowhere/clip"'),
        ("ViT-B-32", {"pretrained": "openai", "dtype": "int8"}, "expected one of float32"),
        ("ViT-B-32", {"dimensions": 8}, 'has no option "dimensions"'),
    ],
)
def test_what_is_refused(model: str, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        describe(spec(model, options=options), settings(MMDB_MODELS=str(tmp_path)))
    assert message in str(caught.value)


def test_damaged_weights(clip: Path, tmp_path: Path) -> None:
    copy = tmp_path / "clip"
    shutil.copytree(clip, copy)
    weights = copy / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelUnavailableError, match='model "mine" cannot be loaded: '):
        loaded(copy)
    weights.unlink()
    (copy / "open_clip_pytorch_model.bin").unlink()
    with pytest.raises(ModelUnavailableError, match="holds no model of OpenCLIP"):
        loaded(copy)


def test_from_a_folder_to_a_search_by_words(database: Database, conn: psycopg.Connection[Any], clip: Path) -> None:
    """Pictures in rows and a text as the query: the distances are those of the library's vectors."""
    program = Program(clip.parent, database.url)
    answer = program.run("models", "add", "clip", "--backend", "open_clip", "--model", str(clip))
    assert answer.code == 0, answer.err
    conn.execute("create table posters (name text primary key, photo bytea)")
    photos = {path.stem: path for path in sorted(PHOTOS.glob("*.jpg"))[:4]}
    for name, path in photos.items():
        conn.execute("insert into posters values (%s, %s)", [name, path.read_bytes()])
    conn.execute("select mmdb.add_embedding('posters', 'photo', model => 'clip')")
    with background(database.url, options=WorkerOptions(poll_seconds=0.1, models=("clip",))):
        conn.execute("select mmdb.wait_until_embedded('posters')")
        found = dict(conn.execute("select name, distance from posters_by_photo('a cat')").fetchall())
    pictures = [decode_image(path.read_bytes()) for path in photos.values()]
    vectors = library(f"local-dir:{clip}", None, ["a cat"], pictures)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = 1 - vectors[1:] @ vectors[0]
    np.testing.assert_allclose([found[name] for name in photos], wanted, atol=2e-3)
