"""correct-bias: text in, text out, and outputs moved by exactly what the plan says."""

from __future__ import annotations

import re

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import constant
from qcompile.passes.repair.correct_bias import CorrectBias
from qcompile.pipeline import Context
from qcompile.plan import Plan

HEAD = '<ir_version: 10, opset_import: ["": 21]> g'
CONV = "(float[1,1,2,2] x) => (float[1,2,2,2] y) <float[2,1,1,1] w = {{2.0, 3.0}}{0}> {{ [node] y = Conv(x, w{1}) }}"
GEMM = "(float[2,1] x) => (float[2,2] y) <float[1,2] w = {{2.0, 3.0}}{0}> {{ [node] y = Gemm(x, w{1}) }}"
BIAS = (", float[2] b = {10.0, 20.0}", ", b")


def corrected(graph: str, shifts: dict[str, tuple[float, ...]]) -> tuple[ir.Model, int]:
    model = ir.from_onnx_text(HEAD + graph)
    result = CorrectBias().run(model, Context(plan=Plan("cpu", bias_shifts=shifts)))
    return model, result.changes


def bias(model: ir.Model) -> list[float]:
    value = model.graph.node(0).inputs[2]
    array = constant(value)
    assert array is not None
    assert array.dtype == np.float32
    return [float(x) for x in array]


def nodes(model: ir.Model) -> list[str]:
    return re.findall(r"\w+ = \w+ \(.*\)", ir.to_onnx_text(model))


@pytest.mark.parametrize("graph", [CONV, GEMM])
@pytest.mark.parametrize(("given", "wanted"), [(BIAS, [10.5, 19.0]), (("", ""), [0.5, -1.0])], ids=["bias", "none"])
def test_the_shift_is_added(graph: str, given: tuple[str, str], wanted: list[float]) -> None:
    model, changes = corrected(graph.format(*given), {"node": (0.5, -1.0)})
    assert changes == 1
    assert bias(model) == wanted
    op = "Conv" if graph is CONV else "Gemm"
    assert nodes(model) == [f"y = {op} (x, w, node_bias_corrected)"]


@pytest.mark.parametrize("shifts", [{}, {"another": (1.0, 1.0)}])
def test_a_node_without_a_shift_stays(shifts: dict[str, tuple[float, ...]]) -> None:
    model, changes = corrected(CONV.format(*BIAS), shifts)
    assert changes == 0
    assert nodes(model) == ["y = Conv (x, w, b)"]


def test_a_bias_that_two_nodes_share() -> None:
    """Each gets its own: the shared one is not changed."""
    graph = """(float[1,1,2,2] x) => (float[1,2,2,2] y, float[1,2,2,2] z)
      <float[2,1,1,1] w = {2.0, 3.0}, float[2] b = {10.0, 20.0}> {
        [node] y = Conv(x, w, b)
        [other] z = Conv(x, w, b)
      }"""
    model, changes = corrected(graph, {"node": (1.0, 1.0)})
    assert changes == 1
    assert nodes(model) == ["y = Conv (x, w, node_bias_corrected)", "z = Conv (x, w, b)"]
    assert bias(model) == [11.0, 21.0]
    shared = constant(model.graph.initializers["b"])
    assert shared is not None
    assert shared.tolist() == [10.0, 20.0]


def test_a_name_that_is_taken() -> None:
    graph = CONV.format(*BIAS).replace("x,", "node_bias_corrected,").replace("] x)", "] node_bias_corrected)")
    model, _ = corrected(graph, {"node": (1.0, 1.0)})
    assert nodes(model) == ["y = Conv (node_bias_corrected, w, node_bias_corrected_1)"]


def test_an_op_that_has_no_bias_stays() -> None:
    graph = "(float[2,1] x) => (float[2,2] y) <float[1,2] w = {2.0, 3.0}> { [node] y = MatMul(x, w) }"
    model, changes = corrected(graph, {"node": (1.0, 1.0)})
    assert changes == 0
    assert nodes(model) == ["y = MatMul (x, w)"]
