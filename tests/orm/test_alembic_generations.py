"""Alembic: another model in two migrations, with searches by the former one in between, and back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import mapped_column

from mmdb.orm import embedding
from mmdb.worker import Totals, WorkerOptions, work
from tests.conftest import Database
from tests.orm.test_alembic import Migrator, lines, products

WIDE = """
select mmdb.add_model('wide', 'hash', 'sha256', 96, array['text', 'image'], 'hash/1 dimensions=96',
  options => '{"dimensions": 96}')
"""


@pytest.fixture
def drain(database: Database) -> Callable[[], Totals]:
    return lambda: work(database.url, options=WorkerOptions(poll_seconds=0.1, once=True, models=("hash", "wide")))


def shop(model: str, dimensions: int, **columns: sa.orm.MappedColumn[str]) -> MetaData:
    return products(title_embedding=embedding("title", model=model, dimensions=dimensions), **columns)


@pytest.mark.parametrize("batch", [False, True])
def test_there_and_back(engine: Engine, drain: Callable[[], Totals], batch: bool) -> None:
    before = shop("hash", 64)
    after = shop("wide", 96, color=mapped_column(sa.String))
    with engine.connect() as connection:
        migrator = Migrator(connection, batch=batch)
        connection.execute(text(WIDE))
        migrator.migrate(before)
        connection.execute(text("insert into products select g, 'item ' || g from generate_series(1, 3) g"))
        connection.commit()
        assert drain().stored == 3
        migrator.run("op.change_model('products', 'title', 'wide')")
        assert migrator.scripts(before)[0].strip() == "pass", "the other generation is left alone"
        up, down = migrator.scripts(after)
        assert lines(up).splitlines()[-1] == "op.switch_model('products', 'title')"
        assert "drop_embedding" not in up + down
        with pytest.raises(DBAPIError, match="not embedded by model"):
            migrator.run(up)
        connection.rollback()
        assert drain().stored == 3
        for script, now, model in ((up, after, "wide"), (down, before, "hash"), (up, after, "wide")):
            migrator.run(script)
            assert migrator.scripts(now)[0].strip() == "pass"
            serving = "select model, pending, drift from mmdb.status where name = 'title'"
            assert connection.execute(text(serving)).one() == (model, 0, None)
        migrator.run("op.drop_generation('products', 'title')")
        assert migrator.scripts(after)[0].strip() == "pass"
        assert drain().stored == 0


def test_begun_by_hand_without_indexes_and_forced(engine: Engine) -> None:
    with engine.connect() as connection:
        migrator = Migrator(connection)
        connection.execute(text(WIDE))
        migrator.migrate(shop("hash", 64))
        connection.execute(text("insert into products values (1, 'one')"))
        migrator.run("op.change_model('products', 'title', 'wide', build_indexes=False)")
        with pytest.raises(DBAPIError, match="has no index yet"):
            migrator.run("op.switch_model('products', 'title', force=True)")
        connection.rollback()
        migrator.run("op.drop_generation('products', 'title')\nop.change_model('products', 'title', 'wide')")
        migrator.run("op.switch_model('products', 'title', force=True)")
        assert connection.execute(text("select model from mmdb.status where name = 'title'")).scalar() == "wide"
