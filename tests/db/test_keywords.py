"""mmdb.add_keywords: words in every language, of texts of any length, over indexes that refuse nobody's row."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import errors as pg

from mmdb.worker import background
from tests.conftest import Database, MakeRole
from tests.db.conftest import QUICK, Connection, one, until


@pytest.fixture
def notes(conn: Connection) -> Connection:
    conn.execute("create table notes (id int primary key, title text, body text)")
    conn.execute("select name from mmdb.add_embedding('notes', 'title', model => 'hash')")
    return conn


def test_the_index_is_used(notes: Connection) -> None:
    notes.execute(
        "insert into notes select g, 'note ' || g, 'word' || g from generate_series(1, 3000) g; analyze notes"
    )
    notes.execute("select name from mmdb.add_keywords('notes', array['title', 'body'], 'english')")
    notes.execute("analyze notes")
    statement = (
        "explain select id from notes where mmdb.words_of('english'::regconfig, coalesce(title, '') || ' ' || "
        "coalesce(body, '')) @@ (select mmdb.words_query('english', 'word77'))"
    )
    plan = "\n".join(row[0] for row in notes.execute(statement))
    assert "notes_keywords" in plan


def test_typing_errors(notes: Connection, worker: None) -> None:
    notes.execute("insert into notes values (1, 'espresso machine', null), (2, 'running shoes', null)")
    notes.execute("select name from mmdb.add_keywords('notes', array['title'], 'trigram', name => 'fuzzy')")
    call = "select id from notes_search('expresso mashine', weights => '{\"title\": 0}')"
    assert notes.execute(call).fetchall() == [(1,)]


def test_words_follow_renamed_columns_and_go(notes: Connection, worker: None) -> None:
    notes.execute("insert into notes values (1, 'a title', 'some words')")
    notes.execute("select name from mmdb.add_keywords('notes', array['body'], 'english')")
    notes.execute("select mmdb.wait_until_embedded('notes')")
    notes.execute("alter table notes rename body to content")
    notes.execute("select name from mmdb.refresh('notes')")
    call = "select id, content from notes_search('words', weights => '{\"title\": 0}')"
    assert notes.execute(call).fetchall() == [(1, "some words")]
    notes.execute("select mmdb.drop_keywords('notes')")
    assert notes.execute("select to_regclass('notes_keywords')").fetchone() == (None,)
    assert set(notes.execute("select ranks from notes_search('words')").fetchall()[0][0]) == {"title"}
    notes.execute("select mmdb.drop_embedding('notes', 'title')")
    left = "select count(*) from pg_proc where pronamespace = 'public'::regnamespace and proname like 'notes%'"
    assert notes.execute(left).fetchone() == (0,)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            "mmdb.add_keywords('notes', array['title'], 'klingon')",
            pg.UndefinedObject,
            'no text search configuration "klingon"',
        ),
        ("mmdb.add_keywords('notes', array['nix'])", pg.UndefinedColumn, 'no column "nix"'),
        ("mmdb.add_keywords('notes', array['id'])", pg.DatatypeMismatch, 'does not hold modality "text"'),
        ("mmdb.add_keywords('notes', '{}')", pg.InvalidParameterValue, "need at least one column"),
        ("mmdb.add_keywords('notes', array['body'], name => 'title')", pg.DuplicateObject, 'has a leg "title" already'),
        ("mmdb.drop_keywords('notes')", pg.UndefinedObject, 'no keywords "keywords"'),
    ],
)
def test_mistakes_in_declaring_words(notes: Connection, call: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        notes.execute(f"select {call}")


def test_only_the_owner_declares_words(notes: Connection, database: Database, make_role: MakeRole) -> None:
    role = make_role("reader")
    notes.execute(f"grant mmdb_user to {role.name}; grant all on notes to {role.name}")
    with role.connect(database) as reader:
        for call in (
            "select mmdb.add_keywords('notes', array['title'])",
            "select mmdb.record_keywords(row(null, 'notes'::regclass, 'x', '{title}', 'simple', 'x', null))",
            "select mmdb.forget_keywords('notes', 'x')",
        ):
            with pytest.raises(pg.InsufficientPrivilege, match="must be owner"):
                reader.execute(call)


def test_keywords_of_a_dropped_table_are_forgotten(notes: Connection, database: Database) -> None:
    notes.execute("select name from mmdb.add_keywords('notes', array['title'])")
    notes.execute("drop table notes")
    with background(database.url, options=QUICK):
        until(lambda: notes.execute("select count(*) from mmdb.keywords").fetchone() == (0,))


# What is indexed.

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u30ff\u3100-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
)


def pairs(text: str, singles: bool) -> list[str]:
    """mmdb.pairs as one would write it down, without the blanks between the pieces."""
    pieces: list[str] = []
    for run in re.findall(f"[{UNSPACED}]+|[^{UNSPACED}]+", text):
        if re.match(f"[{UNSPACED}]", run):
            pieces += [run[i : i + 2] for i in range(len(run) - 1)]
            pieces += list(run) if singles or len(run) == 1 else []
        else:
            pieces += run.split()
    return pieces


def test_pairs_are_all_pairs(conn: Connection) -> None:
    @settings(max_examples=300, deadline=None)
    @given(st.text("红色跑鞋ไทย가a1 \\&'\n", max_size=30), st.booleans())
    def check(text: str, singles: bool) -> None:
        made = one(conn, "select coalesce(mmdb.pairs(%s, %s), '')", text, singles)
        assert made.split() == pairs(text, singles)

    check()


def test_pairs_of_a_long_text(conn: Connection) -> None:
    """Of 200,000 characters: half a second, and a quarter of an hour if it grew with the square of the length."""
    made = one(conn, "select mmdb.pairs(%s)", "红色跑鞋" * 50_000)
    assert made.count(" ") == 199_999 + 200_000 - 1


def distinct_words(count: int) -> str:
    return " ".join(f"{number:x}" for number in range(count))


def distinct_characters(count: int) -> str:
    drawn = random.Random(1)
    return "".join(chr(drawn.randrange(0x4E00, 0x9F00)) for _ in range(count))


LONG = {
    "english": distinct_words(160_000),
    "simple": " ".join(f"h{number}.de/p{number}" for number in range(80_000)),
    "chinese": distinct_characters(150_000),
    "trigram": distinct_words(160_000),
}
"""Texts that have too many words for a tsvector."""


@pytest.mark.parametrize("language", LONG)
def test_no_text_is_too_long_for_an_index_of_words(notes: Connection, language: str, worker: None) -> None:
    """Neither where the row is there first, nor where the index is; and the beginning of the text is found."""
    text = LONG[language]
    notes.execute("insert into notes values (1, 'before', %s)", [text])
    notes.execute("select name from mmdb.add_keywords('notes', array['title', 'body'], %s)", [language])
    notes.execute("insert into notes values (2, 'after', %s), (3, 'short', 'nothing')", [text])
    notes.execute("update notes set body = body || ' ' where id = 2")
    query = text[:2] if language == "chinese" else text.split()[3_000]
    found = notes.execute("select id from notes_search(%s, weights => '{\"title\": 0}')", [query]).fetchall()
    assert {id for (id,) in found} == {1, 2}


def test_of_a_text_that_is_not_too_long_every_word_is_indexed(conn: Connection) -> None:
    """Longer than what is taken at once, in words of all lengths, with a gap and without one at the seams."""
    drawn = random.Random(1)
    words = " ".join("x" * drawn.randrange(1, 12) + str(drawn.randrange(3000)) for _ in range(60_000))
    for text in (words, words.replace(" ", "\n"), "字" * 100_000 + " end"):
        whole, made = conn.execute(
            "select tsvector_to_array(to_tsvector('simple', %(text)s)), "
            "tsvector_to_array(mmdb.words_of('simple', %(text)s))", {"text": text},
        ).fetchone() or ([], [])  # fmt: skip
        assert made == whole


def test_an_index_refuses_no_key_that_the_primary_key_takes(conn: Connection) -> None:
    """The index of pending rows is over the key, which may be as long as a B-tree takes."""
    conn.execute("create table wide (key text primary key, body text)")
    conn.execute("select name from mmdb.add_embedding('wide', 'body', model => 'hash')")
    drawn = random.Random(1)
    for length in (2_600, 2_690):
        key = "".join(drawn.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=length))
        conn.execute("insert into wide values (%s, 'text')", [key])
    assert one(conn, "select count(*) from wide where body_embedding is null") == 2


@pytest.mark.parametrize("language", ["english", "chinese", "trigram"])
def test_whoever_may_write_may_write(
    notes: Connection, database: Database, make_role: MakeRole, language: str, worker: None
) -> None:
    """An application's role needs no right on anything of mmdb's to write to a table with keywords."""
    notes.execute("select name from mmdb.add_keywords('notes', array['body'], %s)", [language])
    role = make_role("application")
    notes.execute(f"grant select, insert, update, delete on notes to {role.name}")
    with role.connect(database) as application:
        application.execute("insert into notes values (1, 'one', 'red shoes 红色'), (2, 'two', null)")
        application.execute("update notes set body = 'blue boots 蓝色' where id = 2")
        application.execute("delete from notes where id = 1")
    assert notes.execute("select id from notes_search('boots', weights => '{\"title\": 0}')").fetchall() == [(2,)]
    notes.execute(f"drop owned by {role.name}")


# An index that is there already.


def restore_alone(conn: Connection, definition: str) -> None:
    """The table as a dump of it alone brings it back, beside a catalogue that knows nothing of its keywords."""
    conn.execute("select mmdb.drop_keywords('notes')")
    conn.execute(definition)


@pytest.mark.parametrize("language", ["english", "chinese", "trigram"])
def test_an_index_that_a_restored_table_brings_is_taken_over(notes: Connection, language: str, worker: None) -> None:
    notes.execute('alter table notes add code varchar(100), add "Odd ""one" text')
    notes.execute("insert into notes (id, title, body) values (1, 'red shoes', null), (2, 'blue boots', 'red')")
    declare = "select name from mmdb.add_keywords('notes', array['title', 'body', 'code', 'Odd \"one'], %s)"
    notes.execute(declare, [language])
    definition = one(notes, "select pg_get_indexdef('notes_keywords'::regclass)")
    restore_alone(notes, definition)
    before = one(notes, "select 'notes_keywords'::regclass::oid")
    notes.execute(declare, [language])
    assert one(notes, "select 'notes_keywords'::regclass::oid") == before
    assert one(notes, "select pg_get_indexdef('notes_keywords'::regclass)") == definition
    found = notes.execute("select id from notes_search('red', weights => '{\"title\": 0}')").fetchall()
    assert {id for (id,) in found} == {1, 2}


FORMER = {
    "simple": "to_tsvector('simple', coalesce(body, ''))",
    "chinese": "to_tsvector('simple'::regconfig, mmdb.pairs(coalesce(body, ''), true))",
}


@pytest.mark.parametrize("language", FORMER)
def test_the_index_of_an_earlier_version_is_built_anew(notes: Connection, language: str) -> None:
    notes.execute(f"create index notes_keywords on notes using gin ({FORMER[language]})")
    notes.execute("select name from mmdb.add_keywords('notes', array['body'], %s)", [language])
    notes.execute("insert into notes values (1, 'long', %s)", [LONG["chinese"] + LONG["english"]])
    assert "words_of" in one(notes, "select pg_get_indexdef('notes_keywords'::regclass)")


def test_doctor_names_the_index_of_an_earlier_version(notes: Connection, worker: None) -> None:
    notes.execute("select name from mmdb.add_keywords('notes', array['body'], 'simple')")
    about = "select remedy from mmdb.doctor() where subject = 'keywords keywords of public.notes'"
    assert notes.execute(about).fetchall() == []
    notes.execute(f"drop index notes_keywords; create index notes_keywords on notes using gin ({FORMER['simple']})")
    notes.execute("insert into notes values (1, 'one', 'red shoes')")
    notes.execute("select mmdb.refresh('notes')")
    assert notes.execute("select id from notes_search('red', weights => '{\"title\": 0}')").fetchall() == [(1,)]
    notes.execute(one(notes, about))
    assert notes.execute(about).fetchall() == []


OTHERS = [
    "create table notes_keywords (id int)",
    "create index notes_keywords on notes (id)",
    "create index notes_keywords on notes using gin (to_tsvector('english', coalesce(body, '')))",
    "create index notes_keywords on notes using gin (to_tsvector('simple', coalesce(title, '')))",
    "create index notes_keywords on notes using gin (mmdb.words_of('simple', coalesce(body, ''))) where id > 7",
    "create index notes_keywords on notes using gist (mmdb.words_of('simple', coalesce(body, '')))",
    "create table others (body text); "
    "create index notes_keywords on others using gin (mmdb.words_of('simple', coalesce(body, '')))",
]


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("other", OTHERS)
def test_what_is_no_index_of_these_keywords_is_refused_with_a_remedy(
    notes: Connection, other: str, index: bool
) -> None:
    notes.execute(other)
    with pytest.raises(pg.DuplicateTable, match=r"relation public\.notes_keywords is there already") as error:
        notes.execute("select mmdb.add_keywords('notes', array['body'], index => %s)", [index])
    hint = error.value.diag.message_hint or ""
    assert "name => " in hint
    assert ("drop index public.notes_keywords" in hint) == ("create index" in other)
    notes.execute("select mmdb.add_keywords('notes', array['body'], name => 'words', index => %s)", [index])
    notes.execute("select mmdb.drop_keywords('notes', 'words')")
    assert one(notes, "select to_regclass('notes_keywords') is not null")


# Words that stand in a column.


@pytest.fixture
def stored(notes: Connection) -> Connection:
    """`notes` with a tsvector column of its own, whose words have weights and a configuration of the table's owner."""
    notes.execute("create text search configuration public.ours (copy = english)")
    notes.execute("alter table notes add words tsvector generated always as "
                  "(setweight(to_tsvector('public.ours', coalesce(title, '')), 'A') "
                  "|| to_tsvector('public.ours', coalesce(body, ''))) stored")  # fmt: skip
    notes.execute("insert into notes values (1, 'boots', 'for running'), (2, 'running shoes', 'boots'), (3, 'x', 'y')")
    return notes


def words_found(conn: Connection, query: str) -> list[int]:
    found = conn.execute("select id from notes_search(%s, weights => '{\"title\": 0}')", [query]).fetchall()
    return [id for (id,) in found]


@pytest.mark.parametrize("indexed", [True, False])
def test_a_tsvector_column_is_taken_as_it_is(stored: Connection, indexed: bool, worker: None) -> None:
    if indexed:
        stored.execute("create index by_words on notes using gin (words)")
    stored.execute("select name from mmdb.add_keywords('notes', array['words'], 'public.ours')")
    assert words_found(stored, "run") == [2, 1], "by weight"
    assert words_found(stored, "boot") == [1, 2]
    assert one(stored, "select to_regclass('notes_keywords') is null") == indexed, "one index is enough"
    stored.execute("select mmdb.drop_keywords('notes')")
    assert (
        one(stored, "select to_regclass('notes_keywords') is null and to_regclass('by_words') is not null") == indexed
    )
    assert one(stored, "select count(*) from notes where words is not null") == 3


def test_ranking_by_a_tsvector_column_reads_no_text(stored: Connection, worker: None) -> None:
    """The column differs from its text, and what it says counts."""
    stored.execute("alter table notes alter words drop expression")
    stored.execute("update notes set words = 'unlik' where id = 3")
    stored.execute("select name from mmdb.add_keywords('notes', array['words'], 'public.ours')")
    assert words_found(stored, "unlike") == [3]


@pytest.mark.parametrize(
    ("columns", "language", "message"),
    [
        (["words"], "trigram", "holds words, not the text that trigrams are made of"),
        (["title", "words"], "english", "does not hold modality"),
        (["words", "words"], "english", "does not hold modality"),
    ],
)
def test_mistakes_with_a_tsvector_column(stored: Connection, columns: list[str], language: str, message: str) -> None:
    with pytest.raises(pg.DatatypeMismatch, match=message):
        stored.execute("select mmdb.add_keywords('notes', %s, %s)", [columns, language])


@pytest.mark.parametrize("column", ["txt", "words"])
def test_a_configuration_that_was_dropped_is_the_trouble_of_searches_alone(items: Connection, column: str) -> None:
    items.execute("create text search configuration ours (copy = pg_catalog.simple)")
    items.execute("alter table items add column words tsvector")
    items.execute("select mmdb.add_keywords('items', array[%s], 'public.ours', index => false)", [column])
    items.execute("drop text search configuration ours")
    items.execute("select * from mmdb.doctor()")
    items.execute("select * from mmdb.status")
    items.execute("select mmdb.refresh('items')")
    items.execute("select mmdb.drop_keywords('items')")
