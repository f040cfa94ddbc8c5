"""Observers against brute force, on data of the shapes that calibration meets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcompile.quant import (
    INT8_SYMMETRIC,
    OBSERVERS,
    UINT8,
    Histogram,
    MinMaxObserver,
    MseObserver,
    Observer,
    PercentileObserver,
    Scheme,
    entropy_range,
    mse_range,
    params_from_range,
    percentile_range,
)
from qcompile.quant.entropy import STRIDE
from qcompile.quant.histogram import HALF_BINS
from qcompile.quant.mse import Function

Values = npt.NDArray[np.float32]
SCHEMES = [UINT8, INT8_SYMMETRIC]


def make_data() -> dict[str, Values]:
    rng = np.random.default_rng(7)
    normal = rng.standard_normal(20_000)
    data = {
        "normal": normal,
        "relu": np.maximum(normal, 0),
        "skewed": rng.exponential(size=20_000) - 0.3,
        "negative": -np.abs(normal),
        "one far outlier": np.append(normal, 60.0),
        "uniform": rng.uniform(-1, 2, 20_000),
        "constant": np.full(100, 3.3),
        "negative constant": np.full(100, -3.3),
        "zeros": np.zeros(100),
        "single": np.array([1e-3]),
        "huge": normal * 7e37,
        "tiny": rng.exponential(size=20_000) * 1e-36,
        "denormal": normal * 1e-42,
    }
    return {name: values.astype(np.float32) for name, values in data.items()}


DATA = make_data()
every_data = pytest.mark.parametrize("values", DATA.values(), ids=DATA)
every_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=str)
every_observer = pytest.mark.parametrize("observer", OBSERVERS.values(), ids=OBSERVERS)


@every_observer
@every_scheme
@every_data
def test_ranges_hold_zero_and_are_never_wider_than_the_values(
    observer: type[Observer], scheme: Scheme, values: Values
) -> None:
    low, high = observer().observe(values).range(scheme)
    assert min(float(values.min()), 0) <= low <= 0 <= high <= max(float(values.max()), 0)


@every_observer
@settings(max_examples=30)
@given(parts=st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=8), max_size=4))
def test_observers_are_monoids(observer: type[Observer], parts: list[list[float]]) -> None:
    whole, forward, backward = observer().observe([x for part in parts for x in part]), observer(), observer()
    for part in parts:
        forward = forward.observe(np.array(part))
        backward = observer().observe(np.array(part)).merge(backward)
    assert forward == backward == whole
    assert forward.range(UINT8) == backward.range(UINT8)


@every_observer
def test_nothing_seen_is_the_range_of_zero(observer: type[Observer]) -> None:
    assert observer().range(UINT8) == (0, 0)


@every_observer
def test_values_must_be_finite(observer: type[Observer]) -> None:
    with pytest.raises(ValueError, match="1 of 2 values are NaN"):
        observer().observe(np.array([np.nan, 1]))
    with pytest.raises(ValueError, match="1 of 2 values are infinite"):
        observer().observe(np.array([-np.inf, 1]))


@every_data
def test_min_max_is_the_extremes(values: Values) -> None:
    expected = (min(float(values.min()), 0), max(float(values.max()), 0))
    assert MinMaxObserver().observe(values).range(UINT8) == expected


@every_data
@pytest.mark.parametrize("percentile", [100, 99.9, 95, 50])
def test_percentile_is_the_exact_quantile_up_to_a_bin(values: Values, percentile: float) -> None:
    histogram = Histogram.of(values)
    low, high = percentile_range(histogram, percentile)
    left_out = np.count_nonzero((values < low) | (values > high))
    assert left_out <= values.size * (100 - percentile) / 100

    both = (values < 0).any() and (values > 0).any()
    cut = (1 - percentile / 100) / (2 if both else 1)
    assert low == pytest.approx(min(np.quantile(values, cut, method="lower"), 0), abs=histogram.bin_width)
    assert high == pytest.approx(max(np.quantile(values, 1 - cut, method="higher"), 0), abs=histogram.bin_width)


def test_percentile_must_be_one() -> None:
    with pytest.raises(ValueError, match=r"it must be in \(0, 100\]"):
        PercentileObserver(percentile=0)


def squared_error(values: Values, low: float, high: float, scheme: Scheme) -> float:
    error = params_from_range(low, high, scheme).fake_quantize(values).astype(float) - values
    return float((error**2).sum())


@every_scheme
@pytest.mark.parametrize("name", ["normal", "relu", "skewed", "negative", "one far outlier", "uniform", "constant"])
def test_mse_is_as_good_as_quantizing_with_every_candidate(name: str, scheme: Scheme) -> None:
    values = DATA[name]
    low, high = min(float(values.min()), 0), max(float(values.max()), 0)
    shrink = np.linspace(0.02, 1, 40)
    tried = [squared_error(values, a * low, b * high, scheme) for a in shrink for b in shrink]
    found = squared_error(values, *mse_range(Histogram.of(values), scheme), scheme)
    assert found <= 1.05 * min(tried) + 1e-9


FUNCTIONS: dict[str, Function] = {
    "leaky relu": lambda x: np.where(x < 0, 0.1 * x, x),
    "sigmoid": lambda x: 0.5 * (1 + np.tanh(x / 2)),
    "silu": lambda x: 0.5 * x * (1 + np.tanh(x / 2)),
    "hard swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
}


@pytest.mark.parametrize("spread", [1, 10])
@pytest.mark.parametrize("name", ["normal", "skewed", "negative", "one far outlier"])
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_mse_behind_a_function_is_as_good_as_every_candidate(function: Function, name: str, spread: int) -> None:
    values = DATA[name][-5000:] * np.float32(spread)
    exact = function(values.astype(np.float64))

    def error(low: float, high: float) -> float:
        left = params_from_range(low, high, UINT8).fake_quantize(values).astype(np.float64)
        return float(((function(left) - exact) ** 2).sum())

    low, high = min(float(values.min()), 0), max(float(values.max()), 0)
    shrink = np.linspace(0.02, 1, 30)
    tried = [error(a * low, b * high) for a in shrink for b in shrink]
    assert error(*mse_range(Histogram.of(values), UINT8, function)) <= 1.15 * min(tried) + 1e-9


def test_mse_keeps_the_side_on_which_a_coarse_histogram_sees_nothing_but_saturation() -> None:
    values = np.append(np.full(1000, 20.0), -1e6).astype(np.float32)
    low, high = mse_range(Histogram.of(values), UINT8, FUNCTIONS["sigmoid"])
    assert high == 20 and low > -1e4


@pytest.mark.parametrize("scale", [2.0**100, 2.0**-100])
@every_scheme
def test_mse_does_not_depend_on_the_unit(scale: float, scheme: Scheme) -> None:
    low, high = mse_range(Histogram.of(DATA["skewed"]), scheme)
    scaled = mse_range(Histogram.of(DATA["skewed"] * np.float32(scale)), scheme)
    assert scaled == (low * scale, high * scale)


def test_mse_leaves_pictures_alone() -> None:
    pixels = np.arange(256, dtype=np.float32).repeat(50) / np.float32(255)
    assert MseObserver().observe(pixels).range(UINT8) == (0, 1)


def kl_by_the_book(histogram: Histogram, lower: int, upper: int, scheme: Scheme) -> float:
    """KL(P || Q) of bins [lower, upper), bin by bin."""
    counts = histogram.counts.astype(float)
    counts[HALF_BINS] = counts[HALF_BINS + 1]
    inside = counts[lower + HALF_BINS : upper + HALF_BINS]
    p = inside.copy()
    p[0] += counts[: lower + HALF_BINS].sum()
    p[-1] += counts[upper + HALF_BINS :].sum()
    step = float(scheme.step(lower, upper))
    zero_point = 0 if scheme.symmetric else round(scheme.qmin - lower / step)
    edges = [round((code + 0.5 - zero_point) * step) - lower for code in range(scheme.qmin, scheme.qmax)]
    q = np.zeros_like(p)
    for start, end in zip([0, *edges], [*edges, p.size], strict=True):
        start, end = min(max(start, 0), p.size), min(max(end, 0), p.size)
        filled = p[start:end] > 0
        if filled.any():
            q[start:end][filled] = max(inside[start:end].sum(), 1) / filled.sum()
    if not inside.any():
        return np.inf
    p, q = p / p.sum(), q / q.sum()
    return float((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum())


@every_scheme
@every_data
def test_entropy_finds_the_least_divergence(values: Values, scheme: Scheme) -> None:
    histogram = Histogram.of(values)
    low, high = histogram.zero_range
    first, end = int(np.floor(low / histogram.bin_width)), int(np.floor(high / histogram.bin_width)) + 1
    tried = {}
    for threshold in range(max(-first, end), 0, -STRIDE):
        lower, upper = max(first, -threshold), min(end, threshold)
        if scheme.step(lower, upper) >= 1:
            clipped = (max(low, lower * histogram.bin_width), min(high, upper * histogram.bin_width))
            tried[clipped] = kl_by_the_book(histogram, lower, upper, scheme)
    found = entropy_range(histogram, scheme)
    if tried:
        assert tried[found] <= min(tried.values()) + 1e-12
    else:
        assert found == (low, high)


def test_entropy_clips_a_lone_outlier() -> None:
    low, high = entropy_range(Histogram.of(DATA["one far outlier"]), UINT8)
    assert low == DATA["one far outlier"].min()
    assert DATA["normal"].max() <= high < 30
