"""Changing the model: nothing fails and nothing is mixed while it happens, and there is a way back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from mmdb.config import Settings
from mmdb.database.url import sqlalchemy_url
from mmdb.models.embed.base import Embedder, Modality, Purpose, Vectors
from mmdb.models.embed.hash import HashEmbedder
from mmdb.models.registry import load
from mmdb.models.spec import ModelSpec
from mmdb.orm import embedding, nearest
from mmdb.worker import Totals, WorkerOptions, background, work
from mmdb.worker.values import Row
from tests.conftest import Database, MakeRole
from tests.db.conftest import Connection, one, registered, until

MODELS = ("hash", "wide", "mirror")
ONCE = WorkerOptions(poll_seconds=0.1, once=True, models=MODELS)
QUICK = WorkerOptions(poll_seconds=0.05, models=MODELS)
COLUMNS = (
    "select array_agg(attname::text order by attnum) from pg_attribute "
    "where attrelid = 'items'::regclass and attnum > 0 and not attisdropped"
)


class Mirror(HashEmbedder):
    """Of the width of `hash`, and orthogonal to it."""

    @property
    def identity(self) -> str:
        return "mirror"

    def embed_batch(self, modality: Modality, items: Any, purpose: Purpose) -> Vectors:
        return super().embed_batch(modality, items, purpose)[:, ::-1].copy()


class Wordy(HashEmbedder):
    """Takes no pictures."""

    modalities: frozenset[Modality] = frozenset(("text",))

    def __init__(self) -> None:
        super().__init__(96)


@pytest.fixture(autouse=True)
def models(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """`wide` has another width than `hash`, `mirror` the same."""
    add = "select mmdb.add_model(%s, 'hash', 'sha256', %s, array['text', 'image'], %s, options => %s)"
    conn.execute(add, ["wide", 96, "hash/1 dimensions=96", '{"dimensions": 96}'])
    conn.execute(add, ["mirror", 64, "mirror", "{}"])
    add_text = add.replace("'text', 'image'", "'text'")
    conn.execute(add_text, ["wordy", 96, "hash/1 dimensions=96", '{"dimensions": 96}'])

    def loaded(spec: ModelSpec, settings: Settings) -> Embedder:
        special = {"mirror": Mirror, "wordy": Wordy}
        return special[spec.name]() if spec.name in special else load(spec, settings)

    monkeypatch.setattr("mmdb.worker.run.load", loaded)


@pytest.fixture
def drain(database: Database) -> Callable[[], Totals]:
    return lambda: work(database.url, options=ONCE)


@pytest.fixture
def embedded(items: Connection, drain: Callable[[], Totals]) -> Connection:
    """`items`, embedded by `hash`."""
    drain()
    return items


def shape(conn: Connection) -> list[Any]:
    """What is there of the table: columns, indexes, functions with what they return, triggers, catalogue."""
    return [
        conn.execute(statement).fetchall()
        for statement in (
            "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'items'::regclass "
            "and attnum > 0 and not attisdropped order by attname",
            "select c.relname, m.amname from pg_index i join pg_class c on c.oid = i.indexrelid "
            "join pg_am m on m.oid = c.relam where i.indrelid = 'items'::regclass order by 1",
            "select proname, pg_get_function_identity_arguments(oid), pg_get_function_result(oid) from pg_proc where "
            "pronamespace = 'public'::regnamespace and (proname like 'items%' or proname like 'mmdb%') order by 1, 2",
            "select name, model, column_name, sources from mmdb.embeddings order by name",
        )
    ]


def test_the_way_there_and_back(embedded: Connection, drain: Callable[[], Totals]) -> None:
    before = shape(embedded)
    functions = embedded.execute("select oid, prosrc from pg_proc where proname like 'items%' order by oid").fetchall()
    made = one(embedded, "select name, column_name from mmdb.change_model('items', 'txt', 'wide')")
    assert made == ("txt_wide", "txt_wide_embedding")
    status = embedded.execute(
        "select name, model, pending, generation_of, drift from mmdb.status order by 1"
    ).fetchall()
    assert status == [("txt", "hash", 0, None, None), ("txt_wide", "wide", 5, "txt", None)]
    drain()
    assert one(embedded, "select model from mmdb.switch_model('items', 'txt')") == "wide"
    status = embedded.execute(
        "select name, model, pending, generation_of, drift from mmdb.status order by 1"
    ).fetchall()
    assert status == [("txt", "wide", 0, None, None), ("txt_hash", "hash", 0, "txt", None)]
    kept = embedded.execute(
        "select oid, prosrc from pg_proc where proname like 'items%' and proname not like '%txt\\_%' order by oid"
    ).fetchall()
    assert kept == functions, "the public functions are the same ones as before"
    assert (
        one(embedded, "select format_type(atttypid, atttypmod) from pg_attribute where attname = 'txt_embedding'")
        == "halfvec(96)"
    )
    assert one(embedded, "select model from mmdb.rollback_model('items', 'txt')") == "hash"
    embedded.execute("select mmdb.drop_generation('items', 'txt')")
    assert shape(embedded) == before
    assert one(embedded, "select drift from mmdb.status") is None


@pytest.mark.parametrize("model", ["wide", "mirror"])
def test_each_generation_is_searched_by_its_own_model(
    embedded: Connection, database: Database, drain: Callable[[], Totals], model: str
) -> None:
    embedded.execute("select mmdb.change_model('items', 'txt', %s)", [model])
    drain()
    with background(database.url, options=QUICK):
        for switch in (None, "switch_model", "rollback_model"):
            if switch:
                embedded.execute(f"select mmdb.{switch}('items', 'txt')")
            other = f"txt_{model if switch != 'switch_model' else 'hash'}"
            for function in ("items_by_txt", f"items_by_{other}", "items_top_by_txt", f"items_top_by_{other}"):
                for row in (1, 4):
                    found = one(
                        embedded, f"select id, distance from {function}(%s) order by distance limit 1", f"item {row}"
                    )
                    assert found == (row, pytest.approx(0, abs=1e-3)), (switch, function)
            ranks = one(embedded, "select ranks from items_search('item 3', k => 1)")
            assert set(ranks) == {"txt"}, "the generation that does not serve takes no part"
            assert ranks["txt"]["distance"] == pytest.approx(0, abs=1e-3)


def test_both_generations_follow_their_source(embedded: Connection, drain: Callable[[], Totals]) -> None:
    embedded.execute("select mmdb.change_model('items', 'txt', 'wide')")
    drain()
    embedded.execute("update items set txt = 'another' where id = 2")
    assert one(embedded, "select txt_embedding is null, txt_wide_embedding is null from items where id = 2") == (
        True,
        True,
    )
    drain()
    embedded.execute("select mmdb.switch_model('items', 'txt')")
    embedded.execute("update items set txt = 'a third' where id = 2")
    embedded.execute("insert into items values (6, 'new')")
    assert one(embedded, "select txt_embedding is null, txt_hash_embedding is null from items where id = 2") == (
        True,
        True,
    )
    assert drain().stored == 4
    assert one(
        embedded, "select vector_dims(txt_embedding), vector_dims(txt_hash_embedding) from items where id = 6"
    ) == (96, 64)


def test_search_functions_do_not_show_the_other_generation(embedded: Connection, drain: Callable[[], Totals]) -> None:
    def columns() -> list[str]:
        return [c.name for c in embedded.execute("select * from items_by_txt(null::text) limit 0").description or []]

    embedded.execute("alter table items add column later int; select mmdb.refresh('items')")
    before = columns()
    embedded.execute("select mmdb.change_model('items', 'txt', 'wide')")
    assert columns() == before
    drain()
    embedded.execute("select mmdb.switch_model('items', 'txt')")
    assert columns() == before
    assert set(one(embedded, "select drift from mmdb.status where drift is not null union all select 'none'")) == set(
        "none"
    )
    embedded.execute("select mmdb.refresh('items')")
    assert columns() == before, "a refresh keeps the place of the column that took another's name"
    embedded.execute("select mmdb.drop_generation('items', 'txt')")
    assert columns() == before
    assert one(embedded, "select drift from mmdb.status") is None


def test_after_a_restore_the_other_generation_stays_unseen(embedded: Connection, drain: Callable[[], Totals]) -> None:
    """Column numbers are others then, and a refresh goes by names."""
    signature = "select pg_get_function_result('items_by_txt(text)'::regprocedure)"
    before = one(embedded, signature)
    embedded.execute("select mmdb.change_model('items', 'txt', 'wide')")
    drain()
    embedded.execute("update mmdb.embeddings set attached_to = 'another database', column_number = column_number + 3")
    embedded.execute("select mmdb.refresh('items')")
    assert one(embedded, signature) == before
    assert one(embedded, "select bool_and(drift is null) from mmdb.status")


def test_after_a_restore_another_declaration_shows_the_columns_by_name(embedded: Connection) -> None:
    """Before `mmdb init` made them anew: the recorded numbers are those of other columns."""
    embedded.execute("alter table items add column note text, add column flag boolean")
    embedded.execute("select mmdb.change_model('items', 'txt', 'wide')")
    shown = [*one(embedded, COLUMNS)]
    shown.remove("txt_wide_embedding")
    embedded.execute(
        "update mmdb.embeddings e set attached_to = 'another database', column_number = a.attnum, column_place = 1 "
        "from pg_attribute a where a.attrelid = 'items'::regclass "
        "and a.attname = case when e.generation_of is null then 'flag' else 'note' end"
    )
    assert one(embedded, "select array_agg(name order by place) from mmdb.shown_columns('items')") == shown
    assert one(embedded, "select array_agg(name) from mmdb.own_columns()") == ["txt_wide_embedding"]


def test_a_switch_is_refused_while_searches_would_miss_rows(embedded: Connection, drain: Callable[[], Totals]) -> None:
    embedded.execute("select mmdb.change_model('items', 'txt', 'wide', index => false)")
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match='column "txt_wide_embedding" has no index yet'):
        embedded.execute("select mmdb.switch_model('items', 'txt')")
    for (statement,) in embedded.execute("select mmdb.index_statements('items', 'txt_wide')").fetchall():
        embedded.execute(statement)
    with pytest.raises(
        pg.ObjectNotInPrerequisiteState, match=r'5 rows of .*items are not embedded by model "wide" yet'
    ):
        embedded.execute("select mmdb.switch_model('items', 'txt')")
    drain()
    embedded.execute("update items set txt_wide_embedding = null where id = 5")
    embedded.execute(
        "insert into mmdb.leases (embedding, key, state, error, retry_at, failed_at) "
        "select e.id, '{5}', i.xmin::text, 'no', 'infinity', now() from mmdb.embeddings e, items i "
        "where e.name = 'txt_wide' and i.id = 5"
    )
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match=r"1 rows .* could not be embedded"):
        embedded.execute("select mmdb.switch_model('items', 'txt')")
    assert one(embedded, "select model from mmdb.switch_model('items', 'txt', force => true)") == "wide"


def test_a_view_over_the_column_would_stay_with_the_former_model(
    embedded: Connection, drain: Callable[[], Totals]
) -> None:
    embedded.execute("create view seen as select id, txt_embedding from items; create view found as select * from seen")
    embedded.execute("create view searched as select id from items_by_txt('item 1'::text) where distance < 0.1")
    embedded.execute("select mmdb.change_model('items', 'txt', 'wide')")
    drain()
    with pytest.raises(
        pg.DependentObjectsStillExist, match=r'"txt_embedding" is read by view (public.)?seen, which would'
    ):
        embedded.execute("select mmdb.switch_model('items', 'txt')")
    assert one(embedded, "select model from mmdb.switch_model('items', 'txt', force => true)") == "wide"
    assert one(embedded, "select vector_dims(txt_embedding) from seen limit 1") == 64
    embedded.execute("select mmdb.rollback_model('items', 'txt', force => true); drop view seen cascade")
    assert one(embedded, "select model from mmdb.switch_model('items', 'txt')") == "wide"


BAD = [
    ("select mmdb.change_model('items', 'txt', 'hash')", 'has model "hash" already'),
    ("select mmdb.change_model('items', 'txt', 'unknown')", 'model "unknown" does not exist'),
    ("select mmdb.change_model('items', 'none', 'wide')", 'has no embedding "none"'),
    ("select mmdb.switch_model('items', 'txt')", "has no other generation"),
    ("select mmdb.rollback_model('items', 'txt')", "has no other generation"),
    ("select mmdb.drop_generation('items', 'txt')", "has no other generation"),
    ("select * from mmdb.compare_models('items', 'txt', array['a'])", "has no other generation"),
]


@pytest.mark.parametrize(("statement", "message"), BAD)
def test_bad_input(embedded: Connection, statement: str, message: str) -> None:
    before = shape(embedded)
    with pytest.raises(psycopg.Error, match=message):
        embedded.execute(statement)
    assert shape(embedded) == before


def test_one_change_at_a_time(embedded: Connection) -> None:
    embedded.execute("select mmdb.change_model('items', 'txt', 'wide')")
    for name in ("txt", "txt_wide"):
        with pytest.raises(pg.ObjectInUse, match="has two generations already"):
            embedded.execute("select mmdb.change_model('items', %s, 'mirror')", [name])
    with pytest.raises(pg.ObjectNotInPrerequisiteState, match='model "wide" of embedding "txt" has not served yet'):
        embedded.execute("select mmdb.rollback_model('items', 'txt')")
    with pytest.raises(pg.UndefinedObject, match="has no other generation"):
        embedded.execute("select mmdb.switch_model('items', 'txt_wide')")
    embedded.execute("select mmdb.drop_generation('items', 'txt')")
    embedded.execute("select mmdb.change_model('items', 'txt', 'mirror')")


def test_another_distance_is_another_embedding(embedded: Connection) -> None:
    embedded.execute("select mmdb.add_model('far', 'hash', 'sha256', 64, array['text'], 'far', 'l2')")
    with pytest.raises(pg.FeatureNotSupported, match='model "far" has distance "l2"'):
        embedded.execute("select mmdb.change_model('items', 'txt', 'far')")


def test_a_model_that_takes_other_queries(embedded: Connection, database: Database) -> None:
    """`wordy` takes no pictures: search functions for them go with the switch and come back with the rollback."""
    signatures = (
        "select array_agg(pg_get_function_identity_arguments(oid) order by 1) from pg_proc "
        "where proname = 'items_by_txt'"
    )
    before = one(embedded, signatures)
    embedded.execute("select mmdb.change_model('items', 'txt', 'wordy')")
    work(database.url, options=WorkerOptions(poll_seconds=0.1, once=True, models=("hash", "wordy")))
    embedded.execute("select mmdb.switch_model('items', 'txt')")
    assert one(embedded, signatures) == [argument for argument in before if argument != "bytea"]
    assert one(embedded, "select bool_and(drift is null) from mmdb.status")
    embedded.execute("select mmdb.rollback_model('items', 'txt')")
    assert one(embedded, signatures) == before
    assert one(embedded, "select bool_and(drift is null) from mmdb.status")


def test_dropping_the_embedding_drops_both(embedded: Connection, drain: Callable[[], Totals]) -> None:
    embedded.execute("select mmdb.change_model('items', 'txt', 'wide')")
    drain()
    embedded.execute("select mmdb.switch_model('items', 'txt')")
    embedded.execute("select mmdb.drop_embedding('items', 'txt')")
    assert one(embedded, COLUMNS) == ["id", "txt", "price"]
    assert (
        one(
            embedded,
            "select count(*) from pg_proc where pronamespace = 'public'::regnamespace and proname ~ '^(items|mmdb)_'",
        )
        == 0
    )
    assert one(embedded, "select count(*) from mmdb.embeddings") == 0


def test_compare_models(embedded: Connection, database: Database, drain: Callable[[], Totals]) -> None:
    embedded.execute("select mmdb.change_model('items', 'txt', 'wide')")
    drain()
    with background(database.url, options=QUICK):
        rows = embedded.execute(
            "select * from mmdb.compare_models('items', 'txt', array['item 1', 'item 2'], 2, "
            "expected => '{\"item 2\": [2, 99]}')"
        ).fetchall()
        truth = {}
        for function in ("items_top_by_txt", "items_top_by_txt_wide"):
            for query in ("item 1", "item 2"):
                found = embedded.execute(f"select id from {function}(%s, 2)", [query]).fetchall()
                truth[function, query] = [str(i) for (i,) in found]
        for query, overlap, _, _, only_now, only_next in rows:
            now, later = truth["items_top_by_txt", query], truth["items_top_by_txt_wide", query]
            assert overlap == len(set(now) & set(later)) / 2
            assert (only_now, only_next) == ([i for i in now if i not in later], [i for i in later if i not in now])
        assert [row[2:4] for row in rows] == [(None, None), (0.5, 0.5)]
        picture = Path(__file__).parents[2].joinpath("examples/shop/photos").glob("*.jpg")
        images = [next(picture).read_bytes()]
        assert one(
            embedded,
            "select image, overlap between 0 and 1 from mmdb.compare_models('items', 'txt', %s::bytea[], 2)",
            images,
        ) == (1, True)
        for bad in ("array[]::text[]", "null::text[]"):
            with pytest.raises(pg.InvalidParameterValue, match="no queries"):
                embedded.execute(f"select * from mmdb.compare_models('items', 'txt', {bad})")


def test_a_store_that_waited_for_the_switch_writes_nothing(
    embedded: Connection, database: Database, drain: Callable[[], Totals]
) -> None:
    """Same width, so that nothing but the check stands between the vector of one model and the column of the other."""
    embedded.execute("select mmdb.change_model('items', 'txt', 'mirror')")
    drain()
    embedded.execute("update items set txt = 'changed' where id = 1")
    with registered(database) as steps:
        row = embedded.execute("select identity from mmdb.models where name = 'hash'").fetchone()
        assert row is not None
        (task,) = steps.tasks("hash", row[0])
        claimed = steps.claim(task, steps.page(task, None, 10))
        loaded = steps.load(task, [claim.key for claim in claimed], [10**6])
        rows = [Row(source.key, source.state, source.hash) for source in loaded]
        failed: list[Exception] = []

        def store() -> None:
            try:
                steps.store(task, rows, HashEmbedder().embed(["changed"]))
            except psycopg.Error as error:
                failed.append(error)

        with embedded.transaction():
            embedded.execute("select mmdb.switch_model('items', 'txt', force => true)")
            thread = threading.Thread(target=store)
            thread.start()
            until(lambda: bool(one(embedded, "select count(*) from pg_locks where not granted")))
        thread.join(20)
        assert not thread.is_alive()
        assert isinstance(failed[0], pg.SerializationFailure)
    assert one(embedded, "select txt_embedding is null and txt_hash_embedding is null from items where id = 1")


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    txt: Mapped[str | None]
    txt_embedding = embedding("txt", model="hash")


class Load:
    """Searches and writes in threads; the first that fails, or finds the wrong row, is remembered."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.stop = threading.Event()
        self.done: dict[str, int] = {}
        self.problems: list[str] = []
        self.open = ExitStack()

    def run(self, name: str, step: Callable[[int], None]) -> None:
        turn = 0
        while not self.stop.is_set() and not self.problems:
            try:
                step(turn)
            except Exception as error:
                self.problems.append(f"{name}: {error!r}")
            turn += 1
            self.done[name] = turn

    def search(self, statement: str) -> Callable[[int], None]:
        conn = self.open.enter_context(self.database.connect())

        def step(turn: int) -> None:
            row = 1 + turn % 5
            found = conn.execute(statement, [f"item {row}"], prepare=True).fetchone()
            assert found is not None, "nothing was found"
            assert found[0] == row, f"{statement} found {found} for item {row}"
            assert found[1] < 0.01

        return step

    def orm(self) -> Callable[[int], None]:
        engine = create_engine(sqlalchemy_url(self.database.url))
        self.open.callback(engine.dispose)
        session = self.open.enter_context(Session(engine))

        def step(turn: int) -> None:
            row = 1 + turn % 5
            wanted = nearest(Item.txt_embedding, f"item {row}")
            with session.begin():
                found = session.execute(select(Item.id, wanted.label("d")).order_by(wanted).limit(1)).one()
            assert (found[0], found[1] < 0.01) == (row, True)

        return step

    def write(self) -> Callable[[int], None]:
        conn = self.open.enter_context(self.database.connect())

        def step(turn: int) -> None:
            conn.execute(
                "insert into items values (%s, %s) on conflict (id) do update set txt = excluded.txt",
                [100 + turn % 20, f"other {turn}"],
            )

        return step


@pytest.mark.soak
@pytest.mark.parametrize("model", ["wide", "mirror"])
def test_under_load_nothing_fails_and_nothing_is_mixed(embedded: Connection, database: Database, model: str) -> None:
    load = Load(database)
    steps = {
        "view": load.search("select id, distance from items_by_txt(%s::text) order by distance limit 1"),
        "top": load.search("select id, distance from items_top_by_txt(%s::text, 1)"),
        "search": load.search("select id, (ranks -> 'txt' ->> 'distance')::float8 from items_search(%s::text, k => 1)"),
        "by hand": load.search(
            "select id, txt_embedding <=> (select mmdb.embed_for('items', 'txt', %s::text)::halfvec) as d from items "
            "where txt_embedding is not null order by d limit 1"
        ),
        "orm": load.orm(),
        "write": load.write(),
    }
    with load.open, background(database.url, options=QUICK):
        threads = [threading.Thread(target=load.run, args=item) for item in steps.items()]
        for thread in threads:
            thread.start()
        try:
            embedded.execute("select mmdb.change_model('items', 'txt', %s)", [model])
            for turn in range(6):
                until(lambda: bool(one(embedded, "select bool_and(txt_embedding is not null) from items where id < 6")))
                until(
                    lambda: not one(embedded, f"select count(*) from items where id < 6 and {other(embedded)} is null")
                )
                embedded.execute(
                    f"select mmdb.{'rollback' if turn % 2 else 'switch'}_model('items', 'txt', force => true)"
                )
                wanted = {name: load.done.get(name, 0) + 5 for name in steps}
                until(lambda wanted=wanted: bool(load.problems) or all(load.done.get(n, 0) > wanted[n] for n in wanted))  # type: ignore[misc]
                assert load.problems == []
            embedded.execute("select mmdb.drop_generation('items', 'txt')")
        finally:
            load.stop.set()
            for thread in threads:
                thread.join(20)
        assert load.problems == []
        until(lambda: one(embedded, "select pending from mmdb.status") == 0)
    assert one(embedded, "select bool_and(drift is null) from mmdb.status")
    for text, vector in embedded.execute("select txt, txt_embedding::real[] from items").fetchall():
        assert vector == pytest.approx(HashEmbedder().embed([text])[0].tolist(), abs=1e-3), text


def other(conn: Connection) -> str:
    return str(one(conn, "select column_name from mmdb.embeddings where generation_of is not null"))


def test_a_snapshot_of_before_reads_the_column_of_now(
    embedded: Connection, database: Database, drain: Callable[[], Totals]
) -> None:
    """REPEATABLE READ: the catalogue is seen as it was, the column under the name is the new one."""
    embedded.execute("select mmdb.change_model('items', 'txt', 'mirror')")
    drain()
    with background(database.url, options=QUICK), database.connect() as reader:
        reader.execute("begin isolation level repeatable read; select count(*) from mmdb.embeddings")
        embedded.execute("select mmdb.switch_model('items', 'txt')")
        for function in ("items_by_txt", "items_top_by_txt"):
            found = one(reader, f"select id, distance from {function}('item 2'::text) order by distance limit 1")
            assert found == (2, pytest.approx(0, abs=1e-3))
        assert one(reader, "select (ranks -> 'txt' ->> 'distance')::float8 from items_search('item 2', k => 1)") < 0.01
        reader.execute("rollback; begin isolation level repeatable read; select count(*) from mmdb.embeddings")
        embedded.execute("select mmdb.rollback_model('items', 'txt'); select mmdb.drop_generation('items', 'txt')")
        found = one(reader, "select id, distance from items_by_txt('item 2'::text) order by distance limit 1")
        assert found == (2, pytest.approx(0, abs=1e-3)), "also when the generation of the snapshot is gone"
        reader.execute("rollback; begin isolation level repeatable read; select count(*) from mmdb.embeddings")
        embedded.execute("select mmdb.change_model('items', 'txt', 'mirror')")
        embedded.execute("select mmdb.switch_model('items', 'txt', force => true)")
        embedded.execute("select mmdb.drop_generation('items', 'txt')")
        with pytest.raises(pg.SerializationFailure, match="were renamed since this transaction began"):
            reader.execute("select mmdb.embed_for('items', 'txt', 'item 2')")


def test_who_may_switch(
    embedded: Connection, database: Database, make_role: MakeRole, drain: Callable[[], Totals]
) -> None:
    stranger = make_role()
    embedded.execute(f"grant mmdb_user to {stranger.name}; grant all on items to {stranger.name}")
    embedded.execute("select mmdb.change_model('items', 'txt', 'mirror')")
    drain()
    with stranger.connect(database) as conn:
        for call in (
            "change_model('items', 'txt', 'wide')",
            "switch_model('items', 'txt')",
            "drop_generation('items', 'txt')",
        ):
            with pytest.raises(pg.InsufficientPrivilege, match="must be owner"):
                conn.execute(f"select mmdb.{call}")
        with pytest.raises(pg.InsufficientPrivilege):
            conn.execute(
                "select mmdb.record_switch(s.id, n.id) from mmdb.embeddings s, mmdb.embeddings n "
                "where n.generation_of = s.id"
            )
        assert one(conn, "select count(*) from mmdb.embeddings where name = 'txt'") == 1


def test_grants_outlive_a_switch(embedded: Connection, drain: Callable[[], Totals], make_role: MakeRole) -> None:
    role = make_role()
    embedded.execute(
        "revoke all on function items_by_txt(text) from public; "
        f"grant execute on function items_by_txt(text) to {role.name}"
    )
    embedded.execute("select mmdb.change_model('items', 'txt', 'wide')")
    drain()
    embedded.execute("select mmdb.switch_model('items', 'txt')")
    assert one(embedded, "select has_function_privilege(%s, 'items_by_txt(text)', 'execute')", role.name)
    assert not one(embedded, "select has_function_privilege('public', 'items_by_txt(text)', 'execute')")


@pytest.fixture
def partitioned(conn: Connection, drain: Callable[[], Totals]) -> Connection:
    conn.execute("create table items (id int primary key, txt text) partition by range (id)")
    conn.execute("create table items_1 partition of items for values from (0) to (3)")
    conn.execute("create table items_2 partition of items for values from (3) to (1000)")
    conn.execute("insert into items select g, 'item ' || g from generate_series(1, 5) g")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    drain()
    return conn


def test_partitioned(partitioned: Connection, database: Database, drain: Callable[[], Totals]) -> None:
    partitioned.execute("select mmdb.change_model('items', 'txt', 'wide')")
    drain()
    partitioned.execute("select mmdb.switch_model('items', 'txt')")
    partitioned.execute("update items set txt = 'item 10' where id = 4")
    drain()
    with background(database.url, options=QUICK):
        assert one(
            partitioned, "select id, distance < 0.01 from items_by_txt('item 10') order by distance limit 1"
        ) == (4, True)
    assert one(partitioned, "select bool_and(drift is null) from mmdb.status")


def test_a_switch_that_would_make_too_long_a_name_is_refused_before_it_is_begun(conn: Connection) -> None:
    for model in ("a-model-of-a-rather-long-name", "short"):
        conn.execute(
            "select mmdb.add_model(%s, backend, model, dimensions, modalities, identity) "
            "from mmdb.models where name = 'hash'",
            [model],
        )
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute(
        "select mmdb.add_embedding('items', 'txt', model => 'a-model-of-a-rather-long-name', name => repeat('n', 36))"
    )
    with pytest.raises(pg.NameTooLong, match=r"_a_model_of_a_rather_long_name\S* is \d+ bytes long"):
        conn.execute("select mmdb.change_model('items', repeat('n', 36), 'short')")
