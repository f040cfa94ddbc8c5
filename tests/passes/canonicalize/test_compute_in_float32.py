"""compute-in-float32: one float type inside, whatever the interface says."""

from __future__ import annotations

import re
from collections.abc import Callable

import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import constant, nodes
from qcompile.passes.canonicalize.compute_in_float32 import ComputeInFloat32
from qcompile.pipeline import Context, PassResult
from qcompile.runtime import run_as_written

CheckNodes = Callable[..., PassResult]

RNG = np.random.default_rng(1)
HEADER = '<ir_version: 10, opset_import: ["": 21]> '


def half(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float16")


ENTER = "[x_cast] x_float32 = Cast <to = 1> (x)"


def leave(name: str, dtype: int) -> str:
    return f"[{name}_float32_cast] {name} = Cast <to = {dtype}> ({name}_float32)"


def test_a_float16_model_keeps_its_interface(check_nodes: CheckNodes) -> None:
    before = "[m] h = MatMul(x, w) [r] y = Relu(h)"
    after = f"{ENTER} [m] h = MatMul(x_float32, w) [r] y_float32 = Relu(h) {leave('y', 10)}"
    interface = "(float16[N,4] x) => (float16[N,3] y)"
    check_nodes(ComputeInFloat32(), interface, before, after, tolerance=1e-2, w=half(4, 3))


def test_an_output_that_others_read(check_nodes: CheckNodes) -> None:
    interface = "(float16[4] x) => (float16[4] y, float16[4] z, int64[1] n)"
    before = "y = Relu(x) z = Add(y, w) n = Shape(y)"
    after = f"""{ENTER} y_float32 = Relu(x_float32) z_float32 = Add(y_float32, w) n = Shape(y_float32)
                {leave("y", 10)} {leave("z", 10)}"""
    check_nodes(ComputeInFloat32(), interface, before, after, tolerance=1e-2, w=half(4))


def test_an_island_between_casts(check_nodes: CheckNodes) -> None:
    before = "a = Cast <to = 10> (x) b = MatMul(a, w) z = Cast <to = 1> (b)"
    after = "a = Cast <to = 1> (x) b = MatMul(a, w) z = Cast <to = 1> (b)"
    check_nodes(ComputeInFloat32(), "(float[2,4] x) => (float[2,3] z)", before, after, tolerance=1e-2, w=half(4, 3))


def test_a_double_model(check_nodes: CheckNodes) -> None:
    interface, after = (
        "(double[2,4] x) => (double[2,3] z)",
        f"{ENTER} z_float32 = MatMul(x_float32, w) {leave('z', 11)}",
    )
    check_nodes(ComputeInFloat32(), interface, "z = MatMul(x, w)", after, w=RNG.normal(size=(4, 3)))


def test_types_in_attributes(check_nodes: CheckNodes) -> None:
    interface = "(int64[1] n) => (double[3] y)"
    before = "e = EyeLike <dtype = 11> (square) c = ConstantOfShape <value = double[1] {2}> (n) y = MatMul(e, c)"
    after = f"""e = EyeLike <dtype = 1> (square) c = ConstantOfShape <value = float[1] {{2}}> (n)
                y_float32 = MatMul(e, c) {leave("y", 11)}"""
    square = np.zeros((3, 3), np.int64)
    check_nodes(ComputeInFloat32(), interface, before, after, feed={"n": np.array([3])}, square=square)


def test_bodies(check_nodes: CheckNodes) -> None:
    def branches(read: str, dtype: str) -> str:
        return f"""then_branch = one () => ({dtype}[4] p) {{ p = Add({read}, w) }},
                   else_branch = two () => ({dtype}[4] q) {{ q = Exp({read}) }}"""

    before = f"z = If (c) <{branches('x', 'float16')}>"
    after = f"{ENTER} z_float32 = If (c) <{branches('x_float32', 'float')}> {leave('z', 10)}"
    feed = {"c": np.array(False), "x": half(4)}
    interface = "(bool c, float16[4] x) => (float16[4] z)"
    check_nodes(ComputeInFloat32(), interface, before, after, feed=feed, tolerance=1e-2, w=half(4))


def test_the_state_of_a_loop(check_nodes: CheckNodes) -> None:
    def body(dtype: str) -> str:
        return f"""<body = step (int64 i, bool go, {dtype}[4] s) => (bool on, {dtype}[4] t) {{
                     on = Identity(go) t = Add(s, w) }}>"""

    before = f"z = Loop (times, , x) {body('float16')}"
    after = f"{ENTER} z_float32 = Loop (times, , x_float32) {body('float')} {leave('z', 10)}"
    arrays = {"w": half(4), "times": np.array(3)}
    interface = "(float16[4] x) => (float16[4] z)"
    check_nodes(ComputeInFloat32(), interface, before, after, tolerance=1e-2, **arrays)


def test_doubles_made_of_sizes_stay(check_nodes: CheckNodes) -> None:
    """100 * 0.29 is 28.999999999999996 in double, which is 28; in float32 it would be 29."""
    interface = "(float[100] x) => (float[28] z)"
    before = "n = Shape(x) d = Cast <to = 11> (n) m = Mul(d, share) e = Cast <to = 7> (m) z = Slice(x, zero, e)"
    check_nodes(ComputeInFloat32(), interface, before, None, share=np.array([0.29]), zero=np.array([0]))


def test_doubles_made_of_sizes_meet_data(check_nodes: CheckNodes) -> None:
    interface = "(double[9] x) => (double[9] z, int64[1] e)"
    before = """n = Shape(x) d = Cast <to = 11> (n) m = Mul(d, share) e = Cast <to = 7> (m)
                t = Mul(x, share) z = Div(t, m)"""
    after = f"""{ENTER} n = Shape(x_float32) d = Cast <to = 11> (n) m = Mul(d, share)
                [m_cast] m_float32 = Cast <to = 1> (m) e = Cast <to = 7> (m)
                t = Mul(x_float32, share_float32) z_float32 = Div(t, m_float32) {leave("z", 11)}"""
    check_nodes(ComputeInFloat32(), interface, before, after, share=np.array([0.29]))


@pytest.mark.parametrize(("name", "dtype"), [("bfloat16", ml_dtypes.bfloat16), ("double", np.float64)])
def test_what_the_runtime_has_no_kernels_for(name: str, dtype: type) -> None:
    number = ir.DataType.from_numpy(np.dtype(dtype))
    weight: np.ndarray = RNG.normal(size=(3, 2, 2, 2)).astype(dtype)
    model = ir.from_onnx_text(
        HEADER.replace("21", "22") + f"g (float[1,2,4,4] x) => (float[1,3,3,3] z) <{name}[3,2,2,2] w>"
        f" {{ a = Cast <to = {int(number)}> (x) b = Conv(a, w) z = Cast <to = 1> (b) }}",
        initializers=[ir.tensor(weight, name="w")],
    )
    ComputeInFloat32().run(model, Context())
    image = RNG.normal(size=(1, 2, 4, 4)).astype("float32")
    windows = np.lib.stride_tricks.sliding_window_view(image[0], (2, 2), axis=(1, 2))
    wanted = np.einsum("cyxij,ocij->oyx", windows, weight.astype("float32"))
    np.testing.assert_allclose(run_as_written(model, {"x": image})[0][0], wanted, rtol=1e-4, atol=1e-5)


def test_the_limits_of_double_become_those_of_float32() -> None:
    low = np.finfo(np.float64).min
    model = ir.from_onnx_text(
        HEADER + "g (double[2] x) => (double[2] z) <double[3] w> { z = Max(x, w) }",
        initializers=[ir.tensor(np.array([low, -np.inf, 1.0]), name="w")],
    )
    assert ComputeInFloat32().run(model, Context()).changes
    assert constant(model.graph.initializers["w"]).tolist() == [np.finfo(np.float32).min, -np.inf, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        (
            "g (double[2] x) => (double[2] z) <double[2] w = {1e300, 1}> { z = Mul(x, w) }",
            "",
            "constant 'w' .* beyond float32",
        ),
        ("g (float16[2] x) => (float16[2] z) { [n] z = other.Op(x) }", "n", "Op may mean something else"),
        ("g (seq(float16[2]) x) => (float16[2] z) { z = ConcatFromSequence <axis = 0> (x) }", "", "'x' is no tensor"),
    ],
    ids=["overflow", "unknown-domain", "sequence"],
)
def test_it_stays_and_says_why(text: str, where: str, why: str) -> None:
    model = ir.from_onnx_text(HEADER.replace("21]", '21, "other": 1]') + text)
    before = [node.op_type for node in nodes(model)]
    result = ComputeInFloat32().run(model, Context())
    assert result.changes == 0
    assert [node.op_type for node in nodes(model)] == before
    assert result.declined[0][0] == where
    assert re.search(why, result.declined[0][1].detail)


def test_a_float32_model_is_left_alone(check_nodes: CheckNodes) -> None:
    check_nodes(ComputeInFloat32(), "(float[2] x) => (int64[2] z)", "y = Relu(x) z = Cast <to = 7> (y)", None)


def test_a_model_that_was_cloned_stays_as_it_is() -> None:
    model = ir.from_onnx_text(HEADER + "g (float16[2] x) => (float16[2] y) <float16[2] h> { h = Relu(x) y = Exp(h) }")
    before = ir.to_onnx_text(model)
    assert ComputeInFloat32().run(model.clone(), Context()).changes
    assert ir.to_onnx_text(model) == before


def test_what_is_between_casts_already_needs_no_more_of_them() -> None:
    text = HEADER + "g (float16[2] x) => (float16[2] y) { a = Cast <to = 1> (x) b = Relu(a) y = Cast <to = 10> (b) }"
    model = ir.from_onnx_text(text)
    assert ComputeInFloat32().run(model, Context()).changes == 0
    assert [node.op_type for node in model.graph] == ["Cast", "Relu", "Cast"]
    assert model.graph.outputs[0].dtype == ir.DataType.FLOAT16
