"""The runtime has the last word: what it makes of the result, and how near that is to the reference."""

from __future__ import annotations

from qcompile.verify.culprits import Culprit, culprits
from qcompile.verify.fidelity import Reference, check_finite, compare
from qcompile.verify.gates import Gate, GatedModel, gated_model
from qcompile.verify.interface import FloatFaced
from qcompile.verify.metric import Metric, MetricFunction, MetricResult, find_metric
from qcompile.verify.parts import Parted, Parts, output_parts, with_signal
from qcompile.verify.readback import surprises
from qcompile.verify.remedy import float_nodes
from qcompile.verify.runnable import check_runnable
from qcompile.verify.saturation import exact_classes, saturating_nodes
from qcompile.verify.sensitivity import Sensitivity, Share, sensitivity
from qcompile.verify.steps import StepError, check_steps, step_errors
from qcompile.verify.work import multiply_adds

__all__ = [
    "Culprit",
    "FloatFaced",
    "Gate",
    "GatedModel",
    "Metric",
    "MetricFunction",
    "MetricResult",
    "Parted",
    "Parts",
    "Reference",
    "Sensitivity",
    "Share",
    "StepError",
    "check_finite",
    "check_runnable",
    "check_steps",
    "compare",
    "culprits",
    "exact_classes",
    "find_metric",
    "float_nodes",
    "gated_model",
    "multiply_adds",
    "output_parts",
    "saturating_nodes",
    "sensitivity",
    "step_errors",
    "surprises",
    "with_signal",
]
