"""The range that keeps most of the information: least Kullback-Leibler divergence."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.quant.histogram import HALF_BINS, Histogram
from qcompile.quant.scheme import Scheme

STRIDE = 4
"""Bins between candidates: about a step of the full range, which fills at least 1024 bins with 256 codes."""


def entropy_range(histogram: Histogram, scheme: Scheme) -> tuple[float, float]:
    """The clipping threshold whose quantized distribution diverges least from the clipped one.

    The method of TensorRT (Migacz 2017, "8-bit inference with TensorRT", GTC, pages 31 to 36): P is the histogram
    within the threshold, with all values outside added to its edge bins; Q spreads the count of each quantization
    cell evenly over the cell's non-empty bins; the threshold with the least KL(P || Q) wins. Here the cells are those
    of `scheme`, with zero on a code of its own, and threshold t stands for [max(low, -t), min(high, t)]. The bin above
    zero gets its neighbour's count, because exact zeros say nothing about the range (as NVIDIA's pytorch-quantization
    does). Thresholds whose step is finer than a bin are no candidates: P and Q would be the same. Nor are those that
    leave nothing inside.
    """
    unit, (low, high) = histogram.bin_width, histogram.zero_range
    counts = histogram.counts.copy()
    counts[HALF_BINS] = counts[HALF_BINS + 1]
    first, end = int(np.floor(low / unit)), int(np.floor(high / unit)) + 1
    threshold = np.arange(max(-first, end), 0, -STRIDE)
    lower, upper = np.maximum(first, -threshold), np.minimum(end, threshold)
    resolved = scheme.step(lower, upper) >= 1
    if not counts.any() or not resolved.any():
        return low, high
    lower, upper = lower[resolved], upper[resolved]
    # the widest comes first and wins ties
    best = int(_divergence(counts, lower, upper, scheme).argmin())
    return max(low, float(lower[best]) * unit), min(high, float(upper[best]) * unit)


def _divergence(
    counts: npt.NDArray[np.int64], lower: npt.NDArray[Any], upper: npt.NDArray[Any], scheme: Scheme
) -> npt.NDArray[np.float64]:
    """KL(P || Q) of each range [lower, upper), in bins; infinite where all values are clipped.

    With counts p and total N of P, S the count before clipping, n the non-empty bins of each cell and M the sum of S,
    KL = (sum of p log p - sum over the cells of p log(S / n)) / N + log(M / N), all of it from prefix sums. A cell
    that nothing but clipped values falls into has S = 1, which keeps KL finite: a lone outlier may be clipped.
    """
    candidates = np.arange(lower.size)
    left, right = lower + HALF_BINS, upper + HALF_BINS
    edges = _cell_edges(lower, upper, scheme) + HALF_BINS
    first_cell = (edges == left[:, None]).sum(axis=1) - 1
    last_cell = edges.shape[1] - 1 - (edges == right[:, None]).sum(axis=1)
    below, filled, entropy = _before(counts), _before(counts > 0), _before(_xlogx(counts))

    within = np.diff(below[edges], axis=1)
    clipped, bins = within.copy(), np.diff(filled[edges], axis=1)
    p_log_p = entropy[right] - entropy[left]
    for cell, edge_bin, outside in ((first_cell, left, below[left]), (last_cell, right - 1, below[-1] - below[right])):
        clipped[candidates, cell] += outside
        bins[candidates, cell] += (counts[edge_bin] == 0) & (outside > 0)
        p_log_p += _xlogx(counts[edge_bin] + outside) - _xlogx(counts[edge_bin])

    smoothed = np.where(clipped > 0, np.maximum(within, 1), within)
    spread = np.log(np.maximum(smoothed, 1) / np.maximum(bins, 1))
    divergence = (p_log_p - (clipped * spread).sum(axis=1)) / below[-1] + np.log(smoothed.sum(axis=1) / below[-1])
    return np.where(below[right] > below[left], divergence, np.inf)


def _cell_edges(lower: npt.NDArray[Any], upper: npt.NDArray[Any], scheme: Scheme) -> npt.NDArray[np.intp]:
    """Where the values of one code end and those of the next begin, in whole bins; shape (len(lower), codes + 1)."""
    step = scheme.step(lower, upper)[:, None]
    lower, upper = lower[:, None], upper[:, None]
    zero_point = 0 if scheme.symmetric else np.rint(scheme.qmin - lower / step)
    between = (np.arange(scheme.qmin, scheme.qmax) + 0.5 - zero_point) * step
    inner = np.clip(np.rint(between), lower, upper)
    return np.hstack([lower, inner, upper]).astype(np.intp)


def _before(terms: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sums of terms[:i] for i = 0 .. len(terms)."""
    return np.append(0, terms.cumsum())


def _xlogx(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(counts * np.log(np.maximum(counts, 1)))
