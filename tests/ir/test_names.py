"""Fresh names."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import Names, constant, static_shape

MODEL = """<ir_version: 10, opset_import: ["": 21]>
g (float[2] x, bool c) => (float[2] y) <float[2] w = {1, 2}> {
  [a] t = Mul(x, w)
  [b] y = If(c) <
    then_branch = yes () => (float[2] z) <float[2] v = {1, 2}> { [inner] z = Mul(t, v) },
    else_branch = no () => (float[2] z2) { [other] z2 = Neg(t) }
  >
}"""


@pytest.fixture
def model() -> ir.Model:
    return ir.from_onnx_text(MODEL)


@pytest.mark.parametrize("taken", ["x", "w", "t", "y", "z", "v", "z2"])
def test_a_taken_value_name_is_not_given_again(model: ir.Model, taken: str) -> None:
    assert Names(model).value(taken) == f"{taken}_1"


@pytest.mark.parametrize("taken", ["a", "b", "inner", "other"])
def test_a_taken_node_name_is_not_given_again(model: ir.Model, taken: str) -> None:
    assert Names(model).node(taken) == f"{taken}_1"


def test_what_was_handed_out_is_taken(model: ir.Model) -> None:
    names = Names(model)
    assert [names.value("new") for _ in range(3)] == ["new", "new_1", "new_2"]


def test_names_of_nodes_and_values_do_not_meet(model: ir.Model) -> None:
    names = Names(model)
    assert names.node("x") == "x"
    assert names.value("a") == "a"


@pytest.mark.parametrize("wish", ["a/b: c", "::", " "])
def test_whatever_is_in_a_name_stays(model: ir.Model, wish: str) -> None:
    assert Names(model).value(wish) == wish


def test_a_new_initializer_is_registered_with_its_array(model: ir.Model) -> None:
    array = np.array([[1, 2, 3]], np.int8)
    value = Names(model).initializer(model.graph, "w", array)
    assert model.graph.initializers["w_1"] is value
    assert value.dtype == ir.DataType.INT8
    assert static_shape(value) == (1, 3)
    np.testing.assert_array_equal(constant(value), array)
