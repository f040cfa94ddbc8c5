"""A round trip through float that changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import attribute, constant, is_op, nodes, remove_dead, replace_value
from qcompile.pipeline import Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class CancelQDQ(Pass):
    """Cancel a DequantizeLinear that a QuantizeLinear with the same parameters undoes.

    Before: `y_q = Q(DQ(x_q, s, z), s, z)`
    After:  `y_q = x_q`

    Parameters that differ rescale, and stay. Exact: every code survives the round trip.
    """

    name: ClassVar[str] = "cancel-qdq"
    preserves: ClassVar[Preserves] = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Let readers of the second read what entered the first."""
        changes = 0
        for node in list(nodes(model)):
            before = node.inputs[0].producer() if is_op(node, "QuantizeLinear") and node.inputs[0] else None
            if before is None or not is_op(before, "DequantizeLinear") or not _same_parameters(before, node):
                continue
            assert before.inputs[0] is not None
            replace_value(node.outputs[0], before.inputs[0])
            changes += 1
        if changes:
            remove_dead(model)
        return PassResult(changes)


def _same_parameters(a: ir.Node, b: ir.Node) -> bool:
    pairs = zip(a.inputs[1:3], b.inputs[1:3], strict=True)
    arrays = [(constant(x), constant(y)) for x, y in pairs]
    equal = all(x is not None and y is not None and x.dtype == y.dtype and np.array_equal(x, y) for x, y in arrays)
    return equal and len(arrays) == 2 and attribute(a, "axis", 1) == attribute(b, "axis", 1)
