"""Models of usual sizes with random weights: they know nothing, and take the time of those that do."""

from __future__ import annotations

from pathlib import Path

CLIP = "ViT-B-32"
WIDTH, LAYERS, HEADS, TOKENS = 384, 6, 12, 256
"""Those of all-MiniLM-L6-v2."""
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def make_minilm(folder: Path) -> Path:
    """A BERT with a WordPiece tokenizer of letters and pairs, saved by sentence-transformers."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    plain = folder.with_name("plain")
    plain.mkdir(parents=True)
    pairs = [first + second for first in LETTERS for second in LETTERS]
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *LETTERS,
        *pairs,
        *(f"##{piece}" for piece in [*LETTERS, *pairs]),
    ]
    (plain / "vocab.txt").write_text("\n".join(pieces), "utf-8")
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        max_position_embeddings=TOKENS,
    )
    BertModel(config).save_pretrained(plain)
    BertTokenizerFast(vocab=str(plain / "vocab.txt"), model_max_length=TOKENS).save_pretrained(plain)
    modules = [Transformer(str(plain)), Pooling(WIDTH, "mean")]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    return folder


def make_open_clip(folder: Path) -> Path:
    """CLIP as OpenCLIP publishes it, with configuration and weights."""
    import open_clip
    import torch
    from open_clip.push_to_hf_hub import save_config_for_hf
    from safetensors.torch import save_file

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    model = open_clip.create_model(CLIP, pretrained=None, load_weights=False)
    save_config_for_hf(model, folder / "open_clip_config.json", model_config=open_clip.get_model_config(CLIP))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder
