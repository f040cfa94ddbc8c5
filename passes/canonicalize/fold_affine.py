"""Scales and shifts by constants, such as a decomposed batch normalization, belong into the weights before them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant
from qcompile.passes.canonicalize.linear import Linear, linear_before
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome, bypass


class FoldAffine(NodePass):
    """Fold Mul, Div, Add and Sub by constants per channel into the Conv, ConvTranspose, Gemm or MatMul before them.

    ```
    a = Conv(x, w)         =>  z = Conv(x, w_folded, w_bias_folded)
    b = Mul(a, scale)          (scale, shift: (C,1,1), (1,C,1,1), one number, ...)
    z = Add(b, shift)
    ```
    They stay when the constant varies along another axis than the channels or would enlarge the output, the weights
    are computed or can be overridden by a graph input, the linear op's output is read elsewhere, or a MatMul of
    rank 3 and up would need a bias. Preserves: float-equal up to rounding.
    """

    name = "fold-affine"
    ops = ("Mul", "Div", "Add", "Sub")

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Fold one elementwise op."""
        return fold_elementwise(node, names)


def fold_elementwise(node: ir.Node, names: Names) -> Outcome:
    """Fold a Mul, Div, Add or Sub of a linear op's output and a constant."""
    operands = constant_operand(node)
    if operands is None:
        return False
    data, array = operands
    found = linear_before(data)
    if not isinstance(found, Linear):
        return found
    vector = found.per_channel(array)
    if vector is None:
        return f"a constant of shape {array.shape} is not one number per channel"
    outcome = found.fold(*affine_of(node.op_type, vector), names)
    if outcome is True:
        bypass(node, found.node.outputs[0])
    return outcome


def constant_operand(node: ir.Node) -> tuple[ir.Value, np.ndarray] | None:
    """(data, constant) of a Mul, Div, Add or Sub by a constant."""
    data, other = node.inputs
    if node.op_type in ("Mul", "Add") and constant(other) is None:
        data, other = other, data
    array = constant(other)
    return None if array is None or data is None else (data, array)


def affine_of(op_type: str, vector: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(scale, shift) of the op."""
    match op_type:
        case "Mul":
            return vector, None
        case "Div":
            with np.errstate(divide="ignore", over="ignore"):  # fold refuses what is not finite
                return 1 / vector, None
        case "Add":
            return None, vector
    return None, -vector
