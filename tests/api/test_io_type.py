"""Models for devices: 8-bit inputs and outputs, in both formats, compared as if they were float."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import qcompile
from qcompile import CompileResult, PlanError, models
from qcompile.plan import dumps, interface_params, loads

Compiled = Callable[..., CompileResult]
Feed = dict[str, np.ndarray]


@pytest.mark.parametrize("format_", ["qoperator", "qdq"])
@pytest.mark.parametrize("name", ["residual", "encoder"])
def test_integers_from_end_to_end(
    name: str, format_: str, compiled: Compiled, shipped_feeds: Callable[..., list[Feed]], tmp_path: Path
) -> None:
    result = compiled(name, format=format_, io_type="quantized")
    ends = [*result.model.graph.inputs, *result.model.graph.outputs]
    assert [(v.name, v.dtype and v.dtype.name) for v in ends] == [("image", "UINT8"), ("logits", "UINT8")]
    assert [port.name for port in result.quantized_io] == ["image", "logits"]
    assert result.warnings == ()
    assert result.sqnr_db > 30

    result.save(tmp_path / "out.onnx")
    feeds = shipped_feeds(name)
    assert qcompile.validate(models.path(name), tmp_path / "out.onnx", data=feeds).sqnr_db > 30

    session = ort.InferenceSession(tmp_path / "out.onnx", providers=["CPUExecutionProvider"])
    params = interface_params(session.get_modelmeta().custom_metadata_map)
    (codes,) = session.run(None, {"image": params["image"].quantize(feeds[0]["image"])})
    (wanted,) = ort.InferenceSession(models.path(name), providers=["CPUExecutionProvider"]).run(None, feeds[0])
    np.testing.assert_allclose(params["logits"].dequantize(codes), wanted, atol=0.05 * np.ptp(wanted))


def test_every_pass_keeps_its_word(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    result = qcompile.compile(conv_net, calib=conv_feeds, io_type="quantized", verify_each=True, format="qoperator")
    assert [(port.name, port.dtype) for port in result.quantized_io] == [("x", "uint8"), ("y", "uint8")]


def test_without_data_too(conv_net: onnx.ModelProto) -> None:
    result = qcompile.compile(conv_net, input_shapes={"x": (1, 4, 8, 8)}, io_type="quantized", format="qoperator")
    assert [port.name for port in result.quantized_io] == ["x", "y"]


def test_what_stays_float_is_said(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    result = qcompile.compile(conv_net, calib=conv_feeds, io_type="quantized", exclude=["^second$"], format="qoperator")
    assert [port.name for port in result.quantized_io] == ["x"]
    (said,) = result.warnings
    assert said.startswith("output 'y' stays float (node ")


def test_float_is_the_default(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    result = qcompile.compile(conv_net, calib=conv_feeds, format="qoperator")
    assert result.quantized_io == ()
    assert result.plan is not None
    assert result.plan.io_type == "float"


def test_the_plan_holds_it(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    first = qcompile.compile(conv_net, calib=conv_feeds, io_type="quantized", format="qoperator")
    assert first.plan is not None
    plan = loads(dumps(first.plan))
    again = qcompile.compile(conv_net, calib=conv_feeds, plan=plan, format="qoperator")
    assert again.quantized_io == first.quantized_io
    with pytest.raises(PlanError, match=r"^plan is for io type quantized, not float"):
        qcompile.compile(conv_net, calib=conv_feeds, plan=plan, io_type="float", format="qoperator")
