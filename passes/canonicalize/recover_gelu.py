"""GELU out of its formula, by erf or by tanh."""

from __future__ import annotations

import math
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import CONTRIB, Names
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.polynomials import (
    Gated,
    affine_sources,
    gated,
    is_polynomial,
    near,
    polynomial,
    slope,
)
from qcompile.passes.canonicalize.replacing import become, why_kept

_INNER = {
    "Erf": (0.0, math.sqrt(0.5)),
    "Tanh": (0.0, math.sqrt(2 / math.pi), 0.0, math.sqrt(2 / math.pi) * 0.044715),
}
"""What is under the function, as a polynomial in x."""

_APPROXIMATE = {"Erf": "none", "Tanh": "tanh", "Gelu": "none", "FastGelu": "tanh"}


class RecoverGelu(NodePass):
    """Recover Gelu from Erf or Tanh and the arithmetic around it.

    ```
    a = Div(x, sqrt2)    =>  z = Gelu(x)
    b = Erf(a)               (any order of the factors, x / sqrt2 as x * 0.7071)
    c = Add(b, one)
    d = Mul(x, c)
    z = Mul(d, half)

    0.5 * x * (1 + Tanh(0.79788 * (x + 0.044715 * x ** 3)))  =>  z = Gelu <approximate = "tanh"> (x)
                             (x ** 3 as Pow or Mul, 0.79788 inside or outside of the sum)

    z = com.microsoft.FastGelu(x)                            =>  z = Gelu <approximate = "tanh"> (x)
                             (com.microsoft.Gelu too; neither with a bias)
    ```
    Stays where a value inside of the formula is read elsewhere. Preserves: float-equal up to rounding.
    """

    name = "recover-gelu"
    ops = tuple(_APPROXIMATE)
    domains: ClassVar[tuple[str, ...]] = ("", CONTRIB)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Recover the formula around one Erf or Tanh, or rename one contributed operator."""
        if node.domain == CONTRIB:
            return _standardize(node)
        if node.op_type not in _INNER:
            return False
        for state in gated(node.outputs[0]):
            x = _argument(node, state)
            if x is not None:
                return _write(node, state, x)
        return False


def _standardize(node: ir.Node) -> Outcome:
    present = [value for value in node.inputs if value is not None]
    if len(present) != 1:
        return f"{node.op_type} adds a bias"
    become(node, "Gelu", present, {"approximate": _APPROXIMATE[node.op_type]})
    return True


def _argument(function: ir.Node, state: Gated) -> ir.Value | None:
    """The x of the formula, if it is one so far."""
    if state.factor is None:
        return None
    for x in affine_sources(state.factor):
        part = slope(state.factor, x)
        halves = part and all(near(part * number, 0.5, x) for number in (state.scale, state.shift))
        if halves and is_polynomial(polynomial(function.inputs[0], x), *_INNER[function.op_type], like=x):
            return x
    return None


def _write(function: ir.Node, state: Gated, x: ir.Value) -> Outcome:
    last, kept = state.output.producer(), why_kept(state.output, x)
    assert last is not None
    if kept is None:
        approximate = _APPROXIMATE[function.op_type]
        become(last, "Gelu", [x], {} if approximate == "none" else {"approximate": approximate})
    return kept or True
