"""Vectors from a hash of the input: no meaning, no weights, no heavy import. For tests and for trying out an install.

The same text, or the same pixels in the same size, give the same vector on every machine and in every process; two
different inputs are nearly orthogonal. So a test knows what a row's embedding must be, and a search for an item's own
content finds it at distance 0.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from mmdb.config import Settings
from mmdb.models.embed.base import Embedder, Item, Modality, Purpose, Vectors
from mmdb.models.spec import ModelSpec

DIMENSIONS = 64
_MAXIMUM = 4000  # what pgvector indexes as halfvec


class HashEmbedder(Embedder):
    modalities: frozenset[Modality] = frozenset(("text", "image"))
    batch_size = 256

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        self.dimensions = dimensions

    @classmethod
    def load(cls, spec: ModelSpec, settings: Settings) -> HashEmbedder:
        """Option `dimensions`, 1 to 4000, sets the width; nothing is cached."""
        spec.accept_options("dimensions")
        spec.refuse_prompts()
        return cls(spec.number("dimensions", DIMENSIONS, _MAXIMUM))

    @property
    def identity(self) -> str:
        return f"hash/1 dimensions={self.dimensions}"

    def embed_batch(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        return np.stack([self._vector(_content(item)) for item in items])

    def _vector(self, content: bytes) -> Vectors:
        """SHA-256 of the content, drawn out to a 16-bit number a dimension.

        The length is taken over whole numbers: the last bit of a sum of floats depends on the machine.
        """
        seed = hashlib.sha256(content).digest()
        drawn = hashlib.shake_256(seed).digest(2 * self.dimensions)
        numbers = np.frombuffer(drawn, "<i2").astype(np.int64) * 2 + 1  # odd, so never all zero
        return (numbers / math.sqrt(int(numbers @ numbers))).astype(np.float32)


def _content(item: Item) -> bytes:
    if isinstance(item, str):
        return b"text\0" + item.encode("utf-8", "surrogatepass")
    picture = item.convert("RGB")
    return f"image {picture.width}x{picture.height}\0".encode() + picture.tobytes()


def builtin_spec() -> ModelSpec:
    model = HashEmbedder()
    return ModelSpec("hash", "hash", "sha256", model.dimensions, ("text", "image"), model.identity)
