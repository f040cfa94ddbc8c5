"""A batch normalization that no linear op takes is a scale and a shift: operators that integers know."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant, rank
from qcompile.passes.canonicalize.fold_batchnorm import batchnorm_affine
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome


class SplitBatchNorm(NodePass):
    """Write a BatchNormalization that nothing could fold as Mul and Add by constants per channel.

    ```
    y = BatchNormalization(x, scale, shift, mean, variance)  =>  t = Mul(x, y_scale)     (C,1,1), for x of rank 4
                                                                 y = Add(t, y_shift)     (C,1,1)
    ```
    Runs after the passes that fold it. It stays when it is in training mode, its parameters are computed or can be
    overridden by a graph input, or the rank of its input is unknown or below 2.
    Preserves: float-equal up to rounding.
    """

    name = "split-batchnorm"
    ops = ("BatchNormalization",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Make one BatchNormalization the Add behind a new Mul."""
        (data, parameter), graph = node.inputs[:2], node.graph
        found, dimensions, weight = batchnorm_affine(node), rank(data), constant(parameter)
        if isinstance(found, str):
            return found
        if weight is None or dimensions is None or dimensions < 2:
            return "the rank of its input is unknown or below 2"
        if not np.isfinite(found).all():
            return "its scale and shift would not be finite"
        assert isinstance(graph, ir.Graph)
        output = node.outputs[0]
        scale, shift = (
            names.initializer(
                graph, f"{output.name}_{label}", vector.astype(weight.dtype).reshape(-1, *[1] * (dimensions - 2))
            )
            for label, vector in zip(("scale", "shift"), found, strict=True)
        )
        scaled = ir.node("Mul", [data, scale], name=names.node(f"{node.name}_scale"))
        scaled.outputs[0].name = names.value(f"{output.name}_scaled")
        scaled.outputs[0].type, scaled.outputs[0].shape = output.type, output.shape
        graph.insert_before(node, scaled)
        node.op_type = "Add"
        node.attributes.clear()
        node.resize_inputs(2)
        node.replace_input_with(0, scaled.outputs[0])
        node.replace_input_with(1, shift)
        return True
