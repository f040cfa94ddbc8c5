"""The exact inverse of insert-qdq."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import is_op, nodes, remove_dead, replace_value
from qcompile.pipeline import Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class RemoveQDQ(Pass):
    """Remove every pair of QuantizeLinear and DequantizeLinear.

    Before: `t = Conv(DQ(Q(x)), DQ(Q(w)), b)  y = DQ(Q(t))`
    After:  `y = Conv(x, w, b)`

    Pairs whose weights were folded to integers have no float form any more and stay.
    """

    name: ClassVar[str] = "remove-qdq"
    preserves: ClassVar[Preserves] = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Let readers of a pair read what entered it."""
        changes = 0
        for node in list(nodes(model)):
            quantize = node.inputs[0].producer() if is_op(node, "DequantizeLinear") and node.inputs[0] else None
            if not is_op(quantize, "QuantizeLinear"):
                continue
            assert quantize is not None
            assert quantize.inputs[0] is not None
            replace_value(node.outputs[0], quantize.inputs[0])
            changes += 1
        remove_dead(model)
        return PassResult(changes)
