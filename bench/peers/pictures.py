"""Copies of the stamps data's pictures as rows, and its captions in seven languages as queries.

A row is a picture of which a random part is kept, smaller, compressed again and half the time mirrored; its section is
the picture's category, one of 88. A query is a text: what is near to it is of another modality, further away than
pictures are from each other, which is hard for a graph (Baranchuk et al., OOD-DiskANN, arXiv:2211.12850).
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
from PIL import ImageOps

from bench.peers.data import QUERIES, SEED, Queries, Rows, Vectors, cache
from bench.quality import LANGUAGES, STAMPS, Damage, Stamp, damaged, read_stamps
from mmdb.config import Settings
from mmdb.models.embed.base import Embedder
from mmdb.models.registry import builtin_specs, load

DAMAGE = Damage((0.6, 0.95), (0.4, 0.9), (40, 90))
BATCH = 256


def read(count: int, folder: Path = STAMPS) -> tuple[Rows, Queries]:
    """`count` rows in a fixed order, and QUERIES queries; vectors have all 640 numbers of `lite`."""
    if not folder.exists():
        sys.exit(f"error: no pictures in {folder}: the stamps data of Tux Paint is not part of mmdb")
    model = load(next(spec for spec in builtin_specs() if spec.name == "lite"), Settings.from_environment())
    stamps = read_stamps(folder)
    sections = _sections(folder)
    owners = np.arange(count) % len(stamps)
    vectors = embedded(model, stamps, count)
    order = np.random.default_rng(SEED).permutation(count)
    texts = [stamps[owner].captions["en"] for owner in owners[order]]
    prices = np.random.default_rng(SEED + 1).permutation(count)
    return Rows(texts, vectors[order], prices, sections[owners[order]]), _queries(model, stamps, sections)


def _sections(folder: Path) -> np.ndarray:
    lines = (folder / "items.jsonl").read_text("utf-8").splitlines()
    categories = [json.loads(line)["category"] for line in lines]
    numbers = {category: number for number, category in enumerate(sorted(set(categories)))}
    return np.array([numbers[category] for category in categories], np.int64)


def _queries(model: Embedder, stamps: list[Stamp], sections: np.ndarray) -> Queries:
    """Captions drawn from all languages, none twice."""
    captions = {
        stamp.captions[language]: owner
        for owner, stamp in enumerate(stamps)
        for language in LANGUAGES
        if language in stamp.captions
    }
    drawn = random.Random(SEED).sample(sorted(captions), QUERIES)
    return Queries(drawn, model.embed(drawn, "query"), sections[[captions[text] for text in drawn]])


def embedded(model: Embedder, stamps: list[Stamp], count: int) -> Vectors:
    """float32 (count, 640): copy i is of picture i modulo their number. Kept, because 10,000 take four minutes."""
    file = cache() / f"pictures-{count}.npy"
    if not file.exists():
        print(f"embedding {count:,} pictures …", file=sys.stderr, flush=True)
        parts = [_embed(model, stamps, range(at, min(at + BATCH, count))) for at in range(0, count, BATCH)]
        np.save(file, np.concatenate(parts).astype(np.float16))
    vectors: Vectors = np.load(file).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _embed(model: Embedder, stamps: list[Stamp], numbers: range) -> Vectors:
    copies = [damaged(stamps[number % len(stamps)].image, number, DAMAGE) for number in numbers]
    turned = [number // len(stamps) % 2 == 1 for number in numbers]
    return model.embed(
        [ImageOps.mirror(copy) if mirrored else copy for copy, mirrored in zip(copies, turned, strict=True)]
    )
