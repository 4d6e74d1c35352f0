"""Embeddings as part of mapped classes: `embedding` declares, `nearest`, `search` and their kin query.

    class Product(Base):
        …
        photo_embedding = embedding("photo", model="lite")

    select(Product).order_by(nearest(Product.photo_embedding, "red shoes")).limit(10)

`import mmdb.orm.alembic` in an env.py makes Alembic's autogenerate know them.
"""

from mmdb.orm import indexes  # CREATE INDEX with the operator classes of expressions
from mmdb.orm.bulk import copy_rows
from mmdb.orm.columns import embedding, embedding_column
from mmdb.orm.examples import like, recommend
from mmdb.orm.hybrid import search
from mmdb.orm.keywords import keywords
from mmdb.orm.search import distance, nearest
from mmdb.orm.types import Embedding, Vec
from mmdb.orm.waiting import wait_until_embedded

__all__ = [
    "Embedding",
    "Vec",
    "copy_rows",
    "distance",
    "embedding",
    "embedding_column",
    "indexes",
    "keywords",
    "like",
    "nearest",
    "recommend",
    "search",
    "wait_until_embedded",
]
