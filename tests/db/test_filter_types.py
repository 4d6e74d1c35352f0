"""mmdb.filter over every type that PostgreSQL has: each operator finds what the same predicate finds, written by hand.

By hand a string is 'written' so, and takes the type of the column, and a number is written without quotes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors as pg

from tests.conftest import Database
from tests.db.conftest import Connection, one

SETUP = """
create extension citext;
create domain positive as int check (value > 0);
create domain very_positive as positive not null;
create domain tags as text[] check (cardinality(value) < 5);
create domain document as jsonb;
create domain document_text as json;
create domain period as daterange;
create domain named as citext;
create type mood as enum ('sad', 'ok', 'it''s "fine"');
create type place as (shelf int, name text);
create type stamp as (mark json);
create type span as range (subtype = float8);
"""


@dataclass(frozen=True)
class Value:
    """A value in a filter, and by hand."""

    json: Any
    sql: str


def of(*values: Any) -> list[Value]:
    """Strings and numbers, which are the same in both; of floats only those that need no digits behind the last."""
    return [Value(v, "'" + v.replace("'", "''") + "'" if isinstance(v, str) else str(v).lower()) for v in values]


def lists(*values: tuple[Any, str]) -> list[Value]:
    return [Value(given, f"'{sql}'") for given, sql in values]


def cast(kind: str, *values: str) -> list[Value]:
    """Of types whose literals have to say so, also by hand."""
    return [Value(value.json, f"{value.sql}::{kind}") for value in of(*values)]


# Numbers of JSON that no integer column holds are asked for too.
INTEGERS = of(-5, 0, 1, 7)
BEYOND = [*of(1.0, 1.5, -0.5, 6.999, 40000, 3000000000, 10**30, -(10**30)), Value(1e3, "1000")]
STRINGS = of("", "a", "Red", "red", 'it\'s \\ "odd" %_', "{a,b}", "null")
LISTS = lists(([], "{}"), (["a"], "{a}"), (["a", "b"], "{a,b}"), (["b", None], "{b,null}"),
              (['"\\', "{,}", "null", ""], r'{"\"\\","{,}","null",""}'))  # fmt: skip
DATES = ("2026-01-31", "2026-02-01", "1999-12-31 BC", "infinity")
STORED: dict[str, list[Value]] = {
    "smallint": INTEGERS, "integer": INTEGERS, "bigint": [*INTEGERS, *of(2**60)], "oid": of(0, 1, 7),
    "numeric": of(-1.5, 0, 1, 1000.25, "NaN", "Infinity"), "numeric(6, 1)": of(-1.5, 0, 1, 1000.2),
    "real": [*of(-1.5, 0, 1, "NaN", "-Infinity"), Value(0.1, "real '0.1'")],
    "double precision": [*of(-1.5, 0, 1, "NaN"), Value(0.1, "'0.1'"), Value(1e300, "1e300")],
    "money": of("1.00", "-2.50", "1000.25"), "boolean": of(True, False),
    "text": STRINGS, "varchar(30)": STRINGS, "char(20)": STRINGS, "name": STRINGS, '"char"': of("a", "b", "z"),
    "citext": STRINGS, "uuid": of("00000000-0000-4000-8000-000000000000", "f0000000-0000-4000-8000-00000000000A"),
    "bytea": of("", "\\x00", "\\x5c27ff"), "bit(3)": of("000", "101"), "bit varying": of("0", "101", "1"),
    "date": of(*DATES), "timestamp": of(*DATES), "timestamptz(0)": of(*DATES),
    "time": of("00:00", "10:00:00.5", "24:00"), "timetz": of("00:00Z", "10:00+02", "24:00Z"),
    "interval": of("-1 day", "1 hour", "24:00:00", "1 year 2 mons"),
    "inet": of("10.0.0.1", "192.168.0.0/24", "::1"), "cidr": of("10.0.0.0/8", "::/0"),
    "macaddr": of("08:00:2b:01:02:03", "ff:00:2b:01:02:03"), "macaddr8": of("08:00:2b:01:02:03:04:05"),
    "pg_lsn": of("0/0", "F/10"), "xid8": of("1", "20"), "tsvector": of("a b", "c", ""), "tsquery": of("a & b", "c"),
    "oidvector": of("1 2", "3", ""), "int2vector": of("1 2", "3"), "tid": of("(0,1)", "(7,3)"),
    "regclass": cast("regclass", "pg_class", "pg_catalog.pg_type"),
    "mood": of("sad", "ok", "it's \"fine\""), "place": cast("place", "(1,a)", "(,)", "(2,)", '(2,"a,b")'),
    "int4range": of("empty", "[1,5)", "[2,2]", "(,)"), "numrange": of("[1.5,2]", "[1,)"), "span": of("[1,2)", "(,0]"),
    "daterange": of("[2026-01-01,2026-02-01)", "empty"), "period": of("[2026-01-01,2026-02-01)", "empty"),
    "int4multirange": of("{}", "{[1,5)}", "{[1,2),[7,9)}"), "datemultirange": of("{[2026-01-01,2026-02-01)}"),
    "positive": of(1, 7), "very_positive": of(1, 7), "named": STRINGS,
    "integer[]": lists(([], "{}"), ([1], "{1}"), ([1, 2], "{1,2}"), ([1, None], "{1,null}"),
                       ([[1, 2], [3, 4]], "{{1,2},{3,4}}")),
    "bigint[]": lists(([1.0], "{1}"), ([2**60], f"{{{2**60}}}")), "numeric[]": lists(([1.5], "{1.5}"), ([1], "{1}")),
    "text[]": LISTS, "varchar(9)[]": LISTS, "tags": LISTS, "citext[]": LISTS, "boolean[]": lists(([True], "{t}")),
    "date[]": lists((["2026-01-31", "infinity"], "{2026-01-31,infinity}")), "mood[]": lists((["ok"], "{ok}")),
    "positive[]": lists(([1, 7], "{1,7}"), ([7], "{7}")), "place[]": lists((["(1,a)"], '{"(1,a)"}')),
    "int4range[]": lists((["[1,5)", "empty"], '{"[1,5)",empty}')), "bytea[]": lists((["\\x00"], '{"\\\\x00"}')),
    "jsonb[]": lists((["a"], '{"\\"a\\""}'), ([1, None], "{1,null}"), ([{"a": ["b"]}], '{"{\\"a\\":[\\"b\\"]}"}')),
    "xid": of("1", "20"), "xid[]": lists((["1"], "{1}")),
}  # fmt: skip
STORED["jsonb"] = STORED["document"] = [
    Value(given, f"'{json.dumps(given)}'") for given in ("red", 1, 1.5, True, [1, "a"], [])
]
ASKED = {kind: [*STORED[kind], *BEYOND] for kind in ("smallint", "integer", "bigint", "positive", "very_positive")}
ASKED["timestamptz(0)"] = [*STORED["timestamptz(0)"], *of("2026-01-31 00:00:00.4")]
ASKED["real"] = [*STORED["real"], *(Value(far, f"{far}::float8") for far in (1e39, 1e-60, -1e300))]
ASKED["numeric(6, 1)"] = [*STORED["numeric(6, 1)"], *of(1000.25, 10**20)]
ASKED["varchar(9)[]"] = [*LISTS, *lists((["longer than nine"], "{longer than nine}"))]
COMPARED = {"eq": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
CONTAINED = {"contains": "@>", "contained_by": "<@", "overlaps": "&&"}
UNORDERED = {"xid", "xid[]"}
"""What has "=" and nothing else."""
PARTED = [kind for kind in STORED if kind.endswith("[]") or "range" in kind or kind in ("tags", "period", "span")]
WITHOUT = {
    "json": "'1'", "point": "'(1,2)'", "box": "'(1,2),(3,4)'", "line": "'{1,2,3}'", "lseg": "'(1,2),(3,4)'",
    "path": "'(1,2)'", "polygon": "'(1,2)'", "circle": "'<(1,2),3>'", "xml": "'<a/>'", "jsonpath": "'$'",
    "document_text": "'1'", "json[]": "'{1}'", "point[]": "array['(1,2)'::point]", "stamp": "'(1)'",
    "pg_snapshot": "'1:1:'", "txid_snapshot": "'1:1:'",
}  # fmt: skip
"""Types of which mmdb.filter knows nothing but whether there is a value."""


def table(kind: str | None) -> str:
    """The name of its table, quoted; without a kind that of documents."""
    return "docs" if kind is None else '"of {}"'.format(kind.replace('"', ""))


@pytest.fixture(scope="module")
def kinds(module_database: Database) -> Iterator[Connection]:
    """A table of each type with a row for each value, and one without."""
    with module_database.connect() as conn:
        conn.execute(SETUP)
        for kind, values in [*STORED.items(), *((kind, [Value(None, sql)]) for kind, sql in WITHOUT.items())]:
            conn.execute(f"create table {table(kind)} (id int generated always as identity, c {kind})".encode())
            for value in values:
                conn.execute(f"insert into {table(kind)} (c) values ({value.sql})".encode())
            if kind != "very_positive":
                conn.execute(f"insert into {table(kind)} (c) values (null)".encode())
        yield conn


def found(conn: Connection, kind: str | None, filter: Any) -> list[int]:
    predicate = one(conn, "select mmdb.filter(%s, %s)", table(kind), json.dumps(filter))
    return by_hand(conn, kind, predicate)


def by_hand(conn: Connection, kind: str | None, predicate: str) -> list[int]:
    rows = conn.execute(f"select id from {table(kind)} p where {predicate} order by id".encode())
    return [id for (id,) in rows.fetchall()]


def check(conn: Connection, kind: str, operator: str, value: Any, predicate: str) -> None:
    """The filter, its complement, and the same below "or"."""
    expected = by_hand(conn, kind, predicate)
    assert found(conn, kind, {"c": {operator: value}}) == expected
    assert found(conn, kind, {"or": [{"c": {operator: value}}, {"id": -1}]}) == expected
    everything = by_hand(conn, kind, "true")
    assert found(conn, kind, {"not": {"c": {operator: value}}}) == [id for id in everything if id not in expected]


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_type_is_compared_as_by_hand(kinds: Connection, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(STORED)))
    value = st.sampled_from(ASKED.get(kind, STORED[kind]))
    operator = data.draw(
        st.sampled_from(["eq", "ne", "in"] if kind in UNORDERED else [*COMPARED, "ne", "in", "between"])
    )
    if operator == "in":
        listed = data.draw(st.lists(value, max_size=4))
        predicate = f"p.c in ({', '.join(v.sql for v in listed)})" if listed else "false"
        check(kinds, kind, operator, [v.json for v in listed], predicate)
    elif operator == "between":
        low, high = data.draw(value), data.draw(value)
        check(kinds, kind, operator, [low.json, high.json], f"p.c between {low.sql} and {high.sql}")
    else:
        asked = data.draw(value)
        written = "is distinct from" if operator == "ne" else COMPARED[operator]
        check(kinds, kind, operator, asked.json, f"p.c {written} {asked.sql}")


@pytest.mark.parametrize("kind", STORED)
def test_a_value_finds_itself(kinds: Connection, kind: str) -> None:
    for value in STORED[kind]:
        assert found(kinds, kind, {"c": value.json})


@pytest.mark.parametrize("kind", [*STORED, *WITHOUT])
def test_null_is_no_value_and_the_rest_are_values(kinds: Connection, kind: str) -> None:
    """Also where a row's columns are all null, which "is null" takes for null."""
    for asked, condition in (
        (None, "is not distinct from null"),
        ({"is_null": True}, "is not distinct from null"),
        ({"ne": None}, "is distinct from null"),
        ({"is_null": False}, "is distinct from null"),
    ):
        assert found(kinds, kind, {"c": asked}) == by_hand(kinds, kind, f"p.c {condition}")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_has_parts_is_compared_as_by_hand(kinds: Connection, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(PARTED))
    operator, written = data.draw(st.sampled_from(list(CONTAINED.items())))
    value = data.draw(st.sampled_from(STORED[kind]))
    check(kinds, kind, operator, value.json, f"p.c {written} {value.sql}")


@pytest.mark.parametrize(
    ("kind", "operator", "value", "predicate"),
    [
        ("integer[]", "contains", 1, "p.c @> '{1}'"),
        ("integer[]", "contains", 1.0, "p.c @> '{1}'"),
        ("tags", "overlaps", "a", "p.c && '{a}'"),
        ("jsonb[]", "contains", "a", 'p.c @> \'{"\\"a\\""}\''),
        ("int4range", "contains", 2, "p.c @> 2"),
        ("int4range", "contained_by", "{[1,3),[4,9)}", "p.c <@ '{[1,3),[4,9)}'::int4multirange"),
        ("int4multirange", "contains", 2, "p.c @> 2"),
        ("int4multirange", "contains", "[1,2]", "p.c @> '[1,2]'::int4range"),
        ("int4multirange", "overlaps", "[8,10]", "p.c && '[8,10]'::int4range"),
        ("datemultirange", "contains", "2026-01-20", "p.c @> date '2026-01-20'"),
        ("period", "contains", "2026-01-20", "p.c @> date '2026-01-20'"),
        ("span", "contains", 1.5, "p.c @> 1.5::float8"),
        ("document", "contains", [1], "p.c @> '[1]'"),
        ("jsonb", "contained_by", ["red", 1, "a"], 'p.c <@ \'["red", 1, "a"]\''),
    ],
)
def test_parts_of_values(kinds: Connection, kind: str, operator: str, value: Any, predicate: str) -> None:
    assert by_hand(kinds, kind, predicate)
    check(kinds, kind, operator, value, predicate)


@pytest.mark.parametrize("kind", ["text", "varchar(30)", "name", "citext", "named"])
@pytest.mark.parametrize("pattern", ["red", "R%", "%e_", "%", "", "it's%", '%"odd" \\%\\_'])
def test_patterns(kinds: Connection, kind: str, pattern: str) -> None:
    quoted = pattern.replace("'", "''")
    for operator in ("like", "ilike"):
        check(kinds, kind, operator, pattern, f"p.c {operator} '{quoted}'")


@pytest.mark.parametrize("kind", WITHOUT)
def test_a_type_without_comparisons_is_named(kinds: Connection, kind: str) -> None:
    for operator in ("eq", "ne", "lt", "in", "between", "like", "overlaps"):
        value = ["1", "2"] if operator in ("in", "between") else "1"
        with pytest.raises(pg.InvalidParameterValue, match='column "c"'):
            found(kinds, kind, {"c": {operator: value}})


def test_no_type_is_left_out(kinds: Connection) -> None:
    """Of those of which a table can have a column; types of text that others stand for have the same operators."""
    tried = [kind.partition("(")[0] for kind in [*STORED, *WITHOUT]]
    known = one(kinds, "select array_agg(distinct k::regtype::oid) from unnest(%s::text[]) k", tried)
    alike = "^(int8|num|ts|tstz)(multi)?range$|^reg|^(bit|cid|refcursor|aclitem|gtsvector)$"
    internal = "^_|^pg_(node_tree|ndistinct|dependencies|mcv_list|brin)"
    rest = kinds.execute(
        "select oid::regtype::text from pg_type where typnamespace = 'pg_catalog'::regnamespace "
        "and typtype in ('b', 'r', 'm') and typcategory <> 'A' and oid <> all(%s) and typname !~ %s and typname !~ %s",
        [known, alike, internal],
    )
    assert rest.fetchall() == []


ODD = ['{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"a": 1e400000}', '{"a": 5, "b": "\\u0000"}']
"""What json takes and jsonb does not."""
WHATEVER = [5, "5", "x", 1.5, True, None, [5], {"b": 5}]


@pytest.mark.parametrize("kind", ["json", "jsonb", "document", "document_text"])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"eq": 5}, {0}), ({"eq": "5"}, {1}), ({"in": [5, "x"]}, {0, 2}), ({"gt": 1}, {0, 3}), ({"gte": "5"}, {1, 2}),
        ({"between": [1, 4]}, {3}), ({"like": "x%"}, {2}), ({"contains": 5}, {0, 6}), ({"lt": 1e300}, {0, 3}),
        ({"is_null": False}, {0, 1, 2, 3, 4, 6, 7}),
    ],
)  # fmt: skip
def test_an_odd_value_in_one_row_is_no_error_for_all(
    conn: Connection, kind: str, asked: dict[str, Any], expected: set[int]
) -> None:
    conn.execute("create domain document as jsonb; create domain document_text as json")
    conn.execute(f"create table docs (id int, c {kind})".encode())
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into docs values (%s, %s)", [(n, json.dumps({"a": v})) for n, v in enumerate(WHATEVER)]
        )
        if "text" in kind or kind == "json":
            cursor.executemany("insert into docs values (%s, %s)", [(100 + n, odd) for n, odd in enumerate(ODD)])
    assert set(found(conn, None, {"c.a": asked})) == expected
    complement = {row for row in by_hand(conn, None, "true") if row not in expected}
    assert set(found(conn, None, {"not": {"c.a": asked}})) == complement
    contained = {"c": {"contains": {"a": 5}}}
    assert set(found(conn, None, contained)) == {0}


def test_a_plan_of_many_workers_reads_odd_json_too(conn: Connection) -> None:
    conn.execute("create table docs (id int, c json)")
    conn.execute("insert into docs select g, case g %% 1000 when 0 then %s else '{\"a\": 5}' end::json "
                 "from generate_series(1, 20000) g", [ODD[0]])  # fmt: skip
    conn.execute("set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0")
    conn.execute("analyze docs")
    assert len(found(conn, None, {"c.a": 5})) == 19980


WRONG = [
    {"prce": 1}, {"price": "cheap"}, {"or": [{"and": [{"not": {"price": {"near": 1}}}]}]}, {"price": {"in": 1}},
    {"price": [1]}, {"or": 1}, 7, {"price": {"is_null": 3}}, {"price": {"between": [1]}},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    "call",
    [
        "items_top_by_txt(array_fill(1, array[{width}])::halfvec, filter => %s)",
        "items_search('a', filter => %s)",
        "items_like(1, filter => %s)",
        "items_recommend('{{1}}', filter => %s)",
        "mmdb.neighbours('items', 'txt', 'items', 'txt', filter => %s)",
    ],
)
def test_a_wrong_filter_is_said_in_few_lines(items: Connection, call: str, wrong: Any) -> None:
    """And before anything is embedded: no worker runs."""
    width = one(items, "select dimensions from mmdb.models where name = 'hash'")
    with pytest.raises((pg.InvalidParameterValue, pg.UndefinedColumn)) as raised:
        items.execute(f"select * from {call.format(width=width)}".encode(), [json.dumps(wrong)])
    assert raised.value.diag.message_hint
    assert len(str(raised.value).splitlines()) <= 10
    assert "filter_" not in str(raised.value.diag.context)
