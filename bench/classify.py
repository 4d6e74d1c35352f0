"""How well `lite` names what it was never taught, and which scale makes its probabilities honest.

`python -m bench.classify [FOLDER]` sorts the pictures of the stamps data, and their English captions, into 19
categories as `mmdb.classify` does, and prints for several scales the log loss and the mean probability of the first
label, which ought to be how often it is right. `mmdb.label_scale` has the scale that it shows to be best.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.quality import STAMPS, read_stamps
from mmdb.models.embed.base import Embedder, Vectors
from mmdb.models.registry import builtin_specs, load

LABELS = {
    "flowers": "plants/flowers",
    "a house": "town/houses",
    "a bird": "animals/birds",
    "a road sign": "town/roadsigns",
    "fruit": "food/fruit",
    "vegetables": "food/vegetables",
    "Christmas": "seasonal/christmas",
    "a mammal": "animals/mammals",
    "a fish": "animals/fish",
    "an insect": "animals/insects",
    "a tool": "household/tools",
    "a vehicle": "vehicles",
    "a musical instrument": "hobbies/music",
    "money": "symbols/money",
    "clothes": "clothes",
    "Halloween": "seasonal/halloween",
    "chess": "symbols/chess",
    "a planet": "space/planets",
    "mushrooms": "plants/mushrooms",
}
"""A label and the beginning of the category that it stands for."""
SCALES = (5, 10, 15, 20, 25, 30, 40, 60, 100)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Similarities with the labels, shape (items, labels), and for each item the number of its true label."""

    similarities: Vectors
    answers: list[int]

    def accuracy(self) -> float:
        return float((self.similarities.argmax(axis=1) == self.answers).mean())

    def calibration(self, scale: float) -> tuple[float, float]:
        """The log loss, and the mean probability of the first label."""
        weights = np.exp(scale * (self.similarities - self.similarities.max(axis=1, keepdims=True)))
        probabilities = weights / weights.sum(axis=1, keepdims=True)
        true = probabilities[np.arange(len(self.answers)), self.answers]
        return float(-np.log(true).mean()), float(probabilities.max(axis=1).mean())


def measure(embedder: Embedder, folder: Path) -> dict[str, Sorted]:
    """The pictures and the captions of the categories that have a label."""
    lines = (folder / "items.jsonl").read_text("utf-8").splitlines()
    numbers = [_label(str(json.loads(line)["category"])) for line in lines]
    known = [(stamp, number) for stamp, number in zip(read_stamps(folder), numbers, strict=True) if number is not None]
    captioned = [(stamp.captions["en"], number) for stamp, number in known if "en" in stamp.captions]
    labels = _unit(embedder.embed(list(LABELS), "query"))
    pictures = embedder.embed([stamp.image for stamp, _ in known])
    captions = embedder.embed([caption for caption, _ in captioned])
    return {
        "pictures": Sorted(_unit(pictures) @ labels.T, [number for _, number in known]),
        "captions": Sorted(_unit(captions) @ labels.T, [number for _, number in captioned]),
    }


def _label(category: str) -> int | None:
    found = [number for number, beginning in enumerate(LABELS.values()) if category.startswith(beginning)]
    return found[0] if found else None


def _unit(vectors: Vectors) -> Vectors:
    made: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made


def main(folder: Path) -> None:
    from mmdb.config import Settings

    lite = next(spec for spec in builtin_specs() if spec.name == "lite")
    for what, found in measure(load(lite, Settings.from_environment()), folder).items():
        print(f"{len(found.answers)} {what}, {len(LABELS)} labels: the first is right in {found.accuracy():.3f}")
        for scale in SCALES:
            loss, mean = found.calibration(scale)
            print(f"  scale {scale:>3}: log loss {loss:.3f}, mean probability of the first {mean:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else STAMPS)
