"""What mathematics says of the range of a value."""

from __future__ import annotations

import math

import onnx_ir as ir

from qcompile.ir import scalar_constant

_BOUNDED = {"HardSigmoid": (0.0, 1.0), "Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Tanh": (-1.0, 1.0)}


def known_range(value: ir.Value) -> tuple[float, float] | None:
    """The range that the op behind a value gives it whatever comes in; None if the op leaves it open."""
    node = value.producer()
    if node is None or node.domain != "":
        return None
    if node.op_type == "Clip":
        low, high = (scalar_constant(v) for v in (*node.inputs[1:3], None, None)[:2])
        if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
            return min(low, 0.0), max(high, 0.0)
    return _BOUNDED.get(node.op_type)
