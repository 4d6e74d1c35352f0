"""One registration of a worker: its connections, its heartbeat, and for each model a conductor and its answers.

The control connection is what makes the worker alive; it beats, sweeps, and looks whether there are other models now.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Protocol, TypeAlias

import psycopg

import mmdb
from mmdb.catalogue import read_specs
from mmdb.config import Settings
from mmdb.database.problems import brief
from mmdb.database.rows import Connection, read_all
from mmdb.models.embed.base import Embedder
from mmdb.models.spec import ModelSpec
from mmdb.worker.answer import Answers
from mmdb.worker.belt import Belt
from mmdb.worker.conductor import Conductor
from mmdb.worker.connections import composed, open_connection, open_shared
from mmdb.worker.feed import Feed
from mmdb.worker.load import Fetcher, Load
from mmdb.worker.make import Make
from mmdb.worker.report import Reporter
from mmdb.worker.steps import Steps
from mmdb.worker.store import Line, Store
from mmdb.worker.values import Dropped, Totals, WorkerOptions

SWEEP_SECONDS = 300.0
"""How often what belongs to nothing any more is looked for."""
LOOK_SECONDS = 5.0
"""How often mmdb.models is looked at, for a model that is new or has become another."""
BEATS = 3
"""Heartbeats in the time that a lease lasts."""
STOP_SECONDS = 0.1
"""How late a stop is noticed, at most."""

Specs: TypeAlias = dict[str, ModelSpec]


class ModelsChanged(Exception):
    """Another model, or one that has become another: the session begins again with what there is now."""


class Owner(Protocol):
    """What outlives a session (run.py)."""

    url: str
    settings: Settings
    options: WorkerOptions
    reporter: Reporter
    totals: Totals

    def preload(self, specs: Specs) -> None: ...


class Session:
    """Works on the database until `run` returns."""

    def __init__(
        self, owner: Owner, control: Connection, specs: Specs, embedders: Mapping[str, Embedder], stack: ExitStack
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
        self.fetcher = Fetcher(owner.settings)
        stack.callback(self.fetcher.close)
        self.own = self._connect()
        self.answers = [Answers(self._connect(), self.worker, name, embedder) for name, embedder in embedders.items()]
        self.conductors = {name: self._conductor(name, embedder) for name, embedder in embedders.items()}

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

    def _conductor(self, name: str, embedder: Embedder) -> Conductor:
        """feed -> load -> make -> store, for one model."""
        options, reporter = self.owner.options, self.owner.reporter
        steps, line = self._steps(self.stack), Line()
        feed = Feed(
            steps,
            self.specs[name],
            reporter,
            items_at_once=embedder.batch_size,
            batch_size=options.batch_size,
            once=options.once,
        )
        load = Load(steps, self.fetcher, name, embedder.modalities)
        stores = [Store(self._steps(self.stack), line, reporter) for _ in range(options.stores)]
        belt = Belt(Make(embedder).batch, [store.batch for store in stores])
        return Conductor(
            feed, load.batch, belt, self.owner.totals, poll_seconds=options.poll_seconds, once=options.once
        )

    def run(self, stop: threading.Event) -> None:
        answering = [self._thread(partial(answers.run, self.end, self.wake)) for answers in self.answers]
        filling = [
            self._thread(partial(conductor.run, self.end, self.wakes[name]))
            for name, conductor in self.conductors.items()
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
        beat_seconds = self.owner.options.lease_seconds / BEATS
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
            stop.wait(min(STOP_SECONDS, beat_seconds))

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
        with ExitStack() as stack:
            steps = self._steps(stack)
            served = [self.specs[name] for name in self.conductors]
            sweep(self.control, steps, served, self.owner.reporter)


def sweep(control: Connection, steps: Steps, served: Sequence[ModelSpec], reporter: Reporter) -> None:
    """Clean up after dropped tables and vanished rows; a table that cannot be swept is left for the next time."""

    def attempt(action: Callable[[], object]) -> None:
        try:
            action()
        except psycopg.Error as error:
            if control.closed or steps.own.closed:
                raise
            reporter.log(f"the sweep left something behind: {brief(error)}")

    for dropped in read_all(control, Dropped, composed("sweep"), {}):
        attempt(partial(steps.clean, dropped))
    for spec in served:
        for task in steps.tasks(spec.name, spec.identity):
            attempt(partial(steps.forget_idle_leases, task))
