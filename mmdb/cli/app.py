"""From `sys.argv` to a command and an exit code.

An error is one line on stderr, "error: what is wrong (what to do)", with the exit code of its class; a traceback is
shown only with --debug. Commands raise, this module reports.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from mmdb import __version__
from mmdb.cli import clusters, demo, doctor, dump, embeddings, generations, models, search, server, setup, worker
from mmdb.cli.errors import describe
from mmdb.cli.target import Target

INTERRUPTED = 130

app = typer.Typer(
    name="mmdb",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# What psql, pg_dump and pg_restore understand is their own business.
PASSING_ON = {"ignore_unknown_options": True, "help_option_names": ["--help"]}
COMMANDS = (
    server.up,
    server.down,
    server.url,
    server.psql,
    dump.dump,
    dump.restore,
    setup.init,
    setup.uninstall,
    embeddings.add,
    embeddings.drop,
    generations.change,
    generations.switch,
    worker.worker,
    embeddings.status,
    search.search,
    search.explain,
    clusters.clusters,
    models.models,
    embeddings.queries,
    doctor.doctor,
    demo.demo,
)
PASSED_ON = (server.psql, dump.dump, dump.restore)
for command in COMMANDS:
    if command is models.models:
        app.add_typer(models.group, name="models")
    else:
        app.command(context_settings=PASSING_ON if command in PASSED_ON else None)(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mmdb {__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    database: Annotated[
        str | None,
        typer.Option(
            help="The database's URL. Default: MMDB_DATABASE_URL, else the embedded PostgreSQL.", metavar="URL"
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Multimodal search inside PostgreSQL: embeddings of your own tables, kept in step, searched in SQL.

    \b
    Example:
      mmdb up --detach
      mmdb add products photo
      mmdb search products "red shoes"
    """
    context.obj = Target(database)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """The `mmdb` script."""
    debug = "--debug" in sys.argv[1:]
    try:
        code = app(prog_name="mmdb", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except typer.Exit as error:
        code = error.exit_code
    except BrokenPipeError:
        # The reader of our output has gone, as in `mmdb status | head -1`; nor can Python flush on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        if debug:
            raise
        line, code = describe(error)
        print(f"error: {line}", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)
