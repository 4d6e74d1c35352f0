"""One PostgreSQL for the whole run: the embedded server, in a folder of its own, never the user's.

The process that was started as pytest makes the folder and in the end stops the server and removes the folder, also
after a failure, Ctrl-C or SIGTERM. Whoever needs the server first starts it; with pytest-xdist the workers share it.
Each test gets a clone of a template database in which mmdb is installed once.
"""

from __future__ import annotations

import fcntl
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from mmdb import embedded

TEMPLATE = "mmdb_template"
# Nothing outlives the run, so nothing need reach the disk; autovacuum would come between a test and its plan.
QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "64MB",
}
HOME = pytest.StashKey[Path]()


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


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's folder, or as an xdist worker take the controller's."""
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        config.stash[HOME] = Path(workerinput["mmdb_home"])
        return
    home = Path(tempfile.mkdtemp(prefix="mmdb-tests-"))
    home.chmod(0o755)  # as root the server runs as another user
    config.stash[HOME] = home
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
    finally:
        shutil.rmtree(home)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> embedded.ServerInfo:
    """The run's server; `.url` is its database "mmdb" as superuser."""
    return embedded.start(request.config.stash[HOME], settings=QUICK)


@pytest.fixture(scope="session")
def template_db(server: embedded.ServerInfo) -> str:
    """The name of a database in which mmdb is installed; made once a run."""
    with (server.home / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _exists(server, TEMPLATE):
            unfinished = f"{TEMPLATE}_{secrets.token_hex(4)}"
            install_into(_create(server, unfinished).url)
            _run(server, "alter database {} rename to {}", unfinished, TEMPLATE)
    return TEMPLATE


def install_into(url: str) -> None:
    """Install mmdb into the database at `url`."""
    from mmdb import install

    install.install(url)


def prepare_clone(url: str) -> None:
    """Make a clone know itself: the loopback server that it was copied with names the template."""
    from mmdb import install

    install.repoint(url)


@pytest.fixture
def make_role(server: embedded.ServerInfo) -> Iterator[MakeRole]:
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
def database(server: embedded.ServerInfo, template_db: str, make_role: MakeRole) -> Iterator[Database]:
    """A database of the test's own with mmdb installed. It goes before the roles that own something in it."""
    yield from temporary_database(server, template_db)


@pytest.fixture
def empty_database(server: embedded.ServerInfo, make_role: MakeRole) -> Iterator[Database]:
    """A database of the test's own without mmdb and without extensions."""
    yield from temporary_database(server, "template1")


@pytest.fixture
def conn(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit superuser connection to `database`."""
    with database.connect() as connection:
        yield connection


def temporary_database(server: embedded.ServerInfo, template: str) -> Iterator[Database]:
    database = _create(server, f"test_{secrets.token_hex(6)}", template)
    try:
        if template == TEMPLATE:
            prepare_clone(database.url)
        yield database
    finally:
        _run(server, "drop database {} with (force)", database.name)


def _create(server: embedded.ServerInfo, name: str, template: str = "template1") -> Database:
    _run(server, "create database {} template {}", name, template)
    return Database(name, server.url_for(name))


def _exists(server: embedded.ServerInfo, name: str) -> bool:
    with psycopg.connect(server.url) as connection:
        return bool(connection.execute("select from pg_database where datname = %s", [name]).rowcount)


def _run(server: embedded.ServerInfo, statement: Any, *names: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
