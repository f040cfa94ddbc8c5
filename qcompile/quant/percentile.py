"""The range that leaves out a given share of the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.quant.histogram import HALF_BINS, Histogram


def percentile_range(histogram: Histogram, percentile: float) -> tuple[float, float]:
    """The smallest range of whole bins, with zero, that leaves out at most 100 - `percentile` percent of the values.

    Half of that share is taken from either end (all of it, where values have one sign only), as in Wu et al. 2020,
    arXiv 2004.09602, section 5.1, there for magnitudes. Never wider than the extremes.
    """
    low, high = histogram.zero_range
    ends = (low < 0) + (high > 0)
    if ends == 0:
        return low, high
    cut = histogram.total * (100.0 - percentile) / (100.0 * ends)
    below = histogram.counts[:HALF_BINS][::-1]
    above = histogram.counts[HALF_BINS:]
    reach = histogram.bin_width
    return max(low, -reach * _bins_kept(below, cut)), min(high, reach * _bins_kept(above, cut))


def _bins_kept(counts: npt.NDArray[Any], cut: float) -> int:
    """How many bins to keep, counted from zero outwards, so that those beyond hold at most `cut` values."""
    beyond = counts[::-1].cumsum()[::-1]
    return int(np.count_nonzero(beyond > cut))
