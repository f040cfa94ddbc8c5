"""The counterpart of insert-observers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.passes.observe.insert_observers import MARK
from qcompile.pipeline import Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class RemoveObservers(Pass):
    """Take back the outputs that `insert-observers` added.

    Before: `g (float[1,8] x) => (float[1,8] y, float[1,8] t) { t = Relu(x)  y = Neg(t) }`, t added
    After:  `g (float[1,8] x) => (float[1,8] y) { ... }`
    """

    name: ClassVar[str] = "remove-observers"
    preserves: ClassVar[Preserves] = Preserves.INTERFACE

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Drop the marked outputs and their marks."""
        marked = [value for value in model.graph.outputs if value.metadata_props.pop(MARK, None)]
        for value in marked:
            model.graph.outputs.remove(value)
        return PassResult(len(marked))
