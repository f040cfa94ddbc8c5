"""Operators of the runtime's own that no table lists: they stay float, and what is around them is quantized."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import qcompile
from qcompile.ir import nodes, to_proto
from qcompile.plan import Code
from qcompile.runtime import Session

RNG = np.random.default_rng(6)
FEEDS = [{"x": RNG.normal(size=(16, 96)).astype(np.float32)} for _ in range(8)]


def model(text: str, **arrays: tuple[int, ...]) -> onnx.ModelProto:
    head = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'
    made = onnx.parser.parse_model(head + text)
    for name, shape in arrays.items():
        weight = RNG.normal(size=shape).astype(np.float32) / np.float32(10)
        made.graph.initializer.append(onnx.numpy_helper.from_array(weight, name))
    return made


@pytest.mark.parametrize(
    ("op_type", "node"),
    [
        ("CDist", 'com.microsoft.CDist <metric = "euclidean"> (a, square)'),
        ("Trilu", "com.microsoft.Trilu(a)"),
    ],
)
def test_between_products(op_type: str, node: str) -> None:
    text = f"""g (float[16, 96] x) => (float[16, 64] y) {{
        [first] a = MatMul(x, w)
        [contributed] b = {node}
        [second] y = MatMul(b, v)
    }}"""
    result = qcompile.compile(
        model(text, w=(96, 64), v=(64, 64), square=(64, 64), bias=(64,)), calib=FEEDS, format="qoperator"
    )
    assert result.status == "compiled"
    assert op_type in {n.op_type for n in nodes(result.model)}
    reports = {report.name: report for report in result.operators}
    assert reports["first"].integer and reports["second"].integer
    reason = reports["contributed"].reason
    assert reason is not None and reason.code is Code.NO_INTEGER_KERNEL
    assert result.fidelity[0].sqnr_db > 25


def test_alone() -> None:
    source = model("g (float[16, 96] x) => (float[16, 96] y) { y = com.microsoft.BiasGelu(x, bias) }", bias=(96,))
    result = qcompile.compile(source, calib=FEEDS, format="qoperator")
    assert result.status == "nothing-to-quantize"
    assert to_proto(result.model).SerializeToString() == source.SerializeToString()


def test_an_lstm_is_exchanged_for_a_contributed_one() -> None:
    text = """g (float[16, 96] x) => (float[16, 8] y) <int64[3] shape = {16, 1, 96}, int64[2] flat = {16, 128}> {
        t = Reshape(x, shape)
        [unit] s = LSTM <hidden_size = 128> (t, w, r)
        u = Reshape(s, flat)
        y = MatMul(u, v)
    }"""
    result = qcompile.compile(
        model(text, w=(1, 512, 96), r=(1, 512, 128), v=(128, 8)), calib=FEEDS, verify_each=True, format="qoperator"
    )
    assert {"DynamicQuantizeLSTM", "MatMulIntegerToFloat"} <= {n.op_type for n in nodes(result.model)}
    assert next(report for report in result.operators if report.name == "unit").integer
    assert result.fidelity[0].sqnr_db > 25
    assert np.isfinite(Session(result.model).run(FEEDS[0])[0]).all()
