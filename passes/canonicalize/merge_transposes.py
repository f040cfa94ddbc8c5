"""Two permutations in a row are one."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from onnxscript.rewriter import MatchResult, RewriteRuleClassBase

from qcompile.ir import attribute, rank
from qcompile.pipeline import Preserves, RulePass


class MergeTransposes(RulePass):
    """Merge a Transpose of a Transpose into one.

    ```
    y = Transpose <perm = [0, 2, 3, 1]> (x)  =>  z = Transpose <perm = [0, 1, 3, 2]> (x)
    z = Transpose <perm = [0, 1, 3, 2]> (y)      (perm of x to y, taken in the order of y to z)
    ```
    Two that undo each other leave the identity permutation, which remove-noops removes. They stay when the value
    between them is read elsewhere or is an output. Preserves: exact.
    """

    name = "merge-transposes"
    preserves = Preserves.EXACT

    class _Pair(RewriteRuleClassBase):
        def pattern(self, op: Any, x: Any) -> Any:
            return op.Transpose(op.Transpose(x, _outputs=["inner"]), _outputs=["outer"])

        def check(self, context: Any, x: ir.Value, inner: ir.Value, outer: ir.Value) -> Any:
            if _merged(x, inner, outer) is None:
                return MatchResult().fail("neither has a perm, and the rank is unknown", outer)
            return True

        def rewrite(self, op: Any, x: ir.Value, inner: ir.Value, outer: ir.Value) -> Any:
            return op.Transpose(x, perm=_merged(x, inner, outer))

    rules = (_Pair,)


def _merged(x: ir.Value, inner: ir.Value, outer: ir.Value) -> list[int] | None:
    """The permutation of both, an absent one being a reversal."""
    first, second = _perm(inner), _perm(outer)
    count = len(first or second or ()) or rank(x)
    if count is None:
        return None
    backwards = list(range(count))[::-1]
    return [(first or backwards)[axis] for axis in second or backwards]


def _perm(value: ir.Value) -> list[int]:
    node = value.producer()
    return [] if node is None else list(attribute(node, "perm", ()))
