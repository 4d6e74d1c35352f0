"""Alembic knows embeddings and HNSW indexes: one import in env.py.

    import mmdb.orm.alembic

adds `op.add_embedding`, `op.drop_embedding`, `op.refresh_embeddings`, `op.release_sources`, `op.create_hnsw_index` and
`op.drop_hnsw_index`, has autogenerate write them, and has it leave mmdb's own tables and indexes alone.
"""

from mmdb.orm.alembic import autogenerate, implementation
from mmdb.orm.alembic.operations import (
    AddEmbeddingOp,
    CreateHnswIndexOp,
    DropEmbeddingOp,
    DropHnswIndexOp,
    RefreshEmbeddingsOp,
    ReleaseSourcesOp,
)

__all__ = [
    "AddEmbeddingOp",
    "CreateHnswIndexOp",
    "DropEmbeddingOp",
    "DropHnswIndexOp",
    "RefreshEmbeddingsOp",
    "ReleaseSourcesOp",
    "autogenerate",
    "implementation",
]
