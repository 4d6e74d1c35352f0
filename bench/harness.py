"""A database of its own, two things timed in turns, and a table of what came out beside its budget."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from mmdb.database.types import register_types
from mmdb.install import install
from mmdb.server import embedded


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table; `kept` says whether the budget is."""

    name: str
    value: str
    budget: str
    kept: bool
    detail: str


@contextmanager
def database() -> Iterator[str]:
    """The URL of a database with mmdb, on a server that keeps every commit (as users' do), gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mmdb-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root the server runs as another user
        try:
            url = embedded.start(home).url
            install(url)
            yield url
        finally:
            embedded.stop(home)


@contextmanager
def connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as made:
        register_types(made)
        yield made


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def in_turns(rounds: int, *actions: Callable[[], object]) -> list[float]:
    """The median seconds of each action; they take turns, so that a slow moment of the machine meets all of them."""
    taken: list[list[float]] = [[] for _ in actions]
    for round_ in range(rounds):
        order = range(len(actions)) if round_ % 2 == 0 else reversed(range(len(actions)))
        for place in order:
            taken[place].append(seconds(actions[place]))
    return [statistics.median(times) for times in taken]


def at_most(name: str, ratio: float, budget: float, detail: str) -> Result:
    return Result(name, f"{ratio:.2f}x", f"<= {budget}x", ratio <= budget, detail)


def at_least(name: str, ratio: float, budget: float, detail: str) -> Result:
    return Result(name, f"{ratio:.2f}x", f">= {budget}x", ratio >= budget, detail)


def milliseconds(name: str, value: float, budget: float, detail: str) -> Result:
    return Result(name, f"{value * 1000:.2f} ms", f"<= {budget} ms", value * 1000 <= budget, detail)
