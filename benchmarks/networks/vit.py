"""ViT-S/16: Dosovitskiy et al., An Image is Worth 16x16 Words, 2020, in the small form of Touvron et al. (DeiT)."""

from __future__ import annotations

import numpy as np

from benchmarks.networks.attention import fused
from benchmarks.networks.builder import Builder, Network, Value
from benchmarks.networks.layers import BRANCH_GAIN, add, conv, gelu, gemm, layer_norm, linear, reshape, transpose
from benchmarks.networks.samples import picture, pictures

WIDTH, HEADS, LAYERS, PATCH = 384, 6, 12, 16


def vit_s16() -> Network:
    """`image` (1, 3, 224, 224) to `logits` (1, 1000)."""
    b = Builder(seed=16)
    x = _tokens(b, pictures(b, count=1))
    for _ in range(LAYERS):
        x = add(b, x, fused(b, layer_norm(b, x), HEADS))
        x = add(b, x, mlp(b, layer_norm(b, x)))
    first = b.op("Gather", layer_norm(b, x), b.constant(np.array(0, np.int64)), axis=1)
    return Network(b.model("vit_s16", logits=gemm(b, first, 1000)), picture)


def patches(b: Builder, image: Value, width: int, size: int) -> Value:
    """(1, 3, side, side) to (1, tokens, width)."""
    y = conv(b, image, width, size, size, pad=0)
    return transpose(b, reshape(b, y, 1, width, y.array[0, 0].size), 0, 2, 1)


def mlp(b: Builder, x: Value) -> Value:
    """Two linear layers with GELU between, four times as wide inside."""
    width = x.shape[-1]
    return linear(b, gelu(b, linear(b, x, 4 * width)), width, BRANCH_GAIN)


def _tokens(b: Builder, image: Value) -> Value:
    x = patches(b, image, WIDTH, PATCH)
    x = b.op("Concat", b.normal(1, 1, WIDTH), x, axis=1)
    return b.op("Add", x, b.normal(*x.shape, spread=0.5))
