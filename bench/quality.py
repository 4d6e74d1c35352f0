"""How well `lite` searches: captions in seven languages over the 307 clip-art pictures of the stamps data.

`python -m bench.quality [FOLDER]` prints the table; `tests/quality/test_lite_quality.py` holds floors under the same
figures. A search counts as a hit when the one picture (or caption) that belongs to the query is among the first 10 of
all. Several pictures share a caption ("A frog."), and then 10 places are for all of them: a perfect model stays
under 1.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmdb.config import Settings
from mmdb.media.image import decode_image
from mmdb.models.embed.base import Embedder, Item, Vectors
from mmdb.models.registry import builtin_specs, load

STAMPS = Path(__file__).resolve().parents[2] / "shared" / "stamps"
LANGUAGES = ("en", "zh", "de", "fr", "ru", "ja", "es")
K = 10


@dataclass(frozen=True, slots=True)
class Damage:
    """How a copy differs: a range each for the part of a side that is kept, its scale, and the JPEG quality."""

    kept: tuple[float, float]
    scale: tuple[float, float]
    quality: tuple[int, int]


DAMAGES = {
    "light": Damage((0.90, 0.95), (0.6, 0.9), (75, 90)),
    "medium": Damage((0.85, 0.92), (0.6, 0.9), (60, 80)),
    "heavy": Damage((0.75, 0.90), (0.5, 0.8), (40, 70)),
}


@dataclass(frozen=True, slots=True)
class Stamp:
    image: Image.Image
    captions: dict[str, str]


def read_stamps(folder: Path) -> list[Stamp]:
    lines = (folder / "items.jsonl").read_text("utf-8").splitlines()
    return [_stamp(folder, json.loads(line)) for line in lines]


def _stamp(folder: Path, item: dict[str, object]) -> Stamp:
    captions = item["captions"]
    assert isinstance(captions, dict)
    return Stamp(decode_image((folder / str(item["image"])).read_bytes()), captions)


@dataclass(frozen=True, slots=True)
class Captions:
    """Those of one language; `owners[i]` is the number of the picture that caption i belongs to."""

    owners: list[int]
    vectors: Vectors


def embed_captions(embedder: Embedder, stamps: Sequence[Stamp]) -> dict[str, Captions]:
    return {language: _captions(embedder, stamps, language) for language in LANGUAGES}


def _captions(embedder: Embedder, stamps: Sequence[Stamp], language: str) -> Captions:
    owners = [i for i, stamp in enumerate(stamps) if language in stamp.captions]
    return Captions(owners, embedder.embed([stamps[i].captions[language] for i in owners], "query"))


def embed_images(embedder: Embedder, stamps: Sequence[Stamp]) -> Vectors:
    return embedder.embed([stamp.image for stamp in stamps])


def embed_copies(embedder: Embedder, stamps: Sequence[Stamp], damage: Damage) -> Vectors:
    return embedder.embed([damaged(stamp.image, seed, damage) for seed, stamp in enumerate(stamps)])


def damaged(image: Image.Image, seed: int, damage: Damage) -> Image.Image:
    """A copy of which a random part is kept, made smaller, and written and read as JPEG."""
    chance = random.Random(seed)
    kept = chance.uniform(*damage.kept)
    width, height = (max(1, round(length * kept)) for length in image.size)
    left, top = chance.randint(0, image.width - width), chance.randint(0, image.height - height)
    scale = chance.uniform(*damage.scale)
    smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
    file = io.BytesIO()
    copy = image.crop((left, top, left + width, top + height)).resize(smaller, Image.Resampling.BICUBIC)
    copy.save(file, "JPEG", quality=chance.randint(*damage.quality))
    return decode_image(file.getvalue())


def ranks(queries: Vectors, candidates: Vectors, answers: Sequence[int]) -> NDArray[np.intp]:
    """For each query the number of candidates that are nearer than its answer: 0 is found first.

    Equal captions count as equally near, although their vectors can differ in the last bits.
    """
    similar = queries @ candidates.T
    answered = similar[np.arange(len(answers)), answers][:, np.newaxis]
    nearer: NDArray[np.intp] = (similar > answered + 1e-5).sum(axis=1)
    return nearer


def text_to_image(captions: Captions, images: Vectors) -> float:
    """Recall@10 of the picture that a caption belongs to."""
    return float((ranks(captions.vectors, images, captions.owners) < K).mean())


def text_to_caption(captions: Captions, others: Captions) -> float:
    """Recall@10 of the caption of the same picture in another language, among all captions in that language."""
    places = {owner: place for place, owner in enumerate(others.owners)}
    known = [i for i, owner in enumerate(captions.owners) if owner in places]
    answers = [places[captions.owners[i]] for i in known]
    return float((ranks(captions.vectors[known], others.vectors, answers) < K).mean())


def copy_to_original(copies: Vectors, images: Vectors) -> float:
    """The share of copies whose original comes first."""
    return float((ranks(copies, images, range(len(images))) == 0).mean())


def main(folder: Path) -> None:
    stamps = read_stamps(folder)
    embedder = _timed_loads()
    texts: list[Item] = [text for stamp in stamps for text in stamp.captions.values()]
    _timed(f"{len(texts)} texts", embedder, texts)
    _timed(f"{len(stamps)} pictures", embedder, [stamp.image for stamp in stamps])
    captions = embed_captions(embedder, stamps)
    images = embed_images(embedder, stamps)
    print(f"\nrecall@{K}        queries  text to image  text to caption (in)")
    for language, own in captions.items():
        other = "zh" if language == "en" else "en"
        to_image, to_caption = text_to_image(own, images), text_to_caption(own, captions[other])
        print(f"{language:<14}{len(own.owners):>9}{to_image:>15.3f}{to_caption:>17.3f} ({other})")
    print("\ncopy             original at rank 1")
    for name, damage in DAMAGES.items():
        print(f"{name:<17}{copy_to_original(embed_copies(embedder, stamps, damage), images):>18.3f}")


def _timed_loads() -> Embedder:
    lite = next(spec for spec in builtin_specs() if spec.name == "lite")
    with tempfile.TemporaryDirectory() as cache:
        for what in ("first load, cache empty", "second load"):
            start = time.perf_counter()
            embedder = load(lite, Settings.from_environment({"MMDB_CACHE": cache}))
            print(f"{what:<26}{time.perf_counter() - start:>8.1f} s")
    return embedder


def _timed(what: str, embedder: Embedder, items: Sequence[Item]) -> None:
    start = time.perf_counter()
    embedder.embed(items)
    print(f"{what:<26}{len(items) / (time.perf_counter() - start):>8.0f} /s")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else STAMPS)
