"""Swin-T: Liu et al., Hierarchical Vision Transformer using Shifted Windows, 2021."""

from __future__ import annotations

import numpy as np

from benchmarks.networks.attention import fused
from benchmarks.networks.builder import Builder, Network, Value
from benchmarks.networks.layers import add, gemm, layer_norm, linear, reshape, sliced, transpose
from benchmarks.networks.samples import picture, pictures
from benchmarks.networks.vit import mlp, patches

WIDTH, PATCH, WINDOW = 96, 4, 7
STAGES = ((2, 3), (2, 6), (6, 12), (2, 24))
"""Layers, heads."""
SHIFT = WINDOW // 2
BARRED = -100.0
"""Added to the score of two tokens that the roll has brought together."""


def swin_t() -> Network:
    """`image` (1, 3, 224, 224) to `logits` (1, 1000)."""
    b = Builder(seed=7)
    x = layer_norm(b, patches(b, pictures(b, count=1), WIDTH, PATCH))
    side = 224 // PATCH
    for stage, (layers, heads) in enumerate(STAGES):
        if stage:
            x, side = _merged(b, x, side), side // 2
        for layer in range(layers):
            shift = SHIFT if layer % 2 and side > WINDOW else 0
            x = add(b, x, _window_attention(b, layer_norm(b, x), side, heads, shift))
            x = add(b, x, mlp(b, layer_norm(b, x)))
    pooled = b.op("ReduceMean", layer_norm(b, x), axes=[1], keepdims=0)
    return Network(b.model("swin_t", logits=gemm(b, pooled, 1000)), picture)


def _window_attention(b: Builder, x: Value, side: int, heads: int, shift: int) -> Value:
    """Attention within each window of `WINDOW` x `WINDOW` tokens, the map rolled by `shift` before and back after."""
    width, across = x.shape[-1], side // WINDOW
    y = _rolled(b, reshape(b, x, 1, side, side, width), shift)
    y = transpose(b, reshape(b, y, 1, across, WINDOW, across, WINDOW, width), 0, 1, 3, 2, 4, 5)
    y = reshape(b, y, across**2, WINDOW**2, width)
    places = b.normal(1, heads, WINDOW**2, WINDOW**2, spread=0.3)
    mask = b.constant(_mask(side)) if shift else None

    def biased(scores: Value) -> Value:
        scores = b.op("Add", scores, places)
        return b.op("Add", scores, mask) if mask else scores

    y = fused(b, y, heads, biased)
    y = transpose(b, reshape(b, y, 1, across, across, WINDOW, WINDOW, width), 0, 1, 3, 2, 4, 5)
    y = _rolled(b, reshape(b, y, 1, side, side, width), side - shift if shift else 0)
    return reshape(b, y, 1, side**2, width)


def _rolled(b: Builder, x: Value, shift: int) -> Value:
    """Rows and columns moved to the front by `shift`, those that fall off put behind."""
    if not shift:
        return x
    for axis in (1, 2):
        side = x.shape[axis]
        x = b.op("Concat", sliced(b, x, axis, shift, side), sliced(b, x, axis, 0, shift), axis=axis)
    return x


def _mask(side: int) -> np.ndarray:
    """(windows, 1, tokens, tokens): `BARRED` where two tokens of a window come from different sides of the map."""
    across = side // WINDOW
    part = np.zeros(side)
    part[-WINDOW:-SHIFT], part[-SHIFT:] = 1, 2
    regions = (3 * part[:, None] + part[None]).reshape(across, WINDOW, across, WINDOW)
    windows = regions.transpose(0, 2, 1, 3).reshape(across**2, WINDOW**2)
    return np.where(windows[:, None, :, None] == windows[:, None, None, :], 0.0, BARRED)


def _merged(b: Builder, x: Value, side: int) -> Value:
    """Two by two tokens side by side, then half as wide."""
    width = x.shape[-1]
    grid = reshape(b, x, 1, side, side, width)
    corners = [
        sliced(b, sliced(b, grid, 1, row, side, 2), 2, column, side, 2) for column in range(2) for row in range(2)
    ]
    y = b.op("Concat", *corners, axis=3)
    y = reshape(b, y, 1, (side // 2) ** 2, 4 * width)
    return linear(b, layer_norm(b, y), 2 * width, bias=False)
