"""Weights that a graph normalises on every run (torch's weight_norm) are weights like any others."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

import qcompile

RNG = np.random.default_rng(0)
FEEDS = [{"x": RNG.normal(size=(1, 64, 50)).astype(np.float32)} for _ in range(4)]
DIRECTION = RNG.normal(size=(64, 64, 16)).astype(np.float32)
LENGTH = np.abs(RNG.normal(size=(1, 1, 16))).astype(np.float32)


@pytest.mark.parametrize(
    "normalised",
    [
        "n = ReduceL2 <keepdims = 1> (v, axes) r = Div(g, n) w = Mul(v, r)",
        "n = ReduceL2 <keepdims = 1> (v, axes) r = Div(v, n) w = Mul(r, g)",
        "s = Mul(v, v) q = ReduceSum <keepdims = 1> (s, axes) n = Sqrt(q) r = Div(v, n) w = Mul(r, g)",
    ],
)
def test_a_convolution_with_a_normalised_weight(normalised: str) -> None:
    model = ir.from_onnx_text(
        f"""<ir_version: 10, opset_import: ["": 21]>
        main (float[1,64,50] x) => (float[1,64,35] y)
            <float[64,64,16] v, float[1,1,16] g, int64[2] axes = {{0, 1}}> {{
            {normalised}
            y = Conv(x, w)
        }}""",
        initializers=[ir.tensor(DIRECTION, name="v"), ir.tensor(LENGTH, name="g")],
    )
    result = qcompile.compile(model, calib=FEEDS, format="qoperator")
    assert [(node.op_type, node.integer) for node in result.operators] == [("Conv", True)]
    assert result.size_after < 0.35 * result.size_before
    assert result.sqnr_db > 30
