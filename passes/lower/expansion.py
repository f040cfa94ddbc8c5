"""Weights that are written small: the runtime makes the large form when it loads the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant


@dataclass(frozen=True)
class Expansion:
    """Writes operators on constants before a node, and keeps what they give as the constant of their output.

    Constant folding computes them once, at load (onnxruntime does so from its basic level on): the file holds each
    weight once, the kernel gets an initializer. To passes a result is a constant like any other.
    """

    node: ir.Node
    names: Names

    def tiled(self, value: ir.Value, axis: int, times: int) -> ir.Value:
        """So many copies along one axis."""
        array = _known(value)
        repeats = [times if i == axis else 1 for i in range(array.ndim)]
        return self._made("Tile", [value, self._numbers("repeats", repeats)], np.tile(array, repeats))

    def padded(self, value: ir.Value, axis: int, before: int, after: int) -> ir.Value:
        """Zeros around it along one axis."""
        array = _known(value)
        widths = [(before, after) if i == axis else (0, 0) for i in range(array.ndim)]
        sides = self._numbers("sides", [before, after])
        return self._made("Pad", [value, sides, None, self._numbers("axis", [axis])], np.pad(array, widths))

    def cut(self, value: ir.Value, axis: int, length: int) -> ir.Value:
        """The first so many entries along an axis."""
        bounds = [self._numbers(what, [number]) for what, number in (("begin", 0), ("end", length), ("axis", axis))]
        return self._made("Slice", [value, *bounds], np.take(_known(value), range(length), axis))

    def viewed(self, value: ir.Value, shape: Sequence[int]) -> ir.Value:
        """The same entries in another shape."""
        return self._made("Reshape", [value, self._numbers("shape", shape)], _known(value).reshape(shape))

    def transposed(self, value: ir.Value, perm: Sequence[int]) -> ir.Value:
        """The axes in another order."""
        return self._made("Transpose", [value], np.ascontiguousarray(_known(value).transpose(perm)), {"perm": [*perm]})

    @property
    def _graph(self) -> ir.Graph:
        assert isinstance(self.node.graph, ir.Graph)
        return self.node.graph

    def _numbers(self, what: str, numbers: Sequence[int]) -> ir.Value:
        return self.names.initializer(self._graph, f"{self.node.name}_{what}", np.array(numbers, np.int64))

    def _made(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        array: np.ndarray,
        attributes: dict[str, Any] | None = None,
    ) -> ir.Value:
        wish = f"{self.node.name}_weights"
        name = self.names.value(wish)
        tensor = ir.Tensor(array, name=name)
        type_, shape = ir.TensorType(tensor.dtype), ir.Shape(array.shape)
        output = ir.Value(name=name, type=type_, shape=shape, const_value=tensor)
        made = ir.node(op_type, inputs, attributes, outputs=[output], name=self.names.node(wish))
        self._graph.insert_before(self.node, made)
        return output


def _known(value: ir.Value) -> np.ndarray:
    array = constant(value)
    assert array is not None
    return array
