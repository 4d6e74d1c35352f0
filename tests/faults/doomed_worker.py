"""A worker that says when a step is done and then waits to be killed, in a process of its own.

The steps: claim (rows are leased), load (sources are read), embed (vectors are made), store (rows are updated, the
transaction is open), settle (the transaction is committed, nobody has been told).
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from mmdb.models.embed.hash import HashEmbedder
from mmdb.worker import WorkerOptions, work
from mmdb.worker.load import Load
from mmdb.worker.steps import Steps

ATTRIBUTES: dict[str, tuple[type, str]] = {
    "claim": (Steps, "claim"),
    "load": (Load, "batch"),
    "embed": (HashEmbedder, "embed_batch"),
    "store": (Steps, "_store"),
    "settle": (Steps, "store"),
}
# Each is forked off a process that has read all modules once: a start of Python would take a second of the processor.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


def kill_at(url: str, step: str) -> None:
    """Let a worker come as far as `step`, and no farther."""
    reached, tells = PROCESSES.Pipe(duplex=False)
    worker = PROCESSES.Process(target=work_until, args=(url, step, tells))
    worker.start()
    tells.close()
    try:
        assert reached.recv_bytes() == b"reached"
    finally:
        worker.kill()
        worker.join()
        reached.close()


def work_until(url: str, step: str, tells: Connection) -> None:
    owner, name = ATTRIBUTES[step]
    setattr(owner, name, wait_after(getattr(owner, name), tells))
    work(url, options=WorkerOptions(models=("hash",), batch_size=8, poll_seconds=0.1))


def wait_after(original: Callable[..., Any], tells: Connection) -> Callable[..., Any]:
    """`original`, and then, if it did something, the end."""

    def step(*arguments: Any, **options: Any) -> Any:
        made = original(*arguments, **options)
        if made is not None and (not hasattr(made, "__len__") or len(made)):
            tells.send_bytes(b"reached")  # so short a message goes in one piece: two stores may be reached at once
            time.sleep(600)
        return made

    return step
