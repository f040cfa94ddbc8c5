"""Arithmetic with one number at a time, read as mathematics: exporters spell one formula in many orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import zip_longest

import onnx_ir as ir

from qcompile.ir import constant, is_op, rank, scalar_constant, sole_consumer

_DEPTH = 7
"""Nodes on a path of the longest formula that is looked for, GELU by tanh; a search has to end somewhere."""

_CUBE = 3


Coefficients = tuple[float, ...]
"""Of a polynomial, the constant first; the last is not 0, unless it is the only one. (numpy's are too slow here.)"""


def polynomial(value: ir.Value | None, x: ir.Value, depth: int = _DEPTH) -> Coefficients | None:
    """The value as a polynomial in x with constant coefficients, at most of degree 3; None if it is none."""
    if value is x:
        return (0.0, 1.0)
    if (number := single_number(value, x)) is not None:
        return (number,)
    node = value.producer() if value is not None else None
    if depth == 0 or node is None or not is_op(node, "Add", "Sub", "Mul", "Div", "Neg", "Pow"):
        return None
    parts = []
    for operand in node.inputs:
        part = polynomial(operand, x, depth - 1)
        if part is None:
            return None
        parts.append(part)
    result = _combine(node.op_type, parts)
    return result if result is not None and len(result) <= _CUBE + 1 else None


def _combine(op_type: str, parts: Sequence[Coefficients]) -> Coefficients | None:
    left, right = parts[0], parts[-1]
    number = right[0] if len(right) == 1 else None
    match op_type:
        case "Add":
            return plus(left, right)
        case "Sub":
            return plus(left, times(right, (-1.0,)))
        case "Mul":
            return times(left, right)
        case "Neg":
            return times(left, (-1.0,))
        case "Div":
            return times(left, (1 / number,)) if number else None
    return reduce(times, [left] * int(number)) if number in (1, 2, _CUBE) else None


def plus(left: Coefficients, right: Coefficients) -> Coefficients:
    """The sum of two polynomials."""
    return _trimmed([a + b for a, b in zip_longest(left, right, fillvalue=0.0)])


def times(left: Coefficients, right: Coefficients) -> Coefficients:
    """The product of two polynomials."""
    result = [0.0] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            result[i + j] += a * b
    return _trimmed(result)


def _trimmed(coefficients: list[float]) -> Coefficients:
    while len(coefficients) > 1 and coefficients[-1] == 0:
        coefficients.pop()
    return tuple(coefficients)


def slope(value: ir.Value, x: ir.Value) -> float | None:
    """The number that x is multiplied with to give the value; None if it is something else."""
    found = polynomial(value, x)
    return found[1] if found is not None and len(found) == 2 and found[0] == 0 else None


def is_polynomial(found: Coefficients | None, *wanted: float, like: ir.Value) -> bool:
    """Whether the coefficients are these as closely as the value's type can tell."""
    return (
        found is not None
        and len(found) == len(wanted)
        and all(near(one, other, like) for one, other in zip(found, wanted, strict=True))
    )


def near(got: float, wanted: float, like: ir.Value) -> bool:
    """Whether two constants are one, given that exporters write four digits or more, and the value's type may cut."""
    precision = float(like.dtype.eps) if like.dtype is not None and like.dtype.is_floating_point() else 0.0
    return bool(abs(got - wanted) <= max(1e-4, 2 * precision) * (abs(wanted) or 1.0))


def single_number(value: ir.Value | None, beside: ir.Value) -> float | None:
    """The number behind a constant of one element that does not enlarge what it is combined with."""
    array = constant(value)
    if array is None or array.size != 1 or array.ndim > (rank(beside) or 0):
        return None
    return scalar_constant(value)


def affine_sources(value: ir.Value | None) -> Iterator[ir.Value]:
    """The value, then again and again what it is made of by adding or multiplying one number."""
    for _ in range(_DEPTH):
        if value is None:
            return
        yield value
        node = value.producer()
        if node is None or not is_op(node, "Add", "Sub", "Mul", "Div"):
            return
        left, right = node.inputs
        value = left if single_number(right, value) is not None else None
        if value is None and is_op(node, "Add", "Mul"):
            value = right if single_number(left, node.outputs[0]) is not None else None


@dataclass(frozen=True)
class Gated:
    """`output` = (scale * gate + shift), times `factor` where there is one."""

    output: ir.Value
    scale: float = 1.0
    shift: float = 0.0
    factor: ir.Value | None = None


def gated(gate: ir.Value) -> Iterator[Gated]:
    """What is made of the gate alone, one number at a time, and of one other factor on the way; nearest first."""
    found: Gated | None = Gated(gate)
    while found is not None:
        yield found
        node = sole_consumer(found.output)
        found = None if node is None else _next(found, node)


def _next(now: Gated, node: ir.Node) -> Gated | None:
    if not is_op(node, "Add", "Sub", "Mul", "Div"):
        return None
    left, right = node.inputs
    other = right if left is now.output else left
    number = single_number(other, now.output)
    then = replace(now, output=node.outputs[0])
    match node.op_type:
        case "Mul" if number is not None:
            return replace(then, scale=now.scale * number, shift=now.shift * number)
        case "Mul" if now.factor is None:
            return replace(then, factor=other)
        case "Div" if number and other is right:
            return replace(then, scale=now.scale / number, shift=now.shift / number)
        case "Add" if number is not None and now.factor is None:
            return replace(then, shift=now.shift + number)
        case "Sub" if number is not None and now.factor is None:
            if other is right:
                return replace(then, shift=now.shift - number)
            return replace(then, scale=-now.scale, shift=number - now.shift)
    return None
