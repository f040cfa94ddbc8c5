"""FusedMatMul and FusedGemm in standard operators."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute, constant, rank
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.replacing import become, insert

_ACTIVATIONS = ("Relu", "Sigmoid", "Tanh")


class ExpandFusedMatMul(NodePass):
    """Take transposes and factors out of a product, and activation functions off it.

    ```
    y = com.microsoft.FusedMatMul <alpha = 0.125, transB = 1> (a, b)  =>  t = Transpose <perm = [0, 2, 1]> (b)
                                                                          p = MatMul(a, t)  y = Mul(p, factor)

    y = com.microsoft.FusedGemm <activation = "Relu"> (a, w, b)       =>  g = Gemm(a, w, b)  y = Relu(g)
    ```
    A constant operand is transposed here. It stays with transBatchA or transBatchB, where the rank of what is to be
    transposed is unknown, and with other activation functions. Preserves: float-equal up to rounding.
    """

    name = "expand-fused-matmul"
    ops = ("FusedMatMul", "TransposeMatMul", "FusedGemm")
    domains: ClassVar[tuple[str, ...]] = (CONTRIB,)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Write one product in standard operators."""
        return _expand_gemm(node, names) if node.op_type == "FusedGemm" else _expand_matmul(node, names)


def _expand_matmul(node: ir.Node, names: Names) -> Outcome:
    if attribute(node, "transBatchA", 0) or attribute(node, "transBatchB", 0):
        return "it transposes batches"
    flags = [attribute(node, name, 0) for name in ("transA", "transB")]
    if any(flag and rank(value) is None for flag, value in zip(flags, node.inputs, strict=True)):
        return "the rank of an operand is unknown"
    operands = [
        _transposed(node, value, names) if flag and value is not None and rank(value) != 1 else value
        for flag, value in zip(flags, node.inputs, strict=True)
    ]
    alpha = attribute(node, "alpha", 1.0)
    if alpha == 1:
        become(node, "MatMul", operands)
        return True
    data = operands[0]
    assert isinstance(node.graph, ir.Graph) and data is not None and data.dtype is not None
    product = insert(node, "MatMul", operands, names, shape=node.outputs[0].shape)
    factor = names.initializer(node.graph, f"{node.name}_alpha", np.array(alpha, data.dtype.numpy()))
    become(node, "Mul", [product, factor])
    return True


def _transposed(node: ir.Node, value: ir.Value, names: Names) -> ir.Value:
    array = constant(value)
    if array is not None:
        assert isinstance(node.graph, ir.Graph)
        return names.initializer(node.graph, f"{value.name}_transposed", np.ascontiguousarray(array.swapaxes(-1, -2)))
    shape = list(value.shape or ())
    order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    return insert(node, "Transpose", [value], names, {"perm": order}, shape=[shape[axis] for axis in order])


def _expand_gemm(node: ir.Node, names: Names) -> Outcome:
    activation = attribute(node, "activation")
    if activation not in _ACTIVATIONS:
        return f"activation function {activation}"
    kept = {name: attribute(node, name) for name in ("alpha", "beta", "transA", "transB") if name in node.attributes}
    product = insert(node, "Gemm", list(node.inputs), names, kept, shape=node.outputs[0].shape)
    become(node, activation, [product])
    return True
