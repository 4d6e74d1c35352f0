"""The embedded PostgreSQL: start, stop, status.

`connect` comes here when there is no MMDB_DATABASE_URL, and `mmdb up` and `mmdb down` do. The server is an ordinary
one with every commit on disk (fsync on), a random password, and an address on this machine only. It outlives the
process that started it, until `stop`. Files are `embedded_cluster`'s, users and processes `embedded_machine`'s.

Two locks keep it single: start.lock is held while anybody starts or stops, and server.lock is an open file that the
server inherits, so the system lets go of it when the last of its processes has died, however they died.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from mmdb import embedded_cluster as cluster
from mmdb.config import Settings
from mmdb.embedded_cluster import ADDRESS, ROLE, Layout
from mmdb.embedded_machine import ServerUser, check_reachable, command_line, run, server_user
from mmdb.errors import EmbeddedError

DATABASE = "mmdb"
START_TIMEOUT = 180.0
"""Seconds until the server takes connections; recovery after a crash replays up to max_wal_size, 1 GB."""
STOP_TIMEOUT = 60.0
"""Seconds for the last checkpoint and for every process to end."""
CONNECT_TIMEOUT = 10
POLL_INTERVAL = 0.02
START_ATTEMPTS = 5

# The shell forks the server and ends, so the server is no child of ours (no zombie) and has no terminal. Arguments are
# passed beside the script, never inside it.
LAUNCH = '"$@" >&2 & echo $!'


@dataclass(frozen=True)
class ServerInfo:
    """A server that runs, or the files of one that does not."""

    home: Path
    running: bool
    pid: int | None
    port: int | None
    socket_directory: Path | None
    """Where the Unix socket lies; None where its path would be too long, or the server does not run."""
    log: Path
    data: Path
    password: str | None = field(repr=False)
    """None where no server was ever started."""

    @property
    def url(self) -> str:
        """The libpq URL of the database "mmdb", as superuser, with the password in it."""
        return self.url_for(DATABASE)

    def url_for(self, database: str) -> str:
        """The libpq URL of another database of this server. Raises EmbeddedError where it was never started."""
        if self.port is None or self.password is None:
            raise EmbeddedError(
                f'no server was ever started in "{self.home}"', hint='start it with "mmdb up"'
            )
        return f"postgresql://{ROLE}:{quote(self.password)}@{ADDRESS}:{self.port}/{quote(database, safe='')}"


def start(home: Path | None = None, *, settings: Mapping[str, str] | None = None) -> ServerInfo:
    """Start the server of `home` (default MMDB_HOME) unless it runs, and wait until it takes connections.

    The first start unpacks PostgreSQL and makes the cluster. `settings` are postgresql.conf's, for this start only;
    a server that runs already keeps its own. Safe from several processes at once. Raises EmbeddedError.
    """
    layout = _layout(home)
    user = server_user(layout.data)
    cluster.make_folders(layout, user)
    check_reachable(layout.base, user)
    with _locked(layout):
        if not _server_alive(layout):
            _start_stopped(layout, user, settings or {})
        _wait_until_ready(layout, time.monotonic() + START_TIMEOUT)
        info = _info(layout)
        _ensure_database(info)
    return info


def stop(home: Path | None = None) -> bool:
    """Stop the server of `home`: transactions are rolled back, the data is flushed. False where none was running.

    Raises EmbeddedError where it does not end within STOP_TIMEOUT.
    """
    layout = _layout(home)
    if not layout.base.is_dir():
        return False
    with _locked(layout):
        if not _server_alive(layout):
            return False
        pid = _server_pid(layout)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        if not _until(lambda: not _server_alive(layout), STOP_TIMEOUT):
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
    descriptor = _open_lock(layout.start_lock)
    try:
        if not _until(lambda: _try_lock(descriptor), limit):
            raise EmbeddedError(
                f'another process has been starting or stopping the server in "{layout.home}" for {limit:.0f} s',
                hint=f'find it with "fuser {layout.start_lock}"',
            )
        yield
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f'"{path}" cannot be opened: {error.strerror}',
            hint="it belongs to the user who first started this server; run mmdb as that user or set MMDB_HOME to "
            "a folder of your own",
        ) from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _server_alive(layout: Layout) -> bool:
    """Whether any process of the server lives: the postmaster, or one that has not yet noticed its death."""
    if _server_pid(layout) is not None:
        return True
    if not layout.server_lock.exists():
        return False
    descriptor = _open_lock(layout.server_lock)
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _pid_file(layout: Layout) -> list[str]:
    """The lines of postmaster.pid: pid, data folder, start time, port, socket folder, address, shared memory, state."""
    try:
        return (layout.data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise EmbeddedError(
            f'the data folder "{layout.data}" belongs to another user',
            hint="run mmdb as that user, or set MMDB_HOME to a folder of your own",
        ) from error


def _recorded_pid(layout: Layout) -> int | None:
    lines = _pid_file(layout)
    # A server in single-user mode writes its number negated.
    return abs(int(lines[0])) if lines and lines[0].lstrip("-").isdigit() else None


def _server_pid(layout: Layout) -> int | None:
    """The postmaster's pid if it lives; after a crash the recorded number may be somebody else's."""
    pid = _recorded_pid(layout)
    return pid if pid is not None and str(layout.data) in (command_line(pid) or "") else None


def _start_stopped(layout: Layout, user: ServerUser, settings: Mapping[str, str]) -> None:
    installation = cluster.unpack(layout)
    cluster.initialise(layout, installation, user)
    cluster.read_password(layout)  # before there is a server that nobody could talk to
    cluster.write_configuration(layout, settings)
    _put_log_aside(layout)
    for attempt in range(1, START_ATTEMPTS + 1):
        _forget_recycled_pid(layout)
        mark = _log_size(layout)
        _launch(layout, installation, user, cluster.choose_port(layout))
        try:
            _wait_until_ready(layout, time.monotonic() + START_TIMEOUT, mark)
        except EmbeddedError:
            # Between our look and the server's, somebody took the port.
            if attempt == START_ATTEMPTS or "Address already in use" not in _log_tail(layout, mark):
                raise
        else:
            cluster.remove_older_installations(layout, installation)
            return


def _forget_recycled_pid(layout: Layout) -> None:
    """Remove a postmaster.pid left by a crash whose number belongs to another program now (usual when a container
    starts again): the server would take that program for itself. That no server lives, server.lock has told.
    """
    pid = _recorded_pid(layout)
    if pid is not None and str(layout.data) not in (command_line(pid) or str(layout.data)):
        (layout.data / "postmaster.pid").unlink()


def _launch(layout: Layout, installation: Path, user: ServerUser, port: int) -> None:
    log = os.open(layout.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    lock = _open_lock(layout.server_lock)
    try:
        _try_lock(lock)
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


def _wait_until_ready(layout: Layout, deadline: float, mark: int = 0) -> None:
    """Return when the server takes connections; raise EmbeddedError when it has died or time is up."""
    while time.monotonic() < deadline:
        lines = _pid_file(layout)
        if len(lines) > 7 and lines[7].strip() == "ready" and _server_pid(layout) is not None:
            return
        if not _server_alive(layout):
            log = _log_tail(layout, mark)
            raise EmbeddedError(
                f"the server ended while it was starting: {log}",
                hint=cluster.remedy(log) or f'the whole log is "{layout.log}"',
            )
        time.sleep(POLL_INTERVAL)
    raise EmbeddedError(
        f"the server does not take connections after {START_TIMEOUT:.0f} s: {_log_tail(layout, mark)}",
        hint="if it is recovering from a crash, wait and start again; it may also run in another container",
    )


def _info(layout: Layout) -> ServerInfo:
    pid = _server_pid(layout)
    port = _recorded_port(layout) if pid is not None else None
    return ServerInfo(
        home=layout.home,
        running=pid is not None,
        pid=pid,
        port=port or _kept_port(layout),
        socket_directory=layout.socket_directory(port) if port else None,
        log=layout.log,
        data=layout.data,
        password=cluster.read_password(layout) if layout.password.exists() else None,
    )


def _recorded_port(layout: Layout) -> int | None:
    lines = _pid_file(layout)
    return int(lines[3]) if len(lines) > 3 else None


def _kept_port(layout: Layout) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(layout.port.read_text())
    return None


def _ensure_database(info: ServerInfo) -> None:
    try:
        with psycopg.connect(
            info.url_for("postgres"), autocommit=True, connect_timeout=CONNECT_TIMEOUT
        ) as connection:
            found = connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
    except psycopg.Error as error:
        raise EmbeddedError(
            f"the server runs (pid {info.pid}) but refuses us: {error}",
            hint=f'the log is "{info.log}"; was the password of role "{ROLE}" changed?',
        ) from error


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL)
    return True


def _put_log_aside(layout: Layout) -> None:
    if _log_size(layout) > cluster.LOG_LIMIT:
        layout.log.replace(layout.log.with_name("server.log.1"))


def _log_size(layout: Layout) -> int:
    return layout.log.stat().st_size if layout.log.exists() else 0


def _log_tail(layout: Layout, mark: int = 0) -> str:
    """The last lines of the log, of what was written after `mark` bytes."""
    if not layout.log.exists():
        return "there is no log"
    with layout.log.open("rb") as file:
        file.seek(max(mark, _log_size(layout) - 4096))
        return cluster.last_lines(file.read().decode(errors="replace")) or "its log is empty"
