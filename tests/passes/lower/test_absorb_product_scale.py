"""absorb-product-scale: a product is scaled by the kernel itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qcompile.passes.lower.absorb_product_scale import AbsorbProductScale

CheckRewrite = Callable[..., Any]

RNG = np.random.default_rng(8)
HEAD = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'
PRODUCT = "[p] t = com.microsoft.MatMulIntegerToFloat(q, k, sq, sk, zq, zk{})"
SCALED = "[p] y = com.microsoft.MatMulIntegerToFloat(q, k, p_scale, sk, zq, zk)"
ARRAYS: dict[str, Any] = {
    "sq": np.float32(0.02),
    "sk": np.float32(0.01),
    "zq": np.uint8(121),
    "zk": np.int8(0),
}
FEED = {
    "q": RNG.integers(0, 256, (1, 2, 5, 8)).astype(np.uint8),
    "k": RNG.integers(-31, 32, (1, 2, 8, 5)).astype(np.int8),
}


def graph(nodes: str, constants: str = "", scale: str = "sq") -> str:
    inputs, declared = "uint8[1,2,5,8] q, int8[1,2,8,5] k", f"float {scale}, float sk, uint8 zq, int8 zk{constants}"
    return f"{HEAD} g ({inputs}) => (float[1,2,5,5] y) <{declared}> {{ {nodes} }}"


@pytest.mark.parametrize("scaling", ["Mul(t, c)", "Mul(c, t)", "Div(t, c)"])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_number(check_rewrite: CheckRewrite, scaling: str, shape: tuple[int, ...]) -> None:
    declared = f", float{list(shape) or ''} c"
    before = graph(f"{PRODUCT.format('')} y = {scaling}", declared)
    factor = np.full(shape, 0.3, np.float32)
    check_rewrite(AbsorbProductScale(), before, graph(SCALED, scale="p_scale"), feed=FEED, c=factor, **ARRAYS)


@pytest.mark.parametrize(
    ("scaling", "factor"),
    [
        ("Mul(t, c)", np.full(5, 0.3, np.float32)),
        ("Div(c, t)", np.float32(0.3)),
        ("Mul(t, c)", np.float32(-0.3)),
        ("Mul(t, c)", np.float32(0)),
        ("Mul(t, c)", np.float32(1e-37)),
    ],
    ids=["a number for each column", "divided by it", "negative", "nothing left", "too small"],
)
def test_it_stays(check_rewrite: CheckRewrite, scaling: str, factor: np.ndarray) -> None:
    declared = f", float{list(factor.shape) or ''} c"
    before = graph(f"{PRODUCT.format('')} y = {scaling}", declared)
    feed = FEED | {"q": FEED["q"] // 2 + 123}  # no score is 0, by which another would be divided
    feed["k"] = np.abs(feed["k"]) + np.int8(1)
    check_rewrite(AbsorbProductScale(), before, None, feed=feed, c=factor, **ARRAYS)


def test_a_bias_bars_it(check_rewrite: CheckRewrite) -> None:
    before = graph(f"{PRODUCT.format(', b')} y = Mul(t, c)", ", float[5] b, float c")
    bias = RNG.normal(size=5).astype(np.float32)
    check_rewrite(AbsorbProductScale(), before, None, feed=FEED, b=bias, c=np.float32(0.3), **ARRAYS)
