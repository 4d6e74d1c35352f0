"""What the backends that run in PyTorch share: where it runs, in which numbers, and its way to run out of memory.

Device and number type are how fast a model runs, not which model it is, so they are no part of its identity: a worker
with a GPU may embed the rows and one without answer the queries. In half precision a vector's cosine with that in
single precision is about 0.9999.
"""

from __future__ import annotations

from typing import Any

from mmdb.errors import ModelUnavailableError
from mmdb.models.embed.base import Embedder
from mmdb.models.spec import ModelSpec

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("float32", "float16", "bfloat16")
DEVICE_OPTIONS = ("device", "dtype", "batch_size")
BATCH = 32
BATCH_ON_ACCELERATOR = 128
_SIGNS = ("out of memory", "can't allocate memory", "failed to allocate memory")


class TorchEmbedder(Embedder):
    """A model on one device."""

    def __init__(self, spec: ModelSpec, device: str) -> None:
        self.device = device
        self.batch_size = spec.number("batch_size", BATCH if device == "cpu" else BATCH_ON_ACCELERATOR, 4096)

    def is_out_of_memory(self, error: Exception) -> bool:
        """PyTorch has a class for the GPU alone; on a CPU, and with ONNX, it is in the words."""
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return True
        return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)

    def free_memory(self) -> None:
        import torch

        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        elif self.device == "mps":
            torch.mps.empty_cache()


def device_of(spec: ModelSpec) -> str:
    """The device of option `device`; by default a GPU where there is one. Raises ModelUnavailableError."""
    import torch

    wanted = spec.choice("device", *DEVICES)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there[wanted]:
        raise ModelUnavailableError(
            f'model "{spec.name}" is to run on device "{wanted}", which this machine lacks',
            hint="another worker may have it, or leave option device out",
        )
    return wanted


def dtype_of(spec: ModelSpec) -> Any:
    """The torch.dtype of option `dtype`, float32 by default."""
    import torch

    return getattr(torch, spec.choice("dtype", *DTYPES))
