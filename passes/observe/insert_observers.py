"""Values that will get a scale become outputs, so that a calibration run sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, graphs, owners
from qcompile.passes.observe.lift import LIFTABLE, lift
from qcompile.pipeline import OBSERVED, Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class InsertObservers(Pass):
    """Make outputs of the values whose range is needed.

    Before: `g (float[1,8] x) => (float[1,8] y) { t = Relu(x)  y = Neg(t) }`
    After:  `g (float[1,8] x) => (float[1,8] y, float[1,8] t) { ... }`

    A value in a branch of If becomes an output of the If, empty where the other branch is taken; one in the body of a
    Loop or Scan shows the smallest and largest element of each iteration.

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
            found = [v for node in graph for v in node.outputs if v.name in wanted]
            for value in found:
                name = value.name or ""
                shown = _shown(graph, value, carriers, names)
                if shown is None or shown.is_graph_output():
                    continue
                shown.metadata_props[OBSERVED] = name
                model.graph.outputs.append(shown)
                changes += 1
        return PassResult(changes)


def _shown(graph: ir.Graph, value: ir.Value, carriers: dict[ir.Graph, ir.Node], names: Names) -> ir.Value | None:
    """The value itself, or what shows it in the main graph; None where a body lets nothing out."""
    while graph in carriers:
        owner = carriers[graph]
        if owner.op_type not in LIFTABLE or not isinstance(owner.graph, ir.Graph):
            return None
        value, graph = lift(owner, graph, value, names), owner.graph
        value.metadata_props[OBSERVED] = "lifted"
    return value


def _of_interest(model: ir.Model, context: Context) -> set[str]:
    found: set[str] = set()
    for graph in graphs(model):
        for node in graph:
            if node.op_type in context.target.table:
                values = (v for v in (*node.inputs, *node.outputs) if v is not None and v.const_value is None)
                found.update(v.name or "" for v in values if v.dtype == ir.DataType.FLOAT)
    return found
