"""One question to a model's server: which servers may be asked, with what key, how long, how often.

A row of `mmdb.models` names the server, and whoever may write that row is not always who runs the worker. So the
worker's environment has the last word: MMDB_PROVIDERS lists the servers that may be called, each with the variable
that holds its key. A row names no variable and a key goes to its own server only; redirects are not followed, so
nowhere else either. What a server did wrong is told apart by whose fault it is:

- `RefusedError`: it does not take this very question (too much at once, too long a text);
- `GaveUpError`: no proper answer came, however often it was asked: the question's fault, or its own;
- `ModelServiceError`: it serves nobody (the key is wrong, the quota is used up, there is no such model).
"""

from __future__ import annotations

import email.utils
import json
import random
import time
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from mmdb import __version__
from mmdb.config import Provider, Settings, origin_of
from mmdb.errors import ModelError, ModelServiceError, ModelUnavailableError

CONNECT_SECONDS = 5.0
_TRANSIENT = {408, 409, 425, 429}
_NOT_SERVING = {301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 410}
_SHOWN = 300


class RefusedError(ModelError):
    """The server says that it does not take this question."""


class GaveUpError(ModelError):
    """No proper answer came, however often the question was put."""


def provider_of(url: str, settings: Settings, model: str) -> Provider:
    """The entry of MMDB_PROVIDERS that allows `url`. Raises ModelError, ModelUnavailableError."""
    try:
        origin = origin_of(url)
    except ValueError as error:
        raise ModelError(
            f'option "base_url" of model "{model}" is not the address of a server, expected http or https without user,'
            " query or fragment",
            hint="for example http://127.0.0.1:8000/v1; keys live in the worker's environment only",
        ) from error
    server = url[: url.index("/", 8)] if "/" in url[8:] else url
    for provider in settings.providers:
        if provider.origin == origin:
            if provider.variable and not provider.key:
                raise ModelUnavailableError(
                    f'the key for server "{server}" is missing', hint=f"set {provider.variable} where the worker runs"
                )
            return provider
    raise ModelUnavailableError(
        f'server "{server}" of model "{model}" may not be called from here',
        hint=f"who runs the worker can add it: MMDB_PROVIDERS={server}, or {server}=NAME with the variable of its key",
    )


class Server:
    """One address to which questions are posted, from any thread."""

    FIRST_PAUSE = 0.5
    MOST_PAUSE = 20.0
    MOST_REST = 300.0
    """A server that asks for a day is asked again all the same: it may have meant something else."""

    def __init__(self, url: str, provider: Provider, seconds: float, concurrency: int) -> None:
        self.url = url
        self.seconds = seconds
        self._key = provider.key
        self._rest_until = 0.0
        headers = {"User-Agent": f"mmdb/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
        if provider.key:
            headers["Authorization"] = f"Bearer {provider.key}"
        self._client = httpx.Client(
            headers=headers, follow_redirects=False, limits=httpx.Limits(max_keepalive_connections=concurrency)
        )
        weakref.finalize(self, self._client.close)

    def post(self, body: Mapping[str, Any], most_bytes: int, patience: float) -> Any:
        """The answer's JSON, at most `most_bytes` of it, within `patience` seconds, retries included.

        Raises RefusedError, GaveUpError, ModelServiceError.
        """
        end = time.monotonic() + patience
        content = json.dumps(body, ensure_ascii=True).encode()
        attempt = 0
        while True:
            self._wait_while_resting(end)
            attempt += 1
            try:
                return self._attempt(content, most_bytes, min(end, time.monotonic() + self.seconds))
            except _TransientError as error:
                pause = min(self.MOST_PAUSE, self.FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)
                self._pause(error, max(pause, error.retry_after or 0), end, attempt)

    def _wait_while_resting(self, end: float) -> None:
        """The server asked one of our threads to wait, which goes for all."""
        seconds = self._rest_until - time.monotonic()
        if seconds > end - time.monotonic():
            raise self._resting(seconds)
        if seconds > 0:
            time.sleep(seconds)

    def _pause(self, error: _TransientError, seconds: float, end: float, attempt: int) -> None:
        now = time.monotonic()
        if error.retry_after:
            self._rest_until = max(self._rest_until, now + min(error.retry_after, self.MOST_REST))
        if now + seconds >= end:
            if error.retry_after:
                raise self._resting(error.retry_after, error.problem) from error
            problem = f'server "{self.url}" {error.problem}, asked {"once" if attempt == 1 else f"{attempt} times"}'
            raise (ModelServiceError if error.status == 429 else GaveUpError)(problem) from error
        time.sleep(seconds)

    def _resting(self, seconds: float, problem: str = "asks to wait") -> ModelServiceError:
        return ModelServiceError(f'server "{self.url}" {problem}: asked to wait {seconds:.0f} s', retry_after=seconds)

    def _attempt(self, content: bytes, most_bytes: int, end: float) -> Any:
        timeout = httpx.Timeout(_left(end), connect=min(CONNECT_SECONDS, _left(end)))
        headers = {"Content-Type": "application/json"}
        try:
            with self._client.stream("POST", self.url, content=content, headers=headers, timeout=timeout) as response:
                data = _body(response, most_bytes, end)
        except httpx.TimeoutException as error:
            raise _TransientError("did not answer in time") from error
        except httpx.HTTPError as error:  # refused, reset, cut short
            raise _TransientError(f"cannot be reached: {str(error) or type(error).__name__}") from error
        if response.status_code != 200:
            raise self._failure(response, data)
        try:
            return json.loads(data)
        except ValueError as error:
            raise _TransientError("answered with something that is not JSON") from error

    def _failure(self, response: httpx.Response, data: bytes) -> Exception:
        status = response.status_code
        problem = f"answered {status} {self._said(data)}".rstrip()
        if status in _TRANSIENT or status >= 500:
            return _TransientError(problem, status, _retry_after(response.headers.get("Retry-After")))
        if status in _NOT_SERVING:
            return ModelServiceError(f'server "{self.url}" {problem}', hint=_REMEDIES.get(status))
        return RefusedError(f'server "{self.url}" {problem}')

    def _said(self, data: bytes) -> str:
        """What the server says is wrong, on one line and without our key, which some repeat."""
        text = data.decode("utf-8", "replace")
        try:
            answer = json.loads(text)
            error = answer.get("error", answer)
            text = str(error.get("message", text) if isinstance(error, dict) else error)
        except (ValueError, AttributeError):
            pass
        if self._key:
            text = text.replace(self._key, "…")
        text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
        return f'"{text[:_SHOWN]}"' if text else ""


_REMEDIES = {
    401: "is the key that MMDB_PROVIDERS names right?",
    403: "may the key that MMDB_PROVIDERS names use this model?",
    404: "is the model's name right, and the base_url, which mostly ends in /v1?",
}


class _TransientError(Exception):
    """What may pass; `problem` goes on where "server X" leaves off."""

    def __init__(self, problem: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status
        self.retry_after = retry_after


def _body(response: httpx.Response, most_bytes: int, end: float) -> bytes:
    """All of it; a limit on each read would let a server that sends a byte at a time go on for ever."""
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > most_bytes:
            raise _TransientError(f"answered with more than {most_bytes} bytes")
        if time.monotonic() > end:
            raise _TransientError("did not answer in time")
    return bytes(data)


def _left(end: float) -> float:
    return max(0.05, end - time.monotonic())


def _retry_after(value: str | None) -> float | None:
    """Seconds, out of seconds or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (email.utils.parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), 86400.0) if seconds == seconds else None  # noqa: PLR0124 - not a number
