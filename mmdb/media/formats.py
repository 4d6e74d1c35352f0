"""Which plug-in of Pillow reads a picture: a fixed list, chosen by what `sniff.py` says of its bytes (for `image.py`).

Left out is what runs another program (EPS), what is a document or a drawing rather than a picture (PDF,
PSD, SVG, WMF), what has no signature (TGA), and what is rare outside its field and decoded by code that few
exercise, some of it slow (JPEG 2000, FITS, DDS, ICNS, QOI and others). An application's changes to Pillow's
registry of plug-ins do not matter here.
"""

from __future__ import annotations

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
from mmdb.media.sniff import sniff
from mmdb.packages import install_hint

Opener = Callable[[io.BytesIO], ImageFile.ImageFile]


class _Jpeg(JpegImagePlugin.JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Nobody asks for it, and damaged EXIF would make Pillow warn."""


def _open_heic(source: io.BytesIO) -> ImageFile.ImageFile:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise MediaError(
            "the image is HEIC, which Pillow does not read by itself", hint=install_hint("pillow_heif")
        ) from error
    image: ImageFile.ImageFile = HeifImageFile(source)
    return image


# Every class starts with the first frame; the JPEG one also of a multi-picture file (MPO).
_OPENERS: dict[str, Opener] = {
    "JPEG": _Jpeg,
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "HEIC": _open_heic,
}
_READ = "JPEG, PNG, GIF, WebP, AVIF, TIFF, BMP or HEIC"


def format_of(data: bytes) -> tuple[str, Opener]:
    """The name of the format and what opens it. Raises MediaError that says what the data look like
    instead."""
    found = sniff(data)
    if found.name not in _OPENERS:
        raise MediaError(f"the data are not an image: they look like {found.words}, expected {_READ}")
    return found.name, _OPENERS[found.name]
