"""The checkpoint reader, on small files in the layout of torch.save before 1.6, written here by hand."""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mmdb.errors import ModelError
from mmdb.models.embed.lite.checkpoint import MAGIC, PROTOCOL, read_checkpoint

NUMBERS = np.arange(6, dtype="<f4")


class Storage:
    """What the test pickles as a reference to a storage, as torch does."""

    def __init__(self, kind: type, key: str, count: int) -> None:
        self.reference = ("storage", kind, key, "cpu", count, None)


class _Pickler(pickle._Pickler):  # the one in Python calls save_global, where the names are not importable
    def persistent_id(self, value: object) -> object:
        return value.reference if isinstance(value, Storage) else None


class Tensor:
    def __init__(self, *arguments: object) -> None:
        self.arguments = (*arguments, False, OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Two modules with the three names that the files mention: enough to pickle, never needed to read."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for name in ("FloatStorage", "DoubleStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def checkpoint(state: object, storages: dict[str, bytes], *, protocol: int = PROTOCOL) -> bytes:
    file = io.BytesIO()
    for part in (MAGIC, protocol, {"little_endian": True}, state, list(storages)):
        _Pickler(file, protocol=2).dump(part)
    for data in storages.values():
        file.write(struct.pack("<q", len(data) // 4) + data)
    return file.getvalue()


def state_of(kind: type, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> dict[str, Tensor]:
    return OrderedDict(weight=Tensor(Storage(kind, "7", NUMBERS.size), offset, shape, strides))


def read(tmp_path: Path, data: bytes) -> dict[str, Any]:
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    return read_checkpoint(path)


def whole(torch: ModuleType) -> bytes:
    return checkpoint(state_of(torch.FloatStorage, (2, 3), (3, 1)), {"7": NUMBERS.tobytes()})


def test_tensors_come_with_their_shape_and_order(tmp_path: Path, torch: ModuleType) -> None:
    np.testing.assert_array_equal(read(tmp_path, whole(torch))["weight"], NUMBERS.reshape(2, 3))
    turned = checkpoint(state_of(torch.FloatStorage, (2, 2), (1, 2), offset=1), {"7": NUMBERS.tobytes()})
    np.testing.assert_array_equal(read(tmp_path, turned)["weight"], [(1, 3), (2, 4)])


def test_a_file_cut_anywhere_is_refused(tmp_path: Path, torch: ModuleType) -> None:
    data = whole(torch)
    for length in range(len(data)):
        with pytest.raises(ModelError, match=r'"weights.pth" cannot be read as a PyTorch checkpoint'):
            read(tmp_path, data[:length])


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_that_names_a_function_is_refused_and_the_function_not_called(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    assert not harm.exists()
    pickle.loads(pickle.dumps(Malicious(harm), protocol=2))
    assert harm.exists(), "the test's own pickle does no harm, so it would prove nothing"
    harm.unlink()
    with pytest.raises(ModelError, match="the pickle names"):
        read(tmp_path, checkpoint({"weight": Malicious(harm)}, {}))
    assert not harm.exists()


def test_a_pickle_that_names_a_builtin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'the pickle names "\w+.eval"'):
        read(tmp_path, checkpoint({"weight": eval}, {}))


def test_an_unknown_kind_of_number_is_refused(tmp_path: Path, torch: ModuleType) -> None:
    data = checkpoint(state_of(torch.DoubleStorage, (6,), (1,)), {"7": NUMBERS.tobytes()})
    with pytest.raises(ModelError, match=r'the pickle names "torch.DoubleStorage"'):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((7,), (1,), 0), ((6,), (1,), 1), ((2,), (-1,), 0), ((2, 4), (3, 1), 0), ((10**12,), (0,), 0), ((0,), (1,), 0)],
)
def test_a_tensor_outside_its_storage_is_refused(
    tmp_path: Path, torch: ModuleType, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    data = checkpoint(state_of(torch.FloatStorage, shape, strides, offset), {"7": NUMBERS.tobytes()})
    with pytest.raises(ModelError, match="lies outside its 6 elements"):
        read(tmp_path, data)


def test_a_storage_of_another_length_than_promised_is_refused(tmp_path: Path, torch: ModuleType) -> None:
    data = checkpoint(state_of(torch.FloatStorage, (6,), (1,)), {"7": NUMBERS[:5].tobytes()})
    with pytest.raises(ModelError, match='storage "7" is not 6 elements long'):
        read(tmp_path, data)


def test_another_protocol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="protocol 1001"):
        read(tmp_path, checkpoint({}, {}, protocol=1002))


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'"none.pth" cannot be read'):
        read_checkpoint(tmp_path / "none.pth")
