"""Generated models that are hard to quantize, small and seeded."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.hard_cases.case import HardCase
from benchmarks.hard_cases.deep_residual import deep_residual
from benchmarks.hard_cases.depthwise_ranges import depthwise_ranges
from benchmarks.hard_cases.detector_tail import detector_tail
from benchmarks.hard_cases.outlier_channels import outlier_channels
from benchmarks.hard_cases.recurrent import recurrent
from benchmarks.hard_cases.squeeze_excite import squeeze_excite

__all__ = ["HARD_CASES", "HardCase"]

HARD_CASES: dict[str, Callable[[], HardCase]] = {
    build.__name__: build
    for build in (depthwise_ranges, detector_tail, outlier_channels, recurrent, squeeze_excite, deep_residual)
}
