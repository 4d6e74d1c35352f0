"""The engine, and a session for each request."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from mmdb.database.url import sqlalchemy_url


def make_engine(url: str | None = None) -> AsyncEngine:
    """An engine on `url` (default MMDB_DATABASE_URL), through psycopg, which sends vectors in binary."""
    return create_async_engine(sqlalchemy_url(url or os.environ["MMDB_DATABASE_URL"]), pool_size=10)


class Database:
    """Made when the application starts, so that importing it connects to nothing."""

    engine: AsyncEngine

    async def session(self) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session


database = Database()
