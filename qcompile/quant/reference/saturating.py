"""Products of bytes on x86-64 without VNNI, where pairs are added at 16 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_INT16 = np.iinfo(np.int16)


def saturating_product(a: npt.NDArray[np.uint8], b: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Sums of products as `vpmaddubsw` makes them: two neighbours along K are added at 16 bits, saturating.

    Args:
        a: codes, shape (M, K).
        b: codes, shape (K, N).

    Returns:
        Shape (M, N); equal to the exact product where no pair saturates.
    """
    padding = a.shape[1] % 2
    left = np.pad(a.astype(np.int64), ((0, 0), (0, padding)))
    right = np.pad(b.astype(np.int64), ((0, padding), (0, 0)))
    pairs = left[:, 0::2, None] * right[0::2] + left[:, 1::2, None] * right[1::2]
    return np.asarray(np.clip(pairs, _INT16.min, _INT16.max).sum(axis=1))
