"""How a test waits: for a condition, never for a time. A machine that is busy makes it slower and not wrong."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds to wait for what takes a moment: on a busy machine anything may take a hundred times as long."""


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for something that another thread or process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
