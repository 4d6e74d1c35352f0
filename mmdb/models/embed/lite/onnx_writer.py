"""Write an ONNX model file: just enough of the format for `efficientnet.py`.

The `onnx` package would do this and costs 25 MB of disk in an install that promises to be small; what is needed of
it is a handful of messages in the protobuf wire format (https://protobuf.dev/programming-guides/encoding/), with
field numbers from https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

IR_VERSION = 8
OPERATOR_SET = 13

_ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int64": 7}
_ATTRIBUTE_TYPES = {"float": 1, "int": 2, "ints": 7}


class Graph:
    """A list of operators, in order of execution, and the constants they read."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add an array under `name`, which later operators name as an input."""
        dimensions = b"".join(_number(1, size) for size in value.shape)
        element = _number(2, _ELEMENT_TYPES[value.dtype.name])
        raw = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()
        self._constants.append(dimensions + element + _text(8, name) + _bytes(9, raw))
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: float | Sequence[int]) -> str:
        """Add one operator with one output; returns the output's name."""
        node = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, operator)
        self._nodes.append(node + b"".join(_bytes(5, _attribute(*item)) for item in attributes.items()))
        return output

    def model(self, given: bytes, wanted: Sequence[bytes]) -> bytes:
        """The whole file: `given` is the input's and `wanted` the outputs' `value_info`."""
        graph = b"".join(_bytes(1, node) for node in self._nodes) + _text(2, "mmdb")
        graph += b"".join(_bytes(5, constant) for constant in self._constants)
        graph += _bytes(11, given) + b"".join(_bytes(12, value) for value in wanted)
        operator_set = _text(1, "") + _number(2, OPERATOR_SET)
        return _number(1, IR_VERSION) + _text(2, "mmdb") + _bytes(7, graph) + _bytes(8, operator_set)


def value_info(name: str, element: str, shape: Sequence[int | str]) -> bytes:
    """The name, element type and shape of an input or output; a string in `shape` is a size known at run time."""
    sizes = (_text(2, size) if isinstance(size, str) else _number(1, size) for size in shape)
    tensor = _number(1, _ELEMENT_TYPES[element]) + _bytes(2, b"".join(_bytes(1, size) for size in sizes))
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _attribute(name: str, value: float | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, _ATTRIBUTE_TYPES["int"])
    if isinstance(value, float):
        return _text(1, name) + _tag(2, 5) + struct.pack("<f", value) + _number(20, _ATTRIBUTE_TYPES["float"])
    return _text(1, name) + b"".join(_number(8, v) for v in value) + _number(20, _ATTRIBUTE_TYPES["ints"])


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _number(field: int, value: int) -> bytes:
    return _tag(field, 0) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
