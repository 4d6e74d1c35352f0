"""mmdb: multimodal search inside PostgreSQL."""

# Bound now and not on demand: the first import of the module of the same name would put that in its place. They import
# SQLAlchemy, psycopg and models only when they are called.
from mmdb.batch import embed_batch, load_model
from mmdb.clusters import clusters
from mmdb.connect import connect

__version__ = "0.1.0"

__all__ = ["__version__", "clusters", "connect", "embed_batch", "load_model"]
