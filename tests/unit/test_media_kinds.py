"""Kinds of media: told by their bytes, with their limits, and each with what makes items of it."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image

from mmdb.errors import MediaError, ModelError
from mmdb.media.kinds import (
    KINDS,
    MAX_MEDIA_BYTES,
    MAX_TEXT_BYTES,
    MAX_URI_BYTES,
    MODALITIES,
    item_of,
    kind_named,
    max_source_bytes,
)
from mmdb.media.sniff import sniff
from mmdb.models.embed.base import modality_of

PLACES = ("audio", "video", "document", "series")
MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"
M4A = b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom"


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (3, 2), (255, 0, 0)).save(file, "PNG")
    return file.getvalue()


def zipped(name: str, content: bytes = b"x") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (png(), "image", "a PNG image"),
        (b"\xff\xd8\xff\xe0", "image", "a JPEG image"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image", "a WebP image"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avif", "image", "an AVIF image"),
        (b"%PDF-1.7\n", "document", "a PDF document"),
        (zipped("[Content_Types].xml"), "document", "an Office document"),
        (zipped("mimetype", b"application/epub+zip"), "document", "an EPUB book"),
        (zipped("photo.jpg"), None, "a ZIP archive"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio", "a WAV recording"),
        (b"RIFF\0\0\0\0ACONlist", None, "unknown binary data"),
        (b"ID3\4\0\0", "audio", "an MP3 recording"),
        (b"fLaC\0\0\0\x22", "audio", "a FLAC recording"),
        (M4A, "audio", "an MPEG-4 recording"),
        (MP4, "video", "an MPEG-4 video"),
        (b"\x1a\x45\xdf\xa3\x01", "video", "a Matroska or WebM video"),
        ("größer".encode(), "text", "text"),
        (b"<!doctype html><html>", None, "a web page"),
        (b"\0\1\2", None, "unknown binary data"),
    ],
)
def test_bytes_tell_their_kind(data: bytes, kind: str | None, words: str) -> None:
    assert (sniff(data).kind, sniff(data).words) == (kind, words)


def test_every_kind_that_bytes_tell_has_a_row() -> None:
    assert tuple(name for name, kind in KINDS.items() if kind.is_available) == MODALITIES
    assert {sniff(data).kind for data in (MP4, M4A, b"%PDF", b"x")} <= set(KINDS)


@pytest.mark.parametrize("name", PLACES)
def test_a_place_says_that_it_is_not_available_yet(name: str) -> None:
    with pytest.raises(MediaError, match=f'kind of media "{name}" is not available yet, expected one of text, image'):
        kind_named(name)


def test_an_unknown_kind_does_not_exist() -> None:
    with pytest.raises(MediaError, match='kind of media "smell" does not exist'):
        kind_named("smell")


def test_limits() -> None:
    assert max_source_bytes("text") == MAX_TEXT_BYTES
    assert max_source_bytes("image") == MAX_MEDIA_BYTES
    assert max_source_bytes("image", by_uri=True) == MAX_URI_BYTES


def test_a_text_is_its_own_item_and_bytes_are_decoded() -> None:
    picture = item_of(png())
    assert isinstance(picture, Image.Image)
    assert picture.getpixel((0, 0)) == (255, 0, 0)
    assert item_of("red shoes") == "red shoes"


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"%PDF-1.7\n", "a PDF document"), (MP4, "an MPEG-4 video"), (b"RIFF\0\0\0\0WAVEfmt ", "a WAV recording")],
)
def test_bytes_of_another_kind_are_refused_for_good_and_named(data: bytes, words: str) -> None:
    with pytest.raises(MediaError) as caught:
        item_of(data, model="hash", takes=frozenset(("image", "text")))
    assert str(caught.value) == f'the bytes are {words}, and model "hash" takes text, image'
    assert caught.value.permanent


def test_a_picture_for_a_model_of_texts() -> None:
    with pytest.raises(MediaError, match=r'the bytes are a PNG image, and model "e5" takes text$'):
        item_of(png(), model="e5", takes=("text",))


@pytest.mark.parametrize("data", [b"not found", b"<html>not found</html>", b"\0\1", b""])
def test_what_is_of_no_kind_is_no_picture_and_no_text(data: bytes) -> None:
    with pytest.raises(MediaError, match=r"not an image|the image is empty"):
        item_of(data)


def test_a_text_in_bytes_for_a_model_of_texts() -> None:
    with pytest.raises(MediaError, match="give a text as text, not as bytes"):
        item_of(b"red shoes", model="e5", takes=("text",))


def test_an_item_has_its_kind_and_anything_else_has_none() -> None:
    assert (modality_of("a"), modality_of(Image.new("RGB", (1, 1)))) == ("text", "image")
    for nothing in (b"bytes", 3, None):
        with pytest.raises(ModelError, match=f'type "{type(nothing).__name__}" is nothing that a model takes'):
            modality_of(nothing)
