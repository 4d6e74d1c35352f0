"""`python -m mmdb` in processes of its own, for the tests of the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import patience

until = patience.until
ROOT = Path(__file__).parents[2]
LIMIT = 200.0
"""Seconds after which a command counts as hanging."""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Program:
    """mmdb with an environment of its own: no database but the one that is named, no folder of the user's."""

    home: Path
    database_url: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("MMDB_", "PG"))}
        given = {"MMDB_DATABASE_URL": self.database_url} if self.database_url else {}
        places = {"MMDB_HOME": str(self.home), "MMDB_CACHE": str(self.home / "cache"), "COLUMNS": "200"}
        return {**mine, **places, **given, **self.variables}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "mmdb", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> Answer:
        """The command's answer, whatever its exit code."""
        return finish(self.start(*arguments))

    def out(self, *arguments: str) -> str:
        """What a command that succeeds writes to stdout."""
        answer = self.run(*arguments)
        assert answer.code == 0, answer.err
        return answer.out


def finish(process: subprocess.Popen[str]) -> Answer:
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"{process.args!r} hangs; so far: {out}{err}") from None
    return Answer(process.returncode, out, err)


def end(process: subprocess.Popen[str], number: signal.Signals) -> Answer:
    process.send_signal(number)
    return finish(process)
