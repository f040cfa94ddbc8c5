"""Pairs of byte products at 16 bits: what saturates, and scales under which nothing does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qcompile.quant import QuantParams, may_saturate, unsaturated_scale, weight_params
from qcompile.quant.reference import saturating_product

Array = npt.NDArray[Any]

WEIGHTS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(1, 3)),
    elements=st.floats(-8, 8, width=32),
)
"""Shape (channels, inner, taps), as those of a convolution."""


def worst_inputs(codes: Array) -> npt.NDArray[np.uint8]:
    """Rows of inputs that drive a row of weights (K,) to its extremes: 255 where they are positive, where negative."""
    return np.stack([np.where(codes > 0, 255, 0), np.where(codes < 0, 255, 0)]).astype(np.uint8)


def is_exact(row: Array) -> bool:
    """Whether a row of weights gives exact sums for all inputs, by brute force on its extremes."""
    inputs = worst_inputs(row)
    exact = inputs.astype(np.int64) @ row.astype(np.int64)
    return np.array_equal(saturating_product(inputs, row[:, None])[:, 0], exact)


def as_walked(codes: Array) -> Array:
    """Weights of a convolution in the kernel's order: shape (channels, taps * inner)."""
    return codes.swapaxes(1, 2).reshape(len(codes), -1)


def mended(weight: Array, axis: int | None = 0) -> tuple[QuantParams, QuantParams]:
    """Parameters as they are without saturation in mind, and with it."""
    plain = weight_params(weight, axis)
    return plain, QuantParams(unsaturated_scale(weight, plain.scale, 0, 1), plain.zero_point, plain.axis)


@pytest.mark.parametrize(
    ("pair", "fits"),
    [
        ((127, 1), True),
        ((127, 2), False),
        ((64, 64), True),
        ((64, 65), False),
        ((-127, 127), True),
        ((-64, -65), False),
    ],
)
def test_two_weights_of_one_sign_fit_up_to_128(pair: tuple[int, int], fits: bool) -> None:
    codes = np.array([pair], np.int8)
    assert may_saturate(codes, 0, 1).any() != fits
    assert is_exact(codes[0]) == fits


def test_only_neighbours_are_added() -> None:
    codes = np.array([[127, 0, 0, 127], [0, 127, 127, 0], [0, 0, 127, 127]], np.int8)
    found = may_saturate(codes, 0, 1)
    assert found.tolist() == [[False] * 4, [False] * 4, [False, False, True, True]]
    assert [is_exact(row) for row in codes] == [True, True, False]


def test_axes_of_a_matrix_stored_the_other_way() -> None:
    codes = np.random.default_rng(0).integers(-127, 128, (6, 4), np.int8)
    assert np.array_equal(may_saturate(codes, 1, 0), may_saturate(codes.T, 0, 1).T)


def test_an_odd_number_of_channels_makes_any_two_weights_neighbours() -> None:
    codes = np.zeros((2, 3, 4), np.int8)
    codes[0, 0, 0] = codes[0, 2, 3] = 127
    codes[1, 1, 1] = 127
    assert may_saturate(codes, 0, 1).all(axis=(1, 2)).tolist() == [True, False]
    assert not may_saturate(codes, 0, 1)[1].any()


@given(WEIGHTS)
def test_nothing_saturates_under_the_scales(weight: Array) -> None:
    _, params = mended(weight)
    codes = params.quantize(weight)
    assert not may_saturate(codes, 0, 1).any()
    assert all(is_exact(row) for row in as_walked(codes))


@given(WEIGHTS)
def test_channels_that_were_safe_are_untouched_and_others_at_most_doubled(weight: Array) -> None:
    plain, params = mended(weight)
    safe = ~may_saturate(plain.quantize(weight), 0, 1).any(axis=(1, 2))
    assert np.array_equal(params.scale[safe], plain.scale[safe])
    assert np.all(params.scale <= plain.scale * np.float32(2.001))


@given(WEIGHTS, st.floats(1, 1000))
def test_larger_scales_are_as_safe(weight: Array, factor: float) -> None:
    _, params = mended(weight)
    larger = QuantParams((params.scale * np.float32(factor)), params.zero_point, params.axis)
    assert not may_saturate(larger.quantize(weight), 0, 1).any()


@given(WEIGHTS)
def test_one_scale_for_all_channels_suits_the_worst(weight: Array) -> None:
    _, params = mended(weight, axis=None)
    assert params.scale.shape == ()
    assert not may_saturate(params.quantize(weight), 0, 1).any()


def test_saturation_is_what_the_instruction_does() -> None:
    a, b = np.array([[255, 255, 1]], np.uint8), np.array([[127], [127], [5]], np.int8)
    assert saturating_product(a, b).tolist() == [[32767 + 5]]
    assert saturating_product(a, -b).tolist() == [[-32768 - 5]]
