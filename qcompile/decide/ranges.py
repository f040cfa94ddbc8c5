"""Ranges of values: observed ones, narrowed by what mathematics says of the op that made them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import onnx_ir as ir

from qcompile.ir import scalar_constant
from qcompile.quant import Observer, Scheme

Range = tuple[float, float]
RangeOf = Callable[[Observer, Scheme], Range]


def known_range(value: ir.Value) -> Range | None:
    """The range that the op behind a value gives it whatever comes in; None if the op leaves it open."""
    node = value.producer()
    if node is None:
        return None
    if node.op_type == "Clip":
        low, high = (scalar_constant(v) for v in (*node.inputs[1:3], None, None)[:2])
        if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
            return (min(low, 0.0), max(high, 0.0))
    return _KNOWN.get(node.op_type)


_KNOWN = {"HardSigmoid": (0.0, 1.0), "Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Tanh": (-1.0, 1.0)}


def ranges(
    observers: Mapping[str, Observer],
    scheme: Scheme,
    range_of: RangeOf,
) -> dict[str, Range]:
    """A range for every observed value; `range_of` reads it from what the observer remembers."""
    return {name: range_of(observer, scheme) for name, observer in observers.items()}
