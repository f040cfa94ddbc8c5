"""The compiler as functions."""

from __future__ import annotations

from qcompile.api.benching import bench
from qcompile.api.compilation import compile
from qcompile.api.inspection import Inspection, inspect
from qcompile.api.results import CompileResult, NodeReport
from qcompile.api.validation import ValidationReport, validate
from qcompile.calibrate import Progress
from qcompile.report.bench import BenchReport
from qcompile.runtime import speed_ratio

__all__ = [
    "BenchReport",
    "CompileResult",
    "Inspection",
    "NodeReport",
    "Progress",
    "ValidationReport",
    "bench",
    "compile",
    "inspect",
    "speed_ratio",
    "validate",
]
