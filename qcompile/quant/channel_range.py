"""The range and the power of a tensor per channel, gathered sample by sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Channels = npt.NDArray[np.float64]

_SMALL, _LARGE = 1e-12, 1e12
"""Magnitudes between which float32 holds squares and their sums."""


@dataclass(frozen=True)
class ChannelRange:
    """Extremes, and sum of squares, of every channel along `axis`; observing gives a new one, memory does not grow."""

    axis: int
    low: Channels | None = None
    """float64, shape (C,), as `high` and `squares`; None where nothing was seen."""
    high: Channels | None = None
    squares: Channels | None = None
    """Those of one sample are summed in float32 where it holds them."""
    count: int = 0
    """Elements of each channel."""

    def observe(self, array: npt.NDArray[np.float32]) -> ChannelRange:
        """This range after seeing `array`, any shape with the same number of channels; may be empty."""
        if not array.size:
            return self
        axis = self.axis % array.ndim
        others = tuple(i for i in range(array.ndim) if i != axis)
        low, high = array.min(axis=others).astype(np.float64), array.max(axis=others).astype(np.float64)
        blocks = array.reshape(math.prod(array.shape[:axis]), array.shape[axis], -1)
        largest = np.maximum(-low, high)
        if not np.all((largest == 0) | ((largest > _SMALL) & (largest < _LARGE))):
            blocks = blocks.astype(np.float64)
        squares = np.einsum("bci,bci->c", blocks, blocks).astype(np.float64)
        count = self.count + array.size // array.shape[axis]
        if self.low is None or self.high is None or self.squares is None:
            return ChannelRange(self.axis, low, high, squares, count)
        low, high = np.minimum(self.low, low), np.maximum(self.high, high)
        return ChannelRange(self.axis, low, high, self.squares + squares, count)

    @property
    def magnitude(self) -> Channels:
        """The largest magnitude of every channel, shape (C,). Raises ValueError where nothing was seen."""
        low, high = self._extremes()
        return np.maximum(-low, high)

    @property
    def power(self) -> Channels:
        """The mean square of every channel, shape (C,). Raises ValueError where nothing was seen."""
        if self.squares is None:
            raise ValueError("nothing was observed")
        return self.squares / self.count

    def divided(self, factors: Sequence[float] | Channels) -> tuple[float, float]:
        """The range, with zero inside, of the whole tensor once its channels are divided by positive factors."""
        low, high = (extremes / np.asarray(factors, np.float64) for extremes in self._extremes())
        return min(float(low.min()), 0.0), max(float(high.max()), 0.0)

    def _extremes(self) -> tuple[Channels, Channels]:
        if self.low is None or self.high is None:
            raise ValueError("nothing was observed")
        return self.low, self.high
