"""The kinds of media, a row each: how large a source may be, what makes an item of its bytes, and what an item is.

A model takes items; `sniff.py` tells the kind of bytes. The kinds without a decoder have their place here and say that
they are not available yet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from PIL import Image

from mmdb.errors import MediaError
from mmdb.media.sniff import TEXT, Format, sniff

MAX_TEXT_BYTES = 1_000_000
"""Of a text, in UTF-8."""
MAX_MEDIA_BYTES = 50_000_000
"""Of a picture, in the row or behind a URI."""
MAX_URI_BYTES = 8_192
"""Of a URI, not of what it leads to."""

INVISIBLE = "\u200b\u2060\ufeff"
"""Characters of no width that are no white space to Python."""

Modality: TypeAlias = Literal["text", "image"]
"""The kinds that a model can embed today."""
MODALITIES: tuple[Modality, ...] = ("text", "image")
Item: TypeAlias = str | Image.Image


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of media. Without an item class it is not available yet."""

    name: str
    max_bytes: int = 0
    """Of one source; a larger one is not loaded."""
    item: type[Item] | None = None
    """What a model is given of it."""
    decode: Callable[[bytes], Item] | None = None
    """Bytes to an item; raises MediaError. A text has none: it comes as text."""

    @property
    def is_available(self) -> bool:
        return self.item is not None


def _picture(data: bytes) -> Item:
    from mmdb.media.image import decode_image  # with Pillow's plug-ins: whoever decodes nothing is not to wait for them

    return decode_image(data)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("text", MAX_TEXT_BYTES, str),
        Kind("image", MAX_MEDIA_BYTES, Image.Image, _picture),
        Kind("audio"),
        Kind("video"),
        Kind("document"),
        Kind("series"),
    )
}
_ITEMS = {name: kind.item for name, kind in KINDS.items() if kind.item is not None}


def kind_named(name: str) -> Kind:
    """The kind that a declaration names. Raises MediaError where it is not available."""
    kind = KINDS.get(name)
    if kind is not None and kind.is_available:
        return kind
    state = "does not exist" if kind is None else "is not available yet"
    there = ", ".join(kind.name for kind in KINDS.values() if kind.is_available)
    raise MediaError(f'kind of media "{name}" {state}, expected one of {there}')


def modality_of(item: object) -> Modality | None:
    """The kind of which `item` is an item; None where it is one of no kind."""
    for modality in MODALITIES:
        if isinstance(item, _ITEMS[modality]):
            return modality
    return None


def is_blank(item: object) -> bool:
    """Whether an item is a text that says nothing, as mmdb.is_blank has it."""
    return isinstance(item, str) and all(character.isspace() or character in INVISIBLE for character in item)


def max_source_bytes(kind: str, *, by_uri: bool = False) -> int:
    """The most bytes of a column that are loaded."""
    return MAX_URI_BYTES if by_uri else kind_named(kind).max_bytes


def item_of(content: str | bytes, *, model: str | None = None, takes: Collection[str] = MODALITIES) -> Item:
    """What a model takes, of a text as it is, of bytes by their kind, which is told by looking at them.

    `takes` are the kinds that the model takes. Raises MediaError, permanent where the bytes are of another kind.
    """
    if isinstance(content, str):
        return content
    found = sniff(content)
    # Not taken for a text, or the page that says "not found" would be embedded where the photo should be.
    kind = KINDS["image" if found.kind in (None, "text") else found.kind]
    if kind.decode is None or kind.name not in takes:
        raise _refusal(found, model, takes)
    return kind.decode(content)


def _refusal(found: Format, model: str | None, takes: Collection[str]) -> MediaError:
    taker = "the model" if model is None else f'model "{model}"'
    taken = ", ".join(kind for kind in KINDS if kind in takes)
    hint = "give a text as text, not as bytes" if found is TEXT else None
    return MediaError(f"the bytes are {found.words}, and {taker} takes {taken}", hint=hint)
