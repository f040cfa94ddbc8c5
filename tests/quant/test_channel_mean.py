"""Means per channel, gathered piece by piece."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.quant import ChannelMean


@given(
    batches=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    data=st.data(),
)
def test_pieces_give_the_mean_of_the_whole(batches: list[int], shape: list[int], data: st.DataObject) -> None:
    axis = data.draw(st.integers(1, len(shape)))
    if data.draw(st.booleans()):
        axis -= len(shape) + 1
    rng = np.random.default_rng(sum(batches))
    pieces = [rng.normal(5, 2, (batch, *shape)).astype(np.float32) for batch in batches]
    seen = ChannelMean(axis)
    for piece in pieces:
        seen = seen.observe(piece)
    whole = np.concatenate(pieces).astype(np.float64)
    others = tuple(i for i in range(whole.ndim) if i != axis % whole.ndim)
    assert seen.mean.dtype == np.float64
    np.testing.assert_allclose(seen.mean, whole.mean(others), rtol=1e-12)


def test_spatial_sizes_may_differ() -> None:
    """Every position counts the same, so larger samples count more."""
    seen = ChannelMean(1).observe(np.zeros((1, 2, 3, 3), np.float32)).observe(np.ones((1, 2, 1, 1), np.float32))
    np.testing.assert_allclose(seen.mean, [0.1, 0.1])


def test_large_sums_lose_nothing() -> None:
    """float32 would stop counting at 2**24."""
    ones = np.full((1, 1, 1 << 20), 1.1, np.float32)
    seen = ChannelMean(1)
    for _ in range(20):
        seen = seen.observe(ones)
    np.testing.assert_allclose(seen.mean, [np.float32(1.1)], rtol=1e-12)


def test_observing_gives_a_new_one() -> None:
    empty = ChannelMean(0)
    empty.observe(np.ones(3, np.float32))
    assert (empty.total, empty.count) == (None, 0)


def test_nothing_seen_has_no_mean() -> None:
    with pytest.raises(ValueError, match="nothing was observed"):
        _ = ChannelMean(1).mean
    with pytest.raises(ValueError, match="nothing was observed"):
        _ = ChannelMean(1).observe(np.zeros((0, 3), np.float32)).mean
