"""Groups that nobody named: k-means over the vectors of an embedding, written into an ordinary table to join with.

Spherical k-means (Dhillon and Modha 2001): vectors and centroids have unit length, and a row belongs to the centroid of
the smallest cosine distance. The centroids are made from a sample, then every row goes to the nearest; the vectors come
through a server-side cursor, so that memory is bounded by the sample and not by the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmdb.errors import ConfigError, QueryError
from mmdb.packages import install_hint

if TYPE_CHECKING:
    import numpy as np
    import psycopg
    import sqlalchemy
    from numpy.typing import NDArray
    from psycopg.sql import Composable, Composed
    from sqlalchemy.orm import Session, scoped_session

    Vectors = NDArray[np.float32]

TOPIC = "kmeans"
FETCH = 2_000
"""Rows that are read at a time: 4 MB of 512 dimensions."""
SAMPLE = (10_000, 50_000)
"""Bounds of the sample; between them it is 256 rows a cluster, as in FAISS. 50,000 of 512 dimensions are 100 MB."""
ITERATIONS = 25


@dataclass(frozen=True, slots=True)
class Cluster:
    """One of the groups: its number, how many rows it has, and their mean distance from its centroid."""

    cluster: int
    rows: int
    distance: float


def clusters(
    connection: sqlalchemy.Connection | Session | scoped_session[Session],
    relation: str,
    name: str,
    *,
    k: int,
    into: str,
    seed: int = 0,
    sample: int | None = None,
    replace: bool = False,
) -> list[Cluster]:
    """Cut the rows of an embedding into `k` clusters, and write them into the new table `into`.

    `into` has the key of `relation`, `cluster` (from 1, large ones first; fewer than k where there are fewer different
    vectors) and `distance`, the cosine distance from the centroid (`_cluster` and `_distance` where the table has such
    columns); INTO_centroids has `cluster`, `rows`, their mean `distance`, and `centroid`. Rows without a vector, or
    with one of zeros, are in neither. It runs in the transaction of `connection`, which must be psycopg's, with its
    user's rights; the same seed gives the same clusters. `sample` is how many rows the centroids are made of; `replace`
    drops tables of an earlier call.

    Raises QueryError for a k that makes no sense or a table that is there already, ConfigError where scikit-learn is
    missing.
    """
    import sqlalchemy

    from mmdb.database.driver import psycopg_connection

    # Begins its transaction, SQLAlchemy's and psycopg's, of which ours is a part.
    connection.execute(sqlalchemy.select(1))
    raw = psycopg_connection(connection, "clusters")
    return write_clusters(raw, relation, name, k=k, into=into, seed=seed, sample=sample, replace=replace)


def write_clusters(
    connection: psycopg.Connection[Any],
    relation: str,
    name: str,
    *,
    k: int,
    into: str,
    seed: int = 0,
    sample: int | None = None,
    replace: bool = False,
) -> list[Cluster]:
    """`clusters` on a connection of psycopg's, in a transaction of its own or a part of the one that is open."""
    import numpy as np

    _check(k, sample)
    _require_sklearn()
    with connection.transaction():
        source = _source(connection, relation, name, into)
        _make_tables(connection, source, replace)
        size = sample or min(max(256 * k, SAMPLE[0]), SAMPLE[1])
        kept = sampled(_vectors(connection, source), max(size, k), np.random.default_rng(seed), source.dimensions)
        if len(kept) < k:
            raise QueryError(
                f'embedding "{name}" of table {relation} has {len(kept)} embedded rows, fewer than k = {k}',
                hint="ask for fewer clusters, or see `mmdb status` whether rows are pending",
            )
        centroids = fit(kept, k, seed)
        totals = _write_rows(connection, source, centroids)
        made = [Cluster(n + 1, int(rows), distance / max(rows, 1)) for n, (rows, distance) in enumerate(totals)]
        _finish(connection, source, centroids, made, f"k = {k}, seed = {seed}, from {len(kept)} rows")
    return made


def _check(k: int, sample: int | None) -> None:
    if not 1 <= k <= 10_000:
        raise QueryError(f"k is {k}, expected 1 to 10000")
    if sample is not None and sample < k:
        raise QueryError(
            f"a sample of {sample} rows has not k = {k} clusters", hint="leave the sample out, or enlarge it"
        )


def _require_sklearn() -> None:
    """An error before anything is read."""
    try:
        import sklearn.cluster  # noqa: F401
        import threadpoolctl  # noqa: F401
    except ImportError as error:
        raise ConfigError("clusters need scikit-learn, which is not installed", hint=install_hint("sklearn")) from error


def fit(vectors: Vectors, k: int, seed: int) -> Vectors:
    """The unit centroids of unit vectors, that of the most rows first."""
    import warnings

    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # One thread: the sums of several are added up in an order that no seed decides.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different vectors than k
        model = KMeans(k, init="k-means++", n_init=1, max_iter=ITERATIONS, random_state=seed, copy_x=False)
        centroids = unit(model.fit(vectors).cluster_centers_)
    sizes = np.bincount(nearest(vectors, centroids)[0], minlength=k)
    order = np.argsort(-sizes, kind="stable")
    ordered: Vectors = centroids[order[: np.count_nonzero(sizes)]]
    return ordered


def unit(vectors: Any) -> Vectors:
    """Of unit length, as float32; zero stays zero."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def nearest(vectors: Vectors, centroids: Vectors) -> tuple[NDArray[np.intp], Vectors]:
    """For each vector the number of its centroid, and the cosine distance from it."""
    import numpy as np

    similar = vectors @ centroids.T
    chosen = similar.argmax(axis=1)
    distances: Vectors = np.maximum(1 - similar[np.arange(len(chosen)), chosen], 0)
    return chosen, distances


def sampled(batches: Iterator[Vectors], size: int, random: np.random.Generator, dimensions: int) -> Vectors:
    """`size` rows of a stream, each with the same chance (Vitter 1985, algorithm R); all where there are no more."""
    import numpy as np

    kept = np.empty((size, dimensions), np.float32)
    seen = 0
    for batch in batches:
        numbers = np.arange(seen, seen + len(batch))
        places = np.where(numbers < size, numbers, random.integers(0, numbers + 1))
        chosen = places < size
        kept[places[chosen]] = batch[chosen]  # of two for one place the later stays
        seen += len(batch)
    return kept[:seen]


@dataclass(frozen=True, slots=True)
class _Source:
    """What is read and what is written, as names and as SQL."""

    label: str
    dimensions: int
    halfvec: bool
    into_table: str
    centroids_table: str
    filled: dict[str, str | Composable]

    def run(self, connection: psycopg.Connection[Any], name: str, **more: str | Composable) -> None:
        from mmdb.database.statements import statement

        connection.execute(statement(TOPIC, name, **{**self.filled, **more}), {})

    def copy(self, name: str) -> Composed:
        """A COPY is executed without parameters, so a "%" in a name is written once."""
        from psycopg.sql import SQL

        from mmdb.database.statements import statements

        return SQL(statements(TOPIC)[name]).format(**self.filled)


def _source(connection: psycopg.Connection[Any], relation: str, name: str, into: str) -> _Source:
    from psycopg.rows import dict_row
    from psycopg.sql import SQL, Identifier

    from mmdb.database.statements import statement
    from mmdb.database.types import register_types

    register_types(connection)
    with connection.cursor(row_factory=dict_row) as cursor:
        values = {"relation": relation, "name": name, "into": into}
        row = cursor.execute(statement(TOPIC, "source"), values).fetchone()
    assert row is not None
    key = [Identifier(column) for column in row["key"]]
    filled: dict[str, str | Composable] = {
        "key": SQL(", ").join(key),
        "texts": SQL(", ").join(SQL("format('%s', {})").format(column) for column in key),
        "column": row["column_name"],
        "cluster": row["cluster"],
        "distance": row["distance"],
        # These come quoted out of the database.
        **{part: SQL(row[part]) for part in ("relation", "rows", "column_type", "into_table", "centroids_table")},
    }
    label = f'{row["relation"]} by "{row["name"]}"'
    halfvec = row["vector_type"] == "halfvec"
    return _Source(label, row["dimensions"], halfvec, row["into_table"], row["centroids_table"], filled)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that is to be made, whether one of its name is there, and whether that is of an earlier call."""

    name: str
    present: bool
    ours: bool


def _make_tables(connection: psycopg.Connection[Any], source: _Source, replace: bool) -> None:
    from mmdb.database.rows import read_all
    from mmdb.database.statements import statement

    values = {"into_table": source.into_table, "centroids_table": source.centroids_table}
    for table in read_all(connection, _Table, statement(TOPIC, "found"), values):
        if table.present and not (replace and table.ours):
            hint = "choose another name, or drop it"
            if table.ours:
                hint = "choose another name, or replace it (--replace)"
            raise QueryError(f"table {table.name} exists already", hint=hint)
    if replace:
        source.run(connection, "drop")
    source.run(connection, "create")
    source.run(connection, "create_centroids")


def _stream(connection: psycopg.Connection[Any], source: _Source, name: str) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a statement in the order of keys, some at a time, through a cursor of the server's."""
    from psycopg.rows import tuple_row

    from mmdb.database.statements import statement

    with connection.cursor("mmdb_clusters", row_factory=tuple_row) as cursor:
        cursor.execute(statement(TOPIC, name, **source.filled), {}, binary=True)
        while rows := cursor.fetchmany(FETCH):
            yield rows


def _vectors(connection: psycopg.Connection[Any], source: _Source) -> Iterator[Vectors]:
    for rows in _stream(connection, source, "vectors"):
        yield _array(row[0] for row in rows)


def _array(values: Iterable[Any]) -> Vectors:
    """Vectors as pgvector reads them (vector as an array, halfvec as an object), of unit length, one a row."""
    import numpy as np

    return unit(np.stack([value if isinstance(value, np.ndarray) else value.to_numpy() for value in values]))


def _write_rows(connection: psycopg.Connection[Any], source: _Source, centroids: Vectors) -> NDArray[np.float64]:
    """Every row with its cluster; for each cluster the number of its rows and the sum of their distances."""
    import numpy as np

    totals = np.zeros((len(centroids), 2))
    for rows in _stream(connection, source, "rows"):
        chosen, distances = nearest(_array(row[-1] for row in rows), centroids)
        np.add.at(totals, chosen, np.stack([np.ones(len(rows)), distances], axis=1))
        with connection.cursor() as cursor, cursor.copy(source.copy("copy")) as copy:
            for row, cluster, distance in zip(rows, chosen.tolist(), distances.tolist(), strict=True):
                copy.write_row((*row[:-1], cluster + 1, distance))
    return totals


def _finish(
    connection: psycopg.Connection[Any], source: _Source, centroids: Vectors, made: list[Cluster], how: str
) -> None:
    from pgvector import HalfVector, Vector
    from psycopg.sql import SQL, Literal

    kind = HalfVector if source.halfvec else Vector
    with connection.cursor() as cursor, cursor.copy(source.copy("copy_centroids")) as copy:
        for cluster, centroid in zip(made, centroids, strict=True):
            copy.write_row((cluster.cluster, cluster.rows, cluster.distance if cluster.rows else None, kind(centroid)))
    source.run(connection, "constrain")
    source.run(connection, "index")
    for table in (source.into_table, source.centroids_table):
        comment = Literal(f"Clusters of {source.label}: {how}")
        source.run(connection, "comment", table=SQL(table), comment=comment)
    source.run(connection, "analyze")
