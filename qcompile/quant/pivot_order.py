"""The order in which weights are rounded, when each makes up for those before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

THOROUGH = 1024
"""Inputs up to which the order is found step by step; with more of them their own power has to do."""


def pivot_order(moment: Array) -> Array:
    """Indices of inputs, those first that the others can make up for least, were they rounded later.

    The last place is for the smallest input, each place before it for the one of which least is left once those behind
    it are known: Cholesky's factorisation with the smallest pivots, backwards (Chen et al. 2025, arXiv 2507.18553,
    section 4.4, "min-pivot"). For many inputs: in the order of their power, the largest first, as GPTQ's act-order is.

    Args:
        moment: second moment of the inputs, shape (groups, K, K), positive definite.

    Returns:
        Permutations of 0 .. K - 1, int64, shape (groups, K).
    """
    left = np.array(np.diagonal(moment, axis1=1, axis2=2))
    groups, inner = left.shape
    if inner > THOROUGH:
        return np.argsort(-left, axis=1, kind="stable")
    every = np.arange(groups)
    order = np.empty((groups, inner), np.int64)
    rows = np.empty((groups, inner, inner), moment.dtype)
    floor = np.finfo(moment.dtype).tiny
    for k in range(inner):
        pivot = left.argmin(axis=1)
        known = rows[:, :k]
        row = moment[every, pivot] - (known[every, :, pivot][:, None] @ known)[:, 0]
        rows[:, k] = row / np.sqrt(np.maximum(left[every, pivot], floor))[:, None]
        left -= rows[:, k] ** 2
        np.maximum(left, floor, out=left, where=np.isfinite(left))
        order[:, inner - 1 - k] = pivot
        left[every, pivot] = np.inf
    return order
