"""Sums of byte products at 16 bits: which weights may exceed them, and scales under which none does.

x86-64 without VNNI multiplies unsigned by signed bytes with `vpmaddubsw`, which adds two neighbours along the inner
dimension at 16 bits, saturating (microsoft/onnxruntime, mlas/lib/qgemm_kernel_avx2.cpp, x86_64/ConvSymKernelAvx2.S).
With the code 255 on both sides the sum leaves these bits as soon as two weights of one sign add up to more than 128.

Weights come here in any shape, with two of their axes: `channel`, that of the outputs, and `inner`, which the kernel
walks first: the input channels of a convolution, the rows of a matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

PAIR_LIMIT = 128
"""Largest sum of two weight codes of one sign that fits: 255 * 128 <= 2**15 - 1 < 255 * 129."""

_ROUNDING = 1
"""By how much rounding to nearest may raise the sum of two codes."""


def may_saturate(codes: npt.NDArray[Any], channel: int, inner: int) -> npt.NDArray[np.bool_]:
    """Which weights, int8, are in a pair that exceeds 16 bits for some input; of the shape of `codes`."""
    moved = np.moveaxis(codes, (channel, inner), (0, -1))
    pairs = _pair_sums(_rows(codes, channel, inner)) > PAIR_LIMIT
    found = np.repeat(pairs, 2, axis=2)[..., : codes.shape[inner]]
    return np.moveaxis(found.reshape(moved.shape), (0, -1), (channel, inner))


def unsaturated_scale(
    weight: npt.NDArray[Any], scale: npt.NDArray[np.float32], channel: int, inner: int
) -> npt.NDArray[np.float32]:
    """Scales under which no pair exceeds 16 bits: raised, at most twofold, where one would, and untouched elsewhere.

    Holds for codes by rounding to nearest, under these scales and under larger ones.

    Args:
        weight: float.
        scale: shape (channels,), or () for one scale of all.
    """
    rows = _rows(weight, channel, inner)
    codes = np.rint(rows / scale.reshape(-1, 1, 1))
    offends = _worst(codes) > PAIR_LIMIT
    raised = np.where(offends, _worst(rows) / (PAIR_LIMIT - _ROUNDING), 0.0).astype(np.float32)
    return np.maximum(scale, raised if scale.ndim else raised.max(initial=0.0)).astype(np.float32)


def _rows(weight: npt.NDArray[Any], channel: int, inner: int) -> npt.NDArray[Any]:
    """The weight as the kernels walk it: shape (channels, taps, inner)."""
    moved = np.moveaxis(weight, (channel, inner), (0, -1))
    return moved.reshape(moved.shape[0], int(np.prod(moved.shape[1:-1])), moved.shape[-1])


def _pair_sums(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """How much the weights of a pair that have one sign add up to: shape (channels, taps, ceil(inner / 2)).

    Pairs are neighbours, counted from 0. Where the inner weights are odd in number, pairs shift from tap to tap, and
    lowering may shift them again (pixels as channels): every pair then counts as the worst one of its channel.
    """
    signed = rows.astype(np.result_type(rows, np.int16))
    return np.asarray(np.maximum(_positive_sums(signed), _positive_sums(-signed)))


def _positive_sums(signed: npt.NDArray[Any]) -> npt.NDArray[Any]:
    positive = np.maximum(signed, 0)
    channels, taps, inner = positive.shape
    if inner % 2 == 0:
        return np.asarray(positive[..., 0::2] + positive[..., 1::2])
    largest = np.sort(positive.reshape(channels, -1), axis=1)[:, -2:].sum(axis=1)
    return np.broadcast_to(largest[:, None, None], (channels, taps, inner // 2 + 1))


def _worst(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The largest sum of a pair, channel by channel."""
    return np.asarray(_pair_sums(rows).max(axis=(1, 2), initial=0))
