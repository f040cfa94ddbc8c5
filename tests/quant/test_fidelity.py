"""Streamed fidelity equals what all samples at once give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.errors import ModelError
from qcompile.quant import Comparison, OutputFidelity


def compared(*pairs: tuple[object, object], dtype: type = np.float32) -> OutputFidelity:
    comparison = Comparison(["y"])
    for wanted, got in pairs:
        comparison.update([np.array(wanted, dtype)], [np.array(got, dtype)])
    (result,) = comparison.result()
    return result


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.floats(1e-3, 1e3))
def test_streaming_equals_all_at_once(seed: int, rows: list[int], noise: float) -> None:
    rng = np.random.default_rng(seed)
    wanted = [rng.normal(size=(n, 7)).astype(np.float32) for n in rows]
    got = [(w + noise * rng.normal(size=w.shape)).astype(np.float32) for w in wanted]
    result = compared(*zip(wanted, got, strict=True))
    w, g = np.concatenate(wanted).astype(np.float64), np.concatenate(got).astype(np.float64)
    assert result.sqnr_db == pytest.approx(10 * math.log10((w**2).sum() / ((w - g) ** 2).sum()), abs=1e-9)
    assert result.cosine == pytest.approx((w * g).sum() / np.linalg.norm(w) / np.linalg.norm(g), abs=1e-12)
    assert result.max_abs == np.abs(w - g).max()
    assert result.agreement == (w.argmax(1) == g.argmax(1)).mean()


def test_a_long_output_is_summed_whole() -> None:
    wanted = np.ones((3, 300_000), np.float32)
    got = wanted.copy()
    got[-1, -1] = 2
    result = compared((wanted, got))
    assert result.sqnr_db == pytest.approx(10 * math.log10(900_000))
    assert (result.max_abs, result.agreement) == (1.0, 2 / 3)


def test_equal_outputs_and_no_samples() -> None:
    assert compared(([[1, 2]], [[1, 2]])) == OutputFidelity("y", math.inf, 1.0, 0.0, 1.0)
    assert compared(([[0, 0]], [[0, 0]])) == OutputFidelity("y", math.inf, 1.0, 0.0, 1.0)
    assert compared() == OutputFidelity("y", math.inf, 1.0, 0.0, None)


def test_noise_on_nothing_has_no_signal() -> None:
    assert compared(([[0, 0]], [[0, 3]])) == OutputFidelity("y", -math.inf, 0.0, 3.0, 0.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_breaks_an_output_for_good(bad: float) -> None:
    result = compared(([[1, 2]], [[1, bad]]), ([[1, 2]], [[1, 2]]))
    assert (result.sqnr_db, result.cosine, result.max_abs) == (-math.inf, 0.0, math.inf)


def test_a_mask_that_both_models_make_is_no_difference() -> None:
    assert compared(([[1, 2, -math.inf]], [[1, 2, -math.inf]])).sqnr_db == math.inf
    assert compared(([[1, 2, -math.inf]], [[1, 2, math.inf]])).sqnr_db == -math.inf


@pytest.mark.parametrize(("shape", "agreement"), [((4,), None), ((4, 1), None), ((), None), ((2, 2), 1.0)])
def test_agreement_needs_rows_of_two(shape: tuple[int, ...], agreement: float | None) -> None:
    assert compared((np.ones(shape), np.ones(shape))).agreement == agreement


def test_whole_numbers_agree_where_they_are_equal() -> None:
    result = compared(([1, 2, 3, 4], [1, 2, 3, 5]), dtype=np.int64)
    assert result.agreement == 0.75
    assert result.sqnr_db == pytest.approx(10 * math.log10(30))
    assert compared(([True, False], [True, True]), dtype=np.bool_).agreement == 0.5
    unsigned = compared(([0], [255]), dtype=np.uint8)
    assert unsigned.max_abs == 255


def test_every_output_has_its_own_figures() -> None:
    comparison = Comparison(["a", "b"])
    comparison.update([np.ones((1, 2)), np.ones((1, 2))], [np.ones((1, 2)), np.zeros((1, 2))])
    a, b = comparison.result()
    assert (a.name, a.sqnr_db) == ("a", math.inf)
    assert (b.name, b.sqnr_db) == ("b", 0.0)


def test_what_cannot_be_compared_is_one_line() -> None:
    one = np.ones((1, 2))
    with pytest.raises(ModelError, match=r"^output 'y' differs in shape \(\[1, 2\] and \[2, 1\]\)$"):
        compared((one, one.T))
    with pytest.raises(ModelError, match=r"^outputs differ in number \(1 and 2\); compare like models$"):
        Comparison(["y"]).update([one], [one, one])
    with pytest.raises(ModelError, match=r"^output 'y' cannot be compared \(it holds no numbers: <U1\)$"):
        compared((["a"], ["b"]), dtype=np.str_)
