"""URIs: files in and outside of the allowed folders, and real HTTP servers on loopback, most of them
hostile."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mmdb.config import Settings
from mmdb.errors import MediaError
from mmdb.media import address as address_module
from mmdb.media import fetch as fetch_module
from mmdb.media.fetch import fetch

LIMIT = 1000
Answer = Callable[[BaseHTTPRequestHandler], None]


def with_settings(**values: Any) -> Settings:
    return Settings(database_url=None, home=Path("/nowhere"), cache=Path("/nowhere"), **values)


def refused(uri: str, settings: Settings, limit: int = LIMIT) -> MediaError:
    with pytest.raises(MediaError) as caught:
        fetch(uri, settings, limit)
    return caught.value


# Whatever the scheme


@pytest.mark.parametrize("uri", ["cat.jpg", "/srv/media/cat.jpg", "./cat.jpg", "", "//host/cat.jpg", " https://a/"])
def test_no_uri(uri: str) -> None:
    error = refused(uri, with_settings())
    assert error.message == f'"{uri}" is not a URI, expected file:///… or https://…'
    assert "file:///" in (error.hint or "")


@pytest.mark.parametrize("scheme", ["ftp", "s3", "gopher", "jar", "javascript", "c"])
def test_scheme_that_is_never_fetched(scheme: str) -> None:
    error = refused(f"{scheme}://host/path", with_settings())
    assert error.message == f'URIs of scheme "{scheme}" are not fetched, expected one of file, https, http'
    assert error.permanent


def test_data_uri_of_any_length() -> None:
    error = refused("data:image/png;base64," + "A" * 100_000, with_settings())
    assert 'scheme "data" are not fetched' in error.message
    assert error.hint == "store the bytes in a bytea column instead"


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "http://127.0.0.1/", "HTTP://127.0.0.1/"])
def test_scheme_that_the_operator_left_out(uri: str) -> None:
    error = refused(uri, with_settings(media_schemes=("https",)))
    assert "expected one of https" in error.message
    assert "MMDB_MEDIA_SCHEMES" in (error.hint or "")


@pytest.mark.parametrize("letter", [" ", "\n", "\0", "\t", "\x7f"])
def test_control_characters(letter: str) -> None:
    assert "a space or a control character" in refused(f"http://host/{letter}", with_settings()).message


def test_long_uri() -> None:
    error = refused("http://host/" + "a" * 9000, with_settings())
    assert error.message == "the URI has 9012 characters, more than 8192"


# file:


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "cat.jpg").write_bytes(b"a cat")
    (tmp_path / "secret").write_bytes(b"a secret")
    return folder


@pytest.fixture
def files(root: Path) -> Settings:
    return with_settings(media_roots=(root,))


def test_file(root: Path, files: Settings) -> None:
    for uri in (f"file://{root}/cat.jpg", f"file://localhost{root}/cat.jpg", f"file:{root}/cat.jpg"):
        assert fetch(uri, files, LIMIT) == b"a cat"


def test_file_name_of_any_bytes(root: Path, files: Settings) -> None:
    for name, encoded in [("a b?#%.jpg", "a%20b%3F%23%25.jpg"), ("猫.jpg", "猫.jpg"), ("猫.jpg", "%E7%8C%AB.jpg")]:
        (root / name).write_bytes(b"x")
        assert fetch(f"file://{root}/{encoded}", files, LIMIT) == b"x"
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_bytes(b"y")
    except OSError:  # file systems of macOS take UTF-8 only
        return
    assert fetch(f"file://{root}/%FF", files, LIMIT) == b"y"


def test_no_root_is_allowed_by_default(root: Path) -> None:
    error = refused(f"file://{root}/cat.jpg", with_settings())
    assert "no folder is allowed" in error.message
    assert error.hint == "set MMDB_MEDIA_ROOTS where the worker runs"
    assert error.permanent


def test_several_roots_one_of_them_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    settings = with_settings(media_roots=(tmp_path / "missing", tmp_path / "link"))
    assert fetch(f"file://{tmp_path}/link/cat.jpg", settings, LIMIT) == b"a cat"
    assert fetch(f"file://{root}/cat.jpg", settings, LIMIT) == b"a cat"


@pytest.mark.parametrize("path", ["../secret", "%2e%2e/secret", "..%2Fsecret", "x/../../secret", "./../secret"])
def test_dots(root: Path, files: Settings, path: str) -> None:
    error = refused(f"file://{root}/{path}", files)
    assert "is not below a folder that the worker may read" in error.message


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "file:////etc/passwd", "file:///", "file:///proc/self/environ"])
def test_outside(files: Settings, uri: str) -> None:
    assert "is not below a folder that the worker may read" in refused(uri, files).message


def test_name_that_starts_like_a_root(root: Path, files: Settings) -> None:
    (root.parent / "media-private").write_bytes(b"x")
    assert "is not below" in refused(f"file://{root}-private", files).message


def test_outside_says_the_same_whether_it_exists(root: Path, files: Settings) -> None:
    there, not_there = (refused(f"file://{root}/../{name}", files).message for name in ("secret", "nothere"))
    assert there.replace("secret", "nothere") == not_there


def test_links(root: Path, files: Settings) -> None:
    (root / "inside").symlink_to("cat.jpg")
    (root / "outside").symlink_to("../secret")
    (root / "folder").symlink_to("..")
    (root / "loop").symlink_to("loop")
    assert fetch(f"file://{root}/inside", files, LIMIT) == b"a cat"
    assert "is not below" in refused(f"file://{root}/outside", files).message
    assert "is not below" in refused(f"file://{root}/folder/secret", files).message
    assert "cannot be read" in refused(f"file://{root}/loop", files).message


@pytest.mark.parametrize("swapped", ["folder/cat.jpg", "folder"])
def test_link_put_there_after_the_check(
    root: Path, files: Settings, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    (root / "folder").mkdir()
    (root / "folder" / "cat.jpg").write_bytes(b"x")
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "cat.jpg").write_bytes(b"a secret")
    below = fetch_module._below

    def swap(*arguments: Any) -> Any:
        found = below(*arguments)
        (root / swapped).rename(root / "away")
        (root / swapped).symlink_to(outside if swapped == "folder" else outside / "cat.jpg")
        return found

    monkeypatch.setattr(fetch_module, "_below", swap)
    assert "cannot be read" in refused(f"file://{root}/folder/cat.jpg", files).message


def test_missing_file(root: Path, files: Settings) -> None:
    error = refused(f"file://{root}/dog.jpg", files)
    assert error.message == f'file "{root}/dog.jpg" cannot be read: No such file or directory'
    assert error.permanent


def test_error_that_may_pass(root: Path, files: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(*_: Any) -> int:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(fetch_module, "_open_below", stale)
    assert not refused(f"file://{root}/cat.jpg", files).permanent


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(root: Path, files: Settings) -> None:
    (root / "cat.jpg").chmod(0)
    assert "Permission denied" in refused(f"file://{root}/cat.jpg", files).message


def test_folder_that_may_be_entered_but_not_listed(root: Path, files: Settings) -> None:
    (root / "closed").mkdir()
    (root / "closed" / "cat.jpg").write_bytes(b"x")
    (root / "closed").chmod(0o311)
    assert fetch(f"file://{root}/closed/cat.jpg", files, LIMIT) == b"x"
    (root / "closed").chmod(0o755)


def test_fifo_does_not_block(root: Path, files: Settings) -> None:
    os.mkfifo(root / "fifo")
    assert "is not a regular file" in refused(f"file://{root}/fifo", files).message


def test_folder_socket_and_device(root: Path, files: Settings) -> None:
    open_before = len(os.listdir("/dev/fd"))
    assert "is not a regular file" in refused(f"file://{root}", files).message
    assert "is not a regular file" in refused(f"file://{root}/", files).message
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(root)  # the whole path may be too long for a socket
        listener.bind("socket")
        os.chdir(here)
        assert "cannot be read" in refused(f"file://{root}/socket", files).message
    devices = with_settings(media_roots=(Path("/dev"),))
    assert "is not a regular file" in refused("file:///dev/zero", devices).message
    assert len(os.listdir("/dev/fd")) == open_before


def test_file_size(root: Path, files: Settings) -> None:
    (root / "large").write_bytes(bytes(LIMIT + 1))
    error = refused(f"file://{root}/large", files)
    assert error.message == f'"{root}/large" has more bytes than the limit of 1000'
    assert len(fetch(f"file://{root}/large", files, LIMIT + 1)) == LIMIT + 1


def test_sparse_file_is_not_read_whole(root: Path, files: Settings) -> None:
    with (root / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert "more bytes than the limit" in refused(f"file://{root}/sparse", files).message


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("file://otherhost/a", "names a host or a relative path"),
        ("file:a/b", "names a host or a relative path"),
        ("file:", "names a host or a relative path"),
        ("file://[/a", "cannot be parsed"),
        ("file:///a?b", 'contains "?" or "#"'),
        ("file:///a#b", 'contains "?" or "#"'),
        ("file:///a%00b", "a zero byte"),
    ],
)
def test_file_uri_that_is_none(files: Settings, uri: str, what: str) -> None:
    assert what in refused(uri, files).message


# http:


class Server:
    """A server on loopback that answers each path as the test says; `requests` are what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
                outer.answers[self.path.partition("?")[0]](self)

            def log_message(self, format: str, *args: Any) -> None:
                """Not on the tests' output."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up early is what most tests are about."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def web() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def other() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


def allowing(*servers: Server) -> Settings:
    return with_settings(media_allow_hosts=frozenset(("127.0.0.1", server.port) for server in servers))


def answer(body: bytes = b"", status: int = 200, **headers: str) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            if value:
                handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return send


def test_get(web: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    web.answers["/cat.jpg"] = answer(b"a cat")
    assert fetch(f"{web.base}/cat.jpg?size=1#part", allowing(web), LIMIT) == b"a cat"
    path, headers = web.requests[0]
    assert path == "/cat.jpg?size=1"
    assert headers["host"] == f"127.0.0.1:{web.port}"
    assert headers["accept-encoding"] == "identity"
    assert set(headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_private_address(web: Server) -> None:
    error = refused(f"{web.base}/", with_settings())
    assert 'host "127.0.0.1" has the address 127.0.0.1, which is loopback' in error.message
    assert error.permanent
    assert not web.requests


def test_allowed_network(web: Server) -> None:
    web.answers["/"] = answer(b"x")
    assert fetch(web.base, with_settings(media_allow_networks=(ip_network("127.0.0.0/8"),)), LIMIT) == b"x"


def test_the_name_is_asked_for_and_the_checked_address_connected_to(
    web: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.answers["/"] = answer(b"x")
    monkeypatch.setattr(address_module, "_resolve", lambda host, port: ["127.0.0.1"])
    uri = f"http://Shop.Example:{web.port}/"
    assert fetch(uri, with_settings(media_allow_networks=(ip_network("127.0.0.0/8"),)), LIMIT) == b"x"
    assert web.requests[0][1]["host"] == f"shop.example:{web.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect(web: Server, status: int) -> None:
    web.answers["/old"] = answer(b"moved", status, Location="/new?x=1#y")
    web.answers["/new"] = answer(b"x")
    assert fetch(f"{web.base}/old", allowing(web), LIMIT) == b"x"
    assert [path for path, _ in web.requests] == ["/old", "/new?x=1"]


def test_redirect_to_a_private_address(web: Server, other: Server) -> None:
    web.answers["/"] = answer(status=302, Location=f"{other.base}/secret")
    other.answers["/secret"] = answer(b"a secret")
    error = refused(f"{web.base}/", allowing(web))
    assert "which is loopback" in error.message
    assert error.permanent
    assert not other.requests
    assert fetch(f"{web.base}/", allowing(web, other), LIMIT) == b"a secret"


@pytest.mark.parametrize(
    ("location", "what"),
    [
        ("file:///etc/passwd", 'redirects to a URI of scheme "file"'),
        ("ftp://host/", 'redirects to a URI of scheme "ftp"'),
        ("http://[", "names no host, or no valid one"),
        ("http://host:99999/", "names no host, or no valid one"),
        ("http://host:port/", "redirects to a URI that cannot be parsed"),
        ("http://user:pass@host/", "carries a user name or password"),
        ("", "without saying where to go"),
    ],
)
def test_redirect_to_nowhere(web: Server, location: str, what: str) -> None:
    web.answers["/"] = answer(status=302, Location=location)
    error = refused(f"{web.base}/", allowing(web))
    assert what in error.message
    assert "pass@" not in str(error)
    assert error.permanent


def test_redirects_without_end(web: Server) -> None:
    web.answers["/"] = answer(status=302, Location="/")
    assert "more than 5 redirects" in refused(f"{web.base}/", allowing(web)).message
    assert len(web.requests) == 6


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        *((status, True) for status in (204, 206, 300, 304, 400, 401, 403, 404, 405, 410, 451)),
        *((status, False) for status in (408, 425, 429, 500, 502, 503, 504)),
    ],
)
def test_status(web: Server, status: int, permanent: bool) -> None:
    web.answers["/cat.jpg"] = answer(status=status)
    error = refused(f"{web.base}/cat.jpg?token=secret", allowing(web))
    assert error.message == f'"{web.base}/cat.jpg" answered {status}, expected 200'
    assert error.permanent is permanent


def test_announced_size(web: Server) -> None:
    web.answers["/"] = answer(b"", Content_Length=str(LIMIT + 1))
    error = refused(f"{web.base}/", allowing(web))
    assert error.message == f'"{web.base}/" has more bytes than the limit of 1000'
    assert error.permanent


@pytest.mark.parametrize("length", ["9" * 20, "9" * 5000, "-1", "x", "1, 2"])
def test_announced_nonsense(web: Server, length: str) -> None:
    web.answers["/"] = answer(b"abc", Content_Length=length)
    refused(f"{web.base}/", allowing(web))


def test_size_without_announcement(web: Server) -> None:
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        answer(Content_Length="")(handler)
        while True:
            handler.wfile.write(bytes(10_000))
            sent += 10_000

    web.answers["/"] = endless
    assert "more bytes than the limit" in refused(f"{web.base}/", allowing(web)).message
    assert sent < 50_000_000


def test_body_without_length(web: Server) -> None:
    web.answers["/"] = answer(b"x" * LIMIT, Content_Length="")
    assert fetch(f"{web.base}/", allowing(web), LIMIT) == b"x" * LIMIT


def test_chunked(web: Server) -> None:
    def chunked(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        answer(Content_Length="", Transfer_Encoding="chunked")(handler)
        handler.wfile.write(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")

    web.answers["/"] = chunked
    assert fetch(f"{web.base}/", allowing(web), LIMIT) == b"abcdefg"


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip"])
def test_compressed_answer(web: Server, encoding: str) -> None:
    web.answers["/"] = answer(gzip.compress(bytes(900_000))[:500], Content_Encoding=encoding)
    error = refused(f"{web.base}/", allowing(web))
    assert f'answered in the encoding "{encoding.lower()}", expected none' in error.message


def test_body_that_ends_early(web: Server) -> None:
    web.answers["/"] = answer(b"abc", Content_Length="10")
    error = refused(f"{web.base}/", allowing(web))
    assert "cannot be fetched" in error.message
    assert not error.permanent


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000])
def test_no_http(web: Server, raw: bytes) -> None:
    web.answers["/"] = say(raw)
    error = refused(f"{web.base}/", allowing(web))
    assert "cannot be fetched" in error.message
    assert not error.permanent


def say(raw: bytes) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(raw)

    return send


def drip(handler: BaseHTTPRequestHandler, data: bytes, stop: threading.Event) -> None:
    for byte in data:
        if stop.wait(0.05):
            return
        handler.wfile.write(bytes([byte]))


@pytest.mark.parametrize("part", ["head", "body"])
def test_slow_drip(web: Server, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """A byte at a time, each well within any limit on one read; it would go on for a minute."""
    monkeypatch.setattr(fetch_module, "SECONDS", 0.4)
    stop = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        if part == "body":
            answer(b"", Content_Length="900")(handler)
        drip(handler, b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 150, stop)

    web.answers["/"] = slow
    try:
        error = refused(f"{web.base}/", allowing(web))
    finally:
        stop.set()
    assert error.message == f'"{web.base}/" took longer than 0.4 seconds, or did not answer'
    assert not error.permanent


def test_time_is_for_all_redirects_together(web: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "SECONDS", 0.5)
    pause = threading.Event()

    def later(handler: BaseHTTPRequestHandler) -> None:
        pause.wait(0.2)
        answer(status=302, Location="/")(handler)

    web.answers["/"] = later
    assert "took longer than 0.5 seconds" in refused(f"{web.base}/", allowing(web)).message
    assert len(web.requests) < 5


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings = with_settings(media_allow_networks=(ip_network("127.0.0.0/8"),))
    error = refused(f"http://127.0.0.1:{port}/a?key=secret", settings)
    assert f'"http://127.0.0.1:{port}/a" cannot be fetched' in error.message
    assert "secret" not in str(error)
    assert not error.permanent


def test_no_tls_there(web: Server) -> None:
    error = refused(f"https://127.0.0.1:{web.port}/", allowing(web))
    assert "cannot be fetched" in error.message
    assert not error.permanent


def test_tls_asks_for_the_name_and_checks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server sees the name in the first message, though the connection was made to an address."""
    hello: list[bytes] = []

    def listen(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            hello.append(connection.recv(10_000))

    monkeypatch.setattr(address_module, "_resolve", lambda host, port: ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=listen, args=(server,))
        thread.start()
        port = server.getsockname()[1]
        settings = with_settings(media_allow_hosts=frozenset({("shop.example", port)}))
        assert not refused(f"https://shop.example:{port}/", settings).permanent
        thread.join()
    assert b"shop.example" in hello[0]
    assert fetch_module._tls().check_hostname
    assert fetch_module._tls().verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    "uri",
    [
        "http://user:secret@127.0.0.1/",
        "http://secret@127.0.0.1/",
        "http://user:sec?ret@127.0.0.1/",
        "http://user:secret/x@127.0.0.1/",
        "https://:secret@host/?secret",
        "secret-path?secret",
    ],
)
def test_credentials_are_neither_sent_nor_shown(uri: str) -> None:
    error = refused(uri.replace("secret-path", "path"), with_settings())
    assert "secret" not in str(error)
    assert error.permanent


@pytest.mark.parametrize("uri", ["http:", "http://", "http:///path", "http:path", "http://:80/", "http://?x"])
def test_no_host(uri: str) -> None:
    assert refused(uri, with_settings()).message == "the URI names no host, or no valid one"


@pytest.mark.parametrize(
    "uri", ["http://[", "http://host:port/", "http://host:99999/", "http://a%20b/", "http://[fe80::1%25eth0]/"]
)
def test_unparsable(uri: str) -> None:
    assert refused(uri, with_settings()).permanent


PIECES = [
    "http:",
    "https:",
    "file:",
    "/",
    "//",
    "?",
    "#",
    "@",
    ":",
    "[",
    "]",
    "%",
    "%2e",
    "..",
    "\\",
    "xn--",
    "é",
    "猫",
    "a",
]


@given(
    st.sampled_from(["", "http://", "https://h", "file:///"]), st.lists(st.sampled_from(PIECES) | st.text(max_size=5))
)
@hypothesis_settings(max_examples=500, deadline=None)
def test_any_text_is_a_media_error(start: str, pieces: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address_module, "_resolve", lambda host, port: ["127.0.0.1"])
        refused(start + "".join(pieces), with_settings(media_roots=(Path("/nowhere"),)))
