"""Hard-swish and hard-sigmoid on integers, without a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, is_op
from qcompile.passes.lower.integers import UnaryLowering, UnaryUnit, emit
from qcompile.quant import hard_sigmoid_params, knee_steps


@dataclass(frozen=True)
class FuseHardSwish(UnaryLowering):
    """Fuse a quantized HardSwish or HardSigmoid into a clamp of codes, and a product.

    With s dividing 3, clip(x + 3, 0, 6) / 6 has the codes of x clamped to z +- 3/s, read with scale s/6 and zero
    point z - 3/s. Hard-swish is x times that.

    Before: `y_q = Q(HardSwish(DQ(x_q, s, z)), sy, zy)`
    After:  `c = Clip(x_q, z - 3/s, z + 3/s)  y_q = com.microsoft.QLinearMul(x_q, s, z, c, s/6, z - 3/s, sy, zy)`

    Before: `y_q = Q(HardSigmoid <alpha = 1/6> (DQ(x_q, s, z)), s/6, z - 3/s)`
    After:  `y_q = Clip(x_q, z - 3/s, z + 3/s)`

    Only where the plan put the knees on codes. Hard-sigmoid is exact, hard-swish as exact as QLinearMul.
    """

    name: ClassVar[str] = "fuse-hard-swish"
    ops: ClassVar[tuple[str, ...]] = ("HardSwish", "HardSigmoid")

    def replace(self, node: ir.Node, unit: UnaryUnit, names: Names) -> bool | str:
        """Replace one function."""
        params = unit.x.params()
        knee = 3.0 if is_op(node, "HardSwish") else 0.5 / attribute(node, "alpha", 0.2)
        steps = knee_steps(params, knee)
        if steps is None:
            return "its knees lie between codes"
        gate = hard_sigmoid_params(params, knee, steps)
        graph = node.graph
        assert isinstance(graph, ir.Graph)
        bounds = (int(gate.zero_point), min(int(params.zero_point) + steps, params.qmax))
        limits = [
            names.initializer(graph, f"{node.name}_{side}", np.asarray(code, params.zero_point.dtype))
            for side, code in zip(("low", "high"), bounds, strict=True)
        ]
        if is_op(node, "HardSigmoid"):
            if gate != unit.y.params():
                return "its output has other parameters than its clamped input"
            emit(node, unit.result, "Clip", [unit.x.value, *limits], domain="")
            return True
        clipped = ir.node("Clip", [unit.x.value, *limits], name=names.node(f"{node.name}_Clip"))
        clipped.outputs[0].name = names.value(f"{node.outputs[0].name}_gate")
        clipped.outputs[0].type, clipped.outputs[0].shape = unit.x.value.type, unit.x.value.shape
        graph.insert_before(node, clipped)
        gate_scale = names.initializer(graph, f"{node.name}_gate_scale", gate.scale)
        gate_zero = names.initializer(graph, f"{node.name}_gate_zero_point", gate.zero_point)
        inputs = [*unit.x.triple, clipped.outputs[0], gate_scale, gate_zero, unit.y.scale, unit.y.zero_point]
        emit(node, unit.result, "QLinearMul", inputs)
        return True
