"""store-weights: 8-bit weights of float operators, as the runtime folds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.passes.quantize.store_weights import StoreWeights
from qcompile.pipeline import Context
from qcompile.plan import Decision, Form, Plan
from qcompile.runtime import optimized_nodes

CheckRewrite = Callable[..., Any]

RNG = np.random.default_rng(4)


def plan(**forms: Form) -> Context:
    """A plan in which the named nodes are integer."""
    return Context(plan=Plan(target="cpu", nodes={name: Decision(form) for name, form in forms.items()}))


def graph(interface: str, declared: str, nodes: str) -> str:
    return f'<ir_version: 10, opset_import: ["": 21]> g {interface} <{declared}> {{ {nodes} }}'


def codes(*shape: int) -> np.ndarray:
    return RNG.integers(-127, 128, shape).astype(np.int8)


def scales(count: int) -> np.ndarray:
    return RNG.uniform(0.001, 0.1, count).astype(np.float32)


FORMS: dict[str, tuple[str, str, tuple[int, ...], int | None, str]] = {
    # interface, node, shape of the weight, axis of its scales, shape of the factor
    "rows": ("(float[1,4,6,6] x) => (float[1,8,6,6] y)", "Conv(x, {})", (8, 4, 1, 1), 0, "[8,1,1,1]"),
    "columns": ("(float[2,4] x) => (float[2,8] y)", "MatMul(x, {})", (4, 8), 1, "[1,8]"),
    "second axis of three": ("(float[3,2,4] x) => (float[3,2,5] y)", "MatMul(x, {})", (3, 4, 5), 1, "[1,4,1]"),
    "one scale": ("(float[2,4] x) => (float[2,8] y)", "MatMul(x, {})", (4, 8), None, "[1,1]"),
    "constant on the left": ("(float[4,3] x) => (float[8,3] y)", "MatMul({}, x)", (8, 4), 0, "[8,1]"),
}


@pytest.mark.parametrize("name", FORMS)
def test_cast_and_product_are_equal_to_the_last_bit(name: str, check_rewrite: CheckRewrite) -> None:
    interface, node, shape, axis, factor = FORMS[name]
    count = "" if axis is None else f"[{shape[axis]}]"
    attributes = "" if axis is None else f"<axis = {axis}>"
    weight = f"int8{list(shape)} q"
    size = 1 if axis is None else shape[axis]
    check_rewrite(
        StoreWeights(),
        graph(
            interface,
            f"{weight}, float{count} s, int8{count} z",
            f"[dq] w = DequantizeLinear{attributes}(q, s, z) y = {node.format('w')}",
        ),
        graph(
            interface,
            f"{weight}, float{factor} w_scale",
            f"[dq_Cast] w_cast = Cast <to = 1> (q) [dq_Mul] w = Mul(w_cast, w_scale) y = {node.format('w')}",
        ),
        context=plan(),
        tolerance=0,
        q=codes(*shape),
        s=scales(size).reshape(() if axis is None else -1),
        z=np.zeros(() if axis is None else size, np.int8),
    )


COLUMNS = graph(
    "(float[2,4] x) => (float[2,8] y, float[2,8] z)",
    "int8[4,8] q, float[8] s, int8[8] z0",
    "[dq] w = DequantizeLinear<axis = 1>(q, s, z0) [one] y = MatMul(x, w) [two] z = MatMul(x, w)",
)
ARRAYS = {"q": codes(4, 8), "s": scales(8), "z0": np.zeros(8, np.int8)}


def test_several_float_readers_share_what_is_stored(check_rewrite: CheckRewrite) -> None:
    after = graph(
        "(float[2,4] x) => (float[2,8] y, float[2,8] z)",
        "int8[4,8] q, float[1,8] w_scale",
        "[dq_Cast] w_cast = Cast <to = 1> (q) [dq_Mul] w = Mul(w_cast, w_scale) "
        "[one] y = MatMul(x, w) [two] z = MatMul(x, w)",
    )
    check_rewrite(StoreWeights(), COLUMNS, after, context=plan(), tolerance=0, **ARRAYS)


@pytest.mark.parametrize("form", [Form.INTEGER, Form.INTEGER_TO_FLOAT, Form.DYNAMIC])
def test_a_weight_that_an_integer_node_reads_too_stays(form: Form, check_rewrite: CheckRewrite) -> None:
    check_rewrite(StoreWeights(), COLUMNS, None, context=plan(two=form), **ARRAYS)


def test_activations_stay(check_rewrite: CheckRewrite) -> None:
    text = graph("(uint8[2,4] x) => (float[2,4] y)", "float s, uint8 z", "d = DequantizeLinear(x, s, z) y = Softmax(d)")
    feed = {"x": np.arange(8, dtype=np.uint8).reshape(2, 4)}
    check_rewrite(
        StoreWeights(), text, None, context=plan(), feed=feed, s=scales(1).reshape(()), z=np.array(3, np.uint8)
    )


def test_the_runtime_folds_it_but_not_a_dequantization() -> None:
    model = ir.from_onnx_text(COLUMNS, initializers=[ir.tensor(array, name=name) for name, array in ARRAYS.items()])
    assert {node.op_type for node in optimized_nodes(model)} == {"DequantizeLinear", "MatMul"}
    StoreWeights().run(model, plan())
    assert {node.op_type for node in optimized_nodes(model)} == {"MatMul"}
