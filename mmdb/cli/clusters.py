"""`mmdb clusters`: groups that nobody named, as a table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from mmdb.cli.embeddings import Table
from mmdb.cli.render import Format, note, show


def clusters(
    context: typer.Context,
    relation: Table,
    name: Annotated[str, typer.Argument(help="The embedding's name, as `mmdb status` shows it.", metavar="NAME")],
    into: Annotated[str, typer.Option(help="The table to make; INTO_centroids is made beside it.", metavar="INTO")],
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="How many clusters.", metavar="N")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same clusters.", metavar="N")] = 0,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1, help="Rows that the centroids are made of. Default: 256 a cluster, 10000 to 50000.", metavar="N"
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Drop what an earlier call made.")] = False,
    form: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
) -> None:
    """Cut the rows of an embedding into clusters, by k-means.

    Makes the table INTO, with the key of TABLE, `cluster` and `distance` from its centroid, and INTO_centroids, in one
    transaction, with the rights of the database user you connect as. It needs scikit-learn: pip install
    "scikit-learn>=1.5".

    \b
    Example:
      mmdb clusters shop.posters photo -k 5 --into shop.poster_clusters
    """
    from mmdb.analytics.kmeans import write_clusters

    with context.obj.connect() as connection:
        made = write_clusters(connection, relation, name, k=k, into=into, seed=seed, sample=sample, replace=replace)
    show([asdict(cluster) for cluster in made], ["cluster", "rows", "distance"], form)
    note(f"made {into}: join it with {relation} by its key; the nearest to a centroid: order by distance")
