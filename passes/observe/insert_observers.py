"""Values that will get a scale become outputs, so that a calibration run sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.pipeline import Context, Pass, PassResult, Preserves

MARK = "qcompile.observer"
"""Metadata key of an output that is there to be observed."""


@dataclass(frozen=True)
class InsertObservers(Pass):
    """Make outputs of the values whose range is needed.

    Before: `g (float[1,8] x) => (float[1,8] y) { t = Relu(x)  y = Neg(t) }`
    After:  `g (float[1,8] x) => (float[1,8] y, float[1,8] t) { ... }`

    `values` names them; without names it is every float value that a node of the target's table reads or makes.
    Graph inputs need no observer: a feed holds them. `remove-observers` is the exact inverse.
    """

    name: ClassVar[str] = "insert-observers"
    preserves: ClassVar[Preserves] = Preserves.INTERFACE
    values: Sequence[str] | None = None

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Append the outputs in graph order."""
        named = context.observed if self.values is None else self.values
        wanted = _of_interest(model, context) if named is None else set(named)
        changes = 0
        for node in model.graph:
            for value in node.outputs:
                if value.name in wanted and not value.is_graph_output():
                    value.metadata_props[MARK] = "1"
                    model.graph.outputs.append(value)
                    changes += 1
        return PassResult(changes)


def _of_interest(model: ir.Model, context: Context) -> set[str]:
    found: set[str] = set()
    for node in model.graph:
        if node.op_type in context.target.table:
            values = (v for v in (*node.inputs, *node.outputs) if v is not None and v.const_value is None)
            found.update(v.name or "" for v in values if v.dtype == ir.DataType.FLOAT)
    return found
