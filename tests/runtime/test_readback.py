"""The QDQ form is one that the runtime fuses by itself: read back from its optimised graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qcompile.runtime import FLOAT_OPS, Session, optimized_nodes

Quantize = Callable[..., Any]
IMAGE = "(float[2,4,8,8] x) => (float[2,8,8,8] y)"
WEIGHTS: dict[str, Any] = {"w": (8, 4, 1, 1), "v": (8, 8, 1, 1), "b": (8,)}


@pytest.mark.parametrize(
    ("interface", "nodes", "expected", "weights"),
    [
        (IMAGE, "a = Conv(x, w, b) y = Relu(a)", {"QLinearConv": 1}, WEIGHTS),
        (
            IMAGE,
            "a = Conv(x, w, b) y = Clip(a, zero, six)",
            {"QLinearConv": 1},
            WEIGHTS | {"zero": np.array(0, np.float32), "six": np.array(6, np.float32)},
        ),
        (
            IMAGE,
            "a = Conv(x, w, b) r = Relu(a) d = Conv(r, v) s = Add(r, d) q = Relu(s) y = Conv(q, v, b)",
            {"QLinearConv": 3, "QLinearAdd": 1},
            WEIGHTS,
        ),
        (
            "(float[3,4] x) => (float[3,8] y)",
            "t = Gemm(x, w, b) r = Relu(t) y = Gemm<transB=1>(r, v, b)",
            {"QGemm": 2},
            {"w": (4, 8), "v": (8, 8), "b": (8,)},
        ),
    ],
    ids=["conv relu", "conv clip", "residual", "gemm"],
)
def test_fused_by_the_runtime(
    quantize: Quantize, interface: str, nodes: str, expected: dict[str, int], weights: dict[str, Any]
) -> None:
    weights = {name: array for name, array in weights.items() if f" {name}" in nodes or f"({name}" in nodes}
    made = quantize(interface, nodes, **weights)
    ran = Counter(node.op_type for node in optimized_nodes(made.qdq))
    assert {op: count for op, count in ran.items() if op in expected} == expected
    assert not FLOAT_OPS & set(ran)
    assert not {"Relu", "Clip", "Add"} & set(ran)

    lowered = Session(made.lowered).run(made.feed)
    fused = Session(made.qdq).run(made.feed)
    for a, b in zip(lowered, fused, strict=True):
        np.testing.assert_array_equal(a, b)


def test_bodies_are_read_too(quantize: Quantize) -> None:
    nodes = (
        "t = Conv(x, w) y = If(c) <then_branch = one () => (float[2,8,8,8] p) { p = Conv(t, v) },"
        "else_branch = two () => (float[2,8,8,8] q) { q = Elu(t) }>"
    )
    made = quantize("(float[2,4,8,8] x, bool c) => (float[2,8,8,8] y)", nodes, w=(8, 4, 1, 1), v=(8, 8, 1, 1))
    assert {"QLinearConv", "Elu", "If"} < {node.op_type for node in optimized_nodes(made.lowered)}
