"""Weights are stored as the integers that they become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op, nodes, remove_dead
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.quant import QuantParams


@dataclass(frozen=True)
class FoldWeightQuantization(Pass):
    """Fold QuantizeLinear of a constant into an 8-bit constant.

    Before: `wd = DQ(Q(w, s, z), s, z)` with a float constant w
    After:  `wd = DQ(w_quantized, s, z)` with an int8 constant

    Exact: the same rounding as QuantizeLinear. The float weight goes once nobody reads it.
    """

    name: ClassVar[str] = "fold-weight-quantization"
    preserves: ClassVar[Preserves] = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Fold wherever the input and its parameters are constant."""
        names = Names(model)
        changes = 0
        for node in list(nodes(model)):
            if not is_op(node, "QuantizeLinear") or not isinstance(node.graph, ir.Graph):
                continue
            weight, scale, zero_point = (constant(value) for value in (*node.inputs, None)[:3])
            if weight is None or scale is None or zero_point is None:
                continue
            axis = attribute(node, "axis", 1) if scale.ndim else None
            codes = QuantParams(scale, zero_point, axis).quantize(weight)
            old = node.outputs[0]
            name, old.name = old.name or "", None
            names.release(name)
            old.replace_all_uses_with(names.initializer(node.graph, name, codes))
            changes += 1
        remove_dead(model)
        return PassResult(changes)
