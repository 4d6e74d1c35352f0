"""mmdb.filter: an application's JSON becomes a predicate with every name checked and every value quoted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors as pg

from tests.conftest import Database
from tests.db.conftest import Connection

ROWS: list[dict[str, Any]] = [
    {"id": 1, "name": "red shoe", "price": 10, "ok": True, "tags": ["a", "b"], "meta": {"color": "red", "size": 40}},
    {"id": 2, "name": "blue hat", "price": 20, "ok": False, "tags": ["b"], "meta": {"color": "blue"}},
    {"id": 3, "name": None, "price": None, "ok": None, "tags": None, "meta": None},
    {"id": 4, "name": 'it\'s \\ "odd" %_', "price": -5, "ok": True, "tags": [], "meta": {"color": None, "size": "40"}},
    {"id": 5, "name": "", "price": 20, "ok": False, "tags": ["'; drop table goods; --"], "meta": {}},
]


@pytest.fixture(scope="module")
def goods(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as conn:
        conn.execute("create extension citext; create type grade as enum ('low', 'high')")
        conn.execute(
            "create table goods (id int primary key, name text, price numeric(8, 2), ok bool, tags text[], meta jsonb,"
            ' "and" int, "odd ""name" int, label citext, grade grade, valid daterange, seen date, "meta.dotted" int)'
        )
        for row in ROWS:
            values = {**row, "meta": None if row["meta"] is None else json.dumps(row["meta"])}
            conn.execute(
                "insert into goods (id, name, price, ok, tags, meta) values "
                "(%(id)s, %(name)s, %(price)s, %(ok)s, %(tags)s, %(meta)s)", values,
            )  # fmt: skip
        conn.execute(
            "update goods set label = 'Red', grade = 'high', valid = '[2026-01-01,2026-02-01)', seen = '2026-01-15', "
            '"odd ""name" = 7, "and" = 8, "meta.dotted" = 9 where id = 1'
        )
        yield conn


def found(conn: Connection, filter: Any) -> list[int]:
    """The ids of the rows that pass, as an application would ask."""
    row = conn.execute("select mmdb.filter('goods', %s)", [json.dumps(filter)]).fetchone()
    assert row is not None
    predicate: str = row[0]
    return [id for (id,) in conn.execute(f"select p.id from goods p where {predicate} order by id".encode())]


@pytest.mark.parametrize(
    ("filter", "ids"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"price": 20}, [2, 5]),
        ({"price": {"lt": 20}}, [1, 4]),
        ({"price": {"gte": 10, "lte": 20}}, [1, 2, 5]),
        ({"price": {"gt": 10}, "ok": False}, [2, 5]),
        ({"price": {"ne": 20}}, [1, 3, 4]),
        ({"price": {"between": [0, 15]}}, [1]),
        ({"price": None}, [3]),
        ({"price": {"ne": None}}, [1, 2, 4, 5]),
        ({"price": {"is_null": True}}, [3]),
        ({"price": {"is_null": False}}, [1, 2, 4, 5]),
        ({"id": {"in": [1, 3, 99]}}, [1, 3]),
        ({"id": {"in": []}}, []),
        ({"name": {"like": "%shoe"}}, [1]),
        ({"name": {"ilike": "%SHOE"}}, [1]),
        ({"name": 'it\'s \\ "odd" %_'}, [4]),
        ({"ok": True}, [1, 4]),
        ({"or": [{"price": {"lt": 0}}, {"name": None}]}, [3, 4]),
        ({"and": [{"price": 20}, {"ok": False}]}, [1, 2, 3, 4, 5]),
        ({"not": {"price": 20}}, [1, 3, 4]),
        ({"or": []}, []),
        ({"tags": {"contains": "b"}}, [1, 2]),
        ({"tags": {"contains": ["a", "b"]}}, [1]),
        ({"tags": {"contained_by": ["b", "c"]}}, [2, 4]),
        ({"tags": {"overlaps": ["a", "'; drop table goods; --"]}}, [1, 5]),
        ({"tags": ["b"]}, [2]),
        ({"meta.color": "red"}, [1]),
        ({"meta.color": {"in": ["red", "blue"]}}, [1, 2]),
        ({"meta.color": None}, [3, 4, 5]),
        ({"meta.color": {"ne": "red"}}, [2, 3, 4, 5]),
        ({"meta.size": {"gt": 39}}, [1]),
        ({"meta.size": {"gte": "40"}}, [4]),
        ({"meta.size": {"between": [39, 41]}}, [1]),
        ({"meta.color": {"ilike": "R%"}}, [1]),
        ({"meta": {"contains": {"color": "blue"}}}, [2]),
        ({"meta.dotted": 9}, [1]),
        ({'odd "name': 7}, [1]),
        ({"label": "RED"}, [1]),
        ({"grade": "high"}, [1]),
        ({"grade": {"gt": "low"}}, [1]),
        ({"valid": {"contains": "2026-01-20"}}, [1]),
        ({"valid": {"overlaps": "[2026-01-31,2026-03-01)"}}, [1]),
        ({"seen": {"gte": "2026-01-01", "lt": "2026-02-01"}}, [1]),
    ],
)
def test_filters(goods: Connection, filter: Any, ids: list[int]) -> None:
    if "and" in filter:  # the table has a column of that name, which wins
        with pytest.raises(pg.InvalidParameterValue):
            found(goods, filter)
        filter = {"not": {"not": {"price": 20, "ok": False}}}
        ids = [2, 5]
    assert found(goods, filter) == ids


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({"colour": 1}, 'goods has no column "colour"'),
        ({"name.first": "x"}, 'no column "name.first"'),
        ({"price": {"near": 1}}, 'no operator "near" for column "price" of type numeric'),
        ({"price": "cheap"}, '"cheap" is no value of column "price"'),
        ({"price": [1]}, r'\[1\] is no value of column "price"'),
        ({"grade": "middling"}, '"middling" is no value of column "grade"'),
        ({"id": {"in": 1}}, '"in" of column "id" takes an array, not 1'),
        ({"id": {"between": [1]}}, "takes an array of 2 values"),
        ({"price": {"like": "1%"}}, '"like" of column "price" compares a text column'),
        ({"name": {"contains": "shoe"}}, '"contains" of column "name" is for arrays'),
        ({"meta": {"overlaps": ["a"]}}, '"overlaps" of column "meta"'),
        ({"meta.color": {"near": 1}}, 'no operator "near"'),
        ([1], "a filter is an object"),
        ("1 = 1", "a filter is an object"),
        ({"or": {"price": 1}}, '"or" of a filter takes an array'),
        ({"or": [1]}, "a filter is an object"),
    ],
)
def test_mistakes_are_named(goods: Connection, filter: Any, message: str) -> None:
    with pytest.raises((pg.InvalidParameterValue, pg.UndefinedColumn), match=message):
        found(goods, filter)


def test_nested_too_deep(goods: Connection) -> None:
    filter: Any = {"price": 1}
    for _ in range(30):
        filter = {"not": filter}
    with pytest.raises(pg.ProgramLimitExceeded):
        found(goods, filter)


HOSTILE = st.one_of(
    st.text(max_size=30).filter(lambda text: "\x00" not in text),
    st.sampled_from(
        ["'", "''", "\\", "$$", "'; drop table goods; --", '"', "%s", "{}", "null", "1) or (1=1", "\u2028"]
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), HOSTILE)
COLUMNS = st.sampled_from(["id", "name", "price", "ok", "tags", "meta", "meta.color", "meta.a b.'c"])
OPERATORS = st.sampled_from(
    ["eq", "ne", "lt", "lte", "gt", "gte", "in", "between", "like", "ilike", "is_null", "contains", "overlaps"]
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(HOSTILE, SCALARS, max_size=2))
CONDITIONS = st.dictionaries(
    st.one_of(COLUMNS, HOSTILE), st.one_of(VALUES, st.dictionaries(st.one_of(OPERATORS, HOSTILE), VALUES, max_size=2)),
    max_size=3,
)  # fmt: skip
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds(lambda filters: {"or": filters}, st.lists(inner, max_size=3)),
        st.builds(lambda filter: {"not": filter}, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=FILTERS)
def test_a_hostile_filter_is_refused_or_harmless(goods: Connection, filter: Any) -> None:
    """Refused with one of our own errors, or a predicate that runs: never a syntax error, never another statement."""
    try:
        ids = found(goods, filter)
    except (pg.InvalidParameterValue, pg.UndefinedColumn):
        return
    assert set(ids) <= {1, 2, 3, 4, 5}
    assert goods.execute("select count(*) from goods").fetchone() == (5,)


SAFE = st.recursive(
    st.one_of(
        st.builds(
            lambda op, value: {"price": {op: value}}, st.sampled_from(["lt", "gte", "eq", "ne"]), st.integers(-10, 30)
        ),
        st.builds(lambda value: {"name": value}, st.sampled_from([row["name"] for row in ROWS])),
        st.builds(lambda values: {"id": {"in": values}}, st.lists(st.integers(0, 6), max_size=4)),
        st.builds(lambda value: {"ok": value}, st.sampled_from([True, False, None])),
    ),
    lambda inner: st.one_of(
        st.builds(lambda filters: {"or": filters}, st.lists(inner, max_size=3)),
        st.builds(lambda filter: {"not": filter}, inner),
    ),
    max_leaves=8,
)


def passes(row: dict[str, Any], filter: dict[str, Any]) -> bool:
    """What the documentation says, in Python."""
    for key, value in filter.items():
        if key == "or":
            holds = any(passes(row, inner) for inner in value)
        elif key == "not":
            holds = not passes(row, value)
        elif isinstance(value, dict):
            holds = _compare(row[key], *next(iter(value.items())))
        else:
            holds = row[key] == value
        if not holds:
            return False
    return True


def _compare(found: Any, operator: str, value: Any) -> bool:
    if operator == "ne":
        return bool(found != value)
    if operator == "in":
        return found in value
    if found is None:
        return False
    return bool({"lt": found < value, "gte": found >= value, "eq": found == value}[operator])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=SAFE)
def test_filters_mean_what_they_say(goods: Connection, filter: Any) -> None:
    assert found(goods, filter) == [row["id"] for row in ROWS if passes(row, filter)]


def test_an_alias_and_a_caller_without_rights(goods: Connection) -> None:
    row = goods.execute("select mmdb.filter('goods', '{\"price\": 1}', 'odd \"alias')").fetchone()
    assert row == ('"odd ""alias".price operator(pg_catalog.=) \'1\'::numeric',)
    assert goods.execute("select mmdb.filter('goods', null)").fetchone() == ("true",)


def test_a_value_is_not_cut_to_the_width_of_its_column(conn: Connection) -> None:
    """A tenant called acme-eu10 is not acme-eu1, and 1.25 is not 1.3."""
    conn.execute("create table narrow (id int primary key, name varchar(8), code char(2), price numeric(6, 1))")
    conn.execute("insert into narrow values (1, 'acme-eu1', 'ab', 1.3)")
    for condition in ('{"name": "acme-eu10"}', '{"name": {"in": ["acme-eu10"]}}', '{"code": "abX"}', '{"price": 1.25}'):
        row = conn.execute("select mmdb.filter('narrow', %s)", [condition]).fetchone()
        assert row is not None
        assert conn.execute(f"select count(*) from narrow p where {row[0]}").fetchone() == (0,), condition
    for condition in ('{"name": "acme-eu1"}', '{"code": "ab"}', '{"price": 1.3}'):
        row = conn.execute("select mmdb.filter('narrow', %s)", [condition]).fetchone()
        assert row is not None
        assert conn.execute(f"select count(*) from narrow p where {row[0]}").fetchone() == (1,), condition
