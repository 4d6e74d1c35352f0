"""The model cache: a file is made once, is whole or not there, and damage is noticed."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmdb.models.embed.lite import cache
from mmdb.models.embed.lite.cache import cached

BODY = bytes(range(256)) * 50


class Maker:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> bytes:
        self.calls += 1
        return BODY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "thing-1"


def test_a_file_is_made_once(path: Path) -> None:
    make = Maker()
    assert [cached(path, make) for _ in range(3)] == [BODY] * 3
    assert make.calls == 1
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:5],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:-9] + b"\xff" + data[-8:],
        lambda data: b"M" + data[1:],
    ],
    ids=["empty", "head cut", "tail cut", "longer", "one byte", "other format"],
)
def test_a_damaged_file_is_made_again(path: Path, damage: object) -> None:
    make = Maker()
    cached(path, make)
    good = path.read_bytes()
    path.write_bytes(damage(good))  # type: ignore[operator]
    assert cached(path, make) == BODY
    assert make.calls == 2
    assert path.read_bytes() == good


def test_a_failure_while_writing_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        cached(path, Maker())
    assert os.listdir(path.parent) == []


def test_a_failure_while_making_leaves_nothing(path: Path) -> None:
    def fail() -> bytes:
        raise ValueError("no weights")

    with pytest.raises(ValueError, match="no weights"):
        cached(path, fail)
    assert not path.parent.exists()


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "models").write_text("a file, where a folder should be")  # refuses root too
    make = Maker()
    with caplog.at_level(logging.WARNING, cache.__name__):
        assert cached(tmp_path / "models" / "thing-1", make) == BODY
    assert "cannot write" in caplog.text
    assert make.calls == 1


MAKE_AND_REMOVE = """
import sys
from pathlib import Path
from mmdb.models.embed.lite.cache import cached
path, body = Path(sys.argv[1]), bytes(range(256)) * 8000
for _ in range(30):
    assert cached(path, lambda: body) == body
    if path.exists():
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        assert size > len(body), f"half a file: {size} bytes"
    path.unlink(missing_ok=True)
"""


def test_processes_that_make_one_file_at_once_never_see_half_of_it(path: Path) -> None:
    """Each removes the file again and again, so that the others write while it reads."""
    command = [sys.executable, "-c", MAKE_AND_REMOVE, str(path)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
