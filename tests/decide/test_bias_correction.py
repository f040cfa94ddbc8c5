"""Bias shifts against brute force: what rounded weights take from the mean of the outputs, run in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from qcompile.decide import bias_shifts, make_plan, mean_axes, place
from qcompile.plan import Plan
from qcompile.quant import ChannelMean, QuantParams
from qcompile.targets import find_target

Array = np.ndarray
Model = Callable[..., ir.Model]

CPU = find_target("cpu")
RNG = np.random.default_rng(3)

CONV = "g (float[N,{0},6,6] x) => (float[N,{1},H,W] y) {{ [node] y = Conv <{2}> (x, w) }}"
GEMM = "g (float[N,6] x) => (float[N,5] y) {{ [node] y = Gemm <{0}> (x, w) }}"


def weight(*shape: int) -> Array:
    """Skewed, so that rounding shifts means."""
    return RNG.gamma(1.0, 1.0, shape).astype(np.float32)


def coarse_plan(model: ir.Model) -> Plan:
    """A plan whose weights have 4 bits or so: shifts are far above what float32 rounds."""
    placement = place(model, CPU)
    plan = make_plan(placement, dict.fromkeys(placement.observed, (-1.0, 1.0)), CPU, "qoperator")
    coarser = {key: QuantParams(p.scale * np.float32(16), p.zero_point, p.axis) for key, p in plan.weights.items()}
    return replace(plan, weights=coarser)


def shifts(model: ir.Model, plan: Plan, x: Array) -> dict[str, tuple[float, ...]]:
    placement = place(model, CPU)
    (name, axis), *_ = mean_axes(placement).items()
    assert name == "x"
    return bias_shifts(placement, plan, {name: ChannelMean(axis).observe(x)})


def mean_output(model: ir.Model, x: Array, w: Array) -> Array:
    """Mean per output channel with other weights."""
    changed = ir.to_proto(model)
    changed.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(w, "w"))
    (y,) = ort.InferenceSession(changed.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})
    mean: Array = np.asarray(y, np.float64).mean(axis=tuple(i for i in range(y.ndim) if i != 1))
    return mean


def check(model: ir.Model, w: Array, x: Array, tolerance: float) -> None:
    plan = coarse_plan(model)
    (params,) = plan.weights.values()
    lost = mean_output(model, x, w) - mean_output(model, x, params.fake_quantize(w))
    found = np.array(shifts(model, plan, x)["node"])
    assert found.shape == lost.shape
    assert np.abs(lost).max() > 10 * tolerance
    np.testing.assert_allclose(found, lost, atol=tolerance)


@pytest.mark.parametrize(
    ("channels", "shape", "attributes"),
    [
        ((4, 8), (8, 4, 1, 1), "group = 1"),
        ((4, 8), (8, 4, 3, 3), "strides = [2, 1], dilations = [1, 2]"),
        ((6, 4), (4, 3, 3, 3), "group = 2"),
        ((6, 12), (12, 2, 1, 1), "group = 3"),
        ((6, 6), (6, 1, 3, 3), "group = 6"),
        ((6, 12), (12, 1, 3, 3), "group = 6"),
    ],
    ids=["1x1", "3x3", "2 groups", "3 groups", "depthwise", "depthwise with multiplier"],
)
def test_convolution(channels: tuple[int, int], shape: tuple[int, ...], attributes: str, model: Model) -> None:
    """Images of one colour, so that every tap sees the mean of its channel."""
    w = weight(*shape)
    colours = RNG.normal(0.5, 1, (64, channels[0], 1, 1)).astype(np.float32)
    check(model(CONV.format(*channels, attributes), w=w), w, np.tile(colours, (1, 1, 6, 6)), 2e-4)


def test_transposed_convolution(model: Model) -> None:
    """Every output pixel meets one tap of four, so that the mean is a quarter of their sum."""
    w = weight(4, 8, 2, 2)
    colours = RNG.normal(0.5, 1, (64, 4, 1, 1)).astype(np.float32)
    built = model(CONV.replace("Conv", "ConvTranspose").format(4, 8, "strides = [2, 2]"), w=w)
    check(built, w, np.tile(colours, (1, 1, 6, 6)), 2e-4)


def test_convolution_on_noise(model: Model) -> None:
    """Padding and edges aside, the mean of any image does as well, the better the more images there are."""
    w = weight(8, 4, 3, 3)
    x = RNG.normal(0.5, 1, (2000, 4, 6, 6)).astype(np.float32)
    check(model(CONV.format(4, 8, "group = 1"), w=w), w, x, 0.02)


@pytest.mark.parametrize(("attributes", "shape"), [("transB = 0", (6, 5)), ("transB = 1", (5, 6))])
def test_gemm(attributes: str, shape: tuple[int, int], model: Model) -> None:
    w = weight(*shape)
    check(model(GEMM.format(attributes), w=w), w, RNG.normal(0.5, 1, (100, 6)).astype(np.float32), 1e-4)


def test_square_gemm_knows_its_axes(model: Model) -> None:
    """Where the shapes would fit either way."""
    w = weight(6, 6)
    for transposed in (0, 1):
        built = model(GEMM.replace("5", "6").format(f"transB = {transposed}"), w=w)
        check(built, w, RNG.normal(0.5, 1, (100, 6)).astype(np.float32), 1e-4)


def test_weights_without_error_shift_nothing(model: Model) -> None:
    w = np.tile(np.array([-1.0, 1.0], np.float32), (8, 2))[:, :, None, None]
    built = model(CONV.format(4, 8, "group = 1"), w=w)
    placement = place(built, CPU)
    plan = make_plan(placement, dict.fromkeys(placement.observed, (-1.0, 1.0)), CPU, "qoperator")
    found = shifts(built, plan, np.ones((1, 4, 6, 6), np.float32))["node"]
    np.testing.assert_allclose(found, np.zeros(8), atol=1e-6)


def test_a_node_without_a_place_for_a_bias_is_left_out(model: Model) -> None:
    built = model("g (float[N,4] x) => (float[N,4] y) { [node] y = MatMul(x, matrix) }")
    assert mean_axes(place(built, CPU)) == {}


def test_nothing_seen_shifts_nothing(model: Model) -> None:
    w = weight(8, 4, 1, 1)
    built = model(CONV.format(4, 8, "group = 1"), w=w)
    assert bias_shifts(place(built, CPU), coarse_plan(built), {}) == {}
    assert bias_shifts(place(built, CPU), coarse_plan(built), {"x": ChannelMean(1)}) == {}
