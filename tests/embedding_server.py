"""A real HTTP server with OpenAI's `/v1/embeddings` on loopback, which misbehaves when it is told to.

Its good answers are the vectors of the model `hash`, so that a test knows what must come back. `misbehave` queues what
is done instead of a good answer, one for each request.
"""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

from mmdb.models.embed.base import Item
from mmdb.models.embed.hash import HashEmbedder

WIDTH = 8
Body = dict[str, Any]
Act = Callable[["Request"], None]


class Request:
    """One request, and the ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: Body) -> None:
        self.handler = handler
        self.body = body
        self.key = handler.headers.get("Authorization")

    def items(self) -> list[Item]:
        if "input" in self.body:
            return list(self.body["input"])
        return [_item(message["content"]) for message in self.body["messages"]]

    def entries(self) -> list[Body]:
        vectors = HashEmbedder(self.body.get("dimensions", WIDTH)).embed(self.items())
        packed = self.body.get("encoding_format") == "base64"
        return [
            {"index": place, "embedding": base64.b64encode(vector.tobytes()).decode() if packed else vector.tolist()}
            for place, vector in enumerate(vectors)
        ]

    def say(self, status: int, answer: Any, **headers: str) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.handler.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def well(self) -> None:
        self.say(200, {"object": "list", "data": self.entries()})


def _item(content: list[Body]) -> Item:
    first = content[0]
    if first["type"] == "text":
        return str(first["text"])
    head, _, data = first["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


class EmbeddingServer:
    """`requests` are those that came, in order."""

    def __init__(self) -> None:
        outer = self
        self.requests: list[Request] = []
        self.queue: list[Act] = []
        self.always: Act = Request.well
        self.open_now = self.most_open = 0
        self._lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.take(Request(self, body))

            def log_message(self, format: str, *args: Any) -> None:
                """Not on the tests' output."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that gives up is what many tests are about."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.base_url = f"{self.origin}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def take(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            act = self.queue.pop(0) if self.queue else self.always
            self.open_now += 1
            self.most_open = max(self.most_open, self.open_now)
        try:
            act(request)
        finally:
            with self._lock:
                self.open_now -= 1

    def misbehave(self, *acts: Act) -> None:
        self.queue += acts

    def sizes(self) -> list[int]:
        return [len(request.items()) for request in self.requests]

    def stop(self) -> None:
        """Nobody listens from now on."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def embedding_server() -> Iterator[EmbeddingServer]:
    server = EmbeddingServer()
    try:
        yield server
    finally:
        server.stop()


# What a server does wrong.


def fails(status: int, message: str = "no", **headers: str) -> Act:
    return lambda request: request.say(status, {"error": {"message": message}}, **headers)


def hangs(seconds: float) -> Act:
    def act(request: Request) -> None:
        time.sleep(seconds)
        request.well()

    return act


def meets(others: threading.Barrier) -> Act:
    """Answers once as many are asked as `others` waits for."""

    def act(request: Request) -> None:
        others.wait(100)
        request.well()

    return act


def drips(request: Request) -> None:
    """A byte now and then, for ever as it were."""
    request.handler.send_response(200)
    request.handler.send_header("Content-Length", "1000")
    request.handler.end_headers()
    for _ in range(2000):
        request.handler.wfile.write(b" ")
        request.handler.wfile.flush()
        time.sleep(0.05)


def truncates(request: Request) -> None:
    """Half of what the header promises, and the connection is closed."""
    data = json.dumps({"data": request.entries()}).encode()
    request.handler.send_response(200)
    request.handler.send_header("Content-Length", str(len(data)))
    request.handler.end_headers()
    request.handler.wfile.write(data[: len(data) // 2])
    request.handler.close_connection = True


def is_half_json(request: Request) -> None:
    data = json.dumps({"data": request.entries()}).encode()
    request.say(200, data[: len(data) // 2])


def floods(request: Request) -> None:
    request.say(200, b" " * 5_000_000)


def changes(change: Callable[[list[Body]], list[Body]]) -> Act:
    """A good answer but for what `change` does to its entries."""
    return lambda request: request.say(200, {"data": change(request.entries())})


def with_nan(entries: list[Body]) -> list[Body]:
    vector = np.full(WIDTH, np.nan, "<f4")
    return [{**entries[0], "embedding": base64.b64encode(vector.tobytes()).decode()}, *entries[1:]]


def refuses_more_than(most: int, status: int = 413) -> Act:
    def act(request: Request) -> None:
        if len(request.items()) > most:
            request.say(status, {"error": f"batch size {len(request.items())} > maximum allowed batch size {most}"})
        else:
            request.well()

    return act


def refuses_text(poison: str, status: int = 400) -> Act:
    def act(request: Request) -> None:
        if poison in request.items():
            request.say(status, {"error": {"message": "this text is too long"}})
        else:
            request.well()

    return act
