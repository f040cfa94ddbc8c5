"""Rounding of weights by coordinate descent on the error of a layer's output."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SWEEPS = 4
"""Passes over all coordinates at most: fewer than one code in fifty still moves in the fourth."""

BLOCK = 64
"""Coordinates between two updates of all slopes, which are one matrix product each."""


def coordinate_descent(exact: Array, start: Array, moment: Array, low: Array, high: Array) -> Array:
    """Codes near `exact` whose squared error (q - exact)' H (q - exact) no change of a single code makes smaller.

    Each code in turn goes to where the error is least while the others stay, for all channels at once (coordinate
    descent as in Nair and Suggala 2024, CDQuant, arXiv 2406.17542), until none moves or for `SWEEPS` rounds. Channels
    are independent: one whose codes have come to rest is left out of the rounds that follow.

    Args:
        exact: weights in steps of their scale, shape (groups, K, channels).
        start: codes to begin with, same shape; integers in a float type.
        moment: H, second moment of what the weights are multiplied by, shape (groups, K, K), diagonal positive.
        low, high: codes that are allowed, same shape as `exact`.

    Returns:
        Codes, shape and type of `start`.
    """
    found = start.copy()
    moving = np.arange(start.shape[-1])
    codes, slope = start, moment @ (start - exact)
    for _ in range(SWEEPS):
        before, codes = codes, codes.copy()
        _sweep(codes, slope, moment, low, high)
        found[:, :, moving] = codes
        moved = (codes != before).any(axis=(0, 1))
        if not moved.any():
            break
        moving = moving[moved]
        codes, slope, low, high = (np.compress(moved, array, axis=-1) for array in (codes, slope, low, high))
    return found


def _sweep(codes: Array, slope: Array, moment: Array, low: Array, high: Array) -> None:
    """Moves every code once, and keeps the slopes up to date."""
    for at in range(0, codes.shape[1], BLOCK):
        block = slice(at, at + BLOCK)
        slopes, inside = slope[:, block].copy(), moment[:, block, block]
        steps = _descend(codes[:, block], slopes, inside, low[:, block], high[:, block])
        if steps.any():
            slope += moment[:, :, block] @ steps


def _descend(after: Array, own: Array, inside: Array, lowest: Array, highest: Array) -> Array:
    """Moves the codes of a block one after the other; by how much each moved."""
    before = after.copy()
    for k in range(own.shape[1]):
        free = after[:, k] - np.rint(own[:, k] / inside[:, k, k, None])
        after[:, k] = np.clip(free, lowest[:, k], highest[:, k])
        step = after[:, k] - before[:, k]
        if step.any():
            own[:, k + 1 :] += inside[:, k + 1 :, k, None] * step[:, None]
    return after - before
