"""The magnitude that was written as the root of a square."""

from __future__ import annotations

from typing import Any

from onnxscript.rewriter import RewriteRuleClassBase

from qcompile.pipeline import Preserves, RulePass


class _RootOfSquare(RewriteRuleClassBase):
    def pattern(self, op: Any, x: Any) -> Any:
        return op.Sqrt(op.Mul(x, x))

    def rewrite(self, op: Any, x: Any) -> Any:
        return op.Abs(x)


class FuseAbs(RulePass):
    """Fuse the root of a square into Abs.

    ```
    t = Mul(x, x); y = Sqrt(t)  =>  y = Abs(x)
    ```
    It stays when something else reads the square. Preserves: float-equal up to rounding; where the square overflows
    or underflows, Abs is the right one.
    """

    name = "fuse-abs"
    preserves = Preserves.ROUNDING
    rules = (_RootOfSquare,)
