"""fold-shapes: sizes known by name are folded and computed once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import nodes
from qcompile.passes.canonicalize import FoldShapes, InferShapes
from qcompile.pipeline import Context, PassResult

CheckRewrite = Callable[..., PassResult]
CheckNodes = Callable[..., PassResult]

NUMBERS = {
    "zero": np.array(0),
    "one": np.array(1),
    "first": np.array([0]),
    "second": np.array([1]),
    "four": np.array([4]),
    "rest": np.array([-1]),
    "ones": np.array([1, 1, 1]),
    "all_rest": np.array([-1, -1, -1]),
    "end": np.array([2**62]),
    "start": np.array([-1]),
    "back": np.array([-1]),
    "scale": np.array(2, np.float32),
}
"""Constants of shape arithmetic, as exporters write it."""
SIZES = """s = Shape(x) n = Gather(s, zero) m = Gather(s, one) nn = Unsqueeze(n, first) mm = Unsqueeze(m, first)
"""
HEADS = "(float[N,M,8] x) => (float[N,M,4,2] y)"


@pytest.mark.parametrize(
    "target",
    ["t = Concat <axis = 0> (nn, mm, four, rest)", "t = Concat <axis = 0> (nn, mm, four, two)"],
    ids=["rest", "numbers"],
)
def test_dimensions_that_stay_are_copied(check_nodes: CheckNodes, target: str) -> None:
    before = f"{SIZES} {target} [split] y = Reshape(x, t)"
    check_nodes(FoldShapes(), HEADS, before, "[split] y = Reshape(x, split_target)", two=np.array([2]), **NUMBERS)


def test_one_other_dimension_is_left_over(check_nodes: CheckNodes) -> None:
    before = f"{SIZES} p = Mul(nn, mm) t = Concat <axis = 0> (p, eight) [join] y = Reshape(x, t)"
    after = "[join] y = Reshape(x, join_target)"
    check_nodes(FoldShapes(), "(float[N,M,8] x) => (float[K,8] y)", before, after, eight=np.array([8]), **NUMBERS)


def test_two_other_dimensions_stay(check_nodes: CheckNodes) -> None:
    before = f"{SIZES} t = Concat <axis = 0> (mm, nn, rest) [turn] y = Reshape(x, t)"
    check_nodes(FoldShapes(), "(float[N,M,8] x) => (float[M,N,8] y)", before, None, **NUMBERS)


def test_equal_sizes_are_computed_once(check_nodes: CheckNodes) -> None:
    """The second Reshape reads what the first has; Abs has the shape of x, so has its Shape."""
    before = f"""{SIZES} t = Concat <axis = 0> (mm, nn, rest) a = Reshape(x, t)
        b = Abs(x) s2 = Shape(b) n2 = Gather(s2, zero) m2 = Gather(s2, one) nn2 = Unsqueeze(n2, first)
        mm2 = Unsqueeze(m2, first) t2 = Concat <axis = 0> (mm2, nn2, rest) c = Reshape(b, t2) y = Add(a, c)"""
    after = f"""{SIZES} t = Concat <axis = 0> (mm, nn, rest) a = Reshape(x, t)
        b = Abs(x) c = Reshape(b, t) y = Add(a, c)"""
    interface, declared = "(float[N,M,8] x) => (float[M,N,8] y)", "int64[3] t, int64[3] t2"
    check_nodes(FoldShapes(), interface, before, after, values=declared, **NUMBERS)


def test_the_minus_one_of_an_expand_is_decided(check_nodes: CheckNodes) -> None:
    """PyTorch asks of every size whether it is -1; sizes are not. The Mul then broadcasts by itself."""
    before = f"""{SIZES} t = Concat <axis = 0> (nn, mm, rest) q = Equal(t, all_rest) w = Where(q, ones, t)
        e = Expand(z, w) y = Mul(x, e)"""
    interface = "(float[N,M,8] x, float[M,8] z) => (float[N,M,8] y)"
    check_nodes(FoldShapes(), interface, before, "y = Mul(x, z)", **NUMBERS)


def test_an_expand_that_enlarges_the_result_stays(check_nodes: CheckNodes) -> None:
    before = f"{SIZES} t = Concat <axis = 0> (nn, mm, rest) w = Abs(t) e = Expand(z, w) y = Mul(e, scale)"
    check_nodes(FoldShapes(), "(float[N,M,8] x, float[M,1] z) => (float[N,M,1] y)", before, None, **NUMBERS)


def test_a_slice_of_everything_goes_but_not_a_reversed_one(check_nodes: CheckNodes) -> None:
    interface = "(float[N,M,8] x) => (float[N,M,8] y)"
    whole = f"{SIZES} a = Slice(x, first, mm, second, second) y = Abs(a)"
    check_nodes(FoldShapes(), interface, whole, "y = Abs(x)", **NUMBERS)
    turned = "a = Slice(x, start, far, second, back) y = Abs(a)"
    arrays = NUMBERS | {"far": np.array([-(2**62)])}
    check_nodes(FoldShapes(), interface, turned, None, values="float[N,M,8] a", **arrays)


def test_names_that_the_feed_contradicts_are_not_believed(check_rewrite: CheckRewrite) -> None:
    """Some exporters call every unknown dimension the same."""
    before = """<ir_version: 10, opset_import: ["": 21]>
g (float[N,N] x) => (float[A,B] y) <int64[1] zero = {0}, int64[1] one = {1}>
{ s = Shape(x) n = Gather(s, zero) m = Gather(s, one) t = Concat <axis = 0> (m, n) y = Reshape(x, t) }"""
    feed = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
    check_rewrite(FoldShapes(), before, None, feed=feed, context=Context(feed=feed))


def test_outputs_and_branches_keep_what_they_return(check_rewrite: CheckRewrite) -> None:
    before = """<ir_version: 10, opset_import: ["": 21]>
g (float[N,4] x, bool c) => (int64[2] y, int64[2] z) {
    y = Shape(x)
    z = If (c) <
        then_branch = t () => (int64[2] p) { p = Shape(x) },
        else_branch = e () => (int64[2] q) { r = Abs(x) q = Shape(r) }
    >
}"""
    feed = {"x": np.ones((3, 4), np.float32), "c": np.array(False)}
    check_rewrite(FoldShapes(), before, None, feed=feed)


def test_inner_shapes_are_written_down() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 10, opset_import: ["": 21]>
g (float[N,M,8] x) => (float[A,B,C] y) <int64[2] i = {0, 1}, int64[2] h = {4, 2}>
{ s = Shape(x) d = Gather(s, i) t = Concat <axis = 0> (d, h) r = Reshape(x, t) y = Abs(r) }"""
    )
    InferShapes().run(model, Context())
    FoldShapes().run(model, Context())
    reshape = next(node for node in nodes(model) if node.op_type == "Reshape")
    assert str(reshape.outputs[0].shape) == "[N,M,4,2]"
