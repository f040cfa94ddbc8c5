"""The counterpart of insert-observers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import nodes, remove_dead
from qcompile.passes.observe.lift import drop_lifted
from qcompile.pipeline import EXTREMES, OBSERVED, Context, Pass, PassResult, Preserves


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
        for node in list(nodes(model)):
            drop_lifted(node)
        for value in marked:
            for key in (OBSERVED, EXTREMES):
                value.metadata_props.pop(key, None)
        if marked:
            remove_dead(model)
        return PassResult(len(marked))
