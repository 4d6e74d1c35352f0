"""The default model, `lite`, in parts: its weights turned into an ONNX file once, kept in a cache, and run."""

from mmdb.models.embed.lite.embedder import LiteEmbedder, builtin_spec

__all__ = ["LiteEmbedder", "builtin_spec"]
