"""drop-full-scatter: what overwrites everything is what it writes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize import DropFullScatter
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

ARRAYS = {
    "zero": np.array(0),
    "one": np.array(1),
    "five": np.array(5),
    "first": np.array([0]),
    "last": np.array([-1]),
    "unit": np.array([1]),
    "column": np.array([-1, 1]),
    "row": np.array([1, -1]),
}
INTERFACE = "(float[N,5] x, float[N,5] u) => (float[N,5] y)"
GRID = """s = Shape(x) n = Gather(s, zero) m = Gather(s, one)
    i = Range(zero, n, one) ii = Reshape(i, column) ie = Expand(ii, s) iu = Unsqueeze(ie, last)
    j = Range(zero, {end}, one) {cut} je = Expand({line}, s) ju = Unsqueeze(je, last)
"""
DROPPED = "y = Relu(u)"


def _nodes(scatter: str, end: str = "m", cut: str = "", line: str = "j") -> str:
    return f"{GRID.format(end=end, cut=cut, line=line)} {scatter} y = Relu(z)"


WHOLE = "g = Concat <axis = -1> (iu, ju) z = ScatterND(x, g, u)"


@pytest.mark.parametrize(
    "before",
    [
        _nodes(WHOLE),
        _nodes(WHOLE, end="five"),
        _nodes(WHOLE, cut="m1 = Unsqueeze(m, first) k = Slice(j, first, m1, first, unit)", line="k"),
    ],
    ids=["symbolic", "number", "slice-of-everything"],
)
def test_the_whole_grid_is_dropped(check_nodes: CheckNodes, before: str) -> None:
    check_nodes(DropFullScatter(), INTERFACE, before, DROPPED, **ARRAYS)


@pytest.mark.parametrize(
    "before",
    [
        _nodes('g = Concat <axis = -1> (iu, ju) z = ScatterND <reduction = "add"> (x, g, u)'),
        _nodes(WHOLE, cut="k = Sub(j, j)", line="k"),
        _nodes(WHOLE, cut="k = Sub(j, unit)", line="k"),
    ],
    ids=["reduction", "computed", "shifted"],
)
def test_it_stays(check_nodes: CheckNodes, before: str) -> None:
    check_nodes(DropFullScatter(), INTERFACE, before, None, **ARRAYS)


def test_a_transposed_grid_stays(check_nodes: CheckNodes) -> None:
    """Both axes are five long, but the first part of the indices counts along the second."""
    before = """i = Range(zero, five, one) s = Shape(x) ie = Expand(i, s) iu = Unsqueeze(ie, last)
        jj = Reshape(i, column) je = Expand(jj, s) ju = Unsqueeze(je, last)
        g = Concat <axis = -1> (iu, ju) z = ScatterND(x, g, u) y = Relu(z)"""
    interface = "(float[5,5] x, float[5,5] u) => (float[5,5] y)"
    check_nodes(DropFullScatter(), interface, before, None, **ARRAYS)
