"""Gemm with a dynamically quantized input becomes one product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.lower import FuseDynamicGemm

RNG = np.random.default_rng(0)
WEIGHT = RNG.integers(-31, 32, (6, 8)).astype(np.int8)
SCALE = RNG.uniform(0.01, 0.02, 6).astype(np.float32)
ZERO = np.zeros(6, np.int8)
BIAS = RNG.normal(size=6).astype(np.float32)
HEADER = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>\n'
BEFORE = """g (float[3, 8] x) => (float[3, 6] y) {{
    [dynamic] q, s, z = DynamicQuantizeLinear(x)
    [xd] d = DequantizeLinear(q, s, z)
    [wd] e = DequantizeLinear <axis: int = 0> (w, sw, zw)
    [gemm] y = Gemm <transB: int = 1{more}> (d, e, {bias})
}}"""


def test_the_weight_is_transposed_and_the_bias_stays_float(check_rewrite: Callable[..., object]) -> None:
    check_rewrite(
        FuseDynamicGemm(),
        HEADER + BEFORE.format(more="", bias="b"),
        HEADER
        + """g (float[3, 8] x) => (float[3, 6] y) {
    [dynamic] q, s, z = DynamicQuantizeLinear(x)
    [gemm] y = com.microsoft.MatMulIntegerToFloat(q, w_transposed, s, sw, z, zw, b)
}""",
        w=WEIGHT,
        sw=SCALE,
        zw=ZERO,
        b=BIAS,
    )


@pytest.mark.parametrize(
    ("more", "bias"),
    [pytest.param(", alpha: float = 2.0", BIAS, id="alpha"), pytest.param("", BIAS.reshape(1, 6), id="row bias")],
)
def test_what_the_product_cannot_say_stays(more: str, bias: np.ndarray, check_rewrite: Callable[..., object]) -> None:
    text = HEADER + BEFORE.format(more=more, bias="b")
    check_rewrite(FuseDynamicGemm(), text, None, w=WEIGHT, sw=SCALE, zw=ZERO, b=bias)
