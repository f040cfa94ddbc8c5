"""Weights in other files: they go along, stay in other files, and are found in bodies too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

import qcompile

RNG = np.random.default_rng(0)
FEEDS = [{"x": RNG.normal(size=(4, 64)).astype(np.float32), "c": np.array(n % 2 == 0)} for n in range(9)]
BODIES = """(float[N,64] x, bool c) => (float[N,64] y) {
  h = MatMul(x, k)
  y = If (c) <
    then_branch = a () => (float[N,64] u) { u = MatMul(h, w) },
    else_branch = b () => (float[N,64] v) { n = MatMul(h, m)  v = Neg(n) }
  >
}"""
NOTHING = "(float[N,64] x, bool c) => (float[M,64] y) { t = Erf(x) y = Concat <axis = 0> (t, k) }"


def saved(graph: str, opset: int, folder: Path) -> Path:
    """The model with all its weights in another file; those of the branches lie in their bodies."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> g {graph}')
    bodies = [attribute.g for node in proto.graph.node for attribute in node.attribute]
    for owner, name in zip((proto.graph, *bodies), "kwm", strict=False):
        owner.initializer.append(onnx.numpy_helper.from_array(rng.normal(size=(64, 64)).astype(np.float32) / 8, name))
    ir.save(ir.from_proto(proto), folder / "model.onnx", external_data="weights", size_threshold_bytes=0)
    return folder / "model.onnx"


def run(path: Path) -> list[np.ndarray]:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [session.run(None, feed)[0] for feed in FEEDS]


@pytest.mark.parametrize("opset", [13, 21])
def test_weights_of_bodies_too(opset: int, tmp_path: Path) -> None:
    path = saved(BODIES, opset, tmp_path / "in")
    result = qcompile.compile(path, calib=FEEDS, verify_each=True, format="qoperator")
    assert [node.integer for node in result.operators if node.op_type == "MatMul"] == [True] * 3
    assert result.size_before > 3 * 64 * 64 * 4
    (tmp_path / "out").mkdir()
    result.save(tmp_path / "out" / "out.onnx")
    graph, data = sorted((tmp_path / "out").iterdir(), key=lambda file: len(file.name))
    assert graph.stat().st_size + data.stat().st_size == pytest.approx(result.size_after, rel=0.2)
    assert data.stat().st_size >= 3 * 64 * 64
    assert qcompile.validate(path, graph, data=FEEDS).sqnr_db > 20


def test_a_model_with_nothing_to_do_takes_its_weights_along(tmp_path: Path) -> None:
    path = saved(NOTHING, 21, tmp_path / "in")
    result = qcompile.compile(path, calib=FEEDS, format="qoperator")
    result.save(tmp_path / "in" / "beside.onnx")
    assert (tmp_path / "in" / "beside.onnx").read_bytes() == path.read_bytes()
    (tmp_path / "out").mkdir()
    result.save(tmp_path / "out" / "out.onnx")
    before = run(path)
    (tmp_path / "in" / "weights").unlink()
    for old, new in zip(before, run(tmp_path / "out" / "out.onnx"), strict=True):
        np.testing.assert_array_equal(new, old)
