"""Weights of float operators, stored in 8 bits in the form that the runtime folds when it loads the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op, nodes, remove_dead
from qcompile.pipeline import Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class StoreWeights(Pass):
    """Write the 8-bit weight of a float operator as a Cast and a product.

    Before: `y = Conv(x, DQ(w_quantized, s, 0))` with a float Conv
    After:  `y = Conv(x, Mul(Cast <to = FLOAT> (w_quantized), s))`

    onnxruntime folds Cast and Mul of constants when it loads the model, but keeps DequantizeLinear and then
    dequantizes at every run. Exact: both are float(q) * s. Weights of integer operators are left to the lowering.
    """

    name: ClassVar[str] = "store-weights"
    preserves: ClassVar[Preserves] = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Rewrite every dequantized constant that only float operators read."""
        assert context.plan is not None
        names = Names(model)
        changes = 0
        for node in list(nodes(model)):
            if not is_op(node, "DequantizeLinear") or constant(node.inputs[0]) is None:
                continue
            readers = [use.node for use in node.outputs[0].uses()]
            if not readers or any(context.plan.is_integer(reader.name) for reader in readers):
                continue
            _store(node, names)
            changes += 1
        if changes:
            remove_dead(model)
        return PassResult(changes)


def _store(node: ir.Node, names: Names) -> None:
    graph, quantized, scale = node.graph, node.inputs[0], constant(node.inputs[1])
    assert isinstance(graph, ir.Graph)
    assert quantized is not None and quantized.shape is not None and scale is not None
    shape = [1] * len(quantized.shape)
    if scale.ndim:
        shape[attribute(node, "axis", 1)] = scale.size
    old = node.outputs[0]
    factor = names.initializer(graph, f"{old.name}_scale", np.ascontiguousarray(scale.reshape(shape)))
    cast = ir.node("Cast", [quantized], {"to": int(ir.DataType.FLOAT)}, name=names.node(f"{node.name}_Cast"))
    cast.outputs[0].name = names.value(f"{old.name}_cast")
    cast.outputs[0].type, cast.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), quantized.shape
    product = ir.node("Mul", [cast.outputs[0], factor], name=names.node(f"{node.name}_Mul"))
    product.outputs[0].type, product.outputs[0].shape = old.type, old.shape
    graph.insert_before(node, [cast, product])
    name, old.name = old.name, None
    old.replace_all_uses_with(product.outputs[0])
    product.outputs[0].name = name
