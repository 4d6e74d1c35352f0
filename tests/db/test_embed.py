"""mmdb.embed: a query becomes a vector inside SQL, once."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pytest
from PIL import Image
from psycopg import errors as pg

from mmdb.models.embed.hash import HashEmbedder
from mmdb.worker import background
from tests.conftest import Database
from tests.db.conftest import QUICK, picture

Connection = psycopg.Connection[Any]


def test_text(conn: Connection, worker: None) -> None:
    vector = conn.execute("select mmdb.embed('red shoes', 'hash')::real[]").fetchone()
    assert vector is not None
    np.testing.assert_allclose(vector[0], HashEmbedder().embed(["red shoes"])[0], atol=1e-6)


def test_a_picture(conn: Connection, worker: None) -> None:
    vector = conn.execute("select mmdb.embed(%b::bytea, 'hash')::real[]", [picture("red")]).fetchone()
    assert vector is not None
    np.testing.assert_allclose(vector[0], HashEmbedder().embed([Image.new("RGB", (8, 8), "red")])[0], atol=1e-6)


def test_null_is_null(conn: Connection) -> None:
    assert conn.execute("select mmdb.embed(null::text), mmdb.embed(null::bytea)").fetchone() == (None, None)


def test_embed_for_uses_the_model_of_the_embedding(items: Connection, worker: None) -> None:
    same = items.execute(
        "select mmdb.embed_for('items', 'txt', 'x')::real[] = mmdb.embed('x', 'hash')::real[]"
    ).fetchone()
    assert same == (True,)
    with pytest.raises(pg.UndefinedObject, match='no embedding "nix"'):
        items.execute("select mmdb.embed_for('items', 'nix', 'x')")


def test_a_hit_needs_no_worker(conn: Connection, database: Database) -> None:
    with background(database.url, options=QUICK):
        conn.execute("select mmdb.embed('once', 'hash')")
    conn.execute("select mmdb.embed('once', 'hash')")
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match="no worker is running") as caught:
        conn.execute("select mmdb.embed('never', 'hash')")
    assert "mmdb worker" in (caught.value.diag.message_hint or "")


def test_no_query_text_is_kept(conn: Connection, worker: None) -> None:
    conn.execute("select mmdb.embed('a secret', 'hash'), mmdb.embed(%b::bytea, 'hash')", [picture("blue")])
    kept = conn.execute("select count(*), count(content), count(data) from mmdb.requests where answered_at is not null")
    assert kept.fetchone() == (2, 0, 0)


def test_read_only_and_rolled_back_transactions(conn: Connection, worker: None) -> None:
    with conn.transaction():
        conn.execute("set transaction isolation level serializable, read only")
        assert conn.execute("select mmdb.embed('read only', 'hash') is not null").fetchone() == (True,)
    with conn.transaction(force_rollback=True):
        conn.execute("select mmdb.embed('rolled back', 'hash')")
    assert conn.execute("select count(*) from mmdb.requests").fetchone() == (2,)


def test_prepared_statements_and_functions(conn: Connection, worker: None) -> None:
    conn.execute("prepare e(text) as select mmdb.embed($1, 'hash') is not null")
    for n in range(8):
        assert conn.execute(f"execute e('text {n}')").fetchone() == (True,)
    conn.execute("create function f(q text) returns boolean language plpgsql stable as "
                 "$$ begin return mmdb.embed(q, 'hash') is not null; end $$")  # fmt: skip
    assert conn.execute("select f('in a function'), f('in a function')").fetchone() == (True, True)


def test_a_pooler_in_transaction_mode(database: Database, conn: Connection, worker: None) -> None:
    """DISCARD ALL between two clients' transactions: what a pooler does at most to a session."""
    for n in range(3):
        with conn.transaction():
            conn.execute("select mmdb.embed(%s, 'hash')", [f"client {n}"])
        conn.execute("discard all")


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        ("mmdb.embed('x', 'nix')", pg.UndefinedObject, 'model "nix" does not exist'),
        ("mmdb.embed('  ', 'hash')", psycopg.DataError, "the query is empty"),
        ("mmdb.embed(''::bytea, 'hash')", psycopg.DataError, "the query is empty"),
        ("mmdb.embed('no picture'::bytea, 'hash')", pg.DataException, "could not be embedded"),
        ("mmdb.embed(repeat('x', 11000000), 'hash')", pg.ProgramLimitExceeded, "more than the limit of 10485760"),
    ],
)
def test_queries_that_cannot_be_embedded(conn: Connection, worker: None, call: str, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        conn.execute(f"select {call}")
    assert conn.execute("select mmdb.embed('and then', 'hash') is not null").fetchone() == (True,)


def test_a_text_is_not_the_bytes_of_it(conn: Connection, worker: None) -> None:
    """In the cache too, where the text is: bytes that are no picture stay an error."""
    conn.execute("select mmdb.embed('no picture', 'hash')")
    with pytest.raises(pg.DataException, match="could not be embedded"):
        conn.execute("select mmdb.embed('no picture'::bytea, 'hash')")


COLD = {
    "the same text for each row": (1, "lateral (select mmdb.embed('new', 'hash') where l.n > 0) v(found)"),
    "a text of each row": (3, "mmdb.embed('new ' || l.n % 3, 'hash') v(found)"),
    "labels out of a sub-query": (
        2, "mmdb.classify(l.vector, (select array['new 1', 'new 2'] where l.n > 0), 'hash') c(found)"
    ),
    "labels of each row": (3, "mmdb.classify(l.vector, array['new ' || l.n % 2, 'new 2'], 'hash') c(found)"),
    "a search view": (
        2, "lateral (select id from items_by_txt('new ' || l.n % 2) order by distance limit 1) f(found)"
    ),
    "the nearest": (2, "items_top_by_txt('new ' || l.n % 2, 1) f(found)"),
    "a function that asks twice": (2, "asks_twice('new ' || l.n % 2) v(found)"),
}  # fmt: skip


@pytest.mark.parametrize("shape", COLD)
def test_a_statement_asks_once_for_each_text(items: Connection, worker: None, shape: str) -> None:
    """Its snapshot is older than what it has embedded itself."""
    items.execute("create table lines as select n, mmdb.embed('old', 'hash') as vector from generate_series(1, 12) n")
    items.execute("create function asks_twice(q text) returns real[] language plpgsql stable as $$ begin "
                  "perform mmdb.embed(q, 'hash'); return mmdb.embed(q, 'hash')::real[]; end $$")  # fmt: skip
    items.execute("set track_functions = 'all'")
    texts, searched = COLD[shape]
    with items.transaction():
        items.execute(f"select found from lines l, {searched}".encode())
        asked = items.execute(
            "select calls from pg_stat_xact_user_functions where schemaname = 'mmdb' and funcname = 'request'"
        )
        assert asked.fetchone() == (texts,)


TAKES = "update mmdb.models set modalities = %s where name = 'hash'"


def test_only_a_model_of_texts_refuses_bytes_unseen(conn: Connection) -> None:
    """Of which kind they are, a worker says, who gets as far as being missed."""
    conn.execute(TAKES, [["text"]])
    with pytest.raises(pg.FeatureNotSupported, match="nothing but text, and the query is bytes"):
        conn.execute("select mmdb.embed('some bytes'::bytea, 'hash')")
    conn.execute(TAKES, [["image"]])
    with pytest.raises(pg.FeatureNotSupported, match='does not embed modality "text"') as caught:
        conn.execute("select mmdb.embed('red', 'hash')")
    assert caught.value.diag.message_hint == "it embeds: image"
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match="no worker is running"):
        conn.execute("select mmdb.embed('some bytes'::bytea, 'hash')")


def test_bytes_that_the_model_does_not_take_are_refused_by_the_worker(
    conn: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HashEmbedder, "modalities", frozenset({"text"}))
    monkeypatch.setattr("mmdb.worker.run.load", lambda _spec, _cache: HashEmbedder())
    with (
        background(database.url, options=QUICK),
        pytest.raises(pg.DataException, match="the bytes are a PNG image, and the model takes text"),
    ):
        conn.execute("select mmdb.embed(%b::bytea, 'hash')", [picture("red")])
