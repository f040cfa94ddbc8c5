"""Models that somebody has quantized are recognised, whichever form they have."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from qcompile.ir import quantized_form

HEAD = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'


@pytest.mark.parametrize(
    ("node", "form"),
    [
        ("y = Relu(x)", None),
        ("y = Cast <to = 2> (x)", None),
        ("y = QuantizeLinear(x, s, z)", "QDQ"),
        ("y = DequantizeLinear(x, s, z)", "QDQ"),
        ("y = QLinearConv(x, s, z, w, s, z, s, z)", "QOperator"),
        ("y = QLinearMatMul(x, s, z, w, s, z, s, z)", "QOperator"),
        ("y = com.microsoft.QLinearAdd(x, s, z, x, s, z, s, z)", "QOperator"),
        ("y = com.microsoft.QGemm(x, s, z, w, s, z)", "QOperator"),
        ("y = com.microsoft.MatMulIntegerToFloat(x, w, s, s)", "QOperator"),
        ("y = ConvInteger(x, w)", "dynamic"),
        ("y = MatMulInteger(x, w)", "dynamic"),
        ("y, s2, z2 = DynamicQuantizeLinear(x)", "dynamic"),
        ("y = com.microsoft.MatMulNBits <K = 32, N = 8> (x, w, s)", "dynamic"),
    ],
)
def test_form(node: str, form: str | None) -> None:
    model = ir.from_onnx_text(HEAD + f"g (float[8] x, float s, uint8 z, int8[8] w) => (float[8] y) {{ {node} }}")
    assert quantized_form(model) == form


def test_the_strongest_form_of_a_mixture() -> None:
    graph = """g (float[8] x, float s, uint8 z) => (float[8] y, float[8] t) {
        q = QuantizeLinear(x, s, z)
        a = com.microsoft.QLinearAdd(q, s, z, q, s, z, s, z)
        y = DequantizeLinear(a, s, z)
        t = MatMulInteger(q, q)
    }"""
    model = ir.from_onnx_text(HEAD + graph)
    assert quantized_form(model) == "dynamic"
    model.graph.remove(model.graph.node(3))
    assert quantized_form(model) == "QOperator"
    model.graph.remove(model.graph.node(1))
    assert quantized_form(model) == "QDQ"


def test_inside_a_body() -> None:
    graph = """g (bool c, float[8] x, float s, uint8 z) => (float[8] y) {
      y = If (c) <
        then_branch = yes () => (float[8] a) { q = QuantizeLinear(x, s, z) a = DequantizeLinear(q, s, z) },
        else_branch = no () => (float[8] b) { b = Relu(x) }
      >
    }"""
    assert quantized_form(ir.from_onnx_text(HEAD + graph)) == "QDQ"
