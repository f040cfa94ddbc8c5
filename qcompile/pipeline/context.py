"""What passes may know and use: the target, ranges, the plan, and services of the runtime as protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import onnx_ir as ir

from qcompile.plan import Plan
from qcompile.targets import Target, find_target

Feed = Mapping[str, Any]
"""Input name -> array; a list of arrays where the input is a sequence, None where it is optional and absent."""

OBSERVED = "qcompile.observer"
"""Metadata key of an output that is there to be observed; its value is the name of the value that it shows."""

EXTREMES = "qcompile.extremes"
"""Metadata key of such an output that shows only the smallest and largest elements, shape (iterations, 2)."""


class Runner(Protocol):
    """Runs a model on a feed, as written: nothing optimised."""

    def __call__(self, model: ir.Model, feed: Feed) -> Sequence[np.ndarray]:
        """Outputs in the model's order. Raises QCompileError if the runtime refuses the model."""


@dataclass
class Context:
    """What a pipeline run carries. A pass whose service is absent declines with a Reason."""

    target: Target = field(default_factory=lambda: find_target("cpu"))
    plan: Plan | None = None
    observed: Sequence[str] | None = None
    """Names of the values whose range is needed; None: not decided yet."""
    feed: Feed | None = None
    """A feed on which rewrites may be proven."""
    run: Runner | None = None
