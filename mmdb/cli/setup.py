"""`mmdb init` and `uninstall`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mmdb.cli.render import note
from mmdb.cli.target import Target
from mmdb.errors import ConfigError


def init(
    context: typer.Context,
    print_script: Annotated[
        bool, typer.Option("--print-script", help="Change nothing; print what a database administrator must run first.")
    ] = False,
    owner: Annotated[
        str | None, typer.Option(help="With --print-script: who will run `mmdb init`.", metavar="ROLE")
    ] = None,
    user_role: Annotated[
        str | None, typer.Option(help="The role of those who may search. Default: mmdb_user.", metavar="ROLE")
    ] = None,
    worker_role: Annotated[
        str | None, typer.Option(help="The role of workers. Default: mmdb_worker.", metavar="ROLE")
    ] = None,
    loopback_host: Annotated[
        str | None, typer.Option(help="How the server reaches itself. Default: found out.", metavar="HOST")
    ] = None,
    loopback_port: Annotated[str | None, typer.Option(help="The same for the port.", metavar="PORT")] = None,
) -> None:
    """Install mmdb in the database, or bring it up to date.

    Safe to repeat, and many times at once. It takes the database's owner, who may create the extensions and roles;
    where that is not so, a database administrator runs what --print-script prints, and the owner `mmdb init` after
    that.

    \b
    Example:
      mmdb init
      mmdb --database postgresql://app@db.internal/shop init --print-script > for-the-dba.sql
    """
    from mmdb.install import Loopback, Roles, install, script

    loopback = Loopback(loopback_host, loopback_port) if loopback_host or loopback_port else None
    roles = Roles(user_role or Roles().user, worker_role or Roles().worker) if user_role or worker_role else None
    if print_script:
        typer.echo(script(roles, loopback, owner))
        return
    target: Target = context.obj
    report = install(target.url(), roles, loopback)
    for warning in report.warnings:
        note(f"warning: {warning}")
    note(f"mmdb is installed: PostgreSQL {report.version}, schema revision {report.revision}")


def uninstall(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take mmdb out of the database.

    Embedding columns, indexes, functions, schema mmdb and its roles go; the tables' own data stays.

    \b
    Example:
      mmdb uninstall --yes
    """
    if not yes:
        _confirm()
    from mmdb.install import uninstall as take_out

    for kept in take_out(context.obj.url()):
        note(kept)
    note("mmdb is out of this database")


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise ConfigError("uninstall drops every embedding", hint="say that you mean it: mmdb uninstall --yes")
    typer.confirm("Drop every embedding and everything else of mmdb in this database?", abort=True, err=True)
