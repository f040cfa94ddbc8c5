"""Softmax and its logarithm out of exponentials and sums."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.ir import Names, rank
from qcompile.passes.canonicalize.neighbours import made_by, read_by
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.normalization import reduced_axes
from qcompile.passes.canonicalize.replacing import become, why_kept


class RecoverSoftmax(NodePass):
    """Recover Softmax and LogSoftmax from Exp and ReduceSum.

    ```
    m = ReduceMax(x, last)       =>  z = Softmax <axis = -1> (x)     (any one axis; Mul(e, Reciprocal(s)))
    e = Exp(Sub(x, m))
    s = ReduceSum(e, last)
    z = Div(e, s)

    d = Sub(x, ReduceMax(x, last))   =>  z = LogSoftmax <axis = -1> (x)
    z = Sub(d, Log(ReduceSum(Exp(d), last)))
    ```
    The maximum may be absent: then the original overflows where Softmax does not. It stays over several axes, where
    the dimensions are not kept, and where a value in between is read elsewhere.
    Preserves: float-equal up to rounding.
    """

    name = "recover-softmax"
    ops = ("ReduceSum",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Recover the function around one sum."""
        exp = made_by(node.inputs[0], "Exp")
        exponent = exp.inputs[0] if exp else None
        axes = reduced_axes(node, exponent) if exponent is not None else None
        if exp is None or exponent is None or axes is None or len(axes) != 1:
            return False
        quotient, difference = _quotient(exp.outputs[0], node.outputs[0]), _difference(exponent, node.outputs[0])
        last, x = quotient or difference, _unshifted(exponent, axes[0])
        if last is None:
            return False
        kept = why_kept(last.outputs[0], x)
        if kept is None:
            become(last, "Softmax" if quotient else "LogSoftmax", [x], {"axis": _from_end(axes[0], x)})
        return kept or True


def _quotient(exp: ir.Value, total: ir.Value) -> ir.Node | None:
    """The node that makes exp / total."""
    if div := read_by(total, "Div"):
        return div if tuple(div.inputs) == (exp, total) else None
    inverse = read_by(total, "Reciprocal")
    product = read_by(inverse.outputs[0], "Mul") if inverse else None
    return product if product and exp in product.inputs else None


def _difference(exponent: ir.Value, total: ir.Value) -> ir.Node | None:
    """The node that makes exponent - log(total)."""
    log = read_by(total, "Log")
    sub = read_by(log.outputs[0], "Sub") if log else None
    return sub if sub and sub.inputs[0] is exponent else None


def _unshifted(exponent: ir.Value, axis: int) -> ir.Value:
    """x of x - max(x) along the axis, or the exponent itself."""
    sub = made_by(exponent, "Sub")
    x = sub.inputs[0] if sub else None
    most = made_by(sub.inputs[1], "ReduceMax") if sub else None
    if x is None or most is None or most.inputs[0] is not x:
        return exponent
    found = reduced_axes(most, x) or ()
    return x if [_from_end(other, x) for other in found] == [_from_end(axis, x)] else exponent


def _from_end(axis: int, x: ir.Value) -> int:
    """-1 for the last axis, as most exporters write it."""
    return -1 if axis + 1 == rank(x) else axis
