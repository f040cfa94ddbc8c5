"""Knees on codes: a piecewise linear function becomes a clamp of codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.quant import QuantParams, Scheme, hard_sigmoid_params, knee_steps, params_from_range, params_with_knee

SCHEMES = [Scheme("uint8"), Scheme("int8"), Scheme("int8", symmetric=True)]
lows = st.floats(-1000, 0)
highs = st.floats(0, 1000)
knees = st.floats(0.1, 10)
schemes = st.sampled_from(SCHEMES)


@given(low=lows, high=highs, knee=knees, scheme=schemes)
def test_zero_and_the_lower_knee_are_codes(low: float, high: float, knee: float, scheme: Scheme) -> None:
    params = params_with_knee(low, high, knee, scheme)
    steps = knee_steps(params, knee)
    zero_point = int(params.zero_point)
    assert params.zero_point.dtype == scheme.numpy_dtype
    assert zero_point == 0 or not scheme.symmetric
    if steps is None:  # not even one step from -knee to zero
        assert params == params_from_range(min(low, -knee), high, scheme)
        assert max(-low, high) > 100 * knee
        return
    assert params.qmin <= zero_point - steps
    on_knee = params.dequantize(np.array([zero_point - steps, zero_point], params.zero_point.dtype))
    assert on_knee[0] == pytest.approx(-knee, rel=1e-5)
    assert on_knee[1] == 0


@given(low=lows, high=highs, knee=knees, scheme=schemes)
def test_the_range_is_covered_with_the_knee(low: float, high: float, knee: float, scheme: Scheme) -> None:
    """Up to a step: the zero point is a whole number."""
    params = params_with_knee(low, high, knee, scheme)
    reached = params.real_range
    assert reached[0] <= min(low, -knee) + params.scale * 1.001
    assert reached[1] >= high - params.scale * 1.001


@pytest.mark.parametrize(("low", "high"), [(-8.0, 8.0), (-1.0, 20.0), (-30.0, 2.0), (0.0, 0.0)])
def test_the_scale_grows_little(low: float, high: float) -> None:
    """To the next one that divides the knee, at most one part in the number of steps."""
    params = params_with_knee(low, high, 3.0, Scheme("uint8"))
    steps = knee_steps(params, 3.0)
    assert steps is not None
    finest = (high - min(low, -3.0)) / 255
    assert finest <= float(params.scale) * (1 + 1e-6)
    assert float(params.scale) <= finest * (1 + 1 / steps) * (1 + 1e-6)


@given(scale=st.floats(1e-3, 5), zero_point=st.integers(0, 255), knee=knees)
def test_steps_are_there_only_where_the_knee_has_a_code(scale: float, zero_point: int, knee: float) -> None:
    params = QuantParams(np.asarray(scale, np.float32), np.asarray(zero_point, np.uint8))
    steps = knee_steps(params, knee)
    if steps is not None:
        assert zero_point - steps >= 0
        assert steps * float(params.scale) == pytest.approx(knee, rel=1e-4)


def test_a_knee_below_the_lowest_code_has_no_steps() -> None:
    scale = np.asarray(0.1, np.float32)
    assert knee_steps(QuantParams(scale, np.asarray(30, np.uint8)), 3.0) == 30
    assert knee_steps(QuantParams(scale, np.asarray(29, np.uint8)), 3.0) is None
    assert knee_steps(QuantParams(scale, np.asarray(100, np.uint8)), 3.05) is None


# What it is for: the functions themselves, on every code.


@given(low=st.floats(-50, 0), high=st.floats(0, 50), knee=st.floats(0.5, 6), scheme=st.sampled_from(SCHEMES[:2]))
def test_hard_sigmoid_is_a_clamp_of_codes(low: float, high: float, knee: float, scheme: Scheme) -> None:
    params = params_with_knee(low, high, knee, scheme)
    codes, gate = clamped(params, knee)
    x = params.dequantize(codes)
    wanted = np.clip(x.astype(np.float64) / (2 * knee) + 0.5, 0, reached(params, knee))
    np.testing.assert_allclose(gate, wanted, atol=2e-6)


@given(low=st.floats(-50, 0), high=st.floats(0, 50), scheme=st.sampled_from(SCHEMES[:2]))
def test_hard_swish_is_a_product_with_that_clamp(low: float, high: float, scheme: Scheme) -> None:
    params = params_with_knee(low, high, 3.0, scheme)
    codes, gate = clamped(params, 3.0)
    x = params.dequantize(codes).astype(np.float64)
    wanted = x * np.clip(x / 6 + 0.5, 0, 1)
    np.testing.assert_allclose(x * gate, wanted, atol=1e-5 * max(1.0, float(np.abs(x).max())))


def clamped(params: QuantParams, knee: float) -> tuple[np.ndarray, np.ndarray]:
    """All codes, and hard-sigmoid of them through clamped codes."""
    steps = knee_steps(params, knee)
    assert steps is not None
    zero_point = int(params.zero_point)
    codes = np.arange(params.qmin, params.qmax + 1).astype(params.zero_point.dtype)
    limits = zero_point - steps, min(zero_point + steps, params.qmax)
    gate = hard_sigmoid_params(params, knee, steps)
    return codes, gate.dequantize(np.clip(codes, *limits).astype(params.zero_point.dtype)).astype(np.float64)


def reached(params: QuantParams, knee: float) -> float:
    """The largest value of hard-sigmoid on these codes."""
    return float(np.clip(params.real_range[1] / (2 * knee) + 0.5, 0, 1))
