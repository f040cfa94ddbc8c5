"""recover-gelu: one op for the formulas with erf and with tanh."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.recover_gelu import RecoverGelu
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]
CheckRewrite = Callable[..., PassResult]

FLAT = "(float[2,64] x) => (float[2,64] z)"
NUMBERS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "half": 0.5,
    "root2": 1.4142135,
    "inverse_root2": 0.70710677,
    "cubic": 0.044715,
    "slope": 0.7978846,
    "cubic_slope": 0.044715 * math.sqrt(2 / math.pi),
}
BY_TANH = 'z = Gelu <approximate = "tanh"> (x)'


def numbers(dtype: type = np.float32) -> dict[str, np.ndarray]:
    return {name: np.array(number, dtype) for name, number in NUMBERS.items()}


@pytest.mark.parametrize(
    "before",
    [
        "a = Div(x, root2) b = Erf(a) c = Add(b, one) d = Mul(x, c) z = Mul(d, half)",
        "a = Div(x, root2) b = Erf(a) c = Add(b, one) d = Mul(x, half) z = Mul(d, c)",
        "a = Mul(x, inverse_root2) b = Erf(a) c = Add(one, b) d = Mul(half, c) z = Mul(x, d)",
        "h = Mul(half, x) a = Mul(x, inverse_root2) b = Erf(a) c = Add(b, one) z = Mul(h, c)",
        "a = Div(x, root2) b = Erf(a) c = Add(b, one) d = Mul(c, x) z = Div(d, two)",
        "a = Div(x, root2) b = Erf(a) c = Mul(b, half) d = Add(c, half) z = Mul(x, d)",
    ],
    ids=["pytorch", "half-before", "tensorflow", "half-first", "divided-by-2", "distributed"],
)
def test_by_erf(check_nodes: CheckNodes, before: str) -> None:
    check_nodes(RecoverGelu(), FLAT, before, "z = Gelu(x)", **numbers())


@pytest.mark.parametrize("cube", ["p = Pow(x, three)", "q = Mul(x, x) p = Mul(q, x)"], ids=["pow", "mul"])
@pytest.mark.parametrize(
    "outside",
    [
        "t = Tanh(i) c = Add(t, one) d = Mul(x, c) z = Mul(d, half)",
        "h = Mul(x, half) t = Tanh(i) c = Add(one, t) z = Mul(h, c)",
        "t = Tanh(i) c = Add(t, one) d = Mul(half, c) z = Mul(d, x)",
    ],
    ids=["half-last", "half-first", "half-inside"],
)
def test_by_tanh(check_nodes: CheckNodes, cube: str, outside: str) -> None:
    before = f"{cube} s = Mul(p, cubic) u = Add(x, s) i = Mul(u, slope) {outside}"
    check_nodes(RecoverGelu(), FLAT, before, BY_TANH, **numbers())


@pytest.mark.parametrize(
    "inside",
    [
        "l = Mul(x, slope) q = Mul(cubic, x) r = Mul(q, x) s = Add(r, one) i = Mul(l, s)",
        "l = Mul(slope, x) p = Pow(x, three) s = Mul(p, cubic_slope) i = Add(l, s)",
    ],
    ids=["factored", "expanded"],
)
def test_other_forms_of_the_polynomial(check_nodes: CheckNodes, inside: str) -> None:
    before = f"{inside} t = Tanh(i) c = Add(t, one) h = Mul(x, half) z = Mul(h, c)"
    check_nodes(RecoverGelu(), FLAT, before, BY_TANH, **numbers())


def test_x_is_itself_scaled(check_nodes: CheckNodes) -> None:
    before = "y = Mul(x, two) a = Div(y, root2) b = Erf(a) c = Add(b, one) d = Mul(y, c) z = Mul(d, half)"
    check_nodes(RecoverGelu(), FLAT, before, "y = Mul(x, two) z = Gelu(y)", values="float[2,64] y", **numbers())


def test_the_result_is_scaled_further(check_nodes: CheckNodes) -> None:
    before = "a = Div(x, root2) b = Erf(a) c = Add(b, one) d = Mul(x, c) e = Mul(d, half) z = Mul(e, three)"
    check_nodes(RecoverGelu(), FLAT, before, "e = Gelu(x) z = Mul(e, three)", **numbers())


@pytest.mark.parametrize(("kind", "dtype", "tolerance"), [("float16", np.float16, 5e-3), ("double", np.float64, 1e-5)])
def test_other_types(check_nodes: CheckNodes, kind: str, dtype: type, tolerance: float) -> None:
    before = "p = Pow(x, three) s = Mul(p, cubic) u = Add(x, s) i = Mul(u, slope) "
    before += "t = Tanh(i) c = Add(t, one) d = Mul(x, c) z = Mul(d, half)"
    interface = f"({kind}[2,64] x) => ({kind}[2,64] z)"
    check_nodes(RecoverGelu(), interface, before, BY_TANH, tolerance=tolerance, **numbers(dtype))


CONTRIB = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]> g (float[2,64] x) => (float[2,64] z) {{ {} }}'


@pytest.mark.parametrize(("op", "after"), [("Gelu", "z = Gelu(x)"), ("FastGelu", BY_TANH)])
def test_contributed_operators(check_rewrite: CheckRewrite, op: str, after: str) -> None:
    step, wanted = RecoverGelu(), 'approximate = "none"' if op == "Gelu" else 'approximate = "tanh"'
    before = CONTRIB.format(f"z = com.microsoft.{op}(x)")
    check_rewrite(step, before, CONTRIB.format(f"z = Gelu <{wanted}> (x)" if op == "Gelu" else after), tolerance=1e-3)


def test_a_contributed_operator_with_a_bias_stays(check_rewrite: CheckRewrite) -> None:
    before = CONTRIB.format("z = com.microsoft.FastGelu(x, b)").replace("z) {", "z) <float[64] b> {")
    assert check_rewrite(RecoverGelu(), before, None, b=np.ones(64, np.float32)).declined


@pytest.mark.parametrize(
    "before",
    [
        "a = Div(x, two) b = Erf(a) c = Add(b, one) d = Mul(x, c) z = Mul(d, half)",
        "a = Div(x, root2) b = Erf(a) c = Add(b, one) z = Mul(x, c)",
        "a = Div(x, root2) b = Erf(a) c = Sub(one, b) d = Mul(x, c) z = Mul(d, half)",
        "a = Div(x, root2) b = Erf(a) c = Add(b, one) z = Mul(c, half)",
        "z = Erf(x)",
        "t = Tanh(x) c = Add(t, one) d = Mul(x, c) z = Mul(d, half)",
    ],
    ids=["other-scale", "not-halved", "complement", "distribution", "alone", "no-cube"],
)
def test_other_formulas_stay(check_nodes: CheckNodes, before: str) -> None:
    assert not check_nodes(RecoverGelu(), FLAT, before, None, **numbers()).declined


def test_the_gate_of_another_value_stays(check_nodes: CheckNodes) -> None:
    before = "a = Div(x, root2) b = Erf(a) c = Add(b, one) d = Mul(y, c) z = Mul(d, half)"
    check_nodes(RecoverGelu(), "(float[2] x, float[2] y) => (float[2] z)", before, None, **numbers())


def test_a_formula_that_is_read_inside_stays(check_nodes: CheckNodes) -> None:
    before = "a = Div(x, root2) b = Erf(a) c = Add(b, one) d = Mul(x, c) z = Mul(d, half)"
    interface = "(float[2] x) => (float[2] z, float[2] a)"
    assert check_nodes(RecoverGelu(), interface, before, None, **numbers()).declined
