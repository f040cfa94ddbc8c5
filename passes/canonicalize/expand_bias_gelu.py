"""Activation functions that were fused with the bias before them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.replacing import become, insert
from qcompile.passes.canonicalize.shape_rules import operand

_APPROXIMATE = {"BiasGelu": "none", "FastGelu": "tanh"}


class ExpandBiasGelu(NodePass):
    """Take the bias out of an activation function, so that the product before it can have it.

    ```
    y = com.microsoft.BiasGelu(x, b)            =>  a = Add(x, b)  y = Gelu(a)
    y = com.microsoft.FastGelu(x, b)            =>  a = Add(x, b)  y = Gelu <approximate = "tanh"> (a)
    y = com.microsoft.QuickGelu <alpha> (x)     =>  s = Sigmoid(Mul(x, alpha))  y = Mul(x, s)
    ```
    The runtime fuses what stays float again. FastGelu without a bias is recover-gelu's.
    Preserves: float-equal up to rounding.
    """

    name = "expand-bias-gelu"
    ops = ("BiasGelu", "FastGelu", "QuickGelu")
    domains: ClassVar[tuple[str, ...]] = (CONTRIB,)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Take one apart."""
        x, bias = node.inputs[0], operand(node, 1)
        assert x is not None
        if node.op_type == "QuickGelu":
            become(node, "Mul", [x, _gate(node, x, names)])
            return True
        if bias is None:
            return False
        total = insert(node, "Add", [x, bias], names, shape=x.shape)
        become(node, "Gelu", [total], {"approximate": _APPROXIMATE[node.op_type]})
        return True


def _gate(node: ir.Node, x: ir.Value, names: Names) -> ir.Value:
    alpha = attribute(node, "alpha", 1.702)
    if alpha != 1:
        assert isinstance(node.graph, ir.Graph) and x.dtype is not None
        factor = names.initializer(node.graph, f"{node.name}_alpha", np.array(alpha, x.dtype.numpy()))
        x = insert(node, "Mul", [x, factor], names, shape=x.shape)
    return insert(node, "Sigmoid", [x], names, shape=x.shape)
