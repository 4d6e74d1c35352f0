"""mmdb: multimodal search inside PostgreSQL."""

# They import SQLAlchemy, psycopg and models only when they are called.
from mmdb.analytics.kmeans import clusters
from mmdb.database.engine import connect
from mmdb.models.batch import embed_batch, load_model

__version__ = "0.1.0"

__all__ = ["__version__", "clusters", "connect", "embed_batch", "load_model"]
