"""Which codes weights are rounded to, so that the outputs of their layers come out right on calibration data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from qcompile.calibrate import LayerInput, Progress, second_moments
from qcompile.decide.saturation import unsaturated_codes
from qcompile.ir import attribute, constant, is_op, nodes
from qcompile.passes.observe import InsertObservers
from qcompile.passes.repair.migrate_scales import Migrations, factors_of, migrated_constant
from qcompile.pipeline import Context, Feed
from qcompile.plan import Plan
from qcompile.quant import Patches, QuantParams, Rounding, SecondMoment, pack_steps, round_weights
from qcompile.runtime import ONE_THREAD, Runtime
from qcompile.targets import OpEntry, find_target

Rows = npt.NDArray[np.float64]

WEIGHT = 1
"""Input of Conv, Gemm and MatMul."""

WORK = 1 << 34
"""Multiply-adds of one round over all weights, of which a method takes a few: seconds, whatever the model. The layers
left out are those with the most terms in a sum, where rounding errors average out best."""


def weight_rounder(
    model: ir.Model,
    feeds: Collection[Feed],
    runtime: Runtime = ONE_THREAD,
    progress: Progress | None = None,
) -> WeightRounder:
    """What rounds the weights of plans for a canonical float model; runs it on some of the feeds.

    Raises ModelError where the runtime refuses a feed.
    """
    layers = _affordable(model, layer_inputs(model))
    shown = model.clone()
    InsertObservers(list(dict.fromkeys(layer.value for layer in layers.values()))).run(shown, Context())
    return WeightRounder(model, second_moments(shown, layers, feeds, runtime=runtime, progress=progress))


@dataclass(frozen=True)
class WeightRounder:
    """Rounds the weights of plans. What was found for a weight and its scales serves every plan that has them."""

    model: ir.Model
    moments: Mapping[str, SecondMoment]
    """Of what the weights are multiplied by, by node name, in the float model: errors of activations stay out of it."""
    found: dict[tuple[object, ...], bytes] = field(default_factory=dict)

    def rounded(self, plan: Plan, method: Rounding) -> Plan:
        """The plan with roundings for all weights that have moments, of layers on integers and of float ones alike.

        Bias shifts of these layers are dropped: they were for other codes. Correcting the biases afterwards still pays,
        since their means are taken over all samples.
        """
        roundings, target = dict(plan.roundings), find_target(plan.target)
        for node in nodes(self.model):
            name = node.name or ""
            params, moment = plan.weights.get((name, WEIGHT)), self.moments.get(name)
            if params is None or moment is None or params.axis not in (None, _channel_axis(node)):
                continue
            bounded = target.table[node.op_type] if target.saturates and plan.is_integer(name) else None
            around = (value for value in (node.inputs[0], node.outputs[0]) if value is not None)
            scaled = tuple(plan.migrations.get(value.name or "") for value in around)
            key = (name, params, method, bounded is not None, scaled)
            if key not in self.found:
                self.found[key] = _steps(node, params, moment, method, bounded, plan.migrations)
            roundings[name, WEIGHT] = self.found[key]
        if roundings == plan.roundings:
            return plan
        shifts = {name: shift for name, shift in plan.bias_shifts.items() if (name, WEIGHT) not in roundings}
        return replace(plan, roundings=roundings, bias_shifts=shifts, notes=plan.notes | {"rounding": str(method)})


def _affordable(model: ir.Model, layers: Mapping[str, LayerInput]) -> dict[str, LayerInput]:
    """The layers that `WORK` has room for, in the order of the graph."""
    weights = {node.name or "": constant(node.inputs[WEIGHT]) for node in nodes(model) if node.name in layers}
    kept, left = set(), WORK
    for name in sorted(layers, key=lambda name: layers[name].inner):
        weight = weights[name]
        assert weight is not None
        left -= layers[name].inner * weight.size
        if left < 0:
            break
        kept.add(name)
    return {name: layer for name, layer in layers.items() if name in kept}


def layer_inputs(model: ir.Model) -> dict[str, LayerInput]:
    """How every layer whose weights can be rounded reads its input, by node name."""
    found = {}
    for node in nodes(model):
        if not is_op(node, "Conv", "Gemm", "MatMul") or node.inputs[0] is None or constant(node.inputs[0]) is not None:
            continue
        weight = constant(node.inputs[WEIGHT])
        if weight is not None and weight.dtype == np.float32 and weight.size and _is_plain(node, weight.ndim):
            patches = _patches(node, weight.shape)
            inner = weight.size // weight.shape[_channel_axis(node)]
            found[node.name or ""] = LayerInput(node.inputs[0].name or "", patches, inner)
    return found


def _is_plain(node: ir.Node, rank: int) -> bool:
    """Whether the node multiplies its input, as it is, by its weight."""
    if node.op_type == "Conv":
        return rank > 2 and attribute(node, "auto_pad", "NOTSET") in ("NOTSET", "VALID")
    factors = (attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0), attribute(node, "transA", 0))
    return rank == 2 and factors == (1.0, 1.0, 0)


def _patches(node: ir.Node, shape: tuple[int, ...]) -> Patches:
    if node.op_type != "Conv":
        return Patches()
    kernel = shape[2:]
    ones = [1] * len(kernel)
    pads = attribute(node, "pads", [0] * 2 * len(kernel))
    return Patches(
        kernel,
        tuple(attribute(node, "strides", ones)),
        tuple(attribute(node, "dilations", ones)),
        tuple(zip(pads[: len(kernel)], pads[len(kernel) :], strict=True)),
        attribute(node, "group", 1),
    )


def _channel_axis(node: ir.Node) -> int:
    return 0 if node.op_type == "Conv" or attribute(node, "transB", 0) else 1


def _moment(node: ir.Node, moment: SecondMoment, migrations: Migrations) -> npt.NDArray[np.float32]:
    """E[x x'] of the inputs as the plan scales their channels, shape (groups, K, K)."""
    factors = factors_of(node.inputs[0], migrations)
    if factors is None:
        return moment.mean
    groups, inner = moment.mean.shape[:2]
    by_term = np.repeat(factors.reshape(groups, -1), inner * groups // factors.size, axis=1)  # taps of one channel
    return np.asarray(moment.mean / (by_term[:, :, None] * by_term[:, None, :]), np.float32)


def _rows(node: ir.Node, array: npt.NDArray[np.generic]) -> Rows:
    """An array of the weight's shape as (groups, channels, K), float64."""
    by_channel = array if _channel_axis(node) == 0 else array.T
    groups = attribute(node, "group", 1)
    return by_channel.reshape(groups, by_channel.shape[0] // groups, -1).astype(np.float64)


def _steps(
    node: ir.Node,
    params: QuantParams,
    moment: SecondMoment,
    method: Rounding,
    bounded: OpEntry | None,
    migrations: Migrations,
) -> bytes:
    """The packed steps; with an entry for `bounded`, those of codes that stay below 16 bits in pairs."""
    weight = migrated_constant(node, WEIGHT, migrations)
    assert weight is not None
    nearest = params.quantize(weight)
    exact = _rows(node, weight.astype(np.float64) / params.spread(params.scale, weight.ndim))
    codes = round_weights(exact, _rows(node, nearest), _moment(node, moment, migrations), method)
    rounded = codes.reshape(weight.shape) if _channel_axis(node) == 0 else codes[0].T
    return pack_steps(unsaturated_codes(node, bounded, rounded, nearest) if bounded else rounded, nearest)
