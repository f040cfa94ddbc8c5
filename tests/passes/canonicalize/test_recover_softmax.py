"""recover-softmax: one op for exponentials over their sum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.recover_softmax import RecoverSoftmax
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

SCORES = "(float[2,3,5] x) => (float[2,3,5] z)"
AXES = {"last": np.array([-1]), "third": np.array([2]), "second": np.array([1]), "both": np.array([1, 2])}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "m = ReduceMax(x, last) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, last) z = Div(e, s)",
            "z = Softmax <axis = -1> (x)",
        ),
        (
            "m = ReduceMax(x, third) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, last) z = Div(e, s)",
            "z = Softmax <axis = -1> (x)",
        ),
        (
            "m = ReduceMax(x, second) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, second) z = Div(e, s)",
            "z = Softmax <axis = 1> (x)",
        ),
        (
            "m = ReduceMax(x, last) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, last) r = Reciprocal(s) z = Mul(e, r)",
            "z = Softmax <axis = -1> (x)",
        ),
        ("e = Exp(x) s = ReduceSum(e, last) z = Div(e, s)", "z = Softmax <axis = -1> (x)"),
        (
            "m = ReduceMax(x, last) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, last) l = Log(s) z = Sub(d, l)",
            "z = LogSoftmax <axis = -1> (x)",
        ),
    ],
    ids=["last", "spelled-differently", "second", "reciprocal", "no-maximum", "log"],
)
def test_recovered(check_nodes: CheckNodes, before: str, after: str) -> None:
    check_nodes(RecoverSoftmax(), SCORES, before, after, **AXES)


@pytest.mark.parametrize(("kind", "tolerance"), [("float16", 2e-3), ("double", 1e-6)])
def test_other_types(check_nodes: CheckNodes, kind: str, tolerance: float) -> None:
    before = "m = ReduceMax(x, last) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, last) z = Div(e, s)"
    interface = SCORES.replace("float", kind)
    check_nodes(RecoverSoftmax(), interface, before, "z = Softmax <axis = -1> (x)", tolerance=tolerance, **AXES)


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        (SCORES, "e = Exp(x) s = ReduceSum(e, both) z = Div(e, s)"),
        (SCORES, "e = Exp(x) s = ReduceSum(e, last) z = Div(s, e)"),
        (SCORES, "e = Exp(x) f = Abs(x) s = ReduceSum(e, last) z = Div(f, s)"),
        ("(float[5,5] x) => (float[5,5] z)", "e = Exp(x) s = ReduceSum <keepdims = 0> (e, last) z = Div(e, s)"),
    ],
    ids=["two-axes", "inverted", "other-numerator", "dropped-axis"],
)
def test_other_formulas_stay(check_nodes: CheckNodes, interface: str, before: str) -> None:
    assert not check_nodes(RecoverSoftmax(), interface, before, None, **AXES).declined


def test_a_shift_by_something_else_stays(check_nodes: CheckNodes) -> None:
    before = "m = ReduceMax(x, second) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, last) z = Div(e, s)"
    after = "m = ReduceMax(x, second) d = Sub(x, m) z = Softmax <axis = -1> (d)"
    check_nodes(RecoverSoftmax(), SCORES, before, after, values="float[2,3,5] d", **AXES)


def test_an_exponential_that_is_read_elsewhere_stays(check_nodes: CheckNodes) -> None:
    before = "e = Exp(x) s = ReduceSum(e, last) z = Div(e, s)"
    interface = SCORES.replace(" z)", " z, float[2,3,5] e)")
    assert check_nodes(RecoverSoftmax(), interface, before, None, **AXES).declined
