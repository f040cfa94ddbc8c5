"""(x - mean) / sqrt(variance + epsilon), found around the ReduceMean of its variance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op, rank, scalar_constant, sole_consumer
from qcompile.passes.canonicalize.replacing import become, why_kept

Fits = Callable[[ir.Value, ir.Value], bool]
"""Whether a value, given first, can be scale or bias of a normalization of the second."""


@dataclass(frozen=True)
class Normalization:
    """`output` = (x - mean(x)) / sqrt(variance(x) + epsilon) * scale + bias, over `axes` of x, negative ones counted."""

    x: ir.Value
    axes: tuple[int, ...]
    epsilon: float
    output: ir.Value
    scale: ir.Value | None = None
    bias: ir.Value | None = None

    def replace(self, op_type: str, attributes: dict[str, int | float], channels: int | None, names: Names) -> bool | str:
        """Put one node in its place, or say why not. Scale and bias become vectors, an absent scale ones."""
        node, kept = self.output.producer(), why_kept(self.output, self.x, self.scale, self.bias)
        assert node is not None and node.graph is not None
        if kept is not None:
            return kept
        vectors = []
        for role, value, neutral in (("scale", self.scale, 1.0), ("bias", self.bias, 0.0)):
            array = constant(value)
            if value is None:
                if channels is None or self.x.dtype is None:
                    return "the number of channels is unknown"
                array = np.full(channels, neutral, self.x.dtype.numpy())
            if array is not None and (value is None or array.ndim > 1):
                value = names.initializer(node.graph, f"{node.name}_{role}", array.reshape(-1))
            vectors.append(value)
        become(node, op_type, [self.x, *vectors], {**attributes, "epsilon": self.epsilon})
        return True


def normalization(variance: ir.Node, fits: Fits) -> Normalization | None:
    """The normalization whose variance this ReduceMean takes, with as much scale and bias as fits; None if none."""
    squared = variance.inputs[0]
    deviations = _factors_of_square(squared)
    centred = {_centred(deviation) for deviation in deviations}
    if len(centred) != 1:
        return None
    found = centred.pop()
    axes = reduced_axes(variance)
    if found is None or found[1] != axes or axes is None:
        return None
    root = _root(variance.outputs[0])
    if root is None:
        return None
    epsilon, value, is_inverse = root
    whole = Normalization(found[0], axes, epsilon, value)
    scaled = _multiplied(whole, fits) if is_inverse else _divided(whole)
    return None if scaled is None else _with_vectors(scaled, fits)


def reduced_axes(node: ir.Node) -> tuple[int, ...] | None:
    """The axes of a reduction that keeps the dimensions, in order; negative ones are counted where the rank is known."""
    if not attribute(node, "keepdims", 1):
        return None
    axes = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if axes is None or not axes.size:
        return None
    dims = rank(node.inputs[0])
    return tuple(sorted(int(axis) % dims if dims else int(axis) for axis in axes.reshape(-1)))


def _factors_of_square(value: ir.Value | None) -> Sequence[ir.Value | None]:
    node = value.producer() if value is not None else None
    if is_op(node, "Mul"):
        return node.inputs
    return node.inputs[:1] if is_op(node, "Pow") and scalar_constant(node.inputs[1]) == 2 else ()


def _centred(value: ir.Value | None) -> tuple[ir.Value, tuple[int, ...]] | None:
    """(x, axes) of a value that is x - mean(x)."""
    node = value.producer() if value is not None else None
    if not is_op(node, "Sub"):
        return None
    x, mean = node.inputs
    return (x, axes) if x is not None and (axes := _mean_axes(mean, x)) else None


def _mean_axes(mean: ir.Value | None, x: ir.Value) -> tuple[int, ...] | None:
    node = mean.producer() if mean is not None else None
    return reduced_axes(node) if is_op(node, "ReduceMean") and node.inputs[0] is x else None


def _root(variance: ir.Value) -> tuple[float, ir.Value, bool] | None:
    """(epsilon, value, whether it is the inverse) of sqrt(variance + epsilon) or its inverse."""
    add = sole_consumer(variance)
    if add is None or not is_op(add, "Add"):
        return None
    epsilon = scalar_constant(_other(add, variance))
    power = sole_consumer(add.outputs[0])
    if epsilon is None or power is None:
        return None
    root = power.outputs[0]
    exponent = scalar_constant(power.inputs[1]) if is_op(power, "Pow") else 0.5 if is_op(power, "Sqrt") else None
    if exponent == -0.5:
        return epsilon, root, True
    if exponent != 0.5:
        return None
    inverse = sole_consumer(root)
    if is_op(inverse, "Reciprocal") or (is_op(inverse, "Div") and scalar_constant(inverse.inputs[0]) == 1):
        return epsilon, inverse.outputs[0], True
    return epsilon, root, False


def _divided(now: Normalization) -> Normalization | None:
    """From the standard deviation to the quotient."""
    node = sole_consumer(now.output)
    if node is None or not is_op(node, "Div") or _centred(node.inputs[0]) != (now.x, now.axes):
        return None
    return replace(now, output=node.outputs[0])


def _multiplied(now: Normalization, fits: Fits) -> Normalization | None:
    """From the inverse to the product: with x - mean, or with x and with mean apart, as TensorFlow writes it."""
    node = sole_consumer(now.output)
    if node is not None and is_op(node, "Mul"):
        other = _other(node, now.output)
        if _centred(other) == (now.x, now.axes):
            return replace(now, output=node.outputs[0])
        if other is not None and now.scale is None and fits(other, now.x):
            return _multiplied(replace(now, scale=other, output=node.outputs[0]), fits)
    return _multiplied_apart(now, fits)


def _multiplied_apart(now: Normalization, fits: Fits) -> Normalization | None:
    """x * s + (bias - mean * s), or x * s - mean * s."""
    uses = [use.node for use in now.output.uses()]
    of_x = [node for node in uses if is_op(node, "Mul") and _other(node, now.output) is now.x]
    of_mean = [n for n in uses if is_op(n, "Mul") and _mean_axes(_other(n, now.output), now.x) == now.axes]
    if len(uses) != 2 or len(of_x) != 1 or len(of_mean) != 1:
        return None
    x_part, mean_part = of_x[0].outputs[0], of_mean[0].outputs[0]
    last = sole_consumer(x_part)
    if last is None or not is_op(last, "Add", "Sub"):
        return None
    rest = _other(last, x_part)
    if is_op(last, "Sub"):
        return replace(now, output=last.outputs[0]) if last.inputs[0] is x_part and rest is mean_part else None
    shift = rest.producer() if rest is not None else None
    if shift is None or not is_op(shift, "Sub") or shift.inputs[1] is not mean_part:
        return None
    bias = shift.inputs[0]
    return replace(now, bias=bias, output=last.outputs[0]) if bias is not None and fits(bias, now.x) else None


def _with_vectors(now: Normalization, fits: Fits) -> Normalization:
    """With the Mul and Add behind it, where they are by a vector that fits."""
    for role, op_type in (("scale", "Mul"), ("bias", "Add")):
        node = sole_consumer(now.output)
        if node is None or not is_op(node, op_type) or now.bias is not None or getattr(now, role) is not None:
            continue
        other = _other(node, now.output)
        if other is not None and fits(other, now.x):
            now = replace(now, output=node.outputs[0], **{role: other})
    return now


def _other(node: ir.Node, value: ir.Value) -> ir.Value | None:
    left, right = node.inputs
    return right if left is value else left
