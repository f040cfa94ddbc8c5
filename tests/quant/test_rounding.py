"""Rounding for the output of a layer: against brute force, never worse than to nearest, and packed for a plan."""

from __future__ import annotations

import itertools
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.quant import QuantParams, Rounding, pack_steps, round_weights, rounded_codes, weight_params
from qcompile.quant.gptq import gptq

Array = np.ndarray

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 6))
SEEDS = st.integers(0, 2**32 - 1)


def problem(shape: tuple[int, int, int], seed: int) -> tuple[Array, Array, Array]:
    """(exact, nearest, moment) of (groups, channels, K); inputs are correlated, as those of layers are."""
    rng = np.random.default_rng(seed)
    groups, _, inner = shape
    exact = rng.uniform(-127, 127, shape)
    inputs = rng.normal(size=(groups, 50, inner)) + rng.normal(size=(groups, 50, 1))
    return exact, np.rint(exact), np.asarray(inputs.swapaxes(1, 2) @ inputs / 50, np.float32)


def squared_error(codes: Array, exact: Array, moment: Array) -> Array:
    errors = codes - exact
    return np.asarray(np.sum(errors @ moment.astype(np.float64) * errors, axis=-1))


def damped(moment: Array) -> Array:
    """With the 1 % that `round_weights` adds."""
    means = np.diagonal(moment, axis1=1, axis2=2).mean(axis=1)
    return np.asarray(moment + 0.01 * means[:, None, None] * np.eye(moment.shape[-1]))


@given(shape=SHAPES, seed=SEEDS, method=st.sampled_from(Rounding))
def test_never_worse_than_to_nearest(shape: tuple[int, int, int], seed: int, method: Rounding) -> None:
    exact, nearest, moment = problem(shape, seed)
    codes = round_weights(exact, nearest, moment, method)
    assert codes.dtype == np.int8
    assert np.abs(codes.astype(int)).max() <= 127
    before, after = (squared_error(c, exact, damped(moment)) for c in (nearest, codes))
    assert np.all(after <= before * (1 + 1e-5))


@given(shape=SHAPES, seed=SEEDS, method=st.sampled_from(Rounding))
def test_no_single_code_could_be_better(shape: tuple[int, int, int], seed: int, method: Rounding) -> None:
    """Brute force over all changes of one code by one or two."""
    exact, nearest, moment = problem(shape, seed)
    codes = round_weights(exact, nearest, moment, method).astype(float)
    found = squared_error(codes, exact, damped(moment))
    for k, step in itertools.product(range(shape[2]), (-2, -1, 1, 2)):
        other = codes.copy()
        other[..., k] += step
        allowed = np.abs(other[..., k]) <= 127
        better = squared_error(other, exact, damped(moment)) < found * (1 - 1e-4)
        assert not (better & allowed).any()


@pytest.mark.parametrize("method", Rounding)
def test_four_codes_against_all_that_are_near(method: Rounding) -> None:
    """Most of what brute force gains is found, in local minima."""
    exact, nearest, moment = problem((1, 300, 4), 0)
    near = [squared_error(nearest + steps, exact, damped(moment)) for steps in itertools.product((-1, 0, 1), repeat=4)]
    found = squared_error(round_weights(exact, nearest, moment, method), exact, damped(moment))
    best, start = np.min(near, axis=0), squared_error(nearest, exact, damped(moment))
    assert found.mean() - best.mean() < 0.25 * (start.mean() - best.mean())


def test_uncorrelated_inputs_leave_nothing_to_gain() -> None:
    exact, nearest, _ = problem((1, 8, 20), 1)
    for method in Rounding:
        codes = round_weights(exact, nearest, np.eye(20, dtype=np.float32)[None], method)
        np.testing.assert_array_equal(codes, nearest)


@pytest.mark.parametrize("method", Rounding)
def test_gain_on_correlated_inputs(method: Rounding) -> None:
    """Several blocks of coordinates, and the same codes every time."""
    exact, nearest, moment = problem((2, 16, 150), 7)
    codes = round_weights(exact, nearest, moment, method)
    before, after = (squared_error(c, exact, moment).sum() for c in (nearest, codes))
    assert after < 0.8 * before
    np.testing.assert_array_equal(codes, round_weights(exact, nearest, moment, method))


def test_inputs_that_are_always_zero() -> None:
    exact, nearest, _ = problem((2, 3, 4), 2)
    for method in Rounding:
        np.testing.assert_array_equal(round_weights(exact, nearest, np.zeros((2, 4, 4), np.float32), method), nearest)


def test_groups_do_not_mix() -> None:
    """A batch of depthwise channels has the codes that each of them has alone."""
    exact, nearest, moment = problem((6, 1, 9), 3)
    together = round_weights(exact, nearest, moment, Rounding.GPTQ)
    for g in range(6):
        alone = round_weights(exact[g : g + 1], nearest[g : g + 1], moment[g : g + 1], Rounding.GPTQ)
        np.testing.assert_array_equal(alone[0], together[g])


def gptq_as_published(exact: Array, moment: Array) -> Array:
    """One channel, one code after the other, with the inverse of the moment (arXiv 2210.17323, equations 2 and 3)."""
    left, inverse, codes = exact.copy(), np.linalg.inv(moment), np.zeros(len(exact))
    for k in range(len(exact)):
        codes[k] = np.clip(np.rint(left[k]), -127, 127)
        left -= (left[k] - codes[k]) / inverse[k, k] * inverse[:, k]
        inverse -= np.outer(inverse[:, k], inverse[k]) / inverse[k, k]
        inverse[k, k] = 1
    return codes


@pytest.mark.parametrize("inner", [1, 5, 63, 64, 65, 130])
def test_gptq_is_the_published_one(inner: int) -> None:
    exact, _, moment = problem((1, 3, inner), inner)
    matrix = damped(moment)
    limit = np.full((1, inner, 3), 127.0)
    codes = gptq(exact.swapaxes(1, 2), matrix, -limit, limit).swapaxes(1, 2)
    np.testing.assert_array_equal(codes[0], [gptq_as_published(row, matrix[0]) for row in exact[0]])


@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=SEEDS)
def test_what_is_packed_comes_back(shape: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=shape).astype(np.float32)
    params = weight_params(weight, 0)
    nearest = params.quantize(weight)
    codes = np.clip(nearest + rng.integers(-3, 4, shape), -127, 127).astype(np.int8)
    back = rounded_codes(weight, params, pack_steps(codes, nearest))
    assert back.dtype == np.int8
    np.testing.assert_array_equal(back, codes)


def test_without_steps_to_nearest() -> None:
    weight = np.array([0.4, -1.0], np.float32)
    params = weight_params(weight, None)
    np.testing.assert_array_equal(rounded_codes(weight, params, None), params.quantize(weight))


ONE = QuantParams(np.array(1, np.float32), np.array(0, np.int8))


def test_steps_saturate() -> None:
    weight = np.array([127, -127, 3], np.float32)
    steps = zlib.compress(np.array([100, -100, 100], np.int8).tobytes())
    assert rounded_codes(weight, ONE, steps).tolist() == [127, -127, 103]


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (b"", "do not hold 3 numbers"),
        (b"no zlib", "cannot be unpacked"),
        (zlib.compress(bytes(3))[:-2], "do not hold 3 numbers"),
        (zlib.compress(bytes(2)), "do not hold 3 numbers"),
        (zlib.compress(bytes(4)), "do not hold 3 numbers"),
        (zlib.compress(bytes(10_000_000)), "do not hold 3 numbers"),
    ],
    ids=["empty", "garbage", "torn", "too few", "too many", "a bomb"],
)
def test_steps_that_are_none(steps: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rounded_codes(np.zeros(3, np.float32), ONE, steps)
