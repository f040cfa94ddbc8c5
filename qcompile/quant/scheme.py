"""Which integers a tensor is mapped to: type, symmetry, and whether the lowest code is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Scheme:
    """An 8-bit integer grid.

    Attributes:
        dtype: "uint8" or "int8".
        symmetric: the zero point is 0; int8 only.
        narrow: a symmetric grid uses [-127, 127], so that negation stays inside it.

    Raises:
        ValueError: the combination does not exist.
    """

    dtype: str
    symmetric: bool = False
    narrow: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in ("uint8", "int8"):
            raise ValueError(f"dtype is {self.dtype!r}; it must be 'uint8' or 'int8'")
        if self.symmetric and self.dtype != "int8":
            raise ValueError("a symmetric scheme needs int8 (its zero point is 0)")
        if self.narrow and not self.symmetric:
            raise ValueError("a narrow scheme must be symmetric")

    @property
    def qmin(self) -> int:
        """Lowest code in use."""
        return int(np.iinfo(self.numpy_dtype).min) + self.narrow

    @property
    def qmax(self) -> int:
        """Highest code in use."""
        return int(np.iinfo(self.numpy_dtype).max)

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """Storage type."""
        return np.dtype(self.dtype)

    def step(self, low: npt.ArrayLike, high: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Distance of neighbouring codes when the grid covers [low, high], low <= 0 <= high; elementwise, float64."""
        low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        if self.symmetric:
            return np.maximum(low / self.qmin, high / self.qmax)
        return np.asarray((high - low) / (self.qmax - self.qmin))


UINT8 = Scheme("uint8")
INT8_SYMMETRIC = Scheme("int8", symmetric=True)
WEIGHT_INT8 = Scheme("int8", symmetric=True, narrow=True)
