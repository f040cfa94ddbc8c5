"""recover-layer-norm: one op for what exporters spell with means and roots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.recover_layer_norm import RecoverLayerNorm
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

TOKENS = "(float[2,5,8] x) => (float[2,5,8] z)"
RNG = np.random.default_rng(3)
ARRAYS = {
    "last": np.array([-1]),
    "third": np.array([2]),
    "second": np.array([1]),
    "two": np.array(2, np.float32),
    "eps": np.array(0.125, np.float32),
    "one": np.array(1, np.float32),
    "half": np.array(0.5, np.float32),
    "minus_half": np.array(-0.5, np.float32),
    "g": RNG.normal(size=8).astype(np.float32),
    "b": RNG.normal(size=8).astype(np.float32),
    "g3": RNG.normal(size=(1, 1, 8)).astype(np.float32),
    "rows": RNG.normal(size=(5, 8)).astype(np.float32),
}
ATTRIBUTES = "<axis = -1, epsilon = 0.125>"
CENTRED = "m = ReduceMean(x, last) d = Sub(x, m)"
VARIANCE = "s = Pow(d, two) v = ReduceMean(s, last) e = Add(v, eps)"
VECTORS = "w = Mul(n, g) z = Add(w, b)"


def check(check_nodes: CheckNodes, before: str, after: str | None, interface: str = TOKENS) -> PassResult:
    return check_nodes(RecoverLayerNorm(), interface, before, after, **ARRAYS)


@pytest.mark.parametrize(
    "before",
    [
        f"{CENTRED} {VARIANCE} r = Sqrt(e) n = Div(d, r) {VECTORS}",
        f"m = ReduceMean(x, last) d = Sub(x, m) d2 = Sub(x, m) s = Pow(d2, two) v = ReduceMean(s, last)"
        f" e = Add(eps, v) r = Sqrt(e) n = Div(d, r) {VECTORS}",
        f"m = ReduceMean(x, third) d = Sub(x, m) s = Mul(d, d) v = ReduceMean(s, last) e = Add(v, eps)"
        f" r = Sqrt(e) n = Div(d, r) {VECTORS}",
        f"{CENTRED} {VARIANCE} r = Sqrt(e) i = Reciprocal(r) n = Mul(d, i) {VECTORS}",
        f"{CENTRED} {VARIANCE} r = Sqrt(e) i = Div(one, r) n = Mul(i, d) {VECTORS}",
        f"{CENTRED} {VARIANCE} i = Pow(e, minus_half) n = Mul(d, i) {VECTORS}",
        f"{CENTRED} {VARIANCE} r = Pow(e, half) n = Div(d, r) {VECTORS}",
        f"{CENTRED} {VARIANCE} r = Sqrt(e) n = Div(d, r) w = Mul(g, n) z = Add(b, w)",
        f"{CENTRED} {VARIANCE} r = Sqrt(e) i = Reciprocal(r) k = Mul(i, g) w = Mul(d, k) z = Add(w, b)",
        "m = ReduceMean(x, last) d = Sub(x, m) s = Mul(d, d) v = ReduceMean(s, last) e = Add(v, eps) r = Sqrt(e)"
        " i = Reciprocal(r) k = Mul(i, g) xk = Mul(x, k) mk = Mul(m, k) c = Sub(b, mk) z = Add(xk, c)",
    ],
    ids=[
        "pytorch",
        "deviation-twice",
        "multiplied",
        "reciprocal",
        "one-over",
        "rsqrt",
        "pow-half",
        "commuted",
        "scaled-inverse",
        "tensorflow",
    ],
)
def test_spellings(check_nodes: CheckNodes, before: str) -> None:
    check(check_nodes, before, f"z = LayerNormalization {ATTRIBUTES} (x, g, b)")


NORMALIZED = f"{CENTRED} {VARIANCE} r = Sqrt(e)"
BY_INVERSE = f"{CENTRED} {VARIANCE} r = Sqrt(e) [i] i = Reciprocal(r)"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{NORMALIZED} [n] z = Div(d, r)", "[n] z = LayerNormalization {} (x, n_scale)"),
        (f"{NORMALIZED} n = Div(d, r) z = Mul(n, g)", "z = LayerNormalization {} (x, g)"),
        (f"{NORMALIZED} n = Div(d, r) [a] z = Add(n, b)", "[a] z = LayerNormalization {} (x, a_scale, b)"),
        (f"{NORMALIZED} n = Div(d, r) [w] z = Mul(n, g3)", "[w] z = LayerNormalization {} (x, w_scale)"),
        (
            f"{BY_INVERSE} xi = Mul(x, i) mi = Mul(m, i) [z] z = Sub(xi, mi)",
            "[z] z = LayerNormalization {} (x, z_scale)",
        ),
        (
            f"{NORMALIZED} n = Div(d, r) w = Mul(n, g) y = Add(w, b) z = Add(y, rows)",
            "y = LayerNormalization {} (x, g, b) z = Add(y, rows)",
        ),
        (
            f"{NORMALIZED} [n] n = Div(d, r) z = Mul(n, rows)",
            "[n] n = LayerNormalization {} (x, n_scale) z = Mul(n, rows)",
        ),
    ],
    ids=["bare", "scale", "bias", "leading-ones", "apart", "add-behind", "mul-of-rows"],
)
def test_scale_and_bias(check_nodes: CheckNodes, before: str, after: str) -> None:
    check(check_nodes, before, after.format(ATTRIBUTES))


def test_scale_and_bias_from_a_caller(check_nodes: CheckNodes) -> None:
    interface = "(float[2,5,8] x, float[8] p, float[8] q) => (float[2,5,8] z)"
    before = f"{NORMALIZED} n = Div(d, r) w = Mul(n, p) z = Add(w, q)"
    check(check_nodes, before, f"z = LayerNormalization {ATTRIBUTES} (x, p, q)", interface)


def test_one_behind_the_other(check_nodes: CheckNodes) -> None:
    before = f"{NORMALIZED} n = Div(d, r) w = Mul(n, g) y = Add(w, b) m2 = ReduceMean(y, last) d2 = Sub(y, m2)"
    before += " s2 = Mul(d2, d2) v2 = ReduceMean(s2, last) e2 = Add(v2, eps) r2 = Sqrt(e2) n2 = Div(d2, r2)"
    after = f"y = LayerNormalization {ATTRIBUTES} (x, g, b) z = LayerNormalization {ATTRIBUTES} (y, g)"
    check_nodes(RecoverLayerNorm(), TOKENS, f"{before} z = Mul(n2, g)", after, values="float[2,5,8] y", **ARRAYS)


@pytest.mark.parametrize(("kind", "dtype", "tolerance"), [("float16", np.float16, 1e-2), ("double", np.float64, 1e-5)])
def test_other_types(check_nodes: CheckNodes, kind: str, dtype: type, tolerance: float) -> None:
    arrays = {name: a if a.dtype == np.int64 else a.astype(dtype) for name, a in ARRAYS.items()}
    before, after = f"{NORMALIZED} n = Div(d, r) {VECTORS}", f"z = LayerNormalization {ATTRIBUTES} (x, g, b)"
    interface = TOKENS.replace("float", kind)
    check_nodes(RecoverLayerNorm(), interface, before, after, tolerance=tolerance, **arrays)


@pytest.mark.parametrize(
    "before",
    [
        "m = ReduceMean(x, second) d = Sub(x, m) s = Mul(d, d) v = ReduceMean(s, second) e = Add(v, eps) r = Sqrt(e)"
        " z = Div(d, r)",
        "s = Mul(x, x) v = ReduceMean(s, last) e = Add(v, eps) r = Sqrt(e) z = Div(x, r)",
        "m = ReduceMean(x, second) d = Sub(x, m) s = Mul(d, d) v = ReduceMean(s, last) e = Add(v, eps) r = Sqrt(e)"
        " z = Div(d, r)",
        f"{CENTRED} {VARIANCE} r = Sqrt(e) z = Div(x, r)",
        f"{CENTRED} s = Pow(d, two) v = ReduceMean(s, last) r = Sqrt(v) z = Div(d, r)",
    ],
    ids=["other-axis", "rms-norm", "axes-differ", "not-centred", "no-epsilon"],
)
def test_other_formulas_stay(check_nodes: CheckNodes, before: str) -> None:
    assert not check(check_nodes, before, None).declined


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        ("(float[2,5,8] x) => (float[2,5,8] z, float[2,5,8] d)", f"{NORMALIZED} n = Div(d, r) {VECTORS}"),
        ("(float[2,5,8] x) => (float[2,5,8] z, float[2,5,1] r)", f"{NORMALIZED} n = Div(d, r) {VECTORS}"),
        ("(float[2,5,N] x) => (float[2,5,N] z)", f"{NORMALIZED} z = Div(d, r)"),
    ],
    ids=["deviation-is-output", "root-is-output", "length-unknown"],
)
def test_it_stays(check_nodes: CheckNodes, interface: str, before: str) -> None:
    check(check_nodes, before, None, interface)
