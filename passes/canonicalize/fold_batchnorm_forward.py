"""What scales and shifts each channel before a linear op belongs into the weights of that op."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, is_op, sole_consumer
from qcompile.passes.canonicalize.fold_affine import FoldAffine, affine_of, constant_operand
from qcompile.passes.canonicalize.fold_batchnorm import batchnorm_affine
from qcompile.passes.canonicalize.linear import LINEAR, Linear, as_linear
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome


class FoldBatchNormForward(NodePass):
    """Fold BatchNormalization, Mul, Div, Add and Sub by constants into the Conv, ConvTranspose, Gemm or MatMul behind.

    ```
    y = BatchNormalization(x, scale, shift, mean, variance)  =>  z = Conv(x, w_folded, w_bias_folded)
    z = Conv(y, w)                                               (Conv without padding, as in pre-activation nets)
    ```
    With y = k * x + s, the weight becomes w * k along the input channels, and the bias grows by what w makes of s.
    Runs after the passes that fold backward, which need no condition on padding.

    It stays when the shift would have to reach into padding, the constants vary along another axis than the channels
    or enlarge the input, y or the weight is read elsewhere, or a MatMul of rank 3 and up would need a bias.
    Preserves: float-equal up to rounding.
    """

    name = "fold-batchnorm-forward"
    ops = LINEAR

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Fold all that stands before one linear op, the nearest first."""
        changed = False
        while (outcome := _fold_one(node, names)) is True:
            changed = True
        return changed or outcome


def _fold_one(node: ir.Node, names: Names) -> Outcome:
    middle, weight = node.inputs[:2]
    before = None if middle is None else middle.producer()
    if middle is None or weight is None or before is None or not is_op(before, *FoldAffine.ops, "BatchNormalization"):
        return False
    linear = as_linear(node)
    if not isinstance(linear, Linear):
        return False
    affine = _affine(before, linear)
    if not isinstance(affine, tuple):
        return affine
    if sole_consumer(middle) is None or len(weight.uses()) > 1:
        return f"{middle.name!r} or the weight behind it is also read elsewhere"
    data, scale, shift = affine
    outcome = linear.fold_input(scale, shift, names)
    if outcome is True:
        node.replace_input_with(0, data)
        assert before.graph is not None
        before.graph.remove(before, safe=True)  # it would count as a reader of the data
    return outcome


_Affine = tuple[ir.Value, np.ndarray | None, np.ndarray | None]


def _affine(node: ir.Node, behind: Linear) -> _Affine | Outcome:
    """(data, scale, shift) of the node, one number per input channel of the linear op behind it."""
    if node.op_type == "BatchNormalization":
        data, found = node.inputs[0], batchnorm_affine(node)
        if isinstance(found, str) or data is None:
            return found if isinstance(found, str) else False
        return (data, *found) if behind.axis == 1 else "its channels are not those of the MatMul"
    operands = constant_operand(node)
    if operands is None:
        return False
    data, array = operands
    vector = behind.per_input_channel(array)
    if vector is None or not _has_channels(data, behind):
        return f"a constant of shape {array.shape} is not one number per channel of {data.name!r}"
    return (data, *affine_of(node.op_type, vector))


def _has_channels(data: ir.Value, behind: Linear) -> bool:
    """Whether the constant did not give the data its channels or its rank."""
    return (
        data.shape is not None and len(data.shape) == behind.rank and data.shape[behind.axis] == behind.input_channels
    )
