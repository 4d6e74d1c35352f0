"""The machine under the embedded PostgreSQL: users, processes and locks.

`embedded` decides when to start and stop and `layout` lays out the files; this module knows nothing
of PostgreSQL.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdb.errors import EmbeddedError

FOREIGN = "run mmdb as the user who first started this server, or set MMDB_HOME to a folder of your own"
LINUX = sys.platform.startswith("linux")
COMMAND_TIMEOUT = 120.0
"""Seconds for one run of pg0, initdb or sh; initdb takes 0.5 s on an SSD and may take 100 times that on a
slow disk.
"""
POLL_INTERVAL = 0.02


@dataclass(frozen=True)
class ServerUser:
    """The operating-system user of the server: ourselves, or, for root, an unprivileged one (initdb refuses
    root).
    """

    uid: int
    gid: int
    name: str

    @property
    def switch(self) -> bool:
        """Whether a process must change to this user."""
        return os.geteuid() != self.uid

    def give(self, path: Path) -> None:
        """Make `path`, which we have just created, this user's."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def process_arguments(self) -> dict[str, Any]:
        """The arguments that make `subprocess.Popen` run as this user, with none of our groups."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}


def server_user(data: Path) -> ServerUser:
    """The user that runs the server on `data`: its owner, else, for root, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return _user(os.geteuid())
    with contextlib.suppress(FileNotFoundError):
        owner = data.stat().st_uid
        if owner != 0:
            return _user(owner)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return _user(pwd.getpwnam(name).pw_uid)
    raise EmbeddedError(
        'there is neither a user "postgres" nor "nobody", and PostgreSQL does not run as root',
        hint="add one (useradd --system postgres), or run mmdb as an ordinary user",
    )


def _user(uid: int) -> ServerUser:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # a container may run under a number without a name
        return ServerUser(uid, os.getegid() if uid == os.geteuid() else uid, str(uid))
    return ServerUser(uid, entry.pw_gid, entry.pw_name)


def check_reachable(folder: Path, user: ServerUser) -> None:
    """Raise EmbeddedError where `user`, who is not us, may not pass through a parent of `folder`."""
    if not user.switch:
        return
    for parent in [*reversed(folder.parents), folder]:
        if not _may_enter(parent.stat(), user):
            raise EmbeddedError(
                f'user "{user.name}", as whom root runs the server, cannot enter "{parent}"',
                hint=f'set MMDB_HOME to a folder that everybody may enter, or: chmod o+x "{parent}"',
            )


def _may_enter(status: os.stat_result, user: ServerUser) -> bool:
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def run(
    arguments: Sequence[str | Path],
    user: ServerUser | None = None,
    *,
    environment: Mapping[str, str],
    cwd: Path,
    stderr: int = subprocess.STDOUT,
    pass_fds: Sequence[int] = (),
    new_session: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `user` if given, with only `environment`; stdout is captured."""
    try:
        return subprocess.run(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            errors="replace",
            env=dict(environment),
            cwd=cwd,
            umask=0o022 if user is None else 0o077,
            timeout=COMMAND_TIMEOUT,
            check=False,
            pass_fds=pass_fds,
            start_new_session=new_session,
            **(user.process_arguments() if user else {}),
        )
    except subprocess.TimeoutExpired as error:
        raise EmbeddedError(
            f'"{arguments[0]}" did not end within {COMMAND_TIMEOUT:.0f} s',
            hint="is the disk full or very slow?",
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        name = f' as user "{user.name}"' if user and user.switch else ""
        raise EmbeddedError(
            f'"{arguments[0]}" could not be run{name}: {error}',
            hint="run mmdb as an ordinary user, or set MMDB_DATABASE_URL to a server of your own",
        ) from error


def command_line(pid: int) -> str | None:
    """The arguments of a live process, blank-separated; None where there is none, it is a zombie or not ours
    to see.
    """
    import psutil  # takes 20 ms, and the command line comes here without asking

    try:
        return " ".join(psutil.Process(pid).cmdline()) or None
    except psutil.Error:
        return None


def open_own(path: Path, flags: int) -> int:
    """A descriptor of `path`, created with mode 0600 and closed in programs that we run."""
    try:
        return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EmbeddedError(f'"{path}" cannot be opened: {error.strerror}', hint=FOREIGN) from error


def try_lock(descriptor: int) -> bool:
    """Take the lock of an open file unless somebody has it; closing the file (or dying) gives it back."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise EmbeddedError(
            f"files in this folder cannot be locked: {error.strerror}",
            hint="set MMDB_HOME to a folder on a local disk",
        ) from error
    return True


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for `condition`; False when it did not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL)
    return True


def write_file(path: Path, text: str, mode: int) -> None:
    """Replace `path` in one step, so that no reader sees half of it, with exactly `mode`."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As PostgreSQL does: else the closed connections of our own last server would make its port look
        # taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except (OSError, OverflowError):
            return False
    return True
