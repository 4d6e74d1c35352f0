"""Embeddings over several sources with weights: one vector a row, in step with each of its sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import errors as pg

from mmdb.media.image import decode_image
from mmdb.models.embed.base import Item, Vectors
from mmdb.models.embed.hash import HashEmbedder
from mmdb.worker import Totals, background
from mmdb.worker.values import Row
from tests.conftest import Database
from tests.db.conftest import PATIENCE, QUICK, Gate, hash_task, picture, registered, until

Connection = psycopg.Connection[Any]
Drain = Callable[[], Totals]
WEIGHTS = (0.7, 0.3)


def mixed(sources: Sequence[str | bytes | None], weights: Sequence[float] = WEIGHTS) -> Vectors:
    """The weighted sum of the sources that are there, of unit length."""
    there = [(source, weight) for source, weight in zip(sources, weights, strict=True) if source is not None]
    items: list[Item] = [decode_image(source) if isinstance(source, bytes) else source for source, _ in there]
    total = np.asarray([weight for _, weight in there]) @ HashEmbedder().embed(items).astype(np.float64)
    return np.asarray(total / np.linalg.norm(total), np.float32)


def declare(conn: Connection, weights: str = "{0.7,0.3}") -> None:
    conn.execute(
        "select mmdb.add_embedding('goods', array['title', 'photo'], model => 'hash', name => 'good', weights => %s)",
        (weights,),
    )


def check(conn: Connection, weights: Sequence[float] = WEIGHTS) -> None:
    """Every row that has a source has the vector of its sources."""
    found = conn.execute("select title, photo, good_embedding::real[] from goods order by id").fetchall()
    for title, photo, vector in found:
        if title is None and photo is None:
            assert vector is None
        else:
            assert vector is not None, f'"{title}" is pending'
            np.testing.assert_allclose(vector, mixed((title, photo), weights), atol=1e-3)


@pytest.fixture
def goods(conn: Connection) -> Connection:
    conn.execute("create table goods (id int primary key, title text, photo bytea, price int not null default 1)")
    rows = [(1, "red", picture("red")), (2, "blue", None), (3, None, picture("green")), (4, None, None)]
    conn.cursor().executemany("insert into goods values (%s, %s, %s)", rows)
    declare(conn)
    return conn


def test_the_weighted_sum_of_what_is_there(goods: Connection, drain: Drain) -> None:
    assert drain() == Totals(stored=3, failed=0)
    check(goods)
    row = goods.execute("select modality, weights, source_modalities from mmdb.embeddings").fetchone()
    assert row == ("mixed", [0.7, 0.3], ["text", "image"])
    assert goods.execute("select drift from mmdb.status").fetchone() == (None,)


def test_a_change_of_either_source_makes_the_row_pending(goods: Connection, drain: Drain) -> None:
    drain()
    for change in ("title = 'crimson'", "photo = null", "title = null", "title = 'again'"):
        goods.execute(f"update goods set {change} where id = 1")
        assert goods.execute("select good_embedding from goods where id = 1").fetchone() == (None,)
        drain()
        check(goods)
    goods.execute("update goods set price = 2")
    assert goods.execute("select count(*) from goods where good_embedding is null").fetchone() == (1,)
    goods.execute("update goods set photo = %s where id = 4", (picture("white"),))
    assert drain() == Totals(stored=1, failed=0)
    check(goods)


def test_a_source_that_changes_while_it_is_embedded(goods: Connection, database: Database, gate: Gate) -> None:
    with background(database.url, options=QUICK):
        assert gate.entered.wait(PATIENCE)
        goods.execute("update goods set title = 'changed' where id = 1")
        goods.execute("update goods set photo = %s where id = 3", (picture("black"),))
        goods.execute("update goods set price = 7 where id = 2")
        gate.go_on.set()
        until(lambda: goods.execute("select count(*) from goods where good_embedding is null").fetchone() == (1,))
    check(goods)
    assert gate.seen.count("blue") == 1, "an unrelated change costs no second embedding"


@pytest.mark.parametrize("change", ["title = 'other'", "photo = null", "title = null", "photo = 'x'", "price = 9"])
def test_only_the_sources_that_were_loaded_are_stored(goods: Connection, database: Database, change: str) -> None:
    with registered(database) as steps:
        task = hash_task(steps)
        steps.claim(task, steps.page(task, None, 10))
        source = next(source for source in steps.load(task, ["{1}"], [10**6, 10**6]))
        goods.execute(f"update goods set {change} where id = 1")
        row = Row(source.key, source.state, source.hash)
        (outcome,) = steps.store(task, [row], np.ones((1, 64), np.float32))
        assert outcome.outcome == ("stored" if change.startswith("price") else "changed")


def test_moving_bytes_from_one_source_to_the_other_is_a_change(conn: Connection, database: Database) -> None:
    conn.execute("create table goods (id int primary key, title text, photo text)")
    conn.execute("insert into goods values (1, 'ab', null)")
    declare(conn)
    with registered(database) as steps:
        task = hash_task(steps)
        hashes = []
        for title, photo in (("ab", None), (None, "ab"), ("a", "b"), ("ab", "")):
            conn.execute("update goods set title = %s, photo = %s", (title, photo))
            hashes.append(steps.load(task, ["{1}"], [100, 100])[0].hash)
    assert len(set(hashes)) == 4


def test_a_bad_source_is_its_rows_failure_and_named(goods: Connection, drain: Drain) -> None:
    goods.execute(
        "insert into goods values (5, 'fine', 'no picture'), (6, ' ', null), (7, ' ', %s), (9, '', null)",
        (picture("red"),),
    )
    goods.execute("insert into goods values (8, repeat('x', 1000001), %s)", (picture("red"),))
    assert drain() == Totals(stored=4, failed=3)
    failures = goods.execute("select key, error from mmdb.failures order by key").fetchall()
    assert [key for key, _ in failures] == [["5"], ["6"], ["8"]]
    assert 'source "photo": ' in failures[0][1]
    assert "the text is empty" in failures[1][1]
    assert 'source "title": the source has 1000001 bytes, more than the limit of 1000000' in failures[2][1]
    goods.execute("update goods set photo = null where id = 5")
    assert drain() == Totals(stored=1, failed=0)


def test_a_source_that_the_model_refuses_is_named(goods: Connection, drain: Drain, gate: Gate) -> None:
    class Choosy(HashEmbedder):
        def embed_batch(self, modality: Any, items: Any, purpose: Any) -> Vectors:
            if "red" in items:
                raise ValueError("not red")
            return super().embed_batch(modality, items, purpose)

    gate.go_on.set()
    gate.embed_batch = Choosy().embed_batch  # type: ignore[method-assign]
    assert drain() == Totals(stored=2, failed=1)
    error = goods.execute("select error from mmdb.failures").fetchone()
    assert error == ('source "title": the model failed: ValueError: not red',)


def test_sources_that_cancel_out_are_their_rows_failure(goods: Connection, drain: Drain, gate: Gate) -> None:
    goods.execute("delete from goods where id > 2")

    def opposite(modality: str, items: Sequence[Item], purpose: str) -> Vectors:
        return np.full((len(items), 64), 1 if modality == "text" else -1, np.float32)

    gate.go_on.set()
    gate.embed_batch = opposite  # type: ignore[method-assign]
    goods.execute("select mmdb.drop_embedding('goods', 'good')")
    declare(goods, "{1,1}")
    assert drain() == Totals(stored=1, failed=1)
    error = goods.execute("select error from mmdb.failures").fetchone()
    assert error is not None
    assert "cancel each other out" in error[0]


def test_more_rows_than_a_batch_and_several_pictures(conn: Connection, drain: Drain) -> None:
    conn.execute("create table goods (id int primary key, title text, photo bytea, back bytea)")
    colours = [f"#{g:02x}{255 - g:02x}80" for g in range(150)]
    rows = [
        (g, f"t{g}" if g % 3 else None, picture(c), picture(c[::1]) if g % 2 else None) for g, c in enumerate(colours)
    ]
    conn.cursor().executemany("insert into goods values (%s, %s, %s, %s)", rows)
    conn.execute(
        "select mmdb.add_embedding('goods', array['title', 'photo', 'back'], model => 'hash', name => 'good', "
        "weights => '{2,1,0.5}')"
    )
    assert drain() == Totals(stored=150, failed=0)
    for title, photo, back, vector in conn.execute("select title, photo, back, good_embedding::real[] from goods"):
        np.testing.assert_allclose(vector, mixed((title, photo, back), (2, 1, 0.5)), atol=1e-3)


def test_texts_with_weights_are_not_joined(conn: Connection, drain: Drain) -> None:
    conn.execute("create table goods (id int primary key, title text, photo varchar(20))")
    conn.execute("insert into goods values (1, 'a', 'b'), (2, 'a', ''), (3, null, 'b')")
    declare(conn)
    assert drain() == Totals(stored=3, failed=0)
    conn.execute("update goods set photo = null where id = 2")
    drain()
    check(conn)


def test_search_by_text_and_by_picture_finds_the_row(goods: Connection, drain: Drain, worker: None) -> None:
    until(lambda: goods.execute("select count(*) from goods where good_embedding is null").fetchone() == (1,))
    for query in ("red", picture("red")):
        found = goods.execute("select id from goods_top_by_good(%b, 1)", (query,)).fetchone()
        assert found == (1,)
    assert goods.execute("select id from goods_search(%s, %b, 1)", ("red", picture("red"))).fetchone() == (1,)


def test_partitions(conn: Connection, drain: Drain) -> None:
    conn.execute("create table goods (id int primary key, title text, photo bytea) partition by range (id)")
    conn.execute("create table goods_1 partition of goods for values from (0) to (2)")
    conn.execute("create table goods_2 partition of goods for values from (2) to (9)")
    conn.execute("insert into goods values (1, 'red', %s), (2, 'blue', null)", (picture("red"),))
    declare(conn)
    assert drain() == Totals(stored=2, failed=0)
    conn.execute("update goods_1 set photo = null")
    assert drain() == Totals(stored=1, failed=0)
    check(conn)


def test_another_model_keeps_the_weights(goods: Connection, drain: Drain) -> None:
    drain()
    goods.execute("""select mmdb.add_model('other', backend, model, 32, modalities, '{"dimensions": 32}')
                     from mmdb.models where name = 'hash'""")
    goods.execute("select mmdb.change_model('goods', 'good', 'other')")
    found = goods.execute("select distinct weights, source_modalities, modality from mmdb.embeddings").fetchall()
    assert found == [([0.7, 0.3], ["text", "image"], "mixed")]


def test_a_renamed_source_and_a_refresh(goods: Connection, drain: Drain) -> None:
    drain()
    goods.execute("alter table goods rename title to caption")
    drift = goods.execute("select drift from mmdb.status").fetchone()
    assert drift is not None
    assert "renamed" in drift[0]
    goods.execute("select mmdb.refresh('goods')")
    assert goods.execute("select sources, weights from mmdb.embeddings").fetchone() == (
        ["caption", "photo"],
        [0.7, 0.3],
    )
    goods.execute("update goods set caption = 'new' where id = 1")
    assert drain() == Totals(stored=1, failed=0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ("'{title,photo}'::text[], weights => '{1}'", pg.InvalidParameterValue, "expected one for each of 2 sources"),
        (
            "'{title,photo}'::text[], weights => '{1,2,3}'",
            pg.InvalidParameterValue,
            "expected one for each of 2 sources",
        ),
        (
            "'{title,photo}'::text[], weights => '{1,null}'",
            pg.InvalidParameterValue,
            "expected one for each of 2 sources",
        ),
        (
            "'{title,photo}'::text[], weights => '{{1},{2}}'",
            pg.InvalidParameterValue,
            "expected one for each of 2 sources",
        ),
        ("'{title,photo}'::text[], weights => '{}'", pg.InvalidParameterValue, "expected one for each of 2 sources"),
        (
            "'{title,photo}'::text[], weights => '{1,0}'",
            pg.InvalidParameterValue,
            'weight "0" is not a positive number',
        ),
        (
            "'{title,photo}'::text[], weights => '{1,-1}'",
            pg.InvalidParameterValue,
            'weight "-1" is not a positive number',
        ),
        (
            "'{title,photo}'::text[], weights => '{1,nan}'",
            pg.InvalidParameterValue,
            'weight "NaN" is not a positive number',
        ),
        ("'{title,photo}'::text[], weights => '{1,inf}'", pg.InvalidParameterValue, 'weight "Infinity" is not'),
        ("'{title,photo}'::text[], weights => '{1e9,1}'", pg.InvalidParameterValue, "a million times apart"),
        ("'{title,photo}'::text[], weights => '{1e308,1e-300}'", pg.InvalidParameterValue, "a million times apart"),
        ("'{title}'::text[], weights => '{1}'", pg.InvalidParameterValue, "here is one"),
        ("'title'::text, weights => '{1}'", pg.InvalidParameterValue, "here is one"),
        ("'{title,title}'::text[], weights => '{1,2}'", pg.InvalidParameterValue, "name a column twice"),
        ("'{title,photo}'::text[]", pg.DatatypeMismatch, "give each source a weight"),
        ("'{photo,back}'::text[]", pg.InvalidParameterValue, "give each source a weight"),
        (
            "'{title,uri}'::text[], modality => 'image', weights => '{1,2}'",
            pg.FeatureNotSupported,
            "by URI take no weights",
        ),
        ("'{title,price}'::text[], weights => '{1,2}'", pg.DatatypeMismatch, "has type integer"),
        ("'{title,nix}'::text[], weights => '{1,2}'", pg.UndefinedColumn, "nix"),
        ("'{photo,back,b,c,d}'::text[], weights => '{1,1,1,1,1}'", pg.ProgramLimitExceeded, "5 sources are pictures"),
        ("'{title,photo}'::text[], model => 'texts', weights => '{1,1}'", pg.FeatureNotSupported, 'modality "image"'),
    ],
)
def test_bad_input(conn: Connection, arguments: str, error: type[Exception], message: str) -> None:
    conn.execute("""create table goods (id int primary key, title text, photo bytea, back bytea, b bytea,
                                        c bytea, d bytea, uri text, price int)""")
    conn.execute(
        "select mmdb.add_model('texts', backend, model, 64, '{text}', '{}') from mmdb.models where name = 'hash'"
    )
    with pytest.raises(error) as raised:
        conn.execute(f"select mmdb.add_embedding('goods', {arguments})")
    diagnosis = raised.value.diag  # type: ignore[attr-defined]
    assert message in f"{diagnosis.message_primary} {diagnosis.message_hint}"
    assert conn.execute("select count(*) from mmdb.embeddings").fetchone() == (0,)
