"""Ranges and powers per channel, gathered piece by piece."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.quant import ChannelRange


@given(batches=st.lists(st.integers(0, 4), min_size=1, max_size=5), axis=st.sampled_from([1, 2, -1, -2]))
def test_pieces_give_the_range_of_the_whole(batches: list[int], axis: int) -> None:
    rng = np.random.default_rng(sum(batches))
    pieces = [rng.normal(0.5, 2, (batch, 3, 4)).astype(np.float32) for batch in batches]
    seen = ChannelRange(axis)
    for piece in pieces:
        seen = seen.observe(piece)
    whole = np.concatenate(pieces)
    assert seen.count == whole.size // whole.shape[axis]
    if seen.count:
        others = tuple(i for i in range(3) if i != axis % 3)
        np.testing.assert_array_equal(seen.magnitude, np.abs(whole).max(others))
        np.testing.assert_allclose(seen.power, np.square(whole, dtype=np.float64).mean(others), rtol=1e-5)


@pytest.mark.parametrize("size", [0.0, 1e-25, 1e-3, 3e19])
def test_the_power_of_very_small_and_very_large_values(size: float) -> None:
    array = np.ones((2, 3, 4), np.float32)
    array[:, 1] = size
    np.testing.assert_allclose(ChannelRange(1).observe(array).power, [1, float(np.float32(size)) ** 2, 1], rtol=1e-5)


@given(exponents=st.lists(st.integers(-10, 10), min_size=4, max_size=4))
def test_the_range_once_channels_are_divided(exponents: list[int]) -> None:
    factors = np.exp2(exponents).astype(np.float32)
    array = np.random.default_rng(0).normal(1, 1, (2, 4, 5)).astype(np.float32)
    divided = array / factors[:, None]
    wanted = min(divided.min(), 0), max(divided.max(), 0)
    assert ChannelRange(1).observe(array).divided(factors.tolist()) == wanted


def test_observing_gives_a_new_one() -> None:
    empty = ChannelRange(0)
    empty.observe(np.ones(3, np.float32))
    assert empty == ChannelRange(0)


def test_nothing_seen_has_no_range() -> None:
    empty = ChannelRange(1).observe(np.zeros((0, 3), np.float32))
    for ask in (lambda: empty.magnitude, lambda: empty.power, lambda: empty.divided([1.0])):
        with pytest.raises(ValueError, match="nothing was observed"):
            ask()
