"""Attention of several heads over (batch, tokens, width), decomposed as exporters write it."""

from __future__ import annotations

import math
from collections.abc import Callable

from benchmarks.networks.builder import Builder, Value
from benchmarks.networks.layers import linear, reshape, sliced, transpose

Scores = Callable[[Value], Value]


def separate(b: Builder, x: Value, heads: int) -> Value:
    """With a linear layer for each of queries, keys and values, as in BERT."""
    q, k, v = (linear(b, x, x.shape[-1]) for _ in range(3))
    return attend(b, q, k, v, heads)


def fused(b: Builder, x: Value, heads: int, biased: Scores | None = None) -> Value:
    """With one linear layer for all three, as in vision transformers."""
    width = x.shape[-1]
    together = linear(b, x, 3 * width)
    q, k, v = (sliced(b, together, len(x.shape) - 1, n * width, (n + 1) * width) for n in range(3))
    return attend(b, q, k, v, heads, biased)


def attend(b: Builder, q: Value, k: Value, v: Value, heads: int, biased: Scores | None = None) -> Value:
    """softmax(q k^T / sqrt(size of a head)) v; `biased` may add to the scores before the softmax."""
    batch, tokens, width = q.shape
    size = width // heads

    def of_heads(x: Value, *order: int) -> Value:
        return transpose(b, reshape(b, x, batch, tokens, heads, size), *order)

    scale = b.constant(1 / math.sqrt(size))
    scores = b.op("MatMul", of_heads(q, 0, 2, 1, 3), of_heads(k, 0, 2, 3, 1))
    scores = b.op("Mul", scores, scale)
    shares = b.op("Softmax", biased(scores) if biased else scores, axis=-1)
    mixed = b.op("MatMul", shares, of_heads(v, 0, 2, 1, 3))
    joined = reshape(b, transpose(b, mixed, 0, 2, 1, 3), batch, tokens, width)
    return linear(b, joined, width)
