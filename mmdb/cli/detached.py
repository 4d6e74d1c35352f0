"""Workers that outlive the command that started them: `mmdb up --detach` and `mmdb down`.

Each database has one of its own. MMDB_HOME/worker.pid holds the process number of the embedded database's, and is
locked by it for as long as it lives, so that a number which the system has given to another program since is never
taken for the worker; worker-….pid is that of another database. Their logs lie beside them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mmdb.database.statements import PACKAGE
from mmdb.errors import MmdbError
from mmdb.operations.status import is_worker_alive
from mmdb.server.machine import command_line, open_own, try_lock, until

START_TIMEOUT = 180.0
"""Seconds until the worker is registered; the first start makes the ONNX file of the image model."""
STOP_TIMEOUT = 120.0
"""Seconds for the batch that it is at."""
COMMAND = "-m mmdb worker"


class DetachedError(MmdbError):
    """The worker in the background could not be started or stopped."""


@dataclass(frozen=True)
class Detached:
    """The worker in the background that `pid_file` belongs to, running or not."""

    pid_file: Path

    @property
    def log(self) -> Path:
        return self.pid_file.with_suffix(".log")

    def running(self) -> int | None:
        """Its process number, None where none runs."""
        if not self.pid_file.exists():
            return None
        descriptor = open_own(self.pid_file, os.O_RDWR)
        try:
            if try_lock(descriptor):
                return None
            text = os.pread(descriptor, 32, 0).decode().strip()
        finally:
            os.close(descriptor)
        return int(text) if text.isdigit() else None

    def start(self, url: str | None) -> int:
        """Start it on `url` (None: the embedded server); its process number. Two starts make one worker."""
        home = self.pid_file.parent
        home.mkdir(parents=True, exist_ok=True)
        lock = open_own(self.pid_file, os.O_RDWR)
        output = open_own(self.log, os.O_WRONLY | os.O_APPEND)
        try:
            if not try_lock(lock):
                raise DetachedError("another `mmdb up --detach` is starting the worker", hint="wait for it")
            process = subprocess.Popen(
                [sys.executable, *COMMAND.split()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=PACKAGE.parent,  # so that a checkout that is not installed finds itself
                env={**os.environ, **({"MMDB_DATABASE_URL": url} if url else {}), "MMDB_HOME": str(home)},
                start_new_session=True,
                pass_fds=[lock],
            )
            process.returncode = 0  # it is to outlive us: Popen need not warn that nobody waits for it
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(process.pid).encode(), 0)
        finally:
            os.close(lock)
            os.close(output)
        return process.pid

    def wait_until_registered(self, pid: int, url: str) -> None:
        """Return when the worker answers queries. Raises DetachedError where it ends or takes too long."""
        deadline = time.monotonic() + START_TIMEOUT
        with psycopg.connect(url, autocommit=True) as connection:
            while time.monotonic() < deadline:
                if is_worker_alive(connection, socket.gethostname(), pid):
                    return
                if self.running() is None:
                    raise DetachedError(f"the worker ended: {self._last_line()}", hint=f'its log is "{self.log}"')
                time.sleep(0.05)
        raise DetachedError(
            f"worker {pid} is not ready after {START_TIMEOUT:.0f} s", hint=f'it goes on; its log is "{self.log}"'
        )

    def stop(self) -> int | None:
        """End it once it has finished its batch; its process number, None where none ran."""
        pid = self.running()
        if pid is None:
            return None
        command = command_line(pid) or ""
        if COMMAND not in command:
            raise DetachedError(
                f'process {pid}, which holds "{self.pid_file}", is no worker: "{command}"',
                hint="end it yourself if it is of no use",
            )
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not until(lambda: self.running() is None, STOP_TIMEOUT):
            raise DetachedError(
                f"worker {pid} did not end within {STOP_TIMEOUT:.0f} s", hint=f'"kill -KILL {pid}" loses only its batch'
            )
        return pid

    def _last_line(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return lines[-1] if lines else "its log is empty"


def worker_of(home: Path, url: str | None) -> Detached:
    """The one of the database at `url`, None for the embedded one, whoever it connects as."""
    if url is None:
        return Detached(home / "worker.pid")
    parts = conninfo_to_dict(url)
    place = "/".join(str(parts.get(name, "")) for name in ("host", "hostaddr", "port", "dbname", "service"))
    return Detached(home / f"worker-{sha256(place.encode()).hexdigest()[:8]}.pid")


def workers(home: Path) -> Iterator[Detached]:
    """All that were ever started from `home`."""
    return map(Detached, sorted(home.glob("worker*.pid")))
