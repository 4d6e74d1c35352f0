"""The machine under the embedded PostgreSQL: which user the server runs as, which process it is, how big it may be.

`embedded` decides when to start and stop; `embedded_cluster` lays out the files; this module knows about users,
processes and memory, and nothing about PostgreSQL's protocol.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdb.errors import EmbeddedError

LINUX = sys.platform.startswith("linux")
MEGABYTE = 1024 * 1024
COMMAND_TIMEOUT = 120.0
"""Seconds for one run of pg0, initdb or sh; initdb takes 0.5 s on an SSD and may take 100 times that on a slow disk."""


@dataclass(frozen=True)
class ServerUser:
    """The operating-system user of the server: ourselves, or, for root, an unprivileged one (initdb refuses root)."""

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
                hint=f'set MMDB_HOME to a folder that everybody may enter, as /var/lib/mmdb; or chmod o+x "{parent}"',
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
    """Run a command to its end, as `user` if given, with `environment` and nothing else; stdout is captured."""
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
    """The arguments of a live process, blank-separated; None where there is none, it is a zombie or not ours to see."""
    if LINUX:
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return None
        return os.fsdecode(raw.rstrip(b"\0").replace(b"\0", b" ")) or None
    answer = run(["ps", "-ww", "-o", "command=", "-p", str(pid)], environment=os.environ, cwd=Path("/"))
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def fitting_settings() -> dict[str, str]:
    """PostgreSQL settings that follow from this machine's memory, shared memory and cores."""
    return settings_for(memory=_memory(), shared_memory=_shared_memory(), cores=_cores())


def settings_for(*, memory: int, shared_memory: int | None, cores: int) -> dict[str, str]:
    """Settings for `memory` bytes of RAM, `shared_memory` bytes of /dev/shm (None: unlimited) and `cores`.

    An eighth of the memory for PostgreSQL's own cache and for building an index: an embedded server shares its machine
    with the model and the application. A parallel HNSW build takes maintenance_work_mem out of dynamic shared memory,
    which under "posix" lies in /dev/shm: 64 MB in a Docker container, where the build fails with "could not resize
    shared memory segment" (pgvector README, "Index build time"). System V segments are not bound by the size of
    /dev/shm; "mmap" would write the graph to disk over and over (PostgreSQL manual, dynamic_shared_memory_type).
    """
    eighth = memory // 8
    maintenance = _within(eighth, 64 * MEGABYTE, 2048 * MEGABYTE)
    tiny = shared_memory is not None and shared_memory < 2 * maintenance
    return {
        "shared_buffers": _megabytes(_within(eighth, 32 * MEGABYTE, 2048 * MEGABYTE)),
        "effective_cache_size": _megabytes(max(memory // 2, 64 * MEGABYTE)),
        "maintenance_work_mem": _megabytes(maintenance),
        "autovacuum_work_mem": "64MB",
        "max_parallel_maintenance_workers": str(_within(cores - 1, 0, 7)),
        "dynamic_shared_memory_type": "sysv" if tiny else "posix",
    }


def _memory() -> int:
    """Bytes of RAM, or the limit of our control group (a container) where that is less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return min(physical, int(Path(limit).read_text()))
    return physical


def _shared_memory() -> int | None:
    """Bytes that /dev/shm can hold now; None where there is no such file system (macOS)."""
    try:
        status = os.statvfs("/dev/shm")
    except OSError:
        return None
    return status.f_frsize * status.f_bavail


def _cores() -> int:
    if LINUX:
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _within(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))


def _megabytes(size: int) -> str:
    return f"{size // MEGABYTE}MB"
