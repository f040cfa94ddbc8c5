"""The counterpart of insert-observers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import nodes, remove_dead
from qcompile.passes.observe.lift import LIFTABLE, drop_lifted
from qcompile.pipeline import OBSERVED, Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class RemoveObservers(Pass):
    """Take back the outputs that `insert-observers` added.

    Before: `g (float[1,8] x) => (float[1,8] y, float[1,8] t) { t = Relu(x)  y = Neg(t) }`, t added
    After:  `g (float[1,8] x) => (float[1,8] y) { ... }`
    """

    name: ClassVar[str] = "remove-observers"
    preserves: ClassVar[Preserves] = Preserves.INTERFACE

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Drop the marked outputs and their marks, outer control flow before inner."""
        marked = [value for value in model.graph.outputs if OBSERVED in value.metadata_props]
        for value in marked:
            model.graph.outputs.remove(value)
            if not _is_lifted(value):
                del value.metadata_props[OBSERVED]
        for node in list(nodes(model)):
            lifted = [value for value in node.outputs if OBSERVED in value.metadata_props]
            if node.op_type in LIFTABLE and lifted:
                drop_lifted(node, len(lifted))
        if marked:
            remove_dead(model)
        return PassResult(len(marked))


def _is_lifted(value: ir.Value) -> bool:
    producer = value.producer()
    return producer is not None and producer.op_type in LIFTABLE
