"""A worker from start to stop: its models, its registration, its threads, its heartbeat.

A worker is a session of the database: while that lives, its leases are its own. When the connection breaks, all of
it is thrown away and begun again, under a new number; the models stay loaded.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import psycopg

import mmdb
from mmdb.catalogue import read_specs
from mmdb.config import Settings
from mmdb.errors import DatabaseError, ModelError, ModelUnavailableError
from mmdb.models.embed.base import Embedder
from mmdb.models.registry import load
from mmdb.models.spec import ModelSpec
from mmdb.worker.answer import Answers
from mmdb.worker.backfill import Backfill, Totals
from mmdb.worker.claim import Connection, Steps, composed, open_connection, open_shared
from mmdb.worker.load import Loader
from mmdb.worker.report import Reporter, Silence

SWEEP_SECONDS = 300.0
LOOK_SECONDS = 5.0
"""How often mmdb.models is looked at, for a model that is new or has become another."""
RECONNECT_SECONDS = (0.5, 1, 2, 5, 10, 30)

Specs: TypeAlias = dict[str, ModelSpec]


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works; seconds throughout."""

    lease_seconds: float = 60.0
    """After its last heartbeat a worker's rows are its own for so long, unless its session is seen to have ended."""
    poll_seconds: float = 0.5
    """How often pending rows are looked for after a quiet time; more often where some came a moment ago."""
    batch_size: int | None = None
    """Rows that are embedded at once; None is the model's own choice."""
    stores: int = 2
    """Batches of a model that are stored at once, each on a connection of its own."""
    once: bool = False
    """Return when nothing is pending but rows that wait longer than poll_seconds for another try."""
    models: tuple[str, ...] | None = None
    """The models to serve; None is every model of mmdb.models that this machine can load."""


def work(
    url: str,
    *,
    settings: Settings | None = None,
    options: WorkerOptions | None = None,
    reporter: Reporter | None = None,
    stop: threading.Event | None = None,
    ready: threading.Event | None = None,
) -> Totals:
    """Work on the database at `url` until `stop` is set, or with `once` until nothing is pending.

    `ready` is set when the worker is registered. A connection that breaks later is made again. Raises DatabaseError
    where the database cannot be reached at first, ModelError where a model is not the one that mmdb.models names.
    """
    worker = _Worker(url, settings or Settings.from_environment(), options or WorkerOptions(), reporter or Silence())
    stop, ready = stop or threading.Event(), ready or threading.Event()
    failures = 0
    while True:
        began = time.monotonic()
        try:
            worker.session(stop, ready)
            return worker.totals
        except ModelsChanged:
            worker.reporter.log("going on with the models that there are now")
        except psycopg.OperationalError as error:
            if not ready.is_set():
                raise DatabaseError(
                    f"the worker cannot work on the database: {_first_line(error)}",
                    hint="is the server running, and is the URL right?",
                ) from error
            failures = 1 if time.monotonic() - began > RECONNECT_SECONDS[-1] else failures + 1
            worker.reporter.log(f"the connection broke: {_first_line(error)}; connecting again")
            if stop.wait(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS)) - 1]):
                return worker.totals
        except psycopg.Error as error:
            raise DatabaseError(
                f"the worker cannot work on the database: {_first_line(error)}",
                hint=error.diag.message_hint or "run `mmdb init` on it; the worker's role needs to be in mmdb_worker",
            ) from error


@contextmanager
def background(
    url: str,
    *,
    settings: Settings | None = None,
    options: WorkerOptions | None = None,
    reporter: Reporter | None = None,
) -> Iterator[None]:
    """A worker in threads of this process; entered once it answers queries, left once its batches are stored."""
    stop, ready = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work(url, settings=settings, options=options, reporter=reporter, stop=stop, ready=ready)
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="mmdb-worker", daemon=True)
    thread.start()
    try:
        ready.wait()
        if failed:
            raise failed[0]
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]


class ModelsChanged(Exception):
    """Another model, or one that has become another: the session begins again with what there is now."""


class _Worker:
    """What outlives a session: the loaded models and the counts."""

    def __init__(self, url: str, settings: Settings, options: WorkerOptions, reporter: Reporter) -> None:
        self.url = url
        self.settings = settings
        self.options = options
        self.reporter = reporter
        self.totals = Totals()
        self._loaded: dict[str, tuple[ModelSpec, Embedder]] = {}
        self._missing: Specs = {}
        """What was just tried in vain, and need not be tried again by the session that follows."""

    def session(self, stop: threading.Event, ready: threading.Event) -> None:
        """Register and work until `stop`, the end of the work, or an error in any thread, which is raised."""
        with ExitStack() as stack:
            control = stack.enter_context(open_connection(self.url))
            specs = read_specs(control)
            embedders = self._load_models(specs, running=ready.is_set())
            self._missing = {}
            session = _Session(self, control, specs, embedders, stack)
            ready.set()
            session.run(stop)

    def preload(self, specs: Specs) -> None:
        """Load what is new in `specs` while a session goes on."""
        loaded = self._load_models(specs, running=True)
        self._missing = {name: spec for name, spec in specs.items() if name not in loaded}

    def _load_models(self, specs: Specs, *, running: bool) -> dict[str, Embedder]:
        """The models to serve. One that was asked for by name must be there, unless it changed while we run."""
        wanted = self.options.models
        for name in wanted or ():
            if name not in specs and not running:
                raise ModelError(f'model "{name}" does not exist', hint=f"there are: {', '.join(specs)}")
        tolerated = ModelError if running else ModelUnavailableError if wanted is None else ()
        chosen = [spec for name, spec in specs.items() if wanted is None or name in wanted]
        loaded = {spec.name: self._embedder_if_any(spec, tolerated) for spec in chosen}
        return {name: embedder for name, embedder in loaded.items() if embedder is not None}

    def _embedder_if_any(
        self, spec: ModelSpec, tolerated: type[ModelError] | tuple[type[ModelError], ...]
    ) -> Embedder | None:
        """None where this machine lacks what the model needs: another worker may have it."""
        if self._missing.get(spec.name) == spec:
            return None
        try:
            return self._embedder(spec)
        except tolerated as error:
            self.reporter.log(f"not served here: {error}")
            return None

    def _embedder(self, spec: ModelSpec) -> Embedder:
        """Loaded once, and again where its row has changed: its identity may be the same and its server have moved."""
        known = self._loaded.get(spec.name)
        if known is None or known[0] != spec:
            known = self._loaded[spec.name] = (spec, load(spec, self.settings))
        return known[1]


class _Session:
    """One registration: a control connection with the heartbeat, and for each model its answers and its backfill."""

    def __init__(
        self, owner: _Worker, control: Connection, specs: Specs, embedders: Mapping[str, Embedder], stack: ExitStack
    ) -> None:
        self.owner = owner
        self.control = control
        self.specs = specs
        self.stack = stack
        self.end = threading.Event()
        self.error: BaseException | None = None
        self.loading: threading.Thread | None = None
        self.wakes = {name: threading.Event() for name in embedders}
        self.worker = self._register(list(embedders))
        self.loader = Loader(owner.settings)
        stack.callback(self.loader.close)
        self.own = self._connect()
        self.answers = [Answers(self._connect(), self.worker, name, embedder) for name, embedder in embedders.items()]
        self.backfills = [self._backfill(name, embedder) for name, embedder in embedders.items()]

    def _connect(self) -> Connection:
        return self.stack.enter_context(open_connection(self.owner.url))

    def _steps(self, stack: ExitStack) -> Steps:
        shared = stack.enter_context(open_shared(self.owner.url, self.worker))
        return Steps(self.own, shared, self.worker, self.owner.options.lease_seconds)

    def _register(self, models: list[str]) -> int:
        values = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": mmdb.__version__,
            "models": models,
            "identities": [self.specs[name].identity for name in models],
        }
        row = self.control.execute(composed("start_worker"), values).fetchone()
        assert row is not None
        return int(row[0])

    def _backfill(self, name: str, embedder: Embedder) -> Backfill:
        options = self.owner.options
        return Backfill(
            embedder,
            self.specs[name],
            self._steps(self.stack),
            [self._steps(self.stack) for _ in range(options.stores)],
            self.loader,
            self.owner.reporter,
            self.owner.totals,
            batch_size=options.batch_size,
            poll_seconds=options.poll_seconds,
            once=options.once,
        )

    def run(self, stop: threading.Event) -> None:
        answering = [self._thread(partial(answers.run, self.end, self.wake)) for answers in self.answers]
        filling = [
            self._thread(partial(backfill.run, self.end, self.wakes[backfill.model.name]))
            for backfill in self.backfills
        ]
        try:
            self._keep_alive(stop, filling)
        finally:
            self.end.set()
            self.wake()
            for thread in filling + answering:
                thread.join()
            if not self.control.closed and not self.control.broken:
                self.control.execute(composed("stop_worker"), {"worker": self.worker})
        if self.error is not None:
            raise self.error

    def wake(self) -> None:
        """Something may be pending."""
        for event in self.wakes.values():
            event.set()

    def _thread(self, target: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                target()
            except BaseException as error:
                self.error = self.error or error
                self.end.set()
                self.wake()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _keep_alive(self, stop: threading.Event, filling: list[threading.Thread]) -> None:
        """The control connection's loop: heartbeats, sweeps, and the look whether it is time to end."""
        beat_seconds = self.owner.options.lease_seconds / 3
        next_beat, next_sweep, next_look = 0.0, 0.0, time.monotonic() + LOOK_SECONDS
        while not stop.is_set() and not self.end.is_set() and self._is_needed(filling):
            now = time.monotonic()
            if now >= next_beat:
                self._beat()
                next_beat = now + beat_seconds
            if now >= next_sweep:
                self._sweep()
                next_sweep = now + SWEEP_SECONDS
            if self.loading is not None and not self.loading.is_alive():
                raise ModelsChanged
            if now >= next_look and self.loading is None:
                next_look = now + LOOK_SECONDS
                self._look()
            stop.wait(min(0.1, beat_seconds))

    def _look(self) -> None:
        """A model that is new is loaded, which may mean to download gigabytes, while the others are served."""
        specs = read_specs(self.control)
        if specs != self.specs:
            self.owner.reporter.log("mmdb.models has changed: loading what is new")
            self.loading = self._thread(partial(self.owner.preload, specs))

    def _is_needed(self, filling: list[threading.Thread]) -> bool:
        """Not when all is done; without a model there may be one later."""
        return any(thread.is_alive() for thread in filling) or not (filling or self.owner.options.once)

    def _beat(self) -> None:
        values = {"worker": self.worker, "lease": f"{self.owner.options.lease_seconds} seconds"}
        row = self.control.execute(composed("beat"), values).fetchone()
        if row is None or not row[0]:
            raise psycopg.OperationalError(f"worker {self.worker} was forgotten by the database")

    def _sweep(self) -> None:
        """Clean up after dropped tables and vanished rows; a table that cannot be swept is left for the next time."""
        with ExitStack() as stack:
            steps = self._steps(stack)
            for dropped in self.control.execute(composed("sweep")).fetchall():
                self._try(partial(steps.clean, *dropped))
            for backfill in self.backfills:
                for task in steps.tasks(backfill.model.name, backfill.model.identity):
                    self._try(partial(steps.forget_idle_leases, task))

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except psycopg.Error as error:
            if self.control.closed or self.own.closed:
                raise
            self.owner.reporter.log(f"the sweep left something behind: {_first_line(error)}")


def _first_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip().partition("\n")[0]
