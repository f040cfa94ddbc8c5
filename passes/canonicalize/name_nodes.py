"""Names for everything that has none, so that a name means one thing in the whole model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import onnx_ir as ir

from qcompile.ir import graphs
from qcompile.pipeline import Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class NameNodes(Pass):
    """Give every node and value a name of its own.

        y = Relu(x)         ->  [Relu_0] y = Relu(x)
        [a] y = Relu(x)         [a] y = Relu(x)
        [a] z = Relu(y)     ->  [a_1] z = Relu(y)

    Names are unique over the main graph and all bodies: where sibling branches share one, the later gives way. Names
    that are unique stay, whatever is in them. Inputs, outputs and weights of the main graph are never renamed, and an
    optional output that is left out stays left out. Preserves outputs exactly.
    """

    name = "name-nodes"
    preserves = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Rename what has no name or another's."""
        return PassResult(_name_values(model) + _name_nodes(model))


def _name_nodes(model: ir.Model) -> int:
    nodes = [node for graph in graphs(model) for node in graph]
    numbering = _Numbering({node.name for node in nodes if node.name})
    seen: set[str] = set()
    changes = 0
    for node in nodes:
        if not node.name:
            node.name = numbering.name(node.op_type, start=0)
        elif node.name in seen:
            node.name = numbering.name(node.name, start=1)
        else:
            seen.add(node.name)
            continue
        changes += 1
    return changes


def _name_values(model: ir.Model) -> int:
    fixed = {*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()}
    values = [value for graph in graphs(model) for value in _made_in(graph) if value not in fixed]
    seen = {value.name for value in fixed}
    numbering = _Numbering({name for value in (*fixed, *values) if (name := value.name)})
    changes = 0
    for value in values:
        if not value.name and not value.uses() and not value.is_graph_output():
            continue  # an optional output that is left out
        if value.name and value.name not in seen:
            seen.add(value.name)
            continue
        value.name = numbering.name(value.name or "value", start=1)
        changes += 1
    return changes


def _made_in(graph: ir.Graph) -> list[ir.Value]:
    """Values that the graph defines itself: its inputs, weights and node outputs, each once."""
    outputs = (value for node in graph for value in node.outputs)
    return list(dict.fromkeys((*graph.inputs, *graph.initializers.values(), *outputs)))


class _Numbering:
    """Fresh names: a stem and the lowest number, counted per stem, that gives a name nobody has."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._count: Counter[str] = Counter()

    def name(self, stem: str, start: int) -> str:
        while (name := f"{stem}_{start + self._count[stem]}") in self._taken:
            self._count[stem] += 1
        self._taken.add(name)
        return name
