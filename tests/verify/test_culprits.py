"""The verdict: who costs most, what was tried, what would make it exact, and that the option does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from qcompile.decide import place
from qcompile.plan import Code, Decision, Form, Reason
from qcompile.runtime import Event
from qcompile.targets import find_target
from qcompile.verify import Culprit, Gate, Sensitivity, Share, culprits

CPU = find_target("cpu")
NODES = "[block] a = Conv(x, w, b) [relu] r = Relu(a) [head] d = Conv(r, v) [tail] y = Elu(d)"
EVENTS = [
    Event("block", "Conv", 30, ((1, 8, 6, 6), (16, 8, 1, 1)), ((1, 16, 6, 6),)),
    Event("head", "Conv", 60, ((1, 16, 6, 6), (48, 16, 1, 1)), ((1, 48, 6, 6),)),
    Event("tail", "Elu", 10, ((1, 48, 6, 6),), ((1, 48, 6, 6),)),
]


@pytest.fixture
def made(quantize: Callable[..., Any]) -> Any:
    return quantize("(float[1,8,6,6] x) => (float[1,48,6,6] y)", NODES, w=(16, 8, 1, 1), b=(16,), v=(48, 16, 1, 1))


def verdict(made: Any, *shares: Share, speed: float | None = None) -> tuple[Culprit, ...]:
    found = Sensitivity("y", 20.0, shares, 0, 0.0)
    return culprits(made.canonical, made.plan, CPU, found, EVENTS, speed)


def test_an_activation(made: Any) -> None:
    made.plan.notes["observer"] = "mse"
    (culprit,) = verdict(made, Share(Gate("r", "relu"), 0.5), speed=3.0)
    assert (culprit.value, culprit.node, culprit.op_type, culprit.of_weights) == ("r", "relu", "Relu", False)
    assert (culprit.output, culprit.share, culprit.tried) == ("y", 0.5, ("range by mse",))
    assert culprit.in_float == ("block", "head")
    assert culprit.multiply_adds == 1.0
    assert culprit.slower == pytest.approx(0.9 * 2)  # what took 90 % of the float time loses a gain of 3
    assert culprit.option == "--exclude '^(block|head)$'"


def test_weights(made: Any) -> None:
    made.plan.bias_shifts["block"] = (0.1,) * 16
    made.plan.roundings["block", 1] = b""
    made.plan.notes["rounding"] = "descent"
    (culprit,) = verdict(made, Share(Gate("w", "block", True), 0.25))
    assert culprit.tried == ("a scale per channel", "codes by descent", "bias corrected")
    assert culprit.multiply_adds == pytest.approx(8 * 16 / (8 * 16 + 16 * 48))
    assert culprit.slower is None


def test_neighbours_that_were_given_back_are_named(made: Any) -> None:
    nodes = made.plan.nodes | {"head": Decision(Form.FLOAT, Reason(Code.KEPT_FOR_ACCURACY))}
    made = replace(made, plan=replace(made.plan, nodes=nodes))
    (culprit,) = verdict(made, Share(Gate("r", "relu"), 0.5))
    assert culprit.tried[-1] == "float at head"
    assert culprit.in_float == ("block",)


def test_three_at_most_and_none_without_harm(made: Any) -> None:
    worst = [Share(Gate("r", "relu"), 0.5), Share(Gate("w", "block", True), 0.2), Share(Gate("x", ""), 0.1)]
    found = verdict(made, *worst, Share(Gate("v", "head", True), 0.05))
    assert [culprit.value for culprit in found] == ["r", "w", "x"]
    assert found[2].node == found[2].op_type == ""
    assert verdict(made, Share(Gate("x", ""), 0.0)) == ()


def test_the_option_makes_the_value_exact(made: Any) -> None:
    (culprit,) = verdict(made, Share(Gate("x", ""), 0.5))
    option, pattern = shlex.split(culprit.option)
    assert option == "--exclude"
    placement = place(made.canonical, CPU, [pattern])
    assert "x" not in placement.groups
    assert placement.nodes["block"].reason == Reason(Code.EXCLUDED, pattern)


def test_the_option_survives_the_shell_and_names_one_node(made: Any) -> None:
    model, name = made.canonical.clone(), "it's/block.0 (1)"
    next(iter(model.graph)).name = name
    found = Sensitivity("y", 20.0, (Share(Gate("w", name, True), 0.5),), 0, 0.0)
    (culprit,) = culprits(model, made.plan, CPU, found, EVENTS)
    _, pattern = shlex.split(culprit.option)
    assert re.search(pattern, name)
    assert not re.search(pattern, name.replace(".", "-"))
    excluded = {n for n, d in place(model, CPU, [pattern]).nodes.items() if d.reason and d.reason.code is Code.EXCLUDED}
    assert excluded == {name}


def test_codes_that_leave_the_model_need_their_maker_in_float(quantize: Callable[..., Any]) -> None:
    """A product that could give floats itself gives codes to a caller who takes 8 bits."""
    made = quantize("(float[2,4] x) => (float[2,4] y)", "[product] y = MatMul(x, m)", m=(4, 4))
    plan = replace(made.plan, io_type="quantized", nodes={"product": Decision(Form.INTEGER)})
    plan.values["y"] = plan.values["x"]
    found = Sensitivity("y", 20.0, (Share(Gate("y", "product"), 0.5),), 0, 0.0)
    (culprit,) = culprits(made.canonical, plan, CPU, found, [])
    assert culprit.in_float == ("product",)
    assert culprit.option == "--exclude '^product$'"
