"""What an operator sees: counts that are exact or say that they are estimates, findings with remedies."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from mmdb.worker import Totals
from tests.conftest import Database

Connection = psycopg.Connection[Any]
Drain = Callable[[], Totals]


def test_status_counts(items: Connection, drain: Drain) -> None:
    counts = "select rows, embedded, pending, failed, estimated from mmdb.status"
    assert items.execute(counts).fetchone() == (5, 0, 5, 0, False)
    items.execute("update items set txt = ' ' where id = 1; update items set txt = null where id = 2")
    drain()
    assert items.execute(counts).fetchone() == (5, 3, 0, 1, False)
    items.execute("update items set txt = 'again' where id = 3")
    assert items.execute(counts).fetchone() == (5, 2, 1, 1, False)


def test_status_knows_when_nothing_was_pending(items: Connection, drain: Drain) -> None:
    age = "select pending_since is null, pending_since <= now() from mmdb.status"
    drain()
    assert items.execute(age).fetchone() == (True, None)
    items.execute("insert into items values (6, 'six')")
    assert items.execute(age).fetchone() == (False, True)


def test_status_rate(items: Connection, drain: Drain) -> None:
    drain()
    rate = items.execute("select rows_per_second from mmdb.status").fetchone()
    assert rate is not None
    assert rate[0] > 0


def test_large_tables_are_estimated_and_say_so(items: Connection, drain: Drain) -> None:
    drain()
    items.execute("analyze items")
    made = items.execute("select (c).* from mmdb.embeddings e, lateral (select mmdb.count_rows(e, 3)) t(c)").fetchone()
    assert made == (5, 5, 0, 0, True, 0)


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


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("nix", "1", 'unknown setting "nix"'),
        ("embed_timeout_ms", "soon", 'not "soon"'),
        ("query_cache_rows", "0", 'not "0"'),
        ("embed_timeout_ms", "2147483648", 'not "2147483648"'),
        ("max_attempts", None, "takes a value, not NULL"),
        (None, "1", "unknown setting"),
        ("worker_role", "nix", 'unknown setting "worker_role"'),
        ("default_model", "nix", 'model "nix" does not exist'),
    ],
)
def test_settings_are_checked(conn: Connection, name: str | None, value: str | None, match: str) -> None:
    with pytest.raises((pg.InvalidParameterValue, pg.UndefinedObject, pg.NullValueNotAllowed), match=match):
        conn.execute("select mmdb.set_setting(%s, %s)", [name, value])


def test_a_model_in_use_keeps_its_identity(items: Connection) -> None:
    call = "select (mmdb.add_model('hash', 'hash', 'hash', 64, array['text', 'image'], %s)).identity"
    with pytest.raises(pg.ObjectInUse, match="cannot become"):
        items.execute(call, ["another"])
    items.execute("select mmdb.drop_embedding('items', 'txt')")
    assert items.execute(call, ["another"]).fetchone() == ("another",)


def test_a_model_is_removed_only_where_nothing_needs_it(items: Connection) -> None:
    with pytest.raises(pg.ObjectInUse, match=r'model "hash" is in use by public\.items\.txt'):
        items.execute("select mmdb.remove_model('hash')")
    with pytest.raises(pg.ObjectInUse, match='model "lite" is the default model'):
        items.execute("select mmdb.remove_model('lite')")
    with pytest.raises(pg.UndefinedObject, match='model "nix" does not exist'):
        items.execute("select mmdb.remove_model('nix')")
    items.execute("select mmdb.drop_embedding('items', 'txt')")
    items.execute("insert into mmdb.requests (task, hash, model) select 'embedding', 'x', name from mmdb.models")
    items.execute("select mmdb.remove_model('hash')")
    assert items.execute("select name from mmdb.models").fetchall() == [("lite",)]
    assert items.execute("select model from mmdb.requests").fetchall() == [("lite",)]


def test_a_command_of_odd_names_is_fit_for_a_shell(conn: Connection) -> None:
    conn.execute("""create table "Odd's $(x)" (id int primary key, "a b" text, c text)""")
    conn.execute("""select mmdb.add_embedding('"Odd''s $(x)"', array['a b', 'c'], model => 'hash', index => false)""")
    commands = conn.execute("select remedy from mmdb.doctor() where subject like 'index of%'").fetchone()
    assert commands is not None
    words = shlex.split(commands[0].partition("`")[2].partition("`")[0])
    assert words == ["mmdb", "add", '''public."Odd's $(x)"''', "a b", "c"]
