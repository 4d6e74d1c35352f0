"""The poster shop: its data, the demo over it, the page that it writes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psycopg
import pytest
from PIL import Image
from rich.console import Console

from mmdb.cli.demo import shop_module
from mmdb.config import Settings
from mmdb.errors import MediaError
from mmdb.server import embedded
from tests.conftest import Database, open_folder, temporary_database
from tests.e2e.programs import Program

SHOP = Path(__file__).parents[2] / "examples" / "shop"
demo = shop_module("demo")
data = shop_module("data")
page = shop_module("page")


@dataclass(frozen=True)
class Shown:
    """What one run of the demo gave."""

    results: list[Any]
    text: str
    html: str

    def rows(self, number: int) -> list[dict[str, Any]]:
        return list(self.results[number - 1].rows)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("demo")
    return Settings(database_url=None, home=folder, cache=folder / "cache")


@pytest.fixture(scope="module")
def shop(server: embedded.ServerInfo) -> Iterator[Database]:
    """A database of the demo's own, which begins empty."""
    yield from temporary_database(server, "template1")


def show(database: Database, settings: Settings, width: int = 80, image: Path | None = None) -> Shown:
    out = Console(file=io.StringIO(), width=width)
    html = settings.home / "new folder" / "demo.html"
    results = demo.run(database.url, settings=settings, console=out, html=html, image=image)
    assert isinstance(out.file, io.StringIO)
    return Shown(results, out.file.getvalue(), html.read_text("utf-8"))


@pytest.fixture(scope="module")
def first(shop: Database, settings: Settings) -> Shown:
    return show(shop, settings)


def test_words_find_the_cat(first: Shown) -> None:
    assert first.rows(1)[0]["title"] == "Chelsea"
    assert first.rows(2)[0]["title_zh"] == "切尔西"
    for number in (1, 2, 3, 5):
        distances = [row["distance"] for row in first.rows(number)]
        assert len(distances) == 3
        assert distances == sorted(distances)


def test_picture_finds_its_like(first: Shown, shop: Database, settings: Settings, tmp_path: Path) -> None:
    """First the kitten that the shop does not have; then a picture of the reader's own: an owl, cropped and small."""
    assert first.rows(3)[0]["title"] == "Chelsea"
    image = tmp_path / "mine.png"
    with Image.open(SHOP / "photos" / "owl.jpg") as owl:
        owl.crop((120, 20, 380, 260)).resize((130, 120)).save(image)
    mine = show(shop, settings, image=image)
    assert mine.rows(3)[0]["title"] == "Dusk Watch"
    assert "%(image)s is mine.png" in mine.text
    assert mine.rows(1) == first.rows(1)


def test_filters_hold(first: Shown) -> None:
    rows = first.rows(4)
    assert len(rows) == 6
    assert all(row["price"] < 15 and row["stock"] > 0 for row in rows)
    assert {row["title"] for row in rows} == {"Scarlet", "The Diver Waits", "Dusk Watch"}


def test_revenue_is_all_of_the_quarter(first: Shown, shop: Database) -> None:
    rows = first.rows(6)
    assert sorted(poster for row in rows for poster in row["ids"]) == list(range(1, 21))
    with shop.connect() as connection:
        total = connection.execute(
            "select sum(l.quantity * l.unit_price) from shop.order_lines l join shop.orders o on o.id = l.order_id "
            "where o.ordered_at >= timestamptz '2026-07-01 00:00+00' and o.status not in ('returned', 'cancelled')"
        ).fetchone()
    assert total == (sum(row["revenue"] for row in rows),)
    assert rows[0]["revenue"] > 0
    themes = {row["theme"]: row["ids"] for row in rows}
    assert themes["birds on a branch"] == [9, 10, 15]
    assert themes["food and drink"] == [4]


def test_wishes_in_eight_languages_find_their_posters(first: Shown) -> None:
    assert [row["title"] for row in first.rows(7)] == [
        "Chelsea",
        "Ink and Snow",
        "Neuschwanstein",
        "First Cup",
        "Scarlet",
        "Afternoon Off",
        "Minutes to Go",
        "Home Reef",
    ]


def test_second_run_does_nothing_again(first: Shown, shop: Database, settings: Settings) -> None:
    rows = "select id, xmin::text, photo_embedding::text, text_embedding::text from shop.posters order by id"
    with shop.connect() as connection:
        before = connection.execute(rows).fetchall()
        again = show(shop, settings)
        assert connection.execute(rows).fetchall() == before
    assert again.html == first.html
    assert [result.rows for result in again.results] == [result.rows for result in first.results]
    assert "Loaded the poster shop" in first.text
    assert "is in schema shop already" in again.text


def test_output_fits_and_ends_with_what_to_type(first: Shown, shop: Database, settings: Settings) -> None:
    searches, _, end = first.text.partition("What next")
    assert max(map(len, searches.splitlines())) <= 80
    steps = [line.strip() for line in end.splitlines() if line.startswith("  ")]
    assert steps[0] == "mmdb up --detach"
    assert any(step.startswith("mmdb psql -c ") for step in steps)
    assert sum(step.startswith("mmdb search ") for step in steps) == 2
    assert re.fullmatch(r"This took \d+\.\d s\.", end.splitlines()[-1])
    assert demo.next_steps("mmdb", running=True)[0].startswith("mmdb search")
    wide = show(shop, settings, width=300).text.partition("What next")[0]
    assert max(map(len, wide.splitlines())) <= demo.WIDTH


def test_steps_that_are_printed_work(first: Shown, shop: Database, settings: Settings) -> None:
    """The searches of "What next", typed into a shell, once the worker of `up` runs."""
    program = Program(settings.home, shop.url, {"MMDB_CACHE": str(settings.cache)})
    try:
        assert program.run("up", "--detach").code == 0
        kitchen = ["search", "shop.posters", "something for the kitchen", "--embedding", "text", "-k", "3"]
        assert kitchen[2] in first.text
        assert json.loads(program.out(*kitchen, "--format", "json"))[0]["title"] == "First Cup"
        snow = ["search", "shop.posters", "雪", "--embedding", "photo", "--where", "title <> 'Chelsea'", "-k", "3"]
        assert len(json.loads(program.out(*snow, "--format", "json"))) == 3
    finally:
        program.run("down")


class Checked(HTMLParser):
    """Fails on tags that are not closed; collects what refers to something else, and pictures without a text."""

    EMPTY = frozenset({"meta", "img", "link", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.tags.append(tag)
        self.references += [found[name] or "" for name in ("src", "href", "srcset", "action", "data") if name in found]
        assert tag != "img" or found.get("alt")
        assert not any(name.startswith("on") for name in found)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(html: str) -> Checked:
    checked = Checked()
    checked.feed(html)
    checked.close()
    assert checked.open == []
    return checked


def test_page_needs_nothing_but_itself(first: Shown) -> None:
    checked = parsed(first.html)
    assert len(checked.references) == checked.tags.count("img") > 40
    assert all(reference.startswith("data:image/jpeg;base64,") for reference in checked.references)
    assert {"script", "link", "iframe"} & set(checked.tags) == set()
    assert "http:" not in first.html
    assert "https:" not in first.html
    assert "url(" not in first.html
    assert "@import" not in first.html
    assert "prefers-color-scheme: dark" in first.html
    assert len(first.html) < 1_500_000
    for result in first.results:
        assert result.query.title.replace("'", "&#x27;") in first.html


def test_page_escapes_what_the_database_holds() -> None:
    photo = data.photo("cat.jpg")
    evil = '"><script>alert(1)</script>'
    query = demo.Query(evil, evil, f"select '{evil}'")
    cards = demo.Result(query, ["id", "title", "x", "wish"], [{"id": 1, "title": evil, "x": evil, "wish": evil}])
    groups = demo.Result(query, ["theme", "ids", evil], [{"theme": evil, "ids": [1], evil: 1}])
    html = page.page([cards, groups], [{"id": 1, "title": evil, "title_zh": evil, "photo": photo}], photo)
    assert "script" not in parsed(html).tags


def test_schema_of_somebody_else_is_left_alone(empty_database: Database, settings: Settings) -> None:
    with empty_database.connect() as connection:
        connection.execute("create schema shop")
        with pytest.raises(data.ShopError, match='schema "shop" holds something else'):
            show(empty_database, settings)
        assert connection.execute("select to_regclass('shop.posters')").fetchone() == (None,)


def test_what_is_no_picture_is_refused_first(empty_database: Database, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="not an image"):
        show(empty_database, settings, image=Path(__file__))
    with pytest.raises(data.ShopError, match="cannot be read"):
        show(empty_database, settings, image=tmp_path / "none.jpg")
    with empty_database.connect() as connection:
        assert connection.execute("select to_regnamespace('mmdb')::text").fetchone() == (None,)


@pytest.mark.timeout(600)
def test_demo_stops_the_server_that_it_started() -> None:
    with open_folder("mmdb-cli-") as home:
        program = Program(home)
        try:
            check_demo(program)
        finally:
            program.run("down")
        assert not embedded.status(home).running


def check_demo(program: Program) -> None:
    html = program.home / "page.html"
    answer = program.run("demo", "--html", str(html))
    assert answer.code == 0, answer.err
    assert " up --detach" in first_step(answer.out)
    parsed(html.read_text("utf-8"))
    info = embedded.status(program.home)
    assert not info.running
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(info.url)

    answer = program.run("demo", "--keep-running", "--html", str(html))
    assert answer.code == 0, answer.err
    assert " search " in first_step(answer.out)
    assert "Chelsea" in program.out("search", "shop.posters", "cat", "--embedding", "photo", "-k", "1")


def first_step(out: str) -> str:
    return out.partition("Searches of your own:\n")[2].partition("\n")[0]


# The data.


def test_shop_is_the_same_every_time() -> None:
    made, again = data.generate(), data.generate()
    assert made == again
    assert 14 <= len(made.posters) <= 20
    assert len(made.orders) == 3000
    assert len(made.products) == 11 * len(made.posters)
    assert {line[1] for line in made.order_lines} <= {product[0] for product in made.products}


def test_every_photo_is_small_bare_used_and_credited() -> None:
    texts = json.loads((SHOP / "posters.json").read_text("utf-8"))
    photos = sorted(path.name for path in (SHOP / "photos").iterdir())
    assert sorted(text["photo"] for text in texts) == photos
    credits = (SHOP / "CREDITS.md").read_text("utf-8")
    for path in [*(SHOP / "photos").iterdir(), SHOP / "query.jpg"]:
        assert f"\n| {path.name} " in credits
        with Image.open(path) as photo:
            assert photo.format == "JPEG"
            assert max(photo.size) <= 400
            assert not photo.getexif()
        assert path.stat().st_size < 60_000
