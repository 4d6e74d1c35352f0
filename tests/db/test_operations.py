"""What the command line does, called as a console would: with a connection, and without anything printed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg
from psycopg.rows import dict_row

from mmdb.catalogue import read_spec, read_specs
from mmdb.config import Settings
from mmdb.declaration import Declaration
from mmdb.errors import DatabaseError, EmbeddedError, ModelError
from mmdb.models.registry import builtin_specs
from mmdb.operations import declare, doctor, generations, models
from mmdb.operations.indexes import build_indexes
from mmdb.operations.search import SearchError, search
from mmdb.operations.status import is_worker_alive, status, stored_queries
from tests.conftest import Database
from tests.db.conftest import Connection, one

SETTINGS = Settings.from_environment()
WORDS = Declaration.of(["txt"], "words", model="hash")


@pytest.fixture
def plain(conn: Connection) -> Connection:
    """A connection whose rows are dicts, which is no operation's affair, and a table without an embedding."""
    conn.execute("create table plain (id int primary key, txt text, pic bytea)")
    conn.execute("insert into plain select g, 'item ' || g from generate_series(1, 3) g")
    conn.row_factory = dict_row
    return conn


def add_wide(connection: psycopg.Connection[Any], dimensions: int = 96) -> models.Added:
    asked = models.requested("wide", "hash", "sha256", options={"dimensions": dimensions})
    return models.add(connection, asked, SETTINGS)


def loaded_by(imports: str, modules: set[str]) -> str:
    """Those of `modules` that a process has loaded after `imports`."""
    check = f"import sys; {imports}; print(*sorted({modules} & set(sys.modules)))"
    return subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout.strip()


def test_operations_need_neither_the_command_line_nor_a_terminal() -> None:
    names = ("declare", "doctor", "generations", "indexes", "models", "search", "status")
    assert loaded_by("; ".join(f"import mmdb.operations.{name}" for name in names), {"typer", "rich"}) == ""


def test_a_command_starts_without_what_only_some_need() -> None:
    assert loaded_by("import mmdb.cli.app", {"alembic", "numpy", "onnxruntime", "PIL", "psutil", "sqlalchemy"}) == ""


# Declaring.


def test_declaring_twice_is_declaring_once(plain: Connection) -> None:
    made = declare.declare(plain, "plain", WORDS)
    assert made == declare.Declared("words", "public", "plain_by_words", is_new=True)
    again = declare.declare(plain, "plain", WORDS)
    assert again == declare.Declared("words", "public", "plain_by_words", is_new=False)
    with pytest.raises(pg.Error, match='has an embedding "words" already'):
        declare.declare(plain, "plain", replace(WORDS, prefix="other"))
    (there,) = declare.embeddings_of(plain, "plain")
    assert (there.name, there.declaration["sources"], there.declaration["weights"], there.declaration["model"]) == (
        "words",
        ["txt"],
        None,
        "hash",
    )
    declare.drop(plain, "plain", "words")
    assert declare.embeddings_of(plain, "plain") == []


def test_indexes_are_built_one_by_one_and_once(plain: Connection) -> None:
    declare.declare(plain, "plain", WORDS)
    seen: list[str] = []

    @contextmanager
    def around(statement: str) -> Iterator[None]:
        seen.append(f"begin {statement}")
        yield
        seen.append(f"end {statement}")

    built = build_indexes(plain, "plain", "words", around)
    assert [statement.split()[0] for statement in built] == ["drop", "create"] * 2, "what is half made goes first"
    assert all("concurrently" in statement for statement in built)
    assert seen == [f"{when} {statement}" for statement in built for when in ("begin", "end")]
    assert build_indexes(plain, "plain", "words") == []


# Another model.


def test_a_switch_gives_way_and_leaves_the_session_as_it_was(
    items: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "LOCK_TIMEOUT", "20ms")
    monkeypatch.setattr(generations, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(generations, "TRIES", 3)
    add_wide(items)
    assert generations.change(items, "items", "txt", "wide") == generations.Generation("txt_wide", "wide")
    build_indexes(items, "items", "txt_wide")
    waited: list[None] = []
    with database.connect(autocommit=False) as user:
        user.execute("select from items")
        with pytest.raises(DatabaseError, match="the table is in use: canceling statement due to lock timeout"):
            generations.switch(items, "items", "txt", force=True, waiting=lambda: waited.append(None))
    assert len(waited) == 2
    assert generations.switch(items, "items", "txt", force=True).model == "wide"
    assert generations.switch(items, "items", "txt", back=True, force=True).model == "hash"
    assert one(items, "show lock_timeout") == "0"


# Searching.


@pytest.mark.usefixtures("worker")
def test_a_search_shows_what_can_be_read(items: Connection) -> None:
    items.execute("select mmdb.wait_until_embedded('items')")
    found = search(items, "items", "item 3", where="price > 1 -- cheap ones", k=2)
    assert found.columns == ["id", "txt", "price", "distance"]
    assert [list(row) for row in found.rows] == [found.columns] * 2
    assert found.rows[0]["id"] == 3


@pytest.mark.usefixtures("worker")
def test_a_search_writes_nothing_in_the_callers_transaction(items: Connection) -> None:
    items.execute("select mmdb.wait_until_embedded('items')")
    items.execute("create sequence calls")
    with items.transaction():
        items.execute("update items set price = 7 where id = 1")
        for writing in ("nextval('calls') > 0", "set_config('transaction_read_only', 'off', true) = 'off'"):
            with pytest.raises((pg.ReadOnlySqlTransaction, pg.ActiveSqlTransaction)):
                search(items, "items", "item 1", where=writing)
        assert search(items, "items", "item 1", k=1).rows[0]["price"] == 7
        items.execute("update items set price = 8 where id = 1")
    assert one(items, "select price from items where id = 1") == 8


def test_a_search_that_cannot_be_says_why(plain: Connection) -> None:
    with pytest.raises(SearchError, match='"plain" has no embedding'):
        search(plain, "plain", "x")
    for name in ("a", "b"):
        declare.declare(plain, "plain", replace(WORDS, name=name))
    with pytest.raises(SearchError, match=r"several embeddings .*: a, b"):
        search(plain, "plain", "x")
    with pytest.raises(SearchError, match=r'no embedding "c" \(it has: a, b'):
        search(plain, "plain", "x", embedding="c")


# Operating.


def test_status_and_stored_queries(items: Connection, database: Database, worker: None) -> None:
    items.execute("select mmdb.wait_until_embedded('items')")
    items.row_factory = dict_row
    seen = status(items)
    (embedding,) = seen.embeddings
    assert (embedding.relation, embedding.name, embedding.rows, embedding.embedded) == ("items", "txt", 5, 5)
    assert [each.models for each in seen.workers] == [["hash"]]
    assert seen.failures == []
    assert is_worker_alive(items, socket.gethostname(), os.getpid())
    assert not is_worker_alive(items, "elsewhere", os.getpid())
    assert any(query.function.startswith("mmdb.find(") for query in stored_queries(items))


def test_doctor_of_the_database(plain: Connection) -> None:
    findings = doctor.database(plain)
    assert (findings[0].subject, findings[0].level) == ("schema mmdb", "ok")
    assert {"postgresql", "extension vector", "worker"} <= {each.subject for each in findings}
    plain.execute("update mmdb.schema_version set version_num = '0000'")
    assert doctor.database(plain)[0].level == "error"


def test_doctor_of_a_database_that_cannot_be_asked() -> None:
    down = doctor.unreachable(EmbeddedError("it\nstopped", hint="start it"))
    assert down == doctor.Finding("database", "error", "it stopped", "start it")
    refused = doctor.unreachable(psycopg.OperationalError("connection refused\nby host"))
    assert refused.finding == "connection refused"
    assert refused.remedy is not None


def test_doctor_of_the_machine() -> None:
    findings = {each.subject: each for each in doctor.machine(embedded=False, worker=17)}
    assert findings["worker of `mmdb up --detach`"].finding == "runs (pid 17)"
    assert findings["package onnxruntime"].level == "ok"
    assert "embedded PostgreSQL" not in findings


# Models.


def test_the_catalogue_has_our_own_models_as_they_are(plain: Connection) -> None:
    assert read_specs(plain) == {spec.name: spec for spec in builtin_specs()}
    assert read_spec(plain, "nosuch") is None


def test_a_model_is_added_replaced_and_removed(plain: Connection) -> None:
    added = add_wide(plain)
    assert (added.replaced, added.spec.dimensions, added.spec.modalities) == (False, 96, ("text", "image"))
    assert read_spec(plain, "wide") == added.spec
    assert add_wide(plain, 200).replaced
    assert [(model.name, model.embeddings) for model in models.list_models(plain)][-1] == ("wide", 0)
    models.remove(plain, "wide")
    with pytest.raises(ModelError, match='"wide" does not exist'):
        models.model_of(plain, "wide")
    with pytest.raises(ModelError, match="one of mmdb's own"):
        models.requested("lite", "hash", "sha256")


def test_a_model_is_measured(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MEASURE_SECONDS", 0)
    trial = models.measure(models.model_of(plain, "hash"), SETTINGS)
    assert (trial.name, trial.identity) == ("hash", read_specs(plain)["hash"].identity)
    assert [speed.modality for speed in trial.speeds] == ["text", "image"]
    assert all(speed.a_second > 0 and speed.milliseconds_alone > 0 for speed in trial.speeds)
    assert 0 <= trial.memory_mb < 100_000
