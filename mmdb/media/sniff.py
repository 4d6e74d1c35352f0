"""What bytes are, told by how they begin: the format, and the kind of media that it belongs to (for `kinds.py`).

Nothing is decoded here, and no name or declared type is believed. A format that mmdb does not read is named
nevertheless, so that an error says what the bytes are and not only what they are not.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

_UTF8 = codecs.getincrementaldecoder("utf-8")


@dataclass(frozen=True, slots=True)
class Format:
    """A format and its kind, a name of `kinds.KINDS`; of what is no kind of media, or is not read, None."""

    name: str
    kind: str | None
    words: str
    """As in "the bytes are …"."""


def _image(name: str, article: str = "a") -> Format:
    return Format(name, "image", f"{article} {name} image")


def _other(words: str, kind: str | None = None) -> Format:
    return Format(words, kind, words)


WEBP, AVIF, HEIC = _image("WebP"), _image("AVIF", "an"), _image("HEIC")
ZIP = _other("a ZIP archive")
TEXT = _other("text", "text")
UNKNOWN = _other("unknown binary data")

_SIGNATURES: tuple[tuple[Format, tuple[bytes, ...]], ...] = (
    (_image("JPEG"), (b"\xff\xd8\xff",)),
    (_image("PNG"), (b"\x89PNG\r\n\x1a\n",)),
    (_image("GIF"), (b"GIF87a", b"GIF89a")),
    (_image("TIFF"), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (_image("BMP"), (b"BM",)),
    (_other("a PDF document", "document"), (b"%PDF",)),
    (_other("an Office document", "document"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)),
    (_other("an MP3 recording", "audio"), (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")),
    (_other("a FLAC recording", "audio"), (b"fLaC",)),
    (_other("an Ogg recording", "audio"), (b"OggS",)),
    (_other("a Matroska or WebM video", "video"), (b"\x1a\x45\xdf\xa3",)),
    (_other("PostScript"), (b"%!PS",)),
    (_other("a Photoshop document"), (b"8BPS",)),
    (_other("JPEG 2000"), (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),
    (_other("JPEG XL"), (b"\0\0\0\x0cJXL ", b"\xff\x0a")),
    (_other("an icon"), (b"\0\0\1\0",)),
    (_other("gzip"), (b"\x1f\x8b",)),
)
_RIFF = {
    b"WEBP": WEBP,
    b"WAVE": _other("a WAV recording", "audio"),
    b"AVI ": _other("an AVI video", "video"),
}
_BRANDS: tuple[tuple[Format, frozenset[bytes]], ...] = (
    (AVIF, frozenset({b"avif", b"avis"})),
    (HEIC, frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})),
    (_other("an MPEG-4 recording", "audio"), frozenset({b"M4A ", b"M4B "})),
    (_other("an MPEG-4 video", "video"), frozenset({b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"M4V ", b"qt  "})),
)
"""In this order: a file names several, and AVIF and HEIC often name each other's."""


def sniff(data: bytes) -> Format:
    """What `data` are, by their first bytes."""
    for found, signatures in _SIGNATURES:
        if data.startswith(signatures):
            return found
    return _container(data) or _text(data)


def _container(data: bytes) -> Format | None:
    """Of a format that many kinds are packed in, what is in it."""
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12])
    if data.startswith(b"PK\3\4"):
        return _zipped(data[30:100])
    brands = _brands(data)
    return next((found for found, known in _BRANDS if brands & known), None)


def _zipped(first: bytes) -> Format:
    """By the name of the first entry, which these formats prescribe or by custom have."""
    if first.startswith(b"[Content_Types].xml"):
        return _other("an Office document", "document")
    if first.startswith(b"mimetypeapplication/epub+zip"):
        return _other("an EPUB book", "document")
    return ZIP


def _brands(data: bytes) -> set[bytes]:
    """The brands of an ISO base media file."""
    if data[4:8] != b"ftyp":
        return set()
    box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    return {box[start : start + 4] for start in range(0, len(box), 4)}


def _text(data: bytes) -> Format:
    head = data[:1000].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in head:
        return _other("an SVG drawing")
    if head.startswith((b"<!doctype html", b"<html")):
        return _other("a web page")
    try:
        _UTF8().decode(data[:1000], final=len(data) <= 1000)
    except UnicodeDecodeError:
        return UNKNOWN
    return UNKNOWN if b"\0" in head else TEXT
