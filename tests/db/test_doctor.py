"""What the doctor finds: findings with remedies that are fit for a shell."""

from __future__ import annotations

import shlex
from typing import Any

import psycopg

from tests.conftest import Database

Connection = psycopg.Connection[Any]


def test_doctor_is_content_with_a_good_database(items: Connection, database: Database, worker: None) -> None:
    items.execute(f"alter database {database.name} set hnsw.iterative_scan = strict_order")
    findings = items.execute("select subject, level, finding from mmdb.doctor() where level <> 'ok'").fetchall()
    assert findings == []


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


def test_a_command_of_odd_names_is_fit_for_a_shell(conn: Connection) -> None:
    conn.execute("""create table "Odd's $(x)" (id int primary key, "a b" text, c text)""")
    conn.execute("""select mmdb.add_embedding('"Odd''s $(x)"', array['a b', 'c'], model => 'hash', index => false)""")
    commands = conn.execute("select remedy from mmdb.doctor() where subject like 'index of%'").fetchone()
    assert commands is not None
    words = shlex.split(commands[0].partition("`")[2].partition("`")[0])
    assert words == ["mmdb", "add", '''public."Odd's $(x)"''', "a b", "c"]
