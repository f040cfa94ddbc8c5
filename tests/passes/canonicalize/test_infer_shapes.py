"""infer-shapes: what is known of values, and what happens where declarations are wrong."""

from __future__ import annotations

import logging

import onnx_ir as ir
import pytest

from qcompile.ir import static_shape
from qcompile.passes.canonicalize.infer_shapes import InferShapes
from qcompile.pipeline import Context

HEADER = '<ir_version: 10, opset_import: ["": 21, "other": 1]> '


def shapes(model: ir.Model) -> dict[str | None, str]:
    return {value.name: str(value.shape) for node in model.graph for value in node.outputs}


def test_symbolic_dimensions_are_followed() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[N,3,8,8] x, float[4,3,3,3] w) => (float[N,4,6,6] y) { t = Conv(x, w) y = Relu(t) }"
    )
    assert InferShapes().run(model, Context()).changes == 1
    assert shapes(model)["t"] == "[N,4,6,6]"


def test_shapes_made_from_shapes_are_followed() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2,3,4] x) => (float[A,B] y) <int64[1] zero = {0}, int64[1] rest = {-1}> {"
        " s = Shape(x) n = Gather(s, zero) to = Concat <axis = 0> (n, rest) t = Reshape(x, to) y = Relu(t) }"
    )
    InferShapes().run(model, Context())
    assert static_shape(model.graph[3].outputs[0]) == (2, 12)


def test_declarations_that_contradict_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2,3] x) => (float[M] y) <float[7,7] t, float[9] u> { t = Relu(x) u = Neg(t) y = Abs(u) }"
    )
    with caplog.at_level(logging.WARNING):
        result = InferShapes().run(model, Context())
    assert not result.declined
    assert shapes(model) == {"t": "[2,3]", "u": "[2,3]", "y": "[M]"}
    assert not caplog.records


def test_a_wrong_declared_output_stays_as_declared() -> None:
    model = ir.from_onnx_text(HEADER + "g (float[2,3] x) => (float[5,5,5] y) { t = Relu(x) y = Abs(t) }")
    assert not InferShapes().run(model, Context()).declined
    assert shapes(model) == {"t": "[2,3]", "y": "[5,5,5]"}


def test_minus_one_is_an_unknown_dimension() -> None:
    model = ir.from_onnx_text(HEADER + "g (float[2,3] x) => (float[2,3] y) { t = Relu(x) y = Abs(t) }")
    model.graph.inputs[0].shape = ir.Shape([-1, 3])
    InferShapes().run(model, Context())
    assert static_shape(model.graph[0].outputs[0]) is None
    assert model.graph.inputs[0].shape == (-1, 3)


def test_beyond_an_unknown_operator_nothing_is_known() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2,3] x) => (float[2,3] y) { t = Relu(x) u = other.Op(t) v = Neg(u) y = Abs(v) }"
    )
    assert not InferShapes().run(model, Context()).declined
    assert shapes(model)["t"] == "[2,3]"
    assert model.graph[2].outputs[0].shape is None


def test_where_inference_fails_the_model_stays_and_the_reason_is_given() -> None:
    model = ir.from_onnx_text(
        '<ir_version: 10, opset_import: ["": 21]> '
        "g (float[2,3] x) => (float[2,3] y) <float[2,3] t> { t = Relu(x) u = undeclared.Op(t) y = Abs(u) }"
    )
    before = shapes(model)
    result = InferShapes().run(model, Context())
    assert "No opset import for domain undeclared" in result.declined[0][1].detail
    assert shapes(model) == before
    assert result.changes == 0
