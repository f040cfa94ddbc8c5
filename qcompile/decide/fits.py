"""Whether a plan that was saved fits the model that it is replayed on."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.errors import PlanError
from qcompile.ir import nodes
from qcompile.plan import Plan


def check_fits(plan: Plan, model: ir.Model) -> None:
    """Raises PlanError, naming the first stranger, if the plan speaks of nodes or values that the model lacks."""
    names = {node.name for node in nodes(model)}
    values = {value.name for value in model.graph.inputs}
    values |= {value.name for node in nodes(model) for value in node.outputs}
    strangers = [("node", n) for n in plan.nodes if n not in names]
    strangers += [("value", v) for v in plan.values if v not in values]
    strangers += [("node", n) for n, _ in plan.weights if n not in names]
    if strangers:
        kind, name = strangers[0]
        raise PlanError(f"plan does not fit the model (it has no {kind} {name!r}); save one from this model")
