"""mmdb: multimodal search inside PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmdb.connect import connect as connect

__version__ = "0.1.0"

__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:
    """Import `connect` when it is first asked for, so that `import mmdb` costs no SQLAlchemy."""
    if name == "connect":
        from mmdb.connect import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
