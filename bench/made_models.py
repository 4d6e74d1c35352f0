"""A model of a usual size with random weights: it knows nothing, and takes the time of one that does."""

from __future__ import annotations

from pathlib import Path

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
