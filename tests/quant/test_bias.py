"""Biases in int32: exact codes, and the smallest weight scale that lets bias and products share 32 bits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.quant import fit_weight_scale, quantize_bias, weight_params
from qcompile.quant.bias import INT32_MAX

SCALES = st.floats(2.0**-30, 2.0**10, width=32)
TINY_SCALES = st.floats(2.0**-63, 2.0**-20, width=32)
BIASES = st.floats(-(2.0**20), 2.0**20, width=32)
BOUNDS = st.integers(0, 255 * 127 * 60_000)


def f32(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    return np.asarray(values, np.float32)


@given(bias=BIASES, x_scale=SCALES, w_scale=SCALES)
def test_codes_are_the_nearest_integers(bias: float, x_scale: float, w_scale: float) -> None:
    fitted = fit_weight_scale(f32([w_scale]), f32([bias]), x_scale, 0)
    code = int(quantize_bias(f32([bias]), x_scale, fitted)[0])
    exact = Fraction(bias) / (Fraction(x_scale) * Fraction(float(fitted[0])))
    assert abs(code - exact) <= Fraction(1, 2) + Fraction(1, 2**20)


def test_ties_go_to_the_even_code() -> None:
    assert quantize_bias(f32([0.5, 1.5, -2.5]), 2.0, f32(0.5)).tolist() == [0, 2, -2]


@given(bias=BIASES, x_scale=SCALES, w_scale=SCALES | TINY_SCALES, bound=BOUNDS)
def test_the_fit_is_enough_and_no_more(bias: float, x_scale: float, w_scale: float, bound: int) -> None:
    before, bias_array = f32([w_scale]), f32([bias])
    after = fit_weight_scale(before, bias_array, x_scale, bound)

    def fits(scale: np.float32) -> bool:
        return abs(bias) / (x_scale * float(scale)) + bound <= INT32_MAX

    assert fits(after[0])
    assert abs(int(quantize_bias(bias_array, x_scale, after)[0])) + bound <= INT32_MAX
    if fits(before[0]):
        assert after[0] == before[0]
    else:
        assert not fits(np.nextafter(after[0], np.float32(0)))


def test_only_the_channels_that_need_it_change() -> None:
    w_scale = f32([1e-3, 1e-12, 1e-3])
    after = fit_weight_scale(w_scale, f32([1, 1, -1]), 0.1, [10, 2**30, 2**31 - 2**20])
    assert (after == w_scale).tolist() == [True, False, True]
    assert after[1] == pytest.approx(1 / (0.1 * 2**30), rel=1e-6)


def test_one_scale_is_raised_once_for_all_channels() -> None:
    after = fit_weight_scale(f32(1e-9), f32([1, 400, 0]), 0.01, 1000)
    assert after.shape == ()
    assert np.abs(quantize_bias(f32([1, 400, 0]), 0.01, after)).max() == pytest.approx(INT32_MAX, rel=1e-6)


@given(bias=st.floats(-1e6, 1e6, width=32).filter(lambda b: abs(b) > 1e-6), x_scale=SCALES)
def test_a_dead_channel_keeps_its_bias(bias: float, x_scale: float) -> None:
    weight = f32([[0, 0], [1, -2]])
    bound = 255 * 127 * 2
    scale = fit_weight_scale(weight_params(weight, 0).scale, f32([bias, 0]), x_scale, bound)
    codes = quantize_bias(f32([bias, 0]), x_scale, scale)
    assert float(codes[0]) * x_scale * float(scale[0]) == pytest.approx(bias, rel=2.0**-20)


@pytest.mark.parametrize("bias", [0.0, -0.0, 1e-45, -1e-39])
def test_zero_and_denormal_biases_change_nothing(bias: float) -> None:
    w_scale = weight_params(f32([[0, 0], [1, 2]]), 0).scale
    biases = f32([bias, bias])
    after = fit_weight_scale(w_scale, biases, 2.0**-63, 255 * 127)
    assert np.array_equal(after, w_scale)
    assert not quantize_bias(biases, 0.1, after).any()


def test_no_channels() -> None:
    none = np.zeros(0, np.float32)
    assert fit_weight_scale(none, none, 1.0, 10).size == 0
    assert fit_weight_scale(f32(2), none, 1.0, 10) == 2


def test_what_cannot_fit_is_refused() -> None:
    one = f32([1])
    with pytest.raises(ValueError, match="products alone"):
        fit_weight_scale(one, one, 1.0, INT32_MAX)
    with pytest.raises(ValueError, match="not finite, or too large"):
        fit_weight_scale(one, f32([np.nan]), 1.0, 10)
    with pytest.raises(ValueError, match="not finite, or too large"):
        fit_weight_scale(one, f32([3e38]), 2.0**-63, 10)
    with pytest.raises(ValueError, match="does not fit int32"):
        quantize_bias(f32([1e10]), 1.0, one)
