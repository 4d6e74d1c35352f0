"""A worker from start to stop: its models, which outlive its sessions, and the connecting again when one broke.

A worker is a session of the database: while that lives, its leases are its own. When the connection breaks, all of
it is thrown away and begun again, under a new number (`session.py`); the models stay loaded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from psycopg import errors as pg

from mmdb.catalogue import read_specs
from mmdb.config import Settings
from mmdb.database.problems import brief, usual_remedy
from mmdb.errors import DatabaseError, ModelError, ModelUnavailableError
from mmdb.models.embed.base import Embedder
from mmdb.models.registry import load
from mmdb.models.spec import ModelSpec
from mmdb.worker.connections import open_connection
from mmdb.worker.report import Reporter, Silence
from mmdb.worker.session import ModelsChanged, Session, Specs
from mmdb.worker.values import Totals, WorkerOptions

RECONNECT_SECONDS = (0.5, 1, 2, 5, 10, 30)
"""How long to wait before the first try to connect again, the second, and so on; the last holds for all that follow."""


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
                    f"the worker cannot work on the database: {brief(error)}",
                    hint="is the server running, and is the URL right?",
                ) from error
            failures = 1 if time.monotonic() - began > RECONNECT_SECONDS[-1] else failures + 1
            worker.reporter.log(f"the connection broke: {brief(error)}; connecting again")
            if stop.wait(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS)) - 1]):
                return worker.totals
        except psycopg.Error as error:
            raise DatabaseError(
                f"the worker cannot work on the database: {brief(error)}",
                hint=error.diag.message_hint or _remedy(error),
            ) from error


def _remedy(error: psycopg.Error) -> str | None:
    if isinstance(error, pg.ReadOnlySqlTransaction):
        return usual_remedy(error)
    return "run `mmdb init` on it; the worker's role needs to be in mmdb_worker"


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
            session = Session(self, control, specs, embedders, stack)
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
