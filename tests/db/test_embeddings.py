"""add_embedding and drop_embedding: what is declared, what is refused with a remedy, what is left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import errors as pg

from mmdb.models.embed.base import Vectors
from mmdb.worker import Totals
from tests.db.conftest import expected, one

Connection = psycopg.Connection[Any]
TABLE = """
create table items (
  id int primary key, txt text, b bytea, n int, words varchar(9), arr int[], js jsonb, data xml,
  virtual_txt text generated always as (txt) {kind}
)
"""


def schema_of(conn: Connection) -> list[Any]:
    """All that psql would show of the table."""
    queries = [
        "select attname, atttypid::regtype::text, attnotnull from pg_attribute where attrelid = 'items'::regclass "
        "and attnum > 0 and not attisdropped order by attname",
        "select indexdef from pg_indexes where tablename = 'items' order by 1",
        "select tgname from pg_trigger where tgrelid = 'items'::regclass order by 1",
        "select conname from pg_constraint where conrelid = 'items'::regclass order by 1",
        "select proname from pg_proc where pronamespace = 'public'::regnamespace and not exists "
        "(select from pg_depend d where d.objid = pg_proc.oid and d.deptype = 'e') order by 1",
    ]
    return [conn.execute(query).fetchall() for query in queries]


def test_drop_leaves_the_table_as_it_was(conn: Connection, drain: Callable[[], Totals]) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("insert into items values (1, 'one')")
    before = schema_of(conn)
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    drain()
    assert schema_of(conn) != before
    conn.execute("select mmdb.drop_embedding('items', 'txt')")
    assert schema_of(conn) == before
    assert conn.execute("select * from items").fetchall() == [(1, "one")]


def test_what_it_returns(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    row = conn.execute("select relation::text, name, column_name, column_type, modality, model, adopted "
                       "from mmdb.add_embedding('items', 'txt', model => 'hash')").fetchone()  # fmt: skip
    assert row is not None
    assert row[:3] == ("items", "txt", "txt_embedding")
    assert row[3].endswith("halfvec(64)")
    assert row[4:] == ("text", "hash", False)


def test_a_column_that_is_there_is_adopted_and_left(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text, txt_embedding vector(64))")
    conn.execute("insert into items values (1, 'one', array_fill(1, array[64])::vector)")
    conn.execute("create index mine on items using hnsw (txt_embedding vector_cosine_ops)")
    before = schema_of(conn)
    made = conn.execute("select adopted from mmdb.add_embedding('items', 'txt', model => 'hash')").fetchone()
    assert made == (True,)
    indexes = conn.execute("select count(*) from pg_indexes where indexdef like '%hnsw%'").fetchone()
    assert indexes == (1,), "the index that is there serves"
    assert conn.execute("select txt_embedding is null from items").fetchone() == (False,)
    conn.execute("select mmdb.drop_embedding('items', 'txt')")
    assert schema_of(conn) == before


def test_copy_with_vectors_supplied_needs_no_worker(items: Connection, drain: Callable[[], Totals]) -> None:
    vector = "[" + ",".join(["1"] * 64) + "]"
    with items.cursor() as cursor, cursor.copy("copy items (id, txt, txt_embedding) from stdin") as copy:
        for n in range(10, 20):
            copy.write_row((n, f"copied {n}", vector))
    assert drain().stored == 5, "only the rows that came without"


@pytest.mark.parametrize(
    ("source", "options", "error", "match", "hint"),
    [
        ("nix", "", pg.UndefinedColumn, 'no column "nix"', "its columns: id"),
        ("n", "", pg.DatatypeMismatch, "does not hold modality", "text column"),
        ("arr", "", pg.DatatypeMismatch, "does not hold modality", "text column"),
        ("js", "", pg.DatatypeMismatch, "does not hold modality", "text column"),
        ("b", ", modality => 'text'", pg.DatatypeMismatch, "does not hold modality", "text column"),
        ("txt", ", modality => 'smell'", pg.InvalidParameterValue, 'unknown modality "smell"', "text, image"),
        ("txt", ", model => 'nix'", pg.UndefinedObject, 'model "nix" does not exist', "mmdb.models"),
        ("txt", ", storage => 'companion'", pg.FeatureNotSupported, 'storage "companion"', "column"),
    ],
)
def test_what_is_refused(conn: Connection, source: str, options: str, error: Any, match: str, hint: str) -> None:
    conn.execute(TABLE.format(kind="stored"))
    model = "" if "model =>" in options else ", model => 'hash'"
    with pytest.raises(error, match=match) as caught:
        conn.execute(f"select mmdb.add_embedding('items', %s{model}{options})", [source])
    assert hint in (caught.value.diag.message_hint or "")
    assert conn.execute("select count(*) from mmdb.embeddings").fetchone() == (0,)


KINDS = {
    "text[]": ("{red,blue}", "red, blue"),
    "varchar(20)[]": ("{red,NULL,blue}", "red, blue"),
    "citext[]": ("{red}", "red"),
    "tags": ("{red,blue}", "red, blue"),
    "color": ("blue", "blue"),
    "favourite": ("blue", "blue"),
    "color[]": ("{blue,red}", "blue, red"),
}
"""By type what is in a row, and what of it is embedded."""


def kinds(conn: Connection) -> None:
    conn.execute("create extension if not exists citext")
    conn.execute("create type color as enum ('red', 'blue')")
    conn.execute("create domain favourite as color")
    conn.execute("create domain tags as text[]")


@pytest.mark.parametrize("options", ["", ", on_change => 'keep'"])
@pytest.mark.parametrize("kind", KINDS)
def test_lists_and_enums_are_text(conn: Connection, drain: Callable[[], Totals], kind: str, options: str) -> None:
    written, said = KINDS[kind]
    kinds(conn)
    conn.execute(f"create table items (id int primary key, txt text, kind {kind})")
    conn.execute(f"insert into items values (1, 'one', '{written}'), (2, 'two', null)")
    if "[]" in kind or kind == "tags":
        conn.execute("insert into items values (3, 'three', '{}'), (4, 'four', '{NULL}')")
    if "[]" in kind and "color" not in kind:
        conn.execute("""insert into items values (5, 'five', '{""}')""")
    conn.execute(f"select mmdb.add_embedding('items', 'kind', model => 'hash'{options})")
    conn.execute(f"select mmdb.add_embedding('items', array['txt', 'kind'], model => 'hash', name => 'both'{options})")
    conn.execute(
        "select mmdb.add_embedding('items', array['kind', 'txt'], model => 'hash', name => 'sum', weights => '{1,1}')"
    )
    assert drain().failed == 0
    check_vector(conn, "kind", 1, said)
    check_vector(conn, "both", 1, f"one\n{said}")
    check_vector(conn, "both", 2, "two")
    summed = expected(said) + expected("one")
    check_vector(conn, "sum", 1, summed / np.linalg.norm(summed))
    assert one(conn, "select array_agg(id) from items where kind_embedding is not null") == [1]
    conn.execute("update items set kind = kind")
    assert drain().stored == 0
    conn.execute(f"update items set kind = '{written}' where id = 2")
    assert drain() == Totals(stored=3, failed=0)
    check_vector(conn, "kind", 2, said)
    assert one(conn, "select max(drift) from mmdb.status") is None


def test_an_array_that_is_no_list_fails_no_statement(conn: Connection, drain: Callable[[], Totals]) -> None:
    conn.execute("create table items (id int primary key, kind text[])")
    conn.execute("select mmdb.add_embedding('items', 'kind', model => 'hash')")
    conn.execute("insert into items values (1, '{{red,blue},{green,NULL}}')")
    assert drain() == Totals(stored=1, failed=0)
    check_vector(conn, "kind", 1, "red, blue, green")


def check_vector(conn: Connection, name: str, key: int, wanted: str | Vectors) -> None:
    found = one(conn, f"select {name}_embedding::real[] from items where id = {key}")
    np.testing.assert_allclose(found, expected(wanted) if isinstance(wanted, str) else wanted, atol=1e-3)


@pytest.mark.parametrize("kind", ["text[]", "color"])
def test_words_are_of_text(conn: Connection, kind: str) -> None:
    kinds(conn)
    conn.execute(f"create table items (id int primary key, kind {kind})")
    with pytest.raises(pg.DatatypeMismatch, match="words are indexed of text columns"):
        conn.execute("select mmdb.add_keywords('items', array['kind'])")


def test_a_virtual_generated_source_is_refused(conn: Connection) -> None:
    if conn.info.server_version < 180000:
        pytest.skip("virtual generated columns came with PostgreSQL 18")
    conn.execute(TABLE.format(kind="virtual"))
    with pytest.raises(pg.FeatureNotSupported, match="virtual generated column"):
        conn.execute("select mmdb.add_embedding('items', 'virtual_txt', model => 'hash')")


@pytest.mark.parametrize(
    ("ddl", "match"),
    [
        ("create table items (id int, txt text)", "no primary key"),
        ("create view items as select 1 as id, 'x' as txt", "not a permanent table"),
        ("create temp table items (id int primary key, txt text)", "not a permanent table"),
        ("create materialized view items as select 1 as id, 'x' as txt", "not a permanent table"),
    ],
)
def test_relations_that_cannot_carry_one(conn: Connection, ddl: str, match: str) -> None:
    conn.execute(ddl)
    with pytest.raises((pg.ObjectNotInPrerequisiteState, pg.WrongObjectType), match=match) as caught:
        conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    assert caught.value.diag.message_hint


def test_twice_is_refused(items: Connection) -> None:
    with pytest.raises(pg.DuplicateObject, match='has an embedding "txt" already') as caught:
        items.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    assert "mmdb.drop_embedding" in (caught.value.diag.message_hint or "")
    items.execute("select mmdb.add_embedding('items', 'txt', model => 'hash', name => 'second')")


def test_declaring_is_rolled_back_whole(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    before = schema_of(conn)
    with conn.transaction(force_rollback=True):
        conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    assert schema_of(conn) == before
    assert conn.execute("select count(*) from mmdb.embeddings").fetchone() == (0,)


def test_domains_and_varchar_are_text(conn: Connection, drain: Callable[[], Totals]) -> None:
    conn.execute("create domain label as varchar(20) check (value <> 'forbidden')")
    conn.execute("create table items (id int primary key, l label, c char(8))")
    conn.execute("insert into items values (1, 'one', 'two')")
    conn.execute("select mmdb.add_embedding('items', array['l', 'c'], model => 'hash', name => 'both')")
    assert drain().stored == 1


def test_a_table_that_is_dropped_and_made_again(items: Connection, drain: Callable[[], Totals]) -> None:
    items.execute("drop table items; create table items (id int primary key, txt text)")
    items.execute("insert into items values (1, 'new')")
    items.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    assert drain().stored == 1
    assert items.execute("select count(*) from mmdb.status").fetchone() == (1,)


def test_a_partial_index_of_the_users_is_not_that_of_pending_rows(conn: Connection) -> None:
    conn.execute("create table items (id int primary key, txt text, txt_embedding halfvec(64))")
    conn.execute("create index mine on items (id) where txt_embedding is not null")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    indexes = "select array_agg(indexname::text order by indexname) from pg_indexes where tablename = 'items'"
    assert conn.execute(indexes).fetchone() == (["items_pkey", "items_txt_hnsw", "items_txt_pending", "mine"],)
    conn.execute("select mmdb.drop_embedding('items', 'txt')")
    assert conn.execute(indexes).fetchone() == (["items_pkey", "items_txt_hnsw", "mine"],)


def test_a_name_with_a_parenthesis_is_not_cut_there(conn: Connection, drain: Callable[[], Totals]) -> None:
    """What follows it would be SQL to whoever makes the functions again, a superuser in `mmdb init` among them."""
    table = '"a) returns b"."items("'
    column = "(int) returns int language sql as 'select 1'; select 1/0; --"
    conn.execute('create schema "a) returns b"')
    conn.execute(f'create table {table} (id int primary key, txt text, "{column}" text)'.encode())
    conn.execute(f"insert into {table} values (1, 'one')".encode())
    conn.execute("select mmdb.add_embedding(%s, 'txt', model => 'hash')", [table])
    conn.execute("select mmdb.refresh(%s)", [table])
    assert drain().stored == 1
    assert conn.execute("select drift from mmdb.status").fetchone() == (None,)
    call = f'"a) returns b"."items(_top_by_txt"((select txt_embedding from {table}))'
    assert conn.execute(f"select id from {call}".encode()).fetchall() == [(1,)]
    conn.execute("select mmdb.drop_embedding(%s, 'txt')", [table])
