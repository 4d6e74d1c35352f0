"""The server killed with -9 in the middle of the work and started again: the worker goes on, nothing is lost."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import psycopg

from mmdb.install import install
from mmdb.server import embedded
from mmdb.worker import background
from tests.conftest import needs_embedded, open_folder
from tests.db.conftest import QUICK, check_rows, until


@needs_embedded
def test_the_server_crashes_while_a_worker_works() -> None:
    """In small batches: what the crash found in hand is tried row by row, and by itself the model takes 2,048."""
    with open_folder("mmdb-crash-") as home:
        info = embedded.start(home)
        try:
            install(info.url)
            with psycopg.connect(info.url, autocommit=True) as conn:
                conn.execute("create table items (id int primary key, txt text)")
                conn.execute("insert into items select g, 'item ' || g from generate_series(1, 3000) g")
                conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
            with background(info.url, options=replace(QUICK, batch_size=32)):
                with psycopg.connect(info.url, autocommit=True) as conn:
                    count = "select count(*) from items where txt_embedding is not null"
                    until(lambda: conn.execute(count).fetchone() > (200,))  # type: ignore[operator]
                assert info.pid is not None
                os.kill(info.pid, signal.SIGKILL)
                until(lambda: not embedded.status(home).running)
                again = embedded.start(home)
                with psycopg.connect(again.url, autocommit=True) as conn:
                    until(lambda: conn.execute(count).fetchone() == (3000,), 200)
                    until(lambda: conn.execute("select count(*) from mmdb.leases").fetchone() == (0,))
                    check_rows(conn)
                    conn.execute("select mmdb.embed('and answers queries', 'hash')")
        finally:
            embedded.stop(home)
