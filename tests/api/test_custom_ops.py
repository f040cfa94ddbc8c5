"""Operators of other domains stay float and break nothing; a library of them is loaded, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

import qcompile
from qcompile import ModelError, QCompileError

RNG = np.random.default_rng(0)
FEEDS = [{"x": RNG.normal(size=(1, 4, 8, 8)).astype(np.float32)} for _ in range(8)]
NODES = """(float[N,4,8,8] x) => (float[N,8,8,8] y) {
  [first] h = Conv <pads = [1, 1, 1, 1]> (x, w1)
  [second] s = Conv <pads = [1, 1, 1, 1]> (h, w2)
  [fused] f = com.microsoft.FusedConv <activation = "Relu", pads = [1, 1, 1, 1]> (s, w2)
  [bias] y = com.microsoft.BiasGelu(f, b)
}"""


def model(opset: int) -> onnx.ModelProto:
    """Operators that onnxruntime knows, and ONNX does not."""
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}, "com.microsoft": 1]> g {NODES}')
    for name, shape in (("w1", (8, 4, 3, 3)), ("w2", (8, 8, 3, 3)), ("b", (8,))):
        proto.graph.initializer.append(numpy_helper.from_array(RNG.normal(size=shape).astype(np.float32) / 4, name))
    return proto


@pytest.mark.parametrize("format_", ["qoperator", "qdq"])
@pytest.mark.parametrize("opset", [11, 17, 21])
def test_operators_that_only_the_runtime_knows(opset: int, format_: str, tmp_path: Path) -> None:
    result = qcompile.compile(model(opset), calib=FEEDS, format=format_, verify_each=True)
    integer = {node.name: node.integer for node in result.operators}
    assert integer == {"first": True, "second": True, "fused": False, "bias": False, "bias_Add": False}
    assert result.sqnr_db > 20
    result.save(tmp_path / "out.onnx")
    session = ort.InferenceSession(tmp_path / "out.onnx", providers=["CPUExecutionProvider"])
    assert session.run(None, FEEDS[0])[0].shape == (1, 8, 8, 8)


def test_an_operator_that_the_runtime_lacks_is_said_with_the_way_out() -> None:
    header = '<ir_version: 10, opset_import: ["": 21, "my.ops": 1]>'
    proto = onnx.parser.parse_model(f"{header} g (float[N] x) => (float[N] y) {{ [m] y = my.ops.Mine(x) }}")
    with pytest.raises(ModelError, match=r"^unknown operator my\.ops:Mine \(node 'm'\).*--custom-op-library"):
        qcompile.compile(proto)


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    library = tmp_path / "ops.so"
    for call in (
        lambda: qcompile.compile(model(21), calib=FEEDS, custom_op_library=library, format="qoperator"),
        lambda: qcompile.validate(model(21), model(21), data=FEEDS, custom_op_library=library),
    ):
        with pytest.raises(QCompileError, match=r"^no custom operator library at .*ops\.so \(no such file\)"):
            call()


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    library = tmp_path / "ops.so"
    library.write_text("no library")
    with pytest.raises(QCompileError, match=r"^onnxruntime refuses custom operator library .*ops\.so \(") as raised:
        qcompile.compile(model(21), calib=FEEDS, custom_op_library=library, format="qoperator")
    assert "\n" not in str(raised.value)
