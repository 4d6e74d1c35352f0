"""What the doctor finds: findings with remedies that are fit for a shell."""

from __future__ import annotations

import shlex
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from mmdb.operations import doctor
from tests.conftest import Database, needs_embedded

Connection = psycopg.Connection[Any]


def test_doctor_is_content_with_a_good_database(items: Connection, database: Database, worker: None) -> None:
    items.execute(f"alter database {database.name} set hnsw.iterative_scan = strict_order")
    findings = items.execute("select subject, level, finding from mmdb.doctor() where level <> 'ok'").fetchall()
    assert findings == []


BROKEN = {
    "revoke connect on database {database} from public, {role}": "grant connect on database {database} to {role}",
    "alter role {role} nologin": "alter role {role} login",
    "alter role {role} valid until '2001-01-01'": "alter role {role} login valid until 'infinity'",
    "alter role {role} connection limit 0": "alter role {role} connection limit -1",
    "drop user mapping for current_user server mmdb_loopback": "mmdb init",
    "drop server mmdb_loopback cascade": "mmdb init",
    "alter server mmdb_loopback options (set port '1')": "mmdb init --loopback-port",
    "alter role {role} password 'another'": "--loopback-host",
}
"""What may be wrong with the loopback, and what the remedy says."""


@pytest.mark.parametrize("broken", BROKEN)
def test_doctor_tries_the_loopback(conn: Connection, database: Database, worker: None, broken: str) -> None:
    """Also where this session's own was opened before."""
    (role,) = conn.execute("select value from mmdb.settings where name = 'loopback_role'").fetchone() or ("",)
    names = {"database": database.name, "role": role}
    conn.execute("select mmdb.embed('opened before', 'hash')")
    finding = "select level, remedy from mmdb.doctor() where subject = 'loopback'"
    assert conn.execute(finding).fetchall() == [("ok", None)]
    conn.execute("alter role {role} connection limit -1".format(**names).encode())
    conn.execute(broken.format(**names).encode())
    ((level, remedy),) = conn.execute(finding).fetchall()
    assert level == "error"
    assert BROKEN[broken].format(**names) in remedy
    with database.connect() as other, pytest.raises(pg.ConnectionException, match="cannot be opened") as caught:
        other.execute("select mmdb.embed('not cached', 'hash')")
    assert caught.value.diag.message_hint == remedy
    assert conn.execute("select dblink_get_connections()").fetchone() == (["mmdb_loopback"],)


def test_doctor_finds_what_is_wrong(items: Connection, database: Database) -> None:
    items.execute("alter table items add column colour text")
    items.execute("drop index items_txt_hnsw")
    items.execute(f"alter database {database.name} reset hnsw.iterative_scan")
    items.execute("set maintenance_work_mem = '1MB'")
    items.execute("update pg_class set reltuples = 1e6 where relname = 'items'")
    findings = items.execute("select subject, remedy from mmdb.doctor() where level <> 'ok'").fetchall()
    remedies = dict(findings)
    assert set(remedies) == {
        "setting hnsw.iterative_scan", "worker", "embedding txt of public.items", "index of txt of public.items",
        "memory for the index of txt of public.items",
    }  # fmt: skip
    assert "mmdb init" in remedies["setting hnsw.iterative_scan"]
    assert "mmdb worker" in remedies["worker"]
    assert "mmdb add public.items txt" in remedies["index of txt of public.items"]
    assert "maintenance_work_mem" in remedies["memory for the index of txt of public.items"]


@needs_embedded
def test_extensions_that_are_listed_and_cannot_be_loaded(conn: Connection) -> None:
    """Asked of the server: on a machine with the library nothing is said."""
    named = {each.subject.removeprefix("extension ") for each in doctor.unloadable(conn)}
    extensions = [name for (name,) in conn.execute("select name from pg_available_extensions").fetchall()]
    for name in extensions:
        with conn.transaction(force_rollback=True):
            try:
                conn.execute(f'create extension if not exists "{name}" cascade'.encode())
                loaded = True
            except psycopg.errors.UndefinedFile as error:
                loaded = "cannot open shared object file" not in str(error)
            except psycopg.Error:
                continue
        assert loaded is (name not in named), name


def test_a_command_of_odd_names_is_fit_for_a_shell(conn: Connection) -> None:
    conn.execute("""create table "Odd's $(x)" (id int primary key, "a b" text, c text)""")
    conn.execute("""select mmdb.add_embedding('"Odd''s $(x)"', array['a b', 'c'], model => 'hash', index => false)""")
    commands = conn.execute("select remedy from mmdb.doctor() where subject like 'index of%'").fetchone()
    assert commands is not None
    words = shlex.split(commands[0].partition("`")[2].partition("`")[0])
    assert words == ["mmdb", "add", '''public."Odd's $(x)"''', "a b", "c"]
