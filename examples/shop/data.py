"""The shop's rows: the same on every machine and every day, and their way into an empty database.

Photographs and texts are files beside this one; products, customers, orders and wishes come from a seeded generator.
The shop's clock stands at `LAST_DAY`, so that "the last quarter" is a full one whenever the demo runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from mmdb.errors import MmdbError

FOLDER = Path(__file__).parent
EDITION = "The poster shop of the mmdb demo, edition 1"
"""The comment on schema shop, by which a second run knows its own."""

SEED = 20260930
LAST_DAY = datetime(2026, 9, 30, tzinfo=UTC)
DAYS = 730
CUSTOMERS = 240
ORDERS = 3000

PRICES = {"A4": Decimal("9.90"), "A3": Decimal("14.90"), "A2": Decimal("24.90"), "A1": Decimal("39.90")}
FRAMES = {"none": Decimal("0"), "oak": Decimal("1.2"), "black": Decimal("0.9")}
"""A frame's price, in prices of the unframed print."""
STATUSES = {"delivered": 90, "returned": 4, "cancelled": 6}

NAMES = {
    "GB": ("Alice Ben Chloe Daniel Emma", "Archer Baker Clarke Hughes Walker"),
    "DE": ("Anna Jonas Lena Paul Sophie", "Becker Fischer Hoffmann Schäfer Vogel"),
    "FR": ("Camille Hugo Inès Louis Manon", "Bernard Dubois Laurent Moreau Petit"),
    "ES": ("Carmen Diego Lucía Mateo Sofía", "Castro García Molina Ortega Ruiz"),
    "CN": ("伟 芳 娜 静 磊", "陈 李 王 张 赵"),
    "JP": ("陽菜 蓮 さくら 大翔 結衣", "佐藤 鈴木 高橋 田中 伊藤"),
    "US": ("Ava Ethan Mia Noah Zoe", "Carter Diaz Johnson Nguyen Reed"),
    "RU": ("Анна Иван Мария Олег Софья", "Волков Зайцев Кузнецов Лебедев Соколов"),
}
SURNAME_FIRST = ("CN", "JP")
WISHES = (
    ("GB", "a cat for my daughter's room"),
    ("CN", "我想要一只大熊猫"),
    ("DE", "ein Schloss in den Bergen"),
    ("FR", "une tasse de café pour ma cuisine"),
    ("ES", "un loro de muchos colores"),
    ("JP", "木の上のコアラ"),
    ("RU", "ракета на стартовой площадке"),
    ("US", "tropical fish in a coral reef"),
)

Row = tuple[Any, ...]


class ShopError(MmdbError):
    """The shop cannot be loaded into this database."""


@dataclass(frozen=True)
class Shop:
    """All rows, each table's in the order of its columns in COLUMNS."""

    posters: Sequence[Row]
    products: Sequence[Row]
    customers: Sequence[Row]
    orders: Sequence[Row]
    order_lines: Sequence[Row]
    wishes: Sequence[Row]


COLUMNS = {
    "posters": ("id", "title", "title_zh", "description", "description_zh", "photo"),
    "products": ("id", "poster_id", "size", "frame", "price", "stock"),
    "customers": ("id", "name", "country", "email", "joined_at"),
    "orders": ("id", "customer_id", "ordered_at", "status"),
    "order_lines": ("order_id", "product_id", "quantity", "unit_price"),
    "wishes": ("id", "customer_id", "wish"),
}


@cache
def statement(name: str) -> SQL:
    """The text of one file beside this one, as literal as a string in this module: "schema", "statements/lock"."""
    return SQL((FOLDER / f"{name}.sql").read_text("utf-8"))


def photo(name: str) -> bytes:
    return (FOLDER / "photos" / name).read_bytes()


def generate() -> Shop:
    """The whole shop. The same rows on every call."""
    random = Random(SEED)
    posters = _posters()
    products = list(_products(random, len(posters)))
    customers = list(_customers(random))
    orders = list(_orders(random))
    lines = [line for order in orders for line in _lines(random, order[0], products)]
    return Shop(posters, products, customers, orders, lines, _wishes(customers))


def _posters() -> list[Row]:
    texts = json.loads((FOLDER / "posters.json").read_text("utf-8"))
    return [
        (number, *(text[column] for column in COLUMNS["posters"][1:-1]), photo(text["photo"]))
        for number, text in enumerate(texts, 1)
    ]


def _products(random: Random, posters: int) -> Iterator[Row]:
    offers = [(size, frame) for size in PRICES for frame in FRAMES if (size, frame) != ("A4", "black")]
    for number in range(posters * len(offers)):
        size, frame = offers[number % len(offers)]
        price = (PRICES[size] * (1 + FRAMES[frame])).quantize(Decimal("0.1")) + Decimal("0.00")
        stock = 0 if random.random() < 0.15 else random.randrange(1, 60)
        yield number + 1, number // len(offers) + 1, size, frame, price, stock


def _customers(random: Random) -> Iterator[Row]:
    countries = list(NAMES)
    for number in range(1, CUSTOMERS + 1):
        country = countries[(number - 1) % len(countries)]
        given, family = (random.choice(names.split()) for names in NAMES[country])
        name = family + given if country in SURNAME_FIRST else f"{given} {family}"
        joined = LAST_DAY - timedelta(days=DAYS + random.randrange(365))
        yield number, name, country, f"customer{number}@example.com", joined


def _orders(random: Random) -> Iterator[Row]:
    # The maximum of two draws: business grows steadily over the two years.
    seconds = DAYS * 86_400
    ages = sorted((seconds - max(random.randrange(seconds) for _ in range(2)) for _ in range(ORDERS)), reverse=True)
    for number, age in enumerate(ages, 1):
        ordered_at = LAST_DAY + timedelta(days=1) - timedelta(seconds=age)
        yield number, random.randrange(1, CUSTOMERS + 1), ordered_at, _status(random, age // 86_400)


def _status(random: Random, days: int) -> str:
    if days < 7:
        return "paid" if days < 2 else "shipped"
    return random.choices(list(STATUSES), list(STATUSES.values()))[0]


def _lines(random: Random, order: int, products: Sequence[Row]) -> Iterator[Row]:
    """One to three different products; the first half of the list sells a little better, as best-sellers do."""
    chosen = {int(len(products) * random.random() ** 1.2) for _ in range(random.choice((1, 1, 1, 2, 2, 3)))}
    for number in sorted(chosen):
        yield order, products[number][0], random.choice((1, 1, 1, 1, 2, 3)), products[number][4]


def _wishes(customers: Sequence[Row]) -> list[Row]:
    first = {country: next(row[0] for row in customers if row[2] == country) for country in NAMES}
    return [(number, first[country], wish) for number, (country, wish) in enumerate(WISHES, 1)]


def load(connection: psycopg.Connection[Any]) -> bool:
    """Create schema shop with all its rows, in one transaction. False where it was there already.

    Raises ShopError where the database has a schema shop that is not this one.
    """
    with connection.transaction():
        connection.execute(statement("statements/lock"))
        if _loaded(connection):
            return False
        connection.execute(statement("schema"))
        shop = generate()
        for table in COLUMNS:
            _copy(connection, table, getattr(shop, table))
    return True


def _loaded(connection: psycopg.Connection[Any]) -> bool:
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(statement("statements/edition")).fetchone()
    edition, present = found if found is not None else (None, False)
    if present and edition != EDITION:
        raise ShopError(
            f'schema "shop" holds something else than the demo\'s shop: its comment is "{edition}", not "{EDITION}"',
            hint='run the demo in another database, or, if nothing in it is needed, "drop schema shop cascade"',
        )
    return bool(present)


def _copy(connection: psycopg.Connection[Any], table: str, rows: Sequence[Row]) -> None:
    columns = COLUMNS[table]
    target = SQL("copy {} ({}) from stdin").format(Identifier("shop", table), SQL(", ").join(map(Identifier, columns)))
    with connection.cursor() as cursor, cursor.copy(target) as copy:
        for row in rows:
            copy.write_row(row)
    if "id" in columns:
        parameters = {"table": f"shop.{table}", "last": len(rows)}
        connection.execute(statement("statements/set_identity"), parameters)
