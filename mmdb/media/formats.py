"""Which plug-in of Pillow reads the bytes: a fixed list, chosen by their first bytes (for `image.py`).

Left out is what runs another program (EPS), what is a document or a drawing rather than a picture (PDF,
PSD, SVG, WMF), what has no signature (TGA), and what is rare outside its field and decoded by code that few
exercise, some of it slow (JPEG 2000, FITS, DDS, ICNS, QOI and others). An application's changes to Pillow's
registry of plug-ins do not matter here.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from mmdb.errors import MediaError

_UTF8 = codecs.getincrementaldecoder("utf-8")

Opener = Callable[[io.BytesIO], ImageFile.ImageFile]


class _Jpeg(JpegImagePlugin.JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Nobody asks for it, and damaged EXIF would make Pillow warn."""


def _open_heic(source: io.BytesIO) -> ImageFile.ImageFile:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise MediaError(
            "the image is HEIC, which Pillow does not read by itself", hint='pip install "mmdb[heic]"'
        ) from error
    image: ImageFile.ImageFile = HeifImageFile(source)
    return image


# Every class starts with the first frame; the JPEG one also of a multi-picture file (MPO).
_FORMATS: tuple[tuple[str, tuple[bytes, ...], Opener], ...] = (
    ("JPEG", (b"\xff\xd8\xff",), _Jpeg),
    ("PNG", (b"\x89PNG\r\n\x1a\n",), PngImagePlugin.PngImageFile),
    ("GIF", (b"GIF87a", b"GIF89a"), GifImagePlugin.GifImageFile),
    ("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImagePlugin.TiffImageFile),
    ("BMP", (b"BM",), BmpImagePlugin.BmpImageFile),
)
_READ = "JPEG, PNG, GIF, WebP, AVIF, TIFF, BMP or HEIC"
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# Only to say what the bytes are instead.
_OTHER = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "PostScript"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\1\0", "an icon"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "gzip"),
)


def format_of(data: bytes) -> tuple[str, Opener]:
    """The name of the format and what opens it. Raises MediaError that says what the data look like
    instead."""
    for name, signatures, open_image in _FORMATS:
        if data.startswith(signatures):
            return name, open_image
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP", WebPImagePlugin.WebPImageFile
    brands = _brands(data)
    if brands & {b"avif", b"avis"}:
        return "AVIF", AvifImagePlugin.AvifImageFile
    if brands & _HEIC_BRANDS:
        return "HEIC", _open_heic
    raise MediaError(f"the data are not an image: they look like {_other(data)}, expected {_READ}")


def _brands(data: bytes) -> set[bytes]:
    """The brands of an ISO base media file: AVIF and HEIC share the container and often the major brand."""
    if data[4:8] != b"ftyp":
        return set()
    box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    return {box[start : start + 4] for start in range(0, len(box), 4)}


def _other(data: bytes) -> str:
    for signature, what in _OTHER:
        if data.startswith(signature):
            return what
    head = data[:1000].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in head:
        return "an SVG drawing"
    if head.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    try:
        _UTF8().decode(data[:1000], final=len(data) <= 1000)
    except UnicodeDecodeError:
        return "unknown binary data"
    return "unknown binary data" if b"\0" in head else "text"
