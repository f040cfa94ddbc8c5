"""From ranges to a plan: scales and zero points of activations, weights and biases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from qcompile.decide.facts import node_facts, sum_bound
from qcompile.decide.placement import Placement, Unit
from qcompile.decide.recipe_ranges import check_symmetric, mirrored
from qcompile.decide.saturation import unsaturated_params
from qcompile.ir import constant
from qcompile.passes.lower.integers import clamp_bounds
from qcompile.passes.repair.migrate_scales import migrated_constant
from qcompile.plan import Form, Plan
from qcompile.quant import (
    QuantParams,
    Scheme,
    fit_weight_scale,
    hard_sigmoid_params,
    knee_steps,
    params_from_range,
    params_with_knee,
    weight_params,
)
from qcompile.targets import Role, Target

Range = tuple[float, float]
Migrations = Mapping[str, tuple[float, ...]]

LIKE_RANGES = 0.5
"""Inputs of a Concat that span at least this share of the joined range take its parameters: at most one bit of an input
is given for a Concat that only copies, and none if nothing else reads it, since the output has these steps anyway."""


def activation_scheme(target: Target) -> Scheme:
    """How the target wants its activations."""
    return Scheme(target.activation_dtype, symmetric=target.activation_symmetric)


def make_plan(
    placement: Placement,
    ranges: Mapping[str, Range],
    target: Target,
    format_: str,
    migrations: Migrations | None = None,
) -> Plan:
    """The plan that follows from where integers go and which ranges they have.

    `ranges` holds (low, high) for every name in `placement.observed`, as they are once `migrations` are carried out.
    """
    scheme = activation_scheme(target)
    joined = mirrored(placement, _join_like_ranges(placement, dict(ranges)))
    by_group = {name: params_from_range(*joined[name], scheme) for name in placement.observed}
    by_group |= _on_knees(placement, joined, scheme)
    check_symmetric(placement, by_group)
    substitutes = target.substitutes if format_ == "qoperator" else ()
    plan = Plan(target=target.name, format=format_, nodes=dict(placement.nodes), substitutes=substitutes)
    plan.migrations = dict(migrations or {})
    plan.values = {value: by_group[group] for value, group in placement.groups.items()}
    for unit in placement.units:
        plan.weights |= _constant_params(unit, plan, target, placement.overrides.per_tensor)
    return plan


def _join_like_ranges(placement: Placement, ranges: dict[str, Range]) -> dict[str, Range]:
    """Let the output of each Concat span its inputs, and inputs that span almost as much span the same.

    Along chains of them, so that a Concat that another one widens widens its own inputs.
    """
    makers = {unit.outputs[0].name: unit for unit in placement.units if unit.form is Form.INTEGER}
    joins = [unit for unit in placement.units if unit.entry.role is Role.JOIN]
    for unit in joins:
        output, inputs = _joined_groups(placement, unit)
        ranges[output] = _hull(ranges[name] for name in inputs)
    spans = {name: high - low for name, (low, high) in ranges.items()}
    before: dict[str, Range] = {}
    while ranges != before:
        before = dict(ranges)
        for unit in joins:
            output, inputs = _joined_groups(placement, unit)
            hull = ranges[output] = _hull([*(ranges[name] for name in (output, *inputs)), *_constant_ranges(unit)])
            for name in inputs:
                is_like = spans[name] >= LIKE_RANGES * (hull[1] - hull[0])
                if is_like and name in makers and _stays_clamped(makers[name], hull):
                    ranges[name] = hull
    return ranges


def _joined_groups(placement: Placement, unit: Unit) -> tuple[str, list[str]]:
    inputs = [placement.groups[v.name or ""] for v in unit.activations if v.name in placement.groups]
    return placement.groups[unit.outputs[0].name or ""], inputs


def _constant_ranges(unit: Unit) -> list[Range]:
    constants = (array for v in unit.activations if (array := constant(v)) is not None)
    return [(float(array.min()), float(array.max())) for array in constants]


def _hull(ranges: Iterable[Range]) -> Range:
    lows, highs = zip(*ranges, strict=True)
    return min(lows), max(highs)


def _stays_clamped(unit: Unit, span: Range) -> bool:
    """Whether codes that span this much end where the unit's clamps do, so that saturation can stand for them."""
    return all(low <= span[0] and span[1] <= high for low, high in map(clamp_bounds, unit.clamps))


def _on_knees(placement: Placement, ranges: Mapping[str, Range], scheme: Scheme) -> dict[str, QuantParams]:
    """Parameters of the inputs of piecewise functions, their knees on codes; and of a hard-sigmoid's output."""
    found: dict[str, QuantParams] = {}
    for unit in placement.units:
        if unit.entry.knee is None:
            continue
        knee = unit.entry.knee(node_facts(unit.node))
        group = placement.groups[unit.activations[0].name or ""]
        params = found.setdefault(group, params_with_knee(*ranges[group], knee, scheme))
        steps = knee_steps(params, knee)
        if unit.node.op_type == "HardSigmoid" and steps is not None:
            found[placement.groups[unit.outputs[0].name or ""]] = hard_sigmoid_params(params, knee, steps)
    return found


def _constant_params(
    unit: Unit, plan: Plan, target: Target, per_tensor: Collection[str]
) -> dict[tuple[str, int], QuantParams]:
    """Parameters of the constant inputs of a unit: its weights, or an operand that is a constant."""
    name = unit.node.name or ""
    if unit.entry.weights:
        return {(name, index): _weight(unit, index, plan, target, name in per_tensor) for index in unit.entry.weights}
    found = {}
    for index, value in enumerate(unit.node.inputs):
        array = migrated_constant(unit.node, index, plan.migrations)
        if value in unit.activations and array is not None:
            found[name, index] = params_from_range(float(array.min()), float(array.max()), activation_scheme(target))
    return found


def _weight(unit: Unit, index: int, plan: Plan, target: Target, per_tensor: bool) -> QuantParams:
    """Parameters of a weight, per channel unless told otherwise, such that bias and products fit int32 together."""
    entry, node = unit.entry, unit.node
    weight = migrated_constant(node, index, plan.migrations)
    assert weight is not None
    is_whole = per_tensor and not entry.joins_floats  # kernels that quantize inside take a scale for each row
    axis = entry.weight_axis(node_facts(node)) if entry.weight_axis and not is_whole else None
    params = weight_params(weight, axis)
    if target.saturates:
        params = unsaturated_params(node, entry, weight, params)
    if unit.form is Form.DYNAMIC:
        return params
    has_bias = entry.bias is not None and len(node.inputs) > entry.bias
    bias = migrated_constant(node, entry.bias, plan.migrations) if has_bias and entry.bias is not None else None
    if bias is None:
        bias = np.zeros(weight.shape[axis] if axis is not None else 1, np.float32)
    x_scale = float(plan.values[unit.activations[0].name or ""].scale)
    scale = fit_weight_scale(params.scale, bias.reshape(-1), x_scale, sum_bound(node, entry))
    return QuantParams(scale, params.zero_point, params.axis)
