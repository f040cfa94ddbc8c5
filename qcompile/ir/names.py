"""The one authority for names: a new name never meets one that the model already has."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import onnx_ir as ir

from qcompile.ir.graphs import graphs, nodes


class Names:
    """Every name of a model's values and nodes; hands out fresh ones.

    The model is read when the first name is asked for: most passes find nothing to do.
    """

    def __init__(self, model: ir.Model) -> None:
        self._model = model

    @cached_property
    def _values(self) -> set[str]:
        found: set[str] = set()
        for graph in graphs(self._model):
            found.update(v.name for v in graph.inputs if v.name)
            found.update(graph.initializers)
            found.update(v.name for node in graph for v in node.outputs if v.name)
        return found

    @cached_property
    def _nodes(self) -> set[str]:
        return {node.name or "" for node in nodes(self._model)}

    def value(self, wish: str) -> str:
        """A value name that is free, as near to the wish as can be; it is taken from now on."""
        return _take(self._values, wish)

    def node(self, wish: str) -> str:
        """A node name that is free, as near to the wish as can be; it is taken from now on."""
        return _take(self._nodes, wish)

    def release(self, name: str) -> None:
        """Make a value name free again: its value is gone."""
        self._values.discard(name)

    def initializer(self, graph: ir.Graph, wish: str, array: np.ndarray) -> ir.Value:
        """A new initializer of the graph that holds the array, under a fresh name."""
        tensor = ir.Tensor(array, name=self.value(wish))  # ir.tensor() asks a dozen questions first
        value = ir.Value(
            name=tensor.name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor
        )
        graph.register_initializer(value)
        return value


def _take(taken: set[str], wish: str) -> str:
    name, number = wish, 0
    while name in taken or not name:
        number += 1
        name = f"{wish}_{number}"
    taken.add(name)
    return name
