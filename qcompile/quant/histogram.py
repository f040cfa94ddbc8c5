"""A histogram that can be filled in any order and in any pieces, and comes out the same bit for bit.

Bins are 2**k wide, half open and aligned at zero, so every grid is a coarsening of every finer one: bin i becomes bin
i >> 1 when k grows by one. k follows from the extremes alone. Counts are integers, hence merging is exact,
commutative and associative, with `Histogram.empty()` as its identity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

HALF_BINS = 2048
"""Bins on either side of zero. The data fills at least half of one side: 4 bins a step of an 8-bit grid."""

FINEST_EXPONENT = -149 - HALF_BINS.bit_length() + 1
"""The k of the smallest denormal float32; also of tensors that are all zero."""

BLOCK = 1 << 16
"""Values binned at once: the float64 copies stay in the cache and small."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of values in [i * 2**exponent, (i + 1) * 2**exponent) for i in [-HALF_BINS, HALF_BINS).

    Attributes:
        counts: int64, shape (2 * HALF_BINS,); entry j is bin i = j - HALF_BINS.
        exponent: the smallest k with -HALF_BINS * 2**k <= low and high < HALF_BINS * 2**k.
        low: smallest value, exactly; +inf if there is none.
        high: largest value, exactly; -inf if there is none.
    """

    counts: npt.NDArray[np.int64]
    exponent: int
    low: float
    high: float

    @classmethod
    def empty(cls) -> Histogram:
        """The histogram of no values."""
        return cls(np.zeros(2 * HALF_BINS, np.int64), FINEST_EXPONENT, math.inf, -math.inf)

    @classmethod
    def of(cls, array: npt.ArrayLike) -> Histogram:
        """The histogram of all values of an array of any shape, taken as float32.

        Raises:
            ValueError: a value is NaN or infinite.
        """
        values, low, high = finite_values(array)
        if values.size == 0:
            return cls.empty()
        exponent = max(_exponent(high, strict=True), _exponent(-low, strict=False))
        counts = np.zeros(2 * HALF_BINS, np.int64)
        for start in range(0, values.size, BLOCK):
            # float64, because in float32 the product may underflow and move a value across zero
            position = np.multiply(values[start : start + BLOCK], math.ldexp(1.0, -exponent), dtype=np.float64)
            counts += np.bincount(np.floor(position).astype(np.intp) + HALF_BINS, minlength=2 * HALF_BINS)
        return cls(counts, exponent, low, high)

    def merge(self, other: Histogram) -> Histogram:
        """The histogram of both sets of values together."""
        exponent = max(self.exponent, other.exponent)
        counts = self._counts_at(exponent) + other._counts_at(exponent)
        return Histogram(counts, exponent, min(self.low, other.low), max(self.high, other.high))

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    @property
    def bin_width(self) -> float:
        """2**exponent."""
        return math.ldexp(1.0, self.exponent)

    @property
    def zero_range(self) -> tuple[float, float]:
        """The extremes, widened to contain zero; (0, 0) if there are no values."""
        return min(self.low, 0.0), max(self.high, 0.0)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Histogram) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return (self.exponent, self.low, self.high, self.counts.tobytes())

    def _counts_at(self, exponent: int) -> npt.NDArray[np.int64]:
        if exponent == self.exponent:
            return self.counts
        # past 12 halvings only the bins -1 and 0 on either side of zero are left
        shift = min(exponent - self.exponent, HALF_BINS.bit_length())
        coarse = (np.arange(-HALF_BINS, HALF_BINS) >> shift) + HALF_BINS
        return np.bincount(coarse, self.counts, 2 * HALF_BINS).astype(np.int64)  # exact up to 2**53 values


def finite_values(array: npt.ArrayLike) -> tuple[npt.NDArray[Any], float, float]:
    """The values as flat float32, their minimum and maximum; (+inf, -inf) if there are none.

    Raises:
        ValueError: "N of M values are NaN" or "... are infinite"; the caller knows the tensor and the sample.
    """
    with np.errstate(over="ignore", under="ignore"):
        values = np.asarray(array).astype(np.float32, copy=False).reshape(-1)
    if values.size == 0:
        return values, math.inf, -math.inf
    # adding 0.0 turns -0.0 into 0.0, so that the extremes do not depend on the order
    low, high = float(values.min()) + 0.0, float(values.max()) + 0.0
    if math.isnan(low):
        raise ValueError(f"{np.isnan(values).sum()} of {values.size} values are NaN")
    if math.isinf(low) or math.isinf(high):
        raise ValueError(f"{np.isinf(values).sum()} of {values.size} values are infinite")
    return values, low, high


def _exponent(extreme: float, *, strict: bool) -> int:
    """Smallest k with extreme <= HALF_BINS * 2**k (or <, if strict), but at least FINEST_EXPONENT."""
    if extreme <= 0:
        return FINEST_EXPONENT
    mantissa, exponent = math.frexp(extreme)
    reached = mantissa == 0.5 and not strict
    return max(exponent - reached - HALF_BINS.bit_length() + 1, FINEST_EXPONENT)
