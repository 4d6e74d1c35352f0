"""Sources that break things: each is one failure with a clear message, and the rest of its batch is done."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image

from mmdb.config import Settings
from mmdb.worker import Totals, work
from tests.conftest import Database
from tests.db.conftest import ONCE, Connection


def jpeg(size: tuple[int, int] = (64, 48)) -> bytes:
    file = io.BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def png(width: int, height: int, data: bytes) -> bytes:
    """A PNG whose header says what it likes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bomb() -> bytes:
    """40 MB of zeros in 40 KB, behind a header of 60,000 x 60,000 pixels."""
    return png(60_000, 60_000, zlib.compress(bytes(40_000_000), 9))


PICTURES = {
    "good": (jpeg(), None),
    "truncated JPEG": (jpeg()[:700], "truncated"),
    "zip bomb": (bomb(), "3600000000 pixels"),
    "200 megapixels": (png(20_000, 10_000, zlib.compress(bytes(1000))), "200000000 pixels"),
    "HTML": (b"<html><body>not found</body></html>", "not an image|format"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3", 'the bytes are a PDF document, and model "hash" takes text, image'),
    "video": (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "the bytes are an MPEG-4 video"),
    "text": (b"no picture", "not an image: they look like text"),
    "truncated PNG": (png(100, 100, zlib.compress(bytes(10))), "truncated|decoded"),
    "also good": (jpeg((33, 99)), None),
}


def test_pictures(conn: Connection, database: Database) -> None:
    conn.execute("create table pictures (name text primary key, photo bytea)")
    for name, (data, _) in PICTURES.items():
        conn.execute("insert into pictures values (%s, %b)", [name, data])
    conn.execute("select mmdb.add_embedding('pictures', 'photo', model => 'hash')")
    good = [name for name, (_, error) in PICTURES.items() if error is None]
    assert work(database.url, options=ONCE) == Totals(stored=len(good), failed=len(PICTURES) - len(good))
    errors = dict(conn.execute("select key[1], error from mmdb.failures where final").fetchall())
    for name, (_, error) in PICTURES.items():
        if error is None:
            assert name not in errors
        else:
            assert any(part in errors[name] for part in error.split("|")), errors[name]


TEXTS = {
    "good": ("a text", None),
    "10 MB": ("x" * 10_000_000, "10000000 bytes, more than the limit of 1000000"),
    "blank": (" \n\t ", "empty"),
    "NUL-like": ("a\\u0000b \\x00 \x01\x02\x1f", None),
    "odd sequences": ("\ufffe\uffff\ufeff\u202e\u0301" + "\U0010ffff", None),
    "900 KB": ("word " * 180_000, None),
}


def test_texts(conn: Connection, database: Database) -> None:
    conn.execute("create table texts (name text primary key, txt text)")
    for name, (text, _) in TEXTS.items():
        conn.execute("insert into texts values (%s, %s)", [name, text])
    conn.execute("select mmdb.add_embedding('texts', 'txt', model => 'hash')")
    good = [name for name, (_, error) in TEXTS.items() if error is None]
    assert work(database.url, options=ONCE) == Totals(stored=len(good), failed=len(TEXTS) - len(good))
    errors = dict(conn.execute("select key[1], error from mmdb.failures where final").fetchall())
    for name, (_, error) in TEXTS.items():
        assert (name in errors) == (error is not None)
        assert error is None or error in errors[name]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/inward":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/secret")
            self.end_headers()
            return
        found = self.path == "/good.jpg"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(jpeg() if found else b"nothing here")

    def log_message(self, *_: Any) -> None:
        pass


def test_uris(conn: Connection, database: Database, tmp_path: Path) -> None:
    (tmp_path / "in.jpg").write_bytes(jpeg())
    (tmp_path / "link.jpg").symlink_to("/etc/passwd")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        uris = {
            f"http://127.0.0.1:{port}/good.jpg": True,
            f"http://127.0.0.1:{port}/missing.jpg": False,
            f"http://127.0.0.1:{port}/inward": False,
            "http://127.0.0.1:1/private": False,
            "http://169.254.169.254/latest/meta-data/": False,
            "http://[::ffff:10.0.0.1]/": False,
            "file:///etc/passwd": False,
            f"file://{tmp_path}/in.jpg": True,
            f"file://{tmp_path}/../../../etc/passwd": False,
            f"file://{tmp_path}/link.jpg": False,
            "gopher://example.com/": False,
            "just/a/path.jpg": False,
        }
        conn.execute("create table links (uri text primary key)")
        for uri in uris:
            conn.execute("insert into links values (%s)", [uri])
        conn.execute("select mmdb.add_embedding('links', 'uri', model => 'hash', modality => 'image')")
        settings = replace(
            Settings.from_environment({}),
            media_roots=(tmp_path,),
            media_allow_hosts=frozenset({("127.0.0.1", port)}),
        )
        totals = work(database.url, settings=settings, options=ONCE)
        server.shutdown()
    errors = dict(conn.execute("select key[1], error from mmdb.failures").fetchall())
    assert set(errors) == {uri for uri, good in uris.items() if not good}
    assert totals == Totals(stored=2, failed=len(errors))
    assert not any("root:" in error for error in errors.values()), "no content of a file in an error"


@pytest.mark.parametrize("key", ["a{b", 'q"uote', "c,omma", "nu ll", "ünï", "back\\slash", "", "NULL"])
def test_failures_name_keys_as_they_are(conn: Connection, database: Database, key: str) -> None:
    conn.execute("create table items (k text, l text, txt text, primary key (k, l))")
    conn.execute("insert into items values (%s, 'l', ' ')", [key])
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    work(database.url, options=ONCE)
    assert conn.execute("select key from mmdb.failures").fetchone() == ([key, "l"],)
