"""Any model of the library OpenCLIP: CLIP, SigLIP and their kin, of text and pictures in one space.

A model is named as the library names it: an architecture (`ViT-B-32`) with option `pretrained`, a tag of the library or
a checkpoint file; or a folder or hub's name whose files say all of it (`open_clip_config.json`). The library makes
tokens and prepares pictures; checkpoints are read as tensors only.

Options: `pretrained`; `device`, `dtype`, `batch_size`. Prompts go before texts as they are; by default there are none.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmdb.config import Settings
from mmdb.errors import ModelError, ModelUnavailableError
from mmdb.models.embed.base import Item, Modality, Purpose, Vectors, digest
from mmdb.models.folders import IGNORED, SETTINGS, find_folder, fingerprint, hash_file, matching
from mmdb.models.spec import ModelSpec
from mmdb.models.torch_model import DEVICE_OPTIONS, TorchEmbedder, device_of

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
"""In the library's order of preference, which the identity follows."""
CHECKPOINTS = (".safetensors", ".bin", ".pt", ".pth", ".npz")
PRECISIONS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_PREPARATION = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True, slots=True)
class _Source:
    """What the library is told to load, and the part of the identity that it is."""

    name: str
    identity: str
    checkpoint: Path | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    revision: str | None = None


class OpenClipEmbedder(TorchEmbedder):
    modalities: frozenset[Modality] = frozenset(("text", "image"))

    def __init__(self, spec: ModelSpec, source: _Source, device: str, precision: str) -> None:
        import open_clip

        super().__init__(spec, device)
        checkpoint = None if source.checkpoint is None else str(source.checkpoint)
        self._model, _, self._prepare = open_clip.create_model_and_transforms(
            source.name, checkpoint, precision=precision, device=device, **source.arguments
        )
        self._model.eval()
        self._tokenize = open_clip.get_tokenizer(source.name)
        self._lock = threading.Lock()
        self._input_type = open_clip.get_input_dtype(precision)
        self._prompts = {"query": spec.query_prompt or "", "document": spec.document_prompt or ""}
        self._source = source
        self.revision = source.revision
        self.dimensions = int(self.embed_batch("text", ["mmdb"], "query").shape[1])

    @classmethod
    def load(cls, spec: ModelSpec, settings: Settings) -> OpenClipEmbedder:
        spec.accept_options("pretrained", *DEVICE_OPTIONS)
        device, precision = device_of(spec), PRECISIONS[spec.choice("dtype", *PRECISIONS)]
        return cls(spec, _source(spec, settings), device, precision)

    @property
    def identity(self) -> str:
        prompts = digest(self._prompts["query"], self._prompts["document"])
        return f"open_clip/1 {self._source.identity} dimensions={self.dimensions} prompts={prompts}"

    def embed_batch(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        import torch

        with torch.inference_mode():
            if modality == "text":
                made = self._model.encode_text(self._tokens([self._prompts[purpose] + str(item) for item in items]))
            else:
                made = self._model.encode_image(self._pixels(items))
        vectors: Vectors = made.float().cpu().numpy()
        return np.ascontiguousarray(vectors)

    def _tokens(self, texts: list[str]) -> Any:
        with self._lock:  # tokenizers of transformers do not take two threads at once
            return self._tokenize(texts).to(self.device)

    def _pixels(self, items: Sequence[Item]) -> Any:
        import torch

        pixels = torch.stack([self._prepare(item) for item in items])
        return pixels.to(device=self.device, dtype=self._input_type)


def _source(spec: ModelSpec, settings: Settings) -> _Source:
    import open_clip

    if spec.model in open_clip.list_models():
        return _architecture(spec, settings)
    if "pretrained" in spec.options:
        raise ModelError(
            f'"{spec.model}" of model "{spec.name}" is no architecture of OpenCLIP, expected no option "pretrained"',
            hint="python -c 'import open_clip; print(open_clip.list_models())' lists them",
        )
    return _folder(spec, settings)


def _folder(spec: ModelSpec, settings: Settings) -> _Source:
    found = find_folder(spec, settings, (*SETTINGS, WEIGHTS[0]))
    if found.revision and not (found.folder / WEIGHTS[0]).exists():
        found = find_folder(spec, settings, (*SETTINGS, *WEIGHTS[1:]))
    weights = [name for name in WEIGHTS if (found.folder / name).exists()]
    if not weights or not (found.folder / CONFIG).exists():
        raise ModelUnavailableError(
            f'the folder "{found.folder}" of model "{spec.name}" holds no model of OpenCLIP, expected {CONFIG} and'
            f" one of {', '.join(WEIGHTS)}",
            hint="or name an architecture, with option pretrained",
        )
    files = matching(found.folder, (*SETTINGS, weights[0]), IGNORED)
    return _Source(f"local-dir:{found.folder}", f"files={fingerprint(found.folder, files)}", revision=found.revision)


def _architecture(spec: ModelSpec, settings: Settings) -> _Source:
    """Of a tag the library knows how pictures are prepared; of a file it takes the architecture's own way."""
    import open_clip

    tag = spec.options.get("pretrained")
    tags = open_clip.list_pretrained_tags_by_model(spec.model)
    if not isinstance(tag, str) or not tag:
        raise ModelError(
            f'model "{spec.name}" needs option "pretrained", a checkpoint file or a tag',
            hint=f"the tags of {spec.model}: {', '.join(tags) or 'none'}",
        )
    known = open_clip.get_pretrained_cfg(spec.model, tag)
    checkpoint = _checkpoint(spec, settings, tag, known)
    arguments = {f"image_{key}": known[key] for key in _PREPARATION if known.get(key) is not None}
    if known.get("quick_gelu"):
        arguments["force_quick_gelu"] = True
    shape = digest(open_clip.get_model_config(spec.model), arguments)
    return _Source(spec.model, f"architecture={shape} weights={hash_file(checkpoint)[:16]}", checkpoint, arguments)


def _checkpoint(spec: ModelSpec, settings: Settings, tag: str, known: dict[str, Any]) -> Path:
    """The checkpoint file: named by its path, or a tag's, of which a copy may lie in the folder of copies."""
    import open_clip

    folder = settings.models_folder / spec.model
    places = [Path(tag)] if Path(tag).is_absolute() else [folder / f"{tag}{suffix}" for suffix in CHECKPOINTS]
    for place in places if ".." not in Path(tag).parts else []:
        if place.is_file():
            return place
    copies = f'"{folder / tag}" with one of {", ".join(CHECKPOINTS)}'
    if not known:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(spec.model)) or "none"
        raise ModelUnavailableError(
            f'"{tag}" of model "{spec.name}" is neither a file nor a tag of "{spec.model}", nor is there {copies}',
            hint=f"the tags: {tags}",
        )
    try:
        return Path(open_clip.download_pretrained(known))
    except Exception as error:  # of three libraries
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise ModelUnavailableError(
            f'weights "{tag}" of "{spec.model}" were not found: there is no {copies}, and the download said: {reason}',
            hint="download them where there is a connection and copy them there, or set MMDB_MODELS",
        ) from error
