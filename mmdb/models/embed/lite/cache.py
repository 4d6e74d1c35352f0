"""Files that are dear to make and cheap to keep: made once into the cache folder, checked whenever they are read.

`lite.py` keeps its network and its class vectors here. A file opens with the SHA-256 of the rest, so one that was
cut short by a full disk or a crash, or damaged later, is noticed and made again. A file appears under its name only
when it is whole (`os.replace`), so two processes that start at once each make it, and neither reads half of it. The
cache is never needed to be right: where it cannot be written the bytes are made each time and a warning says so.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)

_MAGIC = b"mmdb cache 1\n"
_START = len(_MAGIC) + hashlib.sha256().digest_size


def cached(path: Path, make: Callable[[], bytes]) -> bytes:
    """The bytes that `make` makes: from `path` where they are there and whole, else made and written there."""
    found = _read(path)
    if found is not None:
        return found
    made = make()
    try:
        _write(path, made)
    except OSError as error:
        logger.warning('cannot write "%s", so it will be made again each time: %s', path, error)
    return made


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:  # not there, or another user's: made again either way
        return None
    head, body = data[:_START], data[_START:]
    return body if head == _MAGIC + hashlib.sha256(body).digest() else None


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(body).digest())
            file.write(body)
        Path(temporary).chmod(0o644)  # public weights: a cache that users share is read by all of them
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
