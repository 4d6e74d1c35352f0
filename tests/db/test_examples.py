"""T_like and T_recommend, variety (`diversity`), and the next page (`after`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import errors as pg

from mmdb.database.types import register_types
from mmdb.install import install
from mmdb.worker import background
from tests.conftest import Database, MakeRole
from tests.db.conftest import QUICK, Connection

ROWS, WIDTH, CLUSTERS = 8000, 64, 40
Floats = NDArray[np.float64]


def made_vectors(seed: int) -> NDArray[np.float16]:
    """Rows in clusters, and among them rows with the very same vector: 100 and 101, 200 to 219."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((CLUSTERS, WIDTH))
    vectors = centers[rng.integers(0, CLUSTERS, ROWS)] + 0.6 * rng.standard_normal((ROWS, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[101], vectors[200:220] = vectors[100], vectors[200]
    made: NDArray[np.float16] = vectors.astype(np.float16)
    return made


LOOKS, TITLES = made_vectors(1), made_vectors(2)


@pytest.fixture(scope="module")
def goods(module_database: Database) -> Iterator[Connection]:
    """8,000 rows with two embeddings, of which a third have only the first."""
    with module_database.connect() as conn:
        register_types(conn)
        conn.execute(
            "create table goods (id int primary key, look text, title text, price int, "
            "look_embedding halfvec(64), title_embedding halfvec(64))"
        )
        conn.execute("select name from mmdb.add_embedding('goods', 'look', model => 'hash')")
        conn.execute("select name from mmdb.add_embedding('goods', 'title', model => 'hash')")
        conn.execute("select name from mmdb.add_keywords('goods', array['title'], 'simple')")
        with conn.cursor() as cursor, cursor.copy("copy goods from stdin (format binary)") as copy:
            copy.set_types(["int4", "text", "text", "int4", "halfvec", "halfvec"])
            for row in range(ROWS):
                titled = row % 3 != 0
                title = f"item {row % 50} of many" if titled else None
                copy.write_row(
                    (row, f"look {row}", title, row * 7 % 100, HalfVector(LOOKS[row]),
                     HalfVector(TITLES[row]) if titled else None)
                )  # fmt: skip
        conn.execute("vacuum analyze goods")
        yield conn


def test_searches_outlive_what_comes_to_their_types(goods: Connection, module_database: Database) -> None:
    """As a migration would: functions hold no record as text, which one attribute more makes unreadable."""
    searches = (
        "select id from goods_by_look(%(look)s::halfvec) order by distance limit 3",
        "select id from goods_top_by_look(%(look)s::halfvec, 3)",
        "select id from goods_search('many', k => 3)",
        "select id from goods_like(5, 3)",
        "select id from goods_recommend(array[5], array[7], 3)",
    )
    look = {"look": str(LOOKS[5].tolist())}
    with background(module_database.url, options=QUICK):
        before = [goods.execute(search, look).fetchall() for search in searches]
        for type_name in ("search_pieces", "leg"):
            goods.execute(f"alter type mmdb.{type_name} add attribute later text")
        try:
            with module_database.connect() as fresh:
                assert [fresh.execute(search, look).fetchall() for search in searches] == before
        finally:
            for type_name in ("search_pieces", "leg"):
                goods.execute(f"alter type mmdb.{type_name} drop attribute later")


def rows(conn: Connection, columns: str, function: str, *arguments: Any, **options: Any) -> list[tuple[Any, ...]]:
    written = ["%s" for _ in arguments] + [f"{key} => %s" for key in options]
    values = [json.dumps(value) if isinstance(value, dict) else value for value in (*arguments, *options.values())]
    return conn.execute(f"select {columns} from goods_{function}({', '.join(written)})", values).fetchall()


def call(conn: Connection, function: str, *arguments: Any, **options: Any) -> list[tuple[Any, ...]]:
    return rows(conn, "id, score, ranks", function, *arguments, **options)


def ids(conn: Connection, function: str, *arguments: Any, **options: Any) -> list[int]:
    return [row[0] for row in rows(conn, "id", function, *arguments, **options)]


def nearest(vector: Any, among: list[int], vectors: NDArray[np.float16] = LOOKS) -> list[int]:
    """The exact answer, of rows by key where the distance is the same."""
    distances = 1 - vectors[among].astype(float) @ np.asarray(vector, float) / np.linalg.norm(
        np.asarray(vector, float)
    ) / np.linalg.norm(vectors[among].astype(float), axis=1)
    return [among[place] for place in np.lexsort((among, np.round(distances, 5)))]


LOOK = {"title": 0}


# T_like.


def test_like_a_row_by_one_embedding(goods: Connection) -> None:
    found = call(goods, "like", 7, 10, weights=LOOK)
    assert [id for id, _, _ in found] == nearest(LOOKS[7], [row for row in range(ROWS) if row != 7])[:10]
    distances = [ranks["look"]["distance"] for _, _, ranks in found]
    assert distances == sorted(distances)
    assert [set(ranks) for _, _, ranks in found] == [{"look"}] * 10
    assert [ranks["look"]["rank"] for _, _, ranks in found] == list(range(1, 11))
    assert found[0][1] == pytest.approx(1 / 61)


def test_like_a_row_by_all_its_embeddings(goods: Connection) -> None:
    """The same as fused by hand over the functions of the embeddings."""
    recipe = """
    with row as (select look_embedding, title_embedding from goods where id = 7),
         look as (select t.id, row_number() over () as place
                  from row, goods_top_by_look(look_embedding, 41) t where t.id <> 7),
         title as (select t.id, row_number() over () as place
                   from row, goods_top_by_title(title_embedding, 41) t where t.id <> 7),
         found as (select id, place, 1.0 as weight from look union all select id, place, 0.9 from title)
    select id, mmdb.rrf(place, weight::float8) as score from found group by id
    order by score desc, array[id]::text limit 10
    """
    by_hand = goods.execute(recipe).fetchall()
    found = call(goods, "like", 7, weights={"title": 0.9}, depth=40)
    assert [(id, pytest.approx(score)) for id, score, _ in found] == by_hand
    assert {leg for _, _, ranks in found for leg in ranks} == {"look", "title"}


def test_like_a_row_that_has_one_embedding_only(goods: Connection) -> None:
    assert {leg for _, _, ranks in call(goods, "like", 9) for leg in ranks} == {"look"}


def test_like_gives_k_rows_that_pass_and_never_the_row_itself(goods: Connection) -> None:
    cheap = [row for row in range(ROWS) if row * 7 % 100 < 3]
    assert (
        ids(goods, "like", 100, 20, {"price": {"lt": 3}}, weights=LOOK)
        == nearest(LOOKS[100], [row for row in cheap if row != 100])[:20]
    )
    assert ids(goods, "like", 7, within=[7, 8, 9], weights=LOOK) == nearest(LOOKS[7], [8, 9])
    assert ids(goods, "like", 7, within=[7]) == []
    for k in (1, 39, 40, 41, 500):
        found = ids(goods, "like", 205, k)
        assert len(found) == len(set(found)) == k
        assert 205 not in found
    assert ids(goods, "like", None) == []


def test_the_index_finds_the_candidates(goods: Connection) -> None:
    scans = (
        "select sum(idx_scan) from pg_stat_user_indexes s join pg_class c on c.oid = s.indexrelid "
        "join pg_am m on m.oid = c.relam where m.amname = 'hnsw' and s.relname = 'goods'"
    )

    def counted(function: str, *arguments: Any, **options: Any) -> int:
        goods.execute("select pg_stat_force_next_flush()")
        before = goods.execute(scans).fetchone()
        ids(goods, function, *arguments, **options)
        goods.execute("select pg_stat_force_next_flush()")
        after = goods.execute(scans).fetchone()
        assert before is not None
        assert after is not None
        return int(after[0] - before[0])

    assert counted("like", 7) == 2
    assert counted("recommend", [7, 8], [10]) == 2
    assert counted("like", 7, diversity=0.5, weights=LOOK) == 1
    query = HalfVector(LOOKS[7])
    assert counted("top_by_look", query, after=ids(goods, "top_by_look", query, 10)[-1]) == 1


def test_keys_of_two_columns(conn: Connection, worker: None) -> None:
    conn.execute("create table pairs (a int, b text, txt text, primary key (a, b))")
    conn.execute("select name from mmdb.add_embedding('pairs', 'txt', model => 'hash')")
    conn.execute("insert into pairs select g, 'it''s ' || g, 'item ' || g from generate_series(1, 20) g")
    conn.execute("select mmdb.wait_until_embedded('pairs')")
    key = "{7,it's 7}"
    found = conn.execute("select a, b from pairs_like(%s, 19)", [key]).fetchall()
    assert len(found) == 19
    assert (7, "it's 7") not in found
    assert conn.execute("select a, b from pairs_recommend(array[%s], k => 19)", [key]).fetchall() == found
    a, b = found[4]
    rest = conn.execute("select a, b from pairs_like(%s, 19, after => %s)", [key, f'{{{a},"{b}"}}']).fetchall()
    assert rest == found[5:]
    for wrong, message in (
        ("{9,x}", 'pairs has no row "9, x"'),
        ("9", "malformed array"),
        ("{9}", 'no row "9"'),
    ):
        with pytest.raises((pg.NoDataFound, pg.InvalidTextRepresentation), match=message):
            conn.execute("select from pairs_like(%s)", [wrong])


def test_odd_names(conn: Connection, worker: None) -> None:
    conn.execute('create table "Odd %s" ("the key" uuid primary key, after text, diversity int)')
    conn.execute("select name from mmdb.add_embedding('\"Odd %s\"', 'after', model => 'hash')")
    conn.execute(b"insert into \"Odd %s\" select gen_random_uuid(), 'item ' || g from generate_series(1, 9) g")
    conn.execute("select mmdb.wait_until_embedded('\"Odd %s\"')")
    statement = (
        b'select count(*) from "Odd %s" o, lateral "Odd %s_like"(o."the key", _diversity => 0.5) l '
        b'where l."the key" <> o."the key"'
    )
    assert conn.execute(statement).fetchone() == (72,)


# T_recommend.


def rocchio(liked: list[int], disliked: list[int], weight: float = 0.2, vectors: NDArray[np.float16] = LOOKS) -> Floats:
    def mean(rows: list[int]) -> Floats:
        chosen = vectors[rows].astype(float)
        found: Floats = (chosen / np.linalg.norm(chosen, axis=1, keepdims=True)).mean(axis=0)
        return found

    return mean(liked) - weight * mean(disliked) if disliked else mean(liked)


def test_recommend_is_rocchio(goods: Connection) -> None:
    """Over the rows that pass a filter, which are measured exactly."""
    for liked, disliked, weight in (([1, 2, 4], [], None), ([1, 2], [5, 7, 8], None), ([1, 2], [5], 0.9)):
        among = [row for row in range(ROWS) if row * 7 % 100 < 5 and row not in liked + disliked]
        weights = LOOK if weight is None else {**LOOK, "disliked": weight}
        found = call(goods, "recommend", liked, disliked or None, 15, {"price": {"lt": 5}}, weights=weights)
        wanted = rocchio(liked, disliked, 0.2 if weight is None else weight)
        expected = nearest(wanted, among)[:15]
        assert [id for id, _, _ in found] == expected
        near = LOOKS[expected[0]].astype(float)
        distance = 1 - near @ wanted / np.linalg.norm(wanted) / np.linalg.norm(near)
        assert found[0][2]["look"]["distance"] == pytest.approx(distance, abs=1e-3)


def test_recommend_from_one_row_is_like_it(goods: Connection) -> None:
    assert call(goods, "recommend", [7]) == call(goods, "like", 7)
    assert call(goods, "recommend", [7, 7, 7])[0][0] == call(goods, "like", 7)[0][0]


def test_examples_are_not_recommended(goods: Connection) -> None:
    liked, disliked = list(range(200, 210)), [210, 211]
    found = ids(goods, "recommend", liked, disliked, 100)
    assert len(found) == len(set(found)) == 100
    assert not set(found) & set(liked + disliked)


def test_an_example_counts_where_it_has_a_vector(goods: Connection) -> None:
    """Row 9 has no title: its look is averaged with that of row 10, the titles are those of row 10 alone."""
    found = call(goods, "recommend", [9, 10], weights={"look": 0})
    assert [id for id, _, _ in found][:5] == [
        row for row in ids(goods, "like", 10, 6, weights={"look": 0}) if row != 9
    ][:5]


# Variety.


def likeness(vectors: Floats) -> Floats:
    normed = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances: Floats = 1 - normed @ normed.T
    scaled: Floats = np.maximum(0, 1 - distances / distances[0].max())
    return scaled


def marginal_relevance(keys: list[int], scores: list[float], diversity: float, wanted: int) -> list[int]:
    """Carbonell and Goldstein, written down once more."""
    relevance = np.array(scores) / scores[0]
    alike = likeness(LOOKS[keys].astype(float))
    chosen = [0]
    while len(chosen) < wanted:
        left = [place for place in range(len(keys)) if place not in chosen]
        values = [(1 - diversity) * relevance[p] - diversity * alike[p][chosen].max() for p in left]
        chosen.append(left[int(np.argmax(np.round(values, 6)))])
    return [keys[place] for place in chosen]


@pytest.mark.parametrize("diversity", [0.1, 0.3, 0.7, 1.0])
def test_diversity_is_maximal_marginal_relevance(goods: Connection, diversity: float) -> None:
    for row in (7, 50, 100, 1234):
        candidates = call(goods, "like", row, 40, depth=40, weights=LOOK)
        expected = marginal_relevance([id for id, _, _ in candidates], [s for _, s, _ in candidates], diversity, 10)
        found = call(goods, "like", row, 10, depth=40, weights=LOOK, diversity=diversity)
        assert [id for id, _, _ in found] == expected
        assert found[0] == candidates[0]
        assert set(map(str, found)) <= set(map(str, candidates)), "with the scores and ranks that they have without"


def test_no_diversity_is_the_order_of_scores(goods: Connection) -> None:
    plain = call(goods, "recommend", [7, 8])
    assert call(goods, "recommend", [7, 8], diversity=0) == plain
    assert call(goods, "recommend", [7, 8], diversity=None) == plain


def test_of_rows_that_are_the_same_one_comes_first(goods: Connection) -> None:
    """200 to 219 are one picture twenty times."""
    same = set(range(200, 220))
    assert len(same & set(ids(goods, "like", 200, 10, weights=LOOK))) == 10
    varied = ids(goods, "like", 200, 10, weights=LOOK, diversity=0.3)
    assert len(varied) == 10
    assert 1 <= len(same & set(varied)) < 5


def test_diversity_gives_k_rows_at_any_k(goods: Connection) -> None:
    for k in (1, 2, 199, 200, 201, 450, 2999):
        found = ids(goods, "like", 7, k, diversity=0.5)
        assert len(found) == len(set(found)) == k
    assert ids(goods, "like", 7, diversity=0.5, within=[8]) == [8]
    assert ids(goods, "like", 7, diversity=0.5, within=[]) == []
    assert set(ids(goods, "like", 200, diversity=0.5, within=list(range(200, 206)))) == set(range(201, 206))


def test_rows_without_a_vector_have_their_place(items: Connection, worker: None) -> None:
    """Found by words, and half alike to all others."""
    items.execute("select name from mmdb.add_keywords('items', array['txt'], 'simple')")
    items.execute("select mmdb.wait_until_embedded('items')")
    items.execute("alter table items disable trigger all")
    items.execute("update items set txt_embedding = null where id in (1, 4)")
    for diversity in (0, 0.5, 1):
        found = items.execute("select id from items_search('item', diversity => %s)", [diversity]).fetchall()
        assert sorted(found) == [(1,), (2,), (3,), (4,), (5,)]
    items.execute("update items set txt_embedding = null")
    call = "select id from items_search('item', weights => '{\"txt\": 0}', diversity => 0.5)"
    assert len(items.execute(call).fetchall()) == 5


def test_a_mean_of_another_length_where_length_counts(conn: Connection) -> None:
    """Euclidean distance: the mean of (4, 0) and (0, 2) is (2, 1), of unit vectors it would be (1, 1) by direction."""
    conn.execute(
        "select mmdb.add_model('plane', 'hash', 'hash', 2, array['text'], 'hash/1 dimensions=2', distance => 'l2')"
    )
    conn.execute("create table points (id int primary key, txt text, txt_embedding halfvec(2))")
    conn.execute("insert into points values (1, '', '[4,0]'), (2, '', '[0,2]'), (3, '', '[2,1]'), (4, '', '[0.7,0.7]')")
    conn.execute("select name from mmdb.add_embedding('points', 'txt', model => 'plane')")
    found = conn.execute("select id, ranks -> 'txt' -> 'distance' from points_recommend(array[1, 2])").fetchall()
    assert found == [(3, 0), (4, pytest.approx(np.hypot(1.3, 0.3), abs=1e-3))]
    away = conn.execute(
        "select id from points_recommend(array[3], array[1], weights => '{\"disliked\": 1}')"
    ).fetchall()
    assert away == [(2,), (4,)], "from (-2, 1), which at unit length lies nearer to 4"


# The next page.


def pages(conn: Connection, function: str, *arguments: Any, k: int, **options: Any) -> list[int]:
    """Page by page until one comes short."""
    found: list[int] = []
    after = None
    while True:
        page = ids(conn, function, *arguments, k=k, after=after, **options)
        found += page
        if len(page) < k:
            return found
        after = page[-1]


@pytest.mark.parametrize("k", [1, 7, 30])
@pytest.mark.parametrize("row", [7, 200])
def test_pages_of_the_nearest_are_one_list(goods: Connection, k: int, row: int) -> None:
    """Exactly, over rows that are measured: among them twenty at the same distance."""
    query = HalfVector(LOOKS[row])
    some = {"or": [{"id": {"between": [195, 225]}}, {"price": 3}]}
    everything = ids(goods, "top_by_look", query, k=1000, filter=some)
    assert len(everything) == ROWS // 100 + 31
    assert pages(goods, "top_by_look", query, k=k, filter=some) == everything


def test_pages_by_the_index_repeat_nothing_and_skip_nothing(goods: Connection) -> None:
    """Through the whole table, first by the index and then by measuring: k rows a page, in order, every row once."""
    query = HalfVector(LOOKS[7])
    found = pages(goods, "top_by_look", query, k=100)
    assert len(found) == len(set(found))
    true = nearest(LOOKS[7], list(range(ROWS)))
    assert len(set(found[:1000]) & set(true[:1000])) >= 950
    assert len(found) >= 0.95 * ROWS
    distances = 1 - LOOKS[found].astype(float) @ LOOKS[7].astype(float)
    assert (np.diff(distances) >= -1e-3).all()


@pytest.mark.parametrize(
    ("columns", "key", "written"),
    [
        ("a int, b text", "g % 5, 'it''s ' || g", "array[a::text, b]::text"),
        ("a timestamptz", "'2026-01-02 03:04:05.678901+00'::timestamptz + g * interval '1 day'", "a::text"),
        ("a float8, b date", "g / 7::float8, '2026-01-02'::date + g", "array[a::text, b::text]::text"),
        ("a numeric(9, 2)", "g / 8.0", "a::text"),
        ("a uuid", "md5(g::text)::uuid", "a::text"),
    ],
    ids=["int, text", "timestamptz", "float8, date", "numeric", "uuid"],
)
def test_pages_by_keys_of_any_type(conn: Connection, worker: None, columns: str, key: str, written: str) -> None:
    """Whatever the session says of how values are written. Of 24 rows three texts: most are at the same distance."""
    conn.execute(f"create table things ({columns}, txt text)")
    names = "a, b" if ", b" in columns else "a"
    conn.execute(f"alter table things add primary key ({names})")
    conn.execute(f"insert into things select {key}, 'item ' || g % 3 from generate_series(1, 24) g")
    conn.execute("select name from mmdb.add_embedding('things', 'txt', model => 'hash')")
    conn.execute("select mmdb.wait_until_embedded('things')")
    conn.execute(
        f"create function written({columns}) returns text language sql stable set datestyle = 'ISO' "
        f"set extra_float_digits = 1 as 'select {written}'"
    )
    written = f"written({names})"
    conn.execute("set datestyle = 'SQL, DMY'; set timezone = 'Asia/Kolkata'; set extra_float_digits = -6")
    (key,) = conn.execute(f"select {written} from things").fetchone() or ("",)
    query = "(select txt_embedding from things where txt = 'item 1' limit 1)"

    def page(call: str, k: int, after: str | None) -> list[str]:
        statement = f"select {written} from things_{call}, k => %(k)s, after => %(after)s)"
        return [row[0] for row in conn.execute(statement, {"k": k, "after": after, "key": key})]

    for call in (f"top_by_txt({query}", "like(%(key)s, depth => 50"):
        whole = page(call, 50, None)
        paged: list[str] = []
        while found := page(call, 5, paged[-1] if paged else None):
            assert len(found) == min(5, len(whole) - len(paged))
            paged += found
        assert paged == whole
    truth = conn.execute(f"select {written} from things order by txt_embedding <=> {query}, {names}").fetchall()
    assert page(f"top_by_txt({query}", 50, None) == [row[0] for row in truth]
    assert len(page("like(%(key)s", 40, None)) == 23


def test_a_page_after_a_row_that_does_not_pass(goods: Connection) -> None:
    """It left the filter between two pages: the place where it lies is still known."""
    query = HalfVector(LOOKS[7])
    among = [row for row in range(ROWS) if row * 7 % 100 < 3]
    after = next(row for row in nearest(LOOKS[7], list(range(ROWS)))[300:] if row not in among)
    behind = nearest(LOOKS[7], [*among, after])
    found = ids(goods, "top_by_look", query, k=20, after=after, filter={"price": {"lt": 3}})
    assert found == behind[behind.index(after) + 1 :][:20]


@pytest.mark.parametrize("diversity", [0, 0.4])
def test_pages_of_fused_searches_are_one_list(goods: Connection, module_database: Database, diversity: float) -> None:
    with background(module_database.url, options=QUICK):
        for function, arguments in (("search", ["item 7 of many"]), ("like", [7]), ("recommend", [[7, 8], [10]])):
            options = {"depth": 100, "diversity": diversity}
            everything = ids(goods, function, *arguments, k=100, **options)
            assert len(everything) == len(set(everything)) == 100
            for k in (9, 25):
                paged = pages(goods, function, *arguments, k=k, **options)
                assert len(paged) == len(set(paged)) > 100
                assert paged[:100] == everything


def test_pages_without_a_depth_go_as_far_as_that_of_k(goods: Connection) -> None:
    found = pages(goods, "like", 7, k=10)
    assert found[:10] == ids(goods, "like", 7, k=10)
    assert len(found) == len(set(found)) >= 40


# Mistakes.


@pytest.mark.parametrize(
    ("function", "arguments", "options", "error", "message"),
    [
        ("like", [99999], {}, pg.NoDataFound, 'table public.goods has no row "99999"'),
        ("like", [7, 0], {}, pg.InvalidParameterValue, "k is 0, expected 1 to 10000"),
        ("like", [7, 1_000_000], {}, pg.InvalidParameterValue, "k is 1000000"),
        ("like", [7, None], {}, pg.InvalidParameterValue, "k is <NULL>"),
        ("like", [7], {"depth": 3}, pg.InvalidParameterValue, "depth is 3, less than k"),
        ("like", [7], {"diversity": -0.1}, pg.InvalidParameterValue, "diversity is -0.1, expected 0 to 1"),
        ("like", [7], {"diversity": 1.5}, pg.InvalidParameterValue, "diversity is 1.5"),
        ("like", [7], {"diversity": float("nan")}, pg.InvalidParameterValue, "diversity is NaN"),
        ("like", [7], {"after": 99999}, pg.NoDataFound, 'no row "99999"'),
        ("like", [7], {"after": 7}, pg.InvalidParameterValue, 'row "7" is not among the results'),
        ("like", [7], {"weights": {"keywords": 1}}, pg.InvalidParameterValue, 'no leg "keywords" to weigh'),
        ("like", [7], {"weights": {"look": 0, "title": -1}}, pg.InvalidParameterValue, "nothing to search for"),
        ("like", [9], {"weights": {"look": 0}}, pg.ObjectNotInPrerequisiteState, 'row "9" .* not embedded yet'),
        ("like", [7], {"filter": {"nix": 1}}, pg.UndefinedColumn, 'no column "nix"'),
        ("recommend", [[]], {}, pg.InvalidParameterValue, "nothing is liked"),
        ("recommend", [None, [7]], {}, pg.InvalidParameterValue, "nothing is liked"),
        ("recommend", [[7, 99999]], {}, pg.NoDataFound, 'no row "99999"'),
        ("recommend", [[7], [99999]], {}, pg.NoDataFound, 'no row "99999"'),
        ("recommend", [[7, None]], {}, pg.NullValueNotAllowed, "is null"),
        ("recommend", [[7, 8], [8]], {}, pg.InvalidParameterValue, "both liked and disliked"),
        ("recommend", [[7], [8]], {"weights": {"disliked": -1}}, pg.InvalidParameterValue, '"disliked" is -1'),
        ("recommend", [[100], [101]], {"weights": {"disliked": 1, "title": 0}}, pg.InvalidParameterValue,
         'examples cancel each other out in embedding "look"'),
        ("recommend", [[3, 9]], {"weights": {"look": 0}}, pg.ObjectNotInPrerequisiteState, "none of the liked rows"),
        ("recommend", [list(range(1001))], {}, pg.ProgramLimitExceeded, "1001 examples are given"),
        ("search", ["x"], {"diversity": 2, "weights": {"look": 0}}, pg.InvalidParameterValue, "diversity is 2"),
        ("search", ["x"], {"after": 99999}, pg.NoDataFound, 'no row "99999"'),
    ],
)  # fmt: skip
def test_mistakes(
    goods: Connection,
    function: str,
    arguments: list[Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        call(goods, function, *arguments, **options)


def test_mistakes_in_the_place_of_a_page(goods: Connection) -> None:
    with pytest.raises(pg.NoDataFound, match='no row "99999"'):
        ids(goods, "top_by_look", HalfVector(LOOKS[7]), after=99999)
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match=r'row "9" .* has no embedding to go on from'):
        ids(goods, "top_by_title", HalfVector(TITLES[7]), after=9)


def test_a_row_that_waits_for_a_worker(items: Connection) -> None:
    with pytest.raises(
        pg.ObjectNotInPrerequisiteState, match=r'row "3" of table public.items is not embedded yet: "txt"'
    ) as caught:
        items.execute("select from items_like(3)")
    assert "wait_until_embedded('public.items')" in str(caught.value.diag.message_hint)


# Rights.


def test_a_row_that_one_may_not_see_is_not_there(
    goods: Connection, module_database: Database, make_role: MakeRole
) -> None:
    role = make_role("reader")
    goods.execute(f"grant mmdb_user to {role.name}; grant select on goods to {role.name}")
    goods.execute(f"create policy cheap on goods using (price < 20 or current_user <> '{role.name}')")
    goods.execute("alter table goods enable row level security")
    dear, cheap, cheap_too = 7, 0, 1  # of prices 49, 0 and 7
    calls = (
        "select from goods_like({})",
        "select from goods_recommend(array[{}])",
        f"select from goods_recommend(array[{cheap}], array[{{}}])",
        f"select from goods_like({cheap}, after => {{}})",
        f"select from goods, lateral goods_top_by_look(look_embedding, after => {{}}) where goods.id = {cheap}",
    )
    try:
        with role.connect(module_database) as reader:
            for statement in calls:
                errors = []
                for key in (dear, 99999):
                    with pytest.raises(pg.NoDataFound) as caught:
                        reader.execute(statement.format(key))
                    said = caught.value.diag
                    errors.append(f"{said.sqlstate} {said.message_primary} {said.message_hint}".replace(str(key), "?"))
                assert errors[0] == errors[1]
            found = ids(reader, "like", cheap, 300, diversity=0.5)
            assert len(found) == 300
            assert all(row * 7 % 100 < 20 for row in found)
            assert (
                ids(reader, "recommend", [cheap, cheap_too], None, 10, weights=LOOK)
                == nearest(rocchio([cheap, cheap_too], []), [r for r in range(2, ROWS) if r * 7 % 100 < 20])[:10]
            )
    finally:
        goods.execute("drop policy cheap on goods; alter table goods disable row level security")
        goods.execute(f"drop owned by {role.name}")


def test_who_may_not_read_finds_nothing(goods: Connection, module_database: Database, make_role: MakeRole) -> None:
    role = make_role("stranger")
    goods.execute(f"grant mmdb_user to {role.name}")
    with role.connect(module_database) as stranger:
        for statement in ("select from goods_like(7)", "select from goods_recommend(array[7])"):
            with pytest.raises(pg.InsufficientPrivilege, match="permission denied for table goods"):
                stranger.execute(statement)


# Made, made again, gone.

FORMS = (
    "select array_agg(p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' order by 1) from pg_proc p "
    "where p.pronamespace = 'public'::regnamespace and p.proname ~ '_(search|like|recommend|top_by_.*)$'"
)
OLDER = {
    "items_search": "query text default null, image bytea default null, k integer default 10, "
    "filter jsonb default null, within integer[] default null, weights jsonb default null, "
    "images bytea[] default null, depth integer default null",
    "items_top_by_txt": "query text, k integer default 10, filter jsonb default null, within integer[] default null",
}


def test_functions_of_an_older_version_do_not_stay_behind(
    items: Connection, database: Database, make_role: MakeRole
) -> None:
    """As they were before `after` and T_like, with the rights that they had."""
    role = make_role("reader")
    forms = items.execute(FORMS).fetchone()
    items.execute("drop function items_like; drop function items_recommend; drop function items_search")
    items.execute("drop function items_top_by_txt(text, integer, jsonb, integer[], integer)")
    for name, parameters in OLDER.items():
        body = "begin return query select p.id, 0::float8 from public.items p; end"
        items.execute(
            f"create function {name}({parameters}) returns table (i int, d float8) language plpgsql as '{body}'"
        )
    mark = "is 'Older. [mmdb embedding 1]'"
    items.execute(f"comment on function items_search {mark}")
    items.execute(f"comment on function items_top_by_txt(text, integer, jsonb, integer[]) {mark}")
    items.execute("revoke all on function items_search from public")
    items.execute(f"grant execute on function items_search to {role.name}")
    assert items.execute("select drift is not null from mmdb.status").fetchone() == (True,)
    assert install(database.url).warnings == []
    assert items.execute("select drift from mmdb.status").fetchone() == (None,)
    assert items.execute(FORMS).fetchone() == forms
    may = "select has_function_privilege(%s, p.oid, 'execute') from pg_proc p where p.proname = %s"
    assert items.execute(may, [role.name, "items_search"]).fetchone() == (True,)
    assert items.execute(may, [make_role("other").name, "items_search"]).fetchone() == (False,)


def test_only_t_like_is_missing(items: Connection, database: Database) -> None:
    items.execute("drop function items_like")
    assert "mmdb was upgraded" in items.execute("select drift from mmdb.status").fetchone()[0]  # type: ignore[index]
    assert install(database.url).warnings == []
    assert items.execute("select count(*) from pg_proc where proname = 'items_like'").fetchone() == (1,)


def test_a_key_of_another_type(items: Connection, worker: None) -> None:
    items.execute("select mmdb.wait_until_embedded('items')")
    items.execute("alter table items alter id type bigint")
    items.execute("select name from mmdb.refresh('items')")
    (forms,) = items.execute(FORMS).fetchone() or ([],)
    assert len(forms) == len({form.split("(")[0] for form in forms}) + 2, "of T_top three: texts, pictures, vectors"
    assert all("bigint" in form for form in forms)
    assert len(items.execute("select id from items_like(3)").fetchall()) == 4


def test_columns_come_and_go(items: Connection, worker: None) -> None:
    items.execute("select mmdb.wait_until_embedded('items')")
    items.execute("alter table items add column key text default 'k', add column liked int")
    items.execute("select name from mmdb.refresh('items')")
    assert items.execute("select drift from mmdb.status").fetchone() == (None,)
    row = items.execute("select id, key, liked, score from items_like(_key => 3, k => 1)").fetchone()
    assert row is not None
    assert row[1:3] == ("k", None)
    items.execute("select mmdb.drop_embedding('items', 'txt')")
    assert items.execute(FORMS).fetchone() == (None,)


def test_somebody_elses_function_is_not_replaced(conn: Connection) -> None:
    conn.execute("create table notes (id int primary key, title text)")
    conn.execute("create function notes_like(int) returns int language sql as 'select 1'")
    with pytest.raises(pg.DuplicateFunction, match="notes_like"):
        conn.execute("select mmdb.add_embedding('notes', 'title', model => 'hash')")
    conn.execute("drop function notes_like")
    conn.execute("select mmdb.add_embedding('notes', 'title', model => 'hash')")
    conn.execute("drop function notes_like")
    form = "select pg_get_function_identity_arguments(oid) from pg_proc where proname = 'notes_recommend'"
    (arguments,) = conn.execute(form).fetchone() or ("",)
    conn.execute("drop function notes_recommend")
    conn.execute(f"create function notes_recommend({arguments}) returns int language sql as 'select 1'")
    with pytest.raises(pg.DuplicateFunction, match="notes_recommend"):
        conn.execute("select mmdb.refresh('notes')")


def test_a_rename_of_the_words_column_is_seen(conn: Connection) -> None:
    conn.execute("create table notes (id int primary key, title text, body text)")
    conn.execute("select name from mmdb.add_embedding('notes', 'title', model => 'hash')")
    conn.execute("select name from mmdb.add_keywords('notes', array['body'])")
    assert conn.execute("select drift from mmdb.status").fetchone() == (None,)
    conn.execute("alter table notes rename body to content")
    assert conn.execute("select drift is not null from mmdb.status").fetchone() == (True,)
