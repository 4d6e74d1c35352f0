"""What a session, a role or a database may set changes nothing in what mmdb declares, fills, finds and says.

One walk through everything, under each setting. The key holds what settings shape: dates, times, intervals, floats,
bytes and backslashes.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import numpy as np
import psycopg
import pytest
from psycopg import errors as pg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.sql import SQL, Identifier, Literal

from mmdb import install
from mmdb.worker import background
from mmdb.worker.connections import open_connection
from tests.conftest import Database
from tests.db.conftest import QUICK, expected

Connection = psycopg.Connection[Any]

OF_VALUES = [
    ("datestyle", "SQL, DMY"), ("datestyle", "German"), ("datestyle", "Postgres, MDY"),
    ("timezone", "America/New_York"), ("timezone", "Asia/Kathmandu"),
    ("intervalstyle", "iso_8601"), ("intervalstyle", "sql_standard"),
    ("extra_float_digits", "-15"), ("bytea_output", "escape"),
    ("standard_conforming_strings", "off"), ("quote_all_identifiers", "on"),
    ("client_encoding", "LATIN1"), ("array_nulls", "off"),
]  # fmt: skip
"""By which values, names and literals are read and written."""
OF_WORK = [
    ("search_path", ""), ("search_path", "pg_temp, public, pg_catalog"), ("row_security", "off"),
    ("default_transaction_isolation", "serializable"), ("default_transaction_isolation", "repeatable read"),
    ("session_replication_role", "replica"), ("password_encryption", "md5"),
    ("plan_cache_mode", "force_custom_plan"), ("plan_cache_mode", "force_generic_plan"),
]  # fmt: skip
TIMES = [
    ("statement_timeout", "5s"), ("lock_timeout", "1ms"), ("idle_session_timeout", "100ms"),
    ("idle_in_transaction_session_timeout", "1s"),
]  # fmt: skip
"""How long a session may wait: what waits for its work must not be cut off by it."""
TOGETHER = {
    "literals": {"backslash_quote": "off", "escape_string_warning": "off", "transform_null_equals": "on",
                 "xmlbinary": "hex", "xmloption": "document", "lc_monetary": "C", "lc_numeric": "C",
                 "default_text_search_config": "pg_catalog.german"},
    "bodies": {"check_function_bodies": "off", "client_min_messages": "error", "plpgsql.extra_errors": "all",
               "plpgsql.extra_warnings": "all", "plpgsql.variable_conflict": "use_variable"},
    "storage": {"default_table_access_method": "heap", "default_toast_compression": "pglz",
                "synchronous_commit": "off", "default_transaction_deferrable": "on"},
    "extensions": {"hnsw.iterative_scan": "off", "hnsw.ef_search": "1", "pg_trgm.similarity_threshold": "1"},
    "no plan but the worst": {"enable_seqscan": "off", "enable_indexscan": "off", "enable_bitmapscan": "off",
                              "enable_sort": "off", "enable_hashagg": "off", "enable_material": "off",
                              "enable_memoize": "off", "enable_nestloop": "off", "jit_above_cost": "0"},
    "nothing but nested loops": {"enable_hashjoin": "off", "enable_mergejoin": "off", "geqo_threshold": "2",
                                 "from_collapse_limit": "1", "work_mem": "64kB", "constraint_exclusion": "on"},
    "parallel": {"parallel_setup_cost": "0", "parallel_tuple_cost": "0", "min_parallel_table_scan_size": "0",
                 "enable_partitionwise_join": "on"},
}  # fmt: skip
"""What is not known to have an effect, a case for each group."""
EACH = {f"{name} {value}": {name: value} for name, value in OF_VALUES + OF_WORK}
OF_A_DATABASE = {f"{name} {value}": {name: value} for name, value in OF_VALUES + OF_WORK + TIMES
                 if name != "client_encoding" and not value.startswith("pg_temp")}  # fmt: skip

MADE = r"""
create table {table} (
  day date, moment timestamptz, gap interval, weight float8, raw bytea, word text, txt text, price numeric, n int,
  primary key (day, moment, gap, weight, raw, word)
);
insert into {table}
select make_date(2024, 2, 1) + n, make_timestamptz(2024, 2, 1, 0, 30, 0.123456, 'UTC') + n * make_interval(hours => 1),
       make_interval(months => n, days => 2, secs => 3.5), n + 1::float8 / 3,
       convert_to('a' || chr(92) || 'b' || chr(10) || n, 'UTF8'),
       'it''s ' || chr(92) || ' "a" {{word}}, NULL', case when n < 6 then 'item ' || n end, n + 0.5, n
from generate_series(1, 6) n
"""
KEY = "array[day::text, moment::text, gap::text, weight::text, raw::text, word]::text"


BACKSLASH = chr(92)
VERBS = ("by_txt", "top_by_txt", "search", "like", "recommend")
FILTER = r"""{"word": {"like": "it's \\\\%"}, "n": {"in": [3, 4]}, "price": {"lt": 5.1}}"""


@dataclass(frozen=True)
class Walk:
    """Through one table of a name with a backslash, in the session `conn`, whose settings are others than usual."""

    conn: Connection
    name: str

    @property
    def table(self) -> str:
        return f'public."{self.name}"'

    def sql(self, text: LiteralString) -> SQL:
        """{table}, and {by_txt} for the function of that name of the table."""
        names = {verb: f'public."{self.name}_{verb}"' for verb in VERBS}
        name = self.name.replace(BACKSLASH, 2 * BACKSLASH)
        return SQL(text.format(table=self.table, name=f"E'{name}'", key=KEY, **names))  # type: ignore[arg-type,unused-ignore]

    def ask(self, text: LiteralString, *values: Any) -> list[Any]:
        """The first column of a statement's answer; again after a conflict with the worker, where that is an error."""
        while True:
            try:
                return [row[0] for row in self.conn.execute(self.sql(text), values).fetchall()]
            except pg.SerializationFailure:
                if self.conn.info.transaction_status is not TransactionStatus.IDLE:
                    raise

    def declare(self) -> None:
        self.conn.execute(self.sql(MADE))
        self.ask("select (mmdb.add_embedding(%s, 'txt', model => 'hash')).id", self.table)
        self.ask("select (mmdb.add_keywords(%s, array['txt'], 'english')).name", self.table)

    def fill(self) -> None:
        with self.conn.transaction():
            self.conn.execute("set transaction isolation level read committed")
            self.ask("select mmdb.wait_until_embedded(%s)", self.table)
        for text, vector in self.plainly("select txt, txt_embedding::real[] from {table} where txt is not null"):
            np.testing.assert_allclose(vector, expected(text), atol=1e-3)

    def plainly(self, text: LiteralString) -> list[Any]:
        """Read in a session without settings of its own, and without those of role and database."""
        reset = "set extra_float_digits = 3; set search_path = pg_catalog, public; set client_encoding = utf8"
        with psycopg.connect(self.conn.info.dsn, password=self.conn.info.password, autocommit=True) as conn:
            conn.execute(reset)
            return conn.execute(self.sql(text)).fetchall()

    def search(self) -> None:
        """By texts that are not cached; the answer goes through the loopback."""
        word = secrets.token_hex(4)
        with self.conn.cursor(binary=True) as cursor:
            (vector,) = cursor.execute("select mmdb.embed(%s, 'hash')::real[]", [word]).fetchone() or ([],)
        np.testing.assert_array_equal(np.asarray(vector, np.float32), np.asarray(expected(word), np.float32))
        nearest = self.ask("select n from {by_txt}(%s) order by distance, n", f"item 3 {word}")
        assert len(nearest) == 5
        assert self.ask("select n from {top_by_txt}(%s, 5)", f"item 3 {word}") == nearest
        assert self.ask("select n from {top_by_txt}('item 4', 1)") == [4]
        assert self.ask("select n from {top_by_txt}('item 4', 9, filter => %s::jsonb)", FILTER) == [4, 3]
        assert self.ask("select n from {search}(%s, k => 3)", f"item {word}")
        assert self.ask("select n from {search}('item 5', k => 1)") == [5]

    def keys(self) -> list[str]:
        """As this session writes them; but numbers that are rounded are no keys."""
        with self.conn.transaction():
            self.conn.execute("set local extra_float_digits = 1")
            return self.ask("select {key} from {table} order by n")

    def by_key(self) -> None:
        """Keys as this session writes them."""
        keys = dict(enumerate(self.keys(), 1))
        third = keys[3]
        assert 3 not in (alike := self.ask("select n from {like}(%s, 9)", third))
        assert len(alike) == 4
        assert self.ask("select n from {top_by_txt}('item 3', 9, within => array[%s])", third) == [3]
        assert self.ask("select n from {recommend}(liked => array[%s], k => 9)", third) == alike
        pages: list[int] = []
        for _ in range(5):
            pages += self.ask(
                "select n from {top_by_txt}('item 3', 1, after => %s)", keys[pages[-1]] if pages else None
            )
        assert pages == self.ask("select n from {top_by_txt}('item 3', 5)")
        found = self.ask("select found ->> 'n' from mmdb.find('item 2', k => 1, relations => array[%s::regclass])",
                         self.table)  # fmt: skip
        assert found == ["2"]

    def look(self) -> None:
        """Nothing is pending, failed, or out of date, whoever looks."""
        status: LiteralString = """
            select (s.rows, s.embedded, s.pending, s.failed, s.drift)::text
            from mmdb.status s join pg_catalog.pg_class c on c.oid = s.relation where c.relname = {name}"""
        assert self.ask(status) == ["(6,5,0,0,)"]
        assert self.plainly(status) == [("(6,5,0,0,)",)]

    def change(self) -> None:
        """A changed source and a changed table."""
        self.conn.execute(self.sql("alter table {table} add column colour text default 'red'"))
        self.ask("select (mmdb.refresh(%s)).id", self.table)
        assert self.ask("select colour from {top_by_txt}('item 4', 1)") == ["red"]
        self.conn.execute(self.sql("update {table} set txt = 'another' where n = 2"))
        self.fill()
        assert self.ask("select n from {top_by_txt}('another', 1)") == [2]

    def drop(self) -> None:
        self.ask("select mmdb.drop_keywords(%s)", self.table)
        self.ask("select mmdb.drop_embedding(%s, 'txt')", self.table)
        self.conn.execute(self.sql("drop table {table}"))


def walk(conn: Connection) -> None:
    """Declare, fill, search, look, refresh, drop."""
    table = Walk(conn, f"Odd \\1 é {secrets.token_hex(4)}")
    table.declare()
    table.fill()
    table.search()
    table.by_key()
    table.look()
    table.change()
    table.look()
    table.drop()


@pytest.fixture(scope="module")
def worked(module_database: Database) -> Iterator[Database]:
    """A database with a worker."""
    with background(module_database.url, options=QUICK):
        yield module_database


@pytest.mark.parametrize("case", [*EACH, *TOGETHER])
def test_a_session_has_it(worked: Database, case: str) -> None:
    with worked.connect() as conn:
        for name, value in (EACH | TOGETHER)[case].items():
            conn.execute("select set_config(%s, %s, false)", [name, value])
        walk(conn)


@pytest.mark.parametrize("case", OF_A_DATABASE)
def test_a_database_has_it(database: Database, case: str) -> None:
    """And so the worker, the loopback, which gets a new password, and `mmdb init`."""
    with database.connect() as conn:
        for name, value in OF_A_DATABASE[case].items():
            alter = SQL("alter database {} set {} = {}")
            conn.execute(alter.format(Identifier(database.name), Identifier(name), Literal(value)))
    install.repoint(database.url)
    assert install.install(database.url).warnings == []
    with background(database.url, options=QUICK), database.connect() as conn:
        for name, _ in TIMES:  # the patience of this test is not what is tested
            conn.execute("select set_config(%s, '0', false)", [name])
        walk(conn)


@pytest.mark.parametrize("asked", ["-c work_mem=123kB", "-c work_mem=123kB -c lock_timeout=7"])
def test_a_worker_has_the_options_of_its_url_and_its_own(database: Database, asked: str) -> None:
    with open_connection(make_conninfo(database.url, options=asked)) as conn:
        settings = conn.execute("select current_setting('work_mem'), current_setting('lock_timeout')").fetchone()
    assert settings == ("123kB", "2s")
