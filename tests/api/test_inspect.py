"""Inspecting: what a model is, and what would become of it."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest

import qcompile
from qcompile import CompileResult, models
from qcompile.errors import ModelError, TargetError
from qcompile.plan import Code

Compiled = Callable[..., CompileResult]


def test_a_float_model(conv_net: onnx.ModelProto) -> None:
    facts = qcompile.inspect(conv_net)
    assert (facts.path, facts.opset, facts.ir_version, facts.producer) == ("the model", 21, 10, "")
    assert facts.inputs == ("x: float[N,4,H,W]",)
    assert facts.outputs == ("y: float[N,8,H,W]",)
    assert facts.parameters == 8 * 4 * 9 + 8 + 8 * 8
    assert facts.size == conv_net.ByteSize()
    assert facts.op_counts == {"Conv": 2, "Relu": 1}
    assert facts.quantized is None
    assert [(node.name, node.op_type, node.integer) for node in facts.operators] == [
        ("first", "Conv", True),
        ("relu", "Relu", True),
        ("second", "Conv", True),
    ]


@pytest.mark.parametrize("name", models.names())
def test_it_foretells_what_compiling_does(name: str, compiled: Compiled) -> None:
    foretold = qcompile.inspect(models.path(name))
    assert foretold.path == str(models.path(name))
    assert [(n.name, n.integer) for n in foretold.operators] == [(n.name, n.integer) for n in compiled(name).operators]


def test_on_another_target(compiled: Compiled) -> None:
    facts = qcompile.inspect(models.path("lstm"), target="xnnpack")
    reasons = {node.op_type: node.reason for node in facts.operators}
    assert reasons["LSTM"] is not None
    assert reasons["LSTM"].code is Code.NO_INTEGER_KERNEL
    with pytest.raises(TargetError, match=r"^no target 'toaster'"):
        qcompile.inspect(models.path("lstm"), target="toaster")


def test_a_quantized_model(compiled: Compiled) -> None:
    facts = qcompile.inspect(compiled("residual").model)
    assert (facts.quantized, facts.operators) == ("QOperator", ())
    assert facts.inputs == qcompile.inspect(models.path("residual")).inputs


def test_weights_among_the_inputs_are_none(conv_net: onnx.ModelProto) -> None:
    declared = onnx.helper.make_tensor_value_info("w1", onnx.TensorProto.FLOAT, [8, 4, 3, 3])
    conv_net.graph.input.append(declared)
    assert qcompile.inspect(conv_net).inputs == ("x: float[N,4,H,W]",)


def test_shapes_and_types_that_are_not_known() -> None:
    net = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]> g (float[?,3] x) => (y) { y = Abs(x) }')
    facts = qcompile.inspect(net)
    assert (facts.inputs, facts.outputs) == (("x: float[?,3]",), ("y: ?[?]",))


def test_no_model() -> None:
    with pytest.raises(ModelError, match=r"^no model in nowhere\.onnx \("):
        qcompile.inspect("nowhere.onnx")
