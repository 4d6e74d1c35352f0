"""Any server with OpenAI's `/v1/embeddings`: hosted, or vLLM, Ollama, TEI, LiteLLM beside you.

`http.py` puts one question; here items become questions of a size that servers take, several at a time, and answers
become vectors. A batch that a server refuses is halved, so that a limit nobody told us of, or one bad text, costs the
others nothing. Where a question fails at last, a word that every model knows is asked: if that fails too, the fault
is the server's and `ModelServiceError` says so; if not, it is the item's.

Options: `base_url`; `dimensions`, which is asked of the server (Matryoshka); `batch_items` and `batch_characters`,
the most of one request; `concurrency`, requests at a time; `timeout`, seconds for one; `max_characters`, where texts
are cut; `parameters`, `query_parameters`, `document_parameters`, more fields of the request's body; `images` and
`texts`, how each is sent ("input" is OpenAI's way, "messages" vLLM's, which takes pictures); `image_prompt`, a text
beside each picture.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from PIL import Image

from mmdb.config import Settings
from mmdb.errors import ModelError, ModelServiceError
from mmdb.models.embed.base import Embedder, Item, Modality, Purpose, Vectors, digest
from mmdb.models.http import GaveUpError, RefusedError, Server, provider_of
from mmdb.models.spec import ModelSpec

BASE_URL = "https://api.openai.com/v1"
PATIENCE: Mapping[Purpose, float] = {"document": 120.0, "query": 20.0}
"""Seconds for one request, retries included. mmdb.embed waits for 30 s as it is set at first."""
PICTURES = 32
"""A batch where pictures are taken: more of them would be much memory."""
OPTIONS = (
    *("base_url", "dimensions", "batch_items", "batch_characters", "concurrency", "timeout", "max_characters"),
    *("parameters", "query_parameters", "document_parameters", "texts", "images", "image_prompt"),
)
_OURS = ("model", "input", "messages", "dimensions", "encoding_format")
_MOST_NUMBERS = 16_000
_BYTES_A_NUMBER = 32

Body: TypeAlias = dict[str, Any]
Way: TypeAlias = Literal["input", "messages"]


@dataclass(frozen=True, slots=True)
class _Requests:
    """How items become the body of a request."""

    model: str
    prompts: Mapping[Purpose, str]
    parameters: Mapping[Purpose, Mapping[str, Any]]
    dimensions: int | None
    max_characters: int
    texts: Way
    image_prompt: str | None

    def body(self, items: Sequence[Item], purpose: Purpose) -> Body:
        body: Body = {"model": self.model, **self.parameters[purpose]}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        first = items[0]
        if isinstance(first, Image.Image):
            beside = [_text_part(self.image_prompt)] if self.image_prompt else []
            return body | {"messages": [_message(_picture_part(first), *beside)]}
        texts = [self._text(str(item), purpose) for item in items]
        return body | ({"messages": [_message(_text_part(texts[0]))]} if self.texts == "messages" else {"input": texts})

    def _text(self, text: str, purpose: Purpose) -> str:
        return self.prompts[purpose] + text[: self.max_characters].encode("utf-8", "replace").decode()


def _message(*parts: Body) -> Body:
    return {"role": "user", "content": list(parts)}


def _text_part(text: str) -> Body:
    return {"type": "text", "text": text}


def _picture_part(picture: Image.Image) -> Body:
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=95, subsampling=0)
    url = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


class OpenAIEmbedder(Embedder):
    def __init__(self, spec: ModelSpec, server: Server) -> None:
        self._server = server
        self._spec = spec
        self._requests = _requests(spec)
        self._batch_items = spec.number("batch_items", 64, 4096)
        self._batch_characters = spec.number("batch_characters", 200_000, 100_000_000)
        self._concurrency = spec.number("concurrency", 4, 64)
        pictures = spec.choice("images", "none", "messages") == "messages"
        self.modalities = frozenset(("text", "image") if pictures else ("text",))
        self.batch_size = PICTURES if pictures else self._batch_items * self._concurrency
        self._base64: bool | None = None
        """Whether the server packs vectors, 5 characters a number instead of 20; None until it was asked."""
        self._threads = ThreadPoolExecutor(self._concurrency, "mmdb-openai")
        self.dimensions = spec.dimensions or self._find_width(spec)

    @classmethod
    def load(cls, spec: ModelSpec, settings: Settings) -> OpenAIEmbedder:
        """Asks the server nothing where the width is known: a worker may start before it."""
        spec.accept_options(*OPTIONS)
        url = str(spec.options.get("base_url", BASE_URL))
        provider = provider_of(url, settings, spec.name)
        server = Server(
            f"{url.rstrip('/')}/embeddings",
            provider,
            spec.number("timeout", 60, 3600),
            spec.number("concurrency", 4, 64),
        )
        return cls(spec, server)

    @property
    def identity(self) -> str:
        """Not the address, so that a server may move; what model it serves under a name is its operator's promise."""
        asked = self._requests
        revision = f" revision={self._spec.revision}" if self._spec.revision else ""
        images = self._spec.options.get("images")
        settings = digest(dict(asked.prompts), dict(asked.parameters), asked.texts, images, asked.image_prompt)
        return (
            f"openai/1 model={asked.model}{revision} dimensions={self.dimensions}"
            f" characters={asked.max_characters} settings={settings}"
        )

    def embed_batch(self, modality: Modality, items: Sequence[Item], purpose: Purpose) -> Vectors:
        """Queries are asked by the thread that answers them: they do not wait for a place among documents."""
        through = map if purpose == "query" else self._threads.map
        return np.concatenate(list(through(lambda part: self._vectors(part, purpose), list(self._parts(items)))))

    def _parts(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """`items` in parts that one request takes."""
        start, characters = 0, 0
        for place, item in enumerate(items):
            characters += self._weight(item)
            if place > start and (place - start >= self._batch_items or characters > self._batch_characters):
                yield items[start:place]
                start, characters = place, self._weight(item)
        yield items[start:]

    def _weight(self, item: Item) -> int:
        """Characters; what goes as a message goes alone."""
        if not isinstance(item, str) or self._requests.texts == "messages":
            return self._batch_characters + 1
        return min(len(item), self._requests.max_characters)

    def _vectors(self, items: Sequence[Item], purpose: Purpose) -> Vectors:
        try:
            return self._ask(items, purpose)
        except (RefusedError, GaveUpError) as error:
            self._check_service(items[0], purpose, error)
            if len(items) == 1 or isinstance(error, GaveUpError):
                raise ModelError(error.message, hint="it answers others, so it is what was to be embedded") from error
        middle = len(items) // 2
        return np.concatenate([self._vectors(part, purpose) for part in (items[:middle], items[middle:])])

    def _check_service(self, item: Item, purpose: Purpose, error: ModelError) -> None:
        """Ask what every model can answer; raises ModelServiceError with `error` where it does not."""
        easy: Item = "mmdb" if isinstance(item, str) else Image.new("RGB", (64, 64), "white")
        try:
            self._ask([easy], purpose, patience=min(self._server.seconds, PATIENCE["query"]))
        except ModelServiceError:
            raise
        except ModelError:
            raise ModelServiceError(error.message) from error

    def _ask(self, items: Sequence[Item], purpose: Purpose, patience: float | None = None) -> Vectors:
        body = self._requests.body(items, purpose)
        answer = self._post(body, len(items), PATIENCE[purpose] if patience is None else patience)
        return _stacked([_vector(entry) for entry in _entries(answer, len(items))], getattr(self, "dimensions", None))

    def _post(self, body: Body, count: int, patience: float) -> Any:
        """Vectors packed in base64 where the server can: a refusal of the first such request may be about that."""
        most_bytes = 1_000_000 + count * _MOST_NUMBERS * _BYTES_A_NUMBER
        if self._base64 is not False:
            try:
                answer = self._server.post(body | {"encoding_format": "base64"}, most_bytes, patience)
                self._base64 = True
                return answer
            except RefusedError:
                if self._base64:
                    raise
        answer = self._server.post(body | {"encoding_format": "float"}, most_bytes, patience)
        self._base64 = False
        return answer

    def _find_width(self, spec: ModelSpec) -> int:
        """By a word. Raises ModelError."""
        try:
            width = int(self._ask(["mmdb"], "document", PATIENCE["query"]).shape[1])
        except GaveUpError as error:
            raise ModelServiceError(error.message, hint="is the server running?") from error
        if width != spec.options.get("dimensions", width):
            raise ModelError(
                f"the server returns {width} dimensions, but was asked for {spec.options['dimensions']}",
                hint="the model or the server cannot shorten vectors: leave option dimensions out",
            )
        return width


def _requests(spec: ModelSpec) -> _Requests:
    every = _fields(spec, "parameters")
    prompt = spec.options.get("image_prompt")
    if prompt is not None and not isinstance(prompt, str):
        raise spec.wrong_option("image_prompt", "a text")
    asks = "dimensions" in spec.options
    return _Requests(
        spec.model,
        {"query": spec.query_prompt or "", "document": spec.document_prompt or ""},
        {
            "query": every | _fields(spec, "query_parameters"),
            "document": every | _fields(spec, "document_parameters"),
        },
        spec.number("dimensions", 1, _MOST_NUMBERS) if asks else None,
        spec.number("max_characters", 8_000, 1_000_000),
        "messages" if spec.choice("texts", "input", "messages") == "messages" else "input",
        prompt,
    )


def _fields(spec: ModelSpec, option: str) -> Body:
    fields = spec.options.get(option, {})
    if not isinstance(fields, Mapping) or set(fields) & set(_OURS):
        raise spec.wrong_option(option, f"a JSON object without {', '.join(_OURS)}")
    return dict(fields)


def _entries(answer: Any, count: int) -> list[Any]:
    """The embeddings in the order of what was asked, whatever the order of the answer."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise ModelError(
            'the server\'s answer has no list "data"', hint="does base_url lead to an /embeddings of OpenAI's kind?"
        )
    if len(data) != count:
        raise ModelError(f"the server answered with {len(data)} embeddings, expected {count}")
    order = [entry.get("index") for entry in data]
    if order == [None] * count:
        return [entry.get("embedding") for entry in data]
    places = {place: entry.get("embedding") for place, entry in zip(order, data, strict=True) if type(place) is int}
    if sorted(places) != list(range(count)):
        raise ModelError(f"the server numbered its embeddings {str(order)[:100]}, expected 0 to {count - 1}, each once")
    return [places[place] for place in range(count)]


def _vector(embedding: Any) -> Vectors:
    try:
        if isinstance(embedding, str):
            return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4").astype(np.float32)
        if isinstance(embedding, list):
            vector: Vectors = np.array(embedding, np.float32)
            if vector.ndim == 1:
                return vector
    except (ValueError, TypeError, OverflowError, binascii.Error) as error:
        raise ModelError(f"the server's embedding cannot be read: {error}") from error
    raise ModelError(f'the server\'s embedding is {type(embedding).__name__} "{str(embedding)[:40]}", expected numbers')


def _stacked(vectors: Sequence[Vectors], expected: int | None) -> Vectors:
    widths = sorted({len(vector) for vector in vectors})
    if widths != [expected or widths[0]] or not widths[0]:
        shown = ", ".join(map(str, widths))
        raise ModelServiceError(
            f"the server returned vectors of width {shown}, expected {expected or 'one width'}",
            hint="does it serve another model under this name, or ignore dimensions?",
        )
    return np.stack(vectors)
