"""An If whose branch is known becomes that branch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import onnx_ir as ir

from qcompile.ir import Names, detach, graphs, is_op, nodes, remove_dead, replace_value
from qcompile.passes.canonicalize.infer_shapes import InferShapes
from qcompile.passes.canonicalize.shape_rules import operand
from qcompile.passes.canonicalize.symbolic_shapes import SymbolicShapes
from qcompile.pipeline import Context, Pass, PassResult, Preserves

_RANK_3 = {"LSTM": (0, 5, 6), "GRU": (0, 5), "RNN": (0, 5)}
"""Inputs that have three dimensions."""


@dataclass(frozen=True)
class InlineIf(Pass):
    """Inline the branch that an If always takes.

    ```
    r = Size(Shape(x)); c = Equal(r, 2)          =>  y = Unsqueeze(x, axes)    # x has two dimensions
    y = If(c) <then_branch = { Unsqueeze(x, axes) }, else_branch = { Identity(x) }>
    ```
    1. Its condition follows from constants, ranks and dimensions that are known, by number or by name.
    2. The other branch would give an operator an input of a rank that it never takes: LSTM, GRU and RNN want three
       dimensions, Conv as many as its weight has. The runtime would refuse to run that.

    Traced models keep what was `if x.dim() == 2` as an If, and the runtime can neither fuse nor share across it.
    An If stays where its condition is computed from values. Preserves: exact, wherever the original runs at all.
    """

    name = "inline-if"
    preserves = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Inline until none is known: each makes the shapes behind it better known."""
        changes = 0
        while found := _find(model, context):
            for node, branch in found:
                _inline(node, branch, model)
            remove_dead(model)
            InferShapes().run(model, context)
            changes += len(found)
        return PassResult(changes)


def _find(model: ir.Model, context: Context) -> list[tuple[ir.Node, ir.Graph]]:
    """Ifs whose branch is known, and the branch: all whose condition is known, else the first by what would fail."""
    conditional = [node for node in nodes(model) if is_op(node, "If")]
    if not conditional:
        return []
    known = SymbolicShapes(model, context.feed)
    if decided := [(node, branch) for node in conditional if (branch := known.branch(node))]:
        return decided
    for node in conditional:
        branches = [node.attributes[name].as_graph() for name in ("then_branch", "else_branch")]
        ranks = [[len(known.shape(value) or ()) for value in branch.outputs] for branch in branches]
        if ranks[0] == ranks[1]:
            continue  # what follows cannot tell them apart
        possible = [b for b in branches if not _fails(node, SymbolicShapes(model, context.feed, {node: b}))]
        if len(possible) == 1:
            return [(node, possible[0])]
    return []


def _fails(taken: ir.Node, known: SymbolicShapes) -> bool:
    """Whether a node beside the If, which runs whenever the If does, is given what it never takes."""
    assert taken.graph is not None
    return any(_is_refused(node, known) for node in taken.graph)


def _is_refused(node: ir.Node, known: SymbolicShapes) -> bool:
    if is_op(node, *_RANK_3):
        shapes = [known.shape(operand(node, index)) for index in _RANK_3[node.op_type]]
        return any(shape is not None and len(shape) != 3 for shape in shapes)
    if is_op(node, "Conv"):
        data, weight = known.shape(node.inputs[0]), known.shape(node.inputs[1])
        return data is not None and weight is not None and len(data) != len(weight)
    return False


def _inline(node: ir.Node, branch: ir.Graph, model: ir.Model) -> None:
    graph, names = node.graph, Names(model)
    assert isinstance(graph, ir.Graph)
    made = Counter(name for body in graphs(model) for name in _value_names(body))
    results = list(branch.outputs)
    branch.outputs.clear()
    for value in list(branch.initializers.values()):
        del branch.initializers[str(value.name)]
        _rename(value, made, names)
        graph.register_initializer(value)
    inner = list(branch)
    branch.remove(inner)
    for value in (value for moved in inner for value in moved.outputs):
        _rename(value, made, names)
    graph.insert_before(node, inner)
    for output, result in zip(list(node.outputs), results, strict=True):
        replace_value(output, result)
    detach(node)  # the other branch would keep what it captured
    graph.remove(node, safe=True)


def _value_names(graph: ir.Graph) -> list[str]:
    made = [value.name for node in graph for value in node.outputs if value.name]
    return [*made, *graph.initializers]


def _rename(value: ir.Value, made: Counter[str], names: Names) -> None:
    """Branches may use the same names; what moves into the graph around them must be the only one."""
    if made[value.name or ""] > 1:
        value.name = names.value(value.name or "")
