"""The belt behind the conductor: the thread that makes vectors and those that store, and the queues between them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TypeAlias

from mmdb.worker.values import Batch, Broken, Done, News, Paused, Served, Taken

Making: TypeAlias = Callable[[Batch], Paused | Served | None]
Storing: TypeAlias = Callable[[Batch], Done]


class Belt:
    """Batches that are put on it are made and stored, and `hear` tells what became of them."""

    def __init__(self, make: Making, stores: Sequence[Storing]) -> None:
        self.make = make
        self.stores = stores
        self._loaded: SimpleQueue[Batch | None] = SimpleQueue()
        """Not bounded: the conductor puts one, and the next once that was taken. None is the end."""
        self._made: SimpleQueue[Batch | None] = SimpleQueue()
        """Bounded by `_free`: what waits here is leased, and is tried row by row after a crash."""
        self._free = threading.Semaphore(len(stores))
        """Stores that have nothing to do."""
        self._news: SimpleQueue[News] = SimpleQueue()

    def put(self, batch: Batch) -> None:
        self._loaded.put(batch)

    def hear(self, seconds: float | None) -> News | None:
        """The next piece of news; None where there is none within `seconds`."""
        try:
            return self._news.get(timeout=seconds) if seconds != 0 else self._news.get_nowait()
        except Empty:
            return None

    @contextmanager
    def running(self, stop: threading.Event) -> Iterator[None]:
        """Left when all that was put on the belt is at its end, or was left because of `stop`."""
        threads = [threading.Thread(target=self._make_all, args=[stop], name="mmdb-make", daemon=True)]
        for store in self.stores:
            threads.append(threading.Thread(target=self._store_all, args=[store], name="mmdb-store", daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._loaded.put(None)
            for thread in threads:
                thread.join()

    def _make_all(self, stop: threading.Event) -> None:
        with self._telling(self._loaded):
            for batch in iter(self._loaded.get, None):
                self._news.put(Taken())
                if not stop.is_set():  # else its rows are free as soon as the worker has said goodbye
                    self._make(batch)
        for _ in self.stores:
            self._made.put(None)

    def _make(self, batch: Batch) -> None:
        news = self.make(batch)
        if news is not None:
            self._news.put(news)
        self._free.acquire()
        self._made.put(batch)

    def _store_all(self, store: Storing) -> None:
        with self._telling(self._made):
            for batch in iter(self._made.get, None):
                self._news.put(store(batch))
                self._free.release()

    @contextmanager
    def _telling(self, source: SimpleQueue[Batch | None]) -> Iterator[None]:
        """Tell of an error, and go on taking without doing anything, so that no stage waits for this one for ever."""
        try:
            yield
        except BaseException as error:
            self._news.put(Broken(error))
            self._free.release()
            for _ in iter(source.get, None):
                self._free.release()
