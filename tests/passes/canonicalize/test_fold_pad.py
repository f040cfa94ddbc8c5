"""fold-pad: zeros around an image go into the op behind, where they mean the same there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.fold_pad import FoldPad
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

IMAGE = "(float[1,2,6,6] x) => (float[A,B,C,D] z)"
BORDER = {"p": np.array([0, 0, 1, 0, 0, 0, 1, 2]), "sides": np.array([1, 0, 1, 2]), "axes": np.array([2, -1])}
NUMBERS = {name: np.array(number, np.float32) for name, number in {"zero": 0, "one": 1, "low": -np.inf}.items()}
WEIGHTS = {"w": np.random.default_rng(1).normal(size=(3, 2, 3, 3)).astype("float32")}
GIVEN = {**BORDER, **NUMBERS, **WEIGHTS}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("y = Pad(x, p) z = Conv <pads = [0,0,0,0]> (y, w)", "z = Conv <pads = [1,0,1,2]> (x, w)"),
        ("y = Pad(x, p, zero) z = Conv <pads = [1,1,1,1]> (y, w)", "z = Conv <pads = [2,1,2,3]> (x, w)"),
        ("y = Pad(x, sides, , axes) z = Conv <pads = [0,0,0,0]> (y, w)", "z = Conv <pads = [1,0,1,2]> (x, w)"),
    ],
    ids=["no-value", "onto-its-own", "some-axes"],
)
def test_a_convolution_pads_with_zeros(check_nodes: CheckNodes, before: str, after: str) -> None:
    check_nodes(FoldPad(), IMAGE, before, after, **GIVEN)


POOL = "kernel_shape = [3,3], strides = [2,2], pads ="


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"y = Pad(x, p, low) z = MaxPool <{POOL} [0,0,0,0]> (y)", f"z = MaxPool <{POOL} [1,0,1,2]> (x)"),
        (
            f"r = Relu(x) y = Pad(r, p) z = MaxPool <{POOL} [0,0,0,0]> (y)",
            f"r = Relu(x) z = MaxPool <{POOL} [1,0,1,2]> (r)",
        ),
        (
            f"r = Clip(x, one) y = Pad(r, p) z = MaxPool <{POOL} [1,0,0,0]> (y)",
            f"r = Clip(x, one) z = MaxPool <{POOL} [2,0,1,2]> (r)",
        ),
        (
            f"y = Pad(x, p) z = AveragePool <{POOL} [0,0,0,0]> (y)",
            f"z = AveragePool <{POOL} [1,0,1,2], count_include_pad = 1> (x)",
        ),
        (
            f"y = Pad(x, p) z = AveragePool <{POOL} [1,0,0,0], count_include_pad = 1> (y)",
            f"z = AveragePool <{POOL} [2,0,1,2], count_include_pad = 1> (x)",
        ),
    ],
    ids=["max-of-infinity", "max-behind-relu", "max-behind-clip", "average", "average-that-counts"],
)
def test_pools(check_nodes: CheckNodes, before: str, after: str) -> None:
    check_nodes(FoldPad(), IMAGE, before, after, values="float[1,2,6,6] r", **GIVEN)


CONV = "z = Conv <pads = [0,0,0,0]> (y, w)"


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (f"y = Pad(x, p, one) {CONV}", "zeros"),
        (f'y = Pad <mode = "reflect"> (x, p) {CONV}', "reflect"),
        (f"y = Pad(x, cut) {CONV}", "cuts"),
        (f"y = Pad(x, batch) {CONV}", "batch"),
        ('y = Pad(x, p) z = Conv <auto_pad = "SAME_UPPER"> (y, w)', "not numbers"),
        ("y = Pad(x, p) z = MaxPool <kernel_shape = [3,3], pads = [0,0,0,0]> (y)", "negative"),
        ("y = Pad(x, p, low) z = MaxPool <kernel_shape = [2,2], pads = [0,0,0,0]> (y)", "kernel"),
        ("y = Pad(x, p, low) z = MaxPool <kernel_shape = [3,3], ceil_mode = 1, pads = [0,0,0,0]> (y)", "rounds"),
        ("y = Pad(x, p) z = AveragePool <kernel_shape = [3,3], pads = [1,1,1,1]> (y)", "count"),
    ],
)
def test_it_stays_and_says_why(check_nodes: CheckNodes, before: str, why: str) -> None:
    more = {"cut": np.array([0, 0, -1, 0, 0, 0, 0, 0]), "batch": np.array([1, 0, 1, 0, 0, 0, 0, 0])}
    declined = check_nodes(FoldPad(), IMAGE, before, None, **GIVEN, **more).declined
    assert why in declined[0][1].detail


def test_a_pad_that_others_read_is_none_of_its_business(check_nodes: CheckNodes) -> None:
    interface, before = (
        "(float[1,2,6,6] x) => (float[A,B,C,D] z, float[A,B,E,F] u)",
        f"y = Pad(x, p) {CONV} u = Relu(y)",
    )
    assert not check_nodes(FoldPad(), interface, before, None, **GIVEN).declined


def test_computed_pads_stay(check_nodes: CheckNodes) -> None:
    interface = "(float[1,2,6,6] x, int64[8] q) => (float[A,B,C,D] z)"
    feed = {"x": np.ones((1, 2, 6, 6), "float32"), "q": np.zeros(8, "int64")}
    assert check_nodes(FoldPad(), interface, f"y = Pad(x, q) {CONV}", None, feed=feed, **WEIGHTS).declined
