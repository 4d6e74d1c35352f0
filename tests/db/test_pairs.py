"""Near duplicates and the join of two tables by likeness: right, over the index, in pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
import pytest
from pgvector import HalfVector
from psycopg import errors as pg

from mmdb.database.types import register_types
from tests.conftest import Database, MakeRole
from tests.db.conftest import Connection

Pairs = set[tuple[str, str]]
ROWS, WIDTH, COPIES = 3000, 64, 60


@pytest.fixture(scope="module")
def vectors() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Rows without order, of which every COPIES-th is nearly the one before it, and 40 in the end the same."""
    rng = np.random.default_rng(3)
    made = rng.standard_normal((ROWS, WIDTH))
    made[COPIES::COPIES] = made[COPIES - 1 : -1 : COPIES] + 0.02 * rng.standard_normal((ROWS // COPIES - 1, WIDTH))
    made[-40:] = made[-40] + 0.001 * rng.standard_normal((40, WIDTH))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def goods(module_database: Database, vectors: np.ndarray[Any, Any]) -> Iterator[Connection]:
    """`goods` with those vectors; `wanted`, 50 rows that lie near some of them; the index of `goods`."""
    with module_database.connect() as conn:
        register_types(conn)
        fill(conn, "goods", vectors)
        rng = np.random.default_rng(4)
        fill(conn, "wanted", vectors[: 50 * 7 : 7] + 0.05 * rng.standard_normal((50, WIDTH)))
        yield conn


def fill(conn: Connection, table: str, vectors: np.ndarray[Any, Any]) -> None:
    conn.execute(
        f"create table {table} (id int primary key, txt text, tenant name, price int, txt_embedding halfvec(64))"
    )
    with conn.cursor() as cursor, cursor.copy(f"copy {table} from stdin (format binary)") as copy:
        copy.set_types(["int4", "text", "name", "int4", "halfvec"])
        for row, vector in enumerate(vectors):
            tenant = "small" if row % 500 == 7 else "large"
            copy.write_row((row, f"item {row}", tenant, row % 100, HalfVector(vector)))
    conn.execute(f"select name from mmdb.add_embedding('{table}', 'txt', model => 'hash')")
    conn.execute(f"vacuum analyze {table}")


def exact_pairs(conn: Connection, within: float) -> Pairs:
    with conn.transaction():
        conn.execute("set local enable_indexscan = off")
        rows = conn.execute(
            "select a.id::text, b.id::text from goods a join goods b on a.id < b.id "
            "where a.txt_embedding <=> b.txt_embedding <= %s", [within],
        ).fetchall()  # fmt: skip
    return set(rows)


def duplicates(conn: Connection, arguments: str, *values: Any) -> list[tuple[str, str, float]]:
    return conn.execute(f"select * from mmdb.near_duplicates('goods', 'txt', {arguments})", values).fetchall()


@contextmanager
def counting_scans(conn: Connection) -> Iterator[list[int]]:
    """How often the block uses the HNSW index of `goods`; the number is there when it has ended."""
    count = "select pg_stat_get_xact_numscans('goods_txt_hnsw'::regclass)"
    counted: list[int] = []
    with conn.transaction():
        (before,) = conn.execute(count).fetchone() or (0,)
        yield counted
        (after,) = conn.execute(count).fetchone() or (0,)
        counted.append(after - before)


def test_near_duplicates_are_found_each_once(goods: Connection) -> None:
    true = exact_pairs(goods, 0.05)
    found = duplicates(goods, "0.05, neighbours => 60")
    assert {(a, b) for a, b, _ in found} == true
    assert len(found) == len(true) == 49 + 40 * 39 // 2
    assert all(0 <= distance <= 0.05 and int(a) < int(b) for a, b, distance in found)


def test_near_duplicates_go_along_the_index(goods: Connection) -> None:
    with counting_scans(goods) as counted:
        duplicates(goods, "0.05, after => '99', upto => '199'")
    assert 100 <= counted[0] <= 105


def test_a_table_that_was_never_analyzed_goes_along_the_index_too(database: Database, make_role: MakeRole) -> None:
    """And in a session, of an ordinary user, that has not loaded pgvector's library."""
    user = make_role("analyst")
    with database.connect() as conn:
        conn.execute("create table goods (id int primary key, txt text)")
        conn.execute("select name from mmdb.add_embedding('goods', 'txt', model => 'hash')")
        conn.execute("insert into goods select g, 'x', array(select sin(g * i) from generate_series(1, 64) i)::vector "
                     "from generate_series(1, 2000) g")  # fmt: skip
        conn.execute(f"grant mmdb_user to {user.name}; grant select on goods to {user.name}")
    with user.connect(database) as analyst:
        with counting_scans(analyst) as counted:
            assert len(duplicates(analyst, "2, 1, upto => '100'")) >= 50
        assert counted[0] >= 100
        assert analyst.execute("show hnsw.ef_search").fetchone() == ("40",)
        assert analyst.execute("show enable_sort").fetchone() == ("on",)


@pytest.mark.parametrize("rows", [1, 7, 999, 5000])
@pytest.mark.parametrize("neighbours", [3, 10])
def test_pages_give_each_pair_once(goods: Connection, rows: int, neighbours: int) -> None:
    """Also where a row has more near duplicates than are asked for, so that not every row names the others."""
    begin = after = None if rows > 100 else "2900"
    whole = duplicates(goods, "0.05, %s, %s", neighbours, begin)
    paged: list[tuple[str, str, float]] = []
    while (end := page_end(goods, after, rows)) is not None:
        paged += duplicates(goods, "0.05, %s, %s, %s", neighbours, after, end)
        after = end
    assert sorted(paged) == sorted(whole)
    assert len({(a, b) for a, b, _ in paged}) == len(paged)
    assert {key for a, b, _ in paged for key in (a, b)} >= {str(row) for row in range(ROWS - 40, ROWS)}


def page_end(conn: Connection, after: str | None, rows: int) -> str | None:
    (end,) = conn.execute("select mmdb.page_end('goods', %s, %s)", [after, rows]).fetchone() or (None,)
    return end


def test_pages_of_a_key_of_two_columns(conn: Connection, worker: None) -> None:
    conn.execute("create table twins (a int, b text, txt text, primary key (a, b))")
    conn.execute("select name from mmdb.add_embedding('twins', 'txt', model => 'hash')")
    conn.execute("insert into twins select g, 'it''s, ' || g, 'item ' || g / 2 from generate_series(0, 19) g")
    conn.execute("select mmdb.wait_until_embedded('twins')")
    whole = conn.execute("select key_a, key_b from mmdb.near_duplicates('twins', 'txt', 0.01)").fetchall()
    assert ('{2,"it\'s, 2"}', '{3,"it\'s, 3"}') in whole
    assert len(whole) == 10
    (end,) = conn.execute("select mmdb.page_end('twins', '{2,\"it''s, 2\"}', 5)").fetchone() or ("",)
    assert end == '{7,"it\'s, 7"}'
    call = "select key_a from mmdb.near_duplicates('twins', 'txt', 0.01, after => %s, upto => %s)"
    halves = conn.execute(call, [None, end]).fetchall() + conn.execute(call, [end, None]).fetchall()
    assert len(set(halves)) == len(halves) == 10


def test_pairs_across_partitions(conn: Connection, worker: None) -> None:
    conn.execute("create table parts (id int primary key, txt text) partition by range (id)")
    conn.execute("create table parts_1 partition of parts for values from (0) to (10)")
    conn.execute("create table parts_2 partition of parts for values from (10) to (100)")
    conn.execute("select name from mmdb.add_embedding('parts', 'txt', model => 'hash')")
    conn.execute("insert into parts select g, 'item ' || g % 10 from generate_series(5, 14) g where g <> 7")
    conn.execute("select mmdb.wait_until_embedded('parts')")
    conn.execute("insert into parts values (17, 'item 7'), (7, 'item 7')")
    conn.execute("select mmdb.wait_until_embedded('parts')")
    found = conn.execute("select key_a, key_b from mmdb.near_duplicates('parts', 'txt', 0.01, upto => '9')").fetchall()
    assert found == [("7", "17")]
    assert conn.execute("select mmdb.page_end('parts', '8', 2)").fetchone() == ("10",)


def test_store_near_duplicates_goes_on_where_it_was(goods: Connection, module_database: Database) -> None:
    call = "call mmdb.store_near_duplicates('goods', 'txt', 0.05, 'public.pairs', batch => 500)"
    with module_database.connect() as other:
        other.execute("create function stop() returns trigger language plpgsql as $$ begin raise 'cut'; end $$")
        # The third page fails: what the first two found stays.
        other.execute(
            "create table pairs (key_a text, key_b text, distance double precision, primary key (key_a, key_b))"
        )
        other.execute("create table pairs_progress (search text, after text)")
        other.execute("""insert into pairs_progress values ('public.goods "txt" within 0.05, 10 neighbours')""")
        other.execute("create trigger stop before update on pairs_progress for each row when (new.after::int > 1400) "
                      "execute function stop()")  # fmt: skip
        with pytest.raises(pg.RaiseException, match="cut"):
            other.execute(call)
        assert other.execute("select after from pairs_progress").fetchone() == ("999",)
        kept = other.execute("select count(*) from pairs").fetchone()
        assert kept == (16,)
        with pytest.raises(pg.ObjectInUse, match="holds an unfinished search"):
            other.execute(call.replace("0.05", "0.06"))
        other.execute("drop trigger stop on pairs_progress")
        other.execute(call)
        found = set(other.execute("select key_a, key_b, distance from pairs").fetchall())
        assert found == set(duplicates(goods, "0.05"))
        assert other.execute("select to_regclass('pairs_progress')").fetchone() == (None,)
        with pytest.raises(pg.DuplicateTable):
            other.execute(call)
        with pytest.raises(pg.InvalidTransactionTermination), other.transaction():
            other.execute(call.replace("pairs'", "others'"))
        assert other.execute("select to_regclass('others')").fetchone() == (None,)


@pytest.mark.parametrize("name", ["a.b.c", "x" * 60, "a b; drop table goods"])
def test_a_target_that_is_no_name(goods: Connection, name: str) -> None:
    with pytest.raises((pg.InvalidName, pg.InvalidParameterValue)):
        goods.execute("call mmdb.store_near_duplicates('goods', 'txt', 0.05, %s)", [name])


def nearest(conn: Connection, arguments: str = "") -> dict[str, list[tuple[str, float, int]]]:
    rows = conn.execute(
        f"select * from mmdb.neighbours('wanted', 'txt', 'goods', 'txt'{arguments}) order by left_key, rank"
    ).fetchall()
    found: dict[str, list[tuple[str, float, int]]] = {}
    for left, *right in rows:
        found.setdefault(left, []).append(tuple(right))
    return found


def exact_nearest(conn: Connection, k: int, condition: str = "true") -> dict[str, list[str]]:
    with conn.transaction():
        conn.execute("set local enable_indexscan = off")
        return dict(conn.execute(
            "select w.id::text, array(select g.id::text from goods g where " + condition
            + f" order by g.txt_embedding <=> w.txt_embedding, g.id limit {k}) from wanted w"
        ).fetchall())  # fmt: skip


def test_neighbours_are_the_nearest_in_order(goods: Connection) -> None:
    true, found = exact_nearest(goods, 5), nearest(goods, ", 5")
    assert len(found) == 50
    for left, rows in found.items():
        assert [rank for _, _, rank in rows] == [1, 2, 3, 4, 5]
        assert sorted(distance for _, distance, _ in rows) == [distance for _, distance, _ in rows]
        assert rows[0][0] == str(int(left) * 7)
    hits = [len({key for key, _, _ in rows} & set(true[left])) for left, rows in found.items()]
    assert np.mean(hits) >= 0.95 * 5


def test_neighbours_go_along_the_index_of_the_right(goods: Connection) -> None:
    with counting_scans(goods) as counted:
        nearest(goods, ", 5")
    assert counted == [50]


@pytest.mark.parametrize(("filter", "condition"), [
    ('{"price": {"lt": 50}}', "price < 50"),
    ('{"price": 3}', "price = 3"),
    ('{"id": {"in": [1, 2, 3]}}', "id in (1, 2, 3)"),
])  # fmt: skip
def test_neighbours_with_a_filter_are_k_while_k_pass(goods: Connection, filter: str, condition: str) -> None:
    true = exact_nearest(goods, 10, condition)
    found = nearest(goods, f", 10, filter => '{filter}'")
    assert {left: len(rows) for left, rows in found.items()} == {left: len(keys) for left, keys in true.items()}
    hits = [len({key for key, _, _ in rows} & set(true[left])) / len(true[left]) for left, rows in found.items()]
    assert np.mean(hits) >= 0.95


def test_neighbours_within_a_distance_and_in_pages(goods: Connection) -> None:
    near = nearest(goods, ", 3, max_distance => 0.3")
    assert all(distance <= 0.3 for rows in near.values() for _, distance, _ in rows)
    assert near.keys() == {left for left, rows in nearest(goods, ", 3").items() if rows[0][1] <= 0.3}
    assert nearest(goods, ", 3, after => '9', upto => '12'").keys() == {"10", "11", "12"}


def test_neighbours_of_a_table_with_itself_leave_the_row_out(goods: Connection) -> None:
    rows = goods.execute(
        "select * from mmdb.neighbours('goods', 'txt', 'goods', 'txt', 2, upto => '99') order by left_key::int, rank"
    ).fetchall()
    assert len(rows) == 200
    assert all(left != right for left, right, _, _ in rows)
    assert rows[59 * 2][:2] == ("59", "60")


def test_neighbours_after_a_third_was_deleted_and_vacuumed(database: Database, vectors: Any) -> None:
    """And where the right has fewer than k."""
    with database.connect() as conn:
        register_types(conn)
        fill(conn, "goods", vectors)
        fill(conn, "wanted", vectors[:20])
        conn.execute("delete from goods where id % 3 = 0")
        conn.execute("vacuum analyze goods")
        assert {len(rows) for rows in nearest(conn, ", 50").values()} == {50}
        conn.execute("delete from goods where id > 9; delete from wanted where id > 3")
        assert {left: len(rows) for left, rows in nearest(conn, ", 50").items()} == dict.fromkeys("0123", 6)
        conn.execute("delete from goods")
        assert nearest(conn) == {}


def test_tables_of_two_models_are_not_compared(goods: Connection) -> None:
    goods.execute("create table others (id int primary key, txt text)")
    goods.execute("select name from mmdb.add_embedding('others', 'txt', model => 'lite')")
    with pytest.raises(
        pg.DatatypeMismatch, match=r'of model "hash", and "txt" of table public\.others of model "lite"'
    ):
        goods.execute("select * from mmdb.neighbours('goods', 'txt', 'others', 'txt')")
    goods.execute("drop table others")


def test_a_left_of_another_column_type(database: Database, vectors: Any) -> None:
    with database.connect() as conn:
        register_types(conn)
        fill(conn, "goods", vectors[:500])
        fill(conn, "wanted", vectors[:5])
        conn.execute("create table wide (id int primary key, txt text, txt_embedding vector(64))")
        conn.execute("insert into wide select id, txt, txt_embedding from wanted")
        conn.execute("select name from mmdb.add_embedding('wide', 'txt', model => 'hash')")
        call = "select left_key, right_key from mmdb.neighbours(%s, 'txt', %s, 'txt', 1)"
        same = {(str(row), str(row)) for row in range(5)}
        assert set(conn.execute(call, ["wide", "goods"]).fetchall()) == same
        assert set(conn.execute(call + " where left_key::int < 5", ["goods", "wide"]).fetchall()) == same


def test_after_a_rename_of_column_and_table(database: Database, vectors: Any) -> None:
    with database.connect() as conn:
        register_types(conn)
        fill(conn, "goods", vectors[:200])
        conn.execute("alter table goods rename column txt_embedding to v; alter table goods rename column id to number")
        conn.execute("select mmdb.refresh('goods')")
        conn.execute('alter table goods rename to "Odd %s goods"')
        conn.execute(b'create schema apart; alter table "Odd %s goods" set schema apart')
        row = conn.execute(
            b"select key_a, key_b from mmdb.near_duplicates('apart.\"Odd %s goods\"', 'txt', 0.05)"
        ).fetchall()
        assert ("59", "60") in row


BAD_PAIRS = [
    ("near_duplicates('goods', 'nothing', 0.1)", pg.UndefinedObject, 'table public.goods has no embedding "nothing"'),
    ("near_duplicates('goods', 'txt', -0.1)", pg.InvalidParameterValue, "max_distance is -0.1"),
    ("near_duplicates('goods', 'txt', 'NaN')", pg.InvalidParameterValue, "max_distance is"),
    ("near_duplicates('goods', 'txt', null)", pg.InvalidParameterValue, "max_distance is"),
    ("near_duplicates('goods', 'txt', 0.1, 0)", pg.InvalidParameterValue, "0 neighbours, expected 1 to 999"),
    ("near_duplicates('goods', 'txt', 0.1, null)", pg.InvalidParameterValue, "null neighbours"),
    ("near_duplicates('goods', 'txt', 0.1, after => 'x')", pg.InvalidTextRepresentation, '"x"'),
    ("neighbours('goods', 'txt', 'wanted', 'nothing')", pg.UndefinedObject, 'no embedding "nothing"'),
    ("neighbours('goods', 'txt', 'wanted', 'txt', 1000)", pg.InvalidParameterValue, "1000 neighbours"),
    ("neighbours('goods', 'txt', 'wanted', 'txt', filter => '{\"nothing\": 1}')", pg.UndefinedColumn, "nothing"),
    ("page_end('goods', null, 0)", pg.InvalidParameterValue, "a page of 0 rows"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), BAD_PAIRS)
def test_pairs_that_make_no_sense(goods: Connection, call: str, error: type[psycopg.Error], message: str) -> None:
    with pytest.raises(error, match=message):
        goods.execute(f"select * from mmdb.{call}")


@pytest.mark.parametrize(("policy", "walks"), [("tenant = 'small'", 0), ("left(tenant, 1) <> 'l'", 50)])
def test_row_policies_hold_in_pairs(
    goods: Connection, module_database: Database, make_role: MakeRole, policy: str, walks: int
) -> None:
    """A tenant of 6 rows of 3,000 sees those only, gets all of them as neighbours, and stores what it found.

    PostgreSQL knows of the first policy that it lets few rows pass. Of the second it does not, and walks first.
    """
    role = make_role("tenant")
    goods.execute(f"grant mmdb_user to {role.name}; grant create on schema public to {role.name}")
    with role.connect(module_database) as tenant:
        with pytest.raises(pg.InsufficientPrivilege, match="permission denied for table"):
            duplicates(tenant, "0.05")
        with pytest.raises(pg.InsufficientPrivilege, match="permission denied for table"):
            nearest(tenant)
        goods.execute(f"grant select on goods, wanted to {role.name}")
        goods.execute("alter table goods enable row level security")
        goods.execute(f"create policy own on goods using ({policy})")
        try:
            assert {len(rows) for rows in nearest(tenant, ", 10").values()} == {6}
            assert {key for rows in nearest(tenant).values() for key, _, _ in rows} == {
                str(id) for (id,) in goods.execute("select id from goods where tenant = 'small'")
            }
            assert len(duplicates(tenant, "2")) == 6 * 5 // 2
            with counting_scans(tenant) as counted:
                nearest(tenant)
            assert counted == [walks]
            tenant.execute("call mmdb.store_near_duplicates('goods', 'txt', 2, 'mine', batch => 2)")
            assert tenant.execute("select count(*) from mine").fetchone() == (15,)
        finally:
            goods.execute("drop policy own on goods; alter table goods disable row level security")
            goods.execute(f"drop owned by {role.name}")


@pytest.mark.parametrize("key", ["name text primary key", "name text, number int, primary key (name, number)"])
def test_neighbours_of_tables_whose_keys_are_of_other_types(database: Database, vectors: Any, key: str) -> None:
    with database.connect() as conn:
        register_types(conn)
        fill(conn, "goods", vectors[:50])
        conn.execute(f"create table wanted ({key}, txt text, txt_embedding halfvec(64))".encode())
        names = "name, number" if "number" in key else "name"
        values = "'one', 1" if "number" in key else "'one'"
        conn.execute(
            f"insert into wanted ({names}, txt, txt_embedding) select {values}, txt, txt_embedding from goods "
            "where id = 3".encode()
        )
        conn.execute("select name from mmdb.add_embedding('wanted', 'txt', model => 'hash')")
        call = "select right_key from mmdb.neighbours(%s, 'txt', %s, 'txt', 1)"
        assert conn.execute(call, ["wanted", "goods"]).fetchall() == [("3",)]
        found = conn.execute(call + " where left_key = '3'", ["goods", "wanted"]).fetchall()
        assert found == [("{one,1}" if "number" in key else "one",)]
