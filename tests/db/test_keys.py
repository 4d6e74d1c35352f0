"""Primary keys of every kind: their rows are embedded, and functions that take keys take what one would write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from psycopg import errors as pg

from mmdb.worker import background
from tests.conftest import Database
from tests.db.conftest import QUICK, Connection


@dataclass(frozen=True)
class Key:
    """A type of keys; four values in their order, as one would write them in SQL; the same for a list of them."""

    type: str
    values: tuple[str, str, str, str]
    listed: tuple[str, str, str, str] | None = None

    def array(self, *places: int) -> str:
        """As one writes it: strings in an array have the type text until it is said."""
        values = [(self.listed or self.values)[place] for place in places]
        is_text = self.listed or not values[0].startswith("'") or self.type.partition("(")[0] in STRINGS
        cast = "" if is_text else f"::{self.type}[]"
        return f"array[{', '.join(values)}]{cast}"


def texts(*values: str) -> tuple[str, str, str, str]:
    first, second, third, fourth = (f"'{value}'" for value in values)
    return first, second, third, fourth


STRINGS = {
    "text",
    "varchar",
    "char",
    '"char"',
    "name",
    "citext",
    "text collate nocase",
    "code",
    "code_of_code",
    "named",
}
NUMBERS = ("1", "2", "3", "4")
TYPES = """
create extension if not exists citext;
create domain number as int check (value > 0);
create domain small as smallint not null;
create domain code as varchar(8) check (value <> '');
create domain code_of_code as code;
create domain named as citext;
create domain numbers as int[];
create type size as enum ('small', 'large', 'huge', 'it''s {"odd", \\}');
create type place as (shelf int, name text);
create type span as range (subtype = float8);
"""
ARRAYS = texts("{1}", "{1,2}", "{2,3,4}", "{3}")
ODD_ARRAYS = texts("{}", '{"a b",c}', '{"b\\"",null}', "{c}")
LENIENT = "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
KEYS = {
    "smallint": Key("smallint", NUMBERS),
    "integer": Key("integer", NUMBERS),
    "bigint": Key("bigint", ("1", "2", "3", "4000000000")),
    "numeric": Key("numeric(8, 2)", ("1", "1.5", "2", "1000.25")),
    "real": Key("real", ("1", "1.5", "2.25", "1e10")),
    "double": Key("double precision", ("1", "1.5", "0.1 + 2", "1e100")),
    "oid": Key("oid", NUMBERS),
    "money": Key("money", texts("1.00", "1.50", "2.00", "1000.25")),
    "boolean": Key("boolean", ("false", "true", "false", "true")),
    "text": Key("text", texts("", "a b", 'b"c,{}\\', "null")),
    "varchar": Key("varchar(8)", texts("acme-eu1", "b", "c", "d")),
    "char": Key("char(8)", texts("a", "b", "c", "d")),
    "one character": Key('"char"', texts("a", "b", "c", "d")),
    "name": Key("name", texts("a", "b", "c", "d")),
    "citext": Key("citext", texts("Apple", "banana", "Cherry", "date")),
    "collation": Key("text collate nocase", texts("Apple", "banana", "Cherry", "date")),
    "uuid": Key("uuid", texts(*(f"{n}0000000-0000-4000-8000-000000000000" for n in range(1, 5)))),
    "bytea": Key("bytea", texts("\\x", "\\x00", "\\x5c27", "\\xff")),
    "bit": Key("bit(3)", ("b'000'", "b'001'", "b'010'", "b'111'")),
    "varbit": Key("bit varying", ("b'0'", "b'001'", "b'01'", "b'111'")),
    "date": Key("date", texts("2026-01-31", "2026-02-01", "2026-12-01", "infinity")),
    "timestamp": Key("timestamp(0)", texts("2026-01-31 10:00", "2026-02-01", "2026-12-01", "infinity")),
    "timestamptz": Key("timestamptz", texts("2026-01-31 10:00+02", "2026-02-01Z", "2026-12-01Z", "infinity")),
    "time": Key("time", texts("00:00", "10:00", "10:00:00.5", "24:00")),
    "timetz": Key("timetz", texts("00:00Z", "10:00Z", "10:00:00.5Z", "24:00Z")),
    "interval": Key("interval", texts("-1 day", "1 hour", "1 year 2 mons -3 days", "300 years")),
    "inet": Key("inet", texts("10.0.0.1", "10.0.0.2", "192.168.0.0/24", "::1")),
    "cidr": Key("cidr", texts("10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/24", "::/0")),
    "macaddr": Key("macaddr", texts(*(f"08:00:2b:01:02:0{n}" for n in range(1, 5)))),
    "jsonb": Key("jsonb", texts('"a"', "1", "[1]", '{"a": [1, "b"]}')),
    "enum": Key("size", texts("small", "large", "huge", "it''s {\"odd\", \\}")),
    "range": Key("int4range", texts("empty", "[1,2)", "[1,3)", "[2,)")),
    "own range": Key("span", texts("empty", "[1,2)", "[1,3)", "[2,)")),
    "multirange": Key("int4multirange", texts("{}", "{[1,2)}", "{[1,2),[5,6)}", "{[2,)}")),
    "composite": Key("place", texts("(1,a)", "(1,b c)", '(2,"a,b")', "(3,)")),
    "pg_lsn": Key("pg_lsn", texts("0/0", "0/10", "1/0", "F/0")),
    "xid8": Key("xid8", texts(*NUMBERS)),
    "tsvector": Key("tsvector", texts("a", "a b", "c", "d")),
    "domain": Key("number", NUMBERS),
    "small domain": Key("small", NUMBERS),
    "text domain": Key("code", texts("acme-eu1", "b", "c", "d")),
    "domain of a domain": Key("code_of_code", texts("acme-eu1", "b", "c", "d")),
    "citext domain": Key("named", texts("Apple", "banana", "Cherry", "date")),
    "array": Key("int[]", ("array[1]", "'{1,2}'", "array[2, 3, 4]", "array[3]"), ARRAYS),
    "text array": Key("text[]", ODD_ARRAYS, ODD_ARRAYS),
    "array domain": Key("numbers", ARRAYS, ARRAYS),
}


@pytest.fixture(scope="module")
def tables(module_database: Database) -> Iterator[Connection]:
    """A table of each type, all embedded: four rows, of a boolean key two."""
    with module_database.connect() as conn, background(module_database.url, options=QUICK):
        conn.execute(TYPES)
        try:
            conn.execute(LENIENT)
        except pg.FeatureNotSupported:  # the embedded server's build has no ICU
            conn.execute('create collation nocase from "C"')
        for name, key in KEYS.items():
            conn.execute(f'create table "of {name}" (id {key.type} primary key, txt text)'.encode())
            for number, value in enumerate(dict.fromkeys(key.values)):
                conn.execute(f'insert into "of {name}" values ({value}, $$text {number}$$)'.encode())
            conn.execute("select mmdb.add_embedding(%s, 'txt', model => 'hash', prefix => %s)", [f'"of {name}"', name])
        conn.execute("select mmdb.wait_until_embedded(e.relation) from mmdb.embeddings e")
        yield conn


def found(conn: Connection, call: str) -> set[int]:
    """The numbers of the texts that a call finds."""
    rows = conn.execute(f"select right(txt, 1)::int from {call}".encode()).fetchall()
    assert len(rows) == len(set(rows))
    return {number for (number,) in rows}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_taken_as_it_is_written(tables: Connection, name: str) -> None:
    key = KEYS[name]
    others = set(range(len(set(key.values))))
    for number, value in enumerate(dict.fromkeys(key.values)):
        assert found(tables, f'"{name}_like"({value})') == others - {number}
        assert found(tables, f'"{name}_top_by_txt"($$text {number}$$, 1, after => {value})') == set(
            found(tables, f'"{name}_top_by_txt"($$text {number}$$, 2)') - {number}
        )
        assert found(tables, f'"{name}_recommend"({key.array(number)})') == others - {number}
    assert found(tables, f'"{name}_like"(null)') == set()
    assert found(tables, f'"{name}_top_by_txt"($$text 0$$, after => null, within => null)') == others


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_taken_as_the_column_has_them(tables: Connection, name: str) -> None:
    """A value of the key's own type, and an array of them; an array of keys that are arrays is one of their texts."""
    key = KEYS[name]
    listed = "array(select id::text from {})" if key.listed else "array(select id from {})"
    all_keys = listed.format(f'"of {name}"')
    others = set(range(len(set(key.values))))
    for number in others:
        row = f'"of {name}" given where given.txt = $$text {number}$$'
        likes = f'"of {name}" given, lateral "{name}_like"(given.id) l where given.txt = $$text {number}$$'
        assert {n for (n,) in tables.execute(f"select right(l.txt, 1)::int from {likes}".encode())} == others - {number}
        one_key = listed.format(row)
        for call in ("top_by_txt", "search"):
            assert found(tables, f'"{name}_{call}"($$text 0$$, within => {one_key})') == {number}
    for call in ("top_by_txt", "search"):
        assert found(tables, f'"{name}_{call}"($$text 0$$, within => {all_keys})') == others
        assert found(tables, f'"{name}_{call}"($$text 0$$, within => {key.array(0, 1)})') == {0, 1}
    assert found(tables, f'"{name}_recommend"({key.array(0)}, {key.array(1)})') == others - {0, 1}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smallint", "100000"),
        ("domain", "-1"),
        ("varchar", "'acme-eu10'"),
        ("text domain", "''"),
        ("char", "'a       b'"),
        ("numeric", "1.501"),
        ("timestamp", "'2026-02-01 00:00:00.1'"),
        ("bit", "b'0001'"),
        ("integer", "5"),
    ],
)
def test_a_key_that_no_row_can_have_is_not_cut_to_one_that_a_row_has(tables: Connection, name: str, value: str) -> None:
    for call in (f'"{name}_like"({value})', f"\"{name}_top_by_txt\"('text 0', after => {value})"):
        with pytest.raises(pg.NoDataFound, match="has no row"):
            found(tables, call)
    within = replace(KEYS[name], values=(value, KEYS[name].values[1], "", "")).array(0, 1)
    assert found(tables, f"\"{name}_top_by_txt\"('text 0', within => {within})") == {1}


PRIMARY_KEYS = {
    "covering": ("id int, extra int", "primary key (id) include (extra, txt)", "1, 1", "1"),
    "covering two": ("id int, b text, extra int", "primary key (b, id) include (extra)", "1, 'a', 1", "'{a,1}'"),
    "deferrable": ("id int", "primary key (id) deferrable", "1", "1"),
    "deferred": ("id int", "primary key (id) deferrable initially deferred", "1", "1"),
    "array and domain": ("a int[], b number", "primary key (a, b)", "array[1, 2], 1", "'{\"{1,2}\",1}'"),
    "composite": ("a place, b smallint", "primary key (a, b)", "'(3,)', 1", "'{\"(3,)\",1}'"),
    "of widths": ("a varchar(3), b char(3)", "primary key (b, a)", "'abc', 'd'", "'{d,abc}'"),
    "identity": ("id int generated always as identity", "primary key (id)", "default", "1"),
    "generated": ("a int, id int generated always as (a + 1) stored", "primary key (id)", "0, default", "1"),
}


@pytest.mark.parametrize("name", PRIMARY_KEYS)
def test_primary_keys_of_every_make(tables: Connection, name: str) -> None:
    columns, constraint, row, key = PRIMARY_KEYS[name]
    tables.execute(f'create table "made {name}" (txt text, {columns}, {constraint})'.encode())
    tables.execute(f"insert into \"made {name}\" values ('text 1', {row})".encode())
    tables.execute("select mmdb.add_embedding(%s, 'txt', model => 'hash', prefix => 'made')", [f'"made {name}"'])
    try:
        tables.execute("select mmdb.wait_until_embedded(%s)", [f'"made {name}"'])
        assert found(tables, f"made_search('text 1', within => array[{key}])") == {1}
        assert found(tables, f"made_top_by_txt('text 1', after => {key})") == set()
        assert found(tables, f"made_like({key})") == set()
        tables.execute(f"update \"made {name}\" set txt = 'text 2'".encode())
        tables.execute("select mmdb.wait_until_embedded(%s, array[%s])", [f'"made {name}"', key.strip("'")])
        assert tables.execute("select drift from mmdb.status where name = 'txt' and relation = %s::regclass",
                              [f'"made {name}"']).fetchone() == (None,)  # fmt: skip
    finally:
        tables.execute(f'drop table "made {name}"'.encode())
