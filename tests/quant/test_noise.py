"""Expected noise of quantized values, against what quantizing them costs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qcompile.quant import Histogram, Scheme, input_sqnr_db, params_from_range

UINT8 = Scheme("uint8")
RNG = np.random.default_rng(9)


def measured_db(values: np.ndarray, low: float, high: float) -> float:
    """Mean magnitude squared over mean squared error."""
    values = values.astype(np.float64)
    error = params_from_range(low, high, UINT8).fake_quantize(values.astype(np.float32)) - values
    return float(10 * np.log10(np.abs(values).mean() ** 2 / (error**2).mean()))


def expected_db(values: np.ndarray, low: float, high: float) -> float:
    return input_sqnr_db(Histogram.of(values), params_from_range(low, high, UINT8))


@pytest.mark.parametrize(
    ("low", "high"), [(-4.0, 4.0), (-6.0, 9.0), (-1.0, 1.0)], ids=["whole range", "too wide", "clipped"]
)
def test_as_measured(low: float, high: float) -> None:
    values = RNG.normal(size=100_000).clip(-4, 4).astype(np.float32)
    assert expected_db(values, low, high) == pytest.approx(measured_db(values, low, high), abs=0.2)


def test_twice_the_range_costs_six_decibels() -> None:
    values = RNG.uniform(-1, 1, 10_000).astype(np.float32)
    assert expected_db(values, -2, 2) == pytest.approx(expected_db(values, -1, 1) - 6.02, abs=0.05)


def test_an_outlier_is_what_makes_a_range_bad() -> None:
    values = RNG.normal(size=10_000).astype(np.float32)
    with_outlier = np.append(values, np.float32(1000))
    assert expected_db(values, -4, 4) > 35
    assert expected_db(with_outlier, -4, 1000) < 0


def test_zeros_do_not_count() -> None:
    """They have a code of their own."""
    values = RNG.uniform(1, 2, 1000).astype(np.float32)
    padded = np.concatenate([values, np.zeros(100_000, np.float32)])
    assert expected_db(padded, 0, 2) == pytest.approx(expected_db(values, 0, 2))


@pytest.mark.parametrize("values", [np.zeros(0, np.float32), np.zeros(9, np.float32)], ids=["none", "zeros"])
def test_nothing_to_count(values: np.ndarray) -> None:
    assert expected_db(values, -1, 1) == math.inf
