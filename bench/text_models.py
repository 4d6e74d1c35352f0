"""How well models of text find what belongs together: English captions of the stamps data, by their category.

`python -m bench.text_models [MODEL …]` compares `lite` with models of sentence-transformers, each an absolute path or a
name that is looked for as `docs/models.md` says. The 295 captions that differ are queries and answers in one; relevant
to a caption are the others of its category ("animals/birds"). Precision@5 counts them among the five nearest; mean
average precision looks at the whole order.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.quality import STAMPS
from mmdb.config import Settings
from mmdb.models.embed.base import Embedder, Vectors
from mmdb.models.registry import builtin_specs, describe, load
from mmdb.models.spec import ModelSpec

K = 5


def read_captions(folder: Path) -> dict[str, str]:
    """English caption -> category, of the first picture that has it."""
    items = [json.loads(line) for line in (folder / "items.jsonl").read_text("utf-8").splitlines()]
    made: dict[str, str] = {}
    for item in items:
        if "en" in item["captions"]:
            made.setdefault(item["captions"]["en"], "/".join(item["category"].split("/")[:2]))
    return made


def quality(vectors: Vectors, categories: Sequence[str]) -> tuple[float, float]:
    """(precision@5, mean average precision); captions whose category is too small for a measure are left out of it."""
    names = np.asarray(categories)
    relevant = names[:, np.newaxis] == names
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -np.inf)
    order = np.argsort(-similar, axis=1)[:, :-1]
    found = np.take_along_axis(relevant, order, axis=1)
    others = relevant.sum(axis=1) - 1
    precision = found[others >= K, :K].mean()
    rates = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    averages = (rates * found).sum(axis=1)[others > 0] / others[others > 0]
    return float(precision), float(averages.mean())


def main(models: Sequence[str]) -> None:
    settings = Settings.from_environment()
    captions = read_captions(STAMPS)
    print(f"{len(captions)} captions of {len(set(captions.values()))} categories")
    print(f"{'model':<44}{'precision@5':>12}{'MAP':>8}{'texts/s':>9}")
    _report("lite", load(builtin_specs()[0], settings), captions)
    for model in models:
        spec = ModelSpec("compared", "sentence_transformers", model, 0, (), "")
        _report(model, describe(spec, settings)[1], captions)


def _report(name: str, embedder: Embedder, captions: dict[str, str]) -> None:
    embedder.embed(["a first one, which makes caches"])
    began = time.perf_counter()
    vectors = embedder.embed(list(captions))
    seconds = time.perf_counter() - began
    precision, average = quality(vectors, list(captions.values()))
    print(f"{name[-43:]:<44}{precision:>12.3f}{average:>8.3f}{len(captions) / seconds:>9.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])
