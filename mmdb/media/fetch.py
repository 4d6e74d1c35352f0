"""A URI to bytes, within what the operator allowed (the first half of *load*; `kinds.item_of` is the second).

- `file:` below MMDB_MEDIA_ROOTS, and regular files only.
- `http:` and `https:` to public hosts, or to those of MMDB_MEDIA_ALLOW_PRIVATE; `address.py` says how that
  is kept. Redirects are followed here, a hop at a time, under the same rules.

Proxies of the environment are not used: a proxy resolves names and connects on its own, so that nothing
could be checked. No cookie, credential or referrer is ever sent. In errors, URIs stand without their query,
which often is a key.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import ssl
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import httpcore
import httpx

from mmdb import __version__
from mmdb.config import SCHEMES, Settings
from mmdb.errors import MediaError
from mmdb.media.address import CheckedBackend

SECONDS = 30.0
"""For one fetch, redirects included; the resolution of a name ends by the resolver's own limit."""
REDIRECTS = 5
MOST_CHARACTERS = 8192
_CHUNK = 1 << 16
_SHOWN = 200
_HOST = re.compile(rb"[a-z0-9._:-]+")
_TRANSIENT_STATUSES = {408, 425, 429}
_REDIRECT_STATUSES = {301, 302, 303, 307, 308}
_PERMANENT_FILE_ERRORS = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENXIO,
}


def fetch(uri: str, settings: Settings, max_bytes: int) -> bytes:
    """The content of `uri`, at most `max_bytes` of it. Blocks for SECONDS at most, and may be called by
    threads.

    Raises MediaError: permanent where the URI, the settings or the server's answer (4xx) say no; not
    permanent where trying again could help (time-outs, connections, 5xx, 408, 425, 429).
    """
    scheme = _scheme(uri)
    if scheme not in settings.media_schemes:
        raise _scheme_refused(scheme, settings)
    if scheme == "file":
        return _read_file(uri, settings.media_roots, max_bytes)
    return _get(_web_url(uri), settings, max_bytes)


def _scheme(uri: str) -> str:
    if len(uri) > MOST_CHARACTERS and not uri.startswith("data:"):
        raise MediaError(f"the URI has {len(uri)} characters, more than {MOST_CHARACTERS}")
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", uri)
    if match is None:
        raise MediaError(
            f'"{_shown(re.split("[?#]", uri)[0])}" is not a URI, expected file:///… or https://…',
            hint="write a path in full, as in file:///srv/media/cat.jpg",
        )
    if re.search(r"[\x00-\x20\x7f]", uri):
        raise MediaError("the URI contains a space or a control character", hint="percent-encode it, as in %20")
    return match[1].lower()


def _scheme_refused(scheme: str, settings: Settings) -> MediaError:
    hint = "store the bytes in a bytea column instead"
    if scheme in SCHEMES:
        hint = f'the operator of the worker can add "{scheme}" to MMDB_MEDIA_SCHEMES'
    return MediaError(
        f'URIs of scheme "{scheme}" are not fetched, expected one of {", ".join(settings.media_schemes)}',
        hint=hint,
    )


def _shown(text: str) -> str:
    """`text` on one line and not too long, for a message."""
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


# file:


def _read_file(uri: str, roots: tuple[Path, ...], max_bytes: int) -> bytes:
    path = _file_path(uri)
    shown = _shown(os.fsdecode(path))
    if not roots:
        raise MediaError(
            f'file "{shown}" may not be read: no folder is allowed',
            hint="set MMDB_MEDIA_ROOTS where the worker runs",
        )
    root, inside = _below(path, roots, shown)
    try:
        return _content(_open_below(root, inside), max_bytes, shown)
    except OSError as error:
        permanent = error.errno in _PERMANENT_FILE_ERRORS
        message = f'file "{shown}" cannot be read: {error.strerror}'
        raise MediaError(message, permanent=permanent) from error


def _content(descriptor: int, max_bytes: int, shown: str) -> bytes:
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise MediaError(f'"{shown}" is not a regular file')
        return _limited(iter(functools.partial(os.read, descriptor, _CHUNK), b""), max_bytes, shown)
    finally:
        os.close(descriptor)


def _file_path(uri: str) -> bytes:
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise MediaError("the file URI cannot be parsed", hint="write file:///srv/media/cat.jpg") from error
    if parts.netloc.lower() not in ("", "localhost") or not parts.path.startswith("/"):
        raise MediaError(
            "the file URI names a host or a relative path, expected file:///…",
            hint="write it in full, as in file:///srv/media/cat.jpg",
        )
    if "?" in uri or "#" in uri:
        raise MediaError('the file URI contains "?" or "#"', hint="percent-encode them: %3F, %23")
    path = unquote_to_bytes(parts.path)
    if b"\0" in path:
        raise MediaError("the file URI contains a zero byte")
    return b"/" + path.lstrip(b"/")


def _below(path: bytes, roots: tuple[Path, ...], shown: str) -> tuple[Path, tuple[str, ...]]:
    """The root that `path` lies in, symbolic links resolved, and the names from there on.

    A path outside is refused in the same words whether there is such a file or not.
    """
    real = Path(os.fsdecode(os.path.realpath(path)))
    for root in roots:
        real_root = Path(os.path.realpath(root))
        if real.is_relative_to(real_root):
            return real_root, real.relative_to(real_root).parts
    raise MediaError(
        f'file "{shown}" is not below a folder that the worker may read',
        hint="add its folder to MMDB_MEDIA_ROOTS where the worker runs",
    )


def _open_below(root: Path, names: tuple[str, ...]) -> int:
    """Open the file step by step from `root`, so that no link put there after the check leads out of it.

    Without waiting: opening a FIFO would block until somebody writes to it.
    """
    folder = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
    descriptor = os.open(root, folder)
    for number, name in enumerate(names, start=1):
        last = number == len(names)
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC if last else folder
        try:
            opened = os.open(name, flags | os.O_NOFOLLOW, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = opened
    return descriptor


# http: and https:


def _get(url: httpx.URL, settings: Settings, max_bytes: int) -> bytes:
    backend = CheckedBackend(settings, time.monotonic() + SECONDS)
    with httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend, max_keepalive_connections=0) as pool:
        for _ in range(REDIRECTS + 1):
            with _errors_of(url), pool.stream("GET", _core_url(url), headers=_headers(url)) as response:
                if response.status not in _REDIRECT_STATUSES:
                    return _body(response, url, max_bytes)
                target = _redirect(url, response, settings)
            url = target
    raise MediaError(f'"{_named(url)}" was reached by more than {REDIRECTS} redirects')


@functools.cache
def _tls() -> ssl.SSLContext:
    """Cached, because to read the certificates takes 10 ms. SSL_CERT_FILE and SSL_CERT_DIR apply."""
    return httpx.create_ssl_context()


def _headers(url: httpx.URL) -> list[tuple[bytes, bytes]]:
    return [
        (b"Host", url.netloc),
        (b"User-Agent", f"mmdb/{__version__}".encode()),
        (b"Accept", b"*/*"),
        # What is not compressed cannot grow: the bytes that are counted are the bytes that are kept.
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    ]


def _web_url(uri: str) -> httpx.URL:
    """`uri` parsed, by the same parser that the connection is made with. Raises MediaError."""
    try:
        url = httpx.URL(uri).copy_with(fragment=None)
    except (httpx.InvalidURL, ValueError) as error:
        raise MediaError("the URI cannot be parsed", hint="expected https://host/path") from error
    # Not url.host, which raises for what is not Unicode's way of writing a name.
    if not _HOST.fullmatch(url.raw_host) or (url.port or 1) > 65535:
        raise MediaError("the URI names no host, or no valid one", hint="expected https://host/path")
    if url.userinfo:
        raise MediaError(
            f'the URI of "{_named(url)}" carries a user name or password, which are never sent',
            hint="use a URI that needs none, or store the bytes",
        )
    return url


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _redirect(url: httpx.URL, response: httpcore.Response, settings: Settings) -> httpx.URL:
    location = _header(response, b"location")
    if not location:
        raise MediaError(f'"{_named(url)}" answered {response.status} without saying where to go')
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise MediaError(f'"{_named(url)}" redirects to a URI that cannot be parsed') from error
    if target.scheme == "file" or target.scheme not in settings.media_schemes:
        raise MediaError(
            f'"{_named(url)}" redirects to a URI of scheme "{_shown(target.scheme)}", expected http or https'
        )
    return _web_url(str(target))


def _body(response: httpcore.Response, url: httpx.URL, max_bytes: int) -> bytes:
    name = _named(url)
    if response.status not in (200, 203):
        permanent = response.status < 500 and response.status not in _TRANSIENT_STATUSES
        raise MediaError(f'"{name}" answered {response.status}, expected 200', permanent=permanent)
    encoding = _header(response, b"content-encoding").lower()
    if encoding not in ("", "identity"):
        raise MediaError(f'"{name}" answered in the encoding "{_shown(encoding)}", expected none')
    announced = _header(response, b"content-length")
    if announced.isascii() and announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(name, max_bytes)
    return _limited(response.iter_stream(), max_bytes, name)


def _header(response: httpcore.Response, name: bytes) -> str:
    values = [value for key, value in response.headers if key.lower() == name]
    return values[0].decode("utf-8", "replace").strip() if values else ""


def _named(url: httpx.URL) -> str:
    """`url` for a message: without query, user name and password."""
    return _shown(f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}{url.path}")


@contextmanager
def _errors_of(url: httpx.URL) -> Iterator[None]:
    try:
        yield
    except httpcore.TimeoutException as error:
        message = f'"{_named(url)}" took longer than {SECONDS:g} seconds, or did not answer'
        raise MediaError(message, permanent=False) from error
    except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol) as error:
        raise MediaError(f'"{_named(url)}" cannot be asked for: {_shown(str(error))}') from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        message = f'"{_named(url)}" cannot be fetched: {_shown(str(error) or type(error).__name__)}'
        raise MediaError(message, permanent=False) from error


# Both


def _limited(chunks: Iterator[bytes], max_bytes: int, name: str) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > max_bytes:
            raise _too_large(name, max_bytes)
    return bytes(content)


def _too_large(name: str, max_bytes: int) -> MediaError:
    return MediaError(f'"{name}" has more bytes than the limit of {max_bytes}', hint="store a smaller copy")
