"""A Sum keeps the runtime's hands off products that stay float."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.passes.quantize import KeepFloat
from qcompile.pipeline import Context
from qcompile.plan import Code, Decision, Form, Plan, Reason
from qcompile.runtime import optimized_nodes

HEADER = '<ir_version: 10, opset_import: ["": 21]>\n'
WEIGHT = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
FLOAT = Decision(Form.FLOAT, Reason(Code.EXCLUDED, "gemm"))
BEFORE = """g (float[2, 8] x) => (uint8[2, 4] y) {
    [gemm] t = Gemm(x, w)
    [relu] r = Relu(t)
    [q] y = QuantizeLinear(r, s, z)
}"""
AFTER = """g (float[2, 8] x) => (uint8[2, 4] y) {
    [gemm] t = Gemm(x, w)
    [relu] r = Relu(t)
    [r_float] r_float = Sum(r)
    [q] y = QuantizeLinear(r_float, s, z)
}"""


@pytest.mark.parametrize(
    ("decision", "after"),
    [
        pytest.param(FLOAT, HEADER + AFTER, id="a float product is guarded"),
        pytest.param(Decision(Form.INTEGER), None, id="an integer one is left for the runtime to fuse"),
    ],
)
def test_products(decision: Decision, after: str | None, check_rewrite: Callable[..., object]) -> None:
    plan = Plan(target="cpu", nodes={"gemm": decision})
    arrays = {"w": WEIGHT, "s": np.float32(0.1), "z": np.uint8(0)}
    check_rewrite(KeepFloat(), HEADER + BEFORE, after, context=Context(plan=plan), **arrays)


def test_a_float_pooling_stays_before_the_quantization(check_rewrite: Callable[..., object]) -> None:
    head = (
        HEADER
        + "g (float[1, 8, 6, 6] x) => (uint8[1, 8, 3, 3] y) { [pool] p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)"
    )
    before = f"{head} [q] y = QuantizeLinear(p, s, z) }}"
    after = f"{head} [p_float] p_float = Sum(p) [q] y = QuantizeLinear(p_float, s, z) }}"
    arrays: dict[str, np.ndarray] = {"s": np.array(0.1, np.float32), "z": np.array(0, np.uint8)}
    plan = Plan(target="cpu", nodes={"pool": FLOAT})
    check_rewrite(KeepFloat(), before, after, context=Context(plan=plan), **arrays)
    tensors = [ir.Tensor(array, name=name) for name, array in arrays.items()]
    model = ir.from_onnx_text(after, initializers=tensors)
    ran = [(node.op_type, node.input[0]) for node in optimized_nodes(model)]
    assert next(source for op, source in ran if op == "MaxPool") == "x"
