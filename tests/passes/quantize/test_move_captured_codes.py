"""move-captured-codes: text in, text out, and a model that the runtime survives."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.passes.quantize import MoveCapturedCodes
from qcompile.pipeline import Context
from qcompile.runtime import Session

INTERFACE = """<ir_version: 10, opset_import: ["": 21]> g (float[2,4] x, bool c) => (float[M,N] y{outputs})
    <float s = {{0.1}}, uint8 z = {{128}}, int64[2] shape = {{4, 2}}>"""
BRANCHES = """y = If(c) <then_branch = a () => (float[M,N] p) { p = Relu(m) },
    else_branch = b () => (float[M,N] n) { n = Neg(m) }>"""

CASES = {
    "one move": (
        "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) m = Reshape(d, shape)",
        "q = QuantizeLinear(x, s, z) m_codes = Reshape(q, shape) m = DequantizeLinear(m_codes, s, z)",
        "",
    ),
    "a chain that floats read as well": (
        """q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z)
           r = Reshape(d, shape) e = Exp(r) m = Transpose <perm = [1, 0]> (r)""",
        """q = QuantizeLinear(x, s, z) r_codes = Reshape(q, shape) r = DequantizeLinear(r_codes, s, z) e = Exp(r)
           m_codes = Transpose <perm = [1, 0]> (r_codes) m = DequantizeLinear(m_codes, s, z)""",
        ", float[4,2] e",
    ),
    "no move": ("q = QuantizeLinear(x, s, z) m = DequantizeLinear(q, s, z)", None, ""),
    "no codes": ("m = Reshape(x, shape)", None, ""),
}


def built(nodes: str, outputs: str) -> ir.Model:
    return ir.from_onnx_text(f"{INTERFACE.format(outputs=outputs)} {{ {nodes} {BRANCHES} }}")


def lines(model: ir.Model) -> list[str]:
    operations = [
        f"{', '.join(str(v.name) for v in n.outputs)} = {n.op_type}({', '.join(str(v.name) for v in n.inputs if v)})"
        for n in model.graph
    ]
    return sorted(operations)


@pytest.mark.parametrize("case", CASES)
def test_moves(case: str) -> None:
    before, after, outputs = CASES[case]
    model = built(before, outputs)
    feed = {"x": np.linspace(-5, 5, 8, dtype=np.float32).reshape(2, 4), "c": np.array(True)}
    expected = Session(model, optimize=False).run(feed)
    result = MoveCapturedCodes().run(model, Context())
    assert bool(result.changes) == (after is not None)
    assert lines(model) == lines(built(after or before, outputs))
    for got, wanted in zip(Session(model).run(feed), expected, strict=True):  # unchanged, loading it ends the process
        np.testing.assert_array_equal(got, wanted)
