"""Vectors without a direction, which applications write as placeholders: refused where that can be, last where not.

The cosine distance from a vector of zeros is NaN. Wherever distances and scores are divided, averaged, compared with
the greatest or sorted, the rows that have a vector come as if the others were not there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from pgvector import HalfVector, Vector
from psycopg import errors as pg

from mmdb.analytics.kmeans import write_clusters
from mmdb.database.types import register_types
from mmdb.errors import QueryError
from mmdb.orm.types import as_vector
from mmdb.worker import background
from tests.conftest import Database
from tests.db.conftest import QUICK, Connection, one

ROWS, WIDTH = 4_000, 64
ZEROS = set(range(0, ROWS, 40))
"""The rows that have a vector of zeros in both embeddings."""
PICTURE = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde"
    b"\x00\x00\x00\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)
NOTHING = HalfVector([0.0] * WIDTH)
OPTIONS: list[tuple[str, str]] = [("body", "{}"), ("signs", '{"quantization": "binary"}')]
"""Two embeddings by the same vectors: with an index of the vectors, and with one of their signs."""


@pytest.fixture(scope="module")
def goods(module_database: Database) -> Iterator[Connection]:
    """4,000 rows in 40 clusters, 100 of them with zeros, and a worker for queries."""
    drawn = np.random.default_rng(3)
    vectors = drawn.standard_normal((40, WIDTH))[np.arange(ROWS) % 40] + 0.5 * drawn.standard_normal((ROWS, WIDTH))
    vectors[sorted(ZEROS)] = 0
    with module_database.connect() as conn, background(module_database.url, options=QUICK):
        register_types(conn)
        conn.execute("create table goods (id int primary key, body text, signs text, chance int, "
                     "body_embedding halfvec(64), signs_embedding halfvec(64))")  # fmt: skip
        with conn.cursor() as cursor, cursor.copy("copy goods from stdin") as copy:
            for row, vector in enumerate(vectors):
                half = HalfVector(vector)
                copy.write_row((row, f"row {row}", f"row {row}", row % 97, half, half))
        for name, options in OPTIONS:
            conn.execute(
                "select mmdb.add_embedding('goods', %s, model => 'hash', index_options => %s)", [name, options]
            )
        conn.execute("select mmdb.add_keywords('goods', array['body'])")
        conn.execute("vacuum analyze goods")
        yield conn


def vector_of(conn: Connection, id: int) -> Any:
    return one(conn, "select body_embedding from goods where id = %s", id)


def are_last(ids: list[int]) -> bool:
    """Whether every row without a direction comes after every row that has one."""
    without = [id in ZEROS for id in ids]
    return without == sorted(without)


# k rows while there are k.


@pytest.mark.parametrize("name", [name for name, _ in OPTIONS])
@pytest.mark.parametrize("k", [10, 3_000, 3_900, 3_901, 4_000])
def test_top_has_k_rows_and_those_without_a_direction_last(goods: Connection, name: str, k: int) -> None:
    found = goods.execute(f"select id, distance from goods_top_by_{name}(%s, %s)", [vector_of(goods, 7), k]).fetchall()
    ids = [id for id, _ in found]
    assert len(set(ids)) == k
    assert ids[0] == 7
    assert are_last(ids)
    assert [math.isnan(distance) for _, distance in found] == [id in ZEROS for id in ids]
    numbers = [distance for _, distance in found if not math.isnan(distance)]
    assert numbers == sorted(numbers)
    if k > ROWS - len(ZEROS):
        assert ids[ROWS - len(ZEROS) :] == sorted(ZEROS)[: k - ROWS + len(ZEROS)], "among themselves by key"


@pytest.mark.parametrize("name", [name for name, _ in OPTIONS])
def test_top_under_filters(goods: Connection, name: str) -> None:
    for few in range(1, 97, 12):
        passing = {id for id in range(ROWS) if id % 97 < few}
        for k in (5, len(passing) - 1, len(passing)):
            found = goods.execute(
                f"select id from goods_top_by_{name}(%s, %s, filter => %s)",
                [vector_of(goods, 7), k, json.dumps({"chance": {"lt": few}})],
            ).fetchall()
            ids = [id for (id,) in found]
            assert len(set(ids)) == k
            assert passing.issuperset(ids)
            assert are_last(ids)


def test_pages_have_every_row_once(goods: Connection) -> None:
    seen: list[int] = []
    while True:
        after = seen[-1] if seen else None
        page = goods.execute(
            'select id from goods_top_by_body(%s, 70, filter => \'{"chance": {"lt": 20}}\', after => %s)',
            [vector_of(goods, 7), after],
        ).fetchall()
        if not page:
            break
        seen += [id for (id,) in page]
    assert len(seen) == len(set(seen))
    assert set(seen) == {id for id in range(ROWS) if id % 97 < 20}
    assert are_last(seen)


def test_a_search_view_sorts_them_last(goods: Connection) -> None:
    found = goods.execute("select id from goods_by_body(%s) where chance < 30 order by distance", [vector_of(goods, 7)])
    ids = [id for (id,) in found]
    assert len(ids) > 100
    assert are_last(ids)


# Scores.


def search(conn: Connection, **options: Any) -> list[tuple[int, float, dict[str, Any]]]:
    named = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in options.items()}
    arguments = ", ".join(f"{key} => %({key})s" for key in named)
    return conn.execute(f"select id, score, ranks from goods_search({arguments})", named).fetchall()


NEGATIVE = {"signs": -0.5}
SEARCHES: list[dict[str, Any]] = [
    {},
    {"weights": {"signs": 0, "keywords": 0}},
    {"weights": {"body": 0, "keywords": 0}},
    {"weights": NEGATIVE},
    {"diversity": 0.5},
    {"diversity": 1.0},
]


@pytest.mark.parametrize("options", SEARCHES)
def test_scores_are_numbers_and_those_of_the_other_rows_unchanged(goods: Connection, options: dict[str, Any]) -> None:
    """Among 60 rows, 20 of them without a direction, of which more are asked for than the others are."""
    directed = [id for id in range(1, 41) if id not in ZEROS][:39]
    among = directed + sorted(ZEROS)[:20]
    alone = search(goods, query="some text", k=len(directed), depth=59, within=directed, **options)
    found = search(goods, query="some text", k=len(among), depth=59, within=among, **options)
    assert {id for id, _, _ in found} == set(among)
    assert all(math.isfinite(score) for _, score, _ in found)
    if "diversity" not in options:
        assert [id for id, _, _ in found if id not in ZEROS] == [id for id, _, _ in alone]
        assert [score for _, score, _ in found] == sorted((score for _, score, _ in found), reverse=True)
        legs = {id: ranks for id, _, ranks in alone}
        for id, _, ranks in found:
            for leg in ranks.keys() & {"body", "signs"}:
                assert (ranks[leg]["distance"] is None) == (id in ZEROS)
                assert id in ZEROS or ranks[leg] == legs[id][leg]
        if options.get("weights") != NEGATIVE:
            assert are_last([id for id, _, _ in found])


def test_variety_goes_by_the_rows_that_have_a_direction(goods: Connection) -> None:
    """Of ten rows of one cluster and one of another, with a row of zeros before them, the other one comes second."""
    cluster = list(range(1, ROWS, 40))[:10]
    rows = [*cluster, 2, min(ZEROS)]
    found = goods.execute(
        "select id from goods_like(41, 12, within => %s, weights => '{\"signs\": 0}', diversity => 0.9)", [rows]
    ).fetchall()
    assert len(found) == 11
    assert found[1][0] == 2


def test_find_merges_by_the_distances_that_there_are(goods: Connection) -> None:
    goods.execute("create table others (id int primary key, body text)")
    goods.execute("insert into others select g, 'other ' || g from generate_series(1, 3) g")
    goods.execute("select mmdb.add_embedding('others', 'body', model => 'hash')")
    goods.execute("select mmdb.wait_until_embedded('others')")
    goods.execute("update others set body = '', body_embedding = %s where id = 2", [NOTHING])
    found = goods.execute(
        "select relation::text, key, score from mmdb.find('other 1', k => 4003, "
        "relations => array['others', 'goods']::regclass[])"
    ).fetchall()
    assert len(found) == 4003
    assert found[0][:2] == ("others", "1")
    assert all(math.isfinite(score) for _, _, score in found)
    last = {(relation, int(key)) for relation, key, _ in found[-len(ZEROS) - 1 :]}
    assert last == {("others", 2)} | {("goods", id) for id in ZEROS}


# Rows and vectors as queries.


def test_a_row_of_zeros_is_like_one_that_is_not_embedded(goods: Connection) -> None:
    with pytest.raises(
        pg.ObjectNotInPrerequisiteState, match=r'row "40" of table public\.goods is not embedded'
    ) as error:
        goods.execute("select * from goods_like(40)")
    assert "a vector of zeros" in (error.value.diag.message_hint or "")


def test_examples_of_zeros_have_no_say(goods: Connection) -> None:
    call = "select id, score from goods_recommend(%s, %s, k => 20)"
    with_zeros = goods.execute(call, [[3, 5, 40], [9, 80]]).fetchall()
    assert with_zeros == goods.execute(call, [[3, 5], [9]]).fetchall()


@pytest.mark.parametrize("call", ["goods_top_by_body(%s::halfvec)", "goods_top_by_signs(%s::halfvec)"])
def test_a_query_of_zeros_is_refused(goods: Connection, call: str) -> None:
    with pytest.raises(psycopg.DataError, match="no direction: all of it is zero"):
        goods.execute(f"select * from {call}", [NOTHING])


def test_a_query_that_cancels_itself_out_is_refused(goods: Connection) -> None:
    """Of a model to which a text and a picture may be the very same; with `hash` they are made so."""
    goods.execute("select mmdb.embed('a red shoe', 'hash'), mmdb.embed(%s::bytea, 'hash')", [PICTURE])
    goods.execute("update mmdb.requests set embedding = mmdb.embed('a red shoe', 'hash')::real[]")
    call = "select id from goods_search('a red shoe', %s, weights => %s)"
    with pytest.raises(pg.InvalidParameterValue, match='cancel each other out in embedding "body"'):
        goods.execute(call, [PICTURE, '{"image": -1}'])
    assert len(goods.execute(call, [PICTURE, '{"image": -0.5}']).fetchall()) == 10


# Pairs, groups, labels, recall.


@pytest.mark.parametrize("name", [name for name, _ in OPTIONS])
def test_neighbours(goods: Connection, name: str) -> None:
    found = goods.execute(
        "select left_key::int, right_key::int, distance, rank from mmdb.neighbours('goods', %s, 'goods', %s, k => 5, "
        "upto => '200')", [name, name],
    ).fetchall()  # fmt: skip
    assert {left for left, _, _, _ in found} == set(range(201)) - ZEROS, "what has no direction is near to nothing"
    assert len(found) == 5 * len(set(range(201)) - ZEROS)
    assert all(math.isfinite(distance) for _, _, distance, _ in found)


def test_neighbours_among_too_few(goods: Connection) -> None:
    """Rows of zeros fill up, behind the others."""
    found = goods.execute(
        "select right_key::int from mmdb.neighbours('goods', 'body', 'goods', 'body', k => 5, upto => '1', "
        "filter => '{\"id\": {\"in\": [0, 40, 80, 1, 2, 3]}}') where left_key = '1' order by rank"
    ).fetchall()
    ids = [id for (id,) in found]
    assert set(ids[:2]) == {2, 3}
    assert ids[2:] == [0, 40, 80] or set(ids[2:]) == {0, 40, 80}


def test_two_rows_of_zeros_are_no_duplicates(goods: Connection) -> None:
    for most in ("0.5", "2", "'infinity'"):
        found = goods.execute(
            f"select key_a::int, key_b::int from mmdb.near_duplicates('goods', 'body', {most}, upto => '300')"
        ).fetchall()
        assert found
        assert not ZEROS & {key for pair in found for key in pair}


def test_groups_are_those_of_the_rows_that_have_a_direction(goods: Connection) -> None:
    made = write_clusters(goods, "goods", "body", k=39, into="groups", replace=True)
    assert sum(cluster.rows for cluster in made) == ROWS - len(ZEROS)
    assert one(goods, "select count(*) from groups where id %% 40 = %s", 0) == 0
    assert one(goods, "select count(*) from groups_centroids where not mmdb.has_direction(centroid)") == 0


def test_a_label_of_a_row_of_zeros_is_refused_with_a_remedy(goods: Connection) -> None:
    classify = (
        "select c.label from goods p, mmdb.classify(p.body_embedding, array['a', 'b'], 'hash') c where p.id <= 40"
    )
    with pytest.raises(pg.DataException, match="no direction") as error:
        goods.execute(classify)
    assert "mmdb.has_direction" in (error.value.diag.message_hint or "")
    found = goods.execute(f"{classify} and mmdb.has_direction(p.body_embedding)").fetchall()
    assert len(found) == 2 * len(set(range(41)) - ZEROS)


def test_recall_counts_them_as_found(goods: Connection) -> None:
    goods.execute(
        "create function public.nearest_few(query halfvec) returns table (id int, distance float8) language sql stable "
        "as 'select id, distance from goods_top_by_body(query, 500, within => "
        "array(select g.id from goods g where g.chance < 10))'"
    )
    samples = json.dumps([[vector_of(goods, id).to_text()] for id in (7, 8, 9)])
    recall, short = one(goods, "select recall, short from mmdb.recall('nearest_few(halfvec)', %s)", samples)
    assert (recall, short) == (1, 0)


def test_comparing_models_takes_them_as_they_are(goods: Connection) -> None:
    goods.execute("create table compared (id int primary key, body text)")
    goods.execute("insert into compared select g, 'row ' || g from generate_series(1, 20) g")
    goods.execute("select mmdb.add_embedding('compared', 'body', model => 'hash')")
    goods.execute("select mmdb.wait_until_embedded('compared')")
    goods.execute("update compared set body = '', body_embedding = %s where id > 15", [NOTHING])
    only_now, overlap = one(
        goods,
        "select c.only_now, c.overlap from mmdb.embeddings e, mmdb.compare_query(e, e, "
        "array[mmdb.embed('row 3', 'hash'), mmdb.embed('row 3', 'hash')], 20, null) c "
        "where e.relation = 'compared'::regclass",
    )
    assert (only_now, overlap) == ([], 1)


# Refused where they can be.


def test_an_adopted_column_is_looked_through(conn: Connection) -> None:
    said: list[tuple[str, str]] = []
    conn.add_notice_handler(lambda notice: said.append((notice.message_primary or "", notice.message_hint or "")))
    conn.execute("create table notes (id int primary key, body text, body_embedding halfvec(64))")
    conn.execute(
        "insert into notes select g, 'note', array_fill(g % 2, array[64])::vector from generate_series(1, 9) g"
    )
    conn.execute("select mmdb.add_embedding('notes', 'body', model => 'hash')")
    message, hint = said[-1]
    assert message == 'column "body_embedding" of table public.notes has 4 vectors of zeros, which searches return last'
    conn.execute(hint.partition(": ")[2])
    assert one(conn, "select count(*) from notes where body_embedding is null") == 4


@pytest.mark.parametrize(
    "value",
    [
        [0.0] * 8,
        np.zeros(8, np.float32),
        HalfVector([0.0] * 8),
        Vector([0.0] * 8),
        np.full(8, 1e-9),
        [float("nan")] * 8,
        [float("inf"), *[0.0] * 7],
    ],
)
def test_python_sends_no_vector_without_a_direction(value: Any) -> None:
    with pytest.raises(QueryError, match=r"zero|not finite"):
        as_vector(value, 8)
    assert as_vector([1e-7, *[0.0] * 7], 8).any()
