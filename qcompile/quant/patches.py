"""What a weighted layer multiplies by its weights: rows of a matrix, or patches of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Patches:
    """Geometry of a convolution of any rank; with an empty kernel, of a product with rows along the last axis.

    Attributes:
        kernel, strides, dilations: one number for each spatial axis.
        pads: (before, after) for each spatial axis.
        groups: groups of input channels.
    """

    kernel: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    pads: tuple[tuple[int, int], ...] = ()
    groups: int = 1

    def of(self, x: Array, most: int) -> Array:
        """At most `most` of the patches, at even distances.

        Args:
            x: shape (N, C, *spatial), or (..., C) without a kernel.

        Returns:
            Shape (groups, patches, K), K = C / groups * taps in the order of a weight's axes.
        """
        if not self.kernel:
            rows = x.reshape(-1, x.shape[-1])
            return rows[_spread(len(rows), most)][None]
        padded = np.pad(x, [(0, 0), (0, 0), *self.pads])
        batch, channels, *sizes = padded.shape
        spans = [d * (k - 1) + 1 for d, k in zip(self.dilations, self.kernel, strict=True)]
        counts = [(n - s) // step + 1 for n, s, step in zip(sizes, spans, self.strides, strict=True)]
        sample, *places = np.unravel_index(_spread(batch * math.prod(counts), most), (batch, *counts))
        starts = np.ravel_multi_index([p * s for p, s in zip(places, self.strides, strict=True)], sizes)
        taps = np.indices(self.kernel).reshape(len(self.kernel), -1) * np.array(self.dilations)[:, None]
        offsets = np.ravel_multi_index(list(taps), sizes)
        flat = padded.reshape(batch, channels, -1)
        picked = flat[sample[:, None], :, starts[:, None] + offsets]  # patches, taps, channels
        by_group = picked.swapaxes(1, 2).reshape(len(starts), self.groups, -1)
        return np.ascontiguousarray(by_group.swapaxes(0, 1))


def _spread(count: int, most: int) -> npt.NDArray[np.int64]:
    step = max(1, -(-count // most))
    return np.arange(0, count, step | (step > 1))  # odd, so that it does not keep hitting the same column
