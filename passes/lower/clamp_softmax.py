"""Softmax without denormal numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, is_op
from qcompile.passes.canonicalize.replacing import insert
from qcompile.passes.lower.substitute import Substitute
from qcompile.pipeline import Context, PassResult, Preserves
from qcompile.plan import Code, Reason

DENORMAL_FROM = 87.0
"""exp(-87.4) is the smallest normal float32: where a score lies further below its row's maximum, exp is denormal."""

FLOOR = -80.0
"""Below the maximum; exp of it, 1.8e-35, is normal, and nothing beside a sum that is at least 1."""


@dataclass(frozen=True)
class ClampSoftmax(Substitute):
    """Raise scores that lie far below their row's maximum, where such scores make Softmax slow.

    Before: `y = Softmax <axis = -1> (x)`
    After:  `m = ReduceMax(x, [-1])  l = Add(m, -80)  c = Max(x, l)  y = Softmax <axis = -1> (c)`

    Some processors take 7 to 22 times longer over denormal results, which masked and very unlike scores give; others
    (AMD Zen 4: 1.0 to 1.5 times) do not, and there the three operators cost more than they save: timing decides.
    Only where a feed shows scores more than 87 below the maximum, so not without one, and not in bodies, which cannot
    be looked into. A row of -inf alone stays one. Preserves: probabilities up to 1.8e-35.
    """

    name: ClassVar[str] = "clamp-softmax"
    preserves: ClassVar[Preserves] = Preserves.ROUNDING

    def substitute(self, model: ir.Model, context: Context) -> PassResult:
        """Clamp in front of every Softmax that is worth it."""
        found = _softmaxes(model.graph)
        if not found:
            return PassResult(0)
        if context.run is None or context.feed is None:
            reason = Reason(Code.RULE_DECLINED, "there is no feed that shows how far scores lie apart")
            return PassResult(0, tuple((node.name or "", reason) for node in found))
        spreads = context.run(_with_spreads(model), context.feed)[len(model.graph.outputs) :]
        # A row of -inf alone has no spread: NaN, which is not within the bound.
        wide = [node for node, spread in zip(found, spreads, strict=True) if not spread <= DENORMAL_FROM]
        names = Names(model)
        for node in wide:
            _clamp(node, names)
        return PassResult(len(wide))


def _softmaxes(graph: ir.Graph) -> list[ir.Node]:
    return [n for n in graph if is_op(n, "Softmax") and n.inputs[0] and n.inputs[0].dtype == ir.DataType.FLOAT]


def _with_spreads(model: ir.Model) -> ir.Model:
    """A copy that also returns, for each Softmax, how far a score lies below the maximum of its row at most."""
    probed = model.clone()
    names = Names(probed)
    for node in _softmaxes(probed.graph):
        x = node.inputs[0]
        assert x is not None
        below = insert(node, "Sub", [_row_maximum(node, x, names), x], names)
        spread = insert(node, "ReduceMax", [below], names, {"keepdims": 0}, shape=())
        probed.graph.outputs.append(spread)
    return probed


def _clamp(node: ir.Node, names: Names) -> None:
    x, graph = node.inputs[0], node.graph
    assert x is not None and isinstance(graph, ir.Graph)
    floor = names.initializer(graph, f"{node.name}_floor", np.array(FLOOR, np.float32))
    lowest = insert(node, "Add", [_row_maximum(node, x, names), floor], names)
    node.replace_input_with(0, insert(node, "Max", [x, lowest], names, shape=x.shape))


def _row_maximum(node: ir.Node, x: ir.Value, names: Names) -> ir.Value:
    assert isinstance(node.graph, ir.Graph)
    axes = names.initializer(node.graph, f"{node.name}_axes", np.array([attribute(node, "axis", -1)]))
    return insert(node, "ReduceMax", [x, axes], names, {"keepdims": 1})
