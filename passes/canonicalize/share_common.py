"""What is computed twice is computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir
from onnx_ir.passes.common import CommonSubexpressionEliminationPass, DeduplicateInitializersPass

from qcompile.ir import nodes, remove_dead
from qcompile.pipeline import Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class ShareCommon(Pass):
    """Share nodes that compute the same from the same, and small constants that are equal.

    Before: `a = Shape(x)  b = Shape(x)  y = Concat(a, b)`
    After:  `a = Shape(x)  y = Concat(a, a)`

    Exporters write the shape arithmetic of every Reshape anew. Runs last: sharing gives values more readers, and
    rewrites keep their hands off those. Random operators are never shared; outputs keep their names. Exact.
    """

    name: ClassVar[str] = "share-common"
    preserves: ClassVar[Preserves] = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Share until nothing more is equal; the changes are the nodes that are gone."""
        before = len(list(nodes(model)))
        DeduplicateInitializersPass()(model)
        left, now = before + 1, before
        while now < left:
            left = now
            CommonSubexpressionEliminationPass()(model)
            remove_dead(model)
            now = len(list(nodes(model)))
        return PassResult(before - now)
