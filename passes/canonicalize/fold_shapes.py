"""Shape arithmetic over dimensions that are known by name only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, bodies, constant, is_op, remove_dead, static_shape
from qcompile.passes.canonicalize.extents import Extent, equal
from qcompile.passes.canonicalize.node_pass import bypass
from qcompile.passes.canonicalize.shape_rules import ELEMENTWISE, Contents, Shape, broadcast_shapes, takes_all
from qcompile.passes.canonicalize.symbolic_shapes import SymbolicShapes
from qcompile.pipeline import Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class FoldShapes(Pass):
    """Fold shape arithmetic where named dimensions decide it, and compute each size once.

    ```
    t = Concat(n, s, eight, eight)   =>  z = Reshape(x, [0, 0, 8, 8])   # n and s the first dimensions of x
    z = Reshape(x, t)
    ```
    1. A small integer tensor whose elements are all known becomes a constant.
    2. One with the elements of an earlier one gives way to it: layers compute the same sizes anew.
    3. The target of a Reshape becomes a constant: 0 for a dimension that stays, -1 for at most one other.
    4. Expand to the shape that is there, Reshape to it, and a Slice of everything go; so does an Expand in front of
       operators that broadcast by themselves.

    Equal names are equal dimensions, as the model declares, unless the context's feed contradicts. What follows for
    shapes of intermediate values is written down. Outputs of the graph keep their nodes. Preserves: exact.
    """

    name = "fold-shapes"
    preserves = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Fold until nothing more follows."""
        changes, last = 0, 1
        while last:
            folding = _Folding(SymbolicShapes(model, context.feed), Names(model), model.graph)
            folding.fold(model.graph, {})
            remove_dead(model)
            last = folding.changes
            changes += last
        return PassResult(changes)


_Key = tuple[ir.DataType, int, tuple[Extent | None, ...]]


@dataclass
class _Folding:
    shapes: SymbolicShapes
    names: Names
    main: ir.Graph
    changes: int = field(default=0)

    def fold(self, graph: ir.Graph, outer: dict[_Key, ir.Value]) -> None:
        """Fold a graph and its bodies; `outer` are the sizes that the surrounding graphs have by then."""
        sizes = dict(outer)
        for node in graph:
            for body in bodies(node):
                self.fold(body, sizes)
            output = node.outputs[0]
            if output.is_graph_output():
                self.changes += self._set_target(node)
            elif output.uses():
                self._note_shape(node)
                self.changes += (
                    self._make_constant(node)
                    or self._share(node, sizes)
                    or self._set_target(node)
                    or self._bypass(node)
                )

    def _note_shape(self, node: ir.Node) -> None:
        """Numbers and names of the inputs' dimensions tell other passes more than the library's inference does."""
        for value in node.outputs:
            found = self.shapes.shape(value)
            if found is None or value.is_graph_output() or static_shape(value) is not None:
                continue
            value.shape = ir.Shape([_as_dim(extent) for extent in found])

    def _elements(self, node: ir.Node) -> Contents | None:
        shape = self.shapes.shape(node.outputs[0])
        return self.shapes.contents(node.outputs[0]) if shape is not None and len(shape) < 2 else None

    def _make_constant(self, node: ir.Node) -> bool:
        elements, output = self._elements(node), node.outputs[0]
        numbers = [element.number if element else None for element in elements or (None,)]
        if None in numbers or output.dtype is None:
            return False
        array = np.array(numbers, output.dtype.numpy()).reshape(-1 if self.shapes.shape(output) else ())
        bypass(node, self.names.initializer(self.main, f"{output.name}_value", array))
        return True

    def _share(self, node: ir.Node, sizes: dict[_Key, ir.Value]) -> bool:
        elements, output = self._elements(node), node.outputs[0]
        if elements is None or None in elements or output.dtype is None or not elements:
            return False
        key = (output.dtype, len(self.shapes.shape(output) or ()), tuple(elements))
        earlier = sizes.setdefault(key, output)
        if earlier is output:
            return False
        bypass(node, earlier)
        return True

    def _set_target(self, node: ir.Node) -> bool:
        if not is_op(node, "Reshape") or constant(node.inputs[1]) is not None or attribute(node, "allowzero", 0):
            return False
        before, after = self.shapes.shape(node.inputs[0]), self.shapes.contents(node.inputs[1])
        target = None if before is None or after is None else _target(before, after)
        if target is None:
            return False
        wish = f"{node.name}_target"
        node.replace_input_with(1, self.names.initializer(self.main, wish, np.array(target, np.int64)))
        return True

    def _bypass(self, node: ir.Node) -> bool:
        data = node.inputs[0] if node.inputs else None
        if data is None or not (self._keeps_all(node) or self._is_idle_expand(node)):
            return False
        bypass(node, data)
        return True

    def _keeps_all(self, node: ir.Node) -> bool:
        if is_op(node, "Slice"):  # its shape alone would not tell whether it runs backward
            return takes_all(self.shapes, node)
        shape = self._shape(node.inputs[0])
        return is_op(node, "Expand", "Reshape") and shape is not None and shape == self._shape(node.outputs[0])

    def _is_idle_expand(self, node: ir.Node) -> bool:
        output = node.outputs[0]
        return is_op(node, "Expand") and all(
            self._broadcasts(use.node, output, node.inputs[0]) for use in output.uses()
        )

    def _broadcasts(self, reader: ir.Node, expanded: ir.Value, data: ir.Value | None) -> bool:
        """Whether the reader's result has the same shape without the Expand."""
        if not is_op(reader, *ELEMENTWISE):
            return False
        shapes = [self._shape(data if value is expanded else value) for value in reader.inputs]
        joined = broadcast_shapes(shapes)
        return joined is not None and tuple(joined) == self._shape(reader.outputs[0])

    def _shape(self, value: ir.Value | None) -> tuple[Extent, ...] | None:
        shape = self.shapes.shape(value)
        return None if shape is None else tuple(shape)


def _target(before: Shape, after: Contents) -> list[int] | None:
    """The constant that reshapes alike, or None where more than one dimension is left open."""
    target = []
    for axis, size in enumerate(after):
        number = size.number if size else None
        kept = axis < len(before) and equal(before[axis], size)
        target.append(number if number is not None else 0 if kept else -1)
    return target if target.count(-1) < 2 else None


def _as_dim(extent: Extent) -> int | str | None:
    if extent.number is not None:
        return extent.number
    return str(extent) if str(extent).isidentifier() else None
