"""insert-dynamic-quantization: inputs of products take their range at run time, once for all that read them."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from qcompile.ir import graphs
from qcompile.passes.quantize.insert_dynamic_quantization import InsertDynamicQuantization
from qcompile.pipeline import Context
from qcompile.plan import Decision, Form, Plan
from qcompile.runtime import run_as_written

RNG = np.random.default_rng(6)


def context(*dynamic: str) -> Context:
    return Context(plan=Plan(target="cpu", nodes={name: Decision(Form.DYNAMIC) for name in dynamic}))


def build(text: str) -> ir.Model:
    proto = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]>' + text)
    for name in ("wq", "wk", "wv"):
        array = RNG.normal(size=(4, 4)).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return ir.from_proto(proto)


def written(graph: ir.Graph) -> list[str]:
    """Nodes as `outputs = Op(inputs)`."""

    def listed(values: object) -> str:
        return ", ".join(value.name for value in values)  # type: ignore[attr-defined]

    return [f"{listed(node.outputs)} = {node.op_type}({listed(node.inputs)})" for node in graph]


QKV = """g (float[2, 3, 4] x) => (float[2, 3, 4] q, float[2, 3, 4] k, float[2, 3, 4] v, float[2, 3, 4] r) {
    [q] q = MatMul(x, wq) [k] k = MatMul(x, wk) [v] v = MatMul(x, wv) [r] r = Relu(x)
}"""


def test_queries_keys_and_values_are_quantized_once() -> None:
    model = build(QKV)
    assert InsertDynamicQuantization().run(model, context("q", "k", "v")).changes == 3
    assert written(model.graph) == [
        "x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear(x)",
        "x_dequantized = DequantizeLinear(x_quantized, x_scale, x_zero_point)",
        "q = MatMul(x_dequantized, wq)",
        "k = MatMul(x_dequantized, wk)",
        "v = MatMul(x_dequantized, wv)",
        "r = Relu(x)",
    ]


def test_only_products_that_the_plan_wants_dynamic() -> None:
    model = build(QKV)
    assert InsertDynamicQuantization().run(model, context("k")).changes == 1
    assert written(model.graph)[2:] == [
        "q = MatMul(x, wq)",
        "k = MatMul(x_dequantized, wk)",
        "v = MatMul(x, wv)",
        "r = Relu(x)",
    ]
    model = build(QKV)
    assert InsertDynamicQuantization().run(model, context()).changes == 0


def test_products_are_within_half_a_step_of_their_own_range() -> None:
    """Whatever the range of the input is: 255 steps over it, each input at most half a step off."""
    for size in (1e-3, 1.0, 1e3):
        model, x = build(QKV), (size * RNG.normal(size=(2, 3, 4))).astype(np.float32)
        exact = run_as_written(model, {"x": x})
        InsertDynamicQuantization().run(model, context("q", "k", "v"))
        found = run_as_written(model, {"x": x})
        half_step = (max(x.max(), 0) - min(x.min(), 0)) / 255 / 2
        for wanted, got, name in zip(exact[:3], found[:3], ("wq", "wk", "wv"), strict=True):
            weight = model.graph.initializers[name].const_value
            assert weight is not None
            bound = half_step * np.abs(weight.numpy()).sum(0)
            assert (np.abs(got - wanted) <= 1.01 * bound).all()
        np.testing.assert_array_equal(found[3], exact[3])


def test_a_value_that_is_made_is_quantized_behind_its_maker() -> None:
    model = build(
        "g (float[3, 4] x) => (float[3, 4] y) { [soft] s = Softmax(x) [neg] n = Neg(s) [q] y = MatMul(s, wq) }"
    )
    InsertDynamicQuantization().run(model, context("q"))
    assert [node.op_type for node in model.graph] == [
        "Softmax",
        "DynamicQuantizeLinear",
        "DequantizeLinear",
        "Neg",
        "MatMul",
    ]


def test_a_body_quantizes_what_it_captures_for_itself() -> None:
    """So that the branch that is not taken costs nothing."""
    model = build(
        """g (float[3, 4] x, bool c) => (float[3, 4] y) { [if] y = If (c) <
          then_branch = yes () => (float[3, 4] t) { [k] t = MatMul(x, wk) },
          else_branch = no () => (float[3, 4] e) { [v1] e1 = MatMul(x, wv) [v2] e = MatMul(x, wq) } > }"""
    )
    x = RNG.normal(size=(3, 4)).astype(np.float32)
    exact = [run_as_written(model, {"x": x, "c": np.array(c)})[0] for c in (True, False)]
    InsertDynamicQuantization().run(model, context("k", "v1", "v2"))
    main, yes, no = graphs(model)
    assert [node.op_type for node in main] == ["If"]
    assert [node.op_type for node in yes] == ["DynamicQuantizeLinear", "DequantizeLinear", "MatMul"]
    assert [node.op_type for node in no] == ["DynamicQuantizeLinear", "DequantizeLinear", "MatMul", "MatMul"]
    for c, wanted in zip((True, False), exact, strict=True):
        np.testing.assert_allclose(run_as_written(model, {"x": x, "c": np.array(c)})[0], wanted, atol=0.1)
