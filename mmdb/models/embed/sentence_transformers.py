"""Any model of the library sentence-transformers: of text, and of text and pictures (CLIP, SigLIP…).

The library does the work: tokens, pooling, truncation, its own query and document prompts. Models run no code of their
own here (`trust_remote_code` is off), which the library guarantees for local folders since 6.0.

Options: `dimensions`, fewer than the model's own for one that was trained for that (Matryoshka); `max_tokens`, where
texts are cut, at most the model's own; `engine`, torch, onnx or openvino, and `file_name`, which ONNX or OpenVINO
file; `device`, `dtype`, `batch_size`. A prompt that is NULL is the model's own, an empty one is none.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mmdb.config import Settings
from mmdb.errors import ModelError, ModelUnavailableError
from mmdb.models.embed.base import Item, Modality, Purpose, Vectors, digest
from mmdb.models.folders import (
    IGNORED,
    PICKLED_WEIGHTS,
    SETTINGS,
    WEIGHTS,
    Found,
    find_folder,
    fingerprint,
    matching,
)
from mmdb.models.spec import ModelSpec
from mmdb.models.torch_model import DEVICE_OPTIONS, TorchEmbedder, device_of, dtype_of

ENGINES: Mapping[str, tuple[str, ...]] = {
    "torch": WEIGHTS,
    "onnx": ("onnx/*", "*.onnx", "*.onnx_data"),
    "openvino": ("openvino/*",),
}
"""The weights that each engine reads."""
OTHERS = ("onnx/*", "openvino/*", "*.onnx", "*.onnx_data")
_MOST_TOKENS = 1_000_000
_MOST_NUMBERS = 16_000


class SentenceTransformersEmbedder(TorchEmbedder):
    def __init__(self, spec: ModelSpec, model: Any, device: str, identity: str, revision: str | None) -> None:
        """`model` is a sentence_transformers.SentenceTransformer."""
        super().__init__(spec, device)
        self._model = model
        self._identity = identity
        self.revision = revision
        self._prompts = {"query": spec.query_prompt, "document": spec.document_prompt}
        self.modalities = frozenset(modality for modality in ("text", "image") if model.supports(modality))
        self.dimensions = model.get_embedding_dimension() or self._width_of_a_word()
        _lock_preprocessing(model)

    @classmethod
    def load(cls, spec: ModelSpec, settings: Settings) -> SentenceTransformersEmbedder:
        spec.accept_options("dimensions", "max_tokens", "engine", "file_name", *DEVICE_OPTIONS)
        device, engine = device_of(spec), spec.choice("engine", *ENGINES)
        found = _find(spec, settings, engine)
        model = _load_model(spec, found.folder, device, engine)
        embedder = cls(spec, model, device, _identity(spec, found.folder, engine, model), found.revision)
        wanted = spec.options.get("dimensions", embedder.dimensions)
        if embedder.dimensions != wanted:
            raise ModelError(
                f'model "{spec.name}" has {embedder.dimensions} dimensions, but is to have {wanted}',
                hint="the option dimensions makes vectors shorter, not longer",
            )
        return embedder

    @property
    def identity(self) -> str:
        return self._identity

    def embed_batch(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        encode = self._model.encode_query if purpose == "query" else self._model.encode_document
        prompt = self._prompts[purpose] if modality == "text" else None
        made = encode(
            list(items), prompt=prompt, batch_size=len(items), show_progress_bar=False, convert_to_tensor=True
        )
        vectors: Vectors = made.float().cpu().numpy()
        return vectors

    def _width_of_a_word(self) -> int:
        return int(np.shape(self._model.encode(["mmdb"], show_progress_bar=False))[1])


def _find(spec: ModelSpec, settings: Settings, engine: str) -> Found:
    """The folder, with the weights that `engine` reads in it."""
    ignored = _ignored(engine)
    found = find_folder(spec, settings, (*SETTINGS, *ENGINES[engine]), ignored)
    if engine == "torch" and found.revision and not _weights(found.folder, engine):
        found = find_folder(spec, settings, (*SETTINGS, *PICKLED_WEIGHTS), ignored)
    if not _weights(found.folder, engine):
        raise ModelUnavailableError(
            f'the folder "{found.folder}" of model "{spec.name}" holds no weights for engine "{engine}",'
            f" expected {', '.join(ENGINES[engine])}",
            hint="does it hold a model of sentence-transformers or transformers?",
        )
    return found


def _ignored(engine: str) -> tuple[str, ...]:
    return (*IGNORED, *OTHERS) if engine == "torch" else IGNORED


def _weights(folder: Path, engine: str) -> list[PurePosixPath]:
    """Those that are read: of PyTorch's two formats the one that cannot hold code, where it is there."""
    found = matching(folder, ENGINES[engine], _ignored(engine))
    return found or (matching(folder, PICKLED_WEIGHTS, _ignored(engine)) if engine == "torch" else [])


def _identity(spec: ModelSpec, folder: Path, engine: str, model: Any) -> str:
    """Of the content, not of its place. `max_tokens` and `dimensions` are those in effect."""
    weights = _weights(folder, engine)
    if engine != "torch" and "file_name" in spec.options:
        stem = Path(str(spec.options["file_name"])).stem
        weights = [name for name in weights if name.name.startswith(stem)]
    files = fingerprint(folder, sorted([*weights, *matching(folder, SETTINGS, _ignored(engine))]))
    prompts = digest(spec.query_prompt, spec.document_prompt)
    return (
        f"sentence_transformers/1 files={files} engine={engine} dimensions={model.get_embedding_dimension()}"
        f" tokens={model.max_seq_length} prompts={prompts}"
    )


def _load_model(spec: ModelSpec, folder: Path, device: str, engine: str) -> Any:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # of reading the weights, which takes a second
    dimensions = spec.number("dimensions", 1, _MOST_NUMBERS) if "dimensions" in spec.options else None
    model = SentenceTransformer(
        str(folder),
        device=device,
        backend=engine,
        truncate_dim=dimensions,
        model_kwargs=_model_arguments(spec, engine),
        local_files_only=True,
        trust_remote_code=False,
    )
    if "max_tokens" in spec.options:
        own = model.max_seq_length or _MOST_TOKENS
        model.max_seq_length = min(own, spec.number("max_tokens", own, _MOST_TOKENS))
    return model.eval()


def _model_arguments(spec: ModelSpec, engine: str) -> dict[str, Any]:
    if engine == "torch":
        return {"dtype": dtype_of(spec)}
    file_name = spec.options.get("file_name")
    return {"export": False} | ({} if file_name is None else {"file_name": str(file_name)})


def _lock_preprocessing(model: Any) -> None:
    """A tokenizer raises "Already borrowed" where two threads use it at once; the network takes any number."""
    lock, preprocess = threading.Lock(), model.preprocess

    def one_at_a_time(*arguments: Any, **named: Any) -> Any:
        with lock:
            return preprocess(*arguments, **named)

    model.preprocess = one_at_a_time
