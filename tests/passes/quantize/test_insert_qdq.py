"""insert-qdq and remove-qdq: exact inverses of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qcompile.ir import remove_dead
from qcompile.passes.quantize.insert_qdq import InsertQDQ
from qcompile.passes.quantize.remove_qdq import RemoveQDQ
from qcompile.pipeline import Context

Quantize = Callable[..., Any]
IMAGE = "(float[1,4,6,6] x) => (float[1,8,6,6] y)"


def written(model: ir.Model) -> tuple[str, dict[str, bytes]]:
    """The graph as text with its value declarations, and the bytes of every weight."""
    weights = {
        name: value.const_value.tobytes() for name, value in model.graph.initializers.items() if value.const_value
    }
    return ir.to_onnx_text(model, exclude_initializers=True), weights


def pairs(model: ir.Model) -> list[tuple[str | None, str | None]]:
    """(what is quantized, what is read instead)."""
    quantizers = [node for node in model.graph if node.op_type == "QuantizeLinear"]
    readers = [next(iter(node.outputs[0].uses())).node for node in quantizers]
    return [(q.inputs[0].name, dq.outputs[0].name) for q, dq in zip(quantizers, readers, strict=True) if q.inputs[0]]


GRAPHS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "output": (IMAGE, "y = Conv(x, w, b)", {"w": (8, 4, 1, 1), "b": (8,)}),
    "output that is read": (
        "(float[1,4,6,6] x) => (float[1,8,6,6] y, float[1,8,6,6] z)",
        "y = Conv(x, w) z = Conv(y, v)",
        {"w": (8, 4, 1, 1), "v": (8, 8, 1, 1)},
    ),
    "float output": ("(float[3,4] x) => (float[3,8] y)", "y = Gemm(x, w, b)", {"w": (4, 8), "b": (8,)}),
    "residual": (
        IMAGE,
        "a = Conv(x, w) r = Relu(a) d = Conv(r, v) s = Add(r, d) q = Relu(s) y = Conv(q, v)",
        {"w": (8, 4, 1, 1), "v": (8, 8, 1, 1)},
    ),
    "shared weight": (
        "(float[1,4,6,6] x, float[1,4,6,6] u) => (float[1,8,6,6] y, float[1,8,6,6] z)",
        "y = Conv(x, w, b) z = Conv(u, w, b)",
        {"w": (8, 4, 1, 1), "b": (8,)},
    ),
    "float reader": (
        "(float[1,4,6,6] x) => (float[1,8,6,6] y, float[1,8,6,6] z, float[1,4,6,6] f)",
        "a = Conv(x, w) y = Conv(a, v) z = Elu(a) f = Elu(x)",
        {"w": (8, 4, 1, 1), "v": (8, 8, 1, 1)},
    ),
    "constant operand": (
        IMAGE,
        "a = Conv(x, w) s = Mul(a, k) y = Conv(s, v)",
        {"w": (8, 4, 1, 1), "v": (8, 8, 1, 1), "k": (8, 1, 1)},
    ),
    "several outputs": (
        "(float[1,4,6,6] x) => (float[1,4,6,6] y)",
        "a = Conv(x, w) s, t = Split<axis=1, num_outputs=2>(a) u = Add(s, t) y = Conv(u, v)",
        {"w": (8, 4, 1, 1), "v": (4, 4, 1, 1)},
    ),
    "captured by a body": (
        "(float[1,4,6,6] x, bool c) => (float[1,8,6,6] y, float[1,8,6,6] z)",
        "a = Conv(x, w) y = Conv(a, v) z = If(c) <then_branch = t () => (float[1,8,6,6] p) { p = Elu(a) },"
        "else_branch = e () => (float[1,8,6,6] q) { q = Neg(a) }>",
        {"w": (8, 4, 1, 1), "v": (8, 8, 1, 1)},
    ),
    "names like ours": (
        IMAGE,
        "x_quantized = Conv(x, w) [x_QuantizeLinear] y_float = Conv(x_quantized, x_scale)y = Add(y_float, x_quantized)",
        {"w": (8, 4, 1, 1), "x_scale": (8, 8, 1, 1)},
    ),
}


def check_inverse(quantize: Quantize, interface: str, nodes: str, weights: dict[str, Any]) -> ir.Model:
    made = quantize(interface, nodes, **weights)
    model, context = made.canonical.clone(), Context(plan=made.plan)
    remove_dead(model)
    before = written(model)
    inserted = InsertQDQ().run(model, context).changes
    with_pairs: ir.Model = model.clone()
    assert inserted == len(pairs(model))
    assert written(model) != before
    assert RemoveQDQ().run(model, context).changes == inserted
    assert written(model) == before
    return with_pairs


@pytest.mark.parametrize("name", GRAPHS)
def test_inverse(quantize: Quantize, name: str) -> None:
    check_inverse(quantize, *GRAPHS[name])


def test_integer_readers_share_a_pair_and_float_readers_of_an_input_read_the_input(quantize: Quantize) -> None:
    model = check_inverse(quantize, *GRAPHS["float reader"])
    assert pairs(model) == [
        ("x", "x_dequantized"),
        ("w", "w_dequantized"),
        ("a", "a_dequantized"),
        ("v", "v_dequantized"),
        ("y_float", "y"),
    ]
    read = [(n.op_type, n.inputs[0].name) for n in model.graph if n.inputs[0] and n.op_type in ("Conv", "Elu")]
    assert read == [("Conv", "x_dequantized"), ("Conv", "a_dequantized"), ("Elu", "a_dequantized"), ("Elu", "x")]


def test_values_that_share_parameters_share_their_initializers(quantize: Quantize) -> None:
    interface, nodes = IMAGE, "a = Conv(x, w) m = MaxPool<kernel_shape=[1,1]>(a) y = Conv(m, v)"
    model = check_inverse(quantize, interface, nodes, {"w": (8, 4, 1, 1), "v": (8, 8, 1, 1)})
    scales = {node.inputs[0].name: node.inputs[1].name for node in model.graph if node.op_type == "QuantizeLinear"}  # type: ignore[union-attr]
    assert scales["a"] == scales["m"] == "a_scale"


def test_a_weight_has_a_pair_for_each_reader(quantize: Quantize) -> None:
    model = check_inverse(quantize, *GRAPHS["shared weight"])
    assert [pair for pair in pairs(model) if pair[0] == "w"] == [
        ("w", "Conv_0_w_dequantized"),
        ("w", "Conv_1_w_dequantized"),
    ]


def test_an_output_keeps_name_type_and_metadata(quantize: Quantize) -> None:
    made = quantize(*GRAPHS["output"][:2], **GRAPHS["output"][2])
    model = made.canonical.clone()
    model.graph.outputs[0].metadata_props["unit"] = "volt"
    InsertQDQ().run(model, Context(plan=made.plan))
    (output,) = model.graph.outputs
    assert (output.name, str(output.type), str(output.shape)) == ("y", "FLOAT", "[1,8,6,6]")
    assert output.metadata_props == {"unit": "volt"}


def test_a_round_trip_at_the_interface_leaves_the_interface() -> None:
    model = ir.from_onnx_text(
        '<ir_version: 10, opset_import: ["": 21]> g (float[4] x) => (float[4] y, float[4] z) '
        "<float s = {0.5}, uint8 o = {3}> { q = QuantizeLinear(x, s, o) y = DequantizeLinear(q, s, o) z = Neg(y) }"
    )
    assert RemoveQDQ().run(model, Context()).changes == 1
    assert [v.name for v in model.graph.inputs] == ["x"]
    assert [v.name for v in model.graph.outputs] == ["y", "z"]
    assert [node.op_type for node in model.graph] == ["Identity", "Neg"]


STEPS = st.sampled_from(
    [
        "{y} = Conv(x{i}, w)",
        "{y} = Relu(x{i})",
        "{y} = Add(x{i}, x{j})",
        "{y} = Mul(x{i}, k)",
        "{y} = MaxPool<kernel_shape=[1,1]>(x{i})",
        "{y} = Elu(x{i})",
        "{y} = Sigmoid(x{i})",
    ]
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(STEPS, st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=8), st.integers(0, 99))
def test_inverse_on_any_graph(quantize: Quantize, steps: list[tuple[str, int, int]], tap: int) -> None:
    nodes = ["x1 = Conv(x0, w)"]
    for count, (step, i, j) in enumerate(steps, start=2):
        nodes.append(step.format(y=f"x{count}", i=i % count, j=j % count))
    last = len(steps) + 1
    outputs = dict.fromkeys(f"float[1,4,3,3] x{number}" for number in (1, 1 + tap % last, last))
    weights: dict[str, Any] = {"w": np.eye(4, dtype=np.float32).reshape(4, 4, 1, 1)}
    if any("k)" in node for node in nodes):
        weights["k"] = (4, 1, 1)
    check_inverse(quantize, f"(float[1,4,3,3] x0) => ({', '.join(outputs)})", " ".join(nodes), weights)
