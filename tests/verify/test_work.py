"""Multiply-adds against counts by hand."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import static_shape
from qcompile.runtime import profile
from qcompile.verify import multiply_adds

CASES = {
    "conv": ("float[2,4,9,9] x, float[6,4,3,3] w", "Conv<pads=[1,1,1,1]>(x, w)", 2 * 6 * 81 * 4 * 9),
    "groups": ("float[2,4,9,9] x, float[6,2,3,3] w", "Conv<group=2>(x, w)", 2 * 6 * 49 * 2 * 9),
    "depthwise": ("float[1,8,9,9] x, float[8,1,3,3] w", "Conv<group=8, strides=[2,2]>(x, w)", 8 * 16 * 9),
    "conv 1d": ("float[1,4,16] x, float[6,4,5] w", "Conv(x, w)", 6 * 12 * 4 * 5),
    "transposed": ("float[1,4,5,5] x, float[4,6,2,2] w", "ConvTranspose<strides=[2,2]>(x, w)", 25 * 4 * 6 * 4),
    "gemm": ("float[3,4] x, float[4,7] w", "Gemm(x, w)", 3 * 4 * 7),
    "gemm transA": ("float[4,3] x, float[4,7] w", "Gemm<transA=1>(x, w)", 3 * 4 * 7),
    "gemm transB": ("float[3,4] x, float[7,4] w", "Gemm<transB=1>(x, w)", 3 * 4 * 7),
    "matmul": ("float[2,5,3,4] x, float[4,7] w", "MatMul(x, w)", 10 * 3 * 4 * 7),
    "matmul of vectors": ("float[4] x, float[4] w", "MatMul(x, w)", 4),
    "lstm": (
        "float[5,2,3] x, float[1,28,3] w, float[1,28,7] r", "LSTM<hidden_size=7>(x, w, r)", 5 * 2 * 28 * (3 + 7)
    ),
    "both ways": (
        "float[5,2,3] x, float[2,21,3] w, float[2,21,7] r",
        'GRU<hidden_size=7, direction="bidirectional">(x, w, r)',
        5 * 2 * 2 * 21 * (3 + 7),
    ),
    "add": ("float[2,3] x, float[2,3] w", "Add(x, w)", None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_counts(name: str) -> None:
    inputs, node, expected = CASES[name]
    model = ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["": 21]> g ({inputs}) => (float y) {{ [the_node] y = {node} }}'
    )
    for value in model.graph.outputs:
        value.shape = None
    feed = {value.name or "": np.ones(static_shape(value) or (), np.float32) for value in model.graph.inputs}
    assert multiply_adds(profile(model, feed)) == ({} if expected is None else {"the_node": expected})


def test_a_node_in_a_loop_counts_each_time() -> None:
    model = ir.from_onnx_text("""<ir_version: 10, opset_import: ["": 21]>
        g (float[3,4] x, int64 n, bool c) => (float[3,4] y) <float[4,4] w> {
            y = Loop(n, c, x) <body = step (int64 i, bool go, float[3,4] s) => (bool on, float[3,4] t) {
                on = Identity(go) [inner] t = MatMul(s, w)
            }>
        }""", initializers=[ir.tensor(np.eye(4, dtype=np.float32), name="w")])  # fmt: skip
    feed = {"x": np.ones((3, 4), np.float32), "n": np.array(5), "c": np.array(True)}
    assert multiply_adds(profile(model, feed)) == {"inner": 5 * 3 * 4 * 4}
