"""Scaling inside integer matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, constant, is_op, scalar_constant, sole_consumer
from qcompile.passes.lower.integers import Lowering, emit


@dataclass(frozen=True)
class AbsorbProductScale(Lowering):
    """Absorb the multiplication by one number into the MatMulIntegerToFloat before it.

    Before: `t = com.microsoft.MatMulIntegerToFloat(q, k, sq, sk, zq, zk)  y = Mul(t, c)`, or `y = Div(t, c)`
    After:  `y = com.microsoft.MatMulIntegerToFloat(q, k, sq * c, sk, zq, zk)`

    Attention scores are scaled so. Only without a bias, and where the result is positive and finite. Float-equal up to
    rounding: the factors of a sum are multiplied in another order.
    """

    name: ClassVar[str] = "absorb-product-scale"
    ops: ClassVar[tuple[str, ...]] = ("MatMulIntegerToFloat",)
    domain: ClassVar[str] = CONTRIB

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Absorb one scaling."""
        scaling, graph = sole_consumer(node.outputs[0]), node.graph
        if scaling is None or not is_op(scaling, "Mul", "Div") or len(node.inputs) > 6 or scaling.graph is not graph:
            return None
        factor, scale = _factor(scaling, node.outputs[0]), constant(node.inputs[2])
        if factor is None or scale is None or node.inputs[2] is None:
            return None
        with np.errstate(over="ignore", under="ignore"):
            scaled = scale * np.float32(factor)
        if not (np.isfinite(scaled).all() and (scaled >= np.finfo(np.float32).tiny).all()):
            return "its scale would be no positive number"
        assert isinstance(graph, ir.Graph)
        inputs = list(node.inputs)
        inputs[2] = names.initializer(graph, f"{node.name}_scale", scaled)
        emit(scaling, scaling.outputs[0], "MatMulIntegerToFloat", inputs, name=node.name)
        graph.remove([scaling, node], safe=True)
        return True


def _factor(scaling: ir.Node, product: ir.Value) -> float | None:
    """By what a product is multiplied; None if it is no constant, or the product is what is divided by."""
    if scaling.op_type == "Div":
        divisor = scalar_constant(scaling.inputs[1]) if scaling.inputs[0] is product else None
        return 1 / divisor if divisor else None
    other = scaling.inputs[1] if scaling.inputs[0] is product else scaling.inputs[0]
    array = constant(other)
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 and array.ndim <= 2 else None
