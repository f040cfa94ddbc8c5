"""How far rounding the weights shifts the mean of each output channel, and by how much a bias makes up for it.

Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction" (arXiv 1906.04721),
section 4.2, in its empirical form: E[W x] - E[Wq x] = (W - Wq) E[x], with the mean of the float model's inputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from qcompile.decide.facts import node_facts
from qcompile.decide.placement import Placement, Unit
from qcompile.ir import attribute
from qcompile.passes.repair.migrate_scales import factors_of, migrated_constant
from qcompile.plan import Plan
from qcompile.quant import ChannelMean, rounded_codes

Array = npt.NDArray[np.float64]


def mean_axes(placement: Placement) -> dict[str, int]:
    """Channel axis of every activation whose mean is needed, by value name."""
    return {
        unit.activations[0].name or "": 1 if unit.node.op_type in ("Conv", "ConvTranspose") else -1
        for unit in placement.units
        if _can_correct(unit)
    }


def bias_shifts(placement: Placement, plan: Plan, means: Mapping[str, ChannelMean]) -> dict[str, tuple[float, ...]]:
    """What to add to the bias of each weighted node, a float32 number for each channel, by node name."""
    shifts = {}
    for unit in placement.units:
        mean = means.get(unit.activations[0].name or "")
        if _can_correct(unit) and mean is not None and mean.count:
            shift = _shift(unit, plan, mean.mean)
            if shift is not None:
                shifts[unit.node.name or ""] = tuple(shift.astype(np.float32).tolist())
    return shifts


def _can_correct(unit: Unit) -> bool:
    return unit.entry.bias is not None


def _shift(unit: Unit, plan: Plan, mean: Array) -> Array | None:
    node, entry = unit.node, unit.entry
    index = entry.weights[0]
    weight = migrated_constant(node, index, plan.migrations)
    params = plan.weights.get((node.name or "", index))
    if weight is None or params is None:
        return None
    factors = factors_of(unit.activations[0], plan.migrations)
    mean = mean if factors is None else mean / factors
    codes = rounded_codes(weight, params, plan.roundings.get((node.name or "", index)))
    error = weight.astype(np.float64) - params.dequantize(codes)
    if node.op_type == "Conv":
        return _conv_shift(error, mean, attribute(node, "group", 1))
    if node.op_type == "ConvTranspose":  # each output pixel meets one tap in stride x stride
        error = error.sum(axis=tuple(range(2, error.ndim))) / math.prod(attribute(node, "strides", (1,)))
    axis = entry.weight_axis(node_facts(node)) if entry.weight_axis else 1
    rows = error if axis == 1 else error.T
    return mean @ rows if rows.shape[0] == mean.size else None


def _conv_shift(error: Array, mean: Array, groups: int) -> Array | None:
    taps = error.reshape(error.shape[0], error.shape[1], -1).sum(-1)
    if taps.shape[1] * groups != mean.size or taps.shape[0] % groups:
        return None
    by_group = taps.reshape(groups, -1, taps.shape[1])
    shift: Array = np.einsum("goi,gi->go", by_group, mean.reshape(groups, -1)).reshape(-1)
    return shift
