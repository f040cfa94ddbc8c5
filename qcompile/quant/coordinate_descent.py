"""Rounding of weights by coordinate descent on the error of a layer's output."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SWEEPS = 8
"""Passes over all coordinates at most; few codes still move after the fourth."""

BLOCK = 64
"""Coordinates between two updates of all slopes, which are one matrix product each."""


def coordinate_descent(exact: Array, start: Array, moment: Array, low: Array, high: Array) -> Array:
    """Codes near `exact` whose squared error (q - exact)' H (q - exact) no change of a single code makes smaller.

    Each code in turn goes to where the error is least while the others stay, for all channels at once (coordinate
    descent as in Nair and Suggala 2024, CDQuant, arXiv 2406.17542), until none moves or for `SWEEPS` rounds.

    Args:
        exact: weights in steps of their scale, shape (groups, K, channels).
        start: codes to begin with, same shape; integers in a float type.
        moment: H, second moment of what the weights are multiplied by, shape (groups, K, K), diagonal positive.
        low, high: codes that are allowed, same shape as `exact`.

    Returns:
        Codes, shape and type of `start`.
    """
    codes = start.copy()
    slope = moment @ (codes - exact)
    inner = moment.shape[-1]
    for _ in range(SWEEPS):
        moves = [_descend(slice(at, at + BLOCK), codes, slope, moment, low, high) for at in range(0, inner, BLOCK)]
        if not any(moves):
            break
    return codes


def _descend(block: slice, codes: Array, slope: Array, moment: Array, low: Array, high: Array) -> bool:
    """Moves the codes of a block one after the other, brings all slopes up to date, and says if a code moved."""
    own, inside, before = slope[:, block].copy(), moment[:, block, block], codes[:, block].copy()
    after, lowest, highest = codes[:, block], low[:, block], high[:, block]
    for k in range(own.shape[1]):
        free = after[:, k] - np.rint(own[:, k] / inside[:, k, k, None])
        after[:, k] = np.clip(free, lowest[:, k], highest[:, k])
        step = after[:, k] - before[:, k]
        if step.any():
            own[:, k + 1 :] += inside[:, k + 1 :, k, None] * step[:, None]
    steps = after - before
    moved = bool(steps.any())
    if moved:
        slope += moment[:, :, block] @ steps
    return moved
