"""What a model must declare."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

from qcompile.ir import CONTRIB, MINIMUM_OPSET, declare, lowest_runtime, opset

RELU = "g (float[2] x) => (float[2] y) { y = Relu(x) }"


def model(version: int, ir_version: int = 10, graph: str = RELU) -> ir.Model:
    return ir.from_onnx_text(f'<ir_version: {ir_version}, opset_import: ["": {version}]> {graph}')


def test_opset_under_both_names_of_the_standard_domain() -> None:
    assert opset(model(17)) == 17
    assert opset(ir.from_onnx_text(f'<ir_version: 8, opset_import: ["ai.onnx": 15]> {RELU}')) == 15


def test_contrib_operators_are_declared() -> None:
    made = model(21, graph="g (float[2] x) => (float[2] y) { y = com.microsoft.Gelu(x) }")
    declare(made)
    assert made.graph.opset_imports == {"": 21, CONTRIB: 1}
    onnx.checker.check_model(ir.to_proto(made))


def test_contrib_operators_of_a_body_are_declared() -> None:
    graph = """g (bool c, float[2] x) => (float[2] y) {
      y = If (c) <
        then_branch = yes () => (float[2] a) { a = com.microsoft.Gelu(x) },
        else_branch = no () => (float[2] b) { b = Relu(x) }
      >
    }"""
    made = model(21, graph=graph)
    declare(made)
    assert made.graph.opset_imports == {"": 21, CONTRIB: 1}


def test_nothing_is_declared_that_is_not_used() -> None:
    made = model(21)
    declare(made)
    assert made.graph.opset_imports == {"": 21}


@pytest.mark.parametrize(("version", "before", "after"), [(21, 8, 10), (21, 10, 10), (21, 11, 11), (13, 4, 7)])
def test_ir_version_is_raised_to_what_the_opset_needs_and_never_lowered(version: int, before: int, after: int) -> None:
    made = model(version, before)
    declare(made)
    assert made.ir_version == after


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (13, "onnxruntime >= 1.18, IR version 10"),
        (MINIMUM_OPSET, "onnxruntime >= 1.18, IR version 10"),
        (22, "onnxruntime >= 1.21, IR version 10"),
        (99, "onnxruntime >= the first that knows opset 99, IR version 10"),
    ],
)
def test_lowest_runtime(version: int, said: str) -> None:
    assert lowest_runtime(model(version)) == said
