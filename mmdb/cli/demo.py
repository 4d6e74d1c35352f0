"""`mmdb demo`: the poster shop, whose own code stands beside its data in examples/shop."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from mmdb.cli.render import console
from mmdb.cli.target import Target
from mmdb.config import Settings
from mmdb.database.statements import resource

PACKAGE = "mmdb_shop"


def demo(
    context: typer.Context,
    image: Annotated[
        Path | None, typer.Option(help="A picture of yours to look for the like of.", metavar="FILE")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Where to write the page. Default: demo.html under MMDB_HOME.", metavar="FILE")
    ] = None,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Leave the server and a worker running, for searches of your own.")
    ] = False,
) -> None:
    """Make a poster shop, embed it, and search it in seven ways.

    The shop is schema "shop" of the database. The embedded PostgreSQL is started if need be, and then also stopped in
    the end. Run it again: it is quick and shows the same.

    \b
    Example:
      mmdb demo
      mmdb demo --image holiday.jpg --html shop.html
    """
    from mmdb.cli.server import detach, running_server

    settings = Settings.from_environment()
    target: Target = context.obj
    shop = shop_module("demo")
    with running_server(target, keep=keep_running) as server:
        shop.run(
            server.url,
            settings=settings,
            console=console(),
            image=image,
            html=(html or settings.home / "demo.html").absolute(),
            program=program(),
            running=keep_running,
        )
        if keep_running:
            detach(target, server.url)


def program() -> str:
    """What to type for mmdb: its name where it is on the PATH, else how it was called."""
    if shutil.which("mmdb"):
        return "mmdb"
    called = Path(sys.argv[0])
    return str(called) if called.name == "mmdb" else "python -m mmdb"


def shop_module(name: str) -> ModuleType:
    """A module of examples/shop, which is no part of the package in a checkout and lies inside it in a wheel."""
    if PACKAGE not in sys.modules:
        folder = resource("examples/shop")
        spec = importlib.util.spec_from_file_location(
            PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules[PACKAGE] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"{PACKAGE}.{name}")
