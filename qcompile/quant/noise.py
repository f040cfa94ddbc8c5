"""The noise that quantization parameters are expected to add to observed values."""

from __future__ import annotations

import math

import numpy as np

from qcompile.quant.histogram import HALF_BINS, Histogram
from qcompile.quant.params import QuantParams


def input_sqnr_db(histogram: Histogram, params: QuantParams) -> float:
    """Mean magnitude squared over expected noise power, in dB: how well typical values fit, not only the largest.

    Rounding costs scale**2 / 12 for each value inside the range, clipping the squared distance of each value outside.
    Values beside zero have a code of their own and do not count. inf where there is nothing to count.
    """
    counts = histogram.counts.astype(np.float64)
    counts[HALF_BINS] = 0.0
    centres = (np.arange(counts.size) - HALF_BINS + 0.5) * histogram.bin_width
    low, high = params.real_range
    noise = np.where(centres < low, (centres - low) ** 2, np.where(centres > high, (centres - high) ** 2, 0.0))
    noise = np.maximum(noise, float(params.scale) ** 2 / 12)
    total, power = float(counts.sum()), float(counts @ noise)
    if total == 0 or power == 0:
        return math.inf
    mean = float(counts @ np.abs(centres)) / total
    return 10 * math.log10(mean**2 * total / power) if mean > 0 else math.inf
