"""A plan of another model is refused before anything is rewritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import check_fits, make_plan, place
from qcompile.errors import PlanError
from qcompile.plan import Decision, Form, Plan
from qcompile.quant import QuantParams
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

TEXT = "g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) { [conv] y = Conv(x, kernel) }"
PARAMS = QuantParams(np.array(1, np.float32), np.array(0, np.uint8))


@pytest.fixture
def built(model: Model) -> ir.Model:
    return model(TEXT)


@pytest.fixture
def plan(built: ir.Model) -> Plan:
    placement = place(built, find_target("cpu"))
    return make_plan(placement, dict.fromkeys(placement.observed, (-1.0, 1.0)), find_target("cpu"), "qoperator")


def test_its_own_plan_fits(built: ir.Model, plan: Plan) -> None:
    check_fits(plan, built)


@pytest.mark.parametrize(
    ("more", "stranger"),
    [
        (Plan("cpu", nodes={"conv7": Decision(Form.INTEGER)}), "node 'conv7'"),
        (Plan("cpu", values={"t7": PARAMS}), "value 't7'"),
        (Plan("cpu", weights={("conv7", 1): PARAMS}), "node 'conv7'"),
        (Plan("cpu", bias_shifts={"conv7": (0.0,)}), "node 'conv7'"),
    ],
)
def test_a_stranger_is_named(more: Plan, stranger: str, built: ir.Model) -> None:
    with pytest.raises(PlanError, match=rf"^plan does not fit the model \(it has no {stranger}\); save one from this"):
        check_fits(more, built)


@pytest.mark.parametrize(
    "params",
    [
        QuantParams(np.ones(3, np.float32), np.zeros(3, np.int8), 0),
        QuantParams(np.ones(4, np.float32), np.zeros(4, np.int8), 7),
    ],
)
def test_scales_for_another_shape(params: QuantParams, built: ir.Model, plan: Plan) -> None:
    other = replace(plan, weights={("conv", 1): params})
    with pytest.raises(PlanError, match=r"^plan does not fit the model \(input 1 of node 'conv' has another shape\)"):
        check_fits(other, built)


def test_parameters_for_an_input_that_is_no_constant(built: ir.Model, plan: Plan) -> None:
    for index in (0, 5):
        other = replace(plan, weights={("conv", index): PARAMS})
        with pytest.raises(PlanError, match=rf"input {index} of node 'conv' is no constant"):
            check_fits(other, built)
