"""`mmdb up`, `down`, `url` and `psql`: the server and what stands around it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mmdb.cli import detached
from mmdb.cli.render import note
from mmdb.cli.target import Target
from mmdb.cli.worker import run, set_by_signals
from mmdb.config import Settings
from mmdb.errors import EmbeddedError


@dataclass(frozen=True)
class Server:
    """The database of a command that may have started its server."""

    url: str
    ours: bool
    """Whether this command started the embedded PostgreSQL."""


def up(
    context: typer.Context,
    detached_: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all is up; `mmdb down` ends it.")
    ] = False,
) -> None:
    """Start the database, with mmdb in it, and a worker.

    They run until Ctrl-C. The database is the embedded PostgreSQL, which stops in the end if it was this command that
    started it; with --database or MMDB_DATABASE_URL it is that one, and only the worker is started and stopped.

    \b
    Example:
      mmdb up
      mmdb up --detach
    """
    target: Target = context.obj
    stop = threading.Event()
    with set_by_signals(stop), running_server(target, keep=detached_) as server:
        from mmdb.install import install

        for warning in install(server.url).warnings:
            note(f"warning: {warning}")
        if detached_:
            detach(target, server.url)
        elif not stop.is_set():
            note("the database is up: Ctrl-C ends it; `mmdb psql` in another terminal opens it")
            run(server.url, stop=stop)


@contextmanager
def running_server(target: Target, *, keep: bool) -> Iterator[Server]:
    """The database; an embedded server that was started for it is stopped unless `keep`, and after an error."""
    if not target.embedded:
        yield Server(target.url(), ours=False)
        return
    from mmdb.server import embedded

    ours = not embedded.status().running
    url = embedded.start().url
    try:
        yield Server(url, ours)
    except BaseException:
        keep = False
        raise
    finally:
        if ours and not keep:
            embedded.stop()


def detach(target: Target, url: str) -> None:
    """Have a worker in the background, ready for queries."""
    worker = target.worker()
    pid = worker.running()
    if pid is not None:
        note(f"already up: worker {pid}, its log is {worker.log}")
        return
    pid = worker.start(None if target.embedded else url)
    worker.wait_until_registered(pid, url)
    note(f"up: worker {pid}, its log is {worker.log}; `mmdb down` ends it")


def down() -> None:
    """Stop what `mmdb up --detach` started: the workers, whatever their databases, and the embedded PostgreSQL.

    A worker stores what it has embedded first. Databases other than the embedded one are left alone.

    \b
    Example:
      mmdb down
    """
    from mmdb.server import embedded

    stopped = [pid for worker in detached.workers(Settings.from_environment().home) if (pid := worker.stop())]
    for pid in stopped:
        note(f"stopped worker {pid}")
    if embedded.stop():
        note("stopped the embedded PostgreSQL")
    elif not stopped:
        note("nothing was running")


def url(context: typer.Context) -> None:
    """Print the database's URL, for programs that take one.

    The password is in it. Starts the embedded PostgreSQL if that is the database and does not run.

    \b
    Example:
      psql "$(mmdb url)"
      MMDB_DATABASE_URL="$(mmdb url)" python app.py
    """
    typer.echo(context.obj.url())


def psql(
    context: typer.Context,
    given: Annotated[list[str] | None, typer.Argument(help="What psql takes.", metavar="[ARGS…]")] = None,
) -> None:
    """Open psql on the database; the arguments are psql's own.

    The password goes through psql's environment, so it shows in no list of processes.

    \b
    Example:
      mmdb psql
      mmdb psql -c "select * from mmdb.status"
    """
    url = context.obj.url()
    program = client("psql")
    where, environment = for_client(url)
    arguments = ["--dbname", where] if where else []
    os.execve(program, ["psql", *arguments, *(given or [])], {**os.environ, **environment})


def client(name: str, version: int = 0) -> str:
    """A program of PostgreSQL's client, of at least this major version: on the PATH, else the embedded PostgreSQL's."""
    installations = Settings.from_environment().home / "postgres" / "installation"
    found = [shutil.which(name), *sorted(map(str, installations.glob(f"*/bin/{name}")))]
    for program in found:
        if program is not None and (version == 0 or _major_version(program) >= version):
            return program
    wanted = f"{name} of version {version} or later" if version else name
    raise EmbeddedError(
        f"there is no {wanted} on the PATH",
        hint="install PostgreSQL's client, on Debian and Ubuntu: postgresql-client",
    )


def _major_version(program: str) -> int:
    told = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout
    number = re.search(r"\) (\d+)", told)
    return int(number[1]) if number else 0


def for_client(url: str) -> tuple[str, dict[str, str]]:
    """The rest of a URL, and the environment by which libpq connects to it: everything that has a variable is there."""
    variables = {option.keyword.decode(): option.envvar for option in psycopg.pq.Conninfo.get_defaults()}
    arguments: dict[str, str] = {}
    environment: dict[str, str] = {}
    for keyword, value in conninfo_to_dict(url).items():
        variable = variables.get(keyword)
        if variable is not None:
            environment[variable.decode()] = str(value)
        else:
            arguments[keyword] = str(value)
    return make_conninfo("", **arguments), environment
