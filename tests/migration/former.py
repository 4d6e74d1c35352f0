"""A former commit's mmdb, out of the history of this checkout: it makes the databases that this one takes over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROCESS = Path(__file__).with_name("former_process.py")
FOLDERS = ("mmdb", "sql", "migrations")


def unpack(commit: str, folder: Path) -> Path:
    """The code of a commit in `folder`. Skips the test where there is no history, as in an sdist, but not in CI."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit, *FOLDERS], capture_output=True, check=False)
    if archive.returncode != 0:
        reason = f"commit {commit} is not in the history of this checkout: {archive.stderr.decode().strip()}"
        if os.environ.get("CI"):
            pytest.fail(f"{reason} (fetch all of it: CI must not pass over this test)")
        pytest.skip(reason)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


class Former:
    """The process in which the former code runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def expect(self, word: str) -> None:
        """Wait until it says this."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == word

    def start_worker(self) -> None:
        """Have it work, for the models `hash` and `wide`."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.expect("ready")

    def stop(self) -> None:
        """Let the worker finish."""
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0


@contextmanager
def installed_by(code: Path, administrator: str, installer: str) -> Iterator[Former]:
    """Install the former mmdb into a database as `installer`; after the block its process is gone."""
    process = subprocess.Popen(
        [sys.executable, PROCESS, administrator, installer],
        cwd=code,
        env=os.environ | {"PYTHONPATH": str(code)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            former = Former(process)
            former.expect("installed")
            yield former
        finally:
            process.kill()
