"""gather-one-hot: rows are looked up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.gather_one_hot import GatherOneHot
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

INDICES = "(int64[2,5] i) => (float[2,5,4] y)"
ARRAYS = {
    "depth": np.array(3),
    "depths": np.array([3]),
    "four": np.array([4]),
    "ends": np.array([0, 1], np.float32),
    "integer_ends": np.array([0, 1]),
    "others": np.array([-1, 1], np.float32),
    "table": np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32),
    "tables": np.random.default_rng(6).normal(size=(2, 3, 4)).astype(np.float32),
}
FEED = {"i": np.array([[0, 1, 2, 3, 9], [-1, -2, -3, -4, -99]])}
"""Indices on every side of the bounds: OneHot gives a row of zeros outside of them."""
LOOKUP = "[y_Clip] y_clip = Clip(i, y_first, y_last) [y] y = Gather(y_rows, y_clip)"


@pytest.mark.parametrize(
    "before",
    [
        "h = OneHot(i, depth, ends) [y] y = MatMul(h, table)",
        "h = OneHot <axis = -1> (i, depths, ends) [y] y = MatMul(h, table)",
        "h = OneHot <axis = 2> (i, depth, ends) [y] y = MatMul(h, table)",
        "o = OneHot(i, depth, integer_ends) h = Cast <to = 1> (o) [y] y = MatMul(h, table)",
    ],
    ids=["tensorflow", "depth-vector", "axis", "pytorch"],
)
def test_it_looks_up(check_nodes: CheckNodes, before: str) -> None:
    check_nodes(GatherOneHot(), INDICES, before, LOOKUP, feed=FEED, **ARRAYS)


def test_the_place_of_a_maximum_lies_in_the_table(check_nodes: CheckNodes) -> None:
    before = "i = ArgMax <axis = -1, keepdims = 0> (x) h = OneHot(i, depth, ends) y = MatMul(h, table)"
    after = "i = ArgMax <axis = -1, keepdims = 0> (x) y = Gather(table, i)"
    interface = "(float[2,5,3] x) => (float[2,5,4] y)"
    check_nodes(GatherOneHot(), interface, before, after, values="int64[2,5] i", **ARRAYS)


@pytest.mark.parametrize(
    ("size", "more", "after", "before"),
    [
        ((2, 5), "", "2,5,4", "h = OneHot(i, depth, others) y = MatMul(h, table)"),
        ((5,), "", "2,5,4", "h = OneHot(i, depth, ends) y = MatMul(h, tables)"),
        ((3,), "", "3,4", "h = OneHot <axis = 0> (i, depth, ends) y = MatMul(h, table)"),
        ((5,), ", float[3,4] table", "5,4", "h = OneHot(i, depth, ends) y = MatMul(h, table)"),
        ((5,), ", int64 depth", "5,4", "h = OneHot(i, depth, ends) y = MatMul(h, table)"),
    ],
    ids=["plus-minus", "batch", "first-axis", "table-input", "depth-input"],
)
def test_it_stays(check_nodes: CheckNodes, size: tuple[int, ...], more: str, after: str, before: str) -> None:
    interface = f"(int64[{','.join(map(str, size))}] i{more}) => (float[{after}] y)"
    feed = {"i": np.resize([0, 2, 1], size)} | {name: ARRAYS[name] for name in ("table", "depth") if name in more}
    assert not check_nodes(GatherOneHot(), interface, before, None, feed=feed, **ARRAYS).declined


def test_it_stays_where_it_is_read_elsewhere_or_the_table_is_large(check_nodes: CheckNodes) -> None:
    feed = {"i": np.array([0, 2])}
    before = "h = OneHot(i, depth, ends) y = MatMul(h, table)"
    interface = "(int64[2] i) => (float[2,4] y, float[2,3] h)"
    assert check_nodes(GatherOneHot(), interface, before, None, feed=feed, **ARRAYS).declined
    large = ARRAYS | {"table": np.ones((3, 6000), np.float32)}
    interface = "(int64[2] i) => (float[2,6000] y)"
    assert check_nodes(GatherOneHot(), interface, before, None, feed=feed, **large).declined
