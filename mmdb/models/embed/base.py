"""The contract between mmdb and a model: text or decoded images in, one float32 vector an item out.

A backend is a file or a folder beside this one with one required method, `embed_batch`. The base class groups items
by modality, cuts them into batches, halves a batch that does not fit into memory, and checks what comes back, so
that a wrong width, a NaN or a zero vector is an error that names the item, never a row in somebody's table.
"""

from __future__ import annotations

import hashlib
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmdb.errors import ModelError
from mmdb.media import kinds
from mmdb.media.kinds import MODALITIES, Item, Modality

__all__ = ["MODALITIES", "Embedder", "Item", "Modality", "Purpose", "Vectors", "digest", "modality_of"]

logger = logging.getLogger(__name__)

Purpose: TypeAlias = Literal["document", "query"]
Vectors: TypeAlias = NDArray[np.float32]


def modality_of(item: object) -> Modality:
    """The modality of an item. Raises ModelError for what is none."""
    modality = kinds.modality_of(item)
    if modality is None:
        raise ModelError(
            f'a value of type "{type(item).__name__}" is nothing that a model takes',
            hint=f"it takes items of: {', '.join(MODALITIES)}",
        )
    return modality


def digest(*parts: object) -> str:
    """A short name of values that are JSON, for identities."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Embedder(ABC):
    """A loaded model. Calls from several threads at once are allowed."""

    modalities: frozenset[Modality]
    distance: ClassVar[Literal["cosine"]] = "cosine"
    batch_size: int = 32
    dimensions: int
    revision: str | None = None
    """The revision that was loaded, where there are several of the model."""

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
        modalities = [modality_of(item) for item in items]
        for modality in MODALITIES:
            places = [i for i, found in enumerate(modalities) if found == modality]
            if places and modality not in self.modalities:
                raise ModelError(
                    f'the model does not embed modality "{modality}"',
                    hint=f"it embeds: {', '.join(sorted(self.modalities))}; choose another model",
                )
            if modality == "text":
                # Of like length together: a batch is padded to its longest.
                places.sort(key=lambda i: len(str(items[i])))
            for start in range(0, len(places), self.batch_size):
                batch = places[start : start + self.batch_size]
                made = self._fitting(modality, [items[i] for i in batch], purpose)
                vectors[batch] = self._checked(made, batch)
        return vectors

    def _fitting(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        """`embed_batch`, in halves where the whole does not fit into memory. The next batch is tried whole again: what
        took the memory may have been a long text, or another process.
        """
        try:
            return self.embed_batch(modality, items, purpose)
        except Exception as error:
            if not self.is_out_of_memory(error):
                raise
            problem = str(error).partition("\n")[0]
        # Outside the handler, whose traceback holds on to the memory of the batch.
        self.free_memory()
        if len(items) == 1:
            raise ModelError(
                f"one {modality} alone does not fit into memory: {problem}",
                hint="give the worker more memory, or limit the length of texts",
            )
        logger.warning(
            "a batch of %d does not fit into memory and is halved; a smaller --batch-size is faster", len(items)
        )
        middle = len(items) // 2
        halves = (self._fitting(modality, part, purpose) for part in (items[:middle], items[middle:]))
        return np.concatenate(list(halves))

    def is_out_of_memory(self, error: Exception) -> bool:
        """Whether a smaller batch could do what failed with `error`."""
        return isinstance(error, MemoryError)

    def free_memory(self) -> None:  # noqa: B027 - most have nothing to do
        """Give back what the failed batch took."""

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
