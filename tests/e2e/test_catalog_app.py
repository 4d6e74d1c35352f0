"""The example application: its migrations up and down, and its searches with a real model."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

import mmdb.orm.alembic
from mmdb.database.statements import resource
from mmdb.database.url import sqlalchemy_url
from mmdb.worker import WorkerOptions, background
from tests.conftest import Database

assert mmdb.orm.alembic
APP = Path(__file__).parents[2] / "examples" / "catalog_app"
PHOTO = "    photo: Mapped[bytes | None] = mapped_column(deferred=True)\n"
TEXT_EMBEDDING = '    text_embedding = embedding("title", "description", model="lite")\n'
PHOTO_EMBEDDING = '    photo_embedding = embedding("photo", model="lite")\n'


def title_embedding(model: str) -> str:
    return f'    title_embedding = embedding("title", model="{model}")\n'


Edit = Callable[[str], str]


def without(source: str) -> str:
    return source.replace(PHOTO, "").replace(TEXT_EMBEDDING, "").replace(PHOTO_EMBEDDING, "")


STAGES: dict[str, Edit] = {
    "0001": without,
    "0002": lambda source: without(source.replace(TEXT_EMBEDDING, title_embedding("hash"))),
    "0003": lambda source: without(source.replace(TEXT_EMBEDDING, title_embedding("lite"))),
    "0004": lambda source: source.replace(TEXT_EMBEDDING, TEXT_EMBEDDING + title_embedding("lite")),
    "0005": lambda source: source,
}
"""What catalog/models.py said when each revision was written."""


@pytest.fixture
def application(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """The example on a database of its own, importable as `catalog`."""
    monkeypatch.setenv("MMDB_DATABASE_URL", database.url)
    monkeypatch.syspath_prepend(str(APP))
    yield Config(APP / "alembic.ini", stdout=io.StringIO())
    for name in [name for name in sys.modules if name.partition(".")[0] == "catalog"]:
        del sys.modules[name]


def metadata_of(edit: Edit) -> MetaData:
    source = (APP / "catalog" / "models.py").read_text("utf-8")
    module = ModuleType("catalog.models_of_then")
    sys.modules[module.__name__] = module
    exec(edit(source), module.__dict__)  # noqa: S102 - our own file as it was
    metadata: MetaData = module.Base.metadata
    return metadata


def differences(database: Database, metadata: MetaData) -> list[Any]:
    engine = sa.create_engine(sqlalchemy_url(database.url))
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    return list(found)


def test_each_revision_is_what_the_models_said_then(application: Config, database: Database) -> None:
    for revision, edit in STAGES.items():
        command.upgrade(application, revision)
        assert differences(database, metadata_of(edit)) == [], f"autogenerate after {revision} is not empty"


def test_up_and_down_and_up_again(application: Config, database: Database) -> None:
    command.upgrade(application, "head")
    command.check(application)
    command.downgrade(application, "base")
    with database.connect() as connection:
        left = connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relname <> 'alembic_version' "
            "union all select p.proname from pg_proc p where mmdb.is_made_by(p.oid, 1) or mmdb.is_made_by(p.oid, 2)"
        ).fetchall()
        assert {name for (name,) in left} == {"alembic_version_pkc", "dblink_pkey_results"}
        assert connection.execute("select count(*) from mmdb.embeddings").fetchone() == (0,)
    for revision in [*STAGES, "0004", "0003", "0002", "0001", "0003", "head"]:
        step = command.upgrade if revision in ("head", "0003") or revision > _current(database) else command.downgrade
        step(application, revision)
    command.check(application)


def _current(database: Database) -> str:
    with database.connect() as connection:
        row = connection.execute("select version_num from alembic_version").fetchone()
    return str(row[0]) if row else ""


def test_offline_it_is_a_script(application: Config, database: Database) -> None:
    command.upgrade(application, "head", sql=True)
    command.downgrade(application, "head:base", sql=True)
    with database.connect() as connection:
        assert connection.execute("select to_regclass('products')").fetchone() == (None,)


PRODUCTS = [
    ("Trail One", "light shoes for running on muddy paths", "89.00", 4),
    ("Office Six", "a swivel chair with armrests for long days", "240.00", 2),
    ("City Walk", "leather boots for the winter, waterproof", "130.00", 0),
    ("Morning", "a large mug for coffee or tea", "12.00", 9),
]


def test_searches_of_the_application(application: Config, database: Database) -> None:
    command.upgrade(application, "head")
    photos = resource("examples/shop") / "photos"
    with background(database.url, options=WorkerOptions(models=("lite",), poll_seconds=0.1)):
        asyncio.run(_use(database, photos))
    asyncio.run(_without_a_worker())


async def _use(database: Database, photos: Path) -> None:
    app = import_module("catalog.app").app
    async with app.router.lifespan_context(app), _client(app) as client:
        for title, description, price, stock in PRODUCTS:
            new = {"title": title, "description": description, "price": price, "stock": stock}
            assert (await client.post("/products", json=new)).status_code == 201
        for number, photo in ((2, "cat"), (4, "coffee")):
            body = (photos / f"{photo}.jpg").read_bytes()
            assert (await client.put(f"/products/{number}/photo", content=body)).status_code == 204
        await asyncio.to_thread(_wait, database)
        assert await _titles(client, "/search?q=sneakers for jogging") == "Trail One"
        assert await _titles(client, "/search?q=Stiefel&in_stock=true") != "City Walk"
        assert await _titles(client, "/search?q=schuhe&max_price=50") == "Morning"
        assert await _titles(client, "/search/seen?q=猫") == "Office Six"
        similar = (await client.get("/products/1/similar")).json()
        assert [hit["title"] for hit in similar] == ["Office Six", "Morning"] or len(similar) == 2
        cat = (photos / "cat.jpg").read_bytes()
        assert (await client.post("/search/photo", content=cat)).json()[0]["title"] == "Office Six"
        assert (await client.post("/search/photo", content=b"no picture")).status_code == 422
        assert (await client.get("/products/99/similar")).status_code == 404


async def _without_a_worker() -> None:
    app = import_module("catalog.app").app
    async with app.router.lifespan_context(app), _client(app) as client:
        assert (await client.get("/search?q=something nobody asked")).status_code == 503


def _client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://catalogue")


async def _titles(client: httpx.AsyncClient, url: str) -> str:
    answer = await client.get(url)
    assert answer.status_code == 200, answer.text
    return str(answer.json()[0]["title"])


def _wait(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("select mmdb.wait_until_embedded('products')")
