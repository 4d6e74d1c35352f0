"""Which database a command means, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from mmdb.cli.detached import Detached, worker_of
from mmdb.cli.render import note
from mmdb.config import Settings
from mmdb.errors import EmbeddedError

CONNECT_TIMEOUT = 10


@dataclass(frozen=True)
class Target:
    """The database of --database, else of MMDB_DATABASE_URL, else the embedded one."""

    given: str | None = field(default=None, repr=False)

    @property
    def embedded(self) -> bool:
        return not (self.given or Settings.from_environment().database_url)

    def url(self, *, start: bool = True) -> str:
        """The libpq URL. The embedded server is started, and left running, unless `start` is False."""
        if self.embedded:
            return self._embedded_url(start)
        from mmdb.database.engine import database_url

        return database_url(self.given)

    def _embedded_url(self, start: bool) -> str:
        from mmdb.server import embedded

        info = embedded.status()
        if info.running:
            return info.url
        if not start:
            raise EmbeddedError(
                "the embedded PostgreSQL does not run",
                hint="`mmdb up` starts it; for another database set MMDB_DATABASE_URL",
            )
        url = embedded.start().url
        note("started the embedded PostgreSQL; `mmdb down` stops it")
        return url

    def worker(self) -> Detached:
        """Its worker in the background, running or not."""
        home = Settings.from_environment().home
        return worker_of(home, None if self.embedded or self._is_in(home) else self.url())

    def _is_in(self, home: Path) -> bool:
        """Whether the URL that was given leads to the embedded server's own database."""
        from mmdb.server import embedded

        info = embedded.status(home)
        return info.running and worker_of(home, self.url()) == worker_of(home, info.url)

    @contextmanager
    def connect(self, *, start: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """An autocommit connection."""
        url = self.url(start=start)
        with psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT,
            fallback_application_name="mmdb",
        ) as connection:
            yield connection
