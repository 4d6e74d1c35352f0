"""A worker that outlives the command that started it: `mmdb up --detach` and `mmdb down`.

MMDB_HOME/worker.pid holds its process number and is locked by it for as long as it lives, so that a number which the
system has given to another program since is never taken for the worker. Its log is MMDB_HOME/worker.log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg

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


def log(home: Path) -> Path:
    return home / "worker.log"


def running(home: Path) -> int | None:
    """The process number of the worker of `home`, None where none runs."""
    path = _pid_file(home)
    if not path.exists():
        return None
    descriptor = open_own(path, os.O_RDWR)
    try:
        if try_lock(descriptor):
            return None
        text = os.pread(descriptor, 32, 0).decode().strip()
    finally:
        os.close(descriptor)
    return int(text) if text.isdigit() else None


def start(home: Path, url: str | None) -> int:
    """Start a worker on `url` (None: the embedded server of `home`); its process number. Two starts make one worker."""
    home.mkdir(parents=True, exist_ok=True)
    lock = open_own(_pid_file(home), os.O_RDWR)
    output = open_own(log(home), os.O_WRONLY | os.O_APPEND)
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


def wait_until_registered(home: Path, pid: int, url: str) -> None:
    """Return when the worker answers queries. Raises DetachedError where it ends or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            if is_worker_alive(connection, socket.gethostname(), pid):
                return
            if running(home) is None:
                raise DetachedError(f"the worker ended: {_last_line(home)}", hint=f'its log is "{log(home)}"')
            time.sleep(0.05)
    raise DetachedError(
        f"worker {pid} is not ready after {START_TIMEOUT:.0f} s", hint=f'it goes on; its log is "{log(home)}"'
    )


def stop(home: Path) -> int | None:
    """End the worker of `home`, which finishes its batch; its process number, None where none ran."""
    pid = running(home)
    if pid is None:
        return None
    command = command_line(pid) or ""
    if COMMAND not in command:
        raise DetachedError(
            f'process {pid}, which holds "{_pid_file(home)}", is no worker: "{command}"',
            hint="end it yourself if it is of no use",
        )
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if not until(lambda: running(home) is None, STOP_TIMEOUT):
        raise DetachedError(
            f"worker {pid} did not end within {STOP_TIMEOUT:.0f} s", hint=f'"kill -KILL {pid}" loses only its batch'
        )
    return pid


def _pid_file(home: Path) -> Path:
    return home / "worker.pid"


def _last_line(home: Path) -> str:
    lines = log(home).read_text("utf-8", "replace").splitlines()
    return lines[-1] if lines else "its log is empty"
