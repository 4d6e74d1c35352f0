"""Alembic knows embeddings, words and HNSW indexes: one import in env.py.

    import mmdb.orm.alembic

adds `op.add_embedding`, `op.drop_embedding`, `op.refresh_embeddings`, `op.release_sources`, `op.add_keywords`,
`op.drop_keywords`, `op.change_model`, `op.switch_model`, `op.drop_generation`, `op.create_hnsw_index` and
`op.drop_hnsw_index`, has autogenerate write them, and has it leave mmdb's own tables and indexes alone.
"""

from mmdb.orm.alembic import autogenerate, implementation
from mmdb.orm.alembic.generations import ChangeModelOp, DropGenerationOp, SwitchModelOp
from mmdb.orm.alembic.operations import (
    AddEmbeddingOp,
    CreateHnswIndexOp,
    DropEmbeddingOp,
    DropHnswIndexOp,
    RefreshEmbeddingsOp,
    ReleaseSourcesOp,
)
from mmdb.orm.alembic.words import AddKeywordsOp, DropKeywordsOp

__all__ = [
    "AddEmbeddingOp",
    "AddKeywordsOp",
    "ChangeModelOp",
    "CreateHnswIndexOp",
    "DropEmbeddingOp",
    "DropGenerationOp",
    "DropHnswIndexOp",
    "DropKeywordsOp",
    "RefreshEmbeddingsOp",
    "ReleaseSourcesOp",
    "SwitchModelOp",
    "autogenerate",
    "implementation",
]
