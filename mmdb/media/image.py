"""Bytes to a picture: upright, RGB, on white, no larger than models need; or a MediaError that says why.

The bytes come from anybody's table, so a decoder only runs on what has been bounded before:

- Only the formats of `formats.py` are opened, each by the plug-in that its first bytes ask for.
- The number of bytes is checked first and that of pixels from the header, before anything is decoded.
- Plug-ins read through `_Source`, which looks at the clock at every read. That stops a file of ten million
  empty segments or a progressive JPEG of ten thousand scans, which are small in pixels and in bytes. WebP,
  AVIF, HEIC and compressed TIFF are decoded in one call, which cannot be stopped: there the pixels bound
  the time. A file whose end is missing is decoded three times at most, each within the time.

Pillow's own switches belong to the application that imports mmdb. `Image.open` is not used because its own
pixel check warns (or fails) by `Image.MAX_IMAGE_PIXELS`, and EXIF is read here because Pillow's reader
warns about every oddity: a warning is global to the process, and several threads may not use
`warnings.catch_warnings`. What is left: plug-ins may warn about damaged TIFF and animations, and about TIFF
above 89 megapixels, and libtiff writes what it finds damaged to stderr. An application that sets
`ImageFile.LOAD_TRUNCATED_IMAGES` gets truncated pictures here as well. Colour profiles are not applied:
models are trained on pictures read without.
"""

from __future__ import annotations

import io
import math
import re
import struct
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFile, JpegImagePlugin

from mmdb.errors import MediaError
from mmdb.media.formats import Opener, format_of


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What one picture may cost."""

    bytes: int = 50_000_000
    pixels: int = 120_000_000
    """Width times height in the header. The largest photographs in use have 100 to 108 million."""
    seconds: float = 30.0
    """Checked where the decoder reads; see the module's docstring for where it does not reach."""
    detail: int = 512
    """Pixels of the shorter side that are kept of a larger picture; models resize to 224-512."""


DEFAULT_LIMITS = ImageLimits()
MOST_PIXELS = 4_000_000
"""No picture that is returned has more pixels, however long and narrow it is (3 bytes each)."""
LARGE_PIXELS = 16_000_000
"""Pictures above this are decoded one at a time in a process, but for JPEG that is not progressive.

At 100 megapixels the peak was 16 MB for JPEG, 0.3 GB for progressive JPEG, 0.4 GB for PNG, 0.9 GB for AVIF
and 1.5 GB for WebP, which took longest, 8 seconds: too much for as many threads as fetch at once.
"""
_FILLINGS = {"JPEG": (b"\x55" * 64, b"\xaa" * 64), "WebP": (b"\0", b"\xff"), "BMP": (bytes(3), b"\xff" * 3)}
"""What fills up a file that lacks its end, in two forms that have no bit in common.

What may be missing behind the last pixel is a JPEG's last marker, or what fills up a WebP or a row of a BMP. Were
anything of the picture missing, the filling would be seen in it; but a progressive JPEG that ends exactly behind one of
its scans is whole and less sharp.
"""
_JPEG_MARKERS = re.compile(rb"\xff([^\0\xff])")
_START_OF_SCAN, _FIRST_RESTART, _END_OF_IMAGE = 0xDA, 0xD0, b"\xff\xd9"
_LARGE_ONES = threading.Lock()
_STRIP_PIXELS = 1_000_000
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_image(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> Image.Image:
    """The (first) picture in `data` as an upright RGB image of at most MOST_PIXELS pixels.

    A picture whose shorter side has twice `limits.detail` pixels or more is reduced by a whole factor, so
    that a batch of photographs fits in memory. Raises MediaError, permanent unless time or memory ran out.
    """
    if not data:
        raise MediaError("the image is empty: 0 bytes")
    if len(data) > limits.bytes:
        raise MediaError(f"the image has {len(data)} bytes, more than the limit of {limits.bytes}")
    name, open_image = format_of(data)
    try:
        return _whole(name, data, open_image, limits)
    except MediaError:
        raise
    except _OutOfTimeError as error:
        message = f"the {name} image took more than {limits.seconds:g} seconds to decode"
        raise MediaError(message, permanent=False) from error
    except MemoryError as error:
        raise MediaError(f"not enough memory to decode the {name} image", permanent=False) from error
    except Exception as error:  # plug-ins fail with whatever a hostile byte leads to
        raise _undecodable(name, error) from error


def _whole(name: str, data: bytes, open_image: Opener, limits: ImageLimits) -> Image.Image:
    """The picture, also where nothing but the end of its file is missing: browsers show it as well."""
    try:
        return _opened(data, open_image, limits)
    except (MediaError, MemoryError, _OutOfTimeError):
        raise
    except Exception:
        pictures = [_opened(ended, open_image, limits) for ended in _ended(name, data)]
        if not pictures or pictures[0] != pictures[1]:
            raise
        return pictures[0]


def _ended(name: str, data: bytes) -> list[bytes]:
    """`data` with an end, in two forms; none where it is known that more than the end is missing."""
    fillings = _FILLINGS.get(name, ())
    if name != "JPEG":
        return [data + filling for filling in fillings]
    data = data.removesuffix(b"\xff")
    last = (_JPEG_MARKERS.findall(data) or [b"\0"])[-1][0]
    restart = 0 if last == _START_OF_SCAN else last - _FIRST_RESTART + 1
    if not 0 <= restart <= 8:
        return []  # not pixels were announced last, but another scan of a progressive picture
    marker = bytes([0xFF, _FIRST_RESTART + restart % 8])
    return [data + filling + marker + filling + _END_OF_IMAGE for filling in fillings]


def _opened(data: bytes, open_image: Opener, limits: ImageLimits) -> Image.Image:
    source = _Source(data, limits.seconds)
    with open_image(source) as image:
        _check_pixels(image.size, limits.pixels)
        with _turn(image):
            source.start(limits.seconds)
            return _decoded(image, limits)


def _check_pixels(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise MediaError(
            f"the image has {width * height} pixels ({width} x {height}), more than the limit of {limit}",
            hint="store a smaller copy",
        )


def _turn(image: ImageFile.ImageFile) -> AbstractContextManager[object]:
    cheap = image.format == "JPEG" and "progressive" not in image.info
    return nullcontext() if cheap or image.width * image.height <= LARGE_PIXELS else _LARGE_ONES


def _undecodable(name: str, error: Exception) -> MediaError:
    reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
    if "truncated" in reason.lower():
        return MediaError(f"the {name} image is truncated: {reason}")
    return MediaError(f"the {name} image cannot be decoded: {reason}")


class _OutOfTimeError(Exception):
    """Not an OSError, which plug-ins catch to go on with what they have."""


class _Source(io.BytesIO):
    def __init__(self, data: bytes, seconds: float) -> None:
        super().__init__(data)
        self.start(seconds)

    def start(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() > self._end:
            raise _OutOfTimeError
        return super().read(size)


# From the plug-in's image to ours


def _decoded(image: ImageFile.ImageFile, limits: ImageLimits) -> Image.Image:
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        # The decoder halves as it goes: a photograph of 100 megapixels costs 5 MB, not 300.
        factor = _reduction(image.size, limits.detail)
        image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))
    image.load()
    orientation = _UPRIGHT.get(_exif_orientation(image.info.get("exif")))
    whole = _eight_bit(image) if image.mode[0] in "IF" else image
    picture = _reduced(whole, _reduction(whole.size, limits.detail), _converter(image))
    return picture if orientation is None else picture.transpose(orientation)


def _reduction(size: tuple[int, int], detail: int) -> int:
    return max(1, min(size) // detail, math.ceil(math.sqrt(size[0] * size[1] / MOST_PIXELS)))


def _reduced(image: Image.Image, factor: int, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """`image` converted and then averaged over squares of `factor` pixels.

    In strips, because the conversion of a whole picture of 100 megapixels would take another 700 MB; and
    converted first, because averaging palette indices, or colours regardless of transparency, is wrong.
    """
    picture = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    rows = max(1, _STRIP_PIXELS // image.width // factor) * factor
    for top in range(0, image.height, rows):
        strip = convert(image.crop((0, top, image.width, min(top + rows, image.height))))
        picture.paste(strip.reduce(factor), (0, top // factor))
    return picture


def _converter(image: ImageFile.ImageFile) -> Callable[[Image.Image], Image.Image]:
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        # Pillow takes every CMYK JPEG for one of Adobe's, which are stored inverted and say so in a marker.
        return lambda strip: ImageChops.invert(strip).convert("RGB")
    return _on_white


def _on_white(strip: Image.Image) -> Image.Image:
    """RGB; what is transparent becomes white.

    White is what shops and papers show a cut-out on. Black would swallow dark line art, and leaving the
    transparency out would show whatever colours an editor left behind it.
    """
    if not strip.has_transparency_data:
        return strip.convert("RGB")
    strip = strip.convert("RGBA")
    page = Image.new("RGB", strip.size, "white")
    page.paste(strip, mask=strip)
    return page


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey loses its lower byte; 32 bits, integer or float, have no agreed range and are
    stretched."""
    values: NDArray[Any] = np.asarray(image)
    if not image.mode.startswith("I;16"):
        return Image.fromarray(_stretched(values))
    grey = (values >> 8).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255  # as _on_white
    return Image.fromarray(grey)


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Lowest finite value -> 0, highest -> 255, NaN -> 0; a constant picture -> 0."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scale = 255 / (high - low) if high > low else 0
    with np.errstate(all="ignore"):
        levels: NDArray[np.float32] = (values.astype(np.float32) - low) * scale
    levels = np.nan_to_num(levels, nan=0, posinf=255, neginf=0).clip(0, 255)
    return np.rint(levels).astype(np.uint8)


def _exif_orientation(exif: object) -> int:
    """The orientation, 1 to 8, in the first directory of an EXIF block; 1 where there is none to be read.

    (The TIFF plug-in turns its pictures itself, the HEIC one turns them and takes the entry out.)
    """
    if not isinstance(exif, bytes):
        return 1
    exif = exif.removeprefix(b"Exif\0\0")
    order = "<" if exif.startswith(b"II") else ">"
    try:
        (directory,) = struct.unpack_from(order + "L", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHLH", exif, directory + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG and kind == 3:
                return int(value)
    except struct.error:
        pass
    return 1
