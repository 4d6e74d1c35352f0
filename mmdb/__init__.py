"""mmdb: multimodal search inside PostgreSQL."""

# Bound now and not on demand: the first import of the module of the same name would put that in its place. It imports
# SQLAlchemy and psycopg only when it is called.
from mmdb.connect import connect

__version__ = "0.1.0"

__all__ = ["__version__", "connect"]
