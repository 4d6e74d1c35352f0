"""SIGKILL between any two steps: every row ends with the right vector, and none stays pending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmdb.models.embed.hash import HashEmbedder
from mmdb.worker import WorkerOptions, work
from tests.conftest import Database
from tests.db.conftest import Connection, check_rows, until
from tests.faults.doomed_worker import kill_at

pytestmark = pytest.mark.soak
STEPS = ("claim", "load", "embed", "store", "settle")
KILLS = 10
"""Of each step: fifty in all."""


@pytest.mark.parametrize("step", STEPS)
def test_killed_at(conn: Connection, database: Database, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conn.execute("create table items (id int primary key, txt text)")
    conn.execute("select mmdb.add_embedding('items', 'txt', model => 'hash')")
    seen: list[Any] = []
    embed = HashEmbedder.embed_batch
    monkeypatch.setattr(HashEmbedder, "embed_batch", _counting(embed, seen))
    for kill in range(KILLS):
        conn.execute(
            "insert into items select g, 'item ' || g from generate_series(%s::int, %s::int) g",
            [kill * 20, kill * 20 + 19],
        )
        kill_at(database.url, step)
        conn.execute("update items set txt = txt || '!' where id %% 7 = %s", [kill % 7])
        until(lambda: conn.execute("select count(*) from mmdb.live_workers()").fetchone() == (0,))
    work(database.url, options=WorkerOptions(models=("hash",), once=True, poll_seconds=0.1))
    again = len(seen) - len(set(seen))
    print(f"killed at {step}: {len(seen)} rows were left, {again} of them were embedded twice by the next worker")
    check_rows(conn)
    assert conn.execute("select count(*) from items").fetchone() == (20 * KILLS,)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_with_weights(conn: Connection, database: Database, step: str) -> None:
    """A row of several sources, one of which changes after the kill, ends with the vector of all that it has now."""
    conn.execute("create table items (id int primary key, title text, body text)")
    declare = (
        "select mmdb.add_embedding('items', array['title', 'body'], 'hash', weights => '{0.7,0.3}', name => 'both')"
    )
    conn.execute(declare)
    for kill in range(2):
        numbers = [kill * 20, kill * 20 + 19]
        conn.execute(
            "insert into items select g, 'title ' || g, 'body ' || g from generate_series(%s::int, %s::int) g", numbers
        )
        kill_at(database.url, step)
        conn.execute("update items set body = case id %% 3 when 0 then null else body || '!' end where id %% 7 < 3", [])
        until(lambda: conn.execute("select count(*) from mmdb.live_workers()").fetchone() == (0,))
    work(database.url, options=WorkerOptions(models=("hash",), once=True, poll_seconds=0.1))
    rows = conn.execute("select title, body, both_embedding::real[] from items").fetchall()
    assert len(rows) == 40
    for title, body, vector in rows:
        parts = HashEmbedder().embed([title] if body is None else [title, body])
        wanted = np.average(parts, axis=0, weights=None if body is None else [0.7, 0.3])
        np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), atol=2e-3)
    until(lambda: conn.execute("select count(*) from mmdb.leases").fetchone() == (0,))


def _counting(embed: Callable[..., Any], seen: list[Any]) -> Callable[..., Any]:
    def counted(self: HashEmbedder, modality: Any, items: Any, purpose: Any) -> Any:
        seen.extend(items)
        return embed(self, modality, items, purpose)

    return counted
