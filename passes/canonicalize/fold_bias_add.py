"""An Add of a constant per channel behind a linear op is its bias."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op
from qcompile.passes.canonicalize.fold_affine import fold_elementwise
from qcompile.passes.canonicalize.linear import Linear, as_linear
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome


class FoldBiasAdd(NodePass):
    """Fold Add and Sub of a constant per channel into the bias of the Conv, ConvTranspose, Gemm or MatMul before them.

    ```
    y = Conv(x, w)              =>  z = Conv(x, w, w_bias_folded)
    z = Add(y, b)                   (b: (C,1,1), (1,C,1,1), one number, ...)

    y = MatMul(x, w)            =>  z = Gemm(x, w, w_bias_folded)
    z = Add(y, b)                   (x of rank 2, b: (N,), (1,N))

    z = Gemm <beta = 2.0> (x, w, c)  =>  z = Gemm(x, w, c_folded)
                                    (c: (1,N), (1,) or (); afterwards (N,), and beta is 1)
    ```
    They stay in the cases of fold-affine, thus behind a MatMul of rank 3 and up, and where a bias of Gemm differs
    from row to row. Runs before fold-batchnorm, so that a normalization behind an Add finds its linear op.
    Preserves: float-equal up to rounding.
    """

    name = "fold-bias-add"
    ops = ("Add", "Sub", "Gemm")

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Fold one Add, or make the bias of one Gemm a vector."""
        return _vector_bias(node, names) if is_op(node, "Gemm") else fold_elementwise(node, names)


def _vector_bias(node: ir.Node, names: Names) -> Outcome:
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if bias is None or constant(node.inputs[1]) is None:
        return False
    found = as_linear(node)
    if not isinstance(found, Linear):
        return found
    if bias.shape == (found.channels,) and attribute(node, "beta", 1.0) == 1.0:
        return False
    return found.fold(None, None, names)
