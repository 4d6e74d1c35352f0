"""The contract between mmdb and a model: text or decoded images in, one float32 vector an item out.

A backend is one file beside this one with one required method, `embed_batch`. The base class groups items
by modality, cuts them into batches and checks what comes back, so that a wrong width, a NaN or a zero
vector is an error that names the item, never a row in somebody's table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmdb.errors import ModelError

Modality: TypeAlias = Literal["text", "image"]
Purpose: TypeAlias = Literal["document", "query"]
Item: TypeAlias = str | Image.Image
Vectors: TypeAlias = NDArray[np.float32]


def modality_of(item: Item) -> Modality:
    return "text" if isinstance(item, str) else "image"


class Embedder(ABC):
    """A loaded model. Calls from several threads at once are allowed."""

    modalities: ClassVar[frozenset[Modality]]
    distance: ClassVar[Literal["cosine"]] = "cosine"
    batch_size: int = 32
    dimensions: int

    @property
    @abstractmethod
    def identity(self) -> str:
        """What the vectors depend on: two models with one identity give the same vectors."""

    @abstractmethod
    def embed_batch(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        """At most `batch_size` items of one modality -> float32 (len(items), dimensions)."""

    def embed(self, items: Sequence[Item], purpose: Purpose = "document") -> Vectors:
        """Any number of texts and RGB images, mixed -> float32 (len(items), dimensions), rows of unit length.

        Raises ModelError where the model lacks a modality or an item's vector has the wrong width, a
        non-finite value or no length.
        """
        vectors = np.empty((len(items), self.dimensions), dtype=np.float32)
        for modality in ("text", "image"):
            places = [i for i, item in enumerate(items) if modality_of(item) == modality]
            if places and modality not in self.modalities:
                raise ModelError(
                    f'the model does not embed modality "{modality}"',
                    hint=f"it embeds: {', '.join(sorted(self.modalities))}; choose another model",
                )
            for start in range(0, len(places), self.batch_size):
                batch = places[start : start + self.batch_size]
                made = self.embed_batch(modality, [items[i] for i in batch], purpose)
                vectors[batch] = self._checked(made, batch)
        return vectors

    def _checked(self, made: Vectors, places: Sequence[int]) -> Vectors:
        expected = (len(places), self.dimensions)
        if made.shape != expected:
            raise ModelError(
                f"the model returned an array of shape {made.shape}, expected {expected}",
                hint="the width in mmdb.models must be the model's own",
            )
        # In double precision a tiny vector has a length, a huge one a finite length, and every machine rounds alike.
        wide = made.astype(np.float64)
        length = np.linalg.norm(wide, axis=1, keepdims=True)
        bad = np.flatnonzero(~(np.isfinite(length[:, 0]) & (length[:, 0] > 0)))
        if bad.size:
            raise ModelError(f"the model returned a zero or non-finite vector for item {places[bad[0]]}")
        unit: Vectors = (wide / length).astype(np.float32)
        return unit
