"""The memory of a model is that of a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from qcompile.runtime import peak_memory

MB = 1_000_000


@pytest.fixture
def expands(tmp_path: Path) -> Path:
    """A model that makes as many floats as it is asked for."""
    text = '<ir_version: 10, opset_import: ["": 21]> g (int64[1] n) => (float[N] y) { y = ConstantOfShape(n) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "expands.onnx")
    return tmp_path / "expands.onnx"


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not tell")
def test_what_a_model_takes_in_bytes(expands: Path) -> None:
    ours = np.ones(16 * MB)  # 128 MB that are not the model's
    few, many = (peak_memory(expands, {"n": np.array([count])}) for count in (1, 16 * MB))
    assert few is not None
    assert many is not None
    assert few < 20 * MB
    assert 60 * MB < many < 100 * MB
    assert ours.nbytes == 128 * MB


def test_what_is_not_known(expands: Path, tmp_path: Path) -> None:
    """No such model, or a feed that no .npz holds."""
    assert peak_memory(tmp_path / "gone.onnx", {"n": np.array([1])}) is None
    assert peak_memory(expands, {"n": [np.array([1])]}) is None
    assert peak_memory(expands, {"n": np.array(["text"], object)}) is None


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not tell")
@pytest.mark.parametrize("name", ["file", "allow_pickle", "x/y.npy"])
def test_inputs_may_have_any_name(name: str, tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", [name], ["out"])],
        "g",
        [value(name, onnx.TensorProto.FLOAT, [1])],
        [value("out", onnx.TensorProto.FLOAT, [1])],
    )
    opset = onnx.helper.make_opsetid("", 21)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10), tmp_path / "model.onnx")
    assert peak_memory(tmp_path / "model.onnx", {name: np.ones(1, np.float32)}) is not None
