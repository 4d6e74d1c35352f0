"""The embedded PostgreSQL: start, stop, status.

`connect` comes here when there is no MMDB_DATABASE_URL, and `mmdb up` and `mmdb down` do. The server is an
ordinary one with every commit on disk (fsync on), a random password, and an address on this machine only. It
outlives the process that started it, until `stop`. Files are `layout`'s, users and processes
`machine`'s.

Two locks keep it single: start.lock is held while anybody starts or stops, and server.lock is an open file
that the server inherits, so the system lets go of it when the last of its processes has died, however they
died.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from mmdb.config import Settings
from mmdb.errors import EmbeddedError
from mmdb.server import layout as cluster
from mmdb.server.installation import last_lines, remedy, remove_others, unpack
from mmdb.server.layout import ADDRESS, ROLE, Layout
from mmdb.server.machine import (
    FOREIGN,
    ServerUser,
    check_reachable,
    command_line,
    open_own,
    run,
    server_user,
    try_lock,
    until,
)

DATABASE = "mmdb"
START_TIMEOUT = 180.0
"""Seconds until the server takes connections; recovery after a crash replays up to max_wal_size, 1 GB."""
STOP_TIMEOUT = 60.0
"""Seconds for the last checkpoint and for every process to end."""
CONNECT_TIMEOUT = 10
START_ATTEMPTS = 5

# The shell forks the server and ends, so the server is no child of ours (no zombie) and has no terminal.
# Arguments are passed beside the script, never inside it.
LAUNCH = '"$@" >&2 & echo $!'


@dataclass(frozen=True)
class ServerInfo:
    """A server that runs, or the files of one that does not."""

    home: Path
    running: bool
    pid: int | None
    port: int | None
    socket_directory: Path | None
    """Where the Unix socket lies; None where no path for it would do, or the server does not run."""
    log: Path
    data: Path
    password: str | None = field(repr=False)
    """None where no server was ever started."""

    @property
    def url(self) -> str:
        """The libpq URL of the database "mmdb", as superuser, with the password in it."""
        return self.url_for(DATABASE)

    def url_for(self, database: str) -> str:
        """The libpq URL of a database of this server. Raises EmbeddedError where it was never started."""
        if self.port is None or self.password is None:
            raise EmbeddedError(f'no server was ever started in "{self.home}"', hint='start it with "mmdb up"')
        return f"postgresql://{ROLE}:{quote(self.password)}@{ADDRESS}:{self.port}/{quote(database, safe='')}"


def start(home: Path | None = None, *, settings: Mapping[str, str] | None = None) -> ServerInfo:
    """Start the server of `home` (default MMDB_HOME) unless it runs, and wait until it takes connections.

    The first start unpacks PostgreSQL and makes the cluster. `settings` are postgresql.conf's, for this start
    only; a server that runs already keeps its own. Safe from several processes at once. Raises EmbeddedError.
    """
    layout = _layout(home)
    user = server_user(layout.data)
    cluster.make_folders(layout, user)
    check_reachable(layout.base, user)
    with _locked(layout):
        _outlive_crash(layout)
        if _server_pid(layout) is None:
            _start_stopped(layout, user, settings or {})
        _wait_until_ready(layout)
        info = _info(layout)
        _ensure_database(info)
    return info


def stop(home: Path | None = None) -> bool:
    """Stop the server of `home`: transactions are rolled back, the data is flushed. False where none was
    running.

    Raises EmbeddedError where it does not end within STOP_TIMEOUT.
    """
    layout = _layout(home)
    if not layout.base.is_dir():
        return False
    with _locked(layout):
        _outlive_crash(layout)
        pid = _server_pid(layout)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        if not until(lambda: not _server_alive(layout), STOP_TIMEOUT):
            raise EmbeddedError(
                f"the server (pid {pid}) did not stop within {STOP_TIMEOUT:.0f} s: {_log_tail(layout)}",
                hint=f'try again, or "kill -QUIT {pid}": it then recovers when it is next started',
            )
    return True


def status(home: Path | None = None) -> ServerInfo:
    """What is known of the server of `home`; changes nothing and starts nothing."""
    return _info(_layout(home))


def _layout(home: Path | None) -> Layout:
    return Layout((home or Settings.from_environment().home).expanduser().absolute())


@contextlib.contextmanager
def _locked(layout: Layout) -> Iterator[None]:
    """Hold start.lock; what another process needs for a start and a stop is waited for."""
    limit = START_TIMEOUT + STOP_TIMEOUT
    descriptor = open_own(layout.start_lock, os.O_RDWR)
    try:
        if not until(lambda: try_lock(descriptor), limit):
            raise EmbeddedError(
                f'somebody has been starting or stopping the server in "{layout.home}" for {limit:.0f} s',
                hint=f'find it with "fuser {layout.start_lock}"',
            )
        yield
    finally:
        os.close(descriptor)


def _server_alive(layout: Layout) -> bool:
    """Whether any process of the server lives: the postmaster, or one that has not yet noticed its death."""
    return _server_pid(layout) is not None or not _lock_is_free(layout)


def _lock_is_free(layout: Layout) -> bool:
    descriptor = open_own(layout.server_lock, os.O_RDWR)
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


def _outlive_crash(layout: Layout) -> None:
    """Wait until the server is either up or gone: after a crash its other processes end a moment later, and
    one that was just launched has no pid file yet.
    """
    if not until(lambda: _server_pid(layout) is not None or _lock_is_free(layout), STOP_TIMEOUT):
        raise EmbeddedError(
            f'processes of a server that crashed have kept "{layout.data}" in use for {STOP_TIMEOUT:.0f} s',
            hint=f'end them: "fuser -k {layout.server_lock}"; no committed row is lost',
        )


def _pid_file(layout: Layout) -> list[str]:
    """The lines of postmaster.pid: pid, data folder, start time, port, socket folder, address, shared memory,
    state.
    """
    try:
        return (layout.data / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise EmbeddedError(f'the data folder "{layout.data}" belongs to another user', hint=FOREIGN) from error


def _server_pid(layout: Layout) -> int | None:
    """The postmaster's pid if it lives; after a crash the recorded number may be somebody else's."""
    lines = _pid_file(layout)
    if not lines or not lines[0].isdigit():
        return None
    return int(lines[0]) if f" -D {layout.data} " in (command_line(int(lines[0])) or "") else None


def _start_stopped(layout: Layout, user: ServerUser, settings: Mapping[str, str]) -> None:
    installation = unpack(layout.installations)
    cluster.initialise(layout, installation, user)
    cluster.read_password(layout)  # before there is a server that nobody could talk to
    cluster.write_configuration(layout, settings)
    if _log_size(layout) > cluster.LOG_LIMIT:
        layout.log.replace(layout.log.with_name("server.log.1"))
    for attempt in range(1, START_ATTEMPTS + 1):
        _forget_crashed(layout)
        mark = _log_size(layout)
        _launch(layout, installation, user, cluster.choose_port(layout))
        try:
            _wait_until_ready(layout, mark)
        except EmbeddedError:
            # Between our look and the server's, somebody took the port.
            if attempt == START_ATTEMPTS or "Address already in use" not in _log_tail(layout, mark):
                raise
        else:
            remove_others(installation)
            return


def _forget_crashed(layout: Layout) -> None:
    """Remove the pid files of a server that was killed. That none lives, server.lock has told; but the number
    in them may be another program's by now (usual when a container starts again), or that of a zombie that
    nobody reaps (a container without an init), and the next server would take either for itself.
    """
    for left in (layout.data / "postmaster.pid", *layout.sockets.glob(".s.PGSQL.*.lock")):
        left.unlink(missing_ok=True)


def _launch(layout: Layout, installation: Path, user: ServerUser, port: int) -> None:
    log = open_own(layout.log, os.O_WRONLY | os.O_APPEND)
    lock = open_own(layout.server_lock, os.O_RDWR)
    try:
        try_lock(lock)
        answer = run(
            ["/bin/sh", "-c", LAUNCH, "mmdb", *cluster.server_command(layout, installation, port)],
            user,
            environment=cluster.server_environment(layout, installation),
            cwd=layout.base,
            stderr=log,
            pass_fds=[lock],
            new_session=True,
        )
    finally:
        os.close(log)
        os.close(lock)
    if not answer.stdout.strip().isdigit():
        raise EmbeddedError(f"the server could not be launched: {_log_tail(layout)}")


def _wait_until_ready(layout: Layout, mark: int = 0) -> None:
    """Return when the server takes connections; raise EmbeddedError when it has died or time is up."""
    if not until(lambda: _is_ready(layout) or not _server_alive(layout), START_TIMEOUT):
        raise EmbeddedError(
            f"the server does not take connections after {START_TIMEOUT:.0f} s: {_log_tail(layout, mark)}",
            hint="if it is recovering from a crash, wait and start again",
        )
    if not _is_ready(layout):
        log = _log_tail(layout, mark)
        raise EmbeddedError(
            f"the server ended while it was starting: {log}",
            hint=remedy(log) or f'the whole log is "{layout.log}"',
        )


def _is_ready(layout: Layout) -> bool:
    lines = _pid_file(layout)
    return len(lines) > 7 and lines[7].strip() == "ready" and _server_pid(layout) is not None


def _info(layout: Layout) -> ServerInfo:
    pid = _server_pid(layout)
    port = _port(layout, running=pid is not None)
    return ServerInfo(
        home=layout.home,
        running=pid is not None,
        pid=pid,
        port=port,
        socket_directory=layout.socket_directory(port) if pid is not None and port is not None else None,
        log=layout.log,
        data=layout.data,
        password=cluster.read_password(layout) if layout.password.exists() else None,
    )


def _port(layout: Layout, *, running: bool) -> int | None:
    """The port of a server that runs, else the one that the last had and the next will try first."""
    lines = _pid_file(layout)
    if running and len(lines) > 3:
        return int(lines[3])
    with contextlib.suppress(OSError, ValueError):
        return int(layout.port.read_text())
    return None


def _ensure_database(info: ServerInfo) -> None:
    try:
        with psycopg.connect(info.url_for("postgres"), autocommit=True, connect_timeout=CONNECT_TIMEOUT) as connection:
            found = connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
    except psycopg.Error as error:
        raise EmbeddedError(
            f"the server runs (pid {info.pid}) but refuses us: {error}",
            hint=f'the log is "{info.log}"; was the password of role "{ROLE}" changed?',
        ) from error


def _log_size(layout: Layout) -> int:
    return layout.log.stat().st_size if layout.log.exists() else 0


def _log_tail(layout: Layout, mark: int = 0) -> str:
    """The last lines of the log, of what was written after `mark` bytes."""
    if not layout.log.exists():
        return "there is no log"
    with layout.log.open("rb") as file:
        file.seek(max(mark, _log_size(layout) - 4096))
        return last_lines(file.read().decode(errors="replace")) or "its log is empty"
