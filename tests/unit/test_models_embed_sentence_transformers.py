"""The backend `sentence_transformers` on real architectures with random weights, loaded by the path that users take."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmdb.config import Settings
from mmdb.errors import ModelError, ModelUnavailableError
from mmdb.models.embed.base import Embedder, Vectors
from mmdb.models.registry import describe, load
from mmdb.models.spec import ModelSpec
from tests.made_models import BERT_WIDTH, CLIP_WIDTH, TOKENS, make_bert, make_clip

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore::FutureWarning"
    ),  # of the libraries among themselves
]
TEXTS = ["red shoes", "a boat on the house", "the blue cat with a red shoe", "x", "9 boats", "a house"]
PROMPTS = {"query": "query: ", "document": "passage: "}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bert(tmp_path_factory.mktemp("models") / "bert", prompts=PROMPTS)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("models") / "clip")


@pytest.fixture
def pictures() -> list[Image.Image]:
    generator = np.random.default_rng(7)
    shapes = [(50, 40), (32, 32), (20, 90)]
    return [Image.fromarray(generator.integers(0, 255, (*shape, 3), np.uint8)) for shape in shapes]


def spec(model: Path | str, **values: Any) -> ModelSpec:
    return ModelSpec("mine", "sentence_transformers", str(model), 0, (), "", **values)


def loaded(model: Path, **values: Any) -> Embedder:
    return describe(spec(model, **values), settings())[1]


def settings(**values: str) -> Settings:
    return Settings.from_environment({"MMDB_HOME": "/nowhere", **values})


def library(folder: Path, **arguments: Any) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", **arguments)


def check_equal(made: Vectors, wanted: Any) -> None:
    """Row by row, cosine > 0.9999."""
    wanted = np.asarray(wanted) / np.linalg.norm(wanted, axis=1, keepdims=True)
    assert made.shape == wanted.shape
    assert (np.sum(made * wanted, axis=1) > 0.9999).all()


# The vectors are the library's.


@pytest.mark.filterwarnings("ignore")  # of what the export calls
def test_vectors_by_openvino_are_those_by_torch(bert: Path, tmp_path: Path) -> None:
    """In the environment of `make test-models`, which has the library's extra."""
    pytest.importorskip("optimum.intel")
    library(bert, backend="openvino").save_pretrained(str(tmp_path / "exported"))
    embedder = loaded(tmp_path / "exported", options={"engine": "openvino"})
    check_equal(embedder.embed(TEXTS, "query"), library(bert).encode_query(TEXTS))
    check_equal(embedder.embed(TEXTS), library(bert).encode_document(TEXTS))
    assert "engine=openvino" in embedder.identity
    with pytest.raises(ModelUnavailableError, match='holds no weights for engine "onnx"'):
        loaded(tmp_path / "exported", options={"engine": "onnx"})


def test_vectors_are_the_librarys_with_the_models_own_prompts(bert: Path) -> None:
    described, embedder = describe(spec(bert), settings())
    assert (described.dimensions, described.modalities) == (BERT_WIDTH, ("text",))
    model = library(bert)
    check_equal(embedder.embed(TEXTS, "query"), model.encode_query(TEXTS))
    check_equal(embedder.embed(TEXTS), model.encode_document(TEXTS))
    bare = model.encode(TEXTS) / np.linalg.norm(model.encode(TEXTS), axis=1, keepdims=True)
    assert (np.sum(embedder.embed(TEXTS, "query") * bare, axis=1) < 0.9999).all(), "a prompt makes a difference"
    np.testing.assert_allclose(load(described, settings()).embed(TEXTS), embedder.embed(TEXTS), atol=1e-6)


def test_prompts_of_the_row_are_used_instead(bert: Path) -> None:
    embedder = loaded(bert, query_prompt="the ", document_prompt="")
    model = library(bert)
    check_equal(embedder.embed(TEXTS, "query"), model.encode([f"the {text}" for text in TEXTS]))
    check_equal(embedder.embed(TEXTS), model.encode(TEXTS))


def test_fewer_dimensions(bert: Path) -> None:
    embedder = loaded(bert, options={"dimensions": 8})
    assert embedder.dimensions == 8
    check_equal(embedder.embed(TEXTS), library(bert, truncate_dim=8).encode_document(TEXTS))
    with pytest.raises(ModelError, match=f"has {BERT_WIDTH} dimensions, but is to have 64"):
        loaded(bert, options={"dimensions": 64})


def test_texts_are_cut_where_the_model_ends_or_before(bert: Path) -> None:
    embedder = loaded(bert)
    long = "red " * 500
    np.testing.assert_allclose(embedder.embed([long]), embedder.embed(["red " * TOKENS]), atol=1e-6)
    short = loaded(bert, options={"max_tokens": 6})
    model = library(bert)
    model.max_seq_length = 6
    check_equal(short.embed(TEXTS), model.encode_document(TEXTS))
    assert loaded(bert, options={"max_tokens": 500}).identity == embedder.identity


def test_text_and_pictures_in_one_space(clip: Path, pictures: list[Image.Image]) -> None:
    described, embedder = describe(spec(clip), settings())
    assert (described.dimensions, described.modalities) == (CLIP_WIDTH, ("text", "image"))
    model = library(clip)
    made = embedder.embed(["red shoes", *pictures, "word " * 100], "query")
    check_equal(made[1:-1], model.encode(pictures))
    check_equal(made[[0, -1]], model.encode(["red shoes", "word " * 100]))


def test_half_precision_is_nearly_the_same_and_the_same_model(bert: Path) -> None:
    embedder, half = loaded(bert), loaded(bert, options={"dtype": "bfloat16"})
    assert half.identity == embedder.identity
    assert np.sum(half.embed(TEXTS) * embedder.embed(TEXTS), axis=1).min() > 0.999


def test_a_model_of_transformers_alone_is_averaged_over_its_tokens(bert: Path) -> None:
    plain = bert.with_name("bert-plain")
    check_equal(loaded(plain).embed(TEXTS), library(bert).encode(TEXTS))


def test_threads_share_a_model(bert: Path) -> None:
    embedder = loaded(bert)
    texts = [["red " * (number % 9 + 1)] * 3 for number in range(60)]
    expected = [embedder.embed(batch) for batch in texts]
    with ThreadPoolExecutor(4) as threads:
        for made, wanted in zip(threads.map(embedder.embed, texts), expected, strict=True):
            np.testing.assert_allclose(made, wanted, atol=1e-5)


def test_pytorchs_ways_to_run_out_of_memory_are_known(bert: Path) -> None:
    import torch

    embedder = loaded(bert)
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55)
    assert embedder.is_out_of_memory(caught.value)
    assert embedder.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not embedder.is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    embedder.free_memory()


# The identity is what the vectors depend on.


def test_a_copy_elsewhere_is_the_same_model(bert: Path, tmp_path: Path) -> None:
    copy = tmp_path / "org" / "bert"
    shutil.copytree(bert, copy)
    (copy / "README.md").write_text("Another text about the same model.")
    (copy / ".cache").mkdir()
    (copy / ".cache" / "x.json").write_text("{}")
    (copy / "onnx").mkdir()
    (copy / "onnx" / "model.onnx").write_bytes(b"not read")
    described, _ = describe(spec(bert), settings())
    row = replace(described, model="org/bert")
    assert load(row, settings(MMDB_MODELS=str(tmp_path))).identity == described.identity


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("1_Pooling/config.json", lambda text: text.replace('"mean"', '"cls"')),
        ("config_sentence_transformers.json", lambda text: text.replace("passage: ", "text: ")),
        ("tokenizer.json", lambda text: text.replace('"shoes"', '"shoez"')),
    ],
)
def test_a_changed_file_is_another_model(bert: Path, tmp_path: Path, file: str, change: Any) -> None:
    copy = tmp_path / "bert"
    shutil.copytree(bert, copy)
    described, _ = describe(spec(copy), settings())
    path = copy / file
    changed = change(path.read_text())
    assert changed != path.read_text()
    path.write_text(changed)
    with pytest.raises(ModelError, match="is registered with identity"):
        load(described, settings())


def test_other_weights_and_other_settings_are_other_models(bert: Path, tmp_path: Path) -> None:
    other = make_bert(tmp_path / "bert", seed=1, prompts=PROMPTS)
    made = [
        loaded(bert),
        loaded(other),
        loaded(bert, query_prompt="x"),
        loaded(bert, query_prompt=""),
        loaded(bert, document_prompt="x"),
        loaded(bert, options={"dimensions": 8}),
        loaded(bert, options={"max_tokens": 8}),
    ]
    assert len({embedder.identity for embedder in made}) == len(made)


# What cannot be loaded.


def test_without_a_hub_it_is_said_what_was_tried_and_what_helps(tmp_path: Path) -> None:
    """In a process of its own, in which the hub's address leads nowhere."""
    answer = _describe_elsewhere("org/model", tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert '"org/model" of model "mine" was not found' in answer
    assert f'there is no folder "{tmp_path}/org/model", and the hub said: ' in answer
    assert f'copy it to "{tmp_path}/org/model", or set MMDB_MODELS' in answer


def _describe_elsewhere(model: str, models: Path, **environment: str) -> str:
    program = """
import sys
from mmdb.config import Settings
from mmdb.models.registry import describe
from mmdb.models.spec import ModelSpec
from mmdb.errors import ModelError
try:
    spec, _ = describe(ModelSpec("mine", "sentence_transformers", sys.argv[1], 0, (), ""), Settings.from_environment())
    print(spec.revision, spec.identity)
except ModelError as error:
    print(error)
"""
    variables = {**os.environ, "MMDB_MODELS": str(models), "HF_HOME": str(models / "hub"), **environment}
    command = [sys.executable, "-W", "ignore", "-c", program, model]
    answer = subprocess.run(command, env=variables, capture_output=True, text=True, check=True, timeout=240)
    return answer.stdout.strip()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=f'there is no folder "{tmp_path}/gone"'):
        loaded(tmp_path / "gone")


def test_a_name_does_not_lead_out_of_the_folder_of_copies(bert: Path) -> None:
    row = spec(f"x/../{bert.name}")
    with pytest.raises(ModelUnavailableError, match="was not found: it is not a name of a model"):
        describe(row, settings(MMDB_MODELS=str(bert.parent)))


def test_a_folder_without_weights(bert: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bert"
    shutil.copytree(bert, copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailableError, match='holds no weights for engine "torch"'):
        loaded(copy)
    with pytest.raises(ModelUnavailableError, match='holds no weights for engine "onnx"'):
        loaded(bert, options={"engine": "onnx"})


def test_damaged_weights(bert: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bert"
    shutil.copytree(bert, copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelUnavailableError, match='model "mine" cannot be loaded: '):
        loaded(copy)


def test_a_model_that_wants_to_run_its_own_code(bert: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bert"
    shutil.copytree(bert, copy)
    modules = json.loads((copy / "modules.json").read_text())
    modules[1]["type"] = "own_code.Pooling"
    (copy / "modules.json").write_text(json.dumps(modules))
    marker = tmp_path / "it_ran"
    (copy / "own_code.py").write_text(f"open({str(marker)!r}, 'w')\n")
    with pytest.raises(ModelUnavailableError, match="cannot be loaded: ValueError"):
        loaded(copy)
    assert not marker.exists()


def test_pickled_weights_run_nothing(bert: Path, tmp_path: Path) -> None:
    import pickle

    copy = tmp_path / "bert"
    shutil.copytree(bert, copy)
    (copy / "model.safetensors").unlink()
    marker = tmp_path / "it_ran"

    class Evil:
        def __reduce__(self) -> Any:
            return open, (str(marker), "w")

    (copy / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ModelUnavailableError, match="cannot be loaded"):
        loaded(copy)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"engine": "tensorflow"},
            'option "engine" of model "mine" is "tensorflow", expected one of torch, onnx, openvino',
        ),
        ({"dtype": "int8"}, "expected one of float32, float16, bfloat16"),
        ({"device": "tpu"}, "expected one of auto, cpu, cuda, mps"),
        ({"max_tokens": 0}, "expected a whole number from 1"),
        ({"pooling": "cls"}, 'has no option "pooling"'),
        ({"device": "cuda"}, 'on device "cuda", which this machine lacks'),
    ],
)
def test_an_option_that_cannot_be(bert: Path, options: dict[str, Any], message: str) -> None:
    import torch

    if options.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ModelError) as caught:
        loaded(bert, options=options)
    assert message in str(caught.value)


def test_the_package_is_named_where_it_is_missing(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelUnavailableError) as caught:
        loaded(bert)
    assert 'pip install "sentence-transformers>=6.0"' in str(caught.value)


# A hub, of which a model is downloaded once.


class Hub:
    """What huggingface_hub asks of a hub, for one model: its files at one commit."""

    COMMIT = "0123456789abcdef0123456789abcdef01234567"

    def __init__(self, folder: Path) -> None:
        hub = self
        self.folder = folder
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Not on the tests' output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(f"{handler.command} {handler.path}")
        if handler.path.startswith("/api/models/org/bert/revision/"):
            siblings = [{"rfilename": entry["path"]} for entry in self._tree()]
            self._send(handler, json.dumps({"id": "org/bert", "sha": self.COMMIT, "siblings": siblings}).encode())
        elif handler.path.startswith(f"/api/models/org/bert/tree/{self.COMMIT}"):
            self._send(handler, json.dumps(self._tree()).encode())
        elif handler.path.startswith(f"/org/bert/resolve/{self.COMMIT}/"):
            self._send(handler, (self.folder / handler.path.split("/", 5)[5]).read_bytes())
        else:
            handler.send_error(404)

    def _tree(self) -> list[dict[str, Any]]:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        names = [path.relative_to(self.folder).as_posix() for path in files]
        return [
            {"type": "file", "path": name, "oid": "0", "size": path.stat().st_size}
            for name, path in zip(names, files, strict=True)
        ]

    def _send(self, handler: BaseHTTPRequestHandler, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        handler.send_header("X-Repo-Commit", self.COMMIT)
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(data)

    def stop(self) -> None:
        """Nobody listens from now on."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def hub(bert: Path, tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "published"
    shutil.copytree(bert, folder)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"large")
    (folder / "pytorch_model.bin").write_bytes(b"large")
    (folder / "README.md").write_text("about it")
    hub = Hub(folder)
    yield hub
    hub.stop()


def test_a_download_is_the_same_model_as_a_copy_and_pins_its_commit(hub: Hub, bert: Path, tmp_path: Path) -> None:
    first = _describe_elsewhere("org/bert", tmp_path / "models", HF_ENDPOINT=hub.endpoint)
    assert first == f"{Hub.COMMIT} {loaded(bert).identity}"
    assert not [path for path in hub.asked if path.endswith((".onnx", ".bin", ".md"))], (
        "only what is read is downloaded"
    )
    hub.asked.clear()
    hub.stop()
    again = _describe_elsewhere("org/bert", tmp_path / "models", HF_ENDPOINT=hub.endpoint, HF_HUB_OFFLINE="1")
    assert again == first, "what was downloaded is there without the hub"
    hub.asked.clear()
