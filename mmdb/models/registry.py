"""Which models there are without asking anyone, and how a model's description becomes a loaded model.

A `ModelSpec` is a row of `mmdb.models`. The installer writes those of `builtin_specs` into the table; a worker reads
rows and calls `load`; `mmdb models add` has `describe` find out what a row should say. Nothing here imports a model's
packages before a model is loaded.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

from mmdb.config import Settings
from mmdb.errors import MmdbError, ModelError, ModelUnavailableError
from mmdb.models.embed.base import MODALITIES, Embedder
from mmdb.models.spec import ModelSpec
from mmdb.packages import install_hint


def builtin_specs() -> tuple[ModelSpec, ...]:
    """The models that every installation has. Loads no model, reads no weights, opens no connection.

    Raises ModelError where a package that `lite` needs is not installed.
    """
    from mmdb.models.embed import hash as hash_backend
    from mmdb.models.embed import lite as lite_backend

    try:
        return (lite_backend.builtin_spec(), hash_backend.builtin_spec())
    except ModuleNotFoundError as error:
        raise _not_installed("lite", error) from error


def load(spec: ModelSpec, settings: Settings) -> Embedder:
    """The model of `spec`, ready to embed.

    Raises ModelUnavailableError for an unknown backend, a package or a file that is missing, and ModelError for a model
    whose identity, width, modalities or distance is not that of `spec`: its vectors could not be compared with those
    stored under that name.
    """
    embedder = _loaded(spec, settings)
    _check_match(spec, embedder)
    return embedder


def describe(spec: ModelSpec, settings: Settings) -> tuple[ModelSpec, Embedder]:
    """Load a model that is not registered yet: `spec` with what only the model knows, and the model.

    Of `spec` the identity, modalities and a width of 0 are filled in. Raises as `load`.
    """
    embedder = _loaded(spec, settings)
    filled = replace(
        spec,
        dimensions=embedder.dimensions,
        modalities=tuple(modality for modality in MODALITIES if modality in embedder.modalities),
        identity=embedder.identity,
        distance=embedder.distance,
        revision=embedder.revision or spec.revision,
    )
    return filled, embedder


def _loaded(spec: ModelSpec, settings: Settings) -> Embedder:
    if spec.backend not in BACKENDS:
        raise ModelUnavailableError(
            f'model "{spec.name}" has the unknown backend "{spec.backend}"',
            hint=f"this version of mmdb has: {', '.join(sorted(BACKENDS))}",
        )
    try:
        backend = getattr(import_module(f"mmdb.models.embed.{spec.backend}"), BACKENDS[spec.backend])
        embedder: Embedder = backend.load(spec, settings)
    except MmdbError:
        raise
    except Exception as error:  # a library's own, for damaged files above all: other models are served nevertheless
        if isinstance(error, ModuleNotFoundError) and error.name:
            raise _not_installed(spec.backend, error) from error
        reason = str(error).strip().partition("\n")[0][:300]
        message = f'model "{spec.name}" cannot be loaded: {type(error).__name__}: {reason}'
        raise ModelUnavailableError(message) from error
    return embedder


BACKENDS = {
    "hash": "HashEmbedder",
    "lite": "LiteEmbedder",
    "open_clip": "OpenClipEmbedder",
    "openai": "OpenAIEmbedder",
    "sentence_transformers": "SentenceTransformersEmbedder",
}
"""The class of each backend, in the module of its name."""


def _not_installed(backend: str, error: ModuleNotFoundError) -> ModelUnavailableError:
    missing = error.name or str(error)
    return ModelUnavailableError(
        f'backend "{backend}" needs the package "{missing}", which is not installed',
        hint=install_hint(missing),
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
