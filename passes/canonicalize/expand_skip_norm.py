"""SkipLayerNormalization taken apart."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute, replace_value
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.replacing import become, insert
from qcompile.passes.canonicalize.shape_rules import operand


class ExpandSkipNorm(NodePass):
    """Take a residual sum that was fused with its normalization apart again.

    ```
    z = com.microsoft.SkipLayerNormalization(x, y, scale, bias)  =>  s = Sum(x, y)
                                                                     z = LayerNormalization <axis = -1> (s, scale, bias)

    z = com.microsoft.SkipSimplifiedLayerNormalization(x, y, scale)
                             =>  s = Sum(x, y), and the RMS normalization of it in the parts that the runtime fuses
    ```
    onnxruntime's fused kernel is a scalar loop: 2 to 5 times slower than the two nodes (1.31, 32 to 128 rows of 64 to
    768). The runtime does not fuse a Sum again, as it would an Add. Also with a bias on the sum, and where the sum is
    read too. It stays where the mean or the inverse deviation is read. Preserves: float-equal up to rounding.
    """

    name = "expand-skip-norm"
    ops = ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")
    domains: ClassVar[tuple[str, ...]] = (CONTRIB,)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Take one apart."""
        outputs = list(node.outputs)
        if any(value.uses() or value.is_graph_output() for value in outputs[1:3]):
            return "its mean or deviation is read"
        simplified = node.op_type.startswith("SkipSimplified")
        x, skip, scale = node.inputs[:3]
        shift, bias = (None, operand(node, 3)) if simplified else (operand(node, 3), operand(node, 4))
        assert x is not None
        terms = [value for value in (x, skip, bias) if value is not None]
        total = insert(node, "Sum", terms, names, shape=x.shape)
        if len(outputs) > 3:
            replace_value(outputs[3], total)
        epsilon = attribute(node, "epsilon", 1e-5 if simplified else 1e-12)
        node.resize_outputs(1)
        if simplified:
            become(node, "Mul", [_root_mean_square_normalized(node, total, epsilon, names), scale])
        else:
            inputs = [total, scale] if shift is None else [total, scale, shift]
            become(node, "LayerNormalization", inputs, {"axis": -1, "epsilon": epsilon})
        return True


def _root_mean_square_normalized(node: ir.Node, x: ir.Value, epsilon: float, names: Names) -> ir.Value:
    """x / sqrt(mean(x ** 2) + epsilon), in the one spelling that the runtime fuses."""
    graph = node.graph
    assert isinstance(graph, ir.Graph) and x.dtype is not None
    two, small = (np.array(number, x.dtype.numpy()) for number in (2, epsilon))
    exponent = names.initializer(graph, f"{node.name}_exponent", two)
    square = insert(node, "Pow", [x, exponent], names, shape=x.shape)
    axes = names.initializer(graph, f"{node.name}_axes", np.array([-1]))
    mean = insert(node, "ReduceMean", [square, axes], names)
    added = insert(node, "Add", [mean, names.initializer(graph, f"{node.name}_epsilon", small)], names)
    root = insert(node, "Sqrt", [added], names)
    return insert(node, "Div", [x, root], names, shape=x.shape)
