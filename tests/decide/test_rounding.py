"""Rounded plans against brute force: outputs of layers come nearer to the float model's, run in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import WeightRounder, bias_shifts, check_fits, make_plan, place, weight_rounder
from qcompile.decide.storage import stored_weights
from qcompile.pipeline import Context, Pipeline
from qcompile.plan import Plan, dumps, loads
from qcompile.quant import ChannelMean, QuantParams, Rounding
from qcompile.runtime import run_as_written
from qcompile.targets import find_target

Array = np.ndarray
Feed = dict[str, Array]
Model = Callable[..., ir.Model]

CPU = find_target("cpu")

CONV = "g (float[2,8,9,9] x) => (float[2,8,H,W] y) {{ [node] y = Conv <{}> (x, w, b) }}"
LAYERS = {
    "1x1": (CONV.format("group = 1"), (8, 8, 1, 1)),
    "3x3": (CONV.format("pads = [1, 1, 1, 1], strides = [2, 1]"), (8, 8, 3, 3)),
    "groups": (CONV.format("group = 2, dilations = [1, 2]"), (8, 4, 3, 3)),
    "depthwise": (CONV.format("group = 8, pads = [1, 1, 1, 1]"), (8, 1, 3, 3)),
    "Gemm": ("g (float[20,8] x) => (float[20,8] y) { [node] y = Gemm (x, w, b) }", (8, 8)),
    "Gemm transposed": ("g (float[20,6] x) => (float[20,8] y) { [node] y = Gemm <transB = 1> (x, w, b) }", (8, 6)),
    "MatMul": ("g (float[2,9,8] x) => (float[2,9,6] y) { [node] y = MatMul (x, w) }", (8, 6)),
}


def built(name: str, model: Model) -> tuple[ir.Model, list[Feed]]:
    """A layer, and inputs whose channels and neighbours are much alike, and far from zero."""
    text, shape = LAYERS[name]
    rng = np.random.default_rng(4)
    arrays = {"w": rng.normal(size=shape).astype(np.float32), "b": rng.normal(size=8).astype(np.float32)}
    made = model(text, **{key: array for key, array in arrays.items() if key == "w" or "b)" in text})
    dims = [dim for dim in made.graph.inputs[0].shape or () if isinstance(dim, int)]
    common = rng.normal(1, 1, (16, *[1] * len(dims)))
    noise = 0.3 * rng.normal(size=(16, *dims)) + rng.normal(0, 0.3, (1, *dims))
    return made, [{"x": x} for x in (common + noise).astype(np.float32)]


def coarse(plan: Plan) -> Plan:
    """Weights of 4 bits or so, that their error is far above everything else."""
    coarser = {key: QuantParams(p.scale * np.float32(16), p.zero_point, p.axis) for key, p in plan.weights.items()}
    return replace(plan, weights=coarser)


def stored(made: ir.Model) -> Plan:
    """A plan by which everything is float, the weights coarse."""
    plan = make_plan(place(made, CPU, ["node"]), {}, CPU, "qoperator")
    sizes = {key: QuantParams(np.full(8, 0.2, np.float32), np.zeros(8, np.int8), 0) for key in [("node", 1)]}
    return replace(plan, weights=stored_weights(made, plan) | sizes)


def planned(made: ir.Model) -> Plan:
    placement = place(made, CPU)
    return coarse(make_plan(placement, dict.fromkeys(placement.observed, (-6.0, 8.0)), CPU, "qoperator"))


def errors(made: ir.Model, plan: Plan, feeds: list[Feed]) -> list[Array]:
    """What the plan's weights and shifts change in the outputs, the activations left float."""
    weights_only = replace(plan, nodes={}, values={})
    quantized, _ = Pipeline.default().stage("repair", "quantize").run(made.clone(), Context(plan=weights_only))
    return [run_as_written(quantized, feed)[0] - run_as_written(made, feed)[0] for feed in feeds]


def output_error(made: ir.Model, plan: Plan, feeds: list[Feed]) -> float:
    return float(np.mean(np.square(errors(made, plan, feeds))))


@pytest.mark.parametrize("method", Rounding)
@pytest.mark.parametrize("name", LAYERS)
def test_the_output_comes_nearer(name: str, method: Rounding, model: Model) -> None:
    made, feeds = built(name, model)
    plan = planned(made)
    rounded = weight_rounder(made, feeds).rounded(plan, method)
    assert output_error(made, rounded, feeds) < 0.5 * output_error(made, plan, feeds)


@pytest.mark.parametrize("name", ["3x3", "depthwise"])
def test_weights_that_are_only_stored_too(name: str, model: Model) -> None:
    made, feeds = built(name, model)
    plan = stored(made)
    assert not plan.is_integer("node")
    rounded = weight_rounder(made, feeds).rounded(plan, Rounding.DESCENT)
    assert output_error(made, rounded, feeds) < 0.7 * output_error(made, plan, feeds)


@pytest.mark.parametrize("name", LAYERS)
def test_it_fits_and_can_be_saved(name: str, model: Model) -> None:
    made, feeds = built(name, model)
    rounded = weight_rounder(made, feeds).rounded(planned(made), Rounding.GPTQ)
    check_fits(loads(dumps(rounded)), made, CPU)
    assert loads(dumps(rounded)).roundings == rounded.roundings != {}
    again = weight_rounder(made, feeds).rounded(planned(made), Rounding.GPTQ)
    assert dumps(again) == dumps(rounded)


def test_bias_shifts_for_other_codes_are_dropped(model: Model) -> None:
    made, feeds = built("1x1", model)
    plan = replace(planned(made), bias_shifts={"node": (1.0,) * 8})
    rounder = weight_rounder(made, feeds)
    assert rounder.rounded(plan, Rounding.DESCENT).bias_shifts == {}
    assert WeightRounder(made, {}).rounded(plan, Rounding.DESCENT).bias_shifts == plan.bias_shifts


def test_the_bias_makes_up_for_what_the_rounding_leaves(model: Model) -> None:
    """The shift is that of the codes, not of the nearest ones."""
    made, feeds = built("1x1", model)
    rounded = weight_rounder(made, feeds).rounded(planned(made), Rounding.DESCENT)
    mean = ChannelMean(1)
    for feed in feeds:
        mean = mean.observe(feed["x"])
    corrected = replace(rounded, bias_shifts=bias_shifts(place(made, CPU), rounded, {"x": mean}))
    lost = [np.mean(errors(made, plan, feeds), axis=(0, 1, 3, 4)) for plan in (rounded, corrected)]
    assert np.abs(lost[1]).max() < 1e-2 * np.abs(lost[0]).max()


@pytest.mark.parametrize(
    "node",
    [
        "y = Gemm <alpha = 2.0> (x, w)",
        "y = Gemm <transA = 1> (x, w)",
        "y = MatMul (w, x)",
        "y = MatMul (x, x)",
        "y = MatMul (w, w)",
        "y = Add (x, w)",
    ],
)
def test_other_products_stay(node: str, model: Model) -> None:
    made = model(f"g (float[8,8] x) => (float[8,8] y) {{ [node] {node} }}", w=np.ones((8, 8), np.float32))
    assert weight_rounder(made, [{"x": np.ones((8, 8), np.float32)}]).moments == {}


def test_what_was_found_serves_other_plans(model: Model) -> None:
    made, feeds = built("1x1", model)
    rounder = weight_rounder(made, feeds)
    plan = planned(made)
    first = rounder.rounded(plan, Rounding.DESCENT)
    other = WeightRounder(made, {}, rounder.found).rounded(plan, Rounding.DESCENT)
    assert rounder.rounded(replace(plan, values={}), Rounding.DESCENT).roundings == first.roundings
    assert other.roundings == {}
