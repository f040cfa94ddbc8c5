"""lift-constants: every form of a constant becomes a plain initializer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.errors import ModelError
from qcompile.ir import constant, nodes
from qcompile.passes.canonicalize.lift_constants import LiftConstants
from qcompile.pipeline import Context, PassResult
from qcompile.runtime import run_as_written

CheckRewrite = Callable[..., PassResult]
HEADER = '<ir_version: 10, opset_import: ["": 21]> '


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("value = float[2] {1, 2}", np.array([1, 2], np.float32)),
        ("value_float = 1.5", np.array(1.5, np.float32)),
        ("value_floats = [1.5, 2.0]", np.array([1.5, 2], np.float32)),
        ("value_int = 3", np.array(3)),
        ("value_ints = [3, 4]", np.array([3, 4])),
    ],
)
def test_forms(form: str, expected: np.ndarray) -> None:
    model = ir.from_onnx_text(HEADER + f"g () => (float[N] y) {{ k = Constant <{form}> () y = Identity(k) }}")
    assert LiftConstants().run(model, Context()).changes == 1
    lifted = constant(model.graph.initializers["k"])
    assert lifted is not None
    assert lifted.dtype == expected.dtype
    np.testing.assert_array_equal(lifted, expected)


def test_a_constant_in_use(check_rewrite: CheckRewrite) -> None:
    check_rewrite(
        LiftConstants(),
        HEADER + "g (float[2] x) => (float[2] y) { k = Constant <value_floats = [3.0, 4.0]> () y = Mul(x, k) }",
        HEADER + "g (float[2] x) => (float[2] y) <float[2] k = {3, 4}> { y = Mul(x, k) }",
    )


def test_in_a_body_it_stays_in_the_body() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x, bool c) => (float[2] y) { y = If(c) <"
        "then_branch = yes () => (float[2] z) { k = Constant <value_float = 2.0> () z = Mul(x, k) },"
        "else_branch = no () => (float[2] z) { z = Neg(x) }> }"
    )
    LiftConstants().run(model, Context())
    assert not model.graph.initializers
    assert list(next(model.graph.subgraphs()).initializers) == ["k"]
    assert "Constant" not in [node.op_type for node in nodes(model)]


def test_weights_listed_as_inputs_are_inputs_no_more(check_rewrite: CheckRewrite) -> None:
    result = check_rewrite(
        LiftConstants(),
        '<ir_version: 3, opset_import: ["": 8]> g (float[2] x, float[2] w) => (float[2] y) { y = Mul(x, w) }',
        HEADER + "g (float[2] x) => (float[2] y) <float[2] w = {3, 4}> { y = Mul(x, w) }",
        feed={"x": np.ones(2, np.float32)},
        w=np.array([3, 4], np.float32),
    )
    assert result.changes == 1


def test_an_input_with_a_default_stays_one_where_other_weights_are_not_listed() -> None:
    arrays = {"w": np.array([3, 4], np.float32), "limit": np.array([5, 5], np.float32)}
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x, float[2] limit) => (float[2] y) <float[2] w> { t = Mul(x, w) y = Min(t, limit) }",
        initializers=[ir.tensor(array, name=name) for name, array in arrays.items()],
    )
    assert LiftConstants().run(model, Context()).changes == 0
    assert [value.name for value in model.graph.inputs] == ["x", "limit"]
    x, limit = np.ones(2, np.float32), np.zeros(2, np.float32)
    np.testing.assert_array_equal(run_as_written(model, {"x": 2 * x})[0], [5, 5])
    np.testing.assert_array_equal(run_as_written(model, {"x": x, "limit": limit})[0], [0, 0])


def test_a_constant_output_keeps_its_node(check_rewrite: CheckRewrite) -> None:
    before = HEADER + "g (float[2] x) => (float[2] y, float k) { k = Constant <value_float = 2.0> () y = Mul(x, k) }"
    check_rewrite(LiftConstants(), before, None)


def test_a_sparse_constant_is_refused() -> None:
    model = ir.from_onnx_text(HEADER + "g () => (float[2] y) { k = Constant <value_float = 2.0> () y = Identity(k) }")
    node = model.graph[0]
    node.attributes.clear()
    node.attributes["sparse_value"] = ir.Attr("sparse_value", ir.AttributeType.SPARSE_TENSOR, object())
    with pytest.raises(ModelError, match="unreadable Constant node"):
        LiftConstants().run(model, Context())
