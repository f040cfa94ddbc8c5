"""merge-slices: pieces that make up a whole come from one Split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.merge_slices import MergeSlices
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

NUMBERS = {f"n{number}": np.array([number]) for number in (0, 1, 2, 3, 4, 8)}
ROWS = "(float[8,3] x) => (float[A,3] u, float[B,3] v)"


def test_two_halves(check_nodes: CheckNodes) -> None:
    before = "[a] p = Slice(x, n0, n4, n0) u = Relu(p) [b] q = Slice(x, n4, n8, n0) v = Neg(q)"
    after = "[a_split] p, q = Split <axis = 0> (x, a_sizes) u = Relu(p) v = Neg(q)"
    check_nodes(MergeSlices(), ROWS, before, after, **NUMBERS)


def test_unequal_parts_in_any_order_that_are_outputs(check_nodes: CheckNodes) -> None:
    interface = "(float[2,8] x) => (float[2,5] u, float[2,3] v, float[2,8] w)"
    before = "w = Neg(x) [a] u = Slice(x, n3, n8, n1) [b] v = Slice(x, n0, n3, n1)"
    after = "w = Neg(x) [a_split] v, u = Split <axis = 1> (x, a_sizes)"
    check_nodes(MergeSlices(), interface, before, after, **NUMBERS)


def test_along_one_axis_while_others_cut_another(check_nodes: CheckNodes) -> None:
    interface = "(float[8,3] x) => (float[4,3] u, float[4,3] v, float[8,1] w)"
    before = "[a] u = Slice(x, n0, n4, n0) w = Slice(x, n0, n1, n1) [b] v = Slice(x, n4, n8, n0)"
    after = "[a_split] u, v = Split <axis = 0> (x, a_sizes) w = Slice(x, n0, n1, n1)"
    check_nodes(MergeSlices(), interface, before, after, **NUMBERS)


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        (ROWS, "u = Slice(x, n0, n4, n0) v = Slice(x, n3, n8, n0)"),
        (ROWS, "u = Slice(x, n0, n3, n0) v = Slice(x, n4, n8, n0)"),
        (ROWS, "u = Slice(x, n0, n4, n0) v = Slice(x, n4, n8, n0, n2)"),
        (ROWS, "u = Slice(x, n0, n4, n0) v = Slice(x, n0, n4, n0)"),
        ("(float[N,3] x) => (float[A,3] u, float[B,3] v)", "u = Slice(x, n0, n4, n0) v = Slice(x, n4, n8, n0)"),
    ],
    ids=["overlap", "gap", "steps", "twice-the-same", "unknown-size"],
)
def test_they_stay(check_nodes: CheckNodes, interface: str, before: str) -> None:
    check_nodes(MergeSlices(), interface, before, None, **NUMBERS)
