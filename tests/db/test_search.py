"""T_search: words and embeddings, fused by reciprocal rank, with the filter inside every leg."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from mmdb.worker import background
from tests.conftest import Database, MakeRole
from tests.db.conftest import QUICK, Connection

TEXTS = [
    "red running shoes", "blue winter boots", "a red cup for coffee", "the coffee machine", "running in winter",
    "shoes and boots", "red wine", "winter coffee", "a machine for shoes", "blue cup",
]  # fmt: skip
CHINESE = [
    "红色跑鞋",
    "蓝色冬靴",
    "红色咖啡杯",
    "咖啡机",
    "冬天跑步",
    "鞋子和靴子",
    "红酒",
    "冬季咖啡",
    "制鞋机",
    "蓝色杯子",
]


@pytest.fixture(scope="module")
def goods(module_database: Database) -> Iterator[Connection]:
    """Ten rows with two embeddings and words in two languages; a worker for queries."""
    with module_database.connect() as conn, background(module_database.url, options=QUICK):
        conn.execute("create table goods (id int primary key, txt text, zh text, price int)")
        conn.execute("select name from mmdb.add_embedding('goods', 'txt', model => 'hash')")
        conn.execute("select name from mmdb.add_embedding('goods', 'zh', model => 'hash')")
        conn.execute("select name from mmdb.add_keywords('goods', array['txt'], 'english', name => 'words')")
        conn.execute("select name from mmdb.add_keywords('goods', array['zh'], 'chinese', name => 'characters')")
        for number, (text, zh) in enumerate(zip(TEXTS, CHINESE, strict=True), 1):
            conn.execute("insert into goods values (%s, %s, %s, %s)", [number, text, zh, number * 10])
        conn.execute("select mmdb.wait_until_embedded('goods')")
        yield conn


def search(conn: Connection, query: str | None, **options: Any) -> list[tuple[int, float, dict[str, Any]]]:
    named = {
        key: json.dumps(value) if key in ("filter", "weights") and value is not None else value
        for key, value in options.items()
    }
    arguments = "".join(f", {key} => %({key})s" for key in named)
    return conn.execute(
        f"select id, score, ranks from goods_search(%(query)s{arguments})", {"query": query, **named}
    ).fetchall()


def ids(conn: Connection, query: str | None, **options: Any) -> list[int]:
    return [id for id, _, _ in search(conn, query, **options)]


WORDS = {"txt": 0, "zh": 0, "characters": 0}
CHARACTERS = {"txt": 0, "zh": 0, "words": 0}


def test_words_alone(goods: Connection) -> None:
    assert set(ids(goods, "coffee", weights=WORDS)) == {3, 4, 8}
    assert ids(goods, "red shoes", weights=WORDS)[0] == 1, "both words"
    assert set(ids(goods, '"red cup"', weights=WORDS)) == {3}
    assert set(ids(goods, "coffee -machine", weights=WORDS)) == {3, 8}
    assert ids(goods, "nothing of that", weights=WORDS) == []


def test_languages_without_spaces(goods: Connection) -> None:
    assert set(ids(goods, "咖啡", weights=CHARACTERS)) == {3, 4, 8}
    assert set(ids(goods, "鞋", weights=CHARACTERS)) == {1, 6, 9}
    assert ids(goods, "红色咖啡杯", weights=CHARACTERS)[0] == 3


def test_legs_are_fused_and_say_why(goods: Connection) -> None:
    (id, score, ranks), *others = search(goods, "red running shoes")
    assert id == 1
    assert set(ranks) >= {"txt", "words", "zh"}
    assert ranks["txt"]["rank"] == 1
    assert ranks["txt"]["distance"] == pytest.approx(0, abs=1e-3)
    assert ranks["words"]["rank"] == 1
    assert score == pytest.approx(sum(leg["score"] for leg in ranks.values()))
    assert [row[1] for row in others] == sorted((row[1] for row in others), reverse=True)
    assert len(others) == 9


def test_the_recipe_in_plain_sql_gives_the_same(goods: Connection) -> None:
    """As the documentation has it."""
    recipe = """
    with txt as (select id, rank() over w as place, 1 - distance / max(distance) over () as nearness
                 from goods_top_by_txt(%(q)s, 30) window w as (order by distance, id)),
         zh as (select id, rank() over w as place, 1 - distance / max(distance) over () as nearness
                from goods_top_by_zh(%(q)s, 30) window w as (order by distance, id)),
         matching as (select id, ts_rank_cd(to_tsvector('english', txt), q, 32) as closeness
                      from goods, mmdb.words_query('english', %(q)s) q where to_tsvector('english', txt) @@ q),
         words as (select id, row_number() over (order by closeness desc, array[id]::text) as place,
                          1 - count(*) over () / 30.0 * min(closeness) over () / closeness as nearness
                   from matching),
         meaning as (select * from txt union all select * from zh),
         found as (select id, place, (nearness / max(nearness) over ()) ^ 1.5 as nearness from meaning
                   union all select * from words)
    select id, mmdb.rrf(place, 0.1 + 0.9 * nearness) as score
    from found group by id order by score desc, array[id]::text limit 5
    """
    for query in ("red running shoes", "coffee"):
        by_hand = goods.execute(recipe, {"q": query}).fetchall()
        fused = search(goods, query, k=5, depth=30, weights={"characters": 0})
        assert [id for id, _ in by_hand] == [id for id, _, _ in fused]
        assert [score for _, score in by_hand] == pytest.approx([score for _, score, _ in fused])


def test_weights(goods: Connection) -> None:
    assert ids(goods, "the coffee machine", k=1, weights={"words": 0, "zh": 0, "characters": 0}) == [4]
    plain = ids(goods, "red wine")
    without = ids(goods, "red wine", weights={"words": -3})
    assert plain[0] == 7
    assert without[0] != 7
    assert len(without) == 10, "a negative leg pushes down and takes nothing away"


def test_filters_within_and_k(goods: Connection) -> None:
    assert set(ids(goods, "coffee", filter={"price": {"gte": 50}})) == {5, 6, 7, 8, 9, 10}
    assert set(ids(goods, "coffee", within=[3, 4])) == {3, 4}
    assert len(ids(goods, "coffee", k=3)) == 3
    assert ids(goods, "coffee", filter={"price": 7}) == []


def test_a_text_and_a_picture(goods: Connection) -> None:
    """The model `hash` takes any bytes for a picture only where they are one."""
    picture = (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde"
        b"\x00\x00\x00\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
    )
    assert len(ids(goods, None, image=picture)) == 10
    assert len(ids(goods, None, images=[picture, picture])) == 10
    both = ids(goods, "red wine", image=picture, weights={"image": 0.1})
    assert both[0] == 7
    only = {"query": -1, "image": 0.1, "zh": 0, "words": 0, "characters": 0}
    away = ids(goods, "red wine", image=picture, weights=only)
    assert away[-1] == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query": None}, "nothing to search for"),
        ({"query": "x", "k": 0}, "k is 0"),
        ({"query": "x", "k": 20_000}, "k is 20000"),
        ({"query": "x", "depth": 3}, "depth is 3, less than k"),
        ({"query": "x", "weights": {"nix": 1}}, 'no leg "nix" to weigh'),
        ({"query": "x", "weights": {"txt": "much"}}, 'the weight of "txt" is "much"'),
        ({"query": "x", "weights": [1, 2]}, r"weights are an object, not \[1, 2\]"),
        ({"query": "x", "weights": {"txt": -1, "zh": 0, "words": 0, "characters": 0}}, "nothing to search for"),
        ({"query": "x", "filter": {"nix": 1}}, 'no column "nix"'),
    ],
)
def test_mistakes(goods: Connection, options: dict[str, Any], message: str) -> None:
    with pytest.raises((pg.InvalidParameterValue, pg.UndefinedColumn), match=message):
        search(goods, **options)


def test_a_picture_that_is_none(goods: Connection) -> None:
    with pytest.raises(psycopg.DataError, match="could not be embedded"):
        search(goods, None, image=b"no picture")


def test_row_policies_hold_in_every_leg(goods: Connection, module_database: Database, make_role: MakeRole) -> None:
    role = make_role("reader")
    goods.execute(f"grant mmdb_user to {role.name}; grant select on goods to {role.name}")
    goods.execute(f"create policy cheap on goods using (price <= 30 or current_user <> '{role.name}')")
    goods.execute("alter table goods enable row level security")
    try:
        with role.connect(module_database) as reader:
            assert set(ids(reader, "coffee")) == {1, 2, 3}
            assert set(ids(reader, "coffee", weights=WORDS)) == {3}
    finally:
        goods.execute("drop policy cheap on goods; alter table goods disable row level security")
        goods.execute(f"drop owned by {role.name}")


def test_a_leg_that_is_sure_outvotes_one_that_is_not(module_database: Database) -> None:
    """The second embedding knows nothing of the query; by ranks alone its best row would tie with the right one."""
    with module_database.connect() as conn, background(module_database.url, options=QUICK):
        conn.execute("create table noisy (id int primary key, said text, noise text)")
        conn.execute("select name from mmdb.add_embedding('noisy', 'said', model => 'hash')")
        conn.execute("select name from mmdb.add_embedding('noisy', 'noise', model => 'hash')")
        conn.execute("insert into noisy select g, 'said ' || g, 'noise ' || g from generate_series(1, 200) g")
        conn.execute("select mmdb.wait_until_embedded('noisy')")
        for number in range(1, 200, 20):
            query = f"said {number}"
            first, second = conn.execute("select id, score, ranks from noisy_search(%s, k => 2)", [query]).fetchall()
            assert first[0] == number
            assert first[1] > 1.5 * second[1]


def test_words_that_few_rows_have_say_more(module_database: Database) -> None:
    with module_database.connect() as conn, background(module_database.url, options=QUICK):
        conn.execute("create table parts (id int primary key, title text)")
        conn.execute("select name from mmdb.add_embedding('parts', 'title', model => 'hash')")
        conn.execute("select name from mmdb.add_keywords('parts', array['title'], 'simple')")
        conn.execute("insert into parts select g, 'the part ' || g || 'x' from generate_series(1, 200) g")
        conn.execute("select mmdb.wait_until_embedded('parts')")
        statement = (
            "select (ranks -> 'keywords' ->> 'score')::float from parts_search(%s, k => 1, weights => '{\"title\": 0}')"
        )
        rare, common = (conn.execute(statement, [query]).fetchone() for query in ("77x", "part"))
        assert rare is not None
        assert common is not None
        assert rare[0] > 5 * common[0]


def test_a_function_of_somebody_elses_is_not_shadowed(conn: Connection) -> None:
    conn.execute("create table notes (id int primary key, title text)")
    conn.execute("create function notes_search(text) returns int language sql as 'select 1'")
    with pytest.raises(pg.DuplicateFunction, match="notes_search"):
        conn.execute("select mmdb.add_embedding('notes', 'title', model => 'hash')")
    conn.execute("select name from mmdb.add_embedding('notes', 'title', model => 'hash', prefix => 'our_notes')")
    assert conn.execute("select count(*) from pg_proc where proname = 'our_notes_search'").fetchone() == (1,)
