"""The laws of the histogram monoid, bit for bit."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.quant import Histogram
from qcompile.quant.histogram import FINEST_EXPONENT, HALF_BINS

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
# edges of bins are where grids could disagree
EDGES = st.builds(lambda m, k: math.ldexp(m, k), st.integers(-HALF_BINS, HALF_BINS), st.integers(-149, 116))
SAMPLES = st.lists(FINITE | EDGES | st.sampled_from([0.0, -0.0]), max_size=30)


@given(parts=st.lists(SAMPLES, max_size=5), data=st.data())
def test_any_order_and_any_pieces_give_the_same_histogram(parts: list[list[float]], data: st.DataObject) -> None:
    whole = Histogram.of([x for part in parts for x in part])
    shuffled = data.draw(st.permutations(parts))
    assert reduce(Histogram.merge, map(Histogram.of, shuffled), Histogram.empty()) == whole


@given(a=SAMPLES, b=SAMPLES, c=SAMPLES)
def test_merge_is_associative_and_commutative(a: list[float], b: list[float], c: list[float]) -> None:
    x, y, z = map(Histogram.of, (a, b, c))
    assert x.merge(y) == y.merge(x)
    assert x.merge(y).merge(z) == x.merge(y.merge(z))
    assert x.merge(Histogram.empty()) == x


@given(values=SAMPLES)
def test_every_value_is_in_its_bin(values: list[float]) -> None:
    histogram = Histogram.of(values)
    expected = np.zeros(2 * HALF_BINS, int)
    for value in np.asarray(values, np.float32).tolist():
        expected[math.floor(math.ldexp(value, -histogram.exponent)) + HALF_BINS] += 1
    assert np.array_equal(histogram.counts, expected)
    assert histogram.total == len(values)


@given(values=SAMPLES.filter(bool))
def test_the_grid_is_as_fine_as_the_extremes_allow(values: list[float]) -> None:
    histogram = Histogram.of(values)
    low, high = float(np.float32(min(values))), float(np.float32(max(values)))
    assert (histogram.low, histogram.high) == (low, high)

    def holds(exponent: int) -> bool:
        return -math.ldexp(HALF_BINS, exponent) <= low and high < math.ldexp(HALF_BINS, exponent)

    assert holds(histogram.exponent)
    assert histogram.exponent == FINEST_EXPONENT or not holds(histogram.exponent - 1)


def test_large_arrays_equal_their_blocks() -> None:
    values = np.random.default_rng(0).standard_normal((7, 30_011)).astype(np.float32)
    assert reduce(Histogram.merge, map(Histogram.of, values)) == Histogram.of(values)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_other_types_count_as_float32(dtype: type) -> None:
    assert Histogram.of(np.array([-2, 0, 3], dtype)) == Histogram.of([-2.0, 0.0, 3.0])


def test_nothing() -> None:
    assert Histogram.of(np.zeros((0, 3))) == Histogram.empty()
    assert Histogram.empty().zero_range == (0, 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, np.nan, np.inf, np.nan], "2 of 4 values are NaN"),
        ([1, np.inf, -np.inf], "2 of 3 values are infinite"),
        ([1e300], "1 of 1 values are infinite"),
    ],
)
def test_values_must_be_finite(values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Histogram.of(np.array(values))
