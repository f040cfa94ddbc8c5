"""BERT-base: Devlin et al., Pre-training of Deep Bidirectional Transformers, 2018."""

from __future__ import annotations

from benchmarks.networks.attention import separate
from benchmarks.networks.builder import Builder, Network
from benchmarks.networks.layers import add, gelu, layer_norm, linear
from benchmarks.networks.samples import text

WIDTH, HEADS, LAYERS, LENGTH, WORDS = 768, 12, 12, 128, 30522
EPSILON = 1e-12


def bert_base() -> Network:
    """`input_ids` (1, 128) to `last_hidden_state` (1, 128, 768)."""
    b = Builder(seed=768)
    ids = b.input("input_ids", text(b.rng, LENGTH, WORDS)["input_ids"])
    x = b.op("Gather", b.normal(WORDS, WIDTH), ids)
    x = layer_norm(b, b.op("Add", x, b.normal(1, LENGTH, WIDTH)), EPSILON)
    for _ in range(LAYERS):
        x = layer_norm(b, add(b, separate(b, x, HEADS), x), EPSILON)
        inner = gelu(b, linear(b, x, 4 * WIDTH))
        x = layer_norm(b, add(b, linear(b, inner, WIDTH), x), EPSILON)
    return Network(b.model("bert_base", last_hidden_state=x), text)
