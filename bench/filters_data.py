"""A table of clustered vectors with columns to filter by, unrelated to a query, near it or far; and queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector

WIDTH = 512
LATENT = 32
"""Directions that the vectors really vary in, as those of a model do; the rest is noise."""
SPREAD = 1.0
"""Of a cluster, where the clusters' centers are spread by 1."""
CLUSTERS = 500
ANCHORS = 10
QUERIES_EACH = 4
TENANT_SHARE = 0.0005
TENANT = "bench_tenant"
MODEL = "wide_hash"
NEAR = tuple(f"near_{anchor}" for anchor in range(ANCHORS))
"""Columns: how many rows lie nearer to that anchor."""

Vectors = NDArray[np.float32]

DECLARE = f"""
select mmdb.add_model('{MODEL}', 'hash', 'sha256', {WIDTH}, array['text', 'image'], 'hash/1 dimensions={WIDTH}',
                      options => '{{"dimensions": {WIDTH}}}');
create table goods (id int primary key, body text, chance int, {", ".join(f"{name} int" for name in NEAR)},
                    tenant name, body_embedding halfvec({WIDTH}));
select mmdb.add_embedding('goods', 'body', model => '{MODEL}', index => false)
"""
INDEXES = ";".join(f"create index on goods ({name})" for name in ("chance", "tenant", *NEAR))
POLICY = f"""
create role {TENANT};
grant mmdb_user to {TENANT};
grant select on goods to {TENANT};
create policy own on goods to {TENANT} using (tenant = current_user);
alter table goods enable row level security
"""


@dataclass(frozen=True, slots=True)
class Query:
    """A vector, and which of the columns NEAR is about its neighbourhood."""

    vector: HalfVector
    anchor: int


class Space:
    """Where the vectors come from; the same seed gives the same ones."""

    def __init__(self, seed: int = 4) -> None:
        self._rng = np.random.default_rng(seed)
        self._centers = self._rng.standard_normal((CLUSTERS, LATENT))
        self._axes = self._rng.standard_normal((LATENT, WIDTH))

    def draw(self, clusters: NDArray[np.intp], spread: float = SPREAD) -> Vectors:
        """One vector of each named cluster, of unit length."""
        latent = self._centers[clusters] + spread * self._rng.standard_normal((len(clusters), LATENT))
        wide = latent @ self._axes + 0.5 * self._rng.standard_normal((len(clusters), WIDTH))
        made: Vectors = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
        return made

    def rows(self, count: int) -> Vectors:
        return self.draw(self._rng.integers(0, CLUSTERS, count))

    def queries(self) -> tuple[Vectors, list[Query]]:
        """The anchors, and queries out of the cluster of each; none is a row of the table."""
        clusters = self._rng.choice(CLUSTERS, ANCHORS, replace=False)
        around = np.repeat(np.arange(ANCHORS), QUERIES_EACH)
        vectors = self.draw(clusters[around])
        return self.draw(clusters, spread=0.0), [
            Query(HalfVector(vector), int(anchor)) for vector, anchor in zip(vectors, around, strict=True)
        ]


def fill(conn: psycopg.Connection[Any], count: int) -> list[Query]:
    """Make the table anew, with its indexes, analyzed; returns the queries. Building HNSW is nearly all of the time."""
    space = Space()
    anchors, queries = space.queries()
    conn.execute("drop table if exists goods; drop role if exists " + TENANT)
    conn.execute(DECLARE)
    _copy(conn, space.rows(count), anchors)
    conn.execute(INDEXES)
    statements = conn.execute("select mmdb.index_statements('goods', 'body')").fetchall()
    for (statement,) in statements:
        conn.execute(statement)
    conn.execute("vacuum analyze goods")
    return queries


def _copy(conn: psycopg.Connection[Any], vectors: Vectors, anchors: Vectors) -> None:
    places = np.argsort(np.argsort(-(vectors @ anchors.T), axis=0), axis=0)
    chance = np.random.default_rng(1).permutation(len(vectors))
    small = TENANT_SHARE * len(vectors)
    names = ", ".join(NEAR)
    statement = f"copy goods (id, body, chance, {names}, tenant, body_embedding) from stdin (format binary)"
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["int4", "text", "int4", *["int4"] * ANCHORS, "name", "halfvec"])
        for row, vector in enumerate(vectors):
            tenant = TENANT if chance[row] < small else f"other_{chance[row] % 50}"
            near = map(int, places[row])
            copy.write_row((row, f"item {row}", int(chance[row]), *near, tenant, HalfVector(vector)))
