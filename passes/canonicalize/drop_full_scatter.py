"""A ScatterND that overwrites everything is what it writes."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qcompile.ir import attribute, is_op, nodes, remove_dead
from qcompile.passes.canonicalize.neighbours import made_by
from qcompile.passes.canonicalize.node_pass import bypass
from qcompile.passes.canonicalize.shape_rules import integers, takes_all
from qcompile.passes.canonicalize.symbolic_shapes import SymbolicShapes
from qcompile.pipeline import Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class DropFullScatter(Pass):
    """Drop a ScatterND whose indices are the whole grid of its data, in order.

    ```
    i = Unsqueeze(Expand(Reshape(Range(0, n, 1), [-1, 1]), s), -1)    =>  y = u
    j = Unsqueeze(Expand(Range(0, m, 1), s), -1)
    y = ScatterND(x, Concat(i, j), u)        # x of shape [n, m], s = [n, m]
    ```
    So do exporters write `x[:, :] = u`. The Reshapes may be Unsqueezes, and absent on the last axis; casts may lie in
    between. It stays with a reduction, and where the sizes are not known to be equal by number or by name.
    Preserves: exact.
    """

    name = "drop-full-scatter"
    preserves = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Drop them; the changes are the nodes dropped."""
        scatters = [node for node in nodes(model) if is_op(node, "ScatterND")]
        known = SymbolicShapes(model, context.feed) if scatters else None
        full = [node for node in scatters if known is not None and _overwrites_all(node, known)]
        for node in full:
            updates = node.inputs[2]
            assert updates is not None
            bypass(node, updates)
        if full:
            remove_dead(model)
        return PassResult(len(full))


def _overwrites_all(node: ir.Node, known: SymbolicShapes) -> bool:
    data, indices, updates = (known.shape(value) for value in node.inputs)
    grid = made_by(node.inputs[1], "Concat")
    if data is None or indices is None or updates is None or grid is None:
        return False
    if attribute(node, "reduction", "none") != "none":
        return False
    axes = len(data)
    last = attribute(grid, "axis") in (-1, axes)
    whole = tuple(indices[:-1]) == tuple(data) == tuple(updates) and len(grid.inputs) == axes
    return last and whole and all(_counts_along(value, axis, node, known) for axis, value in enumerate(grid.inputs))


def _counts_along(value: ir.Value | None, axis: int, scatter: ir.Node, known: SymbolicShapes) -> bool:
    """Whether a part of the indices, of shape [*data, 1], holds each element's place along one axis of the data."""
    data = known.shape(scatter.inputs[0])
    column = made_by(value, "Unsqueeze")
    if data is None or column is None or integers(column, 1) not in ([-1], [len(data)]):
        return False
    line = column.inputs[0]
    expand = made_by(line, "Expand")
    if expand is not None:
        line = expand.inputs[0]
    shape = known.shape(line)
    counter = _origin(line, known)
    if shape is None or counter is None:
        return False
    from_zero = (integers(counter, 0), integers(counter, 2)) == ([0], [1])
    # One axis long at most, it lies where counting from the end puts it.
    place = len(shape) - (len(data) - axis)
    aligned = place >= 0 and all(size.number == 1 for other, size in enumerate(shape) if other != place)
    return from_zero and aligned and known.contents(counter.inputs[1]) == (data[axis],)


def _origin(line: ir.Value | None, known: SymbolicShapes) -> ir.Node | None:
    """The Range whose elements the value has, in their order."""
    while step := made_by(line, "Reshape", "Unsqueeze", "Cast", "Identity", "Slice"):
        if is_op(step, "Slice") and not takes_all(known, step):
            return None
        line = step.inputs[0]
    return made_by(line, "Range")
