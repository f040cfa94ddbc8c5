"""Where the scale of a channel can move: from what makes a value, through what keeps scales, into weighted readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.ir import attribute, constant, is_op, nodes, rank, static_shape
from qcompile.passes.canonicalize.linear import LINEAR, as_linear
from qcompile.passes.repair.migrate_scales import NORMALIZATIONS

ELEMENTWISE = ("Dropout", "Identity", "LeakyRelu", "PRelu", "Relu")
"""f(a * x) = a * f(x) for any a > 0, element by element."""

POOLS = ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool")

FLATTENING = ("Flatten", "Reshape", "Squeeze")


@dataclass(frozen=True)
class ScaleLink:
    """Values that can share one positive factor for each channel without a change to what the model gives."""

    source: ir.Node
    """What makes the first of the values: its constants take the factors away."""
    values: tuple[ir.Value, ...]
    readers: tuple[ir.Node, ...]
    """Linear nodes whose weights take the factors in."""
    axes: Mapping[str, int]
    """Axis of the channels, by value name."""
    channels: int

    @property
    def read(self) -> tuple[ir.Value, ...]:
        """The values that enter a weighted node."""
        found = [reader.inputs[0] for reader in self.readers]
        return tuple(value for value in dict.fromkeys(found) if value is not None)


def scale_links(model: ir.Model) -> list[ScaleLink]:
    """Every link of the model, in graph order; a value has a part in one at most."""
    found: list[ScaleLink] = []
    linked: set[ir.Value] = set()
    for node in nodes(model):
        if node.outputs and node.outputs[0] not in linked and (link := _link(node)) is not None:
            found.append(link)
            linked.update(link.values)
    return found


def migration_misfits(migrations: Mapping[str, Sequence[float]], model: ir.Model) -> Iterator[str]:
    """What is wrong with factors by value name: they must be those of whole links of the model."""
    left = dict(migrations)
    for link in scale_links(model) if migrations else ():
        given = [left.pop(value.name or "", None) for value in link.values]
        factors = given[0]
        if any(other != factors for other in given):
            yield f"values from {link.values[0].name!r} on have unlike factors"
        elif factors is not None and (len(factors) != link.channels or not _are_factors(factors)):
            yield f"value {link.values[0].name!r} needs {link.channels} factors above 0"
    yield from (f"value {name!r} takes no factors" for name in left)


def _are_factors(numbers: Sequence[float]) -> bool:
    return bool(np.isfinite(numbers).all()) and min(numbers) > 0


def _link(source: ir.Node) -> ScaleLink | None:
    """The link that begins at a node; None if it cannot scale its channels, or if somebody reads them unscaled."""
    begin = _channels(source)
    if begin is None:
        return None
    channels, axis = begin
    axes = {source.outputs[0]: axis}
    readers: list[ir.Node] = []
    pending = [source.outputs[0]]
    while pending:
        value = pending.pop()
        if value.is_graph_output() or value.dtype is not ir.DataType.FLOAT:
            return None
        for use in value.uses():
            if use.node.graph is not source.graph or use.node.domain != "":
                return None
            if _reads(use.node, use.idx, channels, axes[value]):
                readers.append(use.node)
                continue
            behind = _carried(use.node, use.idx, value, channels, axes[value])
            if behind is None or use.node.outputs[0] in axes:  # there already: both factors of a product are scaled
                return None
            axes[use.node.outputs[0]] = behind
            pending.append(use.node.outputs[0])
    if not readers:
        return None
    by_name = {value.name or "": axis for value, axis in axes.items()}
    return ScaleLink(source, tuple(axes), tuple(readers), by_name, channels)


def _channels(source: ir.Node) -> tuple[int, int] | None:
    """How many channels a node can scale by its constants, and along which axis of its output."""
    output = source.outputs[0]
    dimensions = rank(output)
    if source.domain != "" or dimensions is None:
        return None
    if source.op_type in LINEAR:
        linear = as_linear(source)
        return None if isinstance(linear, str) else (linear.channels, linear.axis)
    if source.op_type in NORMALIZATIONS:
        axis = 1 if source.op_type == "InstanceNormalization" else dimensions - 1
        scale, *shift = (constant(value) for value in source.inputs[1:3] if value is not None)
        is_last = source.op_type == "InstanceNormalization" or attribute(source, "axis", -1) in (-1, axis)
        is_plain = scale is not None and scale.ndim == 1 and all(array is not None for array in shift)
        alone = not any(value.uses() for value in source.outputs[1:])
        return (scale.size, axis) if scale is not None and is_plain and is_last and alone else None
    if source.op_type == "Mul":
        return next((found for value in source.inputs if (found := _vector(value, dimensions)) is not None), None)
    return None


def _vector(value: ir.Value | None, dimensions: int) -> tuple[int, int] | None:
    """Size and axis of a constant that differs along one axis of what it is combined with; None if it is no such."""
    array = constant(value)
    if array is None or array.dtype != np.float32 or array.ndim > dimensions:
        return None
    long = [axis for axis, size in enumerate(array.shape) if size != 1]
    return (array.size, long[0] + dimensions - array.ndim) if len(long) == 1 else None


def _reads(node: ir.Node, index: int, channels: int, axis: int) -> bool:
    if node.op_type not in LINEAR or index != 0:
        return False
    linear = as_linear(node)
    fits = not isinstance(linear, str) and (linear.axis, linear.input_channels) == (axis, channels)
    return fits and not attribute(node, "transA", 0)


def _carried(node: ir.Node, index: int, value: ir.Value, channels: int, axis: int) -> int | None:
    """The axis of the channels behind a node that scales its output as its input is scaled; None if it does not."""
    output, dimensions = node.outputs[0], rank(value)
    if dimensions is None or any(other.uses() for other in node.outputs[1:]):
        return None
    if is_op(node, *ELEMENTWISE) and index == 0:
        return axis
    if is_op(node, *POOLS) and axis == 1:
        return axis
    if is_op(node, "Transpose") and "perm" in node.attributes:
        return int(list(attribute(node, "perm")).index(axis))
    if is_op(node, "Add"):
        return axis if _vector(node.inputs[1 - index], dimensions) == (channels, axis) else None
    if is_op(node, "Mul"):
        keeps = rank(output) == dimensions and (output.shape or ())[axis] == (value.shape or ())[axis]
        return axis if keeps else None
    is_flat = (static_shape(output) or ())[1:] == (channels,) and (static_shape(value) or ())[1:2] == (channels,)
    return axis if is_op(node, *FLATTENING) and index == 0 and is_flat else None
