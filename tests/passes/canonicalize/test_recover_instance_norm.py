"""recover-instance-norm: one op for means over the spatial axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.recover_instance_norm import RecoverInstanceNorm
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

IMAGE = "(float[2,3,4,5] x) => (float[2,3,4,5] z)"
RNG = np.random.default_rng(4)
ARRAYS = {
    "hw": np.array([2, 3]),
    "hw_from_end": np.array([-1, -2]),
    "chw": np.array([1, 2, 3]),
    "two": np.array(2, np.float32),
    "eps": np.array(0.125, np.float32),
    "g": RNG.normal(size=(1, 3, 1, 1)).astype(np.float32),
    "b": RNG.normal(size=(3, 1, 1)).astype(np.float32),
    "wide": RNG.normal(size=(5,)).astype(np.float32),
}
BODY = "m = ReduceMean(x, hw) d = Sub(x, m) s = Pow(d, two) v = ReduceMean(s, hw_from_end) e = Add(v, eps) r = Sqrt(e)"
SPLIT = "i = Reciprocal(r) k = Mul(i, g) xk = Mul(x, k) mk = Mul(m, k) c = Sub(b, mk) [z] z = Add(xk, c)"


@pytest.mark.parametrize(
    "before",
    [
        f"{BODY} n = Div(d, r) w = Mul(n, g) [z] z = Add(w, b)",
        f"{BODY} i = Reciprocal(r) n = Mul(d, i) w = Mul(n, g) [z] z = Add(w, b)",
        f"{BODY} {SPLIT}",
        f"{BODY} [z] z = Div(d, r)",
    ],
    ids=["divided", "reciprocal", "tensorflow", "bare"],
)
def test_spellings(check_nodes: CheckNodes, before: str) -> None:
    after = "[z] z = InstanceNormalization <epsilon = 0.125> (x, z_scale, z_bias)"
    check_nodes(RecoverInstanceNorm(), IMAGE, before, after, **ARRAYS)


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        (IMAGE, BODY.replace("hw_from_end", "hw").replace("hw", "chw") + " z = Div(d, r)"),
        (IMAGE.replace(" z)", " z, float[2,3,4,5] d)"), f"{BODY} z = Div(d, r)"),
        (IMAGE.replace("3", "C"), f"{BODY} z = Div(d, r)"),
        (IMAGE.replace("float", "double"), f"{BODY} z = Div(d, r)"),
    ],
    ids=["channels-too", "read-elsewhere", "channels-unknown", "double"],
)
def test_it_stays(check_nodes: CheckNodes, interface: str, before: str) -> None:
    arrays = ARRAYS
    if "double" in interface:
        arrays = {name: a if a.dtype == np.int64 else a.astype(np.float64) for name, a in ARRAYS.items()}
    check_nodes(RecoverInstanceNorm(), interface, before, None, **arrays)


def test_a_factor_along_another_axis_stays_behind_it(check_nodes: CheckNodes) -> None:
    before = f"{BODY} [n] n = Div(d, r) z = Mul(n, wide)"
    after = "[n] n = InstanceNormalization <epsilon = 0.125> (x, n_scale, n_bias) z = Mul(n, wide)"
    check_nodes(RecoverInstanceNorm(), IMAGE, before, after, **ARRAYS)
