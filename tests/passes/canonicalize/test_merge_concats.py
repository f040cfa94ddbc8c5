"""merge-concats: one Concat instead of several on the same axis."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.canonicalize.merge_concats import MergeConcats
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

TWO = "(float[2,3] a, float[2,4] b) => (float[2,D] y)"
KNOWN = "float[2,7] t, float[2,11] u"


def test_three_in_a_row(check_nodes: CheckNodes) -> None:
    before = "t = Concat <axis = -1> (a, b) u = Concat <axis = 1> (b, t) y = Concat <axis = -1> (u, a)"
    check_nodes(MergeConcats(), TWO, before, "y = Concat <axis = 1> (b, a, b, a)", values=KNOWN)


def test_an_axis_from_the_end(check_nodes: CheckNodes) -> None:
    check_nodes(MergeConcats(), TWO, "y = Concat <axis = -1> (a, b)", "y = Concat <axis = 1> (a, b)")


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        ("(float[2,3] a, float[4,6] b) => (float[6,6] y)", "t = Concat <axis = 1> (a, a) y = Concat <axis = 0> (t, b)"),
        (
            "(float[2,3] a, float[2,4] b) => (float[2,10] y, float[2,7] z)",
            "t = Concat <axis = 1> (a, b) y = Concat <axis = 1> (t, a) z = Relu(t)",
        ),
        ("(float[2,3] a) => (float[2,6] t, float[2,9] y)", "t = Concat <axis = 1> (a, a) y = Concat <axis = 1> (t, a)"),
    ],
    ids=["another-axis", "second-reader", "output"],
)
def test_they_stay(check_nodes: CheckNodes, interface: str, before: str) -> None:
    check_nodes(MergeConcats(), interface, before, None)
