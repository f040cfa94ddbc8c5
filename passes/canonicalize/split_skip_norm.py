"""A residual sum that the runtime leaves apart from its normalization."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.ir import Names, constant, is_op
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.pipeline import Preserves


class SplitSkipNorm(NodePass):
    """Write the Add before a LayerNormalization as Sum.

    ```
    s = Add(x, y)                         =>  s = Sum(x, y)
    z = LayerNormalization(s, scale)          z = LayerNormalization(s, scale)
    ```
    onnxruntime makes one SkipLayerNormalization of Add and LayerNormalization, a scalar loop: 2 to 5 times slower than
    the two kernels (1.31, 32 to 128 rows of 64 to 768), and knows no Sum. The Add of a constant stays: it is a bias.
    Preserves: exact.
    """

    name = "split-skip-norm"
    preserves = Preserves.EXACT
    ops = ("Add",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Respell one Add."""
        feeds_norm = any(
            is_op(use.node, "LayerNormalization") and use.idx == 0 and use.node.graph is node.graph
            for use in node.outputs[0].uses()
        )
        if not feeds_norm or any(constant(value) is not None for value in node.inputs):
            return False
        node.op_type = "Sum"
        return True
