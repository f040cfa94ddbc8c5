"""Hard-swish and hard-sigmoid out of the Clip, additions and multiplications that many exporters write."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from qcompile.ir import Names, attribute, is_op, scalar_constant
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.polynomials import (
    Coefficients,
    Gated,
    affine_sources,
    gated,
    is_polynomial,
    near,
    plus,
    polynomial,
    slope,
    times,
)
from qcompile.passes.canonicalize.replacing import become, why_kept


class RecoverHardSwish(NodePass):
    """Recover HardSwish and HardSigmoid from Clip, Add, Mul and Div.

    ```
    a = Add(x, three)                   =>  z = HardSwish(x)
    b = Clip(a, zero, six)                  (any order of Mul and Div; Mul by 1/6)
    c = Mul(x, b)
    z = Div(c, six)

    g = HardSigmoid <alpha = 1/6> (x)   =>  z = HardSwish(x)
    z = Mul(x, g)

    a = Mul(x, fifth)                   =>  z = HardSigmoid <alpha = 0.2, beta = 0.5> (x)
    b = Add(a, half)                        (also Clip(x + 3, 0, 6) / 6)
    z = Clip(b, zero, one)
    ```
    Limits written as Max, Min or Relu are a Clip after normalize-clip. A Clip of x + number alone stays: the number
    belongs into a bias. So does what is read elsewhere, and double, for which onnxruntime has no such kernel.
    Preserves: float-equal up to rounding.
    """

    name = "recover-hard-swish"
    ops = ("Clip", "HardSigmoid")

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Recover the function around one limit; hard-swish, which holds a hard-sigmoid, first."""
        limit = _limit(node)
        if limit is None:
            return False
        states = list(gated(node.outputs[0]))
        found = next((y for state in states if (y := _hard_swish(state, limit))), None)
        if found is None and is_op(node, "Clip"):
            found = next((y for state in states if (y := _hard_sigmoid(state, limit))), None)
        return False if found is None else found.write()


@dataclass(frozen=True)
class _Limit:
    """`factor * data + offset`, limited to low..high; `line` is (offset, factor)."""

    data: ir.Value
    low: float
    high: float
    line: Coefficients

    def reaches_one(self, scale: float, shift: float, x: ir.Value) -> bool:
        """Whether the limits become 0 and 1."""
        low, high = (bound * scale + shift for bound in (self.low, self.high))
        return near(low, 0, x) and near(high, 1, x)

    def over(self, x: ir.Value, scale: float, shift: float) -> Coefficients | None:
        """The line, scaled and shifted as its result is, in terms of x."""
        inner = polynomial(self.data, x)
        if inner is None:
            return None
        offset, factor = self.line
        return plus(times(inner, (factor * scale,)), (offset * scale + shift,))


@dataclass(frozen=True)
class _Function:
    """What was recovered, not yet written."""

    op_type: str
    x: ir.Value
    output: ir.Value
    attributes: dict[str, float]

    def write(self) -> Outcome:
        if self.x.dtype == ir.DataType.DOUBLE:
            return f"onnxruntime has no {self.op_type} for double"
        node = self.output.producer()
        assert node is not None
        kept = why_kept(self.output, self.x)
        if kept is None:
            become(node, self.op_type, [self.x], self.attributes)
        return kept or True


def _limit(node: ir.Node) -> _Limit | None:
    data = node.inputs[0]
    if data is None:
        return None
    if is_op(node, "HardSigmoid"):
        return _Limit(data, 0.0, 1.0, (attribute(node, "beta", 0.5), attribute(node, "alpha", 0.2)))
    low, high = (scalar_constant(value) for value in (*node.inputs[1:], None, None)[:2])
    if low is None or high is None or not math.isfinite(high - low):
        return None
    return _Limit(data, low, high, (0.0, 1.0))


def _hard_swish(state: Gated, limit: _Limit) -> _Function | None:
    if state.factor is None:
        return None
    for x in affine_sources(state.factor):
        part = slope(state.factor, x) or 0.0
        scale, shift = state.scale * part, state.shift * part
        if limit.reaches_one(scale, shift, x) and is_polynomial(limit.over(x, scale, shift), 1 / 2, 1 / 6, like=x):
            return _Function("HardSwish", x, state.output, {})
    return None


def _hard_sigmoid(state: Gated, limit: _Limit) -> _Function | None:
    """From as far back as one number at a time leads, as long as nothing else reads what lies between."""
    if state.factor is not None:
        return None
    for x in reversed(list(affine_sources(limit.data))):
        line = limit.over(x, state.scale, state.shift) if limit.reaches_one(state.scale, state.shift, x) else None
        if line is None or len(line) != 2 or why_kept(state.output, x):
            continue
        beta, alpha = line
        if alpha > 0 and beta and not near(alpha, 1, x):
            return _Function("HardSigmoid", x, state.output, {"alpha": alpha, "beta": beta})
    return None
