"""A lowered model that parts from its reference is noticed, and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.errors import ModelError
from qcompile.verify import StepError, check_steps, step_errors

NODES = """
    [first] a = Conv<pads=[1,1,1,1]>(x, w, b) [relu] r = Relu(a)
    [second] d = Conv<pads=[1,1,1,1]>(r, v, b)
    [sum] s = Add(r, d)
    [pool] p = GlobalAveragePool(s)
    [flat] f = Flatten(p)
    [head] y = Gemm(f, g, c)
"""


@pytest.fixture
def made(quantize: Callable[..., Any]) -> Any:
    interface = "(float[4,8,12,12] x) => (float[4,10] y)"
    return quantize(interface, NODES, w=(16, 8, 3, 3), b=(16,), v=(16, 16, 3, 3), g=(16, 10), c=(10,))


def test_a_right_model_passes(made: Any) -> None:
    errors = step_errors(made.qdq.clone(), made.lowered.clone(), made.feed)
    names = ["x_quantized", "r_quantized", "d_quantized", "s_quantized", "p_quantized", "f_quantized", "y"]
    assert [error.value for error in errors] == names
    ops = ["input", "Conv", "Conv", "Add", "GlobalAveragePool", "Flatten", "Gemm"]
    assert [error.op_type for error in errors] == ops
    assert all(error.is_within_contract for error in errors)
    check_steps(made.qdq.clone(), made.lowered.clone(), made.feed)


def altered(model: ir.Model, node: str, index: int, change: Callable[[Any], Any]) -> ir.Model:
    """A copy in which one node alone reads a changed constant."""
    model = model.clone()
    reader = next(n for n in model.graph if n.name == node)
    old = reader.inputs[index]
    assert old is not None
    assert old.const_value is not None
    array = old.const_value.numpy()
    tensor = ir.tensor(np.asarray(change(array), array.dtype), name=f"{old.name}_altered")
    new = ir.Value(name=tensor.name, type=old.type, shape=old.shape, const_value=tensor)
    model.graph.register_initializer(new)
    reader.replace_input_with(index, new)
    return model


@pytest.mark.parametrize(
    ("node", "index", "change", "op", "value"),
    [
        ("first", 1, lambda scale: scale * 1.02, "Conv", "r_quantized"),
        ("second", 2, lambda zero: zero + 1, "Conv", "d_quantized"),
        ("second", 6, lambda scale: scale * 1.02, "Conv", "d_quantized"),
        ("second", 8, lambda bias: bias + 2000, "Conv", "d_quantized"),
        ("second", 3, lambda weight: -weight, "Conv", "d_quantized"),
        ("sum", 7, lambda zero: zero + 2, "Add", "s_quantized"),
        ("sum", 1, lambda scale: scale * 1.2, "Add", "s_quantized"),
        ("pool", 4, lambda zero: zero - 1, "GlobalAveragePool", "p_quantized"),
        ("head", 1, lambda scale: scale * 1.02, "Gemm", "y"),
        ("head", 2, lambda zero: zero + 1, "Gemm", "y"),
        ("head", 6, lambda bias: bias[::-1], "Gemm", "y"),
    ],
)
def test_one_wrong_constant(
    made: Any, node: str, index: int, change: Callable[[Any], Any], op: str, value: str
) -> None:
    broken = altered(made.lowered, node, index, change)
    wrong = [e for e in step_errors(made.qdq.clone(), broken.clone(), made.feed) if not e.is_within_contract]
    assert [(error.op_type, error.value) for error in wrong] == [(op, value)]  # and only there: each is judged alone
    with pytest.raises(
        ModelError, match=rf"integer kernel of {op} parts from its reference at '{value}' \(up to \d+ steps"
    ):
        check_steps(made.qdq.clone(), broken, made.feed)


@pytest.mark.parametrize(
    ("op", "steps", "share", "within"),
    [
        ("Conv", 1, 0.001, True),
        ("Conv", 1, 0.002, False),
        ("Add", 1, 0.3, True),
        ("Mul", 2, 1e-6, False),
        ("Conv", 0, 0, True),
    ],
)
def test_the_contract(op: str, steps: int, share: float, within: bool) -> None:
    """Sums and products alone may miss as many ties as there are."""
    assert StepError("value", op, steps, share).is_within_contract is within
