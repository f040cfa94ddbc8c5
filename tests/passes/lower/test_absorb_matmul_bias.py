"""absorb-matmul-bias: one number for each column is added by the kernel itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qcompile.passes.lower.absorb_matmul_bias import AbsorbMatMulBias

CheckRewrite = Callable[..., Any]

RNG = np.random.default_rng(7)
PRODUCT = "com.microsoft.MatMulIntegerToFloat(x, w, sx, sw, zx, zw"
DECLARED = "int8[8,8] w, float sx, float[8] sw, uint8 zx, int8[8] zw"
ARRAYS: dict[str, np.ndarray] = {
    "w": RNG.integers(-31, 32, (8, 8)).astype(np.int8),
    "sx": np.array(0.02, np.float32),
    "sw": RNG.uniform(0.002, 0.02, 8).astype(np.float32),
    "zx": np.array(121, np.uint8),
    "zw": np.zeros(8, np.int8),
}
FEED = {"x": RNG.integers(0, 256, (2, 3, 8)).astype(np.uint8)}


def graph(nodes: str, declared: str, outputs: str = "float[2,3,8] y") -> str:
    domains = 'opset_import: ["": 21, "com.microsoft": 1]'
    return f"<ir_version: 10, {domains}> g (uint8[2,3,8] x) => ({outputs}) <{DECLARED}, {declared}> {{ {nodes} }}"


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(8,), (1, 8), (1, 1, 8)])
@pytest.mark.parametrize("add", ["Add(t, b)", "Add(b, t)"])
def test_a_number_for_each_column(shape: tuple[int, ...], add: str, check_rewrite: CheckRewrite) -> None:
    bias = f"float{list(shape)} b"
    vector = "b" if len(shape) == 1 else "b_vector"
    check_rewrite(
        AbsorbMatMulBias(),
        graph(f"[product] t = {PRODUCT}) [add] y = {add}", bias),
        graph(f"[product] y = {PRODUCT}, {vector})", f"float[8] {vector}"),
        feed=FEED,
        tolerance=1e-6,
        b=normal(*shape),
        **ARRAYS,
    )


@pytest.mark.parametrize("shape", [(3, 1), (3, 8), (1,), ()], ids=["rows", "matrix", "one number", "scalar"])
def test_other_shapes(shape: tuple[int, ...], check_rewrite: CheckRewrite) -> None:
    text = graph(f"[product] t = {PRODUCT}) [add] y = Add(t, b)", f"float{list(shape) or ''} b")
    result = check_rewrite(AbsorbMatMulBias(), text, None, feed=FEED, b=normal(*shape), **ARRAYS)
    assert [(name, why.detail) for name, why in result.declined] == [
        ("product", "what is added is no vector of its columns")
    ]


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        (f"t = {PRODUCT}) y = Sub(t, b)", "float[2,3,8] y"),
        (f"t = {PRODUCT}) y = Add(t, b)", "float[2,3,8] y, float[2,3,8] t"),
        (f"t = {PRODUCT}) y = Add(t, b) u = Neg(t)", "float[2,3,8] y, float[2,3,8] u"),
        (f"t = {PRODUCT}) y = Add(t, t) u = Neg(b)", "float[2,3,8] y, float[8] u"),
        (f"t = {PRODUCT}) c = Cos(b) y = Add(t, c)", "float[2,3,8] y"),
    ],
    ids=["no sum", "product is an output", "product is read twice", "added to itself", "bias is computed"],
)
def test_hands_off(nodes: str, outputs: str, check_rewrite: CheckRewrite) -> None:
    result = check_rewrite(
        AbsorbMatMulBias(), graph(nodes, "float[8] b", outputs), None, feed=FEED, b=normal(8), **ARRAYS
    )
    assert result.declined == ()


def test_a_second_sum_stays(check_rewrite: CheckRewrite) -> None:
    check_rewrite(
        AbsorbMatMulBias(),
        graph(f"[product] t = {PRODUCT}) [one] u = Add(t, b) [two] y = Add(u, b)", "float[8] b"),
        graph(f"[product] u = {PRODUCT}, b) [two] y = Add(u, b)", "float[8] b"),
        feed=FEED,
        b=normal(8),
        **ARRAYS,
    )
