"""One model with gates is, by their state, the float model, the QDQ model, and all between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.passes.repair import MigrateScales
from qcompile.pipeline import Context, Pipeline
from qcompile.plan import Decision, Form, Plan
from qcompile.quant import pack_steps
from qcompile.runtime import Feed, Session
from qcompile.targets import find_target
from qcompile.verify import Gate, GatedModel, gated_model

CPU = find_target("cpu")
NODES = """
    [first] a = Conv<pads=[1,1,1,1]>(x, w, b) [relu] r = Relu(a)
    [pool] p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)
    [second] d = Conv<pads=[1,1,1,1]>(p, v, b) [sum] s = Add(p, d)
    [mean] m = GlobalAveragePool(s) [flat] f = Flatten(m) [head] y = Gemm(f, g, c)
"""
INTERFACE = "(float[4,8,12,12] x) => (float[4,10] y)"
SHAPES: dict[str, tuple[int, ...]] = {"w": (16, 8, 3, 3), "b": (16,), "v": (16, 16, 3, 3), "g": (16, 10), "c": (10,)}


@pytest.fixture
def made(quantize: Callable[..., Any]) -> Any:
    return quantize(INTERFACE, NODES, **SHAPES)


def rewritten(canonical: ir.Model, plan: Plan, feed: Feed) -> list[np.ndarray]:
    """What the QDQ model of a plan gives, as written."""
    context = Context(target=CPU, plan=plan)
    model, _ = Pipeline.default().stage("repair", "quantize").run(canonical.clone(), context)
    return Session(model, optimize=False).run(feed)


def gated(found: GatedModel, feed: Feed, *states: bool) -> list[np.ndarray]:
    return Session(found.model).run({**feed, found.switches: np.asarray(states)})


def close(got: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_every_quantization_has_one_gate_in_graph_order(made: Any) -> None:
    found = gated_model(made.canonical, made.plan, CPU)
    assert [(g.node, g.value, g.of_weights) for g in found.gates] == [
        ("", "x", False),
        ("first", "w", True),
        ("relu", "r", False),  # pool moves r: what it gives is on the grid of r
        ("second", "d", False),
        ("second", "v", True),
        ("sum", "s", False),
        ("mean", "m", False),
        ("head", "g", True),
    ]


def test_all_closed_is_the_float_model_and_all_open_the_qdq_model(made: Any) -> None:
    found = gated_model(made.canonical, made.plan, CPU)
    count = len(found.gates)
    close(gated(found, made.feed, *[False] * count), Session(made.canonical).run(made.feed))
    close(gated(found, made.feed, *[True] * count), rewritten(made.canonical, made.plan, made.feed))


def test_roundings_and_shifts_belong_to_the_weights(made: Any) -> None:
    plan = replace(made.plan, bias_shifts={"first": (0.5,) * 16, "head": tuple(np.linspace(-1, 1, 10))})
    weight = made.canonical.graph.initializers["v"].const_value.numpy()
    nearest = plan.weights["second", 1].quantize(weight)
    moved = np.clip(nearest.astype(int) + (np.arange(nearest.size).reshape(nearest.shape) % 2), -127, 127)
    plan = replace(plan, roundings={("second", 1): pack_steps(moved, nearest)})
    found = gated_model(made.canonical, plan, CPU)
    close(gated(found, made.feed, *[False] * 8), Session(made.canonical).run(made.feed))
    close(gated(found, made.feed, *[True] * 8), rewritten(made.canonical, plan, made.feed))


def test_an_output_in_segments(quantize: Callable[..., Any]) -> None:
    text = "[only] a = Conv(x, w, b) [relu] y = Relu(a)"
    made = quantize("(float[1,8,6,6] x) => (float[1,12,6,6] y)", text, w=(12, 8, 1, 1), b=(12,))
    plan = replace(made.plan, segments={"only": 4})
    found = gated_model(made.canonical, plan, CPU)
    step = float(plan.values["y"].scale) / 4
    (got,), (wanted,) = gated(found, made.feed, True, True, True), rewritten(made.canonical, plan, made.feed)
    assert np.abs(got - wanted).max() <= 2.01 * step  # the bias of each copy is rounded, too
    (alone,), (exact,) = gated(found, made.feed, False, False, True), Session(made.canonical).run(made.feed)
    assert 0 < np.abs(alone - exact).max() <= 0.51 * step


def test_dynamic_products_share_the_gate_of_their_input(quantize: Callable[..., Any]) -> None:
    text = "[q] a = MatMul(x, w) [k] b = MatMul(x, v) [sum] y = Add(a, b)"
    made = quantize("(float[5,16] x) => (float[5,16] y)", text, w=(16, 16), v=(16, 16))
    nodes = made.plan.nodes | dict.fromkeys(("q", "k"), Decision(Form.DYNAMIC))
    plan = replace(made.plan, nodes=nodes, values={})
    found = gated_model(made.canonical, plan, CPU)
    assert found.gates == (Gate("x", ""), Gate("w", "q", True), Gate("v", "k", True))
    close(gated(found, made.feed, True, True, True), rewritten(made.canonical, plan, made.feed))


def test_bodies_have_gates_too(quantize: Callable[..., Any]) -> None:
    text = """
        [first] a = MatMul(x, w)
        [choice] y = If(yes) <
            then_branch = t () => (float[5,16] tb) { [inner] tb = MatMul(a, v) },
            else_branch = e () => (float[5,16] eb) { eb = Identity(a) }>
    """
    made = quantize("(float[5,16] x) => (float[5,16] y)", text, w=(16, 16), v=(16, 16), yes=np.asarray(True))
    found = gated_model(made.canonical, made.plan, CPU)
    assert {gate.node for gate in found.gates if gate.of_weights} == {"first", "inner"}
    count = len(found.gates)
    close(gated(found, made.feed, *[False] * count), Session(made.canonical).run(made.feed))
    close(gated(found, made.feed, *[True] * count), rewritten(made.canonical, made.plan, made.feed))


def test_the_name_of_the_switches_gives_way(quantize: Callable[..., Any]) -> None:
    made = quantize("(float[5,16] x) => (float[5,16] qcompile_gates)", "[a] qcompile_gates = MatMul(x, w)", w=(16, 16))
    found = gated_model(made.canonical, made.plan, CPU)
    assert found.switches == "qcompile_gates_1"
    assert Session(found.model).outputs == ["qcompile_gates"]


def test_migrations_are_carried_out_before(made: Any) -> None:
    plan = replace(made.plan, migrations={"r": tuple(2.0 ** (np.arange(16) % 3))})
    moved = made.canonical.clone()
    MigrateScales().run(moved, Context(target=CPU, plan=plan))
    found = gated_model(moved, plan, CPU)
    close(gated(found, made.feed, *[False] * 8), Session(moved).run(made.feed))
    close(gated(found, made.feed, *[True] * 8), rewritten(made.canonical, plan, made.feed))
