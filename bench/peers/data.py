"""The glosses of WordNet as rows: a text, its vector by `lite`, a price, a section; and queries that are no rows.

The texts come from Debian's package wordnet-base, 117,659 of them. A section is one of the 45 files that lexicographers
keep (animals, food, motion, …): a filter by it has much to do with what a query means.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmdb.config import Settings
from mmdb.models.registry import builtin_specs, load

WIDTH = 512
"""The numbers of `lite` that texts and pictures share; the others are zero for a text."""
QUERIES = 200
INSTALLED = Path("/usr/share/wordnet")
PACKAGE = "wordnet-base"
PARTS = ("noun", "verb", "adj", "adv")
SEED = 11
CHUNK = 100_000

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rows:
    """The first `len(vectors)` rows in a fixed order; prices are a permutation of 0 to n - 1."""

    texts: list[str]
    vectors: Vectors
    prices: NDArray[np.int64]
    sections: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Queries:
    texts: list[str]
    vectors: Vectors
    sections: NDArray[np.int64]


def cache() -> Path:
    folder = Settings.from_environment().cache / "bench-peers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read(count: int) -> tuple[Rows, Queries]:
    """`count` rows and QUERIES queries; rows beyond the glosses that there are, are jittered copies of them."""
    texts, sections = glosses()
    vectors = embedded(texts)
    order = np.random.default_rng(SEED).permutation(len(texts))
    asked, stored = order[:QUERIES], order[QUERIES:]
    queries = Queries([texts[place] for place in asked], vectors[asked], sections[asked])
    places = np.resize(stored, count)
    made = vectors[places]
    if count > len(stored):
        made = _jittered(made, len(stored))
    prices = np.random.default_rng(SEED + 1).permutation(count)
    return Rows([texts[place] for place in places], made, prices, sections[places]), queries


def _jittered(vectors: Vectors, untouched: int) -> Vectors:
    """Noise of 0.02 a number is 0.45 in length: as far away as glosses of like meaning are from each other."""
    rng = np.random.default_rng(SEED + 2)
    for start in range(untouched, len(vectors), CHUNK):  # noise for a million rows would take as much memory again
        copies = vectors[start : start + CHUNK]
        copies += 0.02 * rng.standard_normal(copies.shape, np.float32)
        copies /= np.linalg.norm(copies, axis=1, keepdims=True)
    return vectors


def glosses() -> tuple[list[str], NDArray[np.int64]]:
    """The texts ("cat, true cat: feline mammal …") and their sections, in the order of the files."""
    folder = _folder()
    texts, sections = [], []
    for part in PARTS:
        for line in (folder / f"data.{part}").read_text("utf-8", "replace").splitlines():
            if line.startswith(" "):  # the licence
                continue
            head, _, gloss = line.partition("|")
            fields = head.split()
            words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
            texts.append(f"{', '.join(word.replace('_', ' ') for word in words)}: {gloss.strip()}")
            sections.append(int(fields[1]))
    return texts, np.array(sections, np.int64)


def _folder() -> Path:
    unpacked = cache() / "wordnet"
    for folder in (INSTALLED, unpacked / "usr/share/wordnet"):
        if (folder / "data.noun").exists():
            return folder
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        sys.exit(f"error: WordNet is not here: install Debian's {PACKAGE}, or put its data.* files into {INSTALLED}")
    subprocess.run(["apt-get", "download", PACKAGE], cwd=cache(), check=True, stdout=subprocess.DEVNULL)
    (package,) = cache().glob(f"{PACKAGE}_*.deb")
    subprocess.run(["dpkg", "-x", package, unpacked], check=True)
    return unpacked / "usr/share/wordnet"


def embedded(texts: list[str]) -> Vectors:
    """float32 (len(texts), WIDTH), by `lite`; kept, because it takes two minutes."""
    spec = next(spec for spec in builtin_specs() if spec.name == "lite")
    file = cache() / f"glosses-{len(texts)}.npy"
    if not file.exists():
        print(f"embedding {len(texts):,} glosses …", file=sys.stderr, flush=True)
        model = load(spec, Settings.from_environment())
        made = np.concatenate([model.embed(texts[at : at + 1024])[:, :WIDTH] for at in range(0, len(texts), 1024)])
        np.save(file, made.astype(np.float16))
    vectors: Vectors = np.load(file).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
