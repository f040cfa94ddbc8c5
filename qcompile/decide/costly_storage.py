"""Stored weights that keep the outputs from their aim: rounded better, and the worst of them back to float32."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from qcompile.decide.accuracy import GAIN_DB
from qcompile.decide.relaxation import AIM_DB, WORTH_DB
from qcompile.ir import nodes
from qcompile.passes.repair.migrate_scales import migrated_constant
from qcompile.plan import Plan
from qcompile.quant import rounded_codes

NEAR_DB = 1.0
"""As near to what float32 for all weights gives nobody sees the difference."""


def without_costly_storage(
    model: ir.Model,
    plan: Plan,
    sqnr_db: Callable[[Plan], float],
    aim_db: float = AIM_DB,
    roundings: Sequence[Callable[[Plan], Plan]] = (),
    worst: Callable[[Plan], Sequence[str]] = lambda plan: (),
) -> Plan:
    """The plan with its stored weights as exact as the aim asks, where that can be had.

    Roundings that help are taken. Then as few weights go back to float32 as bring the outputs near to what float32 for
    all of them does; none where that would gain too little. `sqnr_db` measures a plan; `worst` names the nodes whose
    weights are known to cost most, in order, the others following by their noise.
    """
    stored = [key for key in plan.weights if not plan.is_integer(key[0])]
    if not stored or (found := sqnr_db(plan)) >= aim_db:
        return plan
    best = sqnr_db(_in_float32(plan, stored, ""))
    if best < found + WORTH_DB:
        return plan
    for rounded in roundings:
        better = rounded(plan)
        if better != plan and (db := sqnr_db(better)) >= found + GAIN_DB:
            plan, found, best = better, db, sqnr_db(_in_float32(better, stored, ""))
    if found >= min(aim_db, best - NEAR_DB) or best < found + WORTH_DB:
        return plan
    by_name, known = {node.name or "": node for node in nodes(model)}, [*worst(plan)]
    place = {name: number for number, name in enumerate(known)}
    ordered = sorted(stored, key=lambda k: (place.get(k[0], len(known)), -_noise(by_name[k[0]], k[1], plan)))
    why = f"its weights stay in float32, since with all in 8 bits the outputs have {found:.0f} dB"
    kept = 1
    while kept < len(ordered):
        candidate = _in_float32(plan, ordered[:kept], why)
        if sqnr_db(candidate) >= min(aim_db, best - NEAR_DB):
            return candidate
        kept *= 2
    return _in_float32(plan, ordered, why)


def _in_float32(plan: Plan, keys: Collection[tuple[str, int]], why: str) -> Plan:
    """The plan without storage of some weights, their nodes saying why."""
    decided = dict(plan.nodes)
    for name in dict.fromkeys(name for name, _ in keys):
        if (decision := decided.get(name)) is not None and decision.reason is not None:
            detail = "; ".join(filter(None, (decision.reason.detail, why)))
            decided[name] = replace(decision, reason=replace(decision.reason, detail=detail))
    weights = {key: params for key, params in plan.weights.items() if key not in keys}
    roundings = {key: steps for key, steps in plan.roundings.items() if key not in keys}
    return replace(plan, nodes=decided, weights=weights, roundings=roundings)


def _noise(node: ir.Node, index: int, plan: Plan) -> float:
    """Noise power over power, the mean of all inputs of a sum: each may be as loud as its weights are small."""
    key = (node.name or "", index)
    weight, params = migrated_constant(node, index, plan.migrations), plan.weights[key]
    assert weight is not None
    exact = weight.astype(np.float64)
    error = exact - params.dequantize(rounded_codes(weight, params, plan.roundings.get(key)))
    noise, power = ((np.moveaxis(array, params.axis or 0, 0) ** 2).sum(axis=0) for array in (error, exact))
    return float((noise / np.maximum(power, np.finfo(np.float64).tiny)).mean())
