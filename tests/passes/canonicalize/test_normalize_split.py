"""normalize-split: sizes instead of a number of parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.normalize_split import NormalizeSplit
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]
PARTS = "(float[A,B] a, float[A,C] b)"


@pytest.mark.parametrize("size", [8, 7])
def test_a_number_of_parts(check_nodes: CheckNodes, size: int) -> None:
    before = "[cut] a, b = Split <axis = -1, num_outputs = 2> (x)"
    after = "[cut] a, b = Split <axis = 1> (x, cut_sizes)"
    check_nodes(NormalizeSplit(), f"(float[3,{size}] x) => {PARTS}", before, after)


def test_an_axis_from_the_end(check_nodes: CheckNodes) -> None:
    before, after = "a, b = Split <axis = -1> (x, sizes)", "a, b = Split <axis = 1> (x, sizes)"
    check_nodes(NormalizeSplit(), f"(float[3,8] x) => {PARTS}", before, after, sizes=np.array([5, 3]))


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        (f"(float[3,N] x) => {PARTS}", "a, b = Split <axis = 1, num_outputs = 2> (x)"),
        (f"(float[3,8] x) => {PARTS}", "a, b = Split <axis = 1> (x, sizes)"),
    ],
    ids=["unknown-size", "in-form"],
)
def test_it_stays(check_nodes: CheckNodes, interface: str, before: str) -> None:
    check_nodes(NormalizeSplit(), interface, before, None, sizes=np.array([5, 3]))
