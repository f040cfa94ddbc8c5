"""Operators that onnxruntime does not know are named with their node."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from qcompile.errors import ModelError
from qcompile.verify import check_runnable


def model(nodes: str, imports: str = "") -> ir.Model:
    return ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["": 21{imports}]> g (float[4] x) => (float[4] y) {{ {nodes} }}'
    )


def test_a_model_that_runs() -> None:
    check_runnable(model("y = Relu(x)"))


@pytest.mark.parametrize(
    ("nodes", "imports", "named"),
    [
        ("t = Relu(x) [odd] y = NoSuchOp(t)", "", "ai.onnx:NoSuchOp"),
        ("[odd] y = my.domain.Op(x)", ', "my.domain": 1', "my.domain:Op"),
        ("[odd] y = com.microsoft.NoSuchOp(x)", ', "com.microsoft": 1', "com.microsoft:NoSuchOp"),
    ],
)
def test_an_unknown_operator(nodes: str, imports: str, named: str) -> None:
    with pytest.raises(ModelError) as raised:
        check_runnable(model(nodes, imports))
    assert str(raised.value).startswith(f"unknown operator {named} (node 'odd')")
    assert "\n" not in str(raised.value)


def test_an_unknown_operator_in_a_body() -> None:
    nodes = """
        c = ReduceMax<keepdims=0>(x) b = Cast<to=9>(c)
        [if] y = If(b) <
            then_branch = one () => (float[4] p) { [inner] p = NoSuchOp(x) },
            else_branch = two () => (float[4] q) { q = Relu(x) }
        >"""
    with pytest.raises(ModelError, match=r"ai\.onnx:NoSuchOp \(node 'inner'\)"):
        check_runnable(model(nodes))


def test_another_defect_comes_in_one_line() -> None:
    with pytest.raises(ModelError, match="onnxruntime refuses the model") as raised:
        check_runnable(model("[odd] y = Relu<no_such_attribute=1>(x)"))
    assert "\n" not in str(raised.value)
