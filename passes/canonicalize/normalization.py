"""(x - mean) / sqrt(variance + epsilon), found around the ReduceMean of its variance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op, rank, scalar_constant, sole_consumer
from qcompile.passes.canonicalize.neighbours import made_by, other_operand, read_by
from qcompile.passes.canonicalize.polynomials import single_number
from qcompile.passes.canonicalize.replacing import Attributes, become, why_kept

Fits = Callable[[ir.Value, ir.Value], bool]
"""Whether a value, given first, can be scale or bias of a normalization of the second."""


@dataclass(frozen=True)
class Normalization:
    """`output` = (x - mean(x)) / sqrt(variance(x) + epsilon) * scale + bias, mean and variance over `axes` of x."""

    x: ir.Value
    axes: tuple[int, ...]
    epsilon: float
    output: ir.Value
    scale: ir.Value | None = None
    bias: ir.Value | None = None

    def write(
        self, op_type: str, attributes: Attributes, axis: int, absent: Sequence[float | None], names: Names
    ) -> bool | str:
        """Put one node of the op in its place, or say why not.

        Scale and bias become vectors along `axis` of x; an absent one is filled with what `absent` says, or left out.
        """
        node, kept = self.output.producer(), why_kept(self.output, self.x, self.scale, self.bias)
        channels = self.x.shape[axis] if self.x.shape is not None else None
        assert node is not None and isinstance(node.graph, ir.Graph)
        if kept is not None:
            return kept
        inputs: list[ir.Value | None] = [self.x]
        for role, value, number in zip(("scale", "bias"), (self.scale, self.bias), absent, strict=True):
            if value is None and number is not None:
                if not isinstance(channels, int) or self.x.dtype is None:
                    return f"it has no {role}, and the length of axis {axis} is unknown"
                filled = np.full(channels, number, self.x.dtype.numpy())
                value = names.initializer(node.graph, f"{node.name}_{role}", filled)
            array = constant(value)
            if array is not None and array.ndim > 1:
                value = names.initializer(node.graph, f"{node.name}_{role}", array.reshape(-1))
            inputs.append(value)
        inputs = inputs[:-1] if inputs[-1] is None else inputs
        become(node, op_type, inputs, {**attributes, "epsilon": self.epsilon})
        return True


def normalization(variance: ir.Node, fits: Fits) -> Normalization | None:
    """The normalization whose variance this ReduceMean takes, with as much scale and bias as fits; None if none."""
    centred = {_centred(deviation) for deviation in _factors_of_square(variance.inputs[0])}
    pair = centred.pop() if len(centred) == 1 else None
    root = root_of(variance.outputs[0]) if pair and reduced_axes(variance, pair[0]) == pair[1] else None
    if pair is None or root is None:
        return None
    begun = Normalization(*pair, root.epsilon, root.value)
    scaled = _multiplied(begun, fits) if root.is_inverse else _divided(begun)
    return None if scaled is None else _with_vectors(scaled, fits)


def reduced_axes(node: ir.Node, like: ir.Value) -> tuple[int, ...] | None:
    """The axes of a reduction that keeps the dimensions, sorted; counted from the front where the rank is known.

    It is that of `like`, from which the operand of the reduction is made.
    """
    axes = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if axes is None or not axes.size or not attribute(node, "keepdims", 1):
        return None
    dims = rank(like)
    return tuple(sorted(int(axis) % dims if dims else int(axis) for axis in axes.reshape(-1)))


def _factors_of_square(value: ir.Value | None) -> Sequence[ir.Value | None]:
    if product := made_by(value, "Mul"):
        return product.inputs
    power = made_by(value, "Pow")
    return power.inputs[:1] if power and scalar_constant(power.inputs[1]) == 2 else ()


def _centred(value: ir.Value | None) -> tuple[ir.Value, tuple[int, ...]] | None:
    """(x, axes) of a value that is x - mean(x)."""
    node = made_by(value, "Sub")
    x, mean = node.inputs if node else (None, None)
    axes = _mean_axes(mean, x)
    return (x, axes) if x is not None and axes else None


def _mean_axes(mean: ir.Value | None, x: ir.Value | None) -> tuple[int, ...] | None:
    node = made_by(mean, "ReduceMean")
    return reduced_axes(node, x) if node and x is not None and node.inputs[0] is x else None


@dataclass(frozen=True)
class Root:
    """`value` = sqrt(variance + epsilon), or its inverse; `power` is the Sqrt or Pow that takes the root."""

    epsilon: float
    power: ir.Node
    value: ir.Value
    is_inverse: bool


def root_of(variance: ir.Value) -> Root | None:
    """The root of a variance and an epsilon, if nothing else is made of the variance."""
    add = read_by(variance, "Add")
    epsilon = single_number(other_operand(add, variance), variance) if add else None
    power = read_by(add.outputs[0], "Sqrt", "Pow") if add else None
    if epsilon is None or power is None:
        return None
    root, exponent = power.outputs[0], 0.5 if is_op(power, "Sqrt") else scalar_constant(power.inputs[1])
    if exponent not in (0.5, -0.5):
        return None
    inverse = sole_consumer(root)
    if exponent == 0.5 and inverse is not None and _is_reciprocal(inverse):
        return Root(epsilon, power, inverse.outputs[0], True)
    return Root(epsilon, power, root, exponent < 0)


def _is_reciprocal(node: ir.Node) -> bool:
    return is_op(node, "Reciprocal") or (is_op(node, "Div") and single_number(node.inputs[0], node.outputs[0]) == 1)


def _divided(now: Normalization) -> Normalization | None:
    """From the standard deviation to the quotient."""
    node = read_by(now.output, "Div")
    if node is None or _centred(node.inputs[0]) != (now.x, now.axes):
        return None
    return replace(now, output=node.outputs[0])


def _multiplied(now: Normalization, fits: Fits) -> Normalization | None:
    """From the inverse to the product: with x - mean, or with x and with mean apart, as TensorFlow writes it."""
    node = read_by(now.output, "Mul")
    if node is None:
        return _multiplied_apart(now, fits)
    other = other_operand(node, now.output)
    if _centred(other) == (now.x, now.axes):
        return replace(now, output=node.outputs[0])
    if other is not None and now.scale is None and fits(other, now.x):
        return _multiplied(replace(now, scale=other, output=node.outputs[0]), fits)
    return None


def _multiplied_apart(now: Normalization, fits: Fits) -> Normalization | None:
    """x * s + (bias - mean * s), or x * s - mean * s."""
    products = [use.node for use in now.output.uses() if is_op(use.node, "Mul")]
    of_x = [node for node in products if other_operand(node, now.output) is now.x]
    of_mean = [node for node in products if _mean_axes(other_operand(node, now.output), now.x) == now.axes]
    if len(of_x) != 1 or len(of_mean) != 1:
        return None
    left, right = of_x[0].outputs[0], of_mean[0].outputs[0]
    last = read_by(left, "Add", "Sub")
    if last is None:
        return None
    if is_op(last, "Sub"):
        return replace(now, output=last.outputs[0]) if tuple(last.inputs) == (left, right) else None
    shift = made_by(other_operand(last, left), "Sub")
    bias = shift.inputs[0] if shift and shift.inputs[1] is right else None
    return replace(now, bias=bias, output=last.outputs[0]) if bias is not None and fits(bias, now.x) else None


def _with_vectors(now: Normalization, fits: Fits) -> Normalization:
    """With the Mul and Add behind it, where they are by a vector that fits."""
    if now.bias is None and now.scale is None and (found := _vector_behind(now, "Mul", fits)):
        now = replace(now, scale=found[0], output=found[1])
    if now.bias is None and (found := _vector_behind(now, "Add", fits)):
        now = replace(now, bias=found[0], output=found[1])
    return now


def _vector_behind(now: Normalization, op_type: str, fits: Fits) -> tuple[ir.Value, ir.Value] | None:
    """(vector, result) of the op that reads the output."""
    node = read_by(now.output, op_type)
    other = other_operand(node, now.output) if node else None
    return (other, node.outputs[0]) if node and other is not None and fits(other, now.x) else None
