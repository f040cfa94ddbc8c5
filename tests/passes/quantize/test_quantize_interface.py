"""quantize-interface: which inputs and outputs become 8-bit, and what says so."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import to_proto
from qcompile.passes.quantize import QuantizeInterface
from qcompile.pipeline import Context, PassResult
from qcompile.plan import Plan
from qcompile.runtime import run_as_written

PARAMETERS = "float s = {0.5}, uint8 z = {10}, float t = {0.25}, int8 u = {-3}"
X = np.array([[-1.0, 0.0, 2.5, 7.0]], np.float32)
CODES = np.array([[8, 10, 15, 24]], np.uint8)


def quantized(nodes: str, inputs: str = "float[N,4] x", outputs: str = "float[N,4] y") -> tuple[ir.Model, PassResult]:
    model = ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["": 21]> g ({inputs}) => ({outputs}) <{PARAMETERS}> {{ {nodes} }}'
    )
    result = QuantizeInterface().run(model, Context(plan=Plan("cpu", io_type="quantized")))
    return model, result


def types(model: ir.Model) -> dict[str | None, str]:
    return {v.name: v.dtype.name for v in (*model.graph.inputs, *model.graph.outputs) if v.dtype is not None}


QDQ = "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) "


def test_both_ends() -> None:
    model, result = quantized(
        QDQ + "[relu] r = Relu(d) p = QuantizeLinear(r, t, u) y = DequantizeLinear(p, t, u)",
    )
    assert (result.changes, result.declined) == (2, ())
    assert types(model) == {"x": "UINT8", "y": "INT8"}
    assert [node.op_type for node in model.graph] == ["DequantizeLinear", "Relu", "QuantizeLinear"]
    assert dict(model.metadata_props) == {
        "qcompile.io.x": "scale=0.5, zero_point=10, dtype=uint8",
        "qcompile.io.y": "scale=0.25, zero_point=-3, dtype=int8",
    }
    (y,) = run_as_written(model, {"x": CODES})
    np.testing.assert_array_equal((y.astype(np.int32) + 3) * 0.25, np.maximum(X, 0))


def test_nothing_is_done_unasked() -> None:
    model = ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["": 21]> g (float[N,4] x) => (float[N,4] y) <{PARAMETERS}> '
        f"{{ {QDQ} y = Relu(d) }}"
    )
    assert QuantizeInterface().run(model, Context(plan=Plan("cpu"))) == PassResult()
    assert types(model) == {"x": "FLOAT", "y": "FLOAT"}


def test_an_input_that_goes_through_unchanged() -> None:
    model, result = quantized("q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)")
    assert (result.changes, types(model)) == (2, {"x": "UINT8", "y": "UINT8"})
    np.testing.assert_array_equal(run_as_written(model, {"x": CODES})[0], CODES)


def test_codes_that_are_an_output_twice_and_floats_that_others_read() -> None:
    model, result = quantized(
        QDQ + "[relu] r = Relu(d) p = QuantizeLinear(r, s, z) y = DequantizeLinear(p, s, z) [neg] w = Neg(y)",
        outputs="float[N,4] y, uint8[N,4] p, float[N,4] w",
    )
    assert (result.changes, types(model)) == (2, {"x": "UINT8", "y": "UINT8", "p": "UINT8", "w": "FLOAT"})
    y, p, w = run_as_written(model, {"x": CODES})
    np.testing.assert_array_equal(y, p)
    np.testing.assert_array_equal(w, -np.maximum(X, 0))


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (QDQ + "[a] y = Add(d, x)", ["input 'x' stays float (node 'a' reads it as float)"]),
        (
            QDQ + "e = QuantizeLinear(x, t, u) f = DequantizeLinear(e, t, u) [a] y = Add(d, f)",
            ["input 'x' stays float (its readers quantize it differently)"],
        ),
        ("[c] y = ConstantOfShape(k)", ["input 'x' stays float (nobody reads it as float)"]),
    ],
)
def test_what_cannot_be_is_said(nodes: str, said: list[str]) -> None:
    model, result = quantized(nodes, "float[N,4] x, int64[2] k")
    assert types(model) == {"x": "FLOAT", "k": "INT64", "y": "FLOAT"}
    maker = nodes.rpartition("[")[2][0]
    assert [reason.detail for _, reason in result.declined] == [
        *said,
        f"output 'y' stays float (node {maker!r} makes it as float)",
    ]
    assert not model.metadata_props


def test_the_feed_follows() -> None:
    model = ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["": 21]> g (float[N,4] x) => (float[N,4] y) <{PARAMETERS}> '
        f"{{ {QDQ} y = Relu(d) }}"
    )
    context = Context(plan=Plan("cpu", io_type="quantized"), feed={"x": X})
    QuantizeInterface().run(model, context)
    assert context.feed is not None
    np.testing.assert_array_equal(context.feed["x"], CODES)
    to_proto(model)
    np.testing.assert_array_equal(run_as_written(model, context.feed)[0], np.maximum(X, 0))
