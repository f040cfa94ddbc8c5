"""fold-constants: what is computed beforehand, and what must not be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import constant, nodes, weight_bytes
from qcompile.passes.canonicalize.fold_constants import FoldConstants
from qcompile.passes.canonicalize.infer_shapes import InferShapes
from qcompile.pipeline import Context, PassResult
from qcompile.runtime.session import run_as_written

CheckRewrite = Callable[..., PassResult]
HEADER = '<ir_version: 10, opset_import: ["": 21]> '
RNG = np.random.default_rng(0)


def test_a_weight_is_prepared_whatever_its_size(check_rewrite: CheckRewrite) -> None:
    check_rewrite(
        FoldConstants(),
        HEADER + "g (float[1,600] x) => (float[1,500] y) <float[500,300,2] w, int64[2] flat = {500, -1}> {"
        " [r] v = Reshape(w, flat) [t] u = Transpose <perm = [1, 0]> (v) [s] k = Neg(u) [m] y = MatMul(x, k) }",
        HEADER + "g (float[1,600] x) => (float[1,500] y) <float[1] k = {0}> { [m] y = MatMul(x, k) }",
        w=RNG.normal(size=(500, 300, 2)).astype(np.float32),
        tolerance=1e-4,
    )


def test_a_chain_of_shapes_folds_where_they_are_static(check_rewrite: CheckRewrite) -> None:
    before = (
        HEADER + "g (float[SIZE,3,4] x) => (float[A,B] y) <int64 zero = {0}, int64[1] rest = {-1}, int64[1] at = {0}> {"
        " [s] s = Shape(x) [g] n = Gather(s, zero) [u] m = Unsqueeze(n, at) [c] to = Concat <axis = 0> (m, rest)"
        " [r] y = Reshape(x, to) }"
    )
    check_rewrite(
        FoldConstants(),
        before.replace("SIZE", "2"),
        HEADER + "g (float[2,3,4] x) => (float[A,B] y) <int64[2] to = {2, -1}> { [r] y = Reshape(x, to) }",
    )


def test_a_symbolic_shape_is_not_taken_for_a_number() -> None:
    model = ir.from_onnx_text(HEADER + "g (float[N,3] x) => (int64[1] y) { s = Shape <end = 1> (x) y = Neg(s) }")
    model.graph.inputs[0].shape = ir.Shape([-1, 3])
    InferShapes().run(model, Context())
    FoldConstants().run(model, Context())
    assert run_as_written(model, {"x": np.zeros((5, 3), np.float32)})[0] == [-5]
    assert model.graph.inputs[0].shape == (-1, 3)


@pytest.mark.parametrize(
    "bomb",
    [
        "t = Expand(w, shape)",
        "t = ConstantOfShape(shape)",
        "t = Tile(w, shape)",
        "t = Range(zero, huge, one)",
        "column = Expand(w, tall) row = Expand(w, wide) t = MatMul(column, row)",
        "column = Expand(w, tall) row = Expand(w, wide) t = Add(column, row)",
    ],
)
def test_nothing_large_is_made_of_something_small(bomb: str) -> None:
    model = ir.from_onnx_text(
        HEADER + "g () => (float y) <float[1,1] w = {1}, int64[2] shape = {100000, 100000},"
        " float zero = {0}, float one = {1}, float huge = {1e10}, int64[2] tall = {8000, 1}, int64[2] wide = {1, 8000}>"
        f" {{ {bomb}"
        " y = ReduceSum <keepdims = 0> (t) }"
    )
    FoldConstants().run(model, Context())
    assert [node.op_type for node in model.graph][-1] == "ReduceSum"
    assert len(model.graph) == 2
    assert weight_bytes(model) < 100_000


@pytest.mark.parametrize(
    "kept",
    [
        "t = DequantizeLinear(q, s)",
        "t = RandomNormalLike(s)",
        "t = Bernoulli(s)",
        "t, mask = Dropout(s, s, yes)",
    ],
)
def test_what_means_more_than_its_result_stays(kept: str) -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[N] x) => (float[N] y) <int8[2] q = {1, 2}, float s = {0.5}, bool yes = {1}> {"
        f" {kept} y = Mul(x, t) }}"
    )
    FoldConstants().run(model, Context())
    assert len(model.graph) == 2


def test_a_weight_that_a_caller_can_override_is_not_folded() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x, float[2] w) => (float[2] y) { [n] v = Neg(w) [m] y = Mul(x, v) }",
        initializers=[ir.tensor(np.ones(2, np.float32), name="w")],
    )
    assert FoldConstants().run(model, Context()).changes == 0
    assert [value.name for value in model.graph.inputs] == ["x", "w"]


def test_a_constant_output_keeps_its_name(check_rewrite: CheckRewrite) -> None:
    before = (
        HEADER + "g (float[2] x) => (float[2] y, float[2] k) <float[2] w = {1, 2}> { [a] y = Neg(x) [b] k = Neg(w) }"
    )
    check_rewrite(FoldConstants(), before, None)


def test_what_nothing_reads_is_removed() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x) => (float[2] y) <float[2] w = {1, 2}, float[2] v = {1, 2}> {"
        " unread = Add(x, w) [a] y = Neg(x) }"
    )
    assert FoldConstants().run(model, Context()).changes == 1
    assert not model.graph.initializers


def test_an_optional_output_that_is_left_out_stays_out() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[3,1,2] x, float[1,16,2] u) => (float[1,1,4] h) <float[1,16,4] r> {"
        ' k = Neg(r) [rnn] "", h = LSTM <hidden_size = 4> (x, u, k) }',
        initializers=[ir.tensor(np.ones((1, 16, 4), np.float32), name="r")],
    )
    FoldConstants().run(model, Context())
    assert [value.name for value in model.graph[0].outputs] == ["", "h"]


def test_a_branch_that_is_always_taken_replaces_its_if(check_rewrite: CheckRewrite) -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x) => (float[2] y) <bool c = {1}> { [t] t = Neg(x) [choose] y = If(c) <"
        "then_branch = yes () => (float[2] z) <float[2] w = {3, 4}> { [inner] z = Mul(t, w) },"
        "else_branch = no () => (float[2] z2) { [other] z2 = Neg(t) }> }"
    )
    FoldConstants().run(model, Context())
    assert [node.op_type for node in nodes(model)] == ["Neg", "Mul"]
    feed = {"x": np.array([1, 2], np.float32)}
    np.testing.assert_array_equal(run_as_written(model, feed)[0], [-3, -8])


def test_in_a_body_constants_fold_too_and_leave_no_trace() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x, bool c) => (float[2] y) <float[2] w = {3, 4}> { [choose] y = If(c) <"
        "then_branch = yes () => (float[2] z) { [n] v = Neg(w) [m] z = Mul(x, v) },"
        "else_branch = no () => (float[2] z2) { [o] z2 = Neg(x) }> }"
    )
    FoldConstants().run(model, Context())
    assert [node.name for node in nodes(model)] == ["choose", "m", "o"]
    factor = next(node for node in nodes(model) if node.name == "m").inputs[1]
    np.testing.assert_array_equal(constant(factor), [-3, -4])
    assert factor is not None
    assert not factor.metadata_props
