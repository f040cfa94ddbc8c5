"""Rounding of weights one after the other, the later ones making up for the error of the earlier ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BLOCK = 64
"""Codes between two matrix products that carry their error on."""


def gptq(exact: Array, moment: Array, low: Array, high: Array) -> Array:
    """Codes near `exact` with a small squared error (q - exact)' H (q - exact), found in one pass.

    Frantar et al. 2022, GPTQ (arXiv 2210.17323), first inputs first. Written as Babai's nearest plane, which it equals
    (Chen et al. 2025, arXiv 2507.18553): with H = U U' and U upper triangular, the error is the sum over k of
    (U[k, k] e[k] + sum over j < k of U[j, k] e[j])², and each e[k] makes its own term as small as codes can.

    Args:
        exact: weights in steps of their scale, shape (groups, K, channels).
        moment: H, second moment of what the weights are multiplied by, shape (groups, K, K), positive definite.
        low, high: codes that are allowed, same shape as `exact`.

    Raises:
        numpy.linalg.LinAlgError: H is not positive definite.
    """
    # Cholesky's factor of H read backwards is the upper triangular one.
    factor = np.linalg.cholesky(moment[:, ::-1, ::-1])[:, ::-1, ::-1].swapaxes(1, 2)
    ratios = factor / np.diagonal(factor, axis1=1, axis2=2)[:, :, None]
    codes, errors = np.empty_like(exact), np.zeros_like(exact)
    for at in range(0, exact.shape[1], BLOCK):
        block = slice(at, at + BLOCK)
        wanted = exact[:, block] - ratios[:, block, :at] @ errors[:, :at]
        inside = ratios[:, block, block]
        for k in range(wanted.shape[1]):
            i = at + k
            codes[:, i] = np.clip(np.rint(wanted[:, k]), low[:, i], high[:, i])
            errors[:, i] = codes[:, i] - exact[:, i]
            wanted[:, k + 1 :] -= inside[:, k + 1 :, k, None] * errors[:, i, None]
    return codes
