"""Whether a plan that was saved fits the model that it is replayed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx_ir as ir

from qcompile.decide.facts import node_facts
from qcompile.decide.scale_links import migration_misfits
from qcompile.errors import PlanError
from qcompile.ir import constant, graphs, is_op, nodes, sole_consumer
from qcompile.plan import IO_TYPES, Form, Plan
from qcompile.quant import QuantParams, rounded_codes
from qcompile.targets import OpEntry, Role, Target

MOST_SEGMENTS = 256
"""As many as there are codes: 16 bits."""


def check_fits(plan: Plan, model: ir.Model, target: Target) -> None:
    """Raises PlanError, naming the first offender, if the plan cannot be carried out on the model.

    It may speak only of nodes and values that the model has, in forms that the target has, with all the parameters
    that these forms need.
    """
    if plan.bits != 8:
        raise PlanError(f"plan is for {plan.bits} bits, not 8; save another plan")
    if plan.io_type not in IO_TYPES:
        raise PlanError(f"plan is for io type {plan.io_type!r}, not {' or '.join(IO_TYPES)}; save another plan")
    misfit = next(_misfits(plan, model, target), None)
    if misfit is not None:
        raise PlanError(f"plan does not fit the model ({misfit}); save one from this model")


def _misfits(plan: Plan, model: ir.Model, target: Target) -> Iterator[str]:
    by_name = {node.name or "": node for node in nodes(model)}
    yield from _strangers(plan, model, by_name)
    unknown = (
        name for name in plan.substitutes if name not in (*target.substitutes, *(trial.name for trial in target.trials))
    )
    yield from (f"target {target.name} has no substitute {name!r}" for name in unknown)
    yield from migration_misfits(plan.migrations, model)
    for name, params in plan.values.items():
        if params.axis is not None:
            yield f"value {name!r} has scales by channel"
    for (name, index), params in plan.weights.items():
        if why := _constant_misfit(by_name[name], index, params):
            yield f"input {index} of node {name!r} {why}"
    for (name, index), steps in plan.roundings.items():
        if why := _rounding_misfit(by_name[name], index, plan, steps):
            yield f"the rounding of input {index} of node {name!r} {why}"
    for name in filter(plan.is_integer, plan.nodes):
        yield from _lacks(by_name[name], plan, target)
    for name, count in plan.segments.items():
        if not _is_segmentable(by_name[name], count, plan, target):
            yield f"the output of node {name!r} cannot be cut into {count} segments"
    for name, shifts in plan.bias_shifts.items():
        channels = _channels(by_name[name], target)
        if channels is None:
            yield f"node {name!r} has no bias to shift"
        elif channels != len(shifts):
            yield f"node {name!r} has {len(shifts)} bias shifts for {channels} channels"


def _strangers(plan: Plan, model: ir.Model, by_name: Mapping[str, ir.Node]) -> Iterator[str]:
    values = {value.name for graph in graphs(model) for value in graph.inputs}
    values |= {value.name for node in by_name.values() for value in node.outputs}
    yield from (f"it has no node {name!r}" for name in plan.nodes if name not in by_name)
    yield from (f"it has no value {name!r}" for name in plan.values if name not in values)
    adjusted = (*(name for name, _ in (*plan.weights, *plan.roundings)), *plan.bias_shifts, *plan.segments)
    yield from (f"it has no node {name!r}" for name in adjusted if name not in by_name)


def _constant_misfit(node: ir.Node, index: int, params: QuantParams) -> str | None:
    array = constant(node.inputs[index]) if index in range(len(node.inputs)) else None
    if array is None:
        return "is no constant"
    if params.axis is not None and array.shape[params.axis : params.axis + 1] != params.scale.shape:
        return "has another shape"
    return None


def _rounding_misfit(node: ir.Node, index: int, plan: Plan, steps: bytes) -> str | None:
    params = plan.weights.get((node.name or "", index))
    weight = constant(node.inputs[index]) if params is not None else None
    if params is None or weight is None or params.zero_point.dtype != np.int8:
        return "is of no int8 weight"
    try:
        rounded_codes(weight, params, steps)
    except ValueError as error:
        return f"has another size ({error})"
    return None


def _lacks(node: ir.Node, plan: Plan, target: Target) -> Iterator[str]:
    """What an integer node lacks: its form in the table, or parameters of what it reads and makes."""
    clamps = {op for entry in target.table.values() for op in entry.absorbs}
    is_clamp = is_op(node, *clamps)
    entry = OpEntry(Role.MOVE, activations=()) if is_clamp else target.table.get(node_facts(node).op_type)
    form = plan.nodes[node.name or ""].form
    if entry is None or not (form in entry.forms or _gives_floats(node, entry, form, plan)):
        yield f"node {node.name!r} has no {form} form on target {target.name}"
        return
    for index in _quantized_inputs(node, entry, form):
        value = node.inputs[index]
        if value is not None and value.name not in plan.values and (node.name, index) not in plan.weights:
            yield f"node {node.name!r} has no parameters for input {value.name!r}"
    for value in node.outputs if form is Form.INTEGER else ():
        after = sole_consumer(value)
        is_clamped = after is not None and is_op(after, *clamps) and plan.is_integer(after.name)
        if value.name not in plan.values and not is_clamped and (value.uses() or value.is_graph_output()):
            yield f"node {node.name!r} has no parameters for output {value.name!r}"


def _gives_floats(node: ir.Node, entry: OpEntry, form: Form, plan: Plan) -> bool:
    return form is Form.INTEGER_TO_FLOAT and plan.format == "qoperator" and entry.gives_floats(node_facts(node))


def _is_segmentable(node: ir.Node, count: int, plan: Plan, target: Target) -> bool:
    entry = target.table.get(node_facts(node).op_type)
    possible = entry is not None and entry.segments(node_facts(node)) > 1 and plan.makes_codes(node.name)
    return possible and 1 < count <= MOST_SEGMENTS and plan.format == "qoperator"


def _quantized_inputs(node: ir.Node, entry: OpEntry, form: Form) -> Iterator[int]:
    every = range(len(node.inputs))
    activations = every if entry.activations is None else entry.activations
    wanted = (*(activations if form is not Form.DYNAMIC else ()), *entry.weights)
    return (index for index in wanted if index in every)


def _channels(node: ir.Node, target: Target) -> int | None:
    """How many numbers shift the bias of a node; None if it takes no bias."""
    facts = node_facts(node)
    entry = target.table.get(facts.op_type)
    if entry is None or entry.bias is None or entry.weight_axis is None:
        return None
    weight = constant(node.inputs[entry.weights[0]])
    return None if weight is None else weight.shape[entry.weight_axis(facts)]
