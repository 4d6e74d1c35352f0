"""The demo's results as one HTML page that needs nothing but itself: styles and thumbnails are inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PostgresLexer  # type: ignore[import-untyped]

from mmdb.media.image import decode_image

from .data import FOLDER

if TYPE_CHECKING:
    from .demo import Result

THUMBNAIL = 320
"""Pixels of a thumbnail's longer side, for 160 on a screen with two to a point."""

Poster = Mapping[str, Any]


def page(results: Sequence[Result], posters: Sequence[Poster], picture: bytes) -> str:
    """The whole document. The same results give the same bytes."""
    shop = {poster["id"]: poster for poster in posters}
    sections = "\n".join(_section(number, result, shop, picture) for number, result in enumerate(results, 1))
    template = (FOLDER / "page.html").read_text("utf-8")
    return template.replace("<!-- sections -->", sections)


def value(found: object, titles: Mapping[int, str]) -> str:
    """One value as text: distances with three digits, lists of poster ids as titles."""
    if isinstance(found, float):
        return f"{found:.3f}"
    if isinstance(found, list):
        return ", ".join(titles.get(item, str(item)) for item in found)
    return "" if found is None else str(found)


def _section(number: int, result: Result, shop: Mapping[int, Poster], picture: bytes) -> str:
    query = result.query
    asked = f'<figure class="query">{_image(picture, "The query")}<figcaption>the query</figcaption></figure>'
    return f"""<section>
<h2><span>{number}</span> {escape(query.title)}</h2>
<p>{escape(query.explanation)}</p>
{asked if query.takes_image else ""}
<div class="sql">{highlight(query.sql, PostgresLexer(), HtmlFormatter())}</div>
{_grouped(result, shop) if "ids" in result.columns else _cards(result, shop)}
</section>"""


def _cards(result: Result, shop: Mapping[int, Poster]) -> str:
    cards = "\n".join(_card(row, result.columns, shop) for row in result.rows)
    return f'<ol class="cards">\n{cards}\n</ol>'


def _card(row: Mapping[str, Any], columns: Sequence[str], shop: Mapping[int, Poster]) -> str:
    poster = shop[row["id"]]
    heading = next((column for column in ("title", "title_zh") if column in columns), "title")
    facts = "".join(
        f"<div><dt>{escape(column)}</dt><dd>{escape(value(row[column], {}))}</dd></div>"
        for column in columns
        if column not in ("id", heading, "wish")
    )
    wish = f"<q>{escape(row['wish'])}</q>" if "wish" in columns else ""
    return f"<li>{wish}{_thumbnail(poster)}<h3>{escape(row[heading])}</h3><dl>{facts}</dl></li>"


def _grouped(result: Result, shop: Mapping[int, Poster]) -> str:
    """A table, a row of small pictures in each of its rows."""
    others = [column for column in result.columns if column != "ids"]
    head = "".join(f"<th>{escape(column)}</th>" for column in [*others, "posters"])
    rows = "\n".join(f"<tr>{_cells(row, others, shop)}</tr>" for row in result.rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'


def _cells(row: Mapping[str, Any], columns: Sequence[str], shop: Mapping[int, Poster]) -> str:
    kinds = ["" if isinstance(row[column], str) else ' class="number"' for column in columns]
    cells = [f"<td{kind}>{escape(value(row[column], {}))}</td>" for column, kind in zip(columns, kinds, strict=True)]
    return "".join(cells) + f'<td class="strip">{"".join(_thumbnail(shop[number]) for number in row["ids"])}</td>'


def _thumbnail(poster: Poster) -> str:
    return _image(bytes(poster["photo"]), poster["title"])


def _image(content: bytes, alternative: str) -> str:
    return f'<img src="{_data_uri(content)}" alt="{escape(alternative)}" title="{escape(alternative)}">'


@cache
def _data_uri(content: bytes) -> str:
    picture = decode_image(content)
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
