"""The mean of a tensor per channel, gathered sample by sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ChannelMean:
    """Sum and count of every channel along `axis`; observing gives a new one, in memory that does not grow."""

    axis: int
    total: npt.NDArray[np.float64] | None = None
    count: int = 0

    def observe(self, array: npt.NDArray[np.float32]) -> ChannelMean:
        """This mean after seeing `array`, any shape with the same number of channels; may be empty."""
        axis = self.axis % array.ndim
        others = tuple(i for i in range(array.ndim) if i != axis)
        total = array.sum(axis=others, dtype=np.float64)
        count = array.size // max(1, array.shape[axis])
        return ChannelMean(self.axis, total if self.total is None else self.total + total, self.count + count)

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """float64, shape (C,). Raises ValueError where nothing was seen."""
        if self.total is None or self.count == 0:
            raise ValueError("nothing was observed")
        return self.total / self.count
