"""A competitor's process, as the driver holds it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-peers/bin/python"
OURS = ("mmdb", "pgvector", "numpy")
"""Those that run in the environment of mmdb itself."""
STARTING_SECONDS = 120.0


class PeerError(Exception):
    """A competitor failed at something, took too long, or is not installed."""


class Process:
    """Asks one thing at a time. After an answer that took too long the process is ended, and asks are errors."""

    def __init__(self, name: str, folder: Path, url: str, python: Path | None = None) -> None:
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        self.log = (folder.parent / f"{folder.name}.log").open("wb")
        chosen = python or (Path(sys.executable) if name in OURS else PYTHON)
        self.process = subprocess.Popen(
            [str(chosen), "-m", "bench.peers.serve", name, str(folder), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "2", "ANONYMIZED_TELEMETRY": "False"},
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # what was not read any more
                    stream.close()

    def ask(self, do: str, limit: float = STARTING_SECONDS, **arguments: Any) -> dict[str, Any]:
        """The answer. Raises PeerError."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        clock = threading.Timer(limit, self.process.kill)
        clock.start()
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            clock.cancel()
        if not line:
            last = (Path(self.log.name).read_text("utf-8", "replace").strip().splitlines() or [""])[-1][:200]
            raise PeerError(f"{self.name} ended, or took more than {limit:.0f} s: {do} ({last})")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(f"{self.name}, {do}: {answer['error']}")
        return answer
