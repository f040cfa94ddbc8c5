"""recover-hard-swish: one op for what exporters spell with Clip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.recover_hard_swish import RecoverHardSwish
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

FLAT = "(float[64] x) => (float[64] z)"
NUMBERS = {"zero": 0, "one": 1, "two": 2, "three": 3, "six": 6, "sixth": 1 / 6, "half": 0.5, "fifth": 0.2, "minus": -3}


def numbers(dtype: type = np.float32) -> dict[str, np.ndarray]:
    return {name: np.array(number, dtype) for name, number in NUMBERS.items()} | {"ones": np.ones(1, dtype)}


@pytest.mark.parametrize(
    "before",
    [
        "a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) z = Div(c, six)",
        "a = Add(x, three) b = Clip(a, zero, six) c = Div(b, six) z = Mul(x, c)",
        "a = Add(three, x) b = Clip(a, zero, six) c = Mul(sixth, b) z = Mul(c, x)",
        "a = Add(x, three) b = Clip(a, zero, six) s = Mul(x, sixth) z = Mul(b, s)",
        "a = Sub(x, minus) b = Clip(a, zero, six) c = Mul(b, x) z = Mul(c, sixth)",
        "a = Div(x, six) b = Add(a, half) c = Clip(b, zero, one) z = Mul(x, c)",
        "a = Clip(x, minus, three) b = Add(a, three) c = Mul(x, b) z = Div(c, six)",
        "a = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) z = Mul(x, a)",
        "a = Div(x, six) b = HardSigmoid <alpha = 1.0, beta = 0.5> (a) z = Mul(b, x)",
    ],
    ids=[
        "divided-last",
        "gate-divided",
        "times-a-sixth",
        "input-scaled",
        "subtracted",
        "unit-gate",
        "clipped-first",
        "hard-sigmoid",
        "scaled-hard-sigmoid",
    ],
)
def test_hard_swish(check_nodes: CheckNodes, before: str) -> None:
    check_nodes(RecoverHardSwish(), FLAT, before, "z = HardSwish(x)", **numbers())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "a = Mul(x, fifth) b = Add(a, half) z = Clip(b, zero, one)",
            "z = HardSigmoid <alpha = 0.2, beta = 0.5> (x)",
        ),
        (
            "a = Add(x, three) b = Clip(a, zero, six) z = Mul(b, fraction)",
            "z = HardSigmoid <alpha = 0.125, beta = 0.375> (x)",
        ),
    ],
    ids=["keras", "paddle"],
)
def test_hard_sigmoid(check_nodes: CheckNodes, before: str, after: str) -> None:
    arrays = numbers() | {"fraction": np.array(0.125, np.float32)}
    if "fraction" in before:
        arrays["six"] = np.array(8, np.float32)
    check_nodes(RecoverHardSwish(), FLAT, before, after, **arrays)


def test_the_gate_of_another_value_is_a_hard_sigmoid(check_nodes: CheckNodes) -> None:
    interface = "(float[2,3,4,4] x, float[2,3,1,1] s) => (float[2,3,4,4] z)"
    before = "a = Mul(s, quarter) b = Add(a, half) c = Clip(b, zero, one) z = Mul(x, c)"
    after = "c = HardSigmoid <alpha = 0.25, beta = 0.5> (s) z = Mul(x, c)"
    check_nodes(RecoverHardSwish(), interface, before, after, quarter=np.array(0.25, np.float32), **numbers())


def test_numbers_of_half_precision(check_nodes: CheckNodes) -> None:
    before = "a = Add(x, three) b = Clip(a, zero, six) c = Mul(b, sixth) z = Mul(x, c)"
    interface = "(float16[64] x) => (float16[64] z)"
    check_nodes(RecoverHardSwish(), interface, before, "z = HardSwish(x)", tolerance=5e-3, **numbers(np.float16))


def test_the_last_node_keeps_its_name(check_nodes: CheckNodes) -> None:
    before = "[a] a = Add(x, three) [b] b = Clip(a, zero, six) [c] c = Div(b, six) [act] z = Mul(x, c)"
    check_nodes(RecoverHardSwish(), FLAT, before, "[act] z = HardSwish(x)", **numbers())


@pytest.mark.parametrize(
    "before",
    [
        "a = Add(x, half) z = Clip(a, zero, one)",
        "z = Clip(x, zero, one)",
        "a = Mul(x, fifth) z = Clip(a, zero, one)",
        "a = Add(x, two) b = Clip(a, zero, six) c = Mul(x, b) z = Div(c, six)",
        "a = Add(x, three) b = Clip(a, zero, six) z = Mul(x, b)",
        "a = Add(x, three) b = Clip(a, , six) c = Mul(x, b) z = Div(c, six)",
        "a = HardSigmoid(x) z = Mul(x, a)",
        "a = Mul(x, x) b = Add(a, half) z = Clip(b, zero, one)",
    ],
    ids=["shift-alone", "clip-alone", "scale-alone", "shift-2", "not-divided", "half-open", "alpha-0.2", "square"],
)
def test_other_formulas_stay(check_nodes: CheckNodes, before: str) -> None:
    assert not check_nodes(RecoverHardSwish(), FLAT, before, None, **numbers()).declined


@pytest.mark.parametrize("interface", ["(float[64] x) => (float[64] z, float[64] a)", FLAT.replace("64", "1")])
def test_values_that_others_read_stay(check_nodes: CheckNodes, interface: str) -> None:
    before = "a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) z = Div(c, six)"
    if " a)" not in interface:
        before = before.replace("z = Div(c, six)", "d = Div(c, six) z = Add(d, a)")
    assert check_nodes(RecoverHardSwish(), interface, before, None, **numbers()).declined


def test_a_constant_that_enlarges_the_value_stays(check_nodes: CheckNodes) -> None:
    before = "a = Add(x, threes) b = Clip(a, zero, six) c = Mul(x, b) z = Div(c, six)"
    threes = np.full((1, 1), 3, np.float32)
    check_nodes(RecoverHardSwish(), "(float[4] x) => (float[1,4] z)", before, None, threes=threes, **numbers())


def test_a_constant_that_a_caller_can_override_stays(check_nodes: CheckNodes) -> None:
    before = "a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) z = Div(c, six)"
    interface = "(float[64] x, float three) => (float[64] z)"
    check_nodes(RecoverHardSwish(), interface, before, None, **numbers())


def test_double_stays(check_nodes: CheckNodes) -> None:
    before = "a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) z = Div(c, six)"
    interface = "(double[64] x) => (double[64] z)"
    assert check_nodes(RecoverHardSwish(), interface, before, None, **numbers(np.float64)).declined
