"""Shapes, and what small integer tensors hold, in terms of the dimensions of the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from qcompile.ir import bodies, constant, is_op
from qcompile.passes.canonicalize.extents import Extent, MaybeExtent, extents
from qcompile.passes.canonicalize.shape_arithmetic import CONTENTS
from qcompile.passes.canonicalize.shape_rules import SHAPES, Contents, Shape, Shapes
from qcompile.pipeline import Feed

LONGEST = 64
"""Elements of the largest tensor whose contents are followed: more than any shape has."""


class SymbolicShapes:
    """What is known of every value of a model.

    Dimensions of one name are taken to be equal, as the model declares, unless the feed shows that they are not.
    A size that follows from nothing is a dimension of its own. `assumed` says which branch an If takes, as if its
    condition were known.
    """

    def __init__(
        self, model: ir.Model, feed: Feed | None = None, assumed: Mapping[ir.Node, ir.Graph] | None = None
    ) -> None:
        self._assumed = assumed or {}
        self._shapes: dict[ir.Value, tuple[Extent, ...]] = {}
        self._contents: dict[ir.Value, Contents] = {}
        self._inputs = set(model.graph.inputs)
        self._distrusted = _contradicted(model.graph, feed or {})
        self._walk(model.graph)

    def shape(self, value: ir.Value | None) -> Shape | None:
        """The size along each axis; None where not even the rank is known."""
        if value is None:
            return None
        if value not in self._shapes and value.shape is not None and value.producer() is None:
            self._shapes[value] = tuple(self._declared(value, axis, dim) for axis, dim in enumerate(value.shape))
        return self._shapes.get(value)

    def contents(self, value: ir.Value | None) -> Contents | None:
        """The elements of a vector or scalar of integers or truth values (0 and 1), each None where it is unknown."""
        if value is None:
            return None
        if value not in self._contents and (array := _small_integers(value)) is not None:
            self._contents[value] = extents(array.reshape(-1).tolist())
        return self._contents.get(value)

    def branch(self, node: ir.Node) -> ir.Graph | None:
        """The branch that an If takes, or None where its condition is not known."""
        condition = self.contents(node.inputs[0])
        if node in self._assumed or not condition or condition[0] is None:
            return self._assumed.get(node)
        return node.attributes["then_branch" if condition[0].factor else "else_branch"].as_graph()

    def _walk(self, graph: ir.Graph) -> None:
        for node in graph:
            for body in bodies(node):
                self._walk(body)
            self._infer(node)

    def _infer(self, node: ir.Node) -> None:
        shapes: Shapes | Sequence[Shape | None] | None = None
        if is_op(node, "If"):
            branch = self.branch(node)
            shapes = [self.shape(value) for value in branch.outputs] if branch else None
        elif is_op(node, *SHAPES):
            shapes = SHAPES[node.op_type](self, node)
        for index, value in enumerate(node.outputs):
            found = shapes[index] if shapes and index < len(shapes) else None
            declared: tuple[int | ir.SymbolicDim | None, ...] | None = (
                None if value.shape is None else tuple(value.shape)
            )
            if found is not None and (declared is None or len(declared) != len(found)):
                declared = (None,) * len(found)
            if declared is not None:
                self._shapes[value] = tuple(
                    self._dimension(value, axis, dim, found[axis] if found else None)
                    for axis, dim in enumerate(declared)
                )
        if is_op(node, *CONTENTS) and len(self.shape(node.outputs[0]) or ()) <= 1:
            elements = CONTENTS[node.op_type](self, node)
            if elements is not None and len(elements) <= LONGEST:
                self._contents[node.outputs[0]] = tuple(elements)

    def _dimension(
        self, value: ir.Value, axis: int, declared: int | ir.SymbolicDim | None, found: MaybeExtent
    ) -> Extent:
        """A declared number, what was derived, or a dimension of its own: names of inner dimensions are not trusted."""
        number = Extent(declared) if isinstance(declared, int) and declared >= 0 else None
        return number or found or Extent(1, (f"{value.name}[{axis}]",))

    def _declared(self, value: ir.Value, axis: int, dim: int | ir.SymbolicDim) -> Extent:
        name = dim.value if isinstance(dim, ir.SymbolicDim) else None
        trusted = name is not None and value in self._inputs and name not in self._distrusted and name.isidentifier()
        return self._dimension(value, axis, dim, Extent(1, (str(name),)) if trusted else None)


def _small_integers(value: ir.Value) -> np.ndarray | None:
    if value.dtype not in (ir.DataType.INT64, ir.DataType.INT32, ir.DataType.BOOL):
        return None
    array = constant(value)
    return array if array is not None and array.ndim <= 1 and array.size <= LONGEST else None


def _contradicted(graph: ir.Graph, feed: Feed) -> set[str]:
    """Names of dimensions that have two sizes in the feed; some exporters call every unknown dimension the same."""
    sizes: dict[str, set[int]] = {}
    for value in graph.inputs:
        given = getattr(feed.get(value.name or ""), "shape", ())
        for dim, size in zip(value.shape or (), given, strict=False):
            if isinstance(dim, ir.SymbolicDim) and dim.value is not None:
                sizes.setdefault(dim.value, set()).add(size)
    return {name for name, found in sizes.items() if len(found) > 1}
