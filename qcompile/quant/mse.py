"""The range with the least expected squared error, of the values or of what a function makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.quant.histogram import HALF_BINS, Histogram
from qcompile.quant.scheme import Scheme

MIN_GAIN = 0.01
"""Share of the error that clipping must save. Less is below what a model of rounding noise can promise, and the full
range loses nothing on data that already lies on a grid, such as pictures."""

COARSE = 8
"""Stride in bins of the first search; the second looks at every bin around its winner."""

Function = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""A function of each number by itself, finite on finite numbers."""


def mse_range(histogram: Histogram, scheme: Scheme, function: Function = np.positive) -> tuple[float, float]:
    """The range with the least sum of rounding and clipping error (Nagel et al. 2021, arXiv 2106.08295, section 3.1).

    The error is that of `function`, where the values are read by nothing else: a saturated tail costs nothing, a
    branch with slope 0.1 one hundredth. Rounding costs step**2 / 12 times the squared slope for each value inside,
    clipping the squared distance to the function at the end for each value outside, taken at the centre of its bin.
    Values beside zero and beside the ends are rounded for nothing: these three have codes of their own, and masks,
    one-hot vectors and constants have no other values. Both ends are searched together over the edges of bins. Zero is
    inside, and so are the ends within the extremes.
    """
    unit, (low, high) = histogram.bin_width, histogram.zero_range
    counts = histogram.counts
    below = _End.of(counts[:HALF_BINS][::-1], -low / unit, lambda bins: function(-unit * bins) / unit)
    above = _End.of(counts[HALF_BINS:], high / unit, lambda bins: function(unit * bins) / unit)
    errors = _Errors(below, above, scheme)
    last = errors.below.position.size - 1, errors.above.position.size - 1
    i, j = errors.argmin(*(np.append(np.arange(0, end, COARSE), end) for end in last))
    i, j = errors.argmin(*(_around(best, end) for best, end in zip((i, j), last, strict=True)))
    if errors.at(i, j) > (1 - MIN_GAIN) * errors.at(*last):
        return low, high
    return max(low, -unit * float(errors.below.position[i])), min(high, unit * float(errors.above.position[j]))


@dataclass(frozen=True)
class _End:
    """Candidates for one end, in bins from zero outwards; for each, what is rounded inside, and what it clips."""

    position: npt.NDArray[np.float64]
    rounded: npt.NDArray[np.float64]
    """Values beside none of the three free codes, weighted by the squared slope of the function."""
    clipping: npt.NDArray[np.float64]

    @classmethod
    def of(cls, counts: npt.NDArray[np.int64], extreme: float, function: Function) -> _End:
        """Edges up to the first beyond the extreme, where nothing is clipped; the extreme itself stands in for it."""
        ends = np.arange(min(int(extreme) + 2, HALF_BINS + 1))
        position = np.minimum(ends, extreme)
        # sum of c * (y - y_end)**2 over the values beyond each end, from the sums of c, c * y and c * y**2
        y, y_end = function(np.arange(HALF_BINS, dtype=np.float64) + 0.5), function(ends.astype(np.float64))
        squares, sums, beyond = (_beyond(counts * term)[ends] for term in (y**2, y, np.ones(HALF_BINS)))
        clipping = squares - 2 * y_end * sums + y_end**2 * beyond
        slope = np.diff(function(np.arange(HALF_BINS + 1.0)))
        weighted = _beyond(counts * slope**2)
        return cls(position, weighted[1] - weighted[np.maximum(ends - 1, 1)], clipping)


@dataclass(frozen=True)
class _Errors:
    """Squared error of the range between candidate i below zero and candidate j above, in squared bins."""

    below: _End
    above: _End
    scheme: Scheme

    def of(self, i: npt.NDArray[Any], j: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """The errors of all pairs, shape (len(i), len(j))."""
        i, j = np.ix_(i, j)
        below, above = self.below, self.above
        noise = self.scheme.step(-below.position[i], above.position[j]) ** 2 / 12
        rounded = below.rounded[i] + above.rounded[j]
        return np.asarray(noise * rounded + below.clipping[i] + above.clipping[j])

    def at(self, i: int, j: int) -> float:
        """The error of one pair."""
        return float(self.of(np.array([i]), np.array([j]))[0, 0])

    def argmin(self, i: npt.NDArray[Any], j: npt.NDArray[Any]) -> tuple[int, int]:
        """The best pair."""
        best = np.unravel_index(self.of(i, j).argmin(), (i.size, j.size))
        return int(i[best[0]]), int(j[best[1]])


def _around(best: int, last: int) -> npt.NDArray[Any]:
    return np.arange(max(best - COARSE, 0), min(best + COARSE, last) + 1)


def _beyond(terms: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sums of terms[i:] for i = 0 .. len(terms)."""
    return np.append(terms[::-1].cumsum()[::-1], 0)
