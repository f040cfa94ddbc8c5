"""RMS normalization in the one spelling that onnxruntime makes one kernel of."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, is_op, scalar_constant
from qcompile.passes.canonicalize.neighbours import made_by, other_operand, read_by
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.normalization import root_of
from qcompile.passes.canonicalize.replacing import become


class NormalizeRmsNorm(NodePass):
    """Spell x / sqrt(mean(x * x) + epsilon) with Pow, Sqrt and Div.

    ```
    s = Mul(x, x)                    =>  s = Pow(x, two)
    v = ReduceMean(s, last)              v = ReduceMean(s, last)
    r = Sqrt(Add(v, epsilon))            r = Sqrt(Add(v, epsilon))
    y = Mul(x, Reciprocal(r))            y = Div(x, r)               (also Div(one, r), Pow(v + epsilon, -0.5))
    ```
    onnxruntime fuses this form, with the Mul by a scale behind it, into SimplifiedLayerNormalization, and no other;
    RMSNormalization itself is an operator from opset 23 on only. It stays where a value in between is read elsewhere.
    Runs behind recover-layer-norm, whose parts look alike. Preserves: float-equal up to rounding.
    """

    name = "normalize-rms-norm"
    ops = ("ReduceMean",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Respell the normalization around one mean of squares."""
        square = made_by(node.inputs[0], "Mul", "Pow")
        root = root_of(node.outputs[0])
        if square is None or root is None or not _is_square(square):
            return False
        x, power = square.inputs[0], root.power
        quotient = read_by(root.value, "Mul" if root.is_inverse else "Div")
        if x is None or quotient is None or x.dtype is None or other_operand(quotient, root.value) is not x:
            return False
        if is_op(square, "Pow") and is_op(power, "Sqrt") and is_op(quotient, "Div"):
            return False
        if is_op(square, "Mul"):
            assert isinstance(square.graph, ir.Graph)
            two = names.initializer(square.graph, f"{square.name}_exponent", np.array(2, x.dtype.numpy()))
            become(square, "Pow", [x, two])
        become(power, "Sqrt", power.inputs[:1])
        become(quotient, "Div", [x, power.outputs[0]])
        return True


def _is_square(node: ir.Node) -> bool:
    if is_op(node, "Mul"):
        return node.inputs[0] is node.inputs[1]
    return scalar_constant(node.inputs[1]) == 2
