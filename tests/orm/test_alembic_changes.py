"""Alembic: columns change under an embedding, with `op` and in batches. Nothing is embedded again, up or down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import Engine, Index, MetaData, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import mapped_column

from mmdb.orm import embedding
from mmdb.worker import Totals
from tests.db.conftest import expected
from tests.orm.test_alembic import Migrator, lines, products

Drain = Callable[[], Totals]


@pytest.fixture(params=[False, True], ids=["op", "batch"])
def migrator(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Migrator]:
    """In batch mode, as Flask-Migrate has it, a table's operations run when the `with` block of the table ends."""
    with engine.connect() as connection:
        yield Migrator(connection, batch=request.param)


def shop(**columns: Any) -> MetaData:
    """Products with two embeddings over columns of which one is to change, one of them joined and marked."""
    given = {
        "title": mapped_column(sa.String(140)),
        "body": mapped_column(sa.String(50)),
        "price": mapped_column(sa.Integer),
        "title_embedding": embedding("title", model="hash"),
        "both_embedding": embedding("title", "body", model="hash", name="both", index=False, on_change="keep"),
    }
    return products(**{**given, **columns})


CHANGES: dict[str, Callable[[], dict[str, Any]]] = {
    "a wider source": lambda: {"title": mapped_column(sa.String(280))},
    "a source that may not be NULL": lambda: {"title": mapped_column(sa.String(140), nullable=False)},
    "both sources": lambda: {"title": mapped_column(sa.Text), "body": mapped_column(sa.CHAR(60))},
    "another type of key": lambda: {"id": mapped_column(sa.BigInteger, primary_key=True)},
    "a column more": lambda: {"color": mapped_column(sa.String)},
    "a source and other columns": lambda: {
        "title": mapped_column(sa.Text),
        "price": mapped_column(sa.Numeric),
        "color": mapped_column(sa.String),
    },
}


@pytest.mark.filterwarnings("ignore:autoincrement and existing_autoincrement")  # Alembic's own, of any key
@pytest.mark.parametrize("change", CHANGES)
def test_vectors_are_kept_there_and_back(migrator: Migrator, drain: Drain, change: str) -> None:
    before, after = shop(), shop(**CHANGES[change]())
    migrator.migrate(before)
    fill(migrator)
    assert drain().stored == 6
    up, down = migrator.scripts(after)
    for script, now in ((up, after), (down, before)):
        migrator.run(script)
        assert migrator.scripts(now)[0].strip() == "pass"
        check(migrator, drain)


@pytest.mark.parametrize("language", ["english", "japanese", "trigram"])
def test_words_are_found_by_a_column_of_another_type(migrator: Migrator, worker: None, language: str) -> None:
    before, after = shop(), shop(title=mapped_column(sa.Text))
    migrator.migrate(before)
    if language == "trigram":
        migrator.connection.execute(text("create extension if not exists pg_trgm"))
    migrator.connection.execute(
        text("select from mmdb.add_keywords('products', array['title', 'body'], :language)"), {"language": language}
    )
    fill(migrator)
    migrator.connection.execute(text("select mmdb.wait_until_embedded('products')"))
    up, down = migrator.scripts(after)
    for script in (up, down):
        migrator.run(script)
        found = "select ranks from products_search('item 2', k => 1)"
        assert "keywords" in migrator.connection.execute(text(found)).scalar_one()
        migrator.connection.commit()


def test_lists_and_enums(migrator: Migrator, drain: Drain) -> None:
    def classes(**columns: Any) -> MetaData:
        given = {
            "tags": mapped_column(ARRAY(sa.String)),
            "color": mapped_column(sa.Enum("red", "blue", name="color")),
            "all_embedding": embedding("title", "tags", "color", model="hash", name="all"),
        }
        return products(**{**given, **columns})

    before, after = classes(), classes(tags=mapped_column(ARRAY(sa.Text)), color=mapped_column(sa.Text))
    migrator.migrate(before)
    migrator.connection.execute(text("insert into products values (1, 'shoes', '{light,fast}', 'red')"))
    migrator.connection.commit()
    assert drain().stored == 1
    vector: list[float] = migrator.connection.execute(text("select all_embedding::real[] from products")).scalar_one()
    np.testing.assert_allclose(vector, expected("shoes\nlight, fast\nred"), atol=1e-3)
    up, _ = migrator.scripts(after)
    migrator.run(up)
    assert migrator.scripts(after)[0].strip() == "pass"
    assert drain() == Totals(stored=0, failed=0)


def test_an_index_of_a_column_that_comes_with_it(migrator: Migrator) -> None:
    """In a batch it would be built before its column is there."""
    index = Index("products_v", "v", postgresql_using="hnsw", postgresql_ops={"v": "vector_l2_ops"})
    plain, indexed = products(), products(v=mapped_column(VECTOR(4)), __table_args__=(index,))
    migrator.migrate(plain)
    up, down = migrator.scripts(indexed)
    for script, now in ((up, indexed), (down, plain), (up, indexed)):
        migrator.run(script)
        assert migrator.scripts(now)[0].strip() == "pass"


def test_functions_that_do_not_fit_are_noticed(migrator: Migrator, drain: Drain) -> None:
    """Whoever changed the table, another migration or psql."""
    metadata = shop()
    migrator.migrate(metadata)
    fill(migrator)
    drain()
    migrator.connection.execute(text("alter table products drop column price"))
    migrator.connection.execute(text("alter table products add column price integer"))
    migrator.connection.commit()
    up, down = migrator.scripts(metadata)
    assert lines(up) == "op.refresh_embeddings('products')"
    assert lines(down) == "pass"
    migrator.run(up)
    assert migrator.scripts(metadata)[0].strip() == "pass"
    check(migrator, drain)


def test_what_is_written_for_a_source(migrator: Migrator) -> None:
    migrator.migrate(shop())
    up, down = migrator.scripts(shop(title=mapped_column(sa.Text)))
    for script in (up, down):
        written = lines(script).splitlines()
        assert written[0] == "op.release_sources('products')"
        assert written[-1] == "op.refresh_embeddings('products')"


def fill(migrator: Migrator) -> None:
    migrator.connection.execute(
        text("insert into products select g, 'item ' || g, 'body' from generate_series(1, 3) g")
    )
    migrator.connection.commit()


def check(migrator: Migrator, drain: Drain) -> None:
    """No row waits, every search function answers, and a changed source is noticed."""
    connection = migrator.connection
    connection.commit()
    assert connection.execute(text("select drift from mmdb.status")).scalars().all() == [None, None]
    assert drain() == Totals(stored=0, failed=0)
    for vector, function in (
        ("title_embedding", "products_by_title(v)"),
        ("both_embedding", "products_top_by_both(v, 3)"),
        ("null", "products_like(1, 2)"),
    ):
        query = f"select count(*) from (select {vector} from products where id = 1) q(v), {function}"
        assert connection.execute(text(query)).scalar() == (2 if "like" in function else 3), function
    connection.execute(text("update products set price = coalesce(price, 0) + 1"))
    connection.commit()
    assert drain().stored == 0, "no source was changed"
    connection.execute(text("update products set title = title || '.' where id = 2"))
    assert connection.execute(text("select pending, stale from mmdb.status order by name")).all() == [(1, 1), (1, 0)]
    connection.rollback()
