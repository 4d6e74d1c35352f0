"""A worker that says when a step is done and then waits to be killed: `python -m tests.faults.doomed_worker URL STEP`.

The steps: claim (rows are leased), load (sources are read), embed (vectors are made), store (rows are updated, the
transaction is open), settle (the transaction is committed, nobody has been told).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
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


def wait_after(original: Callable[..., Any]) -> Callable[..., Any]:
    """`original`, and then, if it did something, the end."""

    def step(*arguments: Any, **options: Any) -> Any:
        made = original(*arguments, **options)
        if made is not None and (not hasattr(made, "__len__") or len(made)):
            os.write(sys.stdout.fileno(), b"reached\n")  # in one piece: two stores may be reached at once
            time.sleep(60)
        return made

    return step


def main() -> None:
    url, step = sys.argv[1:]
    owner, name = ATTRIBUTES[step]
    setattr(owner, name, wait_after(getattr(owner, name)))
    work(url, options=WorkerOptions(models=("hash",), batch_size=8, poll_seconds=0.1))


if __name__ == "__main__":
    main()
