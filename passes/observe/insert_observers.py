"""Values that will get a scale become outputs, so that a calibration run sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, graphs, owners
from qcompile.passes.observe.lift import LIFTABLE, lift
from qcompile.pipeline import EXTREMES, OBSERVED, Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class InsertObservers(Pass):
    """Make outputs of the values whose range is needed.

    Before: `g (float[1,8] x) => (float[1,8] y) { t = Relu(x)  y = Neg(t) }`
    After:  `g (float[1,8] x) => (float[1,8] y, float[1,8] t) { ... }`

    A value in a branch of If becomes an output of the If, empty where the other branch is taken; one in the body of a
    Loop or Scan, or given to it, shows the smallest and largest element of each iteration.

    `values` names them; without names it is every float value that a node of the target's table reads or makes.
    Graph inputs need no observer: a feed holds them. `remove-observers` is the exact inverse.
    """

    name: ClassVar[str] = "insert-observers"
    preserves: ClassVar[Preserves] = Preserves.INTERFACE
    values: Sequence[str] | None = None

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Append the outputs in graph order."""
        named = context.observed if self.values is None else self.values
        wanted = _of_interest(model, context) if named is None else set(named)
        names, carriers = Names(model), owners(model)
        changes = 0
        for graph in list(graphs(model)):
            given = graph.inputs if graph in carriers else ()
            made = (value for node in graph for value in node.outputs)
            found = [value for value in (*given, *made) if value.name in wanted]
            changes += sum(_show(model, graph, value, carriers, names) for value in found)
        return PassResult(changes)


def _show(model: ir.Model, graph: ir.Graph, value: ir.Value, carriers: dict[ir.Graph, ir.Node], names: Names) -> bool:
    """Make an output of the value, or of what shows it in the main graph; False where there is one, or cannot be."""
    name, iterated = value.name or "", False
    while graph in carriers:
        owner = carriers[graph]
        if owner.op_type not in LIFTABLE or not isinstance(owner.graph, ir.Graph):
            return False
        value, graph = lift(owner, graph, value, names), owner.graph
        iterated |= owner.op_type != "If"
    if value.is_graph_output():
        return False
    value.metadata_props[OBSERVED] = name
    if iterated:
        value.metadata_props[EXTREMES] = "1"
    model.graph.outputs.append(value)
    return True


def _of_interest(model: ir.Model, context: Context) -> set[str]:
    found: set[str] = set()
    for graph in graphs(model):
        for node in graph:
            if node.op_type in context.target.table:
                values = (v for v in (*node.inputs, *node.outputs) if v is not None and v.const_value is None)
                found.update(v.name or "" for v in values if v.dtype == ir.DataType.FLOAT)
    return found
