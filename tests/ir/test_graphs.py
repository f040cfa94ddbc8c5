"""Walks and edits: outputs keep their names, and what is dead goes, in bodies too."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from qcompile.ir import (
    attribute,
    constant,
    graphs,
    nodes,
    rank,
    remove_dead,
    replace_value,
    scalar_constant,
    sole_consumer,
    static_shape,
    to_proto,
)
from qcompile.runtime.session import run_as_written

HEADER = '<ir_version: 10, opset_import: ["": 21]> '
X = np.array([-1, 2], np.float32)


def value(model: ir.Model, name: str) -> ir.Value:
    """The value of this name in the main graph."""
    made = [value for node in model.graph for value in node.outputs]
    return next(v for v in (*model.graph.inputs, *model.graph.initializers.values(), *made) if v.name == name)


def replaced(text: str, old: str, new: str) -> tuple[ir.Model, list[np.ndarray]]:
    """The model after `old` was replaced by `new`, checked, and its outputs for x = [-1, 2]."""
    model = ir.from_onnx_text(HEADER + text)
    interface = [v.name for v in (*model.graph.inputs, *model.graph.outputs)]
    replace_value(value(model, old), value(model, new))
    assert [v.name for v in (*model.graph.inputs, *model.graph.outputs)] == interface
    remove_dead(model)
    onnx.checker.check_model(to_proto(model), full_check=True)
    return model, run_as_written(model, {"x": X})


def test_an_intermediate_value_is_replaced() -> None:
    model, (y,) = replaced("g (float[2] x) => (float[2] y) { a = Neg(x) b = Relu(x) y = Abs(a) }", "a", "b")
    np.testing.assert_array_equal(y, [0, 2])
    assert [node.op_type for node in model.graph] == ["Relu", "Abs"]


def test_a_new_producer_takes_over_the_name_of_an_output() -> None:
    model, (y,) = replaced("g (float[2] x) => (float[2] y) { b = Relu(x) y = Neg(b) }", "y", "b")
    np.testing.assert_array_equal(y, [0, 2])
    assert [node.op_type for node in model.graph] == ["Relu"]


def test_an_output_that_becomes_an_input_is_a_copy_of_it() -> None:
    model, (y,) = replaced("g (float[2] x) => (float[2] y) { t = Neg(x) y = Neg(t) }", "y", "x")
    np.testing.assert_array_equal(y, X)
    assert [(node.op_type, node.name) for node in model.graph] == [("Identity", "y_identity")]


def test_an_output_that_becomes_a_weight_is_a_copy_of_it() -> None:
    model, (y,) = replaced("g (float[2] x) => (float[2] y) <float[2] w = {5, 6}> { y = Mul(x, w) }", "y", "w")
    np.testing.assert_array_equal(y, [5, 6])
    assert list(model.graph.initializers) == ["w"]


def test_an_output_that_becomes_another_output_is_a_copy_of_it() -> None:
    _, (y, z) = replaced("g (float[2] x) => (float[2] y, float[2] z) { y = Neg(x) z = Abs(x) }", "z", "y")
    np.testing.assert_array_equal(y, [1, -2])
    np.testing.assert_array_equal(z, y)


def test_a_copy_of_a_later_output_comes_after_it() -> None:
    _, (y, z) = replaced("g (float[2] x) => (float[2] y, float[2] z) { y = Neg(x) z = Abs(x) }", "y", "z")
    np.testing.assert_array_equal(y, [1, 2])
    np.testing.assert_array_equal(z, y)


def test_who_else_read_the_output_reads_the_new_value() -> None:
    _, (y, z) = replaced("g (float[2] x) => (float[2] y, float[2] z) { b = Abs(x) y = Neg(x) z = Neg(y) }", "y", "b")
    np.testing.assert_array_equal(y, [1, 2])
    np.testing.assert_array_equal(z, [-1, -2])


def test_a_weight_that_is_an_output_keeps_being_it() -> None:
    text = "g (float[2] x) => (float[2] w, float[2] y) <float[2] w = {5, 6}> { b = Abs(x) y = Mul(x, w) }"
    _, (w, y) = replaced(text, "w", "x")
    np.testing.assert_array_equal(w, [5, 6])
    np.testing.assert_array_equal(y, [1, 4])


def test_in_a_body_an_outer_value_is_copied() -> None:
    model = ir.from_onnx_text(HEADER + BRANCHES)
    inner = next(node for node in nodes(model) if node.name == "inner")
    replace_value(inner.outputs[0], value(model, "t"))
    remove_dead(model)
    assert [node.op_type for node in nodes(model)] == ["Abs", "If", "Identity", "Neg"]
    np.testing.assert_array_equal(run_as_written(model, {"x": X, "c": np.array(True)})[0], [1, 2])


BRANCHES = """g (float[2] x, bool c) => (float[2] y) <float[2] w = {1, 2}> {
  [t] t = Abs(x)
  [choose] y = If(c) <
    then_branch = yes () => (float[2] z) <float[2] v = {3, 4}> { [inner] z = Mul(t, w) },
    else_branch = no () => (float[2] z2) { [dead] d = Mul(t, w) [other] z2 = Neg(t) }
  >
}"""


def test_dead_nodes_and_weights_of_bodies_go() -> None:
    model = ir.from_onnx_text(HEADER + BRANCHES)
    remove_dead(model)
    assert [node.name for node in nodes(model)] == ["t", "choose", "inner", "other"]
    assert [list(graph.initializers) for graph in graphs(model)] == [["w"], [], []]


def test_what_only_a_dead_body_read_is_dead() -> None:
    model = ir.from_onnx_text(
        HEADER + BRANCHES.replace("=> (float[2] y)", "=> (float[2] k)").replace("[t]", "k = Neg(x) [t]")
    )
    remove_dead(model)
    assert [node.op_type for node in nodes(model)] == ["Neg"]
    assert not model.graph.initializers


def test_dead_chains_go_and_listed_weights_stay() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x, float[2] w) => (float[2] y) { a = Neg(x) b = Mul(a, w) y = Abs(x) }",
        initializers=[ir.tensor(X, name="w")],
    )
    remove_dead(model)
    assert [node.op_type for node in model.graph] == ["Abs"]
    assert list(model.graph.initializers) == ["w"]


def test_one_output_in_use_keeps_the_node() -> None:
    model = ir.from_onnx_text(HEADER + "g (float[2] x) => (float[1] b) { a, b = Split <num_outputs = 2> (x) }")
    remove_dead(model)
    assert len(model.graph) == 1


def test_constants_are_weights_and_constant_nodes_that_nobody_can_override() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x, float[2] listed) => (float[2] y) <float w = {3}> {"
        " k = Constant <value_floats = [7.0]> () y = Sum(x, listed, w, k) }",
        initializers=[ir.tensor(X, name="listed")],
    )
    assert constant(value(model, "listed")) is None
    assert constant(value(model, "x")) is None
    assert constant(None) is None
    assert scalar_constant(value(model, "w")) == 3
    assert scalar_constant(value(model, "k")) == 7
    assert scalar_constant(value(model, "y")) is None


@pytest.mark.parametrize(
    ("shape", "expected"),
    [([2, 3], (2, 3)), ([], ()), (["N", 3], None), ([None, 3], None), ([-1, 3], None), (None, None)],
)
def test_a_static_shape_is_all_known(shape: list[int | str | None] | None, expected: tuple[int, ...] | None) -> None:
    made = ir.Value(name="v", shape=None if shape is None else ir.Shape(shape))
    assert static_shape(made) == expected
    assert rank(made) == (None if shape is None else len(shape))


def test_a_sole_consumer_is_the_only_one() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x) => (float[2] b, float[2] y) { [a] a = Neg(x) [b] b = Abs(a) [y] y = Add(b, x) }"
    )
    reader = sole_consumer(value(model, "a"))
    assert reader is not None
    assert reader.name == "b"
    assert sole_consumer(value(model, "b")) is None
    assert sole_consumer(value(model, "x")) is None


def test_attributes_have_defaults() -> None:
    model = ir.from_onnx_text(HEADER + "g (float[2] x) => (float[2] y) { y = LeakyRelu <alpha = 0.5> (x) }")
    assert attribute(model.graph[0], "alpha", 0.01) == 0.5
    assert attribute(model.graph[0], "beta", 7) == 7
