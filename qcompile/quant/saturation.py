"""Sums of byte products at 16 bits: which weights may exceed them, and scales under which none does.

x86-64 without VNNI multiplies unsigned by signed bytes with `vpmaddubsw`, which adds two neighbours along the inner
dimension at 16 bits, saturating (microsoft/onnxruntime, mlas/lib/qgemm_kernel_avx2.cpp, ConvSymKernelAvx2.S). With the
code 255 on both sides the sum leaves these bits as soon as two weights of one sign add up to more than 128.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

PAIR_LIMIT = 128
"""Largest sum of two weight codes of one sign that fits: 255 * 128 <= 2**15 - 1 < 255 * 129."""

_ROUNDING = 1
"""By how much rounding to nearest may raise the sum of two codes."""


def kernel_rows(weight: npt.NDArray[Any], channel: int, inner: int) -> npt.NDArray[Any]:
    """A weight as the kernels walk it: shape (channels, taps, inner), `inner` last in memory.

    Args:
        weight: any shape.
        channel: axis of the outputs.
        inner: axis that is summed over first: the input channels of a convolution, the rows of a matrix.
    """
    moved = np.moveaxis(weight, (channel, inner), (0, -1))
    taps = int(np.prod(moved.shape[1:-1]))
    return moved.reshape(moved.shape[0], taps, moved.shape[-1])


def pair_sums(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """How much the two weights of a pair that have one sign add up to, at most.

    Pairs are neighbours, counted from 0. An odd number of inner weights shifts the pairs from tap to tap, and lowering
    may do so again (pixels as channels): every pair is then taken for the worst one of its channel.

    Args:
        rows: real weights or codes, shape (channels, taps, inner).

    Returns:
        Shape (channels, taps, ceil(inner / 2)), float64.
    """
    signed = rows.astype(np.float64)
    return np.maximum(_like_signed(np.maximum(signed, 0)), _like_signed(np.maximum(-signed, 0)))


def may_saturate(codes: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which weights are in a pair that exceeds 16 bits for some input; shape and argument as in `pair_sums`."""
    return np.repeat(pair_sums(codes) > PAIR_LIMIT, 2, axis=2)[..., : codes.shape[2]]


def unsaturated_scale(rows: npt.NDArray[Any], scale: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scales under which no pair exceeds 16 bits: raised where one would, by at most a factor of 2; else untouched.

    Holds for codes by rounding to nearest, under these scales and under larger ones.

    Args:
        rows: real weights, shape (channels, taps, inner).
        scale: shape (channels,), or () for one scale of all.
    """
    codes = np.rint(rows / scale.reshape(-1, 1, 1))
    offends = pair_sums(codes).max(axis=(1, 2), initial=0.0) > PAIR_LIMIT
    needed = pair_sums(rows).max(axis=(1, 2), initial=0.0) / (PAIR_LIMIT - _ROUNDING)
    raised = np.where(offends, needed, 0.0).astype(np.float32)
    return np.maximum(scale, raised if scale.ndim else raised.max(initial=0.0)).astype(np.float32)


def _like_signed(positive: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    channels, taps, inner = positive.shape
    if inner % 2 == 0:
        return np.asarray(positive.reshape(channels, taps, inner // 2, 2).sum(axis=3))
    largest = np.sort(positive.reshape(channels, -1), axis=1)[:, -2:].sum(axis=1)
    return np.broadcast_to(largest[:, None, None], (channels, taps, inner // 2 + 1))
