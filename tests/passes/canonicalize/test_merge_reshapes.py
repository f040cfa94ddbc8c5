"""merge-reshapes: the last shape counts, as long as its zeros are understood."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.merge_reshapes import MergeReshapes
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

X = "(float[2,3,4] x) => (float[a,b] z)"
ARRAYS = {
    "rows": np.array([6, -1]),
    "flat": np.array([-1]),
    "kept": np.array([0, -1]),
    "back": np.array([0, 0]),
    "axes": np.array([0]),
}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("y = Reshape(x, flat) z = Reshape(y, rows)", "z = Reshape(x, rows)"),
        ("y = Flatten(x) z = Reshape(y, rows)", "z = Reshape(x, rows)"),
        ("y = Unsqueeze(x, axes) z = Reshape(y, rows)", "z = Reshape(x, rows)"),
        (
            "u = Unsqueeze(x, axes) y = Squeeze(u, axes) z = Reshape(y, rows)",
            "u = Unsqueeze(x, axes) z = Reshape(u, rows)",
        ),
        ("u = Reshape(x, flat) y = Reshape(u, rows) z = Reshape(y, rows)", "z = Reshape(x, rows)"),
    ],
)
def test_the_last_shape_counts(check_nodes: CheckNodes, before: str, after: str) -> None:
    check_nodes(MergeReshapes(), X, before, after, **ARRAYS)


def test_a_zero_that_reaches_through(check_nodes: CheckNodes) -> None:
    before = "y = Reshape(x, kept) z = Reshape(y, kept)"
    check_nodes(MergeReshapes(), "(float[N,3,4] x) => (float[N,12] z)", before, "z = Reshape(x, kept)", **ARRAYS)
    before = "y = Flatten(x) z = Reshape(y, kept)"
    check_nodes(MergeReshapes(), "(float[N,3,4] x) => (float[N,12] z)", before, "z = Reshape(x, kept)", **ARRAYS)


def test_a_zero_for_a_known_dimension(check_nodes: CheckNodes) -> None:
    before, after = "y = Reshape(x, rows) z = Reshape(y, back)", "z = Reshape(x, back_merged)"
    check_nodes(MergeReshapes(), X, before, after, values="float[6,4] y", **ARRAYS)


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        (X, "y = Reshape(x, rows) z = Reshape(y, back)"),
        ("(float[2,3,4] x) => (float[a,b] z, float[c] y)", "y = Reshape(x, flat) z = Reshape(y, rows)"),
        ("(float[2,3,4] x) => (float[a,b] z, float[c] u)", "y = Reshape(x, flat) z = Reshape(y, rows) u = Relu(y)"),
        ("(float[2,3,4] x, int64[2] rows) => (float[a,b] z)", "y = Reshape(x, flat) z = Reshape(y, rows)"),
    ],
    ids=["zero-for-unknown", "output", "second-reader", "overridable"],
)
def test_it_stays_and_says_why(check_nodes: CheckNodes, interface: str, before: str) -> None:
    feed = {"x": np.arange(24, dtype="float32").reshape(2, 3, 4)}
    assert check_nodes(MergeReshapes(), interface, before, None, feed=feed, **ARRAYS).declined


def test_something_between_them(check_nodes: CheckNodes) -> None:
    check_nodes(MergeReshapes(), X, "y = Reshape(x, flat) u = Relu(y) z = Reshape(u, rows)", None, **ARRAYS)
