"""Alembic's environment, as `alembic init` writes it; the line for mmdb is marked."""

import os

from alembic import context
from catalog.models import Base
from sqlalchemy import create_engine, pool

import mmdb.orm.alembic  # noqa: F401 - this is the line: op.add_embedding, and autogenerate that knows embeddings
from mmdb.database.url import sqlalchemy_url


def run_offline() -> None:
    context.configure(
        dialect_name="postgresql",
        target_metadata=Base.metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    engine = create_engine(sqlalchemy_url(os.environ["MMDB_DATABASE_URL"]), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
