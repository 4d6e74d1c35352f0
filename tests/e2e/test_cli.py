"""The command line as its users meet it: processes, exit codes, what is printed where."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from mmdb import install
from mmdb.cli import detached
from mmdb.cli.app import app
from mmdb.errors import EmbeddedError
from mmdb.server import embedded
from tests.conftest import Database, Role, Server, needs_embedded, open_folder, temporary_database
from tests.e2e.programs import Answer, Program, end, finish, until

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def shop(server: Server, template_db: str) -> Iterator[Database]:
    """A database with two embeddings by the model `hash` of one table, embedded, and a table without any."""
    for database in temporary_database(server, template_db):
        with database.connect() as connection:
            connection.execute("create schema shop")
            connection.execute(
                "create table shop.things (id int primary key, note text, price numeric, pic bytea, tags text[])"
            )
            connection.execute(
                "insert into shop.things select g, 'note ' || g || ' is 100%', g + 0.5, 'x', array['a', 'b'] "
                "from generate_series(1, 20) g"
            )
            connection.execute("create table shop.plain (id int primary key, note text)")
            for name in ("first", "second"):
                connection.execute("select mmdb.add_embedding('shop.things', 'note', 'hash', name => %s)", [name])
        yield database


@pytest.fixture
def mmdb(shop: Database, tmp_path: Path) -> Program:
    return Program(tmp_path, shop.url)


@pytest.fixture(scope="module")
def working(shop: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A worker process for the model `hash` on `shop`, everything embedded."""
    process = Program(tmp_path_factory.mktemp("worker"), shop.url).start("worker", "--model", "hash", "--poll", "0.1")
    pending = "select count(*) from shop.things where first_embedding is null or second_embedding is null"
    with shop.connect() as connection:
        try:
            until(lambda: connection.execute(pending).fetchone() == (0,))
            yield
        finally:
            answer = end(process, signal.SIGTERM)
    assert answer.code == 0, answer.err
    assert "done: 40 rows embedded, 0 failed" in answer.err


def refused(answer: Answer, code: int, message: str) -> None:
    """The command failed in one readable line on stderr."""
    assert answer.code == code, answer.err
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""


# Help and errors.


def help_of(*command: str) -> str:
    """What `mmdb COMMAND --help` prints, in this process: a start of Python for each command would take 20 s."""
    answer = CliRunner().invoke(app, [*command, "--help"], prog_name="mmdb")
    assert answer.exit_code == 0
    return answer.stdout


def test_help_of_every_command_has_an_example() -> None:
    help_text = help_of()
    for command in COMMANDS:
        assert f"\n  {command} " in help_text
        lines = help_of(command).splitlines()
        assert lines[0].startswith(f"Usage: mmdb {command}")
        assert lines[lines.index("  Example:") + 1].strip().startswith(("mmdb ", 'psql "$(mmdb '))


def test_no_command_is_a_question_for_help(tmp_path: Path) -> None:
    assert Program(tmp_path).out() == Program(tmp_path).out("--help")
    assert Program(tmp_path).out("--version").startswith("mmdb 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense' (`mmdb --help` shows how)"),
        (["search"], "Missing argument 'TABLE' (`mmdb search --help` shows how)"),
        (["search", "things"], "expected either TEXT or --image FILE"),
        (["search", "things", "words", "-k", "0"], "'-k'"),
        (["status", "--format", "csv"], 'the format "csv" is for one table of rows'),
        (["worker", "--poll", "never"], "'--poll'"),
        (["uninstall"], "say that you mean it: mmdb uninstall --yes"),
    ],
)
def test_usage_error(mmdb: Program, arguments: list[str], message: str) -> None:
    refused(mmdb.run(*arguments), 2, message)


def test_no_server(tmp_path: Path) -> None:
    for command in (["status"], ["models"], ["search", "t", "x"], ["drop", "t", "x"]):
        refused(Program(tmp_path).run(*command), 3, "the embedded PostgreSQL does not run (`mmdb up` starts it")
    assert list(tmp_path.iterdir()) == []


def test_database_that_cannot_be_reached(tmp_path: Path, shop: Database) -> None:
    away = "postgresql://somebody:topsecret@127.0.0.1:1/nowhere"
    for command in (["status"], ["init"], ["worker"]):
        answer = Program(tmp_path, away).run(*command)
        refused(Answer(answer.code, answer.out, answer.err.splitlines(keepends=True)[-1]), 3, "server running")
        assert "topsecret" not in answer.err
    answer = Program(tmp_path).run("--database", Role("somebody", "topsecret").url(shop), "status")
    refused(answer, 3, "password authentication failed")
    assert "topsecret" not in answer.err


def test_traceback_only_for_who_asks(mmdb: Program) -> None:
    refused(mmdb.run("search", "nowhere", "x"), 3, 'relation "nowhere" does not exist (name its schema too')
    answer = mmdb.run("--debug", "search", "nowhere", "x")
    assert answer.code == 1
    assert "Traceback" in answer.err


def test_database_without_mmdb(empty_database: Database, tmp_path: Path) -> None:
    for command in (["status"], ["models"], ["add", "pg_class", "relname"]):
        refused(Program(tmp_path, empty_database.url).run(*command), 3, "`mmdb init` installs it")


def test_interrupt_is_quiet(mmdb: Program, shop: Database) -> None:
    with shop.connect(autocommit=False) as blocker, shop.connect() as watcher:
        blocker.execute("lock table shop.plain in access exclusive mode")
        process = mmdb.start("add", "shop.plain", "note")
        waiting = "select from pg_locks where not granted and relation = 'shop.plain'::regclass"
        until(lambda: watcher.execute(waiting).rowcount > 0)
        answer = end(process, signal.SIGINT)
    assert (answer.code, answer.out, answer.err) == (130, "", "")


def test_reader_that_goes_away(mmdb: Program) -> None:
    process = mmdb.start("models", "--format", "json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1


# Search.


@pytest.mark.usefixtures("working")
def test_search_as_table(mmdb: Program) -> None:
    answer = mmdb.run("search", "shop.things", "note 7 is 100%", "--embedding", "first", "-k", "3")
    assert (answer.code, answer.err) == (0, "")
    lines = [line for line in answer.out.splitlines() if line.strip()]
    assert lines[0].split() == ["id", "note", "price", "tags", "distance"]
    assert len(lines) == 2 + 3
    assert lines[2].split() == ["7", "note", "7", "is", "100%", "7.5", "a,", "b", "0.0000"]


@pytest.mark.usefixtures("working")
def test_search_as_json_and_csv(mmdb: Program) -> None:
    search = ["search", "shop.things", "note 7 is 100%", "--embedding", "second", "-k", "2", "--format"]
    rows = json.loads(mmdb.out(*search, "json"))
    assert rows[0]["id"] == 7
    assert rows[0] == {**rows[0], "note": "note 7 is 100%", "price": 7.5, "tags": ["a", "b"]}
    assert rows[0]["distance"] < 0.001 < rows[1]["distance"]
    table = list(csv.DictReader(io.StringIO(mmdb.out(*search, "csv"))))
    assert [row["id"] for row in table] == [str(row["id"]) for row in rows]
    assert json.loads(table[0]["tags"]) == ["a", "b"]


@pytest.mark.usefixtures("working")
def test_search_with_a_condition(mmdb: Program) -> None:
    search = ["search", "shop.things", "note 7", "--embedding", "first", "--format", "json", "--where"]
    rows = json.loads(mmdb.out(*search, "price > 10 and note like '%100%' -- of the things"))
    assert {row["id"] for row in rows} <= set(range(10, 21))
    assert len(rows) == 10
    assert {row["id"] for row in json.loads(mmdb.out(*search, "id = 3 or id = 4"))} == {3, 4}
    refused(mmdb.run(*search, "nosuch = 1"), 3, 'column "nosuch" does not exist')
    refused(mmdb.run(*search, "true); drop table shop.things; select (true"), 3, "cannot insert multiple commands")
    writing = "nextval('mmdb.embeddings_id_seq') > 0"
    refused(mmdb.run(*search, writing), 3, "in a read-only transaction")


@pytest.mark.usefixtures("working")
def test_search_by_picture(mmdb: Program, tmp_path: Path) -> None:
    picture = Path(__file__).parents[2] / "examples/shop/query.jpg"
    rows = json.loads(
        mmdb.out("search", "shop.things", "--image", str(picture), "--embedding", "first", "--format", "json")
    )
    assert len(rows) == 10
    refused(
        mmdb.run("search", "shop.things", "--image", str(tmp_path / "none"), "--embedding", "first"),
        5,
        "cannot be read: No such file or directory",
    )


@pytest.mark.usefixtures("working")
def test_search_says_what_it_lacks(mmdb: Program) -> None:
    refused(
        mmdb.run("search", "shop.things", "x"), 2, "has several embeddings (choose with --embedding: first, second)"
    )
    refused(
        mmdb.run("search", "shop.things", "x", "--embedding", "third"),
        2,
        'no embedding "third" (it has: first, second)',
    )
    refused(mmdb.run("search", "shop.plain", "x"), 2, "has no embedding (declare one: `mmdb add shop.plain COLUMN`)")


def test_search_without_a_worker(database: Database, tmp_path: Path) -> None:
    with database.connect() as connection:
        connection.execute("create table things (id int primary key, note text)")
        connection.execute("select mmdb.add_embedding('things', 'note', 'hash')")
    answer = Program(tmp_path, database.url).run("search", "things", "x")
    refused(answer, 3, 'no worker is running for model "hash" (start one: `mmdb worker` (or `mmdb up`))')


# Declaring.


def test_add_and_drop(database: Database, tmp_path: Path) -> None:
    mmdb = Program(tmp_path, database.url)
    with database.connect() as connection:
        connection.execute('create table "Odd %s" (id int primary key, note text, label text)')
        connection.execute("""insert into "Odd %s" select g, 'n', 'l' from generate_series(1, 9) g""", None)
        add = ["add", '"Odd %s"', "note", "label", "--name", "words", "--model", "hash", "--prefix", "odd"]
        answer = mmdb.run(*add)
        assert answer.code == 0, answer.err
        assert answer.out == ""
        assert answer.err.count("create index concurrently") == 2
        assert "public.odd_by_words('…')" in answer.err
        invalid = "select count(*) from pg_index where not indisvalid"
        assert connection.execute(invalid).fetchone() == (0,)
        # Again, after an interruption that left an index half made.
        connection.execute("update pg_index set indisvalid = false where indexrelid = 'odd_words_hnsw'::regclass")
        answer = mmdb.run(*add)
        assert answer.code == 0, answer.err
        assert answer.err.count("create index concurrently") == 1
        assert connection.execute(invalid).fetchone() == (0,)
        refused(mmdb.run(*add[:2], "note", *add[4:]), 3, 'has an embedding "words" already')
        assert mmdb.run("worker", "--once", "--model", "hash").code == 0
        (row,) = json.loads(mmdb.out("status", "--format", "json"))["embeddings"]
        assert (row["name"], row["rows"], row["embedded"], row["pending"]) == ("words", 9, 9, 0)
        assert '"Odd %s"' in mmdb.out("status")
        assert mmdb.run("drop", '"Odd %s"', "words").code == 0
        refused(mmdb.run("drop", '"Odd %s"', "words"), 3, 'has no embedding "words"')
        columns = "select count(*) from information_schema.columns where table_name = 'Odd %s'"
        assert connection.execute(columns).fetchone() == (3,)


def test_add_with_weights(database: Database, tmp_path: Path) -> None:
    mmdb = Program(tmp_path, database.url)
    with database.connect() as connection:
        connection.execute("create table things (id int primary key, note text, photo bytea)")
        add = ["add", "things", "note", "photo", "--model", "hash"]
        refused(mmdb.run(*add), 3, "give each source a weight")
        weights = ["--weight", "0.7", "--weight", "0.3"]
        refused(mmdb.run(*add, "--weight", "0.7"), 3, "expected one for each of 2 sources")
        answer = mmdb.run(*add, *weights)
        assert answer.code == 0, answer.err
        assert answer.err.count("create index concurrently") == 2
        assert connection.execute("select name, weights from mmdb.embeddings").fetchone() == ("note_photo", [0.7, 0.3])
        connection.execute("drop index things_note_photo_pending")
        drift = connection.execute("select drift from mmdb.status").fetchone()
        assert drift is not None
        assert "`mmdb add public.things note photo --weight 0.7 --weight 0.3`" in drift[0]
        answer = mmdb.run(*add, *weights)
        assert answer.code == 0, answer.err
        assert answer.err.count("create index concurrently") == 1
        refused(mmdb.run(*add, "--weight", "1", "--weight", "2"), 3, 'has an embedding "note_photo" already')


def test_add_with_an_index_of_signs(database: Database, tmp_path: Path) -> None:
    mmdb = Program(tmp_path, database.url)
    with database.connect() as connection:
        connection.execute("create table notes (id int primary key, body text)")
        add = ["add", "notes", "body", "--model", "hash", "--quantization"]
        refused(mmdb.run(*add, "ternary"), 3, 'unknown quantization "ternary"')
        assert mmdb.run(*add, "binary").code == 0
        definition = connection.execute("select pg_get_indexdef('notes_body_hnsw'::regclass)").fetchone()
        assert definition is not None
        assert "bit_hamming_ops" in definition[0]
        assert mmdb.run(*add, "binary").code == 0, "nothing is left to do"


def test_add_that_keeps_and_status_that_says_so(database: Database, tmp_path: Path) -> None:
    mmdb = Program(tmp_path, database.url)
    with database.connect() as connection:
        connection.execute("create table notes (id int primary key, body text); insert into notes values (1, 'one')")
        add = ["add", "notes", "body", "--model", "hash"]
        assert mmdb.run(*add, "--on-change", "keep").code == 0
        assert mmdb.run(*add, "--on-change", "keep").code == 0
        refused(mmdb.run(*add, "--on-change", "unset"), 3, 'has an embedding "body" already')
        refused(mmdb.run(*add, "--name", "b", "--on-change", "never"), 3, 'on_change is "never"')
        assert "stale" not in mmdb.out("status")
        assert mmdb.run("worker", "--once", "--model", "hash").code == 0
        connection.execute("update notes set body = 'two'")
        assert "stale" in mmdb.out("status")
        (row,) = json.loads(mmdb.out("status", "--format", "json"))["embeddings"]
        assert (row["embedded"], row["pending"], row["stale"]) == (0, 1, 1)


def test_change_and_switch(database: Database, tmp_path: Path) -> None:
    mmdb = Program(tmp_path, database.url)
    with database.connect() as connection:
        connection.execute("create table things (id int primary key, note text)")
        connection.execute("insert into things select g, 'n' || g from generate_series(1, 3) g")
        add_model = "select mmdb.add_model('wide', 'hash', 'sha256', 96, array['text', 'image'], %s, options => %s)"
        connection.execute(add_model, ["hash/1 dimensions=96", '{"dimensions": 96}'])
        assert mmdb.run("add", "things", "note", "--model", "hash").code == 0
        answer = mmdb.run("change", "things", "note", "wide")
        assert answer.code == 0, answer.err
        assert 'declared "note_wide" of things beside "note"' in answer.err
        assert answer.err.count("create index concurrently") == 2
        refused(
            mmdb.run("switch", "things", "note"), 3, '3 rows of table public.things are not embedded by model "wide"'
        )
        assert mmdb.run("worker", "--once", "--model", "hash", "--model", "wide").code == 0
        assert "note_wide is a generation of note" in mmdb.out("status")
        with database.connect(autocommit=False) as user:
            user.execute("select from things")
            switching = mmdb.start("switch", "things", "note")
            assert switching.stderr is not None
            assert "the table is in use, trying again" in switching.stderr.readline()
            user.rollback()
        answer = finish(switching)
        assert answer.code == 0
        assert 'embedding "note" of things is searched by model "wide"' in answer.err
        assert mmdb.run("switch", "things", "note", "--back").code == 0
        assert mmdb.run("drop", "things", "note_wide").code == 0
        (row,) = json.loads(mmdb.out("status", "--format", "json"))["embeddings"]
        assert (row["name"], row["model"], row["drift"], row["generation_of"]) == ("note", "hash", None, None)


def test_explain(database: Database, tmp_path: Path) -> None:
    with database.connect() as connection:
        connection.execute("create table things (id int primary key, note text)")
        connection.execute("select mmdb.add_embedding('things', 'note', model => 'hash')")
    mmdb = Program(tmp_path, database.url)
    slow = "select id from things_by_note((select note from things where id = 7)) order by distance limit 5"
    (row,) = json.loads(mmdb.out("explain", slow, "--format", "json"))
    assert (row["relation"], row["name"], row["searched"]) == ("things", "note", "row by row")
    assert "things_top_by_note(…, k)" in row["advice"]
    assert "mmdb.explain takes one SELECT" in mmdb.run("explain", "drop table things").err


def test_queries(database: Database, tmp_path: Path) -> None:
    with database.connect() as connection:
        connection.execute("create function mine() returns setof int language sql stable as 'select 1'")
        connection.execute("comment on function mine() is 'One. [mmdb query]'")
        connection.execute("create function other() returns setof int language sql stable as 'select 1'")
    rows = json.loads(Program(tmp_path, database.url).out("queries", "--format", "json"))
    found = {row["function"]: row for row in rows}
    assert found["mine()"]["description"] == "One."
    assert any(name.startswith("mmdb.find(") for name in found)
    assert "other()" not in found


def test_add_without_indexes(database: Database, tmp_path: Path) -> None:
    mmdb = Program(tmp_path, database.url)
    with database.connect() as connection:
        connection.execute("create table things (id int primary key, note text)")
        assert mmdb.run("add", "things", "note", "--model", "hash", "--no-index").code == 0
        indexes = "select count(*) from pg_indexes where tablename = 'things'"
        assert connection.execute(indexes).fetchone() == (1,)
    assert "no HNSW index: searches scan the whole table" in mmdb.run("doctor").out


def test_add_says_which_triggers_it_will_fire(database: Database, tmp_path: Path) -> None:
    with database.connect() as connection:
        connection.execute("create table things (id int primary key, note text)")
        connection.execute("create function touch() returns trigger language plpgsql as 'begin return new; end'")
        connection.execute("create trigger touch before update on things for each row execute function touch()")
    added = Program(tmp_path, database.url).run("add", "things", "note", "--model", "hash")
    assert added.code == 0
    assert 'fire whenever a worker stores a vector: "touch"' in added.err


def test_init_uninstall_and_the_script(empty_database: Database, tmp_path: Path) -> None:
    mmdb = Program(tmp_path, empty_database.url)
    script = Program(tmp_path).out("init", "--print-script", "--owner", "app's", "--user-role", "searchers")
    assert "create extension if not exists dblink" in script
    assert "'app''s'" in script
    assert "'searchers'" in script
    answer = mmdb.run("init")
    assert (answer.code, answer.out) == (0, "")
    assert "mmdb is installed: PostgreSQL " in answer.err
    with empty_database.connect() as connection:
        there = "select to_regclass('mmdb.embeddings') is not null"
        assert connection.execute(there).fetchone() == (True,)
        assert mmdb.run("init").code == 0
        assert mmdb.run("uninstall", "--yes").code == 0
        assert connection.execute(there).fetchone() == (False,)


def test_models(mmdb: Program) -> None:
    rows = {row["name"]: row for row in json.loads(mmdb.out("models", "--format", "json"))}
    assert rows["hash"]["modalities"] == ["text", "image"]
    assert rows["hash"]["embeddings"] == 2
    assert mmdb.out("models", "--format", "csv").splitlines()[0].startswith("name,backend,model,dimensions")


# Operating.


@pytest.mark.usefixtures("working")
def test_doctor(mmdb: Program) -> None:
    rows = json.loads(mmdb.out("doctor", "--format", "json"))
    assert {"postgresql", "extension vector", "worker", "schema mmdb", "mmdb", "package onnxruntime"} <= {
        row["subject"] for row in rows
    }
    assert "error" not in {row["level"] for row in rows}
    assert mmdb.out("doctor").count("\n") >= len(rows)


def test_doctor_with_an_error(tmp_path: Path, database: Database) -> None:
    answer = Program(tmp_path, database.url).run("doctor")
    assert answer.code == 1
    assert answer.err == ""
    assert "error   worker: 0 alive\n        start one: `mmdb worker` (or `mmdb up`)\n" in answer.out
    away = Program(tmp_path).run("doctor")
    assert away.code == 1
    assert "error   embedded PostgreSQL: not running\n        `mmdb up` starts it\n" in away.out
    with database.connect() as connection:
        connection.execute("update mmdb.schema_version set version_num = '0000'")
    assert "revision 0000, this mmdb has" in Program(tmp_path, database.url).run("doctor").out


@pytest.mark.usefixtures("working")
def test_status(mmdb: Program) -> None:
    seen = json.loads(mmdb.out("status", "--format", "json"))
    assert [(row["relation"], row["name"], row["embedded"]) for row in seen["embeddings"]] == [
        ("shop.things", "first", 20),
        ("shop.things", "second", 20),
    ]
    assert [worker["models"] for worker in seen["workers"]] == [["hash"]]
    assert seen["failures"] == []


def test_status_shows_failures(database: Database, tmp_path: Path) -> None:
    mmdb = Program(tmp_path, database.url)
    with database.connect() as connection:
        connection.execute("create table pictures (id int primary key, pic bytea)")
        connection.execute("insert into pictures values (1, '\\x00'), (2, '\\x01')")
        connection.execute("select mmdb.add_embedding('pictures', 'pic', 'hash')")
        connection.execute("select mmdb.set_setting('max_attempts', '1')")
    answer = mmdb.run("worker", "--once", "--model", "hash")
    assert answer.code == 0
    assert "done: 0 rows embedded, 2 failed" in answer.err
    out = mmdb.out("status")
    assert "latest failures" in out
    assert "no worker is alive" in out
    assert "not an image" in out


def test_second_signal_ends_at_once(database: Database, tmp_path: Path) -> None:
    """A worker that stops says goodbye in mmdb.worker_sessions; here it cannot."""
    with database.connect() as watcher, database.connect(autocommit=False) as blocker:
        process = Program(tmp_path, database.url).start("worker", "--model", "hash")
        alive = "select count(*) from mmdb.workers where alive"
        until(lambda: watcher.execute(alive).fetchone() == (1,))
        blocker.execute("lock table mmdb.worker_sessions in access exclusive mode")
        process.send_signal(signal.SIGTERM)
        waiting = "select from pg_locks where not granted and relation = 'mmdb.worker_sessions'::regclass"
        until(lambda: watcher.execute(waiting).rowcount > 0)
        assert process.poll() is None
        answer = end(process, signal.SIGTERM)
    assert answer.code == 128 + signal.SIGTERM
    assert "Traceback" not in answer.err


# The server: a home of its own, so a server of its own.


@pytest.fixture(scope="module")
def own() -> Iterator[Program]:
    with open_folder("mmdb-cli-") as home:
        yield Program(home)
        assert not embedded.stop(home), "a test left the server running"


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def answers(program: Program) -> bool:
    """Whether the embedded server of `program` takes connections to its database."""
    info = embedded.status(program.home)
    try:
        psycopg.connect(info.url).close()
    except (psycopg.OperationalError, EmbeddedError):
        return False
    return True


@pytest.mark.timeout(600)
def test_up_detached_and_down(own: Program) -> None:
    try:
        answer = own.run("up", "--detach")
        assert answer.code == 0, answer.err
        assert answer.out == ""
        worker = int((own.home / "worker.pid").read_text())
        server = embedded.status(own.home).pid
        assert server is not None
        assert is_running(worker)
        assert (own.home / "worker.log").stat().st_mode & 0o077 == 0

        again = own.run("up", "--detach")
        assert again.code == 0
        assert again.err.startswith(f"already up: worker {worker},")
        assert int((own.home / "worker.pid").read_text()) == worker

        url = own.out("url")
        assert url == embedded.status(own.home).url + "\n"
        with psycopg.connect(url.strip()) as connection:
            assert connection.execute("select count(*) from mmdb.workers where alive").fetchone() == (1,)
            assert connection.execute("select vector_dims(mmdb.embed('words', 'hash'))").fetchone() == (64,)
        assert own.out("psql", "-XAtc", "select current_database()") == "mmdb\n"
        assert own.run("psql", "-XAtc", "select 1/0").code == 1

        answer = own.run("down")
        assert answer.code == 0
        assert answer.err == f"stopped worker {worker}\nstopped the embedded PostgreSQL\n"
        until(lambda: not is_running(worker) and not is_running(server))
        assert "done: 0 rows embedded, 0 failed" in (own.home / "worker.log").read_text()
        assert own.run("down").err == "nothing was running\n"
    finally:
        own.run("down")


@pytest.mark.timeout(600)
def test_password_of_psql_is_in_no_list_of_processes(own: Program) -> None:
    process = own.start("psql", "-X", "-c", "select pg_sleep(30)")
    try:
        until(lambda: answers(own))
        url = own.out("url").strip()
        password = embedded.status(own.home).password
        assert password
        with psycopg.connect(url, autocommit=True) as connection:
            asleep = "select pid from pg_stat_activity where query like 'select pg_sleep(30)%'"
            until(lambda: connection.execute(asleep).rowcount == 1)
            command = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
            assert "psql\0-X\0-c" in command
            assert password not in command
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where query like '%sleep(30)%' "
                "and pid <> pg_backend_pid()"
            )
        finish(process)
    finally:
        process.kill()
        own.run("down")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_in_the_foreground(own: Program, number: signal.Signals) -> None:
    process = own.start("up")
    try:
        until(lambda: answers(own))
        with psycopg.connect(embedded.status(own.home).url, autocommit=True) as connection:
            alive = "select count(*) from mmdb.workers where alive"
            there = "select to_regclass('mmdb.workers') is not null"
            until(lambda: connection.execute(there).fetchone() == (True,))
            until(lambda: connection.execute(alive).fetchone() == (1,))
        answer = end(process, number)
        assert answer.code == 0, answer.err
        assert "Traceback" not in answer.err
        assert not embedded.status(own.home).running
    finally:
        process.kill()
        own.run("down")


@pytest.mark.timeout(600)
def test_up_on_another_database_leaves_it_running(database: Database, tmp_path: Path) -> None:
    mmdb = Program(tmp_path, database.url)
    try:
        assert mmdb.run("up", "--detach").code == 0
        (worker,) = [int(file.read_text()) for file in tmp_path.glob("worker*.pid")]
        with database.connect() as connection:
            found = connection.execute("select pid from mmdb.workers where alive").fetchall()
            assert found == [(worker,)]
            assert database.url.encode() not in Path(f"/proc/{worker}/cmdline").read_bytes()
        assert mmdb.run("down").err == f"stopped worker {worker}\n"
        assert not (tmp_path / "postgres").exists()
    finally:
        mmdb.run("down")


@pytest.mark.timeout(600)
def test_each_database_has_a_worker_of_its_own(
    database: Database, server: Server, template_db: str, tmp_path: Path
) -> None:
    """A second one is not "already up"; the same one is, whoever connects to it."""
    for second in temporary_database(server, template_db):
        programs = [Program(tmp_path, each.url) for each in (database, second)]
        try:
            assert [program.run("up", "--detach").code for program in programs] == [0, 0]
            for each in (database, second):
                with each.connect() as connection:
                    assert connection.execute("select count(*) from mmdb.workers where alive").fetchone() == (1,)
            again = Program(tmp_path, second.url + "?application_name=again").run("up", "--detach")
            assert again.err.startswith("already up: worker ")
            stopped = programs[0].run("down").err.splitlines()
            assert len(stopped) == 2
            assert all(line.startswith("stopped worker ") for line in stopped)
        finally:
            programs[0].run("down")


def test_pid_of_somebody_else_is_left_alone(tmp_path: Path, database: Database) -> None:
    """After a crash the number may be another program's."""
    (tmp_path / "worker.pid").write_text(str(os.getpid()))
    answer = Program(tmp_path, database.url).run("down")
    assert answer.err == "nothing was running\n"
    assert not list(tmp_path.glob("postgres"))


def test_worker_that_cannot_start_is_told(
    tmp_path: Path, server: embedded.ServerInfo, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detached, "COMMAND", "-m mmdb worker --model none")
    monkeypatch.setenv("MMDB_HOME", str(tmp_path))
    worker = detached.worker_of(tmp_path, database.url)
    pid = worker.start(database.url)
    with pytest.raises(detached.DetachedError, match='the worker ended: error: model "none" does not exist'):
        worker.wait_until_registered(pid, database.url)
    os.waitpid(pid, 0)
    assert worker.stop() is None


@needs_embedded
def test_dump_and_restore(shop: Database, working: None, server: embedded.ServerInfo, tmp_path: Path) -> None:
    """Into a database without anything, and into one in which mmdb is installed; never into one with tables."""
    link_programs(server, tmp_path)
    file = str(tmp_path / "shop.dump")
    mmdb = Program(tmp_path, shop.url)
    answer = mmdb.run("dump", file)
    assert answer.code == 0, answer.err
    refused(last_line(mmdb.run("restore", file)), 3, "is not empty: it has table shop.")
    for made, options in (("template0", ()), ("template0", ("--no-owner",))):
        for other in temporary_database(server, made):
            if options:
                install.install(other.url)
            program = Program(tmp_path, other.url)
            answer = program.run("restore", file, *options)
            assert answer.code == 0, answer.err
            assert "warning" not in answer.err
            (row, _) = json.loads(program.out("status", "--format", "json"))["embeddings"]
            assert (row["rows"], row["embedded"], row["pending"], row["drift"]) == (20, 20, 0, None)
            with other.connect() as connection, pytest.raises(psycopg.Error, match="no worker is running"):
                connection.execute("select mmdb.embed('asked', 'hash')")


@needs_embedded
def test_a_dump_that_cannot_be_restored_leaves_the_database_as_it_was(
    mmdb: Program, shop: Database, database: Database, server: embedded.ServerInfo, tmp_path: Path
) -> None:
    link_programs(server, tmp_path)
    file = tmp_path / "shop.dump"
    file.write_text("no dump")
    program = Program(tmp_path, database.url)
    refused(last_line(program.run("restore", str(file))), 3, "pg_restore ended with 1")
    assert mmdb.run("dump", str(file)).code == 0
    with database.connect() as connection:
        answer = last_line(program.run("restore", str(file), "--no-such-option"))
        refused(answer, 3, "pg_restore ended with 1")
        assert connection.execute("select to_regnamespace('shop'), count(*) from mmdb.models").fetchone() == (None, 2)


def link_programs(server: embedded.ServerInfo, home: Path) -> None:
    """As if the embedded server of `home` had been up, whose programs are of the server's version."""
    (home / "postgres").mkdir()
    (home / "postgres/installation").symlink_to(server.home / "postgres/installation")


def last_line(answer: Answer) -> Answer:
    """Without what PostgreSQL's own programs say before it, and the warnings of an install."""
    return Answer(answer.code, answer.out, answer.err.splitlines(keepends=True)[-1])


def test_clusters_are_made_and_shown(mmdb: Program, shop: Database, working: None) -> None:
    call = ["clusters", "shop.things", "first", "-k", "3", "--into", "shop.thing_clusters"]
    rows = json.loads(mmdb.out(*call, "--format", "json"))
    assert sum(row["rows"] for row in rows) == 20
    with shop.connect() as connection:
        counted = connection.execute("select cluster, count(*) from shop.thing_clusters group by 1 order by 1")
        assert counted.fetchall() == [(row["cluster"], row["rows"]) for row in rows]
    again = mmdb.run(*call)
    assert again.code == 2
    assert "table shop.thing_clusters exists already" in again.err
    assert mmdb.run(*call, "--replace").code == 0
