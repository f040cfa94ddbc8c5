"""Weight scales: axes, dead channels, zeros, denormals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qcompile.quant import INT8_SYMMETRIC, UINT8, weight_params
from qcompile.quant.params import SCALE_FLOOR

WEIGHTS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=4, max_side=5),
    elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=True),
)


def f32(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    return np.asarray(values, np.float32)


@given(weight=WEIGHTS, data=st.data())
def test_each_channel_uses_its_own_magnitude(weight: npt.NDArray[np.float32], data: st.DataObject) -> None:
    axis = data.draw(st.integers(-weight.ndim, weight.ndim - 1))
    params = weight_params(weight, axis)
    assert params.axis == axis % weight.ndim
    magnitude = np.abs(np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)).max(axis=1)
    assert np.array_equal(params.scale, np.float32(np.maximum(magnitude / np.float64(127), SCALE_FLOOR)))
    codes = params.quantize(weight)
    assert codes.min() >= -127
    error = np.abs(params.dequantize(codes).astype(float) - weight)
    assert (error <= params.spread(params.scale, weight.ndim).astype(float) * 0.5001).all()


def test_whole_tensor() -> None:
    params = weight_params(f32([[1, -254], [3, 4]]), None)
    assert params.axis is None
    assert params.scale == 2


@pytest.mark.parametrize("value", [0.0, 1e-45, -1e-39])
def test_dead_channels_get_the_floor_and_codes_of_zero(value: float) -> None:
    weight = f32([[1.0, 2.0, 3.0], [value, value, value]])
    params = weight_params(weight, 0)
    assert params.scale[1] == SCALE_FLOOR
    assert not params.quantize(weight)[1].any()


def test_an_empty_weight_is_dead() -> None:
    assert np.array_equal(weight_params(np.zeros((2, 0), np.float32), 0).scale, f32([SCALE_FLOOR] * 2))


def test_full_int8_uses_all_codes() -> None:
    params = weight_params(f32([-128, 100]), None, INT8_SYMMETRIC)
    assert params.scale == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_must_be_finite(bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        weight_params(f32([[1, bad]]), 0)


def test_wrong_axis_and_scheme() -> None:
    with pytest.raises(ValueError, match="no axis 2"):
        weight_params(np.ones((2, 2), np.float32), 2)
    with pytest.raises(ValueError, match="symmetric"):
        weight_params(np.ones((2, 2), np.float32), 0, UINT8)
