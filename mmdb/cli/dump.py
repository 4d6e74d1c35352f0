"""`mmdb dump` and `mmdb restore`: the server's own pg_dump and pg_restore, and what mmdb needs after them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg.conninfo import make_conninfo

from mmdb.cli.render import note
from mmdb.cli.server import client, for_client
from mmdb.cli.target import Target
from mmdb.errors import DatabaseError

File = Annotated[Path, typer.Argument(help="The dump.", metavar="FILE")]


def dump(
    context: typer.Context,
    file: File,
    given: Annotated[list[str] | None, typer.Argument(help="What pg_dump takes.", metavar="[ARGS…]")] = None,
) -> None:
    """Dump the database into a file, by the server's own pg_dump.

    Everything is in it: tables, vectors, indexes, declarations. The format is pg_dump's "custom"; further arguments are
    pg_dump's own.

    \b
    Example:
      mmdb dump shop.dump
      mmdb dump shop.dump --exclude-table-data=logs
    """
    pg_dump = _client("pg_dump", context.obj.url())
    pg_dump.run(pg_dump.database, "--format=custom", f"--file={file}", *(given or []))
    note(f"dumped into {file}; `mmdb restore {file}` restores it into an empty database")


def restore(
    context: typer.Context,
    file: File,
    given: Annotated[list[str] | None, typer.Argument(help="What pg_restore takes.", metavar="[ARGS…]")] = None,
) -> None:
    """Restore a dump into an empty database, by the server's own pg_restore, and make mmdb work there.

    All of it or nothing; no row is embedded again. Roles that the dump names must be there, or are left out with
    --no-owner and --no-privileges: further arguments are pg_restore's own.

    \b
    Example:
      mmdb restore shop.dump
      mmdb psql -c "create database shop"
      mmdb --database "$(mmdb url | sed 's,/mmdb$,/shop,')" restore shop.dump
    """
    from mmdb.install import install
    from mmdb.install.restore import prepare, restored

    target: Target = context.obj
    url = target.url()
    pg_restore = _client("pg_restore", url)
    entries = pg_restore.run("--list", str(file))
    prepare(url)
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
            chosen.write(restored(entries))
            chosen.flush()
            arguments = [pg_restore.database, "--exit-on-error", "--single-transaction", f"--use-list={chosen.name}"]
            pg_restore.run(*arguments, *(given or []), str(file))
    finally:
        for warning in install(url).warnings:
            note(f"warning: {warning}")
    note(f"restored {file}")


@dataclass(frozen=True)
class _Client:
    """A client program that fits the server at a URL. The password goes through its environment."""

    program: str
    database: str
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        """What it writes to stdout."""
        done = subprocess.run(
            [self.program, *arguments],
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            name = Path(self.program).name
            raise DatabaseError(f"{name} ended with {done.returncode}", hint="its own message stands above")
        return done.stdout


def _client(name: str, url: str) -> _Client:
    where, environment = for_client(url)
    with psycopg.connect(url) as connection:
        version = connection.info.server_version // 10000
    database = make_conninfo(where, dbname=environment.pop("PGDATABASE", None))
    return _Client(client(name, version), f"--dbname={database}", environment)
