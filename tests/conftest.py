"""One PostgreSQL for the whole run: the embedded server, in a folder of its own, never the user's.

The process that was started as pytest makes the folder and in the end stops the server and removes the folder, also
after a failure, Ctrl-C or SIGTERM. Whoever needs the server first starts it; with pytest-xdist the workers share it.
Each test gets a clone of a template database in which mmdb is installed once.

Or another server, of any version: MMDB_TEST_SERVER_URL is its address as superuser. It is not started and not
stopped, and keeps neither a database nor a role of the run. It should run with autovacuum off, which comes between a
test and its plan; pg_dump and psql of its version must be on the PATH.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg import errors as pg
from psycopg import sql

from mmdb.server import embedded

OTHER_SERVER = os.environ.get("MMDB_TEST_SERVER_URL")
needs_embedded = pytest.mark.skipif(
    bool(OTHER_SERVER), reason="about the embedded server, and MMDB_TEST_SERVER_URL names another"
)
TEMPLATE = "mmdb_template"
# Nothing outlives the run, so nothing need reach the disk; autovacuum would come between a test and its plan.
QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "256MB",
    # A test opens some fifteen connections, and 4,096 rounds of SHA-256 at either end of each are most of that.
    "scram_iterations": "1",
}
MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Bytes that must be free in MEMORY: a run needs about one GB."""
HOME = pytest.StashKey[Path]()
ROLES = pytest.StashKey[set[str]]()


class Server(Protocol):
    """What a test needs of a server: `.url` is a database of it as superuser, `.url_for(name)` another one."""

    @property
    def url(self) -> str: ...

    def url_for(self, database: str) -> str: ...


@dataclass(frozen=True)
class OtherServer:
    """The server of MMDB_TEST_SERVER_URL."""

    url: str

    def url_for(self, database: str) -> str:
        return urlsplit(self.url)._replace(path=f"/{quote(database, safe='')}").geturl()


@dataclass(frozen=True)
class Database:
    """A database of the test server, addressed as superuser."""

    name: str
    url: str

    def connect(self, **parameters: Any) -> psycopg.Connection[Any]:
        """An autocommit connection; `parameters` are psycopg's, as user= and password= of a role."""
        return psycopg.connect(self.url, **{"autocommit": True, **parameters})


@dataclass(frozen=True)
class Role:
    """A plain role with LOGIN and nothing else."""

    name: str
    password: str

    def url(self, database: Database) -> str:
        """`database`, addressed as this role, as a libpq URL."""
        address = database.url.rpartition("@")[2]
        return f"postgresql://{quote(self.name)}:{quote(self.password)}@{address}"

    def connect(self, database: Database, **parameters: Any) -> psycopg.Connection[Any]:
        """An autocommit connection to `database` as this role."""
        return database.connect(user=self.name, password=self.password, **parameters)


class MakeRole(Protocol):
    """The `make_role` fixture: `make_role()` or `make_role("analyst")`."""

    def __call__(self, prefix: str = "role") -> Role: ...


def quick_folder() -> Path | None:
    """A place in memory for a server's files where there is one, or None for the usual one.

    Each test makes a database of 300 files and drops it. On ext4 that takes up to 0.9 s, because a new file may not
    have the number of one that was deleted in the last seconds; in memory it takes 0.06 s.
    """
    try:
        status = os.statvfs(MEMORY)
    except OSError:
        return None
    fits = status.f_frsize * status.f_bavail >= ROOM and not status.f_flag & os.ST_NOEXEC
    return MEMORY if fits and os.access(MEMORY, os.W_OK) else None


@contextlib.contextmanager
def open_folder(prefix: str = "mmdb-home-") -> Iterator[Path]:
    """A folder for a server of one's own, which goes in the end: open to the user that root's server runs as."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=quick_folder()) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def newest_revision() -> str:
    """The last migration in the checkout."""
    return max(file.name[:4] for file in Path(__file__).parents[1].glob("migrations/versions/*.py"))


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's folder, or as an xdist worker take the controller's."""
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        config.stash[HOME] = Path(workerinput["mmdb_home"])
        return
    # A shell's background job ignores Ctrl-C, and so would the programs that it starts, some of which are to be
    # interrupted: what is handled here is not ignored there.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    home = Path(tempfile.mkdtemp(prefix="mmdb-tests-", dir=quick_folder()))
    home.chmod(0o755)  # as root the server runs as another user
    config.stash[HOME] = home
    if OTHER_SERVER:
        config.stash[ROLES] = _roles_of_mmdb(OtherServer(OTHER_SERVER))
    signal.signal(signal.SIGTERM, _interrupt)  # so that pytest_unconfigure runs


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the shared server is."""
    node.workerinput["mmdb_home"] = str(node.config.stash[HOME])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no process and no folder."""
    if hasattr(config, "workerinput") or HOME not in config.stash:
        return
    home = config.stash[HOME]
    try:
        embedded.stop(home)
        if ROLES in config.stash:
            _clear(OtherServer(str(OTHER_SERVER)), _template(home), config.stash[ROLES])
    finally:
        shutil.rmtree(home)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _clear(server: Server, template: str, kept: set[str]) -> None:
    """Drop the template and the roles that installs made, but for those that were there before or are in use."""
    _run(server, "drop database if exists {} with (force)", template)
    for role in _roles_of_mmdb(server) - kept:
        with contextlib.suppress(pg.DependentObjectsStillExist):
            _run(server, "drop role {}", role)


def _roles_of_mmdb(server: Server) -> set[str]:
    with psycopg.connect(server.url) as connection:
        return {name for (name,) in connection.execute(r"select rolname from pg_roles where rolname like 'mmdb\_%'")}


@pytest.fixture(autouse=True)
def quick_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker in a thread of this process looks sooner whether it is to end: most tests with one wait for that."""
    monkeypatch.setattr("mmdb.worker.answer.LISTEN_SECONDS", 0.05)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Server:
    """The run's server."""
    if OTHER_SERVER:
        return OtherServer(OTHER_SERVER)
    return embedded.start(request.config.stash[HOME], settings=QUICK)


@pytest.fixture(scope="session")
def template_db(request: pytest.FixtureRequest, server: Server) -> str:
    """The name of a database in which mmdb is installed; made once a run."""
    home = request.config.stash[HOME]
    template = _template(home)
    with (home / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _exists(server, template):
            _hash_quickly(server)
            unfinished = f"unfinished_{secrets.token_hex(4)}"
            install_into(_create(server, unfinished).url)
            _run(server, "alter database {} rename to {}", unfinished, template)
    return template


def _hash_quickly(server: Server) -> None:
    """Hash the superuser's password anew, with the scram_iterations of QUICK: of those each connection has as many."""
    if isinstance(server, embedded.ServerInfo):
        with psycopg.connect(server.url, autocommit=True) as connection:
            statement = sql.SQL("alter role current_user password {}").format(sql.Literal(server.password))
            connection.execute(statement)


def _template(home: Path) -> str:
    """Of this run alone: another server may still hold that of one which was killed."""
    return f"{TEMPLATE}_{home.name[-8:]}"


def install_into(url: str) -> None:
    """Install mmdb into the database at `url`."""
    from mmdb import install

    install.install(url)


def prepare_clone(url: str) -> None:
    """Make a clone know itself: the loopback server that it was copied with names the template."""
    from mmdb import install

    install.repoint(url)


@pytest.fixture
def make_role(server: Server) -> Iterator[MakeRole]:
    """A function that makes a role; roles belong to the whole server, so the names are unique and they are dropped."""
    names: list[str] = []

    def make(prefix: str = "role") -> Role:
        role = Role(f"{prefix}_{secrets.token_hex(6)}", secrets.token_urlsafe(12))
        names.append(role.name)
        _run(server, "create role {} login password " + f"'{role.password}'", role.name)
        return role

    yield make
    for name in names:
        _run(server, "drop role if exists {}", name)


@pytest.fixture
def database(server: Server, template_db: str, make_role: MakeRole) -> Iterator[Database]:
    """A database of the test's own with mmdb installed. It goes before the roles that own something in it."""
    yield from temporary_database(server, template_db)


@pytest.fixture
def empty_database(server: Server, make_role: MakeRole) -> Iterator[Database]:
    """A database of the test's own without mmdb and without extensions."""
    yield from temporary_database(server, "template1")


@pytest.fixture
def conn(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit superuser connection to `database`."""
    with database.connect() as connection:
        yield connection


def temporary_database(server: Server, template: str) -> Iterator[Database]:
    database = _create(server, f"test_{secrets.token_hex(6)}", template)
    try:
        if template.startswith(TEMPLATE):
            prepare_clone(database.url)
        yield database
    finally:
        _run(server, "drop database {} with (force)", database.name)


def _create(server: Server, name: str, template: str = "template1") -> Database:
    # Without `file_copy` every page goes through the log, and twice the time with it.
    _run(server, "create database {} template {} strategy file_copy", name, template)
    return Database(name, server.url_for(name))


def _exists(server: Server, name: str) -> bool:
    with psycopg.connect(server.url) as connection:
        return bool(connection.execute("select from pg_database where datname = %s", [name]).rowcount)


def _run(server: Server, statement: Any, *names: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
