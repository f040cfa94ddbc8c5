"""The second moment of what a layer multiplies by its weights, gathered sample by sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class SecondMoment:
    """Sum of the products x x' by group; observing gives a new one, in memory that does not grow."""

    products: Array | None = None
    count: int = 0

    def observe(self, vectors: Array) -> SecondMoment:
        """This moment after seeing `vectors`, float32, shape (groups, n, K); n may be 0.

        Squares that are too large for float32 make it infinite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            products = vectors.swapaxes(1, 2) @ vectors
            total = products if self.products is None else self.products + products
        return SecondMoment(total, self.count + vectors.shape[1])

    @property
    def mean(self) -> npt.NDArray[np.float32]:
        """E[x x'], shape (groups, K, K). Raises ValueError where nothing was seen."""
        if self.products is None or self.count == 0:
            raise ValueError("nothing was observed")
        return np.asarray(self.products / np.float32(self.count), np.float32)
