"""The shape of passes that look at one node after the other."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, nodes, remove_dead, replace_value
from qcompile.pipeline import Context, Pass, PassResult
from qcompile.plan import Code, Reason

Outcome = bool | str
"""True: rewritten. False: nothing to do here. Text: the pattern is there, but for this reason it stays."""


class NodePass(Pass):
    """A pass that visits every node of certain ops once, in order, in the main graph and in bodies.

    For rewrites that change a node in place, so that its name stays; what becomes unread is removed at the end.
    """

    ops: ClassVar[tuple[str, ...]]
    domains: ClassVar[tuple[str, ...]] = ("",)

    @abstractmethod
    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Rewrite around the node, which may be removed, or say why not."""

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Visit the nodes, then remove what nothing reads any more."""
        names = Names(model)
        changes = 0
        declined = []
        for node in nodes(model):
            if node.op_type not in self.ops or node.domain not in self.domains:
                continue
            outcome = self.visit(node, names)
            if isinstance(outcome, str):
                declined.append((node.name or "", Reason(Code.RULE_DECLINED, outcome)))
            else:
                changes += outcome
        if changes:
            remove_dead(model)
        return PassResult(changes, tuple(declined))


def bypass(node: ir.Node, value: ir.Value) -> None:
    """Let everything that reads the node's first output read `value`, and remove the node.

    A graph output keeps the shape that the model declares for it, whatever was inferred for `value`.
    """
    old, graph = node.outputs[0], node.graph
    assert graph is not None
    places = [place for place, output in enumerate(graph.outputs) if output is old]
    replace_value(old, value)
    for place in places:
        graph.outputs[place].type, graph.outputs[place].shape = old.type, old.shape
    graph.remove(node, safe=True)
