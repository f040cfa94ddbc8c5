"""normalize-clip: one Relu or Clip for each interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.normalize_clip import NormalizeClip
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

FLOAT_MAX = float(np.finfo(np.float32).max)


def bounds(**numbers: float | list[float]) -> dict[str, np.ndarray]:
    return {name: np.array(number, np.float32) for name, number in numbers.items()}


SIX = bounds(zero=0, six=6, minus=-1, half=0.5, zero1=[0], half1=[0.5], lowest=-FLOAT_MAX, most=FLOAT_MAX, inf=np.inf)
FLAT = "(float[64] x) => (float[64] z)"


@pytest.mark.parametrize(
    "before",
    [
        "z = Clip(x, zero)",
        "z = Clip(x, zero, inf)",
        "z = Clip(x, zero, most)",
        "z = Max(x, zero)",
        "z = Max(zero1, x)",
        "y = Relu(x) z = Relu(y)",
        "y = Relu(x) z = Clip(y, minus)",
        "y = Clip(x, minus) z = Max(y, zero)",
        "y = Max(x, zero) u = Relu(y) z = Clip(u, zero, inf)",
    ],
)
def test_relu(check_nodes: CheckNodes, before: str) -> None:
    check_nodes(NormalizeClip(), FLAT, before, "z = Relu(x)", **SIX)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("z = Max(x, half)", "z = Clip(x, half)"),
        ("z = Min(zero, x)", "z = Clip(x, , zero)"),
        ("y = Max(x, minus) z = Min(y, half)", "z = Clip(x, minus, half)"),
        ("y = Min(half, x) z = Max(minus, y)", "z = Clip(x, minus, half)"),
        ("y = Clip(x, minus, six) z = Clip(y, zero, half)", "z = Clip(x, zero, half)"),
        ("y = Clip(x, minus, half) z = Clip(y, zero, six)", "z = Clip(x, zero, half)"),
        ("y = Clip(x, zero, half) z = Clip(y, six)", "z = Clip(x, six, six)"),
        ("y = Clip(x, zero, half) z = Relu(y)", "z = Clip(x, zero, half)"),
        ("y = Clip(x, lowest, half) z = Clip(y, , six)", "z = Clip(x, , half)"),
        ("[a] y = Relu(x) [b] z = Clip(y, minus, half)", "[b] z = Clip(x, b_min, half)"),
        ("[a] y = Max(x, zero) [b] z = Min(y, half1)", "[b] z = Clip(x, zero, b_max)"),
        ("y = Relu(x) u = Clip(y, minus, six) z = Clip(u, zero, half)", "z = Clip(x, zero, half)"),
    ],
)
def test_clip_with_the_bounds_that_were_given(check_nodes: CheckNodes, before: str, after: str) -> None:
    check_nodes(NormalizeClip(), FLAT, before, after, values="float[64] y", **SIX)


def test_shared_bounds_stay_shared(check_nodes: CheckNodes) -> None:
    interface = "(float[64] x, float[64] v) => (float[64] z, float[64] w)"
    before = "a = Max(x, zero) z = Min(a, six) b = Max(v, zero) w = Min(b, six)"
    check_nodes(NormalizeClip(), interface, before, "z = Clip(x, zero, six) w = Clip(v, zero, six)", **SIX)


@pytest.mark.parametrize(
    "before",
    [
        "z = Relu(x)",
        "z = Clip(x, minus, half)",
        "z = Clip(x, , half)",
        "z = Max(x, zero, half)",
        "z = Clip(x, half, minus)",
        "y = Abs(x) z = Clip(y, , half)",
    ],
)
def test_nothing_to_do(check_nodes: CheckNodes, before: str) -> None:
    assert not check_nodes(NormalizeClip(), FLAT, before, None, **SIX).declined


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        ("(float[64] x) => (float[64] z, float[64] y)", "y = Relu(x) z = Clip(y, zero, half)"),
        ("(float[64] x) => (float[64] z, float[64] u)", "y = Relu(x) z = Clip(y, zero, half) u = Abs(y)"),
    ],
    ids=["output", "second-reader"],
)
def test_it_stays_and_says_why(check_nodes: CheckNodes, interface: str, before: str) -> None:
    assert check_nodes(NormalizeClip(), interface, before, None, **SIX).declined


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        ("(float[64] x, float zero) => (float[64] z)", "z = Max(x, zero)"),
        ("(float[2,3] x) => (float[2,3] z)", "z = Max(x, many)"),
        ("(float x) => (float[1] z)", "z = Max(x, zero1)"),
        ("(float[2,3] x) => (float[2,3] z)", "r = Reshape(x, shape) z = Max(r, zero1)"),
        ("(int64[3] x) => (int64[3] z)", "z = Max(x, shape)"),
    ],
    ids=["overridable", "vector-bound", "adds-a-dimension", "rank-unknown", "integers"],
)
def test_bounds_that_are_not_one_float_constant(check_nodes: CheckNodes, interface: str, before: str) -> None:
    arrays = SIX | {"many": np.zeros(3, np.float32), "shape": np.array([2, 3] if "Reshape" in before else 0)}
    check_nodes(NormalizeClip(), interface, before, None, **arrays)


def test_half_precision(check_nodes: CheckNodes) -> None:
    arrays = {"zero": np.zeros((), np.float16), "most": np.array(np.finfo(np.float16).max)}
    check_nodes(NormalizeClip(), "(float16[8] x) => (float16[8] z)", "z = Clip(x, zero, most)", "z = Relu(x)", **arrays)
