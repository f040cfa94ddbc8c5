"""The one authority for names: a new name never meets one that the model already has."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir.graphs import graphs


class Names:
    """Every name of a model's values and nodes; hands out fresh ones."""

    def __init__(self, model: ir.Model) -> None:
        self._values: set[str] = set()
        self._nodes: set[str] = set()
        for graph in graphs(model):
            self._values.update(v.name for v in graph.inputs if v.name)
            self._values.update(graph.initializers)
            for node in graph:
                self._nodes.add(node.name or "")
                self._values.update(v.name for v in node.outputs if v.name)

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
        tensor = ir.tensor(array, name=self.value(wish))
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
