"""`mmdb worker`, and the worker inside `mmdb up`: signals, and progress as bars on a terminal or lines in a log."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from mmdb.cli.render import console, plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mmdb.worker import Reporter, WorkerOptions

LINE_SECONDS = 10.0
"""How often a log is told of progress."""


def worker(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="End when nothing is pending.")] = False,
    model: Annotated[
        list[str] | None, typer.Option(help="Serve only this model; may be given several times.", metavar="NAME")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Rows that are embedded at once. Default: the model's own choice.")
    ] = None,
    stores: Annotated[
        int, typer.Option(min=1, help="Batches that are stored at once, for a server with processors to spare.")
    ] = 2,
    poll: Annotated[
        float,
        typer.Option(
            min=0.01, help="The longest time between looks for pending rows; less where some came.", metavar="SECONDS"
        ),
    ] = 0.5,
    lease: Annotated[
        float,
        typer.Option(
            min=1.0, help="Seconds for which a worker that is not heard of keeps its rows.", metavar="SECONDS"
        ),
    ] = 60.0,
) -> None:
    """Embed pending rows and answer queries.

    It runs until Ctrl-C or SIGTERM. The batch at hand is finished first; a second signal ends at once, and another
    worker takes over the rows. Any number of workers, on any machines, share the work.

    \b
    Example:
      mmdb worker
      mmdb --database postgresql://app@db.internal/shop worker --once
    """
    from mmdb.worker import WorkerOptions

    options = WorkerOptions(
        lease_seconds=lease,
        poll_seconds=poll,
        batch_size=batch_size,
        stores=stores,
        once=once,
        models=tuple(model) if model else None,
    )
    stop = threading.Event()
    with set_by_signals(stop):
        run(context.obj.url(), options, stop=stop)


def run(url: str, options: WorkerOptions | None = None, *, stop: threading.Event) -> None:
    """Work until `stop`, telling stderr about it."""
    from mmdb.worker import work

    with reporting() as reporter:
        reporter.log("loading the models")
        totals = work(url, options=options, reporter=reporter, stop=stop)
        reporter.log(f"done: {totals.stored} rows embedded, {totals.failed} failed")


@contextmanager
def set_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; the second one ends the process."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def reporting() -> Iterator[Reporter]:
    """Bars where stderr is a terminal, else lines."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console(stderr=True)) as progress:
        yield Bars(progress)


class Lines:
    """One line an event, with its time."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def log(self, message: str) -> None:
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        print(f"{now} {plain(message)}", file=sys.stderr, flush=True)

    def progress(self, embedding: str, done: int, total: int) -> None:
        now = time.monotonic()
        with self._lock:
            if done < total and now - self._told.get(embedding, 0.0) < LINE_SECONDS:
                return
            self._told[embedding] = now
        self.log(f"{embedding}: {done} of {total}")


class Bars:
    """A bar for each embedding that has pending rows."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def log(self, message: str) -> None:
        self._progress.console.print(plain(message), markup=False, highlight=False, soft_wrap=True)

    def progress(self, embedding: str, done: int, total: int) -> None:
        with self._lock:
            if embedding not in self._bars:
                self._bars[embedding] = self._progress.add_task(plain(embedding), total=total)
        self._progress.update(self._bars[embedding], completed=done, total=total)
