"""mmdb.clusters: every row in the nearest of k groups, the same for the same seed, with the rights of whoever asks."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import psycopg
import pytest
from pgvector import HalfVector
from psycopg import errors as pg
from sqlalchemy.orm import Session

import mmdb
from mmdb import clusters as clusters_function
from mmdb.analytics.kmeans import Cluster, sampled, unit, write_clusters
from mmdb.database.engine import connect
from mmdb.database.types import register_types
from mmdb.errors import ConfigError, QueryError
from tests.conftest import Database, MakeRole
from tests.db.conftest import Connection

SIZES = (200, 100, 60, 40)
WIDTH = 64


@pytest.fixture
def goods(conn: Connection) -> Connection:
    """400 rows in four tight groups, `kind` says which, and two without a vector. The key has a date, in no order."""
    register_types(conn)
    rng = np.random.default_rng(1)
    kinds = rng.permutation(np.repeat(np.arange(len(SIZES)), SIZES))
    vectors = 3 * unit(rng.standard_normal((len(SIZES), WIDTH)))[kinds] + 0.1 * rng.standard_normal((400, WIDTH))
    conn.execute("create table goods (day date, no int, txt text, kind int, txt_embedding halfvec(64), "
                 "primary key (no, day))")  # fmt: skip
    with conn.cursor() as cursor, cursor.copy("copy goods from stdin") as copy:
        for row, (kind, vector) in enumerate(zip(kinds, vectors, strict=True)):
            copy.write_row((f"2026-0{1 + row % 9}-01", row, f"item {row}", int(kind), HalfVector(vector)))
    conn.execute("insert into goods values ('2026-01-01', 1000, 'pending'), ('2026-01-01', 1001, null)")
    conn.execute("select name from mmdb.add_embedding('goods', 'txt', model => 'hash')")
    return conn


def test_groups_are_found_as_they_are(goods: Connection) -> None:
    made = write_clusters(goods, "goods", "txt", k=4, into="groups")
    assert [(cluster.cluster, cluster.rows) for cluster in made] == list(enumerate(SIZES, 1))
    found = goods.execute(
        "select kind, cluster, count(*) from goods join groups using (no, day) group by 1, 2 order by 2"
    ).fetchall()
    assert found == [(kind, kind + 1, size) for kind, size in enumerate(SIZES)]
    assert goods.execute("select count(*) from groups where no >= 1000").fetchone() == (0,)


def test_every_row_is_in_the_cluster_of_the_nearest_centroid(goods: Connection) -> None:
    made = write_clusters(goods, "goods", "txt", k=7, into="groups")
    wrong = goods.execute("""
        select count(*) from goods g join groups c using (no, day), lateral (
          select n.cluster, n.centroid <=> g.txt_embedding as distance from groups_centroids n order by 2 limit 1
        ) nearest
        where nearest.cluster <> c.cluster or abs(nearest.distance - c.distance) > 1e-3""").fetchone()
    assert wrong == (0,)
    rows = goods.execute("select cluster, rows, distance from groups_centroids order by 1").fetchall()
    assert [Cluster(*row) for row in rows] == made
    counted = goods.execute("select cluster, count(*), avg(distance) from groups group by 1 order by 1").fetchall()
    assert [(n, rows) for n, rows, _ in counted] == [(cluster.cluster, cluster.rows) for cluster in made]
    assert [d for _, _, d in counted] == pytest.approx([cluster.distance for cluster in made])
    assert goods.execute("select min(vector_norm(centroid::vector)), count(*) from groups_centroids").fetchone() == (
        pytest.approx(1, abs=1e-3), 7,
    )  # fmt: skip


def test_the_same_seed_gives_the_same_and_another_another(goods: Connection) -> None:
    for into, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_clusters(goods, "goods", "txt", k=9, into=into, seed=seed, sample=150)
    same = "select count(*) from {} x join {} y using (no, day) where (x.cluster, x.distance) = (y.cluster, y.distance)"
    assert goods.execute(same.format("a", "b")).fetchone() == (400,)
    assert goods.execute(same.format("a", "c")).fetchone() != (400,)


def test_the_tables_are_ordinary_ones(goods: Connection) -> None:
    write_clusters(goods, "goods", "txt", k=4, into='public."Odd %s groups"')
    columns = goods.execute(
        "select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 order by attnum", ['"Odd %s groups"'],
    ).fetchall()  # fmt: skip
    assert columns == [("no", "integer", True), ("day", "date", True), ("cluster", "integer", True),
                       ("distance", "double precision", True)]  # fmt: skip
    comment = goods.execute(b"select obj_description('\"Odd %s groups_centroids\"'::regclass)").fetchone()
    assert comment == ('Clusters of public.goods by "txt": k = 4, seed = 0, from 400 rows',)
    with pytest.raises(pg.UniqueViolation):
        goods.execute(b'insert into "Odd %s groups" select * from "Odd %s groups" limit 1')


def test_a_table_with_columns_of_those_names(conn: Connection) -> None:
    register_types(conn)
    conn.execute("create table goods (cluster int primary key, distance text, txt_embedding vector(64))")
    conn.execute("insert into goods select g, 'x', array_fill(g, array[64])::vector from generate_series(1, 5) g")
    conn.execute("update goods set txt_embedding = array_fill(-1, array[64])::vector where cluster > 3")
    conn.execute("select name from mmdb.add_embedding('goods', 'distance', model => 'hash', name => 'txt')")
    made = write_clusters(conn, "goods", "txt", k=4, into="groups")
    assert [cluster.rows for cluster in made] == [3, 2], "there are two different directions"
    assert conn.execute("select cluster, _cluster from groups order by 1").fetchall() == [
        (1, 1), (2, 1), (3, 1), (4, 2), (5, 2),
    ]  # fmt: skip
    (kind,) = conn.execute("select pg_typeof(centroid)::text from groups_centroids limit 1").fetchone() or ("",)
    assert kind == "vector"


def test_more_rows_than_are_read_at_a_time(conn: Connection) -> None:
    register_types(conn)
    conn.execute("create table goods (id int primary key, txt text, txt_embedding halfvec(64))")
    conn.execute("insert into goods select g, 'x', array(select sin(g * i) from generate_series(1, 64) i)::vector "
                 "from generate_series(1, 4500) g")  # fmt: skip
    conn.execute("select name from mmdb.add_embedding('goods', 'txt', model => 'hash', index => false)")
    made = write_clusters(conn, "goods", "txt", k=3, into="groups", sample=100)
    assert sum(cluster.rows for cluster in made) == 4500
    assert conn.execute("select count(*) from groups").fetchone() == (4500,)


def test_a_sample_of_a_stream_gives_each_row_the_same_chance() -> None:
    stream = np.arange(1000, dtype=np.float32)[:, None]
    counts = np.zeros(1000)
    for seed in range(300):
        kept = sampled(iter(np.split(stream, [7, 300, 301, 900])), 100, np.random.default_rng(seed), 1)
        assert len(set(kept[:, 0])) == 100
        counts[kept[:, 0].astype(int)] += 1
    assert np.abs(counts.reshape(10, 100).mean(axis=1) - 30).max() < 2
    assert len(sampled(iter([stream[:30]]), 100, np.random.default_rng(0), 1)) == 30


def test_in_the_transaction_of_a_session(goods: Connection, database: Database) -> None:
    assert clusters_function is mmdb.clusters
    engine = connect(database.url)
    present = "select to_regclass('groups') is not null, to_regclass('groups_centroids') is not null"
    with Session(engine) as session:
        mmdb.clusters(session, "goods", "txt", k=3, into="groups")
        session.rollback()
    assert goods.execute(present).fetchone() == (False, False)
    with engine.connect() as connection:
        made = mmdb.clusters(connection, "goods", "txt", k=3, into="groups")
        connection.commit()
    assert goods.execute(present).fetchone() == (True, True)
    assert len(made) == 3
    engine.dispose()


def test_what_is_there_is_replaced_only_on_demand_and_only_ours(goods: Connection) -> None:
    write_clusters(goods, "goods", "txt", k=3, into="groups")
    with pytest.raises(QueryError, match=r"table groups exists already .*--replace"):
        write_clusters(goods, "goods", "txt", k=4, into="groups")
    assert len(write_clusters(goods, "goods", "txt", k=4, into="groups", replace=True)) == 4
    goods.execute("create table mine (id int)")
    with pytest.raises(QueryError, match="table mine exists already"):
        write_clusters(goods, "goods", "txt", k=4, into="mine", replace=True)


def test_with_the_rights_of_whoever_asks(goods: Connection, database: Database, make_role: MakeRole) -> None:
    role = make_role("analyst")
    goods.execute(f"grant mmdb_user to {role.name}; create schema own authorization {role.name}")
    with role.connect(database) as analyst:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="goods"):
            write_clusters(analyst, "goods", "txt", k=3, into="own.groups")
        goods.execute(f"grant select on goods to {role.name}")
        goods.execute("alter table goods enable row level security; create policy one on goods using (kind = 0)")
        with pytest.raises(pg.InsufficientPrivilege):
            write_clusters(analyst, "goods", "txt", k=3, into="public.groups")
        made = write_clusters(analyst, "goods", "txt", k=3, into="own.groups")
    assert sum(cluster.rows for cluster in made) == SIZES[0]
    goods.execute(f"drop owned by {role.name}")


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"k": 0}, QueryError, "k is 0"),
    ({"k": 401}, QueryError, "has 400 embedded rows, fewer than k = 401"),
    ({"k": 10, "sample": 9}, QueryError, "a sample of 9 rows"),
    ({"name": "nothing"}, pg.UndefinedObject, 'no embedding "nothing"'),
    ({"relation": "nothing"}, pg.UndefinedTable, '"nothing" does not exist'),
    ({"into": "a.b.c"}, pg.InvalidName, "cannot be the name of a table"),
    ({"into": "x; drop table goods"}, pg.InvalidParameterValue, "not a valid identifier"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "error", "message"), BAD)
def test_what_makes_no_sense(goods: Connection, changed: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        write_clusters(goods, **{"relation": "goods", "name": "txt", "k": 3, "into": "groups", **changed})
    assert goods.execute("select to_regclass('groups')").fetchone() == (None,)


def test_without_scikit_learn(goods: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "sklearn":
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r'pip install "scikit-learn>=1.5"'):
        write_clusters(goods, "goods", "txt", k=3, into="groups")
