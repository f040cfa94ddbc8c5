"""Which nodes of a compiled model may exceed 16 bits in a pair of products, read off its weights."""

from __future__ import annotations

import re

import numpy as np
import onnx_ir as ir
import pytest

import qcompile
import qcompile.models
from qcompile.verify import saturating_nodes

HEAD = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'
SCALES = {"s": np.float32(1), "zx": np.uint8(0), "zw": np.int8(0)}

NODES = [
    ("QLinearConv(x, s, zx, w, s, zw, s, zx)", (2, 4, 1, 1), 1),
    ("QLinearConv <group = 4> (x, s, zx, w, s, zw, s, zx)", (4, 2, 1, 1), 1),
    ("com.microsoft.QGemm(x, s, zx, w, s, zw)", (4, 2), 0),
    ("com.microsoft.QGemm <transB = 1> (x, s, zx, w, s, zw)", (2, 4), 1),
    ("QLinearMatMul(x, s, zx, w, s, zw, s, zx)", (4, 2), 0),
    ("com.microsoft.MatMulIntegerToFloat(x, w, s, s)", (4, 2), 0),
    ("com.microsoft.DynamicQuantizeMatMul(x, w, s)", (4, 2), 0),
    ("com.microsoft.DynamicQuantizeLSTM(x, w, r, b, l, i, i, i, s, zw, s, zw)", (1, 4, 8), 1),
]
"""An integer operator, the shape of its weights, and the axis that its kernel sums over first."""


def graph(node: str, weight: np.ndarray) -> ir.Model:
    arrays = SCALES | {"w": weight}
    used = [ir.tensor(np.asarray(arrays[name]), name=name) for name in sorted(arrays.keys() & re.findall(r"\w+", node))]
    ports = "uint8[a, b] x, int8[c, d, e] r, float[f] b, float[g] l, float[h] i"
    return ir.from_onnx_text(f"{HEAD} g ({ports}) => (y) {{ [n] y = {node} }}", used)


def along(shape: tuple[int, ...], axis: int, *places: int) -> np.ndarray:
    """Codes that are 0 but for 127 at these places of an axis."""
    codes = np.zeros(shape, np.int8)
    np.moveaxis(codes, axis, 0)[list(places)] = 127
    return codes


@pytest.mark.parametrize(("node", "shape", "axis"), NODES, ids=[node.split("(")[0] for node, _, _ in NODES])
def test_neighbours_on_the_inner_axis_saturate_and_others_do_not(node: str, shape: tuple[int, ...], axis: int) -> None:
    assert saturating_nodes(graph(node, along(shape, axis, 0, 1))) == ["n"]
    apart = along(shape, axis, 0) if shape[axis] == 2 else along(shape, axis, 0, 2)
    assert saturating_nodes(graph(node, apart)) == []


@pytest.mark.parametrize(
    "node", ["com.microsoft.MatMulIntegerToFloat(x, r, s, s)", "QLinearMatMul(x, s, zx, r, s, zw, s, zx)"]
)
def test_nothing_is_known_of_codes_that_are_computed(node: str) -> None:
    assert saturating_nodes(graph(node, np.zeros((2, 2), np.int8))) == ["n"]


def test_dequantized_weights_are_weights() -> None:
    text = f"""{HEAD} g (float[1, 4] x) => (y) {{
        v = DequantizeLinear(w, s)
        [n] y = MatMul(x, v)
    }}"""
    arrays = [ir.tensor(along((4, 2), 0, 2, 3), name="w"), ir.tensor(np.float32(1), name="s")]
    assert saturating_nodes(ir.from_onnx_text(text, arrays)) == ["n"]


@pytest.mark.parametrize(
    ("node", "weight"),
    [
        ("QLinearConv <group = 4> (x, s, zx, w, s, zw, s, zx)", np.full((4, 1, 3, 3), 127, np.int8)),
        ("QLinearMatMul(x, s, zx, w, s, zw, s, zx)", np.full((4, 2), 255, np.uint8)),
        ("Gemm(x, w)", np.full((4, 2), 127, np.float32)),
    ],
    ids=["depthwise", "unsigned", "float"],
)
def test_other_kernels_add_no_pairs_of_bytes(node: str, weight: np.ndarray) -> None:
    assert saturating_nodes(graph(node, weight)) == []


@pytest.mark.parametrize("name", ["depthwise", "encoder", "lstm"])
def test_portable_results_are_exact_without_vnni(name: str) -> None:
    feeds = [feed for _, feed in zip(range(16), qcompile.models.calibration(name), strict=False)]
    portable = qcompile.compile(
        qcompile.models.path(name), calib=feeds, target="x86-64", format="qoperator", effort="fast"
    )
    assert portable.plan is not None
    assert any(portable.plan.is_integer(node) for node, _ in portable.plan.weights)
    assert saturating_nodes(portable.model) == []


def test_operators_of_others_are_none_of_ours() -> None:
    """They share no more than a name: not even the number of inputs."""
    text = '<ir_version: 10, opset_import: ["org.example": 1]> g (float[a] x) => (y) { y = org.example.MatMul(x) }'
    assert saturating_nodes(ir.from_onnx_text(text)) == []
