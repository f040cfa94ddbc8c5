"""The runtime has the last word: what it makes of the result, and how near that is to the reference."""

from __future__ import annotations

from qcompile.verify.fidelity import Reference, check_finite, compare
from qcompile.verify.interface import FloatFaced
from qcompile.verify.metric import Metric, MetricFunction, MetricResult, find_metric
from qcompile.verify.readback import surprises
from qcompile.verify.runnable import check_runnable
from qcompile.verify.steps import StepError, check_steps, step_errors
from qcompile.verify.work import multiply_adds

__all__ = [
    "FloatFaced",
    "Metric",
    "MetricFunction",
    "MetricResult",
    "Reference",
    "StepError",
    "check_finite",
    "check_runnable",
    "check_steps",
    "compare",
    "find_metric",
    "multiply_adds",
    "step_errors",
    "surprises",
]
