"""Models with control flow, end to end: their bodies are quantized like the main graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import qcompile
from qcompile import CompileResult
from qcompile.ir import bodies
from qcompile.plan import Code

Feed = dict[str, np.ndarray]

RNG = np.random.default_rng(2)
IMAGE = "float[1, 4, 8, 8]"

IF = f"""g ({IMAGE} x, bool c) => ({IMAGE} y) {{
    [conv] a = Conv(x, k0)
    [if] y = If (c) <
      then_branch = yes () => ({IMAGE} t) {{ [conv1] t1 = Conv(a, k1) [relu] t2 = Relu(t1) [conv2] t = Conv(t2, k2) }},
      else_branch = no () => ({IMAGE} e) {{ [conv3] e1 = Conv(a, k3) [conv4] e = Conv(e1, k1) }}
    >
}}"""
LOOP = """g (float[2, 16] x, int64 n) => (float[2, 16] y) <bool yes = {1}> {
    [loop] y = Loop (n, yes, x) <body = b (int64 i, bool go, float[2, 16] h) => (bool more, float[2, 16] next) {
      [same] more = Identity(go) [matmul] m = MatMul(h, w) [tanh] next = Tanh(m)
    }>
}"""
SCAN = """g (float[2, 16] h0, float[5, 2, 16] x) => (float[2, 16] y, float[2, 5, 16] z) {
    [scan] y, z = Scan <num_scan_inputs = 1, scan_output_axes = [1],
      body = b (float[2, 16] h, float[2, 16] s) => (float[2, 16] next, float[2, 16] o) {
        [in] a = MatMul(s, w) [state] r = MatMul(h, v)
        [add] m = Add(a, r) [tanh] next = Tanh(m) [out] o = MatMul(next, w)
      }
    > (h0, x)
}"""
LOOP_OF_IF = """g (float[2, 16] x, int64 n) => (float[2, 16] y) <bool yes = {1}, int64 first = {0}> {
    [loop] y = Loop (n, yes, x) <body = b (int64 i, bool go, float[2, 16] h) => (bool more, float[2, 16] next) {
      [same] more = Identity(go) [equal] is_first = Equal(i, first)
      [if] next = If (is_first) <
        then_branch = one () => (float[2, 16] p) { [sin] t = Sin(h) [matmul1] p = MatMul(t, w) },
        else_branch = rest () => (float[2, 16] q) { [cos] e = Cos(h) [matmul2] q = MatMul(e, v) }
      >
    }>
}"""


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def build(text: str, **weights: np.ndarray) -> onnx.ModelProto:
    model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]>' + text)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
    return model


def if_model() -> onnx.ModelProto:
    return build(IF, **{f"k{i}": normal(4, 4, 1, 1) for i in range(4)})


def matrices() -> dict[str, np.ndarray]:
    return {name: normal(16, 16) / 6 for name in ("w", "v")}


def if_feeds(conditions: Iterable[bool]) -> list[Feed]:
    return [{"x": normal(1, 4, 8, 8), "c": np.array(condition)} for condition in conditions]


def loop_feeds(*counts: int) -> list[Feed]:
    return [{"x": normal(2, 16), "n": np.array(count)} for count in counts * 8]


def body_ops(result: CompileResult, name: str) -> list[Counter[str]]:
    """What each body of a node computes with."""
    owner = next(node for node in result.model.graph if node.name == name)
    return [Counter(node.op_type for node in body) for body in bodies(owner)]


def test_branches_that_samples_take() -> None:
    result = qcompile.compile(
        if_model(), calib=if_feeds([True, False, False] * 6), verify_each=True, format="qoperator"
    )
    assert [ops["QLinearConv"] + ops["MatMulIntegerToFloat"] for ops in body_ops(result, "if")] == [2, 2]
    assert not any(ops["Conv"] or ops["QuantizeLinear"] for ops in body_ops(result, "if"))  # outer codes are captured
    assert [(name, reason.code) for name, reason in result.stayed_float] == [("if", Code.NO_INTEGER_KERNEL)]
    assert result.sqnr_db > 25


def test_a_branch_that_no_sample_takes() -> None:
    model = if_model()
    result = qcompile.compile(model, calib=if_feeds([False] * 16), verify_each=True, format="qoperator")
    yes, no = body_ops(result, "if")
    assert (yes["Conv"], yes["QLinearConv"]) == (2, 0)
    assert (no["Conv"], no["QLinearConv"] + no["MatMulIntegerToFloat"]) == (0, 2)
    assert {name for name, reason in result.stayed_float if reason.code is Code.NO_RANGE} == {"conv1", "conv2"}
    taken = qcompile.validate(model, result.model, data=if_feeds([True] * 4))
    assert min(result.sqnr_db, taken.sqnr_db) > 25


def test_a_loop() -> None:
    result = qcompile.compile(
        build(LOOP, w=matrices()["w"]), calib=loop_feeds(1, 3), verify_each=True, format="qoperator"
    )
    assert body_ops(result, "loop")[0]["MatMulIntegerToFloat"] == 1
    assert result.sqnr_db > 25


def test_a_scan() -> None:
    feeds = [{"h0": normal(2, 16), "x": normal(5, 2, 16)} for _ in range(16)]
    result = qcompile.compile(build(SCAN, **matrices()), calib=feeds, verify_each=True, format="qoperator")
    assert body_ops(result, "scan")[0]["MatMulIntegerToFloat"] == 3
    assert result.sqnr_db > 25


def test_a_branch_in_a_loop() -> None:
    result = qcompile.compile(
        build(LOOP_OF_IF, **matrices()), calib=loop_feeds(2, 3), verify_each=True, format="qoperator"
    )
    (loop_body,) = (body for node in result.model.graph if node.name == "loop" for body in bodies(node))
    branches = [body for node in loop_body if node.name == "if" for body in bodies(node)]
    assert [Counter(node.op_type for node in branch)["MatMulIntegerToFloat"] for branch in branches] == [1, 1]
    assert result.sqnr_db > 25


def test_a_loop_that_never_runs() -> None:
    result = qcompile.compile(build(LOOP, w=matrices()["w"]), calib=loop_feeds(0), verify_each=True, format="qoperator")
    assert {name: reason.code for name, reason in result.stayed_float}["matmul"] is Code.NO_RANGE
    assert result.sqnr_db == float("inf")


def test_the_plan_of_a_loop_is_replayed() -> None:
    model, feeds = build(LOOP, w=matrices()["w"]), loop_feeds(1, 3)
    result = qcompile.compile(model, calib=feeds, format="qoperator")
    again = qcompile.compile(model, calib=feeds, plan=result.plan, format="qoperator")
    assert ir.to_onnx_text(again.model) == ir.to_onnx_text(result.model)


@pytest.mark.parametrize("format_", ["qdq", "qoperator"])
def test_both_forms(format_: str) -> None:
    result = qcompile.compile(if_model(), calib=if_feeds([True, False] * 8), format=format_, verify_each=True)
    assert result.sqnr_db > 25
