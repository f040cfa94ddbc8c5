"""Where float arithmetic decides which of two codes a value becomes, either is right; anywhere else it is not."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.verify import step_errors

FEED = {"x": np.array([1, 3, 5, 7, 9, 11], np.float32)}

REFERENCE = "r = Mul(d, factor) r_quantized = QuantizeLinear(r, one, zero)"
LOWERED = "r = Mul(d, factor) u = Add(r, half) f = Floor(u) r_quantized = Cast <to = 2> (f)"
"""Rounds halves up, where QuantizeLinear rounds them to even."""


def built(nodes: str, factor: float) -> ir.Model:
    return ir.from_onnx_text(
        f"""<ir_version: 10, opset_import: ["": 21]> g (float[6] x) => (uint8[6] r_quantized)
        <float one = {{1}}, uint8 zero = {{0}}, float factor = {{{factor}}}, float half = {{0.5}},
         uint8[6] x_quantized> {{
            x_quantized = QuantizeLinear(x, one, zero)
            d = DequantizeLinear(x_quantized, one, zero)
            {nodes}
        }}"""
    )


def test_halves_may_go_either_way() -> None:
    _, made = step_errors(built(REFERENCE, 0.5), built(LOWERED, 0.5), FEED)
    assert (made.value, made.steps, made.share) == ("r_quantized", 0, 0.0)


@pytest.mark.parametrize("factor", [0.45, 0.55])
def test_what_is_no_tie_counts(factor: float) -> None:
    _, made = step_errors(built(REFERENCE, factor), built(LOWERED.replace("half", "one"), factor), FEED)
    assert made.steps == 1
    assert made.share > 0
