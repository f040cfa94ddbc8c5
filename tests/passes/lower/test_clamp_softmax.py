"""clamp-softmax: no denormal numbers where a feed has shown them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.lower import ClampSoftmax
from qcompile.pipeline import Context, PassResult
from qcompile.plan import Plan
from qcompile.runtime import run_as_written

CheckRewrite = Callable[..., PassResult]

BEFORE = """<ir_version: 10, opset_import: ["": 21]>
g (float[2,4] x) => (float[2,4] y) <float[2,4] s> { s = Identity(x) [p] y = Softmax <axis = -1> (s) }"""
AFTER = """<ir_version: 10, opset_import: ["": 21]>
g (float[2,4] x) => (float[2,4] y) {
    s = Identity(x)
    [p_ReduceMax] y_reducemax = ReduceMax <keepdims = 1> (s, p_axes)
    [p_Add] y_add = Add(y_reducemax, p_floor)
    [p_Max] y_max = Max(s, y_add)
    [p] y = Softmax <axis = -1> (y_max)
}"""


def _context(feed: dict[str, np.ndarray] | None, *substitutes: str) -> Context:
    return Context(plan=Plan(target="cpu", format="qoperator", substitutes=substitutes), feed=feed, run=run_as_written)


def _feed(lowest: float) -> dict[str, np.ndarray]:
    return {"x": np.array([[0, 1, 2, 3], [0, 1, -2, lowest]], np.float32)}


@pytest.mark.parametrize("lowest", [-90, -1e4, -3.4e38, -np.inf])
def test_far_scores_are_raised(check_rewrite: CheckRewrite, lowest: float) -> None:
    feed = _feed(lowest)
    check_rewrite(ClampSoftmax(), BEFORE, AFTER, feed=feed, context=_context(feed, "clamp-softmax"), tolerance=2e-35)


def test_a_row_of_minus_infinity_keeps_its_meaning(check_rewrite: CheckRewrite) -> None:
    feed = {"x": np.full((2, 4), -np.inf, np.float32)}
    check_rewrite(ClampSoftmax(), BEFORE, AFTER, feed=feed, context=_context(feed, "clamp-softmax"))


@pytest.mark.parametrize(
    ("lowest", "substitutes"), [(-80, ("clamp-softmax",)), (-1e4, ())], ids=["near-scores", "not-in-the-plan"]
)
def test_it_stays(check_rewrite: CheckRewrite, lowest: float, substitutes: tuple[str, ...]) -> None:
    feed = _feed(lowest)
    assert not check_rewrite(ClampSoftmax(), BEFORE, None, feed=feed, context=_context(feed, *substitutes)).declined


def test_without_a_feed_it_declines(check_rewrite: CheckRewrite) -> None:
    assert check_rewrite(ClampSoftmax(), BEFORE, None, context=_context(None, "clamp-softmax")).declined
