"""Passes, rule passes and the pipeline that runs them."""

from __future__ import annotations

from qcompile.pipeline.context import EXTREMES, OBSERVED, Context, Feed, Runner
from qcompile.pipeline.passes import Pass, PassResult, Preserves
from qcompile.pipeline.pipeline import STAGES, Hook, Pipeline, Step, Trace
from qcompile.pipeline.rules import RulePass
from qcompile.pipeline.verify import VerifyEach, relative_error

__all__ = [
    "EXTREMES",
    "OBSERVED",
    "STAGES",
    "Context",
    "Feed",
    "Hook",
    "Pass",
    "PassResult",
    "Pipeline",
    "Preserves",
    "RulePass",
    "Runner",
    "Step",
    "Trace",
    "VerifyEach",
    "relative_error",
]
