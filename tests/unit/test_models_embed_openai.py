"""The backend `openai` against a real HTTP server on loopback that misbehaves on purpose."""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmdb.config import Settings
from mmdb.errors import ModelError, ModelServiceError, ModelUnavailableError
from mmdb.models.embed import openai
from mmdb.models.embed.base import Embedder, Vectors
from mmdb.models.embed.hash import HashEmbedder
from mmdb.models.http import Server
from mmdb.models.registry import describe, load
from mmdb.models.spec import ModelSpec
from tests.embedding_server import (
    WIDTH,
    Act,
    EmbeddingServer,
    Request,
    changes,
    drips,
    embedding_server,
    fails,
    floods,
    hangs,
    is_half_json,
    meets,
    refuses_more_than,
    refuses_text,
    truncates,
    with_nan,
)
from tests.patience import until

TEXTS = [f"text {number}" for number in range(10)]
KEY = "sk-very-secret"


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with embedding_server() as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "FIRST_PAUSE", 0.01)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of a server that is given up: where one answers, nobody is to give up on a busy machine."""
    monkeypatch.setattr(openai, "PATIENCE", {"document": 1.0, "query": 0.5})


def settings(server: EmbeddingServer, providers: str | None = None, **variables: str) -> Settings:
    return Settings.from_environment({"MMDB_PROVIDERS": providers or server.origin, **variables})


def spec(server: EmbeddingServer, **options: Any) -> ModelSpec:
    return ModelSpec("mine", "openai", "e5", 0, (), "", options={"base_url": server.base_url, **options})


def loaded(server: EmbeddingServer, **options: Any) -> Embedder:
    """The model as a worker has it: nothing was asked of the server yet."""
    width = options.get("dimensions", WIDTH)
    described = replace(spec(server, **options), dimensions=width)
    return openai.OpenAIEmbedder.load(described, settings(server))


def expected(texts: list[str] = TEXTS, width: int = WIDTH) -> Vectors:
    return HashEmbedder(width).embed(texts)


# What is asked, and what comes back.


def test_a_model_is_described_by_asking_its_server(server: EmbeddingServer) -> None:
    described, _ = describe(spec(server), settings(server))
    assert (described.dimensions, described.modalities) == (WIDTH, ("text",))
    assert described.identity.startswith(f"openai/1 model=e5 dimensions={WIDTH} characters=8000 settings=")
    assert load(described, settings(server)).dimensions == WIDTH
    assert len(server.requests) == 1, "a worker that loads it asks nothing: its server may start later"


def test_vectors_are_those_of_the_server_in_the_order_of_the_items(server: EmbeddingServer) -> None:
    server.always = changes(lambda entries: entries[::-1])
    embedder = loaded(server, batch_items=3)
    np.testing.assert_allclose(embedder.embed(TEXTS), expected(), atol=1e-6)
    assert sorted(server.sizes()) == [1, 3, 3, 3]
    assert server.requests[0].body["model"] == "e5"


def test_an_answer_without_numbers_is_in_order(server: EmbeddingServer) -> None:
    server.always = changes(lambda entries: [{"embedding": entry["embedding"]} for entry in entries])
    np.testing.assert_allclose(loaded(server).embed(TEXTS), expected(), atol=1e-6)


def test_a_request_has_a_limit_of_characters(server: EmbeddingServer) -> None:
    loaded(server, batch_characters=20, max_characters=9).embed(["a" * 50, "b" * 12, "c", "d" * 8, "e"])
    assert sorted(len("".join(map(str, request.items()))) for request in server.requests) == [9, 19]
    assert {str(item)[0]: len(str(item)) for request in server.requests for item in request.items()} == {
        "a": 9, "b": 9, "c": 1, "d": 8, "e": 1,
    }  # fmt: skip


def test_requests_run_side_by_side_up_to_the_limit(server: EmbeddingServer) -> None:
    server.misbehave(*[meets(threading.Barrier(3))] * 3)
    server.always = hangs(0.1)
    loaded(server, batch_items=1, concurrency=3).embed(TEXTS)
    assert server.most_open == 3


def test_a_query_does_not_wait_for_documents(server: EmbeddingServer) -> None:
    embedder = loaded(server, batch_items=1, concurrency=1)
    first = threading.Barrier(2)
    server.misbehave(meets(first))
    thread = threading.Thread(target=embedder.embed, args=(TEXTS[:2],))
    thread.start()
    until(lambda: server.requests != [])
    embedder.embed(["red shoes"], "query")
    assert [request.items() for request in server.requests] == [TEXTS[:1], ["red shoes"]]
    first.wait(100)
    thread.join()


def test_prompts_and_parameters_by_purpose(server: EmbeddingServer) -> None:
    options = {"parameters": {"user": "mmdb"}, "query_parameters": {"input_type": "query"}}
    described = replace(spec(server, **options), dimensions=WIDTH, query_prompt="query: ", document_prompt="passage: ")
    embedder = openai.OpenAIEmbedder.load(described, settings(server))
    embedder.embed(["shoes"], "query")
    embedder.embed(["shoes"])
    query, document = (request.body for request in server.requests)
    assert (query["input"], query["input_type"], query["user"]) == (["query: shoes"], "query", "mmdb")
    assert (document["input"], document.get("input_type")) == (["passage: shoes"], None)


def test_dimensions_are_asked_of_the_server_only_where_they_were_chosen(server: EmbeddingServer) -> None:
    described, embedder = describe(spec(server, dimensions=5), settings(server))
    assert described.dimensions == 5
    np.testing.assert_allclose(embedder.embed(TEXTS), expected(width=5), atol=1e-6)
    assert server.requests[-1].body["dimensions"] == 5
    loaded(server).embed(["a"])
    assert "dimensions" not in server.requests[-1].body


def test_a_server_that_cannot_shorten_vectors(server: EmbeddingServer) -> None:
    server.always = changes(lambda entries: [{**entry, "embedding": [1.0] * WIDTH} for entry in entries])
    with pytest.raises(ModelError, match=f"returns {WIDTH} dimensions, but was asked for 5"):
        describe(spec(server, dimensions=5), settings(server))


def test_vectors_come_packed_where_the_server_can(server: EmbeddingServer) -> None:
    embedder = loaded(server)
    embedder.embed(["a"])
    assert server.requests[-1].body["encoding_format"] == "base64"

    def knows_no_base64(request: Request) -> None:
        fails(422)(request) if request.body["encoding_format"] == "base64" else request.well()

    server.always = knows_no_base64
    other = loaded(server)
    np.testing.assert_allclose(other.embed(TEXTS), expected(), atol=1e-6)
    other.embed(["a"])
    assert [request.body["encoding_format"] for request in server.requests[1:]] == ["base64", "float", "float"]


def test_lists_from_a_server_that_ignores_base64(server: EmbeddingServer) -> None:
    def ignores(request: Request) -> None:
        request.body["encoding_format"] = "float"
        request.well()

    server.always = ignores
    np.testing.assert_allclose(loaded(server).embed(TEXTS), expected(), atol=1e-6)


def test_pictures_go_as_messages(server: EmbeddingServer) -> None:
    described, embedder = describe(spec(server, images="messages", image_prompt="Represent it."), settings(server))
    assert described.modalities == ("text", "image")
    pictures = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    vectors = embedder.embed(["a text", *pictures])
    np.testing.assert_allclose(vectors[0], expected(["a text"])[0], atol=1e-6)
    messages = [request.body["messages"] for request in server.requests if "messages" in request.body]
    assert len(messages) == 2, "one picture a request"
    assert messages[0][0]["content"][1] == {"type": "text", "text": "Represent it."}
    seen = [np.asarray(picture.resize((1, 1)))[0, 0] for request in server.requests for picture in request.items()
            if isinstance(picture, Image.Image)]  # fmt: skip
    assert sorted(int(np.argmax(colour)) for colour in seen) == [0, 2]
    np.testing.assert_array_equal(vectors[1:], embedder.embed(pictures))


def test_texts_as_messages(server: EmbeddingServer) -> None:
    np.testing.assert_allclose(loaded(server, texts="messages").embed(TEXTS[:3]), expected(TEXTS[:3]), atol=1e-6)
    assert server.requests[0].body["messages"][0]["content"][0]["type"] == "text"


def test_text_that_is_no_unicode(server: EmbeddingServer) -> None:
    loaded(server).embed(["a\udcff"])
    assert server.requests[0].items() == ["a?"]


# The identity.


@pytest.mark.parametrize(
    "change",
    [
        {"model": "e6"},
        {"revision": "2"},
        {"dimensions": 9},
        {"query_prompt": "q: "},
        {"document_prompt": "d: "},
        {"options": {"max_characters": 100}},
        {"options": {"parameters": {"x": 1}}},
        {"options": {"query_parameters": {"x": 1}}},
        {"options": {"images": "messages"}},
    ],
)
def test_whatever_changes_a_vector_changes_the_identity(server: EmbeddingServer, change: dict[str, Any]) -> None:
    original = replace(spec(server), dimensions=WIDTH)
    options = {**original.options, **change.pop("options", {})}
    changed = replace(original, **change, options=options)
    identities = [openai.OpenAIEmbedder.load(each, settings(server)).identity for each in (original, changed)]
    assert identities[0] != identities[1]


def test_a_server_may_move_and_its_limits_change(server: EmbeddingServer) -> None:
    with embedding_server() as elsewhere:
        moved = replace(spec(elsewhere, batch_items=2, timeout=3, concurrency=1), dimensions=WIDTH)
        assert openai.OpenAIEmbedder.load(moved, settings(elsewhere)).identity == loaded(server).identity


# Who may be asked, with what key.


def test_the_key_goes_to_the_server_that_the_environment_names_for_it(server: EmbeddingServer) -> None:
    with_key = settings(server, f"{server.origin}=SOME_KEY", SOME_KEY=KEY)
    openai.OpenAIEmbedder.load(replace(spec(server), dimensions=WIDTH), with_key).embed(["a"])
    assert server.requests[-1].key == f"Bearer {KEY}"
    assert KEY not in repr(with_key)


def test_a_row_cannot_send_a_key_elsewhere(server: EmbeddingServer) -> None:
    with embedding_server() as evil:
        environment = settings(server, f"{server.origin}=SOME_KEY", SOME_KEY=KEY, OPENAI_API_KEY=KEY)
        row = replace(spec(evil), dimensions=WIDTH)
        with pytest.raises(ModelUnavailableError, match="may not be called from here") as caught:
            load(row, environment)
        assert f"MMDB_PROVIDERS={evil.origin}" in str(caught.value)
        with pytest.raises(ModelError, match='has no option "api_key_env"'):
            load(replace(row, options={**row.options, "api_key_env": "SOME_KEY"}), environment)
        for escape in (f"{server.origin}@127.0.0.1:{evil.origin.rpartition(':')[2]}", f"{evil.origin}#{server.origin}"):
            with pytest.raises(ModelError, match="expected http or https without user"):
                load(replace(row, options={"base_url": escape}), environment)
        assert evil.requests == []


def test_a_redirect_is_not_followed(server: EmbeddingServer) -> None:
    with embedding_server() as evil:
        server.always = fails(307, Location=f"{evil.base_url}/embeddings")
        with pytest.raises(ModelServiceError, match="answered 307"):
            loaded(server).embed(["a"])
        assert evil.requests == []


def test_a_server_that_repeats_the_key(server: EmbeddingServer) -> None:
    server.always = fails(401, f"incorrect key: {KEY}\x1b[31m")
    environment = settings(server, f"{server.origin}=SOME_KEY", SOME_KEY=KEY)
    with pytest.raises(ModelServiceError) as caught:
        openai.OpenAIEmbedder.load(replace(spec(server), dimensions=WIDTH), environment).embed(["a"])
    assert '"incorrect key: … [31m"' in str(caught.value)
    assert len(server.requests) == 1, "another try would not help"


def test_a_key_that_is_missing(server: EmbeddingServer) -> None:
    with pytest.raises(ModelUnavailableError, match=r"is missing \(set SOME_KEY where"):
        load(spec(server), settings(server, f"{server.origin}=SOME_KEY"))
    with pytest.raises(ModelUnavailableError, match="set OPENAI_API_KEY where"):
        load(ModelSpec("small", "openai", "text-embedding-3-small", 0, (), ""), Settings.from_environment({}))


@pytest.mark.parametrize(
    "url", ["ftp://host/v1", "localhost:8000", "http://", "http://h:x/v1", "https://h/v1?key=1", 7]
)
def test_an_address_that_is_none(server: EmbeddingServer, url: Any) -> None:
    with pytest.raises(ModelError, match="is not the address of a server"):
        load(replace(spec(server), options={"base_url": url}), settings(server))


@pytest.mark.parametrize(
    "options",
    [
        {"batch_items": 0},
        {"concurrency": "4"},
        {"timeout": True},
        {"images": "input"},
        {"parameters": {"model": "other"}},
        {"parameters": []},
        {"dimensions": 0},
        {"image_prompt": 1},
    ],
)
def test_an_option_that_cannot_be(server: EmbeddingServer, options: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=f'option "{next(iter(options))}" of model "mine" is'):
        load(spec(server, **options), settings(server))


# What passes is tried again.


@pytest.mark.parametrize(
    "act",
    [fails(429), fails(500), fails(503, Retry_After="0"), fails(408), truncates, is_half_json, floods, hangs(2.4)],
    ids=["429", "500", "503", "408", "truncated", "half JSON", "flood", "hang"],
)
def test_what_passes_is_tried_again(server: EmbeddingServer, act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "_BYTES_A_NUMBER", 1)  # the most that is read of an answer
    server.misbehave(act, act)
    np.testing.assert_allclose(loaded(server, timeout=2).embed(TEXTS), expected(), atol=1e-6)
    assert len(server.requests) == 3


def test_a_server_that_says_how_long_to_wait_is_believed(server: EmbeddingServer) -> None:
    server.misbehave(fails(429, Retry_After="0.4"))
    began = time.monotonic()
    loaded(server).embed(["a"])
    assert time.monotonic() - began >= 0.4


def test_one_that_asks_for_a_wait_is_not_asked_by_other_threads(server: EmbeddingServer) -> None:
    embedder = loaded(server, batch_items=1, concurrency=1)
    server.misbehave(fails(429, Retry_After="2"))
    thread = threading.Thread(target=embedder.embed, args=(["a"],))
    began = time.monotonic()
    thread.start()
    assert isinstance(embedder, openai.OpenAIEmbedder)
    until(lambda: embedder._server._rest_until > began)
    embedder.embed(["b"], "query")
    assert time.monotonic() - began >= 2
    thread.join()
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "wait", [lambda: "3600", lambda: email.utils.formatdate(time.time() + 3600, usegmt=True)], ids=["seconds", "date"]
)
def test_a_wait_beyond_our_patience_is_said_and_not_waited_for(
    server: EmbeddingServer, wait: Callable[[], str]
) -> None:
    server.always = fails(429, "quota exceeded", Retry_After=wait())
    began = time.monotonic()
    with pytest.raises(ModelServiceError, match=r'answered 429 "quota exceeded": asked to wait 3[56]\d\d') as caught:
        loaded(server).embed(["a"])
    assert time.monotonic() - began < 60
    assert caught.value.retry_after is not None
    assert 3500 < caught.value.retry_after <= 3600


def test_a_server_that_asks_for_an_hour_is_asked_again_sooner(
    server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "MOST_REST", 0.2)
    server.misbehave(fails(429, Retry_After="3600"))
    embedder = loaded(server)
    with pytest.raises(ModelServiceError, match="asked to wait 3600 s"):
        embedder.embed(["a"])
    np.testing.assert_allclose(embedder.embed(TEXTS), expected(), atol=1e-6)


@pytest.mark.usefixtures("impatient")
def test_too_many_requests_for_too_long_is_the_servers_affair(server: EmbeddingServer) -> None:
    server.always = fails(429, "slow down")
    with pytest.raises(ModelServiceError, match=r'answered 429 "slow down", asked \d+ times'):
        loaded(server).embed(TEXTS)


# What does not pass: whose fault is it?


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("act", [fails(500), truncates, drips, hangs(90)], ids=["500", "truncated", "drip", "hang"])
def test_a_server_that_is_down_is_not_the_texts_fault(server: EmbeddingServer, act: Act) -> None:
    server.always = act
    began = time.monotonic()
    with pytest.raises(ModelServiceError, match=r"asked \d+ times|asked once"):
        loaded(server, timeout=1).embed(TEXTS)
    assert time.monotonic() - began < 60


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_not_there(server: EmbeddingServer) -> None:
    server.stop()
    with pytest.raises(ModelServiceError, match="cannot be reached"):
        loaded(server).embed(["a"])
    with pytest.raises(ModelServiceError, match="is the server running"):
        describe(spec(server), settings(server))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_serves_nobody_is_asked_once(server: EmbeddingServer, status: int) -> None:
    server.always = fails(status, "no such model")
    with pytest.raises(ModelServiceError, match=f'answered {status} "no such model"'):
        loaded(server).embed(TEXTS)
    assert len(server.requests) == 1


@pytest.mark.usefixtures("impatient")
def test_a_text_that_crashes_the_server_is_named_as_the_fault(server: EmbeddingServer) -> None:
    server.always = refuses_text("text 7", 500)
    with pytest.raises(ModelError, match=r"answered 500 .*it answers others") as caught:
        loaded(server).embed(TEXTS)
    assert not isinstance(caught.value, ModelServiceError)


def test_a_batch_that_is_too_large_is_halved(server: EmbeddingServer) -> None:
    server.always = refuses_more_than(3)
    np.testing.assert_allclose(loaded(server).embed(TEXTS), expected(), atol=1e-6)
    assert max(server.sizes()[-3:]) <= 3


def test_a_text_that_is_refused_costs_the_others_nothing(server: EmbeddingServer) -> None:
    server.always = refuses_text("text 7")
    embedder = loaded(server)
    with pytest.raises(ModelError, match='answered 400 "this text is too long"') as caught:
        embedder.embed(TEXTS)
    assert not isinstance(caught.value, ModelServiceError)
    np.testing.assert_allclose(embedder.embed(TEXTS[:7]), expected(TEXTS[:7]), atol=1e-6)


def test_a_server_that_refuses_every_question_is_at_fault_itself(server: EmbeddingServer) -> None:
    server.always = fails(400, "unknown parameter: dimensions")
    with pytest.raises(ModelServiceError, match="unknown parameter: dimensions"):
        loaded(server, dimensions=4).embed(TEXTS)
    assert len(server.requests) <= 4, "and is not asked about each text"


# Answers that are wrong are never stored.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entries: entries[:-1], "answered with 9 embeddings, expected 10"),
        (lambda entries: [*entries, entries[0]], "answered with 11 embeddings, expected 10"),
        (lambda entries: [{**entry, "index": 0} for entry in entries], "numbered its embeddings"),
        (lambda entries: [{**entry, "index": entry["index"] + 1} for entry in entries], "numbered its embeddings"),
        (lambda entries: [{**entry, "index": None if n else 0} for n, entry in enumerate(entries)], "numbered"),
        (lambda entries: [{**entry, "embedding": "AAA"} for entry in entries], "cannot be read"),
        (lambda entries: [{**entry, "embedding": None} for entry in entries], "expected numbers"),
        (lambda entries: [{**entry, "embedding": ["x"] * WIDTH} for entry in entries], "cannot be read"),
        (lambda entries: ["x" for _ in entries], 'no list "data"'),
        (with_nan, "zero or non-finite vector for item 0"),
    ],
)
def test_a_wrong_answer_is_refused(server: EmbeddingServer, change: Any, message: str) -> None:
    server.always = changes(change)
    with pytest.raises(ModelError, match=message):
        loaded(server).embed(TEXTS)


def test_nan_in_json(server: EmbeddingServer) -> None:
    server.always = changes(lambda entries: [{**entry, "embedding": [float("nan")] * WIDTH} for entry in entries])
    with pytest.raises(ModelError, match="zero or non-finite vector for item 0"):
        loaded(server).embed(TEXTS)


def test_an_answer_that_is_no_object(server: EmbeddingServer) -> None:
    server.always = lambda request: request.say(200, ["a"])
    with pytest.raises(ModelError, match='no list "data"'):
        loaded(server).embed(TEXTS)


def test_another_model_behind_the_name_is_noticed_by_its_width(server: EmbeddingServer) -> None:
    embedder = loaded(server)
    server.always = changes(lambda entries: [{**entry, "embedding": [1.0] * 5} for entry in entries])
    with pytest.raises(ModelServiceError, match=f"vectors of width 5, expected {WIDTH}"):
        embedder.embed(TEXTS)
