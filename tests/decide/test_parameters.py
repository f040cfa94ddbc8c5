"""From ranges to scales and zero points."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import activation_scheme, known_ranges, make_plan, place
from qcompile.plan import Plan
from qcompile.quant import quantize_bias
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
IMAGE = "float[1, 4, 8, 8]"
INT32_MAX = 2**31 - 1


def planned(model: ir.Model, default: tuple[float, float] = (-1.0, 1.0), **ranges: tuple[float, float]) -> Plan:
    """The plan with these ranges, known ones apart and `default` for what is not named."""
    placement = place(model, CPU)
    all_ranges: Mapping[str, tuple[float, float]] = (
        dict.fromkeys(placement.observed, default) | ranges | known_ranges(model, placement)
    )
    return make_plan(placement, all_ranges, CPU, "qoperator")


def end_codes(plan: Plan, value: str) -> tuple[float, float]:
    """The reals behind the lowest and the highest code."""
    return plan.values[value].real_range


def test_schemes_follow_the_target() -> None:
    assert activation_scheme(CPU).dtype == "uint8"
    assert activation_scheme(find_target("xnnpack")).dtype == "int8"


def test_values_of_one_group_share_parameters(model: Model) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y) {{
        [conv1] a = Conv(x, kernel)
        [pool] b = MaxPool <kernel_shape = [1, 1]> (a)
        [conv2] y = Conv(b, kernel)
    }}"""
    plan = planned(model(text), a=(-1.0, 3.0))
    assert plan.values["a"] == plan.values["b"]
    assert float(plan.values["a"].scale) == np.float32(4 / 255)
    assert set(plan.weights) == {("conv1", 1), ("conv2", 1)}


def test_a_sigmoid_spans_0_to_1(model: Model) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y) {{
        [conv1] a = Conv(x, kernel)
        [gate] b = Sigmoid(a)
        [conv2] y = Conv(b, kernel)
    }}"""
    built = model(text)
    assert known_ranges(built, place(built, CPU)) == {"b": (0.0, 1.0)}
    params = planned(built).values["b"]
    assert params.scale == np.float32(1 / 255)
    assert params.zero_point == 0


@pytest.mark.parametrize(
    ("low", "high", "known"),
    [
        ("0.0", "6.0", (0.0, 6.0)),
        ("-1.0", "1.0", (-1.0, 1.0)),
        ("1.0", "6.0", (0.0, 6.0)),
        ("0.0", None, None),
    ],
)
def test_a_clip_spans_its_bounds_and_zero(
    low: str, high: str | None, known: tuple[float, float] | None, model: Model
) -> None:
    bounds = f"float low = {{{low}}}" + (f", float high = {{{high}}}" if high else "")
    text = f"""g ({IMAGE} x) => ({IMAGE} y) <{bounds}> {{
        [erf] a = Erf(x)
        [clip] b = Clip(a, low{", high" if high else ""})
        [conv] y = Conv(b, kernel)
    }}"""
    built = model(text)
    found = known_ranges(built, place(built, CPU, ["clip"]))
    assert found == ({"b": known} if known else {})


def test_relu6_has_codes_exactly_from_0_to_6(model: Model) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y) <float zero = {{0.0}}, float six = {{6.0}}> {{
        [conv1] a = Conv(x, kernel)
        [clip] b = Clip(a, zero, six)
        [conv2] y = Conv(b, kernel)
    }}"""
    params = planned(model(text)).values["b"]
    assert params.scale == np.float32(6 / 255)
    assert params.zero_point == 0
    assert params.dequantize(np.array([0, 255], np.uint8)).tolist() == [0.0, 6.0]


def conv_with(model: Model, weight: np.ndarray, bias: np.ndarray) -> Plan:
    text = f"g ({IMAGE} x) => ({IMAGE} y) {{ [conv] y = Conv(x, weight, bias) }}"
    return planned(model(text, weight=weight, bias=bias))


def test_a_weight_has_a_scale_for_each_channel(model: Model) -> None:
    weight = np.zeros((4, 4, 1, 1), np.float32)
    weight[:, 0, 0, 0] = [1.27, -2.54, 127, 0.127]
    params = conv_with(model, weight, np.zeros(4, np.float32)).weights["conv", 1]
    np.testing.assert_allclose(params.scale, [0.01, 0.02, 1, 0.001], rtol=1e-6)
    assert params.axis == 0
    assert not params.zero_point.any()


@pytest.mark.parametrize("tiny", [0.0, 1e-45, 1e-30, 1e-12, 1e-6])
@pytest.mark.parametrize("amount", [0.0, 1e-40, 0.5, -1000.0])
def test_bias_and_products_fit_int32_together(tiny: float, amount: float, model: Model) -> None:
    weight = np.ones((4, 4, 1, 1), np.float32)
    weight[2] = tiny
    bias = np.full(4, amount, np.float32)
    plan = conv_with(model, weight, bias)
    scale, x_scale = plan.weights["conv", 1].scale, float(plan.values["x"].scale)
    codes = quantize_bias(bias, x_scale, scale)
    assert np.all(np.abs(codes.astype(np.int64)) + 255 * 127 * 4 <= INT32_MAX)
    steps = x_scale * scale.astype(np.float64)
    np.testing.assert_allclose(codes * steps, bias, rtol=1e-9, atol=float(steps.max()) / 2)
    np.testing.assert_array_equal(np.delete(scale, 2), np.float32(1 / 127))


def test_a_shared_weight_is_scaled_for_each_reader(model: Model) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y) {{
        [conv1] a = Conv(x, kernel, bias)
        [conv2] y = Conv(a, kernel)
    }}"""
    kernel = np.full((4, 4, 1, 1), 1e-9, np.float32)
    plan = planned(model(text, kernel=kernel, bias=np.ones(4, np.float32)))
    first, second = plan.weights["conv1", 1], plan.weights["conv2", 1]
    assert (first.scale > second.scale).all()
    np.testing.assert_allclose(second.scale, 1e-9 / 127, rtol=1e-6)


def test_a_constant_operand_spans_its_own_values(model: Model) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y) {{
        [conv1] a = Conv(x, kernel)
        [add] b = Add(a, shift)
        [conv2] y = Conv(b, kernel)
    }}"""
    plan = planned(model(text, shift=np.array([0.5, 2.55], np.float32).reshape(1, 1, 1, 2).repeat(4, -1)))
    assert plan.weights["add", 1].scale == np.float32(0.01)
    assert plan.weights["add", 1].axis is None


CONCAT = """g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
    [left] a = Conv(x, kernel)
    [right] b = Conv(x, kernel)
    [join] c = Concat <axis = 1> (a, b)
    [last] y = Conv(c, wide)
}"""
WIDE = np.ones((4, 8, 1, 1), np.float32)


def test_like_ranges_are_joined(model: Model) -> None:
    plan = planned(model(CONCAT, wide=WIDE), a=(-1.0, 1.0), b=(-0.9, 0.9))
    assert plan.values["a"] == plan.values["b"] == plan.values["c"]
    assert plan.values["c"].scale == np.float32(2 / 255)


def test_unlike_ranges_are_not(model: Model) -> None:
    plan = planned(model(CONCAT, wide=WIDE), a=(-1.0, 1.0), b=(-0.1, 0.1))
    assert plan.values["a"] == plan.values["c"]
    assert plan.values["b"].scale == np.float32(0.2 / 255)


def test_the_join_spans_all_its_inputs_whatever_was_observed(model: Model) -> None:
    plan = planned(model(CONCAT, wide=WIDE), a=(0.0, 1.0), b=(-2.0, 0.0), c=(-0.5, 0.5))
    assert end_codes(plan, "c") == pytest.approx((-2.0, 1.0), abs=3 / 255)


CHAIN = """g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
    [conv1] a = Conv(x, kernel)
    [conv2] b = Conv(x, kernel)
    [join1] c = Concat <axis = 1> (a, b)
    [conv3] d = Conv(x, kernel)
    [join2] e = Concat <axis = 1> (c, d)
    [last] y = Conv(e, wide)
}"""
WIDER = np.ones((4, 12, 1, 1), np.float32)


def test_a_join_that_another_one_widens_widens_its_inputs(model: Model) -> None:
    plan = planned(model(CHAIN, wide=WIDER), a=(-1.0, 1.0), b=(-0.8, 0.8), d=(-1.5, 1.5))
    assert len({plan.values[name] for name in "abcde"}) == 1
    assert end_codes(plan, "a") == pytest.approx((-1.5, 1.5), abs=3 / 255)


def test_a_chain_costs_an_input_no_more_than_one_join_would(model: Model) -> None:
    """Were each widening weighed against the one before, a and b would follow step by step."""
    plan = planned(model(CHAIN, wide=WIDER), a=(-1.0, 1.0), b=(-0.8, 0.8), d=(-3.0, 3.0))
    assert plan.values["a"] == plan.values["b"] == plan.values["c"]
    assert end_codes(plan, "c") == pytest.approx((-1.0, 1.0), abs=2 / 255)
    assert plan.values["d"] == plan.values["e"]


def test_the_join_spans_a_constant_too(model: Model) -> None:
    text = """g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
        [conv] a = Conv(x, kernel)
        [join] c = Concat <axis = 1> (a, token)
        [last] y = Conv(c, wide)
    }"""
    plan = planned(model(text, wide=WIDE, token=np.full((1, 4, 8, 8), 5, np.float32)), a=(-1.0, 1.0))
    assert end_codes(plan, "c") == pytest.approx((-1.0, 5.0), abs=6 / 255)
    assert plan.weights["join", 1].scale == np.float32(5 / 255)


def test_a_range_is_not_joined_beyond_what_the_clamp_before_it_gives(model: Model) -> None:
    """Else the lowest code would lie below zero, and the Relu could not be left to saturation."""
    text = CONCAT.replace("(x, kernel)\n    [right]", "(x, kernel)\n    [relu] r = Relu(a)\n    [right]")
    plan = planned(model(text.replace("(a, b)", "(r, b)"), wide=WIDE), r=(0.0, 1.0), b=(-0.1, 1.0))
    assert plan.values["r"].zero_point == 0
    assert plan.values["b"] == plan.values["c"]


def test_every_value_and_node_of_the_placement_is_in_the_plan(model: Model) -> None:
    built = model(CONCAT, wide=WIDE)
    plan, placement = planned(built), place(built, CPU)
    assert plan.nodes == placement.nodes
    assert plan.values.keys() == placement.groups.keys()
    assert (plan.target, plan.format, plan.bits) == ("cpu", "qoperator", 8)
