"""Whether a plan that was saved fits the model that it is replayed on."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.errors import PlanError
from qcompile.ir import constant, graphs, nodes
from qcompile.plan import Plan
from qcompile.quant import QuantParams


def check_fits(plan: Plan, model: ir.Model) -> None:
    """Raises PlanError, naming the first stranger, if the plan speaks of nodes or values that the model lacks."""
    names = {node.name for node in nodes(model)}
    values = {value.name for graph in graphs(model) for value in graph.inputs}
    values |= {value.name for node in nodes(model) for value in node.outputs}
    strangers = [("node", n) for n in plan.nodes if n not in names]
    strangers += [("value", v) for v in plan.values if v not in values]
    strangers += [("node", n) for n in (*(n for n, _ in plan.weights), *plan.bias_shifts) if n not in names]
    if strangers:
        kind, name = strangers[0]
        raise PlanError(f"plan does not fit the model (it has no {kind} {name!r}); save one from this model")
    by_name = {node.name: node for node in nodes(model)}
    for (name, index), params in plan.weights.items():
        why = _misfit(by_name[name], index, params)
        if why:
            raise PlanError(
                f"plan does not fit the model (input {index} of node {name!r} {why}); save one from this model"
            )


def _misfit(node: ir.Node, index: int, params: QuantParams) -> str | None:
    array = constant(node.inputs[index]) if index in range(len(node.inputs)) else None
    if array is None:
        return "is no constant"
    if params.axis is not None and array.shape[params.axis : params.axis + 1] != params.scale.shape:
        return "has another shape"
    return None
