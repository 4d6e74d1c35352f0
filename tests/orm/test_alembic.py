"""Alembic: what autogenerate writes, that it works both ways, and that a second one is empty."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import produce_migrations
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _render_python_into_templatevars
from alembic.migration import MigrationContext
from alembic.operations import Operations
from pgvector.sqlalchemy import HALFVEC, VECTOR
from sqlalchemy import Connection, Engine, Index, MetaData, cast, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import mmdb.orm.alembic
from mmdb.database.url import sqlalchemy_url
from mmdb.errors import DeclarationError
from mmdb.install import install
from mmdb.orm import embedding, nearest
from mmdb.worker import Totals, work
from tests.conftest import Database, Server, temporary_database
from tests.db.conftest import ONCE, expected
from tests.migration.dump import run_program
from tests.orm.conftest import Base as Shop
from tests.orm.conftest import Product

Drain = Callable[[], Totals]
assert mmdb.orm.alembic
PREFIXES = {
    "sqlalchemy_module_prefix": "sa.",
    "alembic_module_prefix": "op.",
    "user_module_prefix": None,
}
HASH = "select mmdb.add_model('{}', backend, model, {}, modalities, '{}') from mmdb.models where name = 'hash'"


class Migrator:
    """Autogenerate against a database, the script that it writes, and that script executed."""

    def __init__(self, connection: Connection, *, batch: bool = False) -> None:
        self.connection = connection
        self.batch = batch

    def context(self, metadata: MetaData, **options: Any) -> MigrationContext:
        return MigrationContext.configure(
            self.connection, opts={"target_metadata": metadata, "compare_type": True, **options}
        )

    def scripts(self, metadata: MetaData, **options: Any) -> tuple[str, str]:
        """Upgrade and downgrade, as they would be written into a revision."""
        context = self.context(metadata, **options)
        script = produce_migrations(context, metadata)
        autogen = AutogenContext(context, opts={**PREFIXES, "render_as_batch": self.batch, **context.opts})
        autogen.imports.update(script.imports)
        filled: dict[str, Any] = {}
        _render_python_into_templatevars(autogen, script, filled)
        up, down = (re.sub(r"(?m)^\s*#.*$", "", filled[name]).strip() for name in ("upgrades", "downgrades"))
        return f"{filled['imports']}\n{up}", f"{filled['imports']}\n{down}"

    def run(self, script: str) -> None:
        operations = Operations(self.context(MetaData()))
        body = "\n".join(line.removeprefix("    ") for line in script.splitlines())
        exec(body, {"op": operations, "sa": sa})  # noqa: S102 - it is what a revision file would hold
        self.connection.commit()

    def migrate(self, metadata: MetaData) -> tuple[str, str]:
        """Autogenerate and upgrade; a second autogenerate must be empty."""
        up, down = self.scripts(metadata)
        self.run(up)
        assert self.scripts(metadata)[0].strip() == "pass"
        return lines(up), lines(down)


def lines(script: str) -> str:
    return "\n".join(line.strip() for line in script.strip().splitlines() if line.strip())


@pytest.fixture
def migrator(engine: Engine) -> Iterator[Migrator]:
    with engine.connect() as connection:
        yield Migrator(connection)


def products(**columns: Any) -> MetaData:
    """The metadata of a class Product with these attributes beside id and title."""
    base = type("Base", (DeclarativeBase,), {"metadata": MetaData()})
    own = {"id": mapped_column(sa.Integer, primary_key=True), "title": mapped_column(sa.String)}
    made = type("Product", (base,), {"__tablename__": "products", **own, **columns})
    metadata: MetaData = made.metadata  # type: ignore[attr-defined]
    return metadata


def columns_of(connection: Connection, table: str = "products") -> list[str]:
    return [column["name"] for column in sa.inspect(connection).get_columns(table)]


def status(connection: Connection) -> list[tuple[Any, ...]]:
    query = text("select relation::text, name, model, drift from mmdb.status order by 1, 2")
    return [tuple(row) for row in connection.execute(query)]


def test_a_new_table_with_an_embedding_and_away_with_it(migrator: Migrator, drain: Drain) -> None:
    up, down = migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    assert up.splitlines()[-1] == "op.add_embedding('products', 'title', model='hash')"
    assert "title_embedding" not in up.partition("op.add_embedding")[0]
    assert down == "op.drop_embedding('products', 'title')\nop.drop_table('products')"
    migrator.connection.execute(text("insert into products values (1, 'one')"))
    migrator.connection.commit()
    assert drain().stored == 1
    up, down = migrator.migrate(MetaData())
    assert up == "op.drop_embedding('products', 'title')\nop.drop_table('products')"
    migrator.run(down)
    assert columns_of(migrator.connection) == ["id", "title", "title_embedding"]
    assert status(migrator.connection) == [("products", "title", "hash", None)]


def test_an_embedding_is_added_to_a_table_that_is_there(migrator: Migrator, drain: Drain) -> None:
    migrator.migrate(products())
    migrator.connection.execute(text("insert into products select g, 'item ' || g from generate_series(1, 5) g"))
    up, down = migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    assert up == "op.add_embedding('products', 'title', model='hash')"
    assert down == "op.drop_embedding('products', 'title')"
    assert drain().stored == 5, "existing rows are backfilled"
    migrator.run(down)
    assert columns_of(migrator.connection) == ["id", "title"]
    assert status(migrator.connection) == []
    assert migrator.scripts(products())[0].strip() == "pass"


def test_every_option_is_written(migrator: Migrator) -> None:
    up, _ = migrator.migrate(
        products(
            uri=mapped_column(sa.String),
            look_embedding=embedding(
                "uri", model="hash", modality="image", prefix="shop", index={"m": 8, "ef_construction": 40}
            ),
            both_embedding=embedding("title", "uri", model="hash", index=False),
            kept_embedding=embedding("title", model="hash", index=False, on_change="keep"),
        )
    )
    added = [line for line in up.splitlines() if line.startswith("op.add_embedding")]
    assert added == [
        "op.add_embedding('products', 'uri', name='look', model='hash', modality='image', "
        "index={'m': 8, 'ef_construction': 40}, prefix='shop')",
        "op.add_embedding('products', 'title', 'uri', name='both', model='hash', index=False)",
        "op.add_embedding('products', 'title', name='kept', model='hash', index=False, on_change='keep')",
    ]
    indexes = {index["name"] for index in sa.inspect(migrator.connection).get_indexes("products")}
    assert indexes == {"shop_look_hnsw", "shop_look_pending", "products_both_pending", "products_kept_pending"}


def test_what_becomes_of_a_changed_source_is_compared(migrator: Migrator, drain: Drain) -> None:
    """And the column of the marks is no business of Alembic's: not when it comes, stays, or goes with its table."""
    kept = products(title_embedding=embedding("title", model="hash", on_change="keep"))
    migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    up, down = migrator.migrate(kept)
    again = "op.drop_embedding('products', 'title')\nop.add_embedding('products', 'title', model='hash'{})"
    assert up == again.format(", on_change='keep'")
    assert down == again.format("")
    assert columns_of(migrator.connection) == ["id", "title", "title_embedding", "title_stale"]
    up, down = migrator.migrate(MetaData())
    assert "title_stale" not in up + down
    migrator.run(down)
    assert migrator.scripts(kept)[0].strip() == "pass"
    migrator.connection.execute(text("insert into products values (1, 'one')"))
    migrator.connection.commit()
    drain()
    migrator.connection.execute(text("update products set title = 'two'"))
    assert migrator.connection.execute(text("select stale from mmdb.status")).scalar() == 1


def test_a_changed_model_or_source_is_another_embedding(migrator: Migrator) -> None:
    migrator.connection.execute(text(HASH.format("other", 64, "other")))
    migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    up, down = migrator.migrate(products(title_embedding=embedding("title", model="other", dimensions=64)))
    assert up == "op.drop_embedding('products', 'title')\nop.add_embedding('products', 'title', model='other')"
    assert down == "op.drop_embedding('products', 'title')\nop.add_embedding('products', 'title', model='hash')"
    up, _ = migrator.migrate(
        products(
            body=mapped_column(sa.String), title_embedding=embedding("title", "body", model="other", dimensions=64)
        )
    )
    assert "op.add_column('products', sa.Column('body'" in up
    assert "op.drop_embedding('products', 'title')" in up
    assert "op.add_embedding('products', 'title', 'body', name='title', model='other')" in up


def test_weights_are_written_and_their_change_is_noticed(migrator: Migrator) -> None:
    def shop(weights: tuple[float, ...] | None) -> MetaData:
        return products(
            body=mapped_column(sa.String),
            photo=mapped_column(sa.LargeBinary),
            all_embedding=embedding(*("title", "photo"), model="hash", name="all", weights=weights)
            if weights
            else embedding("title", "body", model="hash", name="all"),
        )

    added = "op.add_embedding('products', 'title', 'photo', name='all', model='hash', weights=({}))"
    up, _ = migrator.migrate(shop((7, 3)))
    assert up.splitlines()[-1] == added.format("7.0, 3.0")
    up, down = migrator.migrate(shop((0.7, 0.1)))
    assert up.splitlines() == ["op.drop_embedding('products', 'all')", added.format("0.7, 0.1")]
    assert down.splitlines() == ["op.drop_embedding('products', 'all')", added.format("7.0, 3.0")]
    migrator.run(down)
    assert migrator.connection.scalar(text("select weights from mmdb.embeddings")) == [7.0, 3.0]
    up, down = migrator.migrate(shop(None))
    assert up.splitlines()[-1] == "op.add_embedding('products', 'title', 'body', name='all', model='hash')"
    migrator.run(down)
    assert migrator.connection.scalar(text("select weights from mmdb.embeddings")) == [7.0, 3.0]


def test_a_wider_model_is_no_change_of_type(migrator: Migrator) -> None:
    migrator.connection.execute(text(HASH.format("wide", 128, "wide")))
    migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    up, _ = migrator.migrate(products(title_embedding=embedding("title", model="wide", dimensions=128)))
    assert "alter_column" not in up


def test_changed_index_parameters(migrator: Migrator) -> None:
    migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    up, down = migrator.migrate(products(title_embedding=embedding("title", model="hash", index={"m": 8})))
    assert up == (
        "op.drop_hnsw_index('products_title_hnsw', 'products')\n"
        "op.create_hnsw_index('products_title_hnsw', 'products', 'title_embedding', 'halfvec_cosine_ops', m=8)"
    )
    assert down == (
        "op.drop_hnsw_index('products_title_hnsw', 'products')\n"
        "op.create_hnsw_index('products_title_hnsw', 'products', 'title_embedding', 'halfvec_cosine_ops')"
    )
    migrator.run(down)
    assert migrator.scripts(products(title_embedding=embedding("title", model="hash")))[0].strip() == "pass"
    explicit = products(title_embedding=embedding("title", model="hash", index={"m": 16, "ef_construction": 64}))
    assert migrator.scripts(explicit)[0].strip() == "pass", "these are pgvector's own"


def test_an_index_of_signs(migrator: Migrator) -> None:
    quantized = {"quantization": "binary"}
    up, down = migrator.migrate(products(title_embedding=embedding("title", model="hash", index=quantized)))
    assert "index={'quantization': 'binary'}" in up
    assert (
        migrator.scripts(products(title_embedding=embedding("title", model="hash", index=quantized)))[0].strip()
        == "pass"
    )
    indexdef = text("select indexdef from pg_indexes where indexname = 'products_title_hnsw'")
    assert "bit_hamming_ops" in str(migrator.connection.scalar(indexdef))
    up, down = migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    assert "'halfvec_cosine_ops'" in up
    migrator.run(down)
    assert "bit_hamming_ops" in str(migrator.connection.scalar(indexdef))


def test_a_missing_index_is_built_again_and_one_too_many_dropped(migrator: Migrator) -> None:
    migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    migrator.connection.execute(text("drop index products_title_hnsw"))
    up, _ = migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    assert up.startswith("op.create_hnsw_index('products_title_hnsw', 'products', 'title_embedding', ")
    up, _ = migrator.migrate(products(title_embedding=embedding("title", model="hash", index=False)))
    assert up == "op.drop_hnsw_index('products_title_hnsw', 'products')"


def test_other_columns_refresh_the_search_functions(migrator: Migrator) -> None:
    migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    wider = products(title_embedding=embedding("title", model="hash"), price=mapped_column(sa.Integer))
    up, down = migrator.migrate(wider)
    assert up.splitlines()[-1] == down.splitlines()[-1] == "op.refresh_embeddings('products')"
    assert status(migrator.connection) == [("products", "title", "hash", None)]
    migrator.run(down)
    assert status(migrator.connection) == [("products", "title", "hash", None)]


def test_a_renamed_table_and_a_renamed_source(migrator: Migrator, drain: Drain) -> None:
    """By hand, as Alembic cannot know of a rename; afterwards all is as declared and no row is embedded again."""
    migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    migrator.connection.execute(text("insert into products values (1, 'one')"))
    migrator.connection.commit()
    assert drain().stored == 1
    migrator.run(
        "op.rename_table('products', 'goods')\n"
        "op.alter_column('goods', 'title', new_column_name='label')\n"
        "op.refresh_embeddings('goods')"
    )
    base = type("Base", (DeclarativeBase,), {"metadata": MetaData()})

    class Goods(base):  # type: ignore[misc,valid-type]
        __tablename__ = "goods"
        id: Mapped[int] = mapped_column(primary_key=True)
        label: Mapped[str | None]
        title_embedding = embedding("label", model="hash")

    assert migrator.scripts(Goods.metadata)[0].strip() == "pass"
    assert status(migrator.connection) == [("goods", "title", "hash", None)]
    assert drain().stored == 0


def test_a_table_moved_to_another_schema(migrator: Migrator) -> None:
    migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    migrator.run(
        "op.execute('create schema apart')\n"
        "op.execute('alter table products set schema apart')\n"
        "op.refresh_embeddings('products', schema='apart')"
    )
    base = type("Base", (DeclarativeBase,), {"metadata": MetaData(schema="apart")})

    class Product(base):  # type: ignore[misc,valid-type]
        __tablename__ = "products"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str | None]
        title_embedding = embedding("title", model="hash")

    assert migrator.scripts(Product.metadata, include_schemas=True)[0].strip() == "pass"


def test_mmdbs_own_tables_are_left_alone(migrator: Migrator) -> None:
    migrator.migrate(products(title_embedding=embedding("title", model="hash")))
    metadata = products(title_embedding=embedding("title", model="hash"))
    assert migrator.scripts(metadata, include_schemas=True)[0].strip() == "pass"


def test_a_column_that_is_there_is_adopted(migrator: Migrator) -> None:
    plain = products(title_embedding=mapped_column(HALFVEC(64)))
    migrator.migrate(plain)
    up, down = migrator.scripts(products(title_embedding=embedding("title", model="hash")))
    assert lines(up) == "op.add_embedding('products', 'title', model='hash')"
    migrator.run(up)
    assert migrator.scripts(products(title_embedding=embedding("title", model="hash")))[0].strip() == "pass"
    assert lines(down) == "op.drop_embedding('products', 'title')"


def test_an_embedding_declared_in_sql_is_no_business_of_alembics(migrator: Migrator) -> None:
    """As long as the class maps its column in its own way."""
    migrator.migrate(products(title_embedding=mapped_column(HALFVEC(64))))
    declare = "select from mmdb.add_embedding('products', 'title', model => 'hash', index_options => {})"
    migrator.connection.execute(text(declare.format('\'{"type": "none"}\'')))
    assert migrator.scripts(products(title_embedding=mapped_column(HALFVEC(64))))[0].strip() == "pass"


def test_keywords_declared_in_sql_are_left_alone(migrator: Migrator) -> None:
    metadata = products(title_embedding=embedding("title", model="hash"))
    migrator.migrate(metadata)
    migrator.connection.execute(text("select from mmdb.add_keywords('products', array['title'], 'english')"))
    assert migrator.scripts(metadata)[0].strip() == "pass"


def test_filters_of_the_application_hold(migrator: Migrator) -> None:
    metadata = products(title_embedding=embedding("title", model="hash"))
    nothing = migrator.scripts(metadata, include_object=lambda *_: False)[0]
    assert nothing.strip() == "pass"


# HNSW indexes of the application's own: expressions, other types, predicates, operator classes.


def vectors(*indexes: Index) -> MetaData:
    base = type("Base", (DeclarativeBase,), {"metadata": MetaData()})

    class Chunk(base):  # type: ignore[misc,valid-type]
        __tablename__ = "chunks"
        id: Mapped[int] = mapped_column(primary_key=True)
        tag: Mapped[str | None]
        v = mapped_column(VECTOR(4))
        h = mapped_column(HALFVEC(4))
        __table_args__ = indexes

    metadata: MetaData = Chunk.metadata
    return metadata


def hnsw(name: str, *expressions: Any, **options: Any) -> Index:
    given = {f"postgresql_{key.rstrip('_')}": value for key, value in options.items()}
    return Index(name, *expressions, postgresql_using="hnsw", **given)


L2 = {"ops": {"v": "vector_l2_ops"}}
INDEXES: dict[str, Callable[[], Index]] = {
    "a column": lambda: hnsw("ix", "v", ops={"v": "vector_cosine_ops"}),
    "with parameters": lambda: hnsw("ix", "h", ops={"h": "halfvec_ip_ops"}, with_={"m": 4, "ef_construction": 20}),
    "partial": lambda: hnsw("ix", "v", ops={"v": "vector_l2_ops"}, where=text("tag = 'x' and id > 3")),
    "a cast, labelled": lambda: hnsw(
        "ix", cast(sa.column("v"), HALFVEC(4)).label("v"), ops={"v": "halfvec_cosine_ops"}
    ),
    "a function": lambda: hnsw(
        "ix", func.binary_quantize(sa.column("v")).cast(sa.dialects.postgresql.BIT(4)).label("b"),
        ops={"b": "bit_hamming_ops"}
    ),
    "text": lambda: hnsw("ix", text("(v::halfvec(4))"), ops={"(v::halfvec(4))": "halfvec_l2_ops"}),
}  # fmt: skip


@pytest.mark.parametrize("name", INDEXES)
def test_an_hnsw_index_there_and_back(migrator: Migrator, name: str) -> None:
    up, down = migrator.migrate(vectors())
    up, down = migrator.migrate(vectors(INDEXES[name]()))
    assert re.match(r"op.create_hnsw_index\('ix', 'chunks', .*_ops'", up), up
    assert down == "op.drop_hnsw_index('ix', 'chunks')"
    up, down = migrator.migrate(vectors())
    assert up == "op.drop_hnsw_index('ix', 'chunks')"
    migrator.run(down)
    assert migrator.scripts(vectors(INDEXES[name]()))[0].strip() == "pass"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"ops": {"v": "vector_cosine_ops"}}, L2),
        (L2, {**L2, "where": text("tag = 'x'")}),
        (
            {"ops": {"v": "vector_l2_ops"}, "where": text("id > 3")},
            {"ops": {"v": "vector_l2_ops"}, "where": text("id > 4")},
        ),
        ({"ops": {"v": "vector_l2_ops"}}, {"ops": {"v": "vector_l2_ops"}, "with": {"ef_construction": 100}}),
    ],
)
def test_a_changed_hnsw_index_is_noticed(migrator: Migrator, before: dict[str, Any], after: dict[str, Any]) -> None:
    migrator.migrate(vectors(hnsw("ix", "v", **before)))
    up, _ = migrator.migrate(vectors(hnsw("ix", "v", **after)))
    assert [line.partition("(")[0] for line in up.splitlines()] == ["op.drop_hnsw_index", "op.create_hnsw_index"]


def test_another_dimension_in_a_cast_is_noticed(migrator: Migrator) -> None:
    """Alembic's own comparison strips casts."""

    def halves(width: int) -> Index:
        expression = func.subvector(sa.column("v"), 1, width).cast(HALFVEC(width)).label("s")
        return hnsw("ix", expression, ops={"s": "halfvec_l2_ops"})

    migrator.migrate(vectors(halves(2)))
    up, _ = migrator.migrate(vectors(halves(3)))
    assert "op.create_hnsw_index" in up


def test_ordinary_indexes_are_alembics(migrator: Migrator) -> None:
    metadata = vectors(Index("by_tag", "tag"), Index("lower_tag", func.lower(sa.column("tag"))))
    up, _ = migrator.migrate(metadata)
    assert up.count("op.create_index(") == 2


def test_types_of_pgvector_come_with_their_import(migrator: Migrator) -> None:
    up, _ = migrator.scripts(vectors())
    assert "import pgvector.sqlalchemy" in up
    assert "pgvector.sqlalchemy.VECTOR(dim=4)" in up


# By hand, and offline.


def test_directives_by_hand(migrator: Migrator) -> None:
    migrator.migrate(products())
    migrator.run(
        "op.add_embedding('products', 'title', model='hash', build_indexes=False)\n"
        "op.create_hnsw_index('own', 'products', 'title_embedding', 'halfvec_l2_ops', m=8, where='id > 3')\n"
        "op.create_hnsw_index('own2', 'products', sa.text('title_embedding::vector(64)'), 'vector_l2_ops')\n"
        "op.drop_hnsw_index('own2', 'products', if_exists=True)\n"
        "op.drop_hnsw_index('own2', 'products', if_exists=True)\n"
        "op.drop_embedding('products', 'nix', if_exists=True)"
    )
    indexes = {index["name"] for index in sa.inspect(migrator.connection).get_indexes("products")}
    assert indexes == {"own"}
    with pytest.raises(DeclarationError, match="needs a source"):
        migrator.run("op.add_embedding('products')")


def test_concurrently_outside_a_transaction(migrator: Migrator, engine: Engine) -> None:
    migrator.migrate(vectors())
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        Migrator(connection).run(
            "op.create_hnsw_index('ix', 'chunks', 'v', 'vector_l2_ops', concurrently=True, if_not_exists=True)\n"
            "op.drop_hnsw_index('ix', 'chunks', concurrently=True)"
        )


def test_offline_all_of_it_is_sql() -> None:
    buffer = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": buffer, "literal_binds": True}
    )
    operations = Operations(context)
    operations.add_embedding("odd 100%", "it's", schema="s", model="hash", index={"m": 8})  # type: ignore[attr-defined]
    operations.drop_embedding("products", "title")  # type: ignore[attr-defined]
    operations.refresh_embeddings("products")  # type: ignore[attr-defined]
    operations.release_sources("products", schema="s")  # type: ignore[attr-defined]
    operations.add_keywords("products", "it's", language="english")  # type: ignore[attr-defined]
    operations.drop_keywords("products", if_exists=True)  # type: ignore[attr-defined]
    operations.change_model("products", "title", "new", build_indexes=False)  # type: ignore[attr-defined]
    operations.switch_model("products", "title", force=True)  # type: ignore[attr-defined]
    operations.create_hnsw_index("ix", "t", "v", "vector_l2_ops", m=8)  # type: ignore[attr-defined]
    operations.drop_hnsw_index("ix", "t", concurrently=True)  # type: ignore[attr-defined]
    assert [line for line in buffer.getvalue().splitlines() if line] == [
        "SELECT name FROM mmdb.add_embedding('s.\"odd 100%%\"'::regclass, "
        """'{"sources": ["it''s"], "model": "hash", "index_options": {"m": 8}}'::jsonb);""",
        "SELECT mmdb.drop_embedding('products'::regclass, 'title');",
        "ALTER TABLE products DROP COLUMN IF EXISTS title_embedding;",
        "SELECT name FROM mmdb.refresh('products'::regclass);",
        "SELECT mmdb.release_sources('s.products'::regclass);",
        "SELECT name FROM mmdb.add_keywords('products'::regclass, ARRAY['it''s'], 'english', 'keywords');",
        "SELECT mmdb.drop_keywords('products'::regclass, 'keywords') FROM mmdb.keywords w "
        "WHERE w.relation = 'products'::regclass AND w.name = 'keywords';",
        "SELECT FROM mmdb.change_model('products'::regclass, 'title', 'new', index => false);",
        "SELECT FROM mmdb.switch_model('products'::regclass, 'title', force => true);",
        "CREATE INDEX ix ON t USING hnsw (v vector_l2_ops) WITH (m = 8);",
        "DROP INDEX CONCURRENTLY ix;",
    ]


def test_a_database_without_mmdb_can_still_be_compared(empty_database: Any) -> None:
    engine = sa.create_engine(sqlalchemy_url(empty_database.url))
    with engine.connect() as connection:
        connection.execute(text("create extension vector"))
        up, _ = Migrator(connection).scripts(Shop.metadata)
        assert "op.add_embedding('products', 'title', model='hash')" in up
    engine.dispose()


def test_a_restored_database_is_as_declared(shop: Session, database: Database, server: Server) -> None:
    """pg_dump, restore, `mmdb init`: the same declarations, the same rows by the ORM, an empty autogenerate."""
    work(database.url, options=ONCE)
    statement = sa.select(Product.id).order_by(nearest(Product.title_embedding, expected("item 3"))).limit(5)
    before = shop.scalars(statement).all()
    shop.close()
    dump = run_program(server, "pg_dump", database.url)
    for restored in temporary_database(server, "template0"):
        run_program(server, "psql", "-qX", "-vON_ERROR_STOP=1", restored.url, stdin=dump)
        assert install(restored.url).warnings == []
        engine = sa.create_engine(sqlalchemy_url(restored.url))
        with Session(engine) as session:
            assert session.scalars(statement).all() == before
            session.add(Product(id=40, title="after the restore"))
            session.commit()
            assert work(restored.url, options=ONCE) == Totals(stored=1, failed=0)
            assert Migrator(session.connection()).scripts(Shop.metadata)[0].strip() == "pass"
        engine.dispose()
