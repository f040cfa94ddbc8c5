"""The range with the least expected squared error."""

from __future__ import annotations

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


def mse_range(histogram: Histogram, scheme: Scheme) -> tuple[float, float]:
    """The range with the least sum of rounding and clipping error (Nagel et al. 2021, arXiv 2106.08295, section 3.1).

    Rounding costs step**2 / 12 for each value inside, clipping the squared distance of each value outside, taken at
    the centre of its bin. Values beside zero and beside the ends cost nothing: these three have codes of their own,
    and masks, one-hot vectors and constants have no other values. Both ends are searched together over the edges of
    bins. Zero is inside, and so are the ends within the extremes.
    """
    unit, (low, high) = histogram.bin_width, histogram.zero_range
    counts = histogram.counts.copy()
    counts[HALF_BINS] = 0
    errors = _Errors(_End.of(counts[:HALF_BINS][::-1], -low / unit), _End.of(counts[HALF_BINS:], high / unit), scheme)
    last = errors.below.position.size - 1, errors.above.position.size - 1
    i, j = errors.argmin(*(np.append(np.arange(0, end, COARSE), end) for end in last))
    i, j = errors.argmin(*(_around(best, end) for best, end in zip((i, j), last, strict=True)))
    if errors.at(i, j) > (1 - MIN_GAIN) * errors.at(*last):
        return low, high
    return max(low, -unit * float(errors.below.position[i])), min(high, unit * float(errors.above.position[j]))


@dataclass(frozen=True)
class _End:
    """Candidates for one end, in bins from zero outwards; for each, how many values get rounded, and what it clips."""

    position: npt.NDArray[np.float64]
    rounded: npt.NDArray[np.int64]
    clipping: npt.NDArray[np.float64]

    @classmethod
    def of(cls, counts: npt.NDArray[np.int64], extreme: float) -> _End:
        """Edges up to the first beyond the extreme, where nothing is clipped; the extreme itself stands in for it."""
        edges = np.arange(min(int(extreme) + 2, HALF_BINS + 1))
        centres = np.arange(HALF_BINS) + 0.5
        # sum of c * (x - edge)**2 over the values beyond each edge, from the sums of c, c * x and c * x**2
        squares, sums = _beyond(counts * centres**2)[edges], _beyond(counts * centres)[edges]
        beyond = _beyond(counts)
        clipping = squares - 2 * edges * sums + edges**2 * beyond[edges]
        return cls(np.minimum(edges, extreme), beyond[0] - beyond[np.maximum(edges - 1, 0)], clipping)


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
