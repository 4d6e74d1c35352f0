"""An empty search box: every road by which one searches finds no rows, and what must give a vector says so."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import psycopg
import pytest
from PIL import Image

import mmdb
from mmdb.errors import EmptyQueryError
from mmdb.media.kinds import is_blank
from mmdb.models.embed.hash import HashEmbedder
from mmdb.operations.search import search
from mmdb.worker import background
from tests.conftest import Database
from tests.db.conftest import QUICK, Connection, one

BLANK = ["", "   ", "\t \r\n", "\u3000", "\u00a0\u200b", "\ufeff"]
ROADS = [
    "goods_by_txt(%s)",
    "goods_by_txt(%s) order by distance limit 3",
    "goods_top_by_txt(%s, 3)",
    'goods_top_by_txt(%s, 3, filter => \'{"id": {"lt": 9}}\', after => 1)',
    "goods_search(%s)",
    "goods_search(%s, weights => '{\"txt\": 0}')",
    "goods_search(%s, weights => '{\"keywords\": 0}', within => array[1, 2])",
    "mmdb.find(%s)",
    "(values (%s)) asked(q) cross join lateral (select id from goods_by_txt(asked.q) order by distance limit 2) near",
    "(values (%s)) asked(q) cross join lateral goods_top_by_txt(asked.q, 2) near",
]


@pytest.fixture(scope="module")
def goods(module_database: Database) -> Iterator[Connection]:
    """Rows with an embedding and keywords, all embedded, and one that waits."""
    with module_database.connect() as conn, background(module_database.url, options=QUICK):
        conn.execute("create table goods (id int primary key, txt text, photo bytea)")
        conn.execute("insert into goods select g, 'text ' || g from generate_series(1, 50) g")
        conn.execute("select mmdb.add_embedding('goods', 'txt', model => 'hash')")
        conn.execute("select mmdb.add_embedding('goods', 'photo', model => 'hash')")
        conn.execute("select mmdb.add_keywords('goods', array['txt'])")
        conn.execute("select mmdb.wait_until_embedded('goods')")
        yield conn


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_no_road_finds_rows(goods: Connection, road: str, mode: str) -> None:
    goods.execute(f"set plan_cache_mode = {mode}".encode())
    for text in BLANK:
        assert goods.execute(f"select * from {road}".encode(), [text], prepare=True).fetchall() == []
    assert goods.execute(f"select * from {road}".encode(), [" text 2\t"], prepare=True).fetchall() != []


@pytest.mark.parametrize("road", ["goods_by_photo", "goods_top_by_photo", "goods_by_txt", "goods_top_by_txt"])
def test_a_query_that_is_null_or_no_bytes_finds_none_either(goods: Connection, road: str) -> None:
    for query in ("null::text", "null::halfvec", "null::bytea", "''::bytea"):
        assert goods.execute(f"select * from {road}({query})".encode()).fetchall() == []


def test_nothing_is_embedded_for_it(goods: Connection) -> None:
    plan = goods.execute("explain (analyze, costs off) select * from goods_by_txt(' ') order by distance").fetchall()
    assert any("One-Time Filter: false" in line for (line,) in plan)
    assert any("never executed" in line for (line,) in plan)


def test_a_picture_is_searched_for_where_the_text_is_empty(goods: Connection) -> None:
    picture = BytesIO()
    Image.new("RGB", (2, 2), "red").save(picture, "PNG")
    goods.execute("update goods set photo = %s where id = 7", [picture.getvalue()])
    goods.execute("select mmdb.wait_until_embedded('goods')")
    for texts in ("'  '", "''", "null"):
        found = goods.execute(
            f"select id from goods_search({texts}, %s, k => 1, weights => %s)".encode(),
            [picture.getvalue(), '{"txt": 0}'],
        )
        assert found.fetchall() == [(7,)]
    assert goods.execute("select id from goods_search('text 3', ''::bytea, k => 1)").fetchall() == [(3,)]
    assert goods.execute("select id from goods_search(image => ''::bytea)").fetchall() == []
    assert goods.execute("select id from goods_search(' ', images => array[''::bytea])").fetchall() == []


def test_other_mistakes_are_said_all_the_same(goods: Connection) -> None:
    for options in ("k => 0", "filter => '{\"nix\": 1}'", "weights => '{\"nix\": 1}'"):
        with pytest.raises(psycopg.Error):
            goods.execute(f"select * from goods_search('', {options})".encode())


def test_a_prompt_without_a_question_is_empty(goods: Connection) -> None:
    assert one(goods, "select mmdb.context(' ')") == ""


@pytest.mark.parametrize(
    "call",
    [
        "mmdb.embed(' ', 'hash')",
        "mmdb.embed(''::bytea, 'hash')",
        "mmdb.embed_for('goods', 'txt', '')",
        "mmdb.classify((select txt_embedding from goods where id = 1), array['a', ' '], 'hash')",
    ],
)
def test_what_must_give_a_vector_says_so(goods: Connection, call: str) -> None:
    with pytest.raises(psycopg.DataError, match="the query is empty") as raised:
        goods.execute(f"select {call}".encode())
    assert raised.value.sqlstate == EmptyQueryError.sqlstate


def test_the_command_line_and_pipelines(goods: Connection) -> None:
    assert search(goods, "goods", " ", embedding="txt").rows == []
    for text in BLANK:
        with pytest.raises(EmptyQueryError, match="query 1 is empty"):
            mmdb.embed_batch(["a", text], HashEmbedder(), purpose="query")


def test_blank_is_the_same_in_both_languages(goods: Connection) -> None:
    numbers = [number for number in range(1, 0x10000) if not 0xD800 <= number <= 0xDFFF]
    by_sql = one(goods, "select array_agg(n) from unnest(%s::int[]) n where mmdb.is_blank(chr(n))", numbers)
    assert by_sql == [number for number in numbers if is_blank(chr(number))]
