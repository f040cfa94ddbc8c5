"""inline-functions: bodies for calls, names by caller, versions that agree."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.errors import ModelError
from qcompile.ir import graphs, nodes
from qcompile.passes.canonicalize.inline_functions import InlineFunctions
from qcompile.pipeline import Context
from qcompile.runtime.session import run_as_written

NESTED = """<ir_version: 10, opset_import: ["": 21, "local": 1]>
g (float[4] x, bool c) => (float[4] y, float[4] u) {
  [first] a = local.block(x)
  [second] b = local.block(a)
  u = local.last(x, b)
  [choose] y = If(c) <
    then_branch = yes () => (float[4] z) { [third] z = local.block(b) },
    else_branch = no () => (float[4] z) { [neg] z = Neg(b) }
  >
}
<domain: "local", opset_import: ["": 21, "local": 1]> block (x) => (y) { [gate] t = local.gate(x) [out] y = Mul(x, t) }
<domain: "local", opset_import: ["": 21]> gate (x) => (y) { [sigmoid] y = Sigmoid(x) }
<domain: "local", opset_import: ["": 21]> last (x, q) => (z) { z = Abs(q) }
"""


def call(version: int, body: str) -> ir.Model:
    return ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["": 21, "local": 1]> g (float[2,3] x) => (float[M] y) {{ y = local.f(x) }}'
        f'<domain: "local", opset_import: ["": {version}]> f (x) => (y) {{ {body} }}'
    )


def test_nodes_are_named_by_their_callers() -> None:
    model = ir.from_onnx_text(NESTED)
    InlineFunctions().run(model, Context())
    names = [node.name for node in nodes(model) if node.op_type in ("Sigmoid", "Mul", "Neg")]
    calls = ("first", "second", "third")
    assert names == [f"{call}/{inner}" for call in calls for inner in ("gate/sigmoid", "out")] + ["neg"]
    values = [value.name for graph in graphs(model) for node in graph for value in node.outputs]
    assert len(values) == len(set(values))


def test_outputs_are_equal_and_nothing_of_the_functions_is_left() -> None:
    model = ir.from_onnx_text(NESTED)
    feed = {"x": np.array([-1, 0, 2, 3], np.float32), "c": np.array(True)}
    before = run_as_written(model, feed)
    assert InlineFunctions().run(model, Context()).changes == 5
    for old, new in zip(before, run_as_written(model, feed), strict=True):
        np.testing.assert_array_equal(new, old)
    assert not model.functions
    assert dict(model.opset_imports) == {"": 21}
    assert [value.name for value in model.graph.outputs] == ["y", "u"]
    assert not any(node.metadata_props for node in nodes(model))


def test_a_function_that_returns_its_inputs_and_more_renames_nothing() -> None:
    model = ir.from_onnx_text(
        '<ir_version: 10, opset_import: ["": 21, "local": 1]>'
        "g (float[2] x, float[2] q) => (float[2] a, float[2] b, float[2] c) { [call] a, b, c = local.f(x, q) }"
        '<domain: "local", opset_import: ["": 21]> f (x, q) => (x, x, q, y) { y = Relu(x) }'
    )
    InlineFunctions().run(model, Context())
    assert [value.name for value in (*model.graph.inputs, *model.graph.outputs)] == ["x", "q", "a", "b", "c"]
    x, q = np.ones(2, np.float32), np.zeros(2, np.float32)
    np.testing.assert_array_equal(run_as_written(model, {"x": x, "q": q}), [x, x, q])


def test_a_function_of_another_opset_is_taken_where_its_operators_did_not_change() -> None:
    model = call(20, "y = Sigmoid(x)")
    InlineFunctions().run(model, Context())
    assert [node.op_type for node in model.graph] == ["Sigmoid"]


def test_a_function_of_another_opset_is_refused_where_an_operator_changed() -> None:
    with pytest.raises(ModelError, match=r"function 'f' uses Squeeze of opset 11, the model is of opset 21"):
        InlineFunctions().run(call(11, "y = Squeeze <axes = [0]> (x)"), Context())


def test_functions_that_call_themselves_are_refused() -> None:
    model = call(21, "y = local.f(x)")
    with pytest.raises(ModelError, match="functions 'f' call themselves"):
        InlineFunctions().run(model, Context())


def test_without_functions_nothing_happens() -> None:
    model = ir.from_onnx_text('<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { y = Neg(x) }')
    assert InlineFunctions().run(model, Context()).changes == 0
