"""What the runtime does otherwise than planned is listed by the name of the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from qcompile.ir import remove_dead, replace_value
from qcompile.plan import Code, Reason
from qcompile.targets import find_target
from qcompile.verify import surprises

Quantize = Callable[..., Any]
CPU = find_target("cpu")
IMAGE = "(float[1,8,8,8] x) => (float[1,8,8,8] y)"
SQUARE: dict[str, Any] = {"w": (8, 8, 1, 1), "b": (8,)}


def both_forms(made: Any) -> list[list[tuple[str, Reason]]]:
    qdq = replace(made.plan, format="qdq")
    return [surprises(made.lowered, made.plan, CPU), surprises(made.qdq, qdq, CPU)]


def test_all_as_planned(quantize: Quantize) -> None:
    made = quantize(IMAGE, "[a] t = Conv(x, w, b) [b] u = Relu(t) [c] y = Conv(u, w, b)", **SQUARE)
    assert both_forms(made) == [[], []]


def test_a_float_convolution_that_the_runtime_quantizes_by_itself(quantize: Quantize) -> None:
    """It lies between DequantizeLinear and QuantizeLinear and has constant weights; a Sum (keep-float) prevents it."""
    nodes = "[conv] t = Conv(x, w, b) [conv_1] u = Conv(t, w, b) [conv_2] y = Conv(u, w, b)"
    made = quantize(IMAGE, nodes, exclude=["^conv_1$"], **SQUARE)
    assert both_forms(made) == [[], []]
    for model in (made.lowered, made.qdq):
        for node in list(model.graph):
            if node.op_type == "Sum":
                replace_value(node.outputs[0], node.inputs[0])
        remove_dead(model)
    expected = [("conv_1", Reason(Code.RUNTIME_QUANTIZED, "QLinearConv"))]
    assert both_forms(made) == [expected, expected]


def test_a_float_convolution_that_stays_float(quantize: Quantize) -> None:
    made = quantize(IMAGE, "[a] t = Conv(x, w, b) [b] u = Conv(t, w, b) [c] y = Elu(u)", exclude=["b"], **SQUARE)
    assert both_forms(made) == [[], []]


@pytest.mark.parametrize(
    ("interface", "nodes", "found"),
    [
        ("(float[2,4,8] x) => (float[2,4,8] y)", "[product] t = MatMul(x, w) [sum] y = Add(t, b)", ("product", "Gemm")),
        (
            "(float[1,8] x) => (float[1,8] y)",
            "[gemm] t = Gemm(x, w, b) [relu] r = Relu(t) [float] u = Gemm(r, w, b) [last] y = Gemm(u, w, b)",
            ("gemm", "FusedGemm"),
        ),
    ],
    ids=["MatMul and Add", "Gemm and Relu"],
)
def test_qdq_that_the_runtime_fuses_to_float(
    quantize: Quantize, interface: str, nodes: str, found: tuple[str, str]
) -> None:
    exclude = ["float"] if "[float]" in nodes else []
    lowered, qdq = both_forms(quantize(interface, nodes, exclude=exclude, w=(8, 8), b=(8,)))
    assert lowered == []
    assert qdq == [(found[0], Reason(Code.RUNTIME_DECLINED, found[1]))]


def test_a_clamp_inside_the_range_keeps_the_convolution_float(quantize: Quantize) -> None:
    nodes, ranges = "[a] t = Conv<pads=[1,1,1,1]>(x, k, b) [r] u = Relu(t) [c] y = Conv(u, w, b)", {"u": (-1.0, 1.0)}
    expected = [("a", Reason(Code.RUNTIME_DECLINED, "FusedConv"))]
    assert both_forms(quantize(IMAGE, nodes, ranges=ranges, k=(8, 8, 3, 3), **SQUARE)) == [expected, expected]
