"""A hot standby serves searches; what it cannot embed it asks of its primary."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors as pg

from mmdb.install import Loopback, install
from mmdb.server import embedded
from mmdb.server.layout import ADDRESS, PORTS
from mmdb.server.machine import is_free, server_user
from mmdb.worker import background
from tests.conftest import open_folder
from tests.db.conftest import QUICK, until


@pytest.fixture
def primary() -> Iterator[embedded.ServerInfo]:
    with open_folder("mmdb-primary-") as home:
        try:
            yield embedded.start(home)
        finally:
            embedded.stop(home)


@contextmanager
def standby_of(primary: embedded.ServerInfo) -> Iterator[str]:
    """The URL of a standby, made by pg_basebackup and stopped afterwards."""
    (installation,) = (primary.home / "postgres/installation").iterdir()
    user = server_user(primary.data)
    environment = {"LD_LIBRARY_PATH": str(installation / "lib"), "PGPASSWORD": primary.password or "", "LC_ALL": "C"}
    data = primary.data.parent / "run/standby"
    backup = [str(installation / "bin/pg_basebackup"), "-D", str(data), "-R", "-X", "stream", "-c", "fast"]
    backup += ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres"]
    subprocess.run(backup, env=environment, check=True, cwd="/", timeout=60, **user.process_arguments())
    # None that the system hands out by itself: tests beside this one connect all the time.
    port = next(port for port in random.sample(PORTS, 100) if is_free(ADDRESS, port))
    options = ["-c", f"port={port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    server = subprocess.Popen(
        [str(installation / "bin/postgres"), "-D", str(data), *options],
        env=environment, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user.process_arguments(),
    )  # fmt: skip
    url = urlsplit(primary.url)
    standby = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{port}")).geturl()
    try:
        until(lambda: _answers(standby))
        yield standby
    finally:
        server.terminate()
        server.wait(60)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_standby_asks_its_primary(primary: embedded.ServerInfo) -> None:
    install(primary.url)
    with psycopg.connect(primary.url, autocommit=True) as conn:
        conn.execute("create table items (id int primary key, txt text)")
        conn.execute("insert into items select g, 'item ' || g from generate_series(1, 50) g")
        conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    search = "select id from items_by_txt('item 7') order by distance limit 1"
    with standby_of(primary) as url, psycopg.connect(url, autocommit=True) as standby:
        assert standby.execute("select pg_is_in_recovery()").fetchone() == (True,)
        with pytest.raises(pg.ObjectNotInPrerequisiteState, match="no worker is running"):
            standby.execute("select mmdb.embed('item 7', 'hash')")
        with background(primary.url, options=QUICK):
            embedded_rows = "select count(*) from items where txt_embedding is not null"
            until(lambda: standby.execute(embedded_rows).fetchone() == (50,))
            assert standby.execute(search).fetchone() == (7,)
            assert standby.execute("select embedded, pending from mmdb.status").fetchone() == (50, 0)


def test_a_loopback_that_leads_to_the_standby_itself(primary: embedded.ServerInfo) -> None:
    """As when the primary was installed with the address at which every server finds itself."""
    install(primary.url)
    with standby_of(primary) as url:
        port = str(urlsplit(url).port)
        with psycopg.connect(primary.url, autocommit=True) as conn:
            conn.execute(f"alter server mmdb_loopback options (set port '{port}')")
        with psycopg.connect(url, autocommit=True) as standby:
            until(lambda: standby.execute("select array_to_string(srvoptions, ' ') like %s from pg_foreign_server",
                                          [f"%port={port}%"]).fetchone() == (True,))  # fmt: skip
            with pytest.raises(pg.ObjectNotInPrerequisiteState, match="leads to this standby") as caught:
                standby.execute("select mmdb.embed('x', 'hash')")
            assert "--loopback-host" in (caught.value.diag.message_hint or "")
    assert install(primary.url, loopback=Loopback(host="127.0.0.1", port=str(primary.port))).warnings == []
