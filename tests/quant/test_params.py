"""Ranges to scales and zero points, and the rounding of QuantizeLinear."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.quant import INT8_SYMMETRIC, UINT8, WEIGHT_INT8, QuantParams, Scheme, params_from_range
from qcompile.quant import params as params_module
from qcompile.quant.params import FLOAT32_MAX, SCALE_FLOOR

SCHEMES = [UINT8, INT8_SYMMETRIC, WEIGHT_INT8, Scheme("int8")]
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)

schemes = pytest.mark.parametrize("scheme", SCHEMES, ids=str)


def f32(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    return np.asarray(values, np.float32)


def scalar(scale: float, zero_point: int, dtype: str = "uint8") -> QuantParams:
    return QuantParams(f32(scale), np.asarray(zero_point, dtype))


def slack(params: QuantParams, x: float) -> float:
    """What float32 may add: one rounding each of the scale, the quotient and the product."""
    return 4 * float(np.finfo(np.float32).eps) * (abs(x) + float(params.scale))


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("chunk", [1, 5, 1000])
def test_large_tensors_are_quantized_in_pieces(axis: int | None, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 3, 2)).astype(np.float32)
    shape = () if axis is None else (x.shape[axis],)
    scale, zero_point = rng.uniform(0.01, 0.1, shape), rng.integers(-9, 9, shape)
    params = QuantParams(f32(scale), np.asarray(zero_point, np.int8), axis)
    whole = params.quantize(x)
    monkeypatch.setattr(params_module, "_CHUNK", chunk)
    np.testing.assert_array_equal(params.quantize(x), whole)


@schemes
@given(ends=st.tuples(FLOAT32, FLOAT32), share=st.floats(0, 1))
def test_error_inside_the_range_is_at_most_half_a_step(scheme: Scheme, ends: tuple[float, float], share: float) -> None:
    low, high = sorted(ends)
    params = params_from_range(low, high, scheme)
    x = float(np.float32(low * (1 - share) + high * share))
    # at the very end of float32 a whole step may be lost, so that no code becomes infinite
    allowed = (0.5 if max(-low, high) < FLOAT32_MAX / 2 else 1.5) * float(params.scale)
    assert abs(float(params.fake_quantize(x)) - x) <= allowed + slack(params, x)


@schemes
@given(ends=st.tuples(FLOAT32, FLOAT32))
def test_zero_is_exact_and_scales_are_normal(scheme: Scheme, ends: tuple[float, float]) -> None:
    params = params_from_range(min(ends), max(ends), scheme)
    assert params.fake_quantize(0.0) == 0
    assert params.scale >= SCALE_FLOOR
    assert np.float32(1) / params.scale >= np.finfo(np.float32).tiny
    codes = np.arange(params.qmin, params.qmax + 1)[scheme.narrow :].astype(scheme.numpy_dtype)
    assert np.isfinite(params.dequantize(codes)).all()


@schemes
@given(ends=st.tuples(FLOAT32, FLOAT32), values=st.lists(FLOAT32, min_size=1))
def test_codes_are_monotone_and_saturate(scheme: Scheme, ends: tuple[float, float], values: list[float]) -> None:
    params = params_from_range(min(ends), max(ends), scheme)
    x = np.sort(f32(values)).astype(float)
    codes = params.quantize(x).astype(int)
    lowest, highest = params.real_range
    assert (np.diff(codes) >= 0).all()
    assert (codes[x < lowest] == params.qmin).all()
    assert (codes[x > highest] == params.qmax).all()


@given(step=st.integers(-1000, 1000), scale_exponent=st.integers(-60, 60), zero_point=st.integers(0, 255))
def test_ties_go_to_the_even_neighbour(step: int, scale_exponent: int, zero_point: int) -> None:
    params = scalar(2.0**scale_exponent, zero_point)
    expected = min(max(round(step + 0.5) + zero_point, 0), 255)
    assert params.quantize((step + 0.5) * 2.0**scale_exponent) == expected


def test_pictures_and_relu6_get_their_exact_grids() -> None:
    assert params_from_range(0, 1, UINT8) == scalar(1 / 255, 0)
    assert params_from_range(0, 6, UINT8) == scalar(6 / 255, 0)
    assert params_from_range(-1, 1, INT8_SYMMETRIC) == scalar(1 / 127, 0, "int8")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(2.0, 3.0, (0.0, 3.0)), (-3.0, -2.0, (-3.0, 0.0)), (5.0, 5.0, (0.0, 5.0)), (-127.0, 128.0, (-127.0, 128.0))],
)
def test_ranges_are_widened_to_zero(low: float, high: float, expected: tuple[float, float]) -> None:
    assert params_from_range(low, high, UINT8).real_range == pytest.approx(expected)


def test_the_range_of_nothing_but_zeros_has_scale_one() -> None:
    assert params_from_range(0, 0, UINT8) == scalar(1, 0)
    assert params_from_range(0, 0, INT8_SYMMETRIC) == scalar(1, 0, "int8")


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_no_range(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="no range of finite numbers"):
        params_from_range(low, high, UINT8)


def test_channels_broadcast_along_their_axis() -> None:
    params = QuantParams(f32([1, 0.5]), np.array([0, 10], np.uint8), axis=1)
    x = np.full((3, 2, 4), 2, np.float32)
    assert np.array_equal(params.quantize(x)[0, :, 0], [2, 14])
    assert np.array_equal(params.fake_quantize(x), x)
    with pytest.raises(ValueError, match="the tensor has 1 axes"):
        params.quantize(x[0, :, 0])


def test_int32_saturates_at_limits_that_float32_has_not() -> None:
    params = scalar(1, 0, "int32")
    assert np.array_equal(params.quantize([3e9, -3e9]), [2**31 - 1, -(2**31)])


def test_parameters_are_values() -> None:
    scale = f32([1, 2])
    params = QuantParams(scale, np.zeros(2, np.int8), axis=0)
    scale[0] = 7
    assert params.scale[0] == 1
    assert {params} == {QuantParams(f32([1, 2]), np.zeros(2, np.int8), axis=0)}
    assert params != QuantParams(f32([1, 2]), np.zeros(2, np.int8), axis=1)
    assert scalar(1, 0, "int8") != scalar(1, 0, "uint8")


@pytest.mark.parametrize(
    ("scale", "zero_point", "axis", "message"),
    [
        (np.float64(1), np.uint8(0), None, "must be float32"),
        (np.float32(1), np.int16(0), None, "must be uint8, int8 or int32"),
        (f32([1, 2]), np.uint8(0), 0, "must be equal"),
        (f32([1]), np.zeros(1, np.uint8), None, "with axis None"),
        (f32([1]), np.zeros(1, np.uint8), -1, "must not be negative"),
        (np.float32(0), np.uint8(0), None, "not finite and positive"),
        (np.float32(np.nan), np.uint8(0), None, "not finite and positive"),
    ],
)
def test_impossible_parameters(scale: object, zero_point: object, axis: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuantParams(scale, zero_point, axis)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dtype", "symmetric", "narrow"), [("int16", False, False), ("uint8", True, False), ("int8", False, True)]
)
def test_impossible_schemes(dtype: str, symmetric: bool, narrow: bool) -> None:
    with pytest.raises(ValueError, match=r"must be|needs"):
        Scheme(dtype, symmetric, narrow)
