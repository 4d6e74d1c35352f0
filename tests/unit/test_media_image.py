"""Pictures of every kind that a table may hold, and of kinds that it should not: all made here, none from
outside."""

from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin

from mmdb.errors import MediaError
from mmdb.media import image as image_module
from mmdb.media.image import MOST_PIXELS, ImageLimits, decode_image

WHITE, BLACK, RED, BLUE = (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 0, 255)


def saved(picture: Image.Image, format_: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def halves(left: Any = RED, right: Any = BLUE, mode: str = "RGB", size: tuple[int, int] = (64, 32)) -> Image.Image:
    picture = Image.new(mode, size, left)
    picture.paste(right, (size[0] // 2, 0, *size))
    return picture


def near(pixel: Any, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return all(abs(have - want) <= tolerance for have, want in zip(pixel, colour, strict=True))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    header = struct.pack(">LLBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


# Formats and modes


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "MPO"])
def test_formats(format_: str) -> None:
    picture = decode_image(saved(halves(), format_))
    assert (picture.mode, picture.size) == ("RGB", (64, 32))
    assert near(picture.getpixel((8, 16)), RED)
    assert near(picture.getpixel((56, 16)), BLUE)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_compressed_tiff(compression: str | None) -> None:
    picture = decode_image(saved(halves(), "TIFF", compression=compression))
    assert near(picture.getpixel((8, 16)), RED)


def test_heic() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = 6
    heic = pillow_heif.from_pillow(halves())
    heic.info["exif"] = exif.tobytes()
    buffer = io.BytesIO()
    heic.save(buffer, quality=95)
    picture = decode_image(buffer.getvalue())
    assert picture.size == (32, 64)
    assert near(picture.getpixel((16, 8)), RED)
    assert "HEIF" not in Image.OPEN
    with pytest.raises(MediaError, match=r"the HEIC image cannot be decoded"):
        decode_image(buffer.getvalue()[:300])


def test_heic_without_the_plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    data = struct.pack(">L", 24) + b"ftypmif1" + bytes(4) + b"mif1heic" + bytes(100)
    with pytest.raises(MediaError, match="the image is HEIC") as caught:
        decode_image(data)
    assert caught.value.hint == 'pip install "pillow-heif>=1.0"'


@pytest.mark.parametrize(
    ("mode", "value", "colour"),
    [
        ("1", 1, WHITE),
        ("L", 128, (128, 128, 128)),
        ("LA", (0, 128), (127, 127, 127)),
        ("RGBA", (*RED, 255), RED),
        ("RGBA", (*RED, 0), WHITE),
        ("RGBA", (*RED, 51), (255, 204, 204)),
    ],
)
def test_modes(mode: str, value: Any, colour: tuple[int, int, int]) -> None:
    picture = decode_image(saved(Image.new(mode, (3, 2), value), "PNG"))
    assert (picture.mode, picture.size) == ("RGB", (3, 2))
    assert near(picture.getpixel((1, 1)), colour, 1)


def test_palette_with_a_transparent_colour() -> None:
    picture = halves(1, 2, "P")
    picture.putpalette([*BLACK, *RED, *BLUE])
    for transparent in (1, bytes([255, 0, 255])):
        decoded = decode_image(saved(picture, "PNG", transparency=transparent))
        assert decoded.getpixel((0, 0)) == WHITE
        assert decoded.getpixel((63, 0)) == BLUE
    assert decode_image(saved(picture, "PNG")).getpixel((0, 0)) == RED


@pytest.mark.parametrize(("mode", "transparent"), [("RGB", RED), ("L", 7), ("1", 0)])
def test_transparent_colour_without_palette(mode: str, transparent: Any) -> None:
    data = saved(Image.new(mode, (2, 2), transparent), "PNG", transparency=transparent)
    assert decode_image(data).getpixel((0, 0)) == WHITE


def test_reduction_does_not_mix_in_hidden_colours() -> None:
    """The transparent pixels are green underneath; averaged before the transparency is applied, that would
    show."""
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, ::2] = (255, 0, 0, 255)
    pixels[:, 1::2] = (0, 255, 0, 0)
    picture = decode_image(saved(Image.fromarray(pixels), "PNG"), ImageLimits(detail=32))
    assert picture.size == (32, 32)
    assert near(picture.getpixel((5, 5)), (255, 127, 127), 1)


def cmyk_jpeg(*, adobe: bool) -> bytes:
    """Cyan and yellow halves. Pillow writes them inverted and with the marker, as Adobe does."""
    data = saved(halves((255, 0, 0, 0), (0, 0, 255, 0), "CMYK"), "JPEG", quality=95)
    if adobe:
        return data
    plain = saved(halves((0, 255, 255, 255), (255, 255, 0, 255), "CMYK"), "JPEG", quality=95)
    start = plain.index(b"\xff\xee")
    return plain[:start] + plain[start + 2 + int.from_bytes(plain[start + 2 : start + 4], "big") :]


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_jpeg(adobe: bool) -> None:
    picture = decode_image(cmyk_jpeg(adobe=adobe))
    assert near(picture.getpixel((8, 16)), (0, 255, 255))
    assert near(picture.getpixel((56, 16)), (255, 255, 0))


def test_ycck_jpeg() -> None:
    """The marker's last byte, 2, says that the first three components are YCbCr of the inverted inks."""
    grey = saved(Image.new("CMYK", (16, 16), (127, 127, 127, 0)), "JPEG", quality=95)
    place = grey.index(b"Adobe") + 11
    assert grey[place] in (0, 2)
    picture = decode_image(grey[:place] + b"\2" + grey[place + 1 :])
    assert near(picture.getpixel((8, 8)), (128, 128, 128))


def test_cmyk_tiff() -> None:
    assert decode_image(saved(Image.new("CMYK", (4, 4), (255, 0, 0, 0)), "TIFF")).getpixel((0, 0)) == (0, 255, 255)


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_16_bit_grey(format_: str) -> None:
    gradient = np.linspace(0, 65535, 512).astype(np.uint16).reshape(1, 512).repeat(4, 0)
    picture = np.asarray(decode_image(saved(Image.fromarray(gradient), format_)))[0, :, 0]
    assert (picture == gradient[0] >> 8).all()
    assert (picture[0], picture[-1]) == (0, 255)


def test_big_endian_16_bit_tiff() -> None:
    values = np.array([[0, 0x1234, 0x8000, 0xFFFF]], ">u2")
    entries = [(256, 4), (257, 1), (258, 16), (259, 1), (262, 1), (273, 130), (277, 1), (278, 1), (279, 8)]
    directory = b"".join(struct.pack(">HHLHH", tag, 3, 1, value, 0) for tag, value in entries)
    data = b"MM\0*" + struct.pack(">LH", 8, len(entries)) + directory
    picture = decode_image(data.ljust(130, b"\0") + values.tobytes() + bytes(8))
    assert np.asarray(picture)[0, :, 0].tolist() == [0, 0x12, 0x80, 0xFF]


def test_16_bit_grey_with_a_transparent_value() -> None:
    rows = b"\0" + struct.pack(">HH", 500, 0)
    data = png(2, 1, 16, 0, rows, chunk(b"tRNS", struct.pack(">H", 500)))
    assert np.asarray(decode_image(data))[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("colour", [2, 6])
def test_16_bit_colour(colour: int) -> None:
    pixel = struct.pack(">HHH", 0xFFFF, 0x8000, 0) + (b"\xff\xff" if colour == 6 else b"")
    assert decode_image(png(1, 1, 16, colour, b"\0" + pixel)).getpixel((0, 0)) == (255, 128, 0)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e30])
def test_float_is_stretched(scale: float) -> None:
    values = np.linspace(-1, 1, 256, dtype=np.float32).reshape(16, 16) * np.float32(scale)
    picture = np.asarray(decode_image(saved(Image.fromarray(values), "TIFF")))[..., 0].ravel()
    assert (picture[0], picture[-1]) == (0, 255)
    assert (np.diff(picture.astype(int)) >= 0).all()


def test_float_with_nan_and_infinity() -> None:
    values = np.array([[np.nan, np.inf, -np.inf, 0, 1]], np.float32)
    picture = decode_image(saved(Image.fromarray(values), "TIFF"))
    assert np.asarray(picture)[0, :, 0].tolist() == [0, 255, 0, 0, 255]
    nothing = np.full((2, 2), np.nan, np.float32)
    assert decode_image(saved(Image.fromarray(nothing), "TIFF")).getpixel((0, 0)) == BLACK


def test_32_bit_integers() -> None:
    values = np.array([[-5, 0, 5]], np.int32)
    assert np.asarray(decode_image(saved(Image.fromarray(values), "TIFF")))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_first_of_several_frames(format_: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, BLUE, WHITE)]
    data = saved(frames[0], format_, save_all=True, append_images=frames[1:])
    assert near(decode_image(data).getpixel((16, 16)), RED)


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_orientation(format_: str, orientation: int) -> None:
    """What a camera stores under each number comes out as the scene: red top left, blue bottom right."""
    scene = Image.new("RGB", (64, 32), WHITE)
    scene.paste(RED, (0, 0, 32, 16))
    scene.paste(BLUE, (32, 16, 64, 32))
    undo = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    turn = image_module._UPRIGHT.get(undo)
    stored = scene if turn is None else scene.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode_image(saved(stored, format_, exif=exif))
    assert picture.size == (64, 32)
    assert near(picture.getpixel((8, 4)), RED, 30)
    assert near(picture.getpixel((56, 28)), BLUE, 30)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_of_both_byte_orders(order: str) -> None:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    exif = mark + struct.pack(order + "LHHHLHHL", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    assert image_module._exif_orientation(b"Exif\0\0" + exif) == 6
    assert image_module._exif_orientation(exif) == 6


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"II*\0" + struct.pack("<LHHHLHH", 8, 65535, 0x0100, 3, 1, 6, 0),
        b"II*\0" + struct.pack("<LHHHLHHL", 8, 1, 0x0112, 3, 1, 99, 0, 0),
    ],
)
def test_damaged_exif_is_no_error_and_no_warning(exif: bytes) -> None:
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif
    data = saved(halves(), "JPEG")
    picture = decode_image(data[:2] + segment + data[2:])
    assert near(picture.getpixel((8, 16)), RED)


# Size of what is returned


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((600, 400), (600, 400)),
        ((1500, 1023), (1500, 1023)),
        ((3000, 2000), (1000, 667)),
        ((40_000, 300), (20_000, 150)),
    ],
)
def test_size(size: tuple[int, int], expected: tuple[int, int]) -> None:
    picture = decode_image(saved(Image.new("L", size), "PNG"))
    assert picture.size == expected
    assert picture.width * picture.height <= MOST_PIXELS


def test_large_jpeg_is_decoded_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, int]] = []
    reduced = image_module._reduced

    def note(image: Image.Image, *rest: Any) -> Image.Image:
        decoded.append(image.size)
        return reduced(image, *rest)

    monkeypatch.setattr(image_module, "_reduced", note)
    picture = decode_image(saved(halves(size=(8192, 4096)), "JPEG"))
    assert decoded == [picture.size] == [(1024, 512)]
    assert near(picture.getpixel((100, 100)), RED)
    assert near(picture.getpixel((1000, 500)), BLUE)


def test_strips_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (301, 200, 3), np.uint8)
    data = saved(Image.fromarray(pixels), "PNG")
    limits = ImageLimits(detail=60)
    whole = decode_image(data, limits)
    monkeypatch.setattr(image_module, "_STRIP_PIXELS", 1500)
    assert whole.size == (67, 101)
    assert decode_image(data, limits).tobytes() == whole.tobytes()


def test_result_holds_nothing_of_the_file() -> None:
    picture = decode_image(saved(halves(), "PNG", pnginfo=text_of("secret")))
    assert type(picture) is Image.Image
    assert picture.info == {}


def text_of(value: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", value, zip=True)
    return info


# What is refused


def refused(data: bytes, limits: ImageLimits | None = None) -> MediaError:
    with pytest.raises(MediaError) as caught:
        decode_image(data, limits or ImageLimits())
    return caught.value


def test_empty() -> None:
    assert refused(b"").message == "the image is empty: 0 bytes"


def test_too_many_bytes() -> None:
    error = refused(b"\xff\xd8\xff" + bytes(98), ImageLimits(bytes=100))
    assert error.message == "the image has 101 bytes, more than the limit of 100"
    assert error.permanent


def test_200_megapixels() -> None:
    data = png(20_000, 10_000, 1, 0, bytes(2501 * 10_000))
    assert len(data) < 100_000
    error = refused(data)
    assert "the image has 200000000 pixels (20000 x 10000), more than the limit of" in error.message
    assert error.permanent


@pytest.mark.parametrize("size", [(50_000, 50_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1)])
def test_bomb_with_a_large_header(size: tuple[int, int]) -> None:
    assert "more than the limit" in refused(png(*size, 8, 2, b"\0")).message


@pytest.mark.parametrize("format_", ["JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_pixels_of_every_format(format_: str) -> None:
    data = saved(Image.new("RGB", (64, 64)), format_)
    assert "the image has 4096 pixels" in refused(data, ImageLimits(pixels=4095)).message
    decode_image(data, ImageLimits(pixels=4096))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_bomb_in_text(kind: bytes) -> None:
    packed = zlib.compress(bytes(200_000_000), 9)
    content = b"a\0\1\0\0\0" + packed if kind == b"iTXt" else b"a\0\0" + packed
    message = refused(png(1, 1, 8, 0, b"\0\0", chunk(kind, content))).message
    assert "the PNG image cannot be decoded: Decompressed data too large" in message


ENDINGS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "JPEG": (b"\xff\xd9", {}),
    "JPEG, progressive": (b"\xff\xd9", {"progressive": True}),
    "JPEG, with restarts": (b"\xff\xd9", {"restart_marker_rows": 1}),
    "JPEG, of CMYK": (b"\xff\xd9", {}),
    "PNG": (chunk(b"IEND", b""), {}),
    "GIF": (b"\0\x3b", {}),
    "WEBP": (b"\0", {"quality": 83}),
    "WEBP, lossless": (b"\0", {"lossless": True}),
    "BMP": (bytes(3), {}),
}


@pytest.mark.parametrize("kind", ENDINGS)
@pytest.mark.parametrize("size", [(17, 12), (63, 200), (201, 64)])
def test_without_its_end_a_picture_is_what_it_was(kind: str, size: tuple[int, int]) -> None:
    """As browsers show it. What lacks a part of the picture is none, since nobody would know of the part."""
    ending, options = ENDINGS[kind]
    pixels = np.random.default_rng(2).integers(0, 256, (size[1], size[0], 3), np.uint8)
    noise = Image.fromarray(pixels).convert("CMYK" if kind.endswith("CMYK") else "RGB")
    data = saved(noise, kind.partition(",")[0], **options)
    left = data.removesuffix(ending)
    for end in range(len(left), len(data) + 1):
        assert decode_image(data[:end]) == decode_image(data), f"{len(data) - end} bytes are missing"
    for missing in (10, len(data) // 10, len(data) // 2):
        assert refused(left[:-missing]).permanent


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated(format_: str, share: float) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    data = saved(Image.fromarray(pixels), format_)
    error = refused(data[: int(len(data) * share)])
    assert error.permanent
    if format_ in ("JPEG", "PNG", "BMP") and share > 0.1:
        assert f"the {format_} image is truncated" in error.message


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"hello, world", "look like text"),
        ("größer".encode() * 1000, "look like text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "look like an SVG drawing"),
        (b"<?xml version='1.0'?>\n<svg/>", "look like an SVG drawing"),
        (b"<!DOCTYPE html><html></html>", "look like a web page"),
        (b"%PDF-1.7\n%\xe2\xe3", "look like a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "look like PostScript"),
        (b"8BPS\0\1", "look like a Photoshop document"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "look like JPEG 2000"),
        (b"\1\2\3\xff\xfe", "look like unknown binary data"),
        (b"\0", "look like unknown binary data"),
    ],
)
def test_no_image(data: bytes, what: str) -> None:
    error = refused(data)
    assert what in error.message
    assert "expected JPEG, PNG" in error.message


def test_formats_that_are_not_on_the_list() -> None:
    for format_ in ("ICO", "TGA", "PPM", "PCX", "SGI", "DDS", "JPEG2000", "EPS", "PDF"):
        assert "the data are not an image" in refused(saved(halves(), format_)).message


def test_signature_and_nothing_else() -> None:
    for start in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"BM", b"RIFF\0\0\0\0WEBPVP8 "):
        assert "cannot be decoded" in refused(start).message or "truncated" in refused(start).message


def test_slow_file_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million empty chunks; every look at the clock takes a second."""
    seconds = iter(range(1_000_000))
    monkeypatch.setattr(image_module, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    data = png(1, 1, 8, 0, b"\0\0", chunk(b"abCd", b"") * 100_000)
    error = refused(data, ImageLimits(seconds=50))
    assert error.message == "the PNG image took more than 50 seconds to decode"
    assert not error.permanent
    assert next(seconds) < 100


def test_memory_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(image_module, "_decoded", no_memory)
    error = refused(saved(halves(), "PNG"))
    assert "not enough memory" in error.message
    assert not error.permanent


def test_pillow_settings_are_the_applications_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(Image.ID))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)  # Image.open would fail
    assert decode_image(saved(Image.new("L", (2000, 1500)), "PNG")).size == (1000, 750)
    monkeypatch.undo()
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(Image.ID)) == before


def test_threads() -> None:
    data = [saved(halves((number, 0, 0)), "PNG") for number in range(64)]
    with ThreadPoolExecutor(8) as threads:
        pictures = list(threads.map(decode_image, data))
    assert [picture.getpixel((0, 0)) for picture in pictures] == [(number, 0, 0) for number in range(64)]


def test_large_pictures_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_module, "LARGE_PIXELS", 10)
    broken = saved(halves(), "PNG")[:90]
    with ThreadPoolExecutor(4) as threads:
        tries = [threads.submit(decode_image, data) for data in [broken, saved(halves(), "PNG")] * 8]
    assert [type(each.exception()) for each in tries] == [MediaError, type(None)] * 8
    assert not image_module._LARGE_ONES.locked()


# Fuzz

SMALL = ImageLimits(bytes=100_000, pixels=1_000_000, seconds=20, detail=64)
SEEDS = [
    saved(halves(), "JPEG"),
    saved(halves(), "JPEG", progressive=True),
    cmyk_jpeg(adobe=True),
    saved(halves(), "PNG"),
    saved(halves(), "PNG", save_all=True, append_images=[halves(BLUE, RED)]),
    saved(halves(1, 0, "1"), "PNG"),
    saved(halves(), "GIF", save_all=True, append_images=[halves(BLUE, RED)]),
    saved(halves(), "WEBP"),
    saved(halves(), "WEBP", lossless=True),
    saved(halves(), "AVIF"),
    saved(halves(), "TIFF"),
    saved(halves(), "TIFF", compression="tiff_lzw"),
    saved(halves(), "BMP"),
]


def decodes_or_says_why(data: bytes) -> None:
    try:
        picture = decode_image(data, SMALL)
    except MediaError as error:
        assert error.message  # noqa: PT017
    else:
        assert picture.mode == "RGB"


@given(st.binary(max_size=300), st.sampled_from([b"", *(seed[:12] for seed in SEEDS)]))
@settings(max_examples=300, deadline=None)
def test_random_bytes(data: bytes, start: bytes) -> None:
    decodes_or_says_why(start + data)


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=4)), max_size=6),
    st.integers(0, 3000),
)
@settings(max_examples=600, deadline=None)
def test_damaged_pictures(seed: bytes, changes: list[tuple[int, bytes]], length: int) -> None:
    damaged = bytearray(seed)
    for place, new in changes:
        damaged[place % len(seed) : place % len(seed) + len(new)] = new
    decodes_or_says_why(bytes(damaged[: length or None]))
