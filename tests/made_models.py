"""Real architectures with random weights, saved as their libraries save them: what the tests of the backends load.

A small BERT with a WordPiece tokenizer and a small CLIP, as sentence-transformers saves them, and a small CLIP of
OpenCLIP. They know nothing, but their files, their loading and their arithmetic are those of the large ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = ["a", "the", "red", "blue", "shoe", "shoes", "boat", "house", "cat", "on", "with", "query", "passage", ":"]
LETTERS = [*map(chr, range(ord("a"), ord("z") + 1)), *"0123456789"]
BERT_WIDTH = 32
CLIP_WIDTH = 24
TOKENS = 32


def make_bert(folder: Path, *, seed: int = 0, prompts: dict[str, str] | None = None) -> Path:
    """A sentence-transformers model of text, BERT_WIDTH wide, in `folder`."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(seed)
    plain = _beside(folder)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = list(dict.fromkeys([*special, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]))
    (plain / "vocab.txt").write_text("\n".join(pieces), "utf-8")
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=BERT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=TOKENS,
    )
    BertModel(config).save_pretrained(plain)
    BertTokenizerFast(vocab=str(plain / "vocab.txt"), model_max_length=TOKENS).save_pretrained(plain)
    modules = [Transformer(str(plain)), Pooling(BERT_WIDTH, "mean")]
    SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save(str(folder))
    return folder


def make_clip(folder: Path, *, seed: int = 0) -> Path:
    """A sentence-transformers model of text and pictures in one space, CLIP_WIDTH wide, in `folder`."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizerFast

    torch.manual_seed(seed)
    plain = _beside(folder)
    pieces = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    places = {piece: place for place, piece in enumerate(pieces)}
    (plain / "vocab.json").write_text(json.dumps(places), "utf-8")
    (plain / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    files = {"vocab": str(plain / "vocab.json"), "merges": str(plain / "merges.txt")}
    tokenizer = CLIPTokenizerFast(**files, model_max_length=TOKENS)
    tower: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    tower |= {"num_attention_heads": 2, "projection_dim": CLIP_WIDTH}
    end = places["<|endoftext|>"]
    config = CLIPConfig(
        text_config={
            **tower,
            "vocab_size": len(pieces),
            "max_position_embeddings": TOKENS,
            "bos_token_id": places["<|startoftext|>"],
            "eos_token_id": end,
            "pad_token_id": end,
        },
        vision_config={**tower, "image_size": 32, "patch_size": 8},
        projection_dim=CLIP_WIDTH,
    )
    CLIPModel(config).save_pretrained(plain)
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(pictures, tokenizer).save_pretrained(plain)
    SentenceTransformer(modules=[Transformer(str(plain))], device="cpu").save(str(folder))
    return folder


def open_clip_config() -> dict[str, Any]:
    """A small ViT CLIP, CLIP_WIDTH wide, with the usual tokenizer of OpenCLIP."""
    return {
        "embed_dim": CLIP_WIDTH,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }


def make_open_clip(folder: Path, *, seed: int = 0) -> Path:
    """A model of OpenCLIP in `folder`, with configuration and weights as the library publishes them."""
    import open_clip
    import torch
    from open_clip.push_to_hf_hub import save_config_for_hf
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    model = open_clip.CLIP(**open_clip_config())
    folder.mkdir(parents=True)
    preparation = {
        "mean": [0.5, 0.4, 0.3],
        "std": [0.3, 0.3, 0.2],
        "interpolation": "bilinear",
        "resize_mode": "squash",
    }
    open_clip.set_model_preprocess_cfg(model, {"size": 32, "mode": "RGB", "fill_color": 0, **preparation})
    save_config_for_hf(model, folder / "open_clip_config.json", model_config=open_clip_config())
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


def _beside(folder: Path) -> Path:
    """A folder for what transformers saves before sentence-transformers does."""
    plain = folder.with_name(f"{folder.name}-plain")
    plain.mkdir(parents=True)
    return plain
