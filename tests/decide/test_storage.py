"""Which weights of float nodes are stored in 8 bits, and with which scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import make_plan, place
from qcompile.decide.storage import stored_weights
from qcompile.pipeline import Context, Pipeline
from qcompile.plan import Plan
from qcompile.quant import QuantParams
from qcompile.runtime import run_as_written
from qcompile.targets import find_target

Model = Callable[..., ir.Model]
RNG = np.random.default_rng(2)
GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}


def planned(model: ir.Model, *exclude: str) -> Plan:
    cpu = find_target("cpu")
    plan = make_plan(place(model, cpu, exclude), {}, cpu, "qoperator")
    return replace(plan, weights=plan.weights | stored_weights(model, plan))


def recurrent(model: Model, op_type: str, direction: str, hidden: int = 32) -> ir.Model:
    directions = 2 if direction == "bidirectional" else 1
    rows = GATES[op_type] * hidden
    text = f"""g (float[7, 2, 24] x) => (float[7, {directions}, 2, {hidden}] y) {{
        [unit] y = {op_type} <hidden_size = {hidden}, direction = "{direction}"> (x, weight_x, weight_h)
    }}"""
    rng = np.random.default_rng(1)
    shapes = {"weight_x": (directions, rows, 24), "weight_h": (directions, rows, hidden)}
    return model(text, **{name: rng.uniform(-0.2, 0.2, shape).astype(np.float32) for name, shape in shapes.items()})


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op_type", GATES)
def test_recurrent_weights_have_a_scale_for_each_row(model: Model, op_type: str, direction: str) -> None:
    made = recurrent(model, op_type, direction)
    plan = planned(made)
    assert not plan.is_integer("unit")
    assert set(plan.weights) == {("unit", 1), ("unit", 2)}
    assert all(p.axis == 1 and p.scale.shape == (GATES[op_type] * 32,) for p in plan.weights.values())


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("op_type", GATES)
def test_stored_recurrent_weights_are_computed_with_in_float(model: Model, op_type: str, direction: str) -> None:
    made = recurrent(model, op_type, direction)
    plan = planned(made)
    context = Context(plan=plan)
    stored, _ = Pipeline.default().stage("quantize", "lower").run(made.clone(), context)
    assert [node.op_type for node in stored.graph] == ["Cast", "Mul", "Cast", "Mul", op_type]
    for index, name in ((1, "weight_x"), (2, "weight_h")):
        made.graph.initializers[name].const_value = rounded(made, name, plan.weights["unit", index])
    feed = {"x": RNG.normal(size=(7, 2, 24)).astype(np.float32)}
    np.testing.assert_array_equal(run_as_written(stored, feed)[0], run_as_written(made, feed)[0])


def rounded(model: ir.Model, name: str, params: QuantParams) -> ir.TensorProtocol:
    weight = model.graph.initializers[name].const_value
    assert weight is not None
    return ir.tensor(params.fake_quantize(weight.numpy()), name=name)


def test_an_lstm_on_integers_needs_no_storage(model: Model) -> None:
    made = recurrent(model, "LSTM", "bidirectional", 128)
    plan = planned(made)
    assert plan.is_integer("unit")
    assert not stored_weights(made, plan)
    assert {key: params.scale.shape for key, params in plan.weights.items()} == {
        ("unit", 1): (512,),
        ("unit", 2): (512,),
    }


@pytest.mark.parametrize(
    ("node", "weight", "axis"),
    [
        ("ConvTranspose(x, w)", (4, 64, 3, 3), 1),
        ("ConvTranspose<group=4>(x, w)", (4, 16, 9, 9), 0),
        ("Gather(w, ids)", (300, 16), 0),
        ("Gather<axis=1>(w, ids)", (300, 16), None),
        ("MatMul(x, w)", (4, 8, 64), 2),
        ("Conv(x, w)", (2, 4, 1, 1), None),
    ],
)
def test_axis_of_other_weights(model: Model, node: str, weight: tuple[int, ...], axis: int | None) -> None:
    """None: not stored, since the table is read across, or is too small to gain."""
    interface: Any = "g (float[1, 4, 8, 8] x, int64[2] ids) => (float y)"
    made = model(f"{interface} {{ [unit] y = {node} }}", w=RNG.normal(size=weight).astype(np.float32))
    found = stored_weights(made, Plan(target="cpu"))
    assert {key: params.axis for key, params in found.items()} == (
        {} if axis is None else {("unit", int(node[0] != "G")): axis}
    )


def test_an_excluded_node_keeps_its_weights(model: Model) -> None:
    assert not planned(recurrent(model, "GRU", "forward"), "unit").weights
