"""Relu, Clip, Max and Min by constants all limit a value to an interval: one form for each interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant, is_op, rank, scalar_constant, sole_consumer
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.pipeline import Preserves


class NormalizeClip(NodePass):
    """Merge Relu, Clip, Max and Min into one Relu or Clip with constant scalar bounds.

    ```
    z = Clip(x, zero)             =>  z = Relu(x)            (no maximum, or one that nothing can exceed)
    z = Max(x, zero)              =>  z = Relu(x)            (either order; zero of shape () or (1,))
    z = Min(x, c)                 =>  z = Clip(x, , c)
    y = Max(x, a); z = Min(y, c)  =>  z = Clip(x, a, c)
    y = Relu(x); z = Clip(y, , c) =>  z = Clip(x, y_min, c)  (and any other two of Relu, Clip, Max, Min)
    ```
    Bounds that are kept stay the same initializers, shared ones too.

    Bounds stay that are computed, overridable by a graph input, not one number, not float, or crossed (minimum above
    maximum), and so do pairs whose inner result is read elsewhere.
    Preserves: exact (a float32 maximum of 3.4e38 counts as none, so infinities pass).
    """

    name = "normalize-clip"
    preserves = Preserves.EXACT
    ops = ("Relu", "Clip", "Max", "Min")

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Merge one node with the one before it, or bring it into its form."""
        limit = _limit(node)
        if limit is None or _merges_into_next(node):
            return False
        merged = limit
        while (before := _limit(merged.data.producer())) and sole_consumer(merged.data):
            merged = merged.after(before)
        wanted = "Relu" if limit.is_relu else "Clip"
        if merged is not limit or node.op_type != wanted or limit.has_vector_bound:
            _write(node, merged, names)
            return True
        return f"{limit.data.name!r} is also read elsewhere" if before else False


def _merges_into_next(node: ir.Node) -> bool:
    """Whether the only reader of the result is a limit too: that one takes both, with the bounds as they are here."""
    limit = _limit(sole_consumer(node.outputs[0]))
    return limit is not None and limit.data is node.outputs[0]


@dataclass(frozen=True)
class _Limit:
    """`data` limited to low..high (low <= high); `bounds` are the constants that were given for them."""

    data: ir.Value
    low: float
    high: float
    bounds: tuple[ir.Value, ...]

    @property
    def is_relu(self) -> bool:
        return self.low == 0 and self.high == math.inf

    @property
    def has_vector_bound(self) -> bool:
        return any(_dimensions(value) for value in self.bounds)

    def after(self, inner: _Limit) -> _Limit:
        """This limit applied to the result of another."""
        low, high = (min(max(bound, self.low), self.high) for bound in (inner.low, inner.high))
        return _Limit(inner.data, low, high, inner.bounds + self.bounds)


def _limit(node: ir.Node | None) -> _Limit | None:
    """What the node limits, if its bounds are single float constants."""
    if node is None or not is_op(node, *NormalizeClip.ops):
        return None
    data, low, high = _operands(node)
    bounds = tuple(value for value in (low, high) if value is not None)
    if data is None or not all(_is_bound(value) for value in bounds):
        return None
    if is_op(node, "Max", "Min") and any(_dimensions(value) > (rank(data) or 0) for value in bounds):
        return None  # the result would have more dimensions than the data
    if is_op(node, "Relu"):
        return _Limit(data, 0.0, math.inf, ())
    limit = _Limit(data, _number(low, -math.inf), _number(high, math.inf), bounds)
    return limit if limit.low <= limit.high else None


def _operands(node: ir.Node) -> tuple[ir.Value | None, ir.Value | None, ir.Value | None]:
    """(data, minimum, maximum); data is None where the node is no limit of one value."""
    if is_op(node, "Relu", "Clip"):
        data, low, high = (*node.inputs, None, None)[:3]
        return data, low, high
    if len(node.inputs) != 2:
        return None, None, None
    data, bound = node.inputs if constant(node.inputs[1]) is not None else reversed(node.inputs)
    return (data, bound, None) if is_op(node, "Max") else (data, None, bound)


def _is_bound(value: ir.Value) -> bool:
    array = constant(value)
    return array is not None and array.size == 1 and ir.DataType.from_numpy(array.dtype).is_floating_point()


def _dimensions(bound: ir.Value) -> int:
    array = constant(bound)
    return 0 if array is None else array.ndim


def _number(value: ir.Value | None, absent: float) -> float:
    """The bound; infinite where it is the last finite number of its type, which is how exporters write no bound."""
    array, number = constant(value), scalar_constant(value)
    if array is None or number is None:
        return absent
    return math.copysign(math.inf, number) if abs(number) >= ir.DataType.from_numpy(array.dtype).max else number


def _write(node: ir.Node, limit: _Limit, names: Names) -> None:
    """Make the node a Relu or Clip of the limit's data."""
    inputs: list[ir.Value | None] = [limit.data]
    if not limit.is_relu:
        low = _bound(limit.low, limit, f"{node.name}_min", names)
        high = _bound(limit.high, limit, f"{node.name}_max", names)
        inputs += [low, high] if high else [low] if low else []
    node.op_type = "Relu" if limit.is_relu else "Clip"
    node.resize_inputs(len(inputs))
    for index, value in enumerate(inputs):
        node.replace_input_with(index, value)


def _bound(number: float, limit: _Limit, wish: str, names: Names) -> ir.Value | None:
    """A scalar constant of the number, one of those that were given where possible; None for no bound."""
    if math.isinf(number):
        return None
    for value in limit.bounds:
        if not _dimensions(value) and scalar_constant(value) == number:
            return value
    array = constant(limit.bounds[0])
    graph = limit.bounds[0].graph
    assert array is not None
    assert isinstance(graph, ir.Graph)
    return names.initializer(graph, wish, np.array(number, array.dtype))
