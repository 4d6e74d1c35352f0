"""A model of one's own, from `mmdb models add` to a search in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from mmdb.worker import Totals, WorkerOptions, background, work
from tests.conftest import Database
from tests.e2e.programs import Answer, Program
from tests.embedding_server import WIDTH, EmbeddingServer, embedding_server
from tests.made_models import BERT_WIDTH, CLIP_WIDTH, make_bert, make_clip

Connection = psycopg.Connection[Any]

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),  # the libraries' own
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bert(tmp_path_factory.mktemp("models") / "bert", prompts={"query": "query: ", "document": "passage: "})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("models") / "clip")


@pytest.fixture
def mmdb(database: Database, tmp_path: Path) -> Program:
    return Program(tmp_path, database.url)


@pytest.fixture
def remote() -> Iterator[EmbeddingServer]:
    with embedding_server() as made:
        yield made


def add(mmdb: Program, name: str, backend: str, model: Path | str, *options: str) -> Answer:
    return mmdb.run("models", "add", name, "--backend", backend, "--model", str(model), *options)


def test_from_a_folder_to_a_search(mmdb: Program, database: Database, conn: Connection, bert: Path) -> None:
    answer = add(mmdb, "tiny", "sentence_transformers", bert)
    assert (answer.code, answer.out) == (0, ""), answer.err
    assert f'added model "tiny": {BERT_WIDTH} dimensions, text; sentence_transformers/1 files=' in answer.err
    conn.execute("create table notes (id int primary key, body text)")
    texts = ["red shoes", "a blue boat", "the cat on a house"]
    conn.cursor().executemany("insert into notes values (%s, %s)", list(enumerate(texts)))
    made = conn.execute("select column_type from mmdb.add_embedding('notes', 'body', model => 'tiny')").fetchone()
    assert made == (f"public.halfvec({BERT_WIDTH})",)
    with background(database.url, options=WorkerOptions(poll_seconds=0.1, models=("tiny",))):
        conn.execute("select mmdb.wait_until_embedded('notes')")
        nearest = conn.execute("select body from notes_by_body('a blue boat') order by distance limit 3").fetchall()
        found = conn.execute("select body, distance from notes_by_body('red shoes') order by distance").fetchall()
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(bert), device="cpu")
    distances = 1 - model.similarity(model.encode_query(["red shoes"]), model.encode_document(texts))[0].numpy()
    expected = sorted(zip(texts, distances.tolist(), strict=True), key=lambda pair: pair[1])
    assert [body for body, _ in found] == [body for body, _ in expected]
    np.testing.assert_allclose([each for _, each in found], [each for _, each in expected], atol=2e-3)
    assert len(nearest) == 3


def test_an_identity_in_use_is_fixed(mmdb: Program, conn: Connection) -> None:
    assert add(mmdb, "wide", "hash", "sha256", "--dimensions", "200").code == 0
    again = add(mmdb, "wide", "hash", "sha256", "--dimensions", "100")
    assert (again.code, 'replaced model "wide"' in again.err) == (0, True), "nothing uses it yet"
    conn.execute("create table notes (id int primary key, body text)")
    conn.execute("select mmdb.add_embedding('notes', 'body', model => 'wide')")
    other = add(mmdb, "wide", "hash", "sha256", "--dimensions", "200")
    assert (other.code, 'model "wide" is in use with identity "hash/1 dimensions=100"' in other.err) == (3, True)
    assert "under another name" in other.err
    removed = mmdb.run("models", "remove", "wide")
    assert (removed.code, 'model "wide" is in use by public.notes.body' in removed.err) == (3, True)
    conn.execute("select mmdb.drop_embedding('notes', 'body')")
    assert mmdb.run("models", "remove", "wide").code == 0
    assert conn.execute("select name from mmdb.models order by name").fetchall() == [("hash",), ("lite",)]


def test_weights_that_were_changed_or_removed_stop_that_model_alone(
    mmdb: Program, database: Database, conn: Connection, tmp_path: Path
) -> None:
    folder = make_bert(tmp_path / "bert")
    assert add(mmdb, "tiny", "sentence_transformers", folder).code == 0
    for table, model in (("notes", "tiny"), ("others", "hash")):
        conn.execute(f"create table {table} (id int primary key, body text)")
        conn.execute(f"insert into {table} values (1, 'red shoes')")
        conn.execute("select mmdb.add_embedding(%s, 'body', model => %s)", [table, model])
    conn.execute("select mmdb.set_setting('default_model', 'hash')")
    conn.execute("select mmdb.remove_model('lite')")
    (folder / "model.safetensors").unlink()
    assert work(database.url, options=WorkerOptions(once=True)) == Totals(stored=1, failed=0)
    assert conn.execute("select body_embedding is null from notes").fetchone() == (True,)
    assert conn.execute("select body_embedding is null from others").fetchone() == (False,)


def test_a_clip_model_is_used_and_tried_out(mmdb: Program, database: Database, conn: Connection, clip: Path) -> None:
    assert add(mmdb, "clip", "sentence_transformers", clip).code == 0
    photo = (Path(__file__).parents[2] / "examples" / "shop" / "photos" / "cat.jpg").read_bytes()
    conn.execute("create table posters (id int primary key, photo bytea)")
    conn.execute("insert into posters values (1, %s)", [photo])
    conn.execute("select mmdb.add_embedding('posters', 'photo', model => 'clip')")
    with background(database.url, options=WorkerOptions(poll_seconds=0.1, models=("clip",))):
        conn.execute("select mmdb.wait_until_embedded('posters')")
        by_picture = conn.execute("select distance from posters_by_photo(%s::bytea)", [photo]).fetchall()
        by_text = conn.execute("select distance from posters_by_photo('a cat')").fetchall()
    assert by_picture[0][0] == pytest.approx(0, abs=1e-3)
    assert 0 <= by_text[0][0] <= 2
    seen = json.loads(mmdb.out("models", "test", "clip", "--format", "json"))
    assert (seen["name"], seen["dimensions"]) == ("clip", CLIP_WIDTH)
    assert seen["memory_mb"] is None or 10 < seen["memory_mb"] < 5000
    assert [each["modality"] for each in seen["modalities"]] == ["text", "image"]
    assert all(each["a second in batches"] > 0 and each["milliseconds alone"] > 0 for each in seen["modalities"])


def test_a_server_from_the_command_line(mmdb: Program, conn: Connection, remote: EmbeddingServer) -> None:
    options = ["--option", f"base_url={remote.base_url}", "--option", "batch_items=7", "--dimensions", "12"]
    refused = add(mmdb, "remote", "openai", "e5", *options)
    assert (refused.code, f"MMDB_PROVIDERS={remote.origin}" in refused.err) == (4, True), refused.err
    allowed = Program(mmdb.home, mmdb.database_url, {"MMDB_PROVIDERS": f"{remote.origin}=THE_KEY", "THE_KEY": "sk-1"})
    assert add(allowed, "remote", "openai", "e5", *options).code == 0
    kept = conn.execute("select dimensions, options, identity from mmdb.models where name = 'remote'").fetchone()
    assert kept is not None
    assert kept[:2] == (12, {"base_url": remote.base_url, "batch_items": 7, "dimensions": 12})
    assert "sk-1" not in str(kept)
    assert remote.requests[-1].key == "Bearer sk-1"
    out = allowed.out("models", "test", "remote")
    assert "12 dimensions" in out
    assert "a second in batches" in out
    assert WIDTH != 12


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["add", "hash", "--backend", "hash", "--model", "sha256"], 4, "is one of mmdb's own"),
        (["add", "x", "--backend", "nix", "--model", "y"], 4, 'the unknown backend "nix"'),
        (["add", "x", "--backend", "hash", "--model", "y", "--option", "dimensions"], 2, "expected KEY=VALUE"),
        (["add", "x", "--backend", "hash", "--model", "y", "--option", "width=3"], 4, 'no option "width"'),
        (["add", "No Name", "--backend", "hash", "--model", "y"], 3, "models_name_plain"),
        (["add", "x", "--backend", "hash"], 2, "--model"),
        (["test", "nix"], 4, 'model "nix" does not exist'),
        (["remove", "nix"], 3, 'model "nix" does not exist'),
        (["remove", "lite"], 3, 'model "lite" is the default model'),
    ],
)
def test_what_is_refused(mmdb: Program, arguments: list[str], code: int, message: str) -> None:
    answer = mmdb.run("models", *arguments)
    assert (answer.code, answer.out) == (code, ""), answer.err
    assert answer.err.startswith("error: ")
    assert message in answer.err


def test_the_hash_model_in_another_width(mmdb: Program) -> None:
    assert add(mmdb, "wide", "hash", "sha256", "--dimensions", "200").code == 0
    listed = json.loads(mmdb.out("models", "list", "--format", "json"))
    assert {row["name"]: row["dimensions"] for row in listed}["wide"] == 200
    assert listed == json.loads(mmdb.out("models", "--format", "json"))
