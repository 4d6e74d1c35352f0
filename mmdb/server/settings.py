"""How the embedded PostgreSQL is set: what always holds, and what follows from the machine's memory and
cores.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import psutil

from mmdb.server.machine import LINUX

MEGABYTE = 1024 * 1024

STANDING_SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "unix_socket_permissions": "0700",
    "jit": "off",
    "min_wal_size": "32MB",
    "max_wal_size": "1GB",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %d ",
    "log_checkpoints": "off",
}


def fitting_settings() -> dict[str, str]:
    """PostgreSQL settings that follow from this machine's memory, shared memory and cores."""
    return settings_for(memory=_memory(), shared_memory=_shared_memory(), cores=_cores())


def settings_for(*, memory: int, shared_memory: int | None, cores: int) -> dict[str, str]:
    """Settings for `memory` bytes of RAM, `shared_memory` bytes of /dev/shm (None: unlimited) and `cores`.

    An eighth of the memory for PostgreSQL's own cache and for building an index: an embedded server shares
    its machine with the model and the application. A parallel HNSW build takes maintenance_work_mem out of
    dynamic shared memory, which under "posix" lies in /dev/shm: 64 MB in a Docker container, where the build
    fails with "could not resize shared memory segment" (pgvector README, "Index build time"). System V
    segments are not bound by the size of /dev/shm; "mmap" would write the graph to disk over and over
    (PostgreSQL manual, dynamic_shared_memory_type).
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
    physical = psutil.virtual_memory().total
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
