"""Where results are kept, and under what circumstances they came about."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path
from typing import Any

import psycopg

import mmdb

RESULTS = Path(__file__).parent / "results"


def circumstances(conn: psycopg.Connection[Any]) -> str:
    """Versions, machine and date, as a sentence. Says nothing that names the machine."""
    row = conn.execute(
        "select current_setting('server_version'), extversion from pg_extension where extname = 'vector'"
    ).fetchone()
    assert row is not None
    server, pgvector = row
    today = datetime.datetime.now(datetime.UTC).date()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"Measured on {today} with mmdb {mmdb.__version__}, PostgreSQL {str(server).split()[0]} as `mmdb up` sets it, "
        f"pgvector {pgvector}, Python {platform.python_version()}, on {cores} shared {platform.machine()} cores "
        f"(load average {os.getloadavg()[1]:.0f})."
    )
